//! Peers that do not speak Kafka, or break off: a typed reason, one connection dropped, the
//! other untouched, every record accounted for.

mod chaos;
mod hostile;

use std::fmt::Write as _;

use chaos::answers::{Asked, Flavor};
use expect_test::{Expect, expect};
use hostile::{PATIENCE, Peers, Reply};
use kafka_producer_machine::Outcome;
use kafka_producer_proto::ApiKey;

/// Broker 1 answers requests of this kind with these bytes; broker 0 behaves. Gives the reasons.
fn meet(api: ApiKey, bytes: &[u8]) -> String {
    let bytes = bytes.to_vec();
    let mut peers = Peers::new(&[], move |broker, asked| {
        if broker == 1 && asked.api() == api {
            Reply::Bytes(bytes.clone())
        } else {
            Reply::Proper
        }
    });
    let untouched = peers.send("t0", 0);
    let lost = peers.send("t0", 1);
    peers.advance(PATIENCE);
    assert!(peers.end_of(untouched).result.is_ok());
    let outcome = match &peers.end_of(lost).result {
        Ok(_) => None,
        Err(failed) => Some(failed.outcome),
    };
    let expected = match api {
        ApiKey::Produce => Outcome::MaybeWritten,
        _ => Outcome::NotWritten,
    };
    assert_eq!(outcome, Some(expected));
    peers.account();
    let live: Vec<i32> = peers.links.values().copied().collect();
    assert!(live.contains(&0), "the other connections stand: {live:?}");
    peers.reasons().join("\n")
}

fn check(peers: &[(&str, &[u8])], expect: Expect) {
    let mut table = String::new();
    for (name, bytes) in peers {
        for api in [ApiKey::ApiVersions, ApiKey::Produce] {
            let reasons = meet(api, bytes);
            let reasons = reasons.replace(", ", ",\n    ").replace(": ", ":\n    ");
            writeln!(table, "{name}, instead of {}:\n{reasons}", api.name()).expect("a string");
        }
    }
    expect.assert_eq(&table);
}

#[test]
fn peers_of_other_protocols_are_named() {
    check(
        &[
            ("http", b"HTTP/1.1 400 Bad Request\r\n\r\n"),
            ("tls alert", &[0x15, 3, 3, 0, 2, 2, 70]),
            ("tls handshake", &[0x16, 3, 1, 0, 5, 1, 2, 3, 4, 5]),
            ("ssh", b"SSH-2.0-OpenSSH_9.6\r\n"),
        ],
        expect![[r#"
            http, instead of ApiVersions:
            Protocol("expected a Kafka frame,
                came an HTTP answer:
                this port belongs to a web server")
            http, instead of Produce:
            Protocol("expected a Kafka frame,
                came an HTTP answer:
                this port belongs to a web server")
            tls alert, instead of ApiVersions:
            Protocol("expected a Kafka frame,
                came a TLS record:
                the port wants TLS (security.protocol)")
            tls alert, instead of Produce:
            Protocol("expected a Kafka frame,
                came a TLS record:
                the port wants TLS (security.protocol)")
            tls handshake, instead of ApiVersions:
            Protocol("expected a Kafka frame,
                came a TLS record:
                the port wants TLS (security.protocol)")
            tls handshake, instead of Produce:
            Protocol("expected a Kafka frame,
                came a TLS record:
                the port wants TLS (security.protocol)")
            ssh, instead of ApiVersions:
            Protocol("expected a frame of at most 104857600 bytes,
                came 1397966893:
                raise the limit if it is real")
            ssh, instead of Produce:
            Protocol("expected a frame of at most 104857600 bytes,
                came 1397966893:
                raise the limit if it is real")
        "#]],
    );
}

#[test]
fn lengths_that_cannot_be_are_named() {
    check(
        &[
            ("2 GiB", &i32::MAX.to_be_bytes()),
            ("minus one", &(-1_i32).to_be_bytes()),
            ("the lowest", &i32::MIN.to_be_bytes()),
            ("nothing", &[0; 4]),
            ("three bytes", &[0, 0, 0, 3, 1, 2, 3]),
        ],
        expect![[r#"
            2 GiB, instead of ApiVersions:
            Protocol("expected a frame of at most 104857600 bytes,
                came 2147483647:
                raise the limit if it is real")
            2 GiB, instead of Produce:
            Protocol("expected a frame of at most 104857600 bytes,
                came 2147483647:
                raise the limit if it is real")
            minus one, instead of ApiVersions:
            Protocol("expected a frame size of 0 or more,
                came -1:
                the peer does not speak Kafka")
            minus one, instead of Produce:
            Protocol("expected a frame size of 0 or more,
                came -1:
                the peer does not speak Kafka")
            the lowest, instead of ApiVersions:
            Protocol("expected a frame size of 0 or more,
                came -2147483648:
                the peer does not speak Kafka")
            the lowest, instead of Produce:
            Protocol("expected a frame size of 0 or more,
                came -2147483648:
                the peer does not speak Kafka")
            nothing, instead of ApiVersions:
            Protocol("the answer to ApiVersions version 4 cannot be read:
                expected 4 more bytes of a field than the frame has,
                0 bytes before the end of the frame")
            nothing, instead of Produce:
            Protocol("the answer to Produce version 12 cannot be read:
                expected 4 more bytes of a field than the frame has,
                0 bytes before the end of the frame")
            three bytes, instead of ApiVersions:
            Protocol("the answer to ApiVersions version 4 cannot be read:
                expected 1 more bytes of a field than the frame has,
                3 bytes before the end of the frame")
            three bytes, instead of Produce:
            Protocol("the answer to Produce version 12 cannot be read:
                expected 1 more bytes of a field than the frame has,
                3 bytes before the end of the frame")
        "#]],
    );
}

#[test]
fn answers_to_other_requests_are_named() {
    let wrong = |asked: &Asked, by: i32| asked.answer(&Flavor::WrongId(by));
    let mut table = String::new();
    for by in [-1, 1, i32::MIN] {
        let mut peers = Peers::new(&[], move |broker, asked| {
            if broker == 1 && asked.api() == ApiKey::Produce {
                Reply::Bytes(wrong(asked, by))
            } else {
                Reply::Proper
            }
        });
        peers.send("t0", 1);
        peers.advance(PATIENCE);
        peers.account();
        let reasons = peers.reasons();
        let first = reasons.first().cloned().unwrap_or_default();
        writeln!(table, "{first}").expect("a string");
    }
    expect![[r#"
        Protocol("the answer to request 1 was expected, 0 came")
        Protocol("the answer to request 1 was expected, 2 came")
        Protocol("the answer to request 1 was expected, -2147483647 came")
    "#]]
    .assert_eq(&table);
}

#[test]
fn an_answer_to_nothing_ends_the_connection() {
    let mut peers = Peers::new(&[], |_, asked| {
        let answer = asked.answer(&Flavor::Good);
        match asked.api() {
            ApiKey::Produce => Reply::Bytes([answer.clone(), answer].concat()),
            _ => Reply::Proper,
        }
    });
    let receipt = peers.send("t0", 1);
    assert!(
        peers.end_of(receipt).result.is_ok(),
        "the first answer counts"
    );
    expect![[r#"Protocol("an answer came and nothing was asked")"#]]
        .assert_eq(&peers.reasons().join("\n"));
    peers.account();
}

#[test]
fn noise_is_survived_wherever_it_comes() {
    let mut state = 1_u64;
    let mut noise = move || {
        // A linear congruential generator: any noise will do, as long as it is the same.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as u8
    };
    for round in 0..200 {
        let length = usize::from(noise()) % 64;
        let mut bytes: Vec<u8> = (0..length).map(|_| noise()).collect();
        if round % 2 == 0 {
            // With a size that is right, the noise reaches the decoders.
            let size = (length as i32).to_be_bytes();
            bytes.splice(0..0, size);
        }
        for api in [
            ApiKey::ApiVersions,
            ApiKey::Metadata,
            ApiKey::InitProducerId,
            ApiKey::Produce,
        ] {
            let bytes = bytes.clone();
            let mut peers = Peers::new(&[], move |_, asked| {
                if asked.api() == api {
                    Reply::Bytes(bytes.clone())
                } else {
                    Reply::Proper
                }
            });
            peers.send("t0", 0);
            peers.advance(PATIENCE);
            peers.account();
        }
    }
}

/// Every answer of a kind goes through this.
fn spoil(
    api: ApiKey,
    settings: &[(&str, &str)],
    how: impl Fn(Vec<u8>) -> Vec<u8> + 'static,
) -> Peers {
    let mut peers = Peers::new(settings, move |_, asked| {
        if asked.api() == api {
            Reply::Bytes(how(asked.answer(&Flavor::Good)))
        } else {
            Reply::Proper
        }
    });
    peers.send("t0", 0);
    peers.advance(PATIENCE);
    peers.account();
    peers
}

const APIS: [ApiKey; 4] = [
    ApiKey::ApiVersions,
    ApiKey::Metadata,
    ApiKey::InitProducerId,
    ApiKey::Produce,
];

#[test]
fn an_answer_that_ends_early_in_a_whole_frame_is_a_protocol_error() {
    for api in APIS {
        let mut length = 4;
        loop {
            let cut = length;
            let peers = spoil(api, &[], move |answer| {
                let mut answer = answer[..cut.min(answer.len())].to_vec();
                let size = (answer.len() - 4) as i32;
                answer[..4].copy_from_slice(&size.to_be_bytes());
                answer
            });
            let reasons = peers.reasons();
            if reasons.is_empty() {
                break;
            }
            assert!(
                reasons[0].starts_with("Protocol("),
                "{api:?} {cut}: {reasons:?}"
            );
            length += 1;
        }
        assert!(10 < length, "{api:?} was cut at {length} bytes at most");
    }
}

#[test]
fn an_answer_that_never_ends_is_a_timeout() {
    for api in APIS {
        for cut in [0, 1, 4, 7, 9] {
            let peers = spoil(api, &[], move |answer| answer[..cut].to_vec());
            let reasons = peers.reasons();
            assert!(
                reasons.iter().any(|reason| reason == "RequestTimeout"),
                "{api:?} {cut}: {reasons:?}"
            );
        }
    }
}

#[test]
fn a_byte_that_flips_anywhere_in_an_answer_is_survived() {
    for api in APIS {
        for at in 0..160 {
            for bits in [0xff, 0x80, 0x01] {
                spoil(api, &[("retry.backoff.ms", "1000")], move |mut answer| {
                    if let Some(byte) = answer.get_mut(at) {
                        *byte ^= bits;
                    }
                    answer
                });
            }
        }
    }
}

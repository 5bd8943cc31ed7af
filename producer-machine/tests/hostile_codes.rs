//! Every error code that a broker can give, known or not, wherever it can give one: each ends in
//! a success or in a typed error, truthfully, within `delivery.timeout.ms`.

mod chaos;
mod hostile;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use chaos::answers::{Asked, Flavor};
use expect_test::{Expect, expect};
use hostile::{PATIENCE, Peers, Reply, frame, metadata};
use kafka_producer_machine::{ErrorCode, Outcome, ProduceError};
use kafka_producer_proto::ApiKey;

/// All codes of today, and some that nobody knows.
fn codes() -> impl Iterator<Item = i16> {
    (-1..=136).chain([137, 999, i16::MAX, -2, i16::MIN])
}

/// Which answers prove that nothing was written: `verification.md` §10, not the machine's table.
const DEFINITE: [i16; 21] = [
    2, 10, 17, 18, 19, 21, 29, 31, 32, 42, 43, 45, 47, 48, 49, 53, 59, 76, 87, 90, 120,
];

/// A success, or the kind of the error with its outcome.
fn name(peers: &Peers, receipt: kafka_producer_machine::Receipt) -> String {
    match &peers.end_of(receipt).result {
        Ok(written) => format!("written, offset {:?}", written.base_offset),
        Err(failed) => {
            let kind = match failed.error {
                ProduceError::Broker { .. } => "refused",
                ProduceError::Closed => "closed",
                ProduceError::EarlierFailed { .. } => "behind a failed one",
                ProduceError::Compression(_) => "not compressed",
                ProduceError::Fatal(_) => "fatal",
                ProduceError::Partitioner(_) => "without a partition",
                ProduceError::Purged => "purged",
                ProduceError::RetriesExhausted { .. } => "retries exhausted",
                ProduceError::TimedOut { .. } => "timed out",
                ProduceError::TopicUnknown { .. } => "topic unknown",
                ProduceError::Unreachable { .. } => "unreachable",
                _ => "another error",
            };
            format!("{kind}, {}", failed.outcome.name())
        }
    }
}

/// Codes by what came of them.
fn check(mut fate: impl FnMut(i16) -> String, expect: Expect) {
    let mut fates: BTreeMap<String, BTreeSet<i16>> = BTreeMap::new();
    for code in codes() {
        fates.entry(fate(code)).or_default().insert(code);
    }
    let mut table = String::new();
    for (fate, codes) in fates {
        writeln!(table, "{fate}:").expect("a string takes it");
        for line in ranges(&codes).chunks(10) {
            writeln!(table, "    {}", line.join(" ")).expect("a string takes it");
        }
    }
    expect.assert_eq(&table);
}

/// Neighbors as one: `3..7`.
fn ranges(codes: &BTreeSet<i16>) -> Vec<String> {
    let mut ranges: Vec<(i16, i16)> = Vec::new();
    for &code in codes {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == code => *last = code,
            _ => ranges.push((code, code)),
        }
    }
    let text = |(first, last): (i16, i16)| match first == last {
        true => first.to_string(),
        false => format!("{first}..{last}"),
    };
    ranges.into_iter().map(text).collect()
}

/// Produce is answered with this code, always; the first attempt is lost if the test says so.
fn produce(settings: &[(&str, &str)], code: i16, first: Attempt) -> String {
    let mut lose = first == Attempt::Lost;
    let mut peers = Peers::new(settings, move |_, asked| match asked.api() {
        ApiKey::Produce if std::mem::take(&mut lose) => Reply::HangUp,
        ApiKey::Produce => Reply::Bytes(asked.answer(&Flavor::Code(code))),
        _ => Reply::Proper,
    });
    let receipt = peers.send("t0", 0);
    peers.advance(PATIENCE);
    peers.account();
    if let Err(failed) = &peers.end_of(receipt).result {
        let proven = first == Attempt::Answered && DEFINITE.contains(&code);
        let expected = if proven {
            Outcome::NotWritten
        } else {
            Outcome::MaybeWritten
        };
        assert_eq!(failed.outcome, expected, "{code}");
        assert!(!failed.error.to_string().is_empty());
    }
    name(&peers, receipt)
}

/// What became of the first attempt.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Attempt {
    Answered,
    Lost,
}

const PLAIN: [(&str, &str); 1] = [("enable.idempotence", "false")];
const LEADER_ONLY: [(&str, &str); 2] = [("enable.idempotence", "false"), ("acks", "1")];

#[test]
fn an_idempotent_batch_ends_truthfully_with_every_code() {
    check(
        |code| produce(&[], code, Attempt::Answered),
        expect![[r#"
        refused, maybe_written:
            -32768 -2..-1 1 4 8 11..12 22..28 30 33..41 44
            50 52 54..55 57..58 60..71 73 77..86 88 91..99 101..102
            104..119 121..137 999 32767
        refused, not_written:
            10 17..18 21 29 31..32 42..43 47..49 53 76 87
            90 120
        timed out, maybe_written:
            3 5..7 9 13..16 20 51 56 72 74..75 89
            100 103
        timed out, not_written:
            2 19 45 59
        written, offset None:
            46
        written, offset Some(0):
            0
    "#]],
    );
}

#[test]
fn an_idempotent_batch_in_doubt_stays_in_doubt_with_every_code() {
    check(
        |code| produce(&[], code, Attempt::Lost),
        expect![[r#"
        refused, maybe_written:
            -32768 -2..-1 1 4 8 10..12 17..18 21..45 47..50 52..55
            57..71 73 76..88 90..99 101..102 104..137 999 32767
        timed out, maybe_written:
            2..3 5..7 9 13..16 19..20 51 56 72 74..75 89
            100 103
        written, offset None:
            46
        written, offset Some(0):
            0
    "#]],
    );
}

#[test]
fn a_plain_batch_ends_truthfully_with_every_code() {
    check(
        |code| produce(&PLAIN, code, Attempt::Answered),
        expect![[r#"
            refused, maybe_written:
                -32768 -2..-1 1 4 8 11..12 22..28 30 33..41 44
                50 52 54..55 57..58 60..71 73 77..86 88 91..99 101..102
                104..119 121..137 999 32767
            refused, not_written:
                10 17..18 21 29 31..32 42..43 47..49 53 76 87
                90 120
            timed out, maybe_written:
                3 5..7 9 13..16 20 51 56 72 74..75 89
                100 103
            timed out, not_written:
                2 19 45 59
            written, offset None:
                46
            written, offset Some(0):
                0
        "#]],
    );
    for code in codes() {
        assert_eq!(
            produce(&PLAIN, code, Attempt::Answered),
            produce(&LEADER_ONLY, code, Attempt::Answered)
        );
    }
}

#[test]
fn a_plain_batch_in_doubt_stays_in_doubt_with_every_code() {
    check(
        |code| produce(&PLAIN, code, Attempt::Lost),
        expect![[r#"
        refused, maybe_written:
            -32768 -2..-1 1 4 8 10..12 17..18 21..45 47..50 52..55
            57..71 73 76..88 90..99 101..102 104..137 999 32767
        timed out, maybe_written:
            2..3 5..7 9 13..16 19..20 51 56 72 74..75 89
            100 103
        written, offset None:
            46
        written, offset Some(0):
            0
    "#]],
    );
}

#[test]
fn without_retries_a_batch_ends_with_its_first_answer() {
    let settings = [("enable.idempotence", "false"), ("retries", "0")];
    check(
        |code| produce(&settings, code, Attempt::Answered),
        expect![[r#"
            refused, maybe_written:
                -32768 -2..-1 1 4 8 11..12 22..28 30 33..41 44
                50 52 54..55 57..58 60..71 73 77..86 88 91..99 101..102
                104..119 121..137 999 32767
            refused, not_written:
                10 17..18 21 29 31..32 42..43 47..49 53 76 87
                90 120
            retries exhausted, maybe_written:
                3 5..7 9 13..16 20 51 56 72 74..75 89
                100 103
            retries exhausted, not_written:
                2 19 45 59
            written, offset None:
                46
            written, offset Some(0):
                0
        "#]],
    );
}

/// One record goes through peers with this script; its end is given.
fn follow(script: impl FnMut(i32, &Asked) -> Reply + 'static) -> String {
    let mut peers = Peers::new(&[], script);
    let receipt = peers.send("t0", 0);
    peers.advance(PATIENCE);
    peers.account();
    if let Err(failed) = &peers.end_of(receipt).result {
        assert_eq!(failed.outcome, Outcome::NotWritten, "nothing was sent");
    }
    name(&peers, receipt)
}

#[test]
fn a_topic_with_an_error_ends_its_records() {
    check(
        |code| {
            follow(move |_, asked| match asked.api() {
                ApiKey::Metadata => {
                    let mut answer = metadata(asked);
                    for topic in &mut answer.topics {
                        topic.error_code = ErrorCode(code);
                    }
                    frame(asked, &answer)
                }
                _ => Reply::Proper,
            })
        },
        expect![[r#"
            refused, not_written:
                17 29
            topic unknown, not_written:
                -32768 -2..-1 1..16 18..28 30..137 999 32767
            written, offset Some(0):
                0
        "#]],
    );
}

#[test]
fn a_partition_with_an_error_is_used_if_it_has_a_leader() {
    check(
        |code| {
            follow(move |_, asked| match asked.api() {
                ApiKey::Metadata => {
                    let mut answer = metadata(asked);
                    let partitions = answer.topics.iter_mut().flat_map(|t| &mut t.partitions);
                    for partition in partitions {
                        partition.error_code = ErrorCode(code);
                    }
                    frame(asked, &answer)
                }
                _ => Reply::Proper,
            })
        },
        expect![[r#"
            written, offset Some(0):
                -32768 -2..137 999 32767
        "#]],
    );
}

#[test]
fn an_error_of_all_the_metadata_is_survived() {
    check(
        |code| {
            follow(move |_, asked| match asked.api() {
                ApiKey::ApiVersions => frame(asked, &newest(asked)),
                ApiKey::Metadata if asked.header.version == 13 => {
                    let mut answer = metadata(asked);
                    answer.error_code = ErrorCode(code);
                    if code != 0 {
                        answer.brokers.clear();
                        answer.topics.clear();
                    }
                    frame(asked, &answer)
                }
                _ => Reply::Proper,
            })
        },
        expect![[r#"
            topic unknown, not_written:
                -32768 -2..-1 1..137 999 32767
            written, offset Some(0):
                0
        "#]],
    );
}

/// Versions that include Metadata 13, the first with an error of its own.
fn newest(asked: &Asked) -> kafka_producer_proto::messages::ApiVersionsResponse {
    use kafka_producer_proto::Message as _;
    use kafka_producer_proto::messages::ApiVersionsResponse;

    let good = asked.answer(&Flavor::Good);
    let mut answer =
        ApiVersionsResponse::decode(asked.header.version, &good[8..]).expect("an answer of ours");
    for api in &mut answer.api_keys {
        if api.api_key == ApiKey::Metadata.value() {
            api.max_version = 13;
        }
    }
    answer
}

#[test]
fn no_producer_id_with_every_code() {
    check(
        |code| {
            follow(move |_, asked| match asked.api() {
                ApiKey::InitProducerId => Reply::Bytes(asked.answer(&Flavor::Code(code))),
                _ => Reply::Proper,
            })
        },
        expect![[r#"
            fatal, not_written:
                -32768 -2..-1 1 4 8 10..12 17..18 21..30 32..40 42..50
                52 54..55 57..69 73 76..77 79 81..82 85..87 90..99 101..102
                104..105 107..121 124..132 134..137 999 32767
            refused, not_written:
                31 53
            timed out, not_written:
                2..3 5..7 9 13..16 19..20 41 51 56 70..72 74..75
                78 80 83..84 88..89 100 103 106 122..123 133
            written, offset Some(0):
                0
        "#]],
    );
}

#[test]
fn no_versions_with_every_code() {
    check(
        |code| {
            follow(move |_, asked| match asked.api() {
                ApiKey::ApiVersions => Reply::Bytes(asked.answer(&Flavor::Code(code))),
                _ => Reply::Proper,
            })
        },
        expect![[r#"
            unreachable, not_written:
                -32768 -2..-1 1..137 999 32767
            written, offset Some(0):
                0
        "#]],
    );
}

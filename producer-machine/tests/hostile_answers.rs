//! Answers that are well formed and absurd: survived, with every record accounted for.

mod chaos;
mod hostile;

use std::time::Duration;

use chaos::answers::{Asked, Flavor};
use expect_test::expect;
use hostile::{PATIENCE, Peers, Reply, broker, frame, metadata, topic};
use kafka_producer_machine::{ErrorCode, Receipt, Record, SendError};
use kafka_producer_proto::messages::api_versions::ApiVersion;
use kafka_producer_proto::messages::produce::{PartitionProduceResponse, TopicProduceResponse};
use kafka_producer_proto::messages::{
    ApiVersionsResponse, InitProducerIdResponse, MetadataResponse, ProduceResponse,
};
use kafka_producer_proto::{ApiKey, Message, Uuid};

/// One record to each partition of `t0`, through peers with this script. Says how they ended,
/// and why connections did.
fn meet(script: impl FnMut(i32, &Asked) -> Reply + 'static) -> String {
    let mut peers = Peers::new(&[], script);
    let receipts = [peers.send("t0", 0), peers.send("t0", 1)];
    peers.advance(PATIENCE);
    peers.account();
    let mut said: Vec<String> = receipts.map(|receipt| end(&peers, receipt)).into();
    said.extend(peers.reasons());
    said.join("\n") + "\n"
}

fn end(peers: &Peers, receipt: Receipt) -> String {
    match &peers.end_of(receipt).result {
        Ok(written) => format!(
            "offset {:?}, time {:?}",
            written.base_offset, written.log_append_time
        ),
        Err(failed) => format!("{}: {}", failed.outcome.name(), failed.error),
    }
}

const BOTH_WRITTEN: &str = "offset Some(0), time None\noffset Some(0), time None\n";
const NOWHERE: &str = "offset None, time None\noffset None, time None\n";
const ONE_LOST: &str = "offset Some(0), time None\n\
    not_written: not delivered within delivery.timeout.ms: 0 attempts, last error none; the \
    partition has no leader\n";
const TOO_LATE: &str =
    "not_written: not delivered within delivery.timeout.ms: 0 attempts, last error none";
const UNKNOWN: &str = "\
    not_written: topic t0 partition 0 is not in the cluster's metadata after max.block.ms: create \
    it, or check the name and the rights\n\
    not_written: topic t0 partition 1 is not in the cluster's metadata after max.block.ms: create \
    it, or check the name and the rights\n";

fn spoil_metadata(how: impl Fn(&mut MetadataResponse) + 'static, expected: &str) {
    let said = meet(move |_, asked| match asked.api() {
        ApiKey::Metadata => {
            let mut answer = metadata(asked);
            how(&mut answer);
            frame(asked, &answer)
        }
        _ => Reply::Proper,
    });
    assert_eq!(said, expected);
}

#[test]
fn a_leader_that_nobody_knows_is_waited_for() {
    for leader in [-1, -2, 7, i32::MAX, i32::MIN] {
        spoil_metadata(
            move |answer| answer.topics = vec![topic("t0", &[(0, 0, 1), (1, leader, 1)])],
            ONE_LOST,
        );
    }
}

#[test]
fn partitions_that_cannot_be_are_ignored() {
    for index in [-1, i32::MAX, i32::MIN, 2] {
        spoil_metadata(
            move |answer| {
                answer.topics = vec![topic("t0", &[(index, 0, 1), (0, 0, 1), (1, 1, 1)])];
            },
            BOTH_WRITTEN,
        );
    }
}

#[test]
fn what_comes_twice_counts_once() {
    spoil_metadata(
        |answer| {
            answer.topics = vec![answer.topics[0].clone(), answer.topics[0].clone()];
            answer.brokers.extend(answer.brokers.clone());
        },
        BOTH_WRITTEN,
    );
}

#[test]
fn topics_that_nobody_asked_for_are_ignored() {
    spoil_metadata(
        |answer| {
            let mut nameless = topic("", &[(0, 0, 0)]);
            nameless.name = None;
            answer.topics.push(nameless);
            answer.topics.push(topic("", &[(0, 0, 0)]));
            answer.topics.push(topic("who", &[(0, 0, 0)]));
        },
        BOTH_WRITTEN,
    );
}

#[test]
fn a_cluster_without_brokers_is_asked_again() {
    spoil_metadata(|answer| answer.brokers.clear(), UNKNOWN);
}

#[test]
fn a_cluster_without_topics_is_asked_again() {
    spoil_metadata(|answer| answer.topics.clear(), UNKNOWN);
}

#[test]
fn brokers_that_cannot_be_reached_lead_nothing() {
    for port in [70_000, -1, i32::MIN, i32::MAX] {
        spoil_metadata(
            move |answer| answer.brokers[1] = broker(1, "b1", port),
            ONE_LOST,
        );
    }
    for host in ["", "no such host", "\u{0}"] {
        spoil_metadata(
            move |answer| answer.brokers[1] = broker(1, host, 0),
            &format!(
                "offset Some(0), time None\nnot_written: not delivered within \
                 delivery.timeout.ms: 0 attempts, last error none; {host}:0: the name did not \
                 resolve: no such host\nResolve(\"no such host\")\n"
            ),
        );
    }
    for id in [-1, i32::MIN] {
        spoil_metadata(
            move |answer| answer.brokers.push(broker(id, "b0", 9092)),
            BOTH_WRITTEN,
        );
    }
}

#[test]
fn a_topic_that_changes_its_id_all_the_time_is_followed() {
    let mut turn = 0_u8;
    let said = meet(move |_, asked| match asked.api() {
        ApiKey::Metadata => {
            turn = turn.wrapping_add(1);
            let mut answer = metadata(asked);
            for topic in &mut answer.topics {
                topic.topic_id = Uuid::from_bytes([turn; 16]);
            }
            frame(asked, &answer)
        }
        _ => Reply::Proper,
    });
    assert_eq!(said, BOTH_WRITTEN);
}

#[test]
fn a_hundred_thousand_brokers_and_topics_are_read() {
    let said = meet(|_, asked| match asked.api() {
        ApiKey::Metadata => {
            let mut answer = metadata(asked);
            answer
                .brokers
                .extend((2..100_000).map(|id| broker(id, "b0", 9092)));
            answer
                .topics
                .extend((0..100_000).map(|name| topic(&format!("u{name}"), &[(0, 0, 0)])));
            frame(asked, &answer)
        }
        _ => Reply::Proper,
    });
    assert_eq!(said, BOTH_WRITTEN);
}

/// Produce is answered so; the second answer onwards is as it should be.
fn spoil_produce(how: impl Fn(&mut ProduceResponse) + 'static) -> String {
    let mut spoiled = 0;
    meet(move |_, asked| match asked.api() {
        ApiKey::Produce if spoiled < 2 => {
            spoiled += 1;
            let mut answer = produced(asked);
            how(&mut answer);
            frame(asked, &answer)
        }
        _ => Reply::Proper,
    })
}

fn produced(asked: &Asked) -> ProduceResponse {
    let version = asked.header.version;
    let tags = usize::from(9 <= version);
    let good = asked.answer(&Flavor::Good);
    ProduceResponse::decode(version, &good[8 + tags..]).expect("an answer of ours")
}

#[test]
fn what_an_answer_leaves_out_is_sent_again() {
    let said = spoil_produce(|answer| answer.responses.clear());
    assert_eq!(said, BOTH_WRITTEN);
    let said = spoil_produce(|answer| {
        for topic in &mut answer.responses {
            topic.partition_responses.clear();
        }
    });
    assert_eq!(said, BOTH_WRITTEN);
}

#[test]
fn an_entry_that_comes_twice_counts_the_first_time() {
    let said = spoil_produce(|answer| {
        for topic in &mut answer.responses {
            let mut again = topic.partition_responses[0].clone();
            again.error_code = ErrorCode::MESSAGE_TOO_LARGE;
            topic.partition_responses.push(again);
        }
    });
    assert_eq!(said, BOTH_WRITTEN);
}

#[test]
fn entries_that_nobody_asked_for_are_ignored() {
    let said = spoil_produce(|answer| {
        let mut strange = answer.responses[0].clone();
        strange.partition_responses = [-1, i32::MAX, i32::MIN, 3]
            .map(|index| PartitionProduceResponse {
                index,
                error_code: ErrorCode::MESSAGE_TOO_LARGE,
                ..strange.partition_responses[0].clone()
            })
            .into();
        answer.responses.insert(0, strange.clone());
        answer.responses.insert(
            0,
            TopicProduceResponse {
                name: "who".into(),
                ..strange
            },
        );
    });
    assert_eq!(said, BOTH_WRITTEN);
}

#[test]
fn offsets_and_times_that_cannot_be_are_unknown() {
    for (offset, time) in [(-2, -2), (i64::MIN, i64::MIN), (i64::MAX, -1)] {
        let said = spoil_produce(move |answer| {
            for topic in &mut answer.responses {
                topic.partition_responses[0].base_offset = offset;
                topic.partition_responses[0].log_append_time_ms = time;
            }
        });
        assert_eq!(said, NOWHERE);
    }
}

#[test]
fn a_throttle_below_zero_is_none() {
    for millis in [-1, i32::MIN] {
        let said = spoil_produce(move |answer| answer.throttle_time_ms = millis);
        assert_eq!(said, BOTH_WRITTEN);
        spoil_metadata(move |answer| answer.throttle_time_ms = millis, BOTH_WRITTEN);
    }
}

#[test]
fn a_throttle_without_end_does_not_outlast_the_delivery_timeout() {
    let mut peers = Peers::new(&[], |_, asked| match asked.api() {
        ApiKey::Produce => {
            let mut answer = produced(asked);
            answer.throttle_time_ms = i32::MAX;
            frame(asked, &answer)
        }
        _ => Reply::Proper,
    });
    let first = peers.send("t0", 0);
    let second = peers.send("t0", 0);
    peers.advance(PATIENCE);
    peers.account();
    assert_eq!(end(&peers, first), "offset Some(0), time None");
    assert_eq!(end(&peers, second), TOO_LATE);
    // The connection has nothing to do: it ends when it has idled long enough.
    peers.advance(Duration::from_secs(600));
    let third = peers.send("t0", 0);
    assert_eq!(end(&peers, third), "offset Some(1), time None");
}

fn versions(keys: &[(ApiKey, i16, i16)]) -> ApiVersionsResponse {
    ApiVersionsResponse {
        api_keys: keys
            .iter()
            .map(|&(api, min_version, max_version)| ApiVersion {
                api_key: api.value(),
                min_version,
                max_version,
            })
            .collect(),
        ..ApiVersionsResponse::default()
    }
}

/// How the first record ended, in short, and why connections did.
fn spoil_versions(answer: ApiVersionsResponse) -> String {
    let said = meet(move |_, asked| match asked.api() {
        ApiKey::ApiVersions => frame(asked, &answer),
        _ => Reply::Proper,
    });
    let mut lines: Vec<String> = said.lines().map(String::from).collect();
    lines.remove(1);
    lines[0].truncate(20);
    lines.join("\n").replace(", ", ",\n    ") + "\n"
}

const PRODUCE: ApiKey = ApiKey::Produce;
const METADATA: ApiKey = ApiKey::Metadata;
const INIT: ApiKey = ApiKey::InitProducerId;

#[test]
fn versions_that_cannot_be_are_refused() {
    let mut said = String::new();
    for keys in [
        &[][..],
        &[(PRODUCE, 9, 3), (METADATA, 0, 12), (INIT, 0, 4)],
        &[(PRODUCE, 0, 2), (METADATA, 0, 12), (INIT, 0, 4)],
        &[(PRODUCE, 3, 9), (METADATA, 100, 200), (INIT, 0, 4)],
        &[(PRODUCE, -5, -1), (METADATA, 0, 12), (INIT, 0, 4)],
    ] {
        said += &spoil_versions(versions(keys));
    }
    expect![[r#"
        not_written: no brok
        Protocol("Produce needs versions 3 to 13,
            the broker offers nothing: it is too old or not a Kafka broker")
        not_written: no brok
        Protocol("Produce needs versions 3 to 13,
            the broker offers nothing: it is too old or not a Kafka broker")
        not_written: no brok
        Protocol("Produce needs versions 3 to 13,
            the broker offers versions 0 to 2: it is too old or not a Kafka broker")
        not_written: no brok
        Protocol("Metadata needs versions 4 to 13,
            the broker offers versions 100 to 200: it is too old or not a Kafka broker")
        not_written: no brok
        Protocol("Produce needs versions 3 to 13,
            the broker offers versions -5 to -1: it is too old or not a Kafka broker")
    "#]]
    .assert_eq(&said);
}

#[test]
fn versions_that_are_odd_and_possible_are_used() {
    let mut said = String::new();
    for keys in [
        &[
            (PRODUCE, i16::MIN, i16::MAX),
            (METADATA, -1, 999),
            (INIT, 0, 99),
        ][..],
        &[
            (PRODUCE, 3, 9),
            (PRODUCE, 0, 2),
            (METADATA, 4, 4),
            (INIT, 0, 0),
        ],
    ] {
        said += &spoil_versions(versions(keys));
    }
    expect![[r#"
        offset Some(0),
            time
        offset Some(0),
            time
    "#]]
    .assert_eq(&said);
}

#[test]
fn a_broker_without_producer_ids_ends_an_idempotent_producer() {
    let answer = versions(&[(PRODUCE, 3, 9), (METADATA, 1, 12)]);
    let mut peers = Peers::new(&[], move |_, asked| match asked.api() {
        ApiKey::ApiVersions => frame(asked, &answer),
        _ => Reply::Proper,
    });
    let receipt = peers.send("t0", 0);
    let said = end(&peers, receipt);
    assert!(
        said.starts_with("not_written: the producer cannot go on: UNSUPPORTED_VERSION (35)"),
        "{said}"
    );
    let record = Record::to("t0").value("too late");
    let refused = peers.machine.send(peers.now, &record);
    assert!(matches!(refused, Err(SendError::Fatal(_))), "{refused:?}");
    peers.account();
}

#[test]
fn producer_ids_that_cannot_be_are_asked_for_again() {
    for (producer_id, producer_epoch) in [(-1, 0), (0, -1), (i64::MIN, i16::MIN)] {
        let said = meet(move |_, asked| match asked.api() {
            ApiKey::InitProducerId => frame(
                asked,
                &InitProducerIdResponse {
                    producer_id,
                    producer_epoch,
                    ..InitProducerIdResponse::default()
                },
            ),
            _ => Reply::Proper,
        });
        assert!(
            said.starts_with("not_written: not delivered within"),
            "{said}"
        );
    }
}

#[test]
fn a_producer_id_at_its_last_epoch_is_used() {
    let said = meet(|_, asked| match asked.api() {
        ApiKey::InitProducerId => frame(
            asked,
            &InitProducerIdResponse {
                producer_id: i64::MAX,
                producer_epoch: i16::MAX,
                ..InitProducerIdResponse::default()
            },
        ),
        _ => Reply::Proper,
    });
    assert_eq!(said, BOTH_WRITTEN);
}

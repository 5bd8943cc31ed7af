//! Edge cases of cluster life: leaders that move, topics that come back, throttles, addresses
//! (E44, E46, E49, E52, E159).

mod support;

use std::time::Duration;

use kafka_producer_machine::explain::Subject;
use kafka_producer_machine::{ErrorCode, Outcome, Record, SendError};
use kafka_producer_proto::Uuid;
use kafka_producer_proto::messages::ProduceResponse;
use kafka_producer_proto::messages::produce::{
    LeaderIdAndEpoch, NodeEndpoint, PartitionProduceResponse, TopicProduceResponse,
};
use support::{Bench, Seen, answer, written};

/// Answers the only batch of a request.
fn respond(bench: &mut Bench, seen: &Seen, id: Uuid, entry: PartitionProduceResponse) {
    respond_with(bench, seen, id, entry, ProduceResponse::default());
}

fn respond_with(
    bench: &mut Bench,
    seen: &Seen,
    id: Uuid,
    entry: PartitionProduceResponse,
    rest: ProduceResponse,
) {
    let batch = seen.batch();
    let response = ProduceResponse {
        responses: vec![TopicProduceResponse {
            name: batch.topic.clone(),
            topic_id: id,
            partition_responses: vec![PartitionProduceResponse {
                index: batch.partition as i32,
                ..entry
            }],
        }],
        ..rest
    };
    bench.respond(seen, &response);
}

/// Refuses the only batch of a request, and says who leads since when, at which addresses.
fn hint(bench: &mut Bench, seen: &Seen, code: ErrorCode, leader: (i32, i32), at: &[i32]) {
    let (leader_id, leader_epoch) = leader;
    let entry = PartitionProduceResponse {
        current_leader: LeaderIdAndEpoch {
            leader_id,
            leader_epoch,
        },
        ..answer(code)
    };
    let endpoints = at.iter().map(|&node_id| NodeEndpoint {
        node_id,
        host: format!("b{node_id}"),
        port: 9092,
        ..NodeEndpoint::default()
    });
    let rest = ProduceResponse {
        node_endpoints: endpoints.collect(),
        ..ProduceResponse::default()
    };
    let id = Uuid::ZERO;
    respond_with(bench, seen, id, entry, rest);
}

#[test]
fn edge_e44_a_hint_with_a_newer_epoch_moves_the_partition_at_once_and_once_without_backoff() {
    for code in [
        ErrorCode::NOT_LEADER_OR_FOLLOWER,
        ErrorCode::FENCED_LEADER_EPOCH,
    ] {
        let mut bench = Bench::established(&[]);
        bench.answers_metadata = false;
        bench.metadata_requests.clear();
        let receipt = bench.produce(0, "x");
        let seen = bench.take_request();
        let began = bench.now;
        // No metadata have ever named broker 7.
        hint(&mut bench, &seen, code, (7, 2), &[7]);
        let moved = bench.take_request();
        assert_eq!((moved.broker, moved.at), (7, began));
        assert_eq!(moved.identity(), seen.identity());
        bench.advance_ms(1000);
        assert_eq!(bench.metadata_requests.len(), 1, "all the same");
        // The same epoch again is no news.
        let began = bench.now;
        hint(&mut bench, &moved, code, (7, 2), &[7]);
        let seen = bench.await_request();
        assert!(Duration::from_millis(80) <= seen.at.since(began));
        bench.acknowledge(&seen);
        assert!(bench.is_acked(receipt));
        bench.assert_settled();
    }
}

#[test]
fn edge_e44_a_hint_that_is_old_or_names_nobody_is_ignored() {
    let elsewhere = ErrorCode::NOT_LEADER_OR_FOLLOWER;
    let cases: [(ErrorCode, (i32, i32), &[i32]); 5] = [
        (elsewhere, (1, 1), &[1]),
        (elsewhere, (1, -1), &[1]),
        (elsewhere, (-1, 2), &[1]),
        (elsewhere, (7, 2), &[1]),
        (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, (1, 2), &[1]),
    ];
    for (code, leader, at) in cases {
        let mut bench = Bench::established(&[]);
        bench.metadata_requests.clear();
        bench.produce(0, "x");
        let seen = bench.take_request();
        let began = bench.now;
        hint(&mut bench, &seen, code, leader, at);
        let again = bench.await_request();
        assert_eq!(again.broker, 0, "{leader:?}");
        assert!(
            Duration::from_millis(80) <= again.at.since(began),
            "{leader:?}"
        );
        assert_eq!(bench.metadata_requests.len(), 1, "{leader:?}");
        bench.acknowledge(&again);
        bench.assert_settled();
    }
}

#[test]
fn edge_e44_a_hint_about_a_former_topic_does_not_move_the_new_one() {
    let mut bench = Bench::established(&[]);
    bench.produce(0, "old");
    let seen = bench.take_request();
    recreate(&mut bench, 0);
    bench.advance(Duration::from_secs(300));
    hint(
        &mut bench,
        &seen,
        ErrorCode::NOT_LEADER_OR_FOLLOWER,
        (1, 9),
        &[1],
    );
    bench.produce(0, "new");
    assert_eq!(bench.await_request().broker, 0);
}

/// The topic `t` comes back under another id with so many partitions.
fn recreate_with(bench: &mut Bench, partitions: usize) {
    recreate(bench, 0);
    let script = bench.topics.get_mut("t").expect("the topic");
    script.partitions = vec![(0, 0); partitions];
    bench.advance_ms(2000);
}

/// The topic `t` comes back under another id, its leader epochs from this one on.
fn recreate(bench: &mut Bench, epoch: i32) {
    let script = bench.topics.get_mut("t").expect("the topic");
    script.id = Uuid::from_bytes([99; 16]);
    for partition in &mut script.partitions {
        partition.1 = epoch;
    }
}

const PATIENT: [(&str, &str); 3] = [
    ("metadata.max.age.ms", "1000"),
    ("request.timeout.ms", "60000"),
    ("delivery.timeout.ms", "300000"),
];

#[test]
fn edge_e46_a_late_answer_for_the_former_id_finds_its_batch() {
    let mut bench = Bench::new(&PATIENT);
    bench.produce_versions = (3, 13);
    let old = bench.topics["t"].id;
    let first = bench.produce(0, "first");
    let seen = bench.take_request();
    recreate(&mut bench, 0);
    bench.advance_ms(2000);
    respond(&mut bench, &seen, old, written(7));
    assert_eq!(bench.offset_of(first), Some(7));
    // A lower epoch of the new id counts, and sequences start again under another epoch.
    let second = bench.produce(0, "second");
    let seen = bench.take_request();
    assert_eq!((seen.batch().epoch, seen.batch().sequence), (1, 0));
    let new = bench.topics["t"].id;
    respond(&mut bench, &seen, new, written(0));
    assert_eq!(bench.offset_of(second), Some(0));
    bench.assert_settled();
}

#[test]
fn edge_e46_what_was_refused_for_the_former_topic_goes_to_the_new_one_numbered_anew() {
    let mut bench = Bench::established(&PATIENT);
    let refused = bench.produce(0, "refused");
    let seen = bench.take_request();
    recreate(&mut bench, 0);
    bench.advance_ms(2000);
    bench.answer(&seen, ErrorCode::NOT_ENOUGH_REPLICAS);
    let seen = bench.await_request();
    assert_eq!((seen.batch().epoch, seen.batch().sequence), (1, 0));
    bench.acknowledge(&seen);
    assert!(bench.is_acked(refused));
    bench.assert_settled();
}

#[test]
fn edge_e46_what_may_be_in_the_former_topic_ends_in_doubt_and_is_not_sent_to_the_new_one() {
    let mut bench = Bench::established(&PATIENT);
    let lost = bench.produce(0, "lost");
    bench.take_request();
    recreate(&mut bench, 0);
    bench.cut(0);
    bench.advance_ms(5000);
    assert_eq!(bench.failure_of(lost).outcome, Outcome::MaybeWritten);
    assert!(bench.requests.is_empty());
    bench.assert_settled();
}

#[test]
fn edge_e46_what_was_never_handed_out_goes_to_the_new_topic() {
    let mut bench = Bench::ready(&PATIENT);
    let first = bench.produce(0, "first");
    let seen = bench.take_request();
    // One in flight until the first acknowledgement: this one waits.
    let waiting = bench.produce(0, "waiting");
    recreate(&mut bench, 0);
    bench.advance_ms(2000);
    assert!(bench.requests.is_empty());
    bench.acknowledge(&seen);
    assert!(bench.is_acked(first));
    let seen = bench.take_request();
    assert_eq!(seen.batch().values, ["waiting"]);
    assert_eq!((seen.batch().epoch, seen.batch().sequence), (1, 0));
    bench.acknowledge(&seen);
    assert!(bench.is_acked(waiting));
    bench.assert_settled();
}

#[test]
fn a_topic_that_comes_back_with_fewer_partitions_has_as_many_for_keys_and_for_all_else() {
    let mut bench = Bench::established_both(&PATIENT);
    let topic = bench.machine.topic(bench.now, "t");
    recreate_with(&mut bench, 1);
    assert_eq!(bench.machine.partitions(topic), Some(1));
    for key in ["a", "b", "c", "d"] {
        let record = Record::to("t").key(key).value("x").timestamp(1);
        bench.try_send(&record).expect("there is room");
        bench
            .try_send(&Record::to("t").value("x").timestamp(1))
            .expect("there is room");
    }
    bench.flush();
    let seen = bench.take_request();
    assert_eq!((seen.batch().partition, seen.batch().values.len()), (0, 8));
    assert_eq!((seen.batch().epoch, seen.batch().sequence), (1, 0));
    bench.acknowledge(&seen);
    bench.assert_settled();
}

#[test]
fn a_partition_that_metadata_leave_out_under_the_same_id_is_still_counted() {
    let mut bench = Bench::established_both(&PATIENT);
    let topic = bench.machine.topic(bench.now, "t");
    bench
        .topics
        .get_mut("t")
        .expect("it is there")
        .partitions
        .pop();
    bench.advance_ms(2000);
    assert_eq!(bench.machine.partitions(topic), Some(2));
}

#[test]
fn a_topic_that_comes_back_and_has_no_partition_yet_is_waited_for() {
    let mut bench = Bench::established_both(&PATIENT);
    let topic = bench.machine.topic(bench.now, "t");
    recreate_with(&mut bench, 0);
    assert_eq!(bench.machine.partitions(topic), Some(2));
    bench.topics.get_mut("t").expect("it is there").partitions = vec![(0, 0)];
    bench.advance_ms(2000);
    assert_eq!(bench.machine.partitions(topic), Some(1));
}

#[test]
fn what_waits_for_a_partition_that_is_gone_says_so_and_ends_as_not_written() {
    let mut bench = Bench::established_both(&PATIENT);
    let topic = bench.machine.topic(bench.now, "t");
    // The leader of partition 1 cannot be reached, so its record waits.
    bench.move_leader("t", 1, 1);
    bench.down = vec![1];
    bench.advance_ms(2000);
    let waiting = bench.produce(1, "waiting");
    recreate_with(&mut bench, 1);
    assert!(bench.end_of(waiting).is_none());
    let said = bench
        .machine
        .explain(bench.now, Subject::Partition(topic, 1));
    let said = said.to_string();
    assert!(
        said.starts_with("t-1 is gone") && said.contains("was created anew with 1 partition;"),
        "{said}"
    );
    bench.advance(Duration::from_secs(300));
    let failed = bench.failure_of(waiting);
    assert_eq!(failed.outcome, Outcome::NotWritten);
    assert_eq!(
        failed.error.to_string(),
        "not delivered within delivery.timeout.ms: 0 attempts, last error none; the topic was \
         created anew with fewer partitions, it has 1"
    );
    bench.assert_settled();
}

#[test]
fn what_waits_for_a_partition_that_is_gone_goes_on_when_the_topic_has_grown() {
    let mut bench = Bench::established_both(&PATIENT);
    let first = bench.produce(1, "refused");
    let seen = bench.take_request();
    recreate_with(&mut bench, 1);
    bench.answer(&seen, ErrorCode::NOT_ENOUGH_REPLICAS);
    bench.advance_ms(2000);
    assert!(bench.requests.is_empty() && bench.end_of(first).is_none());
    bench.topics.get_mut("t").expect("it is there").partitions = vec![(0, 0); 3];
    let seen = bench.await_request();
    assert_eq!(seen.batch().partition, 1);
    assert_eq!((seen.batch().epoch, seen.batch().sequence), (1, 0));
    bench.acknowledge(&seen);
    assert!(bench.is_acked(first));
    bench.assert_settled();
}

#[test]
fn what_may_be_in_a_partition_that_is_gone_ends_in_doubt() {
    let mut bench = Bench::established_both(&PATIENT);
    let lost = bench.produce(1, "lost");
    bench.take_request();
    recreate_with(&mut bench, 1);
    bench.cut(0);
    bench.advance_ms(5000);
    assert_eq!(bench.failure_of(lost).outcome, Outcome::MaybeWritten);
    bench.assert_settled();
}

#[test]
fn edge_e49_a_throttled_connection_sends_nothing_reads_on_and_goes_on_by_itself() {
    let mut bench = Bench::established(&[("request.timeout.ms", "3000")]);
    bench.produce(0, "a");
    bench.produce(0, "b");
    let sent = bench.take_requests();
    assert_eq!(sent.len(), 2);
    let throttled = bench.now;
    let rest = || ProduceResponse {
        throttle_time_ms: 5000,
        ..ProduceResponse::default()
    };
    let id = Uuid::ZERO;
    respond_with(&mut bench, &sent[0], id, written(1), rest());
    let receipt = bench.produce(0, "c");
    bench.notices.clear();
    bench.advance_ms(4000);
    assert_eq!(
        bench.disconnects(),
        [],
        "the time of the throttle does not count"
    );
    respond_with(
        &mut bench,
        &sent[1],
        id,
        written(2),
        ProduceResponse::default(),
    );
    bench.advance_ms(999);
    assert!(bench.requests.is_empty());
    let seen = bench.await_request();
    assert_eq!(seen.at, throttled + Duration::from_secs(5));
    bench.acknowledge(&seen);
    assert!(bench.is_acked(receipt));
    bench.assert_settled();
}

#[test]
fn edge_e49_a_new_topic_is_asked_of_another_broker_while_one_is_throttled() {
    let mut bench = Bench::new(&[("bootstrap.servers", "b1:9092")]);
    bench.machine.topic(bench.now, "t");
    bench.run();
    bench.produce(0, "a");
    let seen = bench.take_request();
    let rest = ProduceResponse {
        throttle_time_ms: 5000,
        ..ProduceResponse::default()
    };
    let id = Uuid::ZERO;
    respond_with(&mut bench, &seen, id, written(1), rest);
    bench.add_topic("other", &[1]);
    bench.send_to("other", 0, "x");
    bench.flush();
    assert_eq!(bench.take_request().broker, 1);
}

#[test]
fn edge_e52_each_attempt_names_the_next_address_and_a_lost_connection_starts_no_loop() {
    let mut bench = Bench::new(&[
        ("reconnect.backoff.ms", "50"),
        ("reconnect.backoff.max.ms", "50"),
    ]);
    bench.down = vec![0, 1];
    bench.cut(0);
    bench.connects.clear();
    bench.advance_ms(1000);
    let attempts: Vec<u32> = bench
        .connects
        .iter()
        .filter(|(_, broker, _)| *broker == 0)
        .map(|&(_, _, attempt)| attempt)
        .collect();
    assert!((15..=25).contains(&attempts.len()), "{attempts:?}");
    let next = attempts.windows(2).all(|two| two[1] == two[0] + 1);
    assert!(next, "{attempts:?}");
}

#[test]
fn edge_e159_a_leader_of_a_moment_ago_is_asked_again_with_the_same_sequence() {
    for (code, leader) in [
        (ErrorCode::NOT_LEADER_OR_FOLLOWER, (-1, 1)),
        (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, (-1, -1)),
    ] {
        let mut bench = Bench::ready(&[]);
        bench.metadata_requests.clear();
        let receipt = bench.produce(0, "x");
        let mut seen = bench.take_request();
        for _ in 0..3 {
            let began = bench.now;
            hint(&mut bench, &seen, code, leader, &[]);
            let again = bench.await_request();
            assert_eq!(again.identity(), seen.identity());
            assert!(Duration::from_millis(80) <= again.at.since(began));
            seen = again;
        }
        assert!(!bench.metadata_requests.is_empty());
        bench.acknowledge(&seen);
        assert!(bench.is_acked(receipt));
    }
}

#[test]
fn edge_e159_a_topic_without_rights_fails_what_waits_and_is_asked_for_again() {
    let mut bench = Bench::ready(&[]);
    bench.add_topic("hidden", &[0]);
    let hide = |bench: &mut Bench, code| {
        bench.topics.get_mut("hidden").expect("it is there").error = code;
    };
    hide(&mut bench, ErrorCode::TOPIC_AUTHORIZATION_FAILED);
    let refused = bench.send_to("hidden", 0, "x");
    assert_eq!(bench.failure_of(refused).outcome, Outcome::NotWritten);
    hide(&mut bench, ErrorCode::NONE);
    let record = Record::to("hidden").value("y");
    let taken: Result<_, SendError> = bench.try_send(&record);
    bench.flush();
    let seen = bench.take_request();
    bench.acknowledge(&seen);
    assert!(bench.is_acked(taken.expect("it is asked for again")));
}

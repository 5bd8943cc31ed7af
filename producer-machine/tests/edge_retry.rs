//! Edge cases of trying again: how often, when, in which order, where
//! (E34–E36, E39, E42, E43, E45).

mod support;

use std::time::Duration;

use kafka_producer_machine::{ErrorCode, Event, Notice, Outcome, ProduceError};
use support::{Bench, Seen};

const IN_ORDER: [(&str, &str); 4] = [
    ("enable.idempotence", "false"),
    ("max.in.flight.requests.per.connection", "1"),
    ("metadata.max.age.ms", "1000"),
    ("delivery.timeout.ms", "40000"),
];

fn values(seen: &Seen) -> Vec<&str> {
    let values = seen.batches.iter().flat_map(|batch| &batch.values);
    values.map(String::as_str).collect()
}

#[test]
fn edge_e34_one_retry_is_one_retry_and_the_second_loss_fails_the_batch() {
    let mut bench = Bench::ready(&[("retries", "1"), ("linger.ms", "0")]);
    let receipt = bench.send_to("t", 0, "a");
    let first = bench.take_request();
    assert_eq!(bench.machine.in_flight(first.connection), 1);
    bench.cut(0);
    assert_eq!(bench.machine.in_flight(first.connection), 0);
    assert!(bench.end_of(receipt).is_none(), "queued again");
    bench.advance_ms(200);
    let second = bench.take_request();
    assert_ne!(second.connection, first.connection);
    assert_eq!(bench.machine.in_flight(second.connection), 1);
    bench.cut(0);
    assert_eq!(bench.machine.in_flight(second.connection), 0);
    let failed = bench.failure_of(receipt);
    let last = ErrorCode::NETWORK_EXCEPTION;
    assert_eq!(
        failed.error,
        ProduceError::RetriesExhausted { attempts: 2, last }
    );
    assert_eq!(failed.error.code(), Some(last));
    assert_eq!(failed.outcome, Outcome::MaybeWritten);
    bench.advance_ms(10_000);
    assert!(bench.requests.is_empty(), "there is no third");
    bench.assert_settled();
}

#[test]
fn edge_e35_with_one_in_flight_the_second_batch_waits_for_the_first_also_at_a_new_leader() {
    for loss in [None, Some(ErrorCode::NOT_LEADER_OR_FOLLOWER)] {
        let mut bench = Bench::ready(&IN_ORDER);
        let first = bench.send_to("t", 0, "first");
        bench.advance_ms(5);
        let seen = bench.take_request();
        assert_eq!(seen.broker, 0);
        let second = bench.send_to("t", 0, "second");
        bench.move_leader("t", 0, 1);
        bench.advance_ms(3000);
        let topic = bench.machine.topic(bench.now, "t");
        assert_eq!(bench.machine.leader(topic, 0), Some(1), "it is known");
        assert!(bench.requests.is_empty(), "the first is not answered");
        match loss {
            None => bench.cut(0),
            Some(code) => bench.answer(&seen, code),
        }
        bench.advance_ms(3000);
        let seen = bench.take_request();
        assert_eq!((seen.broker, values(&seen)), (1, vec!["first"]), "in front");
        bench.acknowledge(&seen);
        let seen = bench.take_request();
        assert_eq!((seen.broker, values(&seen)), (1, vec!["second"]));
        bench.acknowledge(&seen);
        assert!(bench.is_acked(first) && bench.is_acked(second));
        bench.assert_settled();
    }
}

#[test]
fn edge_e36_an_expired_batch_keeps_its_partition_muted_until_its_request_has_ended() {
    let mut bench = Bench::ready(&IN_ORDER);
    let first = bench.send_to("t", 0, "first");
    bench.advance_ms(20_000);
    let seen = bench.take_request();
    bench.answer(&seen, ErrorCode::REQUEST_TIMED_OUT);
    bench.advance_ms(10_000);
    let again = bench.take_request();
    assert_eq!(values(&again), ["first"]);
    let second = bench.send_to("t", 0, "second");
    bench.move_leader("t", 0, 1);
    bench.advance_ms(10_000);
    assert_eq!(bench.failure_of(first).outcome, Outcome::MaybeWritten);
    bench.advance(Duration::from_secs(30) - bench.now.since(again.at));
    assert!(bench.requests.is_empty(), "its request goes on");
    bench.advance_ms(1);
    let seen = bench.take_request();
    assert_eq!((seen.broker, values(&seen)), (1, vec!["second"]));
    bench.acknowledge(&seen);
    assert!(bench.is_acked(second));
    bench.assert_settled();
}

#[test]
fn edge_e39_a_retriable_error_after_the_deadline_fails_the_batch_once() {
    let retries = |bench: &Bench| {
        let is_retry = |notice: &&Notice| matches!(notice, Notice::Retrying { .. });
        bench.notices.iter().filter(is_retry).count()
    };
    // The clock has passed the deadline, and nobody has told the machine yet.
    let mut bench = Bench::ready(&[("delivery.timeout.ms", "30005")]);
    let receipt = bench.send_to("t", 0, "a");
    bench.advance_ms(5);
    let seen = bench.take_request();
    bench.now = bench.now + Duration::from_millis(30_000);
    bench.answer(&seen, ErrorCode::NOT_ENOUGH_REPLICAS);
    let failed = bench.failure_of(receipt);
    let last = Some(ErrorCode::NOT_ENOUGH_REPLICAS);
    let trouble = None;
    assert_eq!(
        failed.error,
        ProduceError::TimedOut {
            attempts: 1,
            last,
            trouble
        }
    );
    assert_eq!(
        failed.outcome,
        Outcome::NotWritten,
        "its only attempt was refused"
    );
    assert_eq!((retries(&bench), bench.machine.buffer_used()), (0, 0));
    bench.advance_ms(10_000);
    assert!(bench.requests.is_empty());
    bench.assert_settled();

    // It was told first: the batch has failed, its request has not ended.
    let mut bench = Bench::ready(&[("delivery.timeout.ms", "30005")]);
    let receipt = bench.send_to("t", 0, "a");
    bench.advance_ms(5);
    let seen = bench.take_request();
    bench.advance_ms(30_000);
    assert_eq!(bench.failure_of(receipt).outcome, Outcome::MaybeWritten);
    bench.answer(&seen, ErrorCode::NOT_ENOUGH_REPLICAS);
    bench.advance_ms(10_000);
    assert!(bench.requests.is_empty());
    assert_eq!(retries(&bench), 0);
    bench.assert_settled();
}

/// The span in which retry number `n` must come, in milliseconds.
const WINDOWS: [(u64, u64); 7] = [
    (80, 120),
    (160, 240),
    (320, 480),
    (640, 960),
    (800, 1000),
    (800, 1000),
    (800, 1000),
];

#[test]
fn edge_e42_neither_flush_nor_close_shortens_a_backoff() {
    let mut bench = Bench::ready(&[]);
    let receipt = bench.send_to("t", 0, "a");
    let flush = bench.machine.flush(bench.now);
    bench.run();
    for (number, (low, high)) in WINDOWS.into_iter().enumerate() {
        if number == 4 {
            bench
                .machine
                .close(bench.now, bench.now + Duration::from_secs(60));
            bench.run();
        }
        let seen = bench.take_request();
        bench.answer(&seen, ErrorCode::NOT_ENOUGH_REPLICAS);
        bench.advance(Duration::from_micros(low * 1000 - 1));
        assert!(bench.requests.is_empty(), "retry {number} comes early");
        bench.advance(Duration::from_micros((high - low) * 1000 + 1));
        assert_eq!(bench.requests.len(), 1, "retry {number} comes late");
        assert!(bench.end_of(receipt).is_none() && bench.flushed(flush) == 0);
        assert!(
            !bench
                .events
                .iter()
                .any(|event| matches!(event, Event::Closed))
        );
    }
    bench.acknowledge_all();
    assert!(bench.is_acked(receipt));
    assert_eq!(bench.flushed(flush), 1);
    assert!(matches!(bench.events.last(), Some(Event::Closed)));
    bench.assert_settled();
}

#[test]
fn edge_e43_a_new_leader_is_asked_at_once_and_only_once_without_backoff() {
    let mut bench = Bench::ready(&[("linger.ms", "0"), ("metadata.max.age.ms", "300")]);
    bench.advance_ms(250);
    bench.send_to("t", 0, "a");
    let seen = bench.take_request();
    bench.move_leader("t", 0, 1);
    bench.answer(&seen, ErrorCode::NOT_LEADER_OR_FOLLOWER);
    let seen = bench.take_request();
    assert_eq!(
        (seen.broker, seen.at),
        (1, bench.now),
        "the answer brought the new epoch"
    );
    // The same leader fails: its epoch is known, so the second backoff is waited out.
    bench.answer(&seen, ErrorCode::NOT_LEADER_OR_FOLLOWER);
    bench.advance_ms(159);
    assert!(bench.requests.is_empty());
    bench.advance_ms(81);
    let seen = bench.take_request();
    assert_eq!(seen.broker, 1);
    // Yet another leader, which metadata names only while the backoff runs.
    bench.answer(&seen, ErrorCode::NOT_LEADER_OR_FOLLOWER);
    bench.move_leader("t", 0, 0);
    bench.advance_ms(319);
    let seen = bench.take_request();
    assert_eq!(seen.broker, 0);
    bench.acknowledge(&seen);
    bench.assert_settled();
}

#[test]
fn the_batches_behind_the_first_do_not_wait_for_their_backoff_either() {
    let mut bench = Bench::established(&[("linger.ms", "0"), ("metadata.max.age.ms", "50")]);
    bench.advance_ms(1000);
    bench.send_to("t", 0, "a");
    bench.send_to("t", 0, "b");
    let seen = bench.take_requests();
    assert_eq!(seen.len(), 2);
    for seen in &seen {
        bench.answer(seen, ErrorCode::NOT_LEADER_OR_FOLLOWER);
    }
    bench.move_leader("t", 0, 1);
    // Both back off for at least 80 ms; metadata comes after 50.
    bench.advance_ms(60);
    let first = bench.take_request();
    assert_eq!((first.broker, values(&first)), (1, vec!["a"]));
    bench.acknowledge(&first);
    let second = bench.take_request();
    assert_eq!((second.broker, values(&second)), (1, vec!["b"]));
    assert_eq!(second.at, bench.now);
    bench.acknowledge(&second);
    bench.assert_settled();
}

#[test]
fn edge_e45_metadata_of_an_older_epoch_moves_no_leader_back() {
    let mut bench = Bench::ready(&[("metadata.max.age.ms", "1000"), ("linger.ms", "0")]);
    let topic = bench.machine.topic(bench.now, "t");
    bench.move_leader("t", 0, 1);
    bench.advance_ms(1001);
    assert_eq!(bench.machine.leader(topic, 0), Some(1));
    // A broker that lags answers the next request: its epoch 1 is older than 2.
    bench.topics.get_mut("t").unwrap().partitions[0] = (0, 1);
    let before = bench.metadata_requests.len();
    bench.advance_ms(1001);
    assert!(before < bench.metadata_requests.len(), "it was asked");
    assert_eq!(bench.machine.leader(topic, 0), Some(1));
    bench.send_to("t", 0, "a");
    let seen = bench.take_request();
    assert_eq!(seen.broker, 1);
    bench.acknowledge(&seen);
    // A newer epoch does move it, back to the broker that led before.
    bench.topics.get_mut("t").unwrap().partitions[0] = (0, 3);
    bench.advance_ms(1001);
    assert_eq!(bench.machine.leader(topic, 0), Some(0));
    bench.assert_settled();
}

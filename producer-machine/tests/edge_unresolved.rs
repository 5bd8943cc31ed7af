//! Edge cases of batches that end while nobody knows whether they were written
//! (`producer-semantics.md` §5.6, §9.4).

mod support;

use kafka_producer_machine::{ErrorCode, Outcome, ProduceError};
use support::Bench;

const TIMED_OUT: ErrorCode = ErrorCode::REQUEST_TIMED_OUT;
const OUT_OF_ORDER: ErrorCode = ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER;

/// Time-outs as short as one allows the other.
const QUICK: &[(&str, &str)] = &[
    ("linger.ms", "0"),
    ("request.timeout.ms", "1000"),
    ("delivery.timeout.ms", "1500"),
];

#[test]
fn edge_e63_an_expiry_before_sending_leaves_no_mark() {
    let mut bench = Bench::established(QUICK);
    bench.down = vec![0];
    bench.cut(0);
    let unsent = bench.produce(0, "a");
    bench.advance_ms(1_500);
    let failed = bench.failure_of(unsent);
    assert_eq!(failed.outcome, Outcome::NotWritten);
    assert!(matches!(
        failed.error,
        ProduceError::TimedOut { attempts: 0, .. }
    ));

    bench.down.clear();
    bench.produce(0, "b");
    let seen = bench.await_request();
    assert_eq!(seen.identity(), (100, 0, 1), "its number was never given");
    assert_eq!(bench.bumps(), []);
}

#[test]
fn edge_e63_an_expiry_after_sending_is_resolved_by_the_ack_of_the_next_batch() {
    let mut bench = Bench::established(QUICK);
    let first = bench.produce(0, "a");
    bench.advance_ms(900);
    let second = bench.produce(0, "b");
    assert_eq!(bench.take_requests().len(), 2);
    bench.cut(0);
    let retried = bench.await_request();
    assert_eq!(retried.identity(), (100, 0, 1));
    bench.advance_ms(500);
    assert_eq!(bench.failure_of(first).outcome, Outcome::MaybeWritten);
    let third = bench.produce(0, "c");
    assert!(
        bench.requests.is_empty(),
        "the first's request has not ended"
    );

    let resent = bench.await_request();
    assert_eq!(resent.identity(), (100, 0, 2), "the second, not the third");
    bench.advance_ms(10);
    assert!(bench.requests.is_empty(), "fresh batches wait in doubt");
    bench.acknowledge_at(&resent, 2);
    assert_eq!(bench.offset_of(second), Some(2));
    let fresh = bench.take_request();
    assert_eq!(fresh.identity(), (100, 0, 3), "the first was written");
    bench.acknowledge_at(&fresh, 3);
    assert_eq!(bench.offset_of(third), Some(3));
    assert_eq!(bench.bumps(), []);
    bench.assert_settled();
}

#[test]
fn edge_e64_when_all_that_was_sent_expires_the_next_epoch_starts_at_zero() {
    let mut bench = Bench::established(QUICK);
    let first = bench.produce(0, "a");
    let second = bench.produce(0, "b");
    assert_eq!(bench.take_requests().len(), 2);
    bench.advance_ms(600);
    bench.cut(0);
    let retried = bench.await_request();
    assert_eq!(retried.identity(), (100, 0, 1));
    bench.advance_ms(700);
    let held = bench.produce(0, "c");
    let also_held = bench.produce(0, "d");
    bench.advance_ms(150);
    assert!(bench.requests.is_empty(), "fresh batches are held");
    for receipt in [first, second] {
        let failed = bench.failure_of(receipt);
        assert_eq!(failed.outcome, Outcome::MaybeWritten);
        assert!(matches!(failed.error, ProduceError::TimedOut { .. }));
    }

    let fresh = bench.await_request();
    assert_eq!(bench.bumps(), [(100, 1)]);
    assert_eq!(fresh.identity(), (100, 1, 0));
    assert_eq!(fresh.batch().values, ["c", "d"], "they gathered meanwhile");
    bench.acknowledge_at(&fresh, 1);
    assert_eq!(bench.offset_of(held), Some(1));
    assert_eq!(bench.offset_of(also_held), Some(2));
    bench.assert_settled();
}

#[test]
fn edge_e65_other_partitions_end_under_the_old_epoch_and_go_on_under_the_new() {
    let mut bench = Bench::established_both(&[]);
    let trouble = bench.produce(0, "a");
    let lost = bench.take_request();
    let healthy = bench.produce(1, "b");
    let under_way = bench.take_request();
    assert_eq!(under_way.identity(), (100, 0, 1));
    bench.answer(&lost, OUT_OF_ORDER);
    let renewed = bench.await_request();
    assert_eq!(renewed.identity(), (100, 1, 0), "it waits for nobody");
    assert_eq!(bench.bumps(), [(100, 1)]);
    let waiting = bench.produce(1, "c");
    assert!(bench.requests.is_empty(), "one identity at a time");
    bench.answer(&under_way, TIMED_OUT);
    bench.acknowledge_at(&renewed, 1);
    assert!(bench.is_acked(trouble));

    let retried = bench.await_request();
    assert_eq!(
        retried.batches, under_way.batches,
        "in doubt: the old epoch"
    );
    bench.acknowledge_at(&retried, 1);
    assert!(bench.is_acked(healthy));
    let adopted = bench.take_request();
    assert_eq!(
        adopted.identity(),
        (100, 1, 0),
        "the new one once nothing is out"
    );
    bench.acknowledge_at(&adopted, 2);
    assert!(bench.is_acked(waiting));
    bench.assert_settled();
}

#[test]
fn edge_e66_an_idle_partition_restarts_at_zero_after_a_bump_elsewhere() {
    let mut bench = Bench::established_both(&[]);
    bench.produce(0, "a");
    let refused = bench.take_request();
    bench.answer(&refused, OUT_OF_ORDER);
    let again = bench.await_request();
    assert_eq!(again.identity(), (100, 1, 0));
    bench.acknowledge_at(&again, 1);

    let receipt = bench.produce(1, "b");
    let idle = bench.take_request();
    assert_eq!(
        idle.identity(),
        (100, 1, 0),
        "never the old sequence under a new epoch"
    );
    bench.acknowledge_at(&idle, 1);
    assert_eq!(bench.offset_of(receipt), Some(1));
    assert_eq!(bench.bumps(), [(100, 1)]);
    bench.assert_settled();
}

#[test]
fn edge_e73_a_late_answer_under_the_old_epoch_disturbs_nothing_under_the_new() {
    let mut bench = Bench::ready(QUICK);
    let old = bench.produce(0, "a");
    assert_eq!(bench.take_request().identity(), (100, 0, 0));
    bench.advance_ms(600);
    bench.cut(0);
    let retried = bench.await_request();
    bench.advance_ms(850);
    assert_eq!(bench.failure_of(old).outcome, Outcome::MaybeWritten);
    let receipt = bench.produce(0, "b");
    assert!(bench.requests.is_empty(), "one identity at a time");
    bench.cut(0);
    let fresh = bench.await_request();
    assert_eq!(
        fresh.identity(),
        (100, 1, 0),
        "the same sequence, another epoch"
    );

    // The old answer comes now, on a connection that is no more; then the new one fails once.
    bench.answer(&retried, ErrorCode::INVALID_PRODUCER_EPOCH);
    bench.answer(&fresh, ErrorCode::NOT_ENOUGH_REPLICAS);
    let again = bench.await_request();
    assert_eq!(again.batches, fresh.batches);
    bench.acknowledge_at(&again, 7);
    assert_eq!(bench.offset_of(receipt), Some(7));
    bench.produce(0, "c");
    assert_eq!(bench.take_request().identity(), (100, 1, 1));
    assert_eq!(bench.bumps(), [(100, 1)]);
    assert!(bench.failure_of(old).outcome == Outcome::MaybeWritten);
}

#[test]
fn edge_e78_the_ack_of_a_later_batch_closes_the_hole_of_one_that_expired() {
    let mut bench = Bench::established(&[("retry.backoff.ms", "1000")]);
    let first = bench.produce(0, "a");
    let second = bench.produce(0, "b");
    let sent = bench.take_requests();
    bench.answer(&sent[0], TIMED_OUT);
    bench.acknowledge_at(&sent[1], 2);
    assert_eq!(bench.offset_of(second), Some(2));
    // The first is answered with the same doubt until its time is over.
    for _ in 0..200 {
        bench.advance_ms(1_000);
        for seen in bench.take_requests() {
            assert_eq!(seen.batches, sent[0].batches);
            bench.answer(&seen, TIMED_OUT);
        }
    }
    let failed = bench.failure_of(first);
    assert_eq!(failed.outcome, Outcome::MaybeWritten);
    assert!(matches!(
        failed.error,
        ProduceError::TimedOut {
            last: Some(TIMED_OUT),
            ..
        }
    ));
    bench.produce(0, "c");
    assert_eq!(
        bench.take_request().identity(),
        (100, 0, 3),
        "the hole is closed"
    );
    assert_eq!(bench.bumps(), []);
}

#[test]
fn edge_e79_a_first_batch_that_expires_after_being_sent_stops_nothing() {
    let mut bench = Bench::established(QUICK);
    let first = bench.produce(0, "a");
    bench.advance_ms(800);
    let second = bench.produce(0, "b");
    bench.take_requests();
    bench.cut(0);
    // The broker comes back after the first's time is over, without either.
    bench.down = vec![0];
    bench.advance_ms(750);
    assert_eq!(bench.failure_of(first).outcome, Outcome::MaybeWritten);
    let third = bench.produce(0, "c");
    bench.down.clear();
    let retried = bench.await_request();
    assert_eq!(retried.identity(), (100, 0, 2));
    bench.answer(&retried, OUT_OF_ORDER);
    let again = bench.await_request();
    assert_eq!(
        again.identity(),
        (100, 0, 2),
        "in doubt: asked once more, unchanged"
    );
    bench.answer(&again, OUT_OF_ORDER);
    assert_eq!(bench.failure_of(second).outcome, Outcome::MaybeWritten);
    let fresh = bench.await_request();
    assert_eq!(
        (fresh.identity(), fresh.batch().values[0].as_str()),
        ((100, 1, 0), "c")
    );
    bench.acknowledge_at(&fresh, 1);
    assert_eq!(bench.offset_of(third), Some(1), "not fatal, no gap");
    bench.assert_settled();
}

#[test]
fn edge_e86_the_answer_to_a_batch_that_was_given_up_changes_nothing() {
    for code in [
        ErrorCode::NONE,
        ErrorCode::MESSAGE_TOO_LARGE,
        OUT_OF_ORDER,
        TIMED_OUT,
    ] {
        let mut bench = Bench::established(&[
            ("linger.ms", "0"),
            ("request.timeout.ms", "1000"),
            ("delivery.timeout.ms", "1000"),
        ]);
        let receipt = bench.produce(0, "a");
        let seen = bench.take_request();
        bench.advance_ms(1_000);
        assert_eq!(bench.failure_of(receipt).outcome, Outcome::MaybeWritten);
        let held = bench.produce(0, "b");
        assert!(bench.requests.is_empty(), "the first's request goes on");
        bench.answer(&seen, code);
        assert_eq!(bench.failure_of(receipt).outcome, Outcome::MaybeWritten);
        let next = bench.take_request();
        let continued = if code.is_none() { (0, 2) } else { (1, 0) };
        let (_, epoch, sequence) = next.identity();
        assert_eq!(
            (epoch, sequence),
            continued,
            "{code}: a success closes the hole"
        );
        bench.acknowledge_at(&next, 2);
        assert!(bench.is_acked(held));
        // Twice is once too often: the stream is broken, but nobody is told twice.
        bench.answer(&seen, code);
        bench.advance_ms(5_000);
        bench.assert_settled();
        assert!(bench.requests.is_empty(), "{code}: nothing goes again");
    }
}

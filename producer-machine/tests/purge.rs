//! Giving up records on purpose (librdkafka's `rd_kafka_purge`, `producer-semantics.md` §2.13).

mod support;

use kafka_producer_machine::{ErrorCode, Outcome, ProduceError, Purge, Record};
use support::Bench;

/// One request at a time, so that what comes second waits.
const ONE_BY_ONE: &[(&str, &str)] = &[
    ("linger.ms", "0"),
    ("max.in.flight.requests.per.connection", "1"),
];

#[test]
fn purging_the_unsent_leaves_what_a_broker_may_have() {
    let mut bench = Bench::established(ONE_BY_ONE);
    let flying = bench.produce(0, "in flight");
    let seen = bench.take_request();
    let behind = bench.send_to("t", 0, "behind it");
    let lingering = bench.send_to("t", 0, "with it");
    bench.machine.purge(bench.now, Purge::Unsent);
    bench.run();
    for receipt in [behind, lingering] {
        let failed = bench.failure_of(receipt);
        assert_eq!(failed.error, ProduceError::Purged);
        assert_eq!(failed.outcome, Outcome::NotWritten);
    }
    assert!(bench.end_of(flying).is_none());
    bench.acknowledge(&seen);
    assert!(bench.is_acked(flying));

    let next = bench.produce(0, "next");
    let seen = bench.take_request();
    assert_eq!(seen.identity(), (100, 0, 2), "no number was given away");
    bench.acknowledge(&seen);
    assert!(bench.is_acked(next));
    assert_eq!(bench.bumps(), []);
    bench.assert_settled();
}

#[test]
fn purging_the_unsent_leaves_what_waits_to_be_sent_again() {
    let mut bench = Bench::established(ONE_BY_ONE);
    let refused = bench.produce(0, "once refused");
    let seen = bench.take_request();
    bench.answer(&seen, ErrorCode::NOT_ENOUGH_REPLICAS);
    bench.machine.purge(bench.now, Purge::Unsent);
    bench.run();
    assert!(bench.end_of(refused).is_none());
    let again = bench.await_request();
    assert_eq!(again.identity(), (100, 0, 1));
    bench.acknowledge(&again);
    assert!(bench.is_acked(refused));
}

#[test]
fn purging_everything_tells_what_may_be_written_and_leaves_no_gap() {
    let mut bench = Bench::established(ONE_BY_ONE);
    let flying = bench.produce(0, "in flight");
    let seen = bench.take_request();
    bench.add_topic("far", &[1]);
    let refused = bench.send_to("far", 0, "once refused");
    let other = bench.take_request();
    bench.answer(&other, ErrorCode::NOT_ENOUGH_REPLICAS);
    let waiting = bench.send_to("t", 0, "waiting");
    bench.machine.purge(bench.now, Purge::Everything);
    bench.run();
    assert_eq!(bench.failure_of(flying).error, ProduceError::Purged);
    assert_eq!(bench.failure_of(flying).outcome, Outcome::MaybeWritten);
    assert_eq!(bench.failure_of(refused).outcome, Outcome::NotWritten);
    assert_eq!(bench.failure_of(waiting).outcome, Outcome::NotWritten);

    // The answer still comes, and tells nobody; the next record follows in order.
    let next = bench.send_to("t", 0, "next");
    bench.acknowledge(&seen);
    let seen = bench.await_request();
    assert_eq!(seen.identity(), (100, 0, 2), "the first was written");
    bench.acknowledge(&seen);
    assert!(bench.is_acked(next));
    bench.assert_settled();
}

#[test]
fn a_purged_batch_whose_answer_is_lost_moves_its_partition_to_a_new_epoch() {
    let mut bench = Bench::established(ONE_BY_ONE);
    bench.produce(0, "in flight");
    bench.take_request();
    bench.machine.purge(bench.now, Purge::Everything);
    bench.cut(0);
    let next = bench.produce(0, "next");
    let seen = bench.await_request();
    assert_eq!(seen.identity(), (100, 1, 0));
    bench.acknowledge(&seen);
    assert!(bench.is_acked(next));
    bench.assert_settled();
}

#[test]
fn what_waits_for_its_topic_is_purged_and_the_topic_serves_later_records() {
    let mut bench = Bench::new(ONE_BY_ONE);
    bench.run();
    let held = bench
        .try_send(&Record::to("late").value("held"))
        .expect("there is room");
    bench.run();
    bench.machine.purge(bench.now, Purge::Unsent);
    bench.run();
    assert_eq!(bench.failure_of(held).error, ProduceError::Purged);
    assert_eq!(bench.machine.buffer_used(), 0);
    bench.add_topic("late", &[0]);
    let next = bench
        .try_send(&Record::to("late").value("next"))
        .expect("there is room");
    let seen = bench.await_request();
    bench.acknowledge(&seen);
    assert!(bench.is_acked(next));
    bench.assert_settled();
}

#[test]
fn a_purge_ends_the_flush_that_waited_for_it_and_makes_room() {
    let mut bench = Bench::established(&[("linger.ms", "60000")]);
    bench.send_to("t", 0, "a");
    let flush = bench.machine.flush(bench.now);
    bench.run();
    assert_eq!(bench.flushed(flush), 0);
    bench.machine.purge(bench.now, Purge::Everything);
    bench.run();
    assert_eq!(bench.flushed(flush), 1);
    bench.acknowledge_all();
    bench.assert_settled();
}

#[test]
fn a_purge_of_nothing_and_after_the_end_changes_nothing() {
    let mut bench = Bench::established(ONE_BY_ONE);
    bench.machine.purge(bench.now, Purge::Everything);
    bench.machine.close(bench.now, bench.now);
    bench.machine.purge(bench.now, Purge::Everything);
    bench.run();
    bench.assert_settled();
}

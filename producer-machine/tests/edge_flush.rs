//! Edge cases of flush and of giving up what waits (E20, E23, E24).

mod support;

use kafka_producer_machine::{ErrorCode, Event, Outcome, ProduceError, Record};
use support::{Bench, SeenBatch};

#[test]
fn edge_e20_a_flush_sends_what_lingers_and_ends_with_it_even_in_errors() {
    let mut bench = Bench::new(&[("linger.ms", "60000")]);
    bench.add_topic("far", &[1]);
    bench.machine.topic(bench.now, "t");
    bench.machine.topic(bench.now, "far");
    bench.run();
    let near = bench.send_to("t", 0, "a");
    let far = bench.send_to("far", 0, "b");
    assert!(bench.requests.is_empty());
    let flush = bench.machine.flush(bench.now);
    bench.run();
    let seen = bench.take_requests();
    assert_eq!(seen.len(), 2, "one for each broker");
    let later = bench.send_to("t", 0, "c");
    bench.answer(&seen[0], ErrorCode::MESSAGE_TOO_LARGE);
    assert_eq!(bench.flushed(flush), 0, "the other one has not ended");
    bench.acknowledge(&seen[1]);
    assert_eq!(bench.flushed(flush), 1);
    let near_ends = bench.end_of(near).unwrap();
    let far_ends = bench.end_of(far).unwrap();
    assert!(
        near_ends.is_err() != far_ends.is_err(),
        "one failed, one did not"
    );
    // What came after the flush is not waited for, and lingers as usual.
    bench.advance_ms(59_999);
    assert!(bench.requests.is_empty());
    bench.advance_ms(1);
    assert_eq!(bench.take_request().batches[0].values, ["c"]);
    assert!(bench.end_of(later).is_none());
    // With nothing to wait for a flush ends at once; with a record in flight it does not.
    let last = bench.machine.flush(bench.now);
    bench.run();
    assert_eq!((bench.flushed(flush), bench.flushed(last)), (1, 0));
    bench.cut(0);
    bench.advance_ms(500);
    bench.acknowledge_all();
    assert_eq!(bench.flushed(last), 1);
    let idle = bench.machine.flush(bench.now);
    bench.run();
    assert_eq!(bench.flushed(idle), 1);
    bench.assert_settled();
}

#[test]
fn edge_e23_a_flush_asked_for_while_completions_are_told_ends_like_any_other() {
    let mut bench = Bench::ready(&[("linger.ms", "60000")]);
    bench.send_to("t", 0, "a");
    bench.send_to("t", 1, "b");
    let outer = bench.machine.flush(bench.now);
    bench.run();
    let seen = bench.take_request();
    bench.events.clear();
    bench.hand_in(&seen, &support::acknowledgement(&seen));
    // A callback runs between two events: it sends, and flushes what it sent.
    let mut inner = None;
    let mut flushed = Vec::new();
    while let Some(event) = bench.machine.poll_event() {
        if let Event::Flushed(id) = event {
            flushed.push(id);
        }
        if matches!(event, Event::Completed { .. }) && inner.is_none() {
            let record = Record::to("t").partition(0).value("c").timestamp(1);
            bench.machine.send(bench.now, &record).unwrap();
            inner = Some(bench.machine.flush(bench.now));
        }
    }
    assert_eq!(flushed, [outer], "the inner one waits for its record");
    bench.run();
    let seen = bench.take_request();
    assert_eq!(seen.batches[0].values, ["c"], "it does not linger");
    bench.acknowledge(&seen);
    assert_eq!(bench.flushed(inner.unwrap()), 1);
    assert_eq!(bench.flushed(outer), 0, "and the outer one ended once");
    assert_eq!(bench.machine.buffer_used(), 0);
}

#[test]
fn edge_e24_what_has_no_number_is_given_up_and_what_has_goes_on() {
    let mut bench = Bench::new(&[("linger.ms", "0")]);
    // The last epoch there is: the next bump asks for a new id, which is refused once.
    bench
        .init_producer_id
        .push_back((ErrorCode::NONE, 7, i16::MAX));
    let refusal = (ErrorCode::CLUSTER_AUTHORIZATION_FAILED, -1, -1);
    bench.init_producer_id.push_back(refusal);
    bench.add_topic("far", &[1]);
    bench.machine.topic(bench.now, "t");
    bench.machine.topic(bench.now, "far");
    bench.run();
    let flying = bench.send_to("far", 0, "in flight");
    let far = bench.take_request();
    let retried = bench.send_to("t", 1, "to be tried again");
    let refused = bench.send_to("t", 0, "refused");
    let open = bench.send_to("t", 0, "without a number");
    let seen = bench.take_requests();
    bench.answer(&seen[0], ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND);
    bench.answer(&seen[1], ErrorCode::MESSAGE_TOO_LARGE);
    assert!(bench.end_of(refused).is_some());
    let failed = bench.failure_of(open);
    let code = ErrorCode::CLUSTER_AUTHORIZATION_FAILED;
    assert_eq!(
        failed.error,
        ProduceError::Broker {
            code,
            message: None
        }
    );
    assert_eq!(failed.outcome, Outcome::NotWritten);
    assert!(bench.end_of(flying).is_none() && bench.end_of(retried).is_none());
    assert_eq!(bench.machine.buffer_used(), 2 * 1024, "of these two");
    bench.acknowledge(&far);
    bench.advance_ms(120);
    let again = bench.take_request();
    let known = |batch: &SeenBatch| (batch.producer_id, batch.epoch, batch.sequence);
    assert_eq!(known(&again.batches[0]), (7, i16::MAX, 0));
    bench.acknowledge(&again);
    assert!(bench.is_acked(flying) && bench.is_acked(retried));
    bench.assert_settled();

    // At the end of `close` both kinds fail, and say which they are.
    let flying = bench.send_to("far", 0, "in flight");
    let waiting = bench.send_to("far", 0, "waiting");
    bench.machine.close(bench.now, bench.now);
    bench.run();
    assert_eq!(bench.failure_of(flying).outcome, Outcome::MaybeWritten);
    assert_eq!(bench.failure_of(waiting).outcome, Outcome::NotWritten);
    assert_eq!(bench.failure_of(waiting).error, ProduceError::Closed);
    bench.assert_settled();
}

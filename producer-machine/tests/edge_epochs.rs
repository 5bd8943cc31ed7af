//! Edge cases of epoch bumps and new producer ids (`producer-semantics.md` §5.7, §9.4).

mod support;

use kafka_producer_machine::{ErrorCode, Notice, Outcome};
use support::{Bench, answer};

const OUT_OF_ORDER: ErrorCode = ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER;
const UNKNOWN_ID: ErrorCode = ErrorCode::UNKNOWN_PRODUCER_ID;
const TIMED_OUT: ErrorCode = ErrorCode::REQUEST_TIMED_OUT;

/// A producer that was given the last epoch of its id; both partitions are established.
fn at_the_last_epoch() -> Bench {
    let mut bench = Bench::new(&[]);
    bench.next_producer_id = 101;
    let last = (ErrorCode::NONE, 100, i16::MAX);
    bench.init_producer_id.push_back(last);
    bench.machine.topic(bench.now, "t");
    bench.run();
    bench.produce(0, "first");
    bench.produce(1, "first");
    bench.acknowledge_all();
    bench
}

#[test]
fn edge_e67_an_unknown_sequence_at_the_head_bumps_once_and_the_batch_goes_from_zero() {
    let mut bench = Bench::established(&[]);
    let receipts = ["a", "b", "c"].map(|value| bench.produce(0, value));
    for seen in bench.take_requests() {
        bench.answer(&seen, OUT_OF_ORDER);
    }
    let first = bench.await_request();
    assert_eq!(
        (first.identity(), first.batch().values[0].as_str()),
        ((100, 1, 0), "a")
    );
    bench.acknowledge_at(&first, 0);
    bench.advance_ms(1_000);
    for (seen, value) in bench.take_requests().iter().zip(["b", "c"]) {
        assert_eq!(seen.batch().values, [value], "in order");
        bench.acknowledge_at(seen, i64::from(seen.batch().sequence));
    }
    assert_eq!(bench.bumps(), [(100, 1)], "exactly one bump");
    assert_eq!(receipts.map(|r| bench.offset_of(r)), [0, 1, 2].map(Some));
    bench.assert_settled();
}

#[test]
fn edge_e70_an_unknown_producer_id_bumps_unless_the_log_start_is_unknown() {
    let mut bench = Bench::established(&[]);
    let receipt = bench.produce(0, "a");
    let first = bench.take_request();
    bench.answer_with(&first, |_| {
        let mut unsure = answer(UNKNOWN_ID);
        unsure.log_start_offset = -1;
        unsure
    });
    let second = bench.await_request();
    assert_eq!(
        second.batches, first.batches,
        "log start unknown: the same again"
    );
    assert_eq!(bench.bumps(), []);
    bench.answer_with(&second, |_| {
        let mut removed = answer(UNKNOWN_ID);
        removed.log_start_offset = 500;
        removed
    });
    let third = bench.await_request();
    assert_eq!(third.identity(), (100, 1, 0));
    bench.acknowledge_at(&third, 500);
    assert_eq!(bench.offset_of(receipt), Some(500));
    assert_eq!(bench.bumps(), [(100, 1)]);
    bench.assert_settled();
}

#[test]
fn edge_e71_batches_behind_an_unknown_producer_id_cause_no_second_bump() {
    let mut bench = Bench::established(&[]);
    let receipts = ["a", "b", "c"].map(|value| bench.produce(0, value));
    let sent = bench.take_requests();
    bench.answer(&sent[0], UNKNOWN_ID);
    // The others were under way with old numbers when the first was answered.
    bench.advance_ms(2_000);
    assert!(
        bench.requests.is_empty(),
        "the old must end before the new begins"
    );
    bench.answer(&sent[1], UNKNOWN_ID);
    bench.answer(&sent[2], UNKNOWN_ID);
    let first = bench.await_request();
    assert_eq!(first.identity(), (100, 1, 0));
    bench.acknowledge_at(&first, 0);
    bench.advance_ms(1_000);
    for (seen, sequence) in bench.take_requests().iter().zip(1..) {
        assert_eq!(seen.identity(), (100, 1, sequence));
        bench.acknowledge_at(seen, i64::from(sequence));
    }
    assert_eq!(bench.bumps(), [(100, 1)]);
    assert_eq!(receipts.map(|r| bench.offset_of(r)), [0, 1, 2].map(Some));
    bench.assert_settled();
}

#[test]
fn edge_e72_what_was_sent_under_the_old_id_ends_under_it_and_the_rest_takes_the_new() {
    let mut bench = at_the_last_epoch();
    let reset = bench.produce(0, "a");
    let refused = bench.take_request();
    let sent = bench.produce(1, "b");
    let old = bench.take_request();
    bench.answer(&refused, OUT_OF_ORDER);
    let renewed = bench.await_request();
    assert_eq!(
        (renewed.identity(), renewed.batch().partition),
        ((101, 0, 0), 0)
    );
    let queued = bench.produce(1, "c");
    bench.answer(&old, TIMED_OUT);
    bench.acknowledge_at(&renewed, 1);

    let retried = bench.await_request();
    assert_eq!(
        retried.batches, old.batches,
        "sent under the old id, it ends under it"
    );
    bench.acknowledge_at(&retried, 1);
    let last = bench.take_request();
    assert_eq!((last.identity(), last.batch().partition), ((101, 0, 0), 1));
    bench.acknowledge_at(&last, 2);
    assert!([reset, sent, queued].iter().all(|&r| bench.is_acked(r)));
    bench.assert_settled();
}

#[test]
fn edge_e75_after_the_last_epoch_comes_a_new_producer_id() {
    let mut bench = at_the_last_epoch();
    assert_eq!(bench.init_requests.len(), 1);
    // The first question for an id fails: nothing may leave without one.
    let refusal = (ErrorCode::COORDINATOR_LOAD_IN_PROGRESS, -1, -1);
    bench.init_producer_id.push_back(refusal);
    bench.produce(0, "a");
    let refused = bench.take_request();
    assert_eq!(refused.identity(), (100, i16::MAX, 1));
    bench.answer(&refused, OUT_OF_ORDER);
    while bench.init_requests.len() < 2 {
        bench.advance_ms(1);
    }
    bench.produce(1, "b");
    assert!(bench.requests.is_empty(), "no id, no batch");
    let mut identities = Vec::new();
    while identities.len() < 2 {
        bench.advance_ms(1);
        for seen in bench.take_requests() {
            identities.extend(seen.batches.iter().map(support::SeenBatch::identity));
            bench.acknowledge_at(&seen, 5);
        }
    }
    assert_eq!(identities, [(101, 0, 0), (101, 0, 0)], "both restart");
    assert_eq!(bench.init_requests.len(), 3);
    assert_eq!(bench.bumps(), [(101, 0)], "the operator is told");
    bench.assert_settled();
}

#[test]
fn edge_e77_a_timeout_and_then_another_answer_is_neither_fatal_nor_called_unwritten() {
    let mut bench = Bench::established(&[]);
    let duplicate = bench.produce(0, "a");
    let sent = bench.take_request();
    bench.answer(&sent, TIMED_OUT);
    let again = bench.await_request();
    bench.answer(&again, ErrorCode::DUPLICATE_SEQUENCE_NUMBER);
    assert_eq!(bench.offset_of(duplicate), None, "a success");

    let doubtful = bench.produce(0, "b");
    let sent = bench.take_request();
    bench.cut(0);
    bench.answers_metadata = false;
    for _ in 0..3 {
        let again = bench.await_request();
        assert_eq!(again.batches, sent.batches);
        bench.answer(&again, OUT_OF_ORDER);
        assert!(bench.end_of(doubtful).is_none(), "perhaps the wrong broker");
    }
    bench.answers_metadata = true;
    bench.cut(0);
    let asked = bench.metadata_requests.len();
    while bench.end_of(doubtful).is_none() {
        let again = bench.await_request();
        assert_eq!(again.batches, sent.batches);
        bench.answer(&again, OUT_OF_ORDER);
    }
    assert!(
        asked < bench.metadata_requests.len(),
        "once more after a refresh"
    );
    assert_eq!(bench.failure_of(doubtful).outcome, Outcome::MaybeWritten);
    assert_eq!(bench.suspected_losses(), 1);
    bench.produce(0, "c");
    assert_eq!(bench.await_request().identity(), (100, 1, 0), "it goes on");
    assert!(!bench.notices.iter().any(|n| matches!(n, Notice::Fatal(_))));
}

#[test]
fn edge_e143_after_a_broker_restart_no_batch_in_doubt_is_numbered_anew() {
    let mut bench = Bench::established(&[]);
    let receipts = ["a", "b", "c", "d", "e"].map(|value| bench.produce(0, value));
    let sent = bench.take_requests();
    assert_eq!(sent.len(), 5);
    bench.cut(0);
    let fresh = bench.send_to("t", 0, "f");
    // All five were written; the broker that comes back knows the newest only.
    let mut newest = bench.await_request();
    while newest.batch().sequence != 5 {
        let known = sent.iter().any(|before| before.batches == newest.batches);
        assert!(known, "a batch in doubt keeps its number");
        bench.answer(&newest, OUT_OF_ORDER);
        newest = bench.await_request();
    }
    assert_eq!(newest.batches, sent[4].batches);
    bench.acknowledge_at(&newest, 5);

    for receipt in &receipts[..4] {
        assert_eq!(bench.failure_of(*receipt).outcome, Outcome::MaybeWritten);
    }
    assert_eq!(bench.offset_of(receipts[4]), Some(5));
    assert_eq!(bench.suspected_losses(), 4);
    let next = bench.await_request();
    assert_eq!(
        (next.identity(), next.batch().values[0].as_str()),
        ((100, 1, 0), "f")
    );
    bench.acknowledge_at(&next, 6);
    assert_eq!(bench.offset_of(fresh), Some(6));
    bench.assert_settled();
}

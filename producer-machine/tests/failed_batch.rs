//! `failed.batch=fail_later`: no record is written behind one of its partition that failed (D14).

mod support;

use kafka_producer_machine::{ErrorCode, Outcome, ProduceError, Receipt};
use kafka_producer_proto::Uuid;
use support::Bench;

const OUT_OF_ORDER: ErrorCode = ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER;
const INVALID: ErrorCode = ErrorCode::INVALID_RECORD;
const REFUSED: ErrorCode = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
const TIMED_OUT: ErrorCode = ErrorCode::REQUEST_TIMED_OUT;

const FAIL_LATER: (&str, &str) = ("failed.batch", "fail_later");

fn established() -> Bench {
    Bench::established(&[FAIL_LATER])
}

#[track_caller]
fn assert_fell_with(bench: &Bench, receipt: Receipt, code: ErrorCode) {
    let failed = bench.failure_of(receipt);
    assert_eq!(failed.outcome, Outcome::NotWritten);
    let earlier = code.name();
    assert_eq!(failed.error, ProduceError::EarlierFailed { earlier });
}

#[test]
fn what_waits_behind_a_failed_batch_fails_with_it_and_what_comes_later_goes() {
    let mut bench = Bench::ready(&[FAIL_LATER]);
    let refused = bench.produce(0, "a");
    let queued = bench.produce(0, "b");
    let open = bench.send_to("t", 0, "c");
    let elsewhere = bench.send_to("t", 1, "d");
    let seen = bench.take_request();
    bench.answer(&seen, INVALID);
    assert!(matches!(
        bench.failure_of(refused).error,
        ProduceError::Broker { code, .. } if code == INVALID
    ));
    assert_fell_with(&bench, queued, INVALID);
    assert_fell_with(&bench, open, INVALID);
    let next = bench.produce(0, "e");
    bench.acknowledge_all();
    assert!(bench.is_acked(elsewhere), "another partition");
    assert!(bench.is_acked(next), "sent after the failure was told");
    bench.assert_settled();
}

#[test]
fn what_is_in_flight_behind_a_failed_batch_fails_when_it_comes_back_unwritten() {
    for code in [
        OUT_OF_ORDER,
        ErrorCode::NOT_ENOUGH_REPLICAS,
        ErrorCode::MESSAGE_TOO_LARGE,
    ] {
        let mut bench = established();
        bench.produce(0, "a");
        let behind = bench.send_to("t", 0, "b");
        let with_it = bench.produce(0, "b");
        let sent = bench.take_requests();
        bench.answer(&sent[0], INVALID);
        assert!(bench.end_of(behind).is_none(), "it may yet be in the log");
        bench.answer(&sent[1], code);
        assert_fell_with(&bench, behind, INVALID);
        assert_fell_with(&bench, with_it, INVALID);
        bench.advance_ms(5_000);
        assert!(bench.requests.is_empty(), "{code}: it is not sent again");
        bench.assert_settled();
    }
}

#[test]
fn what_is_sent_after_a_failure_was_told_does_not_fail_with_what_comes_back_unwritten() {
    for code in [OUT_OF_ORDER, INVALID] {
        let mut bench = established();
        bench.produce(0, "a");
        bench.produce(0, "b");
        let third = bench.produce(0, "c");
        let sent = bench.take_requests();
        bench.answer(&sent[0], INVALID);
        let queued = bench.produce(0, "d");
        let open = bench.send_to("t", 0, "e");
        bench.answer(&sent[1], code);
        bench.answer(&sent[2], OUT_OF_ORDER);
        assert_fell_with(&bench, third, INVALID);
        bench.acknowledge_all();
        assert!(
            bench.is_acked(queued),
            "{code}: sent with the failure in view"
        );
        assert!(
            bench.is_acked(open),
            "{code}: sent with the failure in view"
        );
        bench.assert_settled();
    }
}

#[test]
fn what_is_sent_after_a_failure_was_told_does_not_fail_with_what_expires_behind_it() {
    let mut bench = Bench::established(&[
        FAIL_LATER,
        ("request.timeout.ms", "1000"),
        ("delivery.timeout.ms", "1500"),
        ("linger.ms", "0"),
    ]);
    bench.produce(0, "a");
    let behind = bench.produce(0, "b");
    let sent = bench.take_requests();
    bench.answer(&sent[0], INVALID);
    bench.advance_ms(600);
    bench.cut(0);
    let next = bench.produce(0, "c");
    let again = bench.await_request();
    assert_eq!(again.batches, sent[1].batches);
    while bench.end_of(behind).is_none() {
        bench.advance_ms(1);
    }
    assert_eq!(bench.failure_of(behind).outcome, Outcome::MaybeWritten);
    assert!(
        bench.end_of(next).is_none(),
        "sent with the failure in view"
    );
    bench.answer(&again, OUT_OF_ORDER);
    bench.acknowledge_all();
    assert!(bench.is_acked(next));
    bench.assert_settled();
}

#[test]
fn an_earlier_failure_takes_along_what_was_sent_after_a_later_one_was_told() {
    let mut bench = established();
    let earlier = bench.produce(0, "a");
    bench.produce(0, "b");
    let behind = bench.produce(0, "c");
    let sent = bench.take_requests();
    bench.answer(&sent[0], ErrorCode::NOT_ENOUGH_REPLICAS);
    bench.answer(&sent[1], INVALID);
    let queued = bench.produce(0, "d");
    bench.answer(&sent[2], OUT_OF_ORDER);
    assert_fell_with(&bench, behind, INVALID);
    assert!(bench.end_of(queued).is_none());
    let again = bench.await_request();
    assert_eq!(again.batches, sent[0].batches);
    bench.answer(&again, REFUSED);
    assert_eq!(bench.failure_of(earlier).outcome, Outcome::NotWritten);
    assert_fell_with(&bench, queued, REFUSED);
    bench.assert_settled();
}

#[test]
fn what_is_in_doubt_behind_a_failed_batch_ends_by_the_truth() {
    let mut bench = established();
    bench.produce(0, "a");
    let behind = bench.produce(0, "b");
    let sent = bench.take_requests();
    bench.answer(&sent[0], INVALID);
    bench.answer(&sent[1], TIMED_OUT);
    let again = bench.await_request();
    assert_eq!(
        again.batches, sent[1].batches,
        "asked, under its own number"
    );
    bench.acknowledge_at(&again, 2);
    assert_eq!(bench.offset_of(behind), Some(2), "a broker's word counts");
    bench.assert_settled();
}

#[test]
fn an_expired_batch_in_flight_takes_with_it_what_was_not_handed_out() {
    let mut bench = Bench::ready(&[
        FAIL_LATER,
        ("request.timeout.ms", "1000"),
        ("delivery.timeout.ms", "1500"),
        ("linger.ms", "0"),
    ]);
    let first = bench.produce(0, "a");
    bench.advance_ms(600);
    bench.cut(0);
    let again = bench.await_request();
    bench.advance_ms(600);
    let waits = bench.produce(0, "b");
    while bench.end_of(first).is_none() {
        bench.advance_ms(1);
    }
    assert_eq!(bench.failure_of(first).outcome, Outcome::MaybeWritten);
    assert_fell_with(&bench, waits, TIMED_OUT);
    bench.acknowledge_at(&again, 0);
    let next = bench.produce(0, "c");
    bench.acknowledge_all();
    assert!(bench.is_acked(next));
    bench.assert_settled();
}

#[test]
fn an_earlier_batch_is_not_touched_by_the_failure_of_a_later_one() {
    let mut bench = established();
    let earlier = bench.produce(0, "a");
    let later = bench.produce(0, "b");
    let sent = bench.take_requests();
    bench.answer(&sent[0], ErrorCode::NOT_ENOUGH_REPLICAS);
    bench.answer(&sent[1], INVALID);
    assert!(bench.failure_of(later).outcome == Outcome::NotWritten);
    let again = bench.await_request();
    assert_eq!(again.batches, sent[0].batches);
    bench.acknowledge_at(&again, 1);
    assert!(bench.is_acked(earlier));
    bench.assert_settled();
}

#[test]
fn a_later_batch_in_doubt_is_not_written_anew_even_if_unknown_fates_are() {
    let mut bench = Bench::established(&[FAIL_LATER, ("unknown.fate", "rewrite")]);
    bench.produce(0, "a");
    let behind = bench.produce(0, "b");
    let sent = bench.take_requests();
    bench.answer(&sent[0], INVALID);
    bench.answer(&sent[1], TIMED_OUT);
    while bench.end_of(behind).is_none() {
        let again = bench.await_request();
        assert_eq!(again.batches, sent[1].batches, "never under another number");
        bench.answer(&again, OUT_OF_ORDER);
    }
    assert_eq!(bench.failure_of(behind).outcome, Outcome::MaybeWritten);
}

#[test]
fn the_records_of_a_closed_producer_fail_for_that_and_not_for_each_other() {
    let mut bench = Bench::ready(&[FAIL_LATER]);
    let receipts = ["a", "b"].map(|value| bench.produce(0, value));
    bench.machine.close(bench.now, bench.now);
    bench.run();
    for receipt in receipts {
        assert_eq!(bench.failure_of(receipt).error, ProduceError::Closed);
    }
}

#[test]
fn by_default_what_is_behind_a_failed_batch_is_written() {
    let mut bench = Bench::established(&[]);
    bench.produce(0, "a");
    let behind = bench.produce(0, "b");
    let sent = bench.take_requests();
    bench.answer(&sent[0], INVALID);
    bench.answer(&sent[1], OUT_OF_ORDER);
    let again = bench.await_request();
    bench.acknowledge_at(&again, 1);
    assert!(bench.is_acked(behind));
}

#[test]
fn without_sequences_one_request_at_a_time_keeps_the_promise() {
    let mut bench = Bench::ready(&[
        FAIL_LATER,
        ("enable.idempotence", "false"),
        ("max.in.flight.requests.per.connection", "1"),
    ]);
    bench.produce(0, "a");
    let queued = bench.produce(0, "b");
    let seen = bench.take_request();
    bench.answer(&seen, INVALID);
    assert_fell_with(&bench, queued, INVALID);
    bench.advance_ms(5_000);
    assert!(bench.requests.is_empty());
}

#[test]
fn what_fails_with_a_former_topic_takes_along_what_is_behind_it() {
    let mut bench = Bench::established(&[
        FAIL_LATER,
        ("metadata.max.age.ms", "100"),
        ("retry.backoff.ms", "5000"),
        ("retry.backoff.max.ms", "5000"),
    ]);
    let doubtful = bench.produce(0, "a");
    let behind = bench.produce(0, "b");
    let sent = bench.take_requests();
    bench.answer(&sent[0], TIMED_OUT);
    bench.answer(&sent[1], OUT_OF_ORDER);
    let script = bench.topics.get_mut("t").expect("the topic");
    script.id = Uuid::from_bytes([99; 16]);
    bench.advance_ms(1_000);
    assert_eq!(bench.failure_of(doubtful).outcome, Outcome::MaybeWritten);
    assert_fell_with(&bench, behind, ErrorCode::UNKNOWN_TOPIC_ID);
    let next = bench.produce(0, "c");
    bench.acknowledge_all();
    assert!(bench.is_acked(next));
    bench.assert_settled();
}

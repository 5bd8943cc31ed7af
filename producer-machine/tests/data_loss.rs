//! What follows when a broker no longer has what it acknowledged: an unclean election, a log that
//! was truncated (`producer-semantics.md` §5.8, D11).

mod support;

use kafka_producer_machine::{ErrorCode, Notice, Outcome, ProduceError, Record, SendError};
use kafka_producer_proto::messages::produce::PartitionProduceResponse;
use support::{Bench, answer};

const OUT_OF_ORDER: ErrorCode = ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER;
const UNKNOWN_ID: ErrorCode = ErrorCode::UNKNOWN_PRODUCER_ID;

/// The first record of partition 0 is acknowledged at offset 0.
fn established(settings: &[(&str, &str)]) -> Bench {
    let mut bench = Bench::ready(settings);
    bench.produce(0, "first");
    let first = bench.take_request();
    bench.acknowledge_at(&first, 0);
    bench.events.clear();
    bench
}

fn strict() -> Bench {
    established(&[("data.loss", "stop")])
}

/// UNKNOWN_PRODUCER_ID, as of a log that begins here.
fn unknown_id(log_start_offset: i64) -> impl Fn(&support::SeenBatch) -> PartitionProduceResponse {
    move |_| {
        let mut told = answer(UNKNOWN_ID);
        told.log_start_offset = log_start_offset;
        told
    }
}

fn fatal(bench: &Bench) -> Option<ErrorCode> {
    let code = |notice: &Notice| match notice {
        Notice::Fatal(fatal) => Some(fatal.code),
        _ => None,
    };
    bench.notices.iter().find_map(code)
}

#[test]
fn a_gap_after_what_was_acknowledged_is_told_and_the_partition_goes_on() {
    let mut bench = established(&[]);
    let receipt = bench.produce(0, "a");
    let refused = bench.take_request();
    bench.answer(&refused, OUT_OF_ORDER);
    assert_eq!(bench.suspected_losses(), 1);
    let again = bench.await_request();
    assert_eq!(again.identity(), (100, 1, 0));
    bench.acknowledge_at(&again, 0);
    assert_eq!(bench.offset_of(receipt), Some(0));
    bench.assert_settled();
}

#[test]
fn a_gap_that_an_unwritten_batch_left_is_no_loss() {
    let mut bench = established(&[]);
    bench.produce(0, "a");
    bench.produce(0, "b");
    let sent = bench.take_requests();
    bench.answer(&sent[0], ErrorCode::INVALID_RECORD);
    bench.answer(&sent[1], OUT_OF_ORDER);
    assert_eq!(bench.suspected_losses(), 0);
}

#[test]
fn a_producer_id_that_went_with_old_records_is_no_loss() {
    let mut bench = strict();
    bench.produce(0, "a");
    let refused = bench.take_request();
    bench.answer_with(&refused, unknown_id(1));
    assert_eq!(bench.suspected_losses(), 0);
    assert_eq!(bench.await_request().identity(), (100, 1, 0));
}

#[test]
fn a_producer_id_that_went_though_its_records_should_be_there_is_a_loss() {
    let mut bench = established(&[]);
    bench.produce(0, "a");
    let refused = bench.take_request();
    bench.answer_with(&refused, unknown_id(0));
    assert_eq!(bench.suspected_losses(), 1);
    assert_eq!(bench.await_request().identity(), (100, 1, 0));
}

#[test]
fn a_strict_producer_stops_when_acknowledged_records_are_gone() {
    for code in [OUT_OF_ORDER, UNKNOWN_ID] {
        let mut bench = strict();
        let head = bench.produce(0, "a");
        let refused = bench.take_request();
        let waiting = bench.produce(1, "b");
        let under_way = bench.take_request();
        let lingering = bench.send_to("t", 1, "c");
        match code {
            UNKNOWN_ID => bench.answer_with(&refused, unknown_id(0)),
            _ => bench.answer(&refused, code),
        }
        assert_eq!(fatal(&bench), Some(code));
        assert_eq!(bench.suspected_losses(), 1, "which partition it was");
        assert_eq!(bench.bumps(), [], "nothing goes on");
        let failed = bench.failure_of(head);
        assert_eq!(failed.outcome, Outcome::NotWritten);
        assert!(matches!(failed.error, ProduceError::Broker { code: told, .. } if told == code));
        assert_eq!(bench.failure_of(waiting).outcome, Outcome::MaybeWritten);
        let unsent = bench.failure_of(lingering);
        assert_eq!(unsent.outcome, Outcome::NotWritten);
        assert!(matches!(unsent.error, ProduceError::Fatal(_)));
        assert_eq!(under_way.batch().values, ["b"]);
        let refusal = bench.try_send(&Record::to("t").value("d")).unwrap_err();
        assert!(matches!(refusal, SendError::Fatal(fatal) if fatal.code == code));
        bench.assert_settled();
    }
}

#[test]
fn a_strict_producer_asks_twice_about_a_batch_in_doubt_before_it_stops() {
    let mut bench = strict();
    let receipt = bench.produce(0, "a");
    let lost = bench.take_request();
    bench.cut(0);
    let again = bench.await_request();
    assert_eq!(again.batches, lost.batches);
    bench.answer(&again, OUT_OF_ORDER);
    assert_eq!(fatal(&bench), None, "perhaps the wrong broker");
    while bench.end_of(receipt).is_none() {
        let again = bench.await_request();
        assert_eq!(again.batches, lost.batches);
        bench.answer(&again, OUT_OF_ORDER);
    }
    assert_eq!(bench.failure_of(receipt).outcome, Outcome::MaybeWritten);
    assert_eq!(fatal(&bench), Some(OUT_OF_ORDER));
}

#[test]
fn a_strict_producer_survives_a_broker_that_remembers_only_the_newest_batch() {
    let mut bench = strict();
    let receipts = ["a", "b", "c"].map(|value| bench.produce(0, value));
    let sent = bench.take_requests();
    assert_eq!(sent.len(), 3);
    bench.cut(0);
    // All were written; the broker was started anew and knows the last one only.
    while bench.end_of(receipts[2]).is_none() {
        let again = bench.await_request();
        match again.batch().sequence {
            3 => bench.acknowledge_at(&again, 3),
            _ => bench.answer(&again, OUT_OF_ORDER),
        }
    }
    assert_eq!(fatal(&bench), None, "nothing is lost");
    assert_eq!(bench.offset_of(receipts[2]), Some(3));
    bench.produce(0, "d");
    assert_eq!(bench.await_request().batch().values, ["d"]);
}

#[test]
fn a_strict_producer_stops_when_the_broker_knows_none_of_several_in_doubt() {
    let mut bench = strict();
    let receipts = ["a", "b"].map(|value| bench.produce(0, value));
    assert_eq!(bench.take_requests().len(), 2);
    bench.cut(0);
    while bench.end_of(receipts[1]).is_none() {
        let again = bench.await_request();
        bench.answer(&again, OUT_OF_ORDER);
    }
    for receipt in receipts {
        assert_eq!(bench.failure_of(receipt).outcome, Outcome::MaybeWritten);
    }
    assert_eq!(fatal(&bench), Some(OUT_OF_ORDER));
}

#[test]
fn a_strict_producer_does_not_stop_for_a_gap_that_is_not_explained() {
    let mut bench = strict();
    bench.produce(0, "a");
    bench.produce(0, "b");
    let sent = bench.take_requests();
    bench.answer(&sent[0], ErrorCode::INVALID_RECORD);
    bench.answer(&sent[1], OUT_OF_ORDER);
    assert_eq!(fatal(&bench), None);
    assert_eq!(bench.await_request().identity(), (100, 1, 0));
}

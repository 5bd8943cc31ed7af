//! Edge cases of what brokers refuse, and of what a refusal proves
//! (`producer-semantics.md` §4.1, §9.3, §9.4).

mod support;

use kafka_producer_machine::{ErrorCode, Notice, Outcome, ProduceError, Record, SendError};
use kafka_producer_proto::messages::ProduceResponse;
use kafka_producer_proto::messages::produce::{
    BatchIndexAndErrorMessage, PartitionProduceResponse, TopicProduceResponse,
};
use support::{Bench, answer, written};

const TIMED_OUT: ErrorCode = ErrorCode::REQUEST_TIMED_OUT;
const UNAUTHORIZED: ErrorCode = ErrorCode::CLUSTER_AUTHORIZATION_FAILED;

fn broker_code(error: &ProduceError) -> Option<ErrorCode> {
    match error {
        ProduceError::Broker { code, .. } => Some(*code),
        _ => None,
    }
}

#[test]
fn edge_e57_a_storage_error_goes_again_after_a_refresh_and_ends_in_doubt() {
    let code = ErrorCode::KAFKA_STORAGE_ERROR;
    let mut bench = Bench::established(&[]);
    let receipt = bench.produce(0, "a");
    for _ in 0..4 {
        let asked = bench.metadata_requests.len();
        let seen = bench.await_request();
        assert_eq!(seen.identity(), (100, 0, 1));
        bench.answer(&seen, code);
        bench.advance_ms(2_000);
        assert!(
            asked < bench.metadata_requests.len(),
            "the disk's leader moves"
        );
    }
    let last = bench.take_request();
    bench.acknowledge_at(&last, 1);
    assert_eq!(bench.offset_of(receipt), Some(1));

    let mut bench = Bench::established(&[("retries", "2")]);
    let receipt = bench.produce(0, "a");
    for _ in 0..3 {
        assert!(bench.end_of(receipt).is_none());
        let seen = bench.await_request();
        bench.answer(&seen, code);
    }
    let failed = bench.failure_of(receipt);
    let exhausted = ProduceError::RetriesExhausted {
        attempts: 3,
        last: code,
    };
    assert_eq!(failed.error, exhausted);
    assert_eq!(
        failed.outcome,
        Outcome::MaybeWritten,
        "the disk may have failed after the append"
    );
    bench.assert_settled();
}

#[test]
fn edge_e81_without_the_right_to_an_id_batches_fail_and_later_ones_go_once_it_is_given() {
    let mut bench = Bench::new(&[]);
    bench.init_producer_id.push_back((UNAUTHORIZED, -1, -1));
    let refused = bench.send_to("t", 0, "a");
    bench.advance_ms(10);
    let failed = bench.failure_of(refused);
    assert_eq!(broker_code(&failed.error), Some(UNAUTHORIZED));
    assert_eq!(failed.outcome, Outcome::NotWritten);
    bench.assert_settled();

    // The rights are mended; the same producer goes on.
    let accepted = bench.produce(0, "b");
    let seen = bench.await_request();
    assert_eq!(seen.identity(), (100, 0, 0));
    bench.acknowledge_at(&seen, 0);
    assert!(bench.is_acked(accepted));
    assert!(!bench.notices.iter().any(|n| matches!(n, Notice::Fatal(_))));
    assert_eq!(bench.init_requests.len(), 2);
    let waited = bench.init_requests[1]
        .since(bench.init_requests[0])
        .as_millis();
    assert!(
        (80..=120).contains(&waited),
        "a backoff lies between: {waited}"
    );
}

#[test]
fn edge_e82_no_right_to_the_cluster_is_fatal_and_each_batch_fails_once() {
    let mut bench = Bench::established_both(&[
        ("reconnect.backoff.ms", "0"),
        ("max.in.flight.requests.per.connection", "2"),
    ]);
    let refused = bench.produce(0, "a");
    let in_flight = bench.produce(1, "b");
    let sent = bench.take_requests();
    let ready = bench.produce(0, "c");
    assert!(bench.requests.is_empty(), "the connection is full");
    let held = bench.send_to("unknown", 0, "d");
    let before = bench.connects.len();
    bench.answer(&sent[0], UNAUTHORIZED);

    assert_eq!(bench.failure_of(refused).outcome, Outcome::NotWritten);
    assert_eq!(bench.failure_of(in_flight).outcome, Outcome::MaybeWritten);
    for waiting in [ready, held] {
        let failed = bench.failure_of(waiting);
        assert!(matches!(&failed.error, ProduceError::Fatal(fatal) if fatal.code == UNAUTHORIZED));
        assert_eq!(failed.outcome, Outcome::NotWritten);
    }
    // A late answer is for nobody.
    bench.acknowledge_at(&sent[1], 7);
    bench.advance_ms(300_000);
    bench.assert_settled();
    let fatal = |notice: &&Notice| matches!(notice, Notice::Fatal(_));
    assert_eq!(bench.notices.iter().filter(fatal).count(), 1);
    let next = bench.try_send(&Record::to("t").value("e"));
    assert!(matches!(next, Err(SendError::Fatal(fatal)) if fatal.code == UNAUTHORIZED));
    assert!(bench.requests.is_empty());
    assert_eq!(bench.connects.len(), before, "nobody is called any more");
    assert_eq!(bench.machine.poll_timeout(), None);
}

#[test]
fn edge_e83_an_old_message_format_costs_the_batch() {
    let code = ErrorCode::UNSUPPORTED_FOR_MESSAGE_FORMAT;
    let mut bench = Bench::established(&[]);
    let refused = bench.produce(0, "a");
    let seen = bench.take_request();
    bench.answer(&seen, code);
    assert_eq!(broker_code(&bench.failure_of(refused).error), Some(code));
    assert_eq!(bench.failure_of(refused).outcome, Outcome::NotWritten);
    let next = bench.produce(0, "b");
    let seen = bench.take_request();
    assert_eq!(seen.identity(), (100, 1, 0), "the refused number is a gap");
    bench.acknowledge_at(&seen, 1);
    assert!(bench.is_acked(next));
}

#[test]
fn edge_e83_an_unsupported_version_is_fatal_to_an_idempotent_producer() {
    let code = ErrorCode::UNSUPPORTED_VERSION;
    let mut bench = Bench::established(&[]);
    let refused = bench.produce(0, "a");
    let seen = bench.take_request();
    bench.answer(&seen, code);
    assert_eq!(broker_code(&bench.failure_of(refused).error), Some(code));
    let next = bench.try_send(&Record::to("t").value("b"));
    assert!(matches!(next, Err(SendError::Fatal(fatal)) if fatal.code == code));
}

#[test]
fn edge_e84_sequences_go_on_after_a_topic_was_gone_for_a_while() {
    let mut bench = Bench::established(&[("metadata.max.age.ms", "1000")]);
    let lost = bench.produce(0, "a");
    let seen = bench.take_request();
    let topic = bench.topics.remove("t").unwrap();
    bench.answer(&seen, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    let meanwhile = bench.produce(0, "b");
    for _ in 0..5 {
        bench.advance_ms(1_000);
        for seen in bench.take_requests() {
            assert_eq!(seen.identity(), (100, 0, 1));
            bench.answer(&seen, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        }
    }
    bench.topics.insert("t".into(), topic);
    let again = bench.await_request();
    assert_eq!(again.identity(), (100, 0, 1));
    bench.acknowledge_at(&again, 1);
    let next = bench.take_request();
    assert_eq!(next.identity(), (100, 0, 2), "where they were");
    bench.acknowledge_at(&next, 2);
    assert!(bench.is_acked(lost) && bench.is_acked(meanwhile));
    assert_eq!(bench.bumps(), []);
    bench.assert_settled();
}

#[test]
fn edge_e87_a_retriable_refusal_of_an_id_is_asked_again_with_backoff_on_one_slot() {
    let one = ("max.in.flight.requests.per.connection", "1");
    let mut bench = Bench::new(&[one]);
    let retriable = [
        ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
        ErrorCode::COORDINATOR_NOT_AVAILABLE,
        TIMED_OUT,
    ];
    for code in retriable {
        bench.init_producer_id.push_back((code, -1, -1));
    }
    let receipt = bench.send_to("t", 0, "a");
    let seen = bench.await_request();
    assert_eq!(seen.identity(), (100, 0, 0), "nothing left without an id");
    bench.acknowledge_at(&seen, 0);
    assert!(bench.is_acked(receipt));
    let times: Vec<_> = bench.init_requests.clone();
    assert_eq!(times.len(), 4);
    for (pair, (low, high)) in times.windows(2).zip([(80, 120), (160, 240), (320, 480)]) {
        let waited = pair[1].since(pair[0]).as_millis();
        assert!((low..=high).contains(&waited), "{waited} ms");
    }
    // Metadata shared the slot.
    assert!(!bench.metadata_requests.is_empty());
}

#[test]
fn edge_e87_an_id_that_was_never_answered_is_asked_of_another_broker() {
    let mut bench = Bench::new(&[("bootstrap.servers", "b0:9092,b1:9092")]);
    bench.answers_metadata = false;
    bench.init_producer_id.push_back((TIMED_OUT, -1, -1));
    bench.send_to("t", 0, "a");
    let first = bench.connects[0].1;
    bench.cut(first);
    bench.down = vec![first];
    bench.answers_metadata = true;
    let receipt = bench.send_to("t", 0, "b");
    bench.down.clear();
    let seen = bench.await_request();
    bench.acknowledge_at(&seen, 0);
    assert!(bench.is_acked(receipt));
    assert!(bench.connects.iter().any(|&(_, broker, _)| broker != first));
}

#[test]
fn edge_e141_an_error_with_a_base_offset_leaves_a_doubt_and_the_number() {
    let appended = [
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode::NOT_LEADER_OR_FOLLOWER,
        TIMED_OUT,
        ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND,
        ErrorCode::KAFKA_STORAGE_ERROR,
    ];
    // At −1 the same codes prove no more.
    for (code, offset) in appended.iter().flat_map(|&code| [(code, 7), (code, -1)]) {
        let mut bench = Bench::established(&[("retries", "1")]);
        let receipt = bench.produce(0, "a");
        let first = bench.take_request();
        bench.answer_with(&first, |_| {
            let mut late = answer(code);
            late.base_offset = offset;
            late
        });
        let again = bench.await_request();
        assert_eq!(again.batches, first.batches, "{code}: same identity");
        bench.answer(&again, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
        let failed = bench.failure_of(receipt);
        assert_eq!(failed.outcome, Outcome::MaybeWritten, "{code} at {offset}");
        bench.produce(0, "b");
        let next = bench.await_request();
        assert_eq!(
            next.identity(),
            (100, 1, 0),
            "{code}: its number is no other's"
        );
    }
}

#[test]
fn edge_e144_a_refused_retry_does_not_prove_that_nothing_was_written() {
    let refusals = [
        ErrorCode::MESSAGE_TOO_LARGE,
        ErrorCode::INVALID_TIMESTAMP,
        ErrorCode::INVALID_RECORD,
    ];
    for code in refusals {
        let mut bench = Bench::established(&[]);
        let receipt = bench.produce(0, "a");
        let first = bench.take_request();
        bench.cut(0);
        // The replicas are too few for a while: that is no reason to give up.
        let second = bench.await_request();
        bench.answer(&second, ErrorCode::NOT_ENOUGH_REPLICAS);
        let third = bench.await_request();
        assert_eq!(third.batches, first.batches);
        bench.answer(&third, code);
        let failed = bench.failure_of(receipt);
        assert_eq!(broker_code(&failed.error), Some(code));
        assert_eq!(failed.outcome, Outcome::MaybeWritten, "{code}");
        bench.produce(0, "b");
        assert_eq!(bench.take_request().identity(), (100, 1, 0), "{code}");
    }
    // Without the doubt the same refusal is definite.
    let mut bench = Bench::established(&[]);
    let receipt = bench.produce(0, "a");
    let seen = bench.take_request();
    bench.answer(&seen, ErrorCode::INVALID_TIMESTAMP);
    assert_eq!(bench.failure_of(receipt).outcome, Outcome::NotWritten);
}

#[test]
fn edge_e145_a_duplicate_that_is_not_replicated_yet_stays_in_doubt_until_it_is() {
    let unreplicated = |code, time| {
        let mut answer = answer(code);
        answer.base_offset = 41;
        answer.log_append_time_ms = time;
        answer
    };
    let mut bench = Bench::established(&[]);
    let receipt = bench.produce(0, "a");
    let first = bench.take_request();
    bench.answer_with(&first, |_| unreplicated(TIMED_OUT, -1));
    for _ in 0..3 {
        let again = bench.await_request();
        assert_eq!(again.batches, first.batches);
        bench.answer_with(&again, |_| unreplicated(TIMED_OUT, 1_000));
        assert!(
            bench.end_of(receipt).is_none(),
            "7 is no success, whatever stands beside it"
        );
    }
    let last = bench.await_request();
    bench.answer_with(&last, |_| written(41));
    assert_eq!(bench.offset_of(receipt), Some(41));

    let mut bench = Bench::established(&[("retries", "1")]);
    let receipt = bench.produce(0, "a");
    for _ in 0..2 {
        let seen = bench.await_request();
        bench.answer_with(&seen, |_| unreplicated(TIMED_OUT, 1_000));
    }
    assert_eq!(bench.failure_of(receipt).outcome, Outcome::MaybeWritten);
}

#[test]
fn an_answer_that_leaves_a_batch_out_leaves_it_in_doubt() {
    let mut bench = Bench::established(&[("retries", "1")]);
    let receipt = bench.produce(0, "a");
    for _ in 0..2 {
        let seen = bench.await_request();
        let mut response = ProduceResponse::default();
        response.responses.push(TopicProduceResponse {
            name: "t".into(),
            ..TopicProduceResponse::default()
        });
        bench.respond(&seen, &response);
    }
    assert_eq!(bench.failure_of(receipt).outcome, Outcome::MaybeWritten);
}

#[test]
fn edge_e85_each_bad_record_has_its_own_error_and_its_neighbors_another_one() {
    let mut bench = Bench::established(&[]);
    let receipts = ["a", "b", "c", "d"].map(|value| bench.send_to("t", 0, value));
    bench.flush();
    let seen = bench.take_request();
    let behind = bench.produce(0, "behind");
    let second = bench.take_request();
    let entry = PartitionProduceResponse {
        record_errors: vec![BatchIndexAndErrorMessage {
            batch_index: 1,
            batch_index_error_message: Some("from the year 3000".into()),
        }],
        ..answer(ErrorCode::INVALID_TIMESTAMP)
    };
    bench.answer_with(&seen, |_| entry.clone());
    let errors = receipts.map(|receipt| bench.failure_of(receipt).error.clone());
    let innocent = ProduceError::BatchmateRejected {
        code: ErrorCode::INVALID_TIMESTAMP,
    };
    let bad = ProduceError::Broker {
        code: ErrorCode::INVALID_TIMESTAMP,
        message: Some("from the year 3000".into()),
    };
    assert_eq!(
        errors,
        [&innocent, &bad, &innocent, &innocent].map(Clone::clone)
    );
    // Each can be had back, from the whole batch.
    for (receipt, value) in receipts.iter().zip(["a", "b", "c", "d"]) {
        let failed = bench.failure_of(*receipt);
        assert_eq!(failed.outcome, Outcome::NotWritten);
        let start = bench.range_start(*receipt);
        let record = failed.records.record(receipt.index - start).unwrap();
        assert_eq!(record.value.as_deref(), Some(value.as_bytes()));
    }
    // What came behind is delivered, numbered anew.
    bench.answer(&second, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    let seen = bench.await_request();
    assert_eq!((seen.batch().epoch, seen.batch().sequence), (1, 0));
    bench.acknowledge(&seen);
    assert!(bench.is_acked(behind));
    bench.assert_settled();
}

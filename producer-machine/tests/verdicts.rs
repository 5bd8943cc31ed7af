//! Rows of the table of answers that no numbered edge case holds (`producer-semantics.md` §5.2,
//! §5.5, §5.6), and what a fatal one means for everything else.

mod support;

use kafka_producer_machine::{
    ErrorCode, FatalError, Notice, Outcome, ProduceError, Record, SendError,
};
use support::Bench;

const OUT_OF_ORDER: ErrorCode = ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER;
const TOO_FEW: ErrorCode = ErrorCode::NOT_ENOUGH_REPLICAS;

#[test]
fn a_producer_id_is_asked_for_before_there_is_anything_to_send() {
    let mut bench = Bench::new(&[]);
    bench.run();
    assert_eq!(bench.init_requests.len(), 1);
    let mut plain = Bench::new(&[("enable.idempotence", "false")]);
    plain.run();
    assert_eq!(plain.init_requests.len(), 0);
}

#[test]
fn records_expire_while_no_producer_id_comes_and_were_not_written() {
    let mut bench = Bench::new(&[("delivery.timeout.ms", "40000")]);
    for _ in 0..1_000 {
        let loading = (ErrorCode::COORDINATOR_LOAD_IN_PROGRESS, -1, -1);
        bench.init_producer_id.push_back(loading);
    }
    let receipt = bench.send_to("t", 0, "a");
    bench.advance_ms(40_000);
    let failed = bench.failure_of(receipt);
    assert_eq!(failed.outcome, Outcome::NotWritten);
    assert!(matches!(
        failed.error,
        ProduceError::TimedOut { attempts: 0, .. }
    ));
}

#[test]
fn an_old_epoch_fails_its_batch_and_the_partition_goes_on_under_the_next() {
    let mut bench = Bench::established(&[]);
    let refused = bench.produce(0, "a");
    let behind = bench.produce(0, "b");
    let sent = bench.take_requests();
    for seen in &sent {
        bench.answer(seen, ErrorCode::INVALID_PRODUCER_EPOCH);
    }
    for receipt in [refused, behind] {
        assert_eq!(bench.failure_of(receipt).outcome, Outcome::NotWritten);
    }
    bench.produce(0, "c");
    assert_eq!(bench.take_request().identity(), (100, 1, 0));
    assert_eq!(bench.bumps(), [(100, 1)]);
}

#[test]
fn retries_used_up_by_refusals_leave_a_number_that_nobody_gets() {
    let mut bench = Bench::established(&[("retries", "1")]);
    let receipt = bench.produce(0, "a");
    for _ in 0..2 {
        let seen = bench.await_request();
        assert_eq!(seen.identity(), (100, 0, 1));
        bench.answer(&seen, TOO_FEW);
    }
    let failed = bench.failure_of(receipt);
    let (attempts, last) = (2, TOO_FEW);
    assert_eq!(
        failed.error,
        ProduceError::RetriesExhausted { attempts, last }
    );
    assert_eq!(failed.outcome, Outcome::NotWritten);
    bench.produce(0, "b");
    assert_eq!(bench.await_request().identity(), (100, 1, 0));
}

#[test]
fn a_batch_behind_an_expired_one_is_not_numbered_anew_while_it_may_be_written() {
    let mut bench = Bench::established(&[
        ("request.timeout.ms", "1000"),
        ("delivery.timeout.ms", "1500"),
        ("linger.ms", "0"),
    ]);
    let expired = bench.produce(0, "a");
    bench.advance_ms(700);
    let behind = bench.produce(0, "b");
    let sent = bench.take_requests();
    bench.cut(0);
    bench.down = vec![0];
    bench.advance_ms(820);
    assert_eq!(bench.failure_of(expired).outcome, Outcome::MaybeWritten);
    bench.down.clear();
    let again = bench.await_request();
    assert_eq!(again.batches, sent[1].batches);
    // The broker has the first and not this one: it is taken, and the hole is closed.
    bench.acknowledge_at(&again, 2);
    assert!(bench.is_acked(behind));
    bench.produce(0, "c");
    assert_eq!(bench.take_request().identity(), (100, 0, 3));
    assert_eq!(bench.bumps(), []);
}

#[test]
fn a_broker_that_is_not_asked_about_the_first_in_doubt_refuses_the_second_unchanged() {
    let mut bench = Bench::established(&[]);
    let receipts = ["a", "b"].map(|value| bench.produce(0, value));
    let sent = bench.take_requests();
    bench.answer(&sent[0], ErrorCode::REQUEST_TIMED_OUT);
    bench.answer(&sent[1], OUT_OF_ORDER);
    let first = bench.await_request();
    assert_eq!(first.batches, sent[0].batches);
    bench.acknowledge_at(&first, 1);
    let second = bench.await_request();
    assert_eq!(second.batches, sent[1].batches, "no bump");
    bench.acknowledge_at(&second, 2);
    assert_eq!(receipts.map(|r| bench.offset_of(r)), [1, 2].map(Some));
}

/// What a producer ends with that gets this answer to its only batch in flight.
fn end_with(code: ErrorCode) {
    let mut bench = Bench::established_both(&[]);
    let refused = bench.produce(0, "a");
    let seen = bench.take_request();
    let under_way = bench.produce(1, "b");
    bench.take_request();
    let waiting = bench.send_to("t", 1, "c");
    let held = bench
        .try_send(&Record::to("unknown").value("d"))
        .expect("there is room");
    bench.answer(&seen, code);
    let fatal = FatalError { code };
    assert!(bench.notices.contains(&Notice::Fatal(fatal.clone())));
    // Whatever the code says of the request, the table of truth says nothing of this one.
    let answered = match code {
        ErrorCode::UNSUPPORTED_VERSION => Outcome::MaybeWritten,
        _ => Outcome::NotWritten,
    };
    let ends = [
        (refused, answered),
        (under_way, Outcome::MaybeWritten),
        (waiting, Outcome::NotWritten),
        (held, Outcome::NotWritten),
    ];
    for (receipt, outcome) in ends {
        assert_eq!(bench.failure_of(receipt).outcome, outcome, "{code}");
    }
    for receipt in [under_way, waiting, held] {
        let error = &bench.failure_of(receipt).error;
        assert_eq!(error, &ProduceError::Fatal(fatal.clone()), "{code}");
    }
    let refusal = bench
        .try_send(&Record::to("t").value("e"))
        .expect_err("it is over");
    assert_eq!(refusal, SendError::Fatal(fatal), "{code}");
    bench.advance_ms(100_000);
    assert!(
        bench.requests.is_empty(),
        "{code}: nothing is sent any more"
    );
    bench.assert_settled();
}

#[test]
fn every_fatal_answer_ends_all_records_and_says_what_to_do() {
    let told = [
        (ErrorCode::CLUSTER_AUTHORIZATION_FAILED, "IdempotentWrite"),
        (
            ErrorCode::INVALID_PRODUCER_ID_MAPPING,
            "logs of the brokers",
        ),
        (ErrorCode::PRODUCER_FENCED, "who else runs"),
        (
            ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
            "right to the transactional id",
        ),
        (ErrorCode::UNSUPPORTED_VERSION, "newer brokers"),
    ];
    for (code, advice) in told {
        end_with(code);
        let said = FatalError { code }.to_string();
        assert!(said.starts_with("the producer cannot go on: "), "{said}");
        assert!(
            said.contains(code.name()) && said.contains(advice),
            "{said}"
        );
        assert!(said.ends_with(", and make a new one"), "{said}");
    }
}

#[test]
fn what_is_fatal_to_an_idempotent_producer_costs_another_one_the_batch() {
    let mut bench = Bench::established(&[("enable.idempotence", "false")]);
    let refused = bench.produce(0, "a");
    let seen = bench.take_request();
    bench.answer(&seen, ErrorCode::CLUSTER_AUTHORIZATION_FAILED);
    assert_eq!(bench.failure_of(refused).outcome, Outcome::NotWritten);
    let next = bench.produce(0, "b");
    bench.acknowledge_all();
    assert!(bench.is_acked(next));
}

#[test]
fn a_corrupt_message_goes_again_and_each_time_is_told() {
    let mut bench = Bench::established(&[]);
    let receipt = bench.produce(0, "a");
    for _ in 0..3 {
        let seen = bench.await_request();
        bench.answer(&seen, ErrorCode::CORRUPT_MESSAGE);
    }
    let last = bench.await_request();
    bench.acknowledge_at(&last, 1);
    assert!(bench.is_acked(receipt));
    let retried = bench.notices.iter().filter_map(|notice| match notice {
        Notice::Retrying { error, .. } => Some(*error),
        _ => None,
    });
    let retried: Vec<ErrorCode> = retried.collect();
    assert_eq!(retried, [ErrorCode::CORRUPT_MESSAGE; 3]);
}

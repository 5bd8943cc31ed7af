//! Edge cases of sequences: numbering, duplicates, answers out of order
//! (`producer-semantics.md` §9.4).

mod support;

use kafka_producer_machine::{ErrorCode, Outcome, ProduceError, Record};
use support::{Bench, written};

const NOT_LEADER: ErrorCode = ErrorCode::NOT_LEADER_OR_FOLLOWER;
const OUT_OF_ORDER: ErrorCode = ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER;
const TOO_LARGE: ErrorCode = ErrorCode::MESSAGE_TOO_LARGE;

#[test]
fn edge_e59_up_to_five_batches_are_in_flight_once_the_partition_is_established() {
    let mut bench = Bench::ready(&[]);
    let first = bench.produce(0, "a");
    let second = bench.produce(0, "b");
    let alone = bench.take_request();
    assert_eq!(alone.identity(), (100, 0, 0));
    assert!(bench.requests.is_empty(), "before the first ack one goes");
    bench.acknowledge_at(&alone, 0);
    assert_eq!(bench.offset_of(first), Some(0));

    bench.send_to("t", 0, "c, in one batch with d");
    let receipts = ["d", "e", "f", "g", "h"].map(|value| bench.produce(0, value));
    let five = bench.take_requests();
    let sequences: Vec<i32> = five.iter().map(|seen| seen.batch().sequence).collect();
    assert_eq!(
        sequences,
        [1, 2, 4, 5, 6],
        "at most five; records are counted"
    );
    bench.acknowledge_at(&five[0], 1);
    assert_eq!(bench.offset_of(second), Some(1));
    let sixth = bench.take_request();
    assert_eq!(sixth.identity(), (100, 0, 7), "one ack makes room for one");
    for seen in five[1..].iter().chain([&sixth]) {
        bench.acknowledge_at(seen, i64::from(seen.batch().sequence));
    }
    let offsets = receipts.map(|receipt| bench.offset_of(receipt));
    assert_eq!(offsets, [3, 4, 5, 6, 7].map(Some));
    bench.assert_settled();
}

#[test]
fn edge_e60_after_a_retriable_failure_batches_go_again_in_order_one_at_a_time() {
    let mut bench = Bench::established(&[]);
    let receipts = ["a", "b", "c"].map(|value| bench.produce(0, value));
    let sent = bench.take_requests();
    assert_eq!(sent.len(), 3);
    bench.answer(&sent[0], NOT_LEADER);
    bench.answer(&sent[1], OUT_OF_ORDER);
    bench.answer(&sent[2], OUT_OF_ORDER);
    for (number, before) in sent.iter().enumerate() {
        let again = bench.await_request();
        assert_eq!(again.batches, before.batches, "the same to the byte");
        bench.advance_ms(3_000);
        assert!(bench.requests.is_empty(), "one at a time");
        bench.acknowledge_at(&again, number as i64 + 1);
        assert_eq!(bench.offset_of(receipts[number]), Some(number as i64 + 1));
    }
    assert_eq!(bench.bumps(), [], "nothing was lost");
    bench.produce(0, "d");
    bench.produce(0, "e");
    let sequences: Vec<i32> = bench.requests.iter().map(|s| s.batch().sequence).collect();
    assert_eq!(sequences, [4, 5], "pipelined again");
}

#[test]
fn edge_e61_a_batch_behind_a_refused_one_goes_again_from_zero_under_the_next_epoch() {
    let mut bench = Bench::established(&[]);
    let refused = bench.produce(0, "a");
    let follower = bench.produce(0, "b");
    let sent = bench.take_requests();
    bench.answer(&sent[0], TOO_LARGE);
    bench.answer(&sent[1], OUT_OF_ORDER);
    let failed = bench.failure_of(refused);
    assert_eq!(failed.outcome, Outcome::NotWritten);
    assert!(matches!(failed.error, ProduceError::Broker { code, .. } if code == TOO_LARGE));

    let again = bench.await_request();
    assert_eq!(again.identity(), (100, 1, 0));
    assert_eq!(again.batch().values, ["b"]);
    bench.acknowledge_at(&again, 1);
    assert_eq!(bench.offset_of(follower), Some(1));
    assert_eq!(bench.bumps(), [(100, 1)]);
    bench.assert_settled();
}

#[test]
fn edge_e62_an_acknowledgement_ahead_of_the_first_counts_and_the_first_goes_alone() {
    let mut bench = Bench::established(&[]);
    let first = bench.produce(0, "a");
    let second = bench.produce(0, "b");
    let sent = bench.take_requests();
    // The first was written, and leadership moved before it was replicated.
    bench.answer(&sent[0], NOT_LEADER);
    bench.acknowledge_at(&sent[1], 2);
    assert_eq!(bench.offset_of(second), Some(2));
    bench.move_leader("t", 0, 1);
    bench.produce(0, "c");
    let again = bench.await_request();
    assert_eq!((again.broker, again.identity()), (1, (100, 0, 1)));
    assert!(bench.requests.is_empty(), "the first goes alone");
    bench.acknowledge_at(&again, 1);
    assert_eq!(bench.offset_of(first), Some(1));
    let third = bench.take_request();
    assert_eq!(third.identity(), (100, 0, 3), "no bump, no gap");
}

#[test]
fn edge_e68_duplicate_sequence_number_is_success_without_an_offset() {
    let mut bench = Bench::established(&[]);
    let receipt = bench.produce(0, "a");
    let seen = bench.take_request();
    bench.answer(&seen, ErrorCode::DUPLICATE_SEQUENCE_NUMBER);
    assert_eq!(bench.offset_of(receipt), None);
    bench.produce(0, "b");
    assert_eq!(bench.take_request().identity(), (100, 0, 2));
    assert_eq!(bench.bumps(), []);
}

#[test]
fn edge_e69_a_retry_that_the_broker_knows_succeeds_with_the_first_offset() {
    let mut bench = Bench::established(&[]);
    let receipt = bench.produce(0, "a");
    let lost = bench.take_request();
    bench.cut(0);
    let again = bench.await_request();
    assert_eq!(again.batches, lost.batches, "the broker must recognize it");
    // A duplicate: the offset of the first append, and its stored timestamp.
    bench.answer_with(&again, |_| {
        let mut duplicate = written(41);
        duplicate.log_append_time_ms = 1_000;
        duplicate
    });
    let end = *bench.end_of(receipt).unwrap().as_ref().unwrap();
    assert_eq!(
        (end.base_offset, end.log_append_time),
        (Some(41), Some(1_000))
    );
    bench.advance_ms(120_000);
    assert!(bench.requests.is_empty(), "nothing is sent a third time");
    bench.assert_settled();
}

#[test]
fn edge_e76_a_second_batch_never_overtakes_the_first_of_a_fresh_partition() {
    let mut bench = Bench::ready(&[]);
    let first = bench.produce(0, "a");
    let second = bench.produce(0, "b");
    let refused = bench.take_request();
    bench.answer(&refused, NOT_LEADER);
    assert!(
        bench.requests.is_empty(),
        "a new leader would take any number"
    );
    bench.move_leader("t", 0, 1);
    let again = bench.await_request();
    assert_eq!((again.broker, again.batch().values[0].as_str()), (1, "a"));
    bench.advance_ms(1_000);
    assert!(bench.requests.is_empty(), "b waits for the ack of a");
    bench.acknowledge_at(&again, 0);
    let then = bench.take_request();
    assert_eq!((then.broker, then.identity()), (1, (100, 0, 1)));
    bench.acknowledge_at(&then, 1);
    assert_eq!(bench.offset_of(first), Some(0));
    assert_eq!(bench.offset_of(second), Some(1));
    bench.assert_settled();
}

#[test]
fn edge_e76_one_batch_goes_alone_to_another_leader_until_it_is_acknowledged() {
    let mut bench = Bench::established(&[("metadata.max.age.ms", "1000")]);
    bench.produce(0, "a");
    bench.produce(0, "b");
    let old = bench.take_requests();
    assert_eq!(old.len(), 2);
    bench.move_leader("t", 0, 1);
    bench.acknowledge_at(&old[0], 1);
    bench.advance_ms(2_000);
    bench.acknowledge_at(&old[1], 2);
    bench.produce(0, "c");
    bench.produce(0, "d");
    let alone = bench.await_request();
    assert_eq!((alone.broker, alone.identity()), (1, (100, 0, 3)));
    bench.advance_ms(1_000);
    assert!(bench.requests.is_empty(), "the new leader may know nobody");
    bench.acknowledge_at(&alone, 3);
    bench.produce(0, "e");
    assert_eq!(bench.take_requests().len(), 2, "d and e");
}

#[test]
fn edge_e76_one_batch_goes_alone_after_a_long_silence() {
    let mut bench = Bench::established(&[]);
    bench.advance_ms(599_999);
    bench.produce(0, "a");
    bench.produce(0, "b");
    let two = bench.take_requests();
    assert_eq!(two.len(), 2, "the broker remembers");
    bench.acknowledge_at(&two[0], 1);
    bench.acknowledge_at(&two[1], 2);
    bench.advance_ms(600_000);
    bench.produce(0, "c");
    bench.produce(0, "d");
    let alone = bench.await_request();
    assert_eq!(alone.identity(), (100, 0, 3));
    assert!(bench.requests.is_empty(), "it may have forgotten us");
    bench.acknowledge_at(&alone, 3);
    assert_eq!(bench.take_request().identity(), (100, 0, 4));
}

#[test]
fn edge_e80_a_large_batch_is_the_same_to_the_byte_on_each_retry() {
    for codec in ["none", "zstd"] {
        let mut bench = Bench::ready(&[("compression.type", codec), ("batch.size", "100000")]);
        let record = |number: usize| format!("record {number} of a batch {}", number * number);
        let receipts: Vec<_> = (0..500)
            .map(|n| bench.send_to("t", 0, &record(n)))
            .collect();
        bench.flush();
        let first = bench.take_request();
        assert_eq!(first.batch().values.len(), 500);
        bench.answer(&first, ErrorCode::REQUEST_TIMED_OUT);
        // What comes meanwhile must not join it.
        bench
            .try_send(&Record::to("t").partition(0).value("late").timestamp(9))
            .unwrap();
        let second = bench.await_request();
        assert_eq!(second.batches, first.batches, "{codec}");
        bench.cut(0);
        let third = bench.await_request();
        assert_eq!(third.batches, first.batches, "{codec}");
        bench.acknowledge_at(&third, 0);
        assert_eq!(bench.offset_of(receipts[499]), Some(499));
    }
}

#[test]
fn a_number_that_a_batchmate_cost_is_not_used_again_under_the_same_epoch() {
    let mut bench = Bench::established(&[]);
    bench.produce(0, "refused");
    let seen = bench.take_request();
    assert_eq!((seen.batch().epoch, seen.batch().sequence), (0, 1));
    bench.answer(&seen, ErrorCode::INVALID_RECORD);
    bench.produce(0, "next");
    let seen = bench.take_request();
    assert_eq!((seen.batch().epoch, seen.batch().sequence), (1, 0));
}

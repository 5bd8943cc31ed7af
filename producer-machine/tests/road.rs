//! The main road: a record in, a request out, an answer in, a completion out.

mod support;

use kafka_producer_machine::{ErrorCode, Outcome, Record};
use support::Bench;

#[test]
fn a_record_lingers_leaves_and_is_acknowledged_with_its_offset() {
    let mut bench = Bench::ready(&[]);
    let first = bench.send_to("t", 0, "a");
    let second = bench.send_to("t", 0, "b");
    bench.advance_ms(4);
    assert!(bench.requests.is_empty(), "linger.ms is 5");
    bench.advance_ms(1);
    let seen = bench.take_request();
    assert_eq!(seen.batches[0].values, ["a", "b"]);
    assert_eq!(
        (seen.batches[0].producer_id, seen.batches[0].sequence),
        (100, 0)
    );
    bench.answer_with(&seen, |_| {
        let mut answer = support::answer(ErrorCode::NONE);
        answer.base_offset = 41;
        answer
    });
    let offset = |receipt| bench.end_of(receipt).unwrap().as_ref().unwrap().base_offset;
    assert_eq!(offset(first), Some(41));
    assert_eq!(offset(second), Some(42));
    bench.assert_settled();
}

#[test]
fn a_record_for_an_unknown_topic_waits_for_metadata_and_keeps_its_receipt() {
    let mut bench = Bench::ready(&[]);
    let early = bench.send_to("later", 1, "x");
    let keyed = bench
        .try_send(&Record::to("later").key("k").value("y").timestamp(1))
        .unwrap();
    bench.advance_ms(500);
    bench.add_topic("later", &[1, 1, 1]);
    bench.advance_ms(1100);
    bench.acknowledge_all();
    bench.advance_ms(10);
    bench.acknowledge_all();
    assert!(bench.is_acked(early) && bench.is_acked(keyed));
    bench.assert_settled();
}

#[test]
fn every_codec_arrives_as_it_was_sent() {
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let mut bench = Bench::ready(&[("compression.type", codec)]);
        for number in 0..100 {
            bench.send_to("t", 0, &format!("value number {number}"));
        }
        bench.flush();
        let seen = bench.take_request();
        assert_eq!(seen.batches[0].values.len(), 100, "{codec}");
        assert_eq!(seen.batches[0].values[99], "value number 99");
        bench.answer(&seen, ErrorCode::NONE);
        bench.assert_settled();
    }
}

#[test]
fn a_lost_connection_leaves_a_doubt_and_the_retry_is_the_same_to_the_byte() {
    let mut bench = Bench::ready(&[]);
    let receipt = bench.send_to("t", 0, "a");
    bench.flush();
    let before = bench.take_request();
    bench.cut(0);
    bench.advance_ms(300);
    let after = bench.take_request();
    assert_eq!(before.batches, after.batches);
    bench.answer(&after, ErrorCode::NONE);
    assert!(bench.is_acked(receipt));
    bench.assert_settled();
}

#[test]
fn a_batch_that_was_handed_out_and_never_answered_is_maybe_written() {
    let mut bench = Bench::ready(&[("delivery.timeout.ms", "40000")]);
    let sent = bench.send_to("t", 0, "a");
    bench.flush();
    let unsent = bench.send_to("t", 0, "b");
    bench.advance_ms(40_001);
    assert_eq!(bench.failure_of(sent).outcome, Outcome::MaybeWritten);
    assert_eq!(bench.failure_of(unsent).outcome, Outcome::NotWritten);
}

#[test]
fn closing_resolves_everything_by_its_deadline() {
    let mut bench = Bench::ready(&[]);
    let sent = bench.send_to("t", 0, "a");
    bench.flush();
    let unsent = bench.send_to("t", 0, "b");
    bench
        .machine
        .close(bench.now, bench.now + std::time::Duration::from_millis(100));
    bench.advance_ms(100);
    assert_eq!(bench.failure_of(sent).outcome, Outcome::MaybeWritten);
    assert_eq!(bench.failure_of(unsent).outcome, Outcome::NotWritten);
    assert!(matches!(
        bench.events.last(),
        Some(kafka_producer_machine::Event::Closed)
    ));
    assert_eq!(bench.machine.poll_timeout(), None);
    bench.assert_settled();
}

#[test]
fn a_request_carries_one_batch_of_a_partition_at_most() {
    let mut bench = Bench::established(&[("batch.size", "200"), ("linger.ms", "1000")]);
    for partition in [0, 1] {
        for _ in 0..3 {
            bench.send_to("t", partition, &"x".repeat(100));
        }
    }
    bench.flush();
    while !bench.requests.is_empty() {
        for seen in bench.take_requests() {
            let mut partitions: Vec<u32> = seen.batches.iter().map(|b| b.partition).collect();
            partitions.dedup();
            assert_eq!(partitions.len(), seen.batches.len(), "{seen:#?}");
            bench.answer(&seen, ErrorCode::NONE);
        }
    }
    bench.assert_settled();
}

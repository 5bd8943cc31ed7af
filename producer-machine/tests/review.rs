//! What a reader found by reading, told as stories so that it stays mended.

mod support;

use kafka_producer_machine::{ErrorCode, Outcome, ProduceError, Record};
use kafka_producer_proto::Uuid;
use support::Bench;

#[test]
fn a_batch_handed_out_for_a_former_topic_is_never_sent_to_the_new_one() {
    let mut bench = Bench::established(&[]);
    let old = bench.send_to("t", 0, "old");
    bench.flush();
    bench.take_request();
    bench.topics.get_mut("t").unwrap().id = Uuid::from_bytes([99; 16]);
    bench.cut(0);
    bench.advance_ms(2000);
    let failed = bench.failure_of(old);
    assert_eq!(failed.outcome, Outcome::MaybeWritten);
    let new = bench.send_to("t", 0, "new");
    bench.flush();
    let seen = bench.take_request();
    assert_eq!(seen.batches[0].values, ["new"]);
    assert_eq!((seen.batches[0].epoch, seen.batches[0].sequence), (1, 0));
    bench.answer(&seen, ErrorCode::NONE);
    assert!(bench.is_acked(new));
    bench.assert_settled();
}

#[test]
fn a_good_answer_beside_a_fatal_one_is_told_as_good() {
    let mut bench = Bench::ready(&[]);
    let refused = bench.send_to("t", 0, "refused");
    let taken = bench.send_to("t", 1, "taken");
    bench.flush();
    let seen = bench.take_request();
    assert_eq!(seen.batches.len(), 2);
    bench.answer_with(&seen, |batch| match batch.partition {
        0 => support::answer(ErrorCode::CLUSTER_AUTHORIZATION_FAILED),
        _ => support::answer(ErrorCode::NONE),
    });
    assert_eq!(bench.failure_of(refused).outcome, Outcome::NotWritten);
    assert!(bench.is_acked(taken));
}

#[test]
fn an_unreachable_cluster_is_not_blamed_on_the_topic() {
    let mut bench = Bench::new(&[("max.block.ms", "500")]);
    bench.down = vec![0, 1];
    bench.cut(0);
    let receipt = bench.try_send(&Record::to("other").value("x")).unwrap();
    bench.advance_ms(600);
    let error = &bench.failure_of(receipt).error;
    assert!(
        matches!(error, ProduceError::Unreachable { .. }),
        "{error:?}"
    );
    let text = error.to_string();
    assert!(text.contains("b0:9092: connection refused"), "{text}");
}

#[test]
fn compressed_batches_come_out_of_the_pool_and_keep_what_they_fill() {
    let mut bench = Bench::ready(&[("compression.type", "lz4"), ("linger.ms", "1000")]);
    for _ in 0..90 {
        bench.send_to("t", 0, &"a".repeat(150));
    }
    bench.flush();
    let seen = bench.take_request();
    // 14 KiB of one letter are a few hundred bytes: the smallest class.
    assert_eq!(bench.machine.buffer_used(), 1024);
    bench.answer(&seen, ErrorCode::NONE);
    bench.assert_settled();
}

#[test]
fn a_topic_whose_batches_still_wait_is_asked_for_after_its_idle_time() {
    let mut bench = Bench::established(&[
        ("metadata.max.idle.ms", "5000"),
        ("delivery.timeout.ms", "60000"),
    ]);
    let receipt = bench.send_to("t", 0, "x");
    bench.flush();
    let seen = bench.take_request();
    bench.topics.get_mut("t").unwrap().partitions[0] = (-1, 2);
    bench.answer(&seen, ErrorCode::NOT_LEADER_OR_FOLLOWER);
    bench.advance_ms(10_000);
    bench.move_leader("t", 0, 1);
    bench.advance_ms(2000);
    let seen = bench.take_request();
    assert_eq!(seen.broker, 1);
    bench.answer(&seen, ErrorCode::NONE);
    assert!(bench.is_acked(receipt));
}

#[test]
fn without_acks_a_peer_that_stops_reading_pins_memory_for_the_request_timeout_only() {
    let mut bench = Bench::ready(&[
        ("acks", "0"),
        ("enable.idempotence", "false"),
        ("request.timeout.ms", "3000"),
        ("delivery.timeout.ms", "4000"),
    ]);
    bench.send_to("t", 0, "first");
    bench.flush();
    bench.stops_asking = true;
    let receipt = bench.send_to("t", 0, "x");
    bench.flush();
    bench.advance_ms(3100);
    assert_eq!(bench.failure_of(receipt).outcome, Outcome::MaybeWritten);
    bench.assert_settled();
}

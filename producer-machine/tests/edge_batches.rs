//! Edge cases of one batch: when it is full, too large, or has lingered (E1–E3, E5, E12, E19).

mod support;

use std::time::Duration;

use kafka_producer_machine::{ErrorCode, Header, Instant, Record, SendError};
use support::Bench;

/// A value that makes a record of 109 bytes: eight fit into a batch of 1024, nine do not.
fn hundred() -> String {
    "x".repeat(100)
}

/// Batches of 1 KiB that linger for a minute.
const SMALL_AND_PATIENT: [(&str, &str); 2] = [("batch.size", "1024"), ("linger.ms", "60000")];

#[test]
fn edge_e1_a_full_batch_leaves_at_once_and_the_next_record_opens_another() {
    let mut bench = Bench::established(&SMALL_AND_PATIENT);
    for _ in 0..8 {
        bench.send_to("t", 0, &hundred());
    }
    assert!(
        bench.requests.is_empty(),
        "eight fit, and the batch lingers"
    );
    let ninth = bench.send_to("t", 0, &hundred());
    let seen = bench.take_request();
    assert_eq!(seen.batches.len(), 1, "the second batch stays");
    assert_eq!(seen.batches[0].values.len(), 8);
    assert!(seen.batches[0].bytes.len() <= 1024);
    bench.acknowledge(&seen);
    bench.advance_ms(59_999);
    assert!(bench.requests.is_empty(), "the second batch lingers");
    bench.advance_ms(1);
    let seen = bench.take_request();
    assert_eq!(seen.batches[0].values.len(), 1);
    bench.acknowledge(&seen);
    assert!(bench.is_acked(ninth));
    bench.assert_settled();
}

#[test]
fn edge_e2_a_record_above_the_batch_size_leaves_at_once_in_a_batch_of_its_own() {
    let mut bench = Bench::established(&SMALL_AND_PATIENT);
    let before = bench.send_to("t", 0, "a");
    let large = bench.send_to("t", 0, &"x".repeat(2048));
    // The header, the most that a record adds, a null key, the value with its length, no header.
    assert_eq!(bench.machine.buffer_used(), 1024 + (61 + 21 + 1 + 2050 + 1));
    let after = bench.send_to("t", 0, "b");
    let seen = bench.take_requests();
    let counts: Vec<usize> = seen.iter().map(|s| s.batches[0].values.len()).collect();
    assert_eq!(counts, [1, 1], "neither lingers, and they stay two batches");
    assert_eq!(seen[0].batches[0].values, ["a"]);
    assert_eq!(seen[1].batches[0].values[0].len(), 2048);
    for seen in seen {
        bench.acknowledge(&seen);
    }
    assert!(bench.is_acked(before) && bench.is_acked(large));
    assert_eq!(bench.machine.buffer_used(), 1024, "only the last is left");
    bench.advance_ms(60_000);
    bench.acknowledge_all();
    assert!(bench.is_acked(after));
    bench.assert_settled();
}

#[test]
fn a_record_above_the_batch_size_is_compressed_too() {
    let properties = [
        SMALL_AND_PATIENT[0],
        SMALL_AND_PATIENT[1],
        ("compression.type", "lz4"),
    ];
    let mut bench = Bench::established(&properties);
    bench.send_to("t", 0, "a");
    bench.send_to("t", 0, &"x".repeat(2048));
    let seen = bench.take_requests();
    assert_eq!(seen[1].batches[0].values[0].len(), 2048);
    assert!(seen[1].batches[0].bytes.len() < 500, "2048 times the same");
    for seen in seen {
        bench.acknowledge(&seen);
    }
    bench.advance_ms(60_000);
    bench.assert_settled();
}

#[test]
fn edge_e3_a_record_above_max_request_size_or_buffer_memory_is_refused_and_costs_nothing() {
    // Header 61, overhead 21, key 1, length 2, headers 1: 86 bytes more than the value.
    let mut bench = Bench::ready(&[("max.request.size", "1000"), ("linger.ms", "60000")]);
    let kept = bench.send_to("t", 0, "a");
    let used = bench.machine.buffer_used();
    let value = "x".repeat(915);
    let record = Record::to("t").partition(0).value(&value);
    let expected = SendError::TooLarge {
        size: 1001,
        limit: 1000,
        setting: "max.request.size",
    };
    assert_eq!(bench.try_send(&record), Err(expected));
    assert_eq!(bench.machine.buffer_used(), used);
    assert!(bench.requests.is_empty(), "the open batch is not disturbed");
    let fits = bench.send_to("t", 0, &"x".repeat(914));
    bench.flush();
    bench.acknowledge_all();
    assert!(bench.is_acked(kept) && bench.is_acked(fits));
    bench.assert_settled();

    let mut bench = Bench::ready(&[("buffer.memory", "4096")]);
    let value = "x".repeat(4096);
    let record = Record::to("t").partition(0).value(&value);
    let expected = SendError::TooLarge {
        size: 4182,
        limit: 4096,
        setting: "buffer.memory",
    };
    assert_eq!(
        bench.try_send(&record),
        Err(expected),
        "waiting would never help"
    );
    bench.assert_settled();
}

#[test]
fn edge_e5_headers_count_for_the_room_in_a_batch_and_for_the_limit_of_a_record() {
    let mut bench = Bench::established(&SMALL_AND_PATIENT);
    let filler = "x".repeat(500);
    let trace = "h".repeat(400);
    let headers = [Header {
        key: "trace",
        value: Some(trace.as_bytes()),
    }];
    bench.send_to("t", 0, &filler);
    bench.send_to("t", 0, "as small as the next one but for its headers");
    assert!(bench.requests.is_empty(), "both fit");
    let heavy = Record::to("t")
        .partition(0)
        .value("small")
        .headers(&headers);
    bench.try_send(&heavy).unwrap();
    let seen = bench.take_request();
    assert_eq!(
        seen.batches[0].values.len(),
        2,
        "the heavy one opened another batch"
    );
    assert!(seen.batches[0].bytes.len() <= 1024);
    bench.flush();
    let next = bench.take_request();
    assert_eq!(next.batches[0].values, ["small"]);
    assert!(400 < next.batches[0].bytes.len());
    bench.acknowledge(&seen);
    bench.acknowledge(&next);
    bench.assert_settled();

    let mut bench = Bench::ready(&[("max.request.size", "400")]);
    let refused = bench.try_send(&heavy).unwrap_err();
    assert!(
        matches!(refused, SendError::TooLarge { limit: 400, .. }),
        "{refused}"
    );
}

#[test]
fn edge_e12_a_batch_leaves_exactly_when_linger_ends() {
    let mut bench = Bench::ready(&[("linger.ms", "20")]);
    let opened = bench.now;
    let first = bench.send_to("t", 0, "a");
    assert_eq!(
        bench.machine.poll_timeout(),
        Some(opened + Duration::from_millis(20))
    );
    bench.advance(Duration::from_micros(19_999));
    bench.send_to("t", 0, "late");
    assert!(bench.requests.is_empty(), "one microsecond is left");
    bench.advance(Duration::from_micros(1));
    let seen = bench.take_request();
    assert_eq!(
        seen.batches[0].values,
        ["a", "late"],
        "linger counts from the first record"
    );
    assert_eq!(seen.at, opened + Duration::from_millis(20));
    bench.acknowledge(&seen);
    assert!(bench.is_acked(first));
    bench.assert_settled();
}

#[test]
fn edge_e19_the_deadline_is_the_soonest_of_all_and_a_fuller_batch_only_shortens_it() {
    let mut bench = Bench::new(&[("batch.size", "1024"), ("linger.ms", "20")]);
    bench.add_topic("u", &[1]);
    bench.machine.topic(bench.now, "t");
    bench.machine.topic(bench.now, "u");
    bench.run();
    let start = bench.now;
    let at = |millis: u64| Some(start + Duration::from_millis(millis));
    bench.send_to("t", 0, &hundred());
    assert_eq!(bench.machine.poll_timeout(), at(20));
    bench.advance_ms(8);
    bench.send_to("u", 0, "b");
    assert_eq!(
        bench.machine.poll_timeout(),
        at(20),
        "a later batch lengthens nothing"
    );
    for _ in 0..7 {
        bench.send_to("t", 0, &hundred());
        assert_eq!(
            bench.machine.poll_timeout(),
            at(20),
            "nor does a later record"
        );
    }
    bench.send_to("t", 0, &hundred());
    let full = bench.take_request();
    assert_eq!(full.at, start + Duration::from_millis(8), "full: at once");
    assert_eq!(
        bench.machine.poll_timeout(),
        at(28),
        "of both that are left"
    );
    bench.answer(&full, ErrorCode::NONE);
    bench.advance_ms(20);
    let leaving: Vec<Instant> = bench.requests.iter().map(|seen| seen.at).collect();
    assert_eq!(leaving, [start + Duration::from_millis(28); 2]);
    bench.acknowledge_all();
    bench.assert_settled();
}

#[test]
fn edge_e136_a_record_above_the_batch_size_shares_its_batch_with_none_however_small() {
    let mut bench = Bench::established(&[("batch.size", "1024"), ("linger.ms", "1000")]);
    bench.send_to("t", 0, &"x".repeat(2000));
    bench.send_to("t", 0, "s");
    let seen = bench.take_request();
    assert_eq!(seen.batch().values.len(), 1);
    bench.acknowledge(&seen);
    bench.flush();
    assert_eq!(bench.take_request().batch().values, ["s"]);
}

#[test]
fn edge_e130_without_linger_a_lone_record_leaves_within_the_call_and_a_flush_ends_lingering() {
    let mut bench = Bench::established(&[("linger.ms", "0")]);
    bench.send_to("t", 0, "at once");
    let seen = bench.take_request();
    assert_eq!(seen.at, bench.now);
    bench.acknowledge(&seen);
    let mut bench = Bench::established(&[("linger.ms", "60000")]);
    bench.send_to("t", 0, "lingers");
    assert!(bench.requests.is_empty());
    let flushed = bench.now;
    bench.flush();
    assert_eq!(bench.take_request().at, flushed);
}

#[test]
fn a_record_that_fits_into_the_memory_is_taken_even_if_a_batch_would_not_fit() {
    for (memory, batch, record) in [("20000", "32768", 17_000), ("600", "16384", 500)] {
        let mut bench = Bench::ready(&[("buffer.memory", memory), ("batch.size", batch)]);
        let receipt = bench.send_to("t", 0, &"x".repeat(record));
        bench.flush();
        bench.acknowledge_all();
        assert!(bench.is_acked(receipt), "{memory}");
        bench.assert_settled();
    }
}

//! Edge cases of batches that a broker finds too large (E21, E27–E31), or broken (E33).

mod support;

use kafka_producer_machine::{
    Codec, ErrorCode, Header, Notice, Outcome, ProduceError, Receipt, Record,
};
use kafka_producer_proto::batch::{BatchHeader, RecordIter};
use kafka_producer_proto::compression::{Compressor, decompress};
use support::{Bench, Seen, SeenBatch, written};

const TOO_LARGE: ErrorCode = ErrorCode::MESSAGE_TOO_LARGE;
const PATIENT: (&str, &str) = ("linger.ms", "60000");

/// `count` records to `t`-0, in one batch that has left.
fn one_batch(bench: &mut Bench, count: usize) -> (Vec<Receipt>, Seen) {
    let receipts = send_all(bench, count);
    bench.flush();
    (receipts, bench.take_request())
}

fn send_all(bench: &mut Bench, count: usize) -> Vec<Receipt> {
    let values = (0..count).map(|i| format!("value {i}"));
    values.map(|value| bench.send_to("t", 0, &value)).collect()
}

/// A broker that takes batches of at most so many records.
fn serve(bench: &mut Bench, most: usize) -> Vec<SeenBatch> {
    let mut taken = Vec::new();
    while !bench.requests.is_empty() {
        let seen = bench.take_request();
        let batch = seen.batch().clone();
        if most < batch.values.len() {
            bench.answer(&seen, TOO_LARGE);
        } else {
            let offset = taken
                .iter()
                .map(|b: &SeenBatch| b.values.len() as i64)
                .sum();
            bench.answer_with(&seen, |_| written(offset));
            taken.push(batch);
        }
    }
    taken
}

#[test]
fn edge_e21_a_flush_waits_for_the_parts_of_what_is_split() {
    let mut bench = Bench::established(&[PATIENT]);
    let receipts = send_all(&mut bench, 4);
    let flush = bench.machine.flush(bench.now);
    bench.run();
    let whole = bench.take_request();
    bench.answer(&whole, TOO_LARGE);
    assert_eq!(bench.flushed(flush), 0);
    let first = bench.take_request();
    bench.acknowledge(&first);
    assert_eq!(bench.flushed(flush), 0, "the second part is on its way");
    let second = bench.take_request();
    bench.acknowledge(&second);
    assert_eq!(bench.flushed(flush), 1);
    assert!(receipts.iter().all(|&receipt| bench.is_acked(receipt)));
    bench.assert_settled();
}

#[test]
fn edge_e27_a_split_keeps_order_headers_timestamps_codec_and_receipts() {
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let mut bench = Bench::established(&[PATIENT, ("compression.type", codec)]);
        let mut receipts = Vec::new();
        let headers = [header("trace", Some(b"7")), header("empty", None)];
        for i in 0..5_i64 {
            // So long that every codec makes a lone one smaller.
            let value = format!("value {i}{}", "-".repeat(300));
            let record = Record::to("t")
                .partition(0)
                .key("key")
                .value(&value)
                .headers(&headers)
                .timestamp(1_000 - i);
            receipts.push(bench.try_send(&record).expect("there is room"));
        }
        bench.flush();
        let taken = serve(&mut bench, 2);
        let counts: Vec<usize> = taken.iter().map(|batch| batch.values.len()).collect();
        assert_eq!(counts.iter().sum::<usize>(), 5, "{codec}: {counts:?}");
        let mut timestamp = 1_000;
        for batch in &taken {
            timestamp = expect_records(batch, codec, timestamp);
        }
        let offsets: Vec<_> = receipts.iter().map(|&r| bench.offset_of(r)).collect();
        assert_eq!(offsets, [0, 1, 2, 3, 4].map(Some), "{codec}");
        bench.assert_settled();
    }
}

const fn header<'a>(key: &'a str, value: Option<&'a [u8]>) -> Header<'a> {
    Header { key, value }
}

/// Looks at the records of a batch, whose timestamps go down from this one; gives the next.
fn expect_records(batch: &SeenBatch, codec: &str, first: i64) -> i64 {
    let (header, records, _) = BatchHeader::parse(&batch.bytes).expect("a batch of ours");
    let used = header.attributes.codec().expect("a codec of ours");
    assert_eq!(Some(used), Codec::from_name(codec));
    assert_eq!(header.base_timestamp, first);
    assert_eq!(header.max_timestamp, first);
    let mut plain = Vec::new();
    decompress(used, records, 1 << 20, &mut plain).expect("what we compressed");
    let mut timestamp = first;
    for record in RecordIter::new(&plain, header.base_timestamp) {
        let record = record.expect("a record of ours");
        assert_eq!(record.timestamp, timestamp);
        assert_eq!(record.key, Some(b"key".as_slice()));
        let headers: Vec<_> = record.headers.map(|h| (h.key, h.value)).collect();
        let expected = [
            (b"trace".as_slice(), Some(b"7".as_slice())),
            (b"empty", None),
        ];
        assert_eq!(headers, expected);
        timestamp -= 1;
    }
    timestamp
}

#[test]
fn edge_e28_splits_end_at_single_records_which_then_fail() {
    let mut bench = Bench::established(&[PATIENT]);
    let (receipts, whole) = one_batch(&mut bench, 200);
    bench.answer(&whole, TOO_LARGE);
    assert!(serve(&mut bench, 0).is_empty());
    for receipt in receipts {
        let failed = bench.failure_of(receipt);
        assert_eq!(failed.error.code(), Some(TOO_LARGE));
        assert_eq!(failed.outcome, Outcome::NotWritten);
    }
    bench.assert_settled();
    // Each failed number is a gap: the next record goes under a new epoch.
    bench.send_to("t", 0, "after");
    bench.flush();
    assert_eq!(bench.take_request().identity(), (100, 1, 0));
}

#[test]
fn edge_e29_a_batch_that_was_split_blocks_nothing_behind_it() {
    let mut bench = Bench::established(&[PATIENT]);
    let (_, whole) = one_batch(&mut bench, 4);
    bench.answer(&whole, TOO_LARGE);
    bench.send_to("t", 0, "later");
    bench.flush();
    let taken = serve(&mut bench, 2);
    let values: Vec<&str> = taken
        .iter()
        .flat_map(|batch| batch.values.iter().map(String::as_str))
        .collect();
    assert_eq!(
        values,
        ["value 0", "value 1", "value 2", "value 3", "later"]
    );
    bench.assert_settled();
}

#[test]
fn edge_e30_parts_share_the_numbers_and_go_one_at_a_time_before_what_was_in_flight() {
    let mut bench = Bench::established(&[PATIENT]);
    let (_, whole) = one_batch(&mut bench, 4);
    let (_, behind) = one_batch(&mut bench, 2);
    assert_eq!(whole.identity(), (100, 0, 1));
    assert_eq!(behind.identity(), (100, 0, 5));
    bench.answer(&whole, TOO_LARGE);
    assert!(bench.requests.is_empty(), "what is in flight ends first");
    bench.answer(&behind, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    let mut sent = Vec::new();
    while sent.len() < 3 {
        if bench.requests.is_empty() {
            bench.advance_ms(150);
        }
        let seen = bench.take_request();
        sent.push((seen.identity(), seen.batch().values.clone()));
        bench.acknowledge(&seen);
    }
    let values = |names: [&str; 2]| names.map(String::from).to_vec();
    assert_eq!(
        sent,
        [
            ((100, 0, 1), values(["value 0", "value 1"])),
            ((100, 0, 3), values(["value 2", "value 3"])),
            ((100, 0, 5), values(["value 0", "value 1"])),
        ]
    );
    bench.send_to("t", 0, "after");
    bench.flush();
    assert_eq!(bench.take_request().identity(), (100, 0, 7), "no new epoch");
}

#[test]
fn edge_e31_a_batch_that_has_expired_is_not_split() {
    let mut bench = Bench::established(&[PATIENT, ("delivery.timeout.ms", "90000")]);
    let (receipts, whole) = one_batch(&mut bench, 4);
    // The clock has passed the deadline, and nobody has told the machine yet.
    bench.now = bench.now + std::time::Duration::from_millis(90_000);
    bench.answer(&whole, TOO_LARGE);
    assert!(bench.requests.is_empty());
    for receipt in receipts {
        let failed = bench.failure_of(receipt);
        assert!(matches!(failed.error, ProduceError::TimedOut { .. }));
        assert_eq!(failed.outcome, Outcome::NotWritten);
    }
    bench.assert_settled();

    // It expired in flight: the answer is nobody's business any more.
    let mut bench = Bench::established(&[PATIENT, ("delivery.timeout.ms", "90000")]);
    let receipts = send_all(&mut bench, 4);
    bench.advance_ms(60_001);
    let whole = bench.take_request();
    bench.advance_ms(29_999);
    assert!(bench.end_of(receipts[0]).is_some());
    bench.answer(&whole, TOO_LARGE);
    assert!(bench.requests.is_empty());
    bench.assert_settled();
}

#[test]
fn edge_e33_a_batch_that_arrived_broken_goes_again_unchanged() {
    let mut bench = Bench::established(&[PATIENT]);
    let (receipts, first) = one_batch(&mut bench, 2);
    bench.answer(&first, ErrorCode::CORRUPT_MESSAGE);
    bench.advance_ms(150);
    let again = bench.take_request();
    assert_eq!(again.batch().bytes, first.batch().bytes);
    assert_eq!(again.identity(), first.identity());
    bench.acknowledge(&again);
    assert!(bench.is_acked(receipts[1]));

    // For as long as it takes, and no longer.
    let limits = [("delivery.timeout.ms", "40000"), ("linger.ms", "0")];
    let mut bench = Bench::established(&limits);
    let receipt = bench.send_to("t", 0, "x");
    for _ in 0..200 {
        for seen in bench.take_requests() {
            bench.answer(&seen, ErrorCode::CORRUPT_MESSAGE);
        }
        bench.advance_ms(250);
    }
    let failed = bench.failure_of(receipt);
    let last = "last error CORRUPT_MESSAGE";
    assert!(failed.error.to_string().contains(last), "{}", failed.error);
    bench.assert_settled();
}

#[test]
fn a_batch_that_an_attempt_may_have_written_is_not_split() {
    let mut bench = Bench::established(&[PATIENT]);
    let (receipts, first) = one_batch(&mut bench, 4);
    bench.cut(0);
    bench.advance_ms(1_000);
    let again = bench.take_request();
    assert_eq!(again.identity(), first.identity());
    bench.answer(&again, TOO_LARGE);
    for receipt in receipts {
        let failed = bench.failure_of(receipt);
        assert_eq!(failed.error.code(), Some(TOO_LARGE));
        assert_eq!(failed.outcome, Outcome::MaybeWritten);
    }
    bench.assert_settled();
}

#[test]
fn a_split_costs_no_retry_and_is_told() {
    let mut bench = Bench::established(&[PATIENT, ("retries", "1")]);
    let (receipts, whole) = one_batch(&mut bench, 2);
    bench.answer(&whole, TOO_LARGE);
    let part = bench.take_request();
    bench.answer(&part, ErrorCode::NOT_ENOUGH_REPLICAS);
    bench.advance_ms(150);
    let part = bench.take_request();
    bench.acknowledge(&part);
    assert!(bench.is_acked(receipts[0]));
    let told = bench.notices.iter().any(|notice| {
        let Notice::BatchSplit {
            topic,
            partition,
            records,
            parts,
        } = notice
        else {
            return false;
        };
        (&**topic, *partition, *records, *parts) == ("t", 0, 2, 2)
    });
    assert!(told, "{:?}", bench.notices);
}

#[test]
fn what_expires_or_is_closed_while_it_is_being_cut_ends_once() {
    for ends in ["expires", "is closed"] {
        let mut bench = Bench::established(&[
            ("linger.ms", "0"),
            ("compression.type", "gzip"),
            ("delivery.timeout.ms", "40000"),
            ("request.timeout.ms", "30000"),
        ]);
        let receipts = send_all(&mut bench, 1);
        let whole = bench.take_request();
        let two = send_all(&mut bench, 2);
        bench.acknowledge(&whole);
        let whole = bench.take_requests();
        bench.holds_jobs = true;
        for seen in &whole {
            bench.answer(seen, TOO_LARGE);
        }
        let jobs = std::mem::take(&mut bench.jobs);
        match ends {
            "expires" => bench.advance_ms(40_000),
            _ => {
                bench.machine.close(bench.now, bench.now);
                bench.run();
            }
        }
        for &receipt in &two {
            assert_eq!(
                bench.failure_of(receipt).outcome,
                Outcome::NotWritten,
                "{ends}"
            );
        }
        for job in jobs {
            let done = job.run(&mut Compressor::new());
            bench.machine.handle_compressed(bench.now, done);
            bench.run();
        }
        assert!(bench.is_acked(receipts[0]));
        bench.assert_settled();
    }
}

#[test]
fn a_batch_whose_job_comes_to_nothing_fails_and_costs_no_memory() {
    for is_split in [false, true] {
        let mut bench = Bench::established(&[PATIENT, ("compression.type", "gzip")]);
        bench.holds_jobs = !is_split;
        let receipts = send_all(&mut bench, 4);
        bench.flush();
        if is_split {
            let whole = bench.take_request();
            bench.holds_jobs = true;
            bench.answer(&whole, TOO_LARGE);
        }
        let job = bench.jobs.remove(0);
        let failure = job.failure();
        drop(job);
        bench.machine.handle_compressed(bench.now, failure);
        bench.run();
        for &receipt in &receipts {
            let failed = bench.failure_of(receipt);
            assert!(matches!(failed.error, ProduceError::Compression(_)));
            assert_eq!(failed.outcome, Outcome::NotWritten);
        }
        bench.assert_settled();
    }
}

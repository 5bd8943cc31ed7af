//! Edge cases of batches that are compressed (E32), and what they cost while they are.

mod support;

use kafka_producer_machine::{Compressor, ErrorCode, Notice, Receipt, Record};
use support::{Bench, Seen, SeenBatch, written};

const TOO_LARGE: ErrorCode = ErrorCode::MESSAGE_TOO_LARGE;

/// Records of both kinds: those that compress well, and those that do not at all.
struct Payloads {
    state: u64,
}

impl Payloads {
    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn random(&mut self, len: usize) -> Vec<u8> {
        let bytes = std::iter::repeat_with(|| self.next().to_le_bytes()).flatten();
        bytes.take(len).collect()
    }

    /// Like a line of a log: words out of a few, and a number.
    fn compressible(&mut self, len: usize) -> Vec<u8> {
        const WORDS: [&str; 8] = [
            "request ",
            "answered ",
            "after ",
            "status ",
            "of ",
            "user ",
            "order ",
            "paid ",
        ];
        let mut line = Vec::new();
        while line.len() < len {
            let word = WORDS[(self.next() % 8) as usize];
            line.extend_from_slice(word.as_bytes());
        }
        line.truncate(len);
        line
    }
}

/// A broker that takes batches of at most so many bytes, and what it took and refused.
#[derive(Default)]
struct Broker {
    most: usize,
    offset: i64,
    taken: Vec<usize>,
    refused: usize,
}

impl Broker {
    fn of(most: usize) -> Self {
        Self {
            most,
            ..Self::default()
        }
    }

    fn serve(&mut self, bench: &mut Bench) {
        while !bench.requests.is_empty() {
            let seen = bench.requests.remove(0);
            let batch: &SeenBatch = seen.batch();
            if self.most < batch.bytes.len() {
                self.refused += 1;
                bench.answer(&seen, TOO_LARGE);
            } else {
                self.taken.push(batch.bytes.len());
                let offset = self.offset;
                self.offset += batch.values.len() as i64;
                bench.answer_with(&seen, |_| written(offset));
            }
        }
    }
}

fn send(bench: &mut Bench, value: &[u8]) -> Receipt {
    let record = Record::to("t").partition(0).value(value).timestamp(1_000);
    bench.try_send(&record).expect("there is room")
}

fn bench(properties: &[(&str, &str)]) -> Bench {
    let mut all = vec![("linger.ms", "60000")];
    all.extend_from_slice(properties);
    Bench::established(&all)
}

/// Java's `RecordAccumulatorTest.testSplitFrequency`, with real codecs: records of both kinds one
/// by one, and in long runs, so that what was learned of the one kind is wrong of the other.
#[test]
fn edge_e32_few_batches_are_split_whatever_mixture_of_records_comes() {
    for (codec, percent, run) in [
        ("lz4", 10, 1),
        ("lz4", 50, 1),
        ("lz4", 50, 200),
        ("zstd", 50, 1),
        ("zstd", 50, 200),
        ("gzip", 90, 1),
        ("snappy", 50, 1),
    ] {
        let mut bench = bench(&[("batch.size", "1024"), ("compression.type", codec)]);
        let mut broker = Broker::of(1024);
        let mut payloads = Payloads { state: percent };
        let mut receipts = Vec::new();
        for _ in 0..2000 / run {
            let is_compressible = payloads.next() % 100 < percent;
            for _ in 0..run {
                let value = match is_compressible {
                    true => payloads.compressible(100),
                    false => payloads.random(100),
                };
                receipts.push(send(&mut bench, &value));
                broker.serve(&mut bench);
            }
        }
        bench.flush();
        broker.serve(&mut bench);
        assert!(receipts.iter().all(|&receipt| bench.is_acked(receipt)));
        let batches = broker.taken.len() + broker.refused;
        assert!(
            10 * broker.refused < batches,
            "{codec}, {percent} % in runs of {run}: {} of {batches} were split",
            broker.refused
        );
        bench.assert_settled();
    }
}

#[test]
fn once_it_is_known_how_records_compress_full_batches_come_out_about_as_large_as_they_may_be() {
    for codec in ["gzip", "snappy", "lz4", "zstd"] {
        let mut bench = bench(&[("batch.size", "4096"), ("compression.type", codec)]);
        let mut broker = Broker::of(4096);
        let mut payloads = Payloads { state: 7 };
        while broker.taken.len() < 220 {
            send(&mut bench, &payloads.compressible(100));
            broker.serve(&mut bench);
        }
        assert!(broker.taken[0] < 2000, "nothing was known of the first");
        let last = &broker.taken[200..];
        let mean = last.iter().sum::<usize>() / last.len();
        assert!((3277..4096).contains(&mean), "{codec}: {last:?}");
        assert_eq!(broker.refused, 0, "{codec}: none is larger");
    }
}

#[test]
fn before_compression_a_batch_is_no_larger_than_a_request_and_a_quarter_of_the_buffer() {
    for (most, properties) in [
        (
            10_000,
            [("max.request.size", "10000"), ("buffer.memory", "1000000")],
        ),
        (
            12_000,
            [("max.request.size", "1000000"), ("buffer.memory", "48000")],
        ),
    ] {
        let mut all = vec![("batch.size", "1024"), ("compression.type", "zstd")];
        all.extend_from_slice(&properties);
        let mut bench = bench(&all);
        let value = "a".repeat(100);
        let mut largest = 0;
        for _ in 0..20_000 {
            // A sender that is alone never waits for what it has sent itself.
            send(&mut bench, value.as_bytes());
            while !bench.requests.is_empty() {
                let seen = bench.requests.remove(0);
                largest = largest.max(seen.batch().values.len() * 107);
                bench.acknowledge(&seen);
            }
        }
        assert!(
            (most - 1500..=most).contains(&largest),
            "{largest} of {most}"
        );
    }
}

#[test]
fn an_incompressible_record_comes_into_a_batch_only_if_it_fits_as_it_is() {
    let mut bench = bench(&[("batch.size", "4096"), ("compression.type", "zstd")]);
    let mut broker = Broker::of(4096);
    let mut payloads = Payloads { state: 9 };
    while broker.taken.len() < 200 {
        let value = match payloads.next() % 40 {
            0 => payloads.random(3500),
            _ => payloads.compressible(100),
        };
        send(&mut bench, &value);
        broker.serve(&mut bench);
    }
    assert_eq!(broker.refused, 0);
}

#[test]
fn while_the_buffer_is_full_one_batch_is_compressed_after_the_other() {
    let mut bench = Bench::ready(&[
        ("batch.size", "1024"),
        ("buffer.memory", "20480"),
        ("compression.type", "lz4"),
        ("linger.ms", "60000"),
    ]);
    bench.holds_jobs = true;
    let mut payloads = Payloads { state: 11 };
    let mut receipts = Vec::new();
    loop {
        let value = payloads.random(900);
        let record = Record::to("t").partition(0).value(&value).timestamp(1);
        match bench.try_send(&record) {
            Ok(receipt) => receipts.push(receipt),
            Err(_) => break,
        }
    }
    bench.flush();
    // A batch of 1 KiB may need 2 KiB to be compressed.
    let bound = 20_480 + 2048;
    while let Some(job) = bench.jobs.pop() {
        assert!(bench.machine.buffer_used() <= bound);
        let done = job.run(&mut Compressor::new());
        bench.machine.handle_compressed(bench.now, done);
        bench.run();
    }
    assert!(bench.machine.buffer_used() <= bound);
    bench.acknowledge_all();
    assert!(receipts.iter().all(|&receipt| bench.is_acked(receipt)));
    bench.assert_settled();
}

#[test]
fn when_all_that_is_in_flight_is_too_large_it_is_split_without_taking_much_more_memory() {
    const PARTITIONS: u32 = 5;
    let mut bench = Bench::new(&[
        ("batch.size", "16384"),
        ("buffer.memory", "40000"),
        ("compression.type", "zstd"),
        ("linger.ms", "60000"),
    ]);
    bench.add_topic("many", &[0; PARTITIONS as usize]);
    bench.machine.topic(bench.now, "many");
    bench.run();
    let value = "a".repeat(3000);
    let mut receipts = Vec::new();
    for partition in 0..PARTITIONS {
        receipts.extend((0..5).map(|_| bench.send_to("many", partition, &value)));
        bench.flush();
    }
    let requests: Vec<Seen> = bench.take_requests();
    assert_eq!(requests.len(), 5, "as many as may be in flight");
    bench.holds_jobs = true;
    for seen in &requests {
        bench.answer(seen, TOO_LARGE);
    }
    // Of one batch, its records unpacked and packed again.
    let bound = 40_000 + 30_200;
    while !bench.jobs.is_empty() {
        assert!(
            bench.machine.buffer_used() <= bound,
            "{}",
            bench.machine.buffer_used()
        );
        let done = bench.jobs.remove(0).run(&mut Compressor::new());
        bench.machine.handle_compressed(bench.now, done);
        bench.run();
    }
    let is_split = |notice: &&Notice| matches!(notice, Notice::BatchSplit { .. });
    assert_eq!(bench.notices.iter().filter(is_split).count(), 5);
    bench.holds_jobs = false;
    bench.acknowledge_all();
    assert!(receipts.iter().all(|&receipt| bench.is_acked(receipt)));
    bench.assert_settled();
}

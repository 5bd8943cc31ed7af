//! Records that come before their topic is known are sent as those that come later.

mod support;

use std::collections::BTreeMap;

use kafka_producer_machine::Record;
use support::Bench;

/// Sends `count` records of 100 bytes without a key before the topic is known, acknowledges
/// everything, and gives the batches as (partition, records).
fn early_batches(
    properties: &[(&str, &str)],
    partitions: &[i32],
    count: usize,
) -> Vec<(u32, usize)> {
    let mut bench = Bench::ready(properties);
    let value = "v".repeat(100);
    for _ in 0..count {
        bench
            .try_send(&Record::to("later").value(&value).timestamp(1))
            .expect("there is room");
    }
    bench.add_topic("later", partitions);
    let mut batches = Vec::new();
    for _ in 0..1000 {
        for seen in std::mem::take(&mut bench.requests) {
            let sizes = seen.batches.iter();
            batches.extend(sizes.map(|batch| (batch.partition, batch.values.len())));
            bench.answer(&seen, kafka_producer_machine::ErrorCode::NONE);
        }
        bench.advance_ms(10);
    }
    bench.assert_settled();
    batches
}

#[test]
fn held_records_fill_whole_batches() {
    let batches = early_batches(&[("batch.size", "16384")], &[0], 2000);
    // About 108 bytes each: 150 in a full batch.
    assert_eq!(batches.iter().map(|&(_, count)| count).sum::<usize>(), 2000);
    assert_eq!(batches.len(), 14, "{batches:?}");
}

#[test]
fn held_records_fill_whole_batches_even_if_they_fill_the_memory() {
    let memory = [("batch.size", "16384"), ("buffer.memory", "262144")];
    let batches = early_batches(&memory, &[0], 2000);
    assert_eq!(batches.iter().map(|&(_, count)| count).sum::<usize>(), 2000);
    assert!(batches.len() < 20, "{batches:?}");
}

#[test]
fn held_records_without_a_key_are_spread_as_others_are() {
    let batches = early_batches(&[("batch.size", "1024")], &[0, 1, 0, 1], 2000);
    let mut counts = BTreeMap::new();
    for (partition, count) in batches {
        *counts.entry(partition).or_insert(0) += count;
    }
    assert_eq!(counts.values().sum::<usize>(), 2000);
    assert_eq!(counts.len(), 4, "{counts:?}");
    // 250 batches at random: each partition gets about 500 records.
    assert!(
        counts.values().all(|count| (300..700).contains(count)),
        "{counts:?}"
    );
}

//! The order in which callbacks are called: that of the records, partition by partition.

use std::sync::{Arc, Mutex};

use kafka_producer::{ErrorCode, Outcome, Producer, Record};
use kafka_producer_driver::block_on;

use crate::{Cluster, Transport, config};

/// What a callback was told of: the number of the record, and its offset if it has one.
type Told = Vec<(u32, Option<i64>)>;

const PARTITIONS: u32 = 3;

/// Sends so many records, each with a callback; gives what is told of each partition.
fn send(producer: &Producer, count: u32, trouble: impl Fn(u32)) -> Vec<Told> {
    let told = Arc::new(Mutex::new(vec![Told::new(); PARTITIONS as usize]));
    for number in 0..count {
        trouble(number);
        let (partition, told) = (number % PARTITIONS, Arc::clone(&told));
        let value = format!("{number:05}");
        let record = Record::to("orders").partition(partition).value(&value);
        let sent = producer.send_with(&record, move |result| {
            let offset = match result {
                Ok(written) => written.offset,
                Err(error) => {
                    assert_eq!(error.outcome, Outcome::NotWritten, "{error}");
                    None
                }
            };
            told.lock().unwrap()[partition as usize].push((number, offset));
        });
        block_on(sent).unwrap();
    }
    block_on(producer.flush());
    let told = told.lock().unwrap();
    told.clone()
}

/// Checks that each record of a partition was told of once and in order, and where it is told.
fn check(cluster: &Cluster, told: &[Told], count: u32) {
    for (partition, told) in (0..).zip(told) {
        let numbers: Vec<u32> = told.iter().map(|(number, _)| *number).collect();
        let sent: Vec<u32> = (partition..count).step_by(PARTITIONS as usize).collect();
        assert_eq!(numbers, sent, "partition {partition}");
        let written = told.iter().filter_map(|(number, offset)| {
            let offset = (*offset)?;
            Some((offset, format!("{number:05}")))
        });
        let log = cluster.values("orders", partition);
        assert!(
            written.eq((0..).zip(log)),
            "partition {partition}: {told:?}"
        );
    }
}

pub fn callbacks_keep_the_order_of_a_partition_through_retries(transport: &impl Transport) {
    for in_flight in ["1", "5"] {
        let cluster = Cluster::start(&[("orders", PARTITIONS)]);
        let more = [
            ("batch.size", "512"),
            ("max.in.flight.requests.per.connection", in_flight),
        ];
        let producer = transport.start(config(&cluster.bootstrap(), &more));
        let told = send(&producer, 1500, |number| match number {
            300 | 600 => cluster.refuse(ErrorCode::NOT_ENOUGH_REPLICAS, 4),
            900 => cluster.refuse(ErrorCode::NOT_LEADER_OR_FOLLOWER, 2),
            1200 => cluster.cut(),
            _ => {}
        });
        assert!(told.iter().flatten().all(|(_, offset)| offset.is_some()));
        check(&cluster, &told, 1500);
    }
}

pub fn callbacks_keep_the_order_of_a_partition_through_failures(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", PARTITIONS)]);
    let more = [
        ("batch.size", "512"),
        ("max.in.flight.requests.per.connection", "1"),
    ];
    let producer = transport.start(config(&cluster.bootstrap(), &more));
    let told = send(&producer, 1500, |number| match number {
        300 | 900 => cluster.refuse(ErrorCode::INVALID_RECORD, 2),
        600 => cluster.refuse(ErrorCode::NOT_ENOUGH_REPLICAS, 2),
        _ => {}
    });
    let failed = told.iter().flatten().filter(|(_, offset)| offset.is_none());
    assert!(0 < failed.count());
    check(&cluster, &told, 1500);
}

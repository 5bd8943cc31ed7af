//! Which topic and which partition a record goes to.

use std::thread;
use std::time::{Duration, Instant};

use conformance::Transport;
use kafka_producer::{Delivery, ErrorCode, Outcome, ProduceError, Record};
use kafka_producer_driver::block_on;

use crate::cluster::{config, print_instead, topic, version};
use crate::judge::judge;

pub fn an_explicit_partition_is_kept(transport: &impl Transport) {
    let topic = topic("explicit");
    judge().create(&topic, 5, 3, &[]);
    let producer = transport.start(config(&[]));
    let record = Record::to(&topic).key("always the same").value("x");
    for round in 0..3 {
        for partition in [4, 0, 2, 1, 3] {
            let delivery = block_on(producer.send(&record.partition(partition))).unwrap();
            let written = block_on(delivery).unwrap();
            assert_eq!(
                (written.partition, written.offset),
                (partition, Some(round))
            );
        }
    }
    for partition in 0..5 {
        assert_eq!(judge().values(&topic, partition), ["x", "x", "x"]);
    }
}

/// Keys of every length up to that of a long word, of all kinds of bytes.
fn keys() -> Vec<Vec<u8>> {
    let mut state = 0x9e37_79b9_u32;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[1]
    };
    let mut keys: Vec<Vec<u8>> = (0..300)
        .map(|number| (0..number % 40).map(|_| random()).collect())
        .collect();
    keys.extend((0..100).map(|number| format!("user-{number}").into_bytes()));
    keys
}

pub fn keys_go_where_java_puts_them(transport: &impl Transport) {
    let topic = topic("keyed");
    judge().create(&topic, 7, 3, &[]);
    let producer = transport.start(config(&[]));
    let keys = keys();
    let records: Vec<Record<'_>> = keys
        .iter()
        .map(|key| Record::to(&topic).key(key).value("x"))
        .collect();
    let deliveries = block_on(producer.send_all(&records)).unwrap();
    let results = block_on(deliveries.all());
    let mut expected: Vec<(u32, &Vec<u8>)> = Vec::new();
    for (key, result) in keys.iter().zip(results) {
        let java = judge().partition(7, key);
        assert_eq!(result.unwrap().partition, java, "{key:?}");
        expected.push((java, key));
    }
    // And there they are, in their order.
    expected.sort_by_key(|&(partition, _)| partition);
    let read = judge().read(&topic);
    let read: Vec<(u32, &Vec<u8>)> = read
        .iter()
        .map(|record| (record.partition, record.key.as_ref().unwrap()))
        .collect();
    assert_eq!(read, expected);
}

pub fn records_without_a_key_are_spread(transport: &impl Transport) {
    let topic = topic("spread");
    judge().create(&topic, 6, 3, &[]);
    let producer = transport.start(config(&[("batch.size", "1000")]));
    let value = "x".repeat(100);
    let records = vec![Record::to(&topic).value(&value); 5000];
    let deliveries = block_on(producer.send_all(&records)).unwrap();
    let mut counts = [0; 6];
    for result in block_on(deliveries.all()) {
        counts[result.unwrap().partition as usize] += 1;
    }
    // 555 batches at random: a partition with a third of its share would be a wonder.
    assert!(counts.iter().all(|&count| 300 < count), "{counts:?}");
    for partition in 0..6 {
        let count = judge().values(&topic, partition).len();
        assert_eq!(count, counts[partition as usize]);
    }
}

pub fn the_leaders_are_those_that_kafka_names(transport: &impl Transport) {
    let topic = topic("leaders");
    judge().create(&topic, 6, 3, &[]);
    let producer = transport.start(config(&[]));
    let partitions = block_on(producer.partitions_for(&topic)).unwrap();
    let numbers: Vec<u32> = partitions.iter().map(|it| it.partition).collect();
    assert_eq!(numbers, [0, 1, 2, 3, 4, 5]);
    let leaders: Vec<i32> = partitions.iter().map(|it| it.leader.unwrap()).collect();
    assert_eq!(leaders, judge().leaders(&topic));
}

pub fn a_missing_topic_is_created_by_its_first_record(transport: &impl Transport) {
    let topic = topic("automatic");
    let producer = transport.start(config(&[]));
    let values: Vec<String> = (0..200).map(|number| format!("{number:03}")).collect();
    let records: Vec<Record<'_>> = values
        .iter()
        .map(|value| Record::to(&topic).partition(0).value(value))
        .collect();
    let deliveries = block_on(producer.send_all(&records)).unwrap();
    for (offset, result) in (0..).zip(block_on(deliveries.all())) {
        assert_eq!(result.unwrap().offset, Some(offset));
    }
    assert_eq!(judge().values(&topic, 0), values);
}

pub fn a_topic_that_is_created_a_second_later_gets_its_records(transport: &impl Transport) {
    // Brokers create what is missing, but refuse a name that differs from another one only in
    // dots for underscores: as long as that one lives, ours is unknown.
    let obstacle = topic("later_on");
    let topic = obstacle.replace('_', ".");
    judge().create(&obstacle, 1, 1, &[]);
    let producer = transport.start(config(&[]));
    let values: Vec<String> = (0..200).map(|number| format!("{number:03}")).collect();
    let send = |value| {
        let record = Record::to(&topic).key("one partition").value(value);
        block_on(producer.send(&record)).unwrap()
    };
    if version() < (3, 0) {
        print_instead(
            "a_topic_that_is_created_a_second_later_gets_its_records",
            "its brokers call such a name invalid: a record fails as not written until it is free",
        );
        // Kafka 2 answers that such a name is invalid, which is not worth waiting for, and says so
        // until ZooKeeper has forgotten the other one.
        let error = block_on(send(&values[0])).unwrap_err();
        judge().delete(&obstacle);
        assert_eq!(
            error.error.code(),
            Some(ErrorCode::INVALID_TOPIC_EXCEPTION),
            "{error}"
        );
        assert_eq!(error.outcome, Outcome::NotWritten, "{error}");
        let begin = Instant::now();
        while let Err(error) = block_on(send(&values[0])) {
            assert!(begin.elapsed() < Duration::from_secs(20), "{error}");
            thread::sleep(Duration::from_millis(100));
        }
        return;
    }
    let deliveries: Vec<_> = values.iter().map(send).collect();
    thread::sleep(Duration::from_secs(1));
    let early = deliveries.iter().find_map(Delivery::try_result);
    assert!(early.is_none(), "{early:?}");

    judge().delete(&obstacle);
    let mut partition = 0;
    for (offset, delivery) in (0..).zip(deliveries) {
        let written = block_on(delivery).unwrap();
        assert_eq!(written.offset, Some(offset));
        partition = written.partition;
    }
    assert_eq!(judge().values(&topic, partition), values);
}

pub fn a_partition_that_is_not_there_is_an_error_in_time(transport: &impl Transport) {
    let topic = topic("narrow");
    judge().create(&topic, 2, 3, &[]);
    let producer = transport.start(config(&[("max.block.ms", "1000")]));
    let record = Record::to(&topic).value("x");
    let good = block_on(producer.send(&record.partition(1))).unwrap();
    let begin = Instant::now();
    let stray = block_on(producer.send(&record.partition(2))).unwrap();
    let error = block_on(stray).unwrap_err();
    assert!(begin.elapsed() < Duration::from_secs(5));
    assert_eq!(error.outcome, Outcome::NotWritten);
    let ProduceError::TopicUnknown {
        partition, count, ..
    } = &error.error
    else {
        panic!("{error}");
    };
    assert_eq!((*partition, *count), (Some(2), Some(2)));
    assert!(block_on(good).is_ok());
    assert_eq!(judge().count(&topic), 1);
}

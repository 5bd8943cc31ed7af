//! What is in a record arrives as it was.

use std::time::SystemTime;

use conformance::Transport;
use kafka_producer::{Header, Producer, Record, RecordMetadata};
use kafka_producer_driver::block_on;

use crate::cluster::{config, topic};
use crate::judge::{Read, judge};

fn send(producer: &Producer, record: &Record<'_>) -> RecordMetadata {
    let delivery = block_on(producer.send(record)).unwrap();
    block_on(delivery).unwrap()
}

/// A topic of one partition.
fn single(settings: &[&str]) -> String {
    let topic = topic("content");
    judge().create(&topic, 1, 3, settings);
    topic
}

fn header<'a>(key: &'a str, value: Option<&'a [u8]>) -> Header<'a> {
    Header { key, value }
}

pub fn keys_values_and_headers_arrive_as_they_were(transport: &impl Transport) {
    let topic = single(&[]);
    let producer = transport.start(config(&[]));
    let every_byte: Vec<u8> = (0..=255).collect();
    let headers = [
        header("trace", Some(b"1")),
        header("trace", Some(b"2")),
        header("nothing", None),
        header("empty", Some(b"")),
        header("", Some(b"no name")),
        header("Gr\u{fc}\u{df}e", Some(&every_byte)),
    ];
    let record = Record::to(&topic).key(&every_byte).value(&every_byte);
    send(&producer, &record.headers(&headers));

    let read = judge().read(&topic);
    assert_eq!(read.len(), 1);
    assert_eq!(read[0].key.as_ref(), Some(&every_byte));
    assert_eq!(read[0].value.as_ref(), Some(&every_byte));
    let expected = headers.map(|header| (header.key.to_owned(), header.value.map(Vec::from)));
    assert_eq!(read[0].headers, expected);
}

pub fn null_and_empty_are_not_the_same(transport: &impl Transport) {
    let topic = single(&[]);
    let producer = transport.start(config(&[]));
    let nothing = Record::to(&topic).partition(0);
    for record in [
        nothing,
        nothing.key(""),
        nothing.value(""),
        nothing.key("").value(""),
        nothing.key("tombstone"),
    ] {
        send(&producer, &record);
    }
    let bytes = |text: Option<&str>| text.map(|text| text.as_bytes().to_vec());
    let expected = [
        (None, None),
        (Some(""), None),
        (None, Some("")),
        (Some(""), Some("")),
        (Some("tombstone"), None),
    ];
    let expected = expected.map(|(key, value)| (bytes(key), bytes(value)));
    let read: Vec<_> = judge()
        .read(&topic)
        .into_iter()
        .map(key_and_value)
        .collect();
    assert_eq!(read, expected);
}

fn key_and_value(record: Read) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
    (record.key, record.value)
}

pub fn timestamps_arrive_as_they_were(transport: &impl Transport) {
    let topic = single(&[]);
    let producer = transport.start(config(&[("linger.ms", "50")]));
    let told = [1_700_000_000_000, 0, 1_600_000_000_123, 1_700_000_000_001];
    let record = Record::to(&topic).value("x");
    let records = told.map(|timestamp| record.timestamp(timestamp));
    let deliveries = block_on(producer.send_all(&records)).unwrap();
    for (result, timestamp) in block_on(deliveries.all()).into_iter().zip(told) {
        assert_eq!(result.unwrap().timestamp, Some(timestamp));
    }
    let before = wall_clock();
    let ours = send(&producer, &record).timestamp.unwrap();
    assert!((before - 1000..=wall_clock() + 1000).contains(&ours));

    let read = judge().read(&topic);
    let read: Vec<i64> = read.iter().map(|record| record.timestamp).collect();
    assert_eq!(read[..4], told);
    assert_eq!(read[4], ours);
}

pub fn the_broker_may_set_the_timestamp(transport: &impl Transport) {
    let topic = single(&["message.timestamp.type=LogAppendTime"]);
    let producer = transport.start(config(&[]));
    let before = wall_clock();
    let written = send(&producer, &Record::to(&topic).value("x").timestamp(1000));
    let timestamp = written.timestamp.unwrap();
    assert!((before..=wall_clock()).contains(&timestamp), "{timestamp}");
    assert_eq!(judge().read(&topic)[0].timestamp, timestamp);
}

fn wall_clock() -> i64 {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap();
    i64::try_from(now.as_millis()).unwrap()
}

pub fn a_record_of_nearly_the_largest_size_arrives(transport: &impl Transport) {
    let topic = single(&[]);
    let producer = transport.start(config(&[]));
    let value = vec![b'v'; 1_000_000];
    for offset in 0..5 {
        let written = send(&producer, &Record::to(&topic).value(&value));
        assert_eq!(written.offset, Some(offset));
    }
    let read = judge().read(&topic);
    assert_eq!(read.len(), 5);
    assert!(
        read.iter()
            .all(|record| record.value.as_ref() == Some(&value))
    );
}

//! What is refused, by us or by a broker, is a typed error that tells the truth.

use std::time::{Duration, Instant};

use conformance::Transport;
use kafka_producer::{
    DeliveryError, ErrorCode, Header, Outcome, ProduceError, Producer, ProducerError, Record,
    SendError,
};
use kafka_producer_driver::block_on;

use crate::cluster::{config, topic, version};
use crate::judge::judge;

fn send(producer: &Producer, record: &Record<'_>) -> Result<Option<i64>, DeliveryError> {
    let delivery = block_on(producer.send(record)).unwrap();
    block_on(delivery).map(|written| written.offset)
}

fn check_refused(error: &DeliveryError, expected: ErrorCode) {
    let ProduceError::Broker { code, .. } = &error.error else {
        panic!("{error}");
    };
    assert_eq!(*code, expected, "{error}");
    assert_eq!(error.outcome, Outcome::NotWritten, "{error}");
}

pub fn a_record_over_our_limit_is_refused_in_the_call(transport: &impl Transport) {
    let topic = topic("ours");
    judge().create(&topic, 1, 3, &[]);
    let producer = transport.start(config(&[]));
    let value = vec![b'v'; 1_048_576];
    let record = Record::to(&topic).value(&value);
    let refused = block_on(producer.send(&record)).unwrap_err();
    let ProducerError::Send(SendError::TooLarge { setting, .. }) = &refused else {
        panic!("{refused}");
    };
    assert_eq!(*setting, "max.request.size");
    assert_eq!(
        send(&producer, &Record::to(&topic).value("x")).unwrap(),
        Some(0)
    );
    assert_eq!(judge().count(&topic), 1);
}

pub fn a_record_over_the_topics_limit_is_given_back(transport: &impl Transport) {
    let topic = topic("theirs");
    judge().create(&topic, 1, 3, &["max.message.bytes=2000"]);
    let producer = transport.start(config(&[]));
    let value = vec![b'v'; 3000];
    let headers = [Header {
        key: "trace",
        value: Some(b"7"),
    }];
    let record = Record::to(&topic).key("user-42").value(&value);
    let error = send(&producer, &record.headers(&headers)).unwrap_err();
    check_refused(&error, ErrorCode::MESSAGE_TOO_LARGE);
    let back = error.into_record().unwrap();
    assert_eq!(back.key.as_deref(), Some(&b"user-42"[..]));
    assert_eq!(back.value, Some(value));
    assert_eq!(back.headers, [("trace".to_owned(), Some(b"7".to_vec()))]);

    // Its number was not used up: the next ones are written, in order.
    for offset in 0..3 {
        let small = Record::to(&topic).value("small");
        assert_eq!(send(&producer, &small).unwrap(), Some(offset));
    }
    assert_eq!(judge().values(&topic, 0), ["small"; 3]);
}

pub fn a_batch_over_the_topics_limit_goes_in_smaller_ones(transport: &impl Transport) {
    for codec in ["none", "zstd"] {
        let topic = topic("halves");
        judge().create(&topic, 1, 3, &["max.message.bytes=2000"]);
        let producer =
            transport.start(config(&[("linger.ms", "100"), ("compression.type", codec)]));
        // Different from each other, so that no codec makes them small together.
        let noise = |i: u32| (0..500).map(move |j| (i * 7919 + j * j * 31) as u8 | 1);
        let values: Vec<Vec<u8>> = (0..20).map(|i| noise(i).collect()).collect();
        let records: Vec<Record<'_>> = values
            .iter()
            .map(|value| Record::to(&topic).value(value))
            .collect();
        let deliveries = block_on(producer.send_all(&records)).unwrap();
        for (offset, result) in (0..).zip(block_on(deliveries.all())) {
            assert_eq!(result.unwrap().offset, Some(offset), "{codec}");
        }
        // No number is missing: the next ones are written under the same epoch.
        assert_eq!(
            send(&producer, &Record::to(&topic).value("x")).unwrap(),
            Some(20)
        );
        assert_eq!(judge().count(&topic), 21);
    }
}

pub fn a_topic_with_an_invalid_name_is_refused(transport: &impl Transport) {
    let producer = transport.start(config(&[("max.block.ms", "5000")]));
    let long = "x".repeat(250);
    for name in ["not/a/topic", "with space", "..", &long] {
        let begin = Instant::now();
        let code = match block_on(producer.send(&Record::to(name).value("x"))) {
            Ok(delivery) => {
                let error = block_on(delivery).unwrap_err();
                assert_eq!(error.outcome, Outcome::NotWritten, "{name}");
                error.error.code().unwrap()
            }
            Err(ProducerError::Send(SendError::Topic { code, .. })) => code,
            Err(ProducerError::Send(SendError::Invalid { .. })) => {
                ErrorCode::INVALID_TOPIC_EXCEPTION
            }
            Err(other) => panic!("{name}: {other}"),
        };
        assert_eq!(code, ErrorCode::INVALID_TOPIC_EXCEPTION, "{name}");
        // The cluster says so: there is nothing to wait for.
        assert!(begin.elapsed() < Duration::from_secs(3), "{name}");
    }
    let good = topic("valid");
    judge().create(&good, 1, 3, &[]);
    assert_eq!(
        send(&producer, &Record::to(&good).value("x")).unwrap(),
        Some(0)
    );
}

pub fn a_timestamp_that_the_topic_forbids_is_refused(transport: &impl Transport) {
    let topic = topic("timely");
    // KIP-937 (Kafka 3.6) made two limits of one.
    let limit = if version() < (3, 6) {
        "message.timestamp.difference.max.ms=60000"
    } else {
        "message.timestamp.before.max.ms=60000"
    };
    judge().create(&topic, 1, 3, &[limit]);
    let producer = transport.start(config(&[]));
    let record = Record::to(&topic).value("x");
    let error = send(&producer, &record.timestamp(1000)).unwrap_err();
    check_refused(&error, ErrorCode::INVALID_TIMESTAMP);
    assert_eq!(error.record().unwrap().timestamp, 1000);
    assert_eq!(send(&producer, &record).unwrap(), Some(0));
    assert_eq!(judge().count(&topic), 1);
}

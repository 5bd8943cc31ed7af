//! Every promise about delivery, on a cluster in good health.

use std::thread;
use std::time::{Duration, Instant};

use conformance::Transport;
use kafka_producer::{
    CloseError, Delivery, Outcome, ProduceError, Producer, ProducerError, Purge, Record, SendError,
};
use kafka_producer_driver::block_on;

use crate::cluster::{config, topic};
use crate::judge::judge;

fn numbers(count: u32) -> Vec<String> {
    (0..count).map(|number| format!("{number:05}")).collect()
}

/// Waits for what nobody acknowledges.
fn wait_for_count(topic: &str, count: u64) {
    let begin = Instant::now();
    while judge().count(topic) < count {
        assert!(begin.elapsed() < Duration::from_secs(20), "not all arrived");
        thread::sleep(Duration::from_millis(50));
    }
}

pub fn every_acks_level_delivers(transport: &impl Transport) {
    for (acks, idempotence) in [
        ("0", "false"),
        ("1", "false"),
        ("all", "false"),
        ("all", "true"),
    ] {
        let topic = topic("acks");
        judge().create(&topic, 2, 3, &[]);
        let more = [("acks", acks), ("enable.idempotence", idempotence)];
        // Small batches: several requests are in flight at a time.
        let more = [&more[..], &[("batch.size", "1000")]].concat();
        let producer = transport.start(config(&more));
        let values = numbers(3000);
        let records: Vec<Record<'_>> = (0..)
            .zip(&values)
            .map(|(number, value)| Record::to(&topic).partition(number % 2).value(value))
            .collect();
        let deliveries = block_on(producer.send_all(&records)).unwrap();
        for (number, result) in (0..).zip(block_on(deliveries.all())) {
            let written = result.unwrap();
            assert_eq!(written.partition, number % 2);
            let offset = i64::from(number / 2);
            let told = if acks == "0" { None } else { Some(offset) };
            assert_eq!(written.offset, told, "acks={acks}");
        }
        block_on(producer.close(Duration::from_secs(10))).unwrap();

        wait_for_count(&topic, 3000);
        for partition in 0..2 {
            let sent = values.iter().skip(partition as usize).step_by(2);
            assert!(sent.eq(&judge().values(&topic, partition)), "acks={acks}");
        }
    }
}

pub fn every_codec_carries_batches_of_many_records(transport: &impl Transport) {
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let topic = topic(codec);
        judge().create(&topic, 1, 3, &[]);
        let more = [("compression.type", codec), ("linger.ms", "100")];
        let producer = transport.start(config(&more));
        let values: Vec<String> = numbers(3000)
            .into_iter()
            .map(|number| format!("{number} {}", codec.repeat(20)))
            .collect();
        let records: Vec<Record<'_>> = values
            .iter()
            .map(|value| Record::to(&topic).key(&value[..5]).value(value))
            .collect();
        let deliveries = block_on(producer.send_all(&records)).unwrap();
        for (offset, result) in (0..).zip(block_on(deliveries.all())) {
            assert_eq!(result.unwrap().offset, Some(offset), "{codec}");
        }
        block_on(producer.close(Duration::from_secs(10))).unwrap();

        let read = judge().read(&topic);
        assert_eq!(read.len(), 3000, "{codec}");
        for (record, value) in read.iter().zip(&values) {
            assert_eq!(record.key.as_deref(), Some(&value.as_bytes()[..5]));
            assert_eq!(record.value.as_deref(), Some(value.as_bytes()), "{codec}");
        }
    }
}

fn lingering(transport: &impl Transport) -> Producer {
    transport.start(config(&[("linger.ms", "60000")]))
}

pub fn a_flush_is_over_when_all_is_in_the_log(transport: &impl Transport) {
    let topic = topic("flush");
    judge().create(&topic, 3, 3, &[]);
    let producer = lingering(transport);
    let values = numbers(300);
    let send = |value| block_on(producer.send(&Record::to(&topic).value(value))).unwrap();
    let deliveries: Vec<_> = values.iter().map(send).collect();

    let begin = Instant::now();
    block_on(producer.flush());
    assert!(begin.elapsed() < Duration::from_secs(30), "it lingered");
    assert_eq!(judge().count(&topic), 300);
    let known = deliveries.iter().filter_map(Delivery::try_result);
    assert_eq!(known.filter(Result::is_ok).count(), 300);

    // The producer goes on, and lingers again.
    let late = block_on(producer.send(&Record::to(&topic).value("late"))).unwrap();
    thread::sleep(Duration::from_millis(300));
    assert!(late.try_result().is_none());
    block_on(producer.flush());
    assert_eq!(judge().count(&topic), 301);
}

pub fn close_delivers_what_still_lingers(transport: &impl Transport) {
    let topic = topic("close");
    judge().create(&topic, 3, 3, &[]);
    let producer = lingering(transport);
    let mut deliveries = Vec::new();
    for value in numbers(300) {
        deliveries.push(block_on(producer.send(&Record::to(&topic).value(&value))).unwrap());
    }
    let begin = Instant::now();
    block_on(producer.close(Duration::from_secs(30))).unwrap();
    assert!(begin.elapsed() < Duration::from_secs(30), "it waited");
    for delivery in deliveries {
        assert!(delivery.try_result().unwrap().is_ok());
    }
    assert_eq!(judge().count(&topic), 300);

    let refused = block_on(producer.send(&Record::to(&topic).value("x"))).unwrap_err();
    assert_eq!(refused, ProducerError::Send(SendError::Closed));
    block_on(producer.flush());
    block_on(producer.close(Duration::ZERO)).unwrap();
}

pub fn close_fails_what_is_late_and_tells_the_truth(transport: &impl Transport) {
    let topic = topic("late");
    judge().create(&topic, 1, 3, &[]);
    let producer = lingering(transport);
    let mut deliveries = Vec::new();
    for value in numbers(20_000) {
        deliveries.push(block_on(producer.send(&Record::to(&topic).value(&value))).unwrap());
    }
    let closed = block_on(producer.close(Duration::ZERO));
    let (mut acknowledged, mut not_written) = (0, 0);
    for delivery in deliveries {
        match delivery.try_result().unwrap() {
            Ok(_) => acknowledged += 1,
            Err(error) => {
                assert_eq!(error.error, ProduceError::Closed);
                not_written += u64::from(error.outcome == Outcome::NotWritten);
            }
        }
    }
    // Some are in doubt, and all that was not acknowledged before counts.
    let Err(CloseError::Undelivered {
        delivered: 0,
        not_written: counted,
        maybe_written,
    }) = closed
    else {
        panic!("{closed:?}");
    };
    assert_eq!(counted, not_written);
    assert_eq!(maybe_written, 20_000 - acknowledged - not_written);
    // What was under way when the connections were cut may land a little later.
    thread::sleep(Duration::from_millis(500));
    let count = judge().count(&topic);
    assert!(
        acknowledged <= count && count <= 20_000 - not_written,
        "{count}"
    );
}

pub fn purges_tell_the_truth_and_the_log_has_no_gap(transport: &impl Transport) {
    let topic = topic("purged");
    judge().create(&topic, 1, 3, &[]);
    let producer = transport.start(config(&[("batch.size", "1000")]));
    let mut deliveries = Vec::new();
    for (round, values) in (0..).zip(numbers(20_000).chunks(1000)) {
        for value in values {
            let record = Record::to(&topic).value(value);
            deliveries.push((
                value.clone(),
                block_on(producer.send(&record)).expect("there is room"),
            ));
        }
        match round % 3 {
            0 => producer.purge(Purge::Unsent),
            1 => producer.purge(Purge::Everything),
            _ => block_on(producer.flush()),
        }
    }
    block_on(producer.flush());
    block_on(producer.close(Duration::from_secs(30))).unwrap();
    let log = judge().values(&topic, 0);
    assert!(log.is_sorted_by(|a, b| a < b), "doubled or out of order");
    let (mut acknowledged, mut purged) = (0, 0);
    for (value, delivery) in deliveries {
        let is_there = log.binary_search(&value).is_ok();
        match delivery.try_result().expect("the producer is closed") {
            Ok(_) => {
                assert!(is_there, "{value} was acknowledged");
                acknowledged += 1;
            }
            Err(error) => {
                assert_eq!(error.error, ProduceError::Purged);
                assert!(
                    !is_there || error.outcome == Outcome::MaybeWritten,
                    "{value}"
                );
                purged += 1;
            }
        }
    }
    assert!(0 < acknowledged && 0 < purged, "{acknowledged}, {purged}");
}

pub fn the_last_handle_leaves_its_records_to_be_delivered(transport: &impl Transport) {
    let topic = topic("dropped");
    judge().create(&topic, 1, 3, &[]);
    let producer = lingering(transport);
    let delivery = block_on(producer.send(&Record::to(&topic).value("x"))).unwrap();
    drop(producer);
    assert_eq!(block_on(delivery).unwrap().offset, Some(0));
    assert_eq!(judge().values(&topic, 0), ["x"]);
}

pub fn an_idle_connection_is_made_again(transport: &impl Transport) {
    let topic = topic("idle");
    judge().create(&topic, 1, 3, &[]);
    let producer = transport.start(config(&[("connections.max.idle.ms", "300")]));
    for offset in 0..3 {
        let delivery = block_on(producer.send(&Record::to(&topic).value("x"))).unwrap();
        assert_eq!(block_on(delivery).unwrap().offset, Some(offset));
        thread::sleep(Duration::from_millis(600));
    }
    assert_eq!(judge().count(&topic), 3);
}

//! Each way to send, on a cluster in good health.

use std::pin::Pin;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use kafka_producer::explain::Subject;
use kafka_producer::{
    ErrorCode, Header, Outcome, ProduceError, Producer, ProducerError, Record, SendError, blocking,
};
use kafka_producer_driver::block_on;

use crate::{Cluster, Task, Transport, config};

pub fn a_record_lands_with_its_metadata(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 3)]);
    let producer = transport.start(config(&cluster.bootstrap(), &[]));
    let headers = [Header {
        key: "trace",
        value: Some(b"7"),
    }];
    let record = Record::to("orders")
        .partition(1)
        .key("user-42")
        .value("France");
    let record = record.headers(&headers).timestamp(1_700_000_000_000);

    let written = block_on(block_on(producer.send(&record)).unwrap()).unwrap();
    assert_eq!((&*written.topic, written.partition), ("orders", 1));
    assert_eq!(written.offset, Some(0));
    assert_eq!(written.timestamp, Some(1_700_000_000_000));
    assert_eq!(cluster.values("orders", 1), ["France"]);

    let second = block_on(block_on(producer.send(&record)).unwrap()).unwrap();
    assert_eq!(second.offset, Some(1));
}

pub fn records_of_a_partition_keep_their_order(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 1)]);
    let producer = transport.start(config(&cluster.bootstrap(), &[("batch.size", "1024")]));
    let values: Vec<String> = (0..3000).map(|n| format!("{n:05}")).collect();
    let deliveries: Vec<_> = values
        .iter()
        .map(|value| block_on(producer.send(&Record::to("orders").value(value))).unwrap())
        .collect();
    for (expected, delivery) in (0..).zip(deliveries) {
        assert_eq!(block_on(delivery).unwrap().offset, Some(expected));
    }
    assert_eq!(cluster.values("orders", 0), values);
}

pub fn every_codec_carries_records(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 1)]);
    for codec in ["gzip", "snappy", "lz4", "zstd"] {
        let more = [("compression.type", codec), ("compression.threads", "1")];
        let producer = transport.start(config(&cluster.bootstrap(), &more));
        let before = cluster.values("orders", 0).len();
        let value = codec.repeat(100);
        let records = vec![Record::to("orders").value(&value); 2000];
        let deliveries = block_on(producer.send_all(&records)).unwrap();
        assert!(
            block_on(deliveries.all()).iter().all(Result::is_ok),
            "{codec}"
        );
        let values = cluster.values("orders", 0);
        assert_eq!(values[before..], vec![value; 2000], "{codec}");
        block_on(producer.close(Duration::from_secs(10))).unwrap();
    }
}

pub fn a_batch_of_records_is_sent_under_one_call(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 2)]);
    let producer = transport.start(config(&cluster.bootstrap(), &[]));
    let values: Vec<String> = (0..500).map(|n| format!("{n:05}")).collect();
    let records: Vec<Record<'_>> = (0..)
        .zip(&values)
        .map(|(n, value)| Record::to("orders").partition(n % 2).value(value))
        .collect();
    let deliveries = block_on(producer.send_all(&records)).unwrap();
    assert_eq!(deliveries.len(), 500);
    for (n, result) in (0..).zip(block_on(deliveries.all())) {
        let written = result.unwrap();
        assert_eq!(
            (written.partition, written.offset),
            (n % 2, Some(i64::from(n / 2)))
        );
    }
}

pub fn detached_records_land(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 1)]);
    let producer = transport.start(config(&cluster.bootstrap(), &[]));
    let topic = producer.topic("orders");
    for n in 0..200 {
        let value = n.to_string();
        let record = Record::to(topic).value(&value);
        if n % 2 == 0 {
            block_on(producer.send_detached(&record)).unwrap();
        } else {
            producer.try_send_detached(&record).unwrap();
        }
    }
    // One that is awaited may stand anywhere in a group of those that are not.
    let last = block_on(block_on(producer.send(&Record::to(topic).value("last"))).unwrap());
    assert_eq!(last.unwrap().offset, Some(200));
    block_on(producer.flush());
    assert_eq!(cluster.values("orders", 0).len(), 201);
}

pub fn a_refused_record_is_reported_in_the_call(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 1)]);
    let producer = transport.start(config(
        &cluster.bootstrap(),
        &[("max.request.size", "1000")],
    ));
    let value = vec![7; 2000];
    let record = Record::to("orders").value(&value);
    let refused = producer.try_send(&record).unwrap_err();
    assert!(
        matches!(refused, SendError::TooLarge { limit: 1000, .. }),
        "{refused}"
    );
    let refused = block_on(producer.send(&record)).unwrap_err();
    assert!(
        matches!(refused, ProducerError::Send(SendError::TooLarge { .. })),
        "{refused}"
    );

    let (sender, called) = mpsc::channel();
    let call = move |result: Result<_, _>| sender.send(result.is_ok()).unwrap();
    assert!(block_on(producer.send_with(&record, call)).is_err());
    // Its callback was dropped, and with it the sender.
    assert!(called.recv().is_err());
}

pub fn callbacks_run_in_order_and_one_that_panics_harms_nobody(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 1)]);
    let producer = transport.start(config(&cluster.bootstrap(), &[("batch.size", "512")]));
    let offsets = Arc::new(Mutex::new(Vec::new()));
    for n in 0..400 {
        let offsets = Arc::clone(&offsets);
        let sent = producer.send_with(&Record::to("orders").value("x"), move |result| {
            assert!(n % 100 != 50, "on purpose");
            offsets
                .lock()
                .unwrap()
                .push(result.unwrap().offset.unwrap());
        });
        block_on(sent).unwrap();
    }
    block_on(producer.flush());
    let expected: Vec<i64> = (0..400).filter(|n| n % 100 != 50).collect();
    assert_eq!(*offsets.lock().unwrap(), expected);
}

pub fn a_waker_that_panics_harms_nobody(transport: &impl Transport) {
    struct Rude;
    impl Wake for Rude {
        fn wake(self: Arc<Self>) {
            panic!("on purpose");
        }
    }

    let cluster = Cluster::start(&[("orders", 1)]);
    let producer = transport.start(config(&cluster.bootstrap(), &[]));
    let rude = Waker::from(Arc::new(Rude));
    let rude = &mut Context::from_waker(&rude);
    let (sender, called) = mpsc::channel();
    for _ in 0..3 {
        cluster
            .hold(|| {
                let record = Record::to("orders").value("x");
                let mut deliveries = block_on(producer.send_all(&[record; 3]))
                    .unwrap()
                    .into_iter();
                let sender = sender.clone();
                let call = move |result: Result<_, _>| sender.send(result.is_ok()).unwrap();
                producer.try_send_with(&record, call).unwrap();
                let mut flush = producer.flush();
                assert!(Pin::new(&mut flush).poll(rude).is_pending());
                let mut first = deliveries.next().unwrap();
                assert!(Pin::new(&mut first).poll(rude).is_pending());
                deliveries.map(Task::new).collect::<Vec<_>>()
            })
            .into_iter()
            .for_each(|delivery| drop(delivery.finish().unwrap()));
        assert_eq!(called.recv_timeout(Duration::from_secs(30)), Ok(true));
        block_on(producer.flush());
    }
    block_on(producer.close(Duration::from_secs(30))).unwrap();
}

pub fn a_callback_may_send(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 1)]);
    let producer = transport.start(config(&cluster.bootstrap(), &[]));
    let (sender, done) = mpsc::channel();
    send_again(&producer, 5, sender);
    assert_eq!(done.recv_timeout(Duration::from_secs(30)), Ok(4));
}

/// Sends a record whose callback sends the next one; the last one reports its offset.
fn send_again(producer: &Producer, left: u32, done: mpsc::Sender<i64>) {
    let again = producer.clone();
    let call = move |result: Result<kafka_producer::RecordMetadata, _>| {
        let offset = result.unwrap_or_else(|error: kafka_producer::DeliveryError| {
            panic!("not delivered: {error}")
        });
        if left == 1 {
            done.send(offset.offset.unwrap()).unwrap();
        } else {
            send_again(&again, left - 1, done);
        }
    };
    producer
        .try_send_with(&Record::to("orders").value("x"), call)
        .unwrap();
}

pub fn a_flush_is_over_after_the_callbacks_before_it(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 1)]);
    let producer = transport.start(config(&cluster.bootstrap(), &[("linger.ms", "60000")]));
    ends_after_the_callback(&producer, Producer::flush);
    // The queue of callbacks has outlived a flush that was polled inside one of them.
    ends_after_the_callback(&producer, Producer::flush);
}

pub fn a_close_is_over_after_all_callbacks(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 1)]);
    let producer = transport.start(config(&cluster.bootstrap(), &[("linger.ms", "60000")]));
    let end = |producer: &Producer| producer.close(Duration::from_secs(30));
    ends_after_the_callback(&producer, end);
    // All is over: another one has nothing to wait for.
    block_on(producer.flush());
    block_on(producer.close(Duration::ZERO)).unwrap();
}

/// Sends a record and begins an end, which the record's callback finds pending; afterwards
/// somebody else, who waits for the same, finds that the callback has run.
fn ends_after_the_callback<E: Future + Send + 'static>(
    producer: &Producer,
    end: impl Fn(&Producer) -> E,
) {
    let (hand_in, inside) = mpsc::channel::<Task<E>>();
    let (sender, called) = mpsc::channel();
    let call = move |_| {
        let is_pending = inside.recv().unwrap().poll().is_pending();
        sender.send(is_pending).unwrap();
    };
    producer
        .try_send_with(&Record::to("orders").value("x"), call)
        .unwrap();
    let outside = end(producer);
    hand_in.send(Task::new(end(producer))).unwrap();
    drop(block_on(outside));
    assert_eq!(called.try_recv(), Ok(true));
}

pub fn the_partitions_of_a_topic_are_known(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 3)]);
    let producer = transport.start(config(&cluster.bootstrap(), &[]));
    for _ in 0..2 {
        let partitions = block_on(producer.partitions_for("orders")).unwrap();
        let numbers: Vec<u32> = partitions.iter().map(|info| info.partition).collect();
        assert_eq!(numbers, [0, 1, 2]);
        assert!(partitions.iter().all(|info| info.leader.is_some()));
    }
}

pub fn a_topic_that_does_not_exist_fails_within_its_time(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 1)]);
    let producer = transport.start(config(&cluster.bootstrap(), &[("max.block.ms", "300")]));
    let started = Instant::now();
    let delivery = block_on(producer.send(&Record::to("nowhere").value("x"))).unwrap();
    let error = block_on(delivery).unwrap_err();
    assert!(
        matches!(error.error, ProduceError::TopicUnknown { .. }),
        "{error}"
    );
    assert_eq!(
        (error.outcome, &*error.topic),
        (Outcome::NotWritten, "nowhere")
    );
    let error = block_on(producer.partitions_for("nowhere")).unwrap_err();
    assert!(
        matches!(error, ProducerError::MetadataTimeout { .. }),
        "{error}"
    );
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
}

pub fn a_producer_that_ends_finds_out_no_more_and_says_so_at_once(transport: &impl Transport) {
    let started = Instant::now();
    // It closes, and has a record that goes nowhere.
    let producer = transport.start(config("127.0.0.1:1", &[]));
    let waiting = producer.partitions_for("orders");
    drop(block_on(producer.send(&Record::to("orders").value("x"))).unwrap());
    let close = producer.close(Duration::from_secs(30));
    for asked in [waiting, producer.partitions_for("nowhere")] {
        let error = block_on(asked).unwrap_err();
        assert_eq!(error, ProducerError::Send(SendError::Closed));
    }
    drop(close);

    // The cluster has ended it.
    let cluster = Cluster::start(&[("orders", 1)]);
    let producer = transport.start(config(&cluster.bootstrap(), &[]));
    cluster.refuse(ErrorCode::CLUSTER_AUTHORIZATION_FAILED, 1);
    let delivery = block_on(producer.send(&Record::to("orders").value("x"))).unwrap();
    block_on(delivery).unwrap_err();
    let error = block_on(producer.partitions_for("nowhere")).unwrap_err();
    let ended = matches!(error, ProducerError::Send(SendError::Fatal(_)));
    assert!(ended, "{error}");
    assert!(started.elapsed() < Duration::from_secs(10));
}

pub fn a_failed_record_is_given_back(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 1)]);
    for codec in ["none", "lz4"] {
        let more = [("compression.type", codec)];
        let producer = transport.start(config(&cluster.bootstrap(), &more));
        cluster.refuse(ErrorCode::INVALID_RECORD, 1000);
        let headers = [Header {
            key: "trace",
            value: None,
        }];
        let keep = Record::to("orders")
            .key("k")
            .value("v")
            .headers(&headers)
            .timestamp(5);
        let other = Record::to("orders").value("other");
        let results = block_on(
            block_on(producer.send_all(&[other, keep, other]))
                .unwrap()
                .all(),
        );
        let errors: Vec<_> = results.into_iter().map(Result::unwrap_err).collect();
        assert_eq!(errors[1].outcome, Outcome::NotWritten);
        assert_eq!(errors[1].error.code(), Some(ErrorCode::INVALID_RECORD));
        let back = errors[1].record().unwrap();
        assert_eq!(
            (back.key.as_deref(), back.value.as_deref()),
            (Some(&b"k"[..]), Some(&b"v"[..]))
        );
        assert_eq!((back.timestamp, back.headers.len()), (5, 1));
        let last = errors
            .into_iter()
            .next_back()
            .unwrap()
            .into_record()
            .unwrap();
        assert_eq!(last.value.as_deref(), Some(&b"other"[..]));
        block_on(producer.close(Duration::from_secs(10))).unwrap();
    }
    assert!(cluster.values("orders", 0).is_empty());
}

pub fn a_record_that_was_given_back_can_be_sent_again(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 2)]);
    let producer = transport.start(config(&cluster.bootstrap(), &[]));
    cluster.refuse(ErrorCode::INVALID_RECORD, 1);
    let record = Record::to("orders").partition(1).key("k").timestamp(5);
    let record = record.header("trace", "7").null_header("seen");
    let failed = block_on(block_on(producer.send(&record.build())).unwrap()).unwrap_err();
    let back = failed.record().unwrap();
    let again = back.to(&*failed.topic).header("attempt", "2").partition(1);
    block_on(block_on(producer.send(&again.build())).unwrap()).unwrap();

    let log = cluster.records("orders", 1);
    let [landed] = log.as_slice() else {
        panic!("one record was expected: {log:?}")
    };
    assert_eq!(
        (landed.key.as_deref(), &landed.value),
        (Some(&b"k"[..]), &None)
    );
    assert_eq!(landed.timestamp, 5);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers = landed.headers.iter();
    let headers: Vec<_> = headers
        .map(|(key, value)| (text(key), value.as_deref().map(text)))
        .collect();
    let expected = [("trace", Some("7")), ("seen", None), ("attempt", Some("2"))];
    let expected = expected.map(|(key, value)| (key.to_owned(), value.map(str::to_owned)));
    assert_eq!(headers, expected);
}

pub fn two_handles_on_many_threads_lose_and_double_nothing(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 4)]);
    let more = [("buffer.memory", "262144"), ("batch.size", "4096")];
    let producer = transport.start(config(&cluster.bootstrap(), &more));
    let handles = [producer.clone(), producer];
    thread::scope(|scope| {
        for (number, handle) in handles.iter().cycle().take(6).enumerate() {
            scope.spawn(move || {
                let deliveries: Vec<_> = (0..500)
                    .map(|n| {
                        let value = format!("{number}-{n:05}");
                        block_on(handle.send(&Record::to("orders").value(&value))).unwrap()
                    })
                    .collect();
                for delivery in deliveries {
                    block_on(delivery).unwrap();
                }
            });
        }
    });
    let mut expected: Vec<String> = (0..6)
        .flat_map(|number| (0..500).map(move |n| format!("{number}-{n:05}")))
        .collect();
    expected.sort();
    assert_eq!(cluster.all_values("orders", 4), expected);
}

pub fn records_without_acknowledgement_are_resolved(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 1)]);
    let more = [("acks", "0"), ("enable.idempotence", "false")];
    let producer = transport.start(config(&cluster.bootstrap(), &more));
    for _ in 0..50 {
        let delivery = block_on(producer.send(&Record::to("orders").value("x"))).unwrap();
        assert_eq!(block_on(delivery).unwrap().offset, None);
    }
    block_on(producer.close(Duration::from_secs(10))).unwrap();
    wait_until(|| cluster.values("orders", 0).len() == 50);
}

pub fn a_cut_connection_is_made_again(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 3)]);
    let producer = transport.start(config(&cluster.bootstrap(), &[]));
    let send = |value: &str| {
        (0..3)
            .map(|partition| {
                let record = Record::to("orders").partition(partition).value(value);
                block_on(producer.send(&record)).unwrap()
            })
            .collect::<Vec<_>>()
    };
    for delivery in send("before") {
        block_on(delivery).unwrap();
    }
    cluster.cut();
    for delivery in send("after") {
        block_on(delivery).unwrap();
    }
    for partition in 0..3 {
        assert_eq!(cluster.values("orders", partition), ["before", "after"]);
    }
}

/// Waits for something that another thread is about to do.
fn wait_until(done: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !done() {
        assert!(Instant::now() < deadline, "it did not come");
        thread::sleep(Duration::from_millis(1));
    }
}

pub fn a_producer_explains_itself(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 1)]);
    let producer = transport.start(config(&cluster.bootstrap(), &[("linger.ms", "60000")]));
    assert_eq!(producer.find_topic("orders"), None);
    block_on(producer.partitions_for("orders")).unwrap();
    let orders = producer.find_topic("orders").unwrap();
    let said = || {
        let what = Subject::Partition(orders, 0);
        producer.explain(what).to_string()
    };
    assert_eq!(said(), "orders-0 has nothing to send.");

    let delivery = block_on(producer.send(&Record::to("orders").value("one"))).unwrap();
    // Until the producer id has come it waits for that.
    let started = Instant::now();
    while !said().starts_with("orders-0 lets 1 record (") {
        assert!(started.elapsed() < Duration::from_secs(10), "{}", said());
        thread::sleep(Duration::from_millis(1));
    }
    block_on(producer.flush());
    block_on(delivery).unwrap();
    assert_eq!(said(), "orders-0 has nothing to send.");

    let blocking = blocking::Producer::from(producer.clone());
    let whole = blocking.explain(Subject::Producer).to_string();
    assert!(
        whole.starts_with("the producer is open: 0 B of 32.0 MiB"),
        "{whole}"
    );
}

//! The driver's half of the edge cases of `docs/edge-cases.md` that happen inside callbacks.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use kafka_producer::{
    CloseError, DeliveryError, Header, ProduceError, Producer, ProducerError, Record,
    RecordMetadata, WaitError, blocking,
};
use kafka_producer_driver::block_on;

use super::room::{fill, warm};
use crate::{Cluster, Transport, config};

type Told = Result<RecordMetadata, DeliveryError>;

/// As long as a machine under load may take.
const PATIENCE: Duration = Duration::from_secs(30);

pub fn edge_e23_a_flush_in_a_callback_is_an_error_and_the_producer_goes_on(
    transport: &impl Transport,
) {
    let cluster = Cluster::start(&[("orders", 1)]);
    let producer = transport.start(config(&cluster.bootstrap(), &[("linger.ms", "60000")]));
    let blocking = blocking::Producer::from(producer.clone());
    let (sender, called) = mpsc::channel();
    let call = move |_: Told| {
        let mut delivery = blocking.try_send(&Record::to("orders").value("y")).unwrap();
        let flushed = blocking.flush();
        let asked = blocking.partitions_for("orders").map(drop);
        let waited = delivery.wait_for(PATIENCE);
        sender
            .send(([flushed, asked], waited, delivery.wait()))
            .unwrap();
    };
    producer
        .try_send_with(&Record::to("orders").value("x"), call)
        .unwrap();
    block_on(producer.flush());

    let (refused, waited_for, waited) = called.try_recv().unwrap();
    assert_eq!(refused, [(); 2].map(|()| Err(ProducerError::WouldDeadlock)));
    assert!(matches!(waited_for, Some(Err(WaitError::WouldDeadlock))));
    assert!(matches!(waited, Err(WaitError::WouldDeadlock)));
    // What was refused was the wait: the record was taken, and leaves with the next flush.
    block_on(producer.flush());
    assert_eq!(cluster.values("orders", 0), ["x", "y"]);
}

pub fn edge_e23_a_close_in_a_callback_begins_and_is_not_waited_for(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 1)]);
    let producer = transport.start(config(&cluster.bootstrap(), &[]));
    let blocking = blocking::Producer::from(producer.clone());
    let (sender, called) = mpsc::channel();
    let call = move |_: Told| sender.send(blocking.close(PATIENCE)).unwrap();
    producer
        .try_send_with(&Record::to("orders").value("x"), call)
        .unwrap();
    let closed = called.recv_timeout(PATIENCE).unwrap();
    assert_eq!(closed, Err(CloseError::WouldDeadlock));
    block_on(producer.close(PATIENCE)).unwrap();
    assert_eq!(cluster.values("orders", 0), ["x"]);
}

pub fn edge_e23_a_send_in_a_callback_does_not_wait_for_room(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 1)]);
    let producer = warm(transport, &cluster, &[]);
    let blocking = blocking::Producer::from(producer.clone());
    let (begin, begun) = mpsc::channel();
    let (full, filled) = mpsc::channel::<()>();
    let (sender, called) = mpsc::channel();
    let call = move |_: Told| {
        begin.send(()).unwrap();
        filled.recv().unwrap();
        let large = "x".repeat(12_000);
        let record = Record::to("orders").value(&large);
        let sent = blocking.send(&record).map(drop);
        let detached = blocking.send_detached(&record);
        let all = blocking.send_all(&[record; 2]).map(|taken| taken.len());
        let all = all.map_err(|error| (error.taken.len(), error.error));
        sender.send((sent, detached, all)).unwrap();
    };
    producer
        .try_send_with(&Record::to("orders").value("first"), call)
        .unwrap();
    begun.recv_timeout(PATIENCE).unwrap();
    let (taken, (sent, detached, all)) = cluster.hold(|| {
        let taken = fill(&producer);
        full.send(()).unwrap();
        (taken, called.recv_timeout(PATIENCE).unwrap())
    });
    assert_eq!(sent, Err(ProducerError::WouldDeadlock));
    assert_eq!(detached, Err(ProducerError::WouldDeadlock));
    assert_eq!(all, Err((0, ProducerError::WouldDeadlock)));
    for delivery in taken {
        block_on(delivery).unwrap();
    }
    block_on(producer.flush());
    // Nobody stands in the line any more.
    drop(
        producer
            .try_send(&Record::to("orders").value("free"))
            .unwrap(),
    );
}

pub fn edge_e41_a_record_sent_in_an_expiry_callback_is_a_new_one(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 1)]);
    let producer = transport.start(config(
        &cluster.bootstrap(),
        &[
            ("delivery.timeout.ms", "600"),
            ("request.timeout.ms", "300"),
            ("linger.ms", "0"),
        ],
    ));
    let hello = block_on(producer.send(&Record::to("orders").value("hello"))).unwrap();
    block_on(hello).unwrap();

    cluster.stop();
    let (sender, told) = mpsc::channel();
    for value in ["a", "b", "c"] {
        send_until_it_lands(&producer, value, 0, sender.clone());
    }
    // Nobody else holds the sending end: the last callback ends the stories.
    drop(sender);
    let started = Instant::now();
    let first = told.recv_timeout(PATIENCE).unwrap();
    assert_eq!(first, ("a", 0, false), "the oldest expires first");
    cluster.start_again();
    let mut stories: Vec<_> = std::iter::once(first).chain(told.iter()).collect();
    assert!(started.elapsed() < PATIENCE, "{:?}", started.elapsed());

    block_on(producer.flush());
    stories.sort_unstable();
    for value in ["a", "b", "c"] {
        let story: Vec<_> = stories.iter().filter(|told| told.0 == value).collect();
        // Each attempt is told once, all failed but the last.
        for (expected, (_, attempt, landed)) in (0..).zip(&story) {
            let last = story.len() == expected + 1;
            assert_eq!((*attempt, *landed), (expected, last), "{story:?}");
        }
        assert!(2 <= story.len(), "{story:?}");
    }
    let mut log = cluster.values("orders", 0);
    log.sort_unstable();
    assert_eq!(log, ["a", "b", "c", "hello"]);
}

pub fn edge_e127_what_was_lent_for_a_record_may_change_after_the_call(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 1)]);
    let producer = transport.start(config(&cluster.bootstrap(), &[("linger.ms", "60000")]));
    // Some are held until their topic is known, others go straight into a batch.
    for _ in 0..2 {
        let mut lent = [*b"key", *b"one", *b"two"];
        let [key, value, header] = &lent;
        let headers = [Header {
            key: "trace",
            value: Some(header),
        }];
        let record = Record::to("orders").key(key).value(value).headers(&headers);
        producer.try_send_detached(&record).unwrap();
        drop(block_on(producer.send(&record)).unwrap());
        drop(block_on(producer.send_all(&[record; 2])).unwrap());
        // No delivery keeps the loan: a record that was taken is nobody's to change.
        lent.fill(*b"???");
        assert_eq!(lent, [*b"???"; 3]);
        block_on(producer.flush());
    }
    let records = cluster.records("orders", 0);
    assert_eq!(records.len(), 8);
    for record in records {
        assert_eq!(record.key.as_deref(), Some(&b"key"[..]));
        assert_eq!(record.value.as_deref(), Some(&b"one"[..]));
        let header = (b"trace".to_vec(), Some(b"two".to_vec()));
        assert_eq!(record.headers, [header]);
    }
}

/// Sends a record whose callback sends it anew when it has expired, and tells of each attempt.
fn send_until_it_lands(
    producer: &Producer,
    value: &'static str,
    attempt: usize,
    told: mpsc::Sender<(&'static str, usize, bool)>,
) {
    let again = producer.clone();
    let call = move |result: Told| {
        told.send((value, attempt, result.is_ok())).unwrap();
        if let Err(error) = result {
            assert!(
                matches!(error.error, ProduceError::TimedOut { .. }),
                "{error}"
            );
            send_until_it_lands(&again, value, attempt + 1, told);
        }
    };
    producer
        .try_send_with(&Record::to("orders").value(value), call)
        .unwrap();
}

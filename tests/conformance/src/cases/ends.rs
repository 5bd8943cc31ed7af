//! Flush, close, and the drop of the last handle.

use std::net::TcpListener;
use std::sync::mpsc;
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use kafka_producer::{
    CloseError, DeliveryError, ErrorCode, Outcome, ProduceError, ProducerError, Purge, Record,
    SendError, blocking,
};
use kafka_producer_driver::block_on;

use crate::{Cluster, Task, Transport, config};

pub fn a_flush_is_over_when_all_is_resolved(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 4)]);
    let producer = transport.start(config(&cluster.bootstrap(), &[("linger.ms", "60000")]));
    for round in 1..=3 {
        let deliveries: Vec<_> = (0..100)
            .map(|_| producer.try_send(&Record::to("orders").value("x")).unwrap())
            .collect();
        block_on(producer.flush());
        assert!(
            deliveries
                .iter()
                .all(|one| matches!(one.try_result(), Some(Ok(_))))
        );
        assert_eq!(cluster.all_values("orders", 4).len(), round * 100);
    }
}

pub fn close_delivers_what_it_can(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 1)]);
    let producer = transport.start(config(&cluster.bootstrap(), &[("linger.ms", "60000")]));
    let delivery = producer.try_send(&Record::to("orders").value("x")).unwrap();
    block_on(producer.close(Duration::from_secs(30))).unwrap();
    assert!(matches!(delivery.try_result(), Some(Ok(_))));
    assert_eq!(cluster.values("orders", 0), ["x"]);
}

pub fn close_fails_what_is_late(transport: &impl Transport) {
    // It takes connections and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let producer = transport.start(config(&address, &[]));
    let delivery = producer.try_send(&Record::to("orders").value("x")).unwrap();
    let started = Instant::now();
    let closed = block_on(producer.close(Duration::from_millis(200)));
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
    let lost = CloseError::Undelivered {
        delivered: 0,
        not_written: 1,
        maybe_written: 0,
    };
    assert_eq!(closed, Err(lost.clone()));
    // Whoever asks again is told the same.
    assert_eq!(block_on(producer.close(Duration::ZERO)), Err(lost));
    let error = delivery.try_result().unwrap().unwrap_err();
    assert_eq!(
        (&error.error, error.outcome),
        (&ProduceError::Closed, Outcome::NotWritten)
    );
    assert_eq!(
        error.into_record().unwrap().value.as_deref(),
        Some(&b"x"[..])
    );
}

pub fn purge_gives_up_and_the_producer_goes_on(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 1)]);
    let producer = transport.start(config(&cluster.bootstrap(), &[("linger.ms", "60000")]));
    let given_up = producer.try_send(&Record::to("orders").value("x")).unwrap();
    producer.purge(Purge::Unsent);
    let error = block_on(given_up).unwrap_err();
    assert_eq!(
        (&error.error, error.outcome),
        (&ProduceError::Purged, Outcome::NotWritten)
    );
    let sent = producer.try_send(&Record::to("orders").value("y")).unwrap();
    block_on(producer.flush());
    assert!(matches!(sent.try_result(), Some(Ok(_))));
    assert_eq!(cluster.values("orders", 0), ["y"]);
}

pub fn a_closed_producer_takes_nothing(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 1)]);
    let producer = transport.start(config(&cluster.bootstrap(), &[]));
    let record = Record::to("orders").value("x");
    block_on(producer.close(Duration::from_secs(10))).unwrap();
    assert_eq!(producer.try_send(&record).unwrap_err(), SendError::Closed);
    let refused = block_on(producer.send(&record)).unwrap_err();
    assert_eq!(refused, ProducerError::Send(SendError::Closed));
    let refused = block_on(producer.send_all(&[record])).unwrap_err();
    assert!(refused.taken.is_empty());
    block_on(producer.flush());
}

pub fn closing_twice_is_closing_once(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 1)]);
    let producer = transport.start(config(&cluster.bootstrap(), &[]));
    let delivery = producer.try_send(&Record::to("orders").value("x")).unwrap();
    let (first, second) = (
        producer.close(Duration::from_secs(10)),
        producer.clone().close(Duration::from_secs(10)),
    );
    block_on(second).unwrap();
    let mut first = Task::new(first);
    assert_eq!(first.poll(), Poll::Ready(Ok(())));
    block_on(delivery).unwrap();
}

pub fn the_last_handle_leaves_its_records_to_be_delivered(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 1)]);
    let producer = transport.start(config(&cluster.bootstrap(), &[("linger.ms", "60000")]));
    let delivery = producer.try_send(&Record::to("orders").value("x")).unwrap();
    drop(producer);
    assert_eq!(block_on(delivery).unwrap().offset, Some(0));
}

pub fn close_says_what_it_has_lost(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 2)]);
    let start = || transport.start(config(&cluster.bootstrap(), &[("linger.ms", "60000")]));
    let undelivered = |delivered, not_written, maybe_written| {
        Err(CloseError::Undelivered {
            delivered,
            not_written,
            maybe_written,
        })
    };
    let record = Record::to("orders").value("x");

    // Nobody but close will ever tell of these.
    let producer = start();
    cluster.refuse(ErrorCode::MESSAGE_TOO_LARGE, 1);
    producer.try_send_detached(&record.partition(0)).unwrap();
    producer.try_send_detached(&record.partition(1)).unwrap();
    let closed = block_on(producer.close(Duration::from_secs(30)));
    assert_eq!(closed, undelivered(1, 1, 0));
    let text = closed.unwrap_err().to_string();
    assert!(
        text.starts_with("1 of 2 records on their way were not delivered: 1 not written, 0 "),
        "{text}"
    );

    // What was resolved before is none of its business.
    let producer = start();
    cluster.refuse(ErrorCode::MESSAGE_TOO_LARGE, 1);
    producer.try_send_detached(&record.partition(0)).unwrap();
    block_on(producer.flush());
    assert_eq!(block_on(producer.close(Duration::from_secs(30))), Ok(()));

    // A producer that had come to its end says so, though nothing was on its way.
    let producer = start();
    cluster.refuse(ErrorCode::PRODUCER_FENCED, 1);
    producer.try_send_detached(&record.partition(0)).unwrap();
    block_on(producer.flush());
    let closed = block_on(producer.close(Duration::from_secs(30)));
    let Err(CloseError::Fatal(fatal)) = closed else {
        unreachable!("a fatal error is expected, {closed:?} came")
    };
    assert_eq!(fatal.code, ErrorCode::PRODUCER_FENCED);

    // The broker has taken it, and says that it may not have.
    let producer = start();
    producer.try_send_detached(&record.partition(0)).unwrap();
    block_on(producer.flush());
    cluster.refuse(ErrorCode::REQUEST_TIMED_OUT, 1000);
    producer.try_send_detached(&record.partition(0)).unwrap();
    let closed = block_on(producer.close(Duration::from_secs(1)));
    assert_eq!(closed, undelivered(0, 0, 1));
}

pub fn a_blocking_flush_waits_so_long_at_most(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 1)]);
    let producer = transport.start(config(&cluster.bootstrap(), &[]));
    let blocking = blocking::Producer::from(producer.clone());
    let time = Duration::from_millis(50);
    let late = cluster.hold(|| {
        producer
            .try_send_detached(&Record::to("orders").value("x"))
            .unwrap();
        blocking.flush_for(time)
    });
    let Err(ProducerError::FlushTimeout {
        pending: 1, waited, ..
    }) = late
    else {
        panic!("{late:?}")
    };
    assert!(time <= waited, "{waited:?}");
    // It was not given up.
    assert_eq!(blocking.flush_for(Duration::from_secs(30)), Ok(()));
    assert_eq!(blocking.flush_for(Duration::MAX), Ok(()));
    assert_eq!(cluster.values("orders", 0), ["x"]);
}

pub fn the_drop_of_the_last_handle_does_not_wait(transport: &impl Transport) {
    // It takes connections and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let more = [
        ("compression.type", "gzip"),
        ("delivery.timeout.ms", "2000"),
        ("request.timeout.ms", "1000"),
        ("linger.ms", "0"),
    ];
    let producer = transport.start(config(&address, &more));
    let value = "x".repeat(10_000);
    let records = [Record::to("orders").value(&value); 100];
    let taken = block_on(producer.send_all(&records)).unwrap();
    let (sender, called) = mpsc::channel();
    let call = move |result: Result<_, _>| sender.send(result.is_ok()).unwrap();
    producer.try_send_with(&records[0], call).unwrap();
    let started = Instant::now();
    drop(producer);
    let elapsed = started.elapsed();
    assert!(elapsed < Duration::from_secs(1), "{elapsed:?}");
    // All of it ends in the background, when its time is over.
    assert!(block_on(taken.all()).iter().all(Result::is_err));
    assert_eq!(called.recv_timeout(Duration::from_secs(30)), Ok(false));
}

pub fn the_last_handle_may_be_dropped_anywhere(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 1)]);
    let start = || transport.start(config(&cluster.bootstrap(), &[("linger.ms", "1000")]));
    let record = Record::to("orders").value("x");

    // Inside a callback, on the thread that all callbacks and the end itself depend on.
    let producer = start();
    block_on(block_on(producer.send(&record)).unwrap()).unwrap();
    let inner = producer.clone();
    let (hand_out, handed) = mpsc::channel();
    let call = move |_: Result<_, DeliveryError>| {
        hand_out
            .send(inner.try_send(&Record::to("orders").value("y")))
            .unwrap();
        drop(inner);
    };
    producer.try_send_with(&record, call).unwrap();
    drop(producer);
    // The closing has begun with the drop outside if that came last.
    if let Ok(delivery) = handed.recv_timeout(Duration::from_secs(30)).unwrap() {
        block_on(delivery).unwrap();
    }

    // While its thread panics.
    let producer = start();
    let delivery = producer.try_send(&record).unwrap();
    let thread = thread::spawn(move || {
        let _producer = producer;
        panic!("on purpose");
    });
    assert!(thread.join().is_err());
    block_on(delivery).unwrap();
}

//! Flush, close, and the drop of the last handle.

use std::net::TcpListener;
use std::task::Poll;
use std::time::{Duration, Instant};

use kafka_producer::{CloseError, Outcome, ProduceError, ProducerError, Record, SendError};
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

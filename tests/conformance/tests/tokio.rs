//! The suite on tokio: tasks on several threads, and what is tokio's alone.

use std::time::Duration;

use conformance::{Cluster, Tasks, Transport, config};
use kafka_producer::{CloseError, ProduceError, Record};
use kafka_producer_driver::block_on;
use tokio::runtime::Builder;

conformance::suite!(Tasks::default());

#[test]
fn without_a_runtime_it_is_an_error() {
    let config = config("127.0.0.1:1", &[]);
    let error = kafka_producer::tokio::start(config).unwrap_err();
    assert!(error.to_string().contains("tokio runtime"), "{error}");
}

#[test]
fn the_body_of_a_single_threaded_runtime_can_send_and_await() {
    let cluster = Cluster::start(&[("orders", 1)]);
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let producer = kafka_producer::tokio::start(config(&cluster.bootstrap(), &[])).unwrap();
        let value = vec![b'x'; 1000];
        let mut deliveries = Vec::new();
        for _ in 0..2000 {
            deliveries.push(
                producer
                    .send(&Record::to("orders").value(&value))
                    .await
                    .unwrap(),
            );
        }
        for delivery in deliveries {
            delivery.await.unwrap();
        }
        producer.close(Duration::from_secs(10)).await.unwrap();
    });
    assert_eq!(cluster.values("orders", 0).len(), 2000);
}

#[test]
fn a_sender_that_never_waits_lets_the_roles_run() {
    let cluster = Cluster::start(&[("orders", 1)]);
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    // More room than it can fill: nothing but its own yields lets others run.
    let more = [("buffer.memory", "1073741824")];
    runtime.block_on(async {
        let producer = kafka_producer::tokio::start(config(&cluster.bootstrap(), &more)).unwrap();
        let value = vec![b'x'; 1000];
        let record = Record::to("orders").value(&value);
        let first = producer.send(&record).await.unwrap();
        let mut sent = 1;
        while first.try_result().is_none() {
            assert!(sent < 500_000, "the roles were starved");
            producer.send_detached(&record).await.unwrap();
            sent += 1;
        }
        producer.close(Duration::from_secs(10)).await.unwrap();
    });
}

#[test]
fn a_runtime_that_is_shut_down_fails_what_is_pending() {
    let cluster = Cluster::start(&[("orders", 1)]);
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let producer = {
        let _guard = runtime.enter();
        let more = [("linger.ms", "60000")];
        kafka_producer::tokio::start(config(&cluster.bootstrap(), &more)).unwrap()
    };
    let delivery = producer.try_send(&Record::to("orders").value("x")).unwrap();
    runtime.shutdown_timeout(Duration::from_secs(5));
    let error = block_on(delivery).unwrap_err();
    assert_eq!(error.error, ProduceError::Closed);
    block_on(producer.flush());
    let lost = CloseError::Undelivered {
        delivered: 0,
        not_written: 1,
        maybe_written: 0,
    };
    let closed = block_on(producer.close(Duration::from_secs(60)));
    assert_eq!(closed, Err(lost));
    drop(producer);
}

#[test]
fn a_producer_is_shared_by_many_tasks() {
    let tasks = Tasks::default();
    let cluster = Cluster::start(&[("orders", 4)]);
    let more = [("buffer.memory", "131072"), ("batch.size", "4096")];
    let producer = tasks.start(config(&cluster.bootstrap(), &more));
    tasks.block_on(async {
        let senders: Vec<_> = (0..50)
            .map(|_| {
                let producer = producer.clone();
                tokio::spawn(async move {
                    for _ in 0..40 {
                        let value = [b'x'; 500];
                        let record = Record::to("orders").value(&value);
                        producer.send(&record).await.unwrap().await.unwrap();
                    }
                })
            })
            .collect();
        for sender in senders {
            sender.await.unwrap();
        }
    });
    assert_eq!(cluster.all_values("orders", 4).len(), 2000);
}

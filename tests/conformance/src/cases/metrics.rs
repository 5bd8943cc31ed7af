//! What a producer says that it has done.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kafka_producer::{MetricSubject, Metrics, Producer, Record};
use kafka_producer_driver::block_on;

use crate::{Cluster, Transport, config};

fn send(producer: &Producer, count: usize) {
    let records = vec![Record::to("orders").value("France"); count];
    let deliveries = block_on(producer.send_all(&records)).unwrap();
    assert!(block_on(deliveries.all()).iter().all(Result::is_ok));
}

fn value(metrics: &Metrics, name: &str) -> f64 {
    metrics.producer(name).expect("it is a metric")
}

pub fn metrics_tell_what_was_sent(transport: &impl Transport) {
    let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let cluster = Cluster::start(&[("orders", 3)]);
    let producer = transport.start(config(&cluster.bootstrap(), &[]));
    send(&producer, 1000);

    let metrics = producer.metrics();
    assert_eq!(value(&metrics, "record-send-total"), 1000.0);
    assert_eq!(metrics.topic("orders", "record-send-total"), Some(1000.0));
    assert_eq!(value(&metrics, "record-error-total"), 0.0);
    assert_eq!(value(&metrics, "requests-in-flight"), 0.0);
    assert!(0.0 < value(&metrics, "record-send-rate"));
    assert!(0.0 < value(&metrics, "record-latency-p99"));
    assert!(value(&metrics, "metadata-age") < 60.0);
    let started = value(&metrics, "start-time-ms");
    let earliest = before.as_millis() as f64;
    assert!((earliest..earliest + 60_000.0).contains(&started));
    let brokers = metrics.iter().filter_map(|metric| match metric.subject {
        MetricSubject::Node(node) if metric.definition.name == "request-latency-avg" => {
            Some((node, metric.value))
        }
        _ => None,
    });
    assert!(brokers.filter(|(node, _)| 0 <= *node).count() == 1);
}

pub fn two_snapshots_tell_of_the_span_between_them(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 1)]);
    let producer = transport.start(config(&cluster.bootstrap(), &[]));
    send(&producer, 10);
    let earlier = producer.metrics();
    send(&producer, 5);
    let span = producer.metrics().since(&earlier);
    assert_eq!(value(&span, "record-send-total"), 15.0);
    let seconds = span.span().as_secs_f64();
    assert!(Duration::ZERO < span.span());
    assert_eq!(value(&span, "record-send-rate"), 5.0 / seconds);
}

pub fn prometheus_is_told_the_same(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 1)]);
    let more = [("client.id", "till")];
    let producer = transport.start(config(&cluster.bootstrap(), &more));
    send(&producer, 10);
    let page = producer.metrics().to_prometheus();
    let line = "kafka_producer_records_sent_total{client_id=\"till\",topic=\"orders\"} 10\n";
    assert!(page.contains(line), "{page}");
}

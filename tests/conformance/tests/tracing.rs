//! What an operator reads: one event for each notice of the machine.

use std::fmt::{Debug, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use conformance::{Cluster, Threads, Transport, config};
use kafka_producer::{ErrorCode, Record};
use kafka_producer_driver::block_on;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record as Values};
use tracing::{Event, Metadata, Subscriber};

/// The lines of all events so far.
static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Lines;

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, " {}={value:?}", field.name());
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("kafka_producer")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Values<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        lines().push(line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

fn lines() -> MutexGuard<'static, Vec<String>> {
    LINES.lock().unwrap_or_else(PoisonError::into_inner)
}

fn said(words: &[&str]) -> bool {
    let holds = |line: &String| words.iter().all(|word| line.contains(word));
    lines().iter().any(holds)
}

#[test]
fn connects_retries_refreshes_and_disconnects_are_told() {
    tracing::subscriber::set_global_default(Lines).unwrap();
    let cluster = Cluster::start(&[("orders", 1)]);
    let producer = Threads.start(config(&cluster.bootstrap(), &[]));
    let send = |value: &str| {
        let delivery = block_on(producer.send(&Record::to("orders").value(value))).unwrap();
        block_on(delivery).unwrap();
    };
    send("hello");
    assert!(said(&["INFO", "connected", "address="]));
    assert!(said(&["DEBUG", "metadata refreshed", "brokers=3"]));

    cluster.refuse(ErrorCode::NOT_ENOUGH_REPLICAS, 1);
    send("again");
    assert!(said(&[
        "WARN",
        "sent again",
        "orders",
        "NOT_ENOUGH_REPLICAS"
    ]));

    cluster.cut();
    send("once more");
    assert!(said(&["WARN", "disconnected"]));
    block_on(producer.close(Duration::from_secs(10)));
}

//! What an operator reads: one event for each notice of the machine.
#![allow(clippy::unwrap_used, reason = "a story that cannot go on fails")]

use std::fmt::{Debug, Write};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;

use conformance::{Cluster, Tasks, Threads, Transport, config};
use kafka_producer::{
    CloseError, DeliveryError, ErrorCode, InterceptedRecord, Interceptor, Outcome, Producer,
    Record, RecordMetadata, SendError,
};
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

fn count(words: &[&str]) -> usize {
    let holds = |line: &&String| words.iter().all(|word| line.contains(word));
    lines().iter().filter(holds).count()
}

fn said(words: &[&str]) -> bool {
    0 < count(words)
}

/// Listens from now on, to one story at a time: the subscriber is the whole process's.
fn listen() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    static SUBSCRIBED: Once = Once::new();
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    SUBSCRIBED.call_once(|| tracing::subscriber::set_global_default(Lines).unwrap());
    lines().clear();
    turn
}

/// A cluster, and a producer whose first record has landed.
fn begin() -> (Cluster, Producer) {
    let cluster = Cluster::start(&[("orders", 1)]);
    let producer = Threads.start(config(&cluster.bootstrap(), &[]));
    send(&producer, "hello").unwrap();
    (cluster, producer)
}

fn send(producer: &Producer, value: &str) -> Result<RecordMetadata, DeliveryError> {
    block_on(block_on(producer.send(&Record::to("orders").value(value))).unwrap())
}

fn end(producer: &Producer) {
    block_on(producer.close(Duration::from_secs(10))).unwrap();
}

#[test]
fn connects_retries_refreshes_and_disconnects_are_told() {
    let _turn = listen();
    let (cluster, producer) = begin();
    assert!(said(&["INFO", "connected", "address="]));
    assert!(said(&["DEBUG", "metadata refreshed", "brokers=3"]));

    cluster.refuse(ErrorCode::NOT_ENOUGH_REPLICAS, 1);
    send(&producer, "again").unwrap();
    assert!(said(&[
        "WARN",
        "sent again",
        "orders",
        "NOT_ENOUGH_REPLICAS"
    ]));

    cluster.cut();
    send(&producer, "once more").unwrap();
    assert!(said(&["WARN", "disconnected"]));
    end(&producer);
    assert!(!said(&["ERROR"]), "{:?}", lines());
}

#[test]
fn an_epoch_bump_is_told_once() {
    let _turn = listen();
    let (cluster, producer) = begin();
    assert!(!said(&["new producer epoch"]));

    // No attempt of this batch can have been written: it goes again under the next epoch.
    cluster.refuse(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, 1);
    assert_eq!(send(&producer, "again").unwrap().offset, Some(1));
    end(&producer);
    let bump = [
        "WARN",
        "new producer epoch",
        "producer_id=",
        "producer_epoch=1",
    ];
    assert_eq!((count(&bump), count(&["new producer epoch"])), (1, 1));
    // A broker that has forgotten what it acknowledged may have lost it.
    let loss = ["ERROR", "may have lost acknowledged records"];
    assert_eq!((count(&loss), count(&["ERROR"])), (1, 1), "{:?}", lines());
}

#[test]
fn a_suspected_loss_is_told_with_its_partition() {
    let _turn = listen();
    let (cluster, producer) = begin();

    // The answer to the first attempt leaves a doubt; then the broker does not know the
    // sequence, not even after a refresh: what it has acknowledged before may be lost.
    cluster.refuse(ErrorCode::REQUEST_TIMED_OUT, 1);
    cluster.refuse(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, 2);
    let error = send(&producer, "doubtful").unwrap_err();
    assert_eq!(error.outcome, Outcome::MaybeWritten);
    send(&producer, "after").unwrap();
    end(&producer);
    let loss = [
        "ERROR",
        "may have lost acknowledged records",
        "topic=orders",
        "partition=0",
    ];
    assert_eq!((count(&loss), count(&["ERROR"])), (1, 1));
    assert_eq!(cluster.values("orders", 0), ["hello", "after"]);
}

#[test]
fn a_fatal_error_is_told_once_and_says_what_to_do() {
    let _turn = listen();
    let (cluster, producer) = begin();

    cluster.refuse(ErrorCode::CLUSTER_AUTHORIZATION_FAILED, 1);
    let error = send(&producer, "refused").unwrap_err();
    let code = ErrorCode::CLUSTER_AUTHORIZATION_FAILED;
    assert_eq!(
        (error.error.code(), error.outcome),
        (Some(code), Outcome::NotWritten)
    );
    for _ in 0..3 {
        let refused = producer.try_send(&Record::to("orders").value("later"));
        assert!(matches!(refused, Err(SendError::Fatal(_))), "{refused:?}");
    }
    let closed = block_on(producer.close(Duration::from_secs(10)));
    assert!(matches!(closed, Err(CloseError::Fatal(_))), "{closed:?}");
    let fatal = [
        "ERROR",
        "fatal",
        "CLUSTER_AUTHORIZATION_FAILED",
        "make a new",
    ];
    assert_eq!((count(&fatal), count(&["ERROR"])), (1, 1), "{:?}", lines());
}

#[test]
fn a_drop_with_records_on_their_way_is_told_with_their_count() {
    let _turn = listen();
    let cluster = Cluster::start(&[("orders", 1)]);
    let tasks = Tasks::default();
    let more = [("linger.ms", "1000")];
    let start = |transport: usize| {
        let config = config(&cluster.bootstrap(), &more);
        match transport {
            0 => Threads.start(config),
            _ => tasks.start(config),
        }
    };
    let dropped = ["WARN", "dropped without close", "pending=3"];
    for transport in 0..2 {
        lines().clear();
        let producer = start(transport);
        let record = Record::to("orders").value("x");
        let taken = block_on(producer.send_all(&[record; 3])).unwrap();
        let clone = producer.clone();
        drop(producer);
        assert!(!said(&["dropped without close"]), "one is left");
        drop(clone);
        assert_eq!(count(&dropped), 1, "{:?}", lines());
        assert!(block_on(taken.all()).iter().all(Result::is_ok));

        // Nothing to warn of: all is resolved, or the producer was closed.
        let producer = start(transport);
        send(&producer, "x").unwrap();
        drop(producer);
        let producer = start(transport);
        producer.try_send_detached(&record).unwrap();
        drop(producer.close(Duration::from_secs(10)));
        drop(producer);
        assert_eq!(count(&["dropped without close"]), 1, "{:?}", lines());
    }
}

#[test]
fn an_interceptor_that_panics_is_told_once() {
    struct Rude;
    impl Interceptor for Rude {
        fn on_send(&self, _: &mut InterceptedRecord<'_>) {
            panic!("on purpose");
        }
    }

    let _turn = listen();
    let cluster = Cluster::start(&[("orders", 1)]);
    let builder = Producer::builder(config(&cluster.bootstrap(), &[]));
    let producer = Threads.start(builder.interceptor(Rude));
    for value in ["a", "b", "c"] {
        send(&producer, value).unwrap();
    }
    end(&producer);
    let told = ["WARN", "an interceptor panicked", "Rude", "on_send"];
    assert_eq!(count(&told), 1, "{:?}", lines());
    assert_eq!(cluster.values("orders", 0), ["a", "b", "c"]);
}

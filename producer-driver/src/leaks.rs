//! What futures leave behind in the tables of the hub when they are dropped: nothing.
//!
//! On a runtime that never runs anything, so that nothing is answered and every wait goes on.

use std::convert::Infallible;
use std::future::Future;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use crate::{
    CloseError, Config, Producer, ProducerError, Record, Role, Runtime, SendError, Signal,
    SocketOptions, Stream,
};

/// Keeps its roles and never runs them.
#[derive(Default)]
struct Inert {
    roles: Mutex<Vec<Pin<Box<dyn Future<Output = ()> + Send>>>>,
}

struct NoStream(Infallible);

impl Runtime for Inert {
    type Stream = NoStream;

    async fn resolve(&self, _: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        std::future::pending().await
    }

    async fn connect(&self, _: SocketAddr, _: SocketOptions, _: Duration) -> io::Result<NoStream> {
        std::future::pending().await
    }

    async fn sleep(&self, _: Option<Duration>, _: &Signal) {
        std::future::pending::<()>().await;
    }

    fn spawn(&self, _: Role, task: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        self.roles.lock().unwrap().push(Box::pin(task));
        Ok(())
    }
}

impl Stream for NoStream {
    async fn read(&self, _: &mut [u8]) -> io::Result<usize> {
        match self.0 {}
    }

    async fn write(&self, _: &[IoSlice<'_>]) -> io::Result<usize> {
        match self.0 {}
    }

    fn try_write(&self, _: &[IoSlice<'_>]) -> io::Result<usize> {
        match self.0 {}
    }

    fn shutdown(&self) {
        match self.0 {}
    }
}

struct Silent;

impl Wake for Silent {
    fn wake(self: Arc<Self>) {}
}

/// A producer that holds all it has room for, of a topic that nobody will ever tell of.
fn full() -> Producer {
    let config = Config::from_properties([
        ("bootstrap.servers", "127.0.0.1:1"),
        ("buffer.memory", "65536"),
        ("batch.size", "16384"),
        ("max.request.size", "65536"),
    ]);
    let producer = Producer::start(Inert::default(), config.unwrap()).unwrap();
    let large = [b'x'; 4000];
    let record = Record::to("orders").value(&large);
    loop {
        match producer.try_send_detached(&record) {
            Ok(()) => {}
            Err(SendError::Full(_)) => return producer,
            Err(error) => panic!("neither taken nor full: {error}"),
        }
    }
}

/// How many wait for room or metadata, and for the end of a flush or of all.
fn waiting(producer: &Producer) -> [usize; 2] {
    let core = producer.hub().lock();
    [core.waiters.len(), core.ends.len()]
}

/// Drops a future that is pending, before its first poll and after it.
fn leaves_nothing<F: Future>(producer: &Producer, expected: [usize; 2], make: impl Fn() -> F) {
    let silent = Arc::new(Silent);
    let waker = Waker::from(Arc::clone(&silent));
    for polls in 0..3 {
        {
            let mut future = pin!(make());
            assert_eq!(waiting(producer), expected);
            for _ in 0..polls {
                let mut context = Context::from_waker(&waker);
                assert!(future.as_mut().poll(&mut context).is_pending());
            }
            assert_eq!(2 < Arc::strong_count(&silent), 0 < polls);
        }
        assert_eq!(waiting(producer), [0, 0]);
        assert_eq!(Arc::strong_count(&silent), 2, "a waker was kept");
    }
}

#[test]
fn a_send_that_is_dropped_leaves_no_place_and_no_waker() {
    let (producer, large) = (full(), [b'x'; 4000]);
    let record = Record::to("orders").value(&large);
    let (token, one) = (Arc::new(()), [1, 0]);
    leaves_nothing(&producer, one, || producer.send(&record));
    leaves_nothing(&producer, one, || producer.send_detached(&record));
    leaves_nothing(&producer, one, || {
        let token = Arc::clone(&token);
        producer.send_with(&record, move |_| drop(token))
    });
    assert_eq!(Arc::strong_count(&token), 1, "a callback was kept");
    let records = [record; 3];
    leaves_nothing(&producer, one, || producer.send_all(&records));
}

#[test]
fn a_delivery_that_is_dropped_leaves_its_waker_until_it_is_resolved_and_no_longer() {
    let producer = full();
    let silent = Arc::new(Silent);
    let waker = Waker::from(Arc::clone(&silent));
    let mut deliveries = Vec::new();
    while let Ok(delivery) = producer.try_send(&Record::to("orders").value("x")) {
        deliveries.push(delivery);
    }
    assert!(!deliveries.is_empty());
    for mut delivery in deliveries {
        let polled = Pin::new(&mut delivery).poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
    }
    assert!(2 < Arc::strong_count(&silent));
    producer.hub().abandon();
    assert_eq!(Arc::strong_count(&silent), 2, "a waker was kept");
}

#[test]
fn a_flush_that_is_dropped_leaves_no_waker() {
    let producer = full();
    leaves_nothing(&producer, [0, 1], || producer.flush());
}

#[test]
fn a_close_that_is_dropped_leaves_no_waker() {
    let producer = full();
    let hour = Duration::from_secs(3600);
    leaves_nothing(&producer, [0, 1], || producer.close(hour));
}

#[test]
fn a_question_for_partitions_that_is_dropped_leaves_no_waker() {
    let producer = full();
    leaves_nothing(&producer, [1, 0], || producer.partitions_for("others"));
}

#[test]
fn waits_that_are_refused_leave_nothing() {
    let (producer, large) = (full(), [b'x'; 4000]);
    let record = Record::to("orders").value(&large);
    crate::park::in_callback(|| {
        let blocking = crate::blocking::Producer::from(producer.clone());
        let refused = ProducerError::WouldDeadlock;
        assert_eq!(blocking.send(&record).unwrap_err(), refused);
        assert_eq!(blocking.send_all(&[record]).unwrap_err().error, refused);
        assert_eq!(blocking.flush(), Err(refused.clone()));
        assert_eq!(
            blocking.close(Duration::ZERO),
            Err(CloseError::WouldDeadlock)
        );
    });
    assert_eq!(waiting(&producer), [0, 0]);
}

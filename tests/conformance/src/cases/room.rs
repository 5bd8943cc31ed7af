//! Back-pressure: who waits, in which order, and for how long.

use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use kafka_producer::{Deliveries, Delivery, Producer, ProducerError, Record, SendError};
use kafka_producer_driver::block_on;

use crate::{Cluster, Task, Transport, config};

pub(super) const SMALL: [(&str, &str); 3] = [
    ("buffer.memory", "65536"),
    ("batch.size", "16384"),
    ("max.request.size", "65536"),
];
const VALUE: usize = 4000;

pub(super) fn value(name: &str) -> String {
    format!("{name:<VALUE$}")
}

fn names(values: &[String]) -> Vec<&str> {
    values.iter().map(|value| value.trim_end()).collect()
}

/// Sends until nothing fits any more; nothing is answered meanwhile.
pub(super) fn fill(producer: &Producer) -> Vec<Delivery> {
    let filler = value("filler");
    let mut taken = Vec::new();
    loop {
        match producer.try_send(&Record::to("orders").value(&filler)) {
            Ok(delivery) => taken.push(delivery),
            Err(SendError::Full(_)) => return taken,
            Err(error) => panic!("neither taken nor full: {error}"),
        }
    }
}

/// A producer that has said hello to the cluster.
pub(super) fn warm(
    transport: &impl Transport,
    cluster: &Cluster,
    more: &[(&str, &str)],
) -> Producer {
    let more: Vec<_> = SMALL.iter().chain(more).copied().collect();
    let producer = transport.start(config(&cluster.bootstrap(), &more));
    let hello = block_on(producer.send(&Record::to("orders").value("hello"))).unwrap();
    block_on(hello).unwrap();
    producer
}

pub fn a_full_buffer_is_an_error_for_try_send(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 1)]);
    let producer = warm(transport, &cluster, &[]);
    let taken = cluster.hold(|| {
        let taken = fill(&producer);
        let record = Record::to("orders").value("x");
        // What is small may still fit into the open batch; four thousand bytes do not.
        let large = value("large");
        let full = producer.try_send(&Record {
            value: Some(large.as_bytes()),
            ..record
        });
        assert!(matches!(full, Err(SendError::Full(_))));
        taken
    });
    assert!(8 <= taken.len(), "{}", taken.len());
    for delivery in taken {
        block_on(delivery).unwrap();
    }
    block_on(block_on(producer.send(&Record::to("orders").value("x"))).unwrap()).unwrap();
}

pub fn those_who_wait_are_served_in_their_order(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 1)]);
    let producer = warm(transport, &cluster, &[]);
    let names: Vec<String> = (0..30).map(|n| format!("waiter-{n:02}")).collect();
    // One fills most of a batch: nobody gets in through another one's room.
    let values: Vec<String> = names.iter().map(|name| format!("{name:<12000}")).collect();
    let (filled, tasks) = cluster.hold(|| {
        let filled = fill(&producer);
        (filled, queue(&producer, &values))
    });
    let deliveries: Vec<_> = tasks
        .into_iter()
        .map(|task| task.finish().unwrap())
        .collect();
    for delivery in filled.into_iter().chain(deliveries) {
        block_on(delivery).unwrap();
    }
    let log = cluster.values("orders", 0);
    let waited = |name: &&str| name.starts_with("waiter");
    let served: Vec<&str> = log
        .iter()
        .map(|value| value.trim_end())
        .filter(waited)
        .collect();
    assert_eq!(served, names);
}

pub fn many_who_wait_are_all_served(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 1)]);
    let producer = warm(transport, &cluster, &[]);
    let values: Vec<String> = (0..100).map(|n| value(&format!("waiter-{n:02}"))).collect();
    let (filled, mut tasks) = cluster.hold(|| {
        let filled = fill(&producer);
        (filled, queue(&producer, &values))
    });
    let mut deliveries = filled;
    let started = Instant::now();
    while !tasks.is_empty() {
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "{} are left",
            tasks.len()
        );
        tasks.retain_mut(|task| match task.poll() {
            Poll::Ready(sent) => {
                deliveries.push(sent.unwrap());
                false
            }
            Poll::Pending => true,
        });
        thread::sleep(Duration::from_millis(1));
    }
    for delivery in deliveries {
        block_on(delivery).unwrap();
    }
    let mut log = cluster.values("orders", 0);
    log.retain(|value| value.starts_with("waiter"));
    log.sort();
    assert_eq!(log, values);
}

/// Lets each value wait for room, in this order.
fn queue<'p>(
    producer: &'p Producer,
    values: &'p [String],
) -> Vec<Task<kafka_producer::Sending<'p, 'p>>> {
    values
        .iter()
        .map(|value| {
            let mut task = Task::new(producer.send(&Record::to("orders").value(value)));
            assert!(task.poll().is_pending());
            task
        })
        .collect()
}

pub fn a_wait_for_room_ends_after_max_block(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 1)]);
    let producer = warm(transport, &cluster, &[("max.block.ms", "200")]);
    let filled = cluster.hold(|| {
        let filled = fill(&producer);
        let started = Instant::now();
        let value = value("late");
        let error = block_on(producer.send(&Record::to("orders").value(&value))).unwrap_err();
        let ProducerError::BufferFull { waited, needed } = error else {
            panic!("{error}")
        };
        assert!(Duration::from_millis(190) <= waited, "{waited:?}");
        assert!(VALUE <= needed, "{needed}");
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "{:?}",
            started.elapsed()
        );
        filled
    });
    for delivery in filled {
        block_on(delivery).unwrap();
    }
    assert!(!names(&cluster.values("orders", 0)).contains(&"late"));
}

pub fn send_all_waits_for_room_and_takes_all(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 1)]);
    let producer = warm(transport, &cluster, &[]);
    let values: Vec<String> = (0..100).map(|n| value(&format!("{n:03}"))).collect();
    let records: Vec<Record<'_>> = values
        .iter()
        .map(|value| Record::to("orders").value(value))
        .collect();
    let deliveries = block_on(producer.send_all(&records)).unwrap();
    for (offset, result) in (1..).zip(block_on(deliveries.all())) {
        assert_eq!(result.unwrap().offset, Some(offset));
    }
    assert_eq!(cluster.values("orders", 0)[1..], values);
}

pub fn send_all_says_how_many_were_taken(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 1)]);
    let producer = warm(transport, &cluster, &[("max.block.ms", "100")]);
    let values: Vec<String> = (0..100).map(|n| value(&format!("{n:03}"))).collect();
    let records: Vec<Record<'_>> = values
        .iter()
        .map(|value| Record::to("orders").value(value))
        .collect();
    let error = cluster.hold(|| block_on(producer.send_all(&records)).unwrap_err());
    assert!(
        matches!(error.error, ProducerError::BufferFull { .. }),
        "{error}"
    );
    let taken = error.taken.len();
    assert!((8..100).contains(&taken), "{taken}");
    assert!(block_on(error.taken.all()).iter().all(Result::is_ok));
    assert_eq!(cluster.values("orders", 0)[1..], values[..taken]);

    // A record that can never be taken ends it as well.
    let huge = vec![7; 100_000];
    let records = [
        Record::to("orders").value("a"),
        Record::to("orders").value(&huge),
    ];
    let error = block_on(producer.send_all(&records)).unwrap_err();
    assert!(
        matches!(error.error, ProducerError::Send(SendError::TooLarge { .. })),
        "{error}"
    );
    assert_eq!(Deliveries::len(&error.taken), 1);
}

pub fn close_ends_the_waits(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 1)]);
    let producer = warm(transport, &cluster, &[]);
    let value = value("late");
    cluster.hold(|| {
        let _filled = fill(&producer);
        let mut task = Task::new(producer.send(&Record::to("orders").value(&value)));
        assert!(task.poll().is_pending());
        let mut closing = Task::new(producer.close(Duration::from_millis(100)));
        let _ = closing.poll();
        let Err(ProducerError::Send(SendError::Closed)) = task.finish() else {
            panic!("a wait for room goes on after close")
        };
        closing.finish().unwrap_err();
    });
    let mut task = Task::new(producer.flush());
    assert_eq!(task.poll(), Poll::Ready(()));
}

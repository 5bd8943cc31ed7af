//! Every future dropped at every poll: what was taken stays taken, and what was held is given
//! back. `tests/futures.rs` sees to it that no future of the driver is missing here.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use kafka_producer::{Delivery, Producer, ProducerError, Record};
use kafka_producer_driver::block_on;

use super::room::{fill, value, warm};
use crate::{Cluster, Task, Transport, at_every_poll, config, poll_at_most};

/// A way to send one record: begins in the call, and polls the driver's future once per poll.
type Form = for<'a> fn(&'a Producer, &'a Record<'a>, &Arc<()>) -> Sent<'a>;

type Sent<'a> = Pin<Box<dyn Future<Output = Result<Option<Delivery>, ProducerError>> + 'a>>;

fn awaited<'a>(producer: &'a Producer, record: &'a Record<'a>, _: &Arc<()>) -> Sent<'a> {
    let sending = producer.send(record);
    Box::pin(async { sending.await.map(Some) })
}

fn detached<'a>(producer: &'a Producer, record: &'a Record<'a>, _: &Arc<()>) -> Sent<'a> {
    let sending = producer.send_detached(record);
    Box::pin(async { sending.await.map(|()| None) })
}

fn called<'a>(producer: &'a Producer, record: &'a Record<'a>, token: &Arc<()>) -> Sent<'a> {
    let token = Arc::clone(token);
    let sending = producer.send_with(record, move |result| {
        drop((token, result.unwrap()));
    });
    Box::pin(async { sending.await.map(|()| None) })
}

fn one_of_many<'a>(producer: &'a Producer, record: &'a Record<'a>, _: &Arc<()>) -> Sent<'a> {
    let sending = producer.send_all(std::slice::from_ref(record));
    Box::pin(async {
        let taken = sending.await.map_err(|error| error.error)?;
        Ok(taken.into_iter().next())
    })
}

/// How often each name is in the log.
fn census(cluster: &Cluster) -> BTreeMap<String, usize> {
    let mut census = BTreeMap::new();
    for value in cluster.values("orders", 0) {
        *census.entry(value.trim_end().to_owned()).or_default() += 1;
    }
    census
}

pub fn a_dropped_send_loses_and_doubles_nothing(transport: &impl Transport) {
    is_taken_whole_or_not_at_all(transport, awaited);
}

pub fn a_dropped_detached_send_loses_and_doubles_nothing(transport: &impl Transport) {
    is_taken_whole_or_not_at_all(transport, detached);
}

pub fn a_dropped_send_with_a_callback_loses_and_doubles_nothing(transport: &impl Transport) {
    is_taken_whole_or_not_at_all(transport, called);
}

fn is_taken_whole_or_not_at_all(transport: &impl Transport, send: Form) {
    let cluster = Cluster::start(&[("orders", 1), ("huge", 1)]);
    let producer = warm(transport, &cluster, &[]);
    let token = Arc::new(());
    let mut accepted = Vec::new();
    let mut filled = 0;
    for polls in 0..20 {
        let name = format!("record-{polls}");
        let value = value(&name);
        let record = Record::to("orders").value(&value);
        let (fillers, mut task) = cluster.hold(|| {
            let fillers = fill(&producer);
            let mut task = Task::new(send(&producer, &record, &token));
            if 0 < polls {
                assert!(task.poll().is_pending());
            }
            (fillers, task)
        });
        filled += fillers.len();
        for _ in 1..polls {
            task.woken();
            if let Poll::Ready(result) = task.poll() {
                drop(result.unwrap());
                accepted.push(name);
                break;
            }
        }
        task.give_up();
        // All that was taken is resolved, and all callbacks have run, or were dropped.
        block_on(producer.flush());
        assert!(
            fillers
                .iter()
                .all(|one| matches!(one.try_result(), Some(Ok(_))))
        );
        assert_eq!(Arc::strong_count(&token), 1);
        all_is_free(&producer);
        if !accepted.is_empty() {
            break;
        }
    }
    let mut census = census(&cluster);
    assert_eq!(census.remove("filler"), Some(filled));
    assert_eq!(census.remove("hello"), Some(1));
    // Those that were dropped while they waited are nowhere.
    assert_eq!(accepted.len(), 1, "no send was ever done");
    let expected: BTreeMap<String, usize> = accepted.into_iter().map(|name| (name, 1)).collect();
    assert_eq!(census, expected);
}

/// All room is free, and nobody stands in the line: what takes nearly all of it is taken at once.
fn all_is_free(producer: &Producer) {
    let huge = "x".repeat(60_000);
    let taken = producer.try_send(&Record::to("huge").value(&huge));
    block_on(taken.unwrap()).unwrap();
}

pub fn a_dropped_wait_passes_its_room_on(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 1), ("huge", 1)]);
    let producer = warm(transport, &cluster, &[]);
    let token = Arc::new(());
    // Each takes most of a batch: one who leaves without its room leaves none to the next.
    let (gone, next) = (format!("{:<12000}", "gone"), format!("{:<12000}", "next"));
    let (gone, next) = (
        Record::to("orders").value(&gone),
        Record::to("orders").value(&next),
    );
    let forms: [Form; 4] = [awaited, detached, called, one_of_many];
    for (number, send) in (1..).zip(forms) {
        for granted in [false, true] {
            let (leaves, stays) = cluster.hold(|| {
                drop(fill(&producer));
                let mut leaves = Task::new(send(&producer, &gone, &token));
                assert!(leaves.poll().is_pending());
                let mut stays = Task::new(send(&producer, &next, &token));
                assert!(stays.poll().is_pending());
                (leaves, stays)
            });
            if granted {
                leaves.woken();
            }
            leaves.give_up();
            drop(stays.finish().unwrap());
            block_on(producer.flush());
            all_is_free(&producer);
        }
        let census = census(&cluster);
        assert_eq!(
            (census.get("next"), census.get("gone")),
            (Some(&(2 * number)), None)
        );
        assert_eq!(Arc::strong_count(&token), 1);
    }
}

pub fn a_dropped_send_all_keeps_a_prefix(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 1), ("huge", 1)]);
    let producer = warm(transport, &cluster, &[]);
    for polls in 0..200 {
        let before = cluster.values("orders", 0).len();
        let values: Vec<String> = (0..40).map(|n| value(&format!("{polls}-{n:02}"))).collect();
        let records: Vec<Record<'_>> = values
            .iter()
            .map(|value| Record::to("orders").value(value))
            .collect();
        let done = poll_at_most(polls, producer.send_all(&records));
        block_on(producer.flush());
        let log = cluster.values("orders", 0);
        let landed = log.len() - before;
        assert_eq!(log[before..], values[..landed]);
        all_is_free(&producer);
        if let Some(result) = done {
            assert_eq!((result.unwrap().len(), landed), (40, 40));
            return;
        }
    }
    panic!("send_all was never done");
}

pub fn a_dropped_delivery_unsends_nothing(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 1)]);
    let producer = transport.start(config(&cluster.bootstrap(), &[]));
    let mut sent = 0;
    let (dropped, written) = at_every_poll(|| {
        sent += 1;
        block_on(producer.send(&Record::to("orders").value("x"))).unwrap()
    });
    assert!(0 < dropped);
    assert_eq!(written.unwrap().offset, Some(sent - 1));
    assert_eq!(i64::try_from(cluster.values("orders", 0).len()), Ok(sent));
}

pub fn dropped_deliveries_unsend_nothing(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 3)]);
    let producer = transport.start(config(&cluster.bootstrap(), &[("linger.ms", "0")]));
    let records = [0, 1, 2].map(|partition| Record::to("orders").partition(partition).value("x"));
    let mut rounds = 0;
    // Not sent before the first poll, so that each of them is pending once at least.
    let (dropped, results) = at_every_poll(|| {
        rounds += 1;
        cluster
            .hold(|| block_on(producer.send_all(&records)).unwrap())
            .all()
    });
    assert!(0 < dropped);
    assert!(results.iter().all(Result::is_ok));
    block_on(producer.flush());
    assert_eq!(cluster.all_values("orders", 3).len(), 3 * rounds);
}

pub fn a_dropped_flush_harms_nobody(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 1)]);
    let producer = transport.start(config(&cluster.bootstrap(), &[("linger.ms", "60000")]));
    let mut sent = 0;
    let (dropped, ()) = at_every_poll(|| {
        sent += 1;
        drop(block_on(producer.send(&Record::to("orders").value("x"))).unwrap());
        producer.flush()
    });
    assert!(0 < dropped);
    assert_eq!(cluster.values("orders", 0).len(), sent);
}

pub fn a_dropped_close_goes_on(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 1)]);
    let mut producers = Vec::new();
    let mut deliveries = Vec::new();
    let (_, closed) = at_every_poll(|| {
        let producer = transport.start(config(&cluster.bootstrap(), &[("linger.ms", "60000")]));
        deliveries.push(block_on(producer.send(&Record::to("orders").value("x"))).unwrap());
        let close = producer.close(Duration::from_secs(10));
        producers.push(producer);
        close
    });
    closed.unwrap();
    let sent = deliveries.len();
    for delivery in deliveries {
        block_on(delivery).unwrap();
    }
    assert_eq!(cluster.values("orders", 0).len(), sent);
    for producer in producers {
        block_on(producer.close(Duration::from_secs(10))).unwrap();
    }
}

pub fn a_dropped_question_for_partitions_harms_nobody(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 3)]);
    let mut producers = Vec::new();
    let (_, partitions) = at_every_poll(|| {
        let producer = transport.start(config(&cluster.bootstrap(), &[]));
        let question = producer.partitions_for("orders");
        producers.push(producer);
        question
    });
    assert_eq!(partitions.unwrap().len(), 3);
    for producer in producers {
        let partitions = block_on(producer.partitions_for("orders"));
        assert_eq!(partitions.unwrap().len(), 3);
    }
}

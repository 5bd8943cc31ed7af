//! Every future dropped at every poll.

use std::collections::BTreeMap;
use std::time::Duration;

use kafka_producer::Record;
use kafka_producer_driver::block_on;

use super::room::{fill, warm};
use crate::{Cluster, Task, Transport, at_every_poll, config, poll_at_most};

/// How often each name is in the log.
fn census(cluster: &Cluster) -> BTreeMap<String, usize> {
    let mut census = BTreeMap::new();
    for value in cluster.values("orders", 0) {
        *census.entry(value.trim_end().to_owned()).or_default() += 1;
    }
    census
}

pub fn a_dropped_send_loses_and_doubles_nothing(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 1)]);
    let producer = warm(transport, &cluster, &[]);
    let mut accepted = Vec::new();
    let mut fillers = 0;
    for polls in 0..20 {
        let name = format!("record-{polls}");
        let value = format!("{name:<4000}");
        let (filled, mut task) = cluster.hold(|| {
            let filled = fill(&producer);
            let mut task = Task::new(producer.send(&Record::to("orders").value(&value)));
            if 0 < polls {
                assert!(task.poll().is_pending());
            }
            (filled, task)
        });
        fillers += filled.len();
        let mut done = None;
        for _ in 1..polls {
            task.woken();
            if let std::task::Poll::Ready(result) = task.poll() {
                done = Some(result.unwrap());
                break;
            }
        }
        drop(task);
        let finished = done.is_some();
        if let Some(delivery) = done {
            block_on(delivery).unwrap();
            accepted.push(name);
        }
        for delivery in filled {
            block_on(delivery).unwrap();
        }
        if finished {
            break;
        }
    }
    assert!(!accepted.is_empty(), "no send was ever done");
    block_on(producer.flush());
    let mut census = census(&cluster);
    assert_eq!(census.remove("filler"), Some(fillers));
    assert_eq!(census.remove("hello"), Some(1));
    // Those that were dropped while they waited are nowhere.
    let expected: BTreeMap<String, usize> = accepted.into_iter().map(|name| (name, 1)).collect();
    assert_eq!(census, expected);
    // Nobody stands in the line any more.
    producer
        .try_send(&Record::to("orders").value("free"))
        .map(drop)
        .unwrap();
}

pub fn a_dropped_send_all_keeps_a_prefix(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 1)]);
    let producer = warm(transport, &cluster, &[]);
    for polls in 0..200 {
        let before = cluster.values("orders", 0).len();
        let values: Vec<String> = (0..40)
            .map(|n| format!("{:<4000}", format!("{polls}-{n:02}")))
            .collect();
        let records: Vec<Record<'_>> = values
            .iter()
            .map(|value| Record::to("orders").value(value))
            .collect();
        let done = poll_at_most(polls, producer.send_all(&records));
        block_on(producer.flush());
        let log = cluster.values("orders", 0);
        let landed = log.len() - before;
        assert_eq!(log[before..], values[..landed]);
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
    at_every_poll(|| {
        let producer = transport.start(config(&cluster.bootstrap(), &[("linger.ms", "60000")]));
        deliveries.push(block_on(producer.send(&Record::to("orders").value("x"))).unwrap());
        let close = producer.close(Duration::from_secs(10));
        producers.push(producer);
        close
    });
    let sent = deliveries.len();
    for delivery in deliveries {
        block_on(delivery).unwrap();
    }
    assert_eq!(cluster.values("orders", 0).len(), sent);
    for producer in producers {
        block_on(producer.close(Duration::from_secs(10)));
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
        assert_eq!(
            block_on(producer.partitions_for("orders")).unwrap().len(),
            3
        );
    }
}

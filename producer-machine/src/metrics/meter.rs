//! Counts what happens, once for each batch and each request, never for a record.
//!
//! Every method is one line in the machine's roads and adds to a few whole numbers.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use super::stat::{Level, Spread, Stat};
use crate::brokers::NodeId;
use crate::{Instant, TopicHandle};

/// Everything that the machine counts.
#[derive(Debug)]
pub(crate) struct Meter {
    pub(crate) began: Instant,
    pub(crate) counts: Counts,
    pub(crate) nodes: BTreeMap<NodeId, NodeCounts>,
    /// By topic handle.
    pub(crate) topics: Vec<TopicCounts>,
}

/// The counts of the whole producer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Bytes of a batch as it is sent.
    pub(crate) batch_size: Stat,
    pub(crate) batch_splits: u64,
    pub(crate) buffer_exhausted: u64,
    pub(crate) buffer_wait: Level,
    pub(crate) connections_closed: u64,
    pub(crate) connections_created: u64,
    pub(crate) flush: Level,
    pub(crate) incoming_bytes: u64,
    pub(crate) metadata_at: Option<Instant>,
    pub(crate) metadata_wait: Level,
    pub(crate) network_io: u64,
    /// Bytes of records as sent, batch headers not counted.
    pub(crate) packed_bytes: u64,
    /// The same before compression.
    pub(crate) plain_bytes: u64,
    pub(crate) produce_requests: u64,
    /// Microseconds from the drain of a batch back to its opening.
    pub(crate) queue_time: Stat,
    pub(crate) record_errors: u64,
    /// Microseconds from the opening of a batch to its acknowledgement, for each record.
    pub(crate) record_latency: Spread,
    pub(crate) record_retries: u64,
    /// Those that were never accepted.
    pub(crate) records_refused: u64,
    pub(crate) records_sent: u64,
    /// Microseconds from a Produce request to its answer.
    pub(crate) request_latency: Spread,
    pub(crate) request_size: Stat,
    pub(crate) responses: u64,
    /// Microseconds, of every answer to Produce.
    pub(crate) throttle_time: Stat,
}

/// The counts of a broker, or of an address of `bootstrap.servers`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NodeCounts {
    pub(crate) incoming_bytes: u64,
    pub(crate) request_latency: Stat,
    pub(crate) request_size: Stat,
    pub(crate) responses: u64,
}

/// The counts of a topic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TopicCounts {
    /// Bytes of batches as sent.
    pub(crate) bytes: u64,
    pub(crate) packed_bytes: u64,
    pub(crate) plain_bytes: u64,
    pub(crate) record_errors: u64,
    pub(crate) record_retries: u64,
    pub(crate) records_sent: u64,
}

/// A batch on its way out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drained {
    pub(crate) topic: TopicHandle,
    pub(crate) records: u32,
    /// Its records before compression.
    pub(crate) plain_bytes: usize,
    /// Its records as they go out.
    pub(crate) packed_bytes: usize,
    /// The whole batch.
    pub(crate) size: usize,
    /// Since it was opened.
    pub(crate) age: Duration,
}

impl Meter {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            began: now,
            counts: Counts::default(),
            nodes: BTreeMap::new(),
            topics: Vec::new(),
        }
    }

    /// A batch leaves, for the first time or again.
    pub(crate) fn on_drained(&mut self, now: Instant, batch: Drained) {
        let (plain, packed) = (batch.plain_bytes as u64, batch.packed_bytes as u64);
        let (records, size) = (u64::from(batch.records), batch.size as u64);
        let counts = &mut self.counts;
        counts.batch_size.record(now, size);
        counts.queue_time.record(now, micros(batch.age));
        counts.records_sent += records;
        counts.plain_bytes += plain;
        counts.packed_bytes += packed;
        let topic = self.topic(batch.topic);
        topic.records_sent += records;
        topic.bytes += size;
        topic.plain_bytes += plain;
        topic.packed_bytes += packed;
    }

    /// A batch was split.
    pub(crate) const fn on_split(&mut self) {
        self.counts.batch_splits += 1;
    }

    /// A Produce request is made.
    pub(crate) const fn on_produce(&mut self) {
        self.counts.produce_requests += 1;
    }

    /// A request of any kind is handed out to be written.
    pub(crate) fn on_request(&mut self, now: Instant, node: NodeId, size: usize) {
        self.counts.network_io += 1;
        self.counts.request_size.record(now, size as u64);
        let node = self.nodes.entry(node).or_default();
        node.request_size.record(now, size as u64);
    }

    /// Bytes came.
    pub(crate) fn on_bytes(&mut self, node: NodeId, bytes: usize) {
        self.counts.network_io += 1;
        self.counts.incoming_bytes += bytes as u64;
        self.nodes.entry(node).or_default().incoming_bytes += bytes as u64;
    }

    /// A request of any kind is answered.
    pub(crate) fn on_response(&mut self, node: NodeId) {
        self.counts.responses += 1;
        self.nodes.entry(node).or_default().responses += 1;
    }

    /// A Produce request is answered.
    pub(crate) fn on_produce_response(&mut self, now: Instant, node: NodeId, latency: Duration) {
        let latency = micros(latency);
        self.counts.request_latency.record_many(now, latency, 1);
        let node = self.nodes.entry(node).or_default();
        node.request_latency.record(now, latency);
    }

    /// The answer to a Produce request says how long the broker asks for peace, which may be 0.
    pub(crate) fn on_throttle_time(&mut self, now: Instant, millis: i32) {
        let millis = u64::try_from(millis).unwrap_or(0);
        self.counts.throttle_time.record(now, millis * 1000);
    }

    /// Records are in a log; `latency` is that of the one that has waited longest.
    pub(crate) fn on_acknowledged(&mut self, now: Instant, records: u32, latency: Duration) {
        let latency = micros(latency);
        let records = u64::from(records);
        self.counts
            .record_latency
            .record_many(now, latency, records);
    }

    /// Records go again.
    pub(crate) fn on_retry(&mut self, topic: TopicHandle, records: u32) {
        self.counts.record_retries += u64::from(records);
        self.topic(topic).record_retries += u64::from(records);
    }

    /// Accepted records have failed.
    pub(crate) fn on_failed(&mut self, topic: TopicHandle, records: u32) {
        self.counts.record_errors += u64::from(records);
        self.topic(topic).record_errors += u64::from(records);
    }

    /// A record was refused: no topic is to blame.
    pub(crate) const fn on_refused(&mut self) {
        self.counts.record_errors += 1;
        self.counts.records_refused += 1;
    }

    /// Somebody has waited for room in vain.
    pub(crate) const fn on_exhausted(&mut self) {
        self.counts.buffer_exhausted += 1;
        self.on_refused();
    }

    pub(crate) const fn on_connected(&mut self) {
        self.counts.connections_created += 1;
    }

    pub(crate) const fn on_closed(&mut self) {
        self.counts.connections_closed += 1;
    }

    /// The cluster has described itself.
    pub(crate) const fn on_metadata(&mut self, now: Instant) {
        self.counts.metadata_at = Some(now);
    }

    /// How many wait from now on: for room, for a topic, for a flush.
    #[inline]
    pub(crate) fn on_waiting(&mut self, now: Instant, waiting: Waiting) {
        let pairs = [
            (&mut self.counts.buffer_wait, waiting.space),
            (&mut self.counts.metadata_wait, waiting.topics),
            (&mut self.counts.flush, waiting.flushes),
        ];
        for (level, waiting) in pairs {
            if 0 < waiting || !level.is_zero() {
                level.set(now, waiting);
            }
        }
    }

    fn topic(&mut self, topic: TopicHandle) -> &mut TopicCounts {
        let index = topic.0 as usize;
        if self.topics.len() <= index {
            self.topics.resize(index + 1, TopicCounts::default());
        }
        &mut self.topics[index]
    }
}

/// How many wait, by what for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    pub(crate) space: usize,
    pub(crate) topics: usize,
    pub(crate) flushes: usize,
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

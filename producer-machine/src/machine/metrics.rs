//! What is counted where: the machine's side of `metrics`.

use alloc::sync::Arc;

use kafka_producer_proto::batch::HEADER_LEN;

use super::ProducerMachine;
use crate::accumulator::{Batch, BatchKey};
use crate::brokers::NodeId;
use crate::metrics::{Drained, Facts, Gauges, Waiting};
use crate::{Instant, Metrics, TopicHandle};

impl ProducerMachine {
    /// A snapshot of all metrics: a copy of the counts of the producer, its brokers and topics.
    pub fn metrics(&self, now: Instant) -> Metrics {
        self.meter.snapshot(self.now.max(now), self)
    }

    /// A batch has left.
    pub(super) fn count_drained(&mut self, now: Instant, key: BatchKey) {
        let batch = &self.accumulator.batches[key.0 as usize];
        let records = batch.stage().records();
        let packed_bytes = records.map_or(0, |records| records.body.len());
        let drained = Drained {
            topic: self.accumulator.partitions[batch.partition.0 as usize].topic,
            records: batch.count,
            plain_bytes: batch.plain_bytes,
            packed_bytes,
            size: HEADER_LEN + packed_bytes,
            age: now.since(self.opened_at(batch)),
        };
        self.meter.on_drained(now, drained);
    }

    /// A batch is in the log.
    pub(super) fn count_acknowledged(&mut self, now: Instant, key: BatchKey) {
        let batch = &self.accumulator.batches[key.0 as usize];
        let latency = now.since(self.opened_at(batch));
        self.meter.on_acknowledged(now, batch.count, latency);
    }

    /// A batch goes again.
    pub(super) fn count_retry(&mut self, key: BatchKey) {
        let batch = &self.accumulator.batches[key.0 as usize];
        let partition = &self.accumulator.partitions[batch.partition.0 as usize];
        self.meter.on_retry(partition.topic, batch.count);
    }

    /// A batch has failed.
    pub(super) fn count_failed(&mut self, key: BatchKey) {
        let batch = &self.accumulator.batches[key.0 as usize];
        let partition = &self.accumulator.partitions[batch.partition.0 as usize];
        self.meter.on_failed(partition.topic, batch.count);
    }

    /// Who waits has waited until now.
    #[inline]
    pub(super) fn count_waiting(&mut self, now: Instant) {
        let waiting = Waiting {
            space: self.waiters.waiting_for_space(),
            topics: self.waiters.waiting_for_topics(),
            flushes: self.flushes.len(),
        };
        self.meter.on_waiting(now, waiting);
    }

    /// When the oldest record of a batch was accepted: its deadline counts from then.
    fn opened_at(&self, batch: &Batch) -> Instant {
        batch.deadline - self.config.delivery_timeout
    }
}

impl Facts for ProducerMachine {
    fn client_id(&self) -> Arc<str> {
        Arc::clone(&self.config.client_id)
    }

    fn gauges(&self) -> Gauges {
        let connections = self.brokers.connections.values();
        let standing = connections.filter(|c| !c.is_connecting());
        Gauges {
            buffer_available: self.accumulator.budget.available(),
            buffer_total: self.config.buffer_memory,
            connections: standing.count(),
            started_unix_ms: None,
            waiting: self.waiters.waiting_for_space(),
        }
    }

    fn requests_in_flight(&self, node: NodeId) -> usize {
        self.brokers
            .lanes_of(node)
            .filter_map(|lane| self.brokers.lane(lane)?.connection)
            .map(|connection| self.in_flight(connection))
            .sum()
    }

    fn topic_name(&self, topic: TopicHandle) -> Option<Arc<str>> {
        self.topic_name(topic)
    }
}

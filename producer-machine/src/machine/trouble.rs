//! What stood in the way of records that were not delivered in time: for errors and explanations.

use alloc::sync::Arc;

use super::ProducerMachine;
use crate::TopicHandle;
use crate::accumulator::{Batch, Stage};
use crate::connection::Connection;
use crate::error::{DisconnectReason, ProduceError};

impl ProducerMachine {
    /// The error of a batch whose `delivery.timeout.ms` is over.
    pub(super) fn timed_out(&self, batch: &Batch) -> ProduceError {
        ProduceError::TimedOut {
            attempts: batch.attempts,
            last: batch.last_error,
            trouble: self.trouble_of(batch),
        }
    }

    /// Silence, no leader, or how its leader was lost since the batch was opened.
    fn trouble_of(&self, batch: &Batch) -> Option<Arc<str>> {
        let partition = &self.accumulator.partitions[batch.partition.0 as usize];
        if let Stage::InFlight(_) = batch.stage() {
            let connection = self.brokers.connections.get(&partition.connection?)?;
            let address = &connection.address;
            return Some(Arc::from(alloc::format!(
                "{address} did not answer the last one"
            )));
        }
        let Some(leader) = partition.leader else {
            return Some(match self.partitions(partition.topic) {
                Some(count) if count <= partition.index => Arc::from(alloc::format!(
                    "the topic was created anew with fewer partitions, it has {count}"
                )),
                Some(_) | None => Arc::from("the partition has no leader"),
            });
        };
        let broker = self.brokers.all().get(&leader)?;
        let loss = broker.last_loss.as_ref()?;
        let is_recent = batch.deadline <= loss.at + self.config.delivery_timeout;
        (is_recent && !is_ours(&loss.reason)).then(|| in_words(&broker.address(), &loss.reason))
    }

    /// The error of records that were held for too long.
    pub(super) fn unplaced(&self, topic: TopicHandle) -> Option<ProduceError> {
        let setting = self.hold_setting();
        Some(match self.blackout().or_else(|| self.silence_so_far()) {
            // No broker has ever told anything: the topic is not to blame.
            Some(trouble) => ProduceError::Unreachable { trouble, setting },
            None => ProduceError::TopicUnknown {
                topic: self.topic_name(topic)?,
                partition: None,
                count: self.partitions(topic),
                setting,
            },
        })
    }

    /// The setting that bounds how long a record is held.
    pub(super) fn hold_setting(&self) -> &'static str {
        if self.config.delivery_timeout < self.config.max_block {
            "delivery.timeout.ms"
        } else {
            "max.block.ms"
        }
    }

    /// The last trouble with a connection, if no broker has ever told anything.
    pub(super) fn blackout(&self) -> Option<Arc<str>> {
        let informed = self.metadata.is_informed();
        self.trouble.as_ref().filter(|_| !informed).map(Arc::clone)
    }

    /// What is waited for, if no broker has ever told anything and nothing has failed either: a
    /// host that drops what it is sent refuses nothing.
    fn silence_so_far(&self) -> Option<Arc<str>> {
        let mut connections = self.brokers.connections.values();
        if self.metadata.is_informed() || connections.any(Connection::is_ready) {
            return None;
        }
        let Some(connection) = self.brokers.connections.values().next() else {
            return Some(Arc::from("none was connected to"));
        };
        let address = &connection.address;
        Some(Arc::from(if connection.is_connecting() {
            alloc::format!("{address}: not connected yet")
        } else {
            alloc::format!("{address}: no answer yet")
        }))
    }

    /// A connection was lost, or could not be made.
    pub(super) fn remember_trouble(&mut self, address: &str, reason: &DisconnectReason) {
        if !is_ours(reason) {
            self.trouble = Some(in_words(address, reason));
        }
    }
}

/// Whether it was this producer that wanted it: no trouble.
const fn is_ours(reason: &DisconnectReason) -> bool {
    matches!(reason, DisconnectReason::Asked | DisconnectReason::Idle)
}

fn in_words(address: &str, reason: &DisconnectReason) -> Arc<str> {
    Arc::from(alloc::format!("{address}: {reason}"))
}

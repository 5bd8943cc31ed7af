//! What follows when the numbers of a partition hold no more (`DESIGN.md` §3.4, KIP-360): the
//! broker does not know them, the topic was created anew, a new epoch is due.
//!
//! ```text
//! 45, 59 ──> another one goes first ─────────────> again, unchanged
//!        ├─> known not to be written ────────────> a new number, under the next epoch
//!        └─> in doubt ──> once more after a refresh of metadata ──> the end, MaybeWritten
//! ```
//!
//! If that proves that acknowledged records are gone, `data.loss` decides whether to go on (D11).

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::ProducerMachine;
use super::receive::Answer;
use crate::accumulator::{BatchKey, PartitionKey, Resolution};
use crate::config::{DataLoss, UnknownFate};
use crate::error::ProduceError;
use crate::event::Notice;
use crate::idempotence::{Bumped, Denial, Identity};
use crate::{ErrorCode, Instant, TopicHandle};

impl ProducerMachine {
    /// The broker does not know the batch's sequence: OUT_OF_ORDER_SEQUENCE_NUMBER, or
    /// UNKNOWN_PRODUCER_ID of brokers up to 2.4. Gives the code if it stops the producer.
    pub(super) fn on_out_of_sequence(
        &mut self,
        now: Instant,
        key: BatchKey,
        answer: &Answer,
    ) -> Option<ErrorCode> {
        let code = answer.code;
        let log_start = (code == ErrorCode::UNKNOWN_PRODUCER_ID).then_some(answer.log_start_offset);
        let unknown_log_start = log_start.is_some_and(|start| start < 0);
        if unknown_log_start || self.accumulator.follows_another(key) {
            // An earlier batch goes first, and this one after it, unchanged.
            self.retry_or_fail(now, key, code);
            return None;
        }
        let resolution = match self.config.unknown_fate {
            // What follows a failed batch is not written anew, or it would stand without it.
            UnknownFate::Rewrite if !self.follows_failed(key) => Resolution::Renumber,
            UnknownFate::Report | UnknownFate::Rewrite => self
                .accumulator
                .on_unknown_sequence(key, self.metadata.refreshes()),
        };
        if resolution == Resolution::AskElsewhere {
            self.ask_elsewhere(now, key, code);
            return None;
        }
        let partition = self.accumulator.batches[key.0 as usize].partition;
        let is_lost = self.accumulator.denied(key, log_start) == Denial::Lost;
        let stops = is_lost && self.config.data_loss == DataLoss::Stop;
        if is_lost || resolution == Resolution::GiveUp {
            self.tell_loss(partition);
        }
        if stops || resolution == Resolution::GiveUp {
            let message = answer.message.clone();
            self.fail(key, ProduceError::Broker { code, message });
            self.accumulator.suspect_loss(partition);
        } else {
            self.renumber(now, key, code);
        }
        stops.then_some(code)
    }

    /// Metadata may be old, and this broker the wrong one to ask: once more after a refresh.
    fn ask_elsewhere(&mut self, now: Instant, key: BatchKey, code: ErrorCode) {
        self.metadata.refresh(now, &mut self.jitter);
        self.service_control(now);
        self.retry_or_fail(now, key, code);
    }

    fn tell_loss(&mut self, key: PartitionKey) {
        let partition = &self.accumulator.partitions[key.0 as usize];
        let index = partition.index;
        if let Some(view) = self.metadata.topic(partition.topic) {
            let topic = Arc::clone(&view.name);
            self.notice(Notice::DataLossSuspected {
                topic,
                partition: index,
            });
        }
    }

    /// A batch that was handed out for the former topic is never sent to the new one, unless it
    /// is known not to be written (`DESIGN.md` §3.10).
    pub(super) fn leave_former_topic(&mut self, now: Instant, key: BatchKey, code: ErrorCode) {
        if self.accumulator.batches[key.0 as usize].is_in_doubt() {
            let code = ErrorCode::UNKNOWN_TOPIC_ID;
            let message = None;
            self.fail(key, ProduceError::Broker { code, message });
        } else {
            self.renumber(now, key, code);
        }
    }

    /// The topic was created anew: what was handed out belongs to the former one.
    pub(super) fn on_recreated(&mut self, now: Instant, topic: TopicHandle) {
        let Some(view) = self.metadata.topic(topic) else {
            return;
        };
        let keys: Vec<PartitionKey> = view.used_partitions().collect();
        for key in keys {
            for batch in self.accumulator.recreate(key) {
                // One that fails may take those behind it along.
                if !self.accumulator.batches.contains(batch.0 as usize) {
                    continue;
                }
                self.take_out(batch);
                self.leave_former_topic(now, batch, ErrorCode::UNKNOWN_TOPIC_ID);
            }
        }
    }

    /// The batch is not in the log: it gives its number back, and gets one of the next epoch
    /// once nothing else of its partition is outstanding.
    fn renumber(&mut self, now: Instant, key: BatchKey, code: ErrorCode) {
        self.retry_or_fail(now, key, code);
        if self.accumulator.batches.contains(key.0 as usize) {
            self.accumulator.renumber(key);
        }
    }

    /// Leaves an identity behind, for the whole producer; other partitions follow when nothing
    /// of theirs is outstanding (KAFKA-12152).
    pub(super) fn bump(&mut self, now: Instant, old: Identity) {
        match self.session.bump(now, old) {
            Bumped::Already => {}
            Bumped::Epoch(identity) => self.tell_bumped(identity),
            Bumped::Exhausted => self.service_control(now),
        }
    }

    pub(super) fn tell_bumped(&mut self, identity: Identity) {
        self.notice(Notice::EpochBumped {
            producer_id: identity.producer_id,
            producer_epoch: identity.producer_epoch,
        });
    }
}

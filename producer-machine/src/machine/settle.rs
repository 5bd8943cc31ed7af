//! How batches end, or go again: answers, losses, deadlines.
//!
//! Every accepted record is resolved exactly once, and truthfully: `NotWritten` only where every
//! attempt was answered with a definite no. A batch in doubt keeps its number until it ends;
//! only batches known not to be written are numbered anew (`DESIGN.md` §3.4).

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

use kafka_producer_proto::ErrorCode;
use kafka_producer_proto::compression::Codec;

use super::ProducerMachine;
use super::receive::Answer;
use super::timers::Timer;
use crate::accumulator::{BatchKey, Chunk, Proof, Run, Stage};
use crate::action::Action;
use crate::config::Guarantee;
use crate::connection::{Connection, What};
use crate::error::{DisconnectReason, ProduceError};
use crate::event::{Event, Failed, FailedRecords, Notice, Outcome, Written};
use crate::frame::Body;
use crate::produce::{self, Verdict};
use crate::{ConnectionId, Instant, TopicHandle};

impl ProducerMachine {
    /// The request of a batch has ended, with this answer. Gives the code if it kills the
    /// producer, for the caller to act on when all answers are told.
    pub(super) fn settle(
        &mut self,
        now: Instant,
        key: BatchKey,
        answer: Answer,
    ) -> Option<ErrorCode> {
        let batch = self.accumulator.batches.get(key.0 as usize)?;
        let partition = batch.partition;
        let abandoned = batch.stage().is_abandoned();
        let code = answer.code;
        let verdict = self.judge(code);
        let success = matches!(verdict, Verdict::Acknowledge | Verdict::AcknowledgeUnplaced);
        let proof = if success || produce::proves_unwritten(code) {
            Proof::Sure
        } else {
            Proof::None
        };
        self.accumulator.arrive(key, Some(code), proof);
        if !success {
            let topic = self.accumulator.partitions[partition.0 as usize].topic;
            self.metadata.touch(now, topic);
        }
        if code.refreshes_metadata() {
            self.metadata.refresh(now, &mut self.jitter);
            self.service_control(now);
        }
        match verdict {
            Verdict::Acknowledge | Verdict::AcknowledgeUnplaced => {
                self.acknowledge(now, key, verdict, &answer);
            }
            _ if abandoned => self.end_abandoned(key),
            Verdict::Refuse | Verdict::RefuseProducer => {
                let message = answer.message;
                self.fail(key, ProduceError::Broker { code, message });
            }
            _ if self.accumulator.is_of_former_topic(key) => {
                self.leave_former_topic(now, key, code);
            }
            Verdict::Split => self.split_or_fail(now, key, answer.message),
            Verdict::OutOfSequence => self.on_out_of_sequence(now, key, &answer),
            Verdict::Retry => self.retry_or_fail(now, key, code),
        }
        self.reconsider(now, partition);
        // The answer to a batch that was given up changes nothing (E86).
        (verdict == Verdict::RefuseProducer && !abandoned).then_some(code)
    }

    /// What kills an idempotent producer costs a plain one only the batch.
    fn judge(&self, code: ErrorCode) -> Verdict {
        match produce::verdict(code) {
            Verdict::RefuseProducer if self.config.guarantee != Guarantee::Idempotent => {
                Verdict::Refuse
            }
            verdict => verdict,
        }
    }

    fn acknowledge(&mut self, now: Instant, key: BatchKey, verdict: Verdict, answer: &Answer) {
        self.accumulator.acknowledge(key);
        let batch = &self.accumulator.batches[key.0 as usize];
        let partition = &self.accumulator.partitions[batch.partition.0 as usize];
        // Offsets that no log can have are as good as none: nobody adds to them and overflows.
        let end = answer.base_offset.checked_add(i64::from(batch.count));
        let placed = verdict == Verdict::Acknowledge && 0 <= answer.base_offset && end.is_some();
        let written = Written {
            topic: partition.topic,
            partition: partition.index,
            base_offset: placed.then_some(answer.base_offset),
            log_append_time: Some(answer.log_append_time).filter(|&time| 0 <= time),
        };
        if !batch.stage().is_abandoned() {
            self.count_acknowledged(now, key);
            self.tell_written(key, written);
        }
        self.remove(key);
    }

    /// Under acks=0 the frame was written: that counts as delivered, offset unknown.
    pub(super) fn on_sent_unanswered(&mut self, now: Instant, key: BatchKey) {
        let Some(batch) = self.accumulator.batches.get(key.0 as usize) else {
            return;
        };
        let partition = batch.partition;
        self.accumulator.arrive(key, None, Proof::Sure);
        self.acknowledge(
            now,
            key,
            Verdict::AcknowledgeUnplaced,
            &Answer::none(ErrorCode::NONE),
        );
        self.reconsider(now, partition);
    }

    /// A batch that was given up in flight: nobody is told, but its number ends here.
    fn end_abandoned(&mut self, key: BatchKey) {
        self.accumulator.give_up(key);
        self.accumulator.remove(key);
    }

    /// Once more, after a backoff, unless time or tries are used up.
    pub(super) fn retry_or_fail(&mut self, now: Instant, key: BatchKey, code: ErrorCode) {
        let batch = &self.accumulator.batches[key.0 as usize];
        if batch.deadline <= now {
            self.fail(key, self.timed_out(batch));
        } else if self.config.retries < batch.attempts {
            let attempts = batch.attempts;
            self.fail(
                key,
                ProduceError::RetriesExhausted {
                    attempts,
                    last: code,
                },
            );
        } else {
            self.retry(now, key, code);
        }
    }

    fn retry(&mut self, now: Instant, key: BatchKey, code: ErrorCode) {
        let batch = &self.accumulator.batches[key.0 as usize];
        let (partition, attempts) = (batch.partition, batch.attempts);
        let delay = self
            .retry
            .delay(attempts.saturating_sub(1), &mut self.jitter);
        self.count_retry(key);
        self.accumulator.requeue(now, key, now + delay);
        let partition = &self.accumulator.partitions[partition.0 as usize];
        let (topic, index) = (partition.topic, partition.index);
        if let Some(view) = self.metadata.topic(topic) {
            let topic = Arc::clone(&view.name);
            self.notice(Notice::Retrying {
                topic,
                partition: index,
                attempts,
                error: code,
            });
        }
    }

    /// A batch that is in no queue and not in flight fails.
    pub(super) fn fail(&mut self, key: BatchKey, error: ProduceError) {
        if self.accumulator.batches.contains(key.0 as usize) {
            self.accumulator.give_up(key);
            self.tell_failed(key, error);
            self.remove(key);
        }
    }

    /// A batch in flight fails; its request goes on.
    pub(super) fn abandon(&mut self, key: BatchKey, error: ProduceError) {
        self.accumulator.abandon(key);
        let batch = &self.accumulator.batches[key.0 as usize];
        self.timers
            .disarm(batch.deadline, Timer::Delivery(batch.serial, key));
        self.tell_failed(key, error);
    }

    /// `delivery.timeout.ms` is over.
    pub(super) fn expire(&mut self, now: Instant, key: BatchKey) {
        let Some(batch) = self.accumulator.batches.get(key.0 as usize) else {
            return;
        };
        let partition = batch.partition;
        let error = self.timed_out(batch);
        match batch.stage() {
            Stage::Abandoned(_) => {}
            Stage::Compressing(..) | Stage::Open | Stage::Queued(_) => {
                self.take_out(key);
                self.fail(key, error);
            }
            Stage::InFlight(_) => self.abandon(key, error),
        }
        self.reconsider(now, partition);
    }

    /// Takes a batch that is not in flight out of its partition, closing it if it is open.
    pub(super) fn take_out(&mut self, key: BatchKey) {
        let batch = &self.accumulator.batches[key.0 as usize];
        let (partition, serial, linger_at) = (batch.partition, batch.serial, batch.linger_at);
        if let Stage::Open = batch.stage() {
            self.timers.disarm(linger_at, Timer::Linger(serial, key));
            self.accumulator.close_open(partition);
        }
        self.accumulator.partitions[partition.0 as usize].dequeue(key);
    }

    /// Releases the memory of a batch that has been told of.
    fn remove(&mut self, key: BatchKey) {
        if let Some(batch) = self.accumulator.remove(key) {
            self.timers
                .disarm(batch.deadline, Timer::Delivery(batch.serial, key));
        }
    }

    fn tell_written(&mut self, key: BatchKey, written: Written) {
        let batch = &self.accumulator.batches[key.0 as usize];
        for (place, group, records) in batch.placed_runs() {
            let count = records.end - records.start;
            let last = self.accumulator.groups.resolve(group, count);
            let base_offset = written.base_offset.map(|base| base + i64::from(place));
            let result = Ok(Written {
                base_offset,
                ..written
            });
            self.events.push_back(Event::Completed {
                group,
                records,
                result,
                last,
            });
        }
        self.accumulator.resolved(key);
    }

    pub(super) fn tell_failed(&mut self, key: BatchKey, error: ProduceError) {
        self.count_failed(key);
        let batch = &self.accumulator.batches[key.0 as usize];
        let partition = &self.accumulator.partitions[batch.partition.0 as usize];
        let (body, codec) = batch.stage().records().map_or_else(
            || (Body::default(), Codec::None),
            |records| (Arc::clone(&records.body), records.codec),
        );
        let outcome = if batch.is_in_doubt() {
            Outcome::MaybeWritten
        } else {
            Outcome::NotWritten
        };
        let failed = Failed {
            error,
            outcome,
            topic: partition.topic,
            partition: Some(partition.index),
            records: FailedRecords {
                body,
                codec,
                base_timestamp: batch.base_timestamp,
                first: 0,
            },
        };
        let runs: Vec<Run> = batch.runs.as_slice().to_vec();
        self.accumulator.resolved(key);
        self.tell_runs_failed(&runs, &failed);
    }

    fn tell_runs_failed(&mut self, runs: &[Run], failed: &Failed) {
        let mut first = failed.records.first;
        for run in runs {
            let records = FailedRecords {
                first,
                ..failed.records.clone()
            };
            let failed = Arc::new(Failed {
                records,
                ..failed.clone()
            });
            let last = self.accumulator.groups.resolve(run.group, run.count);
            self.events.push_back(Event::Completed {
                group: run.group,
                records: run.first..run.first + run.count,
                result: Err(failed),
                last,
            });
            first += run.count;
        }
    }

    /// Records that never got a partition fail.
    pub(super) fn fail_chunks(
        &mut self,
        topic: TopicHandle,
        chunks: impl IntoIterator<Item = Chunk>,
        error: &ProduceError,
    ) {
        for chunk in chunks {
            let (serial, charge) = (chunk.serial, chunk.charge);
            let (closed, partitions, runs) = chunk.into_parts();
            let mut records = FailedRecords {
                body: Arc::new(closed.records),
                codec: Codec::None,
                base_timestamp: closed.base_timestamp,
                first: 0,
            };
            self.accumulator.release_chunk(serial, charge);
            self.meter.on_failed(topic, partitions.len() as u32);
            for (partition, run) in Chunk::by_partition(runs.as_slice(), &partitions) {
                let mut error = error.clone();
                if let ProduceError::TopicUnknown { partition: of, .. } = &mut error {
                    *of = partition;
                }
                let failed = Failed {
                    error,
                    outcome: Outcome::NotWritten,
                    topic,
                    partition,
                    records: records.clone(),
                };
                self.tell_runs_failed(&[run], &failed);
                records.first += run.count;
            }
        }
    }

    /// `max.block.ms` of held records is over.
    pub(super) fn expire_held(&mut self, now: Instant, topic: TopicHandle) {
        let expired = self.accumulator.take_expired(now, topic);
        if let Some(deadline) = self.accumulator.held_deadline(topic) {
            self.timers.arm(deadline, Timer::Held(topic));
        }
        if let Some(error) = self.unplaced(topic) {
            self.fail_chunks(topic, expired, &error);
        }
    }

    /// The cluster refuses the topic: what waits for it fails.
    pub(super) fn refuse_held(&mut self, topic: TopicHandle) {
        let Some(code) = self.topic_error(topic) else {
            return;
        };
        if let Some(deadline) = self.accumulator.held_deadline(topic) {
            self.timers.disarm(deadline, Timer::Held(topic));
        }
        let held: VecDeque<Chunk> = self.accumulator.take_held(topic);
        self.fail_chunks(
            topic,
            held,
            &ProduceError::Broker {
                code,
                message: None,
            },
        );
    }

    /// The machine gives a connection up.
    pub(super) fn disconnect(&mut self, now: Instant, id: ConnectionId, reason: DisconnectReason) {
        let Some(connection) = self.brokers.connections.get(&id) else {
            return;
        };
        if connection.is_writing() {
            let frame = connection.last_frame();
            self.accumulator.lend_to_frame(id, frame);
        }
        self.actions
            .push_back(Action::Disconnect { connection: id });
        self.on_lost(now, id, reason);
    }

    /// A connection has ended: what was in flight on it ends in the order it was sent, each
    /// batch in doubt, for any prefix may have been executed.
    pub(super) fn on_lost(&mut self, now: Instant, id: ConnectionId, reason: DisconnectReason) {
        let Some(mut connection) = self.brokers.remove(now, id, &mut self.jitter) else {
            return;
        };
        let timer = Timer::Connection(id);
        connection.alarm.clear(timer, &mut self.timers);
        if !connection.is_connecting() {
            self.meter.on_closed();
        }
        self.timers
            .disarm(connection.throttled_until, Timer::Throttle(id));
        let Connection {
            lane,
            address,
            in_flight,
            unanswered,
            ..
        } = connection;
        let code = match reason {
            DisconnectReason::RequestTimeout => ErrorCode::REQUEST_TIMED_OUT,
            _ => ErrorCode::NETWORK_EXCEPTION,
        };
        let broker = lane.node.broker();
        self.brokers.lose(now, lane.node, &reason);
        self.remember_trouble(&address, &reason);
        let has_idled = reason == DisconnectReason::Idle;
        self.notice(Notice::Disconnected {
            connection: id,
            broker,
            address,
            reason,
        });
        // Idling says nothing about the cluster, and a refresh would open the next connection.
        if !self.is_over() && !has_idled {
            self.metadata.refresh(now, &mut self.jitter);
        }
        for sent in in_flight {
            match sent.what {
                What::ApiVersions => {}
                What::InitProducerId => self.ask_identity_later(now),
                What::Metadata => self.metadata.failed(now, &mut self.jitter),
                What::Produce { batches, .. } => {
                    for sent in batches {
                        self.settle(now, sent.batch, Answer::none(code));
                    }
                }
            }
        }
        for batch in unanswered {
            self.lose_unanswered(now, batch, code);
        }
        self.connect_if_wanted(now, lane.node);
    }

    /// Under acks=0 a frame whose writing was cut short is not sent again: that could write its
    /// records twice, which acks=0 promises not to.
    fn lose_unanswered(&mut self, now: Instant, key: BatchKey, code: ErrorCode) {
        let Some(batch) = self.accumulator.batches.get(key.0 as usize) else {
            return;
        };
        let (partition, attempts) = (batch.partition, batch.attempts);
        let abandoned = batch.stage().is_abandoned();
        self.accumulator.arrive(key, Some(code), Proof::None);
        if abandoned {
            self.end_abandoned(key);
        } else {
            self.fail(
                key,
                ProduceError::RetriesExhausted {
                    attempts,
                    last: code,
                },
            );
        }
        self.reconsider(now, partition);
    }
}

//! How batches end, or go again.
//!
//! Every accepted record is resolved exactly once, and truthfully: `NotWritten` only where every
//! attempt was answered with a definite no. A batch in doubt keeps its number until it ends;
//! only batches known not to be written are numbered anew (`DESIGN.md` §3.4).

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;

use kafka_producer_proto::ErrorCode;
use kafka_producer_proto::compression::Codec;

use super::ProducerMachine;
use super::receive::Answer;
use super::timers::Timer;
use crate::Instant;
use crate::accumulator::{BatchKey, PartitionKey, Proof, Run, Runs, Serial, Stage};
use crate::config::{FailedBatch, Guarantee};
use crate::error::ProduceError;
use crate::event::{Event, Failed, FailedRecords, Notice, Outcome, Written};
use crate::frame::Body;
use crate::produce::{self, Scope, Verdict};

/// A batch whose failure others have to follow.
struct Root {
    partition: PartitionKey,
    serial: Serial,
    /// The name of its error.
    error: &'static str,
}

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
        // The answer to a batch that was given up changes nothing (E86).
        let is_fatal = verdict == Verdict::Refuse(Scope::Producer) && !abandoned;
        let mut fatal = is_fatal.then_some(code);
        match (verdict, self.may_not_follow(key)) {
            (Verdict::Acknowledge | Verdict::AcknowledgeUnplaced, _) => {
                self.acknowledge(now, key, verdict, &answer);
            }
            _ if abandoned => self.end_abandoned(key),
            (Verdict::Refuse(_), _) => {
                self.refuse_batch(key, code, answer.message, answer.blame);
            }
            (_, Some(earlier)) => self.fail(key, ProduceError::EarlierFailed { earlier }),
            _ if self.accumulator.is_of_former_topic(key) => {
                self.leave_former_topic(now, key, code);
            }
            (Verdict::Split, None) => self.split_or_fail(now, key, answer.message),
            (Verdict::OutOfSequence, None) => fatal = self.on_out_of_sequence(now, key, &answer),
            (Verdict::Retry, None) => self.retry_or_fail(now, key, code),
        }
        if fatal.is_none() {
            self.reconsider(now, partition);
        }
        fatal
    }

    /// What kills an idempotent producer costs a plain one only the batch.
    fn judge(&self, code: ErrorCode) -> Verdict {
        match produce::verdict(code) {
            Verdict::Refuse(_) if self.config.guarantee != Guarantee::Idempotent => {
                Verdict::Refuse(Scope::Batch)
            }
            verdict => verdict,
        }
    }

    fn acknowledge(&mut self, now: Instant, key: BatchKey, verdict: Verdict, answer: &Answer) {
        let batch = &self.accumulator.batches[key.0 as usize];
        // Offsets that no log can have are as good as none: nobody adds to them and overflows.
        let end = answer.base_offset.checked_add(i64::from(batch.count));
        let placed = verdict == Verdict::Acknowledge && 0 <= answer.base_offset && end.is_some();
        let base_offset = placed.then_some(answer.base_offset);
        self.accumulator.acknowledge(now, key, base_offset);
        let batch = &self.accumulator.batches[key.0 as usize];
        let partition = &self.accumulator.partitions[batch.partition.0 as usize];
        let written = Written {
            topic: partition.topic,
            partition: partition.index,
            base_offset,
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
        if let Some(batch) = self.accumulator.batches.get(key.0 as usize) {
            let all = 0..batch.count;
            self.fail_each(key, alloc::vec![(all, error)]);
        }
    }

    /// As `fail`, with an error for each of these places, which are all of the batch.
    pub(super) fn fail_each(&mut self, key: BatchKey, fates: Vec<(Range<u32>, ProduceError)>) {
        let earlier = fates.first().map_or("", |(_, error)| error.name());
        let root = self.root_of_failure(key, earlier);
        self.end_failed(key, fates);
        self.fail_later(root);
    }

    /// As `fail_each`, whatever follows.
    pub(super) fn end_failed(&mut self, key: BatchKey, fates: Vec<(Range<u32>, ProduceError)>) {
        self.accumulator.give_up(key);
        self.tell_failed(key, fates);
        self.remove(key);
    }

    /// A batch in flight fails; its request goes on.
    pub(super) fn abandon(&mut self, key: BatchKey, error: ProduceError) {
        let root = self.root_of_failure(key, error.name());
        self.abandon_alone(key, error);
        self.fail_later(root);
    }

    /// As `abandon`, whatever follows.
    pub(super) fn abandon_alone(&mut self, key: BatchKey, error: ProduceError) {
        self.accumulator.abandon(key);
        let batch = &self.accumulator.batches[key.0 as usize];
        self.timers
            .disarm(batch.deadline, Timer::Delivery(batch.serial, key));
        let all = 0..batch.count;
        self.tell_failed(key, alloc::vec![(all, error)]);
    }

    /// What a failure means to later batches, if it means anything: one that follows a failure
    /// itself adds nothing to it, or records that were sent with that in view would fail, too.
    fn root_of_failure(&self, key: BatchKey, error: &'static str) -> Option<Root> {
        let batch = &self.accumulator.batches[key.0 as usize];
        let is_root = self.config.failed_batch == FailedBatch::FailLater
            && self.accumulator.condemned_by(key).is_none();
        is_root.then_some(Root {
            partition: batch.partition,
            serial: batch.serial,
            error,
        })
    }

    /// Under `failed.batch=fail_later` what is behind a failed batch fails, too (D14).
    fn fail_later(&mut self, root: Option<Root>) {
        let Some(root) = root else {
            return;
        };
        let (partition, earlier) = (root.partition, root.error);
        for later in self.accumulator.condemn(partition, root.serial, earlier) {
            self.steps.step();
            self.take_out(later);
            let all = 0..self.accumulator.batches[later.0 as usize].count;
            let error = ProduceError::EarlierFailed { earlier };
            self.end_failed(later, alloc::vec![(all, error)]);
        }
    }

    /// The name of the error of the failed batch that a batch follows which came back and is not
    /// written.
    fn may_not_follow(&self, key: BatchKey) -> Option<&'static str> {
        let batch = &self.accumulator.batches[key.0 as usize];
        if batch.is_in_doubt() {
            return None;
        }
        self.accumulator.condemned_by(key)
    }

    /// Whether a batch follows one that failed, and must not stand without it.
    pub(super) fn follows_failed(&self, key: BatchKey) -> bool {
        self.accumulator.condemned_by(key).is_some()
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

    fn tell_failed(&mut self, key: BatchKey, fates: Vec<(Range<u32>, ProduceError)>) {
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
        let (topic, index, base_timestamp) =
            (partition.topic, partition.index, batch.base_timestamp);
        let fates: Vec<(Runs, Failed)> = fates
            .into_iter()
            .map(|(places, error)| {
                let records = FailedRecords {
                    body: Arc::clone(&body),
                    codec,
                    base_timestamp,
                    first: places.start,
                };
                let failed = Failed {
                    error,
                    outcome,
                    topic,
                    partition: Some(index),
                    records,
                };
                (batch.runs.slice(places), failed)
            })
            .collect();
        self.accumulator.resolved(key);
        for (runs, failed) in fates {
            self.tell_runs_failed(runs.as_slice(), &failed);
        }
    }

    pub(super) fn tell_runs_failed(&mut self, runs: &[Run], failed: &Failed) {
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

    /// Under acks=0 a frame whose writing was cut short is not sent again: that could write its
    /// records twice, which acks=0 promises not to.
    pub(super) fn lose_unanswered(&mut self, now: Instant, key: BatchKey, code: ErrorCode) {
        let Some(batch) = self.accumulator.batches.get(key.0 as usize) else {
            return;
        };
        let partition = batch.partition;
        let abandoned = batch.stage().is_abandoned();
        self.accumulator.arrive(key, Some(code), Proof::None);
        if abandoned {
            self.end_abandoned(key);
        } else {
            let message = None;
            self.fail(key, ProduceError::Broker { code, message });
        }
        self.reconsider(now, partition);
    }
}

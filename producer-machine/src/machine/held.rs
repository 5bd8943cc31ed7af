//! The road of records whose topic or partition is not known yet.
//!
//! ```text
//! send ──hold──> chunks of the topic ──metadata──> placed in their batches, in order, so many
//!                        │                         in each call
//!                        └── max.block.ms, or the topic is refused ──> failed, NotWritten
//! ```

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use kafka_producer_proto::batch::{HEADER_LEN, Header, OpenBatch, RecordBody, RecordIter};
use kafka_producer_proto::compression::Codec;

use super::ProducerMachine;
use super::timers::Timer;
use crate::accumulator::{Chunk, Claim, PartitionKey, Run};
use crate::error::{ProduceError, SendError, Shortage};
use crate::event::{Failed, FailedRecords, Outcome};
use crate::partitioner::{Choice, Missing};
use crate::split::header_of;
use crate::time::TICK;
use crate::{Instant, Receipt, TopicHandle};

/// Why a record that was held has no partition.
enum Stuck {
    /// The custom partitioner is at fault: it never will have one.
    Refused(String),
    /// It may appear; the one with this number, if it must be that.
    Waits(Option<u32>),
}

/// How many chunks of held records one call places: each is copied into its batches.
const CHUNKS_A_CALL: usize = 64;

impl ProducerMachine {
    pub(super) fn hold(
        &mut self,
        now: Instant,
        topic: TopicHandle,
        partition: Option<u32>,
        body: &RecordBody<'_>,
        claim: Claim,
    ) -> Result<Receipt, SendError> {
        let view = self.metadata.topic_mut(topic);
        if view.is_some_and(|view| view.lacks(partition)) {
            if self.partitions(topic).is_some() {
                self.metadata.want_more(now, topic, &mut self.jitter);
            } else {
                self.metadata.want(now, topic);
            }
        }
        let before = self.accumulator.held_deadline(topic);
        let result = self
            .accumulator
            .hold(now, topic, partition, body, self.hurry(), claim);
        if before.is_none() {
            if let Some(deadline) = self.accumulator.held_deadline(topic) {
                self.timers.arm(deadline, Timer::Held(topic));
            }
        }
        self.service_control(now);
        result.map_err(|bytes| {
            SendError::Full(Shortage {
                bytes,
                partition: None,
            })
        })
    }

    /// A topic is known, or has grown: its held records are to go to their partitions, in order.
    pub(super) fn begin_placing(&mut self, topic: TopicHandle) {
        if let Some(deadline) = self.accumulator.held_deadline(topic) {
            self.timers.disarm(deadline, Timer::Held(topic));
        }
        self.accumulator.begin_placing(topic);
    }

    /// Places some of the held records whose turn has come; what is left is due at once. Until
    /// all of a topic are placed, what is sent to it is held behind them.
    pub(super) fn place_some(&mut self, now: Instant) {
        for _ in 0..CHUNKS_A_CALL {
            let Some(topic) = self.accumulator.next_to_place() else {
                return;
            };
            self.steps.step();
            match self.accumulator.lift_held(topic) {
                Some(chunk) => self.place_chunk(now, topic, chunk),
                None => self.end_placing(topic),
            }
        }
        if self.accumulator.next_to_place().is_some() {
            self.timers.arm(now + TICK, Timer::Place);
        }
    }

    /// What could not be placed waits on.
    fn end_placing(&mut self, topic: TopicHandle) {
        if let Some(deadline) = self.accumulator.held_deadline(topic) {
            self.timers.arm(deadline, Timer::Held(topic));
        }
    }

    fn place_chunk(&mut self, now: Instant, topic: TopicHandle, chunk: Chunk) {
        let mut left = self.accumulator.chunk_like(&chunk);
        let (serial, charge, created) = (chunk.serial, chunk.charge, chunk.created);
        let (closed, partitions, runs) = chunk.into_parts();
        let receipts = Chunk::receipts(runs.as_slice());
        let records = RecordIter::new(&closed.records, closed.base_timestamp);
        for ((record, partition), receipt) in records.zip(partitions).zip(receipts) {
            // What we wrote ourselves can be read.
            let Ok(record) = record else { continue };
            let headers: Vec<Header<'_>> = record.headers.clone().map(header_of).collect();
            let body = RecordBody {
                timestamp: record.timestamp,
                key: record.key,
                value: record.value,
                headers: &headers,
            };
            match self.place_where(now, topic, partition, &body) {
                Ok(key) => {
                    let appended =
                        self.accumulator
                            .place(now, key, &body, receipt, serial.number, created);
                    self.on_appended(now, key, &appended);
                }
                Err(Stuck::Waits(partition)) => left.append_again(&body, partition, receipt),
                Err(Stuck::Refused(what)) => self.fail_held_record(topic, &body, receipt, what),
            }
        }
        if left.partitions.is_empty() {
            self.accumulator.end_lifted(serial, closed.records);
        } else {
            self.accumulator.hold_again(topic, charge, left);
        }
    }

    /// The partition of a record that was held, or why it has none.
    fn place_where(
        &mut self,
        now: Instant,
        topic: TopicHandle,
        partition: Option<u32>,
        body: &RecordBody<'_>,
    ) -> Result<PartitionKey, Stuck> {
        let waits = || Stuck::Waits(partition);
        let view = self.metadata.topic_mut(topic).ok_or_else(waits)?;
        let accumulator = &self.accumulator;
        let choice = self
            .chooser
            .choose(view, partition, body, accumulator, &mut self.random);
        let index = match choice {
            Choice::Fixed(index) | Choice::Sticky(index) => index,
            Choice::None(Missing::Named(index)) => return Err(Stuck::Waits(Some(index))),
            Choice::None(Missing::Fault(fault)) => {
                return Err(Stuck::Refused(fault.in_words(view)));
            }
        };
        let known = view.partitions.get(index as usize).ok_or_else(waits)?.key;
        let key = known.unwrap_or_else(|| self.first_use(topic, index));
        let Choice::Sticky(_) = choice else {
            return Ok(key);
        };
        let key = self.turn(now, topic, key, body).ok_or_else(waits)?;
        if let Some(view) = self.metadata.topic_mut(topic) {
            view.sticky.appended(body.upper_bound() - HEADER_LEN);
        }
        Ok(key)
    }

    /// The custom partitioner has no partition for a record that has its receipt already.
    fn fail_held_record(
        &mut self,
        topic: TopicHandle,
        body: &RecordBody<'_>,
        receipt: Receipt,
        what: String,
    ) {
        let mut records = OpenBatch::new(Vec::new());
        records.append(body);
        let closed = records.close();
        let failed = Failed {
            error: ProduceError::Partitioner(Arc::from(what)),
            outcome: Outcome::NotWritten,
            topic,
            partition: None,
            records: FailedRecords {
                body: Arc::new(closed.records),
                codec: Codec::None,
                base_timestamp: closed.base_timestamp,
                first: 0,
            },
        };
        let run = Run {
            group: receipt.group,
            first: receipt.index,
            count: 1,
        };
        self.meter.on_failed(topic, 1);
        self.tell_runs_failed(&[run], &failed);
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
        let message = None;
        self.fail_held(topic, &ProduceError::Broker { code, message });
    }

    /// All records that wait for a topic fail, of every topic.
    pub(super) fn fail_all_held(&mut self, error: &ProduceError) {
        let topics: Vec<TopicHandle> = self.accumulator.held.keys().copied().collect();
        for topic in topics {
            self.fail_held(topic, error);
        }
    }

    /// All records that wait for a topic fail.
    fn fail_held(&mut self, topic: TopicHandle, error: &ProduceError) {
        if let Some(deadline) = self.accumulator.held_deadline(topic) {
            self.timers.disarm(deadline, Timer::Held(topic));
        }
        let held = self.accumulator.take_held(topic);
        self.fail_chunks(topic, held, error);
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
}

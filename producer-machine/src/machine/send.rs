//! The road of a record into its batch, and of those who wait for room.

use alloc::sync::Arc;
use alloc::vec::Vec;

use kafka_producer_proto::ErrorCode;
use kafka_producer_proto::batch::{HEADER_LEN, Header, RecordBody, RecordIter};

use super::timers::Timer;
use super::{Life, ProducerMachine};
use crate::accumulator::{Appended, BatchKey, Chunk, Claim, PartitionKey};
use crate::error::{SendError, Shortage};
use crate::metadata::TopicView;
use crate::partitioner::{self, Choice};
use crate::record::Topic;
use crate::split::header_of;
use crate::{Instant, Receipt, Record, TopicHandle, WaiterId};

impl ProducerMachine {
    /// As [`Self::send`], with a timestamp beside the record: a driver that stamps records need
    /// not copy them for that. It counts instead of the record's own; −1 is Kafka's "none".
    ///
    /// # Errors
    /// See [`SendError`].
    #[inline]
    pub fn send_stamped(
        &mut self,
        now: Instant,
        timestamp: i64,
        record: &Record<'_>,
    ) -> Result<Receipt, SendError> {
        let now = self.tick(now);
        self.accept(now, timestamp, record, Claim::Newcomer)
    }

    /// As [`Self::send_reserved`], with a timestamp as in [`Self::send_stamped`].
    ///
    /// # Errors
    /// See [`SendError`].
    pub fn send_reserved_stamped(
        &mut self,
        now: Instant,
        waiter: WaiterId,
        timestamp: i64,
        record: &Record<'_>,
    ) -> Result<Receipt, SendError> {
        let now = self.tick(now);
        if !self.waiters.is_told(waiter) {
            return self.accept(now, timestamp, record, Claim::Newcomer);
        }
        let result = self.accept(now, timestamp, record, Claim::Waiter(waiter));
        if let Err(SendError::Full(shortage)) = &result {
            self.put_back(waiter, *shortage);
        }
        self.conclude(now);
        result
    }

    /// The room was not enough: what was reserved is free again, and the place is kept.
    fn put_back(&mut self, waiter: WaiterId, shortage: Shortage) {
        if let Some(deadline) = self.waiters.wait_again(waiter, shortage) {
            self.accumulator.budget.end_grant(waiter);
            self.timers.arm(deadline, Timer::Waiter(waiter));
        }
    }

    #[inline]
    fn accept(
        &mut self,
        now: Instant,
        timestamp: i64,
        record: &Record<'_>,
        claim: Claim,
    ) -> Result<Receipt, SendError> {
        if !self.is_open() {
            return Err(self.refusal());
        }
        let topic = match record.topic {
            Topic::Handle(handle) => handle,
            Topic::Name(name) => self.metadata.handle(now, name),
        };
        let body = RecordBody {
            timestamp,
            key: record.key,
            value: record.value,
            headers: record.headers,
        };
        let limit = self.config.max_request_size.min(self.config.buffer_memory);
        if !body.is_within(limit) {
            return Err(self.too_large(body.upper_bound()));
        }
        if timestamp < 0 && (timestamp != NO_TIMESTAMP || record.timestamp.is_some()) {
            return Err(self.refuse(negative_timestamp(timestamp)));
        }
        let batch_size = self.config.batch_size;
        let Some(view) = self.metadata.topic_mut(topic) else {
            return Err(self.refuse(SendError::UnknownHandle));
        };
        if view.partitions.is_empty() {
            if !view.can_be_asked_for() {
                let error = never_a_topic(view);
                return Err(self.refuse(error));
            }
            return self.hold(now, topic, record.partition, &body, claim);
        }
        view.used = now;
        let keyless = if self.config.partitioner_ignore_keys {
            None
        } else {
            record.key
        };
        let choice = partitioner::choose(view, record.partition, keyless, &mut self.random);
        let (Choice::Fixed(index) | Choice::Sticky(index)) = choice else {
            return self.hold(now, topic, record.partition, &body, claim);
        };
        let key = view
            .partitions
            .get(index as usize)
            .and_then(|partition| partition.key);
        if let Choice::Sticky(_) = choice {
            let spent = view.sticky.is_spent(batch_size);
            let appended = self.append_keyless(now, topic, key, index, &body, spent, claim);
            if let (Ok(_), Some(view)) = (&appended, self.metadata.topic_mut(topic)) {
                view.sticky.appended(body.upper_bound() - HEADER_LEN);
            }
            return appended;
        }
        let key = key.unwrap_or_else(|| self.first_use(topic, index));
        if let Some(receipt) = self.accumulator.try_append(key, &body) {
            return Ok(receipt);
        }
        self.append_slowly(now, key, &body, claim)
    }

    /// A record without a key goes to the sticky partition, or to the next one if that has had
    /// its share and no batch would be left a fraction.
    #[allow(
        clippy::too_many_arguments,
        reason = "the hot path passes what it has at hand"
    )]
    fn append_keyless(
        &mut self,
        now: Instant,
        topic: TopicHandle,
        key: Option<PartitionKey>,
        index: u32,
        body: &RecordBody<'_>,
        spent: bool,
        claim: Claim,
    ) -> Result<Receipt, SendError> {
        let key = key.unwrap_or_else(|| self.first_use(topic, index));
        if let Some(receipt) = self.accumulator.try_append(key, body) {
            return Ok(receipt);
        }
        let key = self
            .turn(now, topic, key, body, spent)
            .ok_or(SendError::UnknownHandle)?;
        let key = self.avoid_the_sick(now, topic, key, body);
        let appended = self.append_slowly(now, key, body, claim);
        appended.map_err(|error| match error {
            SendError::Full(Shortage { bytes, .. }) => {
                // Once there is room another partition may do, unless all are as bad.
                let is_sick = self.accumulator.sick_leader(now, key, bytes).is_some();
                SendError::Full(Shortage {
                    bytes,
                    partition: is_sick.then_some(key),
                })
            }
            error => error,
        })
    }

    /// The partition itself, or another one if nothing more may wait for its broker.
    fn avoid_the_sick(
        &mut self,
        now: Instant,
        topic: TopicHandle,
        mut key: PartitionKey,
        body: &RecordBody<'_>,
    ) -> PartitionKey {
        let charge = self.accumulator.smallest_charge(body);
        for _ in 0..PICKS {
            if self.accumulator.sick_leader(now, key, charge).is_none() {
                break;
            }
            key = self.next_sticky(topic).unwrap_or(key);
        }
        key
    }

    /// The partition of a record without a key for which the sticky one has no room ready.
    fn turn(
        &mut self,
        now: Instant,
        topic: TopicHandle,
        key: PartitionKey,
        body: &RecordBody<'_>,
        spent: bool,
    ) -> Option<PartitionKey> {
        let open = self.accumulator.has_open(key);
        if !self.accumulator.must_end(key, body) && (open || !spent) {
            return Some(key);
        }
        if let Some(closed) = self.accumulator.close_open(key) {
            self.on_closed(now, closed);
        }
        self.next_sticky(topic)
    }

    /// Another partition for records without a key.
    fn next_sticky(&mut self, topic: TopicHandle) -> Option<PartitionKey> {
        let view = self.metadata.topic_mut(topic)?;
        view.sticky.forget();
        let Choice::Sticky(index) = partitioner::choose(view, None, None, &mut self.random) else {
            return None;
        };
        let key = view.partitions.get(index as usize)?.key;
        Some(key.unwrap_or_else(|| self.first_use(topic, index)))
    }

    fn append_slowly(
        &mut self,
        now: Instant,
        key: PartitionKey,
        body: &RecordBody<'_>,
        claim: Claim,
    ) -> Result<Receipt, SendError> {
        let hurry = self.hurry();
        let appended = self.accumulator.append(now, key, body, hurry, claim);
        self.on_appended(now, key, &appended);
        appended.result.map_err(|bytes| {
            SendError::Full(Shortage {
                bytes,
                partition: Some(key),
            })
        })
    }

    /// Arms the timers of a batch that was opened, and lets those that are full leave.
    pub(super) fn on_appended(&mut self, now: Instant, key: PartitionKey, appended: &Appended) {
        if let Some(closed) = appended.closed {
            self.on_closed(now, closed);
        }
        let Some(opened) = appended.opened else {
            return;
        };
        let batch = &self.accumulator.batches[opened.0 as usize];
        let (serial, linger_at, deadline) = (batch.serial, batch.linger_at, batch.deadline);
        self.timers.arm(deadline, Timer::Delivery(serial, opened));
        if !self.accumulator.is_oversized(key) {
            if now < linger_at {
                self.timers.arm(linger_at, Timer::Linger(serial, opened));
            }
            self.reconsider(now, key);
        } else if let Some(closed) = self.accumulator.close_open(key) {
            self.on_closed(now, closed);
        }
    }

    /// A batch takes no more records: it is compressed, or may leave.
    pub(super) fn on_closed(&mut self, now: Instant, key: BatchKey) {
        self.seal(key);
        let partition = self.accumulator.batches[key.0 as usize].partition;
        self.reconsider(now, partition);
    }

    /// A batch that was closed lingers no more, and is compressed if there is a codec.
    pub(super) fn seal(&mut self, key: BatchKey) {
        let batch = &self.accumulator.batches[key.0 as usize];
        let (serial, linger_at) = (batch.serial, batch.linger_at);
        self.timers.disarm(linger_at, Timer::Linger(serial, key));
        if let Some(job) = self.accumulator.compress(key) {
            self.actions.push_back(crate::Action::Compress(job));
        }
    }

    /// A partition is used for the first time.
    fn first_use(&mut self, topic: TopicHandle, index: u32) -> PartitionKey {
        let key = self.accumulator.add_partition(topic, index);
        if let Some(view) = self
            .metadata
            .topic_mut(topic)
            .and_then(|topic| topic.partitions.get_mut(index as usize))
        {
            view.key = Some(key);
            let (leader, epoch) = (view.leader, view.leader_epoch);
            self.accumulator.lead(key, leader, epoch);
        }
        key
    }

    /// A record is refused for good: that counts as an error.
    #[cold]
    fn refuse(&mut self, error: SendError) -> SendError {
        self.meter.on_refused();
        error
    }

    fn refusal(&mut self) -> SendError {
        let error = match &self.life {
            Life::Fatal(fatal) => SendError::Fatal(fatal.clone()),
            Life::Closed | Life::Closing(_) | Life::Open => SendError::Closed,
        };
        self.refuse(error)
    }

    #[cold]
    fn too_large(&mut self, size: usize) -> SendError {
        let (limit, setting) = if self.config.max_request_size < size {
            (self.config.max_request_size, "max.request.size")
        } else {
            (self.config.buffer_memory, "buffer.memory")
        };
        self.refuse(SendError::TooLarge {
            size,
            limit,
            setting,
        })
    }

    fn hold(
        &mut self,
        now: Instant,
        topic: TopicHandle,
        partition: Option<u32>,
        body: &RecordBody<'_>,
        claim: Claim,
    ) -> Result<Receipt, SendError> {
        if partition.is_some() && self.partitions(topic).is_some() {
            // The topic is known, the partition is not: the view may be old.
            self.metadata.refresh(now, &mut self.jitter);
        } else {
            self.metadata.want(now, topic);
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

    /// A topic is known, or has grown: its held records go to their partitions, in order.
    pub(super) fn place_held(&mut self, now: Instant, topic: TopicHandle) {
        if let Some(deadline) = self.accumulator.held_deadline(topic) {
            self.timers.disarm(deadline, Timer::Held(topic));
        }
        for chunk in self.accumulator.lift_held(topic) {
            self.place_chunk(now, topic, chunk);
        }
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
                Some(key) => {
                    let appended =
                        self.accumulator
                            .place(now, key, &body, receipt, serial.number, created);
                    self.on_appended(now, key, &appended);
                }
                None => left.append_again(&body, partition, receipt),
            }
        }
        if left.partitions.is_empty() {
            self.accumulator.end_lifted(serial, closed.records);
        } else {
            self.accumulator.hold_again(topic, charge, left);
        }
    }

    fn place_where(
        &mut self,
        now: Instant,
        topic: TopicHandle,
        partition: Option<u32>,
        body: &RecordBody<'_>,
    ) -> Option<PartitionKey> {
        let batch_size = self.config.batch_size;
        let view = self.metadata.topic_mut(topic)?;
        let keyless = if self.config.partitioner_ignore_keys {
            None
        } else {
            body.key
        };
        let choice = partitioner::choose(view, partition, keyless, &mut self.random);
        let (Choice::Fixed(index) | Choice::Sticky(index)) = choice else {
            return None;
        };
        let known = view.partitions.get(index as usize)?.key;
        if let Choice::Fixed(_) = choice {
            return Some(known.unwrap_or_else(|| self.first_use(topic, index)));
        }
        view.sticky.appended(body.upper_bound() - HEADER_LEN);
        let spent = view.sticky.is_spent(batch_size);
        let key = known.unwrap_or_else(|| self.first_use(topic, index));
        self.turn(now, topic, key, body, spent)
    }
}

/// How many partitions are looked at for a record without a key while brokers are sick.
const PICKS: usize = 8;

/// What a record without a timestamp has on the wire.
pub(super) const NO_TIMESTAMP: i64 = -1;

#[cold]
fn never_a_topic(view: &TopicView) -> SendError {
    SendError::Topic {
        topic: Arc::clone(&view.name),
        code: view.refusal.unwrap_or(ErrorCode::INVALID_TOPIC_EXCEPTION),
    }
}

#[cold]
fn negative_timestamp(timestamp: i64) -> SendError {
    SendError::Invalid {
        what: alloc::format!(
            "a timestamp is milliseconds since 1970, zero or more; {timestamp} came"
        ),
    }
}

//! The road of a record into its batch, until that is sealed.

use alloc::string::ToString;
use alloc::sync::Arc;

use kafka_producer_proto::ErrorCode;
use kafka_producer_proto::batch::{HEADER_LEN, RecordBody};
use kafka_producer_proto::compression::{Codec, Compressor};

use super::timers::Timer;
use super::{Life, ProducerMachine};
use crate::accumulator::{Appended, BatchKey, Claim, PartitionKey};
use crate::action::{Action, Compressed, Product};
use crate::error::{ProduceError, SendError, Shortage};
use crate::metadata::TopicView;
use crate::partitioner::{self, Choice, Missing};
use crate::record::Topic;
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

    #[inline]
    fn accept(
        &mut self,
        now: Instant,
        timestamp: i64,
        record: &Record<'_>,
        claim: Claim,
    ) -> Result<Receipt, SendError> {
        if !self.is_open() {
            return Err(self.refuse_call());
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
        let Some(view) = self.metadata.topic_mut(topic) else {
            return Err(self.refuse(SendError::UnknownHandle));
        };
        if view.partitions.is_empty() || self.accumulator.is_placing(topic) {
            if !view.can_be_asked_for() {
                let error = never_a_topic(view);
                return Err(self.refuse(error));
            }
            return self.hold(now, topic, record.partition, &body, claim);
        }
        let (explicit, accumulator) = (record.partition, &self.accumulator);
        let choice = self
            .chooser
            .choose(view, explicit, &body, accumulator, &mut self.random);
        let index = match choice {
            Choice::Fixed(index) | Choice::Sticky(index) => index,
            Choice::None(Missing::Named(_)) => {
                return self.hold(now, topic, explicit, &body, claim);
            }
            Choice::None(Missing::Fault(fault)) => {
                let what = fault.in_words(view);
                return Err(self.refuse(SendError::Invalid { what }));
            }
        };
        let key = view
            .partitions
            .get(index as usize)
            .and_then(|partition| partition.key);
        let key = key.unwrap_or_else(|| self.first_use(topic, index));
        if let Choice::Sticky(_) = choice {
            let appended = self.append_keyless(now, topic, key, &body, claim);
            if let (Ok(_), Some(view)) = (&appended, self.metadata.topic_mut(topic)) {
                view.sticky.appended(body.upper_bound() - HEADER_LEN);
            }
            return appended;
        }
        if let Some(receipt) = self.accumulator.try_append(key, &body) {
            return Ok(receipt);
        }
        self.append_slowly(now, key, &body, claim)
    }

    /// A record without a key goes to the sticky partition, or to the next one if that has had
    /// its share and no batch would be left a fraction.
    fn append_keyless(
        &mut self,
        now: Instant,
        topic: TopicHandle,
        key: PartitionKey,
        body: &RecordBody<'_>,
        claim: Claim,
    ) -> Result<Receipt, SendError> {
        if let Some(receipt) = self.accumulator.try_append(key, body) {
            return Ok(receipt);
        }
        let key = self
            .turn(now, topic, key, body)
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
    pub(super) fn turn(
        &mut self,
        now: Instant,
        topic: TopicHandle,
        key: PartitionKey,
        body: &RecordBody<'_>,
    ) -> Option<PartitionKey> {
        let (batch_size, more) = (self.config.batch_size, body.upper_bound());
        let sticky = &self.metadata.topic(topic)?.sticky;
        let may_grow = self.accumulator.has_open(key) && !self.accumulator.must_end(key, body);
        if may_grow || !sticky.is_spent(batch_size, more) {
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
        let index = partitioner::next_sticky(view, &mut self.random);
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
        self.touch(now, self.accumulator.partitions[key.0 as usize].topic);
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

    /// A topic is used. One that was not for `metadata.max.idle.ms` is asked for at once: what is
    /// known of it may be old.
    fn touch(&mut self, now: Instant, topic: TopicHandle) {
        let Some(view) = self.metadata.topic_mut(topic) else {
            return;
        };
        let was_idle = view.was_idle_for(now, self.config.metadata_max_idle);
        view.touch(now);
        if was_idle {
            self.metadata.want(now, topic);
            self.service_control(now);
        }
    }

    /// A batch takes no more records: it is compressed, or may leave.
    pub(super) fn on_closed(&mut self, now: Instant, key: BatchKey) {
        let partition = self.accumulator.batches[key.0 as usize].partition;
        self.seal(key);
        self.reconsider(now, partition);
        self.hand_out_jobs(now);
    }

    /// A batch that was closed lingers no more, and is to be compressed if there is a codec.
    pub(super) fn seal(&mut self, key: BatchKey) {
        let batch = &self.accumulator.batches[key.0 as usize];
        let (serial, linger_at) = (batch.serial, batch.linger_at);
        self.timers.disarm(linger_at, Timer::Linger(serial, key));
        self.accumulator.compress(key);
    }

    /// Jobs that there is memory for leave.
    pub(super) fn hand_out_jobs(&mut self, now: Instant) {
        while self.accumulator.is_job_waiting() {
            let Some(job) = self.accumulator.next_job() else {
                return;
            };
            self.steps.step();
            if job.codec == Codec::None {
                // A copy, no more: nothing that would hold an event loop up.
                let done = job.run(&mut Compressor::new());
                self.on_compressed(now, done);
            } else {
                self.actions.push_back(Action::Compress(job));
            }
        }
    }

    /// A job is done: the batch may leave, smaller.
    pub(super) fn on_compressed(&mut self, now: Instant, compressed: Compressed) {
        let Some(key) = self.accumulator.take_job(compressed.id) else {
            return;
        };
        let partition = self.accumulator.batches[key.0 as usize].partition;
        match compressed.result {
            Ok(Product::Compressed(out)) => self.accumulator.compressed(key, out),
            Ok(Product::Parts(parts)) => self.on_split(key, parts),
            Err(error) => {
                self.accumulator.job_failed(key);
                let error = ProduceError::Compression(Arc::from(error.to_string()));
                self.fail(key, error);
            }
        }
        self.reconsider(now, partition);
    }

    /// A partition is used for the first time.
    pub(super) fn first_use(&mut self, topic: TopicHandle, index: u32) -> PartitionKey {
        let key = self.accumulator.add_partition(topic, index);
        let topic = self.metadata.topic_mut(topic);
        if let Some(view) = topic.and_then(|topic| topic.first_use(index, key)) {
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

    /// Why nothing more is taken, and nothing more is found out; `None` while it is.
    pub fn refusal(&self) -> Option<SendError> {
        match &self.life {
            Life::Fatal(fatal) => Some(SendError::Fatal(fatal.clone())),
            Life::Closed | Life::Closing(_) => Some(SendError::Closed),
            Life::Open => None,
        }
    }

    fn refuse_call(&mut self) -> SendError {
        let error = self.refusal().unwrap_or(SendError::Closed);
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
}

/// How many partitions are looked at for a record without a key while brokers are sick.
const PICKS: usize = 8;

/// What a record without a timestamp has on the wire.
pub(super) const NO_TIMESTAMP: i64 = -1;

#[cold]
fn never_a_topic(view: &TopicView) -> SendError {
    if view.name.is_empty() {
        let what = "the name of a topic was expected, an empty one came; name it".to_string();
        return SendError::Invalid { what };
    }
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

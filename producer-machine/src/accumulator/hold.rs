//! How records are held until their topic or partition is known, and how they are placed then.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use kafka_producer_proto::batch::{OpenBatch, RecordBody};

use super::batch::Serial;
use super::groups::Groups;
use super::{Accumulator, Appended, BatchKey, Chunk, Claim, Hurry, PartitionKey};
use crate::{Instant, Receipt, TopicHandle};

impl Accumulator {
    /// Holds a record of an unknown topic, or for a partition that does not exist yet.
    pub(crate) fn hold(
        &mut self,
        now: Instant,
        topic: TopicHandle,
        partition: Option<u32>,
        record: &RecordBody<'_>,
        hurry: Hurry,
        claim: Claim,
    ) -> Result<Receipt, usize> {
        if let Some(chunk) = self.held.get_mut(&topic).and_then(VecDeque::back_mut) {
            // One deadline a chunk: it takes records for a second only.
            if now < chunk.created + Duration::from_secs(1) {
                if let Some(receipt) = chunk.try_append(record, partition) {
                    return Ok(receipt);
                }
            }
        }
        let bound = record.upper_bound();
        let class = self.budget.class_for(bound);
        let charge = class.map_or(bound, |class| self.budget.size_of(class));
        let queued = claim == Claim::Newcomer && hurry == Hurry::Now;
        if queued || !self.budget.affords(claim, charge) {
            return Err(charge);
        }
        self.budget.take(claim, charge);
        let buffer = self.buffer_for(class, bound);
        let group = self.groups.open();
        let mut chunk = self.chunk(now, buffer, charge);
        chunk.group = Some(group);
        let receipt = chunk
            .try_append(record, partition)
            .unwrap_or(Receipt { group, index: 0 });
        self.incomplete.insert((chunk.serial.number, chunk.serial));
        let chunks = self.held.entry(topic).or_default();
        if let Some(before) = chunks.back_mut() {
            close_chunk(&mut self.groups, before);
        }
        chunks.push_back(chunk);
        Ok(receipt)
    }

    fn chunk(&mut self, now: Instant, buffer: Vec<u8>, charge: usize) -> Chunk {
        Chunk {
            records: OpenBatch::new(buffer),
            partitions: Vec::new(),
            runs: Vec::new(),
            group: None,
            serial: self.take_serial(),
            created: now,
            deadline: now + self.max_block.min(self.delivery_timeout),
            charge,
            limit: charge,
        }
    }

    /// Takes all held records of a topic out.
    pub(crate) fn take_held(&mut self, topic: TopicHandle) -> VecDeque<Chunk> {
        self.placing.remove(&topic);
        let mut chunks = self.held.remove(&topic).unwrap_or_default();
        for chunk in &mut chunks {
            close_chunk(&mut self.groups, chunk);
        }
        chunks
    }

    /// Takes the first chunk of a topic if its time is up; then the next one may be due too.
    pub(crate) fn take_expired(&mut self, now: Instant, topic: TopicHandle) -> Option<Chunk> {
        let chunks = self.held.get_mut(&topic)?;
        if now < chunks.front()?.deadline {
            return None;
        }
        let mut chunk = chunks.pop_front()?;
        close_chunk(&mut self.groups, &mut chunk);
        if chunks.is_empty() {
            self.held.remove(&topic);
        }
        Some(chunk)
    }

    /// When the first chunk of a topic must be given up.
    pub(crate) fn held_deadline(&self, topic: TopicHandle) -> Option<Instant> {
        self.held.get(&topic)?.front().map(|chunk| chunk.deadline)
    }

    /// The held records of a topic are to be placed, from the first one on.
    pub(crate) fn begin_placing(&mut self, topic: TopicHandle) {
        if self.held.contains_key(&topic) {
            self.placing.insert(topic, 0);
        }
    }

    /// Whether the held records of a topic are being placed: no other one may overtake them.
    #[inline]
    pub(crate) fn is_placing(&self, topic: TopicHandle) -> bool {
        !self.placing.is_empty() && self.placing.contains_key(&topic)
    }

    /// A topic whose held records are being placed.
    pub(crate) fn next_to_place(&self) -> Option<TopicHandle> {
        self.placing.keys().next().copied()
    }

    /// Takes the next chunk of a topic out to be placed, and lets the room that it leaves be the
    /// room that its batches need: until it has ended or is held again, its records are in one or
    /// the other. `None` if all were tried: the placing is over.
    pub(crate) fn lift_held(&mut self, topic: TopicHandle) -> Option<Chunk> {
        let tried = self.placing.get(&topic).copied()?;
        let chunks = self.held.get_mut(&topic);
        let chunk = chunks.and_then(|chunks| chunks.remove(tried));
        let Some(mut chunk) = chunk else {
            self.placing.remove(&topic);
            if self.held.get(&topic).is_some_and(VecDeque::is_empty) {
                self.held.remove(&topic);
            }
            return None;
        };
        close_chunk(&mut self.groups, &mut chunk);
        self.budget.release(chunk.charge);
        Some(chunk)
    }

    /// All records of a chunk that was lifted are placed.
    pub(crate) fn end_lifted(&mut self, serial: Serial, records: Vec<u8>) {
        self.release_chunk(serial, 0);
        self.budget.recycle(records);
    }

    /// Puts back records of a chunk that still cannot be placed, in its place and at what the chunk
    /// cost.
    pub(crate) fn hold_again(&mut self, topic: TopicHandle, charge: usize, mut chunk: Chunk) {
        self.budget.charge(charge);
        chunk.charge = charge;
        self.incomplete.insert((chunk.serial.number, chunk.serial));
        let tried = self.placing.entry(topic).or_default();
        let chunks = self.held.entry(topic).or_default();
        chunks.insert((*tried).min(chunks.len()), chunk);
        *tried += 1;
    }

    /// An empty chunk with the age and the deadline of another.
    pub(crate) fn chunk_like(&mut self, other: &Chunk) -> Chunk {
        let mut chunk = self.chunk(other.created, Vec::new(), 0);
        chunk.serial = other.serial;
        chunk.deadline = other.deadline;
        chunk
    }

    /// Whether there is an open batch that ends by this deadline.
    fn is_due_by(&self, key: PartitionKey, deadline: Instant) -> bool {
        let open = self.partitions[key.0 as usize].open.as_ref();
        open.is_some_and(|open| self.batches[open.key.0 as usize].deadline <= deadline)
    }

    /// Opens a batch for this record even if the budget does not allow it.
    fn open_overdrawn(
        &mut self,
        now: Instant,
        key: PartitionKey,
        record: &RecordBody<'_>,
    ) -> BatchKey {
        self.open(now, key, record, Hurry::Now, Claim::Newcomer)
            .unwrap_or_else(|charge| {
                let class = self.budget.class_for(record.upper_bound());
                let buffer = self.buffer_for(class, charge);
                let records = OpenBatch::new(buffer);
                self.install(now, key, class, charge, records, Hurry::Now)
            })
    }

    /// Places a record that has a receipt already. It must go on: what it needs is charged even
    /// if the budget is used up, but a batch grows only while there is room.
    pub(crate) fn place(
        &mut self,
        now: Instant,
        key: PartitionKey,
        record: &RecordBody<'_>,
        receipt: Receipt,
        oldest: u64,
        accepted: Instant,
    ) -> Appended {
        let mut closed = None;
        let mut opened = None;
        // The time that was spent waiting for metadata counts.
        let deadline = accepted + self.delivery_timeout;
        let joins = self.is_due_by(key, deadline)
            && (self.has_room(key, record)
                || self.stretch(key, record)
                || self.grow(now, key, record, Claim::Newcomer));
        if !joins {
            closed = self.close_open(key);
            let batch = self.open_overdrawn(now, key, record);
            self.batches[batch.0 as usize].deadline = deadline;
            opened = Some(batch);
        }
        if let Some(open) = &mut self.partitions[key.0 as usize].open {
            open.append_held(record, receipt.group, receipt.index);
            let batch = &mut self.batches[open.key.0 as usize];
            if oldest < batch.oldest {
                self.incomplete.remove(&(batch.oldest, batch.serial));
                batch.oldest = oldest;
                self.incomplete.insert((oldest, batch.serial));
            }
        }
        Appended {
            result: Ok(receipt),
            closed,
            opened,
        }
    }

    /// A chunk is empty: its records are placed or resolved.
    pub(crate) fn release_chunk(&mut self, serial: Serial, charge: usize) {
        self.incomplete.remove(&(serial.number, serial));
        self.budget.release(charge);
    }
}

fn close_chunk(groups: &mut Groups, chunk: &mut Chunk) {
    if let Some(group) = chunk.group.take() {
        groups.close(group, chunk.records.count());
    }
}

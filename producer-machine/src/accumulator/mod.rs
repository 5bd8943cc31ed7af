//! The accumulator: holds records per partition until a batch may leave.
//!
//! ```text
//! record ──> partition's open batch ──full, lingered, flushed──> queue ──drain──> in flight
//!    └─ topic unknown ──> held chunk ──metadata──┘                 ▲                 │
//!                                                                  └──── retry ──────┘
//! ```
//!
//! **Invariants.** A batch closed is never opened again. No call walks partitions or batches.
//! What is charged is released exactly once, when the batch has gone.

mod batch;
mod budget;
mod compress;
mod condemn;
mod digest;
mod fate;
mod flight;
mod grants;
mod groups;
mod held;
mod hold;
mod holdings;
mod jobs;
mod loans;
mod next;
mod partition;
mod ratio;
mod split;
mod stage;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::time::Duration;

use kafka_producer_proto::batch::{HEADER_LEN, OpenBatch, RecordBody};
use kafka_producer_proto::compression::Codec;
use slab::Slab;

pub(crate) use batch::{Batch, BatchKey, PartitionKey, Serial};
pub(crate) use budget::{Budget, Class};
pub(crate) use fate::{Fate, Refreshes, Resolution};
pub(crate) use flight::Proof;
pub(crate) use groups::{Groups, Run, Runs};
pub(crate) use held::Chunk;
pub(crate) use holdings::Holdings;
pub(crate) use next::{Next, Order, Terms};
pub(crate) use partition::{Departure, Open, Partition};
pub(crate) use stage::{Records, Stage};

use compress::largest_batch;
use jobs::Jobs;
use loans::Loans;
use ratio::{Ratio, Room};

use crate::config::Config;
use crate::idempotence::{Sequence, Sequences};
use crate::{Instant, Receipt, TopicHandle, WaiterId};

/// What became of a record, and what else that set in motion.
#[derive(Debug)]
pub(crate) struct Appended {
    /// The receipt, or how many bytes of the budget are missing.
    pub(crate) result: Result<Receipt, usize>,
    /// A batch was closed: it may leave.
    pub(crate) closed: Option<BatchKey>,
    /// A batch was opened: its timers are to be armed.
    pub(crate) opened: Option<BatchKey>,
}

/// Whether new batches may linger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Hurry {
    /// Somebody waits for memory, or the producer is closing.
    Now,
    /// They may.
    Relaxed,
}

/// Whose turn it is to take memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// Somebody who has not waited.
    Newcomer,
    /// Somebody who has waited, and for whom bytes are set aside.
    Waiter(WaiterId),
}

/// All records that are accepted and not resolved.
#[derive(Debug)]
pub(crate) struct Accumulator {
    pub(crate) partitions: Vec<Partition>,
    pub(crate) batches: Slab<Batch>,
    pub(crate) budget: Budget,
    pub(crate) holdings: Holdings,
    pub(crate) groups: Groups,
    pub(crate) held: BTreeMap<TopicHandle, VecDeque<Chunk>>,
    /// Topics whose held records are being placed, and how many chunks at the front of each were
    /// tried in vain.
    placing: BTreeMap<TopicHandle, usize>,
    /// (oldest number, own serial) of all batches and chunks that are not resolved.
    incomplete: BTreeSet<(u64, Serial)>,
    loans: Loans,
    jobs: Jobs,
    /// How well the records of each topic have compressed.
    ratios: BTreeMap<TopicHandle, Ratio>,
    /// Where the sequences of new partitions begin.
    pub(crate) first_sequence: Sequence,
    next_serial: u64,
    linger: Duration,
    delivery_timeout: Duration,
    max_block: Duration,
    codec: Codec,
    level: i32,
}

impl Accumulator {
    pub(crate) fn new(config: &Config) -> Self {
        let largest = largest_batch(config);
        Self {
            partitions: Vec::new(),
            batches: Slab::new(),
            budget: Budget::new(config.buffer_memory, config.batch_size, largest),
            holdings: Holdings::new(config),
            groups: Groups::default(),
            held: BTreeMap::new(),
            placing: BTreeMap::new(),
            incomplete: BTreeSet::new(),
            loans: Loans::default(),
            jobs: Jobs::default(),
            ratios: BTreeMap::new(),
            first_sequence: Sequence::default(),
            next_serial: 0,
            linger: config.linger,
            delivery_timeout: config.delivery_timeout,
            max_block: config.max_block,
            codec: config.compression,
            level: config.compression_level,
        }
    }

    /// A partition that is used for the first time.
    pub(crate) fn add_partition(&mut self, topic: TopicHandle, index: u32) -> PartitionKey {
        let sequences = Sequences::beginning_at(self.first_sequence);
        self.partitions
            .push(Partition::new(topic, index, sequences));
        PartitionKey((self.partitions.len() - 1) as u32)
    }

    /// Copies the record into the open batch of its partition, if it fits: the hot path.
    #[inline]
    pub(crate) fn try_append(
        &mut self,
        key: PartitionKey,
        record: &RecordBody<'_>,
    ) -> Option<Receipt> {
        let open = self.partitions[key.0 as usize].open.as_mut()?;
        let index = open.try_append(record)?;
        Some(Receipt {
            group: open.group,
            index,
        })
    }

    pub(crate) fn has_open(&self, key: PartitionKey) -> bool {
        self.partitions[key.0 as usize].open.is_some()
    }

    fn has_room(&self, key: PartitionKey, record: &RecordBody<'_>) -> bool {
        let open = &self.partitions[key.0 as usize].open;
        open.as_ref().is_some_and(|open| open.has_room(record))
    }

    /// Whether the open batch is so full that no larger buffer could take this record too.
    pub(crate) fn must_end(&self, key: PartitionKey, record: &RecordBody<'_>) -> bool {
        let open = self.partitions[key.0 as usize].open.as_ref();
        open.is_some_and(|open| !open.records.is_empty() && !open.admits(record))
    }

    /// Lets the open batch have more of the buffer that it has, if this record is then within
    /// what it may hold.
    fn stretch(&mut self, key: PartitionKey, record: &RecordBody<'_>) -> bool {
        let open = self.partitions[key.0 as usize].open.as_mut();
        open.is_some_and(|open| open.stretch(record, &self.budget))
    }

    /// Copies the record into the open batch of its partition.
    pub(crate) fn append(
        &mut self,
        now: Instant,
        key: PartitionKey,
        record: &RecordBody<'_>,
        hurry: Hurry,
        claim: Claim,
    ) -> Appended {
        let fits = self.try_append(key, record);
        let fits = fits.or_else(|| {
            let stretched = self.stretch(key, record);
            stretched.then(|| self.try_append(key, record))?
        });
        if let Some(receipt) = fits {
            return Appended {
                result: Ok(receipt),
                closed: None,
                opened: None,
            };
        }
        self.append_to_new_room(now, key, record, hurry, claim)
    }

    /// The open batch is full or missing: let it grow, or open another one.
    fn append_to_new_room(
        &mut self,
        now: Instant,
        key: PartitionKey,
        record: &RecordBody<'_>,
        hurry: Hurry,
        claim: Claim,
    ) -> Appended {
        if claim == Claim::Newcomer && hurry == Hurry::Now {
            // Newcomers queue behind those who wait for memory already.
            let needed = self.smallest_charge(record);
            return Appended {
                result: Err(needed),
                closed: self.close_open(key),
                opened: None,
            };
        }
        if self.grow(now, key, record, claim) {
            return self.append(now, key, record, hurry, claim);
        }
        let closed = self.close_open(key);
        match self.open(now, key, record, hurry, claim) {
            Ok(opened) => Appended {
                opened: Some(opened),
                closed,
                ..self.append(now, key, record, hurry, claim)
            },
            Err(needed) => Appended {
                result: Err(needed),
                closed,
                opened: None,
            },
        }
    }

    /// Whether the open batch has a buffer of its own: it takes no second record (E136) and need
    /// not wait for one.
    pub(crate) fn is_oversized(&self, key: PartitionKey) -> bool {
        let open = self.partitions[key.0 as usize].open.as_ref();
        open.is_some_and(|open| open.class.is_none())
    }

    /// What opening a batch for this record takes at least.
    pub(crate) fn smallest_charge(&self, record: &RecordBody<'_>) -> usize {
        let bound = record.upper_bound();
        self.budget
            .class_for(bound)
            .map_or(bound, |class| self.budget.size_of(class))
    }

    /// Moves the open batch into a larger buffer, if there is one that the budget allows.
    fn grow(
        &mut self,
        now: Instant,
        key: PartitionKey,
        record: &RecordBody<'_>,
        claim: Claim,
    ) -> bool {
        let Some(open) = &self.partitions[key.0 as usize].open else {
            return false;
        };
        let Some(from) = open.class else {
            return false;
        };
        if !open.admits(record) {
            return false;
        }
        let needed = open.records.size() + open.records.size_of(record);
        let Some(to) = self.budget.class_of_any(needed).filter(|&to| from < to) else {
            return false;
        };
        let more = self.budget.size_of(to) - self.budget.size_of(from);
        if !self.may_take(now, key, claim, more) {
            return false;
        }
        let buffer = self.budget.buffer(to);
        let Some(open) = &mut self.partitions[key.0 as usize].open else {
            return false;
        };
        let old = open.records.move_to(buffer);
        self.budget.recycle(old);
        open.class = Some(to);
        open.stretch(record, &self.budget);
        let batch = open.key;
        self.budget.consume(claim, more);
        self.recharge(batch, self.batches[batch.0 as usize].charge + more);
        true
    }

    /// Opens a batch that holds at least this record.
    fn open(
        &mut self,
        now: Instant,
        key: PartitionKey,
        record: &RecordBody<'_>,
        hurry: Hurry,
        claim: Claim,
    ) -> Result<BatchKey, usize> {
        let bound = record.upper_bound();
        let smallest = self.budget.class_for(bound);
        let usual = self.usual_class(key);
        let class = smallest.map(|smallest| {
            let wanted = smallest.max(usual);
            if self.may_take(now, key, claim, self.budget.size_of(wanted)) {
                wanted
            } else {
                smallest
            }
        });
        let charge = class.map_or(bound, |class| self.budget.size_of(class));
        if !self.may_take(now, key, claim, charge) {
            return Err(charge);
        }
        self.budget.consume(claim, charge);
        let buffer = self.buffer_for(class, bound);
        Ok(self.install(now, key, class, charge, OpenBatch::new(buffer), hurry))
    }

    /// The class that the last batch of a partition reached, unless the next one is expected to
    /// be full before.
    fn usual_class(&self, key: PartitionKey) -> Class {
        let partition = &self.partitions[key.0 as usize];
        let full = self.room_for(partition.topic).expected();
        let most = self.budget.class_of_any(full);
        most.map_or(partition.class, |most| most.min(partition.class))
    }

    fn install(
        &mut self,
        now: Instant,
        key: PartitionKey,
        class: Option<Class>,
        charge: usize,
        records: OpenBatch,
        hurry: Hurry,
    ) -> BatchKey {
        let serial = self.take_serial();
        let group = self.groups.open();
        let batch = Batch {
            partition: key,
            serial,
            oldest: serial.number,
            stage: Stage::Open,
            fate: Fate::NotWritten,
            runs: Runs::One(Run {
                group,
                first: 0,
                count: 0,
            }),
            count: 0,
            base_timestamp: 0,
            max_timestamp: 0,
            plain_bytes: 0,
            charge: 0,
            frames: 0,
            linger_at: now + self.linger,
            deadline: now + self.delivery_timeout,
            numbering: None,
            attempts: 0,
            last_error: None,
            retry_at: Instant::ORIGIN,
            failed_at: None,
            leader_epoch: -1,
            incarnation: 0,
        };
        let batch_key = BatchKey(self.batches.insert(batch) as u32);
        self.recharge(batch_key, charge);
        self.incomplete.insert((serial.number, serial));
        let departure = if hurry == Hurry::Now || self.linger.is_zero() {
            Departure::Due
        } else {
            Departure::Lingering
        };
        let room = self.room_for(self.partitions[key.0 as usize].topic);
        let limit = |class| self.budget.size_of(class).min(room.reach(0));
        self.partitions[key.0 as usize].open = Some(Open {
            records,
            key: batch_key,
            class,
            limit: class.map_or(0, limit),
            room,
            group,
            own: 0,
            mixed: Vec::new(),
            departure,
        });
        batch_key
    }

    /// Closes the open batch: it takes no more records and stands in the queue.
    pub(crate) fn close_open(&mut self, key: PartitionKey) -> Option<BatchKey> {
        let partition = &mut self.partitions[key.0 as usize];
        let mut open = partition.open.take()?;
        self.groups.close(open.group, open.own);
        let batch = &mut self.batches[open.key.0 as usize];
        batch.runs = open.take_runs();
        let closed = open.records.close();
        batch.count = closed.count;
        batch.base_timestamp = closed.base_timestamp;
        batch.max_timestamp = closed.max_timestamp;
        batch.plain_bytes = closed.records.len();
        if open.class.is_some() {
            let reached = self.budget.class_of_any(HEADER_LEN + closed.records.len());
            partition.class = reached.unwrap_or(partition.class);
        }
        let body = self.budget.share(closed.records);
        batch.stage.close(Records {
            body,
            codec: Codec::None,
        });
        partition.queue.push_back(open.key);
        Some(open.key)
    }

    /// A batch is resolved: its flush may end. Its memory stays until `remove`.
    pub(crate) fn resolved(&mut self, key: BatchKey) {
        if let Some(batch) = self.batches.get(key.0 as usize) {
            self.incomplete.remove(&(batch.oldest, batch.serial));
        }
    }

    /// A batch has gone. Releases its memory, exactly once: now, or when the last one outside
    /// who may hold it is done.
    pub(crate) fn remove(&mut self, key: BatchKey) -> Option<Batch> {
        let charge = self.batches.get(key.0 as usize)?.charge;
        self.recharge(key, 0);
        let mut batch = self.batches.try_remove(key.0 as usize)?;
        let (records, holders) = match core::mem::take(&mut batch.stage) {
            Stage::Compressing(job, records) => {
                (records, u32::from(self.is_job_out(job)) + batch.frames)
            }
            Stage::Abandoned(records) | Stage::InFlight(records) | Stage::Queued(records) => {
                (records, batch.frames)
            }
            Stage::Open => return Some(batch),
        };
        if holders == 0 {
            self.budget.unshare(records.body);
        } else {
            self.budget.charge(charge);
            self.loans
                .begin(batch.serial, charge, records.body, holders);
        }
        Some(batch)
    }

    /// Serials below this one are in use: what a flush that is called now waits for.
    pub(crate) const fn next_serial(&self) -> u64 {
        self.next_serial
    }

    /// The oldest serial that is not resolved.
    pub(crate) fn oldest_incomplete(&self) -> Option<u64> {
        self.incomplete.first().map(|&(oldest, _)| oldest)
    }

    /// A buffer of a class, or one of its own for what no class holds.
    fn buffer_for(&mut self, class: Option<Class>, bytes: usize) -> Vec<u8> {
        match class {
            Some(class) => self.budget.buffer(class),
            None => Vec::with_capacity(bytes),
        }
    }

    const fn take_serial(&mut self) -> Serial {
        let number = self.next_serial;
        self.next_serial += 1;
        Serial { number, first: 0 }
    }
}

//! A partition: the batch that takes records, those that wait, and what is in flight.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use kafka_producer_proto::batch::{OpenBatch, RecordBody};
use slab::Slab;

use super::batch::{Batch, BatchKey};
use super::budget::{Budget, Class};
use super::condemn::Condemned;
use super::groups::{Run, Runs};
use super::ratio::Room;
use crate::brokers::{NodeId, Place};
use crate::idempotence::Sequences;
use crate::time::Alarm;
use crate::{ConnectionId, GroupId, Instant, TopicHandle};

/// The batch that takes records.
#[derive(Debug, Hash)]
pub(crate) struct Open {
    pub(crate) records: OpenBatch,
    pub(crate) key: BatchKey,
    pub(crate) class: Option<Class>,
    /// Bytes that the batch may have before more is worked out, header included.
    pub(crate) limit: usize,
    /// When it is full, whatever its buffer.
    pub(crate) room: Room,
    /// The group of the records that were sent to this batch directly.
    pub(crate) group: GroupId,
    pub(crate) own: u32,
    /// Empty unless records came out of a hold.
    pub(crate) mixed: Vec<Run>,
    /// Whether it may leave: lingered, flushed, or somebody waits for its memory.
    pub(crate) departure: Departure,
}

/// Whether an open batch may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Departure {
    Due,
    Lingering,
}

/// A partition that has been used.
#[derive(Debug, Hash)]
pub(crate) struct Partition {
    pub(crate) topic: TopicHandle,
    pub(crate) index: u32,
    pub(crate) leader: Option<NodeId>,
    pub(super) leader_epoch: i32,
    /// How often the topic has been created anew.
    pub(super) incarnation: u32,
    pub(crate) open: Option<Open>,
    /// Batches that take no records any more and are not in flight, in the order of opening.
    pub(crate) queue: VecDeque<BatchKey>,
    /// What its batches cost of the budget.
    pub(crate) held: usize,
    pub(crate) in_flight: u32,
    /// The connection of what is in flight.
    pub(crate) connection: Option<ConnectionId>,
    pub(super) sequences: Sequences,
    /// What is outstanding follows a batch that failed.
    pub(super) condemned: Option<Condemned>,
    /// When something was acknowledged last.
    acknowledged_at: Instant,
    place: Place,
    /// The class in which the next batch starts: that which the last one reached.
    pub(crate) class: Class,
    pub(crate) backoff: Alarm,
}

impl Open {
    /// Appends if there is room: the hot path. Gives the record's place in its group.
    #[inline]
    pub(crate) fn try_append(&mut self, record: &RecordBody<'_>) -> Option<u32> {
        self.records.try_append(record, self.limit)?;
        if !self.mixed.is_empty() {
            self.extend_own_run();
        }
        let index = self.own;
        self.own += 1;
        Some(index)
    }

    /// Appends a record that already has a receipt.
    pub(crate) fn append_held(&mut self, record: &RecordBody<'_>, group: GroupId, index: u32) {
        if self.mixed.is_empty() && 0 < self.own {
            self.mixed.push(Run {
                group: self.group,
                first: 0,
                count: self.own,
            });
        }
        self.records.append(record);
        match self.mixed.last_mut() {
            Some(run) if run.group == group && run.first + run.count == index => run.count += 1,
            _ => self.mixed.push(Run {
                group,
                first: index,
                count: 1,
            }),
        }
    }

    /// Whether another record of that size fits.
    pub(crate) fn has_room(&self, record: &RecordBody<'_>) -> bool {
        self.records.is_empty() || self.records.size() + self.records.size_of(record) <= self.limit
    }

    /// Whether it may hold another record of that size, in a larger buffer if need be.
    pub(crate) fn admits(&self, record: &RecordBody<'_>) -> bool {
        let more = self.records.size_of(record);
        self.class.is_some() && self.room.admits(self.records.records_len(), more)
    }

    /// Moves the limit, if the record then is within it and needs no larger buffer.
    ///
    /// How full a compressed batch is expected to be takes some reckoning, so that is done only
    /// when the records may have got so far: about twenty times in a batch.
    pub(crate) fn stretch(&mut self, record: &RecordBody<'_>, budget: &Budget) -> bool {
        let capacity = self.class.map_or(0, |class| budget.size_of(class));
        let needed = self.records.size() + self.records.size_of(record);
        if capacity < needed || !self.admits(record) {
            return false;
        }
        let reach = self.room.reach(self.records.records_len());
        self.limit = reach.max(needed).min(capacity);
        true
    }

    pub(crate) fn take_runs(&mut self) -> Runs {
        if self.mixed.is_empty() {
            return Runs::One(Run {
                group: self.group,
                first: 0,
                count: self.own,
            });
        }
        Runs::Many(core::mem::take(&mut self.mixed))
    }

    fn extend_own_run(&mut self) {
        match self.mixed.last_mut() {
            Some(run) if run.group == self.group => run.count += 1,
            _ => self.mixed.push(Run {
                group: self.group,
                first: self.own,
                count: 1,
            }),
        }
    }
}

impl Partition {
    pub(crate) fn new(topic: TopicHandle, index: u32, sequences: Sequences) -> Self {
        Self {
            topic,
            index,
            leader: None,
            leader_epoch: -1,
            incarnation: 0,
            open: None,
            queue: VecDeque::new(),
            held: 0,
            in_flight: 0,
            connection: None,
            sequences,
            condemned: None,
            acknowledged_at: Instant::ORIGIN,
            place: Place::Nowhere,
            class: Class::default(),
            backoff: Alarm::default(),
        }
    }

    /// How many of its batches wait to be sent, the open one included.
    pub(crate) fn waiting(&self) -> u32 {
        self.queue.len() as u32 + u32::from(self.open.is_some())
    }

    /// The numbers of its batches.
    pub(crate) const fn sequences(&self) -> &Sequences {
        &self.sequences
    }

    /// The epoch of its leader, as far as metadata tell.
    pub(crate) const fn leader_epoch(&self) -> i32 {
        self.leader_epoch
    }

    /// Where it stands.
    pub(crate) const fn place(&self) -> Place {
        self.place
    }

    /// It takes the place that its lane gave it.
    pub(crate) const fn stand(&mut self, place: Place) {
        self.place = place;
    }

    /// The topic was created anew: what has a number belongs to the former one, and fresh batches
    /// start at 0 under another epoch.
    pub(super) const fn recreate(&mut self) {
        self.sequences.restart();
        self.leader_epoch = -1;
        self.incarnation += 1;
    }

    /// The open batch lingers no more.
    pub(super) const fn end_linger(&mut self) {
        if let Some(open) = &mut self.open {
            open.departure = Departure::Due;
        }
    }

    /// Whether this connection may carry the next batch: what is in flight elsewhere, at an old
    /// leader, must end first, or the answers of two connections would interleave.
    pub(crate) fn may_use(&self, connection: ConnectionId) -> bool {
        self.in_flight == 0 || self.connection == Some(connection)
    }

    /// Puts a batch (back) into the queue, in the order in which batches were opened.
    pub(super) fn enqueue(&mut self, key: BatchKey, batches: &Slab<Batch>) {
        let serial_of = |key: BatchKey| batches.get(key.0 as usize).map(|b| b.serial);
        let serial = serial_of(key);
        let at = match self.queue.back() {
            Some(&last) if serial < serial_of(last) => self
                .queue
                .iter()
                .position(|&other| serial < serial_of(other)),
            Some(_) | None => None,
        };
        self.queue.insert(at.unwrap_or(self.queue.len()), key);
    }

    /// Takes a batch out of the queue.
    pub(crate) fn dequeue(&mut self, key: BatchKey) {
        if self.queue.front() == Some(&key) {
            self.queue.pop_front();
        } else if let Some(at) = self.queue.iter().position(|&other| other == key) {
            self.queue.remove(at);
        }
    }

    /// A batch left for the broker.
    pub(super) fn depart(&mut self, key: BatchKey, on: ConnectionId) {
        self.dequeue(key);
        self.in_flight += 1;
        self.connection = Some(on);
    }

    /// A batch was acknowledged; its request has ended already.
    ///
    /// An acknowledgement of something sent before a failure says nothing about what goes again:
    /// while a numbered batch waits for that, the partition stays at one in flight.
    pub(super) fn acknowledged(&mut self, now: Instant, batch: &Batch, base_offset: Option<i64>) {
        let Some(numbering) = batch.numbering else {
            return;
        };
        let last = base_offset.map(|base| base.saturating_add(i64::from(batch.count) - 1));
        self.sequences.acknowledged(numbering, batch.count, last);
        self.acknowledged_at = now;
        // A former leader says nothing of what the present one knows.
        let is_of_leader = batch.leader_epoch == self.leader_epoch;
        if is_of_leader && self.sequences.outstanding() <= self.in_flight {
            self.sequences.establish();
        }
    }

    /// Another broker leads, or none does for now. If the next one does not know our sequences, as
    /// after an unclean election, it takes any: a second batch could overtake the first (D13). The
    /// very first leader changes nothing, for nothing is established before it.
    pub(super) const fn meet_another_broker(&mut self) {
        self.sequences.stumble();
    }

    /// A broker forgets a producer that is silent for `producer.id.expiration.ms`, and then takes
    /// any sequence: the first batch after a long silence goes alone (D13).
    pub(super) fn wake(&mut self, now: Instant) {
        if self.sequences.outstanding() == 0 && self.acknowledged_at + SILENCE <= now {
            self.sequences.stumble();
        }
    }

    /// A batch's request ended, one way or another.
    pub(super) fn arrive(&mut self) {
        debug_assert!(0 < self.in_flight, "what ends was in flight");
        self.in_flight = self.in_flight.saturating_sub(1);
        if self.in_flight == 0 {
            self.connection = None;
        }
    }
}

/// Brokers remember a producer for a day unless they are told otherwise. A round trip after ten
/// silent minutes costs nothing that anybody sees.
const SILENCE: Duration = Duration::from_secs(600);

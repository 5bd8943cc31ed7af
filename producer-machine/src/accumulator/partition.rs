//! A partition: the batch that takes records, those that wait, and who may go next.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use kafka_producer_proto::batch::{OpenBatch, RecordBody};
use slab::Slab;

use super::batch::{Batch, BatchKey};
use super::budget::Class;
use super::groups::{Run, Runs};
use crate::brokers::{NodeId, Place};
use crate::idempotence::{Fresh, Numbering, Sequences, Session};
use crate::{ConnectionId, GroupId, Instant, TopicHandle};

/// The batch that takes records.
#[derive(Debug, Hash)]
pub(crate) struct Open {
    pub(crate) records: OpenBatch,
    pub(crate) key: BatchKey,
    pub(crate) class: Option<Class>,
    /// Bytes that the batch may have, header included.
    pub(crate) limit: usize,
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
    pub(crate) leader_epoch: i32,
    /// How often the topic has been created anew.
    pub(crate) incarnation: u32,
    pub(crate) open: Option<Open>,
    /// Batches that take no records any more and are not in flight, in the order of opening.
    pub(crate) queue: VecDeque<BatchKey>,
    /// What its batches cost of the budget.
    pub(crate) held: usize,
    pub(crate) in_flight: u32,
    /// The connection of what is in flight.
    pub(crate) connection: Option<ConnectionId>,
    pub(crate) sequences: Sequences,
    pub(crate) place: Place,
    /// The class in which the next batch starts: that which the last one reached.
    pub(crate) class: Class,
    pub(crate) backoff_at: Option<Instant>,
}

/// How many batches of a partition may be in flight.
#[derive(Clone, Copy, Debug, Hash)]
pub(crate) enum Order {
    /// Sequences keep the order: so many once established.
    Idempotent { limit: u32 },
    /// `max.in.flight.requests.per.connection=1`: one, which keeps the order (muting).
    Muted,
    /// No promise.
    None,
}

/// Who goes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// The open batch lingers.
    Linger,
    /// Nobody before this instant.
    NotBefore(Instant),
    /// Nobody before something else happens, which makes the partition be looked at again.
    Nothing,
    /// The open batch is due: close it.
    Seal,
    /// This batch, with this number if it has none yet.
    Take(BatchKey, Option<Numbering>),
    /// Nobody before the producer has an identity.
    WaitForIdentity,
    /// Nobody before the partition's identity has been left behind.
    WantsBump(crate::idempotence::Identity),
}

impl From<Fresh> for Next {
    fn from(fresh: Fresh) -> Self {
        match fresh {
            Fresh::Number(_) | Fresh::AfterOutstanding => Self::Nothing,
            Fresh::AfterIdentity => Self::WaitForIdentity,
            Fresh::AfterBump(identity) => Self::WantsBump(identity),
        }
    }
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
    pub(crate) fn new(topic: TopicHandle, index: u32) -> Self {
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
            sequences: Sequences::default(),
            place: Place::Nowhere,
            class: Class::default(),
            backoff_at: None,
        }
    }

    /// Who may go next, and what is missing if nobody may.
    ///
    /// A batch with a number goes before any without: after a failure the partition runs with
    /// one in flight, in order, until the retried ones are through.
    pub(crate) fn next(
        &mut self,
        now: Instant,
        batches: &Slab<Batch>,
        order: Order,
        session: &Session,
    ) -> Next {
        if !self.has_free_slot(order) {
            return Next::Nothing;
        }
        let numbered = self.first_numbered(batches);
        let Some(key) = numbered.or_else(|| self.queue.front().copied()) else {
            return self.next_open(order, session);
        };
        let Some(batch) = batches.get(key.0 as usize) else {
            return Next::Nothing;
        };
        if !batch.stage.is_queued() {
            return Next::Nothing;
        }
        let not_before = batch.not_before(self.leader_epoch);
        if now < not_before {
            return Next::NotBefore(not_before);
        }
        let Order::Idempotent { .. } = order else {
            return Next::Take(key, None);
        };
        if batch.numbering.is_some() {
            return if self.in_flight == 0 {
                Next::Take(key, None)
            } else {
                Next::Nothing
            };
        }
        match self.sequences.fresh(session) {
            Fresh::Number(numbering) => Next::Take(key, Some(numbering)),
            waiting => waiting.into(),
        }
    }

    /// The open batch stays open until it may really leave: it gathers records meanwhile.
    fn next_open(&mut self, order: Order, session: &Session) -> Next {
        let Some(open) = &self.open else {
            return Next::Nothing;
        };
        if let Order::Idempotent { .. } = order {
            match self.sequences.fresh(session) {
                Fresh::Number(_) => {}
                waiting => return waiting.into(),
            }
        }
        match open.departure {
            Departure::Due => Next::Seal,
            Departure::Lingering => Next::Linger,
        }
    }

    /// The first batch in the queue that has a number. There is one only if more batches are
    /// outstanding than in flight, so a long queue of fresh ones is not searched.
    fn first_numbered(&self, batches: &Slab<Batch>) -> Option<BatchKey> {
        if self.sequences.outstanding() <= self.in_flight {
            return None;
        }
        self.queue.iter().copied().find(|key| {
            batches
                .get(key.0 as usize)
                .is_some_and(|batch| batch.numbering.is_some())
        })
    }

    /// Whether one more batch may be in flight.
    fn has_free_slot(&self, order: Order) -> bool {
        match order {
            Order::Idempotent { limit } if self.sequences.is_established() => {
                self.in_flight < limit
            }
            Order::Idempotent { .. } | Order::Muted => self.in_flight == 0,
            Order::None => true,
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
    pub(super) fn acknowledged(&mut self, batch: &Batch) {
        let Some(numbering) = batch.numbering else {
            return;
        };
        self.sequences.acknowledged(numbering, batch.count);
        if self.sequences.outstanding() <= self.in_flight {
            self.sequences.establish();
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

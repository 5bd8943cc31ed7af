//! Who of a partition goes next, and what is missing if nobody may.
//!
//! ```text
//! a slot in flight? ──> numbered before? ──> compressed? ──> backoff over? ──> a number? ──> Take
//!                                └── only an open batch ──> a number? ──> due? ──> Seal
//! ```

use slab::Slab;

use super::batch::{Batch, BatchKey, PartitionKey};
use super::partition::{Departure, Partition};
use super::{Accumulator, Hurry};
use crate::Instant;
use crate::idempotence::{Fresh, Identity, Numbering, Session};

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

/// What decides who goes next, besides the partition itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) order: Order,
    pub(crate) session: Session,
    pub(crate) hurry: Hurry,
    /// Records with a serial below this one do not linger: a flush waits for them.
    pub(crate) flushed_to: Option<u64>,
}

impl Terms {
    /// Whether an open batch whose oldest record has this serial may linger.
    fn let_linger(&self, oldest: Option<u64>) -> bool {
        let is_flushed = oldest
            .zip(self.flushed_to)
            .is_some_and(|(own, to)| own < to);
        self.hurry == Hurry::Relaxed && !is_flushed
    }
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
    WantsBump(Identity),
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

impl Accumulator {
    /// Who of a partition may go next. An open batch that somebody is in a hurry for is due.
    pub(crate) fn next(&mut self, now: Instant, key: PartitionKey, terms: &Terms) -> Next {
        self.partitions[key.0 as usize].next(now, &self.batches, terms)
    }

    /// Bytes that the open batch is expected to have on the wire; zero if there is none.
    pub(crate) fn open_size(&self, key: PartitionKey) -> usize {
        let open = self.partitions[key.0 as usize].open.as_ref();
        open.map_or(0, |open| open.room.estimate(open.records.records_len()))
    }

    /// `linger.ms` of a batch is over. Gives its partition.
    pub(crate) fn end_linger(&mut self, batch: BatchKey) -> Option<PartitionKey> {
        let key = self.batches.get(batch.0 as usize)?.partition;
        self.partitions[key.0 as usize].end_linger();
        Some(key)
    }
}

impl Partition {
    /// Who may go next, and what is missing if nobody may.
    ///
    /// A batch with a number goes before any without: after a failure the partition runs with
    /// one in flight, in order, until the retried ones are through.
    fn next(&mut self, now: Instant, batches: &Slab<Batch>, terms: &Terms) -> Next {
        self.wake(now);
        if !self.has_free_slot(terms.order) {
            return Next::Nothing;
        }
        let numbered = self.first_numbered(batches);
        let Some(key) = numbered.or_else(|| self.queue.front().copied()) else {
            return self.next_open(batches, terms);
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
        let Order::Idempotent { .. } = terms.order else {
            return Next::Take(key, None);
        };
        if batch.numbering.is_some() {
            return if self.in_flight == 0 {
                Next::Take(key, None)
            } else {
                Next::Nothing
            };
        }
        match self.sequences.fresh(&terms.session) {
            Fresh::Number(numbering) => Next::Take(key, Some(numbering)),
            waiting => waiting.into(),
        }
    }

    /// The open batch stays open until it may really leave: it gathers records meanwhile.
    fn next_open(&mut self, batches: &Slab<Batch>, terms: &Terms) -> Next {
        let Some(open) = &mut self.open else {
            return Next::Nothing;
        };
        if let Order::Idempotent { .. } = terms.order {
            match self.sequences.fresh(&terms.session) {
                Fresh::Number(_) => {}
                waiting => return waiting.into(),
            }
        }
        let serial = batches.get(open.key.0 as usize).map(|batch| batch.oldest);
        if open.departure == Departure::Lingering && terms.let_linger(serial) {
            return Next::Linger;
        }
        open.departure = Departure::Due;
        Next::Seal
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
}

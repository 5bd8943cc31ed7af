//! A lane: one connection to a broker, and the partitions that send over it.
//!
//! ```text
//! a partition's place:   Nowhere ──may send──> Ready(turn) ──drained──> Nowhere
//!                           └──a batch lingers──> Lingering ──due──> Ready
//! ```
//!
//! **Invariants.** At most one connection per lane. A partition stands in one place of one lane
//! at most, and is ready only while it may send.

use alloc::collections::{BTreeMap, BTreeSet};
use core::ops::Bound;

use super::LaneId;
use crate::ConnectionId;
use crate::accumulator::PartitionKey;

/// A partition's place in the queue of a lane; lower ones go first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Turn(u64);

/// Where a partition stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    /// Its open batch lingers; it leaves early if the broker is asked anyway.
    Lingering(LaneId),
    /// Nowhere: nothing to send, or something must happen first.
    Nowhere,
    /// In the queue of its lane.
    Ready(LaneId, Turn),
}

/// Where a partition wants to stand in its lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Beside the queue, until its batch is due.
    Lingering,
    /// In the queue.
    Ready,
}

/// One connection to a broker, and who sends over it.
#[derive(Debug, Default, Hash)]
pub(crate) struct Lane {
    pub(crate) connection: Option<ConnectionId>,
    /// Partitions that may send, by their turn.
    ready: BTreeMap<Turn, PartitionKey>,
    next_turn: u64,
    /// Partitions whose open batch lingers: they go along with a request that leaves anyway.
    lingering: BTreeSet<PartitionKey>,
}

impl Lane {
    /// A partition takes its place here, behind those that stand here already.
    pub(crate) fn enter(&mut self, id: LaneId, key: PartitionKey, standing: Standing) -> Place {
        match standing {
            Standing::Lingering => {
                self.lingering.insert(key);
                Place::Lingering(id)
            }
            Standing::Ready => {
                let turn = Turn(self.next_turn);
                self.next_turn += 1;
                self.ready.insert(turn, key);
                Place::Ready(id, turn)
            }
        }
    }

    /// A partition leaves its place here.
    pub(crate) fn leave(&mut self, key: PartitionKey, place: Place) {
        match place {
            Place::Lingering(_) => {
                self.lingering.remove(&key);
            }
            Place::Nowhere => {}
            Place::Ready(_, turn) => {
                self.ready.remove(&turn);
            }
        }
    }

    /// Takes the partition out whose turn it is.
    pub(crate) fn call_first(&mut self) -> Option<(Turn, PartitionKey)> {
        self.ready.pop_first()
    }

    /// A partition that was called goes back to the place it had.
    pub(crate) fn stand_again(&mut self, turn: Turn, key: PartitionKey) {
        self.ready.insert(turn, key);
    }

    /// How many partitions go before the one with this turn.
    pub(crate) fn ahead_of(&self, turn: Turn) -> usize {
        self.ready.range(..turn).count()
    }

    /// How many partitions may send.
    pub(crate) fn ready(&self) -> usize {
        self.ready.len()
    }

    /// The partitions whose open batch lingers.
    pub(crate) fn lingering(&self) -> impl Iterator<Item = PartitionKey> {
        self.lingering.iter().copied()
    }

    /// The first of them behind this one.
    pub(crate) fn lingers_behind(&self, key: Option<PartitionKey>) -> Option<PartitionKey> {
        let behind = key.map_or(Bound::Unbounded, Bound::Excluded);
        self.lingering
            .range((behind, Bound::Unbounded))
            .next()
            .copied()
    }
}

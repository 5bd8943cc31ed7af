//! A batch: its records, its number, its deadlines.

use core::ops::Range;

use kafka_producer_proto::ErrorCode;
use kafka_producer_proto::compression::Codec;

use super::fate::Fate;
use super::groups::Runs;
use super::stage::Stage;
use crate::Instant;
use crate::idempotence::Numbering;

/// A batch's place in the table of batches. Used again after its batch has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct BatchKey(pub(crate) u32);

/// Where a batch stands in the order in which batches were opened. The parts of a split batch
/// stand where it stood, by their first records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Serial {
    pub(crate) number: u64,
    /// Which record of the batch that was opened is its first.
    pub(crate) first: u32,
}

/// A partition's place in the table of partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PartitionKey(pub(crate) u32);

/// A batch.
#[derive(Debug, Hash)]
pub(crate) struct Batch {
    pub(crate) partition: PartitionKey,
    /// Queues keep the order of serials.
    pub(crate) serial: Serial,
    /// The number of the serial that a flush waits for: of the oldest records in it.
    pub(crate) oldest: u64,
    pub(super) stage: Stage,
    pub(super) fate: Fate,
    pub(crate) runs: Runs,
    pub(crate) count: u32,
    pub(crate) base_timestamp: i64,
    pub(crate) max_timestamp: i64,
    /// Bytes of its records before compression, once it is closed.
    pub(crate) plain_bytes: usize,
    /// What it costs of the budget.
    pub(crate) charge: usize,
    /// In how many frames it is that may still be read, though their connections were given up.
    pub(crate) frames: u32,
    pub(crate) linger_at: Instant,
    pub(crate) deadline: Instant,
    pub(crate) numbering: Option<Numbering>,
    pub(crate) attempts: u32,
    pub(crate) last_error: Option<ErrorCode>,
    pub(crate) retry_at: Instant,
    /// When the last attempt ended.
    pub(crate) failed_at: Option<Instant>,
    /// The leader epoch of the last attempt: a newer one cancels the backoff (KAFKA-15415).
    pub(crate) leader_epoch: i32,
    /// Which incarnation of its topic it was last handed out for.
    pub(crate) incarnation: u32,
}

impl Batch {
    /// The end of its backoff. A leader newer than the one that failed is asked at once, and
    /// that once: the next attempt takes the newer epoch down (KAFKA-15415).
    pub(crate) fn not_before(&self, leader_epoch: i32) -> Instant {
        if self.leader_epoch < leader_epoch {
            Instant::ORIGIN
        } else {
            self.retry_at
        }
    }

    pub(crate) const fn stage(&self) -> &Stage {
        &self.stage
    }

    /// Whether a connection was ever given it, or the batch that it is a part of.
    pub(crate) const fn is_handed_out(&self) -> bool {
        0 < self.attempts || self.numbering.is_some()
    }

    /// Whether an attempt may have written it.
    pub(crate) const fn is_in_doubt(&self) -> bool {
        self.fate.is_in_doubt()
    }

    /// Whether a broker has said that it does not know its sequence, although an attempt may
    /// have written it.
    pub(crate) const fn is_suspected(&self) -> bool {
        self.fate.is_suspected()
    }

    pub(crate) fn is_zstd(&self) -> bool {
        let records = self.stage.records();
        records.is_some_and(|records| records.codec == Codec::Zstd)
    }

    /// The runs with the place in the batch at which each begins.
    pub(crate) fn placed_runs(&self) -> impl Iterator<Item = (u32, crate::GroupId, Range<u32>)> {
        let mut place = 0;
        self.runs.as_slice().iter().map(move |run| {
            let at = place;
            place += run.count;
            (at, run.group, run.first..run.first + run.count)
        })
    }
}

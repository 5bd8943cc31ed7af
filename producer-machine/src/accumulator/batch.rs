//! A batch from its first record to its end.
//!
//! ```text
//! content:  Open ──full, lingered, flushed──> Finished                     (no codec)
//!             └──────────────────────────────> Compressing ──> Finished
//! stage:    Queued ──drained──> InFlight ──answered──> gone
//!             ▲                   │  │
//!             └── may go again ───┘  └──given up──> Abandoned ──request ends──> gone
//! ```
//!
//! **Invariants.** A finished body never changes: a retry writes a new header only.
//! A tainted batch keeps its number until it ends.

use core::ops::Range;

use kafka_producer_proto::ErrorCode;
use kafka_producer_proto::compression::Codec;

use super::groups::Runs;
use crate::frame::Body;
use crate::idempotence::Numbering;
use crate::{ConnectionId, Instant, JobId};

/// A batch's place in the table of batches. Used again after its batch has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BatchKey(pub(crate) u32);

/// A partition's place in the table of partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PartitionKey(pub(crate) u32);

/// What is in a batch.
#[derive(Debug)]
pub(crate) enum Content {
    /// A job is compressing these records.
    Compressing { job: JobId, records: Body },
    /// Ready to be sent.
    Finished { body: Body, codec: Codec },
    /// The partition still holds it open.
    Open,
}

/// Where a batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Given up, but its request has not ended: the frame may still be read.
    Abandoned(ConnectionId),
    /// On this connection.
    InFlight(ConnectionId),
    /// Waiting in its partition.
    Queued,
}

/// Whether an attempt of the batch may have written it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Every attempt, if any, was answered with a definite no.
    NotWritten,
    /// Some attempt is in doubt. Sticky until a success.
    InDoubt(Suspicion),
}

/// How often the broker has said that it does not know the sequence of a batch in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suspicion {
    /// Never: the retry will tell.
    None,
    /// It has: its word is final once metadata were refreshed so often in all, for until then
    /// it may be the wrong broker to ask.
    Until(u64),
}

/// A batch.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) partition: PartitionKey,
    /// Batches are numbered in the order they were opened; queues keep that order.
    pub(crate) serial: u64,
    /// The serial that a flush waits for: of the oldest records in it.
    pub(crate) oldest: u64,
    pub(crate) content: Content,
    pub(crate) stage: Stage,
    pub(crate) fate: Fate,
    pub(crate) runs: Runs,
    pub(crate) count: u32,
    pub(crate) base_timestamp: i64,
    pub(crate) max_timestamp: i64,
    /// What it costs of the budget.
    pub(crate) charge: usize,
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
    /// Bytes of the whole batch on the wire; zero while it is not finished.
    pub(crate) fn wire_size(&self) -> usize {
        match &self.content {
            Content::Finished { body, .. } => kafka_producer_proto::batch::HEADER_LEN + body.len(),
            Content::Compressing { .. } | Content::Open => 0,
        }
    }

    /// The end of its backoff. A leader newer than the one that failed is asked at once, and
    /// that once: the next attempt takes the newer epoch down (KAFKA-15415).
    pub(crate) fn not_before(&self, leader_epoch: i32) -> Instant {
        if self.leader_epoch < leader_epoch {
            Instant::ORIGIN
        } else {
            self.retry_at
        }
    }

    pub(crate) const fn is_finished(&self) -> bool {
        matches!(self.content, Content::Finished { .. })
    }

    pub(crate) const fn is_zstd(&self) -> bool {
        matches!(
            self.content,
            Content::Finished {
                codec: Codec::Zstd,
                ..
            }
        )
    }

    pub(crate) const fn is_in_doubt(&self) -> bool {
        matches!(self.fate, Fate::InDoubt(_))
    }

    /// An attempt ended without a definite answer.
    pub(crate) const fn doubt(&mut self) {
        if let Fate::NotWritten = self.fate {
            self.fate = Fate::InDoubt(Suspicion::None);
        }
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

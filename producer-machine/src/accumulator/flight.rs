//! A batch on its way: what its departure, the end of its request and its own end change in its
//! partition.

use alloc::vec::Vec;

use super::fate::{Refreshes, Resolution};
use super::{Accumulator, BatchKey, PartitionKey, Stage};
use crate::connection::SentBatch;
use crate::idempotence::{Denial, Numbering};
use crate::{ConnectionId, ErrorCode, Instant};

/// Whether the end of an attempt says that nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// It says nothing, or not for sure.
    None,
    /// Nothing was written by this attempt, or all was written.
    Sure,
}

impl Accumulator {
    /// A batch leaves: from now on it may be written.
    pub(crate) fn depart(
        &mut self,
        key: BatchKey,
        numbering: Option<Numbering>,
        connection: ConnectionId,
    ) -> SentBatch {
        let batch = &mut self.batches[key.0 as usize];
        let partition = &mut self.partitions[batch.partition.0 as usize];
        if let Some(numbering) = numbering {
            batch.numbering = Some(numbering);
            partition.sequences.numbered(batch.count);
            // Everything before it has ended, if anything failed.
            partition.condemned = None;
        }
        batch.attempts += 1;
        batch.leader_epoch = partition.leader_epoch;
        batch.incarnation = partition.incarnation;
        batch.stage.depart();
        partition.depart(key, connection);
        SentBatch {
            topic: partition.topic,
            index: partition.index,
            batch: key,
        }
    }

    /// The request of a batch has ended.
    pub(crate) fn arrive(&mut self, key: BatchKey, error: Option<ErrorCode>, proof: Proof) {
        let batch = &mut self.batches[key.0 as usize];
        batch.last_error = error.or(batch.last_error);
        batch.stage.arrive();
        if proof == Proof::None {
            batch.fate.doubt();
        }
        self.partitions[batch.partition.0 as usize].arrive();
    }

    /// A batch whose request has ended is in the log, from this offset on if that is known.
    pub(crate) fn acknowledge(&mut self, now: Instant, key: BatchKey, base_offset: Option<i64>) {
        let batch = &self.batches[key.0 as usize];
        self.partitions[batch.partition.0 as usize].acknowledged(now, batch, base_offset);
    }

    /// A batch whose request has ended goes again, not before this instant.
    pub(crate) fn requeue(&mut self, now: Instant, key: BatchKey, retry_at: Instant) {
        let batch = &mut self.batches[key.0 as usize];
        batch.failed_at = Some(now);
        batch.retry_at = retry_at;
        let partition = &mut self.partitions[batch.partition.0 as usize];
        partition.sequences.stumble();
        partition.enqueue(key, &self.batches);
    }

    /// A batch that goes again gives its number back: it is not in the log.
    pub(crate) fn renumber(&mut self, key: BatchKey) {
        let batch = &mut self.batches[key.0 as usize];
        if batch.numbering.take().is_some() {
            self.partitions[batch.partition.0 as usize]
                .sequences
                .refused();
        }
    }

    /// A batch in flight is given up; its request goes on.
    pub(crate) fn abandon(&mut self, key: BatchKey) {
        let batch = &mut self.batches[key.0 as usize];
        batch.fate.doubt();
        batch.stage.abandon();
        self.partitions[batch.partition.0 as usize]
            .sequences
            .doubt();
    }

    /// A batch ends without an acknowledgement: so does its number.
    pub(crate) fn give_up(&mut self, key: BatchKey) {
        let batch = &self.batches[key.0 as usize];
        debug_assert!(
            !matches!(batch.stage, Stage::InFlight(_)),
            "a request ends before its batch"
        );
        if batch.numbering.is_none() {
            return;
        }
        let sequences = &mut self.partitions[batch.partition.0 as usize].sequences;
        if batch.fate.is_in_doubt() {
            sequences.gave_up();
        } else {
            sequences.refused();
        }
    }

    /// A broker does not know the sequence of a batch: what follows, by its fate.
    pub(crate) fn on_unknown_sequence(
        &mut self,
        key: BatchKey,
        refreshes: Refreshes,
    ) -> Resolution {
        self.batches[key.0 as usize]
            .fate
            .on_unknown_sequence(refreshes)
    }

    /// What a broker says of the batches before one whose sequence it does not know. One that
    /// forgot the producer with the last of its records has lost nothing else.
    pub(crate) fn denied(&mut self, key: BatchKey, log_start_offset: Option<i64>) -> Denial {
        let batch = &self.batches[key.0 as usize];
        let sequences = &mut self.partitions[batch.partition.0 as usize].sequences;
        match batch.numbering {
            None => Denial::Unrelated,
            Some(_) if log_start_offset.is_some_and(|start| sequences.is_retired(start)) => {
                Denial::Unrelated
            }
            Some(numbering) => sequences.denied(numbering, batch.count, batch.fate),
        }
    }

    /// What a partition wrote may be lost: it goes on under another epoch.
    pub(crate) fn suspect_loss(&mut self, key: PartitionKey) {
        self.partitions[key.0 as usize].sequences.restart();
    }

    /// The producer has left the identity of a partition behind.
    pub(crate) fn leave_identity(&mut self, key: PartitionKey) {
        self.partitions[key.0 as usize].sequences.forget();
    }

    /// The topic of a partition was created anew. Gives those in the queue that were handed out
    /// for the former one.
    pub(crate) fn recreate(&mut self, key: PartitionKey) -> Vec<BatchKey> {
        let partition = &mut self.partitions[key.0 as usize];
        partition.recreate();
        let queue = self.partitions[key.0 as usize].queue.iter().copied();
        queue
            .filter(|&batch| self.is_of_former_topic(batch))
            .collect()
    }

    /// Whether an earlier batch of the partition has a number and waits to be sent again.
    pub(crate) fn follows_another(&self, key: BatchKey) -> bool {
        let batch = &self.batches[key.0 as usize];
        let partition = &self.partitions[batch.partition.0 as usize];
        let queue = partition.queue.iter();
        let others = queue.filter_map(|other| self.batches.get(other.0 as usize));
        // The queue is in the order of the serials.
        let mut earlier = others.take_while(|other| other.serial < batch.serial);
        earlier.any(|other| other.numbering.is_some())
    }

    /// Whether a batch was handed out for a topic that has been created anew since.
    pub(crate) fn is_of_former_topic(&self, key: BatchKey) -> bool {
        let batch = &self.batches[key.0 as usize];
        let partition = &self.partitions[batch.partition.0 as usize];
        batch.is_handed_out() && batch.incarnation != partition.incarnation
    }
}

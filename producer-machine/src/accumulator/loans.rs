//! Bytes that somebody outside may still hold when their batch has ended: they stay charged.
//!
//! ```text
//! compression job ──────── its batch ends ──> on loan ──handle_compressed──> free
//! frame on a connection ── given up, and ───> on loan ──handle_disconnected─> free
//!                          its batch ends
//! ```
//!
//! A frame counts only if the driver may not be done with it: it has not asked that connection
//! for another one since. A batch that goes again over another connection may be in several.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::{Accumulator, BatchKey, Budget, Serial};
use crate::frame::Body;
use crate::{ConnectionId, JobId};

/// Batches that have ended and are still held, and who may hold them.
#[derive(Debug, Default, Hash)]
pub(crate) struct Loans {
    /// By the serial of the batch.
    ended: BTreeMap<Serial, Loan>,
    /// The batches in the last frame of a connection that was given up, with their serials.
    frames: BTreeMap<ConnectionId, Vec<(BatchKey, Serial)>>,
    /// The batch of each job that was handed out, with its serial.
    jobs: BTreeMap<JobId, (BatchKey, Serial)>,
}

#[derive(Debug, Hash)]
struct Loan {
    charge: usize,
    body: Body,
    /// How many hold it: jobs and frames.
    holders: u32,
}

impl Loans {
    /// A batch has ended and is still held.
    pub(super) fn begin(&mut self, serial: Serial, charge: usize, body: Body, holders: u32) {
        let loan = Loan {
            charge,
            body,
            holders,
        };
        self.ended.insert(serial, loan);
    }

    /// Whether somebody has this job.
    pub(super) fn has(&self, job: JobId) -> bool {
        self.jobs.contains_key(&job)
    }

    /// One holds it no more: the last one brings it home.
    fn end_one(&mut self, serial: Serial, budget: &mut Budget) {
        let Some(loan) = self.ended.get_mut(&serial) else {
            return;
        };
        loan.holders = loan.holders.saturating_sub(1);
        if 0 < loan.holders {
            return;
        }
        if let Some(loan) = self.ended.remove(&serial) {
            budget.release(loan.charge);
            budget.unshare(loan.body);
        }
    }
}

impl Accumulator {
    /// A job for a batch leaves.
    pub(super) fn lend_to_job(&mut self, job: JobId, key: BatchKey) {
        let serial = self.batches[key.0 as usize].serial;
        self.loans.jobs.insert(job, (key, serial));
    }

    /// A connection is given up while the driver may still be writing a frame of these batches.
    pub(crate) fn lend_to_frame(
        &mut self,
        connection: ConnectionId,
        batches: impl Iterator<Item = BatchKey>,
    ) {
        let mut lent = Vec::new();
        for key in batches {
            if let Some(batch) = self.batches.get_mut(key.0 as usize) {
                batch.frames += 1;
                lent.push((key, batch.serial));
            }
        }
        if !lent.is_empty() {
            self.loans.frames.insert(connection, lent);
        }
    }

    /// A job is done. Gives its batch, unless that has ended; a job answers once.
    pub(crate) fn take_job(&mut self, job: JobId) -> Option<BatchKey> {
        let (key, serial) = self.loans.jobs.remove(&job)?;
        self.jobs.come_back();
        if self.is_batch(key, serial) {
            return Some(key);
        }
        self.loans.end_one(serial, &mut self.budget);
        None
    }

    /// The driver is done with a connection, and with every frame of it.
    pub(crate) fn take_frame(&mut self, connection: ConnectionId) {
        for (key, serial) in self.loans.frames.remove(&connection).unwrap_or_default() {
            if self.is_batch(key, serial) {
                self.batches[key.0 as usize].frames -= 1;
            } else {
                self.loans.end_one(serial, &mut self.budget);
            }
        }
    }

    /// Whether this is still the batch of that serial: places are used again.
    pub(super) fn is_batch(&self, key: BatchKey, serial: Serial) -> bool {
        let batch = self.batches.get(key.0 as usize);
        batch.is_some_and(|batch| batch.serial == serial)
    }
}

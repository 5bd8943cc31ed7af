//! How the producer comes to rest: for a flush, by `close`, or for good.
//!
//! ```text
//! Open ──close──> Closing(deadline) ──everything resolved, or deadline──> Closed
//!   └──fatal──> Fatal ──close──> Closed
//! ```

use alloc::vec::Vec;

use super::timers::Timer;
use super::{Life, ProducerMachine};
use crate::accumulator::{Batch, BatchKey, Hurry, PartitionKey, Serial, Stage};
use crate::error::{DisconnectReason, FatalError, ProduceError};
use crate::event::{Event, Notice};
use crate::{ConnectionId, ErrorCode, FlushId, Instant};

impl ProducerMachine {
    pub(super) fn begin_flush(&mut self, now: Instant) -> FlushId {
        let now = self.tick(now);
        let id = FlushId(self.next_flush);
        self.next_flush += 1;
        self.flushes.push_back((id, self.accumulator.next_serial()));
        if self.concluded == Hurry::Relaxed {
            self.stop_lingering(now);
        }
        self.conclude(now);
        id
    }

    /// Ends the flushes whose records are all resolved. They end in the order they began, for
    /// each waits for at least what the one before waits for.
    pub(super) fn end_flushes(&mut self) {
        let oldest = self.accumulator.oldest_incomplete();
        while let Some(&(id, up_to)) = self.flushes.front() {
            self.steps.step();
            if oldest.is_some_and(|oldest| oldest < up_to) {
                return;
            }
            self.flushes.pop_front();
            self.events.push_back(Event::Flushed(id));
        }
    }

    pub(super) fn begin_close(&mut self, now: Instant, deadline: Instant) {
        let now = self.tick(now);
        let deadline = match &self.life {
            Life::Closed => return,
            Life::Closing(before) => {
                let before = *before;
                self.timers.disarm(before, Timer::Close);
                before.min(deadline)
            }
            Life::Fatal(_) => {
                self.finish(now);
                return;
            }
            Life::Open => deadline,
        };
        self.life = Life::Closing(deadline);
        for waiter in self.waiters.ids() {
            self.wake_waiter(waiter);
        }
        if deadline <= now {
            self.give_up(now);
            return;
        }
        self.timers.arm(deadline, Timer::Close);
        self.conclude(now);
    }

    /// Closing ends when every record is resolved.
    pub(super) fn end_close(&mut self, now: Instant) {
        if self.accumulator.oldest_incomplete().is_none() {
            self.finish(now);
        }
    }

    /// The deadline of `close` has come: what is left fails.
    pub(super) fn give_up(&mut self, now: Instant) {
        self.fail_everything(&ProduceError::Closed);
        self.finish(now);
    }

    /// The producer can do nothing more: everything fails, connections end.
    pub(super) fn fail_for_good(&mut self, now: Instant, fatal: impl Into<FatalError>) {
        if self.is_over() {
            return;
        }
        let fatal = fatal.into();
        self.notice(Notice::Fatal(fatal.clone()));
        let closing = matches!(self.life, Life::Closing(_));
        self.life = Life::Fatal(fatal.clone());
        self.fail_everything(&ProduceError::Fatal(fatal));
        self.drop_connections(now);
        self.timers.clear();
        self.control_at = None;
        for waiter in self.waiters.ids() {
            self.wake_waiter(waiter);
        }
        self.end_flushes();
        if closing {
            self.finish(now);
        }
    }

    fn finish(&mut self, now: Instant) {
        if matches!(self.life, Life::Closed) {
            return;
        }
        self.life = Life::Closed;
        self.drop_connections(now);
        self.timers.clear();
        self.control_at = None;
        self.end_flushes();
        self.events.push_back(Event::Closed);
    }

    fn drop_connections(&mut self, now: Instant) {
        let ids: Vec<ConnectionId> = self.brokers.connections.keys().copied().collect();
        for id in ids {
            self.disconnect(now, id, DisconnectReason::Asked);
        }
    }

    /// Fails every record: in the order in which batches were opened, so that a partition's
    /// records fail in order.
    fn fail_everything(&mut self, error: &ProduceError) {
        self.fail_batches(error, |_| true);
        self.fail_all_held(error);
    }

    /// The producer may not write: what waits for a number fails. What has one was sent before,
    /// and goes on.
    pub(super) fn fail_all_waiting(&mut self, now: Instant, code: ErrorCode) {
        let error = ProduceError::Broker {
            code,
            message: None,
        };
        self.fail_batches(&error, |batch| {
            !matches!(batch.stage(), Stage::InFlight(_)) && batch.numbering.is_none()
        });
        for key in core::mem::take(&mut self.without_identity) {
            self.reconsider(now, key);
        }
    }

    /// Gives the partitions of what failed, one entry a batch.
    pub(super) fn fail_batches(
        &mut self,
        error: &ProduceError,
        which: impl Fn(&Batch) -> bool,
    ) -> Vec<PartitionKey> {
        let mut keys: Vec<(Serial, BatchKey)> = self
            .accumulator
            .batches
            .iter()
            .filter(|(_, batch)| which(batch))
            .map(|(key, batch)| (batch.serial, BatchKey(key as u32)))
            .collect();
        keys.sort_unstable();
        let mut partitions = Vec::with_capacity(keys.len());
        for (_, key) in keys {
            partitions.push(self.accumulator.batches[key.0 as usize].partition);
            match self.accumulator.batches[key.0 as usize].stage() {
                Stage::Abandoned(_) => {}
                Stage::Compressing(..) | Stage::Open | Stage::Queued(_) => {
                    self.take_out(key);
                    let all = 0..self.accumulator.batches[key.0 as usize].count;
                    self.end_failed(key, alloc::vec![(all, error.clone())]);
                }
                Stage::InFlight(_) => self.abandon_alone(key, error.clone()),
            }
        }
        partitions
    }
}

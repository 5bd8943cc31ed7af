//! What each input ends with: whoever waits for room, for a flush or for the end is seen to.

use alloc::vec::Vec;

use super::timers::Timer;
use super::{Life, ProducerMachine};
use crate::Instant;
use crate::accumulator::{Hurry, PartitionKey};

impl ProducerMachine {
    /// At the end of each input: what follows for those who wait for room, a flush or the end.
    #[inline]
    pub(super) fn conclude(&mut self, now: Instant) {
        // Before anybody is told of room: what is there to be compressed makes more of it.
        self.hand_out_jobs(now);
        if self.waiters.are_aside() {
            self.bring_back(now);
        }
        if self.waiters.wait_for_space() {
            self.grant_space(now);
        } else {
            self.silence.clear(Timer::Silence, &mut self.timers);
            self.told.clear(Timer::Told, &mut self.timers);
        }
        let hurry = self.hurry();
        if hurry != core::mem::replace(&mut self.concluded, hurry) && hurry == Hurry::Now {
            // While somebody waits for memory nothing lingers (E8).
            self.stop_lingering(now);
        }
        if !self.flushes.is_empty() {
            self.end_flushes();
        }
        if let Life::Closing(_) = self.life {
            self.end_close(now);
        }
        self.count_waiting(now);
    }

    /// Nothing lingers any more: somebody waits for memory, for a flush, or for the end.
    pub(super) fn stop_lingering(&mut self, now: Instant) {
        let lingering: Vec<PartitionKey> = self.brokers.lingering().collect();
        for key in lingering {
            self.steps.step();
            self.reconsider(now, key);
        }
    }

    /// Whether batches may linger: not while somebody waits for memory (E8).
    pub(super) fn hurry(&self) -> Hurry {
        if self.is_open() && !self.waiters.wait_in_vain() {
            Hurry::Relaxed
        } else {
            Hurry::Now
        }
    }
}

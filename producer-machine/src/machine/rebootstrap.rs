//! Back to `bootstrap.servers` when the brokers that were learned are of no use any more
//! (KIP-899, KIP-1102).
//!
//! ```text
//! a refresh is due ──tried──> unanswered since then ──answered──> at rest
//!                               └──rebootstrap.trigger.ms──> start again
//! REBOOTSTRAP_REQUIRED ────────────────────────────────────> start again
//! ```
//!
//! Starting again closes all connections, whose requests end as those of any lost connection, and
//! asks the bootstrap addresses only. Topics, partitions, sequences and batches are kept: what was
//! to be sent is sent to whoever leads then.
//!
//! Short of that a bootstrap address is asked whenever no learned broker can be reached, which
//! `Brokers::least_loaded` sees to.

use alloc::vec::Vec;

use super::ProducerMachine;
use super::timers::Timer;
use crate::config::MetadataRecovery;
use crate::error::DisconnectReason;
use crate::{ConnectionId, ErrorCode, Instant};

impl ProducerMachine {
    /// Metadata are wanted: it counts from now on how long no answer comes.
    pub(super) fn await_metadata(&mut self, now: Instant) {
        let MetadataRecovery::Rebootstrap { trigger } = self.config.metadata_recovery else {
            return;
        };
        if self.metadata_awaited_by.at().is_none() && self.brokers.has_learned() {
            self.metadata_awaited_by
                .set(now + trigger, Timer::Rebootstrap, &mut self.timers);
        }
    }

    /// An answer has come, or it makes no sense to wait for one of these brokers.
    pub(super) fn await_metadata_no_more(&mut self) {
        self.metadata_awaited_by
            .clear(Timer::Rebootstrap, &mut self.timers);
    }

    /// No broker has described the cluster for too long.
    pub(super) fn on_rebootstrap_due(&mut self, now: Instant) {
        self.metadata_awaited_by.fired();
        self.rebootstrap(now);
    }

    /// A broker says that this producer must start again.
    pub(super) fn on_rebootstrap_required(&mut self, now: Instant, code: ErrorCode) {
        let may = self.config.metadata_recovery != MetadataRecovery::None;
        if may && code == ErrorCode::REBOOTSTRAP_REQUIRED {
            self.rebootstrap(now);
        }
    }

    fn rebootstrap(&mut self, now: Instant) {
        self.await_metadata_no_more();
        if self.is_over() || !self.brokers.forget_learned() {
            return;
        }
        let all: Vec<ConnectionId> = self.brokers.connections.keys().copied().collect();
        for id in all {
            self.disconnect(now, id, DisconnectReason::Asked);
        }
        self.service_control(now);
    }
}

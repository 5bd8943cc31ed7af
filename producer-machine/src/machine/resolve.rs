//! How long the names of `bootstrap.servers` may stay unresolved (`bootstrap.resolve.timeout.ms`,
//! KIP-909).
//!
//! ```text
//! Sought ──an address was reached, or refused us──> Found
//!   └──the time is over, and an attempt has failed without an address──> it cannot go on
//! ```
//!
//! A connect that ends with its setup timeout tells nothing: the look-up was too slow, or it gave
//! an address at which nobody answers. A resolver that is down must not be taken for a name that
//! was found, so it counts as no address, and a cluster whose hosts drop all that they are sent
//! ends the producer as well.
//!
//! Java gives up in its constructor unless told otherwise. Here a producer is made at once and
//! resolves in the background, and without a limit it does so for ever: what it is given meanwhile
//! fails in its own time, with the reason.

use alloc::sync::Arc;

use super::ProducerMachine;
use super::timers::Timer;
use crate::brokers::NodeId;
use crate::error::{DisconnectReason, FatalError};
use crate::{ErrorCode, Instant};

/// Whether any name of `bootstrap.servers` has resolved.
#[derive(Clone, Debug, Hash)]
pub(super) enum Bootstrap {
    /// One has, or there is no limit.
    Found,
    /// None has so far.
    Sought {
        until: Instant,
        /// The last one that did not, and why.
        last: Option<Arc<str>>,
    },
}

impl ProducerMachine {
    /// The names are to be resolved from now on.
    pub(super) fn seek_bootstrap(&mut self, now: Instant) {
        if let Some(limit) = self.config.bootstrap_resolve_timeout {
            let (until, last) = (now + limit, None);
            self.bootstrap = Bootstrap::Sought { until, last };
            self.timers.arm(until, Timer::Resolve);
        }
    }

    /// An address was reached.
    pub(super) fn on_bootstrap_found(&mut self) {
        if let Bootstrap::Sought { until, .. } = self.bootstrap {
            self.timers.disarm(until, Timer::Resolve);
            self.bootstrap = Bootstrap::Found;
        }
    }

    /// A connection to this node has ended, or was never made.
    pub(super) fn on_bootstrap_tried(
        &mut self,
        node: NodeId,
        address: &str,
        reason: &DisconnectReason,
    ) {
        if node.broker().is_some() {
            return;
        }
        match (&mut self.bootstrap, reason) {
            (Bootstrap::Found, _) | (_, DisconnectReason::Asked) => {}
            (
                Bootstrap::Sought { last, .. },
                DisconnectReason::Resolve(_) | DisconnectReason::SetupTimeout,
            ) => *last = Some(Arc::from(alloc::format!("{address}: {reason}"))),
            // Whoever refuses has an address.
            (Bootstrap::Sought { .. }, _) => self.on_bootstrap_found(),
        }
    }

    /// Gives up if the time is over and an attempt has failed: others that are under way are not
    /// waited for, since with slow look-ups one always is. Without any failure the first one is:
    /// it ends at its setup timeout at the latest.
    pub(super) fn check_bootstrap(&mut self, now: Instant) {
        let Bootstrap::Sought {
            until,
            last: Some(last),
        } = &self.bootstrap
        else {
            return;
        };
        if now < *until {
            return;
        }
        let trouble = alloc::format!(
            "no address of bootstrap.servers was resolved and reached within \
             bootstrap.resolve.timeout.ms, last {last}"
        );
        let trouble = Some(Arc::from(trouble));
        let code = ErrorCode::NETWORK_EXCEPTION;
        self.bootstrap = Bootstrap::Found;
        self.fail_for_good(now, FatalError { code, trouble });
    }
}

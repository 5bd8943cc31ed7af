//! The state of the machine for its digest: everything but what is counted and kept for speed. Of
//! a partitioner of the user's own it has what that says of itself.

use core::fmt::Write as _;
use core::hash::Hash as _;

use super::ProducerMachine;
use crate::digest::Digest;

impl ProducerMachine {
    pub(super) fn state_digest(&self) -> Digest {
        let Self {
            config,
            order,
            now,
            life,
            accumulator,
            brokers,
            chooser,
            metadata,
            session,
            session_failures,
            waiters,
            concluded,
            flushes,
            next_flush,
            without_identity,
            timers,
            silence,
            told,
            control_at,
            bootstrap,
            metadata_awaited_by,
            trouble,
            meter: _,
            retry,
            jitter,
            random,
            events,
            actions,
            steps: _,
            spares: _,
        } = self;
        Digest::of(|mixer| {
            // Settings never change: their text says enough of them.
            let _ = write!(mixer, "{config:?}");
            (order, now, life, accumulator, brokers, metadata).hash(mixer);
            chooser.digest().hash(mixer);
            (session, session_failures, waiters, concluded).hash(mixer);
            (flushes, next_flush, without_identity, timers, silence, told).hash(mixer);
            (bootstrap, metadata_awaited_by).hash(mixer);
            (control_at, trouble, retry, jitter, random, events, actions).hash(mixer);
        })
    }
}

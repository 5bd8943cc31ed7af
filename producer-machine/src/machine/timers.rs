//! What time brings.

use super::{Life, ProducerMachine};
use crate::accumulator::{BatchKey, PartitionKey, Serial};
use crate::brokers::NodeId;
use crate::{ConnectionId, Instant, TopicHandle, WaiterId};

/// A timer. Those of batches are ordered by serial, so that the batches of a partition that are
/// due together come in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Timer {
    /// `delivery.timeout.ms` of a batch.
    Delivery(Serial, BatchKey),
    /// `linger.ms` of a batch.
    Linger(Serial, BatchKey),
    /// The backoff of a partition's first batch.
    Backoff(PartitionKey),
    /// `max.block.ms` of records whose topic is unknown.
    Held(TopicHandle),
    /// Held records that one call did not place.
    Place,
    /// `max.block.ms` of somebody who waits.
    Waiter(WaiterId),
    /// Setup, the oldest request, or idleness.
    Connection(ConnectionId),
    /// The end of a throttle.
    Throttle(ConnectionId),
    /// A lane may be connected again.
    Reconnect(NodeId),
    /// No broker has described the cluster for too long.
    Rebootstrap,
    /// `bootstrap.resolve.timeout.ms`.
    Resolve,
    /// The broker that the first in line for room waits for becomes silent.
    Silence,
    /// Somebody was told of room and has not come.
    Told,
    /// The deadline of `close`.
    Close,
}

/// How many timers one call sees to; what is left stays due, so that whoever drives the machine
/// can do other things in between.
const TIMERS_A_CALL: usize = 64;

impl ProducerMachine {
    pub(super) fn on_timeout(&mut self, now: Instant) {
        for _ in 0..TIMERS_A_CALL {
            let Some(timer) = self.timers.pop_due(now) else {
                break;
            };
            self.steps.step();
            match timer {
                Timer::Backoff(key) => {
                    self.accumulator.partitions[key.0 as usize].backoff.fired();
                    self.reconsider(now, key);
                }
                Timer::Close => self.give_up(now),
                Timer::Connection(id) => self.on_connection_timer(now, id),
                Timer::Delivery(_, key) => self.expire(now, key),
                Timer::Held(topic) => self.expire_held(now, topic),
                Timer::Linger(_, key) => self.on_lingered(now, key),
                Timer::Place => self.place_some(now),
                Timer::Rebootstrap => self.on_rebootstrap_due(now),
                Timer::Resolve => self.check_bootstrap(now),
                Timer::Reconnect(node) => self.connect_if_wanted(now, node),
                // Who steps aside then shows at the end of this input, as of any other.
                Timer::Silence => self.silence.fired(),
                // Likewise whether anything may linger.
                Timer::Told => self.told.fired(),
                Timer::Throttle(id) => {
                    self.announce_connection(id);
                    self.service_control(now);
                }
                Timer::Waiter(id) => self.on_wait_expired(id),
            }
        }
        if self.control_at.is_some_and(|at| at <= now) {
            self.service_control(now);
        }
    }

    pub(super) const fn is_over(&self) -> bool {
        matches!(self.life, Life::Closed | Life::Fatal(_))
    }
}

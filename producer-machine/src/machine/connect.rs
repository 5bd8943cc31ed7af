//! The life of a connection, from the wish for it to its loss.
//!
//! ```text
//! a lane has something to send ──backoff over──> Connect ──handle_connected──> announced
//!    ▲                                              └─> lost, or given up <───────┘
//!    └───────────────────────────────────────────────────────┘
//! ```
//!
//! Metadata and the producer id want no lane: any broker can answer.

use super::ProducerMachine;
use super::receive::Answer;
use super::timers::Timer;
use crate::action::Action;
use crate::brokers::{LaneId, LeastLoaded, NodeId};
use crate::connection::{Connection, Turn, What};
use crate::error::DisconnectReason;
use crate::event::Notice;
use crate::{ConnectionId, ErrorCode, Instant};

impl ProducerMachine {
    /// A lane has something to send.
    pub(super) fn announce(&mut self, now: Instant, lane: LaneId) {
        match self.brokers.lane(lane).map(|lane| lane.connection) {
            Some(Some(connection)) => self.announce_connection(connection),
            Some(None) => self.connect(now, lane),
            None => {}
        }
    }

    /// Opens a connection, or waits for the end of the backoff.
    fn connect(&mut self, now: Instant, lane: LaneId) {
        let Some(broker) = self.brokers.all().get(&lane.node) else {
            return;
        };
        if self.is_over() {
            return;
        }
        if now < broker.not_before {
            self.timers
                .arm(broker.not_before, Timer::Reconnect(lane.node));
            return;
        }
        let Some(opening) = self.brokers.open(now, lane, &mut self.jitter) else {
            return;
        };
        self.accumulator.holdings.asked(now, lane.node);
        self.arm_connection(opening.connection);
        self.actions.push_back(Action::Connect {
            connection: opening.connection,
            host: opening.host,
            port: opening.port,
            attempt: opening.attempt,
        });
    }

    pub(super) fn on_connected(&mut self, now: Instant, id: ConnectionId) {
        if !self.brokers.connected(now, id) {
            return;
        }
        self.on_bootstrap_found();
        self.meter.on_connected();
        self.arm_connection(id);
        self.announce_connection(id);
    }

    /// Tells the driver to ask for a frame, unless it knows already or would ask in vain.
    pub(super) fn announce_connection(&mut self, id: ConnectionId) {
        let connection = self.brokers.connections.get_mut(&id);
        if connection.is_some_and(|connection| connection.announce(self.now)) {
            self.actions.push_back(Action::Transmit { connection: id });
        }
    }

    /// Announces what this connection may carry now, if anything: what became ready while a
    /// frame was looked for in vain, or waited for a slot in flight. A connection that was left
    /// ends here, with the last that was in flight on it.
    pub(super) fn announce_rest(&mut self, now: Instant, id: ConnectionId) {
        let Some(connection) = self.brokers.connections.get(&id) else {
            self.service_control(now);
            return;
        };
        if connection.has_drained() {
            self.disconnect(now, id, DisconnectReason::Asked);
            return;
        }
        let asks_again = matches!(connection.turn(now), Turn::ApiVersions(_));
        let lane = self.brokers.lane(connection.lane);
        if asks_again || lane.is_some_and(|lane| 0 < lane.ready()) {
            self.announce_connection(id);
        }
        self.service_control(now);
    }

    pub(super) fn connect_if_wanted(&mut self, now: Instant, node: NodeId) {
        for lane in self.brokers.lanes_of(node) {
            if self.brokers.lane(lane).is_some_and(|lane| 0 < lane.ready()) {
                self.announce(now, lane);
            }
        }
        self.service_control(now);
    }

    /// Sees to what any broker can answer: metadata and the producer id.
    pub(super) fn service_control(&mut self, now: Instant) {
        self.control_at = None;
        let due = [self.metadata.due_at(), self.session.wanted_at()]
            .into_iter()
            .flatten()
            .min();
        let Some(due) = due.filter(|_| !self.is_over()) else {
            return;
        };
        if now < due {
            self.control_at = Some(due);
            return;
        }
        if self.metadata.due_at().is_some_and(|at| at <= now) {
            self.await_metadata(now);
        }
        self.steps.take(self.brokers.all().len());
        match self.brokers.least_loaded(now) {
            Some(LeastLoaded::Connect(lane)) => self.connect(now, lane),
            Some(LeastLoaded::Connected(id)) => self.announce_connection(id),
            Some(LeastLoaded::NotBefore(at)) => self.control_at = Some(at),
            Some(LeastLoaded::Pending) | None => {}
        }
    }

    /// Arms the timer of a connection for what comes first in its state.
    pub(super) fn arm_connection(&mut self, id: ConnectionId) {
        if let Some(connection) = self.brokers.connections.get_mut(&id) {
            let (at, timer) = (connection.look_at(), Timer::Connection(id));
            connection.alarm.set(at, timer, &mut self.timers);
        }
    }

    /// What the timer of a connection stands for follows from its state.
    pub(super) fn on_connection_timer(&mut self, now: Instant, id: ConnectionId) {
        let Some(connection) = self.brokers.connections.get_mut(&id) else {
            return;
        };
        connection.alarm.fired();
        if let Some(reason) = connection.end(now) {
            self.disconnect(now, id, reason);
            return;
        }
        let (is_late, lane) = (connection.has_become_late(now), connection.lane);
        if is_late {
            self.on_late(now, lane);
        }
        self.arm_connection(id);
    }

    /// A connection takes long to be made. Whoever waits for it may wait for the wrong broker: a
    /// host that has vanished refuses nothing, and a broker that starts again takes connections
    /// long before it answers. So metadata are asked for as often as if it had refused.
    fn on_late(&mut self, now: Instant, lane: LaneId) {
        if self.brokers.lane(lane).is_some_and(|lane| 0 < lane.ready()) {
            self.metadata.refresh(now, &mut self.jitter);
        }
        self.service_control(now);
    }

    /// The machine gives a connection up.
    pub(super) fn disconnect(&mut self, now: Instant, id: ConnectionId, reason: DisconnectReason) {
        let Some(connection) = self.brokers.connections.get(&id) else {
            return;
        };
        if connection.is_writing() {
            let frame = connection.last_frame();
            self.accumulator.lend_to_frame(id, frame);
        }
        self.actions
            .push_back(Action::Disconnect { connection: id });
        self.on_lost(now, id, reason);
    }

    /// A connection has ended: what was in flight on it ends in the order it was sent, each
    /// batch in doubt, for any prefix may have been executed.
    pub(super) fn on_lost(&mut self, now: Instant, id: ConnectionId, reason: DisconnectReason) {
        let Some(mut connection) = self.brokers.remove(now, id, &mut self.jitter) else {
            return;
        };
        let timer = Timer::Connection(id);
        connection.alarm.clear(timer, &mut self.timers);
        if !connection.is_connecting() {
            self.meter.on_closed();
        }
        self.timers
            .disarm(connection.throttled_until, Timer::Throttle(id));
        let Connection {
            lane,
            address,
            in_flight,
            unanswered,
            ..
        } = connection;
        let code = match reason {
            DisconnectReason::RequestTimeout => ErrorCode::REQUEST_TIMED_OUT,
            _ => ErrorCode::NETWORK_EXCEPTION,
        };
        let broker = lane.node.broker();
        self.brokers.lose(now, lane.node, &reason);
        self.remember_trouble(&address, &reason);
        self.on_bootstrap_tried(lane.node, &address, &reason);
        let has_idled = reason == DisconnectReason::Idle;
        self.notice(Notice::Disconnected {
            connection: id,
            broker,
            address,
            reason,
        });
        // Idling says nothing about the cluster, and a refresh would open the next connection.
        if !self.is_over() && !has_idled {
            self.metadata.refresh(now, &mut self.jitter);
        }
        for sent in in_flight {
            match sent.what {
                What::ApiVersions => {}
                What::InitProducerId => self.ask_identity_later(now),
                What::Metadata => self.metadata.failed(now, &mut self.jitter),
                What::Produce { batches, .. } => {
                    for sent in batches {
                        self.settle(now, sent.batch, Answer::none(code));
                    }
                }
            }
        }
        for batch in unanswered {
            self.lose_unanswered(now, batch, code);
        }
        // Before the next attempt, which would be in vain.
        self.check_bootstrap(now);
        self.connect_if_wanted(now, lane.node);
    }
}

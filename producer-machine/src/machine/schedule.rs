//! Who may send, and to whom: partitions stand in the queue of their leader's lane.
//!
//! A partition is looked at again whenever something that it may wait for has happened, and only
//! then: 100,000 idle partitions cost what 10 do.

use alloc::vec::Vec;

use super::timers::Timer;
use super::{Life, ProducerMachine};
use crate::accumulator::{BatchKey, Hurry, Next, PartitionKey};
use crate::action::Action;
use crate::brokers::{LaneId, LeastLoaded, NodeId, Standing};
use crate::event::{Event, Notice};
use crate::idempotence::{Bumped, Identity};
use crate::{ConnectionId, Instant};

impl ProducerMachine {
    /// Looks at a partition: puts it where it belongs now.
    pub(super) fn reconsider(&mut self, now: Instant, key: PartitionKey) {
        self.steps.step();
        if self.is_over() {
            return;
        }
        let terms = self.terms();
        match self.accumulator.next(now, key, &terms) {
            Next::Nothing => {
                self.put(key, None);
                if self.accumulator.partitions[key.0 as usize].leader.is_none() {
                    self.metadata.unwant_leader(key);
                }
            }
            Next::NotBefore(at) => {
                self.put(key, None);
                self.arm_backoff(key, at);
            }
            Next::WaitForIdentity => {
                self.put(key, None);
                self.without_identity.insert(key);
            }
            Next::WantsBump(old) => {
                self.bump(now, old);
                self.accumulator.leave_identity(key);
                self.reconsider(now, key);
            }
            Next::Linger => self.put_with_leader(now, key, Standing::Lingering),
            Next::Seal | Next::Take(..) => self.put_with_leader(now, key, Standing::Ready),
        }
    }

    pub(super) fn on_lingered(&mut self, now: Instant, batch: BatchKey) {
        if let Some(key) = self.accumulator.end_linger(batch) {
            self.reconsider(now, key);
        }
    }

    fn put_with_leader(&mut self, now: Instant, key: PartitionKey, standing: Standing) {
        let Some(node) = self.accumulator.partitions[key.0 as usize].leader else {
            self.put(key, None);
            self.metadata.want_leader(now, key, &mut self.jitter);
            self.service_control(now);
            return;
        };
        let lane = self.brokers.lane_for(node, key);
        self.put(key, Some((lane, standing)));
        if standing == Standing::Ready {
            self.accumulator.holdings.asked(now, node);
            self.announce(now, lane);
        }
    }

    fn put(&mut self, key: PartitionKey, to: Option<(LaneId, Standing)>) {
        let partition = &mut self.accumulator.partitions[key.0 as usize];
        partition.stand(self.brokers.place(key, partition.place(), to));
    }

    fn arm_backoff(&mut self, key: PartitionKey, at: Instant) {
        let partition = &mut self.accumulator.partitions[key.0 as usize];
        partition
            .backoff
            .set(at, Timer::Backoff(key), &mut self.timers);
    }

    /// Nothing lingers any more: somebody waits for memory, for a flush, or for the end.
    pub(super) fn stop_lingering(&mut self, now: Instant) {
        let lingering: Vec<PartitionKey> = self.brokers.lingering().collect();
        for key in lingering {
            self.steps.step();
            self.reconsider(now, key);
        }
    }

    /// A lane has something to send.
    pub(super) fn announce(&mut self, now: Instant, lane: LaneId) {
        match self.brokers.lane(lane).map(|lane| lane.connection) {
            Some(Some(connection)) => self.announce_connection(connection),
            Some(None) => self.connect(now, lane),
            None => {}
        }
    }

    /// Tells the driver to ask for a frame, unless it knows already or would ask in vain.
    pub(super) fn announce_connection(&mut self, id: ConnectionId) {
        let connection = self.brokers.connections.get_mut(&id);
        if connection.is_some_and(|connection| connection.announce(self.now)) {
            self.actions.push_back(Action::Transmit { connection: id });
        }
    }

    /// Opens a connection, or waits for the end of the backoff.
    pub(super) fn connect(&mut self, now: Instant, lane: LaneId) {
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
        if let Some(connection) = self.brokers.connections.get_mut(&opening.connection) {
            let timer = Timer::Connection(opening.connection);
            connection
                .alarm
                .set(opening.setup_deadline, timer, &mut self.timers);
        }
        self.actions.push_back(Action::Connect {
            connection: opening.connection,
            host: opening.host,
            port: opening.port,
            attempt: opening.attempt,
        });
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
        self.steps.take(self.brokers.all().len());
        match self.brokers.least_loaded(now) {
            Some(LeastLoaded::Connect(lane)) => self.connect(now, lane),
            Some(LeastLoaded::Connected(id)) => self.announce_connection(id),
            Some(LeastLoaded::NotBefore(at)) => self.control_at = Some(at),
            Some(LeastLoaded::Pending) | None => {}
        }
    }

    /// Leaves an identity behind, for the whole producer; other partitions follow when nothing
    /// of theirs is outstanding (KAFKA-12152).
    fn bump(&mut self, now: Instant, old: Identity) {
        match self.session.bump(now, old) {
            Bumped::Already => {}
            Bumped::Epoch(identity) => self.tell_bumped(identity),
            Bumped::Exhausted => self.service_control(now),
        }
    }

    pub(super) fn tell_bumped(&mut self, identity: Identity) {
        self.notice(Notice::EpochBumped {
            producer_id: identity.producer_id,
            producer_epoch: identity.producer_epoch,
        });
    }

    pub(super) fn notice(&mut self, notice: Notice) {
        self.events.push_back(Event::Notice(notice));
    }

    /// At the end of each input: what follows for those who wait for room, a flush or the end.
    #[inline]
    pub(super) fn conclude(&mut self, now: Instant) {
        if self.waiters.are_aside() {
            self.bring_back(now);
        }
        if self.waiters.wait_for_space() {
            self.grant_space(now);
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
}

//! The loop: time jumps to what happens next, the producer is told, and its wishes come true.

use std::time::Duration;

use kafka_producer_machine::{Action, ConnectionId, Event, Instant, Notice, ProducerMachine};

use super::World;
use super::goals::Goal;
use super::network::{End, Happening};

/// What a run is made of, in a number: equal runs have equal ones (FNV-1a).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trace(u64);

impl Default for Trace {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Trace {
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    }

    pub(crate) const fn hash(self) -> u64 {
        self.0
    }
}

impl World {
    /// Lets time pass.
    pub fn run_for(&mut self, span: Duration) {
        let end = self.now + span;
        while self.step(end) {}
        self.now = end;
    }

    /// Runs until every record is resolved and nothing is on its way, but no longer than any
    /// record may take.
    pub fn run_until_idle(&mut self) {
        let end = self.now + self.patience();
        while !self.is_idle() && self.step(end) {}
    }

    /// Whether nothing is pending: no record, no byte, no fault.
    pub fn is_idle(&self) -> bool {
        self.ledger.is_settled() && self.backlog.is_empty() && self.agenda.is_empty()
    }

    /// Does the next thing, unless it comes after `end`; whether there was one.
    fn step(&mut self, end: Instant) -> bool {
        let happens = self.agenda.next_at();
        let fires = self.machine.poll_timeout();
        let Some(next) = happens
            .into_iter()
            .chain(fires)
            .min()
            .filter(|&next| next <= end)
        else {
            return false;
        };
        self.now = self.now.max(next);
        self.cluster.advance(self.wall());
        // What is due at the same instant comes in either order.
        let happens = happens.is_some_and(|at| at <= self.now);
        let fires = fires.is_some_and(|at| at <= self.now);
        if happens && (!fires || self.network.one_in(2)) {
            if let Some(happening) = self.agenda.pop() {
                self.trace_happening(&happening);
                self.happen(happening);
            }
        } else {
            self.tick();
        }
        self.drain();
        let now = self.now;
        let early = self.machine.poll_timeout().is_none_or(|at| now < at);
        if early && self.network.one_in(50) {
            self.must_not_matter("T7: a tick without reason", |machine| {
                machine.handle_timeout(now);
            });
        }
        let (ledger, rules) = (&mut self.ledger, &self.rules);
        self.watch.check_strays(ledger);
        self.watch.check_overdue(now, ledger, rules);
        if let Some(deadline) = self.backlog.overdue(now) {
            self.ledger.violate(format!(
                "T4: a wait until {deadline:?} has not ended {now:?}"
            ));
        }
        self.check_memory();
        self.check_prompt();
        true
    }

    /// Tells the producer something that must change nothing.
    fn must_not_matter(&mut self, what: &str, tell: impl FnOnce(&mut ProducerMachine)) {
        self.drain();
        let before = self.machine.poll_timeout();
        tell(&mut self.machine);
        let after = self.machine.poll_timeout();
        // What is due may be seen to with any input.
        let is_due = before.is_some_and(|at| at <= self.now);
        if !is_due && (self.machine.has_output() || before != after) {
            self.ledger
                .violate(format!("{what} matters: {before:?}, then {after:?}"));
        }
        self.drain();
    }

    /// Tells the producer the time, and that it must not ask for the same again and again (T3).
    fn tick(&mut self) {
        self.trace.add(b"tick");
        self.trace.add(&self.now.as_micros().to_be_bytes());
        self.machine.handle_timeout(self.now);
        let asks_again = self.machine.poll_timeout().is_some_and(|at| at <= self.now);
        if asks_again && !self.machine.has_output() {
            self.idle_ticks += 1;
            if self.idle_ticks == 100 {
                let at = self.now;
                self.ledger
                    .violate(format!("T3: the producer wants to be told {at:?} for ever"));
            }
        } else {
            self.idle_ticks = 0;
        }
        if 1000 < self.idle_ticks {
            // It would never end; the violation is noted.
            self.now = self.now + Duration::from_millis(1);
        }
    }

    fn happen(&mut self, happening: Happening) {
        let now = self.now;
        match happening {
            Happening::Close(limit) => self.close(limit),
            Happening::Compressed(compressed) => self.machine.handle_compressed(now, compressed),
            Happening::Connected(id) => self.on_connected(id),
            Happening::Fault(fault) => self.befall(fault),
            Happening::Gone(id, reason) => {
                let Some(link) = self.links.get_mut(&id) else {
                    self.machine.handle_disconnected(now, id, reason);
                    return;
                };
                if link.producer == End::Closed {
                    self.ledger.goals.reach(Goal::AfterTheEnd);
                    self.must_not_matter("P7: the end of a dead connection", |machine| {
                        machine.handle_disconnected(now, id, reason);
                    });
                    return;
                }
                let was_closing = link.producer == End::Closing;
                link.producer = End::Closed;
                self.watch.lost(now, &mut self.ledger, id);
                if was_closing {
                    self.machine.handle_disconnected(now, id, reason);
                } else {
                    self.note_lost(id);
                    self.machine.handle_disconnected(now, id, reason);
                }
            }
            Happening::HostGone(id) => self.close_host(id),
            Happening::Late(broker, request) => self.apply_late(broker, &request),
            Happening::Resume(id) => self.resume(id),
            Happening::Send { topic, count } => self.send_some(topic, count),
            Happening::ToHost(id, bytes) => self.on_host_bytes(id, &bytes),
            Happening::ToProducer(id, bytes) => self.on_producer_bytes(id, &bytes),
            Happening::Write(id) => {
                self.writing.remove(&id);
                self.pump(id);
            }
        }
    }

    fn on_producer_bytes(&mut self, id: ConnectionId, bytes: &[u8]) {
        match self.links.get(&id).map(|link| link.producer) {
            Some(End::Open) => self.watch.received(self.now, &mut self.ledger, id, bytes),
            // A driver may be late; facts about a connection that was given up have no effect.
            Some(End::Closing | End::Closed) if self.network.one_in(4) => {
                self.ledger.goals.reach(Goal::AfterTheEnd);
                let now = self.now;
                self.must_not_matter("P7: an answer over a dead connection", |machine| {
                    machine.handle_received(now, id, bytes);
                });
                return;
            }
            _ => return,
        }
        self.machine.handle_received(self.now, id, bytes);
    }

    /// Fulfils every wish, and tells the application what happened.
    pub(crate) fn drain(&mut self) {
        loop {
            // What has ended is noted before anything leaves that may leave because of it.
            if let Some(event) = self.machine.poll_event() {
                self.on_event(&event);
            } else if let Some(action) = self.machine.poll_action() {
                self.fulfil(action);
            } else {
                return;
            }
        }
    }

    fn fulfil(&mut self, action: Action) {
        match action {
            Action::Compress(job) => {
                let compressed = job.run(&mut self.compressor);
                let at = self.now + Duration::from_micros(self.network.below(5000));
                self.jobs_until = self.jobs_until.max(at);
                self.agenda.add(at, Happening::Compressed(compressed));
            }
            Action::Connect {
                connection,
                host,
                port,
                ..
            } => {
                self.connect(connection, &host, port);
            }
            Action::Disconnect { connection } => self.disconnect(connection),
            Action::Transmit { connection } => self.pump(connection),
            _ => {}
        }
    }

    /// Writes frames as long as there are any; now and then the socket is full.
    fn pump(&mut self, id: ConnectionId) {
        while self.machine.poll_transmit(self.now, id, &mut self.frame) {
            let bytes = self.frame.seal().chunks().collect::<Vec<_>>().concat();
            self.frame.clear();
            self.trace.add(&bytes);
            self.transmit(id, &bytes);
            if self.network.one_in(8) {
                let at = self.later();
                self.writing.insert(id);
                self.agenda.add(at, Happening::Write(id));
                return;
            }
        }
    }

    fn on_event(&mut self, event: &Event) {
        self.trace.add(format!("{:?}", Brief(event)).as_bytes());
        match event {
            Event::Completed { .. } => self.on_completed(event),
            Event::Flushed(flush) => self.on_flushed(*flush),
            Event::Notice(Notice::Fatal(error)) => {
                self.note(format!("fatal: {error}"));
                self.is_fatal = true;
                self.check_stop(error.code);
            }
            Event::Notice(Notice::DataLossSuspected { .. }) => {
                self.ledger.goals.reach(Goal::LossSuspected);
            }
            Event::Notice(Notice::EpochBumped { .. }) => self.on_bumped(),
            Event::SpaceReady(waiter) => self.on_space(*waiter),
            Event::WaitExpired(waiter) => self.on_wait_expired(*waiter),
            Event::Closed => self.on_closed(),
            _ => {}
        }
    }

    fn on_bumped(&mut self) {
        if self.ledger.unresolved().any(|(_, entry)| entry.tainted) {
            self.ledger.goals.reach(Goal::BumpInDoubt);
        }
    }

    fn on_completed(&mut self, event: &Event) {
        for id in self.ledger.complete(self.now, event) {
            self.ledger.note_expiry(id, self.rules.delivery_timeout);
            let entry = self.ledger.entry(id);
            if let (Some(place), Some(identity)) = (&entry.place, entry.identity) {
                self.watch.discipline.failed(place, identity);
            }
        }
    }

    /// L4: a producer that was closed ends in time, and at once if it was given none.
    fn on_closed(&mut self) {
        self.is_closed = true;
        let now = self.now;
        if let Some(at) = self.closes_at.filter(|&at| at < now) {
            self.ledger.violate(format!(
                "L4: the producer was to end {at:?} and ended {now:?}"
            ));
        }
    }

    fn trace_happening(&mut self, happening: &Happening) {
        self.trace.add(&self.now.as_micros().to_be_bytes());
        match happening {
            Happening::ToHost(id, bytes) | Happening::ToProducer(id, bytes) => {
                self.trace.add(&id.as_u64().to_be_bytes());
                self.trace.add(bytes);
            }
            Happening::Connected(id) | Happening::Gone(id, _) => {
                self.trace.add(&id.as_u64().to_be_bytes());
            }
            _ => {}
        }
    }
}

/// An event without what is in its records.
struct Brief<'a>(&'a Event);

impl std::fmt::Debug for Brief<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Event::Completed {
                group,
                records,
                result,
                ..
            } => {
                let result = result
                    .as_ref()
                    .map_err(|failed| (failed.outcome, &failed.error));
                write!(f, "{group:?} {records:?} {result:?}")
            }
            other => other.fmt(f),
        }
    }
}

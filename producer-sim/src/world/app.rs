//! The application: hands in records, waits for room, flushes.
//!
//! It is as many tasks as may wait at once: the first records that find no room wait each for
//! itself, the others stand behind them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use kafka_producer_machine::{
    FlushId, Instant, Purge, Receipt, Record, SendError, Shortage, Topic, WaiterId,
};

use super::World;
use super::goals::Goal;
use super::ledger::{Content, RecordId, offer};

/// Records that found no room.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    waiting: BTreeMap<WaiterId, Waiting>,
    /// Who was told that there is room, and has not used it.
    granted: BTreeSet<WaiterId>,
    /// Who has stopped waiting: what is on its way to them says nothing any more.
    gone: BTreeSet<WaiterId>,
    behind: VecDeque<RecordId>,
}

/// Who waits for room.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    record: RecordId,
    deadline: Instant,
    /// What its task was told last.
    shortage: Shortage,
}

/// Whether the application changes its mind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Now and then it stops waiting.
    Fickle,
    /// What it begins it ends.
    #[default]
    Steady,
}

/// How many tasks may wait at once.
const TASKS: usize = 4;

impl Backlog {
    /// Until when somebody was to wait who waits still.
    pub(crate) fn overdue(&self, now: Instant) -> Option<Instant> {
        let mut deadlines = self.waiting.values().map(|waiting| waiting.deadline);
        deadlines.find(|&deadline| deadline < now)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.behind.is_empty()
    }
}

impl World {
    /// Hands in `count` records of a few bytes without a key.
    pub fn produce(&mut self, topic: &str, count: u32) {
        for _ in 0..count {
            self.send(&Record::to(topic).value(b"value"));
        }
    }

    /// Hands in `count` records of a few bytes for one partition.
    pub fn produce_to(&mut self, topic: &str, partition: u32, count: u32) {
        for _ in 0..count {
            self.send(&Record::to(topic).value(b"value").partition(partition));
        }
    }

    /// Hands in a record; if there is no room it waits its turn. A header marks it.
    pub fn send(&mut self, record: &Record<'_>) -> RecordId {
        let topic = match record.topic {
            Topic::Name(name) => name.to_owned(),
            Topic::Handle(handle) => self
                .machine
                .topic_name(handle)
                .map_or_else(String::new, |name| name.to_string()),
            _ => String::new(),
        };
        let content = Content::of(&topic, self.wall(), record);
        let id = self.ledger.add(content);
        if self.backlog.waiting.len() < TASKS && self.backlog.behind.is_empty() {
            self.try_send(id);
        } else {
            self.backlog.behind.push_back(id);
        }
        self.drain();
        id
    }

    /// Lets everything that was accepted go out without lingering.
    pub fn flush(&mut self) {
        let flush = self.machine.flush(self.now);
        let accepted = self.ledger.accepted();
        self.flushes.insert(flush, accepted);
        self.flushed_to = accepted;
        self.hurried_at = Some(self.now);
        if self.watch.is_throttled(self.now) {
            self.ledger.goals.reach(Goal::FlushThrottled);
        }
        if self.leaderless() {
            self.ledger.goals.reach(Goal::FlushLeaderless);
        }
        self.drain();
    }

    /// Gives up what has not ended.
    pub fn purge(&mut self, what: Purge) {
        if self.watch.has_in_flight() {
            self.ledger.goals.reach(Goal::PurgedInFlight);
        }
        self.machine.purge(self.now, what);
        self.drain();
    }

    /// Closes the producer, which has so long for what is left.
    pub fn close(&mut self, limit: std::time::Duration) {
        let deadline = self.now + limit;
        self.closes_at = Some(self.closes_at.map_or(deadline, |at| at.min(deadline)));
        self.hurried_at = Some(self.now);
        if self.watch.has_in_flight() {
            self.ledger.goals.reach(Goal::ClosedInFlight);
        }
        self.machine.close(self.now, deadline);
        self.drain();
    }

    /// L3: a flush ends when all that was accepted before it is resolved.
    pub(crate) fn on_flushed(&mut self, flush: FlushId) {
        let Some(accepted) = self.flushes.remove(&flush) else {
            self.ledger
                .violate(format!("L3: {flush:?} ended twice, or was never asked for"));
            return;
        };
        let covered = |serial: u64| serial <= accepted;
        let open = self
            .ledger
            .unresolved()
            .any(|(_, entry)| entry.accepted.is_some_and(|(_, serial)| covered(serial)));
        if open {
            self.ledger
                .violate(format!("L3: {flush:?} ended before its records"));
        }
    }

    /// Offers a record as a newcomer; it waits if there is no room.
    fn try_send(&mut self, id: RecordId) {
        let (now, machine) = (self.now, &mut self.machine);
        let taken = machine.buffer_used();
        let content = &self.ledger.entry(id).content;
        let shortage = match offer(id, content, |record| machine.send(now, record)) {
            Ok(receipt) => {
                self.accept(id, receipt);
                self.check_taken(taken);
                return;
            }
            Err(SendError::Full(shortage)) => shortage,
            Err(error) => {
                self.on_refused(id, error);
                return;
            }
        };
        let deadline = now + self.rules.max_block;
        self.hurried_at = Some(now);
        let waiter = self.machine.wait_for_space(now, shortage, deadline);
        let waiting = Waiting {
            record: id,
            deadline,
            shortage,
        };
        self.backlog.waiting.insert(waiter, waiting);
        if self.mood == Mood::Fickle && self.workload.one_in(20) {
            self.cancel_first();
        }
    }

    fn accept(&mut self, id: RecordId, receipt: Receipt) {
        let topic = &self.ledger.entry(id).content.topic;
        let known = self.watch.discipline.partitions(topic);
        self.ledger.accept(self.now, id, receipt, known);
        self.trace.add(b"accepted");
    }

    fn on_refused(&mut self, id: RecordId, error: SendError) {
        if let SendError::TooLarge { .. } = error {
            self.ledger.goals.reach(Goal::TooLargeForUs);
        }
        self.ledger.refuse(id, error);
    }

    /// The one who waits longest loses patience; its record is never accepted.
    fn cancel_first(&mut self) {
        let Some((waiter, waiting)) = self.backlog.waiting.pop_first() else {
            return;
        };
        if !self.backlog.waiting.is_empty() {
            self.ledger.goals.reach(Goal::WaiterCancelled);
        }
        self.end_wait(waiter);
        self.give_up(waiting);
        self.next_ones();
    }

    /// A record whose task waits no more stays without room.
    fn give_up(&mut self, waiting: Waiting) {
        let error = SendError::Full(waiting.shortage);
        self.ledger.refuse(waiting.record, error);
    }

    /// Offers a record with the room that a waiter was told of; whether it is off its hands.
    fn send_reserved(&mut self, id: RecordId, waiter: WaiterId) -> bool {
        let (now, machine) = (self.now, &mut self.machine);
        let taken = machine.buffer_used();
        let content = &self.ledger.entry(id).content;
        let sent = offer(id, content, |record| {
            machine.send_reserved(now, waiter, record)
        });
        match sent {
            Ok(receipt) => {
                self.accept(id, receipt);
                self.check_taken(taken);
                self.ledger.goals.reach(Goal::WaiterServed);
            }
            Err(SendError::Full(shortage)) => {
                if let Some(waiting) = self.backlog.waiting.get_mut(&waiter) {
                    waiting.shortage = shortage;
                }
                return false;
            }
            Err(error) => self.on_refused(id, error),
        }
        true
    }

    pub(crate) fn on_space(&mut self, waiter: WaiterId) {
        self.hurried_at = Some(self.now);
        let Some(&waiting) = self.backlog.waiting.get(&waiter) else {
            self.check_gone(waiter);
            return;
        };
        self.check_turn(waiter);
        if self.mood == Mood::Fickle && self.workload.one_in(20) {
            // It was told, and does not want it any more.
            self.backlog.waiting.remove(&waiter);
            self.give_up(waiting);
            self.end_wait(waiter);
            self.next_ones();
            return;
        }
        let mut id = waiting.record;
        while self.send_reserved(id, waiter) {
            self.backlog.waiting.remove(&waiter);
            // Now and then the same task goes on with what stands behind it.
            let goes_on = self.workload.one_in(2);
            let behind = &mut self.backlog.behind;
            let Some(next) = goes_on.then(|| behind.pop_front()).flatten() else {
                self.end_wait(waiter);
                self.next_ones();
                return;
            };
            id = next;
            let waiting = Waiting {
                record: id,
                ..waiting
            };
            self.backlog.waiting.insert(waiter, waiting);
        }
        // Not enough: it keeps its place, although others were told of room at the same time.
    }

    /// M1: who came first is told first, unless a sick broker makes some step aside.
    fn check_turn(&mut self, waiter: WaiterId) {
        let granted = &self.backlog.granted;
        let mut before = self.backlog.waiting.range(..waiter);
        let passed = before.find(|(other, _)| !granted.contains(*other));
        if let Some((passed, _)) = passed.filter(|_| self.is_calm) {
            self.ledger
                .violate(format!("M1: {waiter:?} has room before {passed:?}"));
        }
        self.backlog.granted.insert(waiter);
    }

    pub(crate) fn on_wait_expired(&mut self, waiter: WaiterId) {
        self.hurried_at = Some(self.now);
        let Some(waiting) = self.backlog.waiting.remove(&waiter) else {
            self.check_gone(waiter);
            return;
        };
        if waiting.deadline != self.now {
            let (deadline, now) = (waiting.deadline, self.now);
            self.ledger.violate(format!(
                "T4: {waiter:?} waits until {deadline:?} and expired {now:?}"
            ));
        }
        self.ledger.goals.reach(Goal::ExpiredBlocked);
        self.give_up(waiting);
        self.end_wait(waiter);
        self.next_ones();
    }

    fn check_gone(&mut self, waiter: WaiterId) {
        if !self.backlog.gone.remove(&waiter) {
            let what = format!("D1: {waiter:?} does not wait, and is told of it");
            self.ledger.violate(what);
        }
    }

    fn end_wait(&mut self, waiter: WaiterId) {
        self.backlog.granted.remove(&waiter);
        self.backlog.gone.insert(waiter);
        self.machine.cancel_wait(self.now, waiter);
    }

    /// Those behind come forward, and wait each for itself.
    fn next_ones(&mut self) {
        while self.backlog.waiting.len() < TASKS {
            let Some(id) = self.backlog.behind.pop_front() else {
                return;
            };
            self.try_send(id);
        }
    }
}

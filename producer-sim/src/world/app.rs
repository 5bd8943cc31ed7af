//! The application: hands in records, waits for room, flushes.

use kafka_producer_machine::{FlushId, Record, SendError, Topic, WaiterId};

use super::World;
use super::ledger::{Content, RecordId, offer};

/// Records that found no room, and the wait of the first one.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    records: std::collections::VecDeque<RecordId>,
    waiter: Option<WaiterId>,
}

impl Backlog {
    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
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
        if self.backlog.is_empty() {
            self.try_send(id, None);
        } else {
            self.backlog.records.push_back(id);
        }
        self.drain();
        id
    }

    /// Lets everything that was accepted go out without lingering.
    pub fn flush(&mut self) {
        let flush = self.machine.flush(self.now);
        let accepted = self.ledger.accepted();
        self.flushes.insert(flush, accepted);
        self.drain();
    }

    /// Closes the producer, which has so long for what is left.
    pub fn close(&mut self, limit: std::time::Duration) {
        let deadline = self.now + limit;
        self.closes_at = Some(self.closes_at.map_or(deadline, |at| at.min(deadline)));
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
        let open = self.ledger.entries().any(|(_, entry)| {
            entry.resolution.is_none() && entry.accepted.is_some_and(|(_, serial)| covered(serial))
        });
        if open {
            self.ledger
                .violate(format!("L3: {flush:?} ended before its records"));
        }
    }

    /// Offers a record; whether it is off the application's hands.
    fn try_send(&mut self, id: RecordId, waiter: Option<WaiterId>) -> bool {
        let (now, machine) = (self.now, &mut self.machine);
        let content = &self.ledger.entry(id).content;
        let sent = offer(id, content, |record| match waiter {
            Some(waiter) => machine.send_reserved(now, waiter, record),
            None => machine.send(now, record),
        });
        match sent {
            Ok(receipt) => {
                self.ledger.accept(now, id, receipt);
                self.trace.add(b"accepted");
            }
            Err(SendError::Full(shortage)) => {
                if waiter.is_none() {
                    let deadline = now + self.machine.config().max_block();
                    self.backlog.records.push_back(id);
                    let waiter = self.machine.wait_for_space(now, shortage, deadline);
                    self.backlog.waiter = Some(waiter);
                }
                return false;
            }
            Err(_) => self.ledger.refuse(),
        }
        true
    }

    pub(crate) fn on_space(&mut self, waiter: WaiterId) {
        if self.backlog.waiter != Some(waiter) {
            self.ledger
                .violate(format!("{waiter:?} has room, and does not wait"));
            return;
        }
        // Everything that waits goes with this wait while there is room.
        while let Some(&id) = self.backlog.records.front() {
            if !self.try_send(id, Some(waiter)) {
                // It keeps its place.
                return;
            }
            self.backlog.records.pop_front();
        }
        self.backlog.waiter = None;
        self.machine.cancel_wait(self.now, waiter);
    }

    pub(crate) fn on_wait_expired(&mut self, waiter: WaiterId) {
        if self.backlog.waiter != Some(waiter) {
            self.ledger
                .violate(format!("{waiter:?} expired, and does not wait"));
            return;
        }
        self.backlog.waiter = None;
        self.machine.cancel_wait(self.now, waiter);
        if self.backlog.records.pop_front().is_some() {
            self.ledger.refuse();
        }
        // The next one begins to wait for itself, behind nobody.
        let waiting = std::mem::take(&mut self.backlog.records);
        for id in waiting {
            if self.backlog.is_empty() {
                self.try_send(id, None);
            } else {
                self.backlog.records.push_back(id);
            }
        }
    }
}

//! What must be done at once, and what must not be done yet.
//!
//! **Invariants.** M1, T1, T4 and T6 of the verification plan, as far as they can be seen from
//! outside: memory within bounds, no connection before its backoff, no batch before its linger,
//! and nothing left lying while its broker is idle.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kafka_producer_machine::{ConnectionId, Instant};

use super::World;
use super::ledger::{Content, Entry, RecordId};
use super::network::End;
use crate::cluster::BrokerId;

/// When addresses were connected to, and since when something has been left lying.
#[derive(Debug, Default)]
pub(crate) struct Promptness {
    /// Connections to each host that have ended, and when.
    lost: Vec<(String, Instant)>,
    idle: Option<(RecordId, Instant)>,
    /// Whether more is taken than `buffer.memory` since records moved.
    is_moving: bool,
    steps: u32,
}

/// How long a record may be left lying although it could go: nothing takes time inside the
/// producer, so this is generous.
const SLACK: Duration = Duration::from_millis(20);
/// Looking at everything after each step would cost more than the run.
const EVERY: u32 = 4;

impl World {
    /// M1: `buffer.memory` is kept to the byte, but for what must go on although it takes more:
    /// records that find their partitions, and parts of what was split, are there twice for a
    /// while. A codec makes copies, which wait until there is room; those of one batch do not.
    pub(crate) fn check_memory(&mut self) {
        let (most, used) = (self.rules.buffer_memory, self.machine.buffer_used());
        if used <= most {
            self.promptness.is_moving = false;
            return;
        }
        // What has moved may have ended, and is charged while a frame of it is read.
        self.promptness.is_moving |= self.moves_records();
        let copies = if self.promptness.is_moving { 2 } else { 1 };
        let job = self.rules.largest_job();
        if copies * most + job < used {
            self.ledger.violate(format!(
                "M1: {used} bytes are taken, allowed are {copies} times {most} and {job}"
            ));
        }
    }

    /// M1: while more is taken than `buffer.memory`, nothing new adds to it. A batch that a record
    /// has made full may be the one that is compressed for all that, which says nothing of the
    /// record.
    pub(crate) fn check_taken(&mut self, before: usize) {
        let (most, used) = (self.rules.buffer_memory, self.machine.buffer_used());
        if before.max(most) + self.rules.largest_job() < used {
            self.ledger.violate(format!(
                "M1: a record is taken although {before} of {most} bytes are, now {used}"
            ));
        }
    }

    /// Whether there are records that had to wait for their topic, or were in a batch that was
    /// too large.
    fn moves_records(&self) -> bool {
        let mut pending = self.ledger.unresolved();
        pending.any(|(_, entry)| entry.was_held() || entry.split_from.is_some())
    }

    /// A connection has ended that stood, or was being made.
    pub(crate) fn note_lost(&mut self, id: ConnectionId) {
        let host = self.links.get(&id).map(|link| link.broker.to_string());
        if let Some(host) = host {
            self.promptness.lost.push((host, self.now));
        }
    }

    /// T1: a broker is not connected to before its backoff is over. A bootstrap address is
    /// another way to the same broker, with a backoff of its own, so the loss of every lane of
    /// one says nothing about the other.
    pub(crate) fn check_reconnect(&mut self, host: &str) {
        let backoff = self.rules.reconnect_backoff * 4 / 5;
        let now = self.now;
        let lost = &mut self.promptness.lost;
        lost.retain(|&(_, at)| now < at + backoff);
        let broker = self.cluster.broker_at(host, 9092).map(|id| id.to_string());
        let recent = lost.iter().filter(|(of, _)| Some(of) == broker.as_ref());
        let count = recent.count();
        if self.rules.lanes < count {
            self.ledger.violate(format!(
                "T1: {host} is connected to after {count} losses within {backoff:?}"
            ));
        }
    }

    /// T4: a batch leaves before it has lingered only if it is full, somebody is in a hurry, or
    /// its request leaves anyway; with a codec none goes along, for it would come back from its
    /// worker too late for that. A record that came later and did not get into it, in the same
    /// topic, may be the reason.
    pub(crate) fn check_lingered(&mut self, fresh: &[Vec<RecordId>]) {
        let early: Vec<_> = fresh.iter().filter_map(|batch| self.early(batch)).collect();
        if early.len() < fresh.len() && !self.rules.compresses {
            return;
        }
        if let Some((id, accepted)) = early.last() {
            let (now, linger) = (self.now, self.rules.linger);
            self.ledger.violate(format!(
                "T4: record {} was accepted {accepted:?} and leaves {now:?}, linger {linger:?}",
                id.0
            ));
        }
    }

    /// The first record of a batch that has not lingered and has no reason of its own to leave,
    /// and when it was accepted.
    fn early(&self, batch: &[RecordId]) -> Option<(RecordId, Instant)> {
        let entries = batch.iter().map(|&id| (id, self.ledger.entry(id)));
        // What had to wait for its topic lingers with what came before it.
        if entries.clone().any(|(_, entry)| entry.was_held()) {
            return None;
        }
        let size: usize = entries.clone().map(|(_, entry)| entry.content.size()).sum();
        let accepted = entries.filter_map(|(id, entry)| Some((entry.accepted?, id)));
        let ((first, _), id) = accepted.clone().min()?;
        let ((_, last), _) = accepted.max_by_key(|((_, serial), _)| *serial)?;
        let topic = &self.ledger.entry(id).content.topic;
        let is_last = self.ledger.last_accepted(topic) == Some(last);
        let is_large = self.rules.batch_size <= 2 * size;
        let is_hurried = self.hurried_at.is_some_and(|at| first <= at);
        let has_lingered = first + self.rules.linger <= self.now;
        (is_last && !is_large && !is_hurried && !has_lingered).then_some((id, first))
    }

    /// T6 and L2: what could go goes, whatever is wrong with other brokers.
    pub(crate) fn check_prompt(&mut self) {
        self.promptness.steps += 1;
        let may_look = !self.is_fatal
            && !self.is_closed
            && self.promptness.steps.is_multiple_of(EVERY)
            && self.jobs_until < self.now
            && (!self.rules.is_idempotent() || self.has_lasting_identity());
        if !may_look {
            return;
        }
        let idle = self.left_lying();
        self.promptness.idle = match (idle, self.promptness.idle) {
            (Some(id), Some((before, since))) if id == before => {
                if since + SLACK < self.now {
                    let now = self.now;
                    self.ledger.violate(format!(
                        "T6: record {} could go since {since:?}, and did not {now:?}",
                        id.0
                    ));
                    // Once is enough.
                    Some((id, Instant::NEVER))
                } else {
                    Some((id, since))
                }
            }
            (Some(id), _) => Some((id, self.now)),
            (None, _) => None,
        };
    }

    /// Whether the producer has an identity, and epochs enough to go on with it.
    fn has_lasting_identity(&self) -> bool {
        self.watch.discipline.has_begun() && self.cluster.knobs.first_epoch == 0
    }

    /// The oldest record that could be on its way and is not.
    fn left_lying(&self) -> Option<RecordId> {
        let mut free: BTreeMap<BrokerId, usize> = BTreeMap::new();
        for (id, link) in &self.links {
            if link.producer == End::Open
                && self.watch.is_free(self.now, *id)
                && !self.writing.contains(id)
            {
                *free.entry(link.broker).or_default() += 1;
            }
        }
        // A partition keeps to its lane, and nobody outside knows which that is.
        free.retain(|_, lanes| *lanes == self.rules.lanes);
        if free.is_empty() {
            return None;
        }
        // What was tried may be backing off, and what comes after it waits for it.
        let tried = self
            .ledger
            .unresolved()
            .filter(|(_, entry)| entry.place.is_some());
        let tried: BTreeSet<&str> = tried
            .map(|(_, entry)| entry.content.topic.as_str())
            .collect();
        let could_go = self.ledger.unresolved().filter(|(_, entry)| {
            let place = self.ready_place(entry);
            place.is_some_and(|(topic, partition)| {
                let leader = self.watch.discipline.leader(topic, partition);
                leader.is_some_and(|broker| free.contains_key(&broker))
                    && !tried.contains(topic)
                    && !self.watch.carries(topic, partition)
            })
        });
        could_go.map(|(id, _)| id).min()
    }

    /// The partition of a record that has lingered or was flushed, if it is known.
    fn ready_place<'a>(&self, entry: &'a Entry) -> Option<(&'a str, i32)> {
        let (accepted, serial) = entry.accepted?;
        let topic = entry.content.topic.as_str();
        if self.now < accepted + self.rules.linger && self.flushed_to < serial {
            return None;
        }
        // A key goes by the count of that time.
        let (key, count) = (entry.content.key.as_deref(), entry.known);
        let keyed = || self.rules.placement.partition(key, count);
        let partition = entry.content.partition.or_else(keyed)?;
        Some((topic, i32::try_from(partition).ok()?))
    }
}

impl Entry {
    /// Whether the producer did not know the record's partition when it accepted it.
    pub(crate) const fn was_held(&self) -> bool {
        match self.content.partition {
            Some(partition) => self.known <= partition,
            None => self.known == 0,
        }
    }
}

impl Content {
    /// About how much room it takes in a batch.
    fn size(&self) -> usize {
        let bytes = |field: &Option<Vec<u8>>| field.as_ref().map_or(0, Vec::len);
        let headers = self.headers.iter();
        let headers: usize = headers
            .map(|(key, value)| key.len() + bytes(value) + 4)
            .sum();
        bytes(&self.key) + bytes(&self.value) + headers + 40
    }
}

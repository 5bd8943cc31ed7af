//! What somebody waits for: read from the state as it is, on call, and changing nothing.
//!
//! The roads here follow those of `schedule`: what would make a partition ready is asked in the
//! same order, so that the first thing that is missing is the one that is told.
//! Unlike everything else in the machine this may walk: a person has asked.

mod link;
mod partition;
mod producer;

use alloc::format;
use alloc::string::String;

use super::ProducerMachine;
use crate::accumulator::Stage;
use crate::brokers::NodeId;
use crate::connection::Connection;
use crate::explain::{Explanation, Next, Oldest, State, Step, Subject, TopicState};
use crate::{Instant, TopicHandle};

impl ProducerMachine {
    /// How many records were taken and are not resolved yet. It looks at every batch: for the
    /// end of a producer, and for people.
    pub fn pending_records(&self) -> u64 {
        let batches = self.accumulator.batches.iter().map(|(_, batch)| batch);
        let placed = batches.map(|batch| match batch.stage() {
            // Its records are told of already.
            Stage::Abandoned(_) => 0,
            Stage::Open => {
                let partition = &self.accumulator.partitions[batch.partition.0 as usize];
                partition
                    .open
                    .as_ref()
                    .map_or(0, |open| open.records.count())
            }
            Stage::Compressing(..) | Stage::InFlight(_) | Stage::Queued(_) => batch.count,
        });
        let held = self.accumulator.held.values().flatten();
        let held = held.map(|chunk| chunk.partitions.len() as u64);
        placed.map(u64::from).sum::<u64>() + held.sum::<u64>()
    }

    pub(super) fn explain_subject(&self, now: Instant, what: Subject) -> Explanation {
        let now = self.now.max(now);
        match what {
            Subject::Broker(id) => self.explain_broker(now, NodeId(id)),
            Subject::Partition(topic, index) => self.explain_partition(now, topic, index),
            Subject::Producer => self.explain_producer(now),
            Subject::Topic(topic) => self.explain_topic(now, topic),
        }
    }

    fn explain_topic(&self, now: Instant, topic: TopicHandle) -> Explanation {
        let Some(view) = self.metadata.topic(topic) else {
            return unknown(now, String::from("this topic handle"));
        };
        let subject = format!("topic {}", view.name);
        let mut explanation = match self.topic_state(topic) {
            Some(state) => Explanation {
                next: self.next_metadata().filter(|_| view.refusal.is_none()),
                state: State::Topic(state),
                ..unknown(now, subject)
            },
            None => Explanation {
                state: State::Topic(TopicState::Known {
                    partitions: view.partitions.len() as u32,
                    leaderless: (view.partitions.len() - view.available.len()) as u32,
                }),
                ..unknown(now, subject)
            },
        };
        explanation.oldest = self.oldest_held(topic, |_| true);
        explanation.since = explanation.oldest.map(|oldest| oldest.accepted);
        explanation
    }

    /// What is wrong with a topic, if anything is.
    fn topic_state(&self, topic: TopicHandle) -> Option<TopicState> {
        let view = self.metadata.topic(topic)?;
        if let Some(code) = view.refusal {
            return Some(TopicState::Refused { code });
        }
        if !view.partitions.is_empty() {
            return None;
        }
        Some(TopicState::Unknown {
            held: self.held_records(topic, |_| true),
            trouble: self.blackout(),
        })
    }

    fn next_metadata(&self) -> Option<Next> {
        if self.is_over() {
            return None;
        }
        let mut connections = self.brokers.connections.values();
        let connected = connections.any(Connection::is_ready);
        let at = match (self.metadata.due_at(), self.control_at) {
            (Some(due), Some(control)) => Some(due.max(control)),
            (due, _) => due,
        };
        let step = match at {
            Some(_) if !connected => Step::AskOnceConnected,
            Some(_) | None => Step::AskMetadata,
        };
        Some(Next { step, at })
    }

    /// How many records are held for partitions that `which` names; `None` is any partition.
    fn held_records(&self, topic: TopicHandle, which: impl Fn(Option<u32>) -> bool) -> u32 {
        let chunks = self.accumulator.held.get(&topic).into_iter().flatten();
        let partitions = chunks.flat_map(|chunk| chunk.partitions.iter());
        partitions.filter(|&&partition| which(partition)).count() as u32
    }

    fn oldest_held(
        &self,
        topic: TopicHandle,
        which: impl Fn(Option<u32>) -> bool,
    ) -> Option<Oldest> {
        let chunks = self.accumulator.held.get(&topic)?;
        let chunk = chunks
            .iter()
            .find(|chunk| chunk.partitions.iter().any(|&partition| which(partition)))?;
        Some(Oldest {
            accepted: chunk.created,
            deadline: chunk.deadline,
            setting: self.hold_setting(),
        })
    }
}

/// The beginning of each explanation.
const fn unknown(now: Instant, subject: String) -> Explanation {
    Explanation {
        subject,
        now,
        state: State::Unknown,
        since: None,
        next: None,
        oldest: None,
    }
}

//! What brokers lose and forget: acknowledged records, and what they know of producers.
//!
//! A broker that has forgotten a producer takes any sequence of it, so nobody can keep it from
//! writing twice what was in doubt then, nor from taking a later batch first until it has taken
//! one. These records are excused; all others are not.

use std::collections::BTreeSet;

use kafka_producer_machine::Instant;
use kafka_producer_proto::ErrorCode;

use super::World;
use super::faults::Fault;
use super::goals::Goal;
use super::ledger::{Entry, RecordId, Resolution, id_of};
use super::rules::DataLoss;
use crate::cluster::{BrokerId, Cluster, DuplicateAnswer, UnknownProducer};

/// What has been lost and forgotten in a run.
#[derive(Debug, Default)]
pub(crate) struct Amnesia {
    /// Records that were in a log and are not any more.
    lost: BTreeSet<RecordId>,
    /// Partitions that forgot their producers, and when.
    forgotten: Vec<(String, u32, Instant)>,
    /// Whether a broker was made to say that it does not know a sequence.
    is_feigned: bool,
}

impl Amnesia {
    /// Whether a record was in a log that has lost it since.
    pub(crate) fn has_lost(&self, id: RecordId) -> bool {
        self.lost.contains(&id)
    }
}

impl World {
    /// Another broker leads a partition from now on, and lacks its newest `lost` records.
    ///
    /// # Panics
    ///
    /// If there is no such partition or broker.
    #[track_caller]
    pub fn elect_unclean(
        &mut self,
        topic: &str,
        partition: u32,
        to: impl Into<BrokerId>,
        lost: i64,
    ) {
        let to = to.into();
        self.check_partition(topic, partition);
        self.check_broker(to);
        self.befall(Fault::Lose {
            topic: topic.into(),
            partition,
            to,
            lost,
        });
    }

    /// A partition forgets all producers, as after `producer.id.expiration.ms`.
    ///
    /// # Panics
    ///
    /// If there is no such partition.
    #[track_caller]
    pub fn forget_producers(&mut self, topic: &str, partition: u32) {
        self.check_partition(topic, partition);
        self.befall(Fault::Forget {
            topic: topic.into(),
            partition,
        });
    }

    /// A partition loses records, or forgets its producers.
    pub(crate) fn befall_memory(&mut self, fault: Fault) {
        match fault {
            Fault::Forget { topic, partition } => self.forget(topic, partition),
            Fault::Lose {
                topic,
                partition,
                to,
                lost,
            } => {
                // Whoever leads keeps what it has.
                if self.cluster.leader(&topic, partition) == Some(to) || !self.cluster.is_up(to) {
                    return;
                }
                self.lose(&topic, partition, |cluster| {
                    cluster.elect_unclean(&topic, partition, to, lost);
                });
                self.amnesia.forgotten.push((topic, partition, self.now));
                self.wake_waiting();
            }
            Fault::Retire { topic, partition } => {
                self.lose(&topic, partition, |cluster| {
                    let end = cluster.high_watermark(&topic, partition).unwrap_or(0);
                    cluster.delete_records(&topic, partition, end);
                });
                if self.cluster.knobs.unknown_producer == UnknownProducer::UnknownProducerId {
                    self.forget(topic, partition);
                }
            }
            _ => {}
        }
    }

    fn forget(&mut self, topic: String, partition: u32) {
        self.cluster.forget_producers(&topic, partition);
        self.amnesia.forgotten.push((topic, partition, self.now));
    }

    fn lose(&mut self, topic: &str, partition: u32, how: impl FnOnce(&mut Cluster)) {
        let before = self.marks(topic, partition);
        how(&mut self.cluster);
        let after = self.marks(topic, partition);
        self.amnesia.lost.extend(before.difference(&after));
    }

    fn marks(&self, topic: &str, partition: u32) -> BTreeSet<RecordId> {
        let records = self.cluster.records(topic, partition);
        records
            .iter()
            .filter_map(|record| id_of(&record.headers))
            .collect()
    }

    /// A broker is made to answer this although nothing is wrong.
    pub(crate) fn note_injection(&mut self, code: ErrorCode) {
        self.amnesia.is_feigned |= matches!(code.0, 45 | 59);
    }

    /// The producer ends for good. It does so for what brokers have lost only if it was told to,
    /// and if there is any reason to think so.
    pub(crate) fn check_stop(&mut self, code: ErrorCode) {
        if !matches!(code.0, 45 | 59) {
            self.ledger.goals.reach(Goal::EndedForGood);
            return;
        }
        self.ledger.goals.reach(Goal::StoppedByLoss);
        let is_deleted = self.topics.values().any(|topic| 0 < topic.deletions);
        // A duplicate that is answered as an error is not waited for (C9).
        let is_hasty = self.cluster.knobs.duplicates == DuplicateAnswer::DuplicateSequence;
        let may_be_lost = !self.amnesia.forgotten.is_empty() || is_deleted || is_hasty;
        if self.rules.data_loss != DataLoss::Stop || !(may_be_lost || self.amnesia.is_feigned) {
            self.ledger.violate(format!(
                "D15: the producer stops ({code}) and nothing is lost"
            ));
        }
    }

    /// Whether nobody can answer for the place of a record, or for how often it was written.
    pub(crate) fn is_excused(&self, entry: &Entry) -> bool {
        let Some((accepted, _)) = entry.accepted else {
            return false;
        };
        let resolved = entry.resolution.as_ref().map(|&(at, _)| at);
        self.forgotten_by(entry).any(|(topic, partition, at)| {
            let known = || self.known_again(topic, *partition, *at);
            resolved.is_none_or(|resolved| *at <= resolved)
                && known().is_none_or(|known| accepted <= known)
        })
    }

    /// Whether an attempt of which nothing was heard may have reached a broker that had forgotten
    /// the producer, though another attempt was acknowledged before.
    pub(crate) fn may_come_again(&self, entry: &Entry) -> bool {
        let Some((accepted, _)) = entry.accepted else {
            return false;
        };
        entry.was_tainted && self.forgotten_by(entry).any(|&(.., at)| accepted <= at)
    }

    /// When the partition of a record forgot its producers; any of its topic, if that is not known.
    fn forgotten_by(&self, entry: &Entry) -> impl Iterator<Item = &(String, u32, Instant)> {
        let (topic, index) = (entry.content.topic.clone(), entry.partition());
        let forgotten = self.amnesia.forgotten.iter();
        forgotten.filter(move |(of, partition, _)| {
            *of == topic && index.is_none_or(|index| index == *partition)
        })
    }

    /// When a record that was accepted since was acknowledged first.
    fn known_again(&self, topic: &str, partition: u32, since: Instant) -> Option<Instant> {
        let acked = self.ledger.acked.iter().map(|&id| self.ledger.entry(id));
        let mut later = acked.filter(|entry| {
            entry.content.topic == topic && entry.accepted.is_some_and(|(at, _)| since <= at)
        });
        later.find_map(|entry| match entry.resolution {
            Some((at, Resolution::Acked { partition: of, .. })) if of == partition => Some(at),
            _ => None,
        })
    }
}

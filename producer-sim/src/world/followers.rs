//! What may be written behind a record that failed.

use std::collections::BTreeMap;

use kafka_producer_machine::Instant;

use super::World;
use super::ledger::{Entry, RecordId, Resolution};
use super::oracle::Copies;
use super::rules::FailedBatch;

impl World {
    /// D16: under `failed.batch=fail_later` no record is written behind one of its partition that
    /// failed after it was accepted, unless that one is written, too.
    pub(crate) fn check_followers(&self, history: &Copies, found: &mut Vec<String>) {
        if self.rules.failed_batch != FailedBatch::FailLater {
            return;
        }
        let told = self.failures_told();
        for (id, entry) in self.ledger.entries() {
            let (Some((_, serial)), Some(failed_at)) = (entry.accepted, told.get(&id)) else {
                continue;
            };
            let Some(partition) = self.went_to(entry) else {
                continue;
            };
            if history.contains_key(&id) || self.is_excused(entry) {
                continue;
            }
            let follows = |other: &Entry| {
                let accepted = other.accepted;
                other.content.topic == entry.content.topic
                    && self.went_to(other) == Some(partition)
                    && accepted.is_some_and(|(at, later)| serial < later && at < *failed_at)
                    && !self.is_excused(other)
            };
            let mut acked = self.ledger.acked.iter();
            if let Some(other) = acked.find(|&&other| follows(self.ledger.entry(other))) {
                let (other, failed) = (other.0, id.0);
                found.push(format!(
                    "D16: record {other} is written behind {failed}, which failed"
                ));
            }
        }
    }

    /// When what failed was told for the first time: with it, or with an earlier one of its
    /// partition that failed while it was on its way.
    fn failures_told(&self) -> BTreeMap<RecordId, Instant> {
        let mut told = BTreeMap::new();
        // By topic, when they were told, and in which partition if that is known.
        let mut failures: BTreeMap<&str, Vec<(Instant, Option<u32>)>> = BTreeMap::new();
        let mut entries: Vec<_> = self.ledger.entries().collect();
        entries.sort_by_key(|(_, entry)| entry.accepted.map(|(_, serial)| serial));
        for (id, entry) in entries {
            let (Some((accepted, _)), Some((failed_at, Resolution::Failed { .. }))) =
                (entry.accepted, &entry.resolution)
            else {
                continue;
            };
            let partition = self.went_to(entry);
            let failures = failures.entry(&entry.content.topic).or_default();
            let earlier = failures.iter().filter(|&&(at, other)| {
                let is_other = other.is_some() && partition.is_some() && other != partition;
                accepted <= at && at < *failed_at && !is_other
            });
            let first = earlier.map(|&(at, _)| at).min();
            told.insert(id, first.unwrap_or(*failed_at));
            failures.push((*failed_at, partition));
        }
        told
    }

    /// The partition of a record, if the producer knew it from the start: what has to wait for
    /// its topic is behind nobody.
    fn went_to(&self, entry: &Entry) -> Option<u32> {
        if entry.was_held() {
            return None;
        }
        entry.partition()
    }
}

impl Entry {
    /// Its partition, as far as anybody can tell.
    pub(crate) fn partition(&self) -> Option<u32> {
        if let Some((_, Resolution::Acked { partition, .. })) = self.resolution {
            return Some(partition);
        }
        let sent = self.place.as_ref().map(|place| place.2);
        let sent = sent.and_then(|index| u32::try_from(index).ok());
        sent.or(self.content.partition)
    }
}

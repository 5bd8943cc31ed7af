//! What must hold at the end of a run, whatever went wrong in it. The names are those of the
//! verification plan.

use std::collections::BTreeMap;

use kafka_producer_machine::{Acks, Guarantee, Outcome};
use kafka_producer_proto::hash::murmur2_partition;

use super::World;
use super::ledger::{Entry, RecordId, Resolution, id_of};
use crate::cluster::StoredRecord;

/// Where a record was found.
type Copies = BTreeMap<RecordId, Vec<(String, u32, StoredRecord)>>;

/// An acknowledged record of a partition.
#[derive(Debug)]
struct Acked {
    serial: u64,
    offset: Option<i64>,
    id: RecordId,
}

impl World {
    /// What the run has violated; empty for a sound producer.
    pub fn violations(&mut self) -> Vec<String> {
        let mut found = std::mem::take(&mut self.ledger.violations);
        let logs = self.copies_in_logs();
        let history = self.copies_in_history();
        for (id, entry) in self.ledger.entries() {
            self.check_time(id, entry, &mut found);
            self.check_truth(id, entry, &logs, &history, &mut found);
        }
        for (id, copies) in &history {
            self.check_content(*id, copies, &mut found);
        }
        self.check_order(&logs, &mut found);
        self.check_rest(&mut found);
        found
    }

    /// Fails the test if anything was violated, with all that is needed to see why.
    ///
    /// # Panics
    /// Something was violated.
    #[track_caller]
    #[expect(clippy::panic, reason = "an oracle speaks by failing the test")]
    pub fn verify(&mut self) {
        let violations = self.violations();
        if !violations.is_empty() {
            let shown: Vec<&String> = violations.iter().take(20).collect();
            panic!(
                "{} violations, seed {}: {shown:#?}\nwhat happened: {:#?}",
                violations.len(),
                self.seed,
                self.notes()
            );
        }
    }

    fn copies_in_logs(&self) -> Copies {
        let mut copies = Copies::new();
        for topic in self.cluster.topics() {
            for partition in 0..self.cluster.partition_count(topic).unwrap_or(0) {
                for record in self.cluster.records(topic, partition) {
                    if let Some(id) = id_of(&record.headers) {
                        copies
                            .entry(id)
                            .or_default()
                            .push((topic.into(), partition, record));
                    }
                }
            }
        }
        copies
    }

    fn copies_in_history(&self) -> Copies {
        let mut copies = Copies::new();
        for batch in self.cluster.history() {
            for record in batch.records() {
                if let Some(id) = id_of(&record.headers) {
                    let copy = (batch.topic.clone(), batch.partition, record);
                    copies.entry(id).or_default().push(copy);
                }
            }
        }
        copies
    }

    /// D1 and T5: one completion, in time.
    fn check_time(&self, id: RecordId, entry: &Entry, found: &mut Vec<String>) {
        let Some((accepted, _)) = entry.accepted else {
            if entry.resolution.is_some() {
                found.push(format!("D1: record {} was refused and completed", id.0));
            }
            return;
        };
        let Some((resolved, _)) = entry.resolution else {
            found.push(format!("D1: record {} was never completed", id.0));
            return;
        };
        let took = resolved.since(accepted);
        if self.delivery_timeout < took {
            let limit = self.delivery_timeout;
            found.push(format!(
                "T5: record {} took {took:?}, allowed are {limit:?}",
                id.0
            ));
        }
    }

    /// D3, D5, D6: what was said about a record is so.
    fn check_truth(
        &self,
        id: RecordId,
        entry: &Entry,
        logs: &Copies,
        history: &Copies,
        found: &mut Vec<String>,
    ) {
        let in_log = logs.get(&id).map_or(&[][..], Vec::as_slice);
        let ever = history.get(&id).map_or(&[][..], Vec::as_slice);
        let Some((_, resolution)) = &entry.resolution else {
            if entry.accepted.is_none() && !ever.is_empty() {
                found.push(format!("D6: record {} was refused and written", id.0));
            }
            return;
        };
        let guarantee = self.machine.config().guarantee();
        match resolution {
            Resolution::Failed {
                outcome: Outcome::NotWritten,
                error,
            } if !ever.is_empty() => {
                found.push(format!(
                    "D6: record {} is NotWritten ({error}) and in a log",
                    id.0
                ));
            }
            Resolution::Failed { .. } => {}
            Resolution::Acked { partition, offset } => {
                let kept = match guarantee {
                    Guarantee::AtMostOnce => return,
                    // A leader's log alone may be lost with the leader.
                    Guarantee::AtLeastOnce(Acks::Leader) => ever,
                    Guarantee::AtLeastOnce(Acks::All) | Guarantee::Idempotent => in_log,
                };
                let at_place = |copy: &&(String, u32, StoredRecord)| {
                    copy.1 == *partition && offset.is_none_or(|offset| copy.2.offset == offset)
                };
                if !kept.iter().any(|copy| at_place(&copy)) {
                    let what = format!("{partition}@{offset:?}");
                    found.push(format!(
                        "D3: record {} was acknowledged at {what}, not there",
                        id.0
                    ));
                }
            }
        }
        if guarantee == Guarantee::Idempotent && 1 < in_log.len() {
            let offsets: Vec<i64> = in_log.iter().map(|(_, _, record)| record.offset).collect();
            found.push(format!("D5: record {} is in the log at {offsets:?}", id.0));
        }
    }

    /// D2 and D13: every copy is what was accepted, where it belongs.
    fn check_content(
        &self,
        id: RecordId,
        copies: &[(String, u32, StoredRecord)],
        found: &mut Vec<String>,
    ) {
        for (topic, partition, stored) in copies {
            if !self.ledger.matches(id, stored) {
                found.push(format!("D2: record {} was written as {stored:?}", id.0));
            }
            let content = &self.ledger.entry(id).content;
            if *topic != content.topic {
                found.push(format!("D2: record {} was written to {topic}", id.0));
            }
            let count = self.cluster.partition_count(topic).unwrap_or(0);
            let keyed = content
                .key
                .as_deref()
                .map(|key| murmur2_partition(key, count));
            let wanted = content.partition.or(keyed);
            if wanted.is_some_and(|wanted| wanted != *partition) {
                let what = format!("went to partition {partition}, not {wanted:?}");
                found.push(format!("D13: record {} {what}", id.0));
            }
        }
    }

    /// D11: acknowledged records of a partition stand in the order of acceptance.
    /// D12: they are acknowledged in that order, but for those whose fate was ever in doubt: a
    /// later batch may be acknowledged while an earlier one asks again (Java does so, too).
    fn check_order(&self, logs: &Copies, found: &mut Vec<String>) {
        if !self.keeps_order {
            return;
        }
        let mut placed: BTreeMap<(&str, u32), Vec<Acked>> = BTreeMap::new();
        for id in &self.ledger.acked {
            let entry = self.ledger.entry(*id);
            let (Some((_, serial)), Some((_, Resolution::Acked { partition, offset }))) =
                (entry.accepted, &entry.resolution)
            else {
                continue;
            };
            let place = (entry.content.topic.as_str(), *partition);
            let acked = placed.entry(place).or_default();
            let overtaken = acked.last().filter(|before| serial < before.serial);
            if let Some(before) = overtaken.filter(|_| !entry.was_tainted) {
                let (mine, theirs) = (id.0, before.id.0);
                found.push(format!(
                    "D12: record {mine} was acknowledged after {theirs}"
                ));
            }
            acked.push(Acked {
                serial,
                offset: *offset,
                id: *id,
            });
        }
        for mut acked in placed.into_values() {
            acked.sort_unstable_by_key(|acked| acked.serial);
            // What was lost with a leader (acks=1) has left its offset to another record.
            acked.retain(|acked| {
                let mut copies = logs.get(&acked.id).into_iter().flatten();
                copies.any(|(_, _, stored)| Some(stored.offset) == acked.offset)
            });
            for pair in acked.windows(2) {
                if let [first, second] = pair
                    && second.offset <= first.offset
                {
                    found.push(format!("D11: {first:?} stands after {second:?}"));
                }
            }
        }
    }

    /// L4: a producer that was closed is closed in time. M1: an idle producer holds nothing.
    /// L3: no flush is left.
    fn check_rest(&self, found: &mut Vec<String>) {
        if self.closes_at.is_some_and(|at| at < self.now) && !self.is_closed {
            found.push("L4: the producer was closed and did not end".into());
        }
        if !self.ledger.is_settled() || !self.backlog.is_empty() {
            return;
        }
        let used = self.machine.buffer_used();
        if used != 0 {
            found.push(format!(
                "M1: {used} bytes are taken although every record is resolved"
            ));
        }
        if !self.flushes.is_empty() {
            found.push(format!("L3: {} flushes never ended", self.flushes.len()));
        }
    }
}

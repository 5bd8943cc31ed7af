//! What must hold at the end of a run, whatever went wrong in it. The names are those of the
//! verification plan.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kafka_producer_machine::{Acks, Guarantee, Instant, Outcome};
use kafka_producer_proto::ErrorCode;

use super::World;
use super::goals::Goal;
use super::ledger::{Entry, RecordId, Resolution, id_of};
use super::rules::Retries;
use crate::cluster::StoredRecord;

/// Where a record was found.
pub(crate) type Copies = BTreeMap<RecordId, Vec<(String, u32, StoredRecord)>>;

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
        let patience = self.patience_shown();
        for (id, entry) in self.ledger.entries() {
            self.check_time(id, entry, &mut found);
            self.check_tries(id, entry, &patience, &mut found);
            self.check_truth(id, entry, &logs, &history, &mut found);
        }
        for (id, copies) in &history {
            self.check_content(*id, copies, &mut found);
        }
        self.check_order(&logs, &mut found);
        self.check_first_order(&mut found);
        self.check_followers(&history, &mut found);
        self.check_rest(&mut found);
        self.note_goals(&logs, &history);
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
        let limit = self.rules.delivery_timeout;
        if limit < took {
            found.push(format!(
                "T5: record {} took {took:?}, allowed are {limit:?}",
                id.0
            ));
        }
    }

    /// How long what failed was tried, by topic and instant. Records that wait together end
    /// together, those that came later as well.
    fn patience_shown(&self) -> BTreeMap<(&str, Instant), Duration> {
        let mut shown = BTreeMap::new();
        for (_, entry) in self.ledger.entries() {
            if let (Some((accepted, _)), Some((resolved, Resolution::Failed { .. }))) =
                (entry.accepted, &entry.resolution)
            {
                let key = (entry.content.topic.as_str(), *resolved);
                let longest: &mut Duration = shown.entry(key).or_default();
                *longest = resolved.since(accepted).max(*longest);
            }
        }
        shown
    }

    /// T9: nobody gives up before the time is over, nor goes on after an answer that is final.
    fn check_tries(
        &self,
        id: RecordId,
        entry: &Entry,
        shown: &BTreeMap<(&str, Instant), Duration>,
        found: &mut Vec<String>,
    ) {
        let Some((resolved, resolution)) = &entry.resolution else {
            return;
        };
        if let Some(refused) = entry.refused.filter(|refused| refused < resolved) {
            let what = format!("T9: record {} was refused {refused:?} and goes on", id.0);
            found.push(what);
        }
        let Resolution::Failed { error, .. } = resolution else {
            return;
        };
        let code = ErrorCode::from_name(error).unwrap_or(ErrorCode::NONE);
        let took = shown.get(&(entry.content.topic.as_str(), *resolved));
        let took = took.copied().unwrap_or_default();
        // Those whose time it shared may have gone elsewhere, when their topic became known.
        let patience = self.rules.delivery_timeout.min(self.rules.max_block) / 2;
        // What was in flight for a topic that was deleted must not go to its successor.
        let is_former = code == ErrorCode::UNKNOWN_TOPIC_ID;
        let gives_up = self.rules.retries != Retries::Unlimited
            || self.rules.guarantee == Guarantee::AtMostOnce
            || self.closes_at.is_some()
            || self.is_fatal;
        if code.is_retriable() && took < patience && !is_former && !gives_up {
            found.push(format!(
                "T9: record {} failed ({error}) after {took:?}",
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
        let guarantee = self.rules.guarantee;
        if guarantee == Guarantee::AtMostOnce && 1 < ever.len() {
            found.push(format!("D5: record {} was written more than once", id.0));
        }
        let deletions = |topic: &str| self.topics.get(topic).map_or(0, |topic| topic.deletions);
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
                    // A leader's log alone may be lost with the leader, and all with the topic.
                    Guarantee::AtLeastOnce(Acks::Leader) => ever,
                    _ if 0 < deletions(&entry.content.topic) => ever,
                    _ if self.amnesia.has_lost(id) => ever,
                    // A duplicate that is answered as an error is not waited for (C9).
                    _ if offset.is_none() => ever,
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
        let excused = self.is_excused(entry) || self.may_come_again(entry);
        if guarantee == Guarantee::Idempotent && 1 < in_log.len() && !excused {
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
            // A key goes by the count that the producer knew then.
            let key = content.key.as_deref();
            let counts = self.watch.discipline.counts(topic);
            let keyed = counts.map(|count| self.rules.placement.partition(key, count));
            let keyed: Option<BTreeSet<u32>> = keyed.collect();
            let explicit = content
                .partition
                .map(|partition| BTreeSet::from([partition]));
            let wanted = explicit.or(keyed);
            if wanted
                .as_ref()
                .is_some_and(|wanted| !wanted.contains(partition))
            {
                let what = format!("went to partition {partition}, not {wanted:?}");
                found.push(format!("D13: record {} {what}", id.0));
            }
        }
    }

    /// D11: acknowledged records of a partition stand in the order of acceptance.
    /// D12: they are acknowledged in that order, but for those whose fate was ever in doubt: a
    /// later batch may be acknowledged while an earlier one asks again (Java does so, too).
    fn check_order(&self, logs: &Copies, found: &mut Vec<String>) {
        if !self.rules.keeps_order() {
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
            if let Some(before) =
                overtaken.filter(|_| !entry.was_tainted && !self.is_excused(entry))
            {
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
            // A leader that has forgotten the producer takes a batch before the one it follows.
            acked.retain(|acked| !self.is_excused(self.ledger.entry(acked.id)));
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

    /// D11: what was never in doubt was first written in the order of acceptance. P8: and not to
    /// a topic and its successor.
    fn check_first_order(&self, found: &mut Vec<String>) {
        let mut written: BTreeMap<RecordId, _> = BTreeMap::new();
        let mut latest: BTreeMap<_, (u64, RecordId)> = BTreeMap::new();
        for batch in self.cluster.history() {
            let place = (batch.topic_id, batch.partition);
            for id in batch
                .records()
                .iter()
                .filter_map(|record| id_of(&record.headers))
            {
                let entry = self.ledger.entry(id);
                let Some((_, serial)) = entry.accepted else {
                    continue;
                };
                if let Some(before) = written.insert(id, batch.topic_id) {
                    if before != batch.topic_id && self.rules.is_idempotent() {
                        found.push(format!(
                            "P8: record {} is in a topic and in its successor",
                            id.0
                        ));
                    }
                    continue;
                }
                let excused = || self.is_excused(entry);
                if entry.was_tainted || !self.rules.keeps_order() || excused() {
                    continue;
                }
                let before = latest.entry(place).or_insert((serial, id));
                if serial < before.0 {
                    found.push(format!(
                        "D11: record {} was written after {}",
                        id.0, before.1.0
                    ));
                }
                *before = (serial, id).max(*before);
            }
        }
    }

    fn note_goals(&mut self, logs: &Copies, history: &Copies) {
        let mut reached = Vec::new();
        for (id, entry) in self.ledger.entries() {
            let Some((_, Resolution::Acked { .. })) = entry.resolution else {
                continue;
            };
            let topic = entry.content.topic.as_str();
            if self.watch.discipline.unknown.contains(topic) {
                reached.push(Goal::UnknownAtFirst);
            }
            let deletions = self.topics.get(topic).map_or(0, |topic| topic.deletions);
            if deletions == 0 && !logs.contains_key(&id) && history.contains_key(&id) {
                let is_lost = self.amnesia.has_lost(id);
                reached.push(match is_lost {
                    true => Goal::AcknowledgedLost,
                    false => Goal::LostWithLeader,
                });
            }
        }
        for goal in reached {
            self.ledger.goals.reach(goal);
        }
    }

    /// What the producer says is left of `buffer.memory`.
    fn available(&self) -> Option<usize> {
        let metrics = self.machine.metrics(self.now);
        let bytes = metrics.producer("buffer-available-bytes")?;
        format!("{bytes}").parse().ok()
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
        let available = self.available();
        if used == 0 && available != Some(self.rules.buffer_memory) {
            found.push(format!(
                "M1: nothing is taken, and {available:?} bytes are free"
            ));
        }
        if !self.flushes.is_empty() {
            found.push(format!("L3: {} flushes never ended", self.flushes.len()));
        }
    }
}

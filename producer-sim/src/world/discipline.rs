//! What a producer may send at all, whatever becomes of it: sequences without gaps, one identity
//! at a time, to the leader it was told of, not before its backoff is over.
//!
//! **Invariants.** D10, M4, M6, T1, T8, P8 and X8 of the verification plan. Everything is judged
//! by what went over the wires, so that no state of the producer is taken for granted.

use std::collections::{BTreeMap, BTreeSet};

use kafka_producer_machine::Instant;
use kafka_producer_proto::messages::produce::LeaderIdAndEpoch;
use kafka_producer_proto::messages::{InitProducerIdResponse, MetadataResponse, ProduceRequest};
use kafka_producer_proto::{ErrorCode, Uuid};

use super::contents::{Place, Sent, largest_plain, sizes_of};
use super::goals::Goal;
use super::ledger::{Identity, Ledger};
use super::rules::Rules;
use crate::cluster::BrokerId;

/// What the producer has used, and what it has been told.
#[derive(Debug, Default)]
pub(crate) struct Discipline {
    numbers: BTreeMap<(Place, i64, i16), Numbers>,
    /// The newest identity under which a partition was sent fresh batches.
    newest: BTreeMap<Place, (i64, i16)>,
    topics: BTreeMap<String, Told>,
    /// How many partitions each topic had, as far as the producer was told.
    counts: BTreeMap<String, BTreeSet<u32>>,
    /// Topics that were unknown once.
    pub(crate) unknown: BTreeSet<String>,
    /// The topic of each id, also of those that are gone.
    names: BTreeMap<Uuid, String>,
    /// How often metadata was told.
    pub(crate) lessons: u64,
    /// The latest id of each topic, and the lesson that told that it is not the first.
    latest: BTreeMap<String, (Uuid, u64)>,
    /// When the same topics were asked for the last two times.
    asked: BTreeMap<BTreeSet<String>, [Option<Instant>; 2]>,
    begun: u32,
    /// When metadata was asked for, however it was answered.
    pub(crate) metadata_requests: u64,
}

/// The sequences of a partition under one producer id and epoch.
#[derive(Debug, Default)]
struct Numbers {
    /// The sequence of the first record. All else is counted from there, for sequences wrap.
    first: i32,
    next: u32,
    sent: BTreeSet<u32>,
    /// Whether the broker has taken one.
    is_established: bool,
    /// The highest that was acknowledged.
    acknowledged: Option<u32>,
    /// The last that has failed, unless one as high was acknowledged since.
    hole: Option<u32>,
    /// Those of batches that were too large, until they leave again in smaller ones.
    owed: BTreeSet<u32>,
}

impl Numbers {
    fn beginning_at(first: i32) -> Self {
        Self {
            first,
            ..Self::default()
        }
    }

    /// As the how-manieth record a sequence was given, counted from 0: after 2147483647 comes 0.
    const fn place_of(&self, sequence: i32) -> u32 {
        (sequence.wrapping_sub(self.first) & i32::MAX).unsigned_abs()
    }
}

/// What metadata has told of a topic.
#[derive(Debug, Default)]
struct Told {
    id: Uuid,
    /// How many partitions it has; of one id they become no fewer.
    count: u32,
    leaders: BTreeMap<i32, Leader>,
}

#[derive(Clone, Copy, Debug)]
struct Leader {
    broker: i32,
    epoch: i32,
}

/// What is in flight of a partition when another batch leaves.
#[derive(Debug, Default)]
pub(crate) struct Beside {
    pub(crate) count: usize,
    /// Whether some is on another connection.
    pub(crate) elsewhere: bool,
    pub(crate) identities: BTreeSet<(i64, i16)>,
}

/// A batch that leaves.
#[derive(Debug)]
pub(crate) struct Departure<'a> {
    pub(crate) broker: BrokerId,
    pub(crate) place: &'a Place,
    pub(crate) records: &'a Sent,
    pub(crate) beside: &'a Beside,
}

/// M6: a request is no larger than `max.request.size`, unless it is one batch; and a batch of
/// several records has no more than it may before compression.
pub(super) fn check_sizes(ledger: &mut Ledger, rules: &Rules, request: &ProduceRequest) {
    let sizes = sizes_of(request);
    let (sum, limit) = (sizes.iter().sum::<usize>(), rules.max_request_size);
    if limit < sum && 1 < sizes.len() {
        ledger.violate(format!(
            "M6: a request has {sum} bytes, allowed are {limit}"
        ));
    }
    let (plain, limit) = (largest_plain(request), rules.largest_batch());
    if limit < plain {
        ledger.violate(format!(
            "M6: a batch has {plain} bytes before compression, allowed are {limit}"
        ));
    }
}

impl Discipline {
    pub(crate) fn asks_metadata(
        &mut self,
        now: Instant,
        ledger: &mut Ledger,
        rules: &Rules,
        topics: BTreeSet<String>,
    ) {
        self.metadata_requests += 1;
        let backoff = rules.retry_backoff.min(rules.metadata_max_age) * 4 / 5;
        // A topic is asked for at once when it is new, which does not put off the next refresh.
        let asked = self.asked.entry(topics).or_default();
        if let [Some(first), Some(second)] = *asked
            && now < first + backoff
        {
            ledger.violate(format!(
                "T8: metadata is asked for at {first:?}, at {second:?} and at {now:?}"
            ));
        }
        *asked = [asked[1], Some(now)];
    }

    /// Whether a partition of a request is one of this topic, or of one of its name before it.
    pub(crate) fn is_of(&self, place: &Place, topic: &str, partition: i32) -> bool {
        place.2 == partition && self.names.get(&place.1).is_some_and(|name| name == topic)
    }

    /// Whether a batch that left after so many lessons was for a topic that has a successor now.
    /// What the former one cannot take may suit the new one.
    pub(crate) fn is_of_former_topic(&self, lessons: u64, place: &Place) -> bool {
        let name = match place.0.as_str() {
            "" => self.names.get(&place.1),
            _ => Some(&place.0),
        };
        let latest = name.and_then(|name| self.latest.get(name));
        latest.is_some_and(|&(_, told)| lessons < told)
    }

    /// Takes over what metadata tells, as a producer must: never an older epoch (P8).
    pub(crate) fn learns(&mut self, response: &MetadataResponse) {
        self.lessons += 1;
        for topic in &response.topics {
            let Some(name) = &topic.name else { continue };
            if !topic.error_code.is_none() {
                self.unknown.insert(name.clone());
                continue;
            }
            let count = u32::try_from(topic.partitions.len()).unwrap_or(u32::MAX);
            self.counts.entry(name.clone()).or_default().insert(count);
            self.names.insert(topic.topic_id, name.clone());
            let latest = self.latest.entry(name.clone()).or_default();
            if topic.partitions.is_empty() && latest.0 != topic.topic_id {
                // Its creation is not over.
                continue;
            }
            // Old versions of the answer have no ids.
            if latest.0 != topic.topic_id && topic.topic_id != Uuid::ZERO {
                let is_another = latest.0 != Uuid::ZERO;
                *latest = (topic.topic_id, if is_another { self.lessons } else { 0 });
            }
            let told = self.topics.entry(name.clone()).or_default();
            if told.id != topic.topic_id {
                *told = Told {
                    id: topic.topic_id,
                    ..Told::default()
                };
            }
            told.count = told.count.max(count);
            // What is left out is there, and nobody knows who leads it.
            for (index, leader) in &mut told.leaders {
                let mut partitions = topic.partitions.iter();
                if !partitions.any(|partition| partition.partition_index == *index) {
                    leader.broker = -1;
                }
            }
            for partition in &topic.partitions {
                let (index, epoch) = (partition.partition_index, partition.leader_epoch);
                let known = told.leaders.get(&index).map_or(-1, |leader| leader.epoch);
                if known <= epoch {
                    // One without an address leads nobody anywhere.
                    let leader = partition.leader_id;
                    let is_known = response.brokers.iter().any(|b| b.node_id == leader);
                    let broker = if is_known { leader } else { -1 };
                    told.leaders.insert(index, Leader { broker, epoch });
                }
            }
        }
    }

    /// Takes over what a broker that refused a batch tells of its leader (KIP-951): a newer epoch
    /// only.
    pub(crate) fn hears(&mut self, place: &Place, code: ErrorCode, told: &LeaderIdAndEpoch) {
        let is_elsewhere = matches!(
            code,
            ErrorCode::NOT_LEADER_OR_FOLLOWER | ErrorCode::FENCED_LEADER_EPOCH
        );
        if !is_elsewhere || told.leader_id < 0 {
            return;
        }
        let topic = if place.1.is_zero() {
            self.topics.get_mut(&place.0)
        } else {
            self.topics.values_mut().find(|topic| topic.id == place.1)
        };
        let leader = topic.and_then(|topic| topic.leaders.get_mut(&place.2));
        if let Some(leader) = leader.filter(|leader| leader.epoch < told.leader_epoch) {
            leader.broker = told.leader_id;
            leader.epoch = told.leader_epoch;
        }
    }

    /// A producer id was given.
    pub(crate) fn begins(&mut self, ledger: &mut Ledger, _: &InitProducerIdResponse) {
        self.begun += 1;
        if 1 < self.begun {
            ledger.goals.reach(Goal::EpochsUsedUp);
        }
    }

    /// Whether the producer has an identity that will last.
    pub(crate) const fn has_begun(&self) -> bool {
        self.begun == 1
    }

    /// The leader that the producer was told of.
    pub(crate) fn leader(&self, topic: &str, partition: i32) -> Option<BrokerId> {
        let leader = self.topics.get(topic)?.leaders.get(&partition)?;
        // Beyond the count it may be a hole of a topic in creation.
        let is_known = u32::try_from(partition).is_ok_and(|at| at < self.partitions(topic));
        is_known.then_some(BrokerId(leader.broker))
    }

    /// The counts of partitions that the producer was told of.
    pub(crate) fn counts(&self, topic: &str) -> impl Iterator<Item = u32> {
        self.counts.get(topic).into_iter().flatten().copied()
    }

    /// How many partitions the producer was told of.
    pub(crate) fn partitions(&self, topic: &str) -> u32 {
        self.topics.get(topic).map_or(0, |told| told.count)
    }

    fn leader_of(&self, place: &Place) -> Option<Leader> {
        let mut told = self.topics.values().filter(|told| told.id == place.1);
        told.next()?.leaders.get(&place.2).copied()
    }

    /// The epoch of the leader that the producer was told of.
    pub(crate) fn leader_epoch(&self, place: &Place) -> Option<i32> {
        Some(self.leader_of(place)?.epoch)
    }

    /// A batch leaves for a broker.
    pub(crate) fn departs(
        &mut self,
        now: Instant,
        ledger: &mut Ledger,
        rules: &Rules,
        departure: &Departure<'_>,
    ) {
        let Departure {
            broker,
            place,
            records,
            beside,
        } = *departure;
        let Some(&(first, identity)) = records.first() else {
            return;
        };
        if let Some(leader) = self
            .leader_of(place)
            .filter(|leader| leader.broker != broker.0)
        {
            ledger.violate(format!("P8: {place:?} goes to {broker}, {leader:?} leads"));
        }
        ledger.check_parts(records);
        if beside.elsewhere {
            ledger.violate(format!("M4: {place:?} is in flight on two connections"));
        }
        let entry = ledger.entry(first);
        let same_epoch = entry.leader_epoch == self.leader_epoch(place);
        let backoff = rules.retry_backoff * 4 / 5;
        if let Some(ended) = entry.ended.filter(|&at| same_epoch && now < at + backoff)
            && entry.place.as_ref() == Some(place)
        {
            ledger.violate(format!(
                "T1: record {} failed at {ended:?} and goes again at {now:?}",
                first.0
            ));
        }
        if rules.is_idempotent() {
            self.check_number(ledger, rules, departure, identity);
        }
    }

    /// D10: sequences are contiguous from 0 under each identity; X8: no identity comes back.
    fn check_number(
        &mut self,
        ledger: &mut Ledger,
        rules: &Rules,
        departure: &Departure<'_>,
        identity: Identity,
    ) {
        let Departure {
            place,
            records,
            beside,
            ..
        } = *departure;
        let session = (identity.producer_id, identity.epoch);
        let begins_late = identity.sequence == rules.first_sequence;
        let first = if begins_late { identity.sequence } else { 0 };
        let numbers = (place.clone(), session.0, session.1);
        let numbers = self.numbers.entry(numbers);
        let numbers = numbers.or_insert_with(|| Numbers::beginning_at(first));
        let base = numbers.place_of(identity.sequence);
        let end = base + u32::try_from(records.len()).unwrap_or(0);
        let mut violate = |what: &str| {
            let id = records.first().map_or(0, |(id, _)| id.0);
            ledger.violate(format!("{what}: record {id} leaves as {identity:?}"));
        };
        if session.0 < 0 || session.1 < 0 {
            violate("X8: no identity");
        }
        if identity.sequence < 0 {
            violate("D10: a sequence below zero");
        }
        if beside.identities.iter().any(|&other| other != session) {
            violate("D10: two identities are in flight");
        }
        // The parts of a batch that was too large have its numbers, and go first.
        if let Some(owed) = numbers.owed.first().filter(|&&owed| owed < base) {
            violate(&format!("D10: {owed} after {} goes first", numbers.first));
        }
        numbers.owed.retain(|&owed| owed < base || end <= owed);
        if numbers.sent.contains(&base) {
            if 0 < beside.count {
                violate("D10: a batch goes again beside others");
            }
            return;
        }
        if numbers.next != base {
            let what = format!("D10: {} after {} was next", numbers.next, numbers.first);
            violate(&what);
        }
        if let Some(hole) = numbers.hole {
            let what = format!("D10: {hole} after {} has failed", numbers.first);
            violate(&what);
        }
        if 0 < beside.count && !numbers.is_established {
            violate("D10: two batches before the first acknowledgement");
        }
        let newest = self.newest.insert(place.clone(), session);
        if newest.is_some_and(|newest| newest.0 == session.0 && session.1 < newest.1) {
            violate("X8: an older epoch comes back");
        }
        if identity.sequence < numbers.first {
            ledger.goals.reach(Goal::SequenceWrapped);
        }
        numbers.sent.insert(base);
        numbers.next = end;
    }

    /// The broker has taken the batch whose last record is this.
    pub(crate) fn acknowledged(&mut self, place: &Place, last: Identity) {
        let key = (place.clone(), last.producer_id, last.epoch);
        let Some(numbers) = self.numbers.get_mut(&key) else {
            return;
        };
        numbers.is_established = true;
        let last = numbers.place_of(last.sequence);
        numbers.acknowledged = numbers.acknowledged.max(Some(last));
        if numbers.hole.is_some_and(|hole| hole <= last) {
            numbers.hole = None;
        }
    }

    /// A batch was too large: each of its records may be the first of a smaller one.
    pub(crate) fn split(&mut self, place: &Place, records: &Sent) {
        for &(_, identity) in records {
            let key = (place.clone(), identity.producer_id, identity.epoch);
            if let Some(numbers) = self.numbers.get_mut(&key) {
                let at = numbers.place_of(identity.sequence);
                numbers.sent.insert(at);
                numbers.owed.insert(at);
            }
        }
    }

    /// A record that has been sent has failed.
    pub(crate) fn failed(&mut self, place: &Place, identity: Identity) {
        let key = (place.clone(), identity.producer_id, identity.epoch);
        let Some(numbers) = self.numbers.get_mut(&key) else {
            return;
        };
        let failed = numbers.place_of(identity.sequence);
        numbers.owed.remove(&failed);
        if numbers.acknowledged < Some(failed) {
            numbers.hole = numbers.hole.max(Some(failed));
        }
    }
}

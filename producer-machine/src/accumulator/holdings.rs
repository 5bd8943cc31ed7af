//! What of the budget waits for each broker, and how long that broker has been silent.
//!
//! One sick broker must not starve the others: once it has been silent for `request.timeout.ms`,
//! what waits for it may hold at most half of `buffer.memory`. (librdkafka keeps one queue for
//! all, and one broker that is down fills it: its #2270 and #2677.)
//!
//! ```text
//! Quiet ──asked──> Waiting(since) ──answer, and more is waited for──> Waiting(now)
//!   ▲                └──answer──> Quiet             └──request.timeout.ms──> silent
//! ```
//!
//! **Invariants.** What a broker holds is the sum of what the partitions that it leads hold; a
//! partition holds the sum of the charges of its batches. Whoever changes a charge or a leader
//! does it here.

use alloc::collections::BTreeMap;
use core::time::Duration;

use super::{Accumulator, BatchKey, Claim, PartitionKey};
use crate::Instant;
use crate::brokers::NodeId;
use crate::config::Config;

/// What waits for brokers, by broker.
#[derive(Debug, Hash)]
pub(crate) struct Holdings {
    /// Only of brokers that something waits for.
    by_leader: BTreeMap<NodeId, Holding>,
    /// What may wait for a silent broker.
    limit: usize,
    /// `request.timeout.ms`.
    patience: Duration,
}

#[derive(Debug, Default, Hash)]
struct Holding {
    bytes: usize,
    /// Since when it owes us an answer, or a connection.
    waiting_since: Option<Instant>,
}

impl Holdings {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            by_leader: BTreeMap::new(),
            limit: config.buffer_memory / 2,
            patience: config.request_timeout,
        }
    }

    /// A partition may send to this broker, or a connection or a request is on its way.
    pub(crate) fn asked(&mut self, now: Instant, leader: NodeId) {
        if let Some(holding) = self.by_leader.get_mut(&leader) {
            holding.waiting_since.get_or_insert(now);
        }
    }

    /// The broker has answered something. Since `now`, or no more, it owes us another answer.
    pub(crate) fn heard(&mut self, leader: NodeId, waiting_since: Option<Instant>) {
        if let Some(holding) = self.by_leader.get_mut(&leader) {
            holding.waiting_since = waiting_since;
        }
    }

    /// Since when the broker has owed us an answer, or a connection.
    pub(crate) fn owes_since(&self, leader: NodeId) -> Option<Instant> {
        self.by_leader.get(&leader)?.waiting_since
    }

    /// Whether the broker has been asked and has said nothing for `request.timeout.ms`.
    pub(crate) fn is_silent(&self, now: Instant, leader: NodeId) -> bool {
        let since = self.owes_since(leader);
        since.is_some_and(|since| self.patience <= now.since(since))
    }

    /// Since when the broker has owed us an answer, if it is silent.
    pub(crate) fn silent_since(&self, now: Instant, leader: NodeId) -> Option<Instant> {
        self.owes_since(leader)
            .filter(|_| self.is_silent(now, leader))
    }

    /// Whether the broker is silent and would hold more than it may with so many bytes more.
    /// That it would says too that over half of the budget would be taken.
    pub(crate) fn refuses(&self, now: Instant, leader: NodeId, more: usize) -> bool {
        self.limit < self.of(leader).saturating_add(more) && self.is_silent(now, leader)
    }

    /// When the broker will refuse so many bytes more, if it says nothing until then.
    pub(crate) fn refuses_at(&self, leader: NodeId, more: usize) -> Option<Instant> {
        let holding = self.by_leader.get(&leader)?;
        let since = holding.waiting_since?;
        (self.limit < holding.bytes.saturating_add(more)).then_some(since + self.patience)
    }

    /// What waits for a broker.
    fn of(&self, leader: NodeId) -> usize {
        self.by_leader
            .get(&leader)
            .map_or(0, |holding| holding.bytes)
    }

    /// What waits for a broker becomes more or less by what it was and is.
    fn change(&mut self, leader: NodeId, before: usize, after: usize) {
        if before == after {
            return;
        }
        let holding = self.by_leader.entry(leader).or_default();
        debug_assert!(before <= holding.bytes, "what goes was there");
        holding.bytes = holding.bytes.saturating_sub(before).saturating_add(after);
        if holding.bytes == 0 {
            // Nothing of ours waits for it any more: it owes us nothing.
            self.by_leader.remove(&leader);
        }
    }
}

impl Accumulator {
    /// A partition has another leader, or none, or the same in another epoch: what it holds waits
    /// for that one. Gives the leader that it had, if that is not the same.
    pub(crate) fn lead(
        &mut self,
        key: PartitionKey,
        leader: Option<NodeId>,
        epoch: i32,
    ) -> Option<NodeId> {
        let partition = &mut self.partitions[key.0 as usize];
        partition.leader_epoch = epoch;
        let before = core::mem::replace(&mut partition.leader, leader);
        if before == leader {
            return None;
        }
        partition.meet_another_broker();
        if let Some(before) = before {
            self.holdings.change(before, partition.held, 0);
        }
        if let Some(leader) = leader {
            self.holdings.change(leader, 0, partition.held);
        }
        before
    }

    /// A batch costs another part of the budget from now on.
    pub(super) fn recharge(&mut self, key: BatchKey, charge: usize) {
        let batch = &mut self.batches[key.0 as usize];
        let before = core::mem::replace(&mut batch.charge, charge);
        let partition = &mut self.partitions[batch.partition.0 as usize];
        partition.held = partition.held - before + charge;
        self.budget.charge(charge);
        self.budget.release(before);
        if let Some(leader) = partition.leader {
            self.holdings.change(leader, before, charge);
        }
    }

    /// The leader of a partition, if it is so sick that nothing more may wait for it.
    pub(crate) fn sick_leader(
        &self,
        now: Instant,
        key: PartitionKey,
        more: usize,
    ) -> Option<NodeId> {
        let leader = self.partitions.get(key.0 as usize)?.leader?;
        self.holdings.refuses(now, leader, more).then_some(leader)
    }

    /// When the leader of a partition will be as sick, if it says nothing until then.
    pub(crate) fn sick_leader_at(&self, key: PartitionKey, more: usize) -> Option<Instant> {
        let leader = self.partitions.get(key.0 as usize)?.leader?;
        self.holdings.refuses_at(leader, more)
    }

    /// Whether a record of this partition may take so many bytes.
    pub(super) fn may_take(
        &self,
        now: Instant,
        key: PartitionKey,
        claim: Claim,
        bytes: usize,
    ) -> bool {
        self.budget.affords(claim, bytes) && self.sick_leader(now, key, bytes).is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accumulator::Hurry;
    use alloc::vec::Vec;
    use kafka_producer_proto::batch::OpenBatch;

    const SICK: NodeId = NodeId(1);
    const WELL: NodeId = NodeId(2);

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    /// Half of the budget is 5000 bytes, and patience ends after 100 ms.
    fn holdings() -> Holdings {
        Holdings {
            by_leader: BTreeMap::new(),
            limit: 5000,
            patience: Duration::from_millis(100),
        }
    }

    fn accumulator() -> Accumulator {
        let config = Config::from_properties([("bootstrap.servers", "a:9092")]);
        Accumulator::new(&config.expect("a valid configuration"))
    }

    fn open(accumulator: &mut Accumulator, key: PartitionKey, charge: usize) -> BatchKey {
        let records = OpenBatch::new(Vec::new());
        accumulator.install(at(0), key, None, charge, records, Hurry::Relaxed)
    }

    #[test]
    fn a_broker_is_silent_once_it_owed_an_answer_for_the_whole_request_timeout() {
        let mut holdings = holdings();
        holdings.change(SICK, 0, 1000);
        assert!(!holdings.is_silent(at(1000), SICK), "nobody has asked it");
        holdings.asked(at(1000), SICK);
        holdings.asked(at(1099), SICK);
        assert!(!holdings.is_silent(at(1099), SICK));
        assert!(holdings.is_silent(at(1100), SICK));
        assert!(!holdings.is_silent(at(1100), WELL));
    }

    #[test]
    fn an_answer_ends_the_silence_and_begins_another_if_more_is_owed() {
        let mut holdings = holdings();
        holdings.change(SICK, 0, 1000);
        holdings.asked(at(0), SICK);
        holdings.heard(SICK, Some(at(200)));
        assert!(!holdings.is_silent(at(299), SICK));
        assert!(holdings.is_silent(at(300), SICK));
        holdings.heard(SICK, None);
        assert!(!holdings.is_silent(at(900), SICK));
    }

    #[test]
    fn what_waits_for_a_silent_broker_may_hold_half_of_the_budget() {
        let mut holdings = holdings();
        holdings.change(SICK, 0, 4000);
        holdings.asked(at(0), SICK);
        assert!(
            !holdings.refuses(at(99), SICK, 6000),
            "it is not silent yet"
        );
        assert!(!holdings.refuses(at(100), SICK, 1000));
        assert!(holdings.refuses(at(100), SICK, 1001));
        assert!(!holdings.refuses(at(100), WELL, 6000));
        assert_eq!(holdings.refuses_at(SICK, 1000), None);
        assert_eq!(holdings.refuses_at(SICK, 1001), Some(at(100)));
        assert_eq!(holdings.refuses_at(WELL, 6000), None);
    }

    #[test]
    fn a_broker_that_nothing_waits_for_owes_nothing() {
        let mut holdings = holdings();
        holdings.asked(at(0), SICK);
        holdings.change(SICK, 0, 1000);
        assert!(
            !holdings.is_silent(at(500), SICK),
            "it was asked for nothing"
        );
        holdings.asked(at(500), SICK);
        holdings.change(SICK, 1000, 0);
        holdings.change(SICK, 0, 1000);
        assert!(!holdings.is_silent(at(900), SICK));
    }

    #[test]
    fn what_a_partition_holds_moves_with_its_leader() {
        let mut accumulator = accumulator();
        let key = accumulator.add_partition(crate::TopicHandle(0), 0);
        accumulator.lead(key, Some(SICK), 0);
        let batch = open(&mut accumulator, key, 100);
        assert_eq!(accumulator.holdings.of(SICK), 100);
        accumulator.lead(key, Some(WELL), 0);
        assert_eq!(accumulator.holdings.of(SICK), 0);
        assert_eq!(accumulator.holdings.of(WELL), 100);
        accumulator.lead(key, None, 0);
        accumulator.recharge(batch, 300);
        accumulator.lead(key, Some(SICK), 0);
        assert_eq!(accumulator.holdings.of(SICK), 300);
        accumulator.recharge(batch, 0);
        assert_eq!(accumulator.holdings.of(SICK), 0);
        assert!(accumulator.holdings.by_leader.is_empty());
        assert_eq!(accumulator.budget.used(), 0);
    }
}

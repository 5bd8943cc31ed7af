//! What is known of one topic: its partitions and who leads them.
//!
//! **Invariants.** Of one topic id the count of partitions never shrinks: keys must not move
//! because a broker lags. A topic that was created anew has as many as it is said to have.

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use kafka_producer_proto::messages::metadata::MetadataResponseTopic;
use kafka_producer_proto::{ErrorCode, Uuid};

use super::is_name;
use crate::Instant;
use crate::accumulator::PartitionKey;
use crate::brokers::NodeId;
use crate::partitioner::{Rack, Sticky};

/// A partition as the cluster describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PartitionView {
    pub(crate) leader: Option<NodeId>,
    pub(crate) leader_epoch: i32,
    /// The partition's place in the accumulator, once it has been used.
    pub(crate) key: Option<PartitionKey>,
}

/// What is known of a topic.
#[derive(Debug, Hash)]
pub(crate) struct TopicView {
    pub(crate) name: Arc<str>,
    pub(crate) id: Uuid,
    /// Empty until the topic is known.
    pub(crate) partitions: Vec<PartitionView>,
    /// The partitions behind those: the topic had them before it was created anew with fewer.
    /// Nobody leads them, and what is left for them waits in case that the topic grows.
    former: Vec<PartitionView>,
    /// Partitions that have a leader, for records without a key.
    pub(crate) available: Vec<u32>,
    /// Of these, those whose leader stands in our rack; empty unless that matters.
    pub(crate) near: Vec<u32>,
    pub(crate) refusal: Option<ErrorCode>,
    pub(crate) sticky: Sticky,
    /// The last time somebody used it.
    pub(super) used: Instant,
    /// How many partitions somebody waits for.
    pub(super) wanted: u32,
    /// Until when an unknown topic is asked for.
    pub(super) wanted_until: Instant,
}

impl TopicView {
    /// A topic that has been named.
    pub(crate) fn named(now: Instant, name: Arc<str>, refusal: Option<ErrorCode>) -> Self {
        Self {
            name,
            id: Uuid::ZERO,
            partitions: Vec::new(),
            former: Vec::new(),
            available: Vec::new(),
            near: Vec::new(),
            refusal,
            sticky: Sticky::default(),
            used: now,
            wanted: 1,
            wanted_until: now,
        }
    }

    /// Somebody uses it.
    #[inline]
    pub(crate) const fn touch(&mut self, now: Instant) {
        self.used = now;
    }

    /// Whether nobody has used it for so long.
    pub(crate) fn was_idle_for(&self, now: Instant, span: Duration) -> bool {
        span < now.since(self.used)
    }

    /// Somebody waits for this partition of it, or for any. Says whether it is missing.
    pub(crate) fn lacks(&mut self, partition: Option<u32>) -> bool {
        let wanted = partition.map_or(1, |partition| partition.saturating_add(1));
        // Others may wait for a higher one.
        let least = if self.is_wanting() { self.wanted } else { 1 };
        self.wanted = wanted.max(least);
        self.is_wanting()
    }

    /// Whether it has fewer partitions than somebody waits for.
    pub(super) fn is_wanting(&self) -> bool {
        self.partitions.len() < self.wanted as usize
    }

    /// A partition of it is used for the first time.
    pub(crate) fn first_use(&mut self, index: u32, key: PartitionKey) -> Option<&PartitionView> {
        let view = self.partitions.get_mut(index as usize)?;
        view.key = Some(key);
        Some(view)
    }

    /// The places in the accumulator of all partitions that have been used, also of those that
    /// the topic has no more.
    pub(crate) fn used_partitions(&self) -> impl Iterator<Item = PartitionKey> {
        let all = self.partitions.iter().chain(&self.former);
        all.filter_map(|view| view.key)
    }

    /// The place in the accumulator of a partition that has been used, also of one that the topic
    /// has no more.
    pub(crate) fn used_partition(&self, index: u32) -> Option<PartitionKey> {
        let (index, count) = (index as usize, self.partitions.len());
        let view = match index.checked_sub(count) {
            Some(behind) => self.former.get(behind),
            None => self.partitions.get(index),
        };
        view?.key
    }

    /// The topic was created anew, with so many partitions: epochs begin again, and partitions
    /// beyond the count are gone. Adds those to `moved` that have been used.
    pub(super) fn begin_anew(&mut self, count: usize, moved: &mut Vec<PartitionKey>) {
        for view in &mut self.partitions {
            view.leader_epoch = -1;
        }
        if self.partitions.len() <= count {
            return;
        }
        let mut gone = self.partitions.split_off(count);
        for view in &mut gone {
            view.leader = None;
            moved.extend(view.key);
        }
        self.former.splice(..0, gone);
    }

    /// Whether a request may carry the name. An empty or a longer one belongs to no topic, and
    /// one above 32,767 bytes fits no request.
    pub(crate) fn can_be_asked_for(&self) -> bool {
        is_name(&self.name)
    }

    /// Takes over the partitions of an answer. Adds those whose leader or leader epoch is new.
    pub(super) fn apply_partitions(
        &mut self,
        version: i16,
        answer: &MetadataResponseTopic,
        brokers: &BTreeSet<NodeId>,
        moved: &mut Vec<PartitionKey>,
    ) {
        // An index beyond the count is a hole of a topic in creation, or nonsense; it comes again
        // if it is real.
        let count = answer.partitions.len().max(self.partitions.len());
        let new = PartitionView {
            leader: None,
            leader_epoch: -1,
            key: None,
        };
        let back = (count - self.partitions.len()).min(self.former.len());
        self.partitions.extend(self.former.drain(..back));
        self.partitions.resize(count, new);
        let mut left_out = alloc::vec![true; count];
        for partition in &answer.partitions {
            let index = usize::try_from(partition.partition_index).unwrap_or(usize::MAX);
            if let Some(left_out) = left_out.get_mut(index) {
                *left_out = false;
            }
            let Some(view) = self.partitions.get_mut(index) else {
                continue;
            };
            // Below version 9 brokers may report stale epochs.
            let epoch = if version < 9 {
                -1
            } else {
                partition.leader_epoch
            };
            if 0 <= epoch && epoch < view.leader_epoch {
                continue;
            }
            let leader = Some(NodeId(partition.leader_id)).filter(|node| brokers.contains(node));
            if (leader, epoch) != (view.leader, view.leader_epoch) {
                view.leader = leader;
                view.leader_epoch = epoch;
                moved.extend(view.key);
            }
        }
        // A partition that the answer leaves out is still there: its leader is unknown.
        for (view, _) in self
            .partitions
            .iter_mut()
            .zip(left_out)
            .filter(|(_, out)| *out)
        {
            if view.leader.take().is_some() {
                moved.extend(view.key);
            }
        }
    }

    /// Takes over who leads a partition by a broker's hint, if that is news (KIP-951).
    pub(super) fn apply_hint(
        &mut self,
        index: u32,
        leader: NodeId,
        epoch: i32,
        rack: &Rack,
    ) -> Option<PartitionKey> {
        let view = self.partitions.get_mut(index as usize)?;
        if epoch <= view.leader_epoch {
            return None;
        }
        view.leader = Some(leader);
        view.leader_epoch = epoch;
        let key = view.key;
        self.sort_in(index, rack);
        key
    }
}

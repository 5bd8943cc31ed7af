//! Chooses a partition: the record's own, else by the rule that was configured.
//!
//! ```text
//! record names one ──> that one, or wait until the topic has it
//!      └─ custom partitioner ──> its answer ──out of range──> refused
//!            └─ none, or no answer ──> the rule: by key ──> a hash over all partitions
//!                                         └─ no key ──> the partition that sticks (KIP-794)
//! ```
//!
//! **Invariants.** A hash never avoids a partition without a leader: the same key and the same
//! count give the same partition. Nothing is weighed or allocated per record.

mod custom;
mod load;
mod rack;
mod rule;
mod sticky;

use kafka_producer_proto::batch::RecordBody;
use kafka_producer_proto::hash;

use crate::Instant;
use crate::accumulator::Accumulator;
use crate::config::Config;
use crate::metadata::TopicView;
use crate::seed::Stream;

pub use custom::{Partitioner, TopicLoad, Unplaced};
pub use rule::PartitionRule;

pub(crate) use custom::{Factory, Fault};
pub(crate) use rack::Rack;
pub(crate) use sticky::Sticky;

use custom::Custom;
use load::Weighing;

/// How a partition was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// By the record, its key, or a rule that looks at each record.
    Fixed(u32),
    /// Not at all: the topic does not have it.
    None(Missing),
    /// By the sticky rule, which wants to know what was appended.
    Sticky(u32),
}

/// Who has asked for a partition that the topic does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// The record: the partition may be there later.
    Named(u32),
    /// The custom partitioner.
    Fault(Fault),
}

/// Chooses partitions.
#[derive(Debug)]
pub(crate) struct Chooser {
    road: Road,
    custom: Option<Custom>,
    rule: PartitionRule,
    /// `partitioner.ignore.keys`.
    ignores_keys: bool,
    /// `partitioner.adaptive.partitioning.enable` and `partitioner.availability.timeout.ms`.
    weighing: Option<Weighing>,
}

/// How far one has to look for the partition of a record that names none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Road {
    /// Java's rule decides: the hot path.
    Java,
    /// Another rule does, keys are ignored, or the partitioner of the user is asked.
    Other,
}

impl Chooser {
    pub(crate) fn new(config: &Config) -> Self {
        let custom = config.custom_partitioner.as_ref().map(Factory::make);
        let (rule, ignores_keys) = match config.partition_rule {
            PartitionRule::RoundRobin => (PartitionRule::RoundRobin, false),
            _ if config.partitioner_ignore_keys => (PartitionRule::BuiltIn, true),
            rule => (rule, false),
        };
        let road = match (&custom, rule, ignores_keys) {
            (None, PartitionRule::BuiltIn, false) => Road::Java,
            _ => Road::Other,
        };
        let weighing = config
            .partitioner_adaptive
            .then(|| Weighing::new(config.partitioner_availability_timeout));
        Self {
            road,
            custom,
            rule,
            ignores_keys,
            weighing,
        }
    }

    /// Chooses the partition of a record. An empty key is a key.
    #[inline]
    pub(crate) fn choose(
        &mut self,
        topic: &mut TopicView,
        explicit: Option<u32>,
        record: &RecordBody<'_>,
        accumulator: &Accumulator,
        random: &mut Stream,
    ) -> Choice {
        let count = topic.partitions.len() as u32;
        if let Some(partition) = explicit {
            return if partition < count {
                Choice::Fixed(partition)
            } else {
                Choice::None(Missing::Named(partition))
            };
        }
        if self.road == Road::Java {
            return match record.key {
                Some(key) => Choice::Fixed(hash::murmur2_partition(key, count)),
                None => Choice::Sticky(sticky::stick(topic, random)),
            };
        }
        self.choose_by_rule(topic, record, accumulator, random)
    }

    #[inline(never)]
    fn choose_by_rule(
        &mut self,
        topic: &mut TopicView,
        record: &RecordBody<'_>,
        accumulator: &Accumulator,
        random: &mut Stream,
    ) -> Choice {
        let answer = self
            .custom
            .as_mut()
            .and_then(|custom| custom.ask(topic, record, accumulator));
        if let Some(choice) = answer {
            return choice;
        }
        let key = record.key.filter(|_| !self.ignores_keys);
        match self.rule.choose(topic, key, random) {
            Some(partition) => Choice::Fixed(partition),
            None => Choice::Sticky(sticky::stick(topic, random)),
        }
    }

    /// What the partitioner of the user remembers; all else never changes.
    pub(crate) fn digest(&self) -> Option<u64> {
        self.custom.as_ref().map(Custom::digest)
    }

    /// A request with batches of this topic has left: weighs its queues, if somebody will ask.
    /// Gives how many partitions were looked at.
    pub(crate) fn on_drained(
        &self,
        now: Instant,
        topic: &mut TopicView,
        accumulator: &Accumulator,
    ) -> usize {
        match &self.weighing {
            Some(weighing) => weighing.on_drained(now, topic, accumulator),
            None => 0,
        }
    }
}

/// Another partition for records without a key or, if there is only one, that one again.
pub(crate) fn next_sticky(topic: &mut TopicView, random: &mut Stream) -> u32 {
    topic.sticky.forget();
    sticky::stick(topic, random)
}

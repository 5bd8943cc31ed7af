//! Chooses a partition: the record's own, else by key, else one that sticks for a batch's worth
//! of bytes (KIP-480, KIP-794).

use kafka_producer_proto::hash;

use crate::metadata::TopicView;
use crate::seed::Stream;

/// The partition that records without a key go to for now.
#[derive(Clone, Copy, Debug, Default, Hash)]
pub(crate) struct Sticky {
    current: Option<u32>,
    produced: usize,
}

impl Sticky {
    /// The partition of the next record without a key. `partitions` is their count, `available`
    /// those that have a leader: while there are any, no other is chosen.
    pub(crate) fn choose(
        &mut self,
        partitions: u32,
        available: &[u32],
        random: &mut Stream,
    ) -> u32 {
        if let Some(current) = self.current.filter(|&current| current < partitions) {
            return current;
        }
        let count = available.len() as u32;
        let chosen = match available.get(random.below(count) as usize) {
            Some(&chosen) => chosen,
            None => random.below(partitions),
        };
        self.current = Some(chosen);
        self.produced = 0;
        chosen
    }

    /// Counts what was appended without a key: bytes, not batches, so that the load stays even
    /// when brokers differ in speed (KAFKA-10888).
    pub(crate) const fn appended(&mut self, bytes: usize) {
        self.produced = self.produced.saturating_add(bytes);
    }

    /// Whether the partition has had its share. It is left between two batches, not within one:
    /// else large lingers make fractional batches (KAFKA-14156).
    pub(crate) const fn is_spent(&self, batch_size: usize) -> bool {
        batch_size <= self.produced
    }

    /// The partition lost its leader, or the topic changed: choose anew.
    pub(crate) const fn forget(&mut self) {
        self.current = None;
    }
}

/// How a partition was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// By the record or its key.
    Fixed(u32),
    /// By the sticky rule, which wants to know what was appended.
    Sticky(u32),
    /// The record asks for a partition that the topic does not have (yet).
    OutOfRange,
}

/// Chooses the partition of a record. An empty key is a key.
#[inline]
pub(crate) fn choose(
    topic: &mut TopicView,
    explicit: Option<u32>,
    key: Option<&[u8]>,
    random: &mut Stream,
) -> Choice {
    let count = topic.partitions.len() as u32;
    match (explicit, key) {
        (Some(partition), _) if partition < count => Choice::Fixed(partition),
        (Some(_), _) => Choice::OutOfRange,
        (None, Some(key)) => Choice::Fixed(hash::murmur2_partition(key, count)),
        (None, None) => Choice::Sticky(topic.sticky.choose(count, &topic.available, random)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Seed;

    #[test]
    fn a_partition_sticks_and_is_spent_after_a_batch_worth_of_bytes() {
        let mut random = Seed::new(1).stream(0);
        let mut sticky = Sticky::default();
        let first = sticky.choose(8, &[0, 1, 2, 3, 4, 5, 6, 7], &mut random);
        sticky.appended(60);
        assert_eq!(sticky.choose(8, &[0, 1], &mut random), first);
        assert!(!sticky.is_spent(100));
        sticky.appended(60);
        assert!(sticky.is_spent(100));
    }

    #[test]
    fn a_leaderless_partition_is_not_chosen_while_another_has_a_leader() {
        let mut random = Seed::new(9).stream(0);
        for _ in 0..100 {
            let mut sticky = Sticky::default();
            assert_eq!(sticky.choose(5, &[3], &mut random), 3);
        }
    }

    #[test]
    fn without_any_leader_any_partition_may_be_chosen() {
        let mut random = Seed::new(9).stream(0);
        let mut seen = [false; 4];
        for _ in 0..200 {
            seen[Sticky::default().choose(4, &[], &mut random) as usize] = true;
        }
        assert_eq!(seen, [true; 4]);
    }
}

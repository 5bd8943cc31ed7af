//! The partition that records without a key stick to, for a batch's worth of bytes (KIP-480,
//! KIP-794; Java's `BuiltInPartitioner`).

use super::load::Load;
use crate::metadata::TopicView;
use crate::seed::Stream;

/// The partition that records without a key go to for now, and what decides where they go next.
#[derive(Debug, Default, Hash)]
pub(crate) struct Sticky {
    current: Option<u32>,
    produced: usize,
    pub(super) load: Load,
    /// The turn of the next record under the round-robin rule.
    pub(super) turn: u32,
}

/// Where records without a key may go.
#[derive(Clone, Copy, Debug)]
struct Candidates<'a> {
    /// How many partitions there are.
    partitions: u32,
    /// Those that have a leader: while there are any, no other is chosen.
    available: &'a [u32],
    /// Of these, those whose leader stands in our rack: while there are any, no other is chosen.
    near: &'a [u32],
}

impl Sticky {
    /// Another partition: by the load if it was weighed, else any with the same chance.
    fn choose(&mut self, candidates: Candidates<'_>, random: &mut Stream) -> u32 {
        let uniform = |random: &mut Stream| {
            let of = match candidates {
                Candidates { near: &[], .. } => candidates.available,
                Candidates { near, .. } => near,
            };
            match of.get(random.below(of.len() as u32) as usize) {
                Some(&chosen) => chosen,
                None => random.below(candidates.partitions),
            }
        };
        let weighed = self.load.pick(random);
        let chosen = weighed.unwrap_or_else(|| uniform(random));
        self.current = Some(chosen);
        self.produced = 0;
        chosen
    }

    /// Counts what was appended without a key: bytes, not batches, so that the load stays even
    /// when brokers differ in speed (KAFKA-10888).
    pub(crate) const fn appended(&mut self, bytes: usize) {
        self.produced = self.produced.saturating_add(bytes);
    }

    /// Whether the partition has had its share, or has it with so many bytes more. It is left
    /// between two batches, not within one: else large lingers make fractional batches
    /// (KAFKA-14156).
    pub(crate) const fn is_spent(&self, batch_size: usize, more: usize) -> bool {
        batch_size <= self.produced.saturating_add(more)
    }

    /// Whether any record without a key sticks.
    pub(super) const fn is_in_use(&self) -> bool {
        self.current.is_some()
    }

    /// The partition lost its leader, or has had its share: choose anew.
    pub(crate) const fn forget(&mut self) {
        self.current = None;
    }

    /// The partitions or their leaders have changed: what was weighed says nothing of them.
    pub(crate) fn unweigh(&mut self) {
        self.load.clear();
    }
}

/// The partition of the next record without a key.
#[inline]
pub(super) fn stick(topic: &mut TopicView, random: &mut Stream) -> u32 {
    let partitions = topic.partitions.len() as u32;
    if let Some(current) = topic.sticky.current {
        if current < partitions {
            return current;
        }
    }
    let candidates = Candidates {
        partitions,
        available: &topic.available,
        near: &topic.near,
    };
    topic.sticky.choose(candidates, random)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Seed;

    fn among<'a>(partitions: u32, available: &'a [u32], near: &'a [u32]) -> Candidates<'a> {
        Candidates {
            partitions,
            available,
            near,
        }
    }

    #[test]
    fn a_partition_is_spent_after_a_batch_worth_of_bytes() {
        let mut sticky = Sticky::default();
        sticky.appended(60);
        assert!(!sticky.is_spent(100, 39));
        assert!(sticky.is_spent(100, 40));
        sticky.appended(60);
        assert!(sticky.is_spent(100, 0));
    }

    #[test]
    fn a_leaderless_partition_is_not_chosen_while_another_has_a_leader() {
        let mut random = Seed::new(9).stream(0);
        for _ in 0..100 {
            let chosen = Sticky::default().choose(among(5, &[3], &[]), &mut random);
            assert_eq!(chosen, 3);
        }
    }

    #[test]
    fn without_any_leader_any_partition_may_be_chosen() {
        let mut random = Seed::new(9).stream(0);
        let mut seen = [false; 4];
        for _ in 0..200 {
            let chosen = Sticky::default().choose(among(4, &[], &[]), &mut random);
            seen[chosen as usize] = true;
        }
        assert_eq!(seen, [true; 4]);
    }

    #[test]
    fn while_a_leader_stands_in_our_rack_no_other_partition_is_chosen() {
        let mut random = Seed::new(9).stream(0);
        let mut seen = [false; 4];
        for _ in 0..200 {
            let near = among(4, &[0, 1, 2, 3], &[1, 3]);
            seen[Sticky::default().choose(near, &mut random) as usize] = true;
        }
        assert_eq!(seen, [false, true, false, true]);
    }
}

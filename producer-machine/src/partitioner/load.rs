//! How busy the partitions of a topic are: Java's cumulative frequency table (KIP-794,
//! `BuiltInPartitioner.updatePartitionLoadStats`).
//!
//! ```text
//! batches that wait:        0  3  1
//! the most, plus 1, less:   4  1  3
//! summed up:                4  5  8      a number below 8 falls to the first sum above it
//! ```
//!
//! **Invariants.** The table is weighed after a request has left and never per record. That walks
//! the partitions of one topic, so a wide topic is weighed once in so many requests: a request
//! costs 64 steps on average, whatever the width (Java walks every topic in each turn of its
//! loop).

use alloc::vec::Vec;
use core::time::Duration;

use crate::Instant;
use crate::accumulator::Accumulator;
use crate::metadata::TopicView;
use crate::seed::Stream;

/// When the partitions of a topic are weighed, and which are left out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weighing {
    /// `partitioner.availability.timeout.ms`; `None` leaves out nobody.
    patience: Option<Duration>,
}

/// What was weighed last.
#[derive(Debug, Default, Hash)]
pub(super) struct Load {
    all: Table,
    /// Only partitions whose leader stands in our rack (KIP-1123).
    near: Table,
    /// Requests with batches of the topic since then.
    drains: usize,
    /// How often a partition was picked since then.
    picks: usize,
}

/// The sums up to each partition. Empty: all have the same chance.
#[derive(Debug, Default, Hash)]
struct Table {
    partitions: Vec<u32>,
    sums: Vec<u32>,
}

impl Weighing {
    pub(super) const fn new(patience: Option<Duration>) -> Self {
        Self { patience }
    }

    /// A request with batches of this topic has left. Gives how many partitions were looked at:
    /// none if no record without a key will ask.
    pub(super) fn on_drained(
        &self,
        now: Instant,
        topic: &mut TopicView,
        accumulator: &Accumulator,
    ) -> usize {
        if !topic.sticky.is_in_use() {
            return 0;
        }
        let width = topic.partitions.len();
        topic.sticky.load.drains += 1;
        if topic.sticky.load.drains * STEPS < width {
            return 0;
        }
        self.weigh(now, topic, accumulator);
        width
    }

    fn weigh(&self, now: Instant, topic: &mut TopicView, accumulator: &Accumulator) {
        let width = topic.partitions.len();
        let load = &mut topic.sticky.load;
        load.clear();
        for (index, view) in topic.partitions.iter().enumerate() {
            let Some(key) = view.key else {
                // Until each was used once, all have the same chance, as in Java.
                load.clear();
                return;
            };
            let Some(leader) = view.leader else { continue };
            let owes_since = accumulator.holdings.owes_since(leader);
            let is_out = self
                .patience
                .zip(owes_since)
                .is_some_and(|(patience, since)| {
                    // It was asked that long ago and has taken or answered nothing.
                    patience < now.since(since)
                });
            if is_out {
                continue;
            }
            let waiting = accumulator.partitions[key.0 as usize].waiting();
            load.all.push(index as u32, waiting);
            if topic.near.binary_search(&(index as u32)).is_ok() {
                load.near.push(index as u32, waiting);
            }
        }
        load.near.sum_up();
        if load.all.is_even() && load.all.partitions.len() == width || width < 2 {
            load.clear();
        } else {
            load.all.sum_up();
        }
    }
}

impl Load {
    /// A partition by weight, in our rack if one there has a weight; `None` if nothing was
    /// weighed.
    ///
    /// Each pick adds a batch. After one for each partition the weights say nothing any more, but
    /// who was left out still is.
    pub(super) fn pick(&mut self, random: &mut Stream) -> Option<u32> {
        if self.all.sums.is_empty() {
            return None;
        }
        let table = if self.near.sums.is_empty() {
            &self.all
        } else {
            &self.near
        };
        self.picks += 1;
        if table.partitions.len() < self.picks {
            table.pick_any(random)
        } else {
            table.pick(random)
        }
    }

    pub(super) fn clear(&mut self) {
        self.all.clear();
        self.near.clear();
        self.drains = 0;
        self.picks = 0;
    }
}

impl Table {
    fn clear(&mut self) {
        self.partitions.clear();
        self.sums.clear();
    }

    /// One more partition, in whose queue so many batches wait.
    fn push(&mut self, partition: u32, waiting: u32) {
        self.partitions.push(partition);
        self.sums.push(waiting);
    }

    /// Whether equally many batches wait for each.
    fn is_even(&self) -> bool {
        self.sums.windows(2).all(|pair| pair[0] == pair[1])
    }

    /// Turns what waits into the sums of what is free.
    fn sum_up(&mut self) {
        let most = self
            .sums
            .iter()
            .max()
            .map_or(0, |&most| most.saturating_add(1));
        let mut sum = 0_u32;
        for entry in &mut self.sums {
            sum = sum.saturating_add(most - *entry);
            *entry = sum;
        }
    }

    /// The first partition whose sum is above a random number below the last sum.
    fn pick(&self, random: &mut Stream) -> Option<u32> {
        let &last = self.sums.last()?;
        self.at(random.below(last))
    }

    /// Any partition of the table.
    fn pick_any(&self, random: &mut Stream) -> Option<u32> {
        let place = random.below(self.partitions.len() as u32);
        self.partitions.get(place as usize).copied()
    }

    fn at(&self, number: u32) -> Option<u32> {
        let place = self.sums.partition_point(|&sum| sum <= number);
        self.partitions.get(place).copied()
    }
}

/// Steps of weighing for each request.
const STEPS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Seed;

    fn table(waiting: &[u32]) -> Table {
        let mut table = Table::default();
        for (partition, &waiting) in waiting.iter().enumerate() {
            table.push(partition as u32 * 10, waiting);
        }
        table.sum_up();
        table
    }

    #[test]
    fn the_sums_are_those_of_java() {
        assert_eq!(table(&[0, 3, 1]).sums, [4, 5, 8]);
        assert_eq!(table(&[0, 4, 4]).sums, [5, 6, 7]);
        assert_eq!(table(&[2, 2]).sums, [1, 2]);
        assert_eq!(table(&[7]).sums, [1]);
    }

    #[test]
    fn a_number_falls_to_the_first_sum_above_it() {
        let table = table(&[0, 3, 1]);
        let at: Vec<_> = (0..8).filter_map(|number| table.at(number)).collect();
        assert_eq!(at, [0, 0, 0, 0, 10, 20, 20, 20]);
        assert_eq!(table.at(8), None);
    }

    #[test]
    fn picks_follow_the_weights() {
        let mut random = Seed::new(3).stream(0);
        let table = table(&[0, 3, 1]);
        let mut picked = [0_u32; 3];
        for _ in 0..8000 {
            picked[table.pick(&mut random).unwrap() as usize / 10] += 1;
        }
        for (picks, weight) in picked.into_iter().zip([4_u32, 1, 3]) {
            assert!(picks.abs_diff(weight * 1000) < 200, "{picked:?}");
        }
    }

    #[test]
    fn weights_serve_one_pick_for_each_partition_and_then_all_have_the_same_chance() {
        let mut random = Seed::new(5).stream(0);
        let mut load = Load {
            all: table(&[0, 1_000_000]),
            ..Load::default()
        };
        assert_eq!([0, 1].map(|_| load.pick(&mut random)), [Some(0); 2]);
        assert!((0..50).any(|_| load.pick(&mut random) == Some(10)));
    }

    #[test]
    fn nothing_is_picked_of_an_empty_table() {
        assert_eq!(Table::default().pick(&mut Seed::new(1).stream(0)), None);
        assert_eq!(Load::default().pick(&mut Seed::new(1).stream(0)), None);
    }

    #[test]
    fn the_rack_comes_first_while_a_partition_in_it_has_a_weight() {
        let mut random = Seed::new(1).stream(0);
        let mut load = Load {
            all: table(&[0, 5, 0]),
            near: Table::default(),
            drains: 0,
            picks: 0,
        };
        load.near.push(10, 5);
        load.near.sum_up();
        assert!((0..50).all(|_| load.pick(&mut random) == Some(10)));
        load.near.clear();
        assert!((0..50).any(|_| load.pick(&mut random) != Some(10)));
    }
}

//! What a measurement leaves behind: a few whole numbers, cheap to keep and to copy.
//!
//! | kind | keeps | tells of a span |
//! |---|---|---|
//! | [`Stat`] | count, sum, recent maximum | mean |
//! | [`Spread`] | the same, and a histogram | mean, quantiles |
//! | [`Level`] | a level and its integral over time | time spent, summed over all who spent it |

use alloc::vec::Vec;

use crate::Instant;

/// Count, sum and recent maximum of something that is measured now and then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) count: u64,
    pub(crate) sum: u64,
    peak: Peak,
}

impl Stat {
    pub(crate) fn record(&mut self, now: Instant, value: u64) {
        self.record_many(now, value, 1);
    }

    /// `times` measurements that gave the same.
    pub(crate) fn record_many(&mut self, now: Instant, value: u64, times: u64) {
        self.count += times;
        self.sum = self.sum.saturating_add(value.saturating_mul(times));
        self.peak.record(now, value);
    }

    /// The largest value of the last one to two windows, if there was any.
    pub(crate) fn max(&self, now: Instant) -> Option<u64> {
        self.peak.at(now)
    }
}

/// The largest value of late: a maximum since the start says nothing after a week.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Peak {
    /// The number of the window that `newest` is of.
    window: u64,
    newest: Option<u64>,
    /// That of the window before.
    before: Option<u64>,
}

impl Peak {
    fn record(&mut self, now: Instant, value: u64) {
        let window = window_of(now);
        if window != self.window {
            self.before = self.at_window(window);
            self.newest = None;
            self.window = window;
        }
        self.newest = self.newest.max(Some(value));
    }

    fn at(&self, now: Instant) -> Option<u64> {
        match window_of(now) {
            window if window == self.window => self.newest.max(self.before),
            window => self.at_window(window),
        }
    }

    /// What of this still counts in a later window.
    const fn at_window(&self, window: u64) -> Option<u64> {
        if window == self.window + 1 {
            self.newest
        } else {
            None
        }
    }
}

const fn window_of(now: Instant) -> u64 {
    now.as_micros() / WINDOW_MICROS
}

/// Java's `metrics.sample.window.ms`, of which it keeps two.
const WINDOW_MICROS: u64 = 30_000_000;

/// A [`Stat`] that knows its distribution as well: durations in microseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spread {
    pub(crate) stat: Stat,
    pub(crate) histogram: Histogram,
}

impl Spread {
    pub(crate) fn record_many(&mut self, now: Instant, value: u64, times: u64) {
        self.stat.record_many(now, value, times);
        self.histogram.record(value, times);
    }
}

/// Counts by size: sixteen buckets for each power of two, so that a value is known to 1/16.
///
/// Histograms of two moments can be subtracted, which maxima and quantiles cannot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Histogram {
    /// As many as there are up to the largest value so far.
    buckets: Vec<u64>,
    /// That value: no quantile is above it.
    largest: u64,
}

impl Histogram {
    fn record(&mut self, value: u64, times: u64) {
        let index = index_of(value);
        self.largest = self.largest.max(value);
        if self.buckets.len() <= index {
            self.buckets.resize(index + 1, 0);
        }
        self.buckets[index] += times;
    }

    /// The value below or at which so many thousandths of what came since `earlier` are, if
    /// anything came; at most 1/16 too high.
    pub(crate) fn quantile_since(&self, earlier: &Self, thousandths: u64) -> Option<u64> {
        let total: u64 = self.since(earlier).map(|(_, count)| count).sum();
        if total == 0 {
            return None;
        }
        let rank = total.saturating_mul(thousandths).div_ceil(1000).max(1);
        let mut seen = 0;
        let found = self.since(earlier).find(|&(_, count)| {
            seen += count;
            rank <= seen
        });
        found.map(|(bound, _)| bound.min(self.largest))
    }

    /// How many were at most `limit`, which is one below a power of two for an exact answer.
    #[cfg(feature = "prometheus")]
    pub(crate) fn up_to(&self, limit: u64) -> u64 {
        let buckets = self.buckets.iter().enumerate();
        buckets
            .take_while(|&(index, _)| bound_of(index) <= limit)
            .map(|(_, count)| count)
            .sum()
    }

    /// What came since `earlier`: the largest value of a bucket, and how many are in it.
    fn since<'a>(&'a self, earlier: &'a Self) -> impl Iterator<Item = (u64, u64)> + 'a {
        self.buckets.iter().enumerate().map(|(index, &count)| {
            let before = earlier.buckets.get(index).copied().unwrap_or(0);
            (bound_of(index), count.saturating_sub(before))
        })
    }
}

/// The bucket of a value.
const fn index_of(value: u64) -> usize {
    if value < 16 {
        return value as usize;
    }
    let power = value.ilog2();
    let sixteenth = (value >> (power - 4)) & 15;
    (power as usize - 3) * 16 + sixteenth as usize
}

/// The largest value of a bucket.
const fn bound_of(index: usize) -> u64 {
    if index < 16 {
        return index as u64;
    }
    let power = index / 16 + 3;
    let first = (16 + index as u64 % 16) << (power - 4);
    first + ((1 << (power - 4)) - 1)
}

/// How many are waiting, and for how long all of them together have waited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Level {
    level: u64,
    since: Instant,
    /// The integral, in microseconds.
    pub(crate) spent: u64,
}

impl Level {
    /// From now on there are so many.
    pub(crate) fn set(&mut self, now: Instant, level: usize) {
        let span = now.since(self.since).as_micros();
        let span = u64::try_from(span).unwrap_or(u64::MAX);
        self.spent = self.spent.saturating_add(span.saturating_mul(self.level));
        self.level = level as u64;
        self.since = now;
    }

    /// The same, reckoned up to now.
    pub(crate) fn at(mut self, now: Instant) -> Self {
        self.set(now, self.level as usize);
        self
    }

    /// Whether nobody waits, so that time adds nothing.
    pub(crate) const fn is_zero(&self) -> bool {
        self.level == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn second(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1000)
    }

    #[test]
    fn a_maximum_is_forgotten_after_two_windows() {
        let mut stat = Stat::default();
        assert_eq!(stat.max(second(0)), None);
        stat.record(second(1), 9);
        stat.record(second(31), 4);
        assert_eq!(stat.max(second(59)), Some(9));
        assert_eq!(stat.max(second(60)), Some(4));
        assert_eq!(stat.max(second(90)), None);
        assert_eq!((stat.count, stat.sum), (2, 13));
    }

    #[test]
    fn a_window_that_was_left_out_hides_what_was_before_it() {
        let mut stat = Stat::default();
        stat.record(second(1), 9);
        stat.record(second(61), 4);
        assert_eq!(stat.max(second(61)), Some(4));
    }

    #[test]
    fn every_value_is_in_the_bucket_that_ends_at_or_above_it() {
        let mut last = None;
        for power in 0..64 {
            for value in [1_u64 << power, (1 << power) + (1 << power) / 3] {
                let index = index_of(value);
                assert!(value <= bound_of(index), "{value}");
                assert!(bound_of(index) - value <= value / 16, "{value}");
                assert!(index == 0 || bound_of(index - 1) < value, "{value}");
                assert!(last <= Some(index));
                last = Some(index);
            }
        }
        assert_eq!(bound_of(index_of(u64::MAX)), u64::MAX);
    }

    #[test]
    fn quantiles_are_those_of_what_came_since() {
        let mut earlier = Histogram::default();
        earlier.record(1_000_000, 5);
        let mut later = earlier.clone();
        later.record(3, 98);
        later.record(15, 1);
        later.record(1000, 1);
        assert_eq!(later.quantile_since(&earlier, 500), Some(3));
        assert_eq!(later.quantile_since(&earlier, 990), Some(15));
        assert_eq!(later.quantile_since(&earlier, 1000), Some(1023));
        assert_eq!(later.quantile_since(&later, 500), None);
        let mut alone = Histogram::default();
        alone.record(1000, 1);
        assert_eq!(alone.quantile_since(&Histogram::default(), 990), Some(1000));
    }

    #[test]
    fn time_spent_is_summed_over_all_who_wait() {
        let mut level = Level::default();
        level.set(second(1), 2);
        level.set(second(3), 1);
        assert_eq!(level.at(second(4)).spent, 5_000_000);
        level.set(second(4), 0);
        assert!(level.is_zero());
        assert_eq!(level.at(second(9)).spent, 5_000_000);
    }
}

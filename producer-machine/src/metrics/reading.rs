//! How totals become the numbers that people ask for.

use super::Metrics;
use super::stat::{Spread, Stat};

/// Two moments of one subject, to be compared.
#[derive(Debug)]
pub(crate) struct Reading<'a, T> {
    pub(super) metrics: &'a Metrics,
    pub(super) later: &'a T,
    pub(super) earlier: &'a T,
}

impl<T> Reading<'_, T> {
    /// How many there have been since the producer began.
    pub(super) fn total(&self, count: impl Fn(&T) -> u64) -> f64 {
        count(self.later) as f64
    }

    /// How many there were a second.
    pub(super) fn rate(&self, count: impl Fn(&T) -> u64) -> f64 {
        let seconds = self.metrics.span().as_secs_f64();
        if seconds == 0.0 {
            return 0.0;
        }
        self.change(count) as f64 / seconds
    }

    /// One kind by another.
    pub(super) fn ratio(&self, part: impl Fn(&T) -> u64, whole: impl Fn(&T) -> u64) -> f64 {
        match self.change(whole) {
            0 => f64::NAN,
            whole => self.change(part) as f64 / whole as f64,
        }
    }

    /// The mean.
    pub(super) fn mean(&self, stat: impl Fn(&T) -> &Stat) -> f64 {
        self.ratio(|counts| stat(counts).sum, |counts| stat(counts).count)
    }

    /// The largest of late.
    pub(super) fn max(&self, stat: impl Fn(&T) -> &Stat) -> f64 {
        let max = stat(self.later).max(self.metrics.at);
        max.map_or(f64::NAN, |max| max as f64)
    }

    /// The value that so many thousandths stay below.
    pub(super) fn quantile(&self, spread: impl Fn(&T) -> &Spread, thousandths: u64) -> f64 {
        let (later, earlier) = (spread(self.later), spread(self.earlier));
        let found = later
            .histogram
            .quantile_since(&earlier.histogram, thousandths);
        found.map_or(f64::NAN, |value| value as f64)
    }

    fn change(&self, count: impl Fn(&T) -> u64) -> u64 {
        count(self.later).saturating_sub(count(self.earlier))
    }
}

/// Milliseconds from microseconds.
pub(super) fn ms(micros: f64) -> f64 {
    micros / 1000.0
}

/// Nanoseconds from microseconds.
pub(super) fn ns(micros: f64) -> f64 {
    micros * 1000.0
}

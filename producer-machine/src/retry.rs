//! How long to wait before the next try (KIP-580): doubling, jittered, capped.

use core::time::Duration;

use crate::seed::Stream;

/// A backoff from `initial` to `max`, each twice the one before, give or take a fifth.
///
/// The cap comes after the jitter, so the top is `max` and not 1.2 times it.
#[derive(Clone, Copy, Debug, Hash)]
pub(crate) struct Backoff {
    initial: Duration,
    max: Duration,
}

impl Backoff {
    pub(crate) const fn new(initial: Duration, max: Duration) -> Self {
        Self { initial, max }
    }

    /// The wait after failure number `failures`, counted from zero. Draw once and keep it:
    /// a draw at each look would bias the wait downwards.
    pub(crate) fn delay(&self, failures: u32, stream: &mut Stream) -> Duration {
        if self.max <= self.initial {
            return self.max;
        }
        let doubled = self
            .initial
            .saturating_mul(2_u32.saturating_pow(failures.min(31)));
        let micros = u64::try_from(doubled.min(self.max).as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(stream.jitter(micros)).min(self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Seed;

    #[test]
    fn the_wait_doubles_within_a_fifth_and_never_passes_the_maximum() {
        let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        let mut stream = Seed::new(3).stream(0);
        for (failures, low, high) in [
            (0, 80, 120),
            (1, 160, 240),
            (2, 320, 480),
            (3, 640, 960),
            (9, 800, 1000),
        ] {
            for _ in 0..50 {
                let delay = backoff.delay(failures, &mut stream).as_millis();
                assert!((low..=high).contains(&delay), "{failures}: {delay}");
            }
        }
    }

    #[test]
    fn an_initial_wait_above_the_maximum_is_the_maximum_without_jitter() {
        let backoff = Backoff::new(Duration::from_secs(5), Duration::from_secs(1));
        assert_eq!(
            backoff.delay(4, &mut Seed::new(1).stream(0)),
            Duration::from_secs(1)
        );
    }
}

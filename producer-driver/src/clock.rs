//! The real clock, read by the driver and by nobody below it.
//!
//! One origin serves the precise and the coarse reading: mixing origins breaks deadlines.
//! The coarse reading lags the precise one by up to 4 ms; the machine takes the latest it saw.

use std::time::{SystemTime, UNIX_EPOCH};

use kafka_producer_machine::Instant;

/// Monotonic time since the start, and the wall clock of that start.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    origin: Origin,
    /// Microseconds since the Unix epoch at the origin.
    wall: i64,
}

impl Clock {
    pub(crate) fn start() -> Self {
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            origin: Origin::now(),
            wall: i64::try_from(wall.as_micros()).unwrap_or(i64::MAX),
        }
    }

    /// To the microsecond; 28 ns.
    pub(crate) fn precise(&self) -> Instant {
        Instant::from_micros(self.origin.precise())
    }

    /// To a few milliseconds; 5 ns where the system has such a clock.
    pub(crate) fn coarse(&self) -> Instant {
        Instant::from_micros(self.origin.coarse())
    }

    /// The record timestamp of a moment: the wall clock at the start plus what elapsed, in
    /// milliseconds since the Unix epoch.
    pub(crate) fn timestamp(&self, now: Instant) -> i64 {
        let elapsed = i64::try_from(now.as_micros()).unwrap_or(i64::MAX);
        self.wall.saturating_add(elapsed) / 1000
    }
}

#[cfg(target_os = "linux")]
mod origin {
    use rustix::time::{ClockId, clock_gettime};

    /// A reading of CLOCK_MONOTONIC, whose coarse sibling runs on the same line.
    /// In microseconds: arithmetic on `Duration` costs more than the clock.
    #[derive(Clone, Debug)]
    pub(super) struct Origin(u64);

    impl Origin {
        pub(super) fn now() -> Self {
            Self(read(ClockId::Monotonic))
        }

        pub(super) fn precise(&self) -> u64 {
            read(ClockId::Monotonic).saturating_sub(self.0)
        }

        pub(super) fn coarse(&self) -> u64 {
            read(ClockId::MonotonicCoarse).saturating_sub(self.0)
        }
    }

    fn read(clock: ClockId) -> u64 {
        let time = clock_gettime(clock);
        // Neither is negative on this clock, and 585,000 years fit.
        (time.tv_sec as u64)
            .wrapping_mul(1_000_000)
            .wrapping_add(time.tv_nsec as u64 / 1000)
    }
}

#[cfg(not(target_os = "linux"))]
mod origin {
    use std::time::Instant;

    /// A reading of std's monotonic clock.
    #[derive(Clone, Debug)]
    pub(super) struct Origin(Instant);

    impl Origin {
        pub(super) fn now() -> Self {
            Self(Instant::now())
        }

        pub(super) fn precise(&self) -> u64 {
            u64::try_from(self.0.elapsed().as_micros()).unwrap_or(u64::MAX)
        }

        pub(super) fn coarse(&self) -> u64 {
            self.precise()
        }
    }
}

use origin::Origin;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn both_readings_share_an_origin() {
        let clock = Clock::start();
        let before = clock.precise();
        let coarse = clock.coarse();
        // The coarse clock ticks every 1 to 10 ms.
        assert!(
            before.since(coarse) < Duration::from_millis(50),
            "{before:?} {coarse:?}"
        );
        assert!(
            coarse.since(before) < Duration::from_millis(50),
            "{before:?} {coarse:?}"
        );
    }

    #[test]
    fn a_timestamp_is_the_wall_clock() {
        let clock = Clock::start();
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_millis();
        let ours = clock.timestamp(clock.precise());
        assert!(i64::try_from(wall).unwrap().abs_diff(ours) < 1000);
    }
}

//! Numbers of a measurement, and the lines that say them: to the letter those of Kafka's
//! `ProducerPerformance`, since people grep them.

use std::fmt;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

/// Counts records from a moment on.
#[derive(Clone, Debug)]
pub(crate) struct Stats {
    started: Instant,
    interval: Duration,
    all: Sums,
    window: Sums,
    window_started: Instant,
    /// Latencies in microseconds.
    latencies: Histogram<u64>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    records: u64,
    bytes: u64,
    latency: Duration,
    worst: Duration,
}

/// What happened since the last such line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Window {
    pub(crate) records: u64,
    pub(crate) rate: Rate,
    pub(crate) average_ms: f64,
    pub(crate) worst_ms: f64,
}

/// What happened in all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Total {
    pub(crate) phase: Phase,
    pub(crate) records: u64,
    pub(crate) rate: Rate,
    pub(crate) average_ms: f64,
    pub(crate) worst_ms: f64,
    /// The 50th, 95th, 99th and 99.9th percentile in milliseconds.
    pub(crate) percentiles_ms: [u64; 4],
}

/// How fast it went.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rate {
    pub(crate) records: f64,
    /// Mebibytes, which Kafka's tool calls MB.
    pub(crate) megabytes: f64,
}

/// Which part of the run a summary is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    SteadyState,
    Whole,
}

impl Stats {
    pub(crate) fn new(now: Instant, interval: Duration) -> Self {
        Self {
            started: now,
            interval,
            all: Sums::default(),
            window: Sums::default(),
            window_started: now,
            latencies: Histogram::new_with_bounds(1, LONGEST_US, 3)
                .expect("1 is below half the upper bound, and 3 is below 6"),
        }
    }

    /// Counts a delivered record. Gives a window if it is time for one.
    pub(crate) fn record(
        &mut self,
        now: Instant,
        latency: Duration,
        bytes: usize,
    ) -> Option<Window> {
        self.all.add(latency, bytes);
        self.window.add(latency, bytes);
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.latencies.saturating_record(micros);

        let elapsed = now.saturating_duration_since(self.window_started);
        if elapsed < self.interval {
            return None;
        }
        let sums = std::mem::take(&mut self.window);
        self.window_started = now;
        Some(Window {
            records: sums.records,
            rate: sums.rate(elapsed),
            average_ms: sums.average_ms(),
            worst_ms: millis(sums.worst),
        })
    }

    pub(crate) fn total(&self, now: Instant, phase: Phase) -> Total {
        let percentile = |quantile| self.latencies.value_at_quantile(quantile) / 1000;
        Total {
            phase,
            records: self.all.records,
            rate: self.all.rate(now.saturating_duration_since(self.started)),
            average_ms: self.all.average_ms(),
            worst_ms: millis(self.all.worst),
            percentiles_ms: [0.5, 0.95, 0.99, 0.999].map(percentile),
        }
    }
}

impl Sums {
    fn add(&mut self, latency: Duration, bytes: usize) {
        self.records += 1;
        self.bytes += bytes as u64;
        self.latency += latency;
        self.worst = self.worst.max(latency);
    }

    fn rate(&self, elapsed: Duration) -> Rate {
        // Nobody measures less than a microsecond, and a rate must be a number.
        let seconds = elapsed.as_secs_f64().max(1e-6);
        Rate {
            records: self.records as f64 / seconds,
            megabytes: self.bytes as f64 / seconds / (1024.0 * 1024.0),
        }
    }

    fn average_ms(&self) -> f64 {
        if self.records == 0 {
            0.0
        } else {
            millis(self.latency) / self.records as f64
        }
    }
}

impl Window {
    pub(crate) fn to_json(self) -> String {
        let Self {
            records,
            rate,
            average_ms,
            worst_ms,
        } = self;
        format!(
            "{{\"type\":\"window\",\"records\":{records},\"records_per_sec\":{:.1},\
             \"mb_per_sec\":{:.2},\"avg_latency_ms\":{average_ms:.1},\
             \"max_latency_ms\":{worst_ms:.1}}}",
            rate.records, rate.megabytes
        )
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} records sent, {:.1} records/sec ({:.2} MB/sec), {:.1} ms avg latency, \
             {:.1} ms max latency.",
            self.records, self.rate.records, self.rate.megabytes, self.average_ms, self.worst_ms
        )
    }
}

impl Total {
    pub(crate) fn to_json(self) -> String {
        let Self {
            phase,
            records,
            rate,
            average_ms,
            worst_ms,
            percentiles_ms,
        } = self;
        let [p50, p95, p99, p999] = percentiles_ms;
        let phase = match phase {
            Phase::SteadyState => "steady_state",
            Phase::Whole => "total",
        };
        format!(
            "{{\"type\":\"{phase}\",\"records\":{records},\"records_per_sec\":{:.6},\
             \"mb_per_sec\":{:.2},\"avg_latency_ms\":{average_ms:.2},\
             \"max_latency_ms\":{worst_ms:.2},\"p50_ms\":{p50},\"p95_ms\":{p95},\
             \"p99_ms\":{p99},\"p999_ms\":{p999}}}",
            rate.records, rate.megabytes
        )
    }
}

impl fmt::Display for Total {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phase = match self.phase {
            Phase::SteadyState => " steady state",
            Phase::Whole => "",
        };
        let [p50, p95, p99, p999] = self.percentiles_ms;
        write!(
            f,
            "{}{phase} records sent, {:.6} records/sec ({:.2} MB/sec), {:.2} ms avg latency, \
             {:.2} ms max latency, {p50} ms 50th, {p95} ms 95th, {p99} ms 99th, \
             {p999} ms 99.9th.",
            self.records, self.rate.records, self.rate.megabytes, self.average_ms, self.worst_ms
        )
    }
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1000.0
}

/// An hour: a record that took longer has failed long before.
const LONGEST_US: u64 = 3_600_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(5);

    #[test]
    fn a_window_is_said_as_kafkas_tool_says_it() {
        let start = Instant::now();
        let mut stats = Stats::new(start, INTERVAL);
        assert_eq!(stats.record(start, Duration::from_millis(3), 1 << 20), None);
        let window = stats
            .record(start + INTERVAL, Duration::from_millis(4), 1 << 20)
            .unwrap();
        assert_eq!(
            window.to_string(),
            "2 records sent, 0.4 records/sec (0.40 MB/sec), 3.5 ms avg latency, \
             4.0 ms max latency."
        );
        // The next one starts from nothing.
        assert_eq!(stats.record(start + INTERVAL, Duration::ZERO, 1), None);
        assert_eq!(
            stats
                .record(start + INTERVAL * 2, Duration::ZERO, 1)
                .map(|window| window.records),
            Some(2)
        );
    }

    #[test]
    fn a_total_is_said_as_kafkas_tool_says_it() {
        let start = Instant::now();
        let mut stats = Stats::new(start, INTERVAL);
        for latency in 1..=1000 {
            stats.record(start, Duration::from_millis(latency), 100);
        }
        let total = stats.total(start + Duration::from_secs(2), Phase::Whole);
        assert_eq!(
            total.to_string(),
            "1000 records sent, 500.000000 records/sec (0.05 MB/sec), 500.50 ms avg latency, \
             1000.00 ms max latency, 500 ms 50th, 950 ms 95th, 990 ms 99th, 999 ms 99.9th."
        );
        let steady = Total {
            phase: Phase::SteadyState,
            ..total
        }
        .to_string();
        assert!(
            steady.starts_with("1000 steady state records sent, 500.000000 "),
            "{steady}"
        );
    }

    #[test]
    fn nothing_measured_is_still_a_number() {
        let start = Instant::now();
        let total = Stats::new(start, INTERVAL).total(start, Phase::Whole);
        assert_eq!(
            total.to_string(),
            "0 records sent, 0.000000 records/sec (0.00 MB/sec), 0.00 ms avg latency, \
             0.00 ms max latency, 0 ms 50th, 0 ms 95th, 0 ms 99th, 0 ms 99.9th."
        );
    }

    #[test]
    fn json_holds_the_same_numbers() {
        let start = Instant::now();
        let mut stats = Stats::new(start, INTERVAL);
        let window = stats
            .record(start + INTERVAL, Duration::from_millis(4), 5)
            .unwrap();
        let window: serde_json::Value = serde_json::from_str(&window.to_json()).unwrap();
        assert_eq!(window["type"], "window");
        assert_eq!(window["max_latency_ms"], 4.0);
        let total = stats.total(start + INTERVAL, Phase::Whole).to_json();
        let total: serde_json::Value = serde_json::from_str(&total).unwrap();
        assert_eq!(total["type"], "total");
        assert_eq!(total["records"], 1);
        assert_eq!(total["p99_ms"], 4);
    }
}

//! The load that every bench carries, and how its cost is told.

use std::time::{Duration, Instant};

use kafka_producer::Config;
use rustix::time::{ClockId, clock_gettime};
use stats_alloc::INSTRUMENTED_SYSTEM;

/// The topic, with this many partitions, which records go to in turn: partitioners would change
/// the size of batches.
pub(crate) const TOPIC: &str = "bench";
pub(crate) const PARTITIONS: u32 = 4;
pub(crate) const VALUE: [u8; 100] = [b'x'; 100];

/// Records that warm the pools before anything is counted.
pub(crate) const WARM_UP: u64 = 100_000;

/// Batches of 16 KiB that fill by size: timing plays no part.
pub(crate) fn config(address: &str) -> Result<Config, String> {
    let setting = |name, usual: &str| std::env::var(name).unwrap_or_else(|_| usual.into());
    let batch_size = setting("BENCH_BATCH_SIZE", "16384");
    let linger = setting("BENCH_LINGER_MS", "1000");
    Config::from_properties([
        ("bootstrap.servers", address),
        ("batch.size", batch_size.as_str()),
        ("linger.ms", linger.as_str()),
    ])
    .map_err(|error| error.to_string())
}

/// Who chooses the partition of the machine's records (`BENCH_PARTITIONS`).
#[derive(Clone, Copy, Debug)]
pub(crate) enum Chooser {
    /// The record, which names each partition in turn.
    Explicit,
    /// A key of eight bytes.
    Keyed,
    /// The sticky rule.
    Keyless,
}

impl Chooser {
    pub(crate) fn from_environment() -> Self {
        match std::env::var("BENCH_PARTITIONS").as_deref() {
            Ok("keyed") => Self::Keyed,
            Ok("keyless") => Self::Keyless,
            _ => Self::Explicit,
        }
    }
}

/// Deliveries that are held before the oldest is awaited. Batches of a megabyte need more of them,
/// or they would never be full.
pub(crate) fn outstanding() -> usize {
    let number = std::env::var("BENCH_OUTSTANDING").ok();
    number
        .and_then(|number| number.parse().ok())
        .unwrap_or(10_000)
}

/// The cost of a stretch of work, from `start` to `per_record`.
pub(crate) struct Meter {
    begin: Instant,
    cpu: Duration,
    heap: usize,
}

impl Meter {
    pub(crate) fn start() -> Self {
        Self {
            begin: Instant::now(),
            cpu: cpu(),
            heap: heap_calls(),
        }
    }

    /// Prints what the stretch cost for each of these records, as a line that `report` reads.
    pub(crate) fn tell(&self, records: u64) {
        let cpu = (cpu() - self.cpu).as_nanos() as f64 / records as f64;
        let heap = (heap_calls() - self.heap) as f64 / records as f64;
        let seconds = self.begin.elapsed().as_secs_f64();
        println!("cost cpu_ns={cpu:.1} heap_calls={heap:.5} seconds={seconds:.3}");
    }
}

/// User and system time of all threads of this process.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn heap_calls() -> usize {
    let stats = INSTRUMENTED_SYSTEM.stats();
    stats.allocations + stats.reallocations
}

//! The load that every bench carries, and how its cost is told.

use std::time::Duration;

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
    let batch_size = std::env::var("BENCH_BATCH_SIZE").unwrap_or_else(|_| "16384".into());
    Config::from_properties([
        ("bootstrap.servers", address),
        ("batch.size", batch_size.as_str()),
        ("linger.ms", "1000"),
    ])
    .map_err(|error| error.to_string())
}

/// The cost of a stretch of work, from `start` to `per_record`.
pub(crate) struct Meter {
    cpu: Duration,
    heap: usize,
}

impl Meter {
    pub(crate) fn start() -> Self {
        Self {
            cpu: cpu(),
            heap: heap_calls(),
        }
    }

    /// Prints what the stretch cost for each of these records, as a line that `report` reads.
    pub(crate) fn tell(&self, records: u64) {
        let cpu = (cpu() - self.cpu).as_nanos() as f64 / records as f64;
        let heap = (heap_calls() - self.heap) as f64 / records as f64;
        println!("cost cpu_ns={cpu:.1} heap_calls={heap:.5}");
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

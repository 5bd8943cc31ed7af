//! The load of the benches through librdkafka with delivery callbacks, which is how it is cheapest.
//!
//! `peer-librdkafka RECORDS ADDRESS` prints a line `cost cpu_ns=… seconds=…` as every peer does.

#![forbid(unsafe_code)]

use std::env;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use rustix::time::{ClockId, clock_gettime};

const TOPIC: &str = "bench";
const PARTITIONS: u64 = 4;
const VALUE: [u8; 100] = [b'x'; 100];
const WARM_UP: u64 = 1_000_000;

/// Counts what is delivered and what is not.
#[derive(Clone, Default)]
struct Counter {
    delivered: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
}

impl ClientContext for Counter {}

impl ProducerContext for Counter {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, _: ()) {
        let count = match result {
            Ok(_) => &self.delivered,
            Err(_) => &self.failed,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("peer-librdkafka: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [records, address] = arguments.as_slice() else {
        return Err("usage: peer-librdkafka RECORDS ADDRESS".into());
    };
    let records: u64 = records.parse().map_err(|error| format!("{error}"))?;
    let setting = |name: &str, usual: &str| env::var(name).unwrap_or_else(|_| usual.into());
    let counter = Counter::default();
    let producer: ThreadedProducer<Counter> = ClientConfig::new()
        .set("bootstrap.servers", address)
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("batch.size", setting("BENCH_BATCH_SIZE", "16384"))
        .set("linger.ms", setting("BENCH_LINGER_MS", "5"))
        .set(
            "queue.buffering.max.messages",
            setting("BENCH_OUTSTANDING", "100000"),
        )
        // Batches are bounded by their bytes, as those of the others.
        .set("batch.num.messages", "1000000")
        .create_with_context(counter.clone())
        .map_err(|error| error.to_string())?;

    send(&producer, WARM_UP)?;
    let (begin, before) = (Instant::now(), cpu());
    send(&producer, records)?;
    let spent = (cpu() - before).as_nanos() as f64 / records as f64;
    let seconds = begin.elapsed().as_secs_f64();
    let failed = counter.failed.load(Ordering::Relaxed);
    let delivered = counter.delivered.load(Ordering::Relaxed);
    if (delivered, failed) != (WARM_UP + records, 0) {
        return Err(format!("{delivered} records were delivered, {failed} not"));
    }
    println!("cost cpu_ns={spent:.1} seconds={seconds:.3}");
    Ok(())
}

fn send(producer: &ThreadedProducer<Counter>, records: u64) -> Result<(), String> {
    for number in 0..records {
        let partition = (number % PARTITIONS) as i32;
        let mut record = BaseRecord::<(), _>::to(TOPIC)
            .partition(partition)
            .payload(&VALUE);
        while let Err((error, back)) = producer.send(record) {
            let full = KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull);
            if error != full {
                return Err(error.to_string());
            }
            // Long enough to cost nothing, short enough that the queue never runs dry.
            thread::sleep(Duration::from_millis(1));
            record = back;
        }
    }
    let flushed = producer.flush(Duration::from_secs(60));
    flushed.map_err(|error| error.to_string())
}

/// User and system time of all threads of this process.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

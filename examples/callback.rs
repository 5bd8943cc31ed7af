//! Sends many records and counts what became of them in callbacks, as with Java's producer.
//!
//! Needs a cluster; see the example `simple`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kafka_producer::{Config, Outcome, Record};

#[derive(Default)]
struct Tally {
    written: AtomicU64,
    not_written: AtomicU64,
    maybe_written: AtomicU64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let servers = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "localhost:9092".to_string());
    let config = Config::builder()
        .bootstrap_servers([servers])
        .linger(Duration::from_millis(20))
        .build()?;
    let producer = kafka_producer::tokio::start(config)?;
    let tally = Arc::new(Tally::default());

    for number in 0..100_000_u32 {
        let value = number.to_be_bytes();
        let tally = Arc::clone(&tally);
        // Callbacks run on the thread that completes records: they must be short and never wait.
        producer
            .send_with(&Record::to("numbers").value(&value), move |outcome| {
                let counter = match outcome {
                    Ok(_) => &tally.written,
                    Err(error) if error.outcome == Outcome::NotWritten => &tally.not_written,
                    Err(_) => &tally.maybe_written,
                };
                counter.fetch_add(1, Ordering::Relaxed);
            })
            .await?;
    }

    let closed = producer.close(Duration::from_secs(60)).await;
    eprintln!(
        "{} written, {} not written, {} maybe written",
        tally.written.load(Ordering::Relaxed),
        tally.not_written.load(Ordering::Relaxed),
        tally.maybe_written.load(Ordering::Relaxed)
    );
    // It says how many of the last ones were not delivered, if any.
    closed?;
    Ok(())
}

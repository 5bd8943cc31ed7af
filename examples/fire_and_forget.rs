//! Telemetry: records that nobody waits for one by one, counted in the end.
//!
//! Needs a cluster; see the example `simple`.

use std::time::Duration;

use kafka_producer::{Config, Record};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let servers = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "localhost:9092".to_string());
    let config = Config::builder()
        .bootstrap_servers([servers])
        // Few large requests: nobody waits for these records.
        .linger(Duration::from_millis(50))
        .build()?;
    let producer = kafka_producer::tokio::start(config)?;

    let mut dropped = 0;
    for reading in 0..50_000_u32 {
        let value = reading.to_be_bytes();
        // Never waits: what there is no room for is dropped rather than holding the program up.
        // `send_detached(…).await` waits for room instead.
        if producer
            .try_send_detached(&Record::to("readings").value(&value))
            .is_err()
        {
            dropped += 1;
        }
    }

    producer.flush().await;
    // Nothing is told of each record; the metrics know of all.
    let metrics = producer.metrics();
    let of = |name| metrics.producer(name).unwrap_or_default();
    eprintln!(
        "{} sent in {:.0} requests, {} failed, {dropped} dropped here",
        of("record-send-total"),
        of("request-total"),
        of("record-error-total"),
    );
    producer.close(Duration::from_secs(10)).await?;
    Ok(())
}

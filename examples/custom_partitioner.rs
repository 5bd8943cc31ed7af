//! Chooses partitions by a rule of its own: one large customer has partition 0 to itself.
//!
//! Needs a cluster, and a topic `orders` with several partitions: with one there is no choice.
//! `cargo run -p kafka-producer-cli -- broker --port 9092 --topic orders:6` serves a simulated one,
//! then `cargo run --example custom_partitioner -- localhost:9092`.

use std::time::Duration;

use kafka_producer::{Config, Partitioner, Record, Unplaced};

/// Spreads customers over all partitions but the first, which is for `large`.
struct LargeFirst {
    large: &'static [u8],
}

impl Partitioner for LargeFirst {
    fn partition(&mut self, record: &Unplaced<'_>) -> Option<u32> {
        // Without a key the built-in rule decides.
        let key = record.key?;
        if key == self.large || record.partitions == 1 {
            return Some(0);
        }
        let sum: u32 = key.iter().map(|&byte| u32::from(byte)).sum();
        Some(1 + sum % (record.partitions - 1))
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let servers = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "localhost:9092".to_string());
    let config = Config::builder()
        .bootstrap_servers([servers])
        .client_id("custom_partitioner")
        .custom_partitioner(|| LargeFirst { large: b"acme" })
        .build()?;
    let producer = kafka_producer::tokio::start(config)?;

    for customer in ["acme", "smith", "jones"] {
        let record = Record::to("orders").key(customer).value("one apple");
        let written = producer.send(&record).await?.await?;
        eprintln!("{customer}: partition {}", written.partition);
    }
    if producer.partitions_for("orders").await?.len() == 1 {
        eprintln!("orders has one partition, so nothing was chosen: give it more");
    }

    producer.close(Duration::from_secs(10)).await?;
    Ok(())
}

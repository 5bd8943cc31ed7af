//! Sends a record on tokio and says where it was written.
//!
//! Needs a cluster: `cargo run -p kafka-producer-cli -- broker --port 9092` serves a simulated
//! one, then `cargo run --example simple -- localhost:9092`.

use std::time::Duration;

use kafka_producer::{Config, Record};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let servers = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "localhost:9092".to_string());
    let config = Config::from_properties([
        ("bootstrap.servers", servers.as_str()),
        ("client.id", "simple"),
        ("compression.type", "lz4"),
    ])?;
    let producer = kafka_producer::tokio::start(config)?;

    // `send` waits only for room. The record travels while we do something else.
    let record = Record::to("CustomerCountry").key("user-42").value("France");
    let delivery = producer.send(&record).await?;

    let end = delivery.await;
    // Without this, a program that ends loses what is still on its way. With it, it knows.
    let closed = producer.close(Duration::from_secs(10)).await;

    // The error knows whether the record may have been written all the same. It gives the record
    // back as well, but what a record holds is not for everybody who reads a log.
    let written = end?;
    eprintln!(
        "partition {}, offset {:?}",
        written.partition, written.offset
    );
    closed?;
    Ok(())
}

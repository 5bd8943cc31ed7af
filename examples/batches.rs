//! Sends many records under one call: one lock for all of them, and one future for their ends.
//!
//! Needs a cluster; see the example `simple`.

use std::time::Duration;

use kafka_producer::{Config, Record};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let servers = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "localhost:9092".to_string());
    let config = Config::builder().bootstrap_servers([servers]).build()?;
    let producer = kafka_producer::tokio::start(config)?;

    // A name that is used again and again is looked up once.
    let topic = producer.topic("prices");
    let symbols = ["AAPL", "MSFT", "NVDA", "ORCL"];
    for round in 0..100_u32 {
        let prices: Vec<String> = (0..1000).map(|i| format!("{}", round * 1000 + i)).collect();
        let records: Vec<Record<'_>> = prices
            .iter()
            .zip(symbols.iter().cycle())
            .map(|(price, symbol)| Record::to(topic).key(*symbol).value(price))
            .collect();
        // Waits for room as often as it must. An error holds those that were taken before it.
        let deliveries = producer.send_all(&records).await?;
        for (record, outcome) in records.iter().zip(deliveries.all().await) {
            if let Err(error) = outcome {
                eprintln!("{:?}: {error}", record.key);
            }
        }
    }

    producer.close(Duration::from_secs(10)).await?;
    Ok(())
}

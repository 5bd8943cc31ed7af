//! What cannot be delivered goes to another topic, with the reason in its headers.
//!
//! Needs a cluster; see the example `simple`.

use std::error::Error;
use std::time::Duration;

use kafka_producer::{Config, DeliveryError, Outcome, Producer, Record};

const DEAD_LETTERS: &str = "orders.dead-letters";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let servers = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "localhost:9092".to_string());
    let config = Config::builder()
        .bootstrap_servers([servers])
        // More than a topic allows unless its max.message.bytes is raised: the broker refuses.
        .max_request_size(8 << 20)
        .build()?;
    let producer = kafka_producer::tokio::start(config)?;

    let small = "an order".to_string();
    let large = "x".repeat(2 << 20);
    let mut deliveries = Vec::new();
    for order in [&small, &large, &small] {
        let record = Record::to("orders").key("user-42").value(order);
        deliveries.push(producer.send(&record).await?);
    }
    for delivery in deliveries {
        match delivery.await {
            Ok(written) => eprintln!("orders: offset {:?}", written.offset),
            Err(error) => bury(&producer, error).await?,
        }
    }

    producer.close(Duration::from_secs(10)).await?;
    Ok(())
}

/// Sends a record that failed to the dead letters.
async fn bury(producer: &Producer, error: DeliveryError) -> Result<(), Box<dyn Error>> {
    // Whoever reads the dead letters must know whether the order may be in its topic too.
    let outcome = match error.outcome {
        Outcome::NotWritten => "not written",
        Outcome::MaybeWritten => "maybe written",
    };
    let (topic, reason) = (error.topic.to_string(), error.to_string());
    let Some(mut record) = error.into_record() else {
        return Err("the record cannot be had back".into());
    };
    // What was too large for one topic is too large for another: its beginning must do.
    if let Some(value) = &mut record.value {
        value.truncate(1000);
    }
    // It keeps its key, its timestamp and its headers, and gets three more.
    let letter = record
        .to(DEAD_LETTERS)
        .header("topic", &topic)
        .header("outcome", outcome)
        .header("reason", &reason);
    let written = producer.send(&letter.build()).await?.await?;
    eprintln!("{DEAD_LETTERS}: offset {:?}, {reason}", written.offset);
    Ok(())
}

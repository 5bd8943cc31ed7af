//! The same program twice: with rdkafka's `FutureProducer`, and with this one.
//!
//! Needs a cluster: `cargo run -p kafka-producer-cli -- broker --port 9092` in the project, then
//! `cargo run -- localhost:9092` here. What is different, and why, is in `docs/from-librdkafka.md`.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

const TOPIC: &str = "CustomerCountry";

#[tokio::main]
async fn main() -> ExitCode {
    let servers = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "localhost:9092".to_string());
    match both(&servers).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn both(servers: &str) -> Result<(), Box<dyn Error>> {
    with_rdkafka(servers).await?;
    with_kafka_producer(servers).await
}

async fn with_rdkafka(servers: &str) -> Result<(), Box<dyn Error>> {
    use rdkafka::ClientConfig;
    use rdkafka::message::{Header, OwnedHeaders};
    use rdkafka::producer::{FutureProducer, FutureRecord, Producer};

    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", servers)
        // Off by default: retries may double and reorder.
        .set("enable.idempotence", "true")
        .set("message.timeout.ms", "30000")
        .create()?;

    let headers = OwnedHeaders::new().insert(Header {
        key: "source",
        value: Some("web"),
    });
    let record = FutureRecord::to(TOPIC)
        .key("user-42")
        .payload("France")
        .headers(headers);
    // The time is how long to wait while the queue is full.
    match producer.send(record, Duration::from_secs(60)).await {
        Ok(delivery) => eprintln!("rdkafka: {}-{}", delivery.partition, delivery.offset),
        // Whether it was written all the same, the error does not say.
        Err((error, _record)) => eprintln!("rdkafka: {error}"),
    }

    producer.flush(Duration::from_secs(10))?;
    Ok(())
}

async fn with_kafka_producer(servers: &str) -> Result<(), Box<dyn Error>> {
    use kafka_producer::{Config, Outcome, Record};

    // Idempotence is on. `message.timeout.ms` is called `delivery.timeout.ms`, as in Java, and the
    // wait for room is a setting, `max.block.ms`.
    let config = Config::from_properties([
        ("bootstrap.servers", servers),
        ("delivery.timeout.ms", "40000"),
    ])?;
    let producer = kafka_producer::tokio::start(config)?;

    let record = Record::to(TOPIC)
        .key("user-42")
        .value("France")
        .header("source", "web");
    // Two steps: the first ends when the record has room, the second when its fate is known.
    let delivery = producer.send(&record.build()).await?;
    match delivery.await {
        Ok(written) => eprintln!("this one: {}-{:?}", written.partition, written.offset),
        Err(error) if error.outcome == Outcome::NotWritten => {
            eprintln!("{error}: it may be sent again");
        }
        Err(error) => eprintln!("{error}: sent again it may be doubled"),
    }

    producer.close(Duration::from_secs(10)).await?;
    Ok(())
}

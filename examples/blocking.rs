//! Sends records from a program without an async runtime.
//!
//! Needs a cluster; see the example `simple`. Run it with `--features threads`.

use std::time::Duration;

use kafka_producer::{Acks, Config, Guarantee, Header, Record};

fn main() -> anyhow::Result<()> {
    let servers = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "localhost:9092".to_string());
    let config = Config::builder()
        .bootstrap_servers([servers])
        // Cheaper than the default, and retries may write a record twice.
        .guarantee(Guarantee::AtLeastOnce(Acks::Leader))
        .build()?;
    let producer = kafka_producer::threads::start(config)?;

    let headers = [Header {
        key: "source",
        value: Some(b"example"),
    }];
    let mut deliveries = Vec::new();
    for user in 0..10 {
        let key = format!("user-{user}");
        let record = Record::to("visits")
            .key(&key)
            .value("hello")
            .headers(&headers);
        // All are on their way before the first is waited for.
        deliveries.push(producer.send(&record)?);
    }
    for delivery in deliveries {
        let written = delivery.wait()?;
        eprintln!(
            "partition {}, offset {:?}",
            written.partition, written.offset
        );
    }

    producer.close(Duration::from_secs(10))?;
    Ok(())
}

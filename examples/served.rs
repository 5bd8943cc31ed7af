//! Tests of an application against a cluster that is served inside the test: real sockets, the
//! real driver, and faults at will.
//!
//! Runs by itself: `cargo run --example served`. In a real project each story is a `#[test]`.

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use kafka_producer::{Config, Outcome, ProduceError, Producer, Record, RecordMetadata};
use kafka_producer_sim::cluster::{ApiKey, Cleanup, ErrorCode, Injection, Place};
use kafka_producer_sim::serve::{Server, ServerConfig};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    a_slow_replica_is_waited_for().await?;
    an_answer_that_is_lost_makes_no_duplicate().await?;
    a_broker_that_dies_loses_nothing().await?;
    what_is_too_large_is_told().await?;
    a_good_record_of_a_refused_batch_may_be_sent_again().await?;
    eprintln!("five stories, each with the end that it should have");
    Ok(())
}

/// What is under test: it books a payment and says where.
async fn book(producer: &Producer, payment: &str) -> anyhow::Result<RecordMetadata> {
    let record = Record::to("payments").key("account-7").value(payment);
    Ok(producer.send(&record).await?.await?)
}

/// A cluster of three brokers, and a producer of the application.
fn begin() -> anyhow::Result<(Server, Producer)> {
    let mut cluster = ServerConfig::default();
    cluster.brokers = 3;
    cluster.topics = vec![("payments".to_string(), 3)];
    let server = Server::start(cluster)?;
    let config = Config::from_properties([
        ("bootstrap.servers", server.bootstrap().as_str()),
        // A test need not wait as long as production does.
        ("request.timeout.ms", "2000"),
        ("delivery.timeout.ms", "10000"),
    ])?;
    Ok((server, kafka_producer::tokio::start(config)?))
}

async fn a_slow_replica_is_waited_for() -> anyhow::Result<()> {
    let (server, producer) = begin()?;
    let error = ErrorCode::NOT_ENOUGH_REPLICAS;
    server.with_cluster(|cluster| cluster.inject(Injection::new(ApiKey::Produce, error).times(2)));
    let started = Instant::now();
    let written = book(&producer, "12 EUR").await?;
    // Two refusals, two backoffs, and the application has noticed nothing.
    ensure!(written.offset == Some(0));
    ensure!(Duration::from_millis(150) < started.elapsed());
    producer.close(Duration::from_secs(5)).await?;
    Ok(())
}

async fn an_answer_that_is_lost_makes_no_duplicate() -> anyhow::Result<()> {
    let (server, producer) = begin()?;
    let lost = Injection::new(ApiKey::Produce, ErrorCode::REQUEST_TIMED_OUT);
    // The batch is written, and the broker says that it may not be.
    let lost = lost.place(Place::AfterAppend);
    server.with_cluster(|cluster| cluster.inject(lost));
    let written = book(&producer, "12 EUR").await?;
    ensure!(server.records("payments", written.partition).len() == 1);
    producer.close(Duration::from_secs(5)).await?;
    Ok(())
}

async fn a_broker_that_dies_loses_nothing() -> anyhow::Result<()> {
    let (server, producer) = begin()?;
    let written = book(&producer, "12 EUR").await?;
    let partition = written.partition;
    let leader = server.with_cluster(|cluster| cluster.leader("payments", partition));
    let Some(leader) = leader else {
        bail!("a partition without a leader")
    };
    server.stop_broker(leader);
    ensure!(book(&producer, "5 EUR").await?.offset == Some(1));
    server.start_broker(leader)?;
    producer.close(Duration::from_secs(5)).await?;
    Ok(())
}

async fn what_is_too_large_is_told() -> anyhow::Result<()> {
    let (server, producer) = begin()?;
    server.with_cluster(|cluster| {
        cluster.configure_topic("payments", |topic| topic.max_message_bytes = 500);
    });
    let value = "x".repeat(1000);
    let delivery = producer.send(&Record::to("payments").value(&value)).await?;
    let Err(error) = delivery.await else {
        bail!("the broker takes a batch that is too large")
    };
    ensure!(error.outcome == Outcome::NotWritten);
    ensure!(matches!(
        error.error,
        ProduceError::Broker {
            code: ErrorCode::MESSAGE_TOO_LARGE,
            ..
        }
    ));
    producer.close(Duration::from_secs(5)).await?;
    Ok(())
}

async fn a_good_record_of_a_refused_batch_may_be_sent_again() -> anyhow::Result<()> {
    let (server, producer) = begin()?;
    server.with_cluster(|cluster| {
        // Every record of a compacted topic needs a key.
        cluster.configure_topic("payments", |topic| topic.cleanup = Cleanup::Compact);
    });
    let bad = Record::to("payments").partition(0).value("12 EUR");
    let good = Record::to("payments")
        .partition(0)
        .key("account-7")
        .value("5 EUR");
    let ends = producer.send_all(&[bad, good]).await?.all().await;
    let [Err(blamed), Err(innocent)] = &ends[..] else {
        bail!("the broker takes a record without a key")
    };
    ensure!(blamed.error.code() == Some(ErrorCode::INVALID_RECORD));
    ensure!(matches!(
        innocent.error,
        ProduceError::BatchmateRejected { .. }
    ));
    ensure!(innocent.outcome == Outcome::NotWritten);
    let record = innocent
        .record()
        .context("every failed record comes back")?;
    let again = record.to("payments").partition(0);
    producer.send(&again.build()).await?.await?;
    ensure!(server.records("payments", 0).len() == 1);
    producer.close(Duration::from_secs(5)).await?;
    Ok(())
}

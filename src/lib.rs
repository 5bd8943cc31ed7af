//! A Kafka producer whose whole mind is one pure value.
//!
//! This crate is the front door: the [`Producer`] handle, records and settings, and one transport
//! per feature. What thinks is [`kafka_producer_machine`](https://docs.rs/kafka-producer-machine),
//! which any event loop can drive.
//!
//! ```no_run
//! # #[cfg(feature = "tokio")]
//! # async fn run() -> anyhow::Result<()> {
//! use std::time::Duration;
//!
//! use kafka_producer::{Config, Record};
//!
//! let config = Config::from_properties([("bootstrap.servers", "localhost:9092")])?;
//! let producer = kafka_producer::tokio::start(config)?;
//!
//! // `send` waits only for room; the delivery says what became of the record.
//! let record = Record::to("CustomerCountry").key("user-42").value("France");
//! let delivery = producer.send(&record).await?;
//! let written = delivery.await?;
//! println!("{}-{} at offset {:?}", written.topic, written.partition, written.offset);
//!
//! producer.close(Duration::from_secs(10)).await?;
//! # Ok(())
//! # }
//! ```
//!
//! **Name what you import.** `use kafka_producer::*` would bring the module [`tokio`] in the place
//! of the crate of that name.
//!
//! **Close, or flush, before the program ends.** Records are sent in the background; a process
//! that ends without `close` or `flush` loses what is still pending.
//!
//! A failed record says whether it may have been written all the same
//! ([`Outcome`]), and gives itself back ([`DeliveryError::record`]).
//!
//! **Print the warnings of the configuration** where the program starts: they say what was
//! accepted without effect, or changed, such as idempotence that another setting switches off.
//!
//! ```
//! use kafka_producer::Config;
//!
//! let config = Config::from_properties([("bootstrap.servers", "localhost:9092"), ("acks", "1")])?;
//! for warning in config.warnings() {
//!     eprintln!("warning: {warning}");
//! }
//! assert_eq!(config.warnings().len(), 1);
//! # Ok::<(), kafka_producer::ConfigError>(())
//! ```
//!
//! | how to send | waits for room | says what became of the record |
//! |---|---|---|
//! | [`send`](Producer::send) | yes | a [`Delivery`] |
//! | [`send_all`](Producer::send_all) | yes | [`Deliveries`] |
//! | [`send_with`](Producer::send_with) | yes | a callback |
//! | [`send_detached`](Producer::send_detached) | yes | nobody |
//! | [`try_send`](Producer::try_send), `try_send_with`, `try_send_detached` | no | as above |
//!
//! | feature | adds | default |
//! |---|---|---|
//! | `tokio` | [`tokio::start`], on tokio | yes |
//! | `threads` | [`threads::start`], on std threads, with [`blocking::Producer`] | |
//! | `gzip`, `snappy`, `lz4`, `zstd` | the codec for `compression.type` | yes |
//! | `tracing` | events for connects, retries, epoch bumps and the like | |
//! | `prometheus` | [`Metrics`] in Prometheus's text format | |
#![cfg_attr(docsrs, feature(doc_cfg))]

/// The producer and what its calls give.
pub use kafka_producer_driver::{
    Close, Deliveries, DeliveriesIntoIter, Delivery, Flush, PartitionInfo, PartitionsFor, Producer,
    ProducerBuilder, RecordMetadata, Sending, SendingAll, SendingDetached, blocking,
};

/// What is sent, and how.
pub use kafka_producer_driver::{
    Acks, Codec, Config, ConfigBuilder, DataLoss, FailedBatch, Guarantee, Header, MetadataRecovery,
    PartitionRule, Partitioner, Purge, Record, RecordBuilder, Setting, Support, Topic, TopicHandle,
    TopicLoad, UnknownFate, Unplaced, properties,
};

/// Code of the application that sees every record.
pub use kafka_producer_driver::{
    Acknowledgement, Ending, InterceptedHeader, InterceptedRecord, Interceptor,
};

/// What something waits for, since when, and what happens next.
pub use kafka_producer_driver::explain;

/// What a producer has done, in numbers.
pub use kafka_producer_driver::{
    Metric, MetricDefinition, MetricGroup, MetricSubject, MetricUnit, Metrics,
};

/// What can go wrong.
pub use kafka_producer_driver::{
    CloseError, ConfigError, DeliveryError, DisconnectReason, ErrorCode, FatalError, Outcome,
    OwnedRecord, ProduceError, ProducerError, SendAllError, SendError, Shortage, WaitError,
};

/// The book: its Rust is compiled with the tests of documentation.
#[cfg(doctest)]
mod book {
    macro_rules! pages {
        ($( $name:ident $page:literal; )+) => {
            $( #[doc = include_str!(concat!("../docs/", $page))] mod $name {} )+
        };
    }

    pages! {
        configuration "configuration.md";
        errors "errors/README.md";
        from_java "from-java.md";
        interceptors "interceptors.md";
        from_librdkafka "from-librdkafka.md";
        metrics "metrics.md";
        partitioners "partitioners.md";
        readme "../README.md";
        tutorial "tutorial.md";
    }
}

#[cfg(feature = "threads")]
pub use kafka_producer_std as threads;
#[cfg(feature = "tokio")]
pub use kafka_producer_tokio as tokio;

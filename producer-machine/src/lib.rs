//! A Kafka producer as one pure value.
//!
//! [`ProducerMachine`] takes bytes and clock ticks and gives request frames and completions.
//! It knows no socket, no clock, no thread and no entropy: the same inputs give the same
//! outputs, byte for byte.
//!
//! ```text
//!              commands: send, flush, close …            facts: handle_*
//!  application ───────────────┐                     ┌─────────────── network, clock
//!                             ▼                     ▼
//!                        ┌──────────── ProducerMachine ───────────┐
//!                        │ accumulator  partitioner  metadata     │
//!                        │ brokers  connection  idempotence  retry│
//!                        └────────────────────────────────────────┘
//!                             │                     │
//!  application ◄──────────────┘                     └──────────────► network, workers
//!              poll_event                                wishes: poll_action, poll_transmit
//! ```
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;

mod accumulator;
mod action;
mod brokers;
mod config;
mod connection;
mod digest;
mod drain;
mod error;
#[cfg(test)]
mod error_page;
mod event;
pub mod explain;
mod frame;
mod idempotence;
mod ids;
mod machine;
mod metadata;
mod metrics;
mod partitioner;
mod produce;
mod record;
mod retry;
mod seed;
mod split;
mod time;
mod waiters;

pub use action::{Action, CompressJob, Compressed};
pub use config::{
    Acks, Config, ConfigBuilder, ConfigError, DataLoss, FailedBatch, Guarantee, MetadataRecovery,
    Setting, Support, UnknownFate, properties,
};
#[doc(hidden)]
pub use config::{librdkafka_markdown, markdown as settings_markdown};
pub use digest::Digest;
pub use error::{DisconnectReason, FatalError, ProduceError, SendError, Shortage};
pub use event::{Event, Failed, FailedRecords, Notice, Outcome, OwnedRecord, Written};
pub use frame::{Frame, Unsealed};
pub use ids::{ConnectionId, FlushId, GroupId, JobId, Receipt, TopicHandle, WaiterId};
pub use kafka_producer_proto::ErrorCode;
pub use kafka_producer_proto::compression::{Codec, Compressor};
pub use machine::ProducerMachine;
pub use machine::purge::Purge;
#[doc(hidden)]
pub use metrics::markdown as metrics_markdown;
pub use metrics::{Metric, MetricDefinition, MetricGroup, MetricSubject, MetricUnit, Metrics};
pub use partitioner::{PartitionRule, Partitioner, TopicLoad, Unplaced};
pub use record::{Header, Record, RecordBuilder, Topic};
pub use seed::Seed;
pub use time::Instant;

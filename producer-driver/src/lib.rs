//! Drives the pure producer machine: one lock, the real clock, wakers, and the [`Producer`]
//! handle that applications hold.
//!
//! ```text
//! application ─► Producer ─► Hub { lock: machine, completions, waits, links } ◄─ roles ◄─ Runtime
//!                    ▲                      │
//!                    └──── wakers ◄─────────┘        roles: a clock, and per link reader, writer
//! ```
//!
//! - The driver knows no rule of Kafka's and no runtime: those are below and above it.
//! - A transport implements [`Runtime`] and [`Stream`]; tasks and threads host the same roles.
//! - Every future is cancel-safe. Nothing is allocated, looked up or woken per record that nobody
//!   awaits.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod all;
pub mod blocking;
mod builder;
mod clock;
mod completion;
mod delivery;
mod due;
mod ends;
mod error;
mod foreign;
mod hub;
mod interceptor;
#[cfg(test)]
mod leaks;
mod link;
mod notice;
mod park;
mod producer;
mod room;
mod runtime;
mod signal;
mod waits;
mod workers;

pub use all::SendingAll;
pub use builder::ProducerBuilder;
pub use delivery::{Deliveries, DeliveriesIntoIter, Delivery, DeliveryError, RecordMetadata};
pub use ends::{Close, Flush, PartitionsFor};
pub use error::{CloseError, ProducerError, SendAllError, WaitError};
pub use interceptor::{Acknowledgement, Ending, InterceptedHeader, InterceptedRecord, Interceptor};
pub use kafka_producer_machine::explain;
pub use kafka_producer_machine::{
    Acks, Codec, Config, ConfigBuilder, ConfigError, DataLoss, DisconnectReason, ErrorCode,
    FailedBatch, FatalError, Guarantee, Header, MetadataRecovery, Metric, MetricDefinition,
    MetricGroup, MetricSubject, MetricUnit, Metrics, Outcome, OwnedRecord, PartitionRule,
    Partitioner, ProduceError, Purge, Record, RecordBuilder, SendError, Setting, Shortage, Support,
    Topic, TopicHandle, TopicLoad, UnknownFate, Unplaced, properties,
};
pub use park::{block_on, block_on_until};
pub use producer::{PartitionInfo, Producer};
pub use room::{Sending, SendingDetached};
pub use runtime::{Role, Runtime, SocketOptions, Stream};
pub use signal::Signal;

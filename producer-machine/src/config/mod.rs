//! The producer's settings: valid by construction, under Java's names and with Java's defaults.
//!
//! ```text
//!  text ──> properties ──┐
//!                        ├──> ConfigBuilder ──> rules ──> Config
//!  Rust's types ─────────┘         │              │
//!                                  └──── table ───┘
//! ```
//!
//! A `Config` is only ever the result of `build`, so nobody checks a setting again.

mod builder;
mod error;
mod getters;
mod librdkafka;
mod names;
mod page;
pub mod properties;
mod rules;
mod servers;
mod table;
mod value;

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use kafka_producer_proto::compression::Codec;

use crate::partitioner::{Factory, PartitionRule};

pub use builder::ConfigBuilder;
pub use error::ConfigError;
pub use page::{librdkafka as librdkafka_markdown, markdown};
pub use table::{Setting, Support};

/// Every setting, checked. Made by [`Config::builder`] or [`Config::from_properties`].
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) batch_size: usize,
    /// `None` is for ever.
    pub(crate) bootstrap_resolve_timeout: Option<Duration>,
    pub(crate) bootstrap_servers: Vec<(Arc<str>, u16)>,
    pub(crate) buffer_memory: usize,
    /// Empty if it was not set.
    pub(crate) client_id: Arc<str>,
    /// Empty if it was not set.
    pub(crate) client_rack: Arc<str>,
    pub(crate) compression: Codec,
    pub(crate) compression_level: i32,
    pub(crate) connections_max_idle: Duration,
    pub(crate) data_loss: DataLoss,
    pub(crate) delivery_timeout: Duration,
    pub(crate) failed_batch: FailedBatch,
    pub(crate) guarantee: Guarantee,
    pub(crate) linger: Duration,
    pub(crate) max_block: Duration,
    pub(crate) max_in_flight: usize,
    pub(crate) max_request_size: usize,
    pub(crate) metadata_cluster_check: bool,
    pub(crate) metadata_max_age: Duration,
    pub(crate) metadata_max_idle: Duration,
    pub(crate) metadata_recovery: MetadataRecovery,
    pub(crate) custom_partitioner: Option<Factory>,
    pub(crate) partition_rule: PartitionRule,
    pub(crate) partitioner_adaptive: bool,
    /// `None` is never.
    pub(crate) partitioner_availability_timeout: Option<Duration>,
    pub(crate) partitioner_ignore_keys: bool,
    pub(crate) partitioner_rack_aware: bool,
    pub(crate) reconnect_backoff: Duration,
    pub(crate) reconnect_backoff_max: Duration,
    pub(crate) request_timeout: Duration,
    pub(crate) request_timeout_grace: Duration,
    pub(crate) retries: u32,
    pub(crate) retry_backoff: Duration,
    pub(crate) retry_backoff_max: Duration,
    pub(crate) setup_timeout: Duration,
    pub(crate) setup_timeout_max: Duration,
    pub(crate) unknown_fate: UnknownFate,
    pub(crate) connections_per_broker: u32,
    pub(crate) compression_threads: Option<usize>,
    pub(crate) send_buffer_bytes: Option<usize>,
    pub(crate) receive_buffer_bytes: Option<usize>,
    pub(crate) warnings: Vec<String>,
}

/// What is done when no known broker describes the cluster any more
/// (`metadata.recovery.strategy`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetadataRecovery {
    /// The brokers that are known are tried for ever.
    None,
    /// `bootstrap.servers` are asked again (KIP-899).
    Rebootstrap {
        /// How long no answer may come before the known brokers are given up
        /// (`metadata.recovery.rebootstrap.trigger.ms`).
        trigger: Duration,
    },
}

/// What `acks` and `enable.idempotence` promise together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guarantee {
    /// `acks=0`: the broker does not answer; a record may be lost.
    AtMostOnce,
    /// `acks=1` or `acks=all` without idempotence: retries may write a record twice.
    AtLeastOnce(Acks),
    /// `acks=all` with idempotence: once and in order within this producer's life.
    Idempotent,
}

/// Whose acknowledgement counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acks {
    /// `acks=all`: every replica in sync.
    All,
    /// `acks=1`: the leader alone.
    Leader,
}

/// What follows when a broker no longer has records that it acknowledged (`data.loss`, ours).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataLoss {
    /// It is told as `Notice::DataLossSuspected`, and the partition goes on.
    Report,
    /// The producer stops with a fatal error: for those who must not write behind a gap.
    Stop,
}

/// What becomes of the records behind one that failed, in its partition (`failed.batch`, ours).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailedBatch {
    /// Those that were accepted before the failure fail with it, unless they are or may be
    /// written: none stands in the log without those before it.
    FailLater,
    /// It alone fails; the others are written, behind a gap.
    Report,
}

/// What becomes of a batch whose fate is unknown when the broker says that it knows nothing of
/// it (`unknown.fate`, ours).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownFate {
    /// It ends as `MaybeWritten`: never a duplicate.
    Report,
    /// It is written again under a new epoch, as Java does: perhaps a duplicate.
    Rewrite,
}

impl Guarantee {
    /// The value of `acks` on the wire.
    pub(crate) const fn acks(self) -> i16 {
        match self {
            Self::AtMostOnce => 0,
            Self::AtLeastOnce(Acks::Leader) => 1,
            Self::AtLeastOnce(Acks::All) | Self::Idempotent => -1,
        }
    }
}

impl Config {
    /// Settings one by one.
    pub fn builder() -> ConfigBuilder {
        ConfigBuilder::default()
    }

    /// Settings by Kafka's names; of a name that stands twice the last value counts.
    ///
    /// ```
    /// use kafka_producer_machine::Config;
    ///
    /// let error = Config::from_properties([("lingr.ms", "5")]).unwrap_err();
    /// assert_eq!(error.to_string(), "unknown setting lingr.ms; did you mean linger.ms?");
    /// ```
    pub fn from_properties<N: AsRef<str>, V: AsRef<str>>(
        properties: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, ConfigError> {
        let pairs: Vec<(N, V)> = properties.into_iter().collect();
        last_of_each(&pairs)
            .into_iter()
            .try_fold(Self::builder(), |builder, (name, value)| {
                builder.property(name, value)
            })?
            .build()
    }

    /// As [`Config::from_properties`], but a name that means nothing here is a warning: for a
    /// file that is shared with other clients. A value that a known name does not take is an
    /// error all the same.
    ///
    /// ```
    /// use kafka_producer_machine::Config;
    ///
    /// let shared = [("bootstrap.servers", "localhost:9092"), ("group.id", "readers")];
    /// let config = Config::from_properties_lenient(shared)?;
    /// assert!(config.warnings()[0].starts_with("unknown setting group.id"));
    /// # Ok::<(), kafka_producer_machine::ConfigError>(())
    /// ```
    pub fn from_properties_lenient<N: AsRef<str>, V: AsRef<str>>(
        properties: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, ConfigError> {
        let pairs: Vec<(N, V)> = properties.into_iter().collect();
        let mut builder = Self::builder();
        let mut unknown = Vec::new();
        for (name, value) in last_of_each(&pairs) {
            match Setting::named(name) {
                Ok(_) => builder = builder.property(name, value)?,
                Err(error) => unknown.push(error.to_string()),
            }
        }
        let mut config = builder.build()?;
        config.warnings.splice(..0, unknown);
        Ok(config)
    }

    /// Every setting that is known, with or without an effect.
    pub fn settings() -> impl Iterator<Item = &'static Setting> {
        table::settings()
    }

    /// The same settings with this `client.id`, if the user has set none: a pure value cannot
    /// count the producers of a process as Java does, but a driver can.
    #[must_use]
    pub fn client_id_or_else(mut self, name: impl FnOnce() -> String) -> Self {
        if self.client_id.is_empty() {
            self.client_id = name().into();
        }
        self
    }
}

/// Of a name that stands twice the last value counts, as in a properties file.
fn last_of_each<N: AsRef<str>, V: AsRef<str>>(pairs: &[(N, V)]) -> BTreeMap<&str, &str> {
    pairs
        .iter()
        .map(|(name, value)| (name.as_ref(), value.as_ref()))
        .collect()
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

//! Settings one by one, in Rust's types or as text, and `build` that turns them into a `Config`.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use kafka_producer_proto::compression::Codec;

use super::error::ConfigError;
use super::table::{self, Setting, Support};
use super::value::Value;
use super::{Acks, Config, DataLoss, FailedBatch, Guarantee, MetadataRecovery, UnknownFate, rules};
use crate::partitioner::{Factory, PartitionRule, Partitioner};

/// Settings on their way to a [`Config`]. Each setter consumes and gives back the builder; what
/// is not set keeps Java's default.
///
/// ```
/// use core::time::Duration;
/// use kafka_producer_machine::{Codec, Config};
///
/// let config = Config::builder()
///     .bootstrap_servers(["localhost:9092"])
///     .linger(Duration::from_millis(20))
///     .compression(Codec::None)
///     .build()?;
/// assert!(config.warnings().is_empty());
/// # Ok::<(), kafka_producer_machine::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "nothing is configured until build is called"]
pub struct ConfigBuilder {
    explicit: BTreeMap<&'static str, Value>,
    pub(super) custom_partitioner: Option<Factory>,
}

impl ConfigBuilder {
    /// `batch.size`: target bytes of a batch, after compression; 0 turns batching off.
    pub fn batch_size(self, bytes: usize) -> Self {
        self.with_number("batch.size", bytes)
    }

    /// `bootstrap.resolve.timeout.ms`: how long the names of `bootstrap.servers` may stay
    /// unresolved before the producer gives up for good; zero is for ever.
    pub fn bootstrap_resolve_timeout(self, span: Duration) -> Self {
        self.with_span("bootstrap.resolve.timeout.ms", span)
    }

    /// `bootstrap.servers`: brokers to ask first, as `host:port` or `[ipv6]:port`; one string may
    /// hold several of them between commas.
    pub fn bootstrap_servers(self, servers: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let mut entries = Vec::new();
        for server in servers {
            entries.extend(
                server
                    .as_ref()
                    .split(',')
                    .map(|entry| entry.trim().to_owned()),
            );
        }
        self.with("bootstrap.servers", Value::List(entries))
    }

    /// `buffer.memory`: bytes of records that may wait or be in flight.
    pub fn buffer_memory(self, bytes: usize) -> Self {
        self.with_number("buffer.memory", bytes)
    }

    /// `client.id`: the name that brokers log and meter; a driver numbers those without.
    pub fn client_id(self, name: impl Into<String>) -> Self {
        self.with("client.id", Value::Text(name.into()))
    }

    /// `client.rack`: where this client stands; it is preferred with
    /// [`partitioner_rack_aware`](Self::partitioner_rack_aware).
    pub fn client_rack(self, rack: impl Into<String>) -> Self {
        self.with("client.rack", Value::Text(rack.into()))
    }

    /// `compression.type`.
    pub fn compression(self, codec: Codec) -> Self {
        self.with("compression.type", Value::Text(codec.name().to_string()))
    }

    /// `compression.threads` (ours): how many threads compress; one for each core if not set.
    pub fn compression_threads(self, threads: usize) -> Self {
        self.with_number("compression.threads", threads)
    }

    /// `connections.max.idle.ms`: close a connection that is idle that long; `Duration::MAX` is
    /// never.
    pub fn connections_max_idle(self, span: Duration) -> Self {
        self.with_span("connections.max.idle.ms", span)
    }

    /// `connections.per.broker` (ours): how many connections carry requests to one broker, to fill
    /// a long fat link. A partition stays on its own, so its order holds.
    pub fn connections_per_broker(self, connections: u32) -> Self {
        self.with_number("connections.per.broker", connections as usize)
    }

    /// A partitioner of your own: `make` is called once for each producer. It is asked before the
    /// rule of [`partitioner`](Self::partitioner), which decides where it gives no answer.
    pub fn custom_partitioner<P: Partitioner + 'static>(
        mut self,
        make: impl Fn() -> P + Send + Sync + 'static,
    ) -> Self {
        self.custom_partitioner = Some(Factory::new(make));
        self
    }

    /// `data.loss` (ours): what follows when a broker no longer has what it acknowledged.
    pub fn data_loss(self, loss: DataLoss) -> Self {
        let word = match loss {
            DataLoss::Report => "report",
            DataLoss::Stop => "stop",
        };
        self.with("data.loss", Value::Text(word.to_string()))
    }

    /// `failed.batch` (ours): what becomes of the records behind one that failed.
    pub fn failed_batch(self, later: FailedBatch) -> Self {
        let word = match later {
            FailedBatch::FailLater => "fail_later",
            FailedBatch::Report => "report",
        };
        self.with("failed.batch", Value::Text(word.to_string()))
    }

    /// `delivery.timeout.ms`: from `send` to success or failure.
    pub fn delivery_timeout(self, span: Duration) -> Self {
        self.with_span("delivery.timeout.ms", span)
    }

    /// `acks` and `enable.idempotence` in one: what a successful send promises.
    pub fn guarantee(self, guarantee: Guarantee) -> Self {
        let acks = match guarantee {
            Guarantee::AtMostOnce => "0",
            Guarantee::AtLeastOnce(Acks::Leader) => "1",
            Guarantee::AtLeastOnce(Acks::All) | Guarantee::Idempotent => "all",
        };
        self.with("acks", Value::Text(acks.to_string())).with(
            "enable.idempotence",
            Value::Flag(guarantee == Guarantee::Idempotent),
        )
    }

    /// `compression.gzip.level`: 1 to 9, or −1 for gzip's own default.
    pub fn gzip_level(self, level: i32) -> Self {
        self.with("compression.gzip.level", Value::Number(level.into()))
    }

    /// `linger.ms`: how long a batch may wait to become fuller.
    pub fn linger(self, span: Duration) -> Self {
        self.with_span("linger.ms", span)
    }

    /// `compression.lz4.level`: 1 to 17.
    pub fn lz4_level(self, level: i32) -> Self {
        self.with("compression.lz4.level", Value::Number(level.into()))
    }

    /// `max.block.ms`: how long `send` may wait for room and metadata.
    pub fn max_block(self, span: Duration) -> Self {
        self.with_span("max.block.ms", span)
    }

    /// `max.in.flight.requests.per.connection`; at most 5 with idempotence.
    pub fn max_in_flight(self, requests: usize) -> Self {
        self.with_number("max.in.flight.requests.per.connection", requests)
    }

    /// `max.request.size`: bytes of one record, and of one request.
    pub fn max_request_size(self, bytes: usize) -> Self {
        self.with_number("max.request.size", bytes)
    }

    /// `metadata.cluster.check.enable=false`: brokers are not asked whether they are the ones of
    /// the cluster that metadata named.
    pub fn metadata_cluster_unchecked(self) -> Self {
        self.with("metadata.cluster.check.enable", Value::Flag(false))
    }

    /// `metadata.max.age.ms`: refresh metadata at least that often.
    pub fn metadata_max_age(self, span: Duration) -> Self {
        self.with_span("metadata.max.age.ms", span)
    }

    /// `metadata.max.idle.ms`: forget the metadata of a topic that is unused that long.
    pub fn metadata_max_idle(self, span: Duration) -> Self {
        self.with_span("metadata.max.idle.ms", span)
    }

    /// `metadata.recovery.strategy` and `metadata.recovery.rebootstrap.trigger.ms`: what is done
    /// when no known broker describes the cluster any more.
    pub fn metadata_recovery(self, recovery: MetadataRecovery) -> Self {
        let word = |word: &str| Value::Text(word.to_string());
        match recovery {
            MetadataRecovery::None => self.with("metadata.recovery.strategy", word("none")),
            MetadataRecovery::Rebootstrap { trigger } => self
                .with("metadata.recovery.strategy", word("rebootstrap"))
                .with_span("metadata.recovery.rebootstrap.trigger.ms", trigger),
        }
    }

    /// `partitioner` (ours): how the partition of a record is chosen that names none.
    pub fn partitioner(self, rule: PartitionRule) -> Self {
        self.with("partitioner", Value::Text(rule.name().to_string()))
    }

    /// `partitioner.availability.timeout.ms`: avoid partitions whose broker has taken and
    /// answered nothing for that long; zero is never.
    pub fn partitioner_availability_timeout(self, span: Duration) -> Self {
        self.with_span("partitioner.availability.timeout.ms", span)
    }

    /// `partitioner.ignore.keys`: choose the partition batch by batch even for records with a
    /// key.
    pub fn partitioner_ignore_keys(self) -> Self {
        self.with("partitioner.ignore.keys", Value::Flag(true))
    }

    /// `partitioner.adaptive.partitioning.enable=false`: give every partition the same chance,
    /// also those whose brokers are slow.
    pub fn partitioner_not_adaptive(self) -> Self {
        let name = "partitioner.adaptive.partitioning.enable";
        self.with(name, Value::Flag(false))
    }

    /// `partitioner.rack.aware`: prefer partitions whose leader stands in
    /// [`client_rack`](Self::client_rack).
    pub fn partitioner_rack_aware(self) -> Self {
        self.with("partitioner.rack.aware", Value::Flag(true))
    }

    /// Any setting by its name in Kafka, as a properties file would hold it.
    pub fn property(mut self, name: &str, value: &str) -> Result<Self, ConfigError> {
        let setting = Setting::named(name)?;
        let value = Value::parse(setting, value)?;
        // Refused here and not in `build`: what is never kept cannot leak, and may be a secret.
        if setting.support() == Support::Refused && !is_default(setting, &value) {
            return Err(ConfigError::Unsupported {
                setting: setting.name(),
                default: setting.default(),
                about: setting.about(),
            });
        }
        self.explicit.insert(setting.name(), value);
        Ok(self)
    }

    /// `receive.buffer.bytes`; `None` leaves it to the system.
    pub fn receive_buffer_bytes(self, bytes: Option<usize>) -> Self {
        self.with_buffer("receive.buffer.bytes", bytes)
    }

    /// `reconnect.backoff.ms` and `reconnect.backoff.max.ms`: the first and the longest wait
    /// before a connect.
    pub fn reconnect_backoff(self, first: Duration, longest: Duration) -> Self {
        self.with_span("reconnect.backoff.ms", first)
            .with_span("reconnect.backoff.max.ms", longest)
    }

    /// `request.timeout.grace.ms` (ours): how much longer an answer is waited for than the broker
    /// is given to write.
    pub fn request_timeout_grace(self, span: Duration) -> Self {
        self.with_span("request.timeout.grace.ms", span)
    }

    /// `request.timeout.ms`: how long a broker may take to answer.
    pub fn request_timeout(self, span: Duration) -> Self {
        self.with_span("request.timeout.ms", span)
    }

    /// `retries`: tries beyond the first; better leave it and set the delivery timeout.
    pub fn retries(self, retries: u32) -> Self {
        self.with("retries", Value::Number(retries.into()))
    }

    /// `retry.backoff.ms` and `retry.backoff.max.ms`: the first and the longest wait before a
    /// retry.
    pub fn retry_backoff(self, first: Duration, longest: Duration) -> Self {
        self.with_span("retry.backoff.ms", first)
            .with_span("retry.backoff.max.ms", longest)
    }

    /// `send.buffer.bytes`; `None` leaves it to the system.
    pub fn send_buffer_bytes(self, bytes: Option<usize>) -> Self {
        self.with_buffer("send.buffer.bytes", bytes)
    }

    /// `socket.connection.setup.timeout.ms` and `….max.ms`: how long the first and any connect
    /// may take.
    pub fn setup_timeout(self, first: Duration, longest: Duration) -> Self {
        self.with_span("socket.connection.setup.timeout.ms", first)
            .with_span("socket.connection.setup.timeout.max.ms", longest)
    }

    /// `unknown.fate` (ours): what becomes of a batch that may have been written.
    pub fn unknown_fate(self, fate: UnknownFate) -> Self {
        let word = match fate {
            UnknownFate::Report => "report",
            UnknownFate::Rewrite => "rewrite",
        };
        self.with("unknown.fate", Value::Text(word.to_string()))
    }

    /// `compression.zstd.level`: −131072 to 22.
    pub fn zstd_level(self, level: i32) -> Self {
        self.with("compression.zstd.level", Value::Number(level.into()))
    }

    /// The configuration, if the settings are valid and do not contradict each other.
    pub fn build(self) -> Result<Config, ConfigError> {
        rules::build(&self)
    }

    /// The value of a setting: the one that was set, or the default.
    pub(super) fn value(&self, name: &str) -> Result<Value, ConfigError> {
        let setting = Setting::named(name)?;
        match self.explicit.get(name) {
            Some(value) => value.clone().check(setting),
            None => Value::parse(setting, setting.default()),
        }
    }

    /// Whether the user has set it, be it to the default.
    pub(super) fn is_explicit(&self, name: &str) -> bool {
        self.explicit.contains_key(name)
    }

    /// Settings that were set to something else than their default and have no effect.
    pub(super) fn ignored(&self) -> impl Iterator<Item = &'static Setting> {
        table::settings().filter(|setting| {
            setting.support() != Support::Supported
                && self
                    .explicit
                    .get(setting.name())
                    .is_some_and(|set| !is_default(setting, set))
        })
    }

    fn with(mut self, name: &'static str, value: Value) -> Self {
        self.explicit.insert(name, value);
        self
    }

    fn with_number(self, name: &'static str, number: usize) -> Self {
        self.with(
            name,
            Value::Number(i64::try_from(number).unwrap_or(i64::MAX)),
        )
    }

    fn with_span(self, name: &'static str, span: Duration) -> Self {
        self.with(name, Value::Span(span))
    }

    fn with_buffer(self, name: &'static str, bytes: Option<usize>) -> Self {
        let bytes = bytes.map_or(-1, |bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
        self.with(name, Value::Number(bytes))
    }
}

fn is_default(setting: &Setting, value: &Value) -> bool {
    match setting.default() {
        // No default: only nothing at all equals it.
        "null" => *value == Value::Text(String::new()),
        default => Value::parse(setting, default).as_ref() == Ok(value),
    }
}

//! What a configuration came to, setting by setting.

use alloc::string::String;
use core::time::Duration;

use kafka_producer_proto::compression::Codec;

use super::{Config, DataLoss, FailedBatch, Guarantee, MetadataRecovery, UnknownFate};
use crate::partitioner::PartitionRule;

impl Config {
    /// Target bytes of a batch (`batch.size`); 1 if it was set to 0.
    pub const fn batch_size(&self) -> usize {
        self.batch_size
    }

    /// How long the names of `bootstrap.servers` may stay unresolved
    /// (`bootstrap.resolve.timeout.ms`); `None` is for ever.
    pub const fn bootstrap_resolve_timeout(&self) -> Option<Duration> {
        self.bootstrap_resolve_timeout
    }

    /// Brokers to ask first as host and port, each once (`bootstrap.servers`).
    pub fn bootstrap_servers(&self) -> impl Iterator<Item = (&str, u16)> {
        self.bootstrap_servers
            .iter()
            .map(|(host, port)| (&**host, *port))
    }

    /// Bytes of records that may wait or be in flight (`buffer.memory`).
    pub const fn buffer_memory(&self) -> usize {
        self.buffer_memory
    }

    /// `client.id`; `producer-1` if neither the user nor a driver has set it.
    pub fn client_id(&self) -> &str {
        match &*self.client_id {
            "" => "producer-1",
            set => set,
        }
    }

    /// Where this client stands (`client.rack`); empty if it was not set.
    pub fn client_rack(&self) -> &str {
        &self.client_rack
    }

    /// The codec of batches (`compression.type`).
    pub const fn compression(&self) -> Codec {
        self.compression
    }

    /// How hard that codec tries (`compression.gzip.level`, `compression.lz4.level` or
    /// `compression.zstd.level`); 0 without one.
    pub const fn compression_level(&self) -> i32 {
        self.compression_level
    }

    /// How many threads compress (`compression.threads`, ours); `None` is one per core.
    pub const fn compression_threads(&self) -> Option<usize> {
        self.compression_threads
    }

    /// Whether batches are compressed at all.
    pub fn compresses(&self) -> bool {
        self.compression != Codec::None
    }

    /// How long a connection may be idle (`connections.max.idle.ms`); `Duration::MAX` is for
    /// ever.
    pub const fn connections_max_idle(&self) -> Duration {
        self.connections_max_idle
    }

    /// How many connections carry requests to one broker (`connections.per.broker`, ours).
    pub const fn connections_per_broker(&self) -> u32 {
        self.connections_per_broker
    }

    /// How long a record may take from `send` to its end (`delivery.timeout.ms`).
    pub const fn delivery_timeout(&self) -> Duration {
        self.delivery_timeout
    }

    /// What `acks` and `enable.idempotence` promise together.
    pub const fn guarantee(&self) -> Guarantee {
        self.guarantee
    }

    /// How long a batch may wait to become fuller (`linger.ms`).
    pub const fn linger(&self) -> Duration {
        self.linger
    }

    /// How long `send` may wait for room and metadata (`max.block.ms`).
    pub const fn max_block(&self) -> Duration {
        self.max_block
    }

    /// How many requests may be unanswered on a connection
    /// (`max.in.flight.requests.per.connection`).
    pub const fn max_in_flight(&self) -> usize {
        self.max_in_flight
    }

    /// How many bytes one record, and one request, may take (`max.request.size`).
    pub const fn max_request_size(&self) -> usize {
        self.max_request_size
    }

    /// Whether a broker is asked whether it is the one of the cluster that metadata named
    /// (`metadata.cluster.check.enable`).
    pub const fn metadata_cluster_is_checked(&self) -> bool {
        self.metadata_cluster_check
    }

    /// How often metadata is refreshed at least (`metadata.max.age.ms`).
    pub const fn metadata_max_age(&self) -> Duration {
        self.metadata_max_age
    }

    /// What is done when no known broker describes the cluster any more
    /// (`metadata.recovery.strategy`).
    pub const fn metadata_recovery(&self) -> MetadataRecovery {
        self.metadata_recovery
    }

    /// How long the metadata of an unused topic is kept (`metadata.max.idle.ms`).
    pub const fn metadata_max_idle(&self) -> Duration {
        self.metadata_max_idle
    }

    /// How the partition of a record is chosen that names none (`partitioner`, ours, or
    /// `partitioner.class`).
    pub const fn partitioner(&self) -> PartitionRule {
        self.partition_rule
    }

    /// Whether partitions whose brokers are slow get fewer records
    /// (`partitioner.adaptive.partitioning.enable`).
    pub const fn partitioner_is_adaptive(&self) -> bool {
        self.partitioner_adaptive
    }

    /// How long a broker may take and answer nothing before its partitions are avoided
    /// (`partitioner.availability.timeout.ms`); `None` is for ever.
    pub const fn partitioner_availability_timeout(&self) -> Option<Duration> {
        self.partitioner_availability_timeout
    }

    /// Whether partitions whose leader stands in `client.rack` are preferred
    /// (`partitioner.rack.aware`).
    pub const fn partitioner_is_rack_aware(&self) -> bool {
        self.partitioner_rack_aware
    }

    /// Whether partitions are chosen batch by batch even for records with a key
    /// (`partitioner.ignore.keys`).
    pub const fn partitioner_ignore_keys(&self) -> bool {
        self.partitioner_ignore_keys
    }

    /// `receive.buffer.bytes`; `None` leaves it to the system.
    pub const fn receive_buffer_bytes(&self) -> Option<usize> {
        self.receive_buffer_bytes
    }

    /// The wait before the second connect (`reconnect.backoff.ms`).
    pub const fn reconnect_backoff(&self) -> Duration {
        self.reconnect_backoff
    }

    /// The longest wait before a connect (`reconnect.backoff.max.ms`).
    pub const fn reconnect_backoff_max(&self) -> Duration {
        self.reconnect_backoff_max
    }

    /// How much longer an answer is waited for before its connection is given up
    /// (`request.timeout.grace.ms`, ours).
    pub const fn request_timeout_grace(&self) -> Duration {
        self.request_timeout_grace
    }

    /// How long a broker may take to answer (`request.timeout.ms`).
    pub const fn request_timeout(&self) -> Duration {
        self.request_timeout
    }

    /// Tries beyond the first (`retries`).
    pub const fn retries(&self) -> u32 {
        self.retries
    }

    /// The wait before the first retry (`retry.backoff.ms`).
    pub const fn retry_backoff(&self) -> Duration {
        self.retry_backoff
    }

    /// The longest wait before a retry (`retry.backoff.max.ms`).
    pub const fn retry_backoff_max(&self) -> Duration {
        self.retry_backoff_max
    }

    /// `send.buffer.bytes`; `None` leaves it to the system.
    pub const fn send_buffer_bytes(&self) -> Option<usize> {
        self.send_buffer_bytes
    }

    /// How long the first connect may take (`socket.connection.setup.timeout.ms`).
    pub const fn setup_timeout(&self) -> Duration {
        self.setup_timeout
    }

    /// What follows when acknowledged records are lost (`data.loss`, ours).
    pub const fn data_loss(&self) -> DataLoss {
        self.data_loss
    }

    /// What becomes of the records behind one that failed (`failed.batch`, ours).
    pub const fn failed_batch(&self) -> FailedBatch {
        self.failed_batch
    }

    /// How long connecting may take at most (`socket.connection.setup.timeout.max.ms`).
    pub const fn setup_timeout_max(&self) -> Duration {
        self.setup_timeout_max
    }

    /// What becomes of a batch that may have been written (`unknown.fate`, ours).
    pub const fn unknown_fate(&self) -> UnknownFate {
        self.unknown_fate
    }

    /// What `build` accepted but thinks the user should know: settings that were changed or
    /// switched off, and those without an effect.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

//! Settings that only producers have: Kafka's `ProducerConfig`.

use super::Kind::{Class, Flag, List, NonEmpty, NumberOr, Text, Word};
use super::{Setting, Support, between, int, millis_int, millis_long};

/// Kafka's `ProducerConfig` without what every client has.
pub(super) const SETTINGS: &[Setting] = settings! {
    Supported "bootstrap.servers" = "null", List, "ProducerConfig",
        "brokers to ask first, as host:port or [ipv6]:port; it must be set";
    JvmOnly "key.serializer" = "null", Class, "ProducerConfig",
        "the class that turns keys into bytes; keys are bytes here";
    JvmOnly "value.serializer" = "null", Class, "ProducerConfig",
        "the class that turns values into bytes; values are bytes here";
    Supported "acks" = "all", Word(&["all", "-1", "0", "1"]), "KIP-679",
        "whose acknowledgement counts: every replica in sync (all or -1), nobody's, the leader's";
    Supported "enable.idempotence" = "true", Flag, "KIP-98",
        "no duplicates and no reordering through retries";
    Refused "transactional.id" = "null", NonEmpty, "KIP-98",
        "the name of a transactional producer";
    Ignored "transaction.timeout.ms" = "60000", int(1), "KIP-98",
        "how long a transaction may stay open; there are no transactions yet";
    Refused "transaction.two.phase.commit.enable" = "false", Flag, "KIP-939",
        "let an outer transaction coordinator decide";
    Supported "buffer.memory" = "33554432", between(0, i64::MAX), "ProducerConfig",
        "bytes of records that may wait or be in flight";
    Needless "buffer.memory.allocation.strategy" = "full", Word(&["full", "incremental"]),
        "KIP-1332",
        "how batches grow; here always by size classes";
    Supported "batch.size" = "16384", int(0), "ProducerConfig",
        "target bytes of a batch, after compression; 0 turns batching off";
    Supported "linger.ms" = "5", millis_long(), "KIP-1030",
        "how long a batch may wait to become fuller";
    Supported "max.request.size" = "1048576", int(0), "ProducerConfig",
        "bytes of one record before compression, and of the batches in one request";
    Supported "max.block.ms" = "60000", millis_long(), "KIP-19",
        "how long send may wait for room and metadata";
    Supported "delivery.timeout.ms" = "120000", millis_int(), "KIP-91",
        "how long a record may take from send to success or failure, retries included";
    Supported "request.timeout.ms" = "30000", millis_int(), "KIP-19",
        "how long a broker may take to answer a request";
    Supported "retries" = "2147483647", int(0), "KIP-91",
        "tries beyond the first; better leave it and set delivery.timeout.ms";
    Supported "retry.backoff.ms" = "100", millis_long(), "ProducerConfig",
        "the wait before the first retry; it doubles with each further one";
    Supported "retry.backoff.max.ms" = "1000", millis_long(), "KIP-580",
        "the longest wait before a retry";
    Supported "max.in.flight.requests.per.connection" = "5", int(1), "ProducerConfig",
        "requests that may be unanswered on a connection; at most 5 with idempotence";
    Supported "compression.type" = "none", Word(&["none", "gzip", "snappy", "lz4", "zstd"]),
        "ProducerConfig",
        "the codec of batches";
    Supported "compression.gzip.level" = "-1", NumberOr { or: -1, min: 1, max: 9 }, "KIP-390",
        "how hard gzip tries; -1 is gzip's own default";
    Supported "compression.lz4.level" = "9", between(1, 17), "KIP-390",
        "how hard lz4 tries; it has one level here, and another value warns";
    Supported "compression.zstd.level" = "3", between(-131_072, 22), "KIP-390",
        "how hard zstd tries";
    Supported "partitioner.class" = "null", Class, "ProducerConfig",
        "the class that chooses partitions: DefaultPartitioner, RoundRobinPartitioner or \
         UniformStickyPartitioner of Kafka's; partitioner knows more rules";
    Supported "partitioner.ignore.keys" = "false", Flag, "KIP-794",
        "choose the partition batch by batch even for records with a key";
    Supported "partitioner.adaptive.partitioning.enable" = "true", Flag, "KIP-794",
        "give fewer records without a key to partitions whose brokers are slow";
    Supported "partitioner.availability.timeout.ms" = "0", millis_long(), "KIP-794",
        "avoid partitions whose broker has taken and answered nothing for that long; 0 is never";
    Supported "partitioner.rack.aware" = "false", Flag, "KIP-1123",
        "for records without a key prefer partitions whose leader stands in client.rack";
    Supported "client.rack" = "", Text, "KIP-1123",
        "where this client stands";
    JvmOnly "interceptor.classes" = "", List, "KIP-42",
        "classes that see each record before it is sent and after its end; \
         ProducerBuilder::interceptor takes ours";
    Ignored "enable.metrics.push" = "true", Flag, "KIP-714",
        "push metrics to the brokers that ask for them; here they are only read";
};

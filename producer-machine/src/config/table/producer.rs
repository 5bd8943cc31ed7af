//! Settings of a producer, and ours.

use super::Kind::{Flag, List, NonEmpty, Number, NumberOr, Text, Word};
use super::{I32_MAX, Setting, built, int, jvm, millis_int, millis_long, no_effect, refused};

/// Kafka's `ProducerConfig`, then the two that are ours.
pub(super) const SETTINGS: &[Setting] = &[
    built(
        "bootstrap.servers",
        "null",
        List,
        "brokers to ask first, as host:port",
    ),
    jvm(
        "key.serializer",
        "null",
        "a Java class; keys are bytes here",
    ),
    jvm(
        "value.serializer",
        "null",
        "a Java class; values are bytes here",
    ),
    built(
        "acks",
        "all",
        Word(&["all", "-1", "0", "1"]),
        "whose acknowledgement counts: every replica in sync, nobody, or the leader",
    ),
    built(
        "enable.idempotence",
        "true",
        Flag,
        "no duplicates and no reordering through retries",
    ),
    refused(
        "transactional.id",
        "null",
        NonEmpty,
        "the name of a transactional producer",
    ),
    no_effect(
        "transaction.timeout.ms",
        "60000",
        int(1),
        "how long a transaction may stay open",
    ),
    refused(
        "transaction.two.phase.commit.enable",
        "false",
        Flag,
        "KIP-939",
    ),
    built(
        "buffer.memory",
        "33554432",
        Number {
            min: 0,
            max: i64::MAX,
        },
        "bytes of records that may wait or be in flight",
    ),
    no_effect(
        "buffer.memory.allocation.strategy",
        "full",
        Word(&["full", "incremental"]),
        "how batches grow (KIP-1332); they always grow by size classes here",
    ),
    built(
        "batch.size",
        "16384",
        int(0),
        "target bytes of a batch; 0 turns batching off",
    ),
    built(
        "linger.ms",
        "5",
        millis_long(),
        "how long a batch may wait to become fuller",
    ),
    built(
        "max.request.size",
        "1048576",
        int(0),
        "bytes of one record, and of one request",
    ),
    built(
        "max.block.ms",
        "60000",
        millis_long(),
        "how long send may wait for room and metadata",
    ),
    built(
        "delivery.timeout.ms",
        "120000",
        millis_int(),
        "from send to success or failure",
    ),
    built(
        "request.timeout.ms",
        "30000",
        millis_int(),
        "how long a broker may take to answer",
    ),
    built(
        "retries",
        "2147483647",
        int(0),
        "tries beyond the first; prefer delivery.timeout.ms",
    ),
    built(
        "retry.backoff.ms",
        "100",
        millis_long(),
        "the wait before the first retry",
    ),
    built(
        "retry.backoff.max.ms",
        "1000",
        millis_long(),
        "the longest wait before a retry",
    ),
    built(
        "max.in.flight.requests.per.connection",
        "5",
        int(1),
        "requests that may be unanswered on a connection",
    ),
    built(
        "compression.type",
        "none",
        Word(&["none", "gzip", "snappy", "lz4", "zstd"]),
        "the codec of batches",
    ),
    built(
        "compression.gzip.level",
        "-1",
        NumberOr {
            or: -1,
            min: 1,
            max: 9,
        },
        "1 to 9, or -1 for gzip's own default",
    ),
    built(
        "compression.lz4.level",
        "9",
        Number { min: 1, max: 17 },
        "1 to 17",
    ),
    built(
        "compression.zstd.level",
        "3",
        Number {
            min: -131_072,
            max: 22,
        },
        "-131072 to 22",
    ),
    jvm(
        "partitioner.class",
        "null",
        "a Java class; the built-in partitioner is used here",
    ),
    built(
        "partitioner.ignore.keys",
        "false",
        Flag,
        "partition by batch even if there is a key",
    ),
    no_effect(
        "partitioner.adaptive.partitioning.enable",
        "true",
        Flag,
        "fewer records for slow partitions",
    ),
    no_effect(
        "partitioner.availability.timeout.ms",
        "0",
        millis_long(),
        "avoid partitions whose broker has been silent that long; 0 is never",
    ),
    no_effect(
        "partitioner.rack.aware",
        "false",
        Flag,
        "prefer leaders in this rack (KIP-1123)",
    ),
    no_effect("client.rack", "", Text, "where this client stands"),
    jvm("interceptor.classes", "", "Java classes"),
    no_effect(
        "enable.metrics.push",
        "true",
        Flag,
        "push metrics to the brokers (KIP-714)",
    ),
    built(
        "unknown.fate",
        "report",
        Word(&["report", "rewrite"]),
        "ours: report a batch that may have been written, or write it again as Java does",
    ),
    built(
        "connections.per.broker",
        "1",
        Number { min: 1, max: 64 },
        "ours: how many connections carry requests to one broker; a partition stays on its own",
    ),
    built(
        "compression.threads",
        "null",
        Number {
            min: 1,
            max: I32_MAX,
        },
        "ours: how many threads compress; one for each core if not set",
    ),
];

//! Settings that Kafka's Java client does not have.

use super::Kind::Word;
use super::{I32_MAX, Setting, Support, between, millis_int};

/// What is decided otherwise here, or does not exist there.
pub(super) const SETTINGS: &[Setting] = settings! {
    Supported "compression.threads" = "null", between(1, I32_MAX), "ours",
        "how many threads compress; one for each core if not set";
    Supported "connections.per.broker" = "1", between(1, 64), "ours",
        "how many connections carry requests to one broker; a partition stays on its own";
    Supported "data.loss" = "report", Word(&["report", "stop"]), "ours",
        "whether acknowledged records that the cluster lost are reported, or stop the producer";
    Supported "failed.batch" = "report", Word(&["fail_later", "report"]), "ours",
        "whether records fail with an earlier one of their partition, if they are not written";
    Supported "partitioner" = "default", Word(&[
            "default", "consistent", "consistent_random", "fnv1a", "fnv1a_random", "murmur2",
            "murmur2_random", "random", "round_robin", "sarama_consistent_crc", "sarama_hash",
            "sarama_reference_hash",
        ]), "ours",
        "how the partition of a record is chosen: as Java, or as librdkafka or sarama of that name";
    Supported "request.timeout.grace.ms" = "0", millis_int(), "ours",
        "how much longer than request.timeout.ms, which a broker is given, an answer is waited for";
    Supported "unknown.fate" = "report", Word(&["report", "rewrite"]), "ours",
        "whether a batch that may have been written is reported, or written again as Java does";
};

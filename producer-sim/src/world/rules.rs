//! What the producer was told to do, as far as oracles ask: read from its settings once more, so
//! that a setting that the producer misreads is found.

use std::collections::BTreeMap;
use std::time::Duration;

use kafka_producer_machine::{Config, Guarantee};
use kafka_producer_proto::hash;

/// The settings of the producer that limit what it may do.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) guarantee: Guarantee,
    pub(crate) batch_size: usize,
    pub(crate) buffer_memory: usize,
    pub(crate) compresses: bool,
    pub(crate) data_loss: DataLoss,
    pub(crate) delivery_timeout: Duration,
    /// Where sequences may begin besides 0.
    pub(crate) first_sequence: i32,
    pub(crate) failed_batch: FailedBatch,
    /// How many connections each broker is given.
    pub(crate) lanes: usize,
    pub(crate) linger: Duration,
    pub(crate) max_block: Duration,
    pub(crate) max_in_flight: usize,
    pub(crate) max_request_size: usize,
    pub(crate) metadata_max_age: Duration,
    pub(crate) placement: Placement,
    pub(crate) reconnect_backoff: Duration,
    pub(crate) request_timeout: Duration,
    pub(crate) retries: Retries,
    pub(crate) retry_backoff: Duration,
}

/// How partitions are chosen.
#[derive(Clone, Debug)]
pub(crate) struct Placement {
    /// `partitioner`, by name, for what a rule does must not be taken from the producer.
    rule: String,
    ignores_keys: bool,
}

impl Placement {
    fn of(settings: &BTreeMap<String, String>) -> Self {
        let given = |name: &str| settings.get(name).map(String::as_str);
        Self {
            rule: given("partitioner").unwrap_or("default").into(),
            ignores_keys: given("partitioner.ignore.keys") == Some("true"),
        }
    }

    /// The partition of a record that names none; `None` if any may be chosen.
    pub(crate) fn partition(&self, key: Option<&[u8]>, count: u32) -> Option<u32> {
        if count == 0 || self.ignores_keys {
            return None;
        }
        let hash: fn(&[u8], u32) -> u32 = match (self.rule.as_str(), key) {
            ("random" | "round_robin", _) | ("consistent_random", Some(&[])) => return None,
            ("murmur2", _) | ("default" | "murmur2_random", Some(_)) => hash::murmur2_partition,
            ("consistent", _) | ("consistent_random", Some(_)) => hash::librdkafka_consistent,
            ("fnv1a", _) | ("fnv1a_random", Some(_)) => hash::librdkafka_fnv1a,
            ("sarama_consistent_crc", Some(_)) => hash::sarama_consistent_crc,
            ("sarama_hash", Some(_)) => hash::sarama_hash,
            ("sarama_reference_hash", Some(_)) => hash::sarama_reference_hash,
            (_, _) => return None,
        };
        Some(hash(key.unwrap_or_default(), count))
    }
}

/// What follows when acknowledged records are lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DataLoss {
    Report,
    Stop,
}

/// What becomes of the records behind one that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailedBatch {
    FailLater,
    Report,
}

/// How often a batch may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retries {
    /// So many times.
    Limited(u32),
    /// Until its time is over.
    Unlimited,
}

impl Rules {
    pub(crate) fn of(settings: &BTreeMap<String, String>, config: &Config) -> Self {
        let number = |name: &str, default: u64| {
            let given = settings.get(name).and_then(|value| value.parse().ok());
            given.unwrap_or(default)
        };
        let size = |name, default| usize::try_from(number(name, default)).unwrap_or(usize::MAX);
        let millis = |name, default| Duration::from_millis(number(name, default));
        Self {
            guarantee: config.guarantee(),
            batch_size: size("batch.size", 16_384),
            buffer_memory: size("buffer.memory", 33_554_432),
            compresses: config.compresses(),
            data_loss: match settings.get("data.loss").map(String::as_str) {
                Some("stop") => DataLoss::Stop,
                _ => DataLoss::Report,
            },
            delivery_timeout: millis("delivery.timeout.ms", 120_000),
            first_sequence: 0,
            failed_batch: match settings.get("failed.batch").map(String::as_str) {
                Some("fail_later") => FailedBatch::FailLater,
                _ => FailedBatch::Report,
            },
            lanes: size("connections.per.broker", 1),
            linger: millis("linger.ms", 5),
            max_block: millis("max.block.ms", 60_000),
            max_in_flight: size("max.in.flight.requests.per.connection", 5),
            max_request_size: size("max.request.size", 1_048_576),
            metadata_max_age: millis("metadata.max.age.ms", 300_000),
            placement: Placement::of(settings),
            reconnect_backoff: millis("reconnect.backoff.ms", 50),
            request_timeout: millis("request.timeout.ms", 30_000)
                + millis("request.timeout.grace.ms", 0),
            retries: match settings.get("retries").map(|value| value.parse()) {
                Some(Ok(most)) => Retries::Limited(most),
                Some(Err(_)) | None => Retries::Unlimited,
            },
            retry_backoff: millis("retry.backoff.ms", 100),
        }
    }

    /// The most bytes that a batch of several records has before compression, header included.
    pub(crate) fn largest_batch(&self) -> usize {
        let compressed = self.max_request_size.min(self.buffer_memory / 4);
        match self.compresses {
            true => self.batch_size.max(compressed),
            false => self.batch_size,
        }
    }

    /// The most bytes of copies that one job makes: a batch or a lone record that is unpacked and
    /// packed again, which may make it a sixth larger.
    pub(crate) fn largest_job(&self) -> usize {
        let largest = self.largest_batch().max(self.max_request_size);
        match self.compresses {
            true => 2 * largest.min(self.buffer_memory) + largest / 4,
            false => 0,
        }
    }

    /// Whether sequences number the records.
    pub(crate) fn is_idempotent(&self) -> bool {
        self.guarantee == Guarantee::Idempotent
    }

    /// Whether records of a partition must stay in order whatever happens.
    pub(crate) fn keeps_order(&self) -> bool {
        self.is_idempotent() || self.max_in_flight == 1
    }
}

//! Errors, named by who must act: the caller, the cluster, nobody any more, the broker's authors.

use alloc::string::String;
use alloc::sync::Arc;

use kafka_producer_proto::ErrorCode;

use crate::accumulator::PartitionKey;

/// Why a record was not taken. The record still belongs to the caller, who only lent it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The producer is closed or closing.
    #[error("the producer is closed: records are taken only before close")]
    Closed,
    /// The producer can do nothing more.
    #[error(transparent)]
    Fatal(#[from] FatalError),
    /// No room: wait with `wait_for_space`, or try later. Nothing was taken.
    #[error("buffer.memory is full: {} bytes are needed; wait for space, or send less", .0.bytes)]
    Full(Shortage),
    /// Something in the record can never be sent.
    #[error("{what}")]
    Invalid {
        /// What was expected and what came.
        what: String,
    },
    /// The record can never fit.
    #[error(
        "the record takes {size} bytes at most, {setting} allows {limit}: send less in one \
         record, or raise {setting}"
    )]
    TooLarge {
        /// The upper bound of the record's batch.
        size: usize,
        /// The limit.
        limit: usize,
        /// `max.request.size` or `buffer.memory`.
        setting: &'static str,
    },
    /// The cluster refuses the topic.
    #[error("topic {topic}: {code}: {}", .code.explanation())]
    Topic {
        /// The topic.
        topic: Arc<str>,
        /// INVALID_TOPIC_EXCEPTION or TOPIC_AUTHORIZATION_FAILED.
        code: ErrorCode,
    },
    /// The handle belongs to another machine.
    #[error("no such topic handle: handles are valid for the producer that gave them")]
    UnknownHandle,
}

/// How much room is missing, and for whom: for `wait_for_space`, as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Shortage {
    pub(crate) bytes: usize,
    /// Where the record must go; `None` if that is open.
    pub(crate) partition: Option<PartitionKey>,
}

impl Shortage {
    /// Bytes that are missing for this record.
    pub const fn bytes(self) -> usize {
        self.bytes
    }
}

/// Why an accepted record failed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ProduceError {
    /// The record is good: a broker refused others of its batch, and took none by that attempt
    /// (KIP-467). Whether an earlier one wrote it says the outcome, as always.
    #[error("its batch was refused with {code} for other records: this one is not to blame")]
    BatchmateRejected {
        /// Why the batch was refused.
        code: ErrorCode,
    },
    /// A broker refused it; or, with NETWORK_EXCEPTION, its connection was lost while it was
    /// written without acks, so that it cannot be written again.
    #[error("{code}: {}{}", .code.explanation(), message_of(.message))]
    Broker {
        /// The broker's error.
        code: ErrorCode,
        /// The broker's own words, if it had any.
        message: Option<Arc<str>>,
    },
    /// `close` ran out of time, or the last handle was dropped.
    #[error("the producer was closed before the record was delivered")]
    Closed,
    /// An earlier record of its partition failed, and `failed.batch` is `fail_later`: this one is
    /// not written behind the gap.
    #[error(
        "an earlier record of its partition failed with {earlier} (failed.batch is fail_later)"
    )]
    EarlierFailed {
        /// The name of the error with which the earlier one failed.
        earlier: &'static str,
    },
    /// The codec failed.
    #[error("the batch could not be compressed: {0}")]
    Compression(Arc<str>),
    /// The producer can do nothing more.
    #[error(transparent)]
    Fatal(#[from] FatalError),
    /// The custom partitioner had no partition for it when its topic became known.
    #[error("{0}")]
    Partitioner(Arc<str>),
    /// The application gave it up with `purge`.
    #[error("given up by purge before it was delivered")]
    Purged,
    /// Tries used up.
    #[error(
        "not delivered after {} (retries used up), last error {last}", attempts_of(*.attempts)
    )]
    RetriesExhausted {
        /// How often it was tried.
        attempts: u32,
        /// The last answer; NETWORK_EXCEPTION stands for a lost connection.
        last: ErrorCode,
    },
    /// Time used up.
    #[error(
        "not delivered within delivery.timeout.ms: {}, last error {}{}",
        attempts_of(*.attempts), last_of(.last), trouble_of(.trouble)
    )]
    TimedOut {
        /// How often it was tried.
        attempts: u32,
        /// The last answer; NETWORK_EXCEPTION stands for a lost connection.
        last: Option<ErrorCode>,
        /// What stood in its way at the end, as far as this producer knows.
        trouble: Option<Arc<str>>,
    },
    /// The topic (or the partition of it) did not appear.
    #[error(
        "topic {topic}{} is not in the cluster's metadata after {setting}: create it, or \
         check the name and the rights", partition_of(.partition, .count)
    )]
    TopicUnknown {
        /// The topic.
        topic: Arc<str>,
        /// The partition that was asked for.
        partition: Option<u32>,
        /// How many partitions the topic has, if it is known at all.
        count: Option<u32>,
        /// Whose time was up: `max.block.ms`, or `delivery.timeout.ms` if that is less.
        setting: &'static str,
    },
    /// No broker told anything in time.
    #[error(
        "no broker of bootstrap.servers told anything within {setting}, last {trouble}: check \
         the addresses, and that Kafka runs there"
    )]
    Unreachable {
        /// Address and reason of the last failure.
        trouble: Arc<str>,
        /// Whose time was up: `max.block.ms`, or `delivery.timeout.ms` if that is less.
        setting: &'static str,
    },
}

impl ProduceError {
    /// Kafka's code for it, as other clients report it. `None` where no broker had a part in
    /// it, and Kafka has no code: the producer was closed, its records were purged, the codec
    /// failed, or an earlier record did.
    pub const fn code(&self) -> Option<ErrorCode> {
        match self.kind() {
            Ok(code) => Some(code),
            Err(_) => None,
        }
    }

    /// A short name for logs and counters: that of the [code](Self::code), else `CLOSED`,
    /// `COMPRESSION_FAILED`, `EARLIER_FAILED` or `PURGED`, which are ours.
    pub const fn name(&self) -> &'static str {
        match self.kind() {
            Ok(code) => code.name(),
            Err(name) => name,
        }
    }

    /// Kafka's code, or our name where Kafka has none.
    const fn kind(&self) -> Result<ErrorCode, &'static str> {
        Ok(match self {
            Self::BatchmateRejected { code } | Self::Broker { code, .. } => *code,
            Self::Closed => return Err("CLOSED"),
            Self::Compression(_) => return Err("COMPRESSION_FAILED"),
            Self::EarlierFailed { .. } => return Err("EARLIER_FAILED"),
            Self::Fatal(fatal) => fatal.code,
            Self::Partitioner(_) => return Err("PARTITIONER_FAILED"),
            Self::Purged => return Err("PURGED"),
            Self::RetriesExhausted { last, .. } => *last,
            Self::TimedOut { .. } => ErrorCode::REQUEST_TIMED_OUT,
            Self::TopicUnknown { .. } => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            Self::Unreachable { .. } => ErrorCode::NETWORK_EXCEPTION,
        })
    }
}

fn attempts_of(attempts: u32) -> String {
    let plural = if attempts == 1 { "" } else { "s" };
    alloc::format!("{attempts} attempt{plural}")
}

fn message_of(message: &Option<Arc<str>>) -> String {
    message
        .as_ref()
        .map_or_else(String::new, |text| alloc::format!(" ({text})"))
}

fn last_of(last: &Option<ErrorCode>) -> String {
    last.map_or_else(|| String::from("none"), |code| String::from(code.name()))
}

fn trouble_of(trouble: &Option<Arc<str>>) -> String {
    trouble
        .as_ref()
        .map_or_else(String::new, |text| alloc::format!("; {text}"))
}

fn partition_of(partition: &Option<u32>, count: &Option<u32>) -> String {
    match (partition, count) {
        (Some(partition), Some(count)) => {
            alloc::format!(" partition {partition} (the topic has {count})")
        }
        (Some(partition), None) => alloc::format!(" partition {partition}"),
        (None, _) => String::new(),
    }
}

/// The producer can do nothing more: close it, mend the cause, make a new one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error(
    "the producer cannot go on: {}; close it, {}, and make a new one",
    reason_of(.code, .trouble), self.advice()
)]
pub struct FatalError {
    /// What the cluster said; NETWORK_EXCEPTION if nobody could be asked.
    pub code: ErrorCode,
    /// What stood in the way, if that says more.
    pub trouble: Option<Arc<str>>,
}

impl From<ErrorCode> for FatalError {
    fn from(code: ErrorCode) -> Self {
        let trouble = None;
        Self { code, trouble }
    }
}

fn reason_of(code: &ErrorCode, trouble: &Option<Arc<str>>) -> String {
    match trouble {
        Some(trouble) => String::from(&**trouble),
        None => alloc::format!("{code}: {}", code.explanation()),
    }
}

impl FatalError {
    /// What to mend before a new producer is made, as part of a sentence.
    pub const fn advice(&self) -> &'static str {
        match self.code {
            ErrorCode::CLUSTER_AUTHORIZATION_FAILED => {
                "give it the right IdempotentWrite or set enable.idempotence=false"
            }
            ErrorCode::NETWORK_EXCEPTION => {
                "correct bootstrap.servers, the resolver or the network"
            }
            ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER | ErrorCode::UNKNOWN_PRODUCER_ID => {
                "look which acknowledged records the cluster has lost (data.loss=stop)"
            }
            ErrorCode::PRODUCER_FENCED => "look who else runs under its identity",
            ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED => {
                "give it the right to the transactional id"
            }
            ErrorCode::UNSUPPORTED_VERSION => "use newer brokers or set enable.idempotence=false",
            _ => "look into the logs of the brokers",
        }
    }
}

/// Why a connection ended, or was never made.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The machine asked for it.
    #[error("closed by this producer")]
    Asked,
    /// The peer closed.
    #[error("closed by the broker")]
    Closed,
    /// Reading, writing or connecting failed.
    #[error("{0}")]
    Failed(Arc<str>),
    /// Nothing for `connections.max.idle.ms`.
    #[error("idle for connections.max.idle.ms")]
    Idle,
    /// The bytes are not Kafka's.
    #[error("{0}")]
    Protocol(Arc<str>),
    /// No answer within `request.timeout.ms`, nor in the time that `request.timeout.grace.ms` adds.
    #[error("no answer within request.timeout.ms")]
    RequestTimeout,
    /// The name did not resolve.
    #[error("the name did not resolve: {0}")]
    Resolve(Arc<str>),
    /// No connection within `socket.connection.setup.timeout.ms`.
    #[error("no connection within socket.connection.setup.timeout.ms")]
    SetupTimeout,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_attempt_is_no_plural() {
        let error = |attempts| ProduceError::RetriesExhausted {
            attempts,
            last: ErrorCode::NOT_ENOUGH_REPLICAS,
        };
        let said = "not delivered after 1 attempt (retries used up), last error \
                    NOT_ENOUGH_REPLICAS (19)";
        assert_eq!(alloc::format!("{}", error(1)), said);
        assert!(alloc::format!("{}", error(2)).contains("after 2 attempts ("));
    }

    #[test]
    fn what_no_broker_did_has_no_code_of_kafkas() {
        assert_eq!(
            (ProduceError::Closed.code(), ProduceError::Closed.name()),
            (None, "CLOSED")
        );
        let codec = ProduceError::Compression("full".into());
        assert_eq!((codec.code(), codec.name()), (None, "COMPRESSION_FAILED"));
    }
}

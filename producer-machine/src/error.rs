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
    /// The codec failed.
    #[error("the batch could not be compressed: {0}")]
    Compression(Arc<str>),
    /// The producer can do nothing more.
    #[error(transparent)]
    Fatal(#[from] FatalError),
    /// Tries used up.
    #[error("not delivered after {attempts} attempts (retries used up), last error {last}")]
    RetriesExhausted {
        /// How often it was tried.
        attempts: u32,
        /// The last answer; NETWORK_EXCEPTION stands for a lost connection.
        last: ErrorCode,
    },
    /// Time used up.
    #[error(
        "not delivered within delivery.timeout.ms: {attempts} attempts, last error {}{}",
        last_of(.last), trouble_of(.trouble)
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
    /// Kafka's name of the error, as other clients print it.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::BatchmateRejected { code } | Self::Broker { code, .. } => *code,
            Self::RetriesExhausted { last, .. } => *last,
            Self::Closed | Self::Compression(_) => ErrorCode::UNKNOWN_SERVER_ERROR,
            Self::Fatal(fatal) => fatal.code,
            Self::TimedOut { .. } => ErrorCode::REQUEST_TIMED_OUT,
            Self::Unreachable { .. } => ErrorCode::NETWORK_EXCEPTION,
            Self::TopicUnknown { .. } => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        }
    }
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
#[error("the producer cannot go on: {}; close it and make a new one", reason_of(.code, .trouble))]
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
    /// No answer within `request.timeout.ms`.
    #[error("no answer within request.timeout.ms")]
    RequestTimeout,
    /// The name did not resolve.
    #[error("the name did not resolve: {0}")]
    Resolve(Arc<str>),
    /// No connection within `socket.connection.setup.timeout.ms`.
    #[error("no connection within socket.connection.setup.timeout.ms")]
    SetupTimeout,
}

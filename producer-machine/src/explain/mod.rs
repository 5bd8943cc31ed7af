//! What the machine tells a person: what something waits for, since when, and what comes next.
//!
//! ```
//! use kafka_producer_machine::explain::{State, Subject};
//! use kafka_producer_machine::{Config, Instant, ProducerMachine, Seed};
//!
//! let config = Config::from_properties([("bootstrap.servers", "b0:9092")])?;
//! let machine = ProducerMachine::new(Instant::ORIGIN, config, Seed::new(1));
//! let explanation = machine.explain(Instant::ORIGIN, Subject::Producer);
//! println!("{explanation}");
//! if let State::Producer(producer) = &explanation.state {
//!     assert_eq!(producer.buffer_used, 0);
//! }
//! # Ok::<(), kafka_producer_machine::ConfigError>(())
//! ```
//!
//! An [`Explanation`] is a value with everything in it; its `Display` makes one or two sentences
//! of that, in Kafka's terms. It is made on call, from the state as it is: nothing is kept for it
//! on the hot path.

mod text;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use crate::{DisconnectReason, ErrorCode, FatalError, Instant, Outcome, TopicHandle};

/// What is to be explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Subject {
    /// A broker, by its id.
    Broker(i32),
    /// A partition of a topic.
    Partition(TopicHandle, u32),
    /// The whole producer, with the partition that has waited longest.
    Producer,
    /// A topic.
    Topic(TopicHandle),
}

/// What something waits for, since when, and what happens next. `Display` says it in sentences.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// What this is about, as an operator would name it: `orders-3`, `broker 2 (b2:9092)`.
    pub subject: String,
    /// When this was true.
    pub now: Instant,
    /// What it waits for.
    pub state: State,
    /// Since when, where that is known.
    pub since: Option<Instant>,
    /// What happens if nothing else does.
    pub next: Option<Next>,
    /// The oldest record that is not resolved, if there is one.
    pub oldest: Option<Oldest>,
}

/// The state of what is explained.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// Of a broker.
    Broker(BrokerState),
    /// Of a partition.
    Partition(PartitionState),
    /// Of the producer.
    Producer(Box<ProducerState>),
    /// Of a topic.
    Topic(TopicState),
    /// Nothing of this id or handle is known.
    Unknown,
}

/// What a partition waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PartitionState {
    /// The end of the backoff after a failed attempt.
    BackingOff {
        /// The last answer; NETWORK_EXCEPTION stands for a lost connection.
        error: ErrorCode,
        /// How often the batch was tried.
        attempts: u32,
        /// Whether the batch may have been written all the same.
        outcome: Outcome,
    },
    /// Nothing: the producer is closed.
    Closed,
    /// A thread that compresses its batch.
    Compressing {
        /// Bytes to compress.
        bytes: usize,
    },
    /// Room in the buffer for the copy that a thread would make of its batch.
    CopyRoom {
        /// Bytes to compress.
        bytes: usize,
    },
    /// Batches that are outstanding must end, or a producer id come; then the partition goes on
    /// under a new epoch.
    EpochBump {
        /// Batches with a number that have not ended.
        outstanding: u32,
    },
    /// Nothing: the producer can do nothing more.
    Fatal(FatalError),
    /// An answer to batches whose records were given up already.
    GivenUp {
        /// The broker that has them.
        leader: Node,
        /// How many requests.
        requests: u32,
    },
    /// Another broker than the last to say whether a batch of unknown fate is in the log: the
    /// last one does not know the sequence.
    InDoubt {
        /// What the last one answered.
        error: ErrorCode,
        /// How often the batch was tried.
        attempts: u32,
    },
    /// More partitions: the topic was created anew with fewer, and this one is not among them.
    Gone {
        /// How many it has.
        partitions: u32,
    },
    /// The leader's answer.
    InFlight {
        /// The broker that has the requests.
        leader: Node,
        /// How many requests of this partition are not answered.
        requests: u32,
        /// Batches that wait behind them.
        behind: u32,
        /// Whether that broker still leads the partition.
        is_leader: bool,
        /// Whether one of them was sent before, and may have been written then.
        outcome: Outcome,
    },
    /// A slot: the leader has as many requests as `max.in.flight.requests.per.connection` allows.
    InFlightLimit {
        /// The leader.
        leader: Node,
        /// How many requests it has.
        in_flight: usize,
    },
    /// A connection to the leader that carries requests.
    LeaderUnavailable {
        /// The leader.
        leader: Node,
        /// How far the connection is.
        link: Link,
    },
    /// More records, for `linger.ms`.
    Lingering {
        /// How many it has.
        records: u32,
        /// Their bytes.
        bytes: usize,
    },
    /// A leader: metadata names none.
    NoLeader,
    /// A producer id and epoch.
    NoProducerId,
    /// The topic has fewer partitions; records for this one are held.
    NotInTopic {
        /// How many it has.
        partitions: u32,
        /// How many records are held.
        held: u32,
    },
    /// Nothing: it has nothing to send.
    Nothing,
    /// Its turn in the next request to the leader.
    Queued {
        /// The leader.
        leader: Node,
        /// How many partitions are before it.
        ahead: usize,
    },
    /// The leader throttles this producer (KIP-219).
    Throttled {
        /// The leader.
        leader: Node,
    },
    /// Nothing, or records are held: the topic itself is the reason.
    Topic(TopicState),
}

/// A broker, or an address that stands for one until its id is known.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Node {
    /// The broker's id; `None` for an address of `bootstrap.servers`.
    pub id: Option<i32>,
    /// Host and port.
    pub address: Arc<str>,
}

/// How far a connection to a broker is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Link {
    /// The last one was lost or never made: the next try waits for `reconnect.backoff.ms`.
    BackingOff {
        /// Why, if there ever was one.
        last: Option<DisconnectReason>,
    },
    /// The driver is connecting.
    Connecting,
    /// There is none, and nobody has anything for the broker.
    Down {
        /// Why the last one ended, if it did so by itself.
        last: Option<DisconnectReason>,
    },
    /// The broker's address has changed: this connection ends once nothing is in flight on it.
    Leaving {
        /// How many are not answered.
        in_flight: usize,
    },
    /// The broker is asked which versions it speaks.
    Negotiating,
    /// It carries requests.
    Ready {
        /// How many are not answered.
        in_flight: usize,
    },
    /// It carries requests again once the broker's quota allows.
    Throttled {
        /// How many are not answered.
        in_flight: usize,
    },
}

/// How it is with a broker.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BrokerState {
    /// The connection; of several (`connections.per.broker`) the one that is missed most, or has
    /// the oldest request.
    pub link: Link,
    /// How many connections carry requests.
    pub connected: usize,
    /// How many there may be.
    pub lanes: usize,
    /// How many partitions have something ready for it.
    pub waiting: usize,
    /// Since when it has owed an answer, if that is longer than `request.timeout.ms`.
    pub silent_since: Option<Instant>,
    /// Whether the newest metadata names it.
    pub named: bool,
}

/// How it is with a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TopicState {
    /// It is known.
    Known {
        /// How many partitions it has.
        partitions: u32,
        /// How many of them have no leader.
        leaderless: u32,
    },
    /// The cluster refuses it.
    Refused {
        /// INVALID_TOPIC_EXCEPTION or TOPIC_AUTHORIZATION_FAILED.
        code: ErrorCode,
    },
    /// Metadata does not name it; what is sent to it is held for `max.block.ms`.
    Unknown {
        /// How many records are held.
        held: u32,
        /// Address and reason of the last failure, if no broker has ever told anything.
        trouble: Option<Arc<str>>,
    },
}

/// How it is with the producer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProducerState {
    /// Whether it takes records.
    pub life: ProducerLife,
    /// Bytes of `buffer.memory` in use.
    pub buffer_used: usize,
    /// `buffer.memory`.
    pub buffer_total: usize,
    /// How many wait for room.
    pub waiters: usize,
    /// How many of them stand aside for others, since their broker is silent.
    pub aside: usize,
    /// How many flushes have not ended.
    pub flushes: usize,
    /// How many connections carry requests.
    pub connections: usize,
    /// What is known of the cluster.
    pub metadata: MetadataState,
    /// Producer id and epoch.
    pub identity: IdentityState,
    /// The partition, or the topic, whose record has waited longest.
    pub slowest: Option<Explanation>,
    /// Brokers that cannot be used now, or could not be when somebody last tried.
    pub troubles: Vec<Explanation>,
}

/// How long a producer has to live.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProducerLife {
    /// Everything is resolved.
    Closed,
    /// It takes nothing more; what is left fails at this instant.
    Closing(Instant),
    /// It can do nothing more.
    Fatal(FatalError),
    /// It takes records.
    Open,
}

/// How old metadata is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MetadataState {
    /// When a broker last told everything.
    pub refreshed: Option<Instant>,
    /// When somebody is asked next; `None` while a request is in flight.
    pub due: Option<Instant>,
    /// Address and reason of the last failure, if no broker has ever told anything.
    pub trouble: Option<Arc<str>>,
}

/// How it is with producer id and epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdentityState {
    /// A broker has been asked.
    Asking,
    /// In use.
    Known {
        /// The producer id.
        producer_id: i64,
        /// The epoch.
        producer_epoch: i16,
    },
    /// Idempotence is off.
    Off,
    /// A broker is asked from this instant on.
    Wanted(Instant),
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Next {
    /// What.
    pub step: Step,
    /// When, at the latest; `None` if that depends on others.
    pub at: Option<Instant>,
}

/// What the producer does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Step {
    /// Metadata is asked for.
    AskMetadata,
    /// Metadata is asked for as soon as any broker is connected.
    AskOnceConnected,
    /// A producer id is asked for.
    AskProducerId,
    /// The broker is connected.
    Connect,
    /// The batch is closed for `linger.ms`, and sent.
    EndLinger,
    /// The broker takes requests again.
    EndThrottle,
    /// What is not delivered fails.
    Fail,
    /// The connection is closed for `connections.max.idle.ms`.
    GoIdle,
    /// The request is given up for `request.timeout.ms`, and its batches are sent again.
    GiveUpRequest,
    /// The connection is given up for `socket.connection.setup.timeout.ms`, and tried again.
    GiveUpSetup,
    /// The batch is sent again.
    SendAgain,
}

/// The oldest record that is not resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Oldest {
    /// When it was accepted.
    pub accepted: Instant,
    /// When it fails.
    pub deadline: Instant,
    /// The setting that says so: `delivery.timeout.ms`, or `max.block.ms` while it is held.
    pub setting: &'static str,
}

impl Explanation {
    /// How long it has waited so, where that is known.
    pub fn waited(&self) -> Option<Duration> {
        self.since.map(|since| self.now.since(since))
    }
}

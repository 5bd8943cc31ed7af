//! A Kafka cluster as one pure value: requests and the wall clock in, answers out.
//!
//! As strict as real Kafka where a producer can tell the difference: which check comes first, what
//! an error says besides its code, what a broker remembers of a producer.
//!
//! ```text
//! frame ──Request::parse──> Request ──Cluster::answer──> Step::Done(Reply)
//!        (no cluster needed)                        └──> Step::Wait ──Cluster::resume──> Step
//! ```
//!
//! **Invariants.**
//! - There is no I/O, no clock and no entropy: the same inputs give the same outputs.
//! - A request is answered at once or by its ticket, never both, and executed exactly once.
//! - A connection is the caller's business: it hands in one request, does what the reply says, and
//!   only then hands in the next one (K4).

mod admin;
mod append;
mod control;
mod coordinator;
mod examine;
mod fetch;
mod inject;
mod inspect;
mod log;
mod metadata;
mod offsets;
mod produce;
#[cfg(test)]
mod produce_tests;
#[cfg(test)]
mod produce_wait_tests;
mod producer_state;
mod reply;
mod request;
#[cfg(test)]
mod sequence_tests;
#[cfg(test)]
mod testing;
mod topic;
mod versions;

use std::collections::BTreeMap;
use std::fmt;

use kafka_producer_proto::Uuid;

use crate::chance::Chance;

use self::fetch::ParkedFetch;
use self::inject::{Injections, Target};
use self::produce::ParkedProduce;
use self::request::{Body, Head};
use self::topic::{Leadership, Topic};

pub use kafka_producer_proto::{ApiKey, ErrorCode};

pub use self::inject::{Injection, Place};
pub use self::inspect::{PartitionCount, StoredBatch, StoredRecord};
pub use self::producer_state::{DuplicateAnswer, UnknownProducer};
pub use self::reply::{Reply, Step, Then, Ticket};
pub use self::request::{Request, Unanswerable};
pub(crate) use self::topic::legal_topic;
pub use self::topic::{Cleanup, Timestamps, TopicConfig};

/// A broker's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BrokerId(pub i32);

impl From<i32> for BrokerId {
    fn from(id: i32) -> Self {
        Self(id)
    }
}

impl fmt::Display for BrokerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The whole cluster.
#[derive(Debug)]
pub struct Cluster {
    /// How this cluster behaves where real ones differ.
    pub knobs: Knobs,
    id: Uuid,
    /// The latest wall clock that any input brought, for the verbs that tests call.
    clock: i64,
    ids: Chance,
    brokers: BTreeMap<BrokerId, Broker>,
    topics: BTreeMap<String, Topic>,
    names: BTreeMap<Uuid, String>,
    next_producer_id: i64,
    injections: Injections,
    throttles: Vec<i32>,
    parked: BTreeMap<Ticket, Parked>,
    next_ticket: u64,
    stored_bytes: usize,
    history: Option<Vec<StoredBatch>>,
}

/// How a cluster behaves where real ones differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Knobs {
    /// What becomes of a topic that is asked for and missing.
    pub auto_create: AutoCreate,
    /// How many partitions such a topic gets (`num.partitions`).
    pub auto_create_partitions: u32,
    /// How a batch that was written before is answered (C9).
    pub duplicates: DuplicateAnswer,
    /// The epoch that a fresh producer id begins with: 0 in Kafka. One near 32,767 shows what a
    /// producer does when its epochs are used up.
    pub first_epoch: i16,
    /// Whether NOT_LEADER_OR_FOLLOWER names the leader (KIP-951).
    pub leader_hints: LeaderHints,
    /// How much later metadata tells what has changed.
    pub metadata_lag_ms: i64,
    /// `producer.id.expiration.ms`.
    pub producer_id_expiration_ms: i64,
    /// How much later followers have what a leader appended.
    pub replication_delay_ms: i64,
    /// How much the logs of all partitions may hold together; the oldest batches go first.
    pub retention_bytes: usize,
    /// How a producer is met that a partition does not know (C14).
    pub unknown_producer: UnknownProducer,
}

/// What becomes of a topic that is asked for and missing (`auto.create.topics.enable`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AutoCreate {
    /// It is created and can be used at once.
    AtOnce,
    /// It is created; until it can be used, metadata answers `first`: 3 on 3.9 and 4.3, 5 on 2.8.
    Later {
        /// How much later.
        delay_ms: i64,
        /// What metadata answers until then.
        first: ErrorCode,
    },
    /// It stays unknown.
    Off,
}

/// Whether NOT_LEADER_OR_FOLLOWER names the leader (KIP-951).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaderHints {
    /// As brokers before 3.7 do.
    Missing,
    /// As brokers since 3.7 do.
    Given,
}

/// One broker.
#[derive(Clone, Debug)]
struct Broker {
    host: String,
    port: u16,
    rack: Option<String>,
    state: BrokerState,
}

/// Whether a broker serves requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BrokerState {
    Down,
    /// It has restarted, and its first InitProducerId is answered with 14 (seen on 4.3.1).
    Loading,
    Up,
}

/// A request that waits for the log.
#[derive(Debug)]
enum Parked {
    Fetch(Box<ParkedFetch>),
    Produce(ParkedProduce),
}

impl Broker {
    fn is_up(&self) -> bool {
        self.state != BrokerState::Down
    }
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            auto_create: AutoCreate::AtOnce,
            auto_create_partitions: 1,
            duplicates: DuplicateAnswer::Original,
            first_epoch: 0,
            leader_hints: LeaderHints::Given,
            metadata_lag_ms: 0,
            producer_id_expiration_ms: 86_400_000,
            replication_delay_ms: 0,
            retention_bytes: 512 * 1024 * 1024,
            unknown_producer: UnknownProducer::AnySequence,
        }
    }
}

impl Cluster {
    /// A cluster without brokers and topics, whose ids follow from `seed`.
    pub fn new(seed: u64) -> Self {
        let mut ids = Chance::new(seed);
        Self {
            knobs: Knobs::default(),
            id: next_uuid(&mut ids),
            clock: 0,
            ids,
            brokers: BTreeMap::new(),
            topics: BTreeMap::new(),
            names: BTreeMap::new(),
            next_producer_id: 1000,
            injections: Injections::default(),
            throttles: Vec::new(),
            parked: BTreeMap::new(),
            next_ticket: 0,
            stored_bytes: 0,
            history: None,
        }
    }

    /// Hands a frame, without its size, to a broker. `now` is the wall clock in milliseconds.
    pub fn handle(&mut self, now: i64, broker: BrokerId, frame: &[u8]) -> Step {
        match Request::parse(frame) {
            Ok(request) => self.answer(now, broker, request),
            Err(_) => Step::Done(Reply::silence(Then::Close)),
        }
    }

    /// Hands a request to a broker. One that is down closes the connection.
    pub fn answer(&mut self, now: i64, broker: BrokerId, request: Request) -> Step {
        self.advance(now);
        if !self.is_up(broker) {
            return Step::Done(Reply::silence(Then::Close));
        }
        let Request { head, body } = request;
        let reply = match body {
            Body::Fetch(request) => return self.on_fetch(broker, head, request),
            Body::Produce(request) => return self.on_produce(broker, head, request),
            Body::ApiVersions(request) => Reply::answer(head, &versions::answer(&request)),
            Body::CreateTopics(request) => Reply::answer(head, &self.on_create_topics(request)),
            Body::DeleteTopics(request) => Reply::answer(head, &self.on_delete_topics(request)),
            Body::DescribeCluster => Reply::answer(head, &self.on_describe_cluster(broker)),
            Body::DescribeConfigs(request) => {
                Reply::answer(head, &self.on_describe_configs(&request))
            }
            Body::FindCoordinator(request) => {
                Reply::answer(head, &coordinator::on_find_coordinator(&request))
            }
            Body::InitProducerId(request) => {
                Reply::answer(head, &self.on_init_producer_id(broker, &request))
            }
            Body::ListOffsets(request) => {
                Reply::answer(head, &self.on_list_offsets(broker, head, request))
            }
            Body::Metadata(request) => {
                Reply::answer(head, &self.on_metadata(broker, head, request))
            }
            Body::UnknownApiVersions => {
                // The client cannot know another form yet.
                Reply::answer(Head { version: 0, ..head }, &versions::refusal())
            }
        };
        Step::Done(reply)
    }

    /// Asks again for an answer that had to wait. An unknown ticket closes the connection:
    /// its broker has stopped.
    pub fn resume(&mut self, now: i64, ticket: Ticket) -> Step {
        self.advance(now);
        match self.parked.remove(&ticket) {
            Some(Parked::Fetch(fetch)) => self.resume_fetch(ticket, fetch),
            Some(Parked::Produce(produce)) => self.resume_produce(ticket, produce),
            None => Step::Done(Reply::silence(Then::Close)),
        }
    }

    /// Forgets an answer that nobody waits for any more. What was appended stays.
    pub fn abandon(&mut self, ticket: Ticket) {
        self.parked.remove(&ticket);
    }

    /// Whether any request waits for the log.
    pub fn has_parked(&self) -> bool {
        !self.parked.is_empty()
    }

    /// Tells the wall clock in milliseconds; every request does so too. Time never goes back.
    pub fn advance(&mut self, now: i64) {
        self.clock = self.clock.max(now);
    }

    fn park(&mut self, parked: Parked, until: i64) -> Step {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        self.park_again(ticket, parked, until)
    }

    fn park_again(&mut self, ticket: Ticket, parked: Parked, until: i64) -> Step {
        self.parked.insert(ticket, parked);
        Step::Wait { ticket, until }
    }

    /// The name behind an id or a name, if this topic exists and has become visible to brokers.
    fn resolve<'a>(&'a self, by_id: ById, name: &'a str, id: Uuid) -> Option<&'a str> {
        match by_id {
            ById::No => Some(name),
            ById::Yes => self.names.get(&id).map(String::as_str),
        }
    }

    fn injected(&mut self, target: Target<'_>) -> Option<(ErrorCode, Place)> {
        self.injections.take(target)
    }

    fn leader_named(&self, leadership: Leadership) -> i32 {
        leadership.leader.map_or(NO_BROKER, |leader| leader.0)
    }
}

/// Whether a request names topics by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ById {
    No,
    Yes,
}

impl ById {
    /// As an API does that changed from names to ids with version `since`.
    const fn since(since: i16, version: i16) -> Self {
        if version < since { Self::No } else { Self::Yes }
    }

    /// What such a topic that does not exist is answered.
    const fn unknown(self) -> ErrorCode {
        match self {
            Self::No => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            Self::Yes => ErrorCode::UNKNOWN_TOPIC_ID,
        }
    }
}

/// An id for a cluster or a topic.
fn next_uuid(ids: &mut Chance) -> Uuid {
    let high = u128::from(ids.next_u64());
    Uuid::from_bytes((high << 64 | u128::from(ids.next_u64())).to_be_bytes())
}

/// The number that stands for no broker.
const NO_BROKER: i32 = -1;

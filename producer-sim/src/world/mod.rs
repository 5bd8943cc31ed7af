//! A producer and a cluster in virtual time: every delay, every fault and every choice out of one
//! seed, and oracles that say at the end whether the producer kept its promises.
//!
//! ```text
//!  application ──send──> ProducerMachine ──frames──> network ──> hosts ──> Cluster
//!       ▲                      │  ▲                     ▲
//!    ledger <───completions────┘  └── time ── loop ── faults
//! ```
//!
//! A test reads as a story:
//!
//! ```
//! use kafka_producer_sim::world::World;
//!
//! let mut world = World::new(1).brokers(2).topic("orders", 1);
//! world.produce("orders", 3);
//! world.run_until_idle();
//! assert_eq!(world.log("orders", 0).sequences(), [0, 1, 2]);
//! world.verify();
//! ```
//!
//! **Invariants.** The same seed and the same verbs give the same run, byte for byte
//! ([`World::trace`]). The world uses nothing of the producer but its public surface.

mod amnesia;
mod app;
mod campaign;
mod contents;
mod discipline;
mod distort;
mod faults;
mod followers;
mod goals;
mod hosts;
mod ledger;
mod network;
mod oracle;
mod promptness;
mod rules;
mod run;
mod verbs;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kafka_producer_machine::{
    Compressor, Config, ConnectionId, FlushId, Instant, ProducerMachine, Seed, SendError, Unsealed,
};

use self::amnesia::Amnesia;
use self::app::{Backlog, Mood};
use self::distort::Distortions;
use self::faults::Troubles;
use self::ledger::Ledger;
use self::network::{Agenda, Link, Weather};
use self::promptness::Promptness;
use self::rules::Rules;
use self::run::Trace;
use self::watch::Watch;
use crate::chance::Chance;
use crate::cluster::{BrokerId, Cluster, StoredRecord, legal_topic};

pub use self::campaign::{Verdict, run_seed};
pub use self::goals::{Goal, Goals};
pub use self::ledger::{RecordId, Resolution};
pub use self::verbs::BrokerVerbs;

/// A producer, a cluster, the network between them, and time.
#[derive(Debug)]
pub struct World {
    seed: u64,
    settings: BTreeMap<String, String>,
    first_sequence: i32,
    rules: Rules,
    mood: Mood,
    /// Whether nothing has gone wrong.
    is_calm: bool,
    amnesia: Amnesia,
    now: Instant,
    machine: ProducerMachine,
    cluster: Cluster,
    links: BTreeMap<ConnectionId, Link>,
    agenda: Agenda,
    weather: Weather,
    troubles: Troubles,
    distortions: Distortions,
    promptness: Promptness,
    network: Chance,
    workload: Chance,
    ledger: Ledger,
    watch: Watch,
    backlog: Backlog,
    flushes: BTreeMap<FlushId, u64>,
    /// How many records were accepted when the last flush began.
    flushed_to: u64,
    /// The topics that records are sent to, and the partitions that each ought to have.
    topics: BTreeMap<String, Partitions>,
    frame: Unsealed,
    compressor: Compressor,
    trace: Trace,
    notes: Vec<String>,
    idle_ticks: u32,
    is_fatal: bool,
    closes_at: Option<Instant>,
    is_closed: bool,
    /// When nothing was to linger any more for the last time.
    hurried_at: Option<Instant>,
    /// Connections whose socket was full.
    writing: BTreeSet<ConnectionId>,
    /// Until when a batch may be with a worker.
    jobs_until: Instant,
}

/// What has become of a topic.
#[derive(Debug, Default)]
struct Partitions {
    /// How many it ought to have.
    count: u32,
    /// How often it was deleted.
    deletions: u32,
}

/// What a partition holds, to be asked.
#[derive(Clone, Debug)]
pub struct LogView {
    records: Vec<StoredRecord>,
}

impl World {
    /// A world with one broker and a producer with its defaults.
    pub fn new(seed: u64) -> Self {
        let mut cluster = Cluster::new(Chance::stream(seed, "cluster").next_u64());
        cluster.advance(WALL_AT_ORIGIN);
        cluster.keep_history();
        let settings = BTreeMap::new();
        let config = config_of(&settings, 1);
        let rules = Rules::of(&settings, &config);
        let world = Self {
            seed,
            settings,
            first_sequence: 0,
            rules,
            mood: Mood::Steady,
            is_calm: true,
            amnesia: Amnesia::default(),
            now: Instant::ORIGIN,
            machine: ProducerMachine::new(Instant::ORIGIN, config, Seed::new(seed)),
            cluster,
            links: BTreeMap::new(),
            agenda: Agenda::default(),
            weather: Weather::default(),
            troubles: Troubles::default(),
            distortions: Distortions::default(),
            promptness: Promptness::default(),
            network: Chance::stream(seed, "network"),
            workload: Chance::stream(seed, "workload"),
            ledger: Ledger::default(),
            watch: Watch::default(),
            backlog: Backlog::default(),
            flushes: BTreeMap::new(),
            flushed_to: 0,
            topics: BTreeMap::new(),
            frame: Unsealed::new(),
            compressor: Compressor::new(),
            trace: Trace::default(),
            notes: Vec::new(),
            idle_ticks: 0,
            is_fatal: false,
            closes_at: None,
            is_closed: false,
            hurried_at: None,
            writing: BTreeSet::new(),
            jobs_until: Instant::ORIGIN,
        };
        world.brokers(1)
    }

    /// The same world with so many brokers.
    #[must_use]
    pub fn brokers(mut self, brokers: u32) -> Self {
        for id in (0..brokers).zip(0..).map(|(_, id)| id) {
            self.cluster.add_broker(id, &format!("b{id}"), 9092);
        }
        self.with_new_producer()
    }

    /// The same world with a topic.
    ///
    /// # Panics
    /// No broker of Kafka would take that name, or there is no partition.
    #[must_use]
    pub fn topic(mut self, name: &str, partitions: u32) -> Self {
        legal_topic(name, partitions).unwrap_or_else(|what| verbs::refuse(&what));
        self.cluster.create_topic(name, partitions);
        self.expect_topic(name, partitions);
        self
    }

    /// The same world with another setting of the producer, by Kafka's name and as text: what
    /// only a builder can take, such as a partitioner of one's own, has no place in a world.
    ///
    /// # Panics
    /// There is no such setting, or it does not take that value.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.insert(name.into(), value.into());
        self.with_new_producer()
    }

    /// The same world with sequences that begin here in every partition: near 2147483647 they
    /// soon begin again with 0.
    #[must_use]
    pub fn first_sequence(mut self, first: i32) -> Self {
        self.first_sequence = first;
        self.with_new_producer()
    }

    /// Nothing has happened yet, so a producer more or less makes no difference.
    fn with_new_producer(mut self) -> Self {
        let brokers = self.broker_ids().len();
        let config = config_of(&self.settings, brokers);
        self.rules = Rules::of(&self.settings, &config);
        let seed = Seed::new(Chance::stream(self.seed, "machine").next_u64());
        self.machine = ProducerMachine::new(self.now, config, seed);
        self.machine.begin_sequences_at(self.first_sequence);
        self.rules.first_sequence = self.first_sequence;
        self
    }

    /// What became of a record that was taken; `None` while it is pending, and for one that was
    /// [refused](Self::refusal).
    pub fn resolution(&self, id: RecordId) -> Option<&Resolution> {
        self.ledger
            .entry(id)
            .resolution
            .as_ref()
            .map(|(_, resolution)| resolution)
    }

    /// Why the producer did not take a record; `None` if it did, or if the record still waits for
    /// room. [`SendError::Full`] tells of one that found none within `max.block.ms`, which the
    /// handle calls `ProducerError::BufferFull`.
    ///
    /// ```
    /// use kafka_producer_machine::{Record, SendError};
    /// use kafka_producer_sim::world::World;
    ///
    /// let mut world = World::new(1)
    ///     .topic("orders", 1)
    ///     .setting("max.request.size", "1000");
    /// let id = world.send(&Record::to("orders").value(&[0; 2000]));
    /// assert!(matches!(world.refusal(id), Some(SendError::TooLarge { .. })));
    /// assert_eq!(world.resolution(id), None);
    /// ```
    pub fn refusal(&self, id: RecordId) -> Option<&SendError> {
        self.ledger.entry(id).refusal.as_ref()
    }

    /// When a record was resolved, counted from when it was accepted.
    pub fn time_taken(&self, id: RecordId) -> Option<Duration> {
        let entry = self.ledger.entry(id);
        Some(entry.resolution.as_ref()?.0.since(entry.accepted?.0))
    }

    /// How many accepted records are not resolved.
    pub fn pending(&self) -> usize {
        self.ledger.pending()
    }

    /// How many records were acknowledged.
    pub fn acked(&self) -> usize {
        self.ledger.acked.len()
    }

    /// Whether the producer has said that it is closed.
    pub const fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// The virtual time.
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// A number that stands for the whole run: the same seed and verbs give the same one (Z1).
    pub const fn trace(&self) -> u64 {
        self.trace.hash()
    }

    /// The faults that befell this world and when, those included that the story asked for, and
    /// the producer's fatal end. What [`with_cluster`](Self::with_cluster) does is not noted.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Records will be sent to this topic, which has so many partitions, or will have.
    fn expect_topic(&mut self, name: &str, partitions: u32) {
        self.topics.entry(name.into()).or_default().count = partitions;
    }

    /// Whether any partition has no leader.
    fn leaderless(&self) -> bool {
        let mut partitions = self.cluster.topics().flat_map(|topic| {
            let count = self.cluster.partition_count(topic).unwrap_or(0);
            (0..count).map(move |partition| (topic, partition))
        });
        partitions.any(|(topic, partition)| self.cluster.leader(topic, partition).is_none())
    }

    fn note(&mut self, what: String) {
        self.notes.push(format!("{:?} {what}", self.now));
    }

    fn broker_ids(&self) -> Vec<BrokerId> {
        self.cluster.broker_ids().collect()
    }

    /// The wall clock in milliseconds.
    fn wall(&self) -> i64 {
        let millis = i64::try_from(self.now.as_micros() / 1000).unwrap_or(i64::MAX);
        WALL_AT_ORIGIN.saturating_add(millis)
    }

    /// When the wall clock shows this.
    fn instant_of(&self, wall: i64) -> Instant {
        let millis = u64::try_from(wall.saturating_sub(WALL_AT_ORIGIN)).unwrap_or(0);
        Instant::from_millis(millis)
    }

    /// Longer than anything may take.
    fn patience(&self) -> Duration {
        self.rules.delivery_timeout + self.rules.max_block + Duration::from_secs(60)
    }
}

impl LogView {
    /// The records.
    pub fn records(&self) -> &[StoredRecord] {
        &self.records
    }

    /// Their sequences.
    pub fn sequences(&self) -> Vec<i32> {
        self.records.iter().map(|record| record.sequence).collect()
    }

    /// Their epochs.
    pub fn epochs(&self) -> Vec<i16> {
        self.records
            .iter()
            .map(|record| record.producer_epoch)
            .collect()
    }

    /// Their values, as text.
    pub fn values(&self) -> Vec<String> {
        let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
        self.records
            .iter()
            .map(|record| record.value.as_ref().map_or_else(String::new, text))
            .collect()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
}

#[expect(
    clippy::panic,
    reason = "a test that sets what no producer takes is wrong"
)]
fn config_of(settings: &BTreeMap<String, String>, brokers: usize) -> Config {
    let servers: Vec<String> = (0..brokers.max(1))
        .map(|id| format!("b{id}:9092"))
        .collect();
    let servers = servers.join(",");
    let given = settings
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let all = given.chain([("bootstrap.servers", servers.as_str())]);
    Config::from_properties(all).unwrap_or_else(|error| panic!("{error}"))
}

/// What the wall clock shows when virtual time begins.
const WALL_AT_ORIGIN: i64 = 1_700_000_000_000;

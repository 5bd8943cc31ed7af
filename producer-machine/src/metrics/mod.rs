//! What the producer has done, in numbers: a snapshot under the names of Java's producer.
//!
//! ```text
//! machine's roads ──one call per batch or request──> Meter
//! Meter ──metrics(now)──> Metrics ──iter──> Metric
//!                           └── later.since(&earlier): rates and means over a span
//! ```
//!
//! The machine keeps totals only, and a snapshot copies them. What Java reckons over windows is
//! reckoned from two snapshots here, over any span that the caller likes:
//!
//! - `-total`, `-ns-total` and gauges are as of the later snapshot.
//! - `-rate`, `-ratio`, `-avg` and `-p50`, `-p95`, `-p99` are over the span between the two, or
//!   since the producer began if there is one only. With nothing to divide by they are NaN, but a
//!   rate is 0.
//! - `-max` is over the last 30 to 60 seconds, as Java's two windows of `metrics.sample.window.ms`
//!   have it, for a maximum cannot be had from a difference.
//!
//! **Invariants.** Nothing is counted for a record alone. No clock is read: the same inputs give
//! the same metrics.

mod meter;
#[cfg(feature = "prometheus")]
mod prometheus;
mod reading;
mod stat;
mod table;

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::brokers::NodeId;
use crate::{Instant, TopicHandle};

pub(crate) use meter::{Counts, Drained, Meter, NodeCounts, TopicCounts, Waiting};
use reading::Reading;
use table::Row;

/// A name under which a number is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricDefinition {
    /// The name, as in Java's producer.
    pub name: &'static str,
    /// The group, as in Java's producer.
    pub group: MetricGroup,
    /// What it is counted in.
    pub unit: MetricUnit,
    /// What it means, in a sentence.
    pub about: &'static str,
}

impl MetricDefinition {
    /// Every metric that there is.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        let producer = table::PRODUCER.iter().map(|row| &row.definition);
        let nodes = table::NODE.iter().map(|row| &row.definition);
        let topics = table::TOPIC.iter().map(|row| &row.definition);
        producer.chain(nodes).chain(topics)
    }

    /// The metrics of Java's producer that there are not, each with the reason.
    pub fn absent() -> impl Iterator<Item = (&'static str, &'static str)> {
        table::ABSENT.iter().copied()
    }
}

/// What a metric is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum MetricGroup {
    /// `app-info`: the program.
    AppInfo,
    /// `kafka-metrics-count`: the metrics themselves.
    MetricsCount,
    /// `producer-node-metrics`: one broker, or one address of `bootstrap.servers`.
    Node,
    /// `producer-metrics`: the whole producer.
    Producer,
    /// `producer-topic-metrics`: one topic.
    Topic,
}

impl MetricGroup {
    /// Java's name for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AppInfo => "app-info",
            Self::MetricsCount => "kafka-metrics-count",
            Self::Node => "producer-node-metrics",
            Self::Producer => "producer-metrics",
            Self::Topic => "producer-topic-metrics",
        }
    }
}

/// What a metric is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricUnit {
    /// Bytes.
    Bytes,
    /// Bytes a second.
    BytesPerSecond,
    /// Things.
    Count,
    /// Milliseconds.
    Milliseconds,
    /// Nanoseconds.
    Nanoseconds,
    /// Things a second.
    PerSecond,
    /// A part of something, mostly from 0 to 1.
    Ratio,
    /// Seconds.
    Seconds,
    /// Milliseconds since the Unix epoch.
    UnixMilliseconds,
}

impl MetricUnit {
    /// Its name in documentation.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::BytesPerSecond => "bytes/s",
            Self::Count => "count",
            Self::Milliseconds => "ms",
            Self::Nanoseconds => "ns",
            Self::PerSecond => "1/s",
            Self::Ratio => "ratio",
            Self::Seconds => "s",
            Self::UnixMilliseconds => "ms since 1970",
        }
    }
}

/// One number of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metric<'a> {
    /// Its name, group, unit and meaning.
    pub definition: &'static MetricDefinition,
    /// Whose number it is.
    pub subject: MetricSubject<'a>,
    /// The `client.id` of the producer, empty if it has none.
    pub client_id: &'a str,
    /// The number; NaN if nothing has happened that it could tell of.
    pub value: f64,
}

/// Whose number a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricSubject<'a> {
    /// That of a broker, or of an address of `bootstrap.servers`: these are −1, −2 and so on.
    Node(i32),
    /// That of the producer.
    Producer,
    /// That of a topic.
    Topic(&'a str),
}

impl<'a> Metric<'a> {
    /// The tags that Java gives it, in Java's order: `client-id`, and `node-id` or `topic`.
    pub fn tags(&self) -> impl Iterator<Item = (&'static str, Cow<'a, str>)> {
        let second = match self.subject {
            MetricSubject::Node(node) => Some(("node-id", Cow::Owned(format!("node-{node}")))),
            MetricSubject::Producer => None,
            MetricSubject::Topic(topic) => Some(("topic", Cow::Borrowed(topic))),
        };
        let first = ("client-id", Cow::Borrowed(self.client_id));
        core::iter::once(first).chain(second)
    }
}

/// As Java's `group:name:{tags}`.
impl fmt::Display for Metric<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MetricDefinition { name, group, .. } = self.definition;
        write!(f, "{}:{name}:{{", group.name())?;
        for (place, (key, value)) in self.tags().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}{key}={value}")?;
        }
        f.write_str("}")
    }
}

/// A snapshot of all metrics: a copy of the producer's counts.
///
/// ```
/// # use kafka_producer_machine::{Config, Instant, ProducerMachine, Seed};
/// # let config = Config::from_properties([("bootstrap.servers", "b1:9092")]).unwrap();
/// # let machine = ProducerMachine::new(Instant::ORIGIN, config, Seed::new(1));
/// let earlier = machine.metrics(Instant::from_millis(1_000));
/// // … a minute later:
/// let later = machine.metrics(Instant::from_millis(61_000));
///
/// let minute = later.since(&earlier);
/// assert_eq!(minute.producer("record-send-rate"), Some(0.0));
/// for metric in minute.iter() {
///     println!("{metric} {}", metric.value);
/// }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Metrics {
    client_id: Arc<str>,
    from: Instant,
    at: Instant,
    producer: Pair<Producer>,
    nodes: Vec<(i32, Pair<Node>)>,
    topics: Vec<(Arc<str>, Pair<TopicCounts>)>,
}

/// The counts at the end of the span, and those at its beginning.
#[derive(Clone, Debug, Default, PartialEq)]
struct Pair<T> {
    later: T,
    earlier: T,
}

/// The producer's counts and what is true of it now.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Producer {
    pub(crate) counts: Counts,
    pub(crate) gauges: Gauges,
}

/// A node's counts and what is true of it now.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Node {
    pub(crate) counts: NodeCounts,
    pub(crate) requests_in_flight: usize,
}

/// What is true at the moment of the snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Gauges {
    pub(crate) buffer_available: usize,
    pub(crate) buffer_total: usize,
    pub(crate) connections: usize,
    /// Nobody knows it but the driver.
    pub(crate) started_unix_ms: Option<i64>,
    pub(crate) waiting: usize,
}

/// What the machine knows besides what it has counted.
pub(crate) trait Facts {
    fn client_id(&self) -> Arc<str>;
    fn gauges(&self) -> Gauges;
    fn requests_in_flight(&self, node: NodeId) -> usize;
    fn topic_name(&self, topic: TopicHandle) -> Option<Arc<str>>;
}

impl Meter {
    /// A snapshot.
    pub(crate) fn snapshot(&self, now: Instant, facts: &impl Facts) -> Metrics {
        let mut counts = self.counts.clone();
        for level in [
            &mut counts.buffer_wait,
            &mut counts.flush,
            &mut counts.metadata_wait,
        ] {
            *level = level.at(now);
        }
        let nodes = self.nodes.iter().map(|(node, counts)| {
            let state = Node {
                counts: counts.clone(),
                requests_in_flight: facts.requests_in_flight(*node),
            };
            (node.0, Pair::begin(state))
        });
        let topics = (0..).map(TopicHandle).zip(&self.topics);
        let used = topics.filter(|(_, counts)| **counts != TopicCounts::default());
        let named = used.filter_map(|(topic, counts)| {
            let name = facts.topic_name(topic)?;
            Some((name, Pair::begin(*counts)))
        });
        Metrics {
            client_id: facts.client_id(),
            from: self.began,
            at: now,
            producer: Pair::begin(Producer {
                counts,
                gauges: facts.gauges(),
            }),
            nodes: nodes.collect(),
            topics: named.collect(),
        }
    }
}

impl Metrics {
    /// Every metric, each with its value: first the producer's, then those of brokers and of
    /// topics.
    pub fn iter(&self) -> impl Iterator<Item = Metric<'_>> {
        let producer = self.read(table::PRODUCER, MetricSubject::Producer, &self.producer);
        let nodes = self
            .nodes
            .iter()
            .flat_map(|(node, pair)| self.read(table::NODE, MetricSubject::Node(*node), pair));
        let topics = self
            .topics
            .iter()
            .flat_map(|(name, pair)| self.read(table::TOPIC, MetricSubject::Topic(name), pair));
        producer.chain(nodes).chain(topics)
    }

    /// The value of one of the producer's own metrics, such as `record-send-rate`.
    pub fn producer(&self, name: &str) -> Option<f64> {
        self.find(table::PRODUCER, name, &self.producer)
    }

    /// The value of one of a broker's metrics, such as `request-latency-avg`. Addresses of
    /// `bootstrap.servers` are −1, −2 and so on.
    pub fn node(&self, node: i32, name: &str) -> Option<f64> {
        let (_, pair) = self.nodes.iter().find(|(other, _)| *other == node)?;
        self.find(table::NODE, name, pair)
    }

    /// The value of one of a topic's metrics, such as `record-send-total`.
    pub fn topic(&self, topic: &str, name: &str) -> Option<f64> {
        let (_, pair) = self.topics.iter().find(|(other, _)| **other == *topic)?;
        self.find(table::TOPIC, name, pair)
    }

    /// The same snapshot, with rates and means of what came after `earlier`, a snapshot of the
    /// same producer.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut span = self.clone();
        span.from = earlier.at;
        span.producer.earlier = earlier.producer.later.clone();
        begin_after(&mut span.nodes, &earlier.nodes);
        begin_after(&mut span.topics, &earlier.topics);
        span
    }

    /// The span that rates and means are over.
    pub const fn span(&self) -> Duration {
        self.at.since(self.from)
    }

    /// The same snapshot with the wall clock's time at which the producer was started: for the
    /// driver, since the machine knows no wall clock.
    #[must_use]
    pub fn with_start_time(mut self, unix_ms: i64) -> Self {
        self.producer.later.gauges.started_unix_ms = Some(unix_ms);
        self
    }

    /// How many metrics there are.
    fn count(&self) -> usize {
        table::PRODUCER.len()
            + table::NODE.len() * self.nodes.len()
            + table::TOPIC.len() * self.topics.len()
    }

    fn read<'a, T>(
        &'a self,
        rows: &'static [Row<T>],
        subject: MetricSubject<'a>,
        pair: &'a Pair<T>,
    ) -> impl Iterator<Item = Metric<'a>> {
        rows.iter().map(move |row| Metric {
            definition: &row.definition,
            subject,
            client_id: &self.client_id,
            value: (row.read)(&self.reading(pair)),
        })
    }

    fn find<T>(&self, rows: &'static [Row<T>], name: &str, pair: &Pair<T>) -> Option<f64> {
        let row = rows.iter().find(|row| row.definition.name == name)?;
        Some((row.read)(&self.reading(pair)))
    }

    fn reading<'a, T>(&'a self, pair: &'a Pair<T>) -> Reading<'a, T> {
        Reading {
            metrics: self,
            later: &pair.later,
            earlier: &pair.earlier,
        }
    }

    /// How many requests are in flight in all.
    fn requests_in_flight(&self) -> usize {
        let nodes = self.nodes.iter();
        nodes.map(|(_, pair)| pair.later.requests_in_flight).sum()
    }
}

impl<T: Default> Pair<T> {
    /// From the beginning of the producer, when all was zero.
    fn begin(later: T) -> Self {
        Self {
            later,
            earlier: T::default(),
        }
    }
}

/// Lets the span of each subject begin where `earlier` ends. Both are in the same order, and none
/// is ever taken out.
fn begin_after<K: PartialEq, T: Clone + Default>(
    span: &mut [(K, Pair<T>)],
    earlier: &[(K, Pair<T>)],
) {
    let mut rest = earlier.iter().peekable();
    for (key, pair) in span {
        let before = rest.next_if(|(other, _)| other == key);
        pair.earlier = before.map_or_else(T::default, |(_, pair)| pair.later.clone());
    }
}

/// The table of all metrics, for the documentation.
#[doc(hidden)]
pub fn markdown() -> String {
    table::markdown()
}

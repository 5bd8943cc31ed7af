//! The metrics as Prometheus reads them: its text exposition format, version 0.0.4.
//!
//! Names and units are Prometheus's, not Java's: base units, `_total` for what only grows, and
//! totals in place of rates and means, since the server reckons those over any span by itself.
//! Only topics and brokers are labels; keys and texts of errors never are.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt::{Display, Write as _};

use super::stat::{Spread, Stat};
use super::{Metrics, Node, Producer, TopicCounts};

/// A counter of some subject: its name, what it means, and where it is.
type Counter<T> = (&'static str, &'static str, fn(&T) -> u64);
/// Time in microseconds, or a number of bytes.
type Summary<T> = (&'static str, &'static str, Scale, fn(&T) -> &Stat);

/// In what a number was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scale {
    Microseconds,
    One,
}

impl Metrics {
    /// The totals and gauges in Prometheus's text format, whatever span this snapshot is over.
    ///
    /// Serve it under the content type `text/plain; version=0.0.4`.
    ///
    /// ```
    /// # use kafka_producer_machine::{Config, Instant, ProducerMachine, Seed};
    /// # let config = Config::from_properties([("bootstrap.servers", "b1:9092")]).unwrap();
    /// # let machine = ProducerMachine::new(Instant::ORIGIN, config, Seed::new(1));
    /// let page = machine.metrics(Instant::from_millis(5)).to_prometheus();
    /// assert!(page.contains("# TYPE kafka_producer_buffer_total_bytes gauge\n"));
    /// ```
    #[cfg_attr(docsrs, doc(cfg(feature = "prometheus")))]
    pub fn to_prometheus(&self) -> String {
        let mut page = Page {
            text: String::new(),
            client: label("client_id", &self.client_id),
        };
        self.write_gauges(&mut page);
        for (name, help, count) in PRODUCER {
            page.family(name, "counter", help);
            page.sample(name, "", count(&self.producer.later));
        }
        let counts = &self.producer.later.counts;
        let times = [
            (
                "buffer_wait",
                "senders have waited for room",
                counts.buffer_wait,
            ),
            ("flush", "flushes have taken", counts.flush),
            (
                "metadata_wait",
                "the partitions of topics were waited for",
                counts.metadata_wait,
            ),
        ];
        for (name, help, level) in times {
            let name = format!("{name}_seconds_total");
            let help = format!("How long {help}, summed over all of them.");
            page.family(&name, "counter", &help);
            page.sample(&name, "", seconds(level.spent));
        }
        for summary in SUMMARIES {
            page.summary(summary, [("", &self.producer.later)].into_iter());
        }
        page.histogram(
            "request_duration_seconds",
            "From a Produce request to its answer.",
            &counts.request_latency,
        );
        page.histogram(
            "record_duration_seconds",
            "From the opening of a record's batch to its acknowledgement.",
            &counts.record_latency,
        );
        self.write_nodes(&mut page);
        self.write_topics(&mut page);
        page.text
    }

    fn write_gauges(&self, page: &mut Page) {
        let Producer { counts, gauges } = &self.producer.later;
        let version = label("version", env!("CARGO_PKG_VERSION"));
        page.family("info", "gauge", "The producer; always 1.");
        page.sample("info", &version, 1);
        if let Some(millis) = gauges.started_unix_ms {
            let help = "When the producer was started, in seconds since 1970.";
            page.family("start_time_seconds", "gauge", help);
            page.sample("start_time_seconds", "", millis as f64 / 1000.0);
        }
        if let Some(then) = counts.metadata_at {
            let help = "Time since a broker last described the cluster.";
            page.family("metadata_age_seconds", "gauge", help);
            let age = self.at.since(then).as_secs_f64();
            page.sample("metadata_age_seconds", "", age);
        }
        let now = [
            (
                "buffer_available_bytes",
                "What of buffer.memory nobody uses or has reserved.",
                gauges.buffer_available,
            ),
            ("buffer_total_bytes", "buffer.memory.", gauges.buffer_total),
            ("connections", "Connections that stand.", gauges.connections),
            (
                "waiting_senders",
                "Senders who wait for room.",
                gauges.waiting,
            ),
        ];
        for (name, help, value) in now {
            page.family(name, "gauge", help);
            page.sample(name, "", value);
        }
    }

    fn write_nodes(&self, page: &mut Page) {
        let nodes = || {
            let nodes = self.nodes.iter();
            nodes.map(|(node, pair)| (label("node_id", &node.to_string()), &pair.later))
        };
        if self.nodes.is_empty() {
            return;
        }
        for (name, help, count) in NODE {
            page.family(name, "counter", help);
            for (node, counts) in nodes() {
                page.sample(name, &node, count(counts));
            }
        }
        let name = "requests_in_flight";
        page.family(name, "gauge", "Requests that are not answered yet.");
        for (node, counts) in nodes() {
            page.sample(name, &node, counts.requests_in_flight);
        }
        page.summary(NODE_LATENCY, nodes());
    }

    fn write_topics(&self, page: &mut Page) {
        if self.topics.is_empty() {
            return;
        }
        for (name, help, count) in TOPIC {
            page.family(name, "counter", help);
            for (topic, pair) in &self.topics {
                page.sample(name, &label("topic", topic), count(&pair.later));
            }
        }
    }
}

/// The text so far.
struct Page {
    text: String,
    /// The label that every sample has.
    client: String,
}

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {PREFIX}{name} {help}"));
        self.line(format_args!("# TYPE {PREFIX}{name} {kind}"));
    }

    fn sample(&mut self, name: &str, label: &str, value: impl Display) {
        let client = self.client.clone();
        let comma = if label.is_empty() { "" } else { "," };
        self.line(format_args!(
            "{PREFIX}{name}{{{client}{comma}{label}}} {value}"
        ));
    }

    /// Sum and count; quantiles over all time would mislead.
    fn summary<'a, T: 'a>(
        &mut self,
        (name, help, scale, stat): Summary<T>,
        subjects: impl Iterator<Item = (impl AsRef<str>, &'a T)>,
    ) {
        self.family(name, "summary", help);
        for (label, counts) in subjects {
            let (label, stat) = (label.as_ref(), stat(counts));
            let sum = match scale {
                Scale::Microseconds => seconds(stat.sum),
                Scale::One => stat.sum as f64,
            };
            self.sample(&format!("{name}_sum"), label, sum);
            self.sample(&format!("{name}_count"), label, stat.count);
        }
    }

    fn histogram(&mut self, name: &str, help: &str, spread: &Spread) {
        self.family(name, "histogram", help);
        let bucket = format!("{name}_bucket");
        for power in BUCKETS {
            // What was counted as less than a microsecond more was less than that much.
            let count = spread.histogram.up_to((1 << power) - 1);
            let limit = label("le", &seconds(1 << power).to_string());
            self.sample(&bucket, &limit, count);
        }
        self.sample(&bucket, &label("le", "+Inf"), spread.stat.count);
        self.sample(&format!("{name}_sum"), "", seconds(spread.stat.sum));
        self.sample(&format!("{name}_count"), "", spread.stat.count);
    }

    fn line(&mut self, line: impl Display) {
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "{line}");
    }
}

fn seconds(micros: u64) -> f64 {
    micros as f64 / 1_000_000.0
}

/// `name="value"`, with what would end the value escaped.
fn label(name: &str, value: &str) -> String {
    let mut label = format!("{name}=\"");
    for c in value.chars() {
        match c {
            '"' => label.push_str("\\\""),
            '\\' => label.push_str("\\\\"),
            '\n' => label.push_str("\\n"),
            c => label.push(c),
        }
    }
    label.push('"');
    label
}

const PREFIX: &str = "kafka_producer_";

/// The limits of buckets, as powers of two of a microsecond: from half a millisecond to two
/// minutes.
const BUCKETS: core::ops::RangeInclusive<u32> = 9..=27;

const PRODUCER: &[Counter<Producer>] = &[
    (
        "batch_splits_total",
        "Batches split because the broker found them too large.",
        |p| p.counts.batch_splits,
    ),
    (
        "buffer_exhausted_total",
        "Records refused because no room came free within max.block.ms.",
        |p| p.counts.buffer_exhausted,
    ),
    (
        "connections_closed_total",
        "Connections that ended after they stood.",
        |p| p.counts.connections_closed,
    ),
    (
        "connections_created_total",
        "Connections that were made.",
        |p| p.counts.connections_created,
    ),
    (
        "produce_requests_total",
        "Produce requests, which record_queue_time_seconds_count batches were in.",
        |p| p.counts.produce_requests,
    ),
    (
        "records_refused_total",
        "Records that were not accepted, and never will be.",
        |p| p.counts.records_refused,
    ),
];

const SUMMARIES: [Summary<Producer>; 3] = [
    (
        "batch_size_bytes",
        "Batches as they are sent, compressed, retries included.",
        Scale::One,
        |p| &p.counts.batch_size,
    ),
    (
        "record_queue_time_seconds",
        "From the opening of a batch until it is sent.",
        Scale::Microseconds,
        |p| &p.counts.queue_time,
    ),
    (
        "throttle_time_seconds",
        "Time for which answers to Produce say that a quota was exceeded.",
        Scale::Microseconds,
        |p| &p.counts.throttle_time,
    ),
];

const NODE: &[Counter<Node>] = &[
    ("incoming_bytes_total", "Bytes read.", |n| {
        n.counts.incoming_bytes
    }),
    ("outgoing_bytes_total", "Bytes of requests.", |n| {
        n.counts.request_size.sum
    }),
    ("requests_total", "Requests of any kind.", |n| {
        n.counts.request_size.count
    }),
    ("responses_total", "Answers of any kind.", |n| {
        n.counts.responses
    }),
];

const NODE_LATENCY: Summary<Node> = (
    "node_request_duration_seconds",
    "From a Produce request to its answer, by broker.",
    Scale::Microseconds,
    |n| &n.counts.request_latency,
);

const TOPIC: &[Counter<TopicCounts>] = &[
    (
        "bytes_sent_total",
        "Bytes of batches as they are sent, retries included.",
        |t| t.bytes,
    ),
    (
        "record_bytes_total",
        "Bytes of records that were sent, before compression.",
        |t| t.plain_bytes,
    ),
    (
        "record_compressed_bytes_total",
        "Bytes of records that were sent, after compression.",
        |t| t.packed_bytes,
    ),
    (
        "record_errors_total",
        "Accepted records that failed.",
        |t| t.record_errors,
    ),
    (
        "record_retries_total",
        "Records that were queued to be sent again.",
        |t| t.record_retries,
    ),
    (
        "records_sent_total",
        "Records sent, retries included.",
        |t| t.records_sent,
    ),
];

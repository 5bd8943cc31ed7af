//! Metrics: Java's names, what is counted when, and what two snapshots tell of a span.

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use expect_test::expect_file;
use kafka_producer_machine::{
    ErrorCode, Instant, MetricDefinition, MetricSubject, Metrics, Record, SendError,
    metrics_markdown,
};
use kafka_producer_proto::messages::ProduceResponse;
use kafka_producer_proto::messages::produce::TopicProduceResponse;
use support::{Bench, answer};

/// What Java's producer 4.3.1 prints under `--print-metrics`.
const JAVA: &[(&str, &str)] = &[
    ("app-info", "commit-id start-time-ms version"),
    ("kafka-metrics-count", "count"),
    (
        "producer-metrics",
        "batch-size-avg batch-size-max batch-split-rate batch-split-total buffer-available-bytes \
         buffer-exhausted-rate buffer-exhausted-total buffer-total-bytes bufferpool-wait-ratio \
         bufferpool-wait-time-ns-total compression-rate-avg connection-close-rate \
         connection-close-total connection-count connection-creation-rate \
         connection-creation-total failed-authentication-rate failed-authentication-total \
         failed-reauthentication-rate failed-reauthentication-total flush-time-ns-total \
         incoming-byte-rate incoming-byte-total io-ratio io-time-ns-avg io-time-ns-total \
         io-wait-ratio io-wait-time-ns-avg io-wait-time-ns-total metadata-age \
         metadata-wait-time-ns-total network-io-rate network-io-total outgoing-byte-rate \
         outgoing-byte-total produce-throttle-time-avg produce-throttle-time-max \
         reauthentication-latency-avg reauthentication-latency-max record-error-rate \
         record-error-total record-queue-time-avg record-queue-time-max record-retry-rate \
         record-retry-total record-send-rate record-send-total record-size-avg record-size-max \
         records-per-request-avg request-latency-avg request-latency-max request-rate \
         request-size-avg request-size-max request-total requests-in-flight response-rate \
         response-total select-rate select-total successful-authentication-no-reauth-total \
         successful-authentication-rate successful-authentication-total \
         successful-reauthentication-rate successful-reauthentication-total \
         txn-abort-time-ns-total txn-begin-time-ns-total txn-commit-time-ns-total \
         txn-init-time-ns-total txn-prepare-time-ns-total txn-send-offsets-time-ns-total \
         waiting-threads",
    ),
    (
        "producer-node-metrics",
        "incoming-byte-rate incoming-byte-total outgoing-byte-rate outgoing-byte-total \
         request-latency-avg request-latency-max request-rate request-size-avg request-size-max \
         request-total response-rate response-total",
    ),
    (
        "producer-topic-metrics",
        "byte-rate byte-total compression-rate record-error-rate record-error-total \
         record-retry-rate record-retry-total record-send-rate record-send-total",
    ),
];

fn java() -> impl Iterator<Item = (&'static str, &'static str)> {
    JAVA.iter()
        .flat_map(|&(group, names)| names.split_whitespace().map(move |name| (group, name)))
}

fn is_absent(name: &str) -> bool {
    MetricDefinition::absent().any(|(absent, _)| match absent.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == absent,
    })
}

fn snapshot(bench: &Bench) -> Metrics {
    bench.machine.metrics(bench.now)
}

fn producer(metrics: &Metrics, name: &str) -> f64 {
    metrics.producer(name).expect("the producer has the metric")
}

fn topic(metrics: &Metrics, name: &str) -> f64 {
    metrics.topic("t", name).expect("the topic has the metric")
}

/// Settings under which a batch leaves at once.
const PROMPT: [(&str, &str); 1] = [("linger.ms", "0")];

#[test]
fn every_name_of_javas_producer_is_there_or_absent_for_a_reason() {
    let ours: BTreeSet<(&str, &str)> = MetricDefinition::all()
        .map(|definition| (definition.group.name(), definition.name))
        .collect();
    for (group, name) in java() {
        let is_there = ours.contains(&(group, name));
        assert!(is_there != is_absent(name), "{group}:{name}");
    }
}

#[test]
fn a_name_that_java_has_not_says_so() {
    let javas: BTreeSet<(&str, &str)> = java().collect();
    for definition in MetricDefinition::all() {
        let is_javas = javas.contains(&(definition.group.name(), definition.name));
        let is_ours = definition.about.starts_with("ours: ");
        assert!(is_javas != is_ours, "{}", definition.name);
    }
}

#[test]
fn names_stand_in_order_and_once() {
    let names: Vec<_> = MetricDefinition::all()
        .map(|definition| (definition.group.name(), definition.name))
        .collect();
    assert!(names.is_sorted_by(|one, next| one < next), "{names:#?}");
}

#[test]
fn the_page_of_the_book_is_printed_from_the_table() {
    expect_file!["../../docs/metrics.md"].assert_eq(&metrics_markdown());
}

#[test]
fn what_is_sent_is_counted_by_batch() {
    let mut bench = Bench::ready(&[("linger.ms", "10")]);
    bench.send_to("t", 0, "one");
    bench.send_to("t", 0, "two");
    bench.send_to("t", 1, "three");
    bench.advance_ms(10);
    let seen = bench.take_request();
    assert_eq!(producer(&snapshot(&bench), "requests-in-flight"), 1.0);
    bench.advance_ms(30);
    bench.acknowledge(&seen);

    let metrics = snapshot(&bench);
    let bytes: usize = seen.batches.iter().map(|batch| batch.bytes.len()).sum();
    assert_eq!(producer(&metrics, "record-send-total"), 3.0);
    assert_eq!(producer(&metrics, "records-per-request-avg"), 3.0);
    assert_eq!(producer(&metrics, "batch-size-avg"), bytes as f64 / 2.0);
    assert_eq!(producer(&metrics, "compression-rate-avg"), 1.0);
    assert_eq!(producer(&metrics, "record-queue-time-avg"), 10.0);
    assert_eq!(producer(&metrics, "record-queue-time-max"), 10.0);
    assert_eq!(producer(&metrics, "request-latency-avg"), 30.0);
    assert_eq!(producer(&metrics, "request-latency-max"), 30.0);
    assert_eq!(producer(&metrics, "record-latency-avg"), 40.0);
    assert_eq!(producer(&metrics, "requests-in-flight"), 0.0);
    assert_eq!(topic(&metrics, "record-send-total"), 3.0);
    assert_eq!(topic(&metrics, "byte-total"), bytes as f64);
    assert_eq!(metrics.node(0, "request-latency-max"), Some(30.0));
    assert_eq!(metrics.node(7, "request-latency-max"), None);
    assert_eq!(metrics.topic("other", "byte-total"), None);
    assert_eq!(metrics.producer("record-send-totals"), None);
}

#[test]
fn quantiles_are_at_most_a_sixteenth_too_high() {
    let mut bench = Bench::ready(&PROMPT);
    for millis in [10, 10, 10, 1000] {
        bench.send_to("t", 0, "a");
        let seen = bench.take_request();
        bench.advance_ms(millis);
        bench.acknowledge(&seen);
    }
    let metrics = snapshot(&bench);
    let half = producer(&metrics, "request-latency-p50");
    let most = producer(&metrics, "record-latency-p99");
    assert!((10.0..=10.7).contains(&half), "{half}");
    assert!((1000.0..=1062.5).contains(&most), "{most}");
}

#[test]
fn a_retry_is_sent_again_and_counted_as_one() {
    let mut bench = Bench::ready(&PROMPT);
    bench.send_to("t", 0, "a");
    let seen = bench.take_request();
    bench.answer(&seen, ErrorCode::NOT_ENOUGH_REPLICAS);
    bench.advance_ms(1000);
    bench.acknowledge_all();

    let metrics = snapshot(&bench);
    assert_eq!(producer(&metrics, "record-retry-total"), 1.0);
    assert_eq!(topic(&metrics, "record-retry-total"), 1.0);
    assert_eq!(producer(&metrics, "record-send-total"), 2.0);
    assert_eq!(producer(&metrics, "record-error-total"), 0.0);
}

#[test]
fn accepted_records_that_fail_are_errors_of_their_topic() {
    let mut bench = Bench::ready(&PROMPT);
    bench.send_to("t", 0, "a");
    let seen = bench.take_request();
    bench.answer(&seen, ErrorCode::INVALID_RECORD);
    let metrics = snapshot(&bench);
    assert_eq!(producer(&metrics, "record-error-total"), 1.0);
    assert_eq!(topic(&metrics, "record-error-total"), 1.0);
}

#[test]
fn held_records_that_fail_are_errors_of_their_topic() {
    let mut bench = Bench::ready(&[("max.block.ms", "500")]);
    for _ in 0..2 {
        bench.try_send(&Record::to("nowhere").value("a")).unwrap();
    }
    bench.advance_ms(600);
    let metrics = snapshot(&bench);
    assert_eq!(producer(&metrics, "record-error-total"), 2.0);
    assert_eq!(metrics.topic("nowhere", "record-error-total"), Some(2.0));
}

#[test]
fn a_record_that_is_refused_is_an_error_and_one_without_room_is_not_yet() {
    let mut bench = Bench::ready(&[("max.request.size", "1000"), ("batch.size", "100")]);
    let large = Record::to("t").value("x".repeat(2000).leak());
    let refused = bench.try_send(&large);
    assert!(matches!(refused, Err(SendError::TooLarge { .. })));
    assert_eq!(producer(&snapshot(&bench), "record-error-total"), 1.0);

    let mut bench = Bench::ready(&FULL);
    let shortage = fill(&mut bench);
    assert_eq!(producer(&snapshot(&bench), "record-error-total"), 0.0);
    let deadline = bench.now + Duration::from_millis(200);
    bench.machine.wait_for_space(bench.now, shortage, deadline);
    bench.advance_ms(200);
    let metrics = snapshot(&bench);
    assert_eq!(producer(&metrics, "record-error-total"), 1.0);
    assert_eq!(producer(&metrics, "buffer-exhausted-total"), 1.0);
}

/// One batch fills the buffer.
const FULL: [(&str, &str); 3] = [
    ("buffer.memory", "1024"),
    ("max.request.size", "1024"),
    ("batch.size", "1024"),
];

#[allow(clippy::panic, reason = "a check of the tests beside it")]
fn fill(bench: &mut Bench) -> kafka_producer_machine::Shortage {
    bench.send_to("t", 0, "a");
    match bench.try_send(&Record::to("t").partition(1).value("b")) {
        Err(SendError::Full(shortage)) => shortage,
        other => panic!("no room is expected, {other:?} came"),
    }
}

#[test]
fn time_waited_for_room_is_summed_over_all_who_wait() {
    let mut bench = Bench::ready(&FULL);
    let shortage = fill(&mut bench);
    let earlier = snapshot(&bench);
    assert_eq!(producer(&earlier, "buffer-available-bytes"), 0.0);
    assert_eq!(producer(&earlier, "buffer-total-bytes"), 1024.0);
    let never = Instant::NEVER;
    bench.machine.wait_for_space(bench.now, shortage, never);
    bench.machine.wait_for_space(bench.now, shortage, never);
    bench.run();
    bench.advance_ms(100);
    let later = snapshot(&bench);
    assert_eq!(producer(&later, "waiting-threads"), 2.0);
    assert_eq!(producer(&later, "bufferpool-wait-time-ns-total"), 200e6);
    assert_eq!(
        producer(&later.since(&earlier), "bufferpool-wait-ratio"),
        2.0
    );

    bench.acknowledge_all();
    bench.advance_ms(100);
    let served = snapshot(&bench);
    // The first has the room that came free, and the second waits for it.
    assert_eq!(producer(&served, "waiting-threads"), 1.0);
    assert_eq!(producer(&served, "bufferpool-wait-time-ns-total"), 300e6);
}

#[test]
fn a_flush_takes_from_its_call_to_its_end() {
    let mut bench = Bench::ready(&[]);
    bench.send_to("t", 0, "a");
    bench.flush();
    let seen = bench.take_request();
    bench.advance_ms(30);
    bench.acknowledge(&seen);
    bench.advance_ms(500);
    assert_eq!(producer(&snapshot(&bench), "flush-time-ns-total"), 30e6);
}

#[test]
fn answers_say_how_long_they_throttle() {
    let mut bench = Bench::ready(&PROMPT);
    for throttle_time_ms in [0, 80] {
        bench.send_to("t", 0, "a");
        let seen = bench.take_request();
        let response = ProduceResponse {
            throttle_time_ms,
            responses: vec![TopicProduceResponse {
                name: "t".into(),
                partition_responses: vec![answer(ErrorCode::NONE)],
                ..TopicProduceResponse::default()
            }],
            ..ProduceResponse::default()
        };
        bench.respond(&seen, &response);
        bench.advance_ms(100);
    }
    let metrics = snapshot(&bench);
    assert_eq!(producer(&metrics, "produce-throttle-time-avg"), 40.0);
    assert_eq!(producer(&metrics, "produce-throttle-time-max"), 80.0);
}

#[test]
fn what_goes_over_the_wire_is_counted_by_broker_and_in_all() {
    let mut bench = Bench::established(&PROMPT);
    let metrics = snapshot(&bench);
    let sum = |name: &str| -> f64 {
        let is_it = |metric: &kafka_producer_machine::Metric<'_>| {
            metric.definition.name == name && matches!(metric.subject, MetricSubject::Node(_))
        };
        metrics
            .iter()
            .filter(is_it)
            .map(|metric| metric.value)
            .sum()
    };
    for name in [
        "incoming-byte-total",
        "outgoing-byte-total",
        "request-total",
        "response-total",
    ] {
        assert_eq!(producer(&metrics, name), sum(name), "{name}");
    }
    let sent = producer(&metrics, "outgoing-byte-total");
    assert_eq!(sent, bench.wire.len() as f64);
    let (asked, answered) = ("request-total", "response-total");
    assert_eq!(producer(&metrics, asked), producer(&metrics, answered));

    assert_eq!(producer(&metrics, "connection-count"), 2.0);
    assert_eq!(producer(&metrics, "connection-creation-total"), 2.0);
    // The bootstrap address is that of broker 0.
    bench.cut(0);
    let metrics = snapshot(&bench);
    assert_eq!(producer(&metrics, "connection-close-total"), 2.0);
}

#[test]
fn a_span_tells_of_what_came_between_two_snapshots_only() {
    let mut bench = Bench::established(&PROMPT);
    bench.advance_ms(60_000);
    let earlier = snapshot(&bench);
    for _ in 0..20 {
        bench.send_to("t", 0, "a");
        let seen = bench.take_request();
        bench.advance_ms(100);
        bench.acknowledge(&seen);
    }
    let span = snapshot(&bench).since(&earlier);
    assert_eq!(span.span(), Duration::from_secs(2));
    assert_eq!(producer(&span, "record-send-rate"), 10.0);
    assert_eq!(topic(&span, "record-send-rate"), 10.0);
    assert_eq!(producer(&span, "record-send-total"), 21.0);
    assert_eq!(producer(&span, "request-latency-avg"), 100.0);
    assert_eq!(span.node(0, "request-latency-avg"), Some(100.0));

    let nothing = snapshot(&bench).since(&snapshot(&bench));
    assert_eq!(producer(&nothing, "record-send-rate"), 0.0);
    assert!(producer(&nothing, "batch-size-avg").is_nan());
}

#[test]
fn a_maximum_is_forgotten_within_a_minute() {
    let mut bench = Bench::established(&PROMPT);
    assert!(0.0 < producer(&snapshot(&bench), "batch-size-max"));
    bench.advance_ms(60_000);
    assert!(producer(&snapshot(&bench), "batch-size-max").is_nan());
}

#[test]
fn metadata_age_grows_until_a_broker_tells() {
    let mut bench = Bench::new(&[]);
    assert!(producer(&snapshot(&bench), "metadata-age").is_nan());
    bench.machine.topic(bench.now, "t");
    bench.run();
    let later = bench.now + Duration::from_secs(3);
    let metrics = bench.machine.metrics(later);
    assert_eq!(producer(&metrics, "metadata-age"), 3.0);
}

#[test]
fn a_metric_is_named_with_its_tags_as_java_names_it() {
    let bench = Bench::established(&PROMPT);
    let metrics = snapshot(&bench).with_start_time(1_795_271_147_008);
    let names: BTreeSet<String> = metrics.iter().map(|metric| metric.to_string()).collect();
    for name in [
        "app-info:start-time-ms:{client-id=test}",
        "producer-metrics:batch-size-avg:{client-id=test}",
        "producer-node-metrics:request-total:{client-id=test, node-id=node--1}",
        "producer-node-metrics:request-total:{client-id=test, node-id=node-0}",
        "producer-topic-metrics:byte-total:{client-id=test, topic=t}",
    ] {
        assert!(names.contains(name), "{name}");
    }
    assert_eq!(producer(&metrics, "count"), names.len() as f64);
    assert_eq!(producer(&metrics, "start-time-ms"), 1_795_271_147_008.0);
}

#[test]
fn the_same_inputs_give_the_same_metrics() {
    let run = || {
        let mut bench = Bench::established(&PROMPT);
        bench.send_to("t", 1, "a");
        let seen = bench.take_request();
        bench.answer(&seen, ErrorCode::NOT_LEADER_OR_FOLLOWER);
        bench.advance_ms(5000);
        bench.acknowledge_all();
        snapshot(&bench)
    };
    assert_eq!(run(), run());
}

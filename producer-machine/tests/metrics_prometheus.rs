//! What Prometheus is told. `tests/peers` reads the same page with Prometheus's own parser.
#![cfg(feature = "prometheus")]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use expect_test::expect_file;
use kafka_producer_machine::{ErrorCode, Record};
use support::Bench;

/// Two batches sent, one of them twice, and one record refused.
fn page(settings: &[(&str, &str)]) -> String {
    // Without a backoff no chance is in the page.
    let base = [
        ("linger.ms", "0"),
        ("max.request.size", "1000"),
        ("retry.backoff.ms", "0"),
        ("retry.backoff.max.ms", "0"),
    ];
    let mut bench = Bench::established(&[&base[..], settings].concat());
    bench.send_to("t", 0, "a");
    let seen = bench.take_request();
    bench.advance_ms(20);
    bench.answer(&seen, ErrorCode::NOT_ENOUGH_REPLICAS);
    bench.advance_ms(1000);
    bench.acknowledge_all();
    let large = Record::to("t").value("x".repeat(2000).leak());
    bench.try_send(&large).expect_err("it is too large");
    let metrics = bench.machine.metrics(bench.now);
    metrics.with_start_time(1_795_271_147_008).to_prometheus()
}

/// The value of a sample, named with all labels but the client's.
fn value(page: &str, name: &str, labels: &str) -> Option<f64> {
    let start = format!("kafka_producer_{name}{{client_id=\"test\"{labels}}} ");
    let line = page.lines().find_map(|line| line.strip_prefix(&*start))?;
    line.parse().ok()
}

#[test]
fn totals_and_gauges_are_those_of_the_snapshot() {
    let page = page(&[]);
    let topic = ",topic=\"t\"";
    assert_eq!(value(&page, "records_sent_total", topic), Some(3.0));
    assert_eq!(value(&page, "record_retries_total", topic), Some(1.0));
    assert_eq!(value(&page, "records_refused_total", ""), Some(1.0));
    assert_eq!(value(&page, "connections", ""), Some(2.0));
    let start = value(&page, "start_time_seconds", "");
    assert_eq!(start, Some(1_795_271_147.008));
    let node = ",node_id=\"0\"";
    assert_eq!(value(&page, "requests_in_flight", node), Some(0.0));
}

#[test]
fn a_histogram_counts_what_is_at_most_so_long() {
    let page = page(&[]);
    let up_to = |limit: &str| {
        let label = format!(",le=\"{limit}\"");
        value(&page, "request_duration_seconds_bucket", &label)
    };
    // One took no time at all, one 20 milliseconds, and one more than half a second.
    assert_eq!(up_to("0.000512"), Some(1.0));
    assert_eq!(up_to("0.016384"), Some(1.0));
    assert_eq!(up_to("0.032768"), Some(2.0));
    assert_eq!(up_to("0.524288"), Some(2.0));
    assert_eq!(up_to("1.048576"), Some(3.0));
    assert_eq!(up_to("+Inf"), Some(3.0));
    assert_eq!(
        value(&page, "request_duration_seconds_count", ""),
        Some(3.0)
    );
}

#[test]
fn what_would_end_a_label_is_escaped() {
    let page = page(&[("client.id", "a \"b\" \\c")]);
    assert!(page.contains("{client_id=\"a \\\"b\\\" \\\\c\"}"));
}

#[test]
fn every_sample_stands_once_below_its_help_and_type() {
    let page = page(&[]);
    let mut family = "";
    let mut families = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut lines = BTreeMap::new();
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            family = rest.split(' ').next().unwrap();
            assert!(families.insert(family), "{family} comes twice");
            assert!(rest.ends_with('.'), "{rest}");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            assert_eq!(rest.split(' ').next().unwrap(), family);
            let kind = rest.split(' ').nth(1).unwrap();
            assert_eq!(kind == "counter", family.ends_with("_total"), "{family}");
        } else {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            assert!(sample.starts_with(family), "{line}");
            assert!(sample.contains("client_id=\""), "{line}");
            assert!(value.parse::<f64>().is_ok(), "{line}");
            assert!(seen.insert(sample), "{sample} comes twice");
            *lines.entry(family).or_insert(0) += 1;
        }
    }
    assert!(families.iter().all(|family| lines.contains_key(family)));
}

#[test]
fn the_page_is_the_one_that_the_official_parser_reads() {
    let page = page(&[]).replace(env!("CARGO_PKG_VERSION"), "VERSION");
    expect_file!["../../tests/peers/metrics.prom"].assert_eq(&page);
}

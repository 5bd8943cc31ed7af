//! The command `kafka-producer perf` delivers a million records, also while a broker is killed;
//! Kafka's own tool counts them.

#![allow(
    clippy::unwrap_used,
    reason = "a suite is test code: a case that cannot go on fails"
)]

use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use real_kafka::cluster::{self, Breaker};
use real_kafka::judge::judge;
use serde_json::Value;

const RECORDS: u64 = 1_000_000;
const PARTITIONS: u32 = 6;

fn topic() -> String {
    let topic = cluster::topic("perf");
    judge().create(&topic, PARTITIONS, 3, &[]);
    topic
}

/// Starts the command; its summary is for `summary`.
fn perf(topic: &str, more: &str) -> Child {
    let mut perf = Command::new(cluster::variable("KAFKA_PRODUCER"));
    perf.args(["perf", "--topic", topic]);
    perf.args(["--bootstrap-server", &cluster::bootstrap()]);
    perf.args(["--num-records", &RECORDS.to_string(), "--output", "json"]);
    perf.args(more.split(' '));
    perf.stdin(Stdio::null()).stdout(Stdio::piped());
    perf.spawn().unwrap()
}

/// Waits for the command, which must exit with 0, and gives the last line of its output.
fn summary(perf: Child) -> Value {
    let output = perf.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", output.status);
    let text = String::from_utf8(output.stdout).unwrap();
    let summary: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(summary["type"], "total", "{summary}");
    summary
}

/// The records of a topic, as Kafka's `kafka-get-offsets` counts them.
fn count_by_tool(topic: &str) -> u64 {
    let mut java = Command::new("java");
    java.args(["-Xmx256m", "-XX:+UseSerialGC"]);
    java.arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=off");
    java.arg("-cp").arg(cluster::variable("KAFKA_JUDGE_CP"));
    // KIP-635 (Kafka 3.0) gave it the flag of all other tools, Kafka 3.5 another home.
    if cluster::version() < (3, 0) {
        java.args(["kafka.tools.GetOffsetShell", "--broker-list"]);
    } else {
        java.args([
            "org.apache.kafka.tools.GetOffsetShell",
            "--bootstrap-server",
        ]);
    }
    java.args([&cluster::bootstrap(), "--topic", topic]);
    let output = java.stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    // A line a partition: topic:partition:offset.
    let ends = text.lines().filter(|line| line.starts_with(topic));
    let ends = ends.filter_map(|line| line.rsplit(':').next()?.parse::<u64>().ok());
    let ends: Vec<u64> = ends.collect();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert_eq!(ends.len(), PARTITIONS as usize, "{text}{complaint}");
    ends.iter().sum()
}

#[test]
fn a_million_records_are_counted_by_kafkas_own_tool() {
    let _alone = Breaker::take();
    let topic = topic();
    let summary = summary(perf(&topic, "--record-size 100 --throughput -1"));
    let count = count_by_tool(&topic);
    cluster::print(&format!(
        "perf, 100 bytes, no limit: {} records at {:.0} a second, {count} counted by Kafka; \
         longest wait {} ms",
        summary["records"],
        summary["records_per_sec"].as_f64().unwrap(),
        summary["max_latency_ms"]
    ));
    assert_eq!(summary["records"], RECORDS);
    assert_eq!(count, RECORDS);
}

#[test]
fn a_million_records_are_counted_although_a_broker_is_killed() {
    let mut breaker = Breaker::take();
    let topic = topic();
    // Records that are numbers, so that each of them can be looked for.
    let perf = perf(&topic, "--payload-monotonic --throughput 50000");
    thread::sleep(Duration::from_secs(3));
    let leader = judge().leaders(&topic)[0];
    breaker.kill(leader);
    // Longer than a failover takes: the others must go on without it.
    thread::sleep(Duration::from_secs(6));
    breaker.restart(leader);
    let summary = summary(perf);
    let count = count_by_tool(&topic);

    let mut seen = vec![0_u32; RECORDS as usize];
    let mut unexpected = 0;
    judge().dump(&topic, |_, _, value| {
        match value
            .parse()
            .ok()
            .and_then(|number: usize| seen.get_mut(number))
        {
            Some(times) => *times += 1,
            None => unexpected += 1,
        }
    });
    let lost = seen.iter().filter(|&&times| times == 0).count();
    let doubled: u32 = seen.iter().map(|times| times.saturating_sub(1)).sum();
    cluster::print(&format!(
        "perf, 50000 a second, 1 kill, 1 restart: {} records, {count} counted by Kafka; {lost} \
         lost, {doubled} doubled, {unexpected} unexpected; longest wait {} ms",
        summary["records"], summary["max_latency_ms"]
    ));
    assert_eq!(summary["records"], RECORDS);
    assert_eq!(count, RECORDS);
    assert_eq!((lost, doubled, unexpected), (0, 0, 0));
}

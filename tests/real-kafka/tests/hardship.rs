//! Three brokers under load, and all that may befall them: nothing acknowledged is lost, doubled
//! or out of order, and nothing that fails is lied about.
//!
//! Each test is one hardship; it prints what was done and the account of all records. They take
//! turns. Two minutes of `delivery.timeout.ms` are enough for any of them: but for a topic that
//! goes, every record must be acknowledged in the end.

#![allow(
    clippy::unwrap_used,
    reason = "a suite is test code: a case that cannot go on fails"
)]

use std::env;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use conformance::{Tasks, Threads};
use kafka_producer::Config;
use real_kafka::cluster::{self, Breaker};
use real_kafka::flood::{Account, Flood, Host, Topic};
use real_kafka::judge::judge;
use real_kafka::proxy::Proxy;

const BROKERS: [i32; 3] = [1, 2, 3];
const PARTITIONS: u32 = 6;

/// Records of 100 bytes, as in every other measurement of producers, 6,000 a second.
fn flood(about: &str, replicas: u32, settings: &[&str]) -> Flood {
    let topic = cluster::topic(about);
    judge().create(&topic, PARTITIONS, replicas, settings);
    Flood {
        topic,
        partitions: PARTITIONS,
        least: 10_000,
        pace: 1_000,
        bytes: 100,
    }
}

fn seconds(count: u64) {
    thread::sleep(Duration::from_secs(count));
}

fn assert_all_delivered(account: &Account) {
    assert!(account.holds(), "{account}");
    assert_eq!(account.acknowledged, account.records, "{account}");
}

#[test]
fn each_broker_is_killed_in_turn() {
    let mut breaker = Breaker::take();
    let flood = flood("in-turn", 3, &[]);
    let account = flood.run(&Tasks::default(), cluster::config(&[]), || {
        for broker in BROKERS {
            seconds(2);
            breaker.kill(broker);
            // Longer than a failover takes: the others must have gone on without it.
            seconds(6);
            breaker.restart(broker);
        }
        seconds(2);
    });
    account.print(&format!("each broker in turn, tokio, {breaker}"));
    assert_all_delivered(&account);
}

#[test]
fn all_brokers_are_restarted_one_after_the_other() {
    let mut breaker = Breaker::take();
    let flood = flood("rolling", 3, &[]);
    let lz4 = [("compression.type", "lz4")];
    let account = flood.run(&Threads, cluster::config(&lz4), || {
        for broker in BROKERS {
            seconds(2);
            breaker.restart(broker);
        }
        seconds(2);
    });
    account.print(&format!("a rolling restart, threads, lz4, {breaker}"));
    assert_all_delivered(&account);
}

#[test]
fn all_brokers_are_down_at_once() {
    let mut breaker = Breaker::take();
    let flood = flood("all-down", 3, &[]);
    let account = flood.run(&Tasks::default(), cluster::config(&[]), || {
        seconds(3);
        breaker.kill_all(&BROKERS);
        seconds(10);
        breaker.restart_all(&BROKERS);
        seconds(3);
    });
    account.print(&format!("all brokers down for 10 s, tokio, {breaker}"));
    assert_all_delivered(&account);
    assert!(
        Duration::from_secs(10) <= account.longest_pause,
        "{account}"
    );
}

#[test]
fn leaders_are_moved_by_reassignment() {
    let _alone = Breaker::take();
    // One broker has no replica: it takes over from the leader.
    let flood = flood("moved", 2, &["min.insync.replicas=1"]);
    let mut moves = 0;
    let account = flood.run(&Threads, cluster::config(&[]), || {
        for _ in 0..4 {
            seconds(2);
            let before = judge().leaders(&flood.topic);
            judge().move_leaders(&flood.topic);
            let after = judge().leaders(&flood.topic);
            moves += before.iter().zip(&after).filter(|(a, b)| a != b).count();
        }
        seconds(2);
    });
    account.print(&format!("reassignment, threads, {moves} leaders moved"));
    assert_all_delivered(&account);
    // On a busy machine the brokers may not have told of a move when they are asked.
    assert!(3 * PARTITIONS as usize <= moves, "{moves}");
}

#[test]
fn a_topic_is_deleted_and_created_anew() {
    let _alone = Breaker::take();
    let flood = flood("anew", 3, &[]);
    let account = flood.run_through(&Tasks::default(), cluster::config(&[]), |_| {
        seconds(3);
        judge().delete(&flood.topic);
        // By then no broker has anything of it, and what was acknowledged is known to be.
        seconds(5);
        let anew = Instant::now();
        judge().create(&flood.topic, PARTITIONS, 3, &[]);
        seconds(8);
        Topic::BeganAnew(anew)
    });
    account.print("a topic deleted and created anew, tokio");
    assert!(account.holds(), "{account}");
    // What came before the end of the old topic, and what came after the begin of the new one.
    assert!(10_000 < account.gone, "{account}");
    assert!(30_000 < account.acknowledged - account.gone, "{account}");
}

#[test]
fn partitions_are_added_while_records_wait_for_them() {
    let _alone = Breaker::take();
    let mut flood = flood("growing", 3, &[]);
    // Half of the senders have none yet.
    flood.partitions = 2 * PARTITIONS;
    let account = flood.run(&Threads, cluster::config(&[]), || {
        seconds(3);
        judge().grow(&flood.topic, 2 * PARTITIONS);
        seconds(5);
    });
    account.print("partitions added, threads, from 6 to 12");
    assert_all_delivered(&account);
}

#[test]
fn too_few_replicas_are_in_sync_for_a_while() {
    let mut breaker = Breaker::take();
    let flood = flood("lonely", 3, &["min.insync.replicas=3"]);
    let account = flood.run(&Tasks::default(), cluster::config(&[]), || {
        seconds(2);
        breaker.kill(BROKERS[1]);
        seconds(15);
        breaker.restart(BROKERS[1]);
        seconds(2);
    });
    account.print(&format!(
        "min.insync.replicas not met for 15 s, tokio, {breaker}"
    ));
    assert_all_delivered(&account);
    assert!(
        Duration::from_secs(10) <= account.longest_pause,
        "{account}"
    );
}

#[test]
fn a_quota_throttles() {
    let _alone = Breaker::take();
    let flood = flood("quota", 3, &[]);
    // A tenth of what is sent. The limit is the client's and not the topic's.
    let client = cluster::topic("limited");
    judge().limit(&client, Some(20_000));
    let mut throttled = 0.0;
    let config = cluster::config(&[("client.id", &client)]);
    let account = flood.run_through(&Tasks::default(), config, |producer| {
        seconds(15);
        let metrics = producer.metrics();
        throttled = metrics.producer("produce-throttle-time-max").unwrap();
        judge().limit(&client, None);
        seconds(5);
        Topic::Stays
    });
    account.print(&format!(
        "a quota of 20,000 bytes a second and broker, tokio, longest throttle {throttled} ms"
    ));
    assert_all_delivered(&account);
    assert!(100.0 < throttled, "{throttled}");
}

/// Sends through the proxy while it rages, and for a while in peace.
fn a_network_is_hostile<H: Host>(host: &H, about: &str, more: &[(&str, &str)]) {
    let _alone = Breaker::take();
    let seed = env::var("HARDSHIP_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let proxy = Proxy::open(seed.unwrap_or(now));
    let flood = flood("hostile", 3, &[]);
    let account = flood.run(host, config_through(&proxy, more), || {
        seconds(40);
        proxy.calm();
        seconds(5);
    });
    account.print(&format!("a hostile network, {about}, {proxy}"));
    assert_all_delivered(&account);
}

fn config_through(proxy: &Proxy, more: &[(&str, &str)]) -> Config {
    // A stall that is longer than this counts as a dead connection.
    let mut settings = vec![("request.timeout.ms", "2000")];
    settings.extend(more);
    cluster::config_at(&proxy.bootstrap(), &settings)
}

#[test]
fn a_network_is_hostile_to_tokio() {
    a_network_is_hostile(&Tasks::default(), "tokio", &[]);
}

#[test]
fn a_network_is_hostile_to_threads() {
    let zstd = [("compression.type", "zstd")];
    a_network_is_hostile(&Threads, "threads, zstd", &zstd);
}

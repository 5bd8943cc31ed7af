//! Brokers killed by SIGKILL under load, and started again: nothing acknowledged is lost,
//! doubled or out of order, and nothing that fails is lied about.

use std::thread;
use std::time::Duration;

use conformance::{Tasks, Threads};
use kafka_producer::Config;
use real_kafka::cluster::{self, Breaker};
use real_kafka::flood::{Account, Flood, Host};
use real_kafka::judge::judge;

const PARTITIONS: u32 = 6;

/// 100 bytes a record, as in every other measurement of producers.
fn flood(about: &str, least: usize, pace: usize) -> Flood {
    let topic = cluster::topic(about);
    judge().create(&topic, PARTITIONS, 3, &[]);
    Flood {
        topic,
        partitions: PARTITIONS,
        least,
        pace,
        bytes: 100,
    }
}

/// Kills the leader of partition 0, starts it again, and then the same with the next one.
fn run<H: Host>(
    breaker: &mut Breaker,
    host: &H,
    flood: &Flood,
    config: Config,
    kills: usize,
) -> Account {
    flood.run(host, config, || {
        for _ in 0..kills {
            thread::sleep(Duration::from_secs(2));
            let leader = judge().leaders(&flood.topic)[0];
            breaker.kill(leader);
            // Longer than a failover takes: the others must have gone on without it.
            thread::sleep(Duration::from_secs(6));
            breaker.restart(leader);
        }
        thread::sleep(Duration::from_secs(1));
    })
}

fn nothing_is_lost<H: Host>(host: &H, about: &str, more: &[(&str, &str)]) {
    let mut breaker = Breaker::take();
    let flood = flood("failover", 50_000, 3_000);
    let account = run(&mut breaker, host, &flood, cluster::config(more), 2);
    account.print(&format!("{about}, 2 kills, 2 restarts"));

    assert!(account.holds(), "{account}");
    assert!(300_000 <= account.records, "{account}");
    // Two minutes of delivery.timeout.ms are enough for any of this.
    assert_eq!(account.acknowledged, account.records, "{account}");
}

#[test]
fn a_broker_killed_under_load_costs_no_record_on_tokio() {
    let more = [("acks", "all"), ("enable.idempotence", "true")];
    nothing_is_lost(&Tasks::default(), "tokio", &more);
}

#[test]
fn a_broker_killed_under_load_costs_no_record_on_threads() {
    let more = [("compression.type", "lz4"), ("linger.ms", "20")];
    nothing_is_lost(&Threads, "threads, lz4", &more);
}

#[test]
fn what_fails_while_a_broker_is_dead_fails_truthfully() {
    let mut breaker = Breaker::take();
    let flood = flood("impatient", 10_000, 2_000);
    let more = [
        ("request.timeout.ms", "500"),
        ("delivery.timeout.ms", "1000"),
    ];
    let tasks = Tasks::default();
    let account = run(&mut breaker, &tasks, &flood, cluster::config(&more), 2);
    account.print("tokio, delivery.timeout.ms=1000, 2 kills, 2 restarts");

    assert!(account.holds(), "{account}");
    // A failover takes three seconds.
    assert!(0 < account.not_written, "{account}");
    assert!(0 < account.maybe_written, "{account}");
}

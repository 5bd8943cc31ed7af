//! Brokers killed by SIGKILL under load, and started again: nothing acknowledged is lost,
//! doubled or out of order, and nothing that fails is lied about.

use std::thread;
use std::time::{Duration, Instant};

use conformance::{Tasks, Threads, Transport};
use kafka_producer::{Config, ErrorCode, Outcome, ProduceError, Record};
use kafka_producer_driver::block_on;
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
    let flood = flood("failover", 50_000, 2_500);
    let account = run(&mut breaker, host, &flood, cluster::config(more), 2);
    account.print(&format!("{about}, {breaker}"));

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
    let account = run(&mut breaker, &tasks, &flood, cluster::config(&more), 1);
    account.print(&format!("tokio, delivery.timeout.ms=1000, {breaker}"));

    assert!(account.holds(), "{account}");
    // A failover takes three seconds.
    assert!(0 < account.not_written, "{account}");
    assert!(0 < account.maybe_written, "{account}");
}

#[test]
fn too_few_replicas_in_sync_is_a_truthful_failure_and_ends_with_them() {
    let mut breaker = Breaker::take();
    let topic = cluster::topic("lonely");
    judge().create(&topic, 1, 3, &["min.insync.replicas=3"]);
    let leader = judge().leaders(&topic)[0];
    let follower = leader % 3 + 1;
    let producer = Threads.start(cluster::config(&[]));
    let limits = [
        ("request.timeout.ms", "1000"),
        ("delivery.timeout.ms", "2000"),
    ];
    let impatient = Threads.start(cluster::config(&limits));
    let record = Record::to(&topic).value("x");
    let first = block_on(block_on(producer.send(&record)).unwrap());
    assert_eq!(first.unwrap().offset, Some(0));

    breaker.kill(follower);
    let begin = Instant::now();
    while judge().in_sync(&topic)[0] == 3 {
        assert!(begin.elapsed() < Duration::from_secs(30));
        thread::sleep(Duration::from_millis(100));
    }
    // The leader hears of it a little later: until then it appends, and leaves a doubt.
    thread::sleep(Duration::from_secs(1));
    let patient = block_on(producer.send(&record)).unwrap();
    let error = block_on(block_on(impatient.send(&record)).unwrap()).unwrap_err();
    let ProduceError::TimedOut { attempts, last, .. } = &error.error else {
        unreachable!("expected a timeout, got {error}");
    };
    assert!(1 < *attempts, "{error}");
    assert_eq!(*last, Some(ErrorCode::NOT_ENOUGH_REPLICAS));
    assert_eq!(error.outcome, Outcome::NotWritten, "{error}");
    assert!(patient.try_result().is_none());

    breaker.restart(follower);
    assert_eq!(block_on(patient).unwrap().offset, Some(1));
    assert_eq!(judge().count(&topic), 2);
}

//! Peers that neither take nor refuse a connection: what they may hold up, and what not.
//!
//! A host that has vanished drops what it is sent, and a broker that starts again takes
//! connections long before it answers. Both used to hold up all that any other broker could have
//! answered, for the whole of the setup or request timeout.

mod support;

use std::time::Duration;

use kafka_producer_machine::Record;
use support::Bench;

/// A record waits for broker 0, which is lost and does not come back as it should; two seconds
/// later broker 1 leads. Gives how long after that the record was sent there.
fn sent_after_failover(trouble: impl Fn(&mut Bench)) -> Duration {
    let mut bench = Bench::established(&[]);
    trouble(&mut bench);
    bench.cut(0);
    let receipt = bench.produce(0, "x");
    bench.advance_ms(2000);
    bench.move_leader("t", 0, 1);
    let moved = bench.now;
    let seen = bench.await_request();
    assert_eq!(seen.broker, 1);
    bench.acknowledge(&seen);
    assert!(bench.is_acked(receipt));
    bench.assert_settled();
    seen.at.since(moved)
}

#[test]
fn a_dead_host_that_refuses_nothing_does_not_hold_up_the_news_of_its_successor() {
    let took = sent_after_failover(|bench| bench.hanging = vec![0]);
    assert!(took < Duration::from_millis(2500), "{took:?}");
}

#[test]
fn a_broker_that_starts_again_and_answers_nothing_yet_does_not_hold_up_its_successor() {
    let took = sent_after_failover(|bench| bench.starting = vec![0]);
    assert!(took < Duration::from_millis(2500), "{took:?}");
}

#[test]
fn metadata_are_asked_of_the_living_while_a_connect_to_a_dead_broker_hangs() {
    let mut bench = Bench::established(&[]);
    bench.hanging = vec![0];
    bench.cut(0);
    bench.metadata_requests.clear();
    let begin = bench.now;
    bench.produce(0, "x");
    bench.advance_ms(1500);
    let (asked, _) = bench.metadata_requests.first().expect("asked broker 1");
    assert!(asked.since(begin) <= Duration::from_millis(1100));
    // As often as if it refused, and no more often than that.
    bench.advance_ms(8500);
    let asked = bench.metadata_requests.len();
    assert!((5..=15).contains(&asked), "{asked}");
}

#[test]
fn a_connect_that_hangs_and_that_nobody_waits_for_costs_nothing_but_itself() {
    let mut bench = Bench::new(&[("bootstrap.servers", "b8:9092,b0:9092")]);
    bench.hanging = vec![8];
    bench.machine.topic(bench.now, "t");
    bench.run();
    bench.advance_ms(1100);
    bench.metadata_requests.clear();
    bench.advance_ms(8000);
    assert_eq!(bench.metadata_requests.len(), 0);
}

#[test]
fn a_short_backoff_does_not_make_connects_late_that_take_a_round_trip() {
    let servers = "b0:9092,b1:9092,b2:9092,b3:9092";
    let mut bench = Bench::new(&[
        ("bootstrap.servers", servers),
        ("reconnect.backoff.ms", "1"),
    ]);
    // The other side is 50 ms away.
    bench.hanging = vec![0, 1, 2, 3];
    bench.produce(0, "x");
    bench.advance_ms(50);
    assert_eq!(bench.connects.len(), 1, "{:?}", bench.connects);
}

#[test]
fn of_many_bootstrap_servers_that_are_dead_the_last_one_is_found_in_seconds() {
    let servers = "b5:9092,b6:9092,b7:9092,b8:9092,b0:9092";
    let mut bench = Bench::new(&[("bootstrap.servers", servers)]);
    bench.hanging = vec![5, 7];
    bench.starting = vec![6];
    bench.down = vec![8];
    let receipt = bench.produce(0, "x");
    let begin = bench.now;
    let seen = bench.await_request();
    assert_eq!(seen.broker, 0);
    let took = seen.at.since(begin);
    assert!(took < Duration::from_secs(5), "{took:?}");
    bench.acknowledge(&seen);
    assert!(bench.is_acked(receipt));
}

/// What becomes of a record of a topic that nobody told of within `max.block.ms`.
fn unheard_of(max_block: &str, trouble: impl Fn(&mut Bench)) -> String {
    let mut bench = Bench::new(&[("max.block.ms", max_block)]);
    trouble(&mut bench);
    let receipt = bench.try_send(&Record::to("t").value("x").timestamp(1));
    bench.advance_ms(3000);
    bench
        .failure_of(receipt.expect("it is held"))
        .error
        .to_string()
}

#[test]
fn a_cluster_of_which_nothing_is_heard_is_not_told_as_a_missing_topic() {
    let told = |trouble: &str| {
        format!(
            "no broker of bootstrap.servers told anything within max.block.ms, last {trouble}: \
             check the addresses, and that Kafka runs there"
        )
    };
    let dropped = unheard_of("3000", |bench| bench.hanging = vec![0, 1]);
    assert_eq!(dropped, told("b0:9092: not connected yet"));
    let silent = unheard_of("3000", |bench| bench.starting = vec![0, 1]);
    assert_eq!(silent, told("b0:9092: no answer yet"));
    let hasty = unheard_of("0", |bench| bench.hanging = vec![0, 1]);
    assert_eq!(hasty, told("b0:9092: not connected yet"));
}

//! Edge cases of the way back to `bootstrap.servers` (E54; KIP-899, KIP-1102, KIP-1242).

mod support;

use kafka_producer_machine::ErrorCode;
use support::Bench;

/// Broker 9 is a bootstrap address only.
const ELSEWHERE: (&str, &str) = ("bootstrap.servers", "b9:9092");

/// Connected to brokers 0 and 1 through broker 9, which then is gone for a while.
fn learned(properties: &[(&str, &str)]) -> Bench {
    let mut all = vec![ELSEWHERE];
    all.extend(properties);
    let mut bench = Bench::established(&all);
    bench.cut(9);
    bench.advance_ms(1000);
    bench.connects.clear();
    bench
}

/// How often a broker was connected to.
fn connects(bench: &Bench, broker: i32) -> usize {
    let to = bench.connects.iter();
    to.filter(|&&(_, to, _)| to == broker).count()
}

#[test]
fn edge_e54_with_all_learned_brokers_gone_the_bootstrap_addresses_are_asked_at_a_bounded_rate() {
    let mut bench = learned(&[]);
    bench.down = vec![0, 1, 9];
    bench.cut(0);
    bench.cut(1);
    let receipt = bench.produce(0, "x");
    bench.advance_ms(10_000);
    for broker in [0, 1, 9] {
        let count = connects(&bench, broker);
        assert!((5..=40).contains(&count), "{count} to {broker}");
    }
    // The cluster has moved to other brokers, which only the bootstrap address knows.
    bench.down = vec![0, 1];
    bench.brokers = vec![2];
    bench.move_leader("t", 0, 2);
    let seen = bench.await_request();
    assert_eq!(seen.broker, 2);
    assert_eq!((seen.batch().epoch, seen.batch().sequence), (0, 1));
    bench.acknowledge(&seen);
    assert!(bench.is_acked(receipt));
    bench.assert_settled();
}

#[test]
fn edge_e54_without_an_answer_for_the_trigger_all_starts_again_and_what_was_in_flight_is_retried() {
    let mut bench = learned(&[
        ("metadata.recovery.rebootstrap.trigger.ms", "5000"),
        ("metadata.max.age.ms", "20000"),
    ]);
    let receipt = bench.produce(0, "x");
    let seen = bench.take_request();
    bench.answers_metadata = false;
    // A refresh falls due; only from then on it counts.
    while bench.metadata_requests.len() < 3 {
        bench.advance_ms(10);
    }
    let asked = bench.now;
    bench.connects.clear();
    bench.advance_ms(4980);
    assert_eq!(connects(&bench, 9), 0);
    bench.brokers = vec![2];
    bench.move_leader("t", 0, 2);
    bench.answers_metadata = true;
    bench.advance_ms(1000);
    assert_eq!(connects(&bench, 9), 1, "asked at {asked:?}");
    let again = bench.await_request();
    assert_eq!((again.broker, again.identity()), (2, seen.identity()));
    bench.acknowledge(&again);
    assert!(bench.is_acked(receipt));
    // One answer, and it no longer counts.
    bench.connects.clear();
    bench.advance_ms(15_000);
    assert_eq!(connects(&bench, 9), 0);
    bench.assert_settled();
}

#[test]
fn edge_e54_a_broker_may_ask_for_a_new_start() {
    let mut bench = learned(&[("metadata.max.age.ms", "20000")]);
    bench.metadata_version = 13;
    bench.cut(0);
    bench.advance_ms(1000);
    bench.produce(0, "x");
    let seen = bench.take_request();
    bench.connects.clear();
    bench.metadata_error = ErrorCode::REBOOTSTRAP_REQUIRED;
    while bench.connects.is_empty() {
        bench.advance_ms(1);
    }
    bench.metadata_error = ErrorCode::NONE;
    let again = bench.await_request();
    assert!(0 < connects(&bench, 9));
    assert_eq!(again.identity(), seen.identity());
    bench.acknowledge(&again);
    bench.assert_settled();
}

#[test]
fn edge_e54_with_the_strategy_none_only_known_brokers_are_tried() {
    let mut bench = learned(&[("metadata.recovery.strategy", "none")]);
    bench.down = vec![0, 1];
    bench.cut(0);
    bench.cut(1);
    bench.advance_ms(10_000);
    assert_eq!(connects(&bench, 9), 0);
    assert!(0 < connects(&bench, 0));
    bench.down.clear();
    let receipt = bench.produce(0, "x");
    let seen = bench.await_request();
    bench.acknowledge(&seen);
    assert!(bench.is_acked(receipt));
    bench.assert_settled();
}

/// As `learned`, where brokers know version 5 of ApiVersions and metadata tell the cluster.
fn checked(properties: &[(&str, &str)]) -> Bench {
    let mut all = vec![ELSEWHERE, ("metadata.max.age.ms", "20000")];
    all.extend(properties);
    let mut bench = Bench::new(&all);
    bench.brokers = vec![0];
    bench.api_versions = 5;
    bench.cluster_id = Some("prod".into());
    bench.machine.topic(bench.now, "t");
    bench.run();
    let receipt = bench.produce(0, "first");
    bench.acknowledge_all();
    assert!(bench.is_acked(receipt));
    bench
}

#[test]
fn a_broker_of_metadata_is_told_who_it_is_taken_for_and_a_bootstrap_address_is_not() {
    let bench = checked(&[]);
    let prod = || Some(String::from("prod"));
    assert_eq!(bench.introductions, [(9, 4, None, -1), (0, 5, prod(), 0)]);
}

#[test]
fn a_broker_that_is_not_the_one_it_is_taken_for_brings_the_producer_back_to_the_bootstrap() {
    let mut bench = checked(&[]);
    bench.cut(9);
    bench.advance_ms(1000);
    bench.connects.clear();
    // The address of broker 0 is that of another cluster now; ours has moved to broker 2.
    bench.strangers = vec![0];
    bench.brokers = vec![2];
    bench.move_leader("t", 0, 2);
    let receipt = bench.produce(0, "x");
    let sent = bench.take_request();
    bench.cut(0);
    let seen = bench.await_request();
    assert_eq!((seen.broker, seen.identity()), (2, sent.identity()));
    assert!(0 < connects(&bench, 9));
    bench.acknowledge(&seen);
    assert!(bench.is_acked(receipt));
    bench.assert_settled();
}

#[test]
fn brokers_that_all_turn_out_to_be_strangers_are_asked_at_a_bounded_rate() {
    let mut bench = checked(&[]);
    bench.strangers = vec![0];
    bench.cut(0);
    bench.connects.clear();
    bench.produce(0, "x");
    bench.advance_ms(10_000);
    for broker in [0, 9] {
        let count = connects(&bench, broker);
        assert!((5..=60).contains(&count), "{count} to {broker}");
    }
    bench.strangers.clear();
    let seen = bench.await_request();
    bench.acknowledge(&seen);
    bench.assert_settled();
}

#[test]
fn nobody_is_checked_where_that_is_not_wanted_or_could_not_be_acted_upon() {
    for setting in [
        ("metadata.cluster.check.enable", "false"),
        ("metadata.recovery.strategy", "none"),
    ] {
        let bench = checked(&[setting]);
        assert_eq!(bench.introductions, [(9, 4, None, -1), (0, 4, None, -1)]);
    }
}

#[test]
fn a_broker_that_does_not_know_the_check_costs_one_more_question_and_the_next_none() {
    let mut bench = checked(&[]);
    // A rolling downgrade.
    bench.api_versions = 4;
    bench.introductions.clear();
    bench.cut(0);
    let receipt = bench.produce(0, "x");
    let seen = bench.await_request();
    bench.acknowledge(&seen);
    assert!(bench.is_acked(receipt));
    bench.cut(0);
    bench.produce(0, "y");
    let seen = bench.await_request();
    bench.acknowledge(&seen);
    let asked = bench.introductions.iter();
    let asked: Vec<_> = asked.map(|&(to, version, ..)| (to, version)).collect();
    assert_eq!(asked, [(0, 5), (0, 4), (0, 4)]);
    bench.assert_settled();
}

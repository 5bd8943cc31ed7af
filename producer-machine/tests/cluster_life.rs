//! The life of a cluster as a producer meets it: brokers that move, answer nothing, learn and
//! unlearn versions, and clocks that jump (`producer-semantics.md` §4.4–4.6).

mod support;

use std::time::Duration;

use kafka_producer_machine::explain::Subject;
use kafka_producer_machine::{DisconnectReason, Outcome, Record};
use support::Bench;

const OFTEN: (&str, &str) = ("metadata.max.age.ms", "2000");

#[test]
fn a_broker_whose_address_has_changed_is_left_once_nothing_is_in_flight_to_it() {
    let mut bench = Bench::established(&[OFTEN]);
    let first = bench.produce(0, "x");
    let sent = bench.take_request();
    bench.moved.insert(0, 7);
    bench.notices.clear();
    bench.advance_ms(3000);
    let second = bench.produce(1, "y");
    bench.advance_ms(1000);
    assert!(bench.requests.is_empty(), "no more goes the old way");
    let topic = bench.machine.topic(bench.now, "t");
    let subject = Subject::Partition(topic, 1);
    let said = bench.machine.explain(bench.now, subject).to_string();
    let obstacle = "broker 0 (b7:9092), whose address has changed, after 1 request to the former";
    assert!(said.contains(obstacle), "{said}");
    assert!(bench.disconnects().is_empty(), "what went may be answered");
    bench.acknowledge(&sent);
    assert_eq!(bench.disconnects(), [DisconnectReason::Asked]);
    assert!(bench.is_acked(first));
    let next = bench.await_request();
    assert_eq!(next.broker, 7);
    bench.acknowledge(&next);
    assert!(bench.is_acked(second));
    bench.advance_ms(10_000);
    assert_eq!(bench.disconnects().len(), 1, "and it stays there");
    bench.assert_settled();
}

#[test]
fn an_idle_connection_to_an_address_that_holds_no_more_ends_at_once() {
    let mut bench = Bench::established(&[OFTEN]);
    bench.moved.insert(0, 7);
    bench.notices.clear();
    bench.advance_ms(2500);
    assert_eq!(bench.disconnects(), [DisconnectReason::Asked]);
    let receipt = bench.produce(0, "x");
    let seen = bench.await_request();
    assert_eq!(seen.broker, 7);
    bench.acknowledge(&seen);
    assert!(bench.is_acked(receipt));
    bench.assert_settled();
}

#[test]
fn a_former_address_that_answers_nothing_more_is_left_after_the_request_timeout() {
    let mut bench = Bench::established(&[OFTEN, ("request.timeout.ms", "5000")]);
    let receipt = bench.produce(0, "x");
    let sent = bench.take_request();
    bench.moved.insert(0, 7);
    let again = bench.await_request();
    assert!(again.at.since(sent.at) < Duration::from_secs(7));
    assert_eq!((again.broker, again.identity()), (7, sent.identity()));
    bench.acknowledge(&again);
    assert!(bench.is_acked(receipt));
    bench.assert_settled();
}

#[test]
fn brokers_that_disagree_on_an_address_put_nothing_in_doubt() {
    let mut bench = Bench::established(&[OFTEN]);
    bench.notices.clear();
    for _ in 0..10 {
        let receipt = bench.produce(0, "x");
        let seen = bench.await_request();
        for address in [7, 0, 7] {
            bench.moved.insert(0, address);
            bench.advance_ms(2500);
        }
        bench.acknowledge(&seen);
        assert!(bench.is_acked(receipt));
        bench.moved.clear();
    }
    let reasons = bench.disconnects();
    let asked = |reason: &DisconnectReason| *reason == DisconnectReason::Asked;
    assert!(reasons.iter().all(asked), "{reasons:?}");
    assert!(bench.requests.is_empty(), "none was sent twice");
    bench.assert_settled();
}

#[test]
fn an_attempt_to_connect_to_an_address_that_holds_no_more_is_given_up() {
    let mut bench = Bench::established(&[OFTEN]);
    bench.hanging = vec![0];
    bench.cut(0);
    bench.moved.insert(0, 7);
    let begin = bench.now;
    let receipt = bench.produce(0, "x");
    let seen = bench.await_request();
    assert_eq!(seen.broker, 7);
    assert!(seen.at.since(begin) < Duration::from_secs(4));
    bench.acknowledge(&seen);
    assert!(bench.is_acked(receipt));
}

#[test]
fn an_answer_without_brokers_changes_nothing_and_is_asked_for_again() {
    let mut bench = Bench::established(&[OFTEN]);
    let topic = bench.machine.topic(bench.now, "t");
    bench.brokers.clear();
    bench.metadata_requests.clear();
    bench.advance_ms(4000);
    assert_eq!(bench.machine.leader(topic, 0), Some(0));
    let asked = bench.metadata_requests.len();
    assert!((2..=12).contains(&asked), "{asked}");
    let receipt = bench.produce(0, "x");
    bench.acknowledge_all();
    assert!(bench.is_acked(receipt));
    bench.assert_settled();
}

#[test]
fn a_broker_that_knows_an_older_version_of_the_handshake_is_asked_in_that() {
    let mut bench = Bench::new(&[]);
    bench.api_versions = 2;
    let receipt = bench.produce(0, "x");
    let seen = bench.await_request();
    bench.acknowledge(&seen);
    assert!(bench.is_acked(receipt));
    let asked = bench.introductions.iter();
    let asked: Vec<_> = asked.map(|&(to, version, ..)| (to, version)).collect();
    assert_eq!(asked[..2], [(0, 4), (0, 2)]);
}

#[test]
fn a_broker_that_comes_back_with_older_versions_is_spoken_to_in_those() {
    let mut bench = Bench::established(&[]);
    let receipt = bench.produce(0, "x");
    let before = bench.take_request();
    assert_eq!(before.version, 12);
    bench.produce_versions = (3, 7);
    bench.cut(0);
    let after = bench.await_request();
    assert_eq!((after.version, after.identity()), (7, before.identity()));
    bench.acknowledge(&after);
    assert!(bench.is_acked(receipt));
    bench.assert_settled();
}

#[test]
fn a_handshake_that_never_ends_is_bounded_by_the_request_timeout() {
    let mut bench = Bench::new(&[("request.timeout.ms", "3000")]);
    bench.starting = vec![0];
    bench.produce(0, "x");
    bench.notices.clear();
    bench.advance_ms(3001);
    assert_eq!(bench.disconnects(), [DisconnectReason::RequestTimeout]);
}

#[test]
fn an_idle_connection_ends_quietly_and_the_next_record_opens_another() {
    let mut bench = Bench::established(&[
        ("connections.max.idle.ms", "60000"),
        ("metadata.max.age.ms", "9223372036854775807"),
    ]);
    bench.metadata_requests.clear();
    bench.connects.clear();
    bench.advance(Duration::from_secs(3600));
    assert_eq!(bench.connection_to(0), None);
    let quiet = (bench.metadata_requests.len(), bench.connects.len());
    assert_eq!(quiet, (0, 0), "idling says nothing about the cluster");
    let receipt = bench.produce(0, "x");
    let begin = bench.now;
    let seen = bench.await_request();
    assert!(seen.at.since(begin) < Duration::from_millis(100));
    bench.acknowledge(&seen);
    assert!(bench.is_acked(receipt));
    bench.assert_settled();
}

#[test]
fn a_clock_that_jumps_back_changes_nothing() {
    let mut bench = Bench::established(&[("linger.ms", "100")]);
    let receipt = bench.send_to("t", 0, "x");
    let due = bench.machine.poll_timeout();
    bench.now = bench.now - Duration::from_secs(500);
    bench.machine.handle_timeout(bench.now);
    bench.run();
    assert!(bench.requests.is_empty() && bench.end_of(receipt).is_none());
    assert_eq!(bench.machine.poll_timeout(), due, "nothing is put off");
    bench.now = due.expect("it lingers");
    bench.machine.handle_timeout(bench.now);
    bench.run();
    bench.acknowledge_all();
    assert!(bench.is_acked(receipt));
    bench.assert_settled();
}

#[test]
fn a_clock_that_jumps_far_forward_ends_what_is_due_once_and_the_producer_goes_on() {
    let mut bench = Bench::established(&[]);
    let in_flight = bench.produce(0, "in flight");
    let lingering = bench.send_to("t", 1, "lingering");
    bench.take_requests();
    // A machine that slept for a year.
    bench.now = bench.now + Duration::from_secs(365 * 24 * 3600);
    for _ in 0..100 {
        bench.machine.handle_timeout(bench.now);
        bench.run();
    }
    assert_eq!(bench.failure_of(in_flight).outcome, Outcome::MaybeWritten);
    assert_eq!(bench.failure_of(lingering).outcome, Outcome::NotWritten);
    bench.assert_settled();
    let next = bench.try_send(&Record::to("t").partition(0).value("y").timestamp(1));
    bench.flush();
    let seen = bench.await_request();
    bench.acknowledge(&seen);
    assert!(bench.is_acked(next.expect("there is room")));
    bench.assert_settled();
}

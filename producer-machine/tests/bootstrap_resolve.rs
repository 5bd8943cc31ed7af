//! `bootstrap.resolve.timeout.ms`: names that do not resolve (KIP-909).

mod support;

use kafka_producer_machine::{DisconnectReason, Notice, Outcome, Record, SendError};
use support::Bench;

const LIMIT: (&str, &str) = ("bootstrap.resolve.timeout.ms", "5000");
const TWO: (&str, &str) = ("bootstrap.servers", "b8:9092,b9:9092");

/// A producer whose two bootstrap names do not resolve, with a record that waits.
fn unresolved(properties: &[(&str, &str)]) -> Bench {
    let mut all = vec![TWO];
    all.extend(properties);
    let mut bench = Bench::new(&all);
    bench.nameless = vec![8, 9];
    bench.produce(0, "x");
    bench
}

fn is_fatal(bench: &Bench) -> bool {
    let mut notices = bench.notices.iter();
    notices.any(|notice| matches!(notice, Notice::Fatal(_)))
}

#[test]
fn when_no_name_resolves_in_time_the_producer_gives_up_and_says_which() {
    let mut bench = unresolved(&[LIMIT]);
    bench.advance_ms(4999);
    assert!(!is_fatal(&bench));
    bench.advance_ms(1);
    assert!(is_fatal(&bench));
    let failed = bench.failure_of(bench.receipts[0]);
    assert_eq!(failed.outcome, Outcome::NotWritten);
    let said = "the producer cannot go on: no address of bootstrap.servers was resolved and \
                reached within bootstrap.resolve.timeout.ms, last b8:9092: the name did not \
                resolve: no such host; close it, correct bootstrap.servers, the resolver or the \
                network, and make a new one";
    assert_eq!(failed.error.to_string().replace("b9", "b8"), said);
    let later = bench.machine.send(bench.now, &Record::to("t").value("y"));
    assert!(matches!(later, Err(SendError::Fatal(_))), "{later:?}");
    bench.assert_settled();
    assert_eq!(bench.machine.poll_timeout(), None);
}

#[test]
fn one_name_that_resolves_is_enough_even_if_nobody_answers_there() {
    let troubles: [fn(&mut Bench); 2] = [
        |bench| bench.down = vec![9],
        |bench| bench.starting = vec![9],
    ];
    for trouble in troubles {
        let mut bench = Bench::new(&[TWO, LIMIT]);
        bench.nameless = vec![8];
        trouble(&mut bench);
        bench.produce(0, "x");
        bench.advance_ms(20_000);
        assert!(!is_fatal(&bench));
    }
}

#[test]
fn look_ups_that_fail_slowly_are_not_waited_for_once_the_time_is_over() {
    let mut bench = Bench::new(&[TWO, ("bootstrap.resolve.timeout.ms", "12000")]);
    bench.hanging = vec![8, 9];
    bench.produce(0, "x");
    // Each look-up takes five seconds, and so one of them is always under way.
    for _ in 0..119 {
        bench.advance_ms(100);
        for broker in [8, 9] {
            let began = bench.connects.iter().rfind(|connect| connect.1 == broker);
            if began.is_some_and(|connect| 5000 <= bench.now.since(connect.0).as_millis()) {
                bench.lose(broker, &DisconnectReason::Resolve("no such host".into()));
            }
        }
    }
    assert!(bench.connection_to(8).is_some() || bench.connection_to(9).is_some());
    assert!(!is_fatal(&bench));
    bench.advance_ms(100);
    assert!(is_fatal(&bench));
    bench.assert_settled();
}

#[test]
fn a_look_up_slower_than_the_setup_timeout_counts_as_no_address() {
    for (limit, earliest, latest) in [("5000", 8000, 12_001), ("60000", 60_000, 60_000)] {
        let limit = ("bootstrap.resolve.timeout.ms", limit);
        let mut bench = Bench::new(&[("bootstrap.servers", "b8:9092"), limit]);
        bench.hanging = vec![8];
        bench.produce(0, "x");
        bench.advance_ms(earliest - 1);
        assert!(!is_fatal(&bench), "{limit:?}");
        bench.advance_ms(latest - earliest + 1);
        assert!(is_fatal(&bench), "{limit:?}");
        bench.assert_settled();
    }
}

#[test]
fn a_first_connect_that_is_under_way_at_the_end_of_the_time_may_succeed() {
    let mut bench = Bench::new(&[("bootstrap.servers", "b0:9092"), LIMIT]);
    bench.hanging = vec![0];
    let receipt = bench.produce(0, "x");
    bench.advance_ms(6000);
    bench.hanging.clear();
    let id = bench.connection_to(0).expect("under way");
    bench.machine.handle_connected(bench.now, id);
    bench.run();
    let seen = bench.await_request();
    bench.acknowledge(&seen);
    assert!(bench.is_acked(receipt) && !is_fatal(&bench));
}

#[test]
fn a_name_that_resolves_in_the_end_counts_and_what_fails_later_does_not() {
    let mut bench = unresolved(&[LIMIT]);
    bench.advance_ms(4000);
    bench.nameless.clear();
    let seen = bench.await_request();
    bench.acknowledge(&seen);
    bench.nameless = vec![0, 1, 8, 9];
    for broker in [0, 1, 8, 9] {
        bench.cut(broker);
    }
    bench.advance_ms(60_000);
    assert!(!is_fatal(&bench));
}

#[test]
fn without_a_limit_names_are_tried_for_ever() {
    let mut bench = unresolved(&[]);
    bench.advance_ms(3_600_000);
    assert!(!is_fatal(&bench));
    bench.nameless.clear();
    let receipt = bench.produce(0, "y");
    let seen = bench.await_request();
    bench.acknowledge(&seen);
    assert!(bench.is_acked(receipt));
    bench.assert_settled();
}

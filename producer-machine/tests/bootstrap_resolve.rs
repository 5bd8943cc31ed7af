//! `bootstrap.resolve.timeout.ms`: names that do not resolve (KIP-909).

mod support;

use kafka_producer_machine::{Notice, Outcome, Record, SendError};
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
    let said = "the producer cannot go on: no name of bootstrap.servers could be resolved within \
                bootstrap.resolve.timeout.ms, last b8:9092: the name did not resolve: no such \
                host; close it, correct bootstrap.servers or the resolver, and make a new one";
    assert_eq!(failed.error.to_string().replace("b9", "b8"), said);
    let later = bench.machine.send(bench.now, &Record::to("t").value("y"));
    assert!(matches!(later, Err(SendError::Fatal(_))), "{later:?}");
    bench.assert_settled();
    assert_eq!(bench.machine.poll_timeout(), None);
}

#[test]
fn one_name_that_resolves_is_enough_even_if_nobody_answers_there() {
    let troubles: [fn(&mut Bench); 3] = [
        |bench| bench.down = vec![9],
        |bench| bench.hanging = vec![9],
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

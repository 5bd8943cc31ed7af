//! `connections.max.idle.ms`: when a connection that nobody uses ends.

mod support;

use std::time::Duration;

use kafka_producer_machine::DisconnectReason;
use support::Bench;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn after_a_day(max_idle: &str) -> Bench {
    let mut bench = Bench::established(&[
        ("connections.max.idle.ms", max_idle),
        // Metadata would keep a connection busy.
        ("metadata.max.age.ms", "9223372036854775807"),
    ]);
    bench.advance(DAY);
    bench
}

#[test]
fn an_idle_connection_is_closed_in_time() {
    let bench = after_a_day("60000");
    let ends = bench.disconnects();
    assert!(ends.contains(&DisconnectReason::Idle), "{ends:?}");
    assert_eq!(bench.connection_to(0), None);
}

#[test]
fn no_connection_is_closed_for_idling_where_that_is_never() {
    let mut bench = after_a_day("-1");
    assert!(!bench.disconnects().contains(&DisconnectReason::Idle));
    assert!(bench.connection_to(0).is_some());
    assert_eq!(bench.machine.poll_timeout(), None);

    let receipt = bench.produce(0, "later");
    bench.advance_ms(5);
    bench.acknowledge_all();
    assert!(bench.is_acked(receipt));
}

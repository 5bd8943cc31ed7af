//! Edge cases of `delivery.timeout.ms`: it ends what waits and what flies (E37, E38, E40, E41).

mod support;

use std::time::Duration;

use kafka_producer_machine::{
    Action, ErrorCode, Event, Instant, Outcome, ProduceError, Receipt, Record,
};
use support::Bench;

/// Lets time pass until the receipt is resolved, as a driver does; gives when that was and how
/// often the machine wanted to be woken.
fn wait_for(bench: &mut Bench, receipt: Receipt) -> (Instant, usize) {
    let mut wakes = 0;
    while bench.end_of(receipt).is_none() {
        let at = bench
            .machine
            .poll_timeout()
            .expect("it will not wait for ever");
        bench.now = bench.now.max(at);
        bench.machine.handle_timeout(bench.now);
        bench.run();
        let next = bench.machine.poll_timeout();
        assert!(
            next.is_none_or(|next| bench.now < next),
            "it is busy with nothing"
        );
        wakes += 1;
    }
    (bench.now, wakes)
}

#[test]
fn edge_e37_what_waits_for_a_leader_or_a_broker_expires_on_time_without_busy_looping() {
    // Nobody leads the partition, and the cluster says so again and again.
    let mut bench = Bench::ready(&[("delivery.timeout.ms", "40000")]);
    bench.add_topic("headless", &[-1]);
    bench.machine.topic(bench.now, "headless");
    bench.run();
    let start = bench.now;
    let first = bench.send_to("headless", 0, "a");
    bench.advance_ms(1);
    let full = bench.send_to("headless", 0, &"x".repeat(16_384));
    let (at, wakes) = wait_for(&mut bench, first);
    assert_eq!(at, start + Duration::from_secs(40));
    assert!(wakes < 100, "{wakes}");
    assert!(bench.end_of(full).is_none(), "each at its own time");
    let (at, _) = wait_for(&mut bench, full);
    assert_eq!(at, start + Duration::from_millis(40_001));
    for receipt in [first, full] {
        let failed = bench.failure_of(receipt);
        assert_eq!(
            failed.error,
            ProduceError::TimedOut {
                attempts: 0,
                last: None,
                trouble: Some("the partition has no leader".into()),
            }
        );
        assert_eq!(failed.outcome, Outcome::NotWritten);
    }
    bench.assert_settled();

    // No broker can be reached: there is no network activity at all.
    let mut bench = Bench::ready(&[("delivery.timeout.ms", "40000")]);
    bench.down = vec![0, 1];
    bench.cut(0);
    let start = bench.now;
    let receipt = bench.send_to("t", 0, "a");
    let (at, wakes) = wait_for(&mut bench, receipt);
    assert_eq!(at, start + Duration::from_secs(40));
    assert!(wakes < 300, "{wakes}");
    let failed = bench.failure_of(receipt);
    assert_eq!(failed.outcome, Outcome::NotWritten);
    assert_eq!(
        failed.error.to_string(),
        "not delivered within delivery.timeout.ms: 0 attempts, last error none; b0:9092: \
         connection refused"
    );
    bench.assert_settled();
}

/// A batch of `t`-0 that expires in flight, a moment before its request does.
fn expired_in_flight(bench: &mut Bench) -> (Receipt, support::Seen) {
    let start = bench.now;
    let receipt = bench.send_to("t", 0, "late");
    bench.advance_ms(5);
    let seen = bench.take_request();
    bench.advance(Duration::from_micros(29_999_999));
    assert!(bench.end_of(receipt).is_none(), "not a microsecond earlier");
    bench.advance(Duration::from_micros(1));
    assert_eq!(bench.now, start + Duration::from_millis(30_005));
    let failed = bench.failure_of(receipt);
    assert_eq!(
        failed.error,
        ProduceError::TimedOut {
            attempts: 1,
            last: None,
            trouble: Some("b0:9092 did not answer the last one".into()),
        }
    );
    assert_eq!(failed.outcome, Outcome::MaybeWritten);
    (receipt, seen)
}

#[test]
fn edge_e38_a_batch_in_flight_expires_on_time_and_its_late_answer_only_tells_what_follows() {
    // A late success closes the hole: the sequences go on.
    let mut bench = Bench::established(&[("delivery.timeout.ms", "30005")]);
    let (late, seen) = expired_in_flight(&mut bench);
    let next = bench.send_to("t", 0, "next");
    bench.flush();
    assert!(
        bench.requests.is_empty(),
        "the sequence of the first is not resolved"
    );
    bench.acknowledge(&seen);
    assert!(
        bench.failure_of(late).outcome == Outcome::MaybeWritten,
        "told once"
    );
    let seen = bench.take_request();
    let batch = &seen.batches[0];
    assert_eq!(
        (batch.producer_id, batch.epoch, batch.sequence),
        (100, 0, 2)
    );
    bench.acknowledge(&seen);
    assert!(bench.is_acked(next));
    bench.assert_settled();

    // A late error says nothing good, and no answer at all says nothing: another epoch.
    for code in [Some(ErrorCode::NOT_ENOUGH_REPLICAS), None] {
        let mut bench = Bench::established(&[("delivery.timeout.ms", "30005")]);
        let (late, seen) = expired_in_flight(&mut bench);
        let next = bench.send_to("t", 0, "next");
        bench.flush();
        assert!(bench.requests.is_empty());
        match code {
            Some(code) => bench.answer(&seen, code),
            None => bench.cut(0),
        }
        bench.advance_ms(500);
        let seen = bench.take_request();
        let batch = &seen.batches[0];
        assert_eq!(
            (batch.producer_id, batch.epoch, batch.sequence),
            (100, 1, 0)
        );
        assert_eq!(
            batch.values,
            ["next"],
            "what was given up is not sent again"
        );
        bench.acknowledge(&seen);
        assert!(bench.is_acked(next));
        assert_eq!(bench.failure_of(late).outcome, Outcome::MaybeWritten);
        bench.assert_settled();
    }
}

#[test]
fn edge_e40_a_huge_delivery_timeout_near_the_end_of_the_clock_expires_nothing_early() {
    let properties = [("delivery.timeout.ms", "2147483647"), ("linger.ms", "20")];
    let mut bench = Bench::ready(&properties);
    bench.now = Instant::from_micros(u64::MAX - 60_000_000);
    let receipt = bench.send_to("t", 0, "a");
    bench.advance_ms(19);
    assert!(bench.requests.is_empty(), "it lingers as ever");
    bench.advance_ms(1000);
    let seen = bench.take_request();
    bench.answer(&seen, ErrorCode::NOT_ENOUGH_REPLICAS);
    assert!(bench.end_of(receipt).is_none());
    bench.advance_ms(120);
    let seen = bench.take_request();
    bench.acknowledge(&seen);
    assert!(bench.is_acked(receipt));
    bench.assert_settled();
}

#[test]
fn edge_e41_a_record_sent_while_expiries_are_told_goes_into_a_fresh_batch() {
    let mut bench = Bench::ready(&[("delivery.timeout.ms", "40000")]);
    bench.down = vec![0, 1];
    bench.cut(0);
    let first = bench.send_to("t", 0, "a");
    let second = bench.send_to("t", 1, "b");
    bench.advance_ms(39_999);
    bench.now = bench.now + Duration::from_millis(1);
    bench.machine.handle_timeout(bench.now);
    // A callback runs between two events: each failure sends its record once more.
    let mut ended = Vec::new();
    let mut again = Vec::new();
    while let Some(event) = bench.machine.poll_event() {
        let Event::Completed { group, result, .. } = event else {
            continue;
        };
        let failed = result.unwrap_err();
        assert_eq!(failed.outcome, Outcome::NotWritten);
        ended.push(group);
        let partition = failed.partition.unwrap();
        let value = failed.records.record(0).unwrap().value.unwrap();
        let record = Record::to("t")
            .partition(partition)
            .value(&value)
            .timestamp(1);
        again.push(bench.machine.send(bench.now, &record).unwrap());
    }
    assert_eq!(
        ended,
        [first.group, second.group],
        "each once, in their order"
    );
    assert!(again.iter().all(|receipt| !ended.contains(&receipt.group)));
    bench.receipts.clone_from(&again);
    bench.down.clear();
    while let Some(action) = bench.machine.poll_action() {
        assert!(
            !matches!(action, Action::Transmit { .. }),
            "nobody is connected"
        );
        if let Action::Connect { connection, .. } = action {
            let reason = kafka_producer_machine::DisconnectReason::Closed;
            bench
                .machine
                .handle_disconnected(bench.now, connection, reason);
        }
    }
    bench.advance_ms(2000);
    bench.acknowledge_all();
    assert!(again.iter().all(|&receipt| bench.is_acked(receipt)));
    bench.assert_settled();
}

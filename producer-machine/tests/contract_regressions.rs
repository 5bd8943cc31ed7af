//! Promises of the surface that were once broken, each by the story that broke it.

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use kafka_producer_machine::{
    Action, DisconnectReason, ErrorCode, Event, Instant, Outcome, ProducerMachine, Record, Seed,
    SendError, Unsealed,
};
use kafka_producer_proto::messages::produce::PartitionProduceResponse;
use support::{Bench, Seen, config};

fn value(bytes: usize) -> String {
    "v".repeat(bytes)
}

/// How many partitions a request names, and how many of them once.
fn entries(seen: &Seen) -> (usize, usize) {
    let distinct: BTreeSet<(&str, u32)> = seen
        .batches
        .iter()
        .map(|batch| (batch.topic.as_str(), batch.partition))
        .collect();
    (seen.batches.len(), distinct.len())
}

#[test]
fn a_record_larger_than_a_batch_that_closes_another_lingers_no_more_once_it_is_gone() {
    let mut bench = Bench::established(&[("batch.size", "1024")]);
    let small = bench.send_to("t", 0, "a");
    let large = bench.send_to("t", 0, &value(3000));
    bench.acknowledge_all();
    bench.advance_ms(10);
    bench.acknowledge_all();
    bench.advance_ms(10);
    assert!(bench.is_acked(small) && bench.is_acked(large));
    bench.assert_settled();
}

#[cfg(feature = "gzip")]
#[test]
fn a_record_larger_than_a_batch_is_compressed_whatever_it_closes() {
    let properties = [("batch.size", "1024"), ("compression.type", "gzip")];
    let mut bench = Bench::established(&properties);
    bench.send_to("t", 0, "a");
    bench.send_to("t", 0, &value(3000));
    bench.advance_ms(10);
    let seen = bench.take_requests();
    let batches: Vec<usize> = seen
        .iter()
        .flat_map(|seen| &seen.batches)
        .map(|batch| batch.bytes.len())
        .collect();
    assert_eq!(batches.len(), 2);
    assert!(batches.iter().all(|&bytes| bytes < 300), "{batches:?}");
}

#[test]
fn a_request_names_a_partition_once_though_its_next_batch_lingers() {
    let mut bench = Bench::established(&[("batch.size", "1024"), ("linger.ms", "1000")]);
    for _ in 0..3 {
        bench.send_to("t", 0, &value(600));
    }
    let requests = bench.take_requests();
    assert!(!requests.is_empty());
    for seen in &requests {
        let (all, distinct) = entries(seen);
        assert_eq!(all, distinct, "{seen:#?}");
    }
}

#[test]
fn a_request_names_a_partition_once_though_its_leader_went_and_came_back() {
    let properties = [
        ("batch.size", "1024"),
        ("enable.idempotence", "false"),
        ("bootstrap.servers", "b2:9092"),
        ("metadata.max.age.ms", "1000"),
    ];
    let mut bench = Bench::new(&properties);
    bench.brokers = vec![0, 1, 2];
    bench.down = vec![0, 1];
    bench.machine.topic(bench.now, "t");
    bench.run();
    for _ in 0..4 {
        bench.send_to("t", 0, &value(600));
    }
    for leader in [1, 0, 1, 0] {
        bench.move_leader("t", 0, leader);
        bench.advance_ms(2000);
    }
    bench.down.clear();
    bench.advance_ms(10_000);
    let requests = bench.take_requests();
    assert!(!requests.is_empty());
    for seen in requests {
        let (all, distinct) = entries(&seen);
        assert_eq!(all, distinct, "{seen:#?}");
    }
}

#[test]
fn a_lingering_batch_that_found_no_room_in_a_request_is_in_the_next_one() {
    let properties = [
        ("batch.size", "4096"),
        ("linger.ms", "1000"),
        ("max.request.size", "4200"),
    ];
    let mut bench = Bench::established(&properties);
    bench.send_to("t", 1, "opens the other partition");
    bench.flush();
    bench.acknowledge_all();
    let lingering = bench.send_to("t", 1, &value(2000));
    let leaving = bench.send_to("t", 0, &value(3000));
    let also = bench.send_to("t", 0, &value(3000));
    bench.acknowledge_all();
    bench.advance_ms(1001);
    bench.acknowledge_all();
    for receipt in [lingering, leaving, also] {
        assert!(bench.is_acked(receipt), "{receipt:?}");
    }
    bench.assert_settled();
}

#[test]
fn a_batch_behind_one_that_expired_is_announced() {
    let properties = [
        ("delivery.timeout.ms", "1000"),
        ("request.timeout.ms", "500"),
        ("linger.ms", "0"),
        ("batch.size", "1024"),
        ("enable.idempotence", "false"),
    ];
    let mut bench = Bench::established(&properties);
    let large = value(800);
    let record = Record::to("t").partition(0).value(&large);
    let old = bench.machine.send(bench.now, &record);
    // The driver has been told to ask for a frame, and asks late.
    let Some(Action::Transmit { connection }) = bench.machine.poll_action() else {
        panic!("a frame is announced");
    };
    let new_at = bench.now + Duration::from_millis(999);
    let new = bench.machine.send(new_at, &record);
    assert!(old.is_ok() && new.is_ok());
    let late = bench.now + Duration::from_millis(1000);
    let mut frame = Unsealed::new();
    let filled = bench.machine.poll_transmit(late, connection, &mut frame);
    assert!(!filled, "the first batch is too late, and found to be so");
    let action = bench.machine.poll_action();
    assert!(
        matches!(action, Some(Action::Transmit { .. })),
        "{action:?}"
    );
    assert!(bench.machine.poll_transmit(late, connection, &mut frame));
}

#[test]
fn bytes_before_the_connection_stands_do_not_end_its_setup_timeout() {
    let now = Instant::from_millis(1);
    let mut machine = ProducerMachine::new(now, config(&[]), Seed::new(1));
    let Some(Action::Connect { connection, .. }) = machine.poll_action() else {
        panic!("a connection is wished for");
    };
    machine.handle_received(now, connection, b"");
    machine.handle_timeout(now + Duration::from_secs(60));
    let ended = std::iter::from_fn(|| machine.poll_action())
        .any(|action| matches!(action, Action::Disconnect { .. }));
    assert!(ended, "nobody connected for a minute");
}

#[test]
fn a_producer_id_below_zero_is_asked_for_again() {
    let mut bench = Bench::new(&[]);
    bench.init_producer_id.push_back((ErrorCode::NONE, -1, -1));
    bench.machine.topic(bench.now, "t");
    bench.run();
    let receipt = bench.send_to("t", 0, "a");
    bench.advance_ms(3000);
    bench.acknowledge_all();
    assert!(bench.is_acked(receipt));
}

#[test]
fn a_topic_whose_name_no_request_can_carry_is_refused() {
    for length in [40_000, 70_000] {
        let mut bench = Bench::ready(&[]);
        let name = "n".repeat(length);
        let handle = bench.machine.topic(bench.now, &name);
        bench.run();
        assert_eq!(
            bench.machine.topic_error(handle),
            Some(ErrorCode::INVALID_TOPIC_EXCEPTION)
        );
        let refused = bench.try_send(&Record::to(name.as_str()).value("x"));
        assert!(
            matches!(refused, Err(SendError::Topic { .. })),
            "{refused:?}"
        );
        bench.advance_ms(1000);
        bench.assert_settled();
    }
}

#[test]
fn an_offset_whose_batch_would_pass_the_last_one_is_unknown() {
    let mut bench = Bench::ready(&[]);
    let first = bench.send_to("t", 0, "a");
    let second = bench.send_to("t", 0, "b");
    bench.flush();
    let seen = bench.take_request();
    bench.answer_with(&seen, |_| PartitionProduceResponse {
        base_offset: i64::MAX,
        ..support::answer(ErrorCode::NONE)
    });
    for receipt in [first, second] {
        let written = bench.end_of(receipt).unwrap().as_ref().unwrap();
        assert_eq!(written.base_offset, None);
    }
}

#[test]
fn who_waits_for_a_topic_is_told_so_when_the_producer_closes() {
    let mut bench = Bench::ready(&[]);
    let topic = bench.machine.topic(bench.now, "missing");
    let deadline = bench.now + Duration::from_secs(10);
    let waiter = bench.machine.wait_for_metadata(bench.now, topic, deadline);
    bench.machine.close(bench.now, deadline);
    bench.run();
    let told: Vec<&Event> = bench
        .events
        .iter()
        .filter(|event| !matches!(event, Event::Notice(_) | Event::Closed))
        .collect();
    assert!(
        matches!(told[..], [Event::MetadataReady(id)] if *id == waiter),
        "{told:?}"
    );
}

#[test]
fn a_closed_producer_has_no_deadline_whatever_it_is_asked() {
    let mut bench = Bench::ready(&[("buffer.memory", "2048"), ("batch.size", "1024")]);
    let mut shortage = None;
    for partition in [0, 1, 0, 1] {
        let record = Record::to("t").partition(partition).value("x").key("y");
        let big = value(900);
        let record = Record {
            value: Some(big.as_bytes()),
            ..record
        };
        if let Err(SendError::Full(missing)) = bench.machine.send(bench.now, &record) {
            shortage = Some(missing);
        }
    }
    let shortage = shortage.expect("full");
    bench.machine.close(bench.now, bench.now);
    let late = bench.now + Duration::from_secs(10);
    let waiter = bench.machine.wait_for_space(bench.now, shortage, late);
    assert_eq!(bench.machine.poll_timeout(), None);
    let told = std::iter::from_fn(|| bench.machine.poll_event())
        .any(|event| matches!(event, Event::SpaceReady(id) if id == waiter));
    assert!(told, "the wait ends at once");
}

#[test]
fn closing_opens_no_connection_even_without_a_backoff() {
    let properties = [
        ("reconnect.backoff.ms", "0"),
        ("reconnect.backoff.max.ms", "0"),
    ];
    let mut bench = Bench::established(&properties);
    let record = Record::to("t").partition(0).value("x");
    let receipt = bench.machine.send(bench.now, &record).unwrap();
    bench.receipts.push(receipt);
    bench.machine.flush(bench.now);
    bench.machine.close(bench.now, bench.now);
    let connects = std::iter::from_fn(|| bench.machine.poll_action())
        .filter(|action| matches!(action, Action::Connect { .. }))
        .count();
    assert_eq!(connects, 0);
    bench.run();
    assert_eq!(bench.failure_of(receipt).outcome, Outcome::NotWritten);
}

#[test]
fn a_connection_lost_after_the_end_changes_nothing() {
    let mut bench = Bench::ready(&[]);
    let connection = bench.connection_to(0).expect("connected");
    bench.machine.close(bench.now, bench.now);
    bench.run();
    bench
        .machine
        .handle_disconnected(bench.now, connection, DisconnectReason::Closed);
    assert!(!bench.machine.has_output());
    assert_eq!(bench.machine.poll_timeout(), None);
}

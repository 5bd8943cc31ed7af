//! No call does more than a bounded amount of work, however much has come to wait.

mod support;

use std::time::Duration;

use kafka_producer_machine::{ErrorCode, Event, Record, SendError, Shortage, WaiterId};
use kafka_producer_proto::messages::ProduceResponse;
use kafka_producer_proto::messages::produce::TopicProduceResponse;
use kafka_producer_proto::{ApiKey, Uuid, encode_response};
use support::Bench;

/// A bench with eight partitions of `wide` and a buffer that four batches fill.
fn full() -> Bench {
    let mut bench = Bench::new(&[
        ("buffer.memory", "4096"),
        ("max.request.size", "4096"),
        ("batch.size", "1024"),
        ("linger.ms", "60000"),
    ]);
    bench.add_topic("wide", &[0; 8]);
    bench.machine.topic(bench.now, "wide");
    bench.run();
    for partition in 0..4 {
        bench.send_to("wide", partition, "a");
    }
    bench
}

#[allow(clippy::panic, reason = "a check of the tests below")]
fn shortage(bench: &mut Bench) -> Shortage {
    match bench.try_send(&Record::to("wide").partition(4).value("b")) {
        Err(SendError::Full(shortage)) => shortage,
        other => panic!("no room is expected, {other:?} came"),
    }
}

#[test]
fn a_timeout_that_much_is_due_at_stays_due_until_all_is_done_in_order() {
    let mut bench = full();
    let shortage = shortage(&mut bench);
    let deadline = bench.now + Duration::from_millis(500);
    let wait = |_| bench.machine.wait_for_space(bench.now, shortage, deadline);
    let waiters: Vec<WaiterId> = (0..1000).map(wait).collect();
    bench.run();
    bench.now = deadline;

    let mut expired = Vec::new();
    while bench.machine.poll_timeout() == Some(deadline) {
        let before = expired.len();
        bench.machine.handle_timeout(deadline);
        expired.extend(std::iter::from_fn(|| bench.machine.poll_event()));
        let told = expired.len() - before;
        assert!((1..=64).contains(&told), "{told} in one call");
    }
    let ids = expired.iter().filter_map(|event| match event {
        Event::WaitExpired(waiter) => Some(*waiter),
        _ => None,
    });
    assert_eq!(ids.collect::<Vec<_>>(), waiters);
}

#[test]
fn records_whose_topic_never_came_expire_a_part_in_each_call() {
    let mut bench = Bench::new(&[("batch.size", "1024"), ("max.block.ms", "500")]);
    for _ in 0..200 {
        bench.send_to("unknown", 0, &"x".repeat(900));
    }
    bench.now = bench.now + Duration::from_secs(1);
    let mut ended = 0;
    for _ in 0..4 {
        assert!(
            bench
                .machine
                .poll_timeout()
                .is_some_and(|at| at < bench.now)
        );
        bench.machine.handle_timeout(bench.now);
        bench.run();
        assert!(bench.ends.len() - ended <= 64, "{} ended", bench.ends.len());
        ended = bench.ends.len();
    }
    assert_eq!(ended, 200);
    bench.assert_settled();
}

#[test]
fn one_more_waiter_looks_at_no_partition_while_nothing_lingers() {
    if !cfg!(debug_assertions) {
        return;
    }
    let mut bench = full();
    let shortage = shortage(&mut bench);
    let deadline = bench.now + Duration::from_secs(60);
    bench.machine.wait_for_space(bench.now, shortage, deadline);
    let before = bench.machine.steps();
    bench.machine.wait_for_space(bench.now, shortage, deadline);
    assert_eq!(bench.machine.steps() - before, 1, "the first in line");
    // A flush finds nothing that lingers either.
    let before = bench.machine.steps();
    bench.machine.flush(bench.now);
    assert!(bench.machine.steps() - before <= 2);
}

#[test]
fn a_request_without_room_does_not_look_at_all_that_lingers() {
    if !cfg!(debug_assertions) {
        return;
    }
    let mut bench = Bench::new(&[
        ("enable.idempotence", "false"),
        ("max.request.size", "1500"),
        ("batch.size", "1024"),
        ("linger.ms", "60000"),
    ]);
    bench.add_topic("wide", &[0; 500]);
    bench.machine.topic(bench.now, "wide");
    bench.run();
    for partition in 1..500 {
        bench.send_to("wide", partition, &"x".repeat(400));
    }
    let before = bench.machine.steps();
    for _ in 0..3 {
        bench.send_to("wide", 0, &"x".repeat(400));
    }
    let seen = bench.take_request();
    assert_eq!(
        seen.batches.len(),
        2,
        "one went along, the next had no room"
    );
    let steps = bench.machine.steps() - before;
    assert!(steps < 20, "{steps} steps");
}

#[test]
fn an_answer_full_of_strange_topics_is_not_compared_with_all_of_the_request() {
    if !cfg!(debug_assertions) {
        return;
    }
    for version in [12, 13] {
        let mut bench = Bench::new(&[("linger.ms", "1000")]);
        bench.produce_versions = (3, version);
        let names: Vec<String> = (0..200).map(|n| format!("t{n}")).collect();
        for name in &names {
            bench.add_topic(name, &[0]);
            bench.machine.topic(bench.now, name);
        }
        bench.run();
        for name in &names {
            bench.send_to(name, 0, "x");
        }
        bench.flush();
        let seen = bench.take_request();
        assert_eq!((seen.batches.len(), seen.version), (200, version));
        let strange = (0..1000_u128).map(|n| TopicProduceResponse {
            name: format!("strange{n}"),
            topic_id: Uuid::from_bytes((n << 64).to_be_bytes()),
            partition_responses: vec![support::answer(ErrorCode::NONE)],
        });
        let response = ProduceResponse {
            responses: strange.collect(),
            ..ProduceResponse::default()
        };
        let mut frame = Vec::new();
        let id = seen.correlation_id;
        encode_response(ApiKey::Produce, version, id, &response, &mut frame).unwrap();
        let before = bench.machine.steps();
        let connection = seen.connection;
        bench.machine.handle_received(bench.now, connection, &frame);
        let steps = bench.machine.steps() - before;
        assert!(steps < 12_000, "{steps} steps in version {version}");
    }
}

#[test]
fn held_records_are_placed_a_part_in_each_call_and_none_overtakes_them() {
    let mut bench = Bench::new(&[
        ("batch.size", "1024"),
        ("max.in.flight.requests.per.connection", "1"),
    ]);
    bench.topics.remove("t");
    let big = "x".repeat(900);
    for _ in 0..200 {
        bench.send_to("t", 0, &big);
    }
    // Two partitions: the third is unknown for longer.
    bench.send_to("t", 2, "for later");
    bench.send_to("t", 0, &big);
    bench.add_topic("t", &[0, 0]);
    let before = bench.machine.steps();
    while bench.requests.is_empty() {
        let at = bench.machine.poll_timeout().unwrap();
        bench.now = at;
        bench.machine.handle_timeout(at);
        bench.run();
    }
    let steps = bench.machine.steps() - before;
    assert!(steps < 400, "{steps} steps");
    let last = bench.send_to("t", 0, "behind all the others");
    let mut values = Vec::new();
    for _ in 0..1000 {
        for seen in bench.take_requests() {
            let sent = seen.batches.iter().flat_map(|batch| batch.values.clone());
            values.extend(sent);
            bench.acknowledge(&seen);
        }
        bench.advance_ms(1);
        if bench.is_acked(last) {
            break;
        }
    }
    assert_eq!(values.len(), 202);
    assert_eq!(
        values.last().map(String::as_str),
        Some("behind all the others")
    );
    bench.add_topic("t", &[0, 0, 0]);
    bench.send_to("t", 2, "one more");
    bench.advance_ms(2000);
    let seen = bench.take_request();
    assert_eq!(seen.batch().values, ["for later", "one more"]);
}

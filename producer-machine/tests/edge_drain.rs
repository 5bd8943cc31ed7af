//! Edge cases of filling a request: who goes along, who waits, whose turn it is (E13–E18, E25).

mod support;

use std::time::Duration;

use kafka_producer_machine::{ErrorCode, Instant, Outcome, ProduceError, Record};
use support::{Bench, Seen};

/// A value that makes a record of 109 bytes: eight fit into a batch of 1024, nine do not.
fn hundred() -> String {
    "x".repeat(100)
}

/// The partitions in a request, in its order.
fn partitions(seen: &Seen) -> Vec<u32> {
    seen.batches.iter().map(|batch| batch.partition).collect()
}

#[test]
fn edge_e13_a_lingering_batch_goes_along_with_a_full_one_to_the_same_broker() {
    let mut bench = Bench::new(&[("batch.size", "1024"), ("linger.ms", "60000")]);
    bench.add_topic("far", &[1]);
    bench.machine.topic(bench.now, "t");
    bench.machine.topic(bench.now, "far");
    bench.run();
    bench.send_to("t", 1, "lingering");
    bench.send_to("far", 0, "lingering at another broker");
    for _ in 0..8 {
        bench.send_to("t", 0, &hundred());
    }
    assert!(bench.requests.is_empty());
    bench.send_to("t", 0, &hundred());
    let seen = bench.take_request();
    assert_eq!(
        partitions(&seen),
        [0, 1],
        "one batch each, and nothing of the other broker"
    );
    assert_eq!(seen.batches[0].values.len(), 8);
    assert_eq!(seen.batches[1].values, ["lingering"]);
    bench.acknowledge(&seen);
    bench.flush();
    bench.acknowledge_all();
    bench.assert_settled();
}

#[cfg(feature = "gzip")]
#[test]
fn edge_e13_with_a_codec_a_lingering_batch_lingers_on_and_gathers_records() {
    let properties = [
        ("batch.size", "1024"),
        ("linger.ms", "1000"),
        ("compression.type", "gzip"),
    ];
    let mut bench = Bench::ready(&properties);
    bench.send_to("t", 1, "lingering");
    for _ in 0..9 {
        bench.send_to("t", 0, &hundred());
    }
    let seen = bench.take_request();
    assert_eq!(partitions(&seen), [0], "compressed, it would come too late");
    bench.acknowledge(&seen);
    bench.send_to("t", 1, "one more");
    bench.advance_ms(1000);
    let seen = bench.take_request();
    assert_eq!(partitions(&seen), [0, 1]);
    assert_eq!(seen.batches[1].values, ["lingering", "one more"]);
    bench.acknowledge(&seen);
    bench.assert_settled();
}

#[test]
fn edge_e14_a_request_ends_at_max_request_size_and_a_larger_batch_goes_alone() {
    let properties = [("max.request.size", "1500"), ("linger.ms", "5")];
    let mut bench = Bench::ready(&properties);
    for _ in 0..8 {
        bench.send_to("t", 0, &hundred());
        bench.send_to("t", 1, &hundred());
    }
    bench.advance_ms(5);
    let seen = bench.take_requests();
    let carried: Vec<Vec<u32>> = seen.iter().map(partitions).collect();
    assert_eq!(carried, [[0], [1]], "933 bytes twice are more than 1500");
    for seen in seen {
        bench.acknowledge(&seen);
    }
    for _ in 0..20 {
        bench.send_to("t", 0, &hundred());
    }
    bench.send_to("t", 1, "small");
    bench.advance_ms(5);
    let seen = bench.take_requests();
    let carried: Vec<Vec<u32>> = seen.iter().map(partitions).collect();
    assert_eq!(carried, [[0], [1]]);
    assert_eq!(seen[0].batches[0].values.len(), 20);
    assert!(
        1500 < seen[0].batches[0].bytes.len(),
        "alone, it may be larger"
    );
    for seen in seen {
        bench.acknowledge(&seen);
    }
    bench.assert_settled();
}

#[test]
fn a_lingering_batch_that_finds_no_room_stays_open_and_leaves_when_its_linger_ends() {
    let properties = [
        ("max.request.size", "1500"),
        ("batch.size", "1024"),
        ("linger.ms", "1000"),
    ];
    let mut bench = Bench::established(&properties);
    let opened = bench.now;
    for _ in 0..6 {
        bench.send_to("t", 1, &hundred());
    }
    bench.advance_ms(100);
    for _ in 0..9 {
        bench.send_to("t", 0, &hundred());
    }
    let full = bench.take_request();
    assert_eq!(
        partitions(&full),
        [0],
        "the other has 715 bytes, 567 are left"
    );
    bench.acknowledge(&full);
    bench.send_to("t", 1, "one more");
    bench.advance_ms(899);
    assert!(bench.requests.is_empty());
    bench.advance_ms(1);
    let seen = bench.take_request();
    assert_eq!(seen.at, opened + Duration::from_secs(1));
    let lingered = seen.batches.iter().find(|batch| batch.partition == 1);
    assert_eq!(lingered.unwrap().values.len(), 7);
    bench.acknowledge_all();
    bench.acknowledge(&seen);
    bench.flush();
    bench.acknowledge_all();
    bench.assert_settled();
}

#[test]
fn edge_e15_each_partition_is_served_once_in_a_rotation_and_each_broker_has_its_own() {
    let properties = [
        ("enable.idempotence", "false"),
        ("max.in.flight.requests.per.connection", "2"),
        ("max.request.size", "1200"),
        ("batch.size", "1024"),
        ("linger.ms", "0"),
    ];
    let mut bench = Bench::new(&properties);
    bench.add_topic("near", &[0, 0, 0, 0]);
    bench.add_topic("far", &[1, 1, 1]);
    for topic in ["t", "near", "far"] {
        bench.machine.topic(bench.now, topic);
    }
    bench.run();
    // Both brokers are busy while twelve full batches and nine pile up.
    for topic in ["t", "t", "far", "far"] {
        bench.send_to(topic, 0, "busy");
    }
    let busy = bench.take_requests();
    assert_eq!(busy.len(), 4);
    for topic_partition in [("near", 4), ("far", 3)] {
        let (topic, count) = topic_partition;
        for _ in 0..3 * 8 {
            for partition in 0..count {
                bench.send_to(topic, partition, &hundred());
            }
        }
    }
    let mut near = Vec::new();
    let mut far = Vec::new();
    let mut waiting = busy;
    while !waiting.is_empty() {
        // The answers of two brokers alternate.
        let answered = waiting.remove(0);
        bench.acknowledge(&answered);
        for seen in bench.take_requests() {
            assert_eq!(seen.batches.len(), 1, "only one fits");
            let to = if seen.broker == 0 {
                &mut near
            } else {
                &mut far
            };
            to.push(seen.batches[0].partition);
            waiting.push(seen);
        }
    }
    assert_eq!(near.len(), 12);
    for rotation in near.chunks(4) {
        let mut sorted = rotation.to_vec();
        sorted.sort_unstable();
        assert_eq!(sorted, [0, 1, 2, 3], "{near:?}");
    }
    assert_eq!(far.len(), 9);
    for rotation in far.chunks(3) {
        let mut sorted = rotation.to_vec();
        sorted.sort_unstable();
        assert_eq!(sorted, [0, 1, 2], "{far:?}");
    }
    bench.assert_settled();
}

#[test]
fn a_partition_that_went_to_another_broker_and_came_back_has_one_batch_in_a_request() {
    let properties = [
        ("enable.idempotence", "false"),
        ("max.in.flight.requests.per.connection", "2"),
        ("metadata.max.age.ms", "1000"),
        ("batch.size", "1024"),
        ("linger.ms", "0"),
    ];
    let mut bench = Bench::ready(&properties);
    bench.send_to("t", 0, "busy");
    bench.send_to("t", 0, "busy");
    let busy = bench.take_requests();
    for _ in 0..24 {
        bench.send_to("t", 1, &hundred());
    }
    bench.down = vec![1];
    let topic = bench.machine.topic(bench.now, "t");
    bench.move_leader("t", 1, 1);
    bench.advance_ms(1001);
    assert_eq!(bench.machine.leader(topic, 1), Some(1));
    bench.move_leader("t", 1, 0);
    bench.advance_ms(1001);
    for seen in busy {
        bench.acknowledge(&seen);
    }
    let seen = bench.take_requests();
    assert_eq!(seen.iter().map(partitions).collect::<Vec<_>>(), [[1], [1]]);
    for seen in seen {
        bench.acknowledge(&seen);
    }
    bench.acknowledge_all();
    bench.assert_settled();
}

#[test]
fn edge_e16_a_partition_that_must_wait_does_not_keep_its_neighbor_from_sending() {
    let mut bench = Bench::ready(&[("delivery.timeout.ms", "40000")]);
    bench.send_to("t", 0, "established");
    bench.send_to("t", 1, "established");
    bench.flush();
    bench.acknowledge_all();
    // In doubt, tried again, and given up while the second try is in flight: unresolved.
    let stuck = bench.send_to("t", 0, "stuck");
    bench.flush();
    bench.advance_ms(20_000);
    let first = bench.take_request();
    bench.answer(&first, ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND);
    bench.advance_ms(20_000);
    let second = bench.take_request();
    assert_eq!(bench.failure_of(stuck).outcome, Outcome::MaybeWritten);
    let gated = bench.send_to("t", 0, "gated");
    let mut rounds = Vec::new();
    for round in 0..3 {
        bench.send_to("t", 1, &format!("round {round}"));
        bench.advance_ms(5);
        rounds.push(bench.take_request());
        assert_eq!(
            partitions(&rounds[round]),
            [1],
            "only the healthy one, each time"
        );
    }
    bench.acknowledge(&second);
    for round in rounds {
        bench.acknowledge(&round);
    }
    let seen = bench.take_request();
    assert_eq!(seen.batches[0].values, ["gated"]);
    bench.acknowledge(&seen);
    assert!(bench.is_acked(gated));
    bench.assert_settled();
}

#[test]
fn edge_e17_a_broker_that_vanishes_while_a_partition_waits_for_it_is_left_alone() {
    let mut bench = Bench::new(&[]);
    bench.add_topic("moved", &[1]);
    bench.machine.topic(bench.now, "moved");
    bench.down = vec![1];
    bench.run();
    let receipt = bench.send_to("moved", 0, "a");
    bench.advance_ms(100);
    assert!(bench.connects.iter().any(|&(_, broker, _)| broker == 1));
    bench.brokers = vec![0];
    bench.topics.get_mut("moved").unwrap().partitions[0] = (-1, 2);
    bench.advance_ms(2000);
    let before = bench.connects.len();
    bench.advance_ms(10_000);
    let after = &bench.connects[before..];
    assert!(after.iter().all(|&(_, broker, _)| broker != 1), "{after:?}");
    bench.move_leader("moved", 0, 0);
    bench.advance_ms(2000);
    bench.acknowledge_all();
    assert!(bench.is_acked(receipt));
    bench.assert_settled();
}

#[test]
fn edge_e18_a_partition_without_a_leader_is_asked_for_with_backoff_and_avoided() {
    let properties = [("delivery.timeout.ms", "40000"), ("batch.size", "1024")];
    let mut bench = Bench::ready(&properties);
    bench.add_topic("half", &[-1, 0]);
    bench.machine.topic(bench.now, "half");
    bench.run();
    bench.metadata_requests.clear();
    let start = bench.now;
    let waiting = bench.send_to("half", 0, "a");
    let mut keyless = Vec::new();
    for _ in 0..50 {
        let value = hundred();
        let record = Record::to("half").value(&value).timestamp(1);
        keyless.push(bench.try_send(&record).unwrap());
        bench.advance_ms(10);
        for seen in bench.take_requests() {
            assert_eq!(
                partitions(&seen),
                [1],
                "records without a key go where they can"
            );
            bench.acknowledge(&seen);
        }
    }
    bench.advance(Duration::from_millis(39_999) - bench.now.since(start));
    assert!(
        bench.end_of(waiting).is_none(),
        "it waits for its delivery timeout"
    );
    bench.advance_ms(6);
    let failed = bench.failure_of(waiting);
    assert_eq!(
        failed.error,
        ProduceError::TimedOut {
            attempts: 0,
            last: None,
            trouble: Some("the partition has no leader".into()),
        }
    );
    assert_eq!(failed.outcome, Outcome::NotWritten);
    let asked: Vec<Instant> = bench.metadata_requests.iter().map(|&(at, _)| at).collect();
    let gaps: Vec<u128> = asked
        .windows(2)
        .map(|w| w[1].since(w[0]).as_millis())
        .collect();
    for (gap, (low, high)) in gaps
        .iter()
        .zip([(80, 120), (160, 240), (320, 480), (640, 960)])
    {
        assert!((low..=high).contains(gap), "{gaps:?}");
    }
    assert!(
        gaps[4..].iter().all(|gap| (800..=1000).contains(gap)),
        "{gaps:?}"
    );
    assert!(
        (35..60).contains(&gaps.len()),
        "all the time: {}",
        gaps.len()
    );
    // Nobody needs the leader any more.
    bench.advance_ms(2000);
    bench.metadata_requests.clear();
    bench.advance_ms(60_000);
    assert_eq!(bench.metadata_requests.len(), 0);
    bench.assert_settled();
}

#[test]
fn edge_e25_a_muted_partition_sends_nothing_until_its_answer_and_then_at_once() {
    let properties = [
        ("enable.idempotence", "false"),
        ("max.in.flight.requests.per.connection", "1"),
        ("metadata.max.age.ms", "1000"),
    ];
    let mut bench = Bench::ready(&properties);
    bench.send_to("t", 0, "first");
    bench.advance_ms(5);
    let first = bench.take_request();
    // Both partitions go to a broker that is free; one of them is muted.
    bench.move_leader("t", 0, 1);
    bench.move_leader("t", 1, 1);
    bench.send_to("t", 0, "second");
    bench.send_to("t", 1, "neighbor");
    bench.machine.topic(bench.now, "a topic that is asked for");
    bench.advance_ms(2000);
    let neighbor = bench.take_request();
    assert_eq!((neighbor.broker, partitions(&neighbor)), (1, vec![1]));
    bench.acknowledge(&neighbor);
    bench.advance_ms(5000);
    assert!(bench.requests.is_empty(), "its linger has long ended");
    bench.acknowledge(&first);
    let second = bench.take_request();
    assert_eq!(second.at, bench.now);
    assert_eq!(second.batches[0].values, ["second"]);
    bench.acknowledge(&second);
    bench.assert_settled();
}

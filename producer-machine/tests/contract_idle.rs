//! Cost follows activity, not size: 100,000 idle partitions cost what 10 do. Counted in turns of
//! loops, not timed.

mod chaos;
mod hostile;

use std::time::Duration;

use hostile::{Peers, Reply, frame, metadata, topic};
use kafka_producer_machine::Unsealed;
use kafka_producer_proto::ApiKey;

/// Peers with a topic of so many partitions, each used once and idle since.
fn idle(partitions: i32) -> Peers {
    let mut peers = Peers::new(&[("linger.ms", "5")], move |_, asked| match asked.api() {
        ApiKey::Metadata => {
            let mut answer = metadata(asked);
            let all: Vec<(i32, i32, i32)> = (0..partitions).map(|at| (at, at % 2, 1)).collect();
            answer.topics = vec![topic("big", &all)];
            frame(asked, &answer)
        }
        _ => Reply::Proper,
    });
    peers.machine.topic(peers.now, "big");
    peers.run();
    for partition in 0..partitions {
        peers.send("big", partition as u32);
        if partition % 1000 == 999 {
            peers.advance(Duration::from_millis(5));
        }
    }
    peers.advance(Duration::from_millis(100));
    peers.account();
    peers
}

/// Turns of a thousand idle rounds, and of ten records that come and go.
fn cost(partitions: i32) -> (u64, u64) {
    let mut peers = idle(partitions);
    let start = peers.machine.steps();
    let mut frame = Unsealed::new();
    let connections: Vec<_> = peers.links.keys().copied().collect();
    for _ in 0..1000 {
        peers.machine.handle_timeout(peers.now);
        assert!(peers.machine.poll_action().is_none());
        assert!(peers.machine.poll_event().is_none());
        assert!(peers.machine.poll_timeout().is_some());
        for &connection in &connections {
            let filled = peers
                .machine
                .poll_transmit(peers.now, connection, &mut frame);
            assert!(!filled);
        }
    }
    let rounds = peers.machine.steps();
    for _ in 0..10 {
        peers.send("big", 7);
        peers.advance(Duration::from_millis(5));
    }
    peers.account();
    (rounds - start, peers.machine.steps() - rounds)
}

#[test]
fn idle_polling_costs_the_same_with_ten_partitions_and_with_a_hundred_thousand() {
    let few = cost(10);
    let many = cost(100_000);
    assert_eq!(few, many, "turns: idle, and for ten records");
    if cfg!(debug_assertions) {
        assert_eq!(few.0, 0, "idle rounds take no turn at all");
        assert!((10..200).contains(&few.1), "{} turns", few.1);
    }
}

#[test]
fn weighing_a_wide_topic_costs_each_request_a_bounded_share() {
    let mut peers = idle(10_000);
    let start = peers.machine.steps();
    for _ in 0..1000 {
        peers.send_anywhere("big");
        peers.advance(Duration::from_millis(5));
    }
    peers.account();
    let each = (peers.machine.steps() - start) / 1000;
    assert!(each < 100, "{each} turns for each request");
    if cfg!(debug_assertions) {
        assert!(
            50 < each,
            "the partitions were weighed now and then: {each}"
        );
    }
}

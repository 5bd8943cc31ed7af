//! What becomes of records when something goes wrong, one story a test.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

use std::time::Duration;

use kafka_producer_machine::{Outcome, Record, SendError};
use kafka_producer_proto::{ApiKey, ErrorCode};
use kafka_producer_sim::cluster::{AutoCreate, Injection, Place};
use kafka_producer_sim::world::{Resolution, World};

const SECOND: Duration = Duration::from_secs(1);

fn failed(world: &World, id: kafka_producer_sim::world::RecordId) -> (Outcome, &'static str) {
    match world.resolution(id) {
        Some(&Resolution::Failed { outcome, error }) => (outcome, error),
        other => panic!("expected a failure, came {other:?}"),
    }
}

#[test]
fn records_land_in_order() {
    let mut world = World::new(1).brokers(3).topic("orders", 6);
    world.produce("orders", 100);
    world.run_until_idle();
    assert_eq!(world.acked(), 100);
    world.verify();
}

#[test]
fn a_batch_keeps_its_sequence_when_the_leader_moves() {
    let mut world = World::new(2).brokers(2).topic("orders", 1);
    world.produce("orders", 3);
    world.broker(0).stop_answering(); // The batch is in flight, its fate unknown.
    world.run_for(SECOND);
    world.move_leader("orders", 0, 1);
    world.run_until_idle();
    assert_eq!(world.log("orders", 0).sequences(), [0, 1, 2]); // No gap, no duplicate.
    world.verify();
}

#[test]
fn a_fresh_partition_sends_one_batch_alone_until_its_first_acknowledgement() {
    // A broker takes any sequence from a producer that it does not know: if the first batch is
    // refused while the second is on its way, the second gets in before it (KAFKA-14359).
    let mut world = World::new(17)
        .topic("orders", 1)
        .setting("batch.size", "1")
        .setting("linger.ms", "0");
    world.with_cluster(|cluster| {
        cluster.inject(Injection::new(
            ApiKey::Produce,
            ErrorCode::NOT_ENOUGH_REPLICAS,
        ));
    });
    for value in ["a", "b", "c"] {
        world.send(&Record::to("orders").value(value));
    }
    world.run_until_idle();
    assert_eq!(world.log("orders", 0).values(), ["a", "b", "c"]);
    assert_eq!(world.log("orders", 0).sequences(), [0, 1, 2]);
    world.verify();
}

#[test]
fn a_lost_answer_is_a_duplicate_that_the_broker_recognises() {
    let mut world = World::new(3).topic("orders", 1);
    world.produce("orders", 3);
    world.run_until_idle();
    world.broker(0).lose_answers();
    world.produce("orders", 3);
    world.run_for(SECOND);
    assert_eq!(world.log("orders", 0).len(), 6); // Written, and nobody knows.
    world.broker(0).find_answers();
    world.cut_connections();
    world.run_until_idle();
    assert_eq!(world.log("orders", 0).sequences(), [0, 1, 2, 3, 4, 5]);
    assert_eq!(world.acked(), 6);
    world.verify();
}

#[test]
fn what_is_not_answered_in_time_may_have_been_written() {
    let mut world = World::new(4)
        .topic("orders", 1)
        .setting("request.timeout.ms", "1000")
        .setting("delivery.timeout.ms", "3000");
    world.produce("orders", 1);
    world.run_until_idle();
    world.broker(0).lose_answers();
    let id = world.send(&Record::to("orders").value(b"x"));
    world.run_until_idle();
    assert_eq!(failed(&world, id).0, Outcome::MaybeWritten);
    assert_eq!(world.time_taken(id), Some(3 * SECOND));
    world.verify();
}

#[test]
fn what_never_left_was_not_written() {
    let mut world = World::new(5)
        .topic("orders", 1)
        .setting("linger.ms", "500")
        .setting("request.timeout.ms", "1000")
        .setting("delivery.timeout.ms", "3000");
    world.produce("orders", 1);
    world.run_until_idle();
    world.broker(0).kill();
    let id = world.send(&Record::to("orders").value(b"x"));
    world.run_until_idle();
    assert_eq!(
        failed(&world, id),
        (Outcome::NotWritten, "REQUEST_TIMED_OUT")
    );
    world.verify();
}

#[test]
fn a_killed_leader_costs_nothing_where_there_is_another() {
    let mut world = World::new(6).brokers(3).topic("orders", 3);
    for _ in 0..50 {
        world.produce("orders", 20);
        world.run_for(Duration::from_millis(10));
    }
    world.broker(1).kill();
    for _ in 0..50 {
        world.produce("orders", 20);
        world.run_for(Duration::from_millis(10));
    }
    world.broker(1).restart();
    world.run_until_idle();
    assert_eq!(world.acked(), 2000);
    world.verify();
}

#[test]
fn an_error_after_the_append_is_retried_and_recognised() {
    let mut world = World::new(7).topic("orders", 1);
    world.produce("orders", 1);
    world.run_until_idle();
    let error = ErrorCode::REQUEST_TIMED_OUT;
    let after = Injection::new(ApiKey::Produce, error).place(Place::AfterAppend);
    world.with_cluster(|cluster| cluster.inject(after));
    world.produce("orders", 2);
    world.run_until_idle();
    assert_eq!(world.log("orders", 0).sequences(), [0, 1, 2]);
    assert_eq!(world.acked(), 3);
    world.verify();
}

#[test]
fn a_refused_batch_was_not_written() {
    let mut world = World::new(8).topic("orders", 1);
    world.produce("orders", 1);
    world.run_until_idle();
    world.with_cluster(|cluster| {
        cluster.configure_topic("orders", |config| config.max_message_bytes = 200);
    });
    let id = world.send(&Record::to("orders").value(&[0; 500]));
    world.run_until_idle();
    assert_eq!(
        failed(&world, id),
        (Outcome::NotWritten, "MESSAGE_TOO_LARGE")
    );
    // The sequence that it had is free for the next one.
    world.produce("orders", 1);
    world.run_until_idle();
    assert_eq!(world.acked(), 2);
    world.verify();
}

#[test]
fn a_topic_that_takes_its_time_is_waited_for() {
    let mut world = World::new(9);
    world.with_cluster(|cluster| {
        let first = ErrorCode::LEADER_NOT_AVAILABLE;
        cluster.knobs.auto_create = AutoCreate::Later {
            delay_ms: 700,
            first,
        };
    });
    world.produce("new", 5);
    world.run_until_idle();
    assert_eq!(world.acked(), 5);
    world.verify();
}

#[test]
fn a_topic_that_never_appears_ends_its_records_within_max_block() {
    let mut world = World::new(10).setting("max.block.ms", "2000");
    world.with_cluster(|cluster| cluster.knobs.auto_create = AutoCreate::Off);
    let id = world.send(&Record::to("missing").value(b"x"));
    world.run_until_idle();
    assert_eq!(
        failed(&world, id),
        (Outcome::NotWritten, "UNKNOWN_TOPIC_OR_PARTITION")
    );
    assert_eq!(world.time_taken(id), Some(2 * SECOND));
    world.verify();
}

#[test]
fn a_recreated_topic_gets_a_new_sequence_space() {
    let mut world = World::new(11)
        .topic("orders", 1)
        .setting("metadata.max.age.ms", "1000");
    world.produce("orders", 3);
    world.run_until_idle();
    world.with_cluster(|cluster| {
        cluster.delete_topic("orders");
        cluster.create_topic("orders", 1);
    });
    world.run_for(3 * SECOND);
    let id = world.send(&Record::to("orders").value(b"x"));
    world.run_until_idle();
    let acked = matches!(
        world.resolution(id),
        Some(Resolution::Acked {
            offset: Some(0),
            ..
        })
    );
    assert!(acked, "{:?}", world.resolution(id));
    assert_eq!(world.log("orders", 0).sequences(), [0]);
}

#[test]
fn a_throttled_producer_waits_and_delivers() {
    let mut world = World::new(12).topic("orders", 1);
    world.produce("orders", 1);
    world.run_until_idle();
    world.with_cluster(|cluster| cluster.throttle_next(5000));
    world.produce("orders", 1);
    world.run_for(SECOND);
    let id = world.send(&Record::to("orders").value(b"x"));
    world.run_until_idle();
    let taken = world.time_taken(id).unwrap();
    assert!(3 * SECOND < taken && taken < 5 * SECOND, "{taken:?}");
    world.verify();
}

#[test]
fn a_small_buffer_makes_the_application_wait_its_turn() {
    let mut world = World::new(13)
        .topic("orders", 1)
        .setting("buffer.memory", "20000");
    for _ in 0..200 {
        world.send(&Record::to("orders").value(&[7; 500]));
    }
    world.run_until_idle();
    assert_eq!(world.acked(), 200);
    world.verify();
}

#[test]
fn flush_does_not_wait_for_linger() {
    let mut world = World::new(14)
        .topic("orders", 1)
        .setting("linger.ms", "60000");
    world.produce("orders", 1);
    world.flush();
    world.run_for(SECOND);
    assert_eq!(world.acked(), 1);
    world.verify();
}

#[test]
fn close_delivers_what_it_can_and_fails_the_rest_in_time() {
    let mut world = World::new(15).brokers(2).topic("orders", 2);
    world.produce_to("orders", 0, 1);
    world.produce_to("orders", 1, 1);
    world.run_until_idle();
    world.broker(1).stop_answering();
    world.produce_to("orders", 0, 1);
    world.produce_to("orders", 1, 1);
    world.close(2 * SECOND);
    world.run_for(2 * SECOND);
    assert!(world.is_closed());
    assert_eq!((world.acked(), world.pending()), (3, 0));
    world.verify();
}

#[test]
fn the_same_story_is_the_same_run() {
    let tell = || {
        let mut world = World::new(16).brokers(3).topic("orders", 4);
        world.produce("orders", 50);
        world.run_for(Duration::from_millis(3));
        world.cut_connections();
        world.run_until_idle();
        world.trace()
    };
    assert_eq!(tell(), tell());
}

#[test]
fn a_broker_that_says_nothing_does_not_take_the_whole_buffer_from_the_others() {
    let mut world = World::new(29)
        .brokers(2)
        .topic("orders", 2)
        .setting("buffer.memory", "16384")
        .setting("max.request.size", "4096")
        .setting("batch.size", "1024")
        .setting("max.block.ms", "300000");
    world.move_leader("orders", 0, 0);
    world.move_leader("orders", 1, 1);
    for partition in [0, 1] {
        world.produce_to("orders", partition, 1);
    }
    world.run_until_idle();
    let payload = [b'x'; 900];
    let to = |partition| Record::to("orders").value(&payload).partition(partition);
    world.broker(1).stop_answering();
    let stuck: Vec<_> = (0..8).map(|_| world.send(&to(1))).collect();
    world.run_for(31 * SECOND); // Silent for longer than request.timeout.ms, with half of it all.
    for _ in 0..100 {
        let id = world.send(&to(0));
        world.run_for(SECOND / 2);
        let resolution = world.resolution(id);
        assert!(matches!(resolution, Some(Resolution::Acked { .. })));
    }
    let waits = world.send(&to(1));
    world.run_for(2 * SECOND);
    assert!(world.resolution(stuck[0]).is_none());
    world.broker(1).go_on();
    world.run_until_idle();
    let taken = world.time_taken(waits).unwrap();
    assert!(taken < SECOND, "{taken:?}: it was not accepted before");
    assert_eq!(world.acked(), 2 + 8 + 100 + 1);
    world.verify();
}

#[test]
fn a_batch_that_is_too_large_for_its_topic_lands_in_smaller_ones() {
    for codec in ["none", "lz4"] {
        let mut world = World::new(23)
            .topic("orders", 2)
            .setting("linger.ms", "100")
            .setting("compression.type", codec);
        world.with_cluster(|cluster| {
            cluster.configure_topic("orders", |config| config.max_message_bytes = 200);
        });
        world.produce("orders", 500);
        world.run_until_idle();
        assert_eq!(world.acked(), 500, "{codec}");
        world.verify();
    }
}

#[test]
fn an_unclean_election_loses_records_and_the_producer_goes_on_or_stops_as_it_is_told() {
    for (data_loss, expected) in [("report", 3), ("stop", 2)] {
        let mut world = World::new(29)
            .brokers(2)
            .topic("orders", 1)
            .setting("metadata.max.age.ms", "1000")
            .setting("data.loss", data_loss);
        world.move_leader("orders", 0, 0);
        for _ in 0..2 {
            world.produce("orders", 1);
            world.run_until_idle();
        }
        world.elect_unclean("orders", 0, 1, 1); // The second of two acknowledged records is gone.
        world.run_for(2 * SECOND);
        let third = world.send(&Record::to("orders").value(b"third"));
        world.run_until_idle();
        assert_eq!(world.acked(), expected, "data.loss={data_loss}");
        if data_loss == "stop" {
            let end = (Outcome::NotWritten, "OUT_OF_ORDER_SEQUENCE_NUMBER");
            assert_eq!(failed(&world, third), end);
            assert_eq!(world.log("orders", 0).sequences(), [0]);
        }
        world.verify();
    }
}

#[test]
fn a_broker_that_forgot_an_idle_producer_takes_what_it_sends_next() {
    let mut world = World::new(31).topic("orders", 1);
    world.produce("orders", 1);
    world.run_until_idle();
    world.forget_producers("orders", 0);
    world.produce("orders", 2);
    world.run_until_idle();
    assert_eq!(world.log("orders", 0).sequences(), [0, 1, 2]);
    world.verify();
}

#[test]
fn a_record_that_found_no_room_is_told_from_one_that_waits() {
    let mut world = World::new(30)
        .topic("orders", 1)
        .setting("buffer.memory", "2000")
        .setting("max.block.ms", "1000");
    world.broker(0).stop_answering();
    let value = [0; 1500];
    let taken = world.send(&Record::to("orders").value(&value));
    let waits = world.send(&Record::to("orders").value(&value));
    assert_eq!(world.refusal(waits), None);
    world.run_for(2 * SECOND);
    assert!(matches!(world.refusal(waits), Some(SendError::Full(_))));
    assert_eq!(world.resolution(waits), None);
    assert_eq!(world.refusal(taken), None);
    world.broker(0).go_on();
    world.run_until_idle();
    assert!(world.resolution(taken).is_some());
    world.verify();
}

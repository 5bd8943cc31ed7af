//! Produce requests that wait for the followers, and what may happen to them meanwhile.

use kafka_producer_proto::ErrorCode;
use kafka_producer_proto::messages::ProduceRequest;

use super::testing::{NOW, answer_of, batch, cluster, frame, idempotent, only, produce_to};
use super::{Cluster, Reply, Step, Then, Ticket};

/// Hands a request to broker 0; the ticket it waits with.
fn park(cluster: &mut Cluster, request: &ProduceRequest) -> (Ticket, i64) {
    match cluster.handle(NOW, 0.into(), &frame(11, request)) {
        Step::Wait { ticket, until } => (ticket, until),
        Step::Done(reply) => panic!("answered at once: {reply:?}"),
    }
}

fn answered(step: Step) -> kafka_producer_proto::messages::produce::PartitionProduceResponse {
    let Step::Done(reply) = step else {
        panic!("still waits");
    };
    only(answer_of::<ProduceRequest>(11, &reply.frame.unwrap()))
}

#[test]
fn c17_acks_all_waits_for_the_followers() {
    let mut cluster = cluster();
    cluster.knobs.replication_delay_ms = 30;
    let (ticket, until) = park(&mut cluster, &produce_to(0, -1, batch(2)));
    assert_eq!(until, NOW + 30);
    assert_eq!(cluster.high_watermark("orders", 0), Some(0));
    assert!(matches!(
        cluster.resume(NOW + 29, ticket),
        Step::Wait { .. }
    ));
    let answer = answered(cluster.resume(NOW + 30, ticket));
    assert_eq!(
        (answer.error_code, answer.base_offset),
        (ErrorCode::NONE, 0)
    );
}

#[test]
fn c17_followers_that_are_too_slow_give_7_with_the_offset_of_what_is_in_the_log() {
    let mut cluster = cluster();
    cluster.knobs.replication_delay_ms = 5000;
    let (ticket, until) = park(&mut cluster, &produce_to(0, -1, batch(2)));
    assert_eq!(until, NOW + 1000);
    let answer = answered(cluster.resume(until, ticket));
    assert_eq!(answer.error_code, ErrorCode::REQUEST_TIMED_OUT);
    assert_eq!((answer.base_offset, answer.log_start_offset), (0, 0));
    assert_eq!(cluster.end_offset("orders", 0), Some(2));
}

#[test]
fn c17_a_duplicate_waits_for_its_original() {
    let mut cluster = cluster();
    cluster.knobs.replication_delay_ms = 5000;
    let request = produce_to(0, -1, idempotent(0, 0, 2));
    park(&mut cluster, &request);
    let (again, until) = park(&mut cluster, &request);
    let answer = answered(cluster.resume(until, again));
    assert_eq!(
        (answer.error_code, answer.base_offset),
        (ErrorCode::REQUEST_TIMED_OUT, 0)
    );
    assert_eq!(answer.log_append_time_ms, NOW);
}

#[test]
fn c17_a_leader_that_is_deposed_while_it_waits_answers_6_with_the_offset() {
    let mut cluster = cluster();
    cluster.knobs.replication_delay_ms = 500;
    let (ticket, _) = park(&mut cluster, &produce_to(0, -1, batch(2)));
    cluster.move_leader("orders", 0, 1);
    let answer = answered(cluster.resume(NOW + 1, ticket));
    assert_eq!(answer.error_code, ErrorCode::NOT_LEADER_OR_FOLLOWER);
    assert_eq!(
        (answer.base_offset, answer.current_leader.leader_id),
        (0, 1)
    );
}

#[test]
fn c17_a_topic_that_is_deleted_while_it_waits_answers_3_with_the_offset() {
    let mut cluster = cluster();
    cluster.knobs.replication_delay_ms = 500;
    let (ticket, _) = park(&mut cluster, &produce_to(0, -1, batch(2)));
    cluster.delete_topic("orders");
    let answer = answered(cluster.resume(NOW + 1, ticket));
    assert_eq!(answer.error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!(answer.base_offset, 0);
}

#[test]
fn a_broker_that_is_down_closes_and_forgets_what_waited() {
    let mut cluster = cluster();
    cluster.knobs.replication_delay_ms = 500;
    let (ticket, _) = park(&mut cluster, &produce_to(0, -1, batch(1)));
    cluster.stop_broker(0);
    let closed = |step| {
        matches!(
            step,
            Step::Done(Reply {
                frame: None,
                then: Then::Close
            })
        )
    };
    assert!(closed(cluster.resume(NOW, ticket)));
    let request = produce_to(0, -1, batch(1));
    assert!(closed(cluster.handle(NOW, 0.into(), &frame(11, &request))));
}

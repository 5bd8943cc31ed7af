//! Edge cases of connections: time-outs, half-written frames, throttles, topic ids
//! (`producer-semantics.md` §4.3–4.6, §9.3).

mod support;

use std::time::Duration;

use kafka_producer_machine::{
    Action, DisconnectReason, ErrorCode, Instant, Notice, Outcome, Record, Unsealed,
};
use kafka_producer_proto::Uuid;
use kafka_producer_proto::messages::ProduceResponse;
use kafka_producer_proto::messages::produce::TopicProduceResponse;
use support::{Bench, written};

const TIMED_OUT: ErrorCode = ErrorCode::REQUEST_TIMED_OUT;

/// The actions that wait, none of them done.
fn actions(bench: &mut Bench) -> Vec<Action> {
    std::iter::from_fn(|| bench.machine.poll_action()).collect()
}

fn announces(actions: &[Action]) -> usize {
    let is_transmit = |action: &&Action| matches!(action, Action::Transmit { .. });
    actions.iter().filter(is_transmit).count()
}

#[test]
fn edge_e47_one_topic_without_an_id_brings_the_whole_request_back_to_names() {
    let mut bench = Bench::new(&[]);
    bench.produce_versions = (3, 13);
    bench.add_topic("nameless", &[0]);
    bench.topics.get_mut("nameless").unwrap().id = Uuid::ZERO;
    for topic in ["t", "nameless"] {
        bench.machine.topic(bench.now, topic);
        bench.run();
    }
    let alone = bench.produce(0, "a");
    let seen = bench.take_request();
    assert_eq!(seen.version, 13);
    bench.acknowledge_at(&seen, 0);

    let with_id = bench.send_to("t", 0, "b");
    let without = bench.send_to("nameless", 0, "c");
    bench.flush();
    let seen = bench.take_request();
    assert_eq!((seen.version, seen.batches.len()), (12, 2));
    bench.acknowledge_at(&seen, 1);
    for receipt in [alone, with_id, without] {
        assert!(bench.is_acked(receipt));
    }
    bench.assert_settled();
}

#[test]
fn edge_e48_a_request_timeout_closes_the_connection_and_all_of_it_goes_again_in_order() {
    let mut bench = Bench::established_both(&[]);
    for (partition, value) in [(0, "a"), (1, "b"), (0, "c")] {
        bench.produce(partition, value);
    }
    let sent = bench.take_requests();
    assert_eq!(sent.len(), 3);
    bench.notices.clear();
    bench.advance_ms(30_000);
    assert_eq!(
        bench.disconnects(),
        [],
        "more than the time-out must have passed"
    );
    bench.advance(Duration::from_micros(1));
    assert_eq!(bench.disconnects(), [DisconnectReason::RequestTimeout]);
    let retried = |notice: &Notice| match *notice {
        Notice::Retrying {
            partition, error, ..
        } => Some((partition, error)),
        _ => None,
    };
    let retried: Vec<_> = bench.notices.iter().filter_map(retried).collect();
    assert_eq!(retried, [(0, TIMED_OUT), (1, TIMED_OUT), (0, TIMED_OUT)]);

    let mut again = Vec::new();
    while again.len() < 3 {
        bench.advance_ms(1);
        for seen in bench.take_requests() {
            again.extend(seen.batches.clone());
            bench.acknowledge_at(&seen, 1);
        }
    }
    let of = |partition| {
        let batches = again
            .iter()
            .filter(move |batch| batch.partition == partition);
        batches.map(|batch| batch.identity().2).collect::<Vec<_>>()
    };
    assert_eq!((of(0), of(1)), (vec![1, 2], vec![1]));
    bench.assert_settled();
}

#[test]
fn a_broker_that_answers_within_the_grace_keeps_its_connection() {
    let settings = [
        ("request.timeout.ms", "1000"),
        ("request.timeout.grace.ms", "50"),
    ];
    let mut bench = Bench::established(&settings);
    let receipt = bench.produce(0, "a");
    let seen = bench.take_request();
    bench.advance_ms(1_040);
    bench.answer(&seen, ErrorCode::REQUEST_TIMED_OUT);
    assert_eq!(bench.disconnects(), []);
    let again = bench.await_request();
    assert_eq!(again.batches, seen.batches);
    bench.acknowledge(&again);
    assert!(bench.is_acked(receipt));
    // The grace is over as well.
    bench.produce(0, "b");
    let unanswered = bench.take_request();
    bench.advance_ms(1_049);
    assert_eq!(bench.disconnects(), []);
    bench.advance_ms(3);
    assert_eq!(bench.disconnects(), [DisconnectReason::RequestTimeout]);
    assert_eq!(bench.await_request().batches, unanswered.batches);
}

#[test]
fn edge_e51_no_frame_begins_before_the_last_was_written_and_a_cut_one_leaves_a_doubt() {
    let mut bench = Bench::established(&[]);
    let mut frame = Unsealed::new();
    let record = |value| Record::to("t").partition(0).value(value).timestamp(1);
    let half = bench.machine.send(bench.now, &record("a")).unwrap();
    bench.machine.flush(bench.now);
    let wishes = actions(&mut bench);
    let [Action::Transmit { connection }] = wishes[..] else {
        panic!("one frame is announced: {wishes:?}");
    };
    assert!(
        bench
            .machine
            .poll_transmit(bench.now, connection, &mut frame)
    );

    // The driver is in the middle of writing it.
    let unsent = bench.machine.send(bench.now, &record("b")).unwrap();
    bench.machine.flush(bench.now);
    assert_eq!(
        announces(&actions(&mut bench)),
        0,
        "it asks by itself when it is done"
    );
    bench.receipts.extend([half, unsent]);
    bench.cut(0);
    let again = bench.await_request();
    assert_eq!(
        again.identity(),
        (100, 0, 1),
        "possibly sent: the same number"
    );
    assert_eq!(again.batch().values, ["a"]);
    bench.answer(&again, ErrorCode::INVALID_RECORD);
    assert_eq!(bench.failure_of(half).outcome, Outcome::MaybeWritten);
    bench.acknowledge_all();
    assert!(bench.is_acked(unsent));
}

#[test]
fn edge_e51_a_cut_frame_without_acks_is_not_written_twice() {
    let mut bench = Bench::ready(&[("acks", "0"), ("enable.idempotence", "false")]);
    bench.produce(0, "first");
    bench.take_requests();
    let mut frame = Unsealed::new();
    let record = Record::to("t").partition(0).value("a").timestamp(1);
    let half = bench.machine.send(bench.now, &record).unwrap();
    bench.receipts.push(half);
    bench.machine.flush(bench.now);
    let wishes = actions(&mut bench);
    let [Action::Transmit { connection }] = wishes[..] else {
        panic!("one frame is announced: {wishes:?}");
    };
    assert!(
        bench
            .machine
            .poll_transmit(bench.now, connection, &mut frame)
    );
    bench.cut(0);
    assert_eq!(bench.failure_of(half).outcome, Outcome::MaybeWritten);
    bench.advance_ms(60_000);
    assert!(bench.requests.is_empty());
    bench.assert_settled();
}

/// Lets the attempt to connect that has just begun end, and the next begin. Gives how long it
/// took.
fn attempt(bench: &mut Bench) -> Duration {
    let begin = bench.connects.last().expect("an attempt").0;
    let (ends, attempts) = (bench.disconnects().len(), bench.connects.len());
    while bench.disconnects().len() == ends {
        bench.advance_ms(1);
    }
    let took = bench.now.since(begin);
    while bench.connects.len() == attempts {
        bench.advance_ms(1);
    }
    took
}

#[test]
fn edge_e53_the_setup_timeout_doubles_up_to_its_maximum_until_a_peer_answers() {
    let mut bench = Bench::new(&[]);
    bench.answers_handshake = false;
    bench.run();
    for (low, high) in [(8, 12), (16, 24), (24, 30), (24, 30)] {
        let limit = attempt(&mut bench);
        let range = Duration::from_secs(low)..=Duration::from_secs(high) + Duration::from_millis(1);
        assert!(range.contains(&limit), "{limit:?}");
        assert_eq!(
            bench.disconnects().last(),
            Some(&DisconnectReason::SetupTimeout)
        );
    }
    // A TCP connection is enough to begin anew.
    let connection = bench.connection_to(0).unwrap();
    bench.machine.handle_connected(bench.now, connection);
    bench.run();
    let attempts = bench.connects.len();
    bench.cut(0);
    while bench.connects.len() == attempts {
        bench.advance_ms(1);
    }
    assert!(attempt(&mut bench) < Duration::from_secs(13));

    // Expired means more than the limit.
    let mut bench = Bench::new(&[
        ("socket.connection.setup.timeout.ms", "10000"),
        ("socket.connection.setup.timeout.max.ms", "10000"),
    ]);
    bench.answers_handshake = false;
    bench.run();
    bench.advance_ms(10_000);
    assert_eq!(bench.disconnects(), []);
    bench.advance(Duration::from_micros(1));
    assert_eq!(bench.disconnects(), [DisconnectReason::SetupTimeout]);
}

#[test]
fn edge_e56_with_nothing_to_send_the_machine_waits_for_the_answer_and_for_nothing_else() {
    let one = ("max.in.flight.requests.per.connection", "1");
    let mut bench = Bench::established(&[one, ("linger.ms", "0")]);
    bench.send_to("t", 0, "a");
    bench.send_to("t", 0, "b");
    let seen = bench.take_request();
    assert!(!bench.machine.has_output(), "the only slot is taken");
    let next = bench
        .machine
        .poll_timeout()
        .expect("the request's end, at least");
    assert!(bench.now < next, "nothing is due: {next:?}");
    for _ in 0..10 {
        bench.machine.handle_timeout(bench.now);
        assert!(!bench.machine.has_output(), "no busy loop");
    }
    // The answer alone brings the next request, with no timer in between.
    bench.acknowledge_at(&seen, 1);
    assert_eq!(bench.take_request().batch().values, ["b"]);
}

/// Answers a request, and asks the client for peace.
fn throttle(bench: &mut Bench, seen: &support::Seen, millis: i32) {
    let batch = seen.batch();
    let mut entry = written(5);
    entry.index = batch.partition as i32;
    let response = ProduceResponse {
        responses: vec![TopicProduceResponse {
            name: batch.topic.clone(),
            partition_responses: vec![entry],
            ..TopicProduceResponse::default()
        }],
        throttle_time_ms: millis,
        ..ProduceResponse::default()
    };
    bench.respond(seen, &response);
}

#[test]
fn edge_e142_a_throttle_that_the_broker_waits_out_extends_what_is_sent_meanwhile() {
    let mut bench = Bench::new(&[("request.timeout.ms", "10000")]);
    bench.produce_versions = (3, 5);
    bench.machine.topic(bench.now, "t");
    bench.run();
    bench.produce(0, "a");
    bench.acknowledge_all();
    bench.produce(0, "b");
    bench.produce(0, "c");
    let sent = bench.take_requests();
    assert_eq!(sent[0].version, 5);
    bench.notices.clear();
    throttle(&mut bench, &sent[0], 20_000);
    let receipt = bench.produce(0, "d");
    let meanwhile = bench.take_request();

    bench.advance_ms(29_999);
    assert_eq!(bench.disconnects(), [], "the broker reads nothing for 20 s");
    bench.acknowledge_at(&sent[1], 6);
    bench.advance_ms(1);
    assert_eq!(bench.disconnects(), []);
    bench.acknowledge_at(&meanwhile, 7);
    assert!(bench.is_acked(receipt));

    // Afterwards the time-out is the usual one again.
    bench.produce(0, "e");
    bench.advance_ms(10_001);
    assert_eq!(bench.disconnects(), [DisconnectReason::RequestTimeout]);
}

#[test]
fn edge_e142_without_acks_a_late_answer_is_an_ordinary_request_timeout() {
    let mut bench = Bench::ready(&[
        ("acks", "0"),
        ("enable.idempotence", "false"),
        ("metadata.max.age.ms", "5000"),
    ]);
    let sent = bench.produce(0, "a");
    assert!(bench.is_acked(sent), "written is all there is to know");
    bench.notices.clear();
    // The broker is over quota: it says nothing, and reads nothing.
    bench.answers_metadata = false;
    bench.advance_ms(5_000 + 30_001);
    assert_eq!(bench.disconnects(), [DisconnectReason::RequestTimeout]);
    bench.answers_metadata = true;
    bench.advance_ms(2_000);
    let next = bench.produce(0, "b");
    assert!(bench.is_acked(next));
    assert_eq!(
        bench.end_of(sent).unwrap().as_ref().unwrap().base_offset,
        None
    );
    bench.assert_settled();
}

#[test]
fn edge_e58_a_partition_that_metadata_leave_out_waits_without_a_leader() {
    let mut bench = Bench::established(&[("metadata.max.age.ms", "1000")]);
    let topic = bench.machine.topic(bench.now, "t");
    let missing = bench.topics["t"].partitions[1];
    bench.topics.get_mut("t").unwrap().partitions.pop();
    bench.advance_ms(1_100);
    assert_eq!(bench.machine.leader(topic, 1), None);
    assert_eq!(bench.machine.leader(topic, 0), Some(0));
    assert_eq!(
        bench.machine.partitions(topic),
        Some(2),
        "keys stay where they are"
    );

    let queued = bench.produce(1, "a");
    let before: Instant = bench.now;
    bench.advance_ms(3_000);
    assert!(
        bench.requests.is_empty() && bench.end_of(queued).is_none(),
        "it is kept"
    );
    let asked = bench
        .metadata_requests
        .iter()
        .filter(|(at, _)| before <= *at);
    let asked = asked.count();
    assert!(
        (3..=12).contains(&asked),
        "asked for, with backoff: {asked}"
    );
    for _ in 0..4 {
        let keyless = bench
            .try_send(&Record::to("t").value("b").timestamp(1))
            .unwrap();
        bench.flush();
        let seen = bench.take_request();
        assert_eq!(
            seen.batch().partition,
            0,
            "records without a key go elsewhere"
        );
        bench.acknowledge_at(&seen, 1);
        assert!(bench.is_acked(keyless));
    }
    bench.topics.get_mut("t").unwrap().partitions.push(missing);
    let seen = bench.await_request();
    assert_eq!(
        (seen.batch().partition, seen.batch().values[0].as_str()),
        (1, "a")
    );
    bench.acknowledge_at(&seen, 0);
    assert!(bench.is_acked(queued));
    bench.assert_settled();
}

#[test]
fn without_a_reconnect_backoff_a_broker_that_refuses_is_asked_once_a_millisecond() {
    let mut bench = Bench::ready(&[
        ("reconnect.backoff.ms", "0"),
        ("reconnect.backoff.max.ms", "0"),
    ]);
    bench.down = vec![0, 1];
    bench.cut(0);
    bench.send_to("t", 0, "a");
    let before = bench.connects.len();
    bench.advance_ms(100);
    let asked = bench.connects.len() - before;
    assert!((50..=200).contains(&asked), "{asked}");
}

#[test]
fn metadata_do_not_wait_for_a_full_connection_while_another_broker_can_be_reached() {
    let properties = [
        ("max.in.flight.requests.per.connection", "1"),
        ("metadata.max.age.ms", "5000"),
    ];
    let mut bench = Bench::established(&properties);
    // Only broker 0 is there for a while, so that the one connection is to it.
    bench.brokers = vec![0];
    bench.advance_ms(5000);
    bench.cut(0);
    bench.advance_ms(5000);
    bench.brokers = vec![0, 1];
    bench.advance_ms(5000);
    bench.produce(0, "stuck");
    assert_eq!(bench.take_request().broker, 0);
    bench.connects.clear();
    bench.add_topic("other", &[1]);
    bench.machine.topic(bench.now, "other");
    bench.run();
    let asked: Vec<i32> = bench.connects.iter().map(|&(_, to, _)| to).collect();
    assert_eq!(asked, [1], "broker 0 is full");
    let other = bench.machine.topic(bench.now, "other");
    assert_eq!(bench.machine.partitions(other), Some(1));
}

//! What `explain` says in each state, as a table of sentences: every state is reached through the
//! public surface, with brokers that do what the test says.

mod support;

use std::fmt::Write as _;
use std::time::Duration;

use expect_test::expect_file;
use kafka_producer_machine::explain::{Explanation, PartitionState, State, Subject};
use kafka_producer_machine::{DisconnectReason, ErrorCode, Instant, Record, SendError};
use kafka_producer_proto::messages::ProduceResponse;
use support::{Bench, acknowledgement};

/// The table: one line for what happened, one for what is said.
#[derive(Default)]
struct Table(String);

impl Table {
    fn row(&mut self, happened: &str, said: &Explanation) {
        writeln!(self.0, "{happened}\n    {said}").expect("a string takes it");
    }

    fn partition(&mut self, happened: &str, bench: &mut Bench, topic: &str, partition: u32) {
        let said = partition_of(bench, topic, partition);
        self.row(happened, &said);
    }

    fn t0(&mut self, happened: &str, bench: &mut Bench) {
        self.partition(happened, bench, "t", 0);
    }

    fn broker(&mut self, happened: &str, bench: &Bench, id: i32) {
        self.row(
            happened,
            &bench.machine.explain(bench.now, Subject::Broker(id)),
        );
    }

    fn producer(&mut self, happened: &str, bench: &Bench) {
        self.row(
            happened,
            &bench.machine.explain(bench.now, Subject::Producer),
        );
    }

    fn topic(&mut self, happened: &str, bench: &mut Bench, topic: &str) {
        let topic = bench.machine.topic(bench.now, topic);
        self.row(
            happened,
            &bench.machine.explain(bench.now, Subject::Topic(topic)),
        );
    }
}

fn partition_of(bench: &mut Bench, topic: &str, partition: u32) -> Explanation {
    let topic = bench.machine.topic(bench.now, topic);
    let what = Subject::Partition(topic, partition);
    bench.machine.explain(bench.now, what)
}

/// A record that the driver has not been told of yet.
fn send_quietly(bench: &mut Bench, partition: u32) {
    let record = Record::to("t").partition(partition).value("quiet");
    let sent = bench.machine.send(bench.now, &record);
    sent.expect("there is room");
}

#[test]
fn partitions_at_home() {
    let mut table = Table::default();

    let mut bench = Bench::ready(&[("linger.ms", "100")]);
    table.t0("nothing was sent", &mut bench);
    bench.send_to("t", 0, "one");
    bench.send_to("t", 0, "two");
    bench.advance_ms(30);
    table.t0("two records wait for more", &mut bench);

    let mut bench = Bench::established(&[]);
    bench.topics.get_mut("t").expect("t").partitions[0] = (-1, 2);
    bench.produce(0, "one");
    let seen = bench.take_request();
    bench.answer(&seen, ErrorCode::LEADER_NOT_AVAILABLE);
    bench.advance_ms(1200);
    table.t0("the leader is gone", &mut bench);

    let mut bench = Bench::new(&[]);
    let unwilling = (ErrorCode::COORDINATOR_LOAD_IN_PROGRESS, -1, -1);
    bench.init_producer_id = vec![unwilling; 9].into();
    bench.machine.topic(bench.now, "t");
    bench.run();
    bench.produce(0, "one");
    bench.advance_ms(350);
    table.t0("no broker gives a producer id", &mut bench);

    expect_file!["explain/at_home.txt"].assert_eq(&table.0);
}

#[cfg(feature = "gzip")]
#[test]
fn a_batch_that_nobody_has_time_to_compress() {
    let mut bench = Bench::established(&[("compression.type", "gzip")]);
    bench.holds_jobs = true;
    bench.produce(0, &"x".repeat(5000));
    bench.advance_ms(40);
    let said = partition_of(&mut bench, "t", 0).to_string();
    let expected = "t-0 waits for a thread to compress a batch of 4.8 KiB. The oldest record has \
                    waited 40 ms and fails in 1 min 59 s (delivery.timeout.ms).";
    assert_eq!(said, expected);
}

#[cfg(feature = "gzip")]
#[test]
fn a_batch_that_there_is_no_room_to_compress() {
    let settings = [
        ("compression.type", "gzip"),
        ("batch.size", "1024"),
        ("buffer.memory", "4000"),
    ];
    let mut bench = Bench::established(&settings);
    bench.holds_jobs = true;
    bench.produce(0, &"x".repeat(900));
    bench.produce(1, &"x".repeat(900));
    bench.advance_ms(40);
    let said = partition_of(&mut bench, "t", 1).to_string();
    let expected = "t-1 waits for room to compress a batch of 909 B: too little of buffer.memory \
                    is left, and one batch is compressed after the other. The oldest record has \
                    waited 40 ms and fails in 1 min 59 s (delivery.timeout.ms).";
    assert_eq!(said, expected);
}

#[test]
fn partitions_after_a_failure() {
    let mut table = Table::default();

    let mut bench = Bench::established(&[]);
    bench.produce(0, "one");
    let seen = bench.take_request();
    bench.answer(&seen, ErrorCode::NOT_ENOUGH_REPLICAS);
    bench.advance_ms(30);
    table.t0("the broker has refused for now", &mut bench);

    let mut bench = Bench::established(&[("retry.backoff.ms", "500")]);
    bench.produce(0, "one");
    bench.cut(0);
    bench.advance_ms(200);
    table.t0("the connection was lost", &mut bench);
    bench.advance_ms(1000);
    table.t0("and the batch is sent again", &mut bench);
    let seen = bench.take_request();
    bench.answer(&seen, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    bench.advance_ms(100);
    table.t0("and the leader does not know its sequence", &mut bench);

    let mut bench = Bench::established(&[]);
    bench.produce(0, "one");
    bench.produce(0, "two");
    bench.produce(0, "three");
    let first = bench.requests.remove(0);
    bench.answer(&first, ErrorCode::INVALID_RECORD);
    bench.send_to("t", 0, "four");
    bench.advance_ms(70);
    table.t0("one of three was refused, a fourth waits", &mut bench);

    let mut bench = Bench::established(&[
        ("delivery.timeout.ms", "30000"),
        ("linger.ms", "0"),
        ("request.timeout.ms", "30000"),
    ]);
    bench.produce(0, "one");
    bench.advance_ms(10_000);
    let seen = bench.take_request();
    bench.answer(&seen, ErrorCode::NOT_LEADER_OR_FOLLOWER);
    bench.advance_ms(21_000);
    table.t0("its time was up while it was in flight", &mut bench);

    expect_file!["explain/after_a_failure.txt"].assert_eq(&table.0);
}

#[test]
fn partitions_at_their_leader() {
    let mut table = Table::default();

    let mut bench = Bench::established(&[("linger.ms", "0")]);
    send_quietly(&mut bench, 1);
    send_quietly(&mut bench, 0);
    table.partition("the driver has not asked yet", &mut bench, "t", 1);
    table.t0("and another partition waits", &mut bench);

    let mut bench = Bench::established(&[]);
    bench.produce(0, "one");
    bench.advance_ms(4200);
    table.t0("the leader has not answered", &mut bench);
    bench.produce(0, "two");
    bench.advance_ms(300);
    table.t0("and has a second request", &mut bench);
    bench.add_topic("u", &[1]);
    bench.send_to("u", 0, "other");
    bench.flush();
    let other = bench.requests.pop().expect("a request to broker 1");
    bench.move_leader("t", 0, 1);
    bench.answer(&other, ErrorCode::NOT_LEADER_OR_FOLLOWER);
    bench.send_to("t", 0, "three");
    bench.advance_ms(200);
    table.t0("and does not lead any more", &mut bench);

    let mut bench = Bench::established_both(&[("max.in.flight.requests.per.connection", "1")]);
    bench.produce(0, "one");
    bench.advance_ms(100);
    bench.produce(1, "two");
    bench.produce(0, "three");
    bench.advance_ms(100);
    table.partition("the connection is full", &mut bench, "t", 1);
    table.t0("and a batch waits behind its own", &mut bench);

    let mut bench = Bench::established(&[]);
    bench.produce(0, "one");
    throttle(&mut bench, 800);
    bench.produce(0, "two");
    bench.advance_ms(300);
    table.t0("a quota is exceeded", &mut bench);

    let mut bench = Bench::established(&[]);
    bench.down = vec![0];
    bench.cut(0);
    bench.produce(0, "one");
    bench.advance_ms(90);
    table.t0("the leader refuses connections", &mut bench);

    let mut bench = Bench::established(&[("reconnect.backoff.ms", "0")]);
    bench.answers_handshake = false;
    bench.produce(0, "one");
    bench.cut(0);
    bench.advance_ms(1500);
    table.t0("the leader is being connected", &mut bench);
    let connection = bench.connection_to(0).expect("a connection is being made");
    bench.machine.handle_connected(bench.now, connection);
    bench.run();
    bench.advance_ms(1700);
    table.t0("the leader does not tell its versions", &mut bench);

    expect_file!["explain/at_the_leader.txt"].assert_eq(&table.0);
}

/// Acknowledges the request, and asks for peace.
fn throttle(bench: &mut Bench, millis: i32) {
    let seen = bench.take_request();
    let response = ProduceResponse {
        throttle_time_ms: millis,
        ..acknowledgement(&seen)
    };
    bench.respond(&seen, &response);
}

#[test]
fn topics() {
    let mut table = Table::default();

    let mut bench = Bench::ready(&[]);
    table.topic("all is well", &mut bench, "t");
    bench.add_topic("half", &[0, -1]);
    bench.machine.topic(bench.now, "half");
    bench.run();
    table.topic("a partition has no leader", &mut bench, "half");
    bench.send_to("new", 1, "one");
    bench.send_to("new", 1, "two");
    bench.advance_ms(2500);
    table.topic("nobody knows it", &mut bench, "new");
    table.partition("nor its partition", &mut bench, "new", 1);
    bench.send_to("t", 7, "one");
    bench.advance_ms(50);
    table.partition("it has fewer partitions", &mut bench, "t", 7);
    bench.add_topic("secret", &[0]);
    let secret = bench.topics.get_mut("secret").expect("secret");
    secret.error = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
    let secret = bench.machine.topic(bench.now, "secret");
    bench.run();
    for what in [Subject::Topic(secret), Subject::Partition(secret, 0)] {
        table.row("it is refused", &bench.machine.explain(bench.now, what));
    }

    expect_file!["explain/topics.txt"].assert_eq(&table.0);
}

#[test]
fn brokers() {
    let mut table = Table::default();

    let bench = Bench::ready(&[]);
    table.broker("there is no such broker", &bench, 7);
    table.broker("nobody has anything for it", &bench, 1);

    let mut bench = Bench::established(&[]);
    table.broker("all is answered", &bench, 0);
    bench.produce(0, "one");
    bench.produce(0, "two");
    bench.advance_ms(900);
    table.broker("two requests are in flight", &bench, 0);
    bench.answers_handshake = false;
    bench.advance_ms(29_200);
    table.broker("they were never answered", &bench, 0);
    bench.advance_ms(8000);
    table.broker("and it is not connected either", &bench, 0);

    let mut bench = Bench::established(&[]);
    bench.produce(0, "one");
    throttle(&mut bench, 800);
    bench.advance_ms(300);
    table.broker("a quota is exceeded", &bench, 0);

    let mut bench = Bench::established(&[]);
    bench.down = vec![0];
    bench.cut(0);
    bench.produce(0, "one");
    bench.advance_ms(90);
    table.broker("it refuses connections", &bench, 0);
    bench.brokers = vec![1];
    bench.advance_ms(5_000);
    table.broker("and has left the cluster", &bench, 0);

    expect_file!["explain/brokers.txt"].assert_eq(&table.0);
}

#[test]
fn the_producer() {
    let mut table = Table::default();

    let mut bench = Bench::new(&[]);
    bench.down = vec![0];
    bench.run();
    table.producer("no broker is there", &bench);
    bench.send_to("t", 0, "one");
    bench.advance_ms(3000);
    table.producer("and a record waits", &bench);

    let settings = [("buffer.memory", "4096"), ("batch.size", "2048")];
    let mut bench = Bench::established(&settings);
    table.producer("all is resolved", &bench);
    let big = "x".repeat(1800);
    bench.send_to("t", 0, &big);
    bench.advance_ms(40);
    bench.send_to("t", 1, &big);
    let record = Record::to("t").partition(0).value(&big);
    let Err(SendError::Full(shortage)) = bench.try_send(&record) else {
        panic!("the buffer is full");
    };
    let deadline = bench.now + Duration::from_secs(60);
    bench.machine.wait_for_space(bench.now, shortage, deadline);
    bench.flush();
    bench.advance_ms(2000);
    table.producer("the buffer is full", &bench);
    let deadline = bench.now + Duration::from_secs(5);
    bench.machine.close(bench.now, deadline);
    bench.advance_ms(1000);
    table.producer("it is told to close", &bench);
    bench.advance_ms(4000);
    table.producer("it is closed", &bench);
    table.t0("and so are its partitions", &mut bench);

    let mut bench = Bench::established(&[]);
    bench.down = vec![0];
    bench.cut(0);
    bench.produce(0, "one");
    bench.advance_ms(60_000);
    table.producer("a leader is down", &bench);
    bench.advance_ms(60_000);
    table.producer("and its records have failed", &bench);

    let mut bench = Bench::established(&[("request.timeout.ms", "60000")]);
    bench.produce(0, "one");
    bench.advance_ms(30_000);
    bench.answers_handshake = false;
    bench.advance_ms(90_000);
    table.producer("a leader is silent until the end", &bench);

    let mut bench = Bench::new(&[("enable.idempotence", "false")]);
    bench.run();
    table.producer("it is not idempotent", &bench);

    let mut bench = Bench::new(&[]);
    bench.init_producer_id = [(ErrorCode::UNSUPPORTED_VERSION, -1, -1)].into();
    bench.machine.topic(bench.now, "t");
    bench.run();
    table.producer("the cluster will not have it", &bench);
    table.t0("nor its partitions", &mut bench);

    expect_file!["explain/producer.txt"].assert_eq(&table.0);
}

#[test]
fn an_explanation_is_data_as_well() {
    let mut bench = Bench::established(&[]);
    bench.produce(0, "one");
    let sent = bench.now;
    bench.advance_ms(4200);
    let said = partition_of(&mut bench, "t", 0);
    let State::Partition(PartitionState::InFlight {
        leader, requests, ..
    }) = &said.state
    else {
        panic!("in flight is expected: {said}");
    };
    assert_eq!((leader.id, &*leader.address), (Some(0), "b0:9092"));
    assert_eq!(*requests, 1);
    assert_eq!(said.since, Some(sent));
    assert_eq!(said.waited(), Some(Duration::from_millis(4200)));
    let oldest = said.oldest.expect("a record waits");
    assert_eq!(oldest.deadline, oldest.accepted + Duration::from_secs(120));
}

#[test]
fn a_clock_that_is_behind_counts_as_the_latest_seen() {
    let bench = Bench::ready(&[]);
    let said = bench.machine.explain(Instant::ORIGIN, Subject::Producer);
    assert_eq!(said.now, bench.now);
}

#[test]
fn a_handle_of_another_machine_is_unknown() {
    let mut other = Bench::ready(&[]);
    for topic in ["a", "b", "c"] {
        other.machine.topic(other.now, topic);
    }
    let strange = other.machine.topic(other.now, "d");
    let bench = Bench::ready(&[]);
    for what in [Subject::Topic(strange), Subject::Partition(strange, 0)] {
        let said = bench.machine.explain(bench.now, what);
        assert_eq!(said.state, State::Unknown);
        assert_eq!(said.to_string(), "nothing is known of this topic handle.");
    }
}

#[test]
fn a_refused_connection_is_told_with_its_reason() {
    let mut bench = Bench::established(&[]);
    bench.down = vec![0];
    bench.cut(0);
    bench.produce(0, "one");
    bench.advance_ms(90);
    let said = partition_of(&mut bench, "t", 0);
    let reason = DisconnectReason::Failed("connection refused".into());
    assert!(said.to_string().contains(&reason.to_string()), "{said}");
}

#[test]
fn records_are_pending_from_when_they_are_taken_until_they_are_resolved() {
    let mut bench = Bench::ready(&[("linger.ms", "60000")]);
    assert_eq!(bench.machine.pending_records(), 0);
    bench.send_to("t", 0, "a");
    bench.send_to("t", 0, "b");
    bench.send_to("t", 1, "c");
    bench.send_to("unknown", 0, "held");
    assert_eq!(bench.machine.pending_records(), 4, "open and held");
    bench.flush();
    let seen = bench.take_request();
    assert_eq!(bench.machine.pending_records(), 4, "in flight and held");
    bench.acknowledge(&seen);
    assert_eq!(bench.machine.pending_records(), 1, "held");
    bench.machine.close(bench.now, bench.now);
    bench.run();
    assert_eq!(bench.machine.pending_records(), 0);
}

//! One sick broker does not starve the others: what waits for a broker that has been silent for
//! `request.timeout.ms` may hold half of `buffer.memory`, and its waiters step aside.

mod support;

use std::time::Duration;

use kafka_producer_machine::explain::Subject;
use kafka_producer_machine::{ErrorCode, Event, Record, SendError, Shortage, WaiterId};
use support::Bench;

/// A buffer of eight batches; a broker is silent after a second.
const SETTINGS: [(&str, &str); 6] = [
    ("buffer.memory", "8192"),
    ("max.request.size", "4096"),
    ("batch.size", "1024"),
    ("linger.ms", "0"),
    ("request.timeout.ms", "1000"),
    ("delivery.timeout.ms", "100000"),
];

/// Partitions of `wide` that broker 0 leads, which is well, and those of broker 1.
const WELL: [u32; 4] = [0, 1, 2, 3];
const SICK: [u32; 4] = [4, 5, 6, 7];

/// Both brokers answer, and every partition has been used.
fn established(settings: &[(&str, &str)]) -> Bench {
    let mut bench = Bench::new(settings);
    bench.add_topic("wide", &[0, 0, 0, 0, 1, 1, 1, 1]);
    bench.machine.topic(bench.now, "wide");
    bench.run();
    for partition in WELL.into_iter().chain(SICK) {
        bench.send_to("wide", partition, "first");
        bench.acknowledge_all();
    }
    bench
}

/// Broker 1 says nothing any more, and holds half of the buffer.
fn half_held() -> Bench {
    let mut bench = established(&SETTINGS);
    bench.answers_handshake = false;
    for partition in SICK {
        bench.send_to("wide", partition, "it is not answered");
    }
    assert_eq!(bench.machine.buffer_used(), 4096);
    bench
}

/// As `half_held`, a request timeout later.
fn sick() -> Bench {
    let mut bench = half_held();
    bench.advance_ms(1001);
    bench.requests.clear();
    bench.events.clear();
    bench
}

fn try_to(bench: &mut Bench, partition: u32) -> Result<(), Shortage> {
    try_with(bench, partition, "x")
}

fn try_with(bench: &mut Bench, partition: u32, value: &str) -> Result<(), Shortage> {
    match bench.try_send(&Record::to("wide").partition(partition).value(value)) {
        Err(SendError::Full(shortage)) => Err(shortage),
        other => {
            other.expect("nothing but room may be missing");
            Ok(())
        }
    }
}

/// Somebody waits for room for a record of this partition, for a minute.
fn wait_for(bench: &mut Bench, partition: u32) -> WaiterId {
    wait_with(bench, partition, "x")
}

fn wait_with(bench: &mut Bench, partition: u32, value: &str) -> WaiterId {
    let shortage = try_with(bench, partition, value).expect_err("there is no room");
    let deadline = bench.now + Duration::from_secs(60);
    let waiter = bench.machine.wait_for_space(bench.now, shortage, deadline);
    bench.run();
    waiter
}

/// The waiter sends what it waited to send, and leaves.
fn use_room(bench: &mut Bench, waiter: WaiterId, partition: u32) {
    let record = Record::to("wide").partition(partition).value("waited");
    let receipt = bench.machine.send_reserved(bench.now, waiter, &record);
    bench.receipts.push(receipt.expect("there is room"));
    bench.machine.cancel_wait(bench.now, waiter);
    bench.run();
}

fn ready(bench: &Bench) -> Vec<WaiterId> {
    let ready = bench.events.iter().filter_map(|event| match event {
        Event::SpaceReady(waiter) => Some(*waiter),
        _ => None,
    });
    ready.collect()
}

fn expired(bench: &Bench) -> Vec<WaiterId> {
    let expired = bench.events.iter().filter_map(|event| match event {
        Event::WaitExpired(waiter) => Some(*waiter),
        _ => None,
    });
    expired.collect()
}

/// Broker 1 takes the connection that waits for it, or the next one, and answers.
fn recover(bench: &mut Bench) {
    bench.answers_handshake = true;
    if let Some(connection) = bench.connection_to(1) {
        bench.machine.handle_connected(bench.now, connection);
        bench.run();
    }
    while bench.connection_to(1).is_none() {
        bench.advance_ms(100);
    }
}

fn finish(mut bench: Bench) {
    bench.flush();
    for _ in 0..50 {
        bench.acknowledge_all();
        bench.advance_ms(100);
    }
    bench.assert_settled();
}

#[test]
fn a_broker_that_has_been_silent_for_the_request_timeout_holds_half_of_the_buffer_at_most() {
    let mut bench = sick();
    let shortage = try_to(&mut bench, 4).expect_err("half is what it may hold");
    assert_eq!(shortage.bytes(), 1024);
    assert_eq!(bench.machine.buffer_used(), 4096, "nothing was taken");
    for partition in WELL {
        try_to(&mut bench, partition).expect("it is not the well broker's fault");
    }
    assert_eq!(bench.machine.buffer_used(), 8192);
    bench.acknowledge_all();
    recover(&mut bench);
    try_to(&mut bench, 4).expect("it was heard");
    finish(bench);
}

#[test]
fn a_broker_may_hold_all_until_it_has_been_silent_for_the_request_timeout() {
    let mut bench = half_held();
    bench.advance_ms(999);
    for partition in SICK {
        try_to(&mut bench, partition).expect("it may still answer in time");
    }
    assert_eq!(bench.machine.buffer_used(), 8192);
    // What was accepted is never thrown out for others.
    bench.advance_ms(2000);
    assert_eq!(bench.machine.buffer_used(), 8192);
    recover(&mut bench);
    finish(bench);
}

#[test]
fn a_broker_that_answers_late_but_in_time_is_not_sick() {
    let mut bench = half_held();
    for _ in 0..3 {
        bench.advance_ms(900);
        for seen in bench.take_requests() {
            bench.answer(&seen, ErrorCode::NOT_ENOUGH_REPLICAS);
        }
        try_to(&mut bench, 4).expect("it has just answered");
    }
    assert!(4096 < bench.machine.buffer_used());
    bench.advance_ms(900);
    bench.answers_handshake = true;
    finish(bench);
}

#[test]
fn those_who_wait_for_a_sick_broker_let_others_go_first_and_expire_in_their_time() {
    let mut bench = sick();
    let aside: Vec<WaiterId> = SICK.map(|at| wait_for(&mut bench, at)).to_vec();
    assert_eq!(ready(&bench), []);
    for partition in WELL {
        try_to(&mut bench, partition).expect("those aside block nobody");
    }
    // Now all is taken: two wait for the broker that is well.
    let first = wait_for(&mut bench, 0);
    let second = wait_for(&mut bench, 1);
    let seen = bench.take_requests();
    bench.acknowledge(&seen[0]);
    assert_eq!(ready(&bench), [first], "first come, first served");
    use_room(&mut bench, first, 0);
    bench.acknowledge(&seen[1]);
    assert_eq!(ready(&bench), [first, second]);
    use_room(&mut bench, second, 1);
    for seen in &seen[2..] {
        bench.acknowledge(seen);
    }
    bench.acknowledge_all();
    assert_eq!(bench.machine.buffer_used(), 4096);
    bench.advance_ms(60_000);
    assert_eq!(expired(&bench), aside);
    recover(&mut bench);
    finish(bench);
}

#[test]
fn those_behind_are_told_at_the_moment_that_a_broker_becomes_silent() {
    let mut bench = half_held();
    let silent_at = bench.now + Duration::from_millis(1000);
    bench.advance_ms(500);
    for partition in [4, 5, 6] {
        try_to(&mut bench, partition).expect("it may still answer in time");
    }
    // What is left is not enough for the first, and would be for the second.
    let first = wait_with(&mut bench, 7, &"x".repeat(2000));
    let second = wait_for(&mut bench, 0);

    // Nothing is called but what the machine asks for.
    while let Some(at) = bench.machine.poll_timeout().filter(|&at| at <= silent_at) {
        assert_eq!(ready(&bench), [], "until {at:?} it may answer in time");
        bench.now = at;
        bench.machine.handle_timeout(at);
        bench.run();
    }
    assert_eq!(ready(&bench), [second]);
    use_room(&mut bench, second, 0);
    bench.acknowledge_all();
    bench.machine.cancel_wait(bench.now, first);
    recover(&mut bench);
    finish(bench);
}

#[test]
fn nobody_asks_to_be_told_of_silence_while_nobody_waits() {
    let mut bench = half_held();
    for partition in SICK {
        try_to(&mut bench, partition).expect("it may still answer in time");
    }
    let before = bench.machine.poll_timeout();
    let waiter = wait_for(&mut bench, 0);
    bench.machine.cancel_wait(bench.now, waiter);
    bench.run();
    assert_eq!(bench.machine.poll_timeout(), before);
    let waiter = wait_with(&mut bench, 4, &"x".repeat(1000));
    assert_ne!(bench.machine.poll_timeout(), before);
    bench.machine.cancel_wait(bench.now, waiter);
    bench.run();
    assert_eq!(bench.machine.poll_timeout(), before);
    recover(&mut bench);
    finish(bench);
}

#[test]
fn those_who_stepped_aside_are_served_in_their_order_when_the_broker_answers() {
    let mut bench = sick();
    let aside: Vec<WaiterId> = SICK.map(|at| wait_for(&mut bench, at)).to_vec();
    bench.advance_ms(5000);
    assert_eq!(ready(&bench), []);
    let said = bench
        .machine
        .explain(bench.now, Subject::Producer)
        .to_string();
    let told = "4 wait for room (4 aside, for a silent broker)";
    assert!(said.contains(told), "{said}");
    recover(&mut bench);
    assert_eq!(ready(&bench), aside);
    for (waiter, partition) in aside.into_iter().zip(SICK) {
        use_room(&mut bench, waiter, partition);
    }
    finish(bench);
}

#[test]
fn one_at_a_time_comes_back_while_a_silent_broker_holds_less_than_half() {
    let mut settings = SETTINGS;
    settings[5] = ("delivery.timeout.ms", "10000");
    let mut bench = established(&settings);
    bench.answers_handshake = false;
    for partition in SICK {
        bench.send_to("wide", partition, "it is not answered");
        bench.advance_ms(500);
    }
    let [a, b] = [4, 5].map(|at| wait_for(&mut bench, at));
    // The first batch expires: room for one.
    bench.advance_ms(8000);
    assert_eq!(ready(&bench), [a]);
    bench.advance_ms(100);
    assert_eq!(ready(&bench), [a], "what it takes is not known yet");
    bench.machine.cancel_wait(bench.now, a);
    bench.run();
    assert_eq!(ready(&bench), [a, b], "it took nothing");
    use_room(&mut bench, b, 5);
    assert_eq!(ready(&bench), [a, b], "half is taken again");
    bench.machine.close(bench.now, bench.now);
    bench.run();
    bench.assert_settled();
}

#[test]
fn those_who_wait_for_a_partition_go_with_it_to_another_broker() {
    let mut bench = half_held();
    for partition in [5, 6] {
        try_to(&mut bench, partition).expect("it is not silent yet");
    }
    bench.advance_ms(1001);
    let waiter = wait_for(&mut bench, 4);
    let other = wait_for(&mut bench, 5);
    bench.move_leader("wide", 4, 0);
    bench.advance_ms(60_000);
    assert_eq!(ready(&bench), [waiter], "its new leader is well");
    assert_eq!(expired(&bench), [other]);
    bench.machine.close(bench.now, bench.now);
    bench.run();
    bench.assert_settled();
}

#[test]
fn records_without_a_key_go_to_brokers_that_are_well() {
    let mut bench = sick();
    let record = Record::to("wide").value("anywhere").timestamp(1);
    for _ in 0..200 {
        bench.try_send(&record).expect("there is another broker");
        bench.acknowledge_all();
    }
    assert_eq!(bench.machine.buffer_used(), 4096);
    recover(&mut bench);
    finish(bench);
}

#[test]
fn many_who_wait_for_a_sick_broker_cost_nothing_while_others_are_served() {
    if !cfg!(debug_assertions) {
        return;
    }
    let mut costs = [1, 1000].map(|count| {
        let mut bench = sick();
        for _ in 0..count {
            wait_for(&mut bench, 4);
        }
        let before = bench.machine.steps();
        for _ in 0..10 {
            try_to(&mut bench, 0).expect("there is room");
            bench.acknowledge_all();
        }
        bench.machine.steps() - before
    });
    costs.sort_unstable();
    assert_eq!(costs[0], costs[1], "turns of loops");
}

#[test]
fn without_acks_a_broker_that_takes_what_it_never_answers_is_not_sick() {
    let mut settings = SETTINGS.to_vec();
    settings.retain(|(name, _)| *name != "linger.ms");
    settings.extend([("linger.ms", "60000"), ("acks", "0")]);
    settings.push(("enable.idempotence", "false"));
    let mut bench = Bench::new(&settings);
    bench.add_topic("calm", &[0; 6]);
    bench.machine.topic(bench.now, "calm");
    bench.run();
    let value = "x".repeat(900);
    for _ in 0..10 {
        // Each closes the batch of the one before, so that something always waits for the broker.
        bench.send_to("calm", 0, &value);
        bench.advance_ms(300);
    }
    for partition in 1..6 {
        bench.send_to("calm", partition, &value);
    }
    assert_eq!(bench.machine.buffer_used(), 6 * 1024, "more than half");
}

//! Edge cases of `buffer.memory`: who waits, who is served, what is released (E6–E11, E22).

mod support;

use std::time::Duration;

use kafka_producer_machine::{
    Action, Compressor, ConnectionId, DisconnectReason, ErrorCode, Event, Outcome, ProduceError,
    Record, SendError, Shortage, Unsealed, WaiterId,
};
use support::Bench;

/// A buffer that four batches fill, which linger for a minute.
const TIGHT: [(&str, &str); 4] = [
    ("buffer.memory", "4096"),
    ("max.request.size", "4096"),
    ("batch.size", "1024"),
    ("linger.ms", "60000"),
];

/// A bench with eight partitions of `wide`, of which four hold a batch: the buffer is full.
fn full(properties: &[(&str, &str)]) -> Bench {
    let mut bench = Bench::new(properties);
    bench.add_topic("wide", &[0; 8]);
    bench.machine.topic(bench.now, "wide");
    bench.run();
    for partition in 0..4 {
        bench.send_to("wide", partition, "a");
    }
    assert_eq!(bench.machine.buffer_used(), 4096);
    bench
}

#[allow(clippy::panic, reason = "a check of the tests below")]
fn shortage(bench: &mut Bench, partition: u32, value: &str) -> Shortage {
    let record = Record::to("wide").partition(partition).value(value);
    match bench.try_send(&record) {
        Err(SendError::Full(shortage)) => shortage,
        other => panic!("no room is expected, {other:?} came"),
    }
}

fn is_ready(bench: &Bench, waiter: WaiterId) -> bool {
    let is_it = |event: &Event| matches!(event, Event::SpaceReady(id) if *id == waiter);
    bench.events.iter().any(is_it)
}

fn is_expired(bench: &Bench, waiter: WaiterId) -> bool {
    let is_it = |event: &Event| matches!(event, Event::WaitExpired(id) if *id == waiter);
    bench.events.iter().any(is_it)
}

#[test]
fn edge_e6_a_wait_for_memory_ends_at_its_deadline_and_changes_nothing() {
    let mut bench = full(&TIGHT);
    let shortage = shortage(&mut bench, 4, "b");
    assert_eq!(shortage.bytes(), 1024);
    assert_eq!(bench.machine.buffer_used(), 4096, "nothing was taken");
    let deadline = bench.now + Duration::from_millis(500);
    let waiter = bench.machine.wait_for_space(bench.now, shortage, deadline);
    bench.run();
    bench.advance_ms(499);
    assert!(!is_expired(&bench, waiter));
    bench.advance_ms(1);
    assert!(is_expired(&bench, waiter) && !is_ready(&bench, waiter));
    assert_eq!(bench.machine.buffer_used(), 4096);
    bench.acknowledge_all();
    assert!(!is_ready(&bench, waiter), "it has gone");
    bench.send_to("wide", 4, "there is room for everybody now");
    bench.flush();
    bench.acknowledge_all();
    bench.assert_settled();
}

#[test]
fn edge_e7_a_large_waiter_that_goes_leaves_what_is_free_to_the_next() {
    for is_cancelled in [false, true] {
        let mut bench = full(&TIGHT);
        let large = shortage(&mut bench, 4, &"x".repeat(3000));
        assert_eq!(large.bytes(), 3086);
        let soon = bench.now + Duration::from_millis(500);
        let late = bench.now + Duration::from_secs(60);
        let first = bench.machine.wait_for_space(bench.now, large, soon);
        let small = shortage(&mut bench, 5, "b");
        let second = bench.machine.wait_for_space(bench.now, small, late);
        bench.run();
        let seen = bench.take_request();
        assert_eq!(seen.batches.len(), 4);
        // Two batches end, two are tried again: not enough for the first in line.
        bench.answer_with(&seen, |batch| match batch.partition {
            0 | 1 => support::answer(ErrorCode::NONE),
            _ => support::answer(ErrorCode::NOT_ENOUGH_REPLICAS),
        });
        assert_eq!(bench.machine.buffer_used(), 2048);
        assert!(!is_ready(&bench, first), "1038 bytes are missing");
        assert!(!is_ready(&bench, second), "first come, first served");
        if is_cancelled {
            bench.machine.cancel_wait(bench.now, first);
            bench.run();
        } else {
            bench.advance_ms(500);
            assert!(is_expired(&bench, first));
        }
        assert!(is_ready(&bench, second));
        let record = Record::to("wide").partition(5).value("b");
        let receipt = bench.machine.send_reserved(bench.now, second, &record);
        bench.receipts.push(receipt.expect("it was promised"));
        bench.machine.cancel_wait(bench.now, second);
        bench.run();
        bench.flush();
        bench.advance_ms(500);
        bench.acknowledge_all();
        bench.assert_settled();
    }
}

#[test]
fn edge_e8_nothing_lingers_while_somebody_waits_for_memory() {
    let mut bench = full(&TIGHT);
    let first = shortage(&mut bench, 4, "b");
    assert!(bench.requests.is_empty(), "a refusal alone sends nothing");
    let never = bench.now + Duration::from_secs(60);
    let first = bench.machine.wait_for_space(bench.now, first, never);
    let second = shortage(&mut bench, 5, "c");
    let second = bench.machine.wait_for_space(bench.now, second, never);
    bench.run();
    let seen = bench.take_request();
    assert_eq!(seen.batches.len(), 4, "every partition's batch, at once");
    // Three batches are tried again: only one waiter can be served.
    bench.answer_with(&seen, |batch| match batch.partition {
        0 => support::answer(ErrorCode::NONE),
        _ => support::answer(ErrorCode::NOT_ENOUGH_REPLICAS),
    });
    assert!(is_ready(&bench, first) && !is_ready(&bench, second));
    let record = Record::to("wide").partition(4).value("b").timestamp(1);
    let receipt = bench.machine.send_reserved(bench.now, first, &record);
    bench.receipts.push(receipt.expect("it was promised"));
    bench.machine.cancel_wait(bench.now, first);
    bench.run();
    let seen = bench.take_request();
    assert_eq!(
        seen.batches[0].values,
        ["b"],
        "it does not linger: another waits"
    );
    bench.acknowledge(&seen);
    assert!(is_ready(&bench, second));
    bench.machine.cancel_wait(bench.now, second);
    // Nobody waits any more: batches linger again.
    bench.send_to("wide", 6, "d");
    assert!(bench.requests.is_empty());
    bench.flush();
    bench.advance_ms(500);
    bench.acknowledge_all();
    bench.assert_settled();
}

#[test]
fn edge_e8_a_waiter_that_was_told_and_never_comes_lets_nothing_linger_for_long() {
    let mut bench = full(&TIGHT);
    let never_polled = shortage(&mut bench, 4, "b");
    let max_block = bench.now + Duration::from_secs(5);
    let never_polled = bench
        .machine
        .wait_for_space(bench.now, never_polled, max_block);
    bench.run();
    bench.acknowledge_all();
    assert!(is_ready(&bench, never_polled));
    for partition in 0..3 {
        bench.send_to("wide", partition, "c");
    }
    assert!(bench.requests.is_empty(), "nobody waits: they linger");
    let other = shortage(&mut bench, 5, "d");
    let other = bench.machine.wait_for_space(bench.now, other, max_block);
    bench.run();
    bench.advance_ms(99);
    assert!(
        bench.requests.is_empty(),
        "who was told of room is expected"
    );
    bench.advance_ms(1);
    bench.acknowledge_all();
    assert!(is_ready(&bench, other));
    for waiter in [never_polled, other] {
        bench.machine.cancel_wait(bench.now, waiter);
    }
    bench.advance_ms(500);
    bench.assert_settled();
}

#[test]
fn a_waiter_whose_room_was_too_small_keeps_batches_from_lingering_again() {
    let mut bench = full(&TIGHT);
    let small = shortage(&mut bench, 4, "b");
    let never = bench.now + Duration::from_secs(60);
    let waiter = bench.machine.wait_for_space(bench.now, small, never);
    bench.run();
    bench.acknowledge_all();
    assert!(is_ready(&bench, waiter));
    for partition in 0..3 {
        bench.send_to("wide", partition, "they linger: nobody is in line");
    }
    assert!(bench.requests.is_empty());
    let value = "x".repeat(3000);
    let record = Record::to("wide").partition(4).value(&value).timestamp(1);
    let refused = bench.machine.send_reserved(bench.now, waiter, &record);
    assert!(matches!(refused, Err(SendError::Full(_))));
    bench.run();
    bench.events.clear();
    let seen = bench.take_request();
    assert_eq!(seen.batches.len(), 3);
    bench.acknowledge(&seen);
    assert!(is_ready(&bench, waiter));
    let receipt = bench.machine.send_reserved(bench.now, waiter, &record);
    bench.receipts.push(receipt.expect("it was promised"));
    bench.machine.cancel_wait(bench.now, waiter);
    bench.run();
    bench.acknowledge_all();
    bench.assert_settled();
}

#[test]
fn edge_e9_without_max_block_a_record_is_taken_if_there_is_room_and_refused_at_once_if_not() {
    let mut properties = TIGHT.to_vec();
    properties.push(("max.block.ms", "0"));
    let mut bench = full(&properties);
    let shortage = shortage(&mut bench, 4, "b");
    let waiter = bench.machine.wait_for_space(bench.now, shortage, bench.now);
    bench.run();
    assert_eq!(
        bench.machine.poll_timeout(),
        Some(bench.now),
        "now, not later"
    );
    bench.advance_ms(0);
    assert!(is_expired(&bench, waiter));
    assert_ne!(
        bench.machine.poll_timeout(),
        Some(bench.now),
        "and not again"
    );
    bench.acknowledge_all();
    // A topic that nobody knows cannot be waited for either.
    let early = bench.send_to("unknown", 0, "c");
    bench.advance_ms(0);
    let failed = bench.failure_of(early);
    assert!(matches!(failed.error, ProduceError::TopicUnknown { .. }));
    assert_eq!(failed.outcome, Outcome::NotWritten);
    bench.flush();
    bench.acknowledge_all();
    bench.assert_settled();
}

#[test]
fn edge_e10_memory_is_released_once_however_often_a_batch_ends() {
    let properties = [("delivery.timeout.ms", "40000"), ("batch.size", "1024")];
    let mut bench = Bench::ready(&properties);
    let receipt = bench.send_to("t", 0, "a");
    bench.flush();
    bench.advance_ms(20_000);
    let first = bench.take_request();
    bench.answer(&first, ErrorCode::NOT_ENOUGH_REPLICAS);
    bench.advance_ms(20_000);
    let second = bench.take_request();
    assert!(matches!(
        bench.failure_of(receipt).error,
        ProduceError::TimedOut { attempts: 2, .. }
    ));
    assert_eq!(
        bench.machine.buffer_used(),
        1024,
        "its request may still be read"
    );
    let other = bench.send_to("t", 1, "b");
    assert_eq!(bench.machine.buffer_used(), 2048);
    bench.answer(&second, ErrorCode::NONE);
    assert_eq!(bench.machine.buffer_used(), 1024, "once, and only its own");
    let gone = second.connection;
    bench.advance_ms(5);
    let third = bench.take_request();
    bench.machine.close(bench.now, bench.now);
    bench.run();
    assert_eq!(bench.failure_of(other).outcome, Outcome::MaybeWritten);
    assert_eq!(bench.machine.buffer_used(), 0);
    // The answer comes all the same, and the end of the connection is told once more.
    bench.answer(&third, ErrorCode::NONE);
    bench
        .machine
        .handle_disconnected(bench.now, gone, DisconnectReason::Closed);
    bench.run();
    bench.assert_settled();
}

#[test]
fn edge_e11_the_bytes_of_an_expired_batch_stay_as_they_are_while_its_frame_is_written() {
    let properties = [
        ("delivery.timeout.ms", "30005"),
        ("batch.size", "1024"),
        ("buffer.memory", "4096"),
        ("max.request.size", "4096"),
    ];
    let mut bench = Bench::established(&properties);
    let value = "old".repeat(200);
    let record = Record::to("t").partition(0).value(&value).timestamp(1);
    let receipt = bench.machine.send(bench.now, &record).unwrap();
    bench.receipts.push(receipt);
    bench.now = bench.now + Duration::from_millis(5);
    bench.machine.handle_timeout(bench.now);
    let Some(Action::Transmit { connection }) = bench.machine.poll_action() else {
        panic!("the batch has lingered");
    };
    let mut slow = Unsealed::new();
    assert!(
        bench
            .machine
            .poll_transmit(bench.now, connection, &mut slow)
    );
    let bytes = |frame: &mut Unsealed| frame.seal().chunks().flatten().copied().collect();
    let before: Vec<u8> = bytes(&mut slow);
    // The driver is still writing when the batch, its request and its connection end.
    bench.advance_ms(30_002);
    assert_eq!(bench.failure_of(receipt).outcome, Outcome::MaybeWritten);
    assert_eq!(bench.machine.buffer_used(), 0);
    bench.ends.clear();
    bench.events.clear();
    bench.receipts.clear();
    for _ in 0..20 {
        bench.send_to("t", 0, &"new".repeat(200));
        bench.flush();
        bench.advance_ms(100);
        bench.acknowledge_all();
    }
    let after: Vec<u8> = bytes(&mut slow);
    assert_eq!(before, after);
    bench.assert_settled();
}

#[test]
fn a_frame_on_a_connection_that_was_given_up_costs_until_the_driver_is_done_with_it() {
    for acks in ["all", "0"] {
        let idempotence = if acks == "0" { "false" } else { "true" };
        let properties = [
            ("acks", acks),
            ("enable.idempotence", idempotence),
            ("delivery.timeout.ms", "30001"),
            ("linger.ms", "0"),
            ("batch.size", "1024"),
        ];
        let mut bench = Bench::ready(&properties);
        bench.produce(0, "first");
        if acks == "all" {
            bench.acknowledge_all();
        }
        bench.requests.clear();
        bench.stops_asking = true;
        let receipt = bench.send_to("t", 0, "stuck");
        bench.now = bench.now + Duration::from_secs(31);
        while bench
            .machine
            .poll_timeout()
            .is_some_and(|at| at <= bench.now)
        {
            bench.machine.handle_timeout(bench.now);
        }
        let mut given_up = None;
        while let Some(action) = bench.machine.poll_action() {
            if let Action::Disconnect { connection } = action {
                given_up = Some(connection);
            }
        }
        bench.run();
        assert!(bench.end_of(receipt).is_some(), "acks={acks}");
        assert_eq!(bench.machine.buffer_used(), 1024, "acks={acks}");
        let reason = DisconnectReason::Asked;
        let connection = given_up.expect("nothing was answered in time");
        bench
            .machine
            .handle_disconnected(bench.now, connection, reason.clone());
        assert_eq!(bench.machine.buffer_used(), 0, "acks={acks}");
        bench
            .machine
            .handle_disconnected(bench.now, connection, reason);
        bench.assert_settled();
    }
}

#[test]
fn a_batch_that_goes_again_costs_once_however_many_frames_it_is_in() {
    let properties = [("linger.ms", "0"), ("batch.size", "1024")];
    let mut bench = Bench::established(&properties);
    bench.stops_asking = true;
    let receipt = bench.send_to("t", 0, "stuck");
    bench.requests.clear();
    // The driver hangs in writing: the end of the connection is not reported.
    bench.now = bench.now + Duration::from_secs(31);
    bench.machine.handle_timeout(bench.now);
    let actions = std::iter::from_fn(|| bench.machine.poll_action());
    let given_up = actions.filter_map(|action| match action {
        Action::Disconnect { connection } => Some(connection),
        _ => None,
    });
    let given_up: Vec<ConnectionId> = given_up.collect();
    bench.stops_asking = false;
    bench.advance_ms(500);
    bench.requests.retain(|seen| seen.connection != given_up[0]);
    assert_eq!(bench.machine.buffer_used(), 1024, "once");
    let seen = bench.take_request();
    bench.acknowledge(&seen);
    assert!(bench.is_acked(receipt));
    assert_eq!(bench.machine.buffer_used(), 1024, "the first frame");
    let reason = DisconnectReason::Asked;
    bench
        .machine
        .handle_disconnected(bench.now, given_up[0], reason);
    bench.assert_settled();
}

#[test]
fn what_a_job_compresses_costs_until_the_job_comes_back_though_its_records_have_ended() {
    let properties = [
        ("compression.type", "lz4"),
        ("delivery.timeout.ms", "30001"),
        ("linger.ms", "0"),
        ("batch.size", "1024"),
    ];
    let mut bench = Bench::ready(&properties);
    bench.holds_jobs = true;
    let receipt = bench.send_to("t", 0, "a");
    bench.advance_ms(10);
    let used = bench.machine.buffer_used();
    assert!(1024 < used, "both copies");
    bench.advance_ms(31_000);
    let failed = bench.failure_of(receipt);
    assert_eq!(failed.outcome, Outcome::NotWritten);
    assert_eq!(bench.machine.buffer_used(), used, "the job still reads it");
    let job = bench.jobs.remove(0).run(&mut Compressor::new());
    bench.machine.handle_compressed(bench.now, job);
    bench.assert_settled();
}

#[test]
fn edge_e22_a_flush_does_not_keep_the_memory_of_batches_that_have_ended() {
    let mut bench = Bench::established(&[("batch.size", "1024"), ("linger.ms", "60000")]);
    for _ in 0..100 {
        bench.send_to("t", 0, &"x".repeat(900));
    }
    let flush = bench.machine.flush(bench.now);
    bench.run();
    let mut used = bench.machine.buffer_used();
    let mut answered = 0;
    while !bench.requests.is_empty() {
        assert_eq!(bench.flushed(flush), 0, "{answered} of 100");
        let seen = bench.requests.remove(0);
        bench.acknowledge(&seen);
        answered += 1;
        assert_eq!(bench.machine.buffer_used(), used - 1024, "after {answered}");
        used -= 1024;
    }
    assert_eq!((answered, used), (100, 0));
    assert_eq!(bench.flushed(flush), 1);
    bench.assert_settled();
}

/// So many who wait with a record of this size each, while four large batches fill the buffer.
struct Crowd {
    bench: Bench,
    waiting: Vec<WaiterId>,
    value: String,
}

impl Crowd {
    /// One batch ends, the others are tried again much later: there is room for one.
    fn new(count: usize, size: usize) -> Self {
        let mut bench = Bench::new(&[
            ("buffer.memory", "65536"),
            ("batch.size", "16384"),
            ("linger.ms", "500"),
            ("retry.backoff.ms", "60000"),
            ("retry.backoff.max.ms", "60000"),
        ]);
        bench.add_topic("wide", &[0; 8]);
        bench.machine.topic(bench.now, "wide");
        bench.run();
        for partition in 0..4 {
            bench.send_to("wide", partition, &"x".repeat(16_000));
        }
        let value = "x".repeat(size);
        let never = bench.now + Duration::from_secs(60);
        let waiting = (0..count).map(|_| {
            let shortage = shortage(&mut bench, 4, &value);
            bench.machine.wait_for_space(bench.now, shortage, never)
        });
        let waiting = waiting.collect();
        bench.run();
        let seen = bench.take_request();
        bench.answer_with(&seen, |batch| match batch.partition {
            0 => support::answer(ErrorCode::NONE),
            _ => support::answer(ErrorCode::NOT_ENOUGH_REPLICAS),
        });
        Self {
            bench,
            waiting,
            value,
        }
    }

    /// Those who were told come one after the other, each with its record, until nobody is told.
    fn come(&mut self) {
        let bench = &mut self.bench;
        loop {
            let events = std::mem::take(&mut bench.events).into_iter();
            let told = events.filter_map(|event| match event {
                Event::SpaceReady(waiter) => Some(waiter),
                _ => None,
            });
            let told: Vec<WaiterId> = told.collect();
            if told.is_empty() {
                return;
            }
            for waiter in told {
                let record = Record::to("wide").partition(4).value(&self.value);
                let record = record.timestamp(1);
                match bench.machine.send_reserved(bench.now, waiter, &record) {
                    // Who came before has used the room: it waits on.
                    Err(SendError::Full(_)) => {}
                    sent => {
                        bench.receipts.push(sent.expect("it was promised"));
                        bench.run();
                        bench.machine.cancel_wait(bench.now, waiter);
                        self.waiting.retain(|&waiting| waiting != waiter);
                    }
                }
                bench.run();
            }
        }
    }

    /// How many records each batch has that came.
    fn batches(&mut self) -> Vec<usize> {
        let seen = self.bench.take_requests();
        let batches = seen.iter().flat_map(|seen| &seen.batches);
        let counts = batches.map(|batch| batch.values.len()).collect();
        seen.iter().for_each(|seen| self.bench.acknowledge(seen));
        counts
    }
}

#[test]
fn edge_e129_released_room_calls_as_many_as_fill_a_batch_and_their_records_share_it() {
    let mut crowd = Crowd::new(60, 700);
    crowd.come();
    let mut batches = Vec::new();
    while !crowd.waiting.is_empty() {
        let came = crowd.batches();
        assert!(!came.is_empty(), "{} wait", crowd.waiting.len());
        batches.extend(came);
        crowd.come();
    }
    crowd.bench.advance_ms(500);
    batches.extend(crowd.batches());
    // Each may need a buffer of 1,024 bytes of its own, and so 16 are told of room for 16,384.
    let (last, full) = batches.split_last().expect("some came");
    assert!(full.iter().all(|&records| 16 <= records), "{batches:?}");
    assert_eq!(full.iter().sum::<usize>() + last, 60);
}

#[test]
fn edge_e129_the_records_of_those_who_waited_linger_as_any_others() {
    let mut crowd = Crowd::new(40, 3);
    crowd.come();
    assert!(crowd.waiting.is_empty());
    crowd.bench.advance_ms(499);
    assert!(crowd.batches().is_empty());
    crowd.bench.advance_ms(1);
    assert_eq!(crowd.batches(), [40]);
}

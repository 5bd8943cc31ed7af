//! Transition tables of what can be seen from outside: the life of the machine, and what answers
//! do to batches that were given up.

mod chaos;
mod hostile;
mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use chaos::answers::Flavor;
use expect_test::expect;
use hostile::{PATIENCE, Peers, Reply};
use kafka_producer_machine::{
    Action, DisconnectReason, ErrorCode, Event, Instant, Notice, Outcome, Record, SendError,
    Unsealed,
};
use kafka_producer_proto::ApiKey;
use support::Bench;

/// A machine in each stage of its life: established, with a record in flight and one waiting.
fn in_life(life: &str) -> Bench {
    let mut bench = Bench::established(&[("linger.ms", "1000")]);
    bench.send_to("t", 0, "in flight");
    bench.flush();
    bench.send_to("t", 0, "waiting");
    match life {
        "Open" => {}
        "Closing" => {
            let deadline = bench.now + Duration::from_secs(20);
            bench.machine.close(bench.now, deadline);
        }
        "Fatal" => {
            let seen = bench.take_request();
            bench.answer(&seen, ErrorCode::CLUSTER_AUTHORIZATION_FAILED);
        }
        "Closed" => bench.machine.close(bench.now, bench.now),
        _ => unreachable!("four stages"),
    }
    bench.run();
    bench.events.clear();
    bench
}

fn life_of(bench: &mut Bench) -> &'static str {
    let closed = bench.events.iter().any(|e| matches!(e, Event::Closed));
    let record = Record::to("t").partition(1).value("probe").timestamp(1);
    match bench.machine.send(bench.now, &record) {
        Ok(_) => "Open",
        Err(SendError::Fatal(_)) => "Fatal",
        Err(SendError::Closed) if closed => "Closed",
        Err(SendError::Closed) => "no longer Open",
        Err(_) => "?",
    }
}

fn summary(bench: &Bench) -> String {
    let mut names: Vec<&str> = Vec::new();
    for event in &bench.events {
        names.push(match event {
            Event::Closed => "Closed",
            Event::Completed { result: Ok(_), .. } => "Written",
            Event::Completed { .. } => "Failed",
            Event::Flushed(_) => "Flushed",
            Event::MetadataReady(_) => "MetadataReady",
            Event::Notice(Notice::Disconnected { .. }) => "Lost",
            Event::Notice(Notice::Fatal(_)) => "Fatal",
            Event::Notice(Notice::Retrying { .. }) => "Retrying",
            Event::SpaceReady(_) => "SpaceReady",
            Event::WaitExpired(_) => "WaitExpired",
            _ => continue,
        });
    }
    names.join(" ")
}

type Input = (&'static str, fn(&mut Bench));

const INPUTS: [Input; 12] = [
    ("send", |bench| {
        let record = Record::to("t").partition(0).value("x").timestamp(1);
        let _ = bench.try_send(&record);
    }),
    ("topic", |bench| {
        bench.machine.topic(bench.now, "t");
    }),
    ("wait_for_metadata", |bench| {
        let topic = bench.machine.topic(bench.now, "missing");
        let deadline = bench.now + Duration::from_secs(1);
        bench.machine.wait_for_metadata(bench.now, topic, deadline);
    }),
    ("flush", |bench| {
        bench.machine.flush(bench.now);
    }),
    ("close later", |bench| {
        let deadline = bench.now + Duration::from_secs(10);
        bench.machine.close(bench.now, deadline);
    }),
    ("close now", |bench| {
        bench.machine.close(bench.now, bench.now);
    }),
    ("acknowledged", |bench| bench.acknowledge_all()),
    ("refused", |bench| {
        for seen in bench.take_requests() {
            bench.answer(&seen, ErrorCode::MESSAGE_TOO_LARGE);
        }
    }),
    ("fatal answer", |bench| {
        for seen in bench.take_requests() {
            bench.answer(&seen, ErrorCode::CLUSTER_AUTHORIZATION_FAILED);
        }
    }),
    ("connection lost", |bench| bench.cut(0)),
    ("early timeout", |bench| {
        bench.machine.handle_timeout(bench.now);
    }),
    ("31 s pass", |bench| bench.advance_ms(31_000)),
];

#[test]
fn the_life_of_a_machine() {
    let mut table = String::new();
    for life in ["Open", "Closing", "Fatal", "Closed"] {
        for (name, input) in INPUTS {
            let mut bench = in_life(life);
            input(&mut bench);
            bench.run();
            let events = summary(&bench);
            let after = life_of(&mut bench);
            let row = format!("{life:7} {name:17} {after}: {events}");
            writeln!(table, "{}", row.trim_end()).expect("a string takes it");
        }
    }
    expect![[r#"
        Open    send              Open:
        Open    topic             Open:
        Open    wait_for_metadata Open:
        Open    flush             Open:
        Open    close later       no longer Open:
        Open    close now         Closed: Failed Failed Lost Lost Flushed Closed
        Open    acknowledged      Open: Written Flushed
        Open    refused           Open: Failed Flushed
        Open    fatal answer      Fatal: Failed Fatal Failed Lost Lost Flushed
        Open    connection lost   Open: Lost Lost Retrying
        Open    early timeout     Open:
        Open    31 s pass         Open: Lost Retrying Retrying
        Closing send              no longer Open:
        Closing topic             no longer Open:
        Closing wait_for_metadata no longer Open: MetadataReady
        Closing flush             no longer Open:
        Closing close later       no longer Open:
        Closing close now         Closed: Failed Failed Lost Lost Flushed Closed
        Closing acknowledged      Closed: Written Flushed Written Lost Lost Closed
        Closing refused           Closed: Failed Flushed Failed Lost Lost Closed
        Closing fatal answer      Closed: Failed Fatal Failed Lost Lost Flushed Closed
        Closing connection lost   no longer Open: Lost Lost Retrying Retrying
        Closing early timeout     no longer Open:
        Closing 31 s pass         Closed: Failed Failed Lost Lost Flushed Closed
        Fatal   send              Fatal:
        Fatal   topic             Fatal:
        Fatal   wait_for_metadata Fatal: MetadataReady
        Fatal   flush             Fatal: Flushed
        Fatal   close later       Closed: Closed
        Fatal   close now         Closed: Closed
        Fatal   acknowledged      Fatal:
        Fatal   refused           Fatal:
        Fatal   fatal answer      Fatal:
        Fatal   connection lost   Fatal:
        Fatal   early timeout     Fatal:
        Fatal   31 s pass         Fatal:
        Closed  send              no longer Open:
        Closed  topic             no longer Open:
        Closed  wait_for_metadata no longer Open: MetadataReady
        Closed  flush             no longer Open: Flushed
        Closed  close later       no longer Open:
        Closed  close now         no longer Open:
        Closed  acknowledged      no longer Open:
        Closed  refused           no longer Open:
        Closed  fatal answer      no longer Open:
        Closed  connection lost   no longer Open:
        Closed  early timeout     no longer Open:
        Closed  31 s pass         no longer Open:
    "#]]
    .assert_eq(&table);
}

/// A batch is given up in flight, then answered with this code. Gives the number of the next
/// batch of its partition.
fn answer_too_late(code: i16) -> String {
    let mut bench = Bench::established(&[
        ("delivery.timeout.ms", "2000"),
        ("request.timeout.ms", "1900"),
        ("linger.ms", "0"),
    ]);
    let receipt = bench.send_to("t", 0, "given up in flight");
    bench.advance_ms(500);
    let first = bench.take_request();
    bench.answer(&first, ErrorCode::NOT_ENOUGH_REPLICAS);
    bench.advance_ms(300);
    let second = bench.take_request();
    bench.advance_ms(1250);
    let failed = bench.failure_of(receipt);
    assert_eq!(failed.outcome, Outcome::MaybeWritten);
    assert!(
        0 < bench.machine.buffer_used(),
        "the frame may still be read"
    );
    bench.answer(&second, ErrorCode(code));
    bench.assert_settled();
    let record = Record::to("t").partition(0).value("next").timestamp(1);
    if let Err(refused) = bench.try_send(&record) {
        return refused.to_string().chars().take(22).collect();
    }
    bench.advance_ms(1000);
    let next = bench.take_request();
    let (epoch, sequence) = (next.batches[0].epoch, next.batches[0].sequence);
    bench.acknowledge_all();
    format!("epoch {epoch}, sequence {sequence}")
}

#[test]
fn an_answer_to_a_batch_that_was_given_up_tells_nobody_and_frees_its_memory() {
    let mut fates: BTreeMap<String, Vec<i16>> = BTreeMap::new();
    for code in (-1..=136).chain([999]) {
        fates.entry(answer_too_late(code)).or_default().push(code);
    }
    let mut table = String::new();
    for (fate, codes) in fates {
        let few = if codes.len() < 10 {
            format!("{codes:?}")
        } else {
            format!("{} codes", codes.len())
        };
        writeln!(table, "{fate}: {few}").expect("a string takes it");
    }
    expect![[r#"
        epoch 0, sequence 2: [0, 46]
        epoch 1, sequence 0: 137 codes
    "#]]
    .assert_eq(&table);
}

#[test]
fn every_connect_ends_in_one_disconnected() {
    let mut peers = Peers::new(&[], |broker, asked| match asked.api() {
        ApiKey::Produce if broker == 1 => Reply::HangUp,
        ApiKey::Produce => Reply::Bytes(asked.answer(&Flavor::WrongId(1))),
        _ => Reply::Proper,
    });
    peers.send("t0", 0);
    peers.send("t0", 1);
    peers.advance(PATIENCE);
    peers.machine.close(peers.now, peers.now);
    peers.run();
    let mut ended: Vec<u64> = peers
        .notices
        .iter()
        .filter_map(|notice| match notice {
            Notice::Disconnected { connection, .. } => Some(connection.as_u64()),
            _ => None,
        })
        .collect();
    ended.sort_unstable();
    let all: Vec<u64> = (0..ended.len() as u64).collect();
    assert_eq!(ended, all, "each id once, none left out, none used again");
    assert!(peers.links.is_empty());
}

#[test]
fn instants_at_the_end_of_time_do_not_wrap() {
    let mut bench = Bench::ready(&[]);
    let record = Record::to("t").partition(0).value("x").timestamp(1);
    assert!(bench.machine.send(Instant::NEVER, &record).is_ok());
    bench.machine.close(Instant::NEVER, Instant::NEVER);
    let mut frame = Unsealed::new();
    while let Some(action) = bench.machine.poll_action() {
        if let Action::Transmit { connection } | Action::Disconnect { connection } = action {
            bench
                .machine
                .poll_transmit(Instant::NEVER, connection, &mut frame);
            bench
                .machine
                .handle_disconnected(Instant::NEVER, connection, DisconnectReason::Closed);
        }
    }
    bench.machine.handle_timeout(Instant::NEVER);
}

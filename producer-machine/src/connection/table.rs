//! Every phase of a connection with every answer to ApiVersions, as a table.

#![cfg(test)]

extern crate std;

use alloc::string::String;
use core::fmt::Write as _;

use expect_test::expect_file;
use kafka_producer_proto::messages::ApiVersionsResponse;
use kafka_producer_proto::messages::api_versions::ApiVersion;

use super::*;
use crate::brokers::NodeId;

const READY: Versions = Versions {
    produce: 9,
    metadata: 12,
    init_producer_id: None,
    api_versions: None,
};

const LANE: LaneId = LaneId {
    node: NodeId(1),
    index: 0,
};

fn phases() -> [(&'static str, Phase); 6] {
    [
        ("Connecting", Phase::Connecting),
        ("Pending(4)", Phase::Negotiating(Ask::Pending(4))),
        ("Sent(4)", Phase::Negotiating(Ask::Sent(4))),
        ("Sent(2)", Phase::Negotiating(Ask::Sent(2))),
        ("Sent(0)", Phase::Negotiating(Ask::Sent(0))),
        ("Ready", Phase::Ready(READY)),
    ]
}

/// An answer with this code and these (key, lowest, highest).
type Row = (&'static str, i16, &'static [(i16, i16, i16)]);

const ANSWERS: [Row; 9] = [
    ("good", 0, &[(0, 3, 12), (3, 0, 12), (22, 0, 4)]),
    ("no producer ids", 0, &[(0, 3, 12), (3, 0, 12)]),
    ("too old", 0, &[(0, 0, 2), (3, 0, 12)]),
    ("nothing", 0, &[]),
    ("upside down", 0, &[(0, 12, 3), (3, 12, 0)]),
    ("refused, knows 2", 35, &[(18, 0, 2)]),
    ("refused, knows 9", 35, &[(18, 0, 9)]),
    ("refused, mute", 35, &[]),
    ("another error", 42, &[]),
];

const NOW: Instant = Instant::from_millis(7);

fn asked_in(phase: Phase) -> Connection {
    let mut connection = Connection::new(
        Instant::ORIGIN,
        LANE,
        "b1:9092".into(),
        LIMITS,
        Instant::from_millis(10_000),
    );
    connection.phase = phase;
    connection
}

fn say(phase: &Phase) -> String {
    match phase {
        Phase::Connecting => String::from("Connecting"),
        Phase::Negotiating(ask) => alloc::format!("{ask:?}"),
        Phase::Ready(versions) => alloc::format!(
            "Ready({}, {}, {:?})",
            versions.produce,
            versions.metadata,
            versions.init_producer_id
        ),
    }
}

fn response(code: i16, keys: &[(i16, i16, i16)]) -> ApiVersionsResponse {
    ApiVersionsResponse {
        error_code: ErrorCode(code),
        api_keys: keys
            .iter()
            .map(|&(api_key, min_version, max_version)| ApiVersion {
                api_key,
                min_version,
                max_version,
            })
            .collect(),
        ..ApiVersionsResponse::default()
    }
}

#[test]
fn every_phase_with_every_answer() {
    let mut table = String::new();
    for (name, code, keys) in ANSWERS {
        for (before, phase) in phases() {
            let mut connection = asked_in(phase);
            let negotiated = match connection.negotiate(NOW, &response(code, keys)) {
                Negotiated::Again => "asked again",
                Negotiated::Ready => "ready",
                Negotiated::Useless(_) => "dropped",
            };
            let after = say(&connection.phase);
            let row = alloc::format!("{name:16} {before:10} -> {negotiated:11} {after}");
            writeln!(table, "{row}").expect("a string takes it");
        }
    }
    expect_file!["table.txt"].assert_eq(&table);
}

type Input = (&'static str, fn(&mut Connection) -> String);

const INPUTS: [Input; 10] = [
    ("connected", |c| {
        alloc::format!("news: {}", c.connected(NOW, 4))
    }),
    ("sent ApiVersions", |c| {
        let correlation_id = c.correlate();
        c.sent(NOW, correlation_id, 4, What::ApiVersions);
        String::new()
    }),
    ("sent Metadata", |c| {
        let correlation_id = c.correlate();
        c.sent(NOW, correlation_id, 9, What::Metadata);
        String::new()
    }),
    ("answered", |c| alloc::format!("{:?}", c.answered())),
    ("throttled", |c| {
        c.throttle(NOW, Duration::from_millis(1), ThrottleRule::ClientWaits);
        String::new()
    }),
    ("the broker has moved", |c| {
        alloc::format!("end: {}", c.leave())
    }),
    ("announce", |c| alloc::format!("tell: {}", c.announce(NOW))),
    ("got a frame", |c| {
        c.got_frame();
        String::new()
    }),
    ("asked in vain", |c| {
        c.asked_in_vain();
        String::new()
    }),
    ("written", |c| {
        c.written();
        String::new()
    }),
];

#[test]
fn every_phase_and_writer_with_every_input() {
    let mut table = String::new();
    for (name, input) in INPUTS {
        for (before, _) in phases() {
            for writer in [Writer::Idle, Writer::Told, Writer::Writing] {
                let phase = phases().into_iter().find(|(name, _)| *name == before);
                let mut connection = asked_in(phase.expect("it is one of them").1);
                connection.writer = writer;
                let told = input(&mut connection);
                let row = alloc::format!(
                    "{before}, {writer:?}: {name} -> {}, {:?}, may send {} {told}",
                    say(&connection.phase),
                    connection.writer,
                    match connection.turn(NOW) {
                        Turn::ApiVersions(_) => "ApiVersions",
                        Turn::Nothing => "nothing",
                        Turn::Requests(_) => "requests",
                    },
                );
                writeln!(table, "{}", row.trim_end()).expect("a string takes it");
            }
        }
    }
    expect_file!["inputs.txt"].assert_eq(&table);
}

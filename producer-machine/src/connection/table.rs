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
            let mut connection = Connection::new(Instant::ORIGIN, LANE, "b1:9092".into());
            connection.phase = phase;
            let negotiated = match connection.negotiate(&response(code, keys)) {
                Negotiated::Again => "asked again",
                Negotiated::Ready => "ready",
                Negotiated::Useless(_) => "dropped",
            };
            let after = match &connection.phase {
                Phase::Connecting => String::from("Connecting"),
                Phase::Negotiating(ask) => alloc::format!("{ask:?}"),
                Phase::Ready(versions) => alloc::format!(
                    "Ready({}, {}, {:?})",
                    versions.produce,
                    versions.metadata,
                    versions.init_producer_id
                ),
            };
            let row = alloc::format!("{name:16} {before:10} -> {negotiated:11} {after}");
            writeln!(table, "{row}").expect("a string takes it");
        }
    }
    expect_file!["table.txt"].assert_eq(&table);
}

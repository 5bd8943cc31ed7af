//! The seeds of the fuzz targets, replayed without a fuzzer.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::fs;
use std::path::Path;

use kafka_producer_proto::fuzzing;

#[test]
fn frame_seeds_pass() {
    replay("frame", fuzzing::frame);
}

#[test]
fn response_seeds_pass() {
    replay("response", fuzzing::response);
}

#[test]
fn batch_seeds_pass() {
    replay("batch", fuzzing::batch);
}

/// Runs a target over its seeds and everything that they begin with.
fn replay(target: &str, body: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/seeds")
        .join(target);
    let seeds = fs::read_dir(&folder).expect("the seeds are committed");
    let mut replayed = 0;
    for seed in seeds {
        let seed = fs::read(seed.unwrap().path()).unwrap();
        for end in 0..=seed.len() {
            body(&seed[..end]);
        }
        replayed += 1;
    }
    assert!(5 <= replayed, "{replayed} seeds in {}", folder.display());
}

//! Damaged frames: each ends in an error or in a value, without a panic and without asking for
//! more memory than there are bytes to justify it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod vectors;

use std::alloc::System;

use kafka_producer_proto::fuzzing::recode;
use kafka_producer_proto::messages::MetadataResponse;
use kafka_producer_proto::{FrameReader, Message};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The only test of this binary, because the allocator counts for the whole process.
#[test]
fn damaged_frames_neither_panic_nor_ask_for_unjustified_memory() {
    for vector in vectors::all() {
        let frame = vector.frame();
        for end in 0..frame.len() {
            check(&vector, &frame[..end]);
        }
        let mut damaged = frame.to_vec();
        for at in 0..frame.len() {
            for value in 0..=u8::MAX {
                damaged[at] = value;
                check(&vector, &damaged);
            }
            damaged[at] = frame[at];
        }
    }
    a_count_alone_reserves_no_more_than_the_bytes_there_are();
    a_size_alone_reserves_nothing();
}

/// Bytes that this asks for. The thread of the test harness asks for some of its own, once: so
/// the least of a few runs is what counts.
fn taken(work: impl Fn()) -> usize {
    let runs = (0..3).map(|_| {
        let region = Region::new(ALLOCATOR);
        work();
        region.change().bytes_allocated
    });
    runs.min().unwrap_or(0)
}

/// Decodes and encodes; both together may take a small multiple of the frame.
fn check(vector: &vectors::Vector, frame: &[u8]) {
    let taken = taken(|| {
        if let Some(body) = vector.body(frame) {
            _ = recode(vector.api, vector.role, vector.version, body);
        }
    });
    assert!(
        taken <= 4 * frame.len() + 512,
        "{}: {taken} for {}",
        vector.title,
        frame.len()
    );
}

fn a_count_alone_reserves_no_more_than_the_bytes_there_are() {
    // Version 9: no throttle, then as many brokers as a million bytes could hold at the least.
    let mut body = vec![0xff; 1_000_000];
    body[..8].copy_from_slice(&[0, 0, 0, 0, 0x91, 0xa1, 0x05, 0xff]);
    let taken = taken(|| assert!(MetadataResponse::decode(9, &body).is_err()));
    assert!(10_000 < taken && taken <= body.len() + 1024, "{taken}");
}

fn a_size_alone_reserves_nothing() {
    let taken = taken(|| {
        let mut reader = FrameReader::new(i32::MAX as usize);
        let size = i32::MAX.to_be_bytes();
        let frame = reader.next_frame(&mut &size[..]);
        assert_eq!(frame, Ok(None));
    });
    assert!(taken <= 64, "{taken}");
}

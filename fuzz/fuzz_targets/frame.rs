//! A stream of requests, in pieces, as a broker gets it.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run frame fuzz/corpus/frame \
//! producer-proto/tests/seeds/frame`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kafka_producer_proto::fuzzing::frame(bytes));

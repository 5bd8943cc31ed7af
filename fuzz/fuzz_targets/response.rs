//! A response of any API and version, as a client gets it.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run response fuzz/corpus/response \
//! producer-proto/tests/seeds/response`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kafka_producer_proto::fuzzing::response(bytes));

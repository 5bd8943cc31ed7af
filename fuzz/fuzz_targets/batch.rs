//! Record batches back to back, as a broker finds them in a request.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run batch fuzz/corpus/batch \
//! producer-proto/tests/seeds/batch`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kafka_producer_proto::fuzzing::batch(bytes));

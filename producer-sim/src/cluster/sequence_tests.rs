//! The checks of Produce that ask what a partition remembers of a producer (C9 to C14, C18, C19).

use kafka_producer_proto::ErrorCode;

use super::testing::{NOW, ask, batch, cluster, idempotent, only, outcome, produce, produce_to};
use super::{Cleanup, DuplicateAnswer, Knobs, UnknownProducer};

#[test]
fn c9_a_duplicate_is_answered_with_the_original_offset() {
    let mut cluster = cluster();
    produce(&mut cluster, 0, 0, batch(4));
    assert_eq!(
        outcome(&mut cluster, 0, 0, idempotent(0, 0, 3)),
        (ErrorCode::NONE, 4)
    );
    let again = produce(&mut cluster, 0, 0, idempotent(0, 0, 3));
    assert_eq!((again.error_code, again.base_offset), (ErrorCode::NONE, 4));
    assert_eq!(again.log_append_time_ms, NOW);
    assert_eq!(cluster.end_offset("orders", 0), Some(7));
}

#[test]
fn c9_brokers_of_old_call_it_a_duplicate() {
    let mut cluster = cluster();
    cluster.knobs.duplicates = DuplicateAnswer::DuplicateSequence;
    produce(&mut cluster, 0, 0, idempotent(0, 0, 3));
    let (code, offset) = outcome(&mut cluster, 0, 0, idempotent(0, 0, 3));
    assert_eq!((code, offset), (ErrorCode::DUPLICATE_SEQUENCE_NUMBER, -1));
}

#[test]
fn c9_comes_after_the_checks_of_the_batch() {
    let mut cluster = cluster();
    produce(&mut cluster, 0, 0, idempotent(0, 0, 1));
    cluster.configure_topic("orders", |config| config.cleanup = Cleanup::Compact);
    let (code, _) = outcome(&mut cluster, 0, 0, idempotent(0, 0, 1));
    assert_eq!(code, ErrorCode::INVALID_RECORD);
}

#[test]
fn c11_c12_c13_sequences_and_epochs_are_judged() {
    let mut cluster = cluster();
    assert_eq!(
        outcome(&mut cluster, 0, 0, idempotent(0, 0, 2)).0,
        ErrorCode::NONE
    );
    let gap = produce(&mut cluster, 0, 0, idempotent(0, 3, 2));
    assert_eq!(gap.error_code, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_eq!((gap.base_offset, gap.log_start_offset), (-1, 0));
    assert_eq!(
        outcome(&mut cluster, 0, 0, idempotent(1, 2, 2)).0,
        ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER
    );
    assert_eq!(
        outcome(&mut cluster, 0, 0, idempotent(1, 0, 2)).0,
        ErrorCode::NONE
    );
    assert_eq!(
        outcome(&mut cluster, 0, 0, idempotent(0, 2, 2)).0,
        ErrorCode::INVALID_PRODUCER_EPOCH
    );
}

#[test]
fn c14_the_knob_says_how_an_unknown_producer_is_met() {
    let met = |unknown_producer| {
        let mut cluster = cluster();
        cluster.knobs = Knobs {
            unknown_producer,
            ..Knobs::default()
        };
        outcome(&mut cluster, 0, 0, idempotent(0, 5, 1)).0
    };
    assert_eq!(met(UnknownProducer::AnySequence), ErrorCode::NONE);
    assert_eq!(
        met(UnknownProducer::OutOfOrder),
        ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER
    );
    assert_eq!(
        met(UnknownProducer::UnknownProducerId),
        ErrorCode::UNKNOWN_PRODUCER_ID
    );
}

#[test]
fn c18_a_running_follower_knows_all_five_batches() {
    let mut cluster = cluster();
    for batch in 0..5 {
        produce(&mut cluster, 0, 0, idempotent(0, batch, 1));
    }
    cluster.move_leader("orders", 0, 1);
    assert_eq!(
        outcome(&mut cluster, 1, 0, idempotent(0, 0, 1)),
        (ErrorCode::NONE, 0)
    );
}

#[test]
fn c18_a_restarted_replica_knows_only_the_newest_batch() {
    let mut cluster = cluster();
    for batch in 0..5 {
        produce(&mut cluster, 0, 0, idempotent(0, batch, 1));
    }
    cluster.stop_broker(1);
    cluster.start_broker(1);
    cluster.stop_broker(0);
    assert_eq!(
        outcome(&mut cluster, 1, 0, idempotent(0, 4, 1)),
        (ErrorCode::NONE, 4)
    );
    let (code, _) = outcome(&mut cluster, 1, 0, idempotent(0, 3, 1));
    assert_eq!(code, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
}

#[test]
fn c18_a_crash_loses_what_no_follower_has() {
    let mut cluster = cluster();
    produce(&mut cluster, 0, 0, idempotent(0, 0, 2));
    cluster.knobs.replication_delay_ms = 500;
    let leader_only = produce_to(0, 1, idempotent(0, 2, 2));
    assert_eq!(only(ask(&mut cluster, 0, 11, &leader_only)).base_offset, 2);
    cluster.stop_broker(0);
    assert_eq!(cluster.end_offset("orders", 0), Some(2));
    let again = only(ask(&mut cluster, 1, 11, &leader_only));
    assert_eq!((again.error_code, again.base_offset), (ErrorCode::NONE, 2));
}

#[test]
fn c19_deleted_records_leave_the_producers_state() {
    let mut cluster = cluster();
    produce(&mut cluster, 0, 0, idempotent(0, 0, 2));
    cluster.delete_records("orders", 0, 2);
    let again = produce(&mut cluster, 0, 0, idempotent(0, 0, 2));
    assert_eq!((again.error_code, again.base_offset), (ErrorCode::NONE, 0));
    assert_eq!(again.log_start_offset, 2);
}

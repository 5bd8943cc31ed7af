//! Each check of Produce that needs a cluster, by its name in the verification plan.

use std::time::Duration;

use kafka_producer_proto::batch::TimestampType;
use kafka_producer_proto::compression::Codec;
use kafka_producer_proto::messages::ProduceRequest;
use kafka_producer_proto::{ApiKey, ErrorCode, Uuid};

use super::testing::{
    NOW, answer_of, ask, batch, cluster, compressed, corrupt, frame, idempotent, keyed_batch, only,
    outcome, produce, produce_to, resealed,
};
use super::{Cleanup, Injection, LeaderHints, Place, Reply, Step, Then, Timestamps};

fn bad_crc() -> Vec<u8> {
    let last = batch(1).len() - 1;
    corrupt(batch(1), last, 0xff)
}

#[test]
fn c1_unknown_acks_refuse_what_has_not_failed_yet() {
    let mut cluster = cluster();
    let refused = only(ask(&mut cluster, 1, 11, &produce_to(0, 2, bad_crc())));
    assert_eq!(refused.error_code, ErrorCode::INVALID_REQUIRED_ACKS);
    let failed = only(ask(&mut cluster, 0, 11, &produce_to(0, 2, Vec::new())));
    assert_eq!(failed.error_code, ErrorCode::INVALID_RECORD);
}

#[test]
fn c2_a_transactional_batch_refuses_the_whole_request() {
    let mut cluster = cluster();
    let transactional = resealed(idempotent(0, 0, 1), |header| {
        header.attributes = header.attributes.with_transactional();
    });
    let mut request = produce_to(0, -1, transactional);
    request
        .topic_data
        .extend(produce_to(0, -1, batch(1)).topic_data);
    let response = ask(&mut cluster, 0, 11, &request);
    for topic in response.responses {
        let code = topic.partition_responses[0].error_code;
        assert_eq!(code, ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    }
    assert_eq!(cluster.end_offset("orders", 0), Some(0));
}

#[test]
fn c4_an_unknown_topic_or_partition_is_refused_by_name_and_by_id() {
    let mut cluster = cluster();
    let (code, offset) = outcome(&mut cluster, 0, 9, batch(1));
    assert_eq!((code, offset), (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, -1));
    let mut request = produce_to(0, -1, batch(1));
    request.topic_data[0].topic_id = Uuid::from_bytes([7; 16]);
    let refused = only(ask(&mut cluster, 0, 13, &request));
    assert_eq!(refused.error_code, ErrorCode::UNKNOWN_TOPIC_ID);
    request.topic_data[0].topic_id = cluster.topic_id("orders").unwrap();
    assert_eq!(
        only(ask(&mut cluster, 0, 13, &request)).error_code,
        ErrorCode::NONE
    );
}

#[test]
fn c5_null_records_are_never_answered_nor_is_anything_after_them() {
    let mut request = produce_to(0, 0, Vec::new());
    request.topic_data[0].partition_data[0].records = None;
    let Step::Done(reply) = cluster().handle(NOW, 0.into(), &frame(11, &request)) else {
        panic!("waits");
    };
    assert_eq!(
        reply,
        Reply {
            frame: None,
            then: Then::Stall
        }
    );
}

#[test]
fn c5_zstd_needs_version_7() {
    let mut cluster = cluster();
    let request = produce_to(0, -1, compressed(Codec::Zstd, 2));
    let refused = only(ask(&mut cluster, 0, 6, &request));
    assert_eq!(refused.error_code, ErrorCode::UNSUPPORTED_COMPRESSION_TYPE);
    assert_eq!(
        only(ask(&mut cluster, 0, 7, &request)).error_code,
        ErrorCode::NONE
    );
}

#[test]
fn c6_another_broker_names_the_leader_from_version_10_on() {
    let mut cluster = cluster();
    let request = produce_to(1, -1, batch(1));
    for version in 3..=13 {
        let mut request = request.clone();
        request.topic_data[0].topic_id = cluster.topic_id("orders").unwrap();
        let response = ask(&mut cluster, 0, version, &request);
        let endpoints = response.node_endpoints.len();
        let refused = only(response);
        assert_eq!(refused.error_code, ErrorCode::NOT_LEADER_OR_FOLLOWER);
        let hint = if version < 10 { (-1, -1, 0) } else { (1, 0, 1) };
        let leader = refused.current_leader;
        assert_eq!(
            (leader.leader_id, leader.leader_epoch, endpoints),
            hint,
            "version {version}"
        );
    }
}

#[test]
fn c6_a_hint_can_be_missing_and_a_partition_without_a_leader_hints_at_nobody() {
    let mut cluster = cluster();
    cluster.depose_leader("orders", 0);
    let leaderless = produce(&mut cluster, 0, 0, batch(1)).current_leader;
    assert_eq!((leaderless.leader_id, leaderless.leader_epoch), (-1, 0));
    cluster.knobs.leader_hints = LeaderHints::Missing;
    let missing = produce(&mut cluster, 0, 1, batch(1)).current_leader;
    assert_eq!((missing.leader_id, missing.leader_epoch), (-1, -1));
}

#[test]
fn c6_comes_before_the_checksum() {
    let (code, _) = outcome(&mut cluster(), 1, 0, bad_crc());
    assert_eq!(code, ErrorCode::NOT_LEADER_OR_FOLLOWER);
}

#[test]
fn c7_too_few_replicas_in_sync_refuse_even_a_duplicate() {
    let mut cluster = cluster();
    produce(&mut cluster, 0, 0, idempotent(0, 0, 2));
    cluster.configure_topic("orders", |config| config.min_insync_replicas = 2);
    cluster.stop_broker(1);
    let refused = produce(&mut cluster, 0, 0, idempotent(0, 0, 2));
    assert_eq!(refused.error_code, ErrorCode::NOT_ENOUGH_REPLICAS);
    assert_eq!((refused.base_offset, refused.log_start_offset), (-1, 0));
    let leader_only = only(ask(&mut cluster, 0, 11, &produce_to(0, 1, batch(1))));
    assert_eq!(leader_only.error_code, ErrorCode::NONE);
}

#[test]
fn c8_checks_base_offset_then_size_then_checksum_then_records() {
    let mut cluster = cluster();
    let small = batch(1).len() - 1;
    cluster.configure_topic("orders", |config| config.max_message_bytes = small);
    let shifted = corrupt(bad_crc(), 7, 1);
    assert_eq!(
        outcome(&mut cluster, 0, 0, shifted).0,
        ErrorCode::INVALID_RECORD
    );
    assert_eq!(
        outcome(&mut cluster, 0, 0, bad_crc()).0,
        ErrorCode::MESSAGE_TOO_LARGE
    );
    cluster.configure_topic("orders", |config| config.max_message_bytes = 1_048_588);
    assert_eq!(
        outcome(&mut cluster, 0, 0, bad_crc()).0,
        ErrorCode::CORRUPT_MESSAGE
    );
    let miscounted = resealed(batch(2), |header| header.count = 3);
    assert_eq!(
        outcome(&mut cluster, 0, 0, miscounted).0,
        ErrorCode::INVALID_RECORD
    );
}

#[test]
fn c8_timestamps_outside_the_bounds_are_all_named() {
    let mut cluster = cluster();
    let future = resealed(batch(5), |header| header.base_timestamp += 3_600_001);
    let refused = produce(&mut cluster, 0, 0, future);
    assert_eq!(refused.error_code, ErrorCode::INVALID_TIMESTAMP);
    let places: Vec<i32> = refused
        .record_errors
        .iter()
        .map(|error| error.batch_index)
        .collect();
    assert_eq!(places, [0, 1, 2, 3, 4]);
    assert_eq!(
        refused.error_message.as_deref(),
        Some("INVALID_TIMESTAMP: records 0, 1, 2, ...")
    );
    let past = resealed(batch(1), |header| header.base_timestamp = -5);
    assert_eq!(outcome(&mut cluster, 0, 0, past).0, ErrorCode::NONE);
}

#[test]
fn c8_a_compacted_topic_needs_keys_and_a_bad_timestamp_weighs_more() {
    let mut cluster = cluster();
    cluster.configure_topic("orders", |config| config.cleanup = Cleanup::Compact);
    let refused = produce(&mut cluster, 0, 0, batch(2));
    assert_eq!(refused.error_code, ErrorCode::INVALID_RECORD);
    assert_eq!(refused.record_errors.len(), 2);
    let keyed = keyed_batch(2, Some(b""));
    assert_eq!(outcome(&mut cluster, 0, 0, keyed).0, ErrorCode::NONE);
    let both = resealed(batch(2), |header| header.base_timestamp += 3_600_001);
    let refused = produce(&mut cluster, 0, 0, both);
    assert_eq!(refused.error_code, ErrorCode::INVALID_TIMESTAMP);
    assert_eq!(refused.record_errors.len(), 2);
}

#[test]
fn c8_only_the_broker_stamps_records_where_it_stamps_them() {
    let mut cluster = cluster();
    let claims = resealed(batch(1), |header| {
        header.attributes = header
            .attributes
            .with_timestamp_type(TimestampType::LogAppendTime);
    });
    assert_eq!(
        outcome(&mut cluster, 0, 0, claims.clone()).0,
        ErrorCode::NONE
    );
    cluster.configure_topic("orders", |config| {
        config.timestamps = Timestamps::LogAppendTime;
    });
    assert_eq!(
        outcome(&mut cluster, 0, 0, claims).0,
        ErrorCode::INVALID_TIMESTAMP
    );
}

#[test]
fn c8_every_codec_is_taken_and_stored_as_sent() {
    let mut cluster = cluster();
    for codec in Codec::ALL {
        let (code, _) = outcome(&mut cluster, 0, 0, compressed(codec, 3));
        assert_eq!(code, ErrorCode::NONE, "{codec}");
    }
    let records = cluster.records("orders", 0);
    assert_eq!(records.len(), 15);
    assert_eq!(records[14].offset, 14);
    assert_eq!(records[14].value.as_deref(), Some(&b"value"[..]));
}

#[test]
fn c8_a_false_largest_timestamp_is_corrected() {
    let mut cluster = cluster();
    let lies = resealed(batch(1), |header| header.max_timestamp = 3);
    produce(&mut cluster, 0, 0, idempotent(0, 0, 1));
    assert_eq!(outcome(&mut cluster, 0, 0, lies), (ErrorCode::NONE, 1));
    assert_eq!(cluster.records("orders", 0)[1].timestamp, NOW);
}

#[test]
fn c16_the_broker_stamps_records_where_the_topic_says_so() {
    let mut cluster = cluster();
    cluster.configure_topic("orders", |config| {
        config.timestamps = Timestamps::LogAppendTime;
    });
    let old = resealed(batch(2), |header| {
        (header.base_timestamp, header.max_timestamp) = (5, 5);
    });
    let answer = produce(&mut cluster, 0, 0, old);
    assert_eq!(
        (answer.error_code, answer.log_append_time_ms),
        (ErrorCode::NONE, NOW)
    );
    assert_eq!(
        produce(&mut cluster, 1, 1, batch(1)).log_append_time_ms,
        NOW
    );
}

#[test]
fn c17_acks_0_is_never_answered_and_an_error_closes() {
    let mut cluster = cluster();
    let mut sent = |partition| {
        let request = produce_to(partition, 0, batch(1));
        match cluster.handle(NOW, 0.into(), &frame(11, &request)) {
            Step::Done(reply) => reply,
            Step::Wait { .. } => panic!("waits"),
        }
    };
    assert_eq!(
        sent(0),
        Reply {
            frame: None,
            then: Then::Read
        }
    );
    assert_eq!(
        sent(1),
        Reply {
            frame: None,
            then: Then::Close
        }
    );
    assert_eq!(cluster.end_offset("orders", 0), Some(1));
}

#[test]
fn c21_an_answer_names_offset_and_log_start_in_every_version() {
    let mut cluster = cluster();
    let id = cluster.topic_id("orders").unwrap();
    for (version, offset) in (3..=13).zip(0..) {
        let mut request = produce_to(0, 1, batch(1));
        request.topic_data[0].topic_id = id;
        let answer = only(ask(&mut cluster, 0, version, &request));
        assert_eq!(
            (answer.error_code, answer.base_offset),
            (ErrorCode::NONE, offset)
        );
        let log_start = if version < 5 { -1 } else { 0 };
        assert_eq!(
            (answer.log_append_time_ms, answer.log_start_offset),
            (-1, log_start)
        );
    }
}

#[test]
fn c21_a_corrupt_or_too_large_batch_does_not_name_the_log_start() {
    let mut cluster = cluster();
    assert_eq!(produce(&mut cluster, 0, 0, bad_crc()).log_start_offset, -1);
    cluster.configure_topic("orders", |config| config.max_message_bytes = 10);
    assert_eq!(produce(&mut cluster, 0, 0, batch(1)).log_start_offset, -1);
}

#[test]
fn one_bad_record_refuses_its_batch_and_no_other() {
    let mut cluster = cluster();
    cluster.move_leader("orders", 1, 0);
    let mut request = produce_to(0, -1, bad_crc());
    let good = produce_to(1, -1, batch(1))
        .topic_data
        .remove(0)
        .partition_data;
    request.topic_data[0].partition_data.extend(good);
    let response = ask(&mut cluster, 0, 11, &request);
    let codes: Vec<ErrorCode> = response.responses[0]
        .partition_responses
        .iter()
        .map(|found| found.error_code)
        .collect();
    assert_eq!(codes, [ErrorCode::CORRUPT_MESSAGE, ErrorCode::NONE]);
}

#[test]
fn an_injected_error_can_come_before_or_after_the_append() {
    let mut cluster = cluster();
    let error = ErrorCode::REQUEST_TIMED_OUT;
    cluster.inject(
        Injection::new(ApiKey::Produce, error)
            .topic("orders")
            .partition(0),
    );
    assert_eq!(outcome(&mut cluster, 0, 0, batch(1)), (error, -1));
    cluster.inject(
        Injection::new(ApiKey::Produce, error)
            .place(Place::AfterAppend)
            .times(2),
    );
    assert_eq!(outcome(&mut cluster, 0, 0, batch(1)), (error, 0));
    assert_eq!(outcome(&mut cluster, 0, 0, batch(1)), (error, 1));
    assert_eq!(outcome(&mut cluster, 0, 0, batch(1)), (ErrorCode::NONE, 2));
}

#[test]
fn k5_a_throttled_client_is_told_and_not_read() {
    let mut cluster = cluster();
    cluster.throttle_next(250);
    let request = produce_to(0, -1, batch(1));
    let Step::Done(reply) = cluster.handle(NOW, 0.into(), &frame(11, &request)) else {
        panic!("waits");
    };
    assert_eq!(reply.then, Then::Pause(Duration::from_millis(250)));
    let response = answer_of::<ProduceRequest>(11, &reply.frame.unwrap());
    assert_eq!(response.throttle_time_ms, 250);
}

#[test]
fn retention_drops_the_oldest_batches_of_the_largest_log() {
    let mut cluster = cluster();
    cluster.knobs.retention_bytes = 20 * batch(1).len();
    produce(&mut cluster, 1, 1, batch(1));
    for _ in 0..100 {
        produce(&mut cluster, 0, 0, batch(1));
    }
    assert!(cluster.stored_bytes() <= cluster.knobs.retention_bytes);
    let [first, second] = cluster.counts("orders")[..] else {
        panic!("two partitions");
    };
    assert_eq!((first.written, second.written), (100, 1));
    assert_eq!((first.log_end, second.log_start), (100, 0));
    assert!(80 < first.log_start);
    let start = produce(&mut cluster, 0, 0, batch(1)).log_start_offset;
    assert_eq!(
        Some(start),
        cluster.start_offset("orders", 0).map(|_| start)
    );
}

#[test]
fn history_keeps_what_the_log_has_lost() {
    let mut cluster = cluster();
    cluster.keep_history();
    produce(&mut cluster, 0, 0, batch(2));
    cluster.delete_topic("orders");
    let [stored] = cluster.history() else {
        panic!("one batch");
    };
    assert_eq!((stored.topic.as_str(), stored.partition), ("orders", 0));
    assert_eq!(stored.records().len(), 2);
}

//! Whole frames of transactions, authentication, administration and reading, as values: written
//! they are the bytes, and the bytes are read as them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod vectors;

use bytes::Bytes;
use kafka_producer_proto::ErrorCode;
use kafka_producer_proto::messages::add_partitions_to_txn::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnTopic, AddPartitionsToTxnTopicResult,
};
use kafka_producer_proto::messages::create_topics::{CreatableTopic, CreatableTopicConfig};
use kafka_producer_proto::messages::delete_topics::DeleteTopicState;
use kafka_producer_proto::messages::describe_configs::DescribeConfigsResource;
use kafka_producer_proto::messages::fetch::{FetchPartition, FetchTopic};
use kafka_producer_proto::messages::find_coordinator::Coordinator;
use kafka_producer_proto::messages::list_offsets::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_producer_proto::messages::txn_offset_commit::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_producer_proto::messages::*;

use vectors::{request, response};

#[test]
fn find_coordinator_frames() {
    let question = FindCoordinatorRequest {
        key_type: 1,
        coordinator_keys: vec!["tx".into()],
        ..Default::default()
    };
    request("FindCoordinator request v4", 4, &question);
    let coordinator = Coordinator {
        key: "tx".into(),
        node_id: 1,
        host: "b1".into(),
        port: 9092,
        ..Default::default()
    };
    let answer = FindCoordinatorResponse {
        coordinators: vec![coordinator],
        ..Default::default()
    };
    response("FindCoordinator response v4", 4, &answer);
}

#[test]
fn add_partitions_to_txn_frames() {
    let addition = AddPartitionsToTxnRequest {
        v3_and_below_transactional_id: "tx".into(),
        v3_and_below_producer_id: 4242,
        v3_and_below_producer_epoch: 7,
        v3_and_below_topics: vec![AddPartitionsToTxnTopic {
            name: "orders".into(),
            partitions: vec![0, 1],
        }],
        ..Default::default()
    };
    request("AddPartitionsToTxn request v3", 6, &addition);
    let result = |partition_index, partition_error_code| AddPartitionsToTxnPartitionResult {
        partition_index,
        partition_error_code,
    };
    let answer = AddPartitionsToTxnResponse {
        results_by_topic_v3_and_below: vec![AddPartitionsToTxnTopicResult {
            name: "orders".into(),
            results_by_partition: vec![
                result(0, ErrorCode::NONE),
                result(1, ErrorCode::CONCURRENT_TRANSACTIONS),
            ],
        }],
        ..Default::default()
    };
    response("AddPartitionsToTxn response v3", 6, &answer);
}

#[test]
fn transaction_frames() {
    let commit = EndTxnRequest {
        transactional_id: "tx".into(),
        producer_id: 4242,
        producer_epoch: 7,
        committed: true,
    };
    request("EndTxn request v5", 7, &commit);
    let ended = EndTxnResponse {
        producer_id: 4242,
        producer_epoch: 8,
        ..Default::default()
    };
    response("EndTxn response v5", 7, &ended);
    let offsets = AddOffsetsToTxnRequest {
        transactional_id: "tx".into(),
        producer_id: 4242,
        producer_epoch: 7,
        group_id: "g".into(),
    };
    request("AddOffsetsToTxn request v3", 8, &offsets);
    let partition = TxnOffsetCommitRequestPartition {
        committed_offset: 10,
        committed_metadata: Some(String::new()),
        ..Default::default()
    };
    let offsets = TxnOffsetCommitRequest {
        transactional_id: "tx".into(),
        group_id: "g".into(),
        producer_id: 4242,
        producer_epoch: 7,
        generation_id_or_member_epoch: 3,
        member_id: "m".into(),
        topics: vec![TxnOffsetCommitRequestTopic {
            name: "in".into(),
            partitions: vec![partition],
            ..Default::default()
        }],
        ..Default::default()
    };
    request("TxnOffsetCommit request v3", 9, &offsets);
}

#[test]
fn sasl_frames() {
    request(
        "SaslHandshake request v1",
        10,
        &SaslHandshakeRequest {
            mechanism: "PLAIN".into(),
        },
    );
    let mechanisms = vec!["PLAIN".into(), "SCRAM-SHA-256".into()];
    let answer = SaslHandshakeResponse {
        mechanisms,
        ..Default::default()
    };
    response("SaslHandshake response v1", 10, &answer);
    let plain = SaslAuthenticateRequest {
        auth_bytes: Bytes::from_static(b"\0alice\0secret"),
    };
    request("SaslAuthenticate request v2", 11, &plain);
    request("SaslAuthenticate request v1", 11, &plain);
    let success = SaslAuthenticateResponse {
        session_lifetime_ms: 3_600_000,
        ..Default::default()
    };
    response("SaslAuthenticate response v2", 11, &success);
}

#[test]
fn topic_frames() {
    let orders = CreatableTopic {
        name: "orders".into(),
        num_partitions: 3,
        replication_factor: -1,
        configs: vec![CreatableTopicConfig {
            name: "retention.ms".into(),
            value: Some("1000".into()),
        }],
        ..Default::default()
    };
    let creation = CreateTopicsRequest {
        topics: vec![orders],
        timeout_ms: 30000,
        ..Default::default()
    };
    request("CreateTopics request v7", 13, &creation);
    let orders = DeleteTopicState {
        name: Some("orders".into()),
        ..Default::default()
    };
    let deletion = DeleteTopicsRequest {
        topics: vec![orders],
        timeout_ms: 30000,
        ..Default::default()
    };
    request("DeleteTopics request v6", 14, &deletion);
}

#[test]
fn reading_frames() {
    let earliest = ListOffsetsPartition {
        timestamp: -2,
        ..Default::default()
    };
    let offsets = ListOffsetsRequest {
        replica_id: -1,
        topics: vec![ListOffsetsTopic {
            name: "orders".into(),
            partitions: vec![earliest],
        }],
        ..Default::default()
    };
    request("ListOffsets request v7", 15, &offsets);
    let partition = FetchPartition {
        partition_max_bytes: 1 << 20,
        ..Default::default()
    };
    let fetch = FetchRequest {
        max_wait_ms: 500,
        min_bytes: 1,
        max_bytes: 1 << 20,
        isolation_level: 1,
        topics: vec![FetchTopic {
            topic: "orders".into(),
            partitions: vec![partition],
            ..Default::default()
        }],
        ..Default::default()
    };
    request("Fetch request v12", 16, &fetch);
}

#[test]
fn describing_frames() {
    let subscriptions = GetTelemetrySubscriptionsRequest::default();
    request("GetTelemetrySubscriptions request v0", 12, &subscriptions);
    request(
        "DescribeCluster request v1",
        17,
        &DescribeClusterRequest::default(),
    );
    let configs = DescribeConfigsRequest {
        resources: vec![DescribeConfigsResource {
            resource_type: 2,
            resource_name: "orders".into(),
            configuration_keys: Some(vec!["cleanup.policy".into()]),
        }],
        ..Default::default()
    };
    request("DescribeConfigs request v4", 18, &configs);
}

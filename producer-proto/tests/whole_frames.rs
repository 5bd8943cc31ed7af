//! Whole frames of what a producer needs, as values: written they are the bytes, and the bytes are
//! read as them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod vectors;

use bytes::Bytes;
use kafka_producer_proto::messages::api_versions::{
    ApiVersion, FinalizedFeatureKey, SupportedFeatureKey,
};
use kafka_producer_proto::messages::metadata::{
    MetadataRequestTopic, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_producer_proto::messages::produce::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, NodeEndpoint, PartitionProduceData,
    PartitionProduceResponse, TopicProduceData, TopicProduceResponse,
};
use kafka_producer_proto::messages::{
    ApiVersionsRequest, ApiVersionsResponse, InitProducerIdRequest, InitProducerIdResponse,
    MetadataRequest, MetadataResponse, ProduceRequest, ProduceResponse,
};
use kafka_producer_proto::{ErrorCode, Uuid, fuzzing};

use vectors::{request, request_from, response};

fn topic_id() -> Uuid {
    Uuid::from_bytes(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff_u128.to_be_bytes())
}

/// The last `length` bytes before `after` more at the end of a frame.
fn records(title: &str, length: usize, after: usize) -> Option<Bytes> {
    let bytes = vectors::titled(title).bytes;
    let end = bytes.len() - after;
    Some(Bytes::copy_from_slice(&bytes[end - length..end]))
}

#[test]
fn every_frame_writes_itself_again() {
    let vectors = vectors::all();
    assert_eq!(vectors.len(), 37);
    for vector in vectors {
        let body = vector.body(vector.frame()).unwrap();
        let written = fuzzing::recode(vector.api, vector.role, vector.version, body);
        assert_eq!(written.as_deref(), Ok(body), "{}", vector.title);
    }
}

#[test]
fn api_versions_requests() {
    request("ApiVersions request v0", 1, &ApiVersionsRequest::default());
    let named = ApiVersionsRequest {
        client_software_name: "rs-producer".into(),
        client_software_version: "0.1.0".into(),
        ..Default::default()
    };
    request("ApiVersions request v3", 1, &named);
    let aimed = ApiVersionsRequest {
        cluster_id: Some("abc".into()),
        node_id: 2,
        ..named
    };
    request("ApiVersions request v5", 1, &aimed);
}

#[test]
fn api_versions_responses() {
    let refusal = ApiVersionsResponse {
        error_code: ErrorCode::UNSUPPORTED_VERSION,
        api_keys: vec![ApiVersion {
            api_key: 18,
            min_version: 0,
            max_version: 4,
        }],
        ..Default::default()
    };
    response("ApiVersions response v4", 1, &refusal);
    let answer = ApiVersionsResponse {
        api_keys: vec![
            ApiVersion {
                api_key: 0,
                min_version: 0,
                max_version: 12,
            },
            ApiVersion {
                api_key: 3,
                min_version: 0,
                max_version: 13,
            },
            ApiVersion {
                api_key: 18,
                min_version: 0,
                max_version: 4,
            },
        ],
        supported_features: vec![SupportedFeatureKey {
            name: "transaction.version".into(),
            min_version: 1,
            max_version: 2,
        }],
        finalized_features_epoch: 42,
        finalized_features: vec![FinalizedFeatureKey {
            name: "transaction.version".into(),
            max_version_level: 2,
            min_version_level: 2,
        }],
        ..Default::default()
    };
    response("ApiVersions response v3", 1, &answer);
}

#[test]
fn metadata_frames() {
    let orders = MetadataRequest {
        topics: Some(vec![MetadataRequestTopic {
            name: Some("orders".into()),
            ..Default::default()
        }]),
        allow_auto_topic_creation: false,
        ..Default::default()
    };
    request("Metadata request v12", 2, &orders);
    let all = MetadataRequest {
        topics: None,
        ..Default::default()
    };
    request_from(None, "Metadata request v1:", 2, &all);
    let answer = MetadataResponse {
        brokers: vec![MetadataResponseBroker {
            node_id: 1,
            host: "b1".into(),
            port: 9092,
            rack: None,
        }],
        cluster_id: Some("abc".into()),
        controller_id: 1,
        topics: vec![MetadataResponseTopic {
            name: Some("orders".into()),
            topic_id: topic_id(),
            partitions: vec![MetadataResponsePartition {
                leader_id: 1,
                leader_epoch: 5,
                replica_nodes: vec![1],
                isr_nodes: vec![1],
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    };
    response("Metadata response v12", 2, &answer);
}

#[test]
fn produce_requests() {
    let example_c = records("Produce request v9", 79, 3);
    let to = |name: &str, topic_id, records| {
        let partition_data = vec![PartitionProduceData { index: 0, records }];
        vec![TopicProduceData {
            name: name.into(),
            topic_id,
            partition_data,
        }]
    };
    let idempotent = ProduceRequest {
        acks: -1,
        timeout_ms: 30000,
        topic_data: to("orders", Uuid::ZERO, example_c.clone()),
        ..Default::default()
    };
    request("Produce request v9", 3, &idempotent);
    let transactional = ProduceRequest {
        transactional_id: Some("tx".into()),
        acks: -1,
        timeout_ms: 30000,
        topic_data: to("", topic_id(), records("Produce request v13", 68, 3)),
    };
    request("Produce request v13", 3, &transactional);
    let classic = ProduceRequest {
        acks: 1,
        timeout_ms: 1500,
        topic_data: to("t", Uuid::ZERO, example_c),
        ..Default::default()
    };
    request("Produce request v3", 3, &classic);
}

#[test]
fn produce_responses() {
    let of = |name: &str, partition| ProduceResponse {
        responses: vec![TopicProduceResponse {
            name: name.into(),
            partition_responses: vec![partition],
            ..Default::default()
        }],
        ..Default::default()
    };
    let written = PartitionProduceResponse {
        base_offset: 77,
        log_start_offset: 0,
        ..Default::default()
    };
    response("Produce response v9", 3, &of("orders", written));
    let moved = PartitionProduceResponse {
        error_code: ErrorCode::NOT_LEADER_OR_FOLLOWER,
        base_offset: -1,
        current_leader: LeaderIdAndEpoch {
            leader_id: 2,
            leader_epoch: 6,
        },
        ..Default::default()
    };
    let endpoint = NodeEndpoint {
        node_id: 2,
        host: "b2".into(),
        port: 9092,
        rack: None,
    };
    let moved = ProduceResponse {
        node_endpoints: vec![endpoint],
        ..of("orders", moved)
    };
    response("Produce response v10", 3, &moved);
    let refused = PartitionProduceResponse {
        error_code: ErrorCode::INVALID_RECORD,
        base_offset: -1,
        record_errors: vec![BatchIndexAndErrorMessage {
            batch_index: 1,
            batch_index_error_message: Some("no key".into()),
        }],
        error_message: Some("bad".into()),
        ..Default::default()
    };
    response("Produce response v8", 3, &of("t", refused));
}

#[test]
fn init_producer_id_frames() {
    let idempotent = InitProducerIdRequest {
        transaction_timeout_ms: i32::MAX,
        ..Default::default()
    };
    request("InitProducerId request v4: idempotent", 5, &idempotent);
    let bump = InitProducerIdRequest {
        transactional_id: Some("tx".into()),
        transaction_timeout_ms: 60000,
        producer_id: 4242,
        producer_epoch: 7,
        ..Default::default()
    };
    request("InitProducerId request v4: tx", 5, &bump);
    let answer = InitProducerIdResponse {
        producer_id: 4242,
        producer_epoch: 8,
        ..Default::default()
    };
    response("InitProducerId response v4", 5, &answer);
}

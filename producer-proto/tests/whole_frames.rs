//! Whole frames as values: written they are the bytes, and the bytes are read as them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod vectors;

use bytes::Bytes;
use kafka_producer_proto::messages::add_partitions_to_txn::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnTopic, AddPartitionsToTxnTopicResult,
};
use kafka_producer_proto::messages::api_versions::{
    ApiVersion, FinalizedFeatureKey, SupportedFeatureKey,
};
use kafka_producer_proto::messages::create_topics::{CreatableTopic, CreatableTopicConfig};
use kafka_producer_proto::messages::delete_topics::DeleteTopicState;
use kafka_producer_proto::messages::describe_configs::DescribeConfigsResource;
use kafka_producer_proto::messages::fetch::{FetchPartition, FetchTopic};
use kafka_producer_proto::messages::find_coordinator::Coordinator;
use kafka_producer_proto::messages::list_offsets::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_producer_proto::messages::metadata::{
    MetadataRequestTopic, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_producer_proto::messages::produce::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, NodeEndpoint, PartitionProduceData,
    PartitionProduceResponse, TopicProduceData, TopicProduceResponse,
};
use kafka_producer_proto::messages::txn_offset_commit::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_producer_proto::messages::*;
use kafka_producer_proto::{
    ErrorCode, Message, Request, RequestHeader, ResponseHeader, Uuid, encode_request,
    encode_response, fuzzing,
};

/// Compares the frame whose title begins with `title`, from the client named `rs-producer`.
#[track_caller]
fn request<R: Request + core::fmt::Debug + PartialEq>(title: &str, correlation_id: i32, value: &R) {
    request_from(Some("rs-producer"), title, correlation_id, value);
}

#[track_caller]
fn request_from<R: Request + core::fmt::Debug + PartialEq>(
    client_id: Option<&str>,
    title: &str,
    correlation_id: i32,
    value: &R,
) {
    let vector = vectors::titled(title);
    assert_eq!(R::API, vector.api);
    let mut written = Vec::new();
    encode_request(
        client_id,
        correlation_id,
        vector.version,
        value,
        &mut written,
    )
    .unwrap();
    assert_eq!(written, vector.bytes);
    let (header, body) = RequestHeader::decode(vector.frame()).unwrap();
    let client_id = client_id.map(String::from);
    let (api, version) = (vector.api.value(), vector.version);
    assert_eq!(
        header,
        RequestHeader {
            api,
            version,
            correlation_id,
            client_id
        }
    );
    assert_eq!(R::decode(version, body).as_ref(), Ok(value));
}

#[track_caller]
fn response<M: Message + core::fmt::Debug + PartialEq>(
    title: &str,
    correlation_id: i32,
    value: &M,
) {
    let vector = vectors::titled(title);
    let (api, version) = (vector.api, vector.version);
    let mut written = Vec::new();
    encode_response(api, version, correlation_id, value, &mut written).unwrap();
    assert_eq!(written, vector.bytes);
    let (header, body) = ResponseHeader::decode(api, version, vector.frame()).unwrap();
    assert_eq!(header, ResponseHeader { correlation_id });
    assert_eq!(M::decode(version, body).as_ref(), Ok(value));
}

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

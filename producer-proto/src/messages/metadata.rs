//! Metadata: tells brokers, topics, partitions and leaders; any broker answers.
//!
//! Leader epochs are reliable from version 9 on only; topic ids come from version 10 on, and may be
//! asked for from version 12 on.

use alloc::string::String;
use alloc::vec::Vec;

use crate::{ErrorCode, Uuid};

message! {
    /// The request.
    pub struct MetadataRequest {
        /// Topics wanted. v0: empty = all topics. v1+: null = all topics, empty = none (brokers
        /// only).
        topics: Option<Vec<MetadataRequestTopic>>, nullable 1.., default Some(Vec::new());
        /// Let the broker auto-create missing topics (only if it is configured to). v0-3 behave
        /// as true.
        allow_auto_topic_creation: bool, versions 4.., default true;
        /// Ask for the cluster ACL bit field.
        include_cluster_authorized_operations: bool, versions 8..=10;
        /// Ask for the per-topic ACL bit field.
        include_topic_authorized_operations: bool, versions 8..;
    }

    /// A topic that is asked for, by name or by id.
    pub struct MetadataRequestTopic {
        /// v10-11: must be zero (broker rejects otherwise). v12+: may be set, then Name must be
        /// null.
        topic_id: Uuid, versions 10..;
        /// Topic name; null only in v12+ when TopicId is set.
        name: Option<String>, nullable 10.., default Some(String::new());
    }

    /// The response.
    pub struct MetadataResponse {
        /// Quota throttle in ms, 0 = none (KIP-219).
        throttle_time_ms: i32, versions 3..;
        /// Live brokers, with addresses for the listener the request came in on.
        brokers: Vec<MetadataResponseBroker>;
        /// Cluster id string or null.
        cluster_id: Option<String>, versions 2..;
        /// Controller broker id, -1 none.
        controller_id: i32, versions 1.., default -1;
        /// One entry per topic.
        topics: Vec<MetadataResponseTopic>;
        /// ACL bit field; INT32_MIN = not requested.
        cluster_authorized_operations: i32, versions 8..=10, default i32::MIN;
        /// Top-level error; 129 REBOOTSTRAP_REQUIRED tells the client to start again from its
        /// bootstrap list (KIP-1102).
        error_code: ErrorCode, versions 13..;
    }

    /// A live broker.
    pub struct MetadataResponseBroker {
        /// Broker id.
        node_id: i32;
        /// Host.
        host: String;
        /// Port.
        port: i32;
        /// Rack or null.
        rack: Option<String>, versions 1..;
    }

    /// A topic, or why it cannot be described.
    pub struct MetadataResponseTopic {
        /// Topic-level error.
        error_code: ErrorCode;
        /// Topic name; null in v12+ when looked up by an unknown or unauthorized id.
        name: Option<String>, nullable 12.., default Some(String::new());
        /// Topic UUID; zero when unknown or unauthorized by name.
        topic_id: Uuid, versions 10..;
        /// True for internal topics.
        is_internal: bool, versions 1..;
        /// Partitions, in no guaranteed order, may have gaps while a topic is being created.
        partitions: Vec<MetadataResponsePartition>;
        /// ACL bit field; INT32_MIN = not requested.
        topic_authorized_operations: i32, versions 8.., default i32::MIN;
    }

    /// A partition and where it lives.
    pub struct MetadataResponsePartition {
        /// Partition-level error (LEADER_NOT_AVAILABLE, LISTENER_NOT_FOUND,
        /// REPLICA_NOT_AVAILABLE).
        error_code: ErrorCode;
        /// Partition number.
        partition_index: i32;
        /// Leader broker id, -1 none.
        leader_id: i32;
        /// Leader epoch, -1 unknown; trust it only from v9.
        leader_epoch: i32, versions 7.., default -1;
        /// Replica broker ids.
        replica_nodes: Vec<i32>;
        /// In-sync replica broker ids.
        isr_nodes: Vec<i32>;
        /// Replicas that are offline.
        offline_replicas: Vec<i32>, versions 5..;
    }
}

api!(Metadata: MetadataRequest => MetadataResponse);

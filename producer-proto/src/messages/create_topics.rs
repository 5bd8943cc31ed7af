//! CreateTopics: creates topics.

use alloc::string::String;
use alloc::vec::Vec;

use crate::{ErrorCode, Uuid};

message! {
    /// The request.
    pub struct CreateTopicsRequest {
        /// Topics to create.
        topics: Vec<CreatableTopic>;
        /// How long the broker waits for creation.
        timeout_ms: i32, default 60000;
        /// Dry run.
        validate_only: bool;
    }

    /// A topic to create.
    pub struct CreatableTopic {
        /// Topic name.
        name: String;
        /// Partition count; -1 = broker default (v4+) or when Assignments is given.
        num_partitions: i32;
        /// Replicas per partition; -1 = broker default (v4+) or when Assignments is given.
        replication_factor: i16;
        /// Manual replica placement, usually empty.
        assignments: Vec<CreatableReplicaAssignment>;
        /// Topic settings.
        configs: Vec<CreatableTopicConfig>;
    }

    /// Where the replicas of one partition shall be.
    pub struct CreatableReplicaAssignment {
        /// Partition number.
        partition_index: i32;
        /// Replica broker ids.
        broker_ids: Vec<i32>;
    }

    /// A setting of a topic to create.
    pub struct CreatableTopicConfig {
        /// Setting name.
        name: String;
        /// Setting value or null.
        value: Option<String>;
    }

    /// The response.
    pub struct CreateTopicsResponse {
        /// Quota throttle in ms, 0 = none (KIP-219).
        throttle_time_ms: i32;
        /// One entry per topic.
        topics: Vec<CreatableTopicResult>;
    }

    /// What became of one topic.
    pub struct CreatableTopicResult {
        /// Topic name.
        name: String;
        /// New topic UUID.
        topic_id: Uuid, versions 7..;
        /// Result.
        error_code: ErrorCode;
        /// Error text or null.
        error_message: Option<String>;
        /// Set when configs could not be returned.
        topic_config_error_code: ErrorCode, versions 5.., tag 0;
        /// Partition count, -1 unknown.
        num_partitions: i32, versions 5.., default -1;
        /// Replication factor, -1 unknown.
        replication_factor: i16, versions 5.., default -1;
        /// Resulting settings, may be null.
        configs: Option<Vec<CreatableTopicConfigs>>, versions 5..;
    }

    /// A setting that the topic got.
    pub struct CreatableTopicConfigs {
        /// Setting.
        name: String;
        /// Value, null if sensitive.
        value: Option<String>;
        /// Whether the value cannot be changed.
        read_only: bool;
        /// Where the value comes from.
        config_source: i8, default -1;
        /// Whether the value is a secret.
        is_sensitive: bool;
    }
}

api!(CreateTopics: CreateTopicsRequest => CreateTopicsResponse);

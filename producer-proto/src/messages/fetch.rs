//! Fetch: reads record batches from the leader.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::{ErrorCode, Uuid};

message! {
    /// The request.
    pub struct FetchRequest {
        /// Replicas only.
        cluster_id: Option<String>, versions 12.., tag 0;
        /// -1 for consumers.
        replica_id: i32, versions ..=14, default -1;
        /// Replicas only.
        replica_state: ReplicaState, versions 15.., tag 1;
        /// Long-poll limit.
        max_wait_ms: i32;
        /// Answer once this much data is ready.
        min_bytes: i32;
        /// Soft cap for the whole response.
        max_bytes: i32, default i32::MAX;
        /// 0 read uncommitted, 1 read committed.
        isolation_level: i8;
        /// 0 = no session.
        session_id: i32, versions 7..;
        /// -1 = sessionless full fetch.
        session_epoch: i32, versions 7.., default -1;
        /// One entry per topic.
        topics: Vec<FetchTopic>;
        /// Session use only: empty.
        forgotten_topics_data: Vec<ForgottenTopic>, versions 7..;
        /// Consumer rack, empty = none.
        rack_id: String, versions 11..;
    }

    /// Who fetches, if it is a replica.
    pub struct ReplicaState {
        /// Replicas only.
        replica_id: i32, default -1;
        /// Replicas only.
        replica_epoch: i64, default -1;
    }

    /// The partitions of one topic to read.
    pub struct FetchTopic {
        /// Topic name.
        topic: String, versions ..=12;
        /// Topic UUID.
        topic_id: Uuid, versions 13..;
        /// One entry per partition.
        partitions: Vec<FetchPartition>;
    }

    /// A partition and where to read it.
    pub struct FetchPartition {
        /// Partition number.
        partition: i32;
        /// Leader epoch, -1 none.
        current_leader_epoch: i32, versions 9.., default -1;
        /// First offset wanted.
        fetch_offset: i64;
        /// Epoch of the last fetched record, -1 none.
        last_fetched_epoch: i32, versions 12.., default -1;
        /// Replicas only, -1.
        log_start_offset: i64, versions 5.., default -1;
        /// Soft cap for this partition.
        partition_max_bytes: i32;
        /// Replicas only.
        replica_directory_id: Uuid, versions 17.., tag 0;
        /// Replicas only (KIP-1166).
        high_watermark: i64, versions 18.., default i64::MAX, tag 1;
    }

    /// Partitions to take out of the fetch session.
    pub struct ForgottenTopic {
        /// Topic name.
        topic: String, versions ..=12;
        /// Topic UUID.
        topic_id: Uuid, versions 13..;
        /// Partition numbers.
        partitions: Vec<i32>;
    }

    /// The response.
    pub struct FetchResponse {
        /// Quota throttle in ms, 0 = none (KIP-219).
        throttle_time_ms: i32;
        /// Session-level error.
        error_code: ErrorCode, versions 7..;
        /// 0 when sessionless.
        session_id: i32, versions 7..;
        /// One entry per topic.
        responses: Vec<FetchableTopicResponse>;
        /// Addresses for CurrentLeader.
        node_endpoints: Vec<NodeEndpoint>, versions 16.., tag 0;
    }

    /// What was read of one topic.
    pub struct FetchableTopicResponse {
        /// Topic name.
        topic: String, versions ..=12;
        /// Topic UUID.
        topic_id: Uuid, versions 13..;
        /// One entry per partition.
        partitions: Vec<PartitionData>;
    }

    /// What was read of one partition.
    pub struct PartitionData {
        /// Partition number.
        partition_index: i32;
        /// Result.
        error_code: ErrorCode;
        /// High watermark.
        high_watermark: i64;
        /// Last stable offset, -1 unknown.
        last_stable_offset: i64, default -1;
        /// Log start offset, -1 unknown.
        log_start_offset: i64, versions 5.., default -1;
        /// Truncation hint.
        diverging_epoch: EpochEndOffset, versions 12.., tag 0;
        /// New leader hint.
        current_leader: LeaderIdAndEpoch, versions 12.., tag 1;
        /// Replicas only.
        snapshot_id: SnapshotId, versions 12.., tag 2;
        /// Aborted transactions in range (read committed only); null or empty otherwise.
        aborted_transactions: Option<Vec<AbortedTransaction>>;
        /// -1 = read from the leader.
        preferred_read_replica: i32, versions 11.., default -1;
        /// Zero or more batches back to back; the last may be cut off.
        records: Option<Bytes>;
    }

    /// Where a replica's log diverges.
    pub struct EpochEndOffset {
        /// Epoch.
        epoch: i32, default -1;
        /// End offset.
        end_offset: i64, default -1;
    }

    /// A hint at a partition's new leader (KIP-951).
    pub struct LeaderIdAndEpoch {
        /// Broker id, -1 unknown.
        leader_id: i32, default -1;
        /// Epoch, -1 unknown.
        leader_epoch: i32, default -1;
    }

    /// A snapshot to fetch instead.
    pub struct SnapshotId {
        /// Replicas only.
        end_offset: i64, default -1;
        /// Replicas only.
        epoch: i32, default -1;
    }

    /// An aborted transaction in the range that was read.
    pub struct AbortedTransaction {
        /// Producer id.
        producer_id: i64;
        /// First offset of the aborted transaction.
        first_offset: i64;
    }

    /// The address of a broker that a leader hint names (KIP-951).
    pub struct NodeEndpoint {
        /// Broker id.
        node_id: i32;
        /// Host.
        host: String;
        /// Port.
        port: i32;
        /// Rack or null.
        rack: Option<String>;
    }
}

api!(Fetch: FetchRequest => FetchResponse);

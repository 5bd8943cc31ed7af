//! ListOffsets: finds the offsets at the ends of a log, or at a timestamp.

use alloc::string::String;
use alloc::vec::Vec;

use crate::ErrorCode;

message! {
    /// The request.
    pub struct ListOffsetsRequest {
        /// -1 for clients.
        replica_id: i32;
        /// 0 read uncommitted, 1 read committed.
        isolation_level: i8, versions 2..;
        /// One entry per topic.
        topics: Vec<ListOffsetsTopic>;
        /// Wait for tiered-storage lookups.
        timeout_ms: i32, versions 10..;
    }

    /// The partitions of one topic that are asked for.
    pub struct ListOffsetsTopic {
        /// Topic name.
        name: String;
        /// One entry per partition.
        partitions: Vec<ListOffsetsPartition>;
    }

    /// A partition and the point that is asked for.
    pub struct ListOffsetsPartition {
        /// Partition number.
        partition_index: i32;
        /// Leader epoch for fencing, -1 none.
        current_leader_epoch: i32, versions 4.., default -1;
        /// Target time in ms, or -1 latest, -2 earliest, -3 offset of the max timestamp (v7+),
        /// -4 earliest local (v8+), -5 latest tiered (v9+), -6 earliest pending upload (v11+).
        timestamp: i64;
    }

    /// The response.
    pub struct ListOffsetsResponse {
        /// Quota throttle in ms, 0 = none (KIP-219).
        throttle_time_ms: i32, versions 2..;
        /// One entry per topic.
        topics: Vec<ListOffsetsTopicResponse>;
    }

    /// The offsets of one topic.
    pub struct ListOffsetsTopicResponse {
        /// Topic name.
        name: String;
        /// One entry per partition.
        partitions: Vec<ListOffsetsPartitionResponse>;
    }

    /// The offset found in one partition.
    pub struct ListOffsetsPartitionResponse {
        /// Partition number.
        partition_index: i32;
        /// Error code, 0 = ok.
        error_code: ErrorCode;
        /// Timestamp of the found record, -1 for the special targets or none.
        timestamp: i64, default -1;
        /// Offset found, -1 none.
        offset: i64, default -1;
        /// Leader epoch of that record, -1 unknown.
        leader_epoch: i32, versions 4.., default -1;
    }
}

api!(ListOffsets: ListOffsetsRequest => ListOffsetsResponse);

//! TxnOffsetCommit: commits consumer offsets within a transaction.

use alloc::string::String;
use alloc::vec::Vec;

use crate::{ErrorCode, Uuid};

message! {
    /// The request.
    pub struct TxnOffsetCommitRequest {
        /// Transactional id.
        transactional_id: String;
        /// Consumer group.
        group_id: String;
        /// Producer id.
        producer_id: i64;
        /// Producer epoch.
        producer_epoch: i16;
        /// Classic group generation or consumer-protocol member epoch; -1 = no fencing.
        generation_id_or_member_epoch: i32, versions 3.., default -1;
        /// Group member id, empty = none.
        member_id: String, versions 3..;
        /// Static member id or null.
        group_instance_id: Option<String>, versions 3..;
        /// Offsets by topic.
        topics: Vec<TxnOffsetCommitRequestTopic>;
    }

    /// The offsets of one topic.
    pub struct TxnOffsetCommitRequestTopic {
        /// Topic name.
        name: String, versions ..=5;
        /// Topic UUID.
        topic_id: Uuid, versions 6..;
        /// Partitions.
        partitions: Vec<TxnOffsetCommitRequestPartition>;
    }

    /// The offset of one partition.
    pub struct TxnOffsetCommitRequestPartition {
        /// Partition number.
        partition_index: i32;
        /// Offset of the next record to read.
        committed_offset: i64;
        /// Leader epoch of the last consumed record, -1 unknown.
        committed_leader_epoch: i32, versions 2.., default -1;
        /// Free text, may be null.
        committed_metadata: Option<String>;
    }

    /// The response.
    pub struct TxnOffsetCommitResponse {
        /// Quota throttle in ms, 0 = none (KIP-219).
        throttle_time_ms: i32;
        /// One entry per topic.
        topics: Vec<TxnOffsetCommitResponseTopic>;
    }

    /// The results of one topic.
    pub struct TxnOffsetCommitResponseTopic {
        /// Topic name.
        name: String, versions ..=5;
        /// Topic UUID.
        topic_id: Uuid, versions 6..;
        /// One entry per partition.
        partitions: Vec<TxnOffsetCommitResponsePartition>;
    }

    /// The result of one partition.
    pub struct TxnOffsetCommitResponsePartition {
        /// Partition number.
        partition_index: i32;
        /// Error code, 0 = ok.
        error_code: ErrorCode;
    }
}

api!(TxnOffsetCommit: TxnOffsetCommitRequest => TxnOffsetCommitResponse);

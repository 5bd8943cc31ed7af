//! Produce: appends record batches to partitions; goes to their leader.
//!
//! Versions 4, 6, 7, 11 and 12 change no byte: 4 may be answered KAFKA_STORAGE_ERROR, 6 has the
//! client wait out the throttle, 7 allows zstd, 11 may be answered TRANSACTION_ABORTABLE, and 12
//! makes the broker add partitions to the transaction itself (KIP-890).

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

pub use super::produce_view::{PartitionAnswer, ProduceResponseView, ResponseTail, TopicKey};
use crate::{ErrorCode, Uuid};

message! {
    /// The request.
    pub struct ProduceRequest {
        /// Transactional id; null for non-transactional producers.
        transactional_id: Option<String>;
        /// -1 = all in-sync replicas, 1 = leader only, 0 = none (and no response comes).
        acks: i16;
        /// How long the leader may wait for replication when Acks=-1 before answering
        /// REQUEST_TIMED_OUT; unrelated to the socket timeout.
        timeout_ms: i32;
        /// One entry per topic.
        topic_data: Vec<TopicProduceData>;
    }

    /// The batches for one topic.
    pub struct TopicProduceData {
        /// Topic name.
        name: String, versions ..=12;
        /// Topic UUID from Metadata v10+; never all-zero.
        topic_id: Uuid, versions 13..;
        /// One entry per partition; at most one per partition per request.
        partition_data: Vec<PartitionProduceData>;
    }

    /// The batch for one partition.
    pub struct PartitionProduceData {
        /// Partition number.
        index: i32;
        /// Exactly one batch; the schema allows null, but brokers then never answer.
        records: Option<Bytes>;
    }

    /// The response.
    pub struct ProduceResponse {
        /// One entry per topic; order not guaranteed to match the request.
        responses: Vec<TopicProduceResponse>;
        /// Throttle in ms.
        throttle_time_ms: i32;
        /// Addresses of the brokers named in CurrentLeader fields (KIP-951).
        node_endpoints: Vec<NodeEndpoint>, versions 10.., tag 0;
    }

    /// The answers for one topic.
    pub struct TopicProduceResponse {
        /// Topic name.
        name: String, versions ..=12;
        /// Topic UUID; the name is absent then, the request's ids lead back to it.
        topic_id: Uuid, versions 13..;
        /// One entry per partition.
        partition_responses: Vec<PartitionProduceResponse>;
    }

    /// The answer for one partition.
    pub struct PartitionProduceResponse {
        /// Partition number.
        index: i32;
        /// Partition result.
        error_code: ErrorCode;
        /// Offset of the batch's first record; -1 if it was refused before the append.
        ///
        /// 0 or more beside an error means that this leader did append the batch.
        base_offset: i64;
        /// The broker's timestamp if the topic uses LogAppendTime, else -1; a duplicate carries
        /// its batch's largest timestamp either way.
        log_append_time_ms: i64, default -1;
        /// First offset still in the log, -1 unknown; used to judge UNKNOWN_PRODUCER_ID.
        log_start_offset: i64, versions 5.., default -1;
        /// Records that made the broker reject the whole batch (KIP-467), all of them; empty
        /// otherwise.
        record_errors: Vec<BatchIndexAndErrorMessage>, versions 8..;
        /// Summary text for the batch; usually null.
        error_message: Option<String>, versions 8..;
        /// New leader hint (KIP-951); Apache brokers fill it only with NOT_LEADER_OR_FOLLOWER.
        current_leader: LeaderIdAndEpoch, versions 10.., tag 0;
    }

    /// A record that made the broker refuse its batch (KIP-467).
    pub struct BatchIndexAndErrorMessage {
        /// 0-based index of the record inside the batch.
        batch_index: i32;
        /// Text for that record, may be null.
        batch_index_error_message: Option<String>;
    }

    /// A hint at a partition's new leader (KIP-951).
    pub struct LeaderIdAndEpoch {
        /// Broker id of the leader, -1 unknown.
        leader_id: i32, default -1;
        /// Leader epoch, -1 unknown.
        leader_epoch: i32, default -1;
    }

    /// The address of a broker that a leader hint names (KIP-951).
    pub struct NodeEndpoint {
        /// Broker id.
        node_id: i32;
        /// Host for the listener this request came in on.
        host: String;
        /// Port.
        port: i32;
        /// Rack or null.
        rack: Option<String>;
    }
}

api!(Produce: ProduceRequest => ProduceResponse);

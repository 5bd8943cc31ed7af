//! AddPartitionsToTxn: adds partitions to a transaction.

use alloc::string::String;
use alloc::vec::Vec;

use crate::ErrorCode;

message! {
    /// The request.
    pub struct AddPartitionsToTxnRequest {
        /// Broker-to-broker form.
        transactions: Vec<AddPartitionsToTxnTransaction>, versions 4..;
        /// Transactional id.
        v3_and_below_transactional_id: String, versions ..=3;
        /// Producer id.
        v3_and_below_producer_id: i64, versions ..=3;
        /// Producer epoch.
        v3_and_below_producer_epoch: i16, versions ..=3;
        /// Topics to add.
        v3_and_below_topics: Vec<AddPartitionsToTxnTopic>, versions ..=3;
    }

    /// One transaction, in the form that brokers use among themselves.
    pub struct AddPartitionsToTxnTransaction {
        /// Transactional id.
        transactional_id: String;
        /// Producer id.
        producer_id: i64;
        /// Epoch.
        producer_epoch: i16;
        /// Check only, do not add.
        verify_only: bool;
        /// Topics.
        topics: Vec<AddPartitionsToTxnTopic>;
    }

    /// Partitions of one topic to add.
    pub struct AddPartitionsToTxnTopic {
        /// Topic name.
        name: String;
        /// Partition numbers.
        partitions: Vec<i32>;
    }

    /// The response.
    pub struct AddPartitionsToTxnResponse {
        /// Quota throttle in ms, 0 = none (KIP-219).
        throttle_time_ms: i32;
        /// Top-level error (broker-to-broker form).
        error_code: ErrorCode, versions 4..;
        /// Broker-to-broker form.
        results_by_transaction: Vec<AddPartitionsToTxnResult>, versions 4..;
        /// One entry per topic.
        results_by_topic_v3_and_below: Vec<AddPartitionsToTxnTopicResult>, versions ..=3;
    }

    /// The results of one transaction.
    pub struct AddPartitionsToTxnResult {
        /// Transactional id.
        transactional_id: String;
        /// One entry per topic.
        topic_results: Vec<AddPartitionsToTxnTopicResult>;
    }

    /// The results of one topic.
    pub struct AddPartitionsToTxnTopicResult {
        /// Topic name.
        name: String;
        /// One entry per partition.
        results_by_partition: Vec<AddPartitionsToTxnPartitionResult>;
    }

    /// The result of one partition.
    pub struct AddPartitionsToTxnPartitionResult {
        /// Partition number.
        partition_index: i32;
        /// Result.
        partition_error_code: ErrorCode;
    }
}

api!(AddPartitionsToTxn: AddPartitionsToTxnRequest => AddPartitionsToTxnResponse);

//! AddOffsetsToTxn: adds a consumer group's offsets to a transaction.

use alloc::string::String;

use crate::ErrorCode;

message! {
    /// The request.
    pub struct AddOffsetsToTxnRequest {
        /// Transactional id.
        transactional_id: String;
        /// Producer id.
        producer_id: i64;
        /// Producer epoch.
        producer_epoch: i16;
        /// Consumer group whose offsets will join the transaction.
        group_id: String;
    }

    /// The response.
    pub struct AddOffsetsToTxnResponse {
        /// Quota throttle in ms, 0 = none (KIP-219).
        throttle_time_ms: i32;
        /// Error code, 0 = ok.
        error_code: ErrorCode;
    }
}

api!(AddOffsetsToTxn: AddOffsetsToTxnRequest => AddOffsetsToTxnResponse);

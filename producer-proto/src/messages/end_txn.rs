//! EndTxn: commits or aborts a transaction.

use alloc::string::String;

use crate::ErrorCode;

message! {
    /// The request.
    pub struct EndTxnRequest {
        /// Transactional id.
        transactional_id: String;
        /// Producer id.
        producer_id: i64;
        /// Epoch of the transaction being ended.
        producer_epoch: i16;
        /// True = commit, false = abort.
        committed: bool;
    }

    /// The response.
    pub struct EndTxnResponse {
        /// Quota throttle in ms, 0 = none (KIP-219).
        throttle_time_ms: i32;
        /// Error code, 0 = ok.
        error_code: ErrorCode;
        /// Producer id for the next transaction; -1 on error.
        producer_id: i64, versions 5.., default -1;
        /// Epoch for the next transaction; -1 on error.
        producer_epoch: i16, versions 5.., default -1;
    }
}

api!(EndTxn: EndTxnRequest => EndTxnResponse);

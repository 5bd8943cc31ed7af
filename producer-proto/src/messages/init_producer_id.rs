//! InitProducerId: hands out a producer id and epoch.

use alloc::string::String;

use crate::ErrorCode;

message! {
    /// The request.
    pub struct InitProducerIdRequest {
        /// Null for a merely idempotent producer; empty string is rejected (INVALID_REQUEST).
        transactional_id: Option<String>;
        /// Transaction timeout; must be >0 and at most the broker's transaction.max.timeout.ms.
        transaction_timeout_ms: i32;
        /// Current producer id when asking for an epoch bump (KIP-360), else -1.
        producer_id: i64, versions 3.., default -1;
        /// Current epoch likewise, else -1; both or neither (else INVALID_REQUEST).
        producer_epoch: i16, versions 3.., default -1;
        /// Two-phase commit (KIP-939); leave false.
        enable_2_pc: bool, versions 6..;
        /// KIP-939; leave false (brokers answer UNSUPPORTED_VERSION).
        keep_prepared_txn: bool, versions 6..;
    }

    /// The response.
    pub struct InitProducerIdResponse {
        /// Quota throttle in ms, 0 = none (KIP-219).
        throttle_time_ms: i32;
        /// Error code, 0 = ok.
        error_code: ErrorCode;
        /// Producer id to use.
        producer_id: i64, default -1;
        /// Epoch to use.
        producer_epoch: i16;
        /// KIP-939, -1.
        ongoing_txn_producer_id: i64, versions 6.., default -1;
        /// KIP-939, -1.
        ongoing_txn_producer_epoch: i16, versions 6.., default -1;
    }
}

api!(InitProducerId: InitProducerIdRequest => InitProducerIdResponse);

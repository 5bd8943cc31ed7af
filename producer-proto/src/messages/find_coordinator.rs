//! FindCoordinator: tells which broker coordinates a transactional id or a group.

use alloc::string::String;
use alloc::vec::Vec;

use crate::ErrorCode;

message! {
    /// The request.
    pub struct FindCoordinatorRequest {
        /// Group id or transactional id.
        key: String, versions ..=3;
        /// 0 = consumer group, 1 = transaction, 2 = share group (v6+).
        key_type: i8, versions 1..;
        /// Keys of that type, batched.
        coordinator_keys: Vec<String>, versions 4..;
    }

    /// The response.
    pub struct FindCoordinatorResponse {
        /// Quota throttle in ms, 0 = none (KIP-219).
        throttle_time_ms: i32, versions 1..;
        /// Error code, 0 = ok.
        error_code: ErrorCode, versions ..=3;
        /// Human-readable error text or null.
        error_message: Option<String>, versions 1..=3;
        /// Coordinator broker id, -1 on error.
        node_id: i32, versions ..=3;
        /// Host.
        host: String, versions ..=3;
        /// Port.
        port: i32, versions ..=3;
        /// One entry per requested key.
        coordinators: Vec<Coordinator>, versions 4..;
    }

    /// The coordinator of one key.
    pub struct Coordinator {
        /// The key.
        key: String;
        /// Coordinator broker id, -1 on error.
        node_id: i32;
        /// Host.
        host: String;
        /// Port.
        port: i32;
        /// Result for this key.
        error_code: ErrorCode;
        /// Error text or null.
        error_message: Option<String>;
    }
}

api!(FindCoordinator: FindCoordinatorRequest => FindCoordinatorResponse);

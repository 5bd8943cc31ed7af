//! GetTelemetrySubscriptions: asks which client metrics the cluster wants (KIP-714).

use alloc::string::String;
use alloc::vec::Vec;

use crate::{ErrorCode, Uuid};

message! {
    /// The request.
    pub struct GetTelemetrySubscriptionsRequest {
        /// All-zero in the first request; afterwards the id the broker assigned.
        client_instance_id: Uuid;
    }

    /// The response.
    pub struct GetTelemetrySubscriptionsResponse {
        /// Quota throttle in ms, 0 = none (KIP-219).
        throttle_time_ms: i32;
        /// Error code, 0 = ok.
        error_code: ErrorCode;
        /// Id assigned to this client instance; keep it for the life of the client.
        client_instance_id: Uuid;
        /// Id of the current subscription set; echo it in PushTelemetry.
        subscription_id: i32;
        /// Codec ids, in the order that the broker prefers.
        accepted_compression_types: Vec<i8>;
        /// Interval between pushes.
        push_interval_ms: i32;
        /// Largest Metrics payload the broker takes.
        telemetry_max_bytes: i32;
        /// True = send deltas, false = cumulative.
        delta_temporality: bool;
        /// Metric-name prefixes; empty = none.
        requested_metrics: Vec<String>;
    }
}

api!(GetTelemetrySubscriptions:
    GetTelemetrySubscriptionsRequest => GetTelemetrySubscriptionsResponse);

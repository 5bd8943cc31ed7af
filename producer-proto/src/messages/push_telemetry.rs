//! PushTelemetry: delivers client metrics (KIP-714).

use bytes::Bytes;

use crate::{ErrorCode, Uuid};

message! {
    /// The request.
    pub struct PushTelemetryRequest {
        /// Id from GetTelemetrySubscriptions.
        client_instance_id: Uuid;
        /// Subscription being answered.
        subscription_id: i32;
        /// True on the last push before shutdown.
        terminating: bool;
        /// Codec id of Metrics.
        compression_type: i8;
        /// OpenTelemetry `MetricsData` v1 protobuf, compressed as a whole with that codec.
        metrics: Bytes;
    }

    /// The response.
    pub struct PushTelemetryResponse {
        /// Quota throttle in ms, 0 = none (KIP-219).
        throttle_time_ms: i32;
        /// Error code, 0 = ok.
        error_code: ErrorCode;
    }
}

api!(PushTelemetry: PushTelemetryRequest => PushTelemetryResponse);

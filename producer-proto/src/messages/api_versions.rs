//! ApiVersions: tells which APIs and features a broker has; the first request on each connection.

use alloc::string::String;
use alloc::vec::Vec;

use crate::wire::{self, DecodeError, EncodeError};
use crate::{ApiKey, ErrorCode, Message, message};

message! {
    /// The request.
    pub struct ApiVersionsRequest {
        /// Client library name; letters, digits, `-` and `.`, alphanumeric at both ends.
        client_software_name: String, versions 3..;
        /// Client library version; same pattern.
        client_software_version: String, versions 3..;
        /// Cluster id the client believes it is talking to, or null (KIP-1242).
        cluster_id: Option<String>, versions 5..;
        /// Broker id the client believes it is talking to, or -1; set both or neither.
        node_id: i32, versions 5.., default -1;
    }

    /// The response.
    pub struct ApiVersionsResponse {
        /// 0, 35 UNSUPPORTED_VERSION, 42 INVALID_REQUEST, 129 REBOOTSTRAP_REQUIRED (v5+).
        error_code: ErrorCode;
        /// Supported APIs.
        api_keys: Vec<ApiVersion>;
        /// Throttle in ms.
        throttle_time_ms: i32, versions 1..;
        /// Features this broker supports; entries with minimum 0 are left out of v3 answers.
        supported_features: Vec<SupportedFeatureKey>, versions 3.., tag 0;
        /// Epoch of the finalized set; -1 = unknown, then ignore FinalizedFeatures.
        finalized_features_epoch: i64, versions 3.., default -1, tag 1;
        /// Cluster-wide enabled features; level 0 features are omitted.
        finalized_features: Vec<FinalizedFeatureKey>, versions 3.., tag 2;
        /// Controller-only flag, ignore.
        zk_migration_ready: bool, versions 3.., tag 3;
    }

    /// The versions of one API that the broker takes.
    pub struct ApiVersion {
        /// API key.
        api_key: i16;
        /// Lowest version, inclusive.
        min_version: i16;
        /// Highest version, inclusive.
        max_version: i16;
    }

    /// A feature that the broker could enable.
    pub struct SupportedFeatureKey {
        /// Feature name.
        name: String;
        /// Minimum level.
        min_version: i16;
        /// Maximum level.
        max_version: i16;
    }

    /// A feature that the cluster has enabled.
    pub struct FinalizedFeatureKey {
        /// Feature name, e.g. `transaction.version`.
        name: String;
        /// Enabled level.
        max_version_level: i16;
        /// Same as MaxVersionLevel on KRaft brokers.
        min_version_level: i16;
    }
}

api!(@message ApiVersions: ApiVersionsRequest);
api!(@request ApiVersions: ApiVersionsRequest => ApiVersionsResponse);

/// A broker that does not know the version answers UNSUPPORTED_VERSION in the form of version 0,
/// so the error code, which comes first in every version, decides.
impl Message for ApiVersionsResponse {
    fn encode(&self, version: i16, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        message::encode(
            ApiKey::ApiVersions,
            answered(version, self.error_code),
            self,
            out,
        )
    }

    fn decode(version: i16, body: &[u8]) -> Result<Self, DecodeError> {
        let (_, code) = wire::finish(wire::take_i16(body))?;
        message::decode(
            ApiKey::ApiVersions,
            answered(version, ErrorCode(code)),
            body,
        )
    }
}

/// The version of an answer to a request of version `asked`.
fn answered(asked: i16, code: ErrorCode) -> i16 {
    match code {
        ErrorCode::UNSUPPORTED_VERSION => 0,
        _ => asked,
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    #[test]
    fn a_refused_version_is_answered_in_version_0_whatever_was_asked() {
        let refusal = ApiVersionsResponse {
            error_code: ErrorCode::UNSUPPORTED_VERSION,
            api_keys: vec![ApiVersion {
                api_key: 18,
                min_version: 0,
                max_version: 4,
            }],
            ..Default::default()
        };
        for asked in [0, 3, 5, 9] {
            let mut body = Vec::new();
            refusal.encode(asked, &mut body).unwrap();
            assert_eq!(body, [0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 4]);
            assert_eq!(
                ApiVersionsResponse::decode(asked, &body).as_ref(),
                Ok(&refusal)
            );
        }
    }
}

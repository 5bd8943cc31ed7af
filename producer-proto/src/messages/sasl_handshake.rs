//! SaslHandshake: names the authentication mechanism.

use alloc::string::String;
use alloc::vec::Vec;

use crate::ErrorCode;

message! {
    /// The request.
    pub struct SaslHandshakeRequest {
        /// The mechanism, such as `PLAIN`, `SCRAM-SHA-256`, `OAUTHBEARER`.
        mechanism: String;
    }

    /// The response.
    pub struct SaslHandshakeResponse {
        /// 0, 33 UNSUPPORTED_SASL_MECHANISM, 34 ILLEGAL_SASL_STATE.
        error_code: ErrorCode;
        /// Mechanisms enabled on this listener.
        mechanisms: Vec<String>;
    }
}

api!(SaslHandshake: SaslHandshakeRequest => SaslHandshakeResponse);

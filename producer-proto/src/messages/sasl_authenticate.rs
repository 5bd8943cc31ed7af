//! SaslAuthenticate: carries one step of an authentication.

use alloc::string::String;

use bytes::Bytes;

use crate::ErrorCode;

message! {
    /// The request.
    pub struct SaslAuthenticateRequest {
        /// Mechanism message from the client.
        auth_bytes: Bytes;
    }

    /// The response.
    pub struct SaslAuthenticateResponse {
        /// 0, 58 SASL_AUTHENTICATION_FAILED, 34 ILLEGAL_SASL_STATE.
        error_code: ErrorCode;
        /// Human-readable error text or null.
        error_message: Option<String>;
        /// Mechanism message from the server, may be empty.
        auth_bytes: Bytes;
        /// Milliseconds until the session expires, 0 = never (KIP-368); set only on the last
        /// message of the exchange.
        session_lifetime_ms: i64, versions 1..;
    }
}

api!(SaslAuthenticate: SaslAuthenticateRequest => SaslAuthenticateResponse);

//! DeleteTopics: deletes topics.

use alloc::string::String;
use alloc::vec::Vec;

use crate::{ErrorCode, Uuid};

message! {
    /// The request.
    pub struct DeleteTopicsRequest {
        /// Topics by name or id.
        topics: Vec<DeleteTopicState>, versions 6..;
        /// Topic names.
        topic_names: Vec<String>, versions ..=5;
        /// How long the broker waits.
        timeout_ms: i32;
    }

    /// A topic to delete, by name or by id.
    pub struct DeleteTopicState {
        /// Topic name, null when TopicId is used.
        name: Option<String>;
        /// Topic UUID, zero when Name is used.
        topic_id: Uuid;
    }

    /// The response.
    pub struct DeleteTopicsResponse {
        /// Quota throttle in ms, 0 = none (KIP-219).
        throttle_time_ms: i32;
        /// One entry per topic.
        responses: Vec<DeletableTopicResult>;
    }

    /// What became of one topic.
    pub struct DeletableTopicResult {
        /// Topic name.
        name: Option<String>, nullable 6.., default Some(String::new());
        /// Topic UUID.
        topic_id: Uuid, versions 6..;
        /// Result.
        error_code: ErrorCode;
        /// Error text or null.
        error_message: Option<String>, versions 5..;
    }
}

api!(DeleteTopics: DeleteTopicsRequest => DeleteTopicsResponse);

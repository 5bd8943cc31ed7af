//! Errors of the handles: what the machine refuses, and what waiting did not bring.

use std::sync::Arc;
use std::time::Duration;

use kafka_producer_machine::SendError;

use crate::{Deliveries, DeliveryError};

/// Why a call of a handle failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProducerError {
    /// No room came within `max.block.ms`. Nothing was taken.
    #[error(
        "no room in buffer.memory after {} ms (max.block.ms), {needed} bytes are needed: send \
         slower, raise either, or look why the brokers do not answer", waited.as_millis()
    )]
    BufferFull {
        /// Bytes that were missing.
        needed: usize,
        /// How long the wait was.
        waited: Duration,
    },
    /// The topic's metadata did not come within `max.block.ms`.
    #[error(
        "no metadata of topic {topic} after {} ms (max.block.ms): create the topic, check its \
         name, or look why the brokers do not answer", waited.as_millis()
    )]
    MetadataTimeout {
        /// The topic.
        topic: Arc<str>,
        /// How long the wait was.
        waited: Duration,
    },
    /// The record, or the call, was refused.
    #[error(transparent)]
    Send(#[from] SendError),
    /// A blocking wait inside a callback, which may run on the very thread that would end it.
    #[error(
        "a delivery callback may not wait: it runs on the thread that completes records; use \
         try_send, or hand the work to another thread"
    )]
    WouldDeadlock,
}

/// Why `send_all` stopped before the end.
#[derive(Debug, thiserror::Error)]
#[error("{} records were taken, the next one was not: {error}", taken.len())]
#[non_exhaustive]
pub struct SendAllError {
    /// The records that were taken: as many as this holds, from the first on.
    pub taken: Deliveries,
    /// Why the next one was not.
    pub error: ProducerError,
}

/// Why `wait` on a delivery has nothing good to say.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// The record was not delivered.
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
    /// A wait inside a callback; the record is on its way all the same.
    #[error("{}", ProducerError::WouldDeadlock)]
    WouldDeadlock,
}

//! Errors of the handles: what the machine refuses, and what waiting did not bring.

use std::sync::Arc;
use std::time::Duration;

use kafka_producer_machine::{FatalError, SendError};

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
    /// Not everything was resolved within the time that `flush_for` was given. All of it goes on.
    #[error(
        "not flushed after {} ms, records still on their way: {pending}; flush again to wait \
         longer, or look why the brokers do not answer", waited.as_millis()
    )]
    FlushTimeout {
        /// Records that are not resolved yet, those that were sent meanwhile too.
        pending: u64,
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

/// Why the end that `close` brought was not a good one.
///
/// It is about the records that were on their way when the producer began to close. What failed
/// before that was told to whoever awaited it, and counts in `record-error-total` of the metrics.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CloseError {
    /// Not all of them were delivered.
    #[error(
        "{} of {} records on their way were not delivered: {not_written} not written, \
         {maybe_written} maybe written; give close more time, or ask each delivery why",
        not_written + maybe_written, delivered + not_written + maybe_written
    )]
    Undelivered {
        /// How many were delivered.
        delivered: u64,
        /// How many are in no log and never will be.
        not_written: u64,
        /// How many may have been written.
        maybe_written: u64,
    },
    /// The producer had come to its end before, with all that was on its way then.
    #[error(transparent)]
    Fatal(#[from] FatalError),
    /// A blocking wait inside a callback; the closing has begun all the same.
    #[error("{}", ProducerError::WouldDeadlock)]
    WouldDeadlock,
}

/// Why `send_all` stopped before the end.
#[derive(Debug, thiserror::Error)]
#[error("{} taken, the next one was not: {error}", records(taken.len()))]
#[non_exhaustive]
pub struct SendAllError {
    /// The records that were taken: as many as this holds, from the first on.
    pub taken: Deliveries,
    /// Why the next one was not.
    pub error: ProducerError,
}

fn records(count: usize) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} record{plural}")
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

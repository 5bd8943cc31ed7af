//! What the commands need of a producer, so that they can be tested without one.

use std::future::Future;
use std::time::Duration;

use kafka_producer::{Config, Outcome, Producer, ProducerError, Record, SendError};

use crate::failure::Failure;

/// A record in a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delivered {
    pub(crate) partition: u32,
    pub(crate) offset: Option<i64>,
    pub(crate) timestamp: Option<i64>,
}

/// A record that was not delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Undelivered {
    pub(crate) partition: Option<u32>,
    /// Kafka's name of the error.
    pub(crate) error: &'static str,
    /// What happened, in a sentence.
    pub(crate) message: String,
    pub(crate) outcome: Outcome,
}

/// A producer as the commands see it.
pub(crate) trait Engine {
    /// Hands a record over, waiting for room if it must. `done` is called once and on any
    /// thread when the record is resolved; a record that is refused is the error, and nothing
    /// is called. Dropping the future before it is ready sends nothing.
    fn send(
        &self,
        record: &Record<'_>,
        done: impl FnOnce(Result<Delivered, Undelivered>) + Send + 'static,
    ) -> impl Future<Output = Result<(), Undelivered>>;

    /// Waits until everything that was handed over is resolved.
    fn flush(&self) -> impl Future<Output = ()>;

    /// Ends; what is not resolved after `limit` fails.
    fn close(&self, limit: Duration) -> impl Future<Output = ()>;
}

/// Starts a producer on the tokio runtime that this is called on.
pub(crate) fn start(config: Config) -> Result<impl Engine, Failure> {
    kafka_producer::tokio::start(config)
        .map_err(|error| Failure::World(format!("the producer cannot be started: {error}")))
}

impl Engine for Producer {
    async fn send(
        &self,
        record: &Record<'_>,
        done: impl FnOnce(Result<Delivered, Undelivered>) + Send + 'static,
    ) -> Result<(), Undelivered> {
        self.send_with(record, move |outcome| match outcome {
            Ok(written) => done(Ok(Delivered {
                partition: written.partition,
                offset: written.offset,
                timestamp: written.timestamp,
            })),
            Err(error) => done(Err(Undelivered {
                partition: error.partition,
                error: error.error.code().name(),
                message: error.error.to_string(),
                outcome: error.outcome,
            })),
        })
        .await
        .map_err(|error| refused(&error))
    }

    async fn flush(&self) {
        // A producer that is closed has nothing left to flush.
        let _ = Self::flush(self).await;
    }

    async fn close(&self, limit: Duration) {
        let _ = Self::close(self, limit).await;
    }
}

/// A record that the producer did not take.
fn refused(error: &ProducerError) -> Undelivered {
    let name = match error {
        ProducerError::Send(SendError::TooLarge { .. }) => "MESSAGE_TOO_LARGE",
        ProducerError::Send(SendError::Invalid { .. }) => "INVALID_RECORD",
        ProducerError::Send(SendError::Topic { code, .. }) => code.name(),
        ProducerError::Send(SendError::Fatal(fatal)) => fatal.code.name(),
        // Java's producer calls both of these a timeout.
        ProducerError::BufferFull { .. } | ProducerError::MetadataTimeout { .. } => {
            "REQUEST_TIMED_OUT"
        }
        _ => "UNKNOWN_SERVER_ERROR",
    };
    Undelivered {
        partition: None,
        error: name,
        message: error.to_string(),
        outcome: Outcome::NotWritten,
    }
}

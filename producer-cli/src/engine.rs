//! What the commands need of a producer, so that they can be tested without one.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::time::Duration;

use kafka_producer::explain::{State, Subject};
use kafka_producer::{
    Config, DeliveryError, ErrorCode, Metrics, Outcome, ProduceError, Producer, ProducerError,
    Record, RecordMetadata, SendError,
};
use tokio::sync::Notify;

use crate::explain::Explains;
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
    /// Kafka's name of the error, or one of ours where Kafka has none.
    pub(crate) name: &'static str,
    /// Kafka's code of that name.
    pub(crate) code: Option<i16>,
    /// What happened, in a sentence.
    pub(crate) message: String,
    pub(crate) outcome: Outcome,
}

impl fmt::Display for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let certainty = match self.outcome {
            Outcome::MaybeWritten => "it may have been written",
            Outcome::NotWritten => "not written",
        };
        write!(f, "{} ({certainty})", self.message)
    }
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

    /// Waits until the topic's partitions are known, or cannot be.
    fn metadata(&self, topic: &str) -> impl Future<Output = ()>;

    /// Why nothing is known of the cluster yet, as far as that is known.
    fn trouble(&self) -> Option<String>;

    /// Waits until everything that was handed over is resolved.
    fn flush(&self) -> impl Future<Output = ()>;

    /// Ends; what is not resolved after `limit` fails. A later call can only shorten the limit.
    fn close(&self, limit: Duration) -> impl Future<Output = ()>;
}

/// How long records may still travel after Ctrl-C: whoever presses it does not want to wait.
pub(crate) fn patience(config: &Config) -> Duration {
    config.delivery_timeout().min(PATIENCE)
}

/// Runs the work, and says on stderr now and then that nothing is known of the topic yet.
/// Asking creates a topic on some clusters, so it waits until something was `sent`.
pub(crate) async fn watched<T>(
    engine: &impl Engine,
    topic: &str,
    servers: &str,
    sent: impl Fn() -> bool,
    work: impl Future<Output = T>,
) -> T {
    let notices = async {
        let mut pause = FIRST_NOTICE;
        while !sent() {
            tokio::time::sleep(LOOK).await;
        }
        let known = engine.metadata(topic);
        tokio::pin!(known);
        while tokio::time::timeout(pause, &mut known).await.is_err() {
            let trouble = engine.trouble();
            let last = trouble.map_or_else(String::new, |trouble| format!(" (last {trouble})"));
            eprintln!(
                "no metadata for topic {topic} yet{last}: is a broker of {servers} reachable? \
                 still trying"
            );
            pause = NEXT_NOTICE;
        }
        std::future::pending::<Infallible>().await
    };
    tokio::select! {
        biased;
        result = work => result,
        never = notices => match never {},
    }
}

/// Ends at once, so that what can be known of each record is known.
pub(crate) async fn abandon(engine: &impl Engine) {
    // Only a producer that hangs is not closed by then, and nobody waits for that one.
    let _ = tokio::time::timeout(GRACE, engine.close(Duration::ZERO)).await;
}

/// Starts a producer on the tokio runtime that this is called on.
pub(crate) fn start(config: Config) -> Result<Started, Failure> {
    let producer = kafka_producer::tokio::start(config)
        .map_err(|error| Failure::World(format!("the producer cannot be started: {error}")))?;
    Ok(Started {
        producer,
        // One for the process: a plain reference costs nothing per record.
        expired: Box::leak(Box::new(Notify::new())),
    })
}

/// A producer, and the news that a record was not delivered in its time.
pub(crate) struct Started {
    producer: Producer,
    expired: &'static Notify,
}

impl Started {
    /// What it has done so far.
    pub(crate) fn metrics(&self) -> Metrics {
        self.producer.metrics()
    }
}

impl Explains for Started {
    fn explain_trouble(&self) -> Option<String> {
        let explanation = self.producer.explain(Subject::Producer);
        let is_in_trouble = match &explanation.state {
            State::Producer(state) => {
                !state.troubles.is_empty() || state.metadata.trouble.is_some()
            }
            _ => false,
        };
        (is_in_trouble || explanation.oldest.is_some()).then(|| explanation.to_string())
    }

    fn explain(&self) -> String {
        self.producer.explain(Subject::Producer).to_string()
    }

    async fn expired(&self) {
        self.expired.notified().await;
    }
}

impl Engine for Started {
    fn trouble(&self) -> Option<String> {
        match self.producer.explain(Subject::Producer).state {
            State::Producer(state) => state.metadata.trouble.map(|trouble| trouble.to_string()),
            _ => None,
        }
    }

    async fn send(
        &self,
        record: &Record<'_>,
        done: impl FnOnce(Result<Delivered, Undelivered>) + Send + 'static,
    ) -> Result<(), Undelivered> {
        let expired = self.expired;
        let callback = move |outcome: Result<RecordMetadata, DeliveryError>| match outcome {
            Ok(written) => done(Ok(Delivered {
                partition: written.partition,
                offset: written.offset,
                timestamp: written.timestamp,
            })),
            Err(error) => {
                if is_late(&error.error) {
                    // Before it is told of: the work may end with this record.
                    expired.notify_one();
                }
                done(Err(undelivered(&error)));
            }
        };
        self.producer
            .send_with(record, callback)
            .await
            .map_err(|error| refused(&error))
    }

    async fn metadata(&self, topic: &str) {
        // What cannot be known is said by the records that fail for it.
        let _ = self.producer.partitions_for(topic).await;
    }

    async fn flush(&self) {
        // A producer that is closed has nothing left to flush.
        let _ = self.producer.flush().await;
    }

    async fn close(&self, limit: Duration) {
        // What became of each record its callback has told.
        let _ = self.producer.close(limit).await;
    }
}

/// Whether a deadline has passed.
const fn is_late(error: &ProduceError) -> bool {
    matches!(
        error,
        ProduceError::TimedOut { .. }
            | ProduceError::TopicUnknown { .. }
            | ProduceError::Unreachable { .. }
    )
}

fn undelivered(error: &DeliveryError) -> Undelivered {
    Undelivered {
        partition: error.partition,
        name: error.error.name(),
        code: error.error.code().map(|code| code.0),
        message: named(&error.topic, error.error.code(), error.error.to_string()),
        outcome: error.outcome,
    }
}

/// The message of an error, with the topic's name in it if the error is about the topic.
fn named(topic: &str, code: Option<ErrorCode>, message: String) -> String {
    let of_topic = [
        ErrorCode::INVALID_TOPIC_EXCEPTION,
        ErrorCode::TOPIC_AUTHORIZATION_FAILED,
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
    ];
    if code.is_some_and(|code| of_topic.contains(&code))
        && !message.contains(&format!("topic {topic}"))
    {
        format!("topic {topic}: {message}")
    } else {
        message
    }
}

/// A record that the producer did not take.
fn refused(error: &ProducerError) -> Undelivered {
    let code = match error {
        ProducerError::Send(SendError::TooLarge { .. }) => Some(ErrorCode::MESSAGE_TOO_LARGE),
        ProducerError::Send(SendError::Invalid { .. }) => Some(ErrorCode::INVALID_RECORD),
        ProducerError::Send(SendError::Topic { code, .. }) => Some(*code),
        ProducerError::Send(SendError::Fatal(fatal)) => Some(fatal.code),
        // Java's producer calls both of these a timeout.
        ProducerError::BufferFull { .. } | ProducerError::MetadataTimeout { .. } => {
            Some(ErrorCode::REQUEST_TIMED_OUT)
        }
        // Nothing else ends a send of ours but the end of the producer.
        _ => None,
    };
    Undelivered {
        partition: None,
        name: code.map_or("CLOSED", ErrorCode::name),
        code: code.map(|code| code.0),
        message: error.to_string(),
        outcome: Outcome::NotWritten,
    }
}

/// A number and its noun, as `1 line` or `2 lines`.
pub(crate) fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// How long nothing is said of metadata that does not come, and then between two notices.
const FIRST_NOTICE: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_secs(1);
const NEXT_NOTICE: Duration = Duration::from_secs(10);
/// See [`patience`].
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a producer may take to end at once.
pub(crate) const GRACE: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    /// Knows nothing of any topic.
    struct Lost;

    impl Engine for Lost {
        async fn send(
            &self,
            _record: &Record<'_>,
            _done: impl FnOnce(Result<Delivered, Undelivered>) + Send + 'static,
        ) -> Result<(), Undelivered> {
            Ok(())
        }

        async fn metadata(&self, _topic: &str) {
            std::future::pending::<()>().await;
        }

        fn trouble(&self) -> Option<String> {
            None
        }

        async fn flush(&self) {}

        async fn close(&self, _limit: Duration) {}
    }

    #[tokio::test]
    async fn work_that_ends_ends_the_watch() {
        assert_eq!(watched(&Lost, "t", "a:1", || true, async { 7 }).await, 7);
    }

    #[test]
    fn an_error_about_the_topic_names_it_once() {
        let code = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
        let refused = |message: &str| named("t", Some(code), message.to_string());
        assert_eq!(refused("not allowed"), "topic t: not allowed");
        assert_eq!(refused("topic t: not allowed"), "topic t: not allowed");
        let late = Some(ErrorCode::REQUEST_TIMED_OUT);
        let other = named("t", late, "late".to_string());
        assert_eq!(other, "late");
        assert_eq!(named("t", None, "closed".to_string()), "closed");
    }

    #[test]
    fn what_the_producer_does_by_itself_is_no_error_of_a_broker() {
        let closed = refused(&ProducerError::Send(SendError::Closed));
        assert_eq!((closed.name, closed.code), ("CLOSED", None));
    }
}

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
use tokio::time::Instant;

use crate::explain::Explains;
use crate::failure::Failure;
use crate::words::addressed_once;

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

/// What a record waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wait {
    /// How long it has waited in all.
    pub(crate) waited: Duration,
    /// What for, in sentences.
    pub(crate) cause: String,
}

/// How far the records have got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Whether there was any.
    pub(crate) sent: bool,
    /// How many have their outcome.
    pub(crate) resolved: u64,
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

    /// The wait of the record that was handed over first; `None` if every one is resolved.
    fn longest_wait(&self) -> Option<Wait>;

    /// Waits until everything that was handed over is resolved.
    fn flush(&self) -> impl Future<Output = ()>;

    /// Ends; what is not resolved after `limit` fails. A later call can only shorten the limit.
    fn close(&self, limit: Duration) -> impl Future<Output = ()>;
}

/// How long records may still travel after Ctrl-C: whoever presses it does not want to wait.
pub(crate) fn patience(config: &Config) -> Duration {
    config.delivery_timeout().min(PATIENCE)
}

/// Runs the work, and says on stderr now and then that nothing is known of the topic yet, or that
/// records wait and none gets there.
/// Asking creates a topic on some clusters, so it waits until something was sent.
pub(crate) async fn watched<T>(
    engine: &impl Engine,
    topic: &str,
    servers: &str,
    progress: impl Fn() -> Progress,
    work: impl Future<Output = T>,
) -> T {
    let notices = async {
        let mut pause = FIRST_NOTICE;
        while !progress().sent {
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
        tell_stalls(engine, || progress().resolved, |text| eprintln!("{text}")).await
    };
    tokio::select! {
        biased;
        result = work => result,
        never = notices => match never {},
    }
}

/// Says why while records wait and not one is resolved: else a broker that dies is noticed only
/// when `delivery.timeout.ms` is over.
async fn tell_stalls(
    engine: &impl Engine,
    resolved: impl Fn() -> u64,
    say: impl Fn(String),
) -> Infallible {
    let mut seen = resolved();
    let mut since = Instant::now();
    let mut due = since + FIRST_STALL;
    loop {
        tokio::time::sleep(LOOK).await;
        let (now, resolved) = (Instant::now(), resolved());
        if resolved != seen {
            (seen, since, due) = (resolved, now, now + FIRST_STALL);
        }
        if now < due {
            continue;
        }
        // Whoever had nothing to send for an hour has waited since the record, not for the hour.
        let wait = engine.longest_wait();
        let Some(wait) = wait.filter(|wait| FIRST_STALL <= wait.waited) else {
            continue;
        };
        say(format!(
            "nothing was delivered for {} s: {}",
            wait.waited.min(now - since).as_secs(),
            wait.cause
        ));
        due = now + NEXT_STALL;
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
        // Once every record is resolved, their own errors have said why.
        explanation.oldest?;
        Some(addressed_once(&explanation.to_string()))
    }

    fn explain(&self) -> String {
        addressed_once(&self.producer.explain(Subject::Producer).to_string())
    }

    async fn expired(&self) {
        self.expired.notified().await;
    }
}

impl Engine for Started {
    fn trouble(&self) -> Option<String> {
        match self.producer.explain(Subject::Producer).state {
            State::Producer(state) => state
                .metadata
                .trouble
                .map(|trouble| addressed_once(&trouble)),
            _ => None,
        }
    }

    fn longest_wait(&self) -> Option<Wait> {
        let explanation = self.producer.explain(Subject::Producer);
        let waited = explanation.now.since(explanation.oldest.as_ref()?.accepted);
        let cause = match &explanation.state {
            State::Producer(state) => state.slowest.as_ref()?.to_string(),
            _ => return None,
        };
        Some(Wait {
            waited,
            cause: addressed_once(&cause),
        })
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
        message: named(
            &error.topic,
            error.error.code(),
            addressed_once(&error.error.to_string()),
        ),
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
        message: addressed_once(&error.to_string()),
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
/// How long nothing is said of records that wait, and then between two notices.
const FIRST_STALL: Duration = Duration::from_secs(5);
const NEXT_STALL: Duration = Duration::from_secs(30);
/// See [`patience`].
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a producer may take to end at once.
pub(crate) const GRACE: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    use std::cell::{Cell, RefCell};

    /// Knows nothing of any topic; its oldest record was handed over then.
    struct Lost(Option<Instant>);

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

        fn longest_wait(&self) -> Option<Wait> {
            Some(Wait {
                waited: self.0?.elapsed(),
                cause: "the broker is gone.".to_string(),
            })
        }

        async fn flush(&self) {}

        async fn close(&self, _limit: Duration) {}
    }

    /// What is said within two minutes, with the second at which it is.
    async fn stalls(engine: &Lost, resolved: impl Fn() -> u64) -> Vec<(u64, String)> {
        let (said, started) = (RefCell::new(Vec::new()), Instant::now());
        let say = |text| said.borrow_mut().push((started.elapsed().as_secs(), text));
        let limit = Duration::from_secs(120);
        let stalls = tell_stalls(engine, resolved, say);
        assert!(tokio::time::timeout(limit, stalls).await.is_err());
        said.into_inner()
    }

    #[tokio::test(start_paused = true)]
    async fn records_that_wait_are_told_of_after_five_seconds_and_then_each_thirty() {
        let said = stalls(&Lost(Some(Instant::now())), || 0).await;
        let at: Vec<u64> = said.iter().map(|(at, _)| *at).collect();
        assert_eq!(at, [5, 35, 65, 95]);
        assert_eq!(
            said[1].1,
            "nothing was delivered for 35 s: the broker is gone."
        );
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_said_while_records_get_there_or_none_waits() {
        assert_eq!(stalls(&Lost(None), || 0).await, []);
        let count = Cell::new(0);
        let busy = || {
            count.set(count.get() + 1);
            count.get()
        };
        assert_eq!(stalls(&Lost(Some(Instant::now())), busy).await, []);
    }

    #[tokio::test(start_paused = true)]
    async fn a_record_after_a_long_idle_time_has_waited_since_it_was_sent() {
        let lost = Lost(Some(Instant::now() + Duration::from_secs(100)));
        let said = stalls(&lost, || 0).await;
        assert_eq!(
            said,
            [(
                105,
                "nothing was delivered for 5 s: the broker is gone.".to_string()
            )]
        );
    }

    #[tokio::test]
    async fn work_that_ends_ends_the_watch() {
        let progress = || Progress {
            sent: true,
            resolved: 0,
        };
        let work = async { 7 };
        assert_eq!(watched(&Lost(None), "t", "a:1", progress, work).await, 7);
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

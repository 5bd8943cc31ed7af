//! What an application holds for a record that was taken, and what it learns.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use kafka_producer_machine::{Failed, Outcome, OwnedRecord, ProduceError};

use crate::completion::Completion;

/// Where a record was written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordMetadata {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: u32,
    /// The offset; `None` if the broker did not tell (`acks=0`, or a duplicate it no longer
    /// knows).
    pub offset: Option<i64>,
    /// Milliseconds since the Unix epoch: the broker's where the topic uses LogAppendTime, else
    /// the record's own.
    pub timestamp: Option<i64>,
}

/// Why a record was not delivered, and the record itself.
///
/// ```no_run
/// # use kafka_producer_driver::{DeliveryError, Outcome, OwnedRecord};
/// /// The record, if it may be sent again without a duplicate.
/// fn again(error: DeliveryError) -> Option<OwnedRecord> {
///     eprintln!("{error}");
///     match error.outcome {
///         Outcome::NotWritten => error.into_record(),
///         // It may be in the log, or none may ever know.
///         Outcome::MaybeWritten => None,
///     }
/// }
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct DeliveryError {
    /// Why.
    pub error: ProduceError,
    /// Whether it may have been written all the same.
    pub outcome: Outcome,
    /// The topic.
    pub topic: Arc<str>,
    /// The partition, if one was chosen.
    pub partition: Option<u32>,
    failed: Arc<Failed>,
    /// The place of the record in the range that failed.
    position: u32,
}

impl DeliveryError {
    #[cold]
    pub(crate) fn new(failed: Arc<Failed>, topic: Arc<str>, position: u32) -> Self {
        Self {
            error: failed.error.clone(),
            outcome: failed.outcome,
            topic,
            partition: failed.partition,
            failed,
            position,
        }
    }

    /// The record, decoded from the batch that this error keeps alive; [`OwnedRecord::to`] makes
    /// it one to send.
    pub fn record(&self) -> Option<OwnedRecord> {
        self.failed.records.record(self.position)
    }

    /// The record; lets go of its batch.
    pub fn into_record(self) -> Option<OwnedRecord> {
        self.record()
    }
}

impl fmt::Debug for DeliveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the payload.
        f.debug_struct("DeliveryError")
            .field("error", &self.error)
            .field("outcome", &self.outcome)
            .field("topic", &self.topic)
            .field("partition", &self.partition)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for DeliveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let certainty = match self.outcome {
            Outcome::MaybeWritten => "the record may have been written",
            Outcome::NotWritten => "the record was not written",
        };
        write!(f, "{} ({certainty})", self.error)
    }
}

impl std::error::Error for DeliveryError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // What `Display` says is said already: whoever prints the chain reads it once.
        self.error.source()
    }
}

/// A record that was taken: a future of what becomes of it.
///
/// Dropping it un-sends nothing; only the observation is lost. Polling is cancel-safe: it may be
/// raced against anything, as often as you like. It does not need the producer to stay alive.
///
/// Await it where the outcome matters, and late: to await each one before the next record is sent
/// makes every record a round trip.
///
/// ```no_run
/// # use kafka_producer_driver::{Producer, Record};
/// # async fn run(producer: &Producer) -> Result<(), Box<dyn std::error::Error>> {
/// let mut deliveries = Vec::new();
/// for order in ["one apple", "two pears"] {
///     deliveries.push(producer.send(&Record::to("orders").value(order)).await?);
/// }
/// for delivery in deliveries {
///     delivery.await?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a failed record is noticed only by whoever awaits its delivery"]
pub struct Delivery {
    completion: Arc<Completion>,
    index: u32,
    timestamp: i64,
}

impl Delivery {
    pub(crate) const fn new(completion: Arc<Completion>, index: u32, timestamp: i64) -> Self {
        Self {
            completion,
            index,
            timestamp,
        }
    }

    /// The timestamp that the record was given, in milliseconds since the Unix epoch.
    pub const fn timestamp(&self) -> i64 {
        self.timestamp
    }

    /// What became of the record, if that is known; never waits.
    pub fn try_result(&self) -> Option<Result<RecordMetadata, DeliveryError>> {
        self.completion.outcome(self.index, self.timestamp)
    }
}

impl Future for Delivery {
    type Output = Result<RecordMetadata, DeliveryError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.completion
            .poll(self.index, self.timestamp, context.waker())
    }
}

/// Records that were taken together, in the order in which they were handed in.
///
/// Neighbours of one group share one entry, so that many records to one partition cost little.
/// Dropping it un-sends nothing.
#[derive(Debug, Default)]
#[must_use = "a failed record is noticed only by whoever awaits its delivery"]
pub struct Deliveries {
    runs: Vec<Run>,
    len: usize,
}

/// Consecutive records of one group with one timestamp.
#[derive(Debug)]
struct Run {
    completion: Arc<Completion>,
    first: u32,
    count: u32,
    timestamp: i64,
}

impl Deliveries {
    /// Room for that many records of as many groups, up to a bound: neighbors mostly share.
    pub(crate) fn for_records(count: usize) -> Self {
        Self {
            runs: Vec::with_capacity(count.min(RUNS)),
            len: 0,
        }
    }

    /// Adds the record of one receipt.
    pub(crate) fn push(&mut self, completion: &Arc<Completion>, index: u32, timestamp: i64) {
        self.len += 1;
        if let Some(run) = self.runs.last_mut()
            && Arc::ptr_eq(&run.completion, completion)
            && run.first + run.count == index
            && run.timestamp == timestamp
        {
            run.count += 1;
            return;
        }
        let completion = Arc::clone(completion);
        self.runs.push(Run {
            completion,
            first: index,
            count: 1,
            timestamp,
        });
    }

    /// Adds a record that has a delivery of its own.
    pub(crate) fn add(&mut self, delivery: &Delivery) {
        self.push(&delivery.completion, delivery.index, delivery.timestamp);
    }

    /// How many records were taken.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether no record was taken.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Waits for all and says what became of each, in order.
    ///
    /// Dropping the future un-sends nothing, but loses what it has learned.
    pub async fn all(self) -> Vec<Result<RecordMetadata, DeliveryError>> {
        let mut results = Vec::with_capacity(self.len);
        for delivery in self {
            results.push(delivery.await);
        }
        results
    }
}

impl IntoIterator for Deliveries {
    type Item = Delivery;
    type IntoIter = DeliveriesIntoIter;

    fn into_iter(self) -> Self::IntoIter {
        DeliveriesIntoIter {
            runs: self.runs.into_iter(),
            run: None,
            left: self.len,
        }
    }
}

/// Each [`Delivery`] of [`Deliveries`], in order.
#[derive(Debug)]
pub struct DeliveriesIntoIter {
    runs: std::vec::IntoIter<Run>,
    run: Option<Run>,
    left: usize,
}

impl Iterator for DeliveriesIntoIter {
    type Item = Delivery;

    fn next(&mut self) -> Option<Delivery> {
        let mut run = self.run.take().or_else(|| self.runs.next())?;
        self.left -= 1;
        if run.count == 1 {
            return Some(Delivery::new(run.completion, run.first, run.timestamp));
        }
        let next = Delivery::new(Arc::clone(&run.completion), run.first, run.timestamp);
        run.first += 1;
        run.count -= 1;
        self.run = Some(run);
        Some(next)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for DeliveriesIntoIter {}

/// Runs to have room for at once.
const RUNS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_share_a_run_and_come_back_in_order() {
        let (a, b) = (Arc::<Completion>::default(), Arc::<Completion>::default());
        let mut deliveries = Deliveries::for_records(8);
        for (completion, index) in [(&a, 0), (&a, 1), (&b, 0), (&a, 2), (&a, 4)] {
            deliveries.push(completion, index, 7);
        }
        assert_eq!((deliveries.len(), deliveries.runs.len()), (5, 4));
        let order: Vec<(bool, u32)> = deliveries
            .into_iter()
            .map(|delivery| (Arc::ptr_eq(&delivery.completion, &a), delivery.index))
            .collect();
        assert_eq!(
            order,
            [(true, 0), (true, 1), (false, 0), (true, 2), (true, 4)]
        );
    }

    #[test]
    fn another_timestamp_starts_another_run() {
        let completion = Arc::<Completion>::default();
        let mut deliveries = Deliveries::for_records(8);
        deliveries.push(&completion, 0, 7);
        deliveries.push(&completion, 1, 8);
        let times: Vec<i64> = deliveries.into_iter().map(|one| one.timestamp()).collect();
        assert_eq!(times, [7, 8]);
    }
}

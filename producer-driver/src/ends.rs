//! Waiting for a flush, for the end, and for the partitions of a topic.

use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use kafka_producer_machine::{
    Failed, FlushId, Instant, Outcome, SendError, TopicHandle, WaiterId, Written,
};

use crate::hub::{Caller, Core};
use crate::waits::Answer;
use crate::{CloseError, FatalError, PartitionInfo, Producer, ProducerError};

/// What somebody waits for who wants to see records at rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum EndId {
    /// The end of the producer, and how often somebody has waited for it before.
    Close(u64),
    /// The end of a flush.
    Flush(FlushId),
}

/// A wait for an end; dropping it only stops watching.
struct End {
    producer: Producer,
    id: EndId,
}

impl End {
    /// Does what brings the end about.
    fn after(producer: &Producer, begin: impl FnOnce(&mut Core, Instant) -> EndId) -> Self {
        let id = producer.hub().apply(Caller::Role, |core, now| {
            let id = begin(core, now);
            if !core.over {
                core.ends.park(id);
            }
            id
        });
        Self {
            producer: producer.clone(),
            id,
        }
    }

    /// Gives what became of the records that were on their way when the producer began to close.
    fn poll(&self, context: &Context<'_>) -> Poll<Tally> {
        let mut waker = Some(context.waker().clone());
        let mut core = self.producer.hub().lock();
        if core.over || core.ends.poll(self.id, &mut waker).is_ready() {
            return Poll::Ready(core.tally.clone());
        }
        Poll::Pending
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let waker = self.producer.hub().lock().ends.leave(self.id);
        drop(waker);
    }
}

/// A flush on its way; see [`Producer::flush`]. Dropping it only stops watching.
#[must_use = "a flush is over only once this is awaited"]
pub struct Flush {
    end: End,
}

impl Flush {
    pub(crate) fn new(producer: &Producer) -> Self {
        let end = End::after(producer, |core, now| EndId::Flush(core.machine.flush(now)));
        Self { end }
    }
}

impl Future for Flush {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.end.poll(context).map(drop)
    }
}

/// A producer that closes; see [`Producer::close`]. Dropping it only stops watching.
#[must_use = "a producer is closed only once this is awaited"]
pub struct Close {
    end: End,
}

impl Close {
    pub(crate) fn new(producer: &Producer, timeout: Duration) -> Self {
        let end = End::after(producer, |core, now| {
            core.close(now, now + timeout);
            core.closes += 1;
            EndId::Close(core.closes)
        });
        Self { end }
    }
}

impl Future for Close {
    type Output = Result<(), CloseError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.end.poll(context).map(Tally::verdict)
    }
}

/// How the records ended that were on their way when the producer began to close.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Why it had come to its end before.
    pub(crate) fatal: Option<FatalError>,
    delivered: u64,
    not_written: u64,
    maybe_written: u64,
}

impl Tally {
    /// So many records have ended like this.
    pub(crate) fn count(&mut self, records: &Range<u32>, result: &Result<Written, Arc<Failed>>) {
        let count = match result.as_ref().map_err(|failed| failed.outcome) {
            Ok(_) => &mut self.delivered,
            Err(Outcome::MaybeWritten) => &mut self.maybe_written,
            Err(Outcome::NotWritten) => &mut self.not_written,
        };
        *count += records.len() as u64;
    }

    fn verdict(self) -> Result<(), CloseError> {
        let Self {
            fatal,
            delivered,
            not_written,
            maybe_written,
        } = self;
        if not_written + maybe_written == 0 {
            return fatal.map_or(Ok(()), |fatal| Err(CloseError::Fatal(fatal)));
        }
        Err(CloseError::Undelivered {
            delivered,
            not_written,
            maybe_written,
        })
    }
}

/// The partitions of a topic, awaited; see [`Producer::partitions_for`].
///
/// Cancel-safe: dropping it only stops watching.
#[must_use = "nothing is known before this is awaited"]
pub struct PartitionsFor {
    producer: Producer,
    topic: TopicHandle,
    name: Arc<str>,
    since: Instant,
    waiter: Option<WaiterId>,
}

impl PartitionsFor {
    pub(crate) fn new(producer: &Producer, name: &str) -> Self {
        producer.hub().apply(Caller::Role, |core, now| {
            let topic = core.machine.topic(now, name);
            let waiter = core.partitions(topic).is_none().then(|| {
                let deadline = now + producer.config().max_block();
                let waiter = core.machine.wait_for_metadata(now, topic, deadline);
                core.waiters.park(waiter);
                waiter
            });
            Self {
                producer: producer.clone(),
                topic,
                name: name.into(),
                since: now,
                waiter,
            }
        })
    }
}

impl Core {
    /// Begins to close, or brings the end forward.
    pub(crate) fn close(&mut self, now: Instant, deadline: Instant) {
        self.closing = true;
        self.machine.close(now, deadline);
    }

    /// The topic's partitions, or why it has none; `None` if that is not known yet.
    fn partitions(&self, topic: TopicHandle) -> Option<Result<Vec<PartitionInfo>, SendError>> {
        if let Some(code) = self.machine.topic_error(topic) {
            let topic = self
                .machine
                .topic_name(topic)
                .unwrap_or_else(|| Arc::from(""));
            return Some(Err(SendError::Topic { topic, code }));
        }
        let count = self.machine.partitions(topic)?;
        let leader = |partition| self.machine.leader(topic, partition);
        let info = |partition| PartitionInfo {
            partition,
            leader: leader(partition),
        };
        Some(Ok((0..count).map(info).collect()))
    }
}

impl Future for PartitionsFor {
    type Output = Result<Vec<PartitionInfo>, ProducerError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut waker = Some(context.waker().clone());
        let mut core = self.producer.hub().lock();
        if let Some(known) = core.partitions(self.topic) {
            return Poll::Ready(known.map_err(ProducerError::from));
        }
        if let Some(refusal) = core.machine.refusal() {
            return Poll::Ready(Err(refusal.into()));
        }
        let Some(waiter) = self.waiter else {
            // Known a moment ago, and forgotten since: the topic was deleted.
            let waited = Duration::ZERO;
            let topic = Arc::clone(&self.name);
            return Poll::Ready(Err(ProducerError::MetadataTimeout { topic, waited }));
        };
        let Poll::Ready(answer) = core.waiters.poll(waiter, &mut waker) else {
            return Poll::Pending;
        };
        drop(core);

        let waited = self.producer.hub().clock.precise().since(self.since);
        let left = self.producer.config().max_block().saturating_sub(waited);
        if answer == Answer::Expired || left.is_zero() {
            let topic = Arc::clone(&self.name);
            return Poll::Ready(Err(ProducerError::MetadataTimeout { topic, waited }));
        }
        // The answer was about something that has changed again: wait for the rest of the time.
        let next = self.producer.hub().apply(Caller::Role, |core, now| {
            // The waker is this task's own: there is no last one to drop.
            drop(core.waiters.leave(waiter));
            let next = core.machine.wait_for_metadata(now, self.topic, now + left);
            core.waiters.park_again(next, context.waker());
            next
        });
        self.waiter = Some(next);
        Poll::Pending
    }
}

impl Drop for PartitionsFor {
    fn drop(&mut self) {
        if let Some(waiter) = self.waiter {
            let waker = self.producer.hub().apply(Caller::Role, |core, now| {
                core.machine.cancel_wait(now, waiter);
                core.waiters.leave(waiter)
            });
            drop(waker);
        }
    }
}

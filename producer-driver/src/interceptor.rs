//! Interceptors: code of the application that sees each record on its way in, and at its end.
//!
//! ```text
//! send ─► on_send of each ─► taken ─► result visible ─► on_acknowledgement ─► callback
//!                       └─► refused, or given up ──────────────▲
//! ```
//!
//! - What `on_send` saw is told of in `on_acknowledgement`, once, whatever comes of it.
//! - One that panics is left out for that record; the others see it all the same.
//! - Without interceptors nothing of this runs: each call looks once whether there are any.
//!
//! Java's are `org.apache.kafka.clients.producer.ProducerInterceptor` (KIP-42).

use std::any::type_name;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use kafka_producer_machine::{
    Header, Instant, Outcome, Receipt, Record, SendError, Topic, TopicHandle, WaiterId,
};

use crate::due::Callback;
use crate::foreign::panics;
use crate::hub::{Core, Hub};
use crate::park::in_callback;
use crate::room::{Entrant, Kept};
use crate::{DeliveryError, ProducerError, RecordMetadata, notice};

/// Sees each record before it is taken, and may change it; then sees what became of it.
///
/// A chain of them is given to [`ProducerBuilder`](crate::ProducerBuilder), and serves every way
/// to send. Each sees what the one before it has made of the record. One that panics is left
/// out for that record, with a warning the first time; the record goes on as it was before.
///
/// Interceptors are shared by all handles and called on several threads at once; state that
/// changes needs its own lock or atomics. They must not wait.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// use kafka_producer_driver::{Acknowledgement, Interceptor, InterceptedRecord};
///
/// /// Numbers the records, and counts those that failed.
/// #[derive(Default)]
/// struct Trace {
///     sent: AtomicU64,
///     failed: AtomicU64,
/// }
///
/// impl Interceptor for Trace {
///     fn on_send(&self, record: &mut InterceptedRecord<'_>) {
///         let number = self.sent.fetch_add(1, Ordering::Relaxed);
///         record.add_header("trace", number.to_string());
///     }
///
///     fn on_acknowledgement(&self, acknowledgement: &Acknowledgement<'_>) {
///         if acknowledgement.outcome().is_some() {
///             self.failed.fetch_add(1, Ordering::Relaxed);
///         }
///     }
/// }
/// ```
pub trait Interceptor: Send + Sync + 'static {
    /// A record is to be sent. Runs in the call, on the thread that sends, and for each try.
    fn on_send(&self, record: &mut InterceptedRecord<'_>) {
        let _ = record;
    }

    /// What became of a record that `on_send` saw: exactly once for each.
    ///
    /// What became of it is visible to whoever holds its delivery before this runs, and its
    /// callback is called after. For a record that was taken it runs as callbacks do: one at a
    /// time, in the order in which records are resolved, and before a flush or a close is over.
    /// For one that was not taken it runs at once, on the thread that sends.
    fn on_acknowledgement(&self, acknowledgement: &Acknowledgement<'_>) {
        let _ = acknowledgement;
    }
}

/// One that the application keeps a hand on, to read what it has counted.
impl<I: Interceptor + ?Sized> Interceptor for Arc<I> {
    fn on_send(&self, record: &mut InterceptedRecord<'_>) {
        (**self).on_send(record);
    }

    fn on_acknowledgement(&self, acknowledgement: &Acknowledgement<'_>) {
        (**self).on_acknowledgement(acknowledgement);
    }
}

/// A record that an [`Interceptor`] may change: what it does not touch stays borrowed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct InterceptedRecord<'a> {
    /// The name of the topic.
    pub topic: Cow<'a, str>,
    /// The partition, or `None` to let the partitioner choose.
    pub partition: Option<u32>,
    /// Milliseconds since the Unix epoch; the moment at which it is taken if it is `None`.
    pub timestamp: Option<i64>,
    /// The key; `None` is Kafka's null.
    pub key: Option<Cow<'a, [u8]>>,
    /// The value; `None` is Kafka's null.
    pub value: Option<Cow<'a, [u8]>>,
    /// The headers, in order; keys may repeat.
    pub headers: Vec<InterceptedHeader<'a>>,
}

/// A header of an [`InterceptedRecord`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterceptedHeader<'a> {
    /// The key.
    pub key: Cow<'a, str>,
    /// The value; `None` is Kafka's null.
    pub value: Option<Cow<'a, [u8]>>,
}

impl<'a> InterceptedRecord<'a> {
    /// Adds a header after those before it.
    pub fn add_header(&mut self, key: impl Into<Cow<'a, str>>, value: impl Into<Vec<u8>>) {
        self.headers.push(InterceptedHeader {
            key: key.into(),
            value: Some(Cow::Owned(value.into())),
        });
    }
}

impl<'a> InterceptedHeader<'a> {
    fn borrowed(header: &Header<'a>) -> Self {
        Self {
            key: Cow::Borrowed(header.key),
            value: header.value.map(Cow::Borrowed),
        }
    }

    fn lend(&self) -> Header<'_> {
        Header {
            key: &self.key,
            value: self.value.as_deref(),
        }
    }

    fn into_owned(self) -> InterceptedHeader<'static> {
        InterceptedHeader {
            key: Cow::Owned(self.key.into_owned()),
            value: self.value.map(|value| Cow::Owned(value.into_owned())),
        }
    }
}

/// What became of a record, for an [`Interceptor`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Acknowledgement<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The partition, if one was asked for or chosen.
    pub partition: Option<u32>,
    /// The headers with which it was sent.
    pub headers: &'a [Header<'a>],
    /// How it ended.
    pub ending: Ending<'a>,
}

impl Acknowledgement<'_> {
    /// What is known of a record that is not known to be written; `None` for one that is.
    pub fn outcome(&self) -> Option<Outcome> {
        match self.ending {
            Ending::Failed(error) => Some(error.outcome),
            Ending::GivenUp | Ending::Refused(_) => Some(Outcome::NotWritten),
            Ending::Written(_) => None,
        }
    }
}

/// How a record ended.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Ending<'a> {
    /// It was taken, and not delivered.
    Failed(&'a DeliveryError),
    /// It was never taken: its sender dropped the future that waited for room.
    GivenUp,
    /// It was never taken.
    Refused(&'a ProducerError),
    /// It was written.
    Written(&'a RecordMetadata),
}

/// The interceptors of a producer, in order.
#[derive(Default)]
pub(crate) struct Chain {
    members: Vec<Member>,
}

struct Member {
    interceptor: Box<dyn Interceptor>,
    name: &'static str,
    /// Whether it has panicked, and was told of.
    has_panicked: AtomicBool,
}

impl Chain {
    pub(crate) fn push<I: Interceptor>(&mut self, interceptor: I) {
        self.members.push(Member {
            interceptor: Box::new(interceptor),
            name: type_name::<I>(),
            has_panicked: AtomicBool::new(false),
        });
    }

    /// The chain to share; `None` if there is nobody in it.
    pub(crate) fn shared(self) -> Option<Arc<Self>> {
        (!self.members.is_empty()).then(|| Arc::new(self))
    }

    /// Shows a record to all, and gives what they have made of it.
    pub(crate) fn intercept<'r>(
        self: &Arc<Self>,
        hub: &Hub,
        record: &Record<'r>,
    ) -> Intercepted<'r> {
        let (topic, handle) = match record.topic {
            Topic::Handle(handle) => {
                let name = hub.lock().machine.topic_name(handle);
                let name = name.unwrap_or_else(|| Arc::from(""));
                (Cow::Owned(name.to_string()), Some((handle, name)))
            }
            Topic::Name(name) => (Cow::Borrowed(name), None),
            _ => (Cow::Borrowed(""), None),
        };
        let mut record = InterceptedRecord {
            topic,
            partition: record.partition,
            timestamp: record.timestamp,
            key: record.key.map(Cow::Borrowed),
            value: record.value.map(Cow::Borrowed),
            headers: record
                .headers
                .iter()
                .map(InterceptedHeader::borrowed)
                .collect(),
        };
        for member in &self.members {
            let before = record.clone();
            if panics(|| member.interceptor.on_send(&mut record)) {
                record = before;
                member.tell("on_send");
            }
        }
        Intercepted {
            duty: Some(Arc::clone(self)),
            record,
            handle,
        }
    }

    fn acknowledge(&self, acknowledgement: &Acknowledgement<'_>) {
        for member in &self.members {
            let act = || in_callback(|| member.interceptor.on_acknowledgement(acknowledgement));
            if panics(act) {
                member.tell("on_acknowledgement");
            }
        }
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.members.iter().map(|member| member.name);
        f.debug_list().entries(names).finish()
    }
}

impl Member {
    /// Says that it has panicked, the first time: it may do so for every record.
    #[cold]
    fn tell(&self, method: &str) {
        if !self.has_panicked.swap(true, Ordering::Relaxed) {
            notice::interceptor_panicked(self.name, method);
        }
    }
}

/// A record that the interceptors have seen, on its way in. If it is dropped on the way, they are
/// told that it was given up.
pub(crate) struct Intercepted<'r> {
    /// Who is still to be told of its end.
    duty: Option<Arc<Chain>>,
    record: InterceptedRecord<'r>,
    /// The handle that stands for this name.
    handle: Option<(TopicHandle, Arc<str>)>,
}

impl Intercepted<'_> {
    /// The topic as the machine takes it: by handle, if that is still the one.
    fn topic(&self) -> Topic<'_> {
        match &self.handle {
            Some((handle, name)) if **name == *self.record.topic => Topic::Handle(*handle),
            _ => Topic::Name(&self.record.topic),
        }
    }

    /// It is not taken. Never under the lock.
    pub(crate) fn refuse(&mut self, error: &ProducerError) {
        self.end(Ending::Refused(error));
    }

    /// The record as the machine takes it.
    fn lend<T>(&self, act: impl FnOnce(&Record<'_>) -> T) -> T {
        let headers: Vec<Header<'_>> = self
            .record
            .headers
            .iter()
            .map(InterceptedHeader::lend)
            .collect();
        act(&Record {
            topic: self.topic(),
            partition: self.record.partition,
            timestamp: self.record.timestamp,
            key: self.record.key.as_deref(),
            value: self.record.value.as_deref(),
            headers: &headers,
        })
    }

    /// It was taken: the interceptors are told of its end, before the sender's own callback,
    /// which comes in next.
    fn taken(&mut self, core: &mut Core, receipt: Receipt, timestamp: i64) {
        let Some(chain) = self.duty.take() else {
            return;
        };
        let headers = std::mem::take(&mut self.record.headers).into_iter();
        let pending = Pending {
            chain,
            partition: self.record.partition,
            headers: headers.map(InterceptedHeader::into_owned).collect(),
        };
        let callback = Callback {
            index: receipt.index,
            timestamp,
            call: Box::new(move |result| pending.end(&result)),
        };
        core.completions.call(receipt.group.into(), callback);
    }

    fn end(&mut self, ending: Ending<'_>) {
        let Some(chain) = self.duty.take() else {
            return;
        };
        let headers: Vec<Header<'_>> = self
            .record
            .headers
            .iter()
            .map(InterceptedHeader::lend)
            .collect();
        chain.acknowledge(&Acknowledgement {
            topic: &self.record.topic,
            partition: self.record.partition,
            headers: &headers,
            ending,
        });
    }
}

impl<'r> Entrant<'r> for &mut Intercepted<'r> {
    fn timestamp(&self) -> Option<i64> {
        self.record.timestamp
    }

    fn enter(
        &mut self,
        core: &mut Core,
        now: Instant,
        timestamp: i64,
    ) -> Result<Receipt, SendError> {
        let receipt = self.lend(|mut record| record.enter(core, now, timestamp))?;
        self.taken(core, receipt, timestamp);
        Ok(receipt)
    }

    fn enter_late(
        &mut self,
        core: &mut Core,
        now: Instant,
        timestamp: i64,
        waiter: WaiterId,
    ) -> Result<Receipt, SendError> {
        let receipt = self.lend(|mut record| record.enter_late(core, now, timestamp, waiter))?;
        self.taken(core, receipt, timestamp);
        Ok(receipt)
    }

    fn size(&self) -> usize {
        let len = |bytes: &Option<Cow<'_, [u8]>>| bytes.as_ref().map_or(0, |bytes| bytes.len());
        len(&self.record.key) + len(&self.record.value)
    }

    fn keep(&mut self) -> Kept<'r> {
        Kept::Intercepted(Intercepted {
            duty: self.duty.take(),
            record: self.record.clone(),
            handle: self.handle.clone(),
        })
    }
}

impl Drop for Intercepted<'_> {
    fn drop(&mut self) {
        self.end(Ending::GivenUp);
    }
}

/// What is kept of a record that was taken, for the interceptors.
struct Pending {
    chain: Arc<Chain>,
    partition: Option<u32>,
    headers: Vec<InterceptedHeader<'static>>,
}

impl Pending {
    fn end(&self, result: &Result<RecordMetadata, DeliveryError>) {
        let (topic, partition, ending) = match result {
            Ok(written) => (
                &written.topic,
                Some(written.partition),
                Ending::Written(written),
            ),
            Err(error) => {
                let partition = error.partition.or(self.partition);
                (&error.topic, partition, Ending::Failed(error))
            }
        };
        let headers: Vec<Header<'_>> = self.headers.iter().map(InterceptedHeader::lend).collect();
        self.chain.acknowledge(&Acknowledgement {
            topic,
            partition,
            headers: &headers,
            ending,
        });
    }
}

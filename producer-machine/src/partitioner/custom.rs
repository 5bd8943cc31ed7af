//! A partitioner of the user's own, and what it gets to see.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;

use kafka_producer_proto::batch::RecordBody;

use super::{Choice, Missing};
use crate::accumulator::{Accumulator, Partition};
use crate::metadata::TopicView;

/// Chooses partitions for a producer, as Java's `Partitioner`.
///
/// Each producer has one of its own, which is asked for each record that names no partition, when
/// the topic is known. It is asked while the producer is locked: it must not block, must not call
/// the producer, and should be quick. Its answers must follow from what it was asked so far, or
/// two runs of the same inputs would differ.
///
/// ```
/// use kafka_producer_machine::{Config, Partitioner, Unplaced};
///
/// /// Orders of large customers have partition 0 to themselves.
/// struct LargeFirst;
///
/// impl Partitioner for LargeFirst {
///     fn partition(&mut self, record: &Unplaced<'_>) -> Option<u32> {
///         match record.key {
///             Some(b"acme") => Some(0),
///             // The others share the rest, if there is one.
///             Some([first, ..]) if 1 < record.partitions => {
///                 Some(1 + u32::from(*first) % (record.partitions - 1))
///             }
///             // Without a key, and with one partition, the built-in rule decides.
///             _ => None,
///         }
///     }
/// }
///
/// let config = Config::builder()
///     .bootstrap_servers(["localhost:9092"])
///     .custom_partitioner(|| LargeFirst)
///     .build()?;
/// # Ok::<(), kafka_producer_machine::ConfigError>(())
/// ```
pub trait Partitioner: Send {
    /// The partition of a record; `None` leaves it to the rule that was configured
    /// (`partitioner`).
    ///
    /// A partition that the topic does not have is an error of that record, and so is a panic
    /// (with the feature `std`), after which the next record is asked for all the same.
    fn partition(&mut self, record: &Unplaced<'_>) -> Option<u32>;

    /// A fingerprint of what it remembers, for `ProducerMachine::digest`: two that may answer
    /// differently from now on should have different ones. One without memory needs none.
    fn digest(&self) -> u64 {
        0
    }
}

/// A record that has no partition yet.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Unplaced<'a> {
    /// Its topic.
    pub topic: &'a str,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value.
    pub value: Option<&'a [u8]>,
    /// How many partitions the topic has, with or without a leader; at least one.
    pub partitions: u32,
    /// How busy they are.
    pub load: TopicLoad<'a>,
}

/// How busy the partitions of a topic are, as of now. Each question is cheap, and costs nothing
/// until it is asked.
#[derive(Clone, Copy)]
pub struct TopicLoad<'a> {
    topic: &'a TopicView,
    accumulator: &'a Accumulator,
}

impl<'a> TopicLoad<'a> {
    /// The partitions that have a leader, in ascending order.
    pub fn available(&self) -> &'a [u32] {
        &self.topic.available
    }

    /// Of these, the partitions whose leader stands in `client.rack`; empty unless
    /// `partitioner.rack.aware` is set.
    pub fn near(&self) -> &'a [u32] {
        &self.topic.near
    }

    /// How many batches of a partition wait to be sent: what adaptive partitioning weighs.
    pub fn waiting_batches(&self, partition: u32) -> u32 {
        self.used(partition).map_or(0, Partition::waiting)
    }

    /// Bytes of `buffer.memory` that a partition takes, batches in flight included.
    pub fn buffered_bytes(&self, partition: u32) -> usize {
        self.used(partition).map_or(0, |partition| partition.held)
    }

    fn used(&self, partition: u32) -> Option<&'a Partition> {
        let key = self.topic.partitions.get(partition as usize)?.key?;
        self.accumulator.partitions.get(key.0 as usize)
    }
}

impl fmt::Debug for TopicLoad<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TopicLoad")
            .field("available", &self.available())
            .finish_non_exhaustive()
    }
}

/// What makes a partitioner for each producer of a configuration.
#[derive(Clone)]
pub(crate) struct Factory(Arc<dyn Fn() -> Box<dyn Partitioner> + Send + Sync>);

impl Factory {
    pub(crate) fn new<P: Partitioner + 'static>(
        make: impl Fn() -> P + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(move || Box::new(make())))
    }

    pub(super) fn make(&self) -> Custom {
        Custom((self.0)())
    }
}

impl fmt::Debug for Factory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Factory")
    }
}

/// The partitioner of one producer.
pub(crate) struct Custom(Box<dyn Partitioner>);

impl Custom {
    /// Its answer, if it has one.
    pub(super) fn ask(
        &mut self,
        topic: &TopicView,
        record: &RecordBody<'_>,
        accumulator: &Accumulator,
    ) -> Option<Choice> {
        let partitions = topic.partitions.len() as u32;
        let record = Unplaced {
            topic: &topic.name,
            key: record.key,
            value: record.value,
            partitions,
            load: TopicLoad { topic, accumulator },
        };
        Some(match guarded(|| self.0.partition(&record)) {
            Ok(answer) if answer? < partitions => Choice::Fixed(answer?),
            Ok(answer) => Choice::None(Missing::Fault(Fault::Wrong(answer?))),
            Err(fault) => Choice::None(Missing::Fault(fault)),
        })
    }

    pub(super) fn digest(&self) -> u64 {
        self.0.digest()
    }
}

/// What is wrong with the user's partitioner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It panicked. Without a standard library nobody can tell.
    #[cfg(feature = "std")]
    Panicked,
    /// It has chosen a partition that the topic does not have.
    Wrong(u32),
}

impl Fault {
    #[cold]
    pub(crate) fn in_words(self, topic: &TopicView) -> String {
        let (name, partitions) = (&topic.name, topic.partitions.len());
        match self {
            #[cfg(feature = "std")]
            Self::Panicked => format!(
                "a partition of topic {name} was expected of the custom partitioner, it \
                 panicked; correct it"
            ),
            Self::Wrong(index) => format!(
                "a partition of topic {name} below {partitions} was expected of the custom \
                 partitioner, {index} came; correct it"
            ),
        }
    }
}

/// The user's code runs in the midst of ours, at times on a thread that reads a connection: a
/// panic of it must cost one record, and not the producer.
#[cfg(feature = "std")]
fn guarded<T>(call: impl FnOnce() -> T) -> Result<T, Fault> {
    extern crate std;
    std::panic::catch_unwind(core::panic::AssertUnwindSafe(call)).map_err(|_| Fault::Panicked)
}

/// Without a standard library there is nothing that could catch it.
#[cfg(not(feature = "std"))]
fn guarded<T>(call: impl FnOnce() -> T) -> Result<T, Fault> {
    Ok(call())
}

impl fmt::Debug for Custom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Custom")
    }
}

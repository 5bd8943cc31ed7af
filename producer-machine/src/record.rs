//! A record as the application hands it in: everything borrowed, copied once into its batch.

use crate::TopicHandle;

pub use kafka_producer_proto::batch::Header;

/// Which topic a record is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Topic<'a> {
    /// A topic named before: costs no look-up.
    Handle(TopicHandle),
    /// A topic by name: one look-up in an ordered map.
    Name(&'a str),
}

impl<'a> From<&'a str> for Topic<'a> {
    fn from(name: &'a str) -> Self {
        Self::Name(name)
    }
}

impl<'a> From<&'a alloc::string::String> for Topic<'a> {
    fn from(name: &'a alloc::string::String) -> Self {
        Self::Name(name)
    }
}

impl From<TopicHandle> for Topic<'_> {
    fn from(handle: TopicHandle) -> Self {
        Self::Handle(handle)
    }
}

/// One record to send. It borrows everything.
///
/// ```
/// use kafka_producer_machine::{Header, Record};
///
/// let headers = [Header { key: "trace", value: Some(b"7") }];
/// let record = Record::to("orders").key(b"user-42").value(b"France").headers(&headers);
/// assert_eq!(record.key, Some(&b"user-42"[..]));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Where to.
    pub topic: Topic<'a>,
    /// The partition, or `None` to let the partitioner choose.
    pub partition: Option<u32>,
    /// Milliseconds since the Unix epoch; drivers fill it in if it is `None`.
    pub timestamp: Option<i64>,
    /// The key; `None` is Kafka's null, an empty key is a key.
    pub key: Option<&'a [u8]>,
    /// The value; `None` is Kafka's null, a tombstone on compacted topics.
    pub value: Option<&'a [u8]>,
    /// The headers, in order; keys may repeat.
    pub headers: &'a [Header<'a>],
}

impl<'a> Record<'a> {
    /// An empty record (null key, null value) to `topic`.
    pub fn to(topic: impl Into<Topic<'a>>) -> Self {
        Self {
            topic: topic.into(),
            partition: None,
            timestamp: None,
            key: None,
            value: None,
            headers: &[],
        }
    }

    /// The same record with a key.
    #[must_use]
    pub fn key(mut self, key: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        self.key = Some(key.as_ref());
        self
    }

    /// The same record with a value.
    #[must_use]
    pub fn value(mut self, value: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        self.value = Some(value.as_ref());
        self
    }

    /// The same record with headers.
    #[must_use]
    pub const fn headers(mut self, headers: &'a [Header<'a>]) -> Self {
        self.headers = headers;
        self
    }

    /// The same record to this partition.
    #[must_use]
    pub const fn partition(mut self, partition: u32) -> Self {
        self.partition = Some(partition);
        self
    }

    /// The same record with this timestamp, in milliseconds since the Unix epoch.
    #[must_use]
    pub const fn timestamp(mut self, millis: i64) -> Self {
        self.timestamp = Some(millis);
        self
    }
}

//! A record as the application hands it in: everything borrowed, copied once into its batch.
//!
//! A list of headers is borrowed too, so a record that gains them one by one needs a place to keep
//! the list: [`RecordBuilder`], the only one here that allocates.

use alloc::string::String;
use alloc::vec::Vec;

use crate::{OwnedRecord, TopicHandle};

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

impl<'a> From<&'a String> for Topic<'a> {
    fn from(name: &'a String) -> Self {
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
///
/// // Or one by one, at the price of a list on the heap.
/// let same = Record::to("orders").key("user-42").value("France").header("trace", "7");
/// assert_eq!(same.build().headers, record.headers);
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

    /// The same record with one more header.
    pub fn header(self, key: &'a str, value: &'a (impl AsRef<[u8]> + ?Sized)) -> RecordBuilder<'a> {
        RecordBuilder::from(self).header(key, value)
    }

    /// The same record with one more header, whose value is Kafka's null.
    pub fn null_header(self, key: &'a str) -> RecordBuilder<'a> {
        RecordBuilder::from(self).null_header(key)
    }

    /// The same record with these headers and no others: a list that costs nothing.
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

/// A record that gains its headers one by one, and keeps their list.
///
/// ```
/// use kafka_producer_machine::Record;
///
/// let tenant = String::from("acme");
/// let record = Record::to("orders")
///     .value("France")
///     .header("trace", "7")
///     .header("tenant", &tenant);
/// assert_eq!(record.build().headers.len(), 2);
/// ```
#[derive(Clone, Debug)]
#[must_use = "build gives the record to send"]
pub struct RecordBuilder<'a> {
    /// All but the headers.
    record: Record<'a>,
    headers: Vec<Header<'a>>,
}

impl<'a> From<Record<'a>> for RecordBuilder<'a> {
    fn from(record: Record<'a>) -> Self {
        Self {
            headers: record.headers.to_vec(),
            record,
        }
    }
}

impl<'a> RecordBuilder<'a> {
    /// The same record with one more header, after those before it; keys may repeat.
    pub fn header(self, key: &'a str, value: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        self.with(key, Some(value.as_ref()))
    }

    /// The same record with one more header, whose value is Kafka's null.
    pub fn null_header(self, key: &'a str) -> Self {
        self.with(key, None)
    }

    /// The same record with a key.
    pub fn key(mut self, key: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        self.record = self.record.key(key);
        self
    }

    /// The same record with a value.
    pub fn value(mut self, value: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        self.record = self.record.value(value);
        self
    }

    /// The same record to this partition.
    pub const fn partition(mut self, partition: u32) -> Self {
        self.record.partition = Some(partition);
        self
    }

    /// The same record with this timestamp, in milliseconds since the Unix epoch.
    pub const fn timestamp(mut self, millis: i64) -> Self {
        self.record.timestamp = Some(millis);
        self
    }

    /// The record, which borrows the list of headers.
    pub fn build(&self) -> Record<'_> {
        Record {
            headers: &self.headers,
            ..self.record
        }
    }

    fn with(mut self, key: &'a str, value: Option<&'a [u8]>) -> Self {
        self.headers.push(Header { key, value });
        self
    }
}

impl OwnedRecord {
    /// The record once more, to be sent: with its own timestamp, and to any partition.
    ///
    /// ```
    /// use kafka_producer_machine::OwnedRecord;
    ///
    /// # let failed = OwnedRecord { timestamp: 5, key: None, value: None, headers: Vec::new() };
    /// let again = failed.to("orders").partition(3).header("attempt", "2");
    /// assert_eq!((again.build().timestamp, again.build().partition), (Some(5), Some(3)));
    /// ```
    pub fn to<'a>(&'a self, topic: impl Into<Topic<'a>>) -> RecordBuilder<'a> {
        RecordBuilder {
            record: Record {
                // Kafka's "none" is a record's own way to have none.
                timestamp: Some(self.timestamp).filter(|&millis| 0 <= millis),
                key: self.key.as_deref(),
                value: self.value.as_deref(),
                ..Record::to(topic)
            },
            headers: self.headers.iter().map(lent).collect(),
        }
    }
}

fn lent((key, value): &(String, Option<Vec<u8>>)) -> Header<'_> {
    Header {
        key,
        value: value.as_deref(),
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn headers<'a>(record: &Record<'a>) -> Vec<(&'a str, Option<&'a [u8]>)> {
        let pair = |header: &Header<'a>| (header.key, header.value);
        record.headers.iter().map(pair).collect()
    }

    #[test]
    fn headers_keep_their_order_and_may_repeat() {
        let before = [Header {
            key: "first",
            value: Some(b"0"),
        }];
        let record = Record::to("orders").headers(&before).header("a", "1");
        let record = record.null_header("b").header("a", &[0xff, 0x00]);
        assert_eq!(
            headers(&record.build()),
            [
                ("first", Some(&b"0"[..])),
                ("a", Some(b"1")),
                ("b", None),
                ("a", Some(&[0xff, 0x00])),
            ]
        );
    }

    #[test]
    fn what_is_set_before_a_header_and_after_it_is_kept() {
        let record = Record::to("orders").key("k").partition(1).null_header("a");
        let record = record.value("v").timestamp(9).partition(2).key("l");
        let built = record.build();
        assert_eq!((built.key, built.value), (Some(&b"l"[..]), Some(&b"v"[..])));
        assert_eq!((built.partition, built.timestamp), (Some(2), Some(9)));
        assert_eq!(built.topic, Topic::Name("orders"));
    }

    #[test]
    fn a_record_that_came_back_is_the_same_when_it_is_sent_again() {
        let mut owned = OwnedRecord {
            timestamp: 5,
            key: Some(b"k".to_vec()),
            value: None,
            headers: vec![
                (String::from("a"), Some(b"1".to_vec())),
                (String::from("b"), None),
            ],
        };
        let again = owned.to("orders");
        let built = again.build();
        assert_eq!((built.key, built.value), (Some(&b"k"[..]), None));
        assert_eq!((built.timestamp, built.partition), (Some(5), None));
        assert_eq!(headers(&built), [("a", Some(&b"1"[..])), ("b", None)]);

        owned.timestamp = -1;
        assert_eq!(owned.to("orders").build().timestamp, None);
    }
}

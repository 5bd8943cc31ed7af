//! What the machine tells the application and its driver.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use kafka_producer_proto::ErrorCode;
use kafka_producer_proto::batch::RecordIter;
use kafka_producer_proto::compression::{self, Codec};

use crate::error::{FatalError, ProduceError};
use crate::frame::Body;
use crate::{ConnectionId, DisconnectReason, FlushId, GroupId, TopicHandle, WaiterId};

/// Something that happened.
#[derive(Clone, Debug, Hash)]
#[non_exhaustive]
pub enum Event {
    /// `close` is done: every record is resolved, no connection is left.
    Closed,
    /// These records of the group are resolved, once and for all.
    Completed {
        /// The group.
        group: GroupId,
        /// Which of its records, by `Receipt::index`.
        records: Range<u32>,
        /// Where they were written, or why not.
        result: Result<Written, Arc<Failed>>,
        /// Whether nothing of the group is left; its slot may be used again from now on.
        last: bool,
    },
    /// Everything accepted before that `flush` is resolved.
    Flushed(FlushId),
    /// The topic of this wait is known, or known to be refused.
    MetadataReady(WaiterId),
    /// Something worth a line in a log.
    Notice(Notice),
    /// There is room for this waiter, reserved until it is used or cancelled.
    SpaceReady(WaiterId),
    /// The wait's deadline has passed.
    WaitExpired(WaiterId),
}

/// Where records were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Written {
    /// The topic.
    pub topic: TopicHandle,
    /// The partition.
    pub partition: u32,
    /// The offset of the first record of the range; the next ones follow.
    /// `None` if the broker did not tell (acks=0, or a duplicate it no longer knows).
    pub base_offset: Option<i64>,
    /// The broker's timestamp, in milliseconds since the Unix epoch, where the topic uses
    /// LogAppendTime (and for a duplicate); else the records keep their own.
    pub log_append_time: Option<i64>,
}

/// What is known about records that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// They may have been written, or may still be.
    MaybeWritten,
    /// They are in no log and never will be.
    NotWritten,
}

impl Outcome {
    /// `not_written` or `maybe_written`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MaybeWritten => "maybe_written",
            Self::NotWritten => "not_written",
        }
    }
}

/// Why records failed, and the records themselves.
#[derive(Clone, Debug, Hash)]
pub struct Failed {
    /// Why.
    pub error: ProduceError,
    /// Whether they may have been written.
    pub outcome: Outcome,
    /// The topic.
    pub topic: TopicHandle,
    /// The partition, if one was chosen.
    pub partition: Option<u32>,
    /// The records, to be decoded if somebody asks for them.
    pub records: FailedRecords,
}

/// Failed records, kept alive as the batch they were in.
#[derive(Clone, Hash)]
pub struct FailedRecords {
    pub(crate) body: Body,
    pub(crate) codec: Codec,
    pub(crate) base_timestamp: i64,
    /// The place in the batch of the first record of the range that the event names.
    pub(crate) first: u32,
}

impl fmt::Debug for FailedRecords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the payload.
        write!(
            f,
            "FailedRecords({} bytes, {})",
            self.body.len(),
            self.codec.name()
        )
    }
}

/// A record given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedRecord {
    /// Milliseconds since the Unix epoch; −1 is Kafka's "none".
    pub timestamp: i64,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value.
    pub value: Option<Vec<u8>>,
    /// The headers in order.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl FailedRecords {
    /// The record at `position` of the event's range, decoded from the batch.
    /// `None` if there is no such record.
    pub fn record(&self, position: u32) -> Option<OwnedRecord> {
        let mut plain = Vec::new();
        let records = if self.codec == Codec::None {
            self.body.as_slice()
        } else {
            // The machine compressed these bytes itself: there is no bomb to fear.
            compression::decompress(self.codec, &self.body, usize::MAX, &mut plain).ok()?;
            plain.as_slice()
        };
        let index = usize::try_from(self.first.checked_add(position)?).ok()?;
        let record = RecordIter::new(records, self.base_timestamp)
            .nth(index)?
            .ok()?;
        Some(OwnedRecord {
            timestamp: record.timestamp,
            key: record.key.map(Vec::from),
            value: record.value.map(Vec::from),
            headers: record
                .headers
                .map(|header| {
                    (
                        String::from_utf8_lossy(header.key).into_owned(),
                        header.value.map(Vec::from),
                    )
                })
                .collect(),
        })
    }
}

/// Something an operator may want to read. Costs nothing per record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Notice {
    /// A broker found a batch too large; it goes in smaller ones.
    BatchSplit {
        /// The topic.
        topic: Arc<str>,
        /// The partition.
        partition: u32,
        /// How many records it had.
        records: u32,
        /// How many batches it became.
        parts: u32,
    },
    /// A connection carries requests.
    Connected {
        /// Which.
        connection: ConnectionId,
        /// The broker's id, unknown for bootstrap connections.
        broker: Option<i32>,
        /// Host and port.
        address: Arc<str>,
    },
    /// Acknowledged records of a partition may have been lost by the cluster, or an unresolved
    /// batch was given up: its sequence gap is real.
    DataLossSuspected {
        /// The topic.
        topic: Arc<str>,
        /// The partition.
        partition: u32,
    },
    /// A connection ended, or could not be made.
    Disconnected {
        /// Which.
        connection: ConnectionId,
        /// The broker's id, unknown for bootstrap connections.
        broker: Option<i32>,
        /// Host and port.
        address: Arc<str>,
        /// Why.
        reason: DisconnectReason,
    },
    /// The producer goes on under a new epoch (KIP-360) or a new id.
    EpochBumped {
        /// The producer id.
        producer_id: i64,
        /// The epoch from now on.
        producer_epoch: i16,
    },
    /// The producer can do nothing more.
    Fatal(FatalError),
    /// The cluster was asked, and has answered.
    MetadataRefreshed {
        /// How many brokers it named.
        brokers: u32,
        /// How many topics are known.
        topics: u32,
    },
    /// A batch will be sent again.
    Retrying {
        /// The topic.
        topic: Arc<str>,
        /// The partition.
        partition: u32,
        /// How often it has been tried.
        attempts: u32,
        /// The broker's answer, or NETWORK_EXCEPTION for a lost connection.
        error: ErrorCode,
    },
}

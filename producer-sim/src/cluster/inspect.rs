//! What tests look at: logs as records, their ends, leaders, counts.

use bytes::Bytes;
use kafka_producer_proto::Uuid;
use kafka_producer_proto::batch::{BatchHeader, RecordIter};
use kafka_producer_proto::compression::{self, Codec};

use super::log::Entry;
use super::topic::Partition;
use super::{BrokerId, Cluster};

/// A record in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    /// Its offset.
    pub offset: i64,
    /// Milliseconds since the Unix epoch, the broker's where the topic says so.
    pub timestamp: i64,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value.
    pub value: Option<Vec<u8>>,
    /// The headers in order; keys are bytes because no broker checks that they are text.
    pub headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    /// The producer's id, −1 without idempotence.
    pub producer_id: i64,
    /// Its epoch, −1 without idempotence.
    pub producer_epoch: i16,
    /// The record's sequence, −1 without idempotence.
    pub sequence: i32,
}

/// A batch that was appended, whatever became of it later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBatch {
    /// The topic's id.
    pub topic_id: Uuid,
    /// Its name.
    pub topic: String,
    /// The partition.
    pub partition: u32,
    /// The offset of the first record.
    pub base_offset: i64,
    /// The batch as it was sent.
    pub bytes: Bytes,
}

/// How much a partition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionCount {
    /// The partition.
    pub partition: u32,
    /// How many records were written: those that retention dropped as well.
    pub written: i64,
    /// The first offset that is still there.
    pub log_start: i64,
    /// The offset of the next record.
    pub log_end: i64,
}

impl StoredBatch {
    /// Its records.
    pub fn records(&self) -> Vec<StoredRecord> {
        records_of(&self.bytes, self.base_offset)
    }
}

impl Cluster {
    /// The records of a partition, those included that are not replicated yet.
    pub fn records(&self, topic: &str, partition: u32) -> Vec<StoredRecord> {
        let entries = self.entries(topic, partition);
        entries
            .flat_map(|entry| records_of(entry.batch(), entry.base_offset))
            .collect()
    }

    /// The offset of the next record of a partition.
    pub fn end_offset(&self, topic: &str, partition: u32) -> Option<i64> {
        Some(self.partition(topic, partition)?.log.end())
    }

    /// The first offset that is still there.
    pub fn start_offset(&self, topic: &str, partition: u32) -> Option<i64> {
        Some(self.partition(topic, partition)?.log.start())
    }

    /// The end of what is replicated.
    pub fn high_watermark(&self, topic: &str, partition: u32) -> Option<i64> {
        Some(self.partition(topic, partition)?.log.high_watermark())
    }

    /// The broker that leads a partition.
    pub fn leader(&self, topic: &str, partition: u32) -> Option<BrokerId> {
        self.partition(topic, partition)?.leadership.leader
    }

    /// How many partitions a topic has.
    pub fn partition_count(&self, topic: &str) -> Option<u32> {
        u32::try_from(self.topics.get(topic)?.partitions.len()).ok()
    }

    /// The id of a topic.
    pub fn topic_id(&self, topic: &str) -> Option<Uuid> {
        Some(self.topics.get(topic)?.id)
    }

    /// The names of all topics in order.
    pub fn topics(&self) -> impl Iterator<Item = &str> {
        self.topics.keys().map(String::as_str)
    }

    /// How much each partition of a topic holds.
    pub fn counts(&self, topic: &str) -> Vec<PartitionCount> {
        let partitions = self
            .topics
            .get(topic)
            .map_or(&[][..], |topic| &topic.partitions);
        let count = |(partition, found): (u32, &Partition)| PartitionCount {
            partition,
            written: found.log.end(),
            log_start: found.log.start(),
            log_end: found.log.end(),
        };
        (0..).zip(partitions).map(count).collect()
    }

    /// How many bytes all logs hold together.
    pub const fn stored_bytes(&self) -> usize {
        self.stored_bytes
    }

    /// Every append since `keep_history`, oldest first.
    pub fn history(&self) -> &[StoredBatch] {
        self.history.as_deref().unwrap_or_default()
    }

    fn entries(&self, topic: &str, partition: u32) -> impl Iterator<Item = &Entry> {
        self.partition(topic, partition)
            .into_iter()
            .flat_map(|found| found.log.entries())
    }

    fn partition(&self, topic: &str, partition: u32) -> Option<&Partition> {
        self.topics
            .get(topic)?
            .partition(i32::try_from(partition).ok()?)
    }
}

/// The records of a batch that was found sound before it was stored.
pub(crate) fn records_of(batch: &Bytes, base_offset: i64) -> Vec<StoredRecord> {
    let Ok((header, records, _)) = BatchHeader::parse(batch) else {
        return Vec::new();
    };
    let mut plain = Vec::new();
    let records = match header.attributes.codec() {
        Ok(Codec::None) | Err(_) => records,
        Ok(codec) => match compression::decompress(codec, records, usize::MAX, &mut plain) {
            Ok(()) => plain.as_slice(),
            Err(_) => return Vec::new(),
        },
    };
    let iter = RecordIter::new(records, header.base_timestamp).flatten();
    iter.map(|record| StoredRecord {
        offset: base_offset + i64::from(record.offset_delta),
        timestamp: record.timestamp,
        key: record.key.map(Vec::from),
        value: record.value.map(Vec::from),
        headers: record
            .headers
            .map(|header| (header.key.to_vec(), header.value.map(Vec::from)))
            .collect(),
        producer_id: header.producer_id,
        producer_epoch: header.producer_epoch,
        sequence: match header.base_sequence {
            -1 => -1,
            base => base.wrapping_add(record.offset_delta) & i32::MAX,
        },
    })
    .collect()
}

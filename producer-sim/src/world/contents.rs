//! What is in a frame: the records of a request, and what an answer proves about them.
//!
//! The parser is not the one that the producer writes with, so that both would have to be wrong.

use std::collections::BTreeMap;

use bytes::Bytes;
use kafka_producer_proto::batch::{BatchHeader, HEADER_LEN, RecordIter};
use kafka_producer_proto::compression::{self, Codec};
use kafka_producer_proto::messages::ProduceRequest;
use kafka_producer_proto::{ErrorCode, Uuid};

use super::goals::Goal;
use super::ledger::{Identity, Ledger, MARK, RecordId, id_from};

/// A partition as a request names it.
pub(crate) type Place = (String, Uuid, i32);

/// The records of a batch, each with the identity under which it was sent.
pub(crate) type Sent = Vec<(RecordId, Identity)>;

/// What an answer says about its attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Ambiguous,
    NotWritten,
    Written,
}

/// Which records a request carries, by partition.
pub(crate) fn batches_of(ledger: &mut Ledger, request: ProduceRequest) -> BTreeMap<Place, Sent> {
    let mut batches = BTreeMap::new();
    for topic in request.topic_data {
        for partition in topic.partition_data {
            let place = (topic.name.clone(), topic.topic_id, partition.index);
            match partition.records.as_deref().and_then(records_of) {
                Some(records) => {
                    if batches.insert(place, records).is_some() {
                        ledger.violate("D4: a partition stands twice in a request".into());
                    }
                }
                None => ledger.violate("D4: a batch of the producer cannot be parsed".into()),
            }
        }
    }
    batches
}

pub(crate) fn sizes_of(request: &ProduceRequest) -> Vec<usize> {
    let partitions = request
        .topic_data
        .iter()
        .flat_map(|topic| &topic.partition_data);
    let records = partitions.filter_map(|partition| partition.records.as_ref());
    records.map(Bytes::len).collect()
}

/// How large the largest batch of several records is before compression, header included.
pub(crate) fn largest_plain(request: &ProduceRequest) -> usize {
    let partitions = request
        .topic_data
        .iter()
        .flat_map(|topic| &topic.partition_data);
    let batches = partitions.filter_map(|partition| partition.records.as_deref());
    batches.filter_map(plain_size).max().unwrap_or_default()
}

/// The size of a batch of several records before compression.
fn plain_size(batch: &[u8]) -> Option<usize> {
    let (header, records, _) = BatchHeader::parse(batch).ok()?;
    let mut plain = Vec::new();
    compression::decompress(
        header.attributes.codec().ok()?,
        records,
        usize::MAX,
        &mut plain,
    )
    .ok()?;
    (1 < header.count).then_some(HEADER_LEN + plain.len())
}

/// The records of each batch, if none of them was ever sent before.
pub(crate) fn first_attempts(
    ledger: &Ledger,
    batches: &BTreeMap<Place, Sent>,
) -> Vec<Vec<RecordId>> {
    let ids = |records: &Sent| records.iter().map(|&(id, _)| id).collect::<Vec<_>>();
    let batches: Vec<Vec<RecordId>> = batches.values().map(ids).collect();
    let mut records = batches.iter().flatten();
    if records.any(|&id| ledger.entry(id).place.is_some()) {
        return Vec::new();
    }
    batches
}

/// The records of a batch, as the producer sent it.
fn records_of(batch: &[u8]) -> Option<Sent> {
    let (header, records, rest) = BatchHeader::parse(batch).ok()?;
    if !rest.is_empty() {
        return None;
    }
    let mut plain = Vec::new();
    let records = match header.attributes.codec().ok()? {
        Codec::None => records,
        codec => {
            compression::decompress(codec, records, usize::MAX, &mut plain).ok()?;
            plain.as_slice()
        }
    };
    let (producer_id, base) = (header.producer_id, header.base_sequence);
    let iter = RecordIter::new(records, header.base_timestamp);
    iter.map(|record| {
        let record = record.ok()?;
        let mut marks = record
            .headers
            .filter(|header| header.key == MARK.as_bytes());
        let mark = marks.next()?.value?;
        let identity = Identity {
            producer_id,
            epoch: header.producer_epoch,
            // One below zero is kept, for it is wrong.
            sequence: if 0 <= producer_id && base < 0 {
                base
            } else {
                base.wrapping_add(record.offset_delta) & i32::MAX
            },
        };
        Some((id_from(mark)?, identity))
    })
    .collect()
}

/// The truth table: which code proves what about the attempt that it answers.
pub(crate) fn verdict(code: ErrorCode) -> Verdict {
    match code.0 {
        0 | 46 => Verdict::Written,
        2 | 10 | 17 | 18 | 19 | 21 | 29 | 31 | 32 | 42 | 43 | 45 | 47 | 48 | 49 | 53 | 59 | 76
        | 87 | 90 | 120 => Verdict::NotWritten,
        _ => Verdict::Ambiguous,
    }
}

/// Whether a batch of several records goes again in smaller ones.
pub(crate) const fn is_splittable(code: ErrorCode) -> bool {
    code.0 == 10
}

/// Whether no other attempt can end better: the record ends with this answer.
pub(crate) const fn is_final(code: ErrorCode) -> bool {
    matches!(code.0, 10 | 17 | 18 | 29 | 32 | 87)
}

pub(crate) fn note_goals(ledger: &mut Ledger, code: ErrorCode, base_offset: i64) {
    let goal = match code.0 {
        10 => Goal::TooLargeForTopic,
        45 | 59 => Goal::OutOfSequence,
        0 => return,
        _ if 0 <= base_offset => Goal::DoubtAfterAppend,
        _ => return,
    };
    ledger.goals.reach(goal);
}

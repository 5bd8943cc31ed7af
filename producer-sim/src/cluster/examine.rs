//! Judges a partition's record section as far as that needs no cluster (checks C5 and C8), so that
//! checksums and decompression run outside the cluster's lock.
//!
//! The findings are kept apart by the stage at which a broker would meet them, because the order
//! of checks is visible to clients: a batch with a false checksum for a partition that has moved is
//! answered NOT_LEADER_OR_FOLLOWER, not CORRUPT_MESSAGE.

use bytes::Bytes;
use kafka_producer_proto::ErrorCode;
use kafka_producer_proto::batch::{self, BatchHeader, RecordIter};
use kafka_producer_proto::compression::{self, Codec};

/// What was found in place of a record batch, or the batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    /// No bytes at all, not even none of them.
    Null,
    /// Not exactly one batch of format 2.
    Malformed {
        error: ErrorCode,
        message: Option<String>,
    },
    /// One batch, sound or not.
    Batch(Batch),
}

/// One batch as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) bytes: Bytes,
    pub(crate) header: BatchHeader,
    /// What the records hold, or why they are refused.
    pub(crate) content: Result<Content, ErrorCode>,
}

/// What the checks that need a topic's settings ask of the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    /// The earliest timestamp other than "none".
    pub(crate) earliest: Option<i64>,
    /// The latest timestamp.
    pub(crate) latest: i64,
    pub(crate) keys: Keys,
}

/// Whether every record has a key, as compaction needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keys {
    Everywhere,
    SomeMissing,
}

impl Section {
    /// Examines the bytes of one partition of a Produce request.
    pub(crate) fn examine(records: Option<Bytes>) -> Self {
        let Some(bytes) = records else {
            return Self::Null;
        };
        let len = match first_batch_len(&bytes) {
            Ok(Some(len)) => len,
            Ok(None) => return Self::malformed(ErrorCode::INVALID_RECORD, None),
            Err(message) => return Self::malformed(ErrorCode::CORRUPT_MESSAGE, Some(message)),
        };
        // Kafka walks the whole section before it looks at the first batch more closely.
        match first_batch_len(&bytes[len..]) {
            Ok(None) => {}
            Ok(Some(_)) => return Self::malformed(ErrorCode::INVALID_RECORD, None),
            Err(message) => return Self::malformed(ErrorCode::CORRUPT_MESSAGE, Some(message)),
        }
        if bytes[MAGIC] != 2 {
            return Self::malformed(ErrorCode::INVALID_RECORD, None);
        }
        let bytes = bytes.slice(..len);
        let Ok((header, records, _)) = BatchHeader::parse(&bytes) else {
            return Self::malformed(ErrorCode::CORRUPT_MESSAGE, None);
        };
        let content = examine_content(&bytes, &header, records);
        Self::Batch(Batch {
            bytes,
            header,
            content,
        })
    }

    const fn malformed(error: ErrorCode, message: Option<String>) -> Self {
        Self::Malformed { error, message }
    }
}

impl Batch {
    /// The places of the records for which `is_bad` holds, for a refusal's record errors.
    pub(crate) fn places_of(&self, is_bad: impl Fn(&batch::RecordRef<'_>) -> bool) -> Vec<i32> {
        let Ok((header, records, _)) = BatchHeader::parse(&self.bytes) else {
            return Vec::new();
        };
        let mut plain = Vec::new();
        let Ok(records) = decompressed(&header, records, &mut plain) else {
            return Vec::new();
        };
        (0..)
            .zip(RecordIter::new(records, header.base_timestamp).flatten())
            .filter(|(_, record)| is_bad(record))
            .map(|(place, _)| place)
            .collect()
    }
}

/// The length of the batch that `bytes` begin with, `None` if they hold no whole one
/// (Kafka's `ByteBufferLogInputStream`).
fn first_batch_len(bytes: &[u8]) -> Result<Option<usize>, String> {
    let Some(&[_, _, _, _, _, _, _, _, a, b, c, d]) = bytes.first_chunk::<LENGTH_END>() else {
        return Ok(None);
    };
    let length = i32::from_be_bytes([a, b, c, d]);
    if length < SMALLEST_LENGTH {
        return Err(format!(
            "Record size {length} is less than the minimum record overhead ({SMALLEST_LENGTH})"
        ));
    }
    let Some(&magic) = bytes.get(MAGIC) else {
        return Ok(None);
    };
    if 2 < magic {
        return Err(format!(
            "Invalid magic found in record: {}",
            magic.cast_signed()
        ));
    }
    let whole = usize::try_from(length)
        .unwrap_or(usize::MAX)
        .saturating_add(LENGTH_END);
    Ok((whole <= bytes.len()).then_some(whole))
}

/// C8 without what depends on the topic: checksum, counts, kind, decompression, every record.
fn examine_content(
    bytes: &[u8],
    header: &BatchHeader,
    records: &[u8],
) -> Result<Content, ErrorCode> {
    if batch::verify_crc(bytes).is_err() {
        return Err(ErrorCode::CORRUPT_MESSAGE);
    }
    let counted = header.last_offset_delta.checked_add(1);
    if header.count <= 0 || counted != Some(header.count) || header.attributes.is_control() {
        return Err(ErrorCode::INVALID_RECORD);
    }
    if 0 <= header.producer_id && header.base_sequence < 0 {
        return Err(ErrorCode::INVALID_RECORD);
    }

    let mut plain = Vec::new();
    let records = decompressed(header, records, &mut plain)?;
    let is_compressed = header.attributes.codec() != Ok(Codec::None);
    let mut content = Content {
        earliest: None,
        latest: NO_TIMESTAMP,
        keys: Keys::Everywhere,
    };
    let mut iter = RecordIter::new(records, header.base_timestamp);
    let mut found = 0;
    for record in iter.by_ref() {
        let record = record.map_err(|_| ErrorCode::INVALID_RECORD)?;
        // Uncompressed, such deltas are stored as they were sent; Kafka does so too.
        if is_compressed && record.offset_delta != found {
            return Err(ErrorCode::UNKNOWN_SERVER_ERROR);
        }
        content.add(&record);
        found += 1;
    }
    if found != header.count {
        return Err(ErrorCode::INVALID_RECORD);
    }
    Ok(content)
}

impl Content {
    fn add(&mut self, record: &batch::RecordRef<'_>) {
        if record.timestamp != NO_TIMESTAMP {
            let earliest = self.earliest.unwrap_or(record.timestamp);
            self.earliest = Some(earliest.min(record.timestamp));
        }
        self.latest = self.latest.max(record.timestamp);
        if record.key.is_none() {
            self.keys = Keys::SomeMissing;
        }
    }
}

/// The records section without compression.
/// The exception that Kafka throws here has no error code of its own: it comes as -1.
fn decompressed<'a>(
    header: &BatchHeader,
    records: &'a [u8],
    plain: &'a mut Vec<u8>,
) -> Result<&'a [u8], ErrorCode> {
    match header.attributes.codec() {
        Err(_) => Err(ErrorCode::UNKNOWN_SERVER_ERROR),
        Ok(Codec::None) => Ok(records),
        Ok(codec) => compression::decompress(codec, records, LARGEST_PLAIN, plain)
            .map(|()| plain.as_slice())
            .map_err(|_| ErrorCode::UNKNOWN_SERVER_ERROR),
    }
}

/// What a record carries that has no timestamp.
pub(crate) const NO_TIMESTAMP: i64 = -1;

/// Where a batch's magic stands.
const MAGIC: usize = 16;
/// Where a batch's length ends, from which it counts.
const LENGTH_END: usize = 12;
/// The length of the smallest message that any format ever had.
const SMALLEST_LENGTH: i32 = 14;
/// More than this out of one batch is taken for a decompression bomb. Kafka has no such limit.
const LARGEST_PLAIN: usize = 256 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::testing::{batch, corrupt, resealed};

    fn examine(bytes: Vec<u8>) -> Section {
        Section::examine(Some(Bytes::from(bytes)))
    }

    fn error_of(bytes: Vec<u8>) -> ErrorCode {
        match examine(bytes) {
            Section::Malformed { error, .. } => error,
            Section::Batch(batch) => batch.content.err().unwrap_or(ErrorCode::NONE),
            Section::Null => panic!("not null"),
        }
    }

    #[test]
    fn c5_a_section_without_exactly_one_batch_is_an_invalid_record() {
        assert_eq!(error_of(Vec::new()), ErrorCode::INVALID_RECORD);
        let whole = batch(2);
        assert_eq!(
            error_of(whole[..whole.len() - 1].to_vec()),
            ErrorCode::INVALID_RECORD
        );
        assert_eq!(
            error_of([whole.clone(), whole].concat()),
            ErrorCode::INVALID_RECORD
        );
        assert_eq!(Section::examine(None), Section::Null);
    }

    #[test]
    fn c5_an_older_magic_is_an_invalid_record_and_a_newer_one_is_corrupt() {
        assert_eq!(
            error_of(corrupt(batch(1), 16, 1)),
            ErrorCode::INVALID_RECORD
        );
        assert_eq!(
            error_of(corrupt(batch(1), 16, 3)),
            ErrorCode::CORRUPT_MESSAGE
        );
        let Section::Malformed { message, .. } = examine(corrupt(batch(1), 16, 3)) else {
            panic!("magic 3 was taken");
        };
        assert_eq!(message.unwrap(), "Invalid magic found in record: 3");
    }

    #[test]
    fn c5_a_length_below_fourteen_is_corrupt() {
        let mut short = batch(1);
        short[8..12].copy_from_slice(&10_i32.to_be_bytes());
        let Section::Malformed { error, message } = examine(short) else {
            panic!("length 10 was taken");
        };
        assert_eq!(error, ErrorCode::CORRUPT_MESSAGE);
        assert_eq!(
            message.unwrap(),
            "Record size 10 is less than the minimum record overhead (14)"
        );
    }

    #[test]
    fn c5_three_bytes_after_the_batch_are_ignored_and_a_hundred_zeros_are_corrupt() {
        let mut followed = batch(1);
        followed.extend_from_slice(&[0; 3]);
        assert_eq!(error_of(followed.clone()), ErrorCode::NONE);
        followed.extend_from_slice(&[0; 97]);
        assert_eq!(error_of(followed), ErrorCode::CORRUPT_MESSAGE);
    }

    #[test]
    fn c8_a_false_checksum_is_corrupt() {
        let last = batch(1).len() - 1;
        assert_eq!(
            error_of(corrupt(batch(1), last, 0xff)),
            ErrorCode::CORRUPT_MESSAGE
        );
    }

    #[test]
    fn c8_counts_must_agree_with_each_other_and_with_the_records() {
        let refused = |change: fn(&mut BatchHeader)| error_of(resealed(batch(2), change));
        assert_eq!(
            refused(|header| header.count = 3),
            ErrorCode::INVALID_RECORD
        );
        assert_eq!(
            refused(|header| header.last_offset_delta = 5),
            ErrorCode::INVALID_RECORD
        );
        assert_eq!(
            refused(|header| (header.count, header.last_offset_delta) = (3, 2)),
            ErrorCode::INVALID_RECORD
        );
        assert_eq!(
            refused(|header| (header.count, header.last_offset_delta) = (0, -1)),
            ErrorCode::INVALID_RECORD
        );
    }

    #[test]
    fn c8_a_client_may_not_write_control_batches_nor_sequences_below_zero() {
        let refused = |change: fn(&mut BatchHeader)| error_of(resealed(batch(2), change));
        assert_eq!(
            refused(|header| header.attributes = header.attributes.with_control()),
            ErrorCode::INVALID_RECORD
        );
        assert_eq!(
            refused(|header| (header.producer_id, header.base_sequence) = (7, -1)),
            ErrorCode::INVALID_RECORD
        );
    }

    #[test]
    fn c8_what_cannot_be_decompressed_has_no_code_of_its_own() {
        let refused = |change: fn(&mut BatchHeader)| error_of(resealed(batch(2), change));
        let lz4 = |header: &mut BatchHeader| {
            header.attributes = header.attributes.with_codec(Codec::Lz4);
        };
        assert_eq!(refused(lz4), ErrorCode::UNKNOWN_SERVER_ERROR);
        assert_eq!(
            refused(|header| header.attributes.0 = 5),
            ErrorCode::UNKNOWN_SERVER_ERROR
        );
    }

    #[test]
    fn unused_attribute_bits_and_an_epoch_without_an_id_are_accepted() {
        let accepted = |change: fn(&mut BatchHeader)| error_of(resealed(batch(2), change));
        assert_eq!(
            accepted(|header| header.attributes.0 = 0xc0),
            ErrorCode::NONE
        );
        assert_eq!(
            accepted(|header| header.producer_epoch = 3),
            ErrorCode::NONE
        );
        assert_eq!(accepted(|header| header.base_sequence = 3), ErrorCode::NONE);
    }
}

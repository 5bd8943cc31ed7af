//! The 61 bytes in front of a batch's records (`DefaultRecordBatch`, KIP-98).
//!
//! ```text
//!  0  base offset       8     21  attributes         2     43  producer id      8
//!  8  batch length      4     23  last offset delta  4     51  producer epoch   2
//! 12  leader epoch      4     27  base timestamp     8     53  base sequence    4
//! 16  magic = 2         1     35  max timestamp      8     57  records count    4
//! 17  crc-32c           4         ▲ the checksum covers everything from 21 on
//! ```
//!
//! A broker sets offset and leader epoch without touching the checksum; a producer that changes id,
//! epoch or sequence has to seal the batch again.

use super::{BatchError, HEADER_LEN};
use crate::compression::Codec;
use crate::crc::crc32c;

/// The header of a record batch. The batch length is not a field: it follows from the records.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BatchHeader {
    /// Offset of the first record; a producer sends 0.
    pub base_offset: i64,
    /// Epoch of the leader that appended the batch; a producer sends −1.
    pub partition_leader_epoch: i32,
    /// Checksum as read; [`seal`] sets it on the way out, whatever stands here.
    pub crc: u32,
    /// Codec, kind of timestamps, transaction.
    pub attributes: Attributes,
    /// Records count − 1.
    pub last_offset_delta: i32,
    /// Timestamp of the first record, to which those of the records are relative.
    pub base_timestamp: i64,
    /// Largest timestamp of a record.
    pub max_timestamp: i64,
    /// Producer id, −1 without idempotence.
    pub producer_id: i64,
    /// Producer epoch, −1 without idempotence.
    pub producer_epoch: i16,
    /// Sequence of the first record, −1 without idempotence.
    pub base_sequence: i32,
    /// How many records there are.
    pub count: i32,
}

/// The attribute bits of a batch.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Attributes(pub i16);

/// Whose clock the timestamps of a batch come from.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum TimestampType {
    /// The producer's.
    CreateTime,
    /// The broker's, at the time of appending.
    LogAppendTime,
}

/// A batch and what follows it.
struct Parts<'a> {
    header: &'a [u8; HEADER_LEN],
    records: &'a [u8],
    rest: &'a [u8],
}

impl BatchHeader {
    /// The header of a batch without producer id: offset 0, no leader epoch, uncompressed.
    #[must_use]
    pub const fn plain(count: u32, base_timestamp: i64, max_timestamp: i64) -> Self {
        Self {
            base_offset: 0,
            partition_leader_epoch: -1,
            crc: 0,
            attributes: Attributes(0),
            last_offset_delta: count as i32 - 1,
            base_timestamp,
            max_timestamp,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            count: count as i32,
        }
    }

    /// Takes the first batch off `bytes`: its header, its records section, and what follows it.
    ///
    /// Neither the checksum nor the records are looked at; see [`verify_crc`] and
    /// [`RecordIter`](super::RecordIter).
    ///
    /// # Errors
    ///
    /// The batch is cut short, its length does not cover its header, or its magic is not 2.
    pub fn parse(bytes: &[u8]) -> Result<(Self, &[u8], &[u8]), BatchError> {
        let Parts {
            header,
            records,
            rest,
        } = split(bytes)?;

        let header = Self {
            base_offset: i64::from_be_bytes(field(header, 0)),
            partition_leader_epoch: i32::from_be_bytes(field(header, 12)),
            crc: u32::from_be_bytes(field(header, CRC)),
            attributes: Attributes(i16::from_be_bytes(field(header, COVERED))),
            last_offset_delta: i32::from_be_bytes(field(header, 23)),
            base_timestamp: i64::from_be_bytes(field(header, 27)),
            max_timestamp: i64::from_be_bytes(field(header, 35)),
            producer_id: i64::from_be_bytes(field(header, 43)),
            producer_epoch: i16::from_be_bytes(field(header, 51)),
            base_sequence: i32::from_be_bytes(field(header, 53)),
            count: i32::from_be_bytes(field(header, 57)),
        };

        Ok((header, records, rest))
    }

    /// Writes the header for `records_len` bytes of records, with 0 for the checksum.
    ///
    /// [`seal`] has to follow before the bytes may leave; it is apart because it reads every byte
    /// of the records, which nobody wants to do while holding a lock.
    pub fn write_unchecked_crc(&self, records_len: usize, out: &mut [u8; HEADER_LEN]) {
        let batch_length = (HEADER_LEN - LENGTH_COUNTS_FROM + records_len) as i32;

        put(out, 0, self.base_offset.to_be_bytes());
        put(out, 8, batch_length.to_be_bytes());
        put(out, 12, self.partition_leader_epoch.to_be_bytes());
        put(out, 16, MAGIC.to_be_bytes());
        put(out, CRC, 0_u32.to_be_bytes());
        put(out, COVERED, self.attributes.0.to_be_bytes());
        put(out, 23, self.last_offset_delta.to_be_bytes());
        put(out, 27, self.base_timestamp.to_be_bytes());
        put(out, 35, self.max_timestamp.to_be_bytes());
        put(out, 43, self.producer_id.to_be_bytes());
        put(out, 51, self.producer_epoch.to_be_bytes());
        put(out, 53, self.base_sequence.to_be_bytes());
        put(out, 57, self.count.to_be_bytes());
    }
}

impl Attributes {
    /// The codec, or the id that Kafka has none for.
    ///
    /// # Errors
    ///
    /// The id, 5 to 7.
    pub const fn codec(self) -> Result<Codec, u8> {
        let id = (self.0 & CODEC_BITS) as u8;
        match Codec::from_id(id) {
            Some(codec) => Ok(codec),
            None => Err(id),
        }
    }

    /// Whose clock the timestamps come from.
    #[must_use]
    pub const fn timestamp_type(self) -> TimestampType {
        match self.0 & LOG_APPEND_TIME_BIT {
            0 => TimestampType::CreateTime,
            _ => TimestampType::LogAppendTime,
        }
    }

    /// Whether the batch is part of a transaction.
    #[must_use]
    pub const fn is_transactional(self) -> bool {
        self.0 & TRANSACTIONAL_BIT != 0
    }

    /// Whether the batch is a marker that the broker wrote.
    #[must_use]
    pub const fn is_control(self) -> bool {
        self.0 & CONTROL_BIT != 0
    }

    /// The same with this codec.
    #[must_use]
    pub const fn with_codec(self, codec: Codec) -> Self {
        Self(self.0 & !CODEC_BITS | codec.id() as i16)
    }

    /// The same with timestamps of this type.
    #[must_use]
    pub const fn with_timestamp_type(self, timestamp_type: TimestampType) -> Self {
        match timestamp_type {
            TimestampType::CreateTime => Self(self.0 & !LOG_APPEND_TIME_BIT),
            TimestampType::LogAppendTime => Self(self.0 | LOG_APPEND_TIME_BIT),
        }
    }

    /// The same as part of a transaction.
    #[must_use]
    pub const fn with_transactional(self) -> Self {
        Self(self.0 | TRANSACTIONAL_BIT)
    }

    /// The same as a marker of the broker.
    #[must_use]
    pub const fn with_control(self) -> Self {
        Self(self.0 | CONTROL_BIT)
    }
}

/// Computes the checksum over header and records as they will leave, and stores it in the header.
pub fn seal(header: &mut [u8; HEADER_LEN], records: &[u8]) {
    let crc = crc32c(crc32c(0, &header[COVERED..]), records);
    put(header, CRC, crc.to_be_bytes());
}

/// Checks the checksum of the first batch in `bytes`.
///
/// # Errors
///
/// The checksum is another one, or there is no whole batch.
pub fn verify_crc(bytes: &[u8]) -> Result<(), BatchError> {
    let Parts {
        header, records, ..
    } = split(bytes)?;

    let stored = u32::from_be_bytes(field(header, CRC));
    let computed = crc32c(crc32c(0, &header[COVERED..]), records);
    if stored != computed {
        return Err(BatchError::Crc { stored, computed });
    }

    Ok(())
}

/// Cuts the first batch off `bytes`, once its length and magic are known to be sound.
fn split(bytes: &[u8]) -> Result<Parts<'_>, BatchError> {
    let Some((header, after)) = bytes.split_first_chunk::<HEADER_LEN>() else {
        return Err(BatchError::Truncated {
            expected: HEADER_LEN,
            found: bytes.len(),
        });
    };
    // Magic first: only with magic 2 do the bytes before it mean what they mean here.
    let magic = i8::from_be_bytes(field(header, 16));
    if magic != MAGIC {
        return Err(BatchError::Magic { found: magic });
    }
    let length = i32::from_be_bytes(field(header, 8));
    let Some(records_len) = usize::try_from(length)
        .ok()
        .and_then(|len| len.checked_sub(HEADER_LEN - LENGTH_COUNTS_FROM))
    else {
        return Err(BatchError::BatchLength { found: length });
    };
    let Some((records, rest)) = after.split_at_checked(records_len) else {
        let expected = HEADER_LEN.saturating_add(records_len);
        return Err(BatchError::Truncated {
            expected,
            found: bytes.len(),
        });
    };

    Ok(Parts {
        header,
        records,
        rest,
    })
}

/// The bytes of one field; the offsets are constants, so that a wrong one fails the first test.
fn field<const N: usize>(header: &[u8; HEADER_LEN], at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&header[at..at + N]);
    bytes
}

fn put<const N: usize>(header: &mut [u8; HEADER_LEN], at: usize, bytes: [u8; N]) {
    header[at..at + N].copy_from_slice(&bytes);
}

const MAGIC: i8 = 2;
/// The batch length counts the bytes after itself.
const LENGTH_COUNTS_FROM: usize = 12;
const CRC: usize = 17;
/// Where the bytes begin that the checksum covers; the attributes stand there.
const COVERED: usize = 21;

const CODEC_BITS: i16 = 0x07;
const LOG_APPEND_TIME_BIT: i16 = 0x08;
const TRANSACTIONAL_BIT: i16 = 0x10;
const CONTROL_BIT: i16 = 0x20;

#[cfg(test)]
mod tests {
    use super::*;

    fn header_of(change: impl FnOnce(&mut [u8; HEADER_LEN])) -> Result<BatchHeader, BatchError> {
        let mut bytes = [0; HEADER_LEN];
        BatchHeader::plain(1, 5, 5).write_unchecked_crc(0, &mut bytes);
        change(&mut bytes);
        BatchHeader::parse(&bytes).map(|(header, _, _)| header)
    }

    #[test]
    fn a_written_header_is_parsed_to_the_same() {
        let header = BatchHeader {
            base_offset: 1,
            partition_leader_epoch: 2,
            crc: 0,
            attributes: Attributes(4),
            last_offset_delta: 5,
            base_timestamp: 6,
            max_timestamp: 7,
            producer_id: 8,
            producer_epoch: 9,
            base_sequence: 10,
            count: 11,
        };
        let mut bytes = [0xff; HEADER_LEN + 3];
        header.write_unchecked_crc(2, bytes.first_chunk_mut().unwrap());

        let parsed = BatchHeader::parse(&bytes);

        assert_eq!(parsed, Ok((header, &[0xff, 0xff][..], &[0xff][..])));
    }

    #[test]
    fn another_magic_is_refused() {
        assert_eq!(
            header_of(|bytes| bytes[16] = 1),
            Err(BatchError::Magic { found: 1 })
        );
        assert_eq!(
            header_of(|bytes| bytes[16] = 0xff),
            Err(BatchError::Magic { found: -1 })
        );
    }

    #[test]
    fn a_length_that_does_not_cover_the_header_is_refused() {
        for found in [48, 0, -1, i32::MIN] {
            let result = header_of(|bytes| put(bytes, 8, found.to_be_bytes()));
            assert_eq!(result, Err(BatchError::BatchLength { found }));
        }
    }

    #[test]
    fn a_length_beyond_the_bytes_is_cut_short() {
        let result = header_of(|bytes| put(bytes, 8, i32::MAX.to_be_bytes()));
        let expected = 12 + i32::MAX as usize;
        assert_eq!(
            result,
            Err(BatchError::Truncated {
                expected,
                found: HEADER_LEN
            })
        );
    }

    #[test]
    fn a_header_that_was_not_sealed_does_not_pass() {
        let mut bytes = [0; HEADER_LEN];
        BatchHeader::plain(1, 5, 5).write_unchecked_crc(0, &mut bytes);
        assert!(matches!(
            verify_crc(&bytes),
            Err(BatchError::Crc { stored: 0, .. })
        ));

        seal(&mut bytes, &[]);
        assert_eq!(verify_crc(&bytes), Ok(()));
    }

    #[test]
    fn offset_and_leader_epoch_are_not_under_the_checksum() {
        let mut bytes = [0; HEADER_LEN];
        BatchHeader::plain(1, 5, 5).write_unchecked_crc(0, &mut bytes);
        seal(&mut bytes, &[]);

        put(&mut bytes, 0, 77_i64.to_be_bytes());
        put(&mut bytes, 12, 3_i32.to_be_bytes());

        assert_eq!(verify_crc(&bytes), Ok(()));
    }

    #[test]
    fn every_attribute_has_its_bit() {
        let attributes = Attributes::default();
        assert_eq!(attributes.with_codec(Codec::Zstd), Attributes(0x04));
        assert_eq!(
            attributes.with_timestamp_type(TimestampType::LogAppendTime),
            Attributes(0x08)
        );
        assert_eq!(attributes.with_transactional(), Attributes(0x10));
        assert_eq!(attributes.with_control(), Attributes(0x20));

        let all = Attributes(-1);
        assert_eq!(all.codec(), Err(7));
        assert_eq!(all.with_codec(Codec::Gzip).codec(), Ok(Codec::Gzip));
        assert_eq!(all.timestamp_type(), TimestampType::LogAppendTime);
        let create_time = all.with_timestamp_type(TimestampType::CreateTime);
        assert_eq!(create_time.timestamp_type(), TimestampType::CreateTime);
        assert!(all.is_transactional() && all.is_control());
        assert!(!attributes.is_transactional() && !attributes.is_control());
    }
}

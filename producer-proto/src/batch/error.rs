//! What can be wrong with the bytes of a record batch.

use super::HEADER_LEN;

/// Bytes that are not a record batch of format 2, or not the one that its header promises.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// The bytes end before the batch does.
    #[error("record batch is cut short: expected {expected} bytes, found {found}")]
    Truncated {
        /// How many bytes the batch takes, or its header if not even that is there.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// The batch length does not even cover the header.
    #[error("batch length must be at least {min}, found {found}", min = HEADER_LEN - 12)]
    BatchLength {
        /// The length as it stands in the batch.
        found: i32,
    },
    /// Another record format.
    #[error("record batch must have magic 2, found {found}")]
    Magic {
        /// The magic as it stands in the batch.
        found: i8,
    },
    /// The bytes are not those that the checksum was computed over.
    #[error("record batch has crc {stored:#010x}, but its bytes give {computed:#010x}")]
    Crc {
        /// The checksum that stands in the batch.
        stored: u32,
        /// The checksum of its bytes.
        computed: u32,
    },
    /// A record whose length is negative, or larger than what is left of the batch.
    #[error("record {record} claims {found} bytes, of {remaining} left in the batch")]
    RecordLength {
        /// Index of the record in its batch.
        record: u32,
        /// The length as it stands in the record.
        found: i32,
        /// Bytes left in the batch.
        remaining: usize,
    },
    /// A field of a record that does not fit the record, or is null where it must not be.
    #[error("record {record} has no valid {field}")]
    Field {
        /// Index of the record in its batch.
        record: u32,
        /// The field.
        field: RecordField,
    },
    /// Bytes of a record after its last field.
    #[error("record {record} has {bytes} bytes after its last header")]
    RecordTail {
        /// Index of the record in its batch.
        record: u32,
        /// How many.
        bytes: usize,
    },
    /// Another number of records than the header promises.
    #[error("record batch must hold {expected} records, found {found}")]
    Count {
        /// The count in the header.
        expected: i32,
        /// The records that are there.
        found: u32,
    },
}

/// The fields of a record, in the order in which they stand.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum RecordField {
    /// Length of the record.
    Length,
    /// Attributes, a byte without meaning so far.
    Attributes,
    /// Difference to the batch's base timestamp.
    TimestampDelta,
    /// Difference to the batch's base offset.
    OffsetDelta,
    /// Key with its length.
    Key,
    /// Value with its length.
    Value,
    /// How many headers follow.
    HeadersCount,
    /// Key of a header, with its length.
    HeaderKey,
    /// Value of a header, with its length.
    HeaderValue,
}

impl core::fmt::Display for RecordField {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Length => "length",
            Self::Attributes => "attributes",
            Self::TimestampDelta => "timestamp delta",
            Self::OffsetDelta => "offset delta",
            Self::Key => "key",
            Self::Value => "value",
            Self::HeadersCount => "headers count",
            Self::HeaderKey => "header key",
            Self::HeaderValue => "header value",
        })
    }
}

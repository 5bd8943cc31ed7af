//! The records of a batch while it is being filled: open, append, close.
//!
//! ```text
//! record  = length  attributes  timestamp Δ  offset Δ  key length  key  value length  value  headers
//! bytes     1 to 5      1         1 to 10      1 to 5    1 to 5           1 to 5
//!           └────────────────── composed in registers, stored at once ──────┘ without a key
//! ```
//!
//! The 61 bytes of the batch's header are not in this buffer. They are written into the request
//! each time the batch goes out, because producer id, epoch and sequence are known only then, while
//! the records never change once they stand here.
//!
//! Appending is the only work done per record on the whole way out, so it is worth its two paths:
//! numbers of up to three bytes are put together in two registers and stored as one block of 16
//! bytes; the rest goes byte by byte.

use alloc::vec::Vec;

use super::record::{self, Header, RecordBody};
use super::{BatchHeader, HEADER_LEN, varint};

/// The records of a batch that is being filled. Pure: no lock, no clock, no allocation of its own.
#[derive(Debug)]
pub struct OpenBatch {
    records: Vec<u8>,
    count: u32,
    base_timestamp: i64,
    max_timestamp: i64,
}

/// The records of a batch that takes no more of them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClosedRecords {
    /// The bytes that follow a batch's header, uncompressed.
    pub records: Vec<u8>,
    /// How many records these are.
    pub count: u32,
    /// Timestamp of the first record.
    pub base_timestamp: i64,
    /// Largest timestamp of a record, not necessarily the last one's.
    pub max_timestamp: i64,
}

/// What has to be known about a record before its first byte can be written.
struct Layout {
    timestamp_delta: u64,
    /// Bytes after the record's length field.
    body: usize,
    /// Bytes in all.
    size: usize,
}

impl OpenBatch {
    /// Opens a batch that fills `buffer`, whose bytes are dropped and whose capacity is kept.
    #[must_use]
    pub fn new(mut buffer: Vec<u8>) -> Self {
        buffer.clear();
        Self {
            records: buffer,
            count: 0,
            base_timestamp: 0,
            max_timestamp: 0,
        }
    }

    /// Appends a record if the whole batch, with its header, then stays within `limit` bytes, and
    /// gives the record's index; an empty batch takes any record.
    ///
    /// The record's [`upper_bound`](RecordBody::upper_bound) must not exceed `i32::MAX`, which
    /// `max.request.size` sees to.
    #[inline]
    pub fn try_append(&mut self, record: &RecordBody<'_>, limit: usize) -> Option<u32> {
        let layout = self.layout(record);
        if self.count != 0 && limit < self.size() + layout.size {
            return None;
        }

        Some(self.write(record, &layout))
    }

    /// Appends a record and gives its index; the buffer grows only if the record does not fit.
    ///
    /// The record's [`upper_bound`](RecordBody::upper_bound) must not exceed `i32::MAX`.
    #[inline]
    pub fn append(&mut self, record: &RecordBody<'_>) -> u32 {
        let layout = self.layout(record);
        self.write(record, &layout)
    }

    /// Goes on in another buffer, usually a larger one, and gives back the one used so far.
    pub fn move_to(&mut self, mut buffer: Vec<u8>) -> Vec<u8> {
        buffer.clear();
        buffer.extend_from_slice(&self.records);
        core::mem::replace(&mut self.records, buffer)
    }

    /// Takes no more records.
    #[must_use]
    pub fn close(self) -> ClosedRecords {
        ClosedRecords {
            records: self.records,
            count: self.count,
            base_timestamp: self.base_timestamp,
            max_timestamp: self.max_timestamp,
        }
    }

    /// The exact number of bytes that this record would add now.
    #[must_use]
    #[inline]
    pub fn size_of(&self, record: &RecordBody<'_>) -> usize {
        self.layout(record).size
    }

    /// How many records there are.
    #[must_use]
    #[inline]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Whether there is no record yet.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes of the records, without the batch's header.
    #[must_use]
    #[inline]
    pub fn records_len(&self) -> usize {
        self.records.len()
    }

    /// Bytes of the batch, with its header.
    #[must_use]
    #[inline]
    pub fn size(&self) -> usize {
        HEADER_LEN + self.records.len()
    }

    /// Bytes that the buffer can hold without growing; the batch's header takes none of them.
    #[must_use]
    #[inline]
    pub fn capacity(&self) -> usize {
        self.records.capacity()
    }

    #[inline]
    fn layout(&self, record: &RecordBody<'_>) -> Layout {
        let timestamp_delta = match self.count {
            0 => 0,
            _ => varint::zigzag(record.timestamp.wrapping_sub(self.base_timestamp)),
        };
        let body = 1
            + varint::len(timestamp_delta)
            + varint::len(self.offset_delta())
            + record::nullable_size(record.key)
            + record::nullable_size(record.value)
            + record::headers_size(record.headers);

        Layout {
            timestamp_delta,
            body,
            size: varint::len(varint::zigzag_length(body)) + body,
        }
    }

    #[inline]
    fn write(&mut self, record: &RecordBody<'_>, layout: &Layout) -> u32 {
        debug_assert!(
            layout.body <= i32::MAX as usize,
            "record larger than the protocol allows"
        );
        let index = self.count;

        if index == 0 {
            self.base_timestamp = record.timestamp;
            self.max_timestamp = record.timestamp;
        }
        self.max_timestamp = self.max_timestamp.max(record.timestamp);

        self.records.reserve(layout.size);
        self.write_plainly(record, layout);
        self.count = index + 1;

        index
    }

    fn write_plainly(&mut self, record: &RecordBody<'_>, layout: &Layout) {
        let offset_delta = self.offset_delta();
        let out = &mut self.records;

        varint::put(out, varint::zigzag_length(layout.body));
        out.push(0);
        varint::put(out, layout.timestamp_delta);
        varint::put(out, offset_delta);
        put_nullable(out, record.key);
        put_nullable(out, record.value);
        put_headers(out, record.headers);
    }

    /// The offset delta of the next record, in zigzag form.
    #[inline]
    fn offset_delta(&self) -> u64 {
        u64::from(self.count) << 1
    }
}

impl ClosedRecords {
    /// The header of these records as a plain producer would send them; id, epoch, sequence and
    /// codec are for the caller to add.
    #[must_use]
    pub fn header(&self) -> BatchHeader {
        BatchHeader::plain(self.count, self.base_timestamp, self.max_timestamp)
    }
}

fn put_nullable(out: &mut Vec<u8>, field: Option<&[u8]>) {
    match field {
        Some(bytes) => {
            varint::put(out, varint::zigzag_length(bytes.len()));
            out.extend_from_slice(bytes);
        }
        None => varint::put(out, varint::NULL),
    }
}

fn put_headers(out: &mut Vec<u8>, headers: &[Header<'_>]) {
    varint::put(out, varint::zigzag_length(headers.len()));
    for header in headers {
        put_nullable(out, Some(header.key.as_bytes()));
        put_nullable(out, header.value);
    }
}

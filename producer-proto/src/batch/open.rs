//! The records of a batch while it is being filled: open, append, close.
//!
//! ```text
//! record = length attributes timestampΔ offsetΔ key-length [key] value-length [value] headers
//! bytes    1 to 5     1        1 to 10   1 to 5    1 to 5          1 to 5
//!          └─────────────────────── one block if the key is null ──────────┘
//! ```
//!
//! The 61 bytes of the batch's header are not in this buffer. They are written into the request
//! each time the batch goes out, because producer id, epoch and sequence are known only then, while
//! the records never change once they stand here.
//!
//! Appending is the only work done per record on the whole way out, so it has a fast path: numbers
//! and lengths of up to three bytes are put together in registers and stored as one block of 16
//! bytes, of which what the record does not need is cut off again; what rarely changes from one
//! record to the next (timestamp delta, width of the offset delta) is kept put together. A record
//! with a larger number, or shorter than the block, is written byte by byte.

use alloc::vec::Vec;

use super::record::{self, Header, RecordBody};
use super::varint::{self, PACKABLE, Packed};
use super::{BatchHeader, HEADER_LEN};

/// The records of a batch that is being filled. Pure: no lock, no clock, no allocation of its own.
#[derive(Debug, Hash)]
pub struct OpenBatch {
    records: Vec<u8>,
    count: u32,
    base_timestamp: i64,
    max_timestamp: i64,
    /// The last record's timestamp, which is likely to be the next one's too.
    timestamp: i64,
    /// Attributes and timestamp delta of a record with that timestamp; [`UNPACKABLE`] if this or
    /// the offset delta takes too many bytes.
    timestamp_delta: Packed,
    /// Offset delta of the next record.
    offset_delta: Packed,
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

/// A record's numbers, put together before its first byte is written.
struct PackedRecord {
    /// Length, attributes and timestamp delta: three to seven bytes.
    front: Packed,
    /// Offset delta, length of the key and, of a record that is but a value, its length.
    back: Packed,
    /// Bytes of both.
    block_len: usize,
    /// Bytes of the whole record.
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
            // Were a record to come with this very timestamp, everything here would be true of it;
            // any other one sets the base.
            base_timestamp: i64::MIN,
            max_timestamp: i64::MIN,
            timestamp: i64::MIN,
            timestamp_delta: ATTRIBUTES.then(Packed::number(0)),
            offset_delta: Packed::number(0),
        }
    }

    /// Appends a record if the whole batch, with its header, then stays within `limit` bytes, and
    /// gives the record's index; an empty batch takes any record.
    ///
    /// The record's [`upper_bound`](RecordBody::upper_bound) must not exceed `i32::MAX`, which
    /// `max.request.size` sees to.
    #[inline]
    pub fn try_append(&mut self, record: &RecordBody<'_>, limit: usize) -> Option<u32> {
        let RecordBody {
            timestamp,
            key: None,
            value: Some(value),
            headers: [],
        } = *record
        else {
            return self.try_append_any(record, limit);
        };
        let Some(packed) = self.pack_value(value) else {
            return self.try_append_any(record, limit);
        };
        if timestamp != self.timestamp {
            return self.try_append_any(record, limit);
        }
        if !self.fits(packed.size, limit) {
            return None;
        }

        Some(self.write_value(value, &packed))
    }

    /// Appends a record and gives its index; the buffer grows only if the record does not fit.
    ///
    /// The record's [`upper_bound`](RecordBody::upper_bound) must not exceed `i32::MAX`.
    pub fn append(&mut self, record: &RecordBody<'_>) -> u32 {
        self.try_append_any(record, usize::MAX)
            .expect("nothing is larger than the largest limit")
    }

    /// Goes on in another buffer, usually a larger one, and gives back the one used so far.
    pub fn move_to(&mut self, mut buffer: Vec<u8>) -> Vec<u8> {
        buffer.clear();
        buffer.extend_from_slice(&self.records);
        core::mem::replace(&mut self.records, buffer)
    }

    /// Takes no more records. An empty batch has no timestamps, which is −1.
    #[must_use]
    pub fn close(self) -> ClosedRecords {
        let (base_timestamp, max_timestamp) = match self.count {
            0 => (-1, -1),
            _ => (self.base_timestamp, self.max_timestamp),
        };

        ClosedRecords {
            records: self.records,
            count: self.count,
            base_timestamp,
            max_timestamp,
        }
    }

    /// The exact number of bytes that this record would add now.
    #[must_use]
    pub fn size_of(&self, record: &RecordBody<'_>) -> usize {
        with_length(self.body_len(record))
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

    /// What `try_append` does for records with a key or headers, and for unusual ones.
    #[inline(never)]
    fn try_append_any(&mut self, record: &RecordBody<'_>, limit: usize) -> Option<u32> {
        if record.timestamp != self.timestamp {
            // A record that does not fit must leave no trace, so the size comes first.
            if !self.fits(self.size_of(record), limit) {
                return None;
            }
            self.turn_to(record.timestamp);
        }

        if let Some(packed) = self.pack(record) {
            if !self.fits(packed.size, limit) {
                return None;
            }
            return Some(self.write_packed(record, &packed));
        }

        if !self.fits(self.size_of(record), limit) {
            return None;
        }
        Some(self.write_plainly(record))
    }

    #[inline]
    fn fits(&self, size: usize, limit: usize) -> bool {
        self.size() + size <= limit || self.count == 0
    }

    /// Notes the timestamp of a record that is about to be appended.
    fn turn_to(&mut self, timestamp: i64) {
        if self.count == 0 {
            self.base_timestamp = timestamp;
            self.max_timestamp = timestamp;
        }
        self.max_timestamp = self.max_timestamp.max(timestamp);
        self.timestamp = timestamp;

        let delta = self.timestamp_delta_of(timestamp);
        self.timestamp_delta = if delta < PACKABLE && self.offset_delta_of_next() < PACKABLE {
            ATTRIBUTES.then(Packed::number(delta))
        } else {
            UNPACKABLE
        };
    }

    /// Puts together the numbers of a record with the last timestamp; `None` if they take too many
    /// bytes.
    #[inline]
    fn pack(&self, record: &RecordBody<'_>) -> Option<PackedRecord> {
        let (key_length, key_len) = match record.key {
            Some(key) => (varint::zigzag_length(key.len()), key.len()),
            None => (varint::NULL, 0),
        };
        let back = self.offset_delta.then(Packed::number(key_length));
        let headers = record::headers_size(record.headers);

        self.pack_with(
            back,
            key_len + record::nullable_size(record.value) + headers,
        )
    }

    /// The same for a record that is but a value.
    #[inline]
    fn pack_value(&self, value: &[u8]) -> Option<PackedRecord> {
        let null = Packed::number(varint::NULL);
        let length = Packed::number(varint::zigzag_length(value.len()));
        let back = self.offset_delta.then(null).then(length);
        self.pack_with(back, value.len() + 1)
    }

    #[inline]
    fn pack_with(&self, back: Packed, rest: usize) -> Option<PackedRecord> {
        let body = self.timestamp_delta.len_with(back) + rest;
        // Whatever cannot be packed makes the body too long as well. A record shorter than the
        // block that is stored would grow the buffer for nothing.
        if !(BLOCK_LEN..MAX_PACKED_LEN).contains(&body) {
            return None;
        }

        let length = Packed::number(varint::zigzag_length(body));
        let front = length.then(self.timestamp_delta);
        let block_len = front.len_with(back);
        Some(PackedRecord {
            front,
            back,
            block_len,
            size: block_len + rest,
        })
    }

    #[inline]
    fn write_packed(&mut self, record: &RecordBody<'_>, packed: &PackedRecord) -> u32 {
        let out = &mut self.records;

        put_block(out, packed);
        out.extend_from_slice(record.key.unwrap_or_default());
        put_nullable(out, record.value);
        put_headers(out, record.headers);

        self.count_one()
    }

    #[inline]
    fn write_value(&mut self, value: &[u8], packed: &PackedRecord) -> u32 {
        let out = &mut self.records;

        put_block(out, packed);
        out.extend_from_slice(value);
        out.push(0);

        self.count_one()
    }

    #[inline(never)]
    fn write_plainly(&mut self, record: &RecordBody<'_>) -> u32 {
        let body = self.body_len(record);
        debug_assert!(
            body <= i32::MAX as usize,
            "record larger than the protocol allows"
        );
        let timestamp_delta = self.timestamp_delta_of(record.timestamp);
        let offset_delta = self.offset_delta_of_next();
        let out = &mut self.records;

        out.reserve(with_length(body));
        varint::put(out, varint::zigzag_length(body));
        out.push(0);
        varint::put(out, timestamp_delta);
        varint::put(out, offset_delta);
        put_nullable(out, record.key);
        put_nullable(out, record.value);
        put_headers(out, record.headers);

        self.count_one()
    }

    /// Counts a record that was appended, and gives its index.
    #[inline]
    fn count_one(&mut self) -> u32 {
        let index = self.count;
        self.count = index + 1;

        // One more is 2 in zigzag form; when the lowest group of seven bits overflows, start over.
        self.offset_delta.bits += 2;
        if self.offset_delta.bits & 0x7e == 0 {
            self.renew_offset_delta();
        }

        index
    }

    #[cold]
    fn renew_offset_delta(&mut self) {
        let delta = self.offset_delta_of_next();
        if delta < PACKABLE {
            self.offset_delta = Packed::number(delta);
        } else {
            self.timestamp_delta = UNPACKABLE;
        }
    }

    /// The bytes of a record after its length field.
    fn body_len(&self, record: &RecordBody<'_>) -> usize {
        1 + varint::len(self.timestamp_delta_of(record.timestamp))
            + varint::len(self.offset_delta_of_next())
            + record::nullable_size(record.key)
            + record::nullable_size(record.value)
            + record::headers_size(record.headers)
    }

    /// The timestamp delta of a record that would be the next one, in zigzag form.
    fn timestamp_delta_of(&self, timestamp: i64) -> u64 {
        match self.count {
            0 => 0,
            _ => varint::zigzag(timestamp.wrapping_sub(self.base_timestamp)),
        }
    }

    /// The offset delta of the next record, in zigzag form.
    fn offset_delta_of_next(&self) -> u64 {
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

/// The size of a record whose body has this many bytes.
fn with_length(body: usize) -> usize {
    varint::len(varint::zigzag_length(body)) + body
}

/// Appends a record's packed numbers.
#[inline]
fn put_block(out: &mut Vec<u8>, packed: &PackedRecord) {
    let PackedRecord {
        front,
        back,
        block_len,
        ..
    } = packed;
    let len = out.len() + block_len;

    let low = front.bits | back.bits << front.len_bits;
    let high = back.bits >> (front.len_bits.wrapping_neg() & 63);
    let block = u128::from(high) << 64 | u128::from(low);
    out.extend_from_slice(&block.to_le_bytes());
    out.truncate(len);
}

#[inline]
fn put_nullable(out: &mut Vec<u8>, field: Option<&[u8]>) {
    match field {
        Some(bytes) => {
            varint::put(out, varint::zigzag_length(bytes.len()));
            out.extend_from_slice(bytes);
        }
        None => varint::put(out, varint::NULL),
    }
}

#[inline]
fn put_headers(out: &mut Vec<u8>, headers: &[Header<'_>]) {
    if headers.is_empty() {
        out.push(0);
        return;
    }

    varint::put(out, varint::zigzag_length(headers.len()));
    for header in headers {
        put_nullable(out, Some(header.key.as_bytes()));
        put_nullable(out, header.value);
    }
}

/// What [`put_block`] stores, used or not.
const BLOCK_LEN: usize = size_of::<u128>();

/// The attributes of a record, a byte without meaning so far.
const ATTRIBUTES: Packed = Packed {
    bits: 0,
    len_bits: 8,
};
/// In the place of a delta that takes too many bytes: a record with it is too long to be packed.
const UNPACKABLE: Packed = Packed {
    bits: 0,
    len_bits: 8 * MAX_PACKED_LEN as u32,
};
/// The end of the lengths of which the zigzag form can be packed.
const MAX_PACKED_LEN: usize = (PACKABLE / 2) as usize;

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::super::RecordIter;
    use super::*;

    const TIMESTAMP: i64 = 1_700_000_000_000;

    fn value(value: &[u8]) -> RecordBody<'_> {
        RecordBody {
            timestamp: TIMESTAMP,
            value: Some(value),
            ..RecordBody::default()
        }
    }

    /// A batch of as many records as given, whose numbers the fast path has packed.
    fn filled(count: u32) -> OpenBatch {
        let mut open = OpenBatch::new(Vec::new());
        for _ in 0..count {
            open.append(&value(b"0123456789"));
        }
        open
    }

    /// Offset delta, timestamp and value length of each record.
    fn read(closed: &ClosedRecords) -> Vec<(i32, i64, usize)> {
        let records = RecordIter::new(&closed.records, closed.base_timestamp);
        assert_eq!(records.clone().finish(closed.count as i32), Ok(()));
        records
            .map(|record| {
                let record = record.unwrap();
                (
                    record.offset_delta,
                    record.timestamp,
                    record.value.map_or(0, <[u8]>::len),
                )
            })
            .collect()
    }

    #[test]
    fn records_are_numbered_in_order() {
        let mut open = OpenBatch::new(Vec::new());
        assert_eq!(open.append(&value(b"a")), 0);
        assert_eq!(open.try_append(&value(b"b"), 1000), Some(1));
        assert_eq!((open.count(), open.is_empty()), (2, false));
    }

    #[test]
    fn a_new_batch_keeps_the_capacity_and_drops_the_bytes() {
        let mut buffer = vec![7; 100];
        buffer.reserve_exact(900);
        let capacity = buffer.capacity();

        let open = OpenBatch::new(buffer);

        assert_eq!(
            (open.capacity(), open.records_len(), open.size()),
            (capacity, 0, 61)
        );
        assert!(open.is_empty());
    }

    #[test]
    fn a_batch_takes_a_record_that_fills_it_and_none_that_passes_it() {
        let mut open = filled(3);
        let record = value(b"the last one that fits here");
        let limit = open.size() + open.size_of(&record);

        assert_eq!(open.try_append(&record, limit - 1), None);
        assert_eq!(open.count(), 3);
        assert_eq!(open.try_append(&record, limit), Some(3));
        assert_eq!(open.size(), limit);
    }

    #[test]
    fn an_empty_batch_takes_any_record() {
        let large = [0; 1000];
        for timestamp in [TIMESTAMP, i64::MIN, -1] {
            let mut open = OpenBatch::new(Vec::new());
            let record = RecordBody {
                timestamp,
                ..value(&large)
            };
            assert_eq!(open.try_append(&record, 0), Some(0));
            assert_eq!(open.try_append(&record, 0), None);
            assert_eq!(read(&open.close()), [(0, timestamp, 1000)]);
        }
    }

    #[test]
    fn a_record_that_does_not_fit_leaves_no_trace() {
        let mut open = filled(2);
        let later = RecordBody {
            timestamp: TIMESTAMP + 1000,
            ..value(b"later")
        };

        assert_eq!(open.try_append(&later, 0), None);

        assert_eq!(open.close(), filled(2).close());
    }

    #[test]
    fn the_maximum_timestamp_is_not_always_the_last_one() {
        let mut open = OpenBatch::new(Vec::new());
        for timestamp in [5, 9, 9, 3] {
            open.append(&RecordBody {
                timestamp,
                ..value(b"some value or other")
            });
        }

        let closed = open.close();

        assert_eq!((closed.base_timestamp, closed.max_timestamp), (5, 9));
        assert_eq!(
            read(&closed),
            [(0, 5, 19), (1, 9, 19), (2, 9, 19), (3, 3, 19)]
        );
    }

    #[test]
    fn timestamps_as_far_apart_as_can_be_are_kept() {
        let mut open = OpenBatch::new(Vec::new());
        let timestamps = [i64::MAX, i64::MIN, 0, -1, 1 << 20, i64::MAX];
        for timestamp in timestamps {
            open.append(&RecordBody {
                timestamp,
                ..value(b"0123456789")
            });
        }

        let records = read(&open.close());

        assert!(
            records
                .iter()
                .map(|&(_, timestamp, _)| timestamp)
                .eq(timestamps)
        );
    }

    #[test]
    fn an_empty_batch_closes_with_no_timestamp() {
        let closed = OpenBatch::new(Vec::new()).close();
        assert_eq!((closed.base_timestamp, closed.max_timestamp), (-1, -1));
    }

    #[test]
    fn offsets_are_right_wherever_their_width_changes() {
        // 64 and 8192 take a byte more than their predecessors; 2^20 cannot be packed any more.
        let count = (1 << 20) + 3;
        let closed = filled(count).close();

        let offsets: Vec<_> = read(&closed).iter().map(|&(offset, ..)| offset).collect();

        assert!(offsets.into_iter().eq(0..count as i32));
    }

    #[test]
    fn a_batch_beyond_the_packable_offsets_stays_right_when_the_timestamp_changes() {
        let mut open = filled((1 << 20) + 1);
        let later = RecordBody {
            timestamp: TIMESTAMP + 1,
            ..value(b"0123456789")
        };
        let size = open.size() + open.size_of(&later);

        open.append(&later);

        assert_eq!(open.size(), size);
        assert_eq!(
            read(&open.close()).last(),
            Some(&((1 << 20) + 1, TIMESTAMP + 1, 10))
        );
    }

    #[test]
    fn values_are_right_wherever_the_width_of_a_length_changes() {
        for len in [0, 6, 7, 52, 64, 8177, 8192, 1_048_558, 1_048_576] {
            for len in len..len + 12 {
                let mut open = filled(1);
                let bytes = vec![1; len];
                let size = open.size() + open.size_of(&value(&bytes));
                assert_eq!(open.try_append(&value(&bytes), usize::MAX), Some(1));
                assert_eq!(open.size(), size, "{len}");
                assert_eq!(read(&open.close())[1], (1, TIMESTAMP, len));
            }
        }
    }

    #[test]
    fn a_buffer_that_is_just_large_enough_does_not_grow() {
        for len in 0..40 {
            let bytes = [0; 40];
            let record = value(&bytes[..len]);
            let mut sizes = OpenBatch::new(Vec::new());
            for _ in 0..3 {
                sizes.append(&record);
            }

            let mut open = OpenBatch::new(Vec::with_capacity(sizes.records_len()));
            let capacity = open.capacity();
            for _ in 0..3 {
                open.append(&record);
            }

            assert_eq!(open.capacity(), capacity, "{len}");
        }
    }

    #[test]
    fn a_batch_goes_on_in_a_larger_buffer() {
        let mut open = filled(2);
        let old = open.records_len();

        let buffer = open.move_to(Vec::with_capacity(1000));
        open.append(&value(b"0123456789"));

        assert_eq!(buffer.len(), old);
        assert!(1000 <= open.capacity());
        assert_eq!(open.close(), filled(3).close());
    }
}

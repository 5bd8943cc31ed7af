//! Splits the records of a batch that a broker found too large into smaller ones
//! (`producer-semantics.md` §2.10).
//!
//! Pure, and run as a job outside the machine where a codec is at work.

use alloc::vec::Vec;

use kafka_producer_proto::batch::{
    BatchError, ClosedRecords, HEADER_LEN, Header, HeaderRef, OpenBatch, RecordBody, RecordIter,
};
use kafka_producer_proto::compression::{self, Codec, CompressionError, Compressor};

/// What to split, and how small.
#[derive(Clone, Copy, Debug, Hash)]
pub(crate) struct Split {
    /// Bytes of the records before compression.
    pub(crate) plain_bytes: usize,
    pub(crate) base_timestamp: i64,
    /// Bytes that a part may have before compression, header included, if it holds more than one
    /// record.
    pub(crate) limit: usize,
}

/// Some records of the batch, in its order.
#[derive(Debug)]
pub(crate) struct Part {
    /// Compressed, if the batch was and if that makes it smaller.
    pub(crate) body: Vec<u8>,
    pub(crate) codec: Codec,
    pub(crate) count: u32,
    pub(crate) base_timestamp: i64,
    pub(crate) max_timestamp: i64,
    pub(crate) plain_bytes: usize,
}

impl Split {
    /// Parts as large as a batch may be, or of half the size if it was no larger: so that it ends,
    /// at single records at the latest (KAFKA-8350).
    pub(crate) fn new(plain_bytes: usize, base_timestamp: i64, batch_size: usize) -> Self {
        let limit = if batch_size < HEADER_LEN + plain_bytes {
            batch_size
        } else {
            HEADER_LEN + plain_bytes / 2
        };
        Self {
            plain_bytes,
            base_timestamp,
            limit,
        }
    }

    /// Unpacks, splits, and packs each part.
    pub(crate) fn run(
        self,
        codec: Codec,
        level: i32,
        records: &[u8],
        compressor: &mut Compressor,
    ) -> Result<Vec<Part>, CompressionError> {
        let mut unpacked = Vec::new();
        compression::decompress(codec, records, self.plain_bytes, &mut unpacked)?;
        let closed = self
            .split(&unpacked)
            .map_err(|_| CompressionError::Malformed {
                codec,
                reason: "the records cannot be read again",
            })?;
        closed
            .into_iter()
            .map(|closed| pack(codec, level, closed, compressor))
            .collect()
    }

    fn split(self, records: &[u8]) -> Result<Vec<ClosedRecords>, BatchError> {
        let mut parts = Vec::new();
        let mut open = OpenBatch::new(Vec::new());
        for record in RecordIter::new(records, self.base_timestamp) {
            let record = record?;
            let headers: Vec<Header<'_>> = record.headers.clone().map(header_of).collect();
            let body = RecordBody {
                timestamp: record.timestamp,
                key: record.key,
                value: record.value,
                headers: &headers,
            };
            if open.try_append(&body, self.limit).is_none() {
                parts.push(core::mem::replace(&mut open, OpenBatch::new(Vec::new())).close());
                open.append(&body);
            }
        }
        parts.push(open.close());
        Ok(parts)
    }
}

fn pack(
    codec: Codec,
    level: i32,
    closed: ClosedRecords,
    compressor: &mut Compressor,
) -> Result<Part, CompressionError> {
    let plain_bytes = closed.records.len();
    let (mut body, mut packed_with) = (closed.records, Codec::None);
    if codec != Codec::None {
        let mut packed = Vec::with_capacity(compression::max_compressed_len(codec, plain_bytes));
        compressor.compress(codec, level, &body, &mut packed)?;
        // As a whole batch: what gets no smaller goes as it is.
        if packed.len() < plain_bytes {
            (body, packed_with) = (packed, codec);
        }
    }
    // It is charged by what it holds, and many parts would hold much that they do not need.
    body.shrink_to_fit();
    Ok(Part {
        body,
        codec: packed_with,
        count: closed.count,
        base_timestamp: closed.base_timestamp,
        max_timestamp: closed.max_timestamp,
        plain_bytes,
    })
}

/// A header that we wrote: its key came as text.
pub(crate) fn header_of(header: HeaderRef<'_>) -> Header<'_> {
    Header {
        key: core::str::from_utf8(header.key).unwrap_or_default(),
        value: header.value,
    }
}

#[cfg(all(test, feature = "lz4"))]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_its_codec_makes_no_smaller_stays_as_it_is() {
        let record = |value: &'static [u8]| RecordBody {
            timestamp: 0,
            key: None,
            value: Some(value),
            headers: &[],
        };
        let pack = |value| {
            let mut open = OpenBatch::new(Vec::new());
            open.append(&record(value));
            let closed = open.close();
            let part = pack(Codec::Lz4, 9, closed, &mut Compressor::new());
            part.expect("lz4 is built in")
        };
        let small = pack(b"x");
        assert_eq!(
            (small.codec, small.body.len()),
            (Codec::None, small.plain_bytes)
        );
        let large = pack(&[b'x'; 1000]);
        assert_eq!(large.codec, Codec::Lz4);
        assert!(large.body.len() < large.plain_bytes);
    }
}

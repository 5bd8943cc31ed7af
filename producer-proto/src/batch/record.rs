//! A record as the caller lends it, and how large it is on the wire.

use super::{HEADER_LEN, MAX_RECORD_OVERHEAD, varint};

/// A header of a record, as the caller lends it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Header<'a> {
    /// The key: may be empty, and may occur more than once in a record.
    pub key: &'a str,
    /// The value: null and empty differ.
    pub value: Option<&'a [u8]>,
}

/// What a record carries into its batch. Nothing is owned: `append` makes the only copy.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct RecordBody<'a> {
    /// Milliseconds since the epoch, or −1 for none.
    pub timestamp: i64,
    /// The key: null and empty differ.
    pub key: Option<&'a [u8]>,
    /// The value: null (a tombstone) and empty differ.
    pub value: Option<&'a [u8]>,
    /// The headers, in the order in which they go out.
    pub headers: &'a [Header<'a>],
}

impl RecordBody<'_> {
    /// Upper bound of the bytes of a batch that holds this record alone, as Java reckons it
    /// (`AbstractRecords.estimateSizeInBytesUpperBound`).
    ///
    /// This is what `max.request.size` and `buffer.memory` are compared with; it saturates instead
    /// of overflowing.
    #[must_use]
    #[inline]
    pub fn upper_bound(&self) -> usize {
        (HEADER_LEN + MAX_RECORD_OVERHEAD)
            .saturating_add(nullable_size(self.key))
            .saturating_add(nullable_size(self.value))
            .saturating_add(headers_size(self.headers))
    }

    /// Whether the [`upper_bound`](Self::upper_bound) is within `limit`; cheaper than to compare
    /// the two, as most records are far below.
    #[must_use]
    #[inline]
    pub fn is_within(&self, limit: usize) -> bool {
        let key = self.key.map_or(0, <[u8]>::len);
        let value = self.value.map_or(0, <[u8]>::len);
        let rough = key.saturating_add(value).saturating_add(MAX_BARE);

        self.headers.is_empty() && rough <= limit || self.upper_bound() <= limit
    }
}

/// No batch of one record without headers takes more, besides its key and value: two lengths of
/// ten bytes at most, and the count of headers.
const MAX_BARE: usize = HEADER_LEN + MAX_RECORD_OVERHEAD + 10 + 10 + 1;

/// Bytes of a field that may be null, with its length.
#[inline]
pub(super) fn nullable_size(field: Option<&[u8]>) -> usize {
    match field {
        Some(bytes) => sized(bytes.len()),
        None => 1,
    }
}

/// Bytes of the headers, with their count.
#[inline]
pub(super) fn headers_size(headers: &[Header<'_>]) -> usize {
    if headers.is_empty() {
        return 1;
    }

    headers.iter().fold(
        varint::len(varint::zigzag_length(headers.len())),
        |size, header| {
            size.saturating_add(sized(header.key.len()))
                .saturating_add(nullable_size(header.value))
        },
    )
}

#[inline]
fn sized(length: usize) -> usize {
    varint::len(varint::zigzag_length(length)).saturating_add(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_of_an_empty_record_is_the_header_and_the_overhead_and_three_lengths() {
        assert_eq!(RecordBody::default().upper_bound(), 61 + 21 + 1 + 1 + 1);
    }

    #[test]
    fn a_record_is_within_exactly_the_limits_that_its_bound_does_not_exceed() {
        let bytes = [0; 20_000];
        let headers = [Header {
            key: "h1",
            value: Some(&bytes[..300]),
        }];
        for len in [0, 1, 63, 64, 8191, 8192, 20_000] {
            for headers in [&headers[..], &[]] {
                let record = RecordBody {
                    timestamp: 0,
                    key: Some(&bytes[..len / 2]),
                    value: Some(&bytes[..len]),
                    headers,
                };
                let bound = record.upper_bound();
                for limit in bound - 30..bound + 30 {
                    assert_eq!(record.is_within(limit), bound <= limit, "{bound} {limit}");
                }
            }
        }
    }

    #[test]
    fn the_bound_counts_key_value_and_headers_with_their_lengths() {
        let value = [0; 100];
        let headers = [
            Header {
                key: "h1",
                value: Some(b"v1"),
            },
            Header {
                key: "",
                value: None,
            },
        ];
        let record = RecordBody {
            timestamp: 0,
            key: Some(b""),
            value: Some(&value),
            headers: &headers,
        };

        let headers = 1 + (1 + 2 + 1 + 2) + (1 + 1);
        assert_eq!(record.upper_bound(), 61 + 21 + 1 + (2 + 100) + headers);
    }

    #[test]
    fn a_length_takes_two_bytes_from_64_on() {
        let bytes = [0; 64];
        assert_eq!(nullable_size(Some(&bytes[..63])), 1 + 63);
        assert_eq!(nullable_size(Some(&bytes)), 2 + 64);
    }
}

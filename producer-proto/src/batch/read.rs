//! Reading records back: for the simulated broker, and to give a failed record back to its sender.
//!
//! Strict where Java is, and a little stricter: lengths must be exact, and only −1 is null. Nothing
//! is allocated, and the count in the batch's header is not trusted for anything but comparison.

use super::{BatchError, RecordField, varint};

/// The records of a batch, from its uncompressed records section.
///
/// Ends after the first error. [`finish`](Self::finish) says whether everything was in order.
#[derive(Clone, Debug)]
pub struct RecordIter<'a> {
    rest: &'a [u8],
    base_timestamp: i64,
    read: u32,
    error: Option<BatchError>,
}

/// A record inside a batch.
#[derive(Clone, Debug)]
pub struct RecordRef<'a> {
    /// Difference to the batch's base offset: 0, 1, 2, … from a producer.
    pub offset_delta: i32,
    /// Milliseconds since the epoch, or −1 for none.
    pub timestamp: i64,
    /// The key: null and empty differ.
    pub key: Option<&'a [u8]>,
    /// The value: null and empty differ.
    pub value: Option<&'a [u8]>,
    /// The headers.
    pub headers: HeaderIter<'a>,
}

/// The headers of a record, which were checked when the record was read.
#[derive(Clone, Debug)]
pub struct HeaderIter<'a> {
    rest: &'a [u8],
    remaining: usize,
}

/// A header inside a batch. Brokers do not check that its key is text, hence the bytes.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct HeaderRef<'a> {
    /// The key, which should be UTF-8.
    pub key: &'a [u8],
    /// The value: null and empty differ.
    pub value: Option<&'a [u8]>,
}

impl<'a> RecordIter<'a> {
    /// The records of an uncompressed records section.
    #[must_use]
    pub const fn new(records: &'a [u8], base_timestamp: i64) -> Self {
        Self {
            rest: records,
            base_timestamp,
            read: 0,
            error: None,
        }
    }

    /// Reads what is left, and checks that all was in order and `expected` records came in all.
    ///
    /// # Errors
    ///
    /// The first error met, or another number of records.
    pub fn finish(mut self, expected: i32) -> Result<(), BatchError> {
        self.by_ref().for_each(drop);

        if let Some(error) = self.error {
            return Err(error);
        }
        if i32::try_from(self.read) != Ok(expected) {
            return Err(BatchError::Count {
                expected,
                found: self.read,
            });
        }

        Ok(())
    }

    fn read(&mut self) -> Result<RecordRef<'a>, BatchError> {
        let record = self.read;
        let Some(length) = varint::take_i32(&mut self.rest) else {
            return Err(BatchError::Field {
                record,
                field: RecordField::Length,
            });
        };
        let split = usize::try_from(length)
            .ok()
            .and_then(|len| self.rest.split_at_checked(len));
        let Some((body, rest)) = split else {
            let remaining = self.rest.len();
            return Err(BatchError::RecordLength {
                record,
                found: length,
                remaining,
            });
        };
        self.rest = rest;

        let mut body = body;
        let found = RecordRef::read(&mut body, self.base_timestamp)
            .map_err(|field| BatchError::Field { record, field })?;
        if !body.is_empty() {
            return Err(BatchError::RecordTail {
                record,
                bytes: body.len(),
            });
        }

        Ok(found)
    }
}

impl<'a> Iterator for RecordIter<'a> {
    type Item = Result<RecordRef<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() || self.error.is_some() {
            return None;
        }

        let record = self.read();
        match &record {
            Ok(_) => self.read += 1,
            Err(error) => self.error = Some(*error),
        }

        Some(record)
    }
}

impl<'a> RecordRef<'a> {
    /// Takes the fields after the length off `body`; the field that does not fit is the error.
    fn read(body: &mut &'a [u8], base_timestamp: i64) -> Result<Self, RecordField> {
        let (_attributes, rest) = body.split_first().ok_or(RecordField::Attributes)?;
        *body = rest;
        let delta = varint::take_i64(body).ok_or(RecordField::TimestampDelta)?;
        let offset_delta = varint::take_i32(body).ok_or(RecordField::OffsetDelta)?;
        let key = take_nullable(body).ok_or(RecordField::Key)?;
        let value = take_nullable(body).ok_or(RecordField::Value)?;

        let count = varint::take_i32(body).ok_or(RecordField::HeadersCount)?;
        let count = usize::try_from(count).map_err(|_| RecordField::HeadersCount)?;
        let headers = HeaderIter {
            rest: body,
            remaining: count,
        };
        for _ in 0..count {
            HeaderRef::read(body)?;
        }

        Ok(Self {
            offset_delta,
            timestamp: base_timestamp.wrapping_add(delta),
            key,
            value,
            headers,
        })
    }
}

impl<'a> HeaderRef<'a> {
    /// The key as text, if it is text.
    #[must_use]
    pub fn key_str(&self) -> Option<&'a str> {
        core::str::from_utf8(self.key).ok()
    }

    fn read(bytes: &mut &'a [u8]) -> Result<Self, RecordField> {
        let key = take_nullable(bytes)
            .flatten()
            .ok_or(RecordField::HeaderKey)?;
        let value = take_nullable(bytes).ok_or(RecordField::HeaderValue)?;

        Ok(Self { key, value })
    }
}

impl<'a> Iterator for HeaderIter<'a> {
    type Item = HeaderRef<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.remaining = self.remaining.checked_sub(1)?;
        HeaderRef::read(&mut self.rest).ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.remaining, Some(self.remaining))
    }
}

impl ExactSizeIterator for HeaderIter<'_> {}

/// Takes a field with its length off the front; the outer `None` says that it does not fit.
#[expect(
    clippy::option_option,
    reason = "broken, null and present are three different things"
)]
fn take_nullable<'a>(bytes: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    let length = varint::take_i32(bytes)?;
    if length == -1 {
        return Some(None);
    }

    let (field, rest) = bytes.split_at_checked(usize::try_from(length).ok()?)?;
    *bytes = rest;
    Some(Some(field))
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec::Vec;

    use super::*;

    /// Length 7, attributes, deltas 0, null key, value "v", no headers.
    const RECORD: &[u8] = &[0x0e, 0, 0, 0, 0x01, 0x02, b'v', 0];

    fn finish(records: &[u8], expected: i32) -> Result<(), BatchError> {
        RecordIter::new(records, 0).finish(expected)
    }

    #[test]
    fn a_section_with_as_many_records_as_promised_is_in_order() {
        assert_eq!(finish(&[], 0), Ok(()));
        assert_eq!(finish(RECORD, 1), Ok(()));
        assert_eq!(finish(&[RECORD, RECORD].concat(), 2), Ok(()));
    }

    #[test]
    fn errors_say_which_record_and_what() {
        let errors: &[(&[u8], &str)] = &[
            (&[0x01], "record 0 claims -1 bytes, of 0 left in the batch"),
            (
                &[0x04, 0],
                "record 0 claims 2 bytes, of 1 left in the batch",
            ),
            (&[0x80], "record 0 has no valid length"),
            (&[0x00], "record 0 has no valid attributes"),
            (&[0x02, 0], "record 0 has no valid timestamp delta"),
            (&[0x06, 0, 0, 0x80], "record 0 has no valid offset delta"),
            (&[0x08, 0, 0, 0, 0x03], "record 0 has no valid key"),
            (&[0x0a, 0, 0, 0, 1, 0x02], "record 0 has no valid value"),
            (
                &[0x0c, 0, 0, 0, 1, 1, 0x01],
                "record 0 has no valid headers count",
            ),
            (
                &[0x0e, 0, 0, 0, 1, 1, 0x02, 0x01],
                "record 0 has no valid header key",
            ),
            (
                &[0x0e, 0, 0, 0, 1, 1, 0x02, 0x00],
                "record 0 has no valid header value",
            ),
            (
                &[0x0e, 0, 0, 0, 1, 1, 0x00, 0x00],
                "record 0 has 1 bytes after its last header",
            ),
            (&[], "record batch must hold 1 records, found 0"),
        ];
        for &(records, error) in errors {
            assert_eq!(finish(records, 1).unwrap_err().to_string(), error);
        }

        let second_is_cut = [RECORD, &RECORD[..7]].concat();
        let error = BatchError::RecordLength {
            record: 1,
            found: 7,
            remaining: 6,
        };
        assert_eq!(finish(&second_is_cut, 2), Err(error));
    }

    #[test]
    fn nothing_comes_after_an_error() {
        let records = [RECORD, &[0x02, 0], RECORD].concat();
        let read: Vec<_> = RecordIter::new(&records, 0)
            .map(|record| record.is_ok())
            .collect();
        assert_eq!(read, [true, false]);
    }

    #[test]
    fn a_header_key_that_is_not_text_is_given_as_bytes() {
        let records = [0x12, 0, 0, 0, 1, 1, 0x02, 0x02, 0xff, 0x01];
        let record = RecordIter::new(&records, 0).next().unwrap().unwrap();

        let headers: Vec<_> = record.headers.collect();

        assert_eq!(
            headers,
            [HeaderRef {
                key: &[0xff],
                value: None
            }]
        );
        assert_eq!(headers[0].key_str(), None);
    }

    #[test]
    fn a_timestamp_is_relative_to_that_of_the_batch() {
        let records = [0x0c, 0, 0x13, 0x02, 1, 1, 0];
        let record = RecordIter::new(&records, 1000).next().unwrap().unwrap();
        assert_eq!((record.timestamp, record.offset_delta), (990, 1));
    }
}

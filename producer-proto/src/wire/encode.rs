//! Writers: each appends its value to a buffer.

use alloc::vec::Vec;

use super::{EncodeError, Field, Form, Lengths};

/// Appends an unsigned varint of 32 bits.
pub fn put_unsigned_varint(mut value: u32, out: &mut Vec<u8>) {
    while 0x80 <= value {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a string, or null.
///
/// # Errors
/// The string is longer than 32767 bytes, which no version can carry.
pub fn put_str(lengths: Lengths, text: Option<&str>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let length = text.map_or(0, str::len);
    let Ok(classic) = i16::try_from(length) else {
        return Err(EncodeError::StringTooLong { length });
    };
    match (lengths, text) {
        (Lengths::Classic, None) => out.extend_from_slice(&(-1_i16).to_be_bytes()),
        (Lengths::Classic, Some(_)) => out.extend_from_slice(&classic.to_be_bytes()),
        (Lengths::Compact, None) => out.push(0),
        (Lengths::Compact, Some(_)) => put_unsigned_varint(classic as u32 + 1, out),
    }
    out.extend_from_slice(text.unwrap_or_default().as_bytes());
    Ok(())
}

/// Appends a byte field or records, or null.
///
/// # Errors
/// There are more bytes than a signed 32-bit length can say.
pub fn put_bytes(
    lengths: Lengths,
    bytes: Option<&[u8]>,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    put_bytes_length(lengths, bytes.map(<[u8]>::len), out)?;
    out.extend_from_slice(bytes.unwrap_or_default());
    Ok(())
}

/// Appends only the length of a byte field, whose bytes follow in another chunk.
///
/// # Errors
/// There are more bytes than a signed 32-bit length can say.
pub fn put_bytes_length(
    lengths: Lengths,
    length: Option<usize>,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let Ok(classic) = i32::try_from(length.unwrap_or(0)) else {
        return Err(EncodeError::LengthTooLarge {
            length: length.unwrap_or(0),
        });
    };
    match (lengths, length) {
        (Lengths::Classic, None) => out.extend_from_slice(&(-1_i32).to_be_bytes()),
        (Lengths::Classic, Some(_)) => out.extend_from_slice(&classic.to_be_bytes()),
        (Lengths::Compact, None) => out.push(0),
        (Lengths::Compact, Some(_)) => put_unsigned_varint(classic as u32 + 1, out),
    }
    Ok(())
}

/// Appends the count of an array, or null.
///
/// # Errors
/// There are more elements than a signed 32-bit count can say.
pub fn put_array_count(
    lengths: Lengths,
    count: Option<usize>,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    put_bytes_length(lengths, count, out)
}

/// Collects the tagged fields of one struct, because their count comes first on the wire.
#[derive(Debug, Default)]
pub struct TagWriter {
    count: u32,
    // Stays unallocated for the usual empty section.
    fields: Vec<u8>,
}

impl TagWriter {
    /// Adds a field; tags must come in increasing order.
    ///
    /// # Errors
    /// The value cannot be encoded.
    pub fn add(&mut self, tag: u32, form: Form, field: &impl Field) -> Result<(), EncodeError> {
        let mut value = Vec::new();
        field.put(form, &mut value)?;
        let Ok(size) = u32::try_from(value.len()) else {
            return Err(EncodeError::LengthTooLarge {
                length: value.len(),
            });
        };
        put_unsigned_varint(tag, &mut self.fields);
        put_unsigned_varint(size, &mut self.fields);
        self.fields.append(&mut value);
        self.count += 1;
        Ok(())
    }

    /// Appends the section.
    pub fn finish(self, out: &mut Vec<u8>) {
        put_unsigned_varint(self.count, out);
        out.extend_from_slice(&self.fields);
    }
}

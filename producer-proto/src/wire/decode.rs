//! Readers: each takes its value from the front of a frame and returns the rest.

use core::str;

use nom::{Err, IResult};

use super::{DecodeError, DecodeErrorKind, Lengths};

/// What a reader returns: the unread rest and the value.
pub type Parsed<'a, T> = IResult<&'a [u8], T, DecodeError>;

/// A fault at `rest`; final, so that no combinator tries an alternative.
pub fn failure<T>(rest: &[u8], kind: DecodeErrorKind) -> Parsed<'_, T> {
    Err(Err::Failure(DecodeError::at(rest, kind)))
}

/// Turns what a reader returned into a plain result.
///
/// # Errors
/// The reader's own; nom's `Incomplete` counts as a frame that is too short, because a frame is
/// always whole when it is read.
pub fn finish<T>(parsed: Parsed<'_, T>) -> Result<(&[u8], T), DecodeError> {
    match parsed {
        Ok(parsed) => Ok(parsed),
        Err(Err::Error(error) | Err::Failure(error)) => Err(error),
        Err(Err::Incomplete(_)) => Err(DecodeError::at(
            &[],
            DecodeErrorKind::Truncated { needed: 1 },
        )),
    }
}

/// The next `N` bytes.
pub fn take_fixed<const N: usize>(input: &[u8]) -> Parsed<'_, [u8; N]> {
    match input.split_first_chunk::<N>() {
        Some((bytes, rest)) => Ok((rest, *bytes)),
        None => truncated(input, N),
    }
}

/// The next `length` bytes.
pub fn take_slice(length: usize, input: &[u8]) -> Parsed<'_, &[u8]> {
    match input.split_at_checked(length) {
        Some((bytes, rest)) => Ok((rest, bytes)),
        None => truncated(input, length),
    }
}

/// A signed 8-bit integer.
pub fn take_i8(input: &[u8]) -> Parsed<'_, i8> {
    let (rest, bytes) = take_fixed(input)?;
    Ok((rest, i8::from_be_bytes(bytes)))
}

/// A signed 16-bit integer.
pub fn take_i16(input: &[u8]) -> Parsed<'_, i16> {
    let (rest, bytes) = take_fixed(input)?;
    Ok((rest, i16::from_be_bytes(bytes)))
}

/// A signed 32-bit integer.
pub fn take_i32(input: &[u8]) -> Parsed<'_, i32> {
    let (rest, bytes) = take_fixed(input)?;
    Ok((rest, i32::from_be_bytes(bytes)))
}

/// A signed 64-bit integer.
pub fn take_i64(input: &[u8]) -> Parsed<'_, i64> {
    let (rest, bytes) = take_fixed(input)?;
    Ok((rest, i64::from_be_bytes(bytes)))
}

/// An unsigned varint of 32 bits, at most 5 bytes long.
///
/// Bits above the 32nd are dropped and over-long forms taken, as the Java client does.
pub fn take_unsigned_varint(input: &[u8]) -> Parsed<'_, u32> {
    let mut value = 0;
    for (at, &byte) in input.iter().take(VARINT_LIMIT).enumerate() {
        // The fifth byte's upper bits fall off here.
        value |= u32::from(byte & 0x7f) << (7 * at);
        if byte < 0x80 {
            return Ok((&input[at + 1..], value));
        }
    }
    if input.len() < VARINT_LIMIT {
        return truncated(input, input.len() + 1);
    }
    failure(input, DecodeErrorKind::VarintTooLong)
}

/// A string, or null.
pub fn take_str(lengths: Lengths, input: &[u8]) -> Parsed<'_, Option<&str>> {
    let (rest, length) = match lengths {
        Lengths::Classic => {
            let (rest, length) = take_i16(input)?;
            (rest, classic_length(input, i32::from(length))?)
        }
        Lengths::Compact => compact_length(input)?,
    };
    let Some(length) = length else {
        return Ok((rest, None));
    };
    if STRING_LIMIT < length {
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        return failure(rest, DecodeErrorKind::StringTooLong { length });
    }
    let (rest, bytes) = take_slice(length, rest)?;
    match str::from_utf8(bytes) {
        Ok(text) => Ok((rest, Some(text))),
        Err(_) => failure(rest, DecodeErrorKind::InvalidUtf8),
    }
}

/// A byte field or records, or null.
pub fn take_bytes(lengths: Lengths, input: &[u8]) -> Parsed<'_, Option<&[u8]>> {
    let (rest, length) = take_length(lengths, input)?;
    let Some(length) = length else {
        return Ok((rest, None));
    };
    let (rest, bytes) = take_slice(length, rest)?;
    Ok((rest, Some(bytes)))
}

/// The count of an array whose elements take at least `smallest` bytes each, or null.
pub fn take_array_count(
    lengths: Lengths,
    smallest: usize,
    input: &[u8],
) -> Parsed<'_, Option<usize>> {
    let (rest, count) = take_length(lengths, input)?;
    match count {
        Some(count) if rest.len() / smallest.max(1) < count => {
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            failure(rest, DecodeErrorKind::CountTooLarge { count })
        }
        count => Ok((rest, count)),
    }
}

/// A tag section; `each` gets every tag with its bytes and ignores those it does not know.
///
/// Order and repetition are not checked, as the Java client does not: the last one wins.
pub fn take_tags<'a>(
    input: &'a [u8],
    mut each: impl FnMut(u32, &'a [u8]) -> Result<(), Err<DecodeError>>,
) -> Parsed<'a, ()> {
    let (mut rest, count) = take_unsigned_varint(input)?;
    for _ in 0..count {
        let (after_tag, tag) = take_unsigned_varint(rest)?;
        let (after_size, size) = take_unsigned_varint(after_tag)?;
        let (after, bytes) = take_slice(size as usize, after_size)?;
        each(tag, bytes)?;
        rest = after;
    }
    Ok((rest, ()))
}

fn take_length(lengths: Lengths, input: &[u8]) -> Parsed<'_, Option<usize>> {
    match lengths {
        Lengths::Classic => {
            let (rest, length) = take_i32(input)?;
            Ok((rest, classic_length(input, length)?))
        }
        Lengths::Compact => compact_length(input),
    }
}

fn classic_length(input: &[u8], length: i32) -> Result<Option<usize>, Err<DecodeError>> {
    match length {
        -1 => Ok(None),
        length => match usize::try_from(length) {
            Ok(length) => Ok(Some(length)),
            Err(_) => {
                let kind = DecodeErrorKind::NegativeLength { length };
                Err(Err::Failure(DecodeError::at(input, kind)))
            }
        },
    }
}

fn compact_length(input: &[u8]) -> Parsed<'_, Option<usize>> {
    let (rest, length) = take_unsigned_varint(input)?;
    Ok((rest, length.checked_sub(1).map(|length| length as usize)))
}

fn truncated<T>(input: &[u8], length: usize) -> Parsed<'_, T> {
    let needed = u32::try_from(length.saturating_sub(input.len())).unwrap_or(u32::MAX);
    failure(input, DecodeErrorKind::Truncated { needed })
}

/// The most bytes of a 32-bit varint.
const VARINT_LIMIT: usize = 5;

/// The most bytes of a string; the compact form could say more, but Kafka refuses that too.
const STRING_LIMIT: usize = i16::MAX as usize;

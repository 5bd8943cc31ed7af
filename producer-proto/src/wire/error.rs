//! What can be wrong with bytes that came, and with values that should go.

use nom::error::{ErrorKind, ParseError};

/// Bytes that are not the message they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}, {remaining} bytes before the end of the frame")]
pub struct DecodeError {
    /// How many bytes of the frame were left where the fault was found.
    pub remaining: u32,
    /// What was wrong.
    pub kind: DecodeErrorKind,
}

/// What was wrong with the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// A count that the remaining bytes cannot hold.
    #[error("expected at most as many elements as the remaining bytes can hold, came {count}")]
    CountTooLarge {
        /// The declared count.
        count: u32,
    },
    /// A string that is not UTF-8.
    #[error("expected UTF-8 in a string")]
    InvalidUtf8,
    /// A length below −1.
    #[error("expected a length of -1 or more, came {length}")]
    NegativeLength {
        /// The declared length.
        length: i32,
    },
    /// A null where the version has none.
    #[error("expected a value, came null")]
    NullNotAllowed,
    /// A string above Kafka's limit.
    #[error("expected a string of at most 32767 bytes, came {length}")]
    StringTooLong {
        /// The declared length.
        length: u32,
    },
    /// The frame ends within a field.
    #[error("expected {needed} more bytes of a field than the frame has")]
    Truncated {
        /// How many bytes were missing, as far as known.
        needed: u32,
    },
    /// A version of the API that this crate does not know.
    #[error("expected a version that this codec knows, came {version}")]
    UnsupportedVersion {
        /// The version asked for.
        version: i16,
    },
    /// A variable-length integer of more than five bytes.
    #[error("expected a variable-length integer of at most 5 bytes, came a longer one")]
    VarintTooLong,
}

impl DecodeError {
    /// The error found where `rest` is still unread.
    #[must_use]
    pub fn at(rest: &[u8], kind: DecodeErrorKind) -> Self {
        let remaining = u32::try_from(rest.len()).unwrap_or(u32::MAX);
        Self { remaining, kind }
    }
}

/// Lets nom's combinators run over our readers; none of them adds anything to the error.
impl ParseError<&[u8]> for DecodeError {
    fn from_error_kind(input: &[u8], _: ErrorKind) -> Self {
        Self::at(input, DecodeErrorKind::Truncated { needed: 1 })
    }

    fn append(_: &[u8], _: ErrorKind, other: Self) -> Self {
        other
    }
}

/// A value that the protocol cannot carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A frame, an array or a byte field above Kafka's signed 32-bit length.
    #[error("expected at most 2147483647 bytes or elements, got {length}: send less at a time")]
    LengthTooLarge {
        /// The length that was to be written.
        length: usize,
    },
    /// A null where the version has none.
    #[error("version {version} of this message cannot carry null here: set the field")]
    NullNotAllowed {
        /// The version that was to be written.
        version: i16,
    },
    /// A string above Kafka's limit.
    #[error("expected a string of at most 32767 bytes, got {length}: shorten it")]
    StringTooLong {
        /// The length in bytes.
        length: usize,
    },
    /// A version of the API that this crate does not know.
    #[error("version {version} of this message is not known to this codec")]
    UnsupportedVersion {
        /// The version asked for.
        version: i16,
    },
}

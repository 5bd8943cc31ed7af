//! Kafka's primitive types: integers, variable-length integers, strings, bytes, arrays and tagged
//! fields, each read and written in classic or in compact (flexible) form.
//! (The signed varints inside records belong to [`batch`](crate::batch).)
//!
//! Readers are nom parsers, but own ones over whole frames: nom's built-in number parsers cost
//! three times as much, and its streaming ones would take a corrupt length for "wait for more".
//!
//! **Invariants.** A reader never panics and never returns [`nom::Err::Incomplete`].
//! A count is compared with the bytes that remain before anything is allocated for it.

mod decode;
mod encode;
mod error;
mod field;
#[cfg(test)]
mod tests;

pub use decode::{
    Parsed, failure, finish, take_array_count, take_bytes, take_fixed, take_i8, take_i16, take_i32,
    take_i64, take_slice, take_str, take_tags, take_unsigned_varint,
};
pub use encode::{
    TagWriter, put_array_count, put_bytes, put_bytes_length, put_str, put_unsigned_varint,
};
pub use error::{DecodeError, DecodeErrorKind, EncodeError};
pub use field::Field;
pub(crate) use field::{is_default, put_nullable, take_nullable};

/// Which shape a struct has on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// The version of the request that the struct belongs to.
    pub version: i16,
    /// Classic or compact lengths.
    pub lengths: Lengths,
}

impl Form {
    /// Whether lengths are compact and structs end in a tag section.
    #[must_use]
    pub const fn is_flexible(self) -> bool {
        matches!(self.lengths, Lengths::Compact)
    }
}

/// How lengths and counts are written (KIP-482).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lengths {
    /// Fixed-size integers, −1 for null; structs have no tag section.
    Classic,
    /// Unsigned varints of length + 1, 0 for null; every struct ends in a tag section.
    Compact,
}

//! Rust's types as fields of a message: which type is written how.
//!
//! | Rust | Kafka |
//! |---|---|
//! | `bool`, `i8` … `i64`, `u16` | fixed size, big-endian |
//! | `f64` | IEEE 754, big-endian |
//! | [`Uuid`], [`ErrorCode`] | uuid, int16 |
//! | `String`, [`Bytes`], `Vec<T>` | string, bytes or records, array |
//! | `Option` of these three | the same, nullable |

use alloc::string::String;
use alloc::vec::Vec;
use core::ops::RangeBounds;

use bytes::Bytes;

use super::decode::{Parsed, failure, take_array_count, take_bytes, take_fixed, take_str};
use super::encode::{put_array_count, put_bytes, put_str};
use super::{DecodeErrorKind, EncodeError, Form};
use crate::{ErrorCode, Uuid};

/// A type that can stand as a field in a message.
pub trait Field: Sized {
    /// Appends the value.
    ///
    /// # Errors
    /// The value cannot be carried by this version.
    fn put(&self, form: Form, out: &mut Vec<u8>) -> Result<(), EncodeError>;

    /// Takes the value from the front.
    ///
    /// # Errors
    /// The bytes are no such value.
    fn take(form: Form, input: &[u8]) -> Parsed<'_, Self>;

    /// The fewest bytes that a value takes; bounds the counts of arrays.
    fn smallest(form: Form) -> usize;
}

/// A field type that has a null of its own.
pub(crate) trait Nullable: Sized {
    fn put_or_null(value: Option<&Self>, form: Form, out: &mut Vec<u8>) -> Result<(), EncodeError>;
    fn take_or_null(form: Form, input: &[u8]) -> Parsed<'_, Option<Self>>;
    /// The size of the length alone in classic form.
    const CLASSIC_LENGTH: usize;
}

/// Appends a field that is nullable in `versions` only.
pub(crate) fn put_nullable<T: Field>(
    field: &Option<T>,
    versions: impl RangeBounds<i16>,
    form: Form,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError>
where
    Option<T>: Field,
{
    if field.is_none() && !versions.contains(&form.version) {
        return Err(EncodeError::NullNotAllowed {
            version: form.version,
        });
    }
    field.put(form, out)
}

/// Takes a field that is nullable in `versions` only.
pub(crate) fn take_nullable<T>(
    versions: impl RangeBounds<i16>,
    form: Form,
    input: &[u8],
) -> Parsed<'_, Option<T>>
where
    Option<T>: Field,
{
    let (rest, value) = <Option<T> as Field>::take(form, input)?;
    if value.is_none() && !versions.contains(&form.version) {
        return failure(input, DecodeErrorKind::NullNotAllowed);
    }
    Ok((rest, value))
}

/// Whether a tagged field can be left out; a function, so that the default's type is inferred.
pub(crate) fn is_default<T: PartialEq>(field: &T, default: &T) -> bool {
    field == default
}

macro_rules! fixed_size {
    ($($type:ty),+) => { $(
        impl Field for $type {
            fn put(&self, _: Form, out: &mut Vec<u8>) -> Result<(), EncodeError> {
                out.extend_from_slice(&self.to_be_bytes());
                Ok(())
            }

            fn take(_: Form, input: &[u8]) -> Parsed<'_, Self> {
                let (rest, bytes) = take_fixed(input)?;
                Ok((rest, Self::from_be_bytes(bytes)))
            }

            fn smallest(_: Form) -> usize {
                size_of::<Self>()
            }
        }
    )+ };
}

fixed_size!(i8, i16, i32, i64, u16, f64);

impl Field for bool {
    fn put(&self, _: Form, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.push(u8::from(*self));
        Ok(())
    }

    fn take(_: Form, input: &[u8]) -> Parsed<'_, Self> {
        let (rest, [byte]) = take_fixed(input)?;
        Ok((rest, byte != 0))
    }

    fn smallest(_: Form) -> usize {
        1
    }
}

impl Field for Uuid {
    fn put(&self, _: Form, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.extend_from_slice(self.as_bytes());
        Ok(())
    }

    fn take(_: Form, input: &[u8]) -> Parsed<'_, Self> {
        let (rest, bytes) = take_fixed(input)?;
        Ok((rest, Self::from_bytes(bytes)))
    }

    fn smallest(_: Form) -> usize {
        16
    }
}

impl Field for ErrorCode {
    fn put(&self, form: Form, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.0.put(form, out)
    }

    fn take(form: Form, input: &[u8]) -> Parsed<'_, Self> {
        let (rest, code) = i16::take(form, input)?;
        Ok((rest, Self(code)))
    }

    fn smallest(form: Form) -> usize {
        i16::smallest(form)
    }
}

impl Nullable for String {
    const CLASSIC_LENGTH: usize = 2;

    fn put_or_null(value: Option<&Self>, form: Form, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        put_str(form.lengths, value.map(Self::as_str), out)
    }

    fn take_or_null(form: Form, input: &[u8]) -> Parsed<'_, Option<Self>> {
        let (rest, text) = take_str(form.lengths, input)?;
        Ok((rest, text.map(Self::from)))
    }
}

impl Nullable for Bytes {
    const CLASSIC_LENGTH: usize = 4;

    fn put_or_null(value: Option<&Self>, form: Form, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        put_bytes(form.lengths, value.map(AsRef::as_ref), out)
    }

    fn take_or_null(form: Form, input: &[u8]) -> Parsed<'_, Option<Self>> {
        let (rest, bytes) = take_bytes(form.lengths, input)?;
        Ok((rest, bytes.map(Self::copy_from_slice)))
    }
}

impl<T: Field> Nullable for Vec<T> {
    const CLASSIC_LENGTH: usize = 4;

    fn put_or_null(value: Option<&Self>, form: Form, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        put_array_count(form.lengths, value.map(Self::len), out)?;
        value
            .into_iter()
            .flatten()
            .try_for_each(|element| element.put(form, out))
    }

    fn take_or_null(form: Form, input: &[u8]) -> Parsed<'_, Option<Self>> {
        let (mut rest, count) = take_array_count(form.lengths, T::smallest(form), input)?;
        let Some(count) = count else {
            return Ok((rest, None));
        };
        // An element may take more memory than bytes on the wire, so no more memory is asked for
        // at once than there are bytes; the rest comes as elements do.
        let affordable = rest.len() / size_of::<T>().max(1) + 1;
        let mut elements = Self::with_capacity(count.min(affordable));
        for _ in 0..count {
            let (after, element) = T::take(form, rest)?;
            elements.push(element);
            rest = after;
        }
        Ok((rest, Some(elements)))
    }
}

impl<T: Nullable> Field for Option<T> {
    fn put(&self, form: Form, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        T::put_or_null(self.as_ref(), form, out)
    }

    fn take(form: Form, input: &[u8]) -> Parsed<'_, Self> {
        T::take_or_null(form, input)
    }

    fn smallest(form: Form) -> usize {
        if form.is_flexible() {
            1
        } else {
            T::CLASSIC_LENGTH
        }
    }
}

macro_rules! never_null {
    ($([$($generics:tt)*] $type:ty),+) => { $(
        impl<$($generics)*> Field for $type {
            fn put(&self, form: Form, out: &mut Vec<u8>) -> Result<(), EncodeError> {
                <$type as Nullable>::put_or_null(Some(self), form, out)
            }

            fn take(form: Form, input: &[u8]) -> Parsed<'_, Self> {
                match <$type as Nullable>::take_or_null(form, input)? {
                    (rest, Some(value)) => Ok((rest, value)),
                    (_, None) => failure(input, DecodeErrorKind::NullNotAllowed),
                }
            }

            fn smallest(form: Form) -> usize {
                <Option<$type> as Field>::smallest(form)
            }
        }
    )+ };
}

never_null!([] String, [] Bytes, [T: Field] Vec<T>);

//! What a message is, and the macro that describes one once for both directions.
//!
//! ```text
//! message! {
//!     /// One partition's answer.
//!     pub struct PartitionProduceResponse {
//!         /// Partition number.
//!         index: i32;
//!         /// Summary for the batch.
//!         error_message: Option<String>, versions 8.., nullable 8..;
//!         /// New leader hint (KIP-951).
//!         current_leader: LeaderIdAndEpoch, versions 10.., tag 0;
//!     }
//! }
//! ```
//!
//! Fields stand in wire order. Each may say, in this order:
//! - `versions`: where it exists (everywhere if unsaid),
//! - `nullable`: where an `Option` may be null (everywhere if unsaid),
//! - `default`: its value where it is absent (the type's own if unsaid),
//! - `tag`: that it lives in the tag section, and is left out there when it has its default.
//!
//! A field that a version does not have is dropped when that version is written, as Kafka does
//! with the fields that it marks ignorable: the caller picks the version, and with it the fields.

use alloc::vec::Vec;

use crate::wire::{DecodeError, DecodeErrorKind, EncodeError, Field, Form, Lengths, finish};
use crate::{ApiKey, VersionRange};

/// The body of a request or of a response.
pub trait Message: Sized {
    /// Appends the body in the given version.
    ///
    /// # Errors
    /// The version is unknown, or cannot carry one of the values.
    fn encode(&self, version: i16, out: &mut Vec<u8>) -> Result<(), EncodeError>;

    /// Reads the body in the given version; bytes after it are ignored, as brokers and the Java
    /// client do.
    ///
    /// # Errors
    /// The version is unknown, or the bytes are no such message.
    fn decode(version: i16, body: &[u8]) -> Result<Self, DecodeError>;
}

/// The body of a request.
pub trait Request: Message {
    /// The API that it belongs to.
    const API: ApiKey;
    /// The versions that can be encoded and decoded.
    const VERSIONS: VersionRange;
    /// The body of the answer.
    type Response: Message;
}

/// Defines structs and their codec; see the head of this file.
macro_rules! message {
    // The parts below are chosen by which clauses a field has; `[]` means that it has none.
    (@default []) => { Default::default() };
    (@default [$default:expr]) => { $default };

    (@exists $form:ident []) => { true };
    (@exists $form:ident [$versions:expr]) => {
        core::ops::RangeBounds::<i16>::contains(&($versions), &$form.version)
    };

    (@smallest $form:ident $type:ty, [$($versions:expr)?], []) => {
        if message!(@exists $form [$($versions)?]) {
            <$type as $crate::wire::Field>::smallest($form)
        } else {
            0
        }
    };
    (@smallest $form:ident $type:ty, [$($versions:expr)?], [$tag:literal]) => { 0 };

    (@put $field:expr, $form:ident $out:ident, []) => {
        $crate::wire::Field::put(&$field, $form, $out)
    };
    (@put $field:expr, $form:ident $out:ident, [$nullable:expr]) => {
        $crate::wire::put_nullable(&$field, $nullable, $form, $out)
    };
    (@put_plain $field:expr, $form:ident $out:ident, [$($versions:expr)?], $nullable:tt, []) => {
        if message!(@exists $form [$($versions)?]) {
            message!(@put $field, $form $out, $nullable)?;
        }
    };
    (
        @put_plain $field:expr, $form:ident $out:ident, $versions:tt, $nullable:tt, [$tag:literal]
    ) => {};

    (@put_tagged $field:expr, $form:ident $tags:ident, $versions:tt, $default:tt, []) => {};
    (
        @put_tagged $field:expr, $form:ident $tags:ident, $versions:tt, $default:tt, [$tag:literal]
    ) => {
        if message!(@exists $form $versions)
            && !$crate::wire::is_default(&$field, &message!(@default $default))
        {
            $tags.add($tag, $form, &$field)?;
        }
    };

    (@take $form:ident $input:ident, []) => {
        $crate::wire::Field::take($form, $input)
    };
    (@take $form:ident $input:ident, [$nullable:expr]) => {
        $crate::wire::take_nullable($nullable, $form, $input)
    };
    (@take_plain $field:expr, $form:ident $input:ident, $versions:tt, $nullable:tt, []) => {
        if message!(@exists $form $versions) {
            ($input, $field) = message!(@take $form $input, $nullable)?;
        }
    };
    (
        @take_plain $field:expr, $form:ident $input:ident, $versions:tt, $nullable:tt,
        [$tag:literal]
    ) => {};

    (@take_tagged $field:expr, $form:ident $came:ident $bytes:ident, $versions:tt, []) => {};
    (
        @take_tagged $field:expr, $form:ident $came:ident $bytes:ident, $versions:tt, [$tag:literal]
    ) => {
        if $came == $tag && message!(@exists $form $versions) {
            (_, $field) = $crate::wire::Field::take($form, $bytes)?;
        }
    };

    (@sample $form:ident $source:ident, []) => {
        $crate::sample::Sample::sample($form, $source)
    };
    (@sample $form:ident $source:ident, [$nullable:expr]) => {
        $crate::sample::nullable($nullable, $form, $source)
    };

    ($(
        $(#[$meta:meta])*
        pub struct $name:ident { $(
            $(#[$field_meta:meta])*
            $field:ident: $type:ty
                $(, versions $versions:expr)?
                $(, nullable $nullable:expr)?
                $(, default $default:expr)?
                $(, tag $tag:literal)?;
        )* }
    )+) => { $(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name { $(
            $(#[$field_meta])*
            pub $field: $type,
        )* }

        impl Default for $name {
            fn default() -> Self {
                Self { $( $field: message!(@default [$($default)?]), )* }
            }
        }

        impl $crate::wire::Field for $name {
            fn put(
                &self,
                form: $crate::wire::Form,
                out: &mut alloc::vec::Vec<u8>,
            ) -> Result<(), $crate::wire::EncodeError> {
                $( message!(
                    @put_plain self.$field, form out, [$($versions)?], [$($nullable)?], [$($tag)?]
                ); )*
                if form.is_flexible() {
                    #[allow(unused_mut, reason = "most structs have no tagged field")]
                    let mut tags = $crate::wire::TagWriter::default();
                    $( message!(
                        @put_tagged self.$field, form tags,
                        [$($versions)?], [$($default)?], [$($tag)?]
                    ); )*
                    tags.finish(out);
                }
                Ok(())
            }

            fn take(form: $crate::wire::Form, input: &[u8]) -> $crate::wire::Parsed<'_, Self> {
                let mut value = Self::default();
                let mut input = input;
                $( message!(
                    @take_plain value.$field, form input,
                    [$($versions)?], [$($nullable)?], [$($tag)?]
                ); )*
                if form.is_flexible() {
                    #[allow(unused_variables, reason = "most structs have no tagged field")]
                    let (rest, ()) = $crate::wire::take_tags(input, |came, bytes| {
                        $( message!(
                            @take_tagged value.$field, form came bytes, [$($versions)?], [$($tag)?]
                        ); )*
                        Ok(())
                    })?;
                    input = rest;
                }
                Ok((input, value))
            }

            fn smallest(form: $crate::wire::Form) -> usize {
                usize::from(form.is_flexible())
                    $( + message!(@smallest form $type, [$($versions)?], [$($tag)?]) )*
            }
        }

        #[cfg(test)]
        impl $crate::sample::Sample for $name {
            fn sample(
                form: $crate::wire::Form,
                source: &mut $crate::sample::Source<'_>,
            ) -> Self {
                let mut value = Self::default();
                $(
                    if message!(@exists form [$($versions)?]) {
                        value.$field = message!(@sample form source, [$($nullable)?]);
                    }
                )*
                value
            }
        }
    )+ };
}

/// Joins a request and its response to their API.
macro_rules! api {
    ($api:ident: $request:ident => $response:ident) => {
        api!(@message $api: $request);
        api!(@message $api: $response);
        api!(@request $api: $request => $response);
    };
    (@message $api:ident: $name:ident) => {
        impl $crate::Message for $name {
            fn encode(
                &self,
                version: i16,
                out: &mut alloc::vec::Vec<u8>,
            ) -> Result<(), $crate::EncodeError> {
                $crate::message::encode($crate::ApiKey::$api, version, self, out)
            }

            fn decode(version: i16, body: &[u8]) -> Result<Self, $crate::DecodeError> {
                $crate::message::decode($crate::ApiKey::$api, version, body)
            }
        }
    };
    (@request $api:ident: $request:ident => $response:ident) => {
        impl $crate::Request for $request {
            const API: $crate::ApiKey = $crate::ApiKey::$api;
            const VERSIONS: $crate::VersionRange = $crate::ApiKey::$api.versions();
            type Response = $response;
        }
    };
}

/// The shape of an API's bodies in a version, if the version is known.
pub(crate) fn form(api: ApiKey, version: i16) -> Option<Form> {
    let lengths = if api.is_flexible(version) {
        Lengths::Compact
    } else {
        Lengths::Classic
    };
    api.versions()
        .contains(version)
        .then_some(Form { version, lengths })
}

/// Appends a body, or nothing if it cannot be encoded.
pub(crate) fn encode(
    api: ApiKey,
    version: i16,
    body: &impl Field,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let Some(form) = form(api, version) else {
        return Err(EncodeError::UnsupportedVersion { version });
    };
    let start = out.len();
    let encoded = body.put(form, out);
    if encoded.is_err() {
        out.truncate(start);
    }
    encoded
}

/// Reads a body.
pub(crate) fn decode<T: Field>(api: ApiKey, version: i16, body: &[u8]) -> Result<T, DecodeError> {
    let Some(form) = form(api, version) else {
        let kind = DecodeErrorKind::UnsupportedVersion { version };
        return Err(DecodeError::at(body, kind));
    };
    let (_, message) = finish(T::take(form, body))?;
    Ok(message)
}

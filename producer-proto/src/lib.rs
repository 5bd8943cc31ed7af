//! Kafka's wire protocol as a producer needs it: frames, messages and record batches, in both
//! directions, so that a client and a simulated broker share one codec.
//!
//! ```text
//! bytes ──> FrameReader ──> RequestHeader / ResponseHeader ──> Message::decode ──> plain structs
//! bytes <── encode_request / encode_response <── Message::encode <── plain structs
//! ```
//!
//! **Invariants.** There is no state but an unfinished frame in [`FrameReader`], and no time.
//! No input panics, and no declared length is allocated for before the bytes justify it.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
extern crate alloc;

#[cfg(any(feature = "std", test))]
extern crate std;

mod api;
pub mod batch;
pub mod compression;
pub mod crc;
mod error_code;
mod frame;
#[doc(hidden)]
pub mod fuzzing;
pub mod hash;
mod header;
#[macro_use]
mod message;
#[cfg(test)]
mod differential;
pub mod messages;
#[cfg(test)]
mod round_trips;
#[cfg(test)]
mod sample;
mod uuid;
pub mod wire;

pub use api::{ApiKey, VersionRange};
pub use error_code::ErrorCode;
pub use frame::{FrameError, FrameReader, encode_request, encode_response};
pub use header::{RequestHeader, ResponseHeader};
pub use message::{Message, Request};
pub use uuid::Uuid;
pub use wire::{DecodeError, DecodeErrorKind, EncodeError};

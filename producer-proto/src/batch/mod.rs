//! Record batches of format 2, the only one that brokers take today: build, seal, read.
//!
//! ```text
//! RecordBody ──append──> OpenBatch ──close──> ClosedRecords ──(compress)──> records section
//!                                                                              │
//!         BatchHeader ──write_unchecked_crc──> 61 bytes ──seal────────────────>│──> on the wire
//!
//! bytes ──BatchHeader::parse──> header, records section ──(decompress)──> RecordIter
//! ```
//!
//! - **The records of a batch are never changed once it is closed.** A retry writes the header
//!   anew, and only that.
//! - **Every batch that leaves was sealed**, since `write_unchecked_crc` leaves a checksum of 0.
//! - **Reading allocates nothing** and panics on no bytes.

mod error;
mod header;
mod open;
mod read;
mod record;
mod varint;

pub use error::{BatchError, RecordField};
pub use header::{Attributes, BatchHeader, TimestampType, seal, verify_crc};
pub use open::{ClosedRecords, OpenBatch};
pub use read::{HeaderIter, HeaderRef, RecordIter, RecordRef};
pub use record::{Header, RecordBody};

/// Bytes of a batch before its records.
pub const HEADER_LEN: usize = 61;

/// The most bytes that a record takes besides key, value and headers with their lengths: length 5,
/// attributes 1, timestamp delta 10, offset delta 5.
pub const MAX_RECORD_OVERHEAD: usize = 21;

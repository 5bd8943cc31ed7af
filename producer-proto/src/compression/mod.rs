//! The codecs of record batches: names, ids and levels as Kafka has them, compress and decompress.
//!
//! Each codec is a feature, and each but `none` needs `std`. A codec that was not compiled in keeps
//! its name and id, so that its batches can be named in an error.
//!
//! - **The same input gives the same bytes**, whatever a [`Compressor`] compressed before.
//! - **Decompressing is bounded by the caller's limit**, and what it allocates on the way by the
//!   input: a length that stands in the data is never believed before the data can justify it.

#[cfg(any(feature = "gzip", feature = "zstd"))]
mod bounded;
mod compressor;
mod error;
#[cfg(feature = "gzip")]
mod gzip;
#[cfg(feature = "lz4")]
mod lz4;
#[cfg(feature = "snappy")]
mod snappy;
#[cfg(feature = "zstd")]
mod zstd;

pub use compressor::{Compressor, decompress, max_compressed_len};
pub use error::CompressionError;

use core::fmt;
use core::ops::RangeInclusive;

/// How the records of a batch are compressed; the ids are those of the batch's attributes.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[repr(u8)]
pub enum Codec {
    /// As they are.
    #[default]
    None = 0,
    /// One RFC 1952 member.
    Gzip = 1,
    /// Snappy in the chunks of xerial's `snappy-java`, as Java writes it.
    Snappy = 2,
    /// One LZ4 frame of independent 64 KiB blocks.
    Lz4 = 3,
    /// One zstd frame; brokers take it from Produce v7 on.
    Zstd = 4,
}

impl Codec {
    /// Every codec, in the order of the ids.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// The codec with this id, if Kafka has one.
    #[must_use]
    pub const fn from_id(id: u8) -> Option<Self> {
        match id {
            0 => Some(Self::None),
            1 => Some(Self::Gzip),
            2 => Some(Self::Snappy),
            3 => Some(Self::Lz4),
            4 => Some(Self::Zstd),
            _ => None,
        }
    }

    /// The codec that `compression.type` calls `name`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.name() == name)
    }

    /// The id in the lowest three bits of a batch's attributes.
    #[must_use]
    pub const fn id(self) -> u8 {
        self as u8
    }

    /// The value of `compression.type`: `none`, `gzip`, `snappy`, `lz4` or `zstd`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// Whether the feature that brings this codec was compiled in.
    #[must_use]
    pub const fn is_available(self) -> bool {
        match self {
            Self::None => true,
            Self::Gzip => cfg!(feature = "gzip"),
            Self::Snappy => cfg!(feature = "snappy"),
            Self::Lz4 => cfg!(feature = "lz4"),
            Self::Zstd => cfg!(feature = "zstd"),
        }
    }

    /// The levels of `compression.<codec>.level`, or `None` for a codec without levels.
    ///
    /// Of gzip's, 0 is not one; see [`accepts_level`](Self::accepts_level).
    #[must_use]
    pub const fn levels(self) -> Option<RangeInclusive<i32>> {
        match self {
            Self::None | Self::Snappy => None,
            Self::Gzip => Some(-1..=9),
            Self::Lz4 => Some(1..=17),
            Self::Zstd => Some(-131_072..=22),
        }
    }

    /// The level that Java takes by default; 0 for a codec without levels.
    #[must_use]
    pub const fn default_level(self) -> i32 {
        match self {
            Self::None | Self::Snappy => 0,
            Self::Gzip => -1,
            Self::Lz4 => 9,
            Self::Zstd => 3,
        }
    }

    /// Whether `compression.<codec>.level` may be `level`. A codec without levels ignores it.
    #[must_use]
    pub fn accepts_level(self, level: i32) -> bool {
        match self.levels() {
            None => true,
            // zlib's 0 stores without compressing, which Kafka refuses as a mistake.
            Some(_) if self == Self::Gzip && level == 0 => false,
            Some(levels) => levels.contains(&level),
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

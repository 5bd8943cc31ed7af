//! One door to all codecs: contexts that are kept between batches, and bounded decompression.

use alloc::vec::Vec;
use core::fmt;

use super::{Codec, CompressionError};

/// Compresses batch after batch. It keeps each codec's context, since setting one up costs more
/// than compressing a small batch.
#[derive(Default)]
pub struct Compressor {
    #[cfg(feature = "gzip")]
    gzip: super::gzip::Encoder,
    #[cfg(feature = "lz4")]
    lz4: super::lz4::Encoder,
    #[cfg(feature = "snappy")]
    snappy: super::snappy::Encoder,
    #[cfg(feature = "zstd")]
    zstd: super::zstd::Encoder,
}

impl Compressor {
    /// No context is set up before its codec is used.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Compresses `input` into `out`, whose former bytes are dropped; on error it is left empty.
    ///
    /// With room for [`max_compressed_len`] in it, `out` does not grow.
    ///
    /// # Errors
    ///
    /// The codec is not compiled in, or has no such level.
    pub fn compress(
        &mut self,
        codec: Codec,
        level: i32,
        input: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), CompressionError> {
        out.clear();
        if !codec.accepts_level(level) {
            return Err(CompressionError::Level { codec, level });
        }

        let compressed = match codec {
            Codec::None => {
                out.extend_from_slice(input);
                Ok(())
            }
            #[cfg(feature = "gzip")]
            Codec::Gzip => self.gzip.compress(level, input, out),
            #[cfg(not(feature = "gzip"))]
            Codec::Gzip => not_compiled_in(codec),
            #[cfg(feature = "snappy")]
            Codec::Snappy => self.snappy.compress(input, out),
            #[cfg(not(feature = "snappy"))]
            Codec::Snappy => not_compiled_in(codec),
            #[cfg(feature = "lz4")]
            Codec::Lz4 => self.lz4.compress(input, out),
            #[cfg(not(feature = "lz4"))]
            Codec::Lz4 => not_compiled_in(codec),
            #[cfg(feature = "zstd")]
            Codec::Zstd => self.zstd.compress(level, input, out),
            #[cfg(not(feature = "zstd"))]
            Codec::Zstd => not_compiled_in(codec),
        };

        compressed.inspect_err(|_| out.clear())
    }
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compressor").finish_non_exhaustive()
    }
}

/// The most bytes that `len` bytes can take, also while they are being compressed.
#[must_use]
pub fn max_compressed_len(codec: Codec, len: usize) -> usize {
    match codec {
        Codec::None => len,
        #[cfg(feature = "gzip")]
        Codec::Gzip => super::gzip::max_compressed_len(len),
        #[cfg(feature = "snappy")]
        Codec::Snappy => super::snappy::max_compressed_len(len),
        #[cfg(feature = "lz4")]
        Codec::Lz4 => super::lz4::max_compressed_len(len),
        #[cfg(feature = "zstd")]
        Codec::Zstd => super::zstd::max_compressed_len(len),
        #[cfg(not(all(
            feature = "gzip",
            feature = "snappy",
            feature = "lz4",
            feature = "zstd"
        )))]
        _ => len,
    }
}

/// Decompresses `input` into `out`, whose former bytes are dropped; on error it is left empty.
///
/// # Errors
///
/// The codec is not compiled in, the data are not valid, or more than `limit` bytes would come out.
pub fn decompress(
    codec: Codec,
    input: &[u8],
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<(), CompressionError> {
    out.clear();

    let decompressed = match codec {
        Codec::None if limit < input.len() => Err(CompressionError::TooLarge { codec, limit }),
        Codec::None => {
            out.extend_from_slice(input);
            Ok(())
        }
        #[cfg(feature = "gzip")]
        Codec::Gzip => super::gzip::decompress(input, limit, out),
        #[cfg(not(feature = "gzip"))]
        Codec::Gzip => not_compiled_in(codec),
        #[cfg(feature = "snappy")]
        Codec::Snappy => super::snappy::decompress(input, limit, out),
        #[cfg(not(feature = "snappy"))]
        Codec::Snappy => not_compiled_in(codec),
        #[cfg(feature = "lz4")]
        Codec::Lz4 => super::lz4::decompress(input, limit, out),
        #[cfg(not(feature = "lz4"))]
        Codec::Lz4 => not_compiled_in(codec),
        #[cfg(feature = "zstd")]
        Codec::Zstd => super::zstd::decompress(input, limit, out),
        #[cfg(not(feature = "zstd"))]
        Codec::Zstd => not_compiled_in(codec),
    };

    decompressed.inspect_err(|_| out.clear())
}

#[cfg(not(all(
    feature = "gzip",
    feature = "snappy",
    feature = "lz4",
    feature = "zstd"
)))]
fn not_compiled_in(codec: Codec) -> Result<(), CompressionError> {
    Err(CompressionError::NotCompiledIn {
        codec,
        feature: codec.name(),
    })
}

//! zstd: one frame per batch, with its content size, without dictionary or checksum.

use alloc::vec::Vec;

use ::zstd::bulk;
use ::zstd::stream::read::Decoder;

use super::{Codec, CompressionError, bounded};

/// A context (several hundred KiB) and the level that it is set to.
#[derive(Default)]
pub(super) struct Encoder {
    kept: Option<(i32, bulk::Compressor<'static>)>,
}

impl Encoder {
    pub(super) fn compress(
        &mut self,
        level: i32,
        input: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), CompressionError> {
        let failed = CompressionError::Failed {
            codec: Codec::Zstd,
            bytes: input.len(),
        };
        let context = self.context(level).ok_or(failed)?;

        // The library writes into the capacity of `out` and does not grow it.
        out.reserve(max_compressed_len(input.len()));
        context.compress_to_buffer(input, out).map_err(|_| failed)?;

        Ok(())
    }

    fn context(&mut self, level: i32) -> Option<&mut bulk::Compressor<'static>> {
        let kept = match self.kept.take() {
            Some(kept) if kept.0 == level => kept,
            Some((_, mut context)) => {
                context.set_compression_level(level).ok()?;
                (level, context)
            }
            None => (level, bulk::Compressor::new(level).ok()?),
        };

        Some(&mut self.kept.insert(kept).1)
    }
}

pub(super) fn max_compressed_len(len: usize) -> usize {
    ::zstd::zstd_safe::compress_bound(len)
}

/// Takes several frames too, as brokers do.
///
/// The library sets up the window that a frame names, 128 MiB at most, since Java's writer at level
/// 22 needs that much; what is not filled is never touched.
pub(super) fn decompress(
    input: &[u8],
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<(), CompressionError> {
    let codec = Codec::Zstd;
    if input.is_empty() {
        return Err(CompressionError::Malformed {
            codec,
            reason: "there is no frame",
        });
    }
    let mut decoder = Decoder::with_buffer(input).map_err(|_| CompressionError::Malformed {
        codec,
        reason: "no context to read it with",
    })?;

    bounded::read_to_end(codec, &mut decoder, limit, out)
}

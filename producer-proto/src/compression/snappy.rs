//! snappy: written as xerial's `snappy-java` frames it, read in that form and raw.
//!
//! ```text
//! 82 "SNAPPY" 00 | version 1 | compatible with 1 | { chunk length | raw block of ≤ 32 KiB }*
//! ```
//!
//! The framing that snappy itself specifies is another one, which Kafka does not accept.

use alloc::boxed::Box;
use alloc::vec::Vec;

use snap::raw;

use super::{Codec, CompressionError};

/// Snappy's hash table.
#[derive(Default)]
pub(super) struct Encoder {
    kept: Option<Box<raw::Encoder>>,
}

impl Encoder {
    pub(super) fn compress(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), CompressionError> {
        let encoder = self
            .kept
            .get_or_insert_with(|| Box::new(raw::Encoder::new()));

        out.reserve(max_compressed_len(input.len()));
        out.extend_from_slice(&XERIAL_HEADER);
        for chunk in input.chunks(XERIAL_CHUNK) {
            let length_at = out.len();
            let block_at = length_at + LENGTH_LEN;
            out.resize(block_at + raw::max_compress_len(chunk.len()), 0);

            let len = encoder.compress(chunk, &mut out[block_at..]).map_err(|_| {
                CompressionError::Failed {
                    codec: Codec::Snappy,
                    bytes: chunk.len(),
                }
            })?;
            out.truncate(block_at + len);
            out[length_at..block_at].copy_from_slice(&(len as u32).to_be_bytes());
        }

        Ok(())
    }
}

pub(super) fn max_compressed_len(len: usize) -> usize {
    let chunk = LENGTH_LEN + raw::max_compress_len(XERIAL_CHUNK);
    let last = LENGTH_LEN + raw::max_compress_len(len % XERIAL_CHUNK);
    XERIAL_HEADER.len()
        + (len / XERIAL_CHUNK)
            .saturating_mul(chunk)
            .saturating_add(last)
}

pub(super) fn decompress(
    input: &[u8],
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<(), CompressionError> {
    // Java's reader decides by the magic, and takes what is shorter than a header as raw.
    if input.len() < XERIAL_HEADER.len() || !input.starts_with(XERIAL_MAGIC) {
        return decompress_block(input, limit, out);
    }

    let mut rest = &input[XERIAL_HEADER.len()..];
    while !rest.is_empty() {
        // Streams may be concatenated, headers and all.
        if rest.len() >= XERIAL_HEADER.len() && rest.starts_with(XERIAL_MAGIC) {
            rest = &rest[XERIAL_HEADER.len()..];
            continue;
        }

        let block = take_chunk(&mut rest).ok_or(malformed("a chunk is cut short"))?;
        decompress_block(block, limit, out)?;
    }

    Ok(())
}

fn take_chunk<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk::<LENGTH_LEN>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let (block, after) = after.split_at_checked(length)?;
    *rest = after;
    Some(block)
}

/// Appends what one raw block holds.
fn decompress_block(block: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), CompressionError> {
    if block.is_empty() {
        return Err(malformed("a block is empty"));
    }
    let len = raw::decompress_len(block).map_err(|_| malformed("a block has no valid length"))?;
    if limit - out.len() < len {
        return Err(CompressionError::TooLarge {
            codec: Codec::Snappy,
            limit,
        });
    }
    // Three bytes give at most 64, so a longer claim is refused before memory is taken for it.
    if block.len().saturating_mul(MAX_EXPANSION) < len {
        return Err(malformed("a block claims more than it can hold"));
    }

    let start = out.len();
    out.resize(start + len, 0);
    raw::Decoder::new()
        .decompress(block, &mut out[start..])
        .map_err(|_| malformed("a block is corrupt"))?;

    Ok(())
}

fn malformed(reason: &'static str) -> CompressionError {
    CompressionError::Malformed {
        codec: Codec::Snappy,
        reason,
    }
}

const XERIAL_MAGIC: &[u8] = b"\x82SNAPPY\0";
/// The magic, version 1, readable from version 1 on.
const XERIAL_HEADER: [u8; 16] = *b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01";
/// How Java cuts; readers take any size.
const XERIAL_CHUNK: usize = 32 * 1024;
const LENGTH_LEN: usize = 4;
const MAX_EXPANSION: usize = 22;

//! Reads a decompressing stream to its end, or to the caller's limit.

use alloc::vec::Vec;
use std::io::Read;

use super::{Codec, CompressionError};

/// Appends everything that `stream` yields to `out`, up to `limit` bytes in all.
///
/// The buffer doubles as data arrive and never grows beyond the limit: data of a few bytes that
/// claim to be large cost nothing.
pub(super) fn read_to_end(
    codec: Codec,
    stream: &mut impl Read,
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<(), CompressionError> {
    let mut filled = 0;

    while filled < limit {
        if filled == out.len() {
            let step = filled.max(FIRST_STEP).min(limit - filled);
            out.reserve_exact(step);
            out.resize(filled + step, 0);
        }
        match read(codec, stream, &mut out[filled..])? {
            0 => {
                out.truncate(filled);
                return Ok(());
            }
            bytes => filled += bytes,
        }
    }

    // At the limit, only the end may follow.
    match read(codec, stream, &mut [0])? {
        0 => Ok(()),
        _ => Err(CompressionError::TooLarge { codec, limit }),
    }
}

fn read(
    codec: Codec,
    stream: &mut impl Read,
    buffer: &mut [u8],
) -> Result<usize, CompressionError> {
    // The sources are slices in memory, hence every error is about the data.
    let reason = "corrupt or cut short";
    stream
        .read(buffer)
        .map_err(|_| CompressionError::Malformed { codec, reason })
}

const FIRST_STEP: usize = 4096;

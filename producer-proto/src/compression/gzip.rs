//! gzip: one RFC 1952 member per batch.

use alloc::vec::Vec;

use flate2::bufread::MultiGzDecoder;
use flate2::{Compress, Compression, FlushCompress, Status};

use super::{Codec, CompressionError, bounded};

/// A deflate state (about 300 KiB) for the level used last.
#[derive(Default)]
pub(super) struct Encoder {
    kept: Option<(i32, Compress)>,
}

impl Encoder {
    pub(super) fn compress(
        &mut self,
        level: i32,
        input: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), CompressionError> {
        let failed = CompressionError::Failed {
            codec: Codec::Gzip,
            bytes: input.len(),
        };
        let deflate = self.deflate(level);

        out.reserve(max_compressed_len(input.len()));
        loop {
            let done = usize::try_from(deflate.total_in()).map_err(|_| failed)?;
            let rest = input.get(done..).ok_or(failed)?;
            match deflate.compress_vec(rest, out, FlushCompress::Finish) {
                Ok(Status::StreamEnd) => return Ok(()),
                // Out of room, against the estimate: more room lets it go on.
                Ok(Status::Ok | Status::BufError) => out.reserve(MORE_ROOM),
                Err(_) => return Err(failed),
            }
        }
    }

    /// A state in its initial position: the kept one if the level is the same.
    fn deflate(&mut self, level: i32) -> &mut Compress {
        let kept = self.kept.take().filter(|&(kept, _)| kept == level);
        let deflate = match kept {
            Some((_, mut deflate)) => {
                deflate.reset();
                deflate
            }
            None => {
                let level =
                    u32::try_from(level).map_or_else(|_| Compression::default(), Compression::new);
                Compress::new_gzip(level, WINDOW_BITS)
            }
        };

        &mut self.kept.insert((level, deflate)).1
    }
}

/// What deflate's fixed codes take at worst, 9 bits for 8, with the 18 bytes of the wrapper.
pub(super) fn max_compressed_len(len: usize) -> usize {
    len.saturating_add(len / 8)
        .saturating_add(len / 256)
        .saturating_add(MORE_ROOM)
}

/// Takes several members too, as the JDK's reader does.
pub(super) fn decompress(
    input: &[u8],
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<(), CompressionError> {
    bounded::read_to_end(Codec::Gzip, &mut MultiGzDecoder::new(input), limit, out)
}

const WINDOW_BITS: u8 = 15;
const MORE_ROOM: usize = 64;

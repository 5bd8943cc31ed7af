//! lz4: one frame per batch, in the shape that Kafka's `Lz4BlockInputStream` takes.
//!
//! ```text
//! magic  FLG  BD  [content size]  header checksum | { block length | block [checksum] }* | 0
//! ```
//!
//! Written: independent blocks of 64 KiB, no checksums, no content size. The frame is written and
//! read here rather than by `lz4_flex`: its reader takes what Kafka refuses (linked blocks, no end
//! mark) and sets up two buffers of 4 MiB if the frame says so, its writer copies the input first.

use alloc::vec::Vec;

use lz4_flex::block::{
    CompressTable, compress_into_with_table, decompress_into, get_maximum_output_size,
};
use twox_hash::XxHash32;

use super::{Codec, CompressionError};

/// Hash tables. There are two kinds, which find different matches; a block's length alone decides
/// between them, so that the output does not depend on what was compressed before.
///
/// The level is ignored: Java takes the fast compressor at its default of 9, which is the one here,
/// and the slow one (HC) otherwise, which does not exist in safe Rust.
#[derive(Default)]
pub(super) struct Encoder {
    small: Option<CompressTable>,
    large: Option<CompressTable>,
}

/// What a frame's header says about its blocks.
struct Descriptor {
    max_block_len: usize,
    block_checksum_len: usize,
}

impl Encoder {
    pub(super) fn compress(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), CompressionError> {
        out.reserve(max_compressed_len(input.len()));
        out.extend_from_slice(&FRAME_HEADER);
        for block in input.chunks(BLOCK_LEN) {
            self.compress_block(block, out)?;
        }
        out.extend_from_slice(&END_MARK);

        Ok(())
    }

    fn compress_block(&mut self, block: &[u8], out: &mut Vec<u8>) -> Result<(), CompressionError> {
        let length_at = out.len();
        let data_at = length_at + LENGTH_LEN;
        out.resize(data_at + get_maximum_output_size(block.len()), 0);

        let table = self.table(block.len());
        let mut len = compress_into_with_table(block, &mut out[data_at..], table).map_err(|_| {
            CompressionError::Failed {
                codec: Codec::Lz4,
                bytes: block.len(),
            }
        })? as u32;
        out.truncate(data_at + len as usize);
        if block.len() <= len as usize {
            out.truncate(data_at);
            out.extend_from_slice(block);
            len = block.len() as u32 | STORED_BIT;
        }
        out[length_at..data_at].copy_from_slice(&len.to_le_bytes());

        Ok(())
    }

    fn table(&mut self, block_len: usize) -> &mut CompressTable {
        if block_len < usize::from(u16::MAX) {
            self.small.get_or_insert_with(CompressTable::small)
        } else {
            self.large.get_or_insert_with(CompressTable::large)
        }
    }
}

pub(super) fn max_compressed_len(len: usize) -> usize {
    let block = LENGTH_LEN + get_maximum_output_size(BLOCK_LEN);
    let last = LENGTH_LEN + get_maximum_output_size(len % BLOCK_LEN);
    (FRAME_HEADER.len() + END_MARK.len())
        .saturating_add((len / BLOCK_LEN).saturating_mul(block))
        .saturating_add(last)
}

/// Reads one frame. What follows its end mark is ignored, as Kafka does.
pub(super) fn decompress(
    input: &[u8],
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<(), CompressionError> {
    let mut rest = input;
    let descriptor = take_descriptor(&mut rest)?;

    loop {
        let length = take_u32(&mut rest).ok_or(malformed("there is no end mark"))?;
        if length == 0 {
            return Ok(());
        }

        let len = (length & !STORED_BIT) as usize;
        if descriptor.max_block_len < len {
            return Err(malformed("a block is longer than the frame allows"));
        }
        let block = take_block(&mut rest, len, &descriptor)?;
        if length & STORED_BIT == 0 {
            decompress_block(block, descriptor.max_block_len, limit, out)?;
        } else if limit - out.len() < len {
            return Err(too_large(limit));
        } else {
            out.extend_from_slice(block);
        }
    }
}

/// Reads what stands before the blocks.
fn take_descriptor(rest: &mut &[u8]) -> Result<Descriptor, CompressionError> {
    if take_u32(rest) != Some(MAGIC) {
        return Err(malformed("expected the magic 04 22 4d 18"));
    }

    let descriptor = *rest;
    let &[flags, block_size, ..] = descriptor else {
        return Err(malformed("the header is cut short"));
    };
    if flags & (VERSION_BITS | RESERVED_BITS) != VERSION_1 || block_size & !BLOCK_SIZE_BITS != 0 {
        return Err(malformed("expected version 1 and no reserved bits"));
    }
    if flags & INDEPENDENT_BIT == 0 {
        return Err(malformed("expected independent blocks"));
    }
    let max_block_len = match block_size >> BLOCK_SIZE_SHIFT {
        code @ 4..=7 => 1 << (8 + 2 * code),
        _ => return Err(malformed("expected a block size code of 4 to 7")),
    };

    let len = if flags & CONTENT_SIZE_BIT == 0 { 2 } else { 10 };
    let cut = descriptor
        .split_at_checked(len)
        .and_then(|(descriptor, after)| {
            let (&checksum, after) = after.split_first()?;
            Some((descriptor, checksum, after))
        });
    let Some((descriptor, checksum, after)) = cut else {
        return Err(malformed("the header is cut short"));
    };
    if (XxHash32::oneshot(0, descriptor) >> 8) as u8 != checksum {
        return Err(malformed("the header has another checksum"));
    }
    *rest = after;

    let block_checksum_len = if flags & BLOCK_CHECKSUM_BIT == 0 {
        0
    } else {
        4
    };
    Ok(Descriptor {
        max_block_len,
        block_checksum_len,
    })
}

/// Takes a block of `len` bytes, once its checksum, if it has one, is known to be right.
fn take_block<'a>(
    rest: &mut &'a [u8],
    len: usize,
    descriptor: &Descriptor,
) -> Result<&'a [u8], CompressionError> {
    let Some((block, after)) = rest.split_at_checked(len) else {
        return Err(malformed("a block is cut short"));
    };
    *rest = after;

    if descriptor.block_checksum_len != 0 {
        let stored = take_u32(rest).ok_or(malformed("a block is cut short"))?;
        if stored != XxHash32::oneshot(0, block) {
            return Err(malformed("a block has another checksum"));
        }
    }

    Ok(block)
}

/// Appends what a compressed block holds.
fn decompress_block(
    block: &[u8],
    max_block_len: usize,
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<(), CompressionError> {
    let start = out.len();
    let left = limit - start;
    // A byte gives at most 255; more room than that is not taken on the word of the header.
    let room = block.len().saturating_mul(MAX_EXPANSION).min(max_block_len);

    out.resize(start + room.min(left), 0);
    match decompress_into(block, &mut out[start..]) {
        Ok(len) => {
            out.truncate(start + len);
            Ok(())
        }
        // The library needs more room: either the limit cut it off, or the block is too long.
        Err(lz4_flex::block::DecompressError::OutputTooSmall { .. }) if left < room => {
            Err(too_large(limit))
        }
        Err(_) => Err(malformed("a block is corrupt")),
    }
}

fn take_u32(rest: &mut &[u8]) -> Option<u32> {
    let (bytes, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(u32::from_le_bytes(*bytes))
}

fn malformed(reason: &'static str) -> CompressionError {
    CompressionError::Malformed {
        codec: Codec::Lz4,
        reason,
    }
}

fn too_large(limit: usize) -> CompressionError {
    CompressionError::TooLarge {
        codec: Codec::Lz4,
        limit,
    }
}

const MAGIC: u32 = 0x184d_2204;
/// Magic, version 1 with independent blocks, 64 KiB, and the checksum of these two bytes.
const FRAME_HEADER: [u8; 7] = [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82];
const END_MARK: [u8; 4] = [0; 4];
const BLOCK_LEN: usize = 64 * 1024;
const LENGTH_LEN: usize = 4;
/// Set in a block's length if the block was not compressed.
const STORED_BIT: u32 = 0x8000_0000;
const MAX_EXPANSION: usize = 255;

const VERSION_BITS: u8 = 0xc0;
const VERSION_1: u8 = 0x40;
const INDEPENDENT_BIT: u8 = 0x20;
const BLOCK_CHECKSUM_BIT: u8 = 0x10;
const CONTENT_SIZE_BIT: u8 = 0x08;
/// The second one says that a dictionary was used, which Kafka takes for a reserved bit.
const RESERVED_BITS: u8 = 0x03;
const BLOCK_SIZE_BITS: u8 = 0x70;
const BLOCK_SIZE_SHIFT: u8 = 4;

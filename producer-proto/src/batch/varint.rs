//! Zigzag varints, the numbers inside records: small magnitudes of either sign take few bytes.
//!
//! Zigzag maps 0, −1, 1, −2, … to 0, 1, 2, 3, …; the result goes out in groups of seven bits, least
//! significant first, the top bit of each byte saying that another one follows. (Protocol buffers
//! call it `sint`; Kafka's `ByteUtils.writeVarint` and `writeVarlong`.)

use alloc::vec::Vec;

/// The zigzag form of a 64-bit number; a 32-bit one gives the same as in 32 bits.
pub(super) const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// The zigzag form of a length or count, which is never negative.
pub(super) const fn zigzag_length(length: usize) -> u64 {
    (length as u64) << 1
}

/// The zigzag form of −1, the length of null.
pub(super) const NULL: u64 = 1;

/// How many bytes a number in zigzag form takes, 1 to 10.
#[inline]
pub(super) const fn len(zigzag: u64) -> usize {
    // One byte for each started group of seven bits: (9 × bits + 64) / 64 is ceil(bits / 7) for
    // 1 to 64 bits, without a division or a branch.
    let bits = 64 - (zigzag | 1).leading_zeros();
    ((bits * 9 + 64) / 64) as usize
}

/// Appends a number in zigzag form.
#[inline]
pub(super) fn put(out: &mut Vec<u8>, mut zigzag: u64) {
    while 0x80 <= zigzag {
        out.push(zigzag as u8 | 0x80);
        zigzag >>= 7;
    }
    out.push(zigzag as u8);
}

/// Takes a 32-bit number off the front of `bytes`; `None` if it is cut short or too long.
#[inline]
pub(super) fn take_i32(bytes: &mut &[u8]) -> Option<i32> {
    let zigzag = take(bytes, 5)? as u32;
    Some((zigzag >> 1) as i32 ^ -((zigzag & 1) as i32))
}

/// Takes a 64-bit number off the front of `bytes`; `None` if it is cut short or too long.
#[inline]
pub(super) fn take_i64(bytes: &mut &[u8]) -> Option<i64> {
    let zigzag = take(bytes, 10)?;
    Some((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64))
}

/// Java drops the bits that do not fit the last byte's group and takes over-long forms of small
/// numbers, hence so do we.
#[inline]
fn take(bytes: &mut &[u8], longest: usize) -> Option<u64> {
    let mut zigzag = 0;

    for index in 0..longest {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        zigzag |= u64::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            return Some(zigzag);
        }
    }

    None
}

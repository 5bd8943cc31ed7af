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

/// The end of the numbers that [`Packed`] can hold: those of at most three bytes.
pub(super) const PACKABLE: u64 = 1 << 21;

/// Up to eight bytes of a record, in a register; the first byte is the least significant one.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub(super) struct Packed {
    /// The bytes, and zeros after them.
    pub(super) bits: u64,
    /// Eight times how many they are.
    pub(super) len_bits: u32,
}

impl Packed {
    /// A number in zigzag form, less than [`PACKABLE`].
    #[inline]
    pub(super) const fn number(zigzag: u64) -> Self {
        if zigzag < 0x80 {
            return Self {
                bits: zigzag,
                len_bits: 8,
            };
        }

        let low = zigzag & 0x7f | 0x80;
        if zigzag < 0x4000 {
            return Self {
                bits: low | zigzag >> 7 << 8,
                len_bits: 16,
            };
        }

        let middle = zigzag >> 7 & 0x7f | 0x80;
        Self {
            bits: low | middle << 8 | zigzag >> 14 << 16,
            len_bits: 24,
        }
    }

    /// How many bytes these are, together with those of `next`.
    #[inline]
    pub(super) const fn len_with(self, next: Self) -> usize {
        ((self.len_bits + next.len_bits) / 8) as usize
    }

    /// These bytes and then those of `next`, eight at most, and less than eight here.
    #[inline]
    pub(super) const fn then(self, next: Self) -> Self {
        Self {
            bits: self.bits | next.bits << self.len_bits,
            len_bits: self.len_bits + next.len_bits,
        }
    }
}

/// How many bytes a number in zigzag form takes, 1 to 10.
#[inline]
pub(super) const fn len(zigzag: u64) -> usize {
    // Most numbers of a record are small, and a branch that is always taken costs next to nothing.
    if zigzag < 0x80 {
        return 1;
    }

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

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    /// A number, and its bytes as varint and as varlong.
    const EXAMPLES: &[(i64, &[u8])] = &[
        (0, &[0x00]),
        (1, &[0x02]),
        (2, &[0x04]),
        (63, &[0x7e]),
        (64, &[0x80, 0x01]),
        (127, &[0xfe, 0x01]),
        (128, &[0x80, 0x02]),
        (300, &[0xd8, 0x04]),
        (8191, &[0xfe, 0x7f]),
        (8192, &[0x80, 0x80, 0x01]),
        (16383, &[0xfe, 0xff, 0x01]),
        (16384, &[0x80, 0x80, 0x02]),
        (2_097_151, &[0xfe, 0xff, 0xff, 0x01]),
        (2_097_152, &[0x80, 0x80, 0x80, 0x02]),
        (2_147_483_647, &[0xfe, 0xff, 0xff, 0xff, 0x0f]),
        (-1, &[0x01]),
        (-2, &[0x03]),
        (-64, &[0x7f]),
        (-65, &[0x81, 0x01]),
        (-8192, &[0xff, 0x7f]),
        (-8193, &[0x81, 0x80, 0x01]),
        (-2_147_483_648, &[0xff, 0xff, 0xff, 0xff, 0x0f]),
    ];

    /// Numbers beyond 32 bits.
    const LONG_EXAMPLES: &[(i64, &[u8])] = &[
        (4_294_967_295, &[0xfe, 0xff, 0xff, 0xff, 0x1f]),
        (
            i64::MAX,
            &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
        ),
        (
            i64::MIN,
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
        ),
    ];

    #[test]
    fn every_example_is_written() {
        for &(number, bytes) in EXAMPLES.iter().chain(LONG_EXAMPLES) {
            let mut out = vec![];
            put(&mut out, zigzag(number));
            assert_eq!(out, bytes, "{number}");
            assert_eq!(len(zigzag(number)), bytes.len(), "{number}");
        }
    }

    #[test]
    fn every_example_is_read_and_nothing_after_it() {
        for &(number, bytes) in EXAMPLES {
            let with_more = [bytes, &[0xab]].concat();
            let mut rest = &with_more[..];
            assert_eq!(take_i32(&mut rest).map(i64::from), Some(number));
            assert_eq!(rest, [0xab]);
        }
        for &(number, bytes) in EXAMPLES.iter().chain(LONG_EXAMPLES) {
            let with_more = [bytes, &[0xab]].concat();
            let mut rest = &with_more[..];
            assert_eq!(take_i64(&mut rest), Some(number));
            assert_eq!(rest, [0xab]);
        }
    }

    #[test]
    fn every_example_that_fits_is_packed_to_the_same_bytes() {
        for &(number, bytes) in EXAMPLES {
            if zigzag(number) < PACKABLE {
                let packed = Packed::number(zigzag(number));
                assert_eq!(packed.len_bits as usize, 8 * bytes.len());
                assert_eq!(&packed.bits.to_le_bytes()[..bytes.len()], bytes, "{number}");
            }
        }
    }

    #[test]
    fn packed_bytes_follow_each_other() {
        let both = Packed::number(zigzag(300)).then(Packed::number(zigzag(-1)));
        assert_eq!(
            both,
            Packed {
                bits: 0x01_04_d8,
                len_bits: 24
            }
        );
        assert_eq!(both.len_with(both), 6);
    }

    #[test]
    fn a_number_that_does_not_end_is_refused() {
        assert_eq!(take_i32(&mut &[0xff, 0xff, 0xff, 0xff][..]), None);
        assert_eq!(
            take_i32(&mut &[0xff, 0xff, 0xff, 0xff, 0xff, 0x01][..]),
            None
        );
        assert_eq!(take_i64(&mut &[0xff; 11][..]), None);
    }

    #[test]
    fn over_long_forms_are_read_as_java_reads_them() {
        assert_eq!(take_i32(&mut &[0x80, 0x00][..]), Some(0));
        assert_eq!(
            take_i32(&mut &[0xff, 0xff, 0xff, 0xff, 0x7f][..]),
            Some(i32::MIN)
        );
    }
}

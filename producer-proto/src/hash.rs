//! The hashes by which Kafka clients turn a key into a partition.
//!
//! Records with the same key must land in the same partition whichever client wrote them, so each
//! rule is bit-exact with the client that it is named after: Java's murmur2
//! (`org.apache.kafka.common.utils.Utils`), librdkafka's partitioners (`rdkafka_msg.c`) and
//! sarama's (`partitioner.go`).
//!
//! The rules take a key that is present; what happens to a null key (random, sticky, or hashed as
//! empty) is a decision of the partitioner. A partition count of 0 gives partition 0 rather than a
//! panic: whoever asks has no partition to send to and finds out anyway.

use ::crc::{CRC_32_ISO_HDLC, Crc};

/// The murmur2 of Kafka's Java client: 32 bits, seed `0x9747b28c`.
#[must_use]
pub fn murmur2(key: &[u8]) -> u32 {
    // Java hashes an `int` length; keys beyond 2 GiB do not exist there, so truncation is moot.
    let mut hash = MURMUR2_SEED ^ key.len() as u32;

    let mut groups = key.chunks_exact(4);
    for group in &mut groups {
        let mut word = little_endian(group).wrapping_mul(MURMUR2_MULTIPLIER);
        word ^= word >> 24;
        hash = hash.wrapping_mul(MURMUR2_MULTIPLIER) ^ word.wrapping_mul(MURMUR2_MULTIPLIER);
    }

    let tail = groups.remainder();
    if !tail.is_empty() {
        hash = (hash ^ little_endian(tail)).wrapping_mul(MURMUR2_MULTIPLIER);
    }

    hash ^= hash >> 13;
    hash = hash.wrapping_mul(MURMUR2_MULTIPLIER);
    hash ^ (hash >> 15)
}

/// Clears the sign bit, as Java's `Utils.toPositive`: a mask, not an absolute value.
#[must_use]
pub const fn to_positive(hash: u32) -> u32 {
    hash & 0x7fff_ffff
}

/// FNV-1a with 32 bits.
#[must_use]
pub fn fnv1a_32(key: &[u8]) -> u32 {
    key.iter().fold(0x811c_9dc5, |hash, &byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

/// CRC-32 as in zlib and IEEE 802.3. Record batches use another polynomial.
#[must_use]
pub fn crc32(key: &[u8]) -> u32 {
    CRC_32.checksum(key)
}

/// The partition that Java gives a key, and librdkafka's `murmur2` and `murmur2_random`.
#[must_use]
pub fn murmur2_partition(key: &[u8], partition_count: u32) -> u32 {
    remainder(to_positive(murmur2(key)), partition_count)
}

/// The partition of librdkafka's `consistent` and, for a key that is not empty, of its default
/// `consistent_random`.
#[must_use]
pub fn librdkafka_consistent(key: &[u8], partition_count: u32) -> u32 {
    remainder(crc32(key), partition_count)
}

/// The partition of librdkafka's `fnv1a` and `fnv1a_random`: the absolute value of the signed hash.
#[must_use]
pub fn librdkafka_fnv1a(key: &[u8], partition_count: u32) -> u32 {
    remainder((fnv1a_32(key) as i32).unsigned_abs(), partition_count)
}

/// The partition of sarama's `NewHashPartitioner`, its default.
///
/// Sarama takes the signed remainder and then drops its sign, which is what
/// [`librdkafka_fnv1a`] comes to.
#[must_use]
pub fn sarama_hash(key: &[u8], partition_count: u32) -> u32 {
    librdkafka_fnv1a(key, partition_count)
}

/// The partition of sarama's `NewReferenceHashPartitioner`, which masks the sign as Java does.
#[must_use]
pub fn sarama_reference_hash(key: &[u8], partition_count: u32) -> u32 {
    remainder(to_positive(fnv1a_32(key)), partition_count)
}

/// The partition of sarama's `NewConsistentCRCHashPartitioner`; equal to librdkafka's `consistent`.
#[must_use]
pub fn sarama_consistent_crc(key: &[u8], partition_count: u32) -> u32 {
    librdkafka_consistent(key, partition_count)
}

/// Up to four bytes as a number, the first one least significant.
fn little_endian(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .rev()
        .fold(0, |word, &byte| word << 8 | u32::from(byte))
}

fn remainder(hash: u32, partition_count: u32) -> u32 {
    hash.checked_rem(partition_count).unwrap_or(0)
}

const MURMUR2_SEED: u32 = 0x9747_b28c;
const MURMUR2_MULTIPLIER: u32 = 0x5bd1_e995;

static CRC_32: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

#[cfg(test)]
mod tests {
    use super::*;

    /// Key, murmur2, and the partitions of 3, 12 and 17.
    const MURMUR2: &[(&[u8], u32, [u32; 3])] = &[
        (b"21", 0xc5f2_f8ec, [0, 0, 13]),
        (b"foobar", 0xd0e4_7bbe, [0, 6, 9]),
        (b"a-little-bit-long-string", 0xc53b_1da0, [2, 8, 11]),
        (b"a-little-bit-longer-string", 0xa768_c9c3, [2, 11, 12]),
        (
            b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
            0xfc7d_49cd,
            [2, 5, 0],
        ),
        (b"abc", 0x1c94_221b, [0, 3, 16]),
        (b"kafka", 0xd067_cf64, [1, 4, 14]),
        (b"giberish123456789", 0x8f55_2b0c, [2, 8, 2]),
        (b"1234", 0x9fc9_7b14, [0, 0, 1]),
        (b"234", 0xe7c0_09ca, [2, 2, 13]),
        (b"34", 0x8739_30da, [0, 6, 7]),
        (b"4", 0x5a4b_5ca1, [1, 1, 10]),
        (
            b"PreAmbleWillBeRemoved,ThePrePartThatIs",
            0x7842_4f1c,
            [2, 8, 4],
        ),
        (
            b"reAmbleWillBeRemoved,ThePrePartThatIs",
            0x4a62_b377,
            [2, 11, 11],
        ),
        (
            b"eAmbleWillBeRemoved,ThePrePartThatIs",
            0xe0e4_e09e,
            [1, 10, 9],
        ),
        (
            b"AmbleWillBeRemoved,ThePrePartThatIs",
            0x62b8_b43f,
            [0, 3, 15],
        ),
        (b"", 0x106e_08d9, [0, 9, 11]),
        (b"23456", 0x858d_780f, [2, 11, 9]),
        (
            b"this is another string with more length to it perhaps",
            0xcf77_03da,
            [2, 2, 11],
        ),
        (b"hejsan", 0x5ec1_9395, [1, 1, 5]),
        (b"\xff", 0xed6f_615b, [0, 3, 0]),
        (b"\x80\x81\x82\x83", 0x54ab_fd9a, [2, 2, 16]),
        (b"\xd0\xba\xd0\xbb\xd1\x8e\xd1\x87", 0x7e80_6270, [2, 8, 5]),
        (b"\x00\x00\x00\x00", 0x32b8_9340, [1, 4, 3]),
    ];

    /// Key, CRC-32 and its partition of 17; FNV-1a, and librdkafka's and sarama's partition of 17.
    struct Vector(&'static [u8], u32, u32, u32, u32, u32);

    const OTHERS: &[Vector] = &[
        Vector(b"kafka", 0x5bbc_7517, 11, 0x0d33_c4e1, 9, 9),
        Vector(b"giberish123456789", 0x7b3a_8e3f, 12, 0x77a5_8295, 2, 2),
        Vector(b"1234", 0x9be3_e0a3, 4, 0xfdc4_22fd, 13, 13),
        Vector(b"234", 0x0d71_7969, 12, 0x2dea_3cd2, 5, 5),
        Vector(b"34", 0x9406_837a, 16, 0x8bf0_57c2, 4, 5),
        Vector(b"4", 0xf3b6_1b38, 15, 0x310c_a263, 16, 16),
        Vector(
            b"PreAmbleWillBeRemoved,ThePrePartThatIs",
            0xddcb_a83a,
            4,
            0x65cb_d69c,
            11,
            11,
        ),
        Vector(b"", 0x0000_0000, 0, 0x811c_9dc5, 0, 9),
        Vector(b"23456", 0xb1b4_51d7, 7, 0x27e6_f469, 6, 6),
        Vector(
            b"this is another string with more length to it perhaps",
            0xb015_0df7,
            15,
            0x155e_3e5f,
            0,
            0,
        ),
        Vector(b"hejsan", 0xd077_037e, 14, 0xe84e_1d86, 4, 5),
    ];

    #[test]
    fn murmur2_is_that_of_java_for_every_published_key() {
        for &(key, hash, partitions) in MURMUR2 {
            assert_eq!(murmur2(key), hash, "{key:?}");
            assert_eq!(
                [3, 12, 17].map(|count| murmur2_partition(key, count)),
                partitions
            );
        }
    }

    #[test]
    fn crc32_and_fnv1a_are_those_of_the_other_clients_for_every_published_key() {
        for &Vector(key, crc, consistent, fnv1a, librdkafka, sarama) in OTHERS {
            assert_eq!(crc32(key), crc, "{key:?}");
            assert_eq!(librdkafka_consistent(key, 17), consistent);
            assert_eq!(sarama_consistent_crc(key, 17), consistent);
            assert_eq!(fnv1a_32(key), fnv1a, "{key:?}");
            assert_eq!(librdkafka_fnv1a(key, 17), librdkafka);
            assert_eq!(sarama_hash(key, 17), librdkafka);
            assert_eq!(sarama_reference_hash(key, 17), sarama);
        }
    }

    #[test]
    fn to_positive_masks_the_sign_and_does_not_negate() {
        assert_eq!(to_positive(0xffff_ffff), 0x7fff_ffff);
        assert_eq!(to_positive(0x8000_0000), 0);
        assert_eq!(to_positive(7), 7);
    }

    #[test]
    fn a_topic_without_partitions_gives_partition_zero() {
        assert_eq!(murmur2_partition(b"key", 0), 0);
        assert_eq!(librdkafka_fnv1a(b"key", 0), 0);
    }
}

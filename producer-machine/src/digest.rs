//! A fingerprint of the whole state of a machine, for comparing runs.
//!
//! Everything that may have a say in what the machine does next goes in: a type whose fields are
//! all state derives `Hash`, one that also has scratch or pools names each field, so that a new
//! one cannot be forgotten.
//!
//! **Invariants.** No address, no capacity and no float goes in.

use core::fmt;
use core::hash::{Hash, Hasher};

/// A fingerprint of a machine's state: equal for equal states, and for different ones different
/// but for chance. Comparable between runs of the same build.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(u64);

impl Digest {
    /// The number behind it, for a log.
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// The fingerprint of whatever `feed` feeds.
    pub(crate) fn of(feed: impl FnOnce(&mut Mixer)) -> Self {
        let mut mixer = Mixer(0);
        feed(&mut mixer);
        Self(mixer.finish())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Mixes words as SplitMix64 does. The hashers of the standard library make no promise to give
/// the same from one release to the next, nor are they there without it.
#[derive(Debug)]
pub(crate) struct Mixer(u64);

impl Mixer {
    const fn mix(&mut self, word: u64) {
        let mut z = (self.0 ^ word).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        self.0 = z ^ (z >> 31);
    }
}

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // The length too, or neighbors could exchange their zeros.
        self.mix(bytes.len() as u64);
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.mix(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, number: u8) {
        self.mix(number.into());
    }

    fn write_u16(&mut self, number: u16) {
        self.mix(number.into());
    }

    fn write_u32(&mut self, number: u32) {
        self.mix(number.into());
    }

    fn write_u64(&mut self, number: u64) {
        self.mix(number);
    }

    fn write_usize(&mut self, number: usize) {
        self.mix(number as u64);
    }
}

impl fmt::Write for Mixer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.hash(self);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn of(value: impl Hash) -> Digest {
        Digest::of(|mixer| value.hash(mixer))
    }

    #[test]
    fn equal_values_have_equal_digests_whatever_their_capacity() {
        let mut roomy: Vec<u8> = Vec::with_capacity(100);
        roomy.extend_from_slice(b"abc");
        assert_eq!(of(roomy), of(b"abc".to_vec()));
    }

    #[test]
    fn values_that_differ_a_little_have_different_digests() {
        assert_ne!(of(1_u32), of(2_u32));
        assert_ne!(of((1_u32, 2_u32)), of((2_u32, 1_u32)));
        assert_ne!(of(b"a\0".as_slice()), of(b"a".as_slice()));
        assert_ne!(of((Some(0), None::<u8>)), of((None::<u8>, Some(0))));
    }

    #[test]
    fn a_digest_is_shown_as_sixteen_digits() {
        use alloc::string::ToString;
        assert_eq!(Digest(0xab).to_string(), "00000000000000ab");
    }
}

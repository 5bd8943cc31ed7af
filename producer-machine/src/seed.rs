//! Chance as an argument: one seed, one independent stream per use.
//!
//! SplitMix64 is written here because a run must replay bit for bit after any dependency update;
//! it is also Java's `SplittableRandom`.

/// What all randomness of a machine is drawn from.
///
/// The same seed and the same inputs give the same outputs, byte for byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(u64);

impl Seed {
    /// A seed of this value.
    pub const fn new(value: u64) -> Self {
        Self(value)
    }

    /// A stream of its own for one use: a draw more for jitter must not move the partitioner.
    pub(crate) const fn stream(self, label: u64) -> Stream {
        let mut stream = Stream {
            state: self.0 ^ label.wrapping_mul(0x9e37_79b9_7f4a_7c15),
        };
        stream.state = stream.next_u64();
        stream
    }
}

/// A stream of random numbers.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Stream {
    state: u64,
}

impl Stream {
    pub(crate) const fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; zero if `bound` is zero.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        let wide = u64::from(bound) * (self.next_u64() >> 32);
        (wide >> 32) as u32
    }

    /// `micros` changed by up to a fifth in either direction.
    pub(crate) fn jitter(&mut self, micros: u64) -> u64 {
        let fifth = micros / 5;
        let span = u32::try_from(fifth.saturating_mul(2)).unwrap_or(u32::MAX);
        (micros - fifth).saturating_add(u64::from(self.below(span.saturating_add(1))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_numbers_each_time() {
        let mut stream = Seed::new(7).stream(1);
        let mut again = Seed::new(7).stream(1);
        assert_eq!(stream.next_u64(), again.next_u64());
        assert_ne!(stream.next_u64(), Seed::new(7).stream(2).next_u64());
    }

    #[test]
    fn below_stays_below_and_jitter_within_a_fifth() {
        let mut stream = Seed::new(1).stream(0);
        for _ in 0..1000 {
            assert!(stream.below(7) < 7);
            let jittered = stream.jitter(100_000);
            assert!((80_000..=120_000).contains(&jittered), "{jittered}");
        }
        assert_eq!(stream.below(0), 0);
        assert_eq!(stream.jitter(0), 0);
    }
}

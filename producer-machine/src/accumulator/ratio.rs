//! How well records compress, told by those before them, and when a batch is full by that
//! (`producer-semantics.md` §2.5, §2.11; Java's `CompressionRatioEstimator`).
//!
//! There is one expectation for each topic of a producer, which has one codec. A batch goes by the
//! expectation of the moment in which it was opened.
//!
//! **Invariant.** Whole numbers only, rounded against us: the same records always fill a batch.

use core::cmp::Ordering;

use kafka_producer_proto::batch::HEADER_LEN;

/// Compressed bytes for each thousand bytes of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ratio(u32);

/// When a batch is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Room {
    /// Bytes on the wire that are expected of each million bytes of records.
    rate: u64,
    /// `batch.size`: what the batch is to have on the wire, header included.
    size: usize,
    /// What it may have before compression, header included.
    most: usize,
}

impl Ratio {
    /// Nothing is gained: what is expected at first.
    pub(crate) const NO_GAIN: Self = Self(1000);

    /// What came of some records.
    pub(crate) fn of(compressed: usize, plain: usize) -> Self {
        let thousandths = (compressed as u64)
            .saturating_mul(1000)
            .div_ceil(plain.max(1) as u64);
        Self(u32::try_from(thousandths).unwrap_or(MOST).min(MOST))
    }

    /// What is expected after a batch of which `actual` came: what is worse counts at once, what
    /// is better little by little.
    pub(crate) fn after(self, actual: Self) -> Self {
        match actual.0.cmp(&self.0) {
            Ordering::Less => Self(self.0.saturating_sub(BETTER).max(actual.0)),
            Ordering::Equal => self,
            Ordering::Greater => Self((self.0 + WORSE).max(actual.0)),
        }
    }

    /// What is expected after a batch of which `actual` came was too large for its broker.
    pub(crate) fn after_split(actual: Self) -> Self {
        Self(actual.0.max(Self::NO_GAIN.0))
    }
}

impl Room {
    /// Of a batch that is not compressed.
    pub(crate) const fn plain(size: usize) -> Self {
        Self {
            rate: MILLION,
            size,
            most: size,
        }
    }

    /// Of a batch that is compressed.
    pub(crate) fn compressed(ratio: Ratio, size: usize, most: usize) -> Self {
        Self {
            rate: u64::from(ratio.0) * MARGIN,
            size,
            most,
        }
    }

    /// Whether a batch that has `held` bytes of records takes a record of `more` bytes besides.
    /// The record counts as it is, since nobody knows yet what it comes to.
    pub(crate) fn admits(&self, held: usize, more: usize) -> bool {
        self.estimate(held).saturating_add(more) <= self.size
            && HEADER_LEN + held + more <= self.most
    }

    /// What a batch with `held` bytes of records is expected to have on the wire.
    pub(crate) fn estimate(&self, held: usize) -> usize {
        let bytes = (held as u64).saturating_mul(self.rate).div_ceil(MILLION);
        HEADER_LEN.saturating_add(usize::try_from(bytes).unwrap_or(usize::MAX))
    }

    /// Up to how many bytes, header included, a batch that has `held` bytes of records takes
    /// whatever comes, be it one record or many: nothing needs to be worked out before.
    pub(crate) fn reach(&self, held: usize) -> usize {
        let left = self.size.saturating_sub(self.estimate(held));
        let left = match self.rate {
            0..=MILLION => left,
            _ => scale(left, MILLION, self.rate),
        };
        (HEADER_LEN + held).saturating_add(left).min(self.most)
    }

    /// The bytes before compression, header included, of a batch that is full.
    pub(crate) fn expected(&self) -> usize {
        let records = scale(self.size.saturating_sub(HEADER_LEN), MILLION, self.rate);
        HEADER_LEN.saturating_add(records).min(self.most)
    }
}

fn scale(bytes: usize, by: u64, of: u64) -> usize {
    let scaled = (bytes as u64).saturating_mul(by) / of.max(1);
    usize::try_from(scaled).unwrap_or(usize::MAX)
}

const MILLION: u64 = 1_000_000;
/// An expectation is taken for 5 % worse than it is: thousandths become millionths by it.
const MARGIN: u64 = 1050;
/// What an expectation goes up by at least.
const WORSE: u32 = 50;
/// What an expectation goes down by at most.
const BETTER: u32 = 5;
/// A hundred times the records, which no codec makes of more than a few bytes.
const MOST: u32 = 100_000;

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use alloc::string::String;
    use core::fmt::Write as _;
    use expect_test::expect;

    #[test]
    fn what_is_worse_counts_at_once_and_what_is_better_little_by_little() {
        let mut table = String::new();
        for (expected, actual) in [
            (1000, 1000),
            (1000, 300),
            (1000, 998),
            (1000, 1001),
            (1000, 1060),
            (300, 299),
            (300, 301),
            (300, 349),
            (300, 351),
            (300, 1000),
            (3, 0),
        ] {
            let Ratio(after) = Ratio(expected).after(Ratio(actual));
            writeln!(table, "{expected}: {actual} came -> {after}").expect("a string takes it");
        }
        expect![[r#"
            1000: 1000 came -> 1000
            1000: 300 came -> 995
            1000: 998 came -> 998
            1000: 1001 came -> 1050
            1000: 1060 came -> 1060
            300: 299 came -> 299
            300: 301 came -> 350
            300: 349 came -> 350
            300: 351 came -> 351
            300: 1000 came -> 1000
            3: 0 came -> 0
        "#]]
        .assert_eq(&table);
    }

    #[test]
    fn a_topic_whose_records_shrink_to_a_third_is_known_after_134_batches() {
        let mut expected = Ratio::NO_GAIN;
        let mut batches = 0;
        while expected != Ratio(333) {
            expected = expected.after(Ratio(333));
            batches += 1;
        }
        assert_eq!(batches, 134);
    }

    #[test]
    fn after_a_split_nothing_is_gained_at_best() {
        assert_eq!(Ratio::after_split(Ratio(200)), Ratio(1000));
        assert_eq!(Ratio::after_split(Ratio(1200)), Ratio(1200));
    }

    #[test]
    fn what_came_is_rounded_up_and_has_an_end() {
        assert_eq!(Ratio::of(1, 3), Ratio(334));
        assert_eq!(Ratio::of(500, 1000), Ratio(500));
        assert_eq!(Ratio::of(13, 10), Ratio(1300));
        assert_eq!(Ratio::of(0, 0), Ratio(0));
        assert_eq!(Ratio::of(usize::MAX, 1), Ratio(100_000));
    }

    #[test]
    fn without_a_codec_a_batch_is_full_at_its_size() {
        let room = Room::plain(16_384);
        assert!(room.admits(16_000, 323) && !room.admits(16_000, 324));
        assert_eq!((room.reach(0), room.reach(9000)), (16_384, 16_384));
        assert_eq!((room.expected(), room.estimate(900)), (16_384, 961));
    }

    #[test]
    fn what_is_expected_counts_five_percent_more_and_the_next_record_in_full() {
        let room = Room::compressed(Ratio(200), 16_384, 1 << 20);
        // 61 + 70,000 × 0.2 × 1.05 = 14,761.
        assert_eq!(room.estimate(70_000), 14_761);
        assert!(room.admits(70_000, 1623) && !room.admits(70_000, 1624));
        // (16,384 − 61) / 0.21 = 77,728.
        assert_eq!(room.expected(), 77_728 + 61);
    }

    #[test]
    fn a_batch_has_no_more_bytes_than_it_may_however_well_they_compress() {
        let room = Room::compressed(Ratio(1), 16_384, 100_000);
        assert!(room.admits(99_000, 939) && !room.admits(99_000, 940));
        assert_eq!(room.expected(), 100_000);
        assert_eq!(room.reach(99_900), 100_000);
    }

    #[test]
    fn within_its_reach_a_batch_takes_whatever_comes() {
        for ratio in [1, 50, 333, 952, 953, 1000, 1500] {
            let room = Room::compressed(Ratio(ratio), 4096, 65_536);
            for held in [0, 1, 1000, 3000, 4000] {
                let reach = room.reach(held) - HEADER_LEN - held;
                for first in 0..reach {
                    let fits = room.admits(held + first, reach - first);
                    assert!(fits, "ratio {ratio}, {held} + {first} of {reach}");
                }
            }
        }
    }
}

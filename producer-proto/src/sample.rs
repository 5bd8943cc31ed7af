//! Arbitrary messages for tests: any bytes become a message that a given version can carry.
//!
//! Proptest draws and shrinks the bytes; when they run out everything is empty or zero, so a
//! shorter source is a simpler message.

use alloc::string::String;
use alloc::vec::Vec;
use core::ops::RangeBounds;

use bytes::Bytes;
use proptest::test_runner::{Config, RngSeed};

use crate::wire::Form;
use crate::{ErrorCode, Uuid};

/// The same `count` cases in each run, so that a red test is red because of the change at hand;
/// `PROPTEST_RNG_SEED` in the environment draws others.
pub(crate) fn cases(count: u32) -> Config {
    let given = Config::default();
    Config {
        cases: count,
        failure_persistence: None,
        rng_seed: match given.rng_seed {
            RngSeed::Random => RngSeed::Fixed(9092),
            fixed @ RngSeed::Fixed(_) => fixed,
        },
        ..given
    }
}

/// Where samples take their bytes from.
#[derive(Debug)]
pub(crate) struct Source<'a>(pub(crate) &'a [u8]);

impl Source<'_> {
    fn next(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        first
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        core::array::from_fn(|_| self.next())
    }

    fn below(&mut self, end: u8) -> usize {
        usize::from(self.next() % end)
    }
}

/// A type that can be made from any bytes.
pub(crate) trait Sample: Sized {
    fn sample(form: Form, source: &mut Source<'_>) -> Self;
}

/// A value that is null only in `versions`.
pub(crate) fn nullable<T: Sample>(
    versions: impl RangeBounds<i16>,
    form: Form,
    source: &mut Source<'_>,
) -> Option<T> {
    match versions.contains(&form.version) {
        true => Sample::sample(form, source),
        false => Some(T::sample(form, source)),
    }
}

macro_rules! integers {
    ($($type:ty),+) => { $(
        impl Sample for $type {
            fn sample(_: Form, source: &mut Source<'_>) -> Self {
                // The edges are where layouts go wrong, so they get more than their share.
                match source.below(8) {
                    0 => 0,
                    1 => -1,
                    2 => Self::MIN,
                    3 => Self::MAX,
                    _ => Self::from_be_bytes(source.array()),
                }
            }
        }
    )+ };
}

integers!(i8, i16, i32, i64);

impl Sample for bool {
    fn sample(_: Form, source: &mut Source<'_>) -> Self {
        source.below(2) == 1
    }
}

impl Sample for Uuid {
    fn sample(_: Form, source: &mut Source<'_>) -> Self {
        Self::from_bytes(source.array())
    }
}

impl Sample for ErrorCode {
    fn sample(_: Form, source: &mut Source<'_>) -> Self {
        Self(i16::from(source.next()))
    }
}

impl Sample for String {
    fn sample(_: Form, source: &mut Source<'_>) -> Self {
        const LETTERS: [char; 8] = ['a', 'z', '0', '9', '.', '-', '_', 'é'];
        // Now and then a string whose compact length takes two bytes.
        let length = match source.below(16) {
            15 => 130,
            length => length,
        };
        (0..length).map(|_| LETTERS[source.below(8)]).collect()
    }
}

impl Sample for Bytes {
    fn sample(_: Form, source: &mut Source<'_>) -> Self {
        (0..source.below(20)).map(|_| source.next()).collect()
    }
}

impl<T: Sample> Sample for Vec<T> {
    fn sample(form: Form, source: &mut Source<'_>) -> Self {
        (0..source.below(4))
            .map(|_| T::sample(form, source))
            .collect()
    }
}

impl<T: Sample> Sample for Option<T> {
    fn sample(form: Form, source: &mut Source<'_>) -> Self {
        (source.below(4) != 0).then(|| T::sample(form, source))
    }
}

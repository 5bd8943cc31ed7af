//! What is set aside for those who were told that there is room.
//!
//! Who came first may use its own grant, and then those of whoever came later, the last first: an
//! application that awaits its sends one after the other would else wait for itself.
//!
//! **Invariants.** No grant is smaller than the smallest buffer, so looking for some bytes takes
//! no more steps than there are such buffers in them, however many wait.

use alloc::collections::BTreeMap;
use core::ops::Bound;

use crate::WaiterId;

/// Bytes by who they are set aside for.
#[derive(Debug, Hash)]
pub(crate) struct Grants {
    by_waiter: BTreeMap<WaiterId, usize>,
    total: usize,
    /// What is less than this is of no use to anybody, and not kept.
    smallest: usize,
}

impl Grants {
    pub(crate) const fn new(smallest: usize) -> Self {
        Self {
            by_waiter: BTreeMap::new(),
            total: 0,
            smallest,
        }
    }

    /// All that is set aside.
    pub(crate) const fn total(&self) -> usize {
        self.total
    }

    /// Sets bytes aside for a waiter that has none.
    pub(crate) fn give(&mut self, waiter: WaiterId, bytes: usize) {
        debug_assert!(
            !self.by_waiter.contains_key(&waiter),
            "one grant at a time: {waiter:?}"
        );
        self.keep(waiter, bytes);
    }

    /// Ends a waiter's grant: what is left of it is free.
    pub(crate) fn end(&mut self, waiter: WaiterId) {
        self.total -= self.by_waiter.remove(&waiter).unwrap_or(0);
    }

    /// Whether a waiter's own grant and those behind it have so many bytes.
    pub(crate) fn cover(&self, waiter: WaiterId, bytes: usize) -> bool {
        let own = self.by_waiter.get(&waiter).copied().unwrap_or(0);
        let Some(mut missing) = bytes.checked_sub(own).filter(|&missing| 0 < missing) else {
            return true;
        };
        if self.total < bytes {
            return false;
        }
        for (_, &granted) in self.behind(waiter).rev() {
            let Some(left) = missing.checked_sub(granted).filter(|&left| 0 < left) else {
                return true;
            };
            missing = left;
        }
        false
    }

    /// A waiter uses up to so many bytes: of its own grant, then of those who came last.
    pub(crate) fn consume(&mut self, waiter: WaiterId, bytes: usize) {
        let mut left = bytes - self.consume_one(waiter, bytes);
        while 0 < left {
            let Some((&last, _)) = self.behind(waiter).next_back() else {
                return;
            };
            left -= self.consume_one(last, left);
        }
    }

    /// Takes up to so many bytes of one grant. A rest that is of no use is free.
    fn consume_one(&mut self, waiter: WaiterId, bytes: usize) -> usize {
        let Some(granted) = self.by_waiter.remove(&waiter) else {
            return 0;
        };
        self.total -= granted;
        let taken = bytes.min(granted);
        self.keep(waiter, granted - taken);
        taken
    }

    fn keep(&mut self, waiter: WaiterId, bytes: usize) {
        if 0 < bytes && self.smallest <= bytes {
            self.by_waiter.insert(waiter, bytes);
            self.total += bytes;
        }
    }

    fn behind(&self, waiter: WaiterId) -> impl DoubleEndedIterator<Item = (&WaiterId, &usize)> {
        self.by_waiter
            .range((Bound::Excluded(waiter), Bound::Unbounded))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;

    fn grants(given: &[(u64, usize)]) -> Grants {
        let mut grants = Grants::new(10);
        for &(waiter, bytes) in given {
            grants.give(WaiterId(waiter), bytes);
        }
        grants
    }

    fn left(grants: &Grants) -> Vec<(u64, usize)> {
        let pairs = grants.by_waiter.iter();
        pairs.map(|(waiter, &bytes)| (waiter.0, bytes)).collect()
    }

    #[test]
    fn a_waiter_may_use_what_is_set_aside_for_those_behind_it_and_no_more() {
        let grants = grants(&[(1, 10), (2, 50), (3, 30)]);
        assert!(grants.cover(WaiterId(1), 90) && !grants.cover(WaiterId(1), 91));
        assert!(grants.cover(WaiterId(2), 80) && !grants.cover(WaiterId(2), 81));
        assert!(grants.cover(WaiterId(3), 30) && !grants.cover(WaiterId(3), 31));
        assert!(grants.cover(WaiterId(0), 90), "it has none of its own");
    }

    #[test]
    fn a_waiter_uses_its_own_grant_first_and_then_those_of_the_last() {
        let mut grants = grants(&[(1, 10), (2, 50), (3, 30)]);
        grants.consume(WaiterId(1), 60);
        assert_eq!(left(&grants), [(2, 30)]);
        assert_eq!(grants.total(), 30);
    }

    #[test]
    fn a_rest_that_no_batch_can_use_is_free() {
        let mut grants = grants(&[(1, 25)]);
        grants.consume(WaiterId(1), 16);
        assert_eq!((left(&grants), grants.total()), (Vec::new(), 0));
    }

    #[test]
    fn what_a_waiter_has_not_used_is_free_when_its_grant_ends() {
        let mut grants = grants(&[(1, 40), (2, 20)]);
        grants.consume(WaiterId(1), 15);
        grants.end(WaiterId(1));
        grants.end(WaiterId(1));
        assert_eq!((left(&grants), grants.total()), (vec![(2, 20)], 20));
    }

    #[test]
    fn nobody_uses_more_than_there_is() {
        let mut grants = grants(&[(1, 40), (2, 20)]);
        grants.consume(WaiterId(1), 1000);
        assert_eq!((left(&grants), grants.total()), (Vec::new(), 0));
        grants.consume(WaiterId(1), 1000);
    }
}

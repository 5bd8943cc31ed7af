//! One exact byte budget (`buffer.memory`), and the buffers that it pays for.
//!
//! A buffer comes out of a size class, from 1 KiB doubling up to `batch.size`, and is charged by
//! its class, so that in steady state nothing grows, nothing is copied and nothing is allocated.
//! Where there is a codec, classes go on doubling above `batch.size`: what a batch holds before
//! compression may be as much larger as it shrinks.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};

use super::Claim;
use super::grants::Grants;
use crate::WaiterId;
use crate::frame::Body;

/// A size class: 0 is the smallest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Class(u8);

/// What may still be taken, what is taken, and the buffers that are free.
#[derive(Debug)]
pub(crate) struct Budget {
    total: usize,
    used: usize,
    /// What is set aside for waiters.
    grants: Grants,
    /// The bytes of each class, the smallest first.
    sizes: Vec<usize>,
    /// The largest class of a batch that is not compressed.
    usual: Class,
    pooled: usize,
    free: Vec<Vec<Vec<u8>>>,
    /// Empty shared bodies, so that closing a batch allocates nothing.
    shells: Vec<Body>,
}

const SMALLEST: usize = 1024;

impl Budget {
    /// Buffers of up to `largest` bytes, of which a batch that is not compressed takes
    /// `batch_size`. No class is larger than all there is, or nothing could ever be in it.
    pub(crate) fn new(total: usize, batch_size: usize, largest: usize) -> Self {
        let batch_size = batch_size.min(total).max(1);
        let largest = largest.min(total).max(batch_size);
        let mut sizes = Vec::new();
        double(SMALLEST, batch_size, &mut sizes);
        let usual = Class((sizes.len() - 1) as u8);
        if batch_size < largest {
            double(batch_size.saturating_mul(2), largest, &mut sizes);
        }
        let mut free = Vec::new();
        free.resize_with(sizes.len(), Vec::new);
        Self {
            total,
            used: 0,
            grants: Grants::new(SMALLEST.min(batch_size).min(total)),
            sizes,
            usual,
            pooled: 0,
            free,
            shells: Vec::new(),
        }
    }

    /// The smallest class that holds a batch of `size` bytes, header included; `None` if the
    /// batch is larger than `batch.size` and gets a buffer of its own.
    pub(crate) fn class_for(&self, size: usize) -> Option<Class> {
        self.class_of_any(size).filter(|&class| class <= self.usual)
    }

    /// The smallest class that holds so many bytes, be they more than `batch.size`.
    pub(crate) fn class_of_any(&self, size: usize) -> Option<Class> {
        let at = self.sizes.iter().position(|&class| size <= class)?;
        Some(Class(at as u8))
    }

    /// The bytes of a class.
    pub(crate) fn size_of(&self, class: Class) -> usize {
        self.sizes[usize::from(class.0)]
    }

    /// The bytes of the largest class of a batch that is not compressed: `batch.size`, unless
    /// that is more than there is.
    pub(crate) fn batch_size(&self) -> usize {
        self.size_of(self.usual)
    }

    /// The bytes of the largest class.
    pub(crate) fn largest(&self) -> usize {
        self.sizes.last().copied().unwrap_or_default()
    }

    /// What nobody has taken or reserved.
    pub(crate) const fn available(&self) -> usize {
        self.total
            .saturating_sub(self.used)
            .saturating_sub(self.grants.total())
    }

    /// `buffer.memory`.
    pub(crate) const fn total(&self) -> usize {
        self.total
    }

    /// Bytes in use: batches, compressed copies, requests in flight, held records.
    pub(crate) const fn used(&self) -> usize {
        self.used
    }

    /// Takes `bytes`, whether they are there or not: for what must go on anyway, such as
    /// records that move from one buffer to another.
    pub(crate) const fn charge(&mut self, bytes: usize) {
        self.used = self.used.saturating_add(bytes);
    }

    /// Gives `bytes` back.
    pub(crate) fn release(&mut self, bytes: usize) {
        debug_assert!(bytes <= self.used, "released {bytes} of {}", self.used);
        self.used = self.used.saturating_sub(bytes);
    }

    /// Whether there are `bytes` for this claim.
    pub(crate) fn affords(&self, claim: Claim, bytes: usize) -> bool {
        let missing = bytes.saturating_sub(self.available());
        match claim {
            Claim::Newcomer => missing == 0,
            Claim::Waiter(waiter) => self.grants.cover(waiter, missing),
        }
    }

    /// Takes `bytes` that this claim affords: first of what is set aside for it.
    pub(crate) fn take(&mut self, claim: Claim, bytes: usize) {
        self.consume(claim, bytes);
        self.charge(bytes);
    }

    /// Uses what is set aside for this claim for `bytes` that are about to be charged.
    pub(crate) fn consume(&mut self, claim: Claim, bytes: usize) {
        debug_assert!(self.affords(claim, bytes), "{bytes} are there");
        if let Claim::Waiter(waiter) = claim {
            self.grants.consume(waiter, bytes);
        }
    }

    /// Sets `bytes` aside for a waiter.
    pub(crate) fn grant(&mut self, waiter: WaiterId, bytes: usize) {
        self.grants.give(waiter, bytes);
    }

    /// What is left of a waiter's grant is free.
    pub(crate) fn end_grant(&mut self, waiter: WaiterId) {
        self.grants.end(waiter);
    }

    /// A buffer of this class.
    pub(crate) fn buffer(&mut self, class: Class) -> Vec<u8> {
        let size = self.size_of(class);
        match self.free.get_mut(usize::from(class.0)).and_then(Vec::pop) {
            Some(buffer) => {
                self.pooled = self.pooled.saturating_sub(size);
                buffer
            }
            None => Vec::with_capacity(size),
        }
    }

    /// Moves what fills less than half of its buffer into a smaller one.
    pub(crate) fn fit(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        let Some(class) = self.class_of_any(bytes.len()) else {
            return bytes;
        };
        if bytes.capacity() < 2 * self.size_of(class) {
            return bytes;
        }
        let mut small = self.buffer(class);
        small.extend_from_slice(&bytes);
        self.recycle(bytes);
        small
    }

    /// A buffer comes home. It is kept only while pool and use together stay within the budget.
    pub(crate) fn recycle(&mut self, mut buffer: Vec<u8>) {
        let capacity = buffer.capacity();
        let Some(class) = self.sizes.iter().rposition(|&size| size <= capacity) else {
            return;
        };
        let size = self.sizes[class];
        // Twice as large as its class: an odd one, let it go.
        if self.total < self.used + self.pooled + size || 2 * size < capacity {
            return;
        }
        buffer.clear();
        self.pooled += size;
        self.free[class].push(buffer);
    }

    /// Shares `records` between the machine and frames.
    pub(crate) fn share(&mut self, records: Vec<u8>) -> Body {
        while let Some(mut shell) = self.shells.pop() {
            if let Some(inside) = Arc::get_mut(&mut shell) {
                *inside = records;
                return shell;
            }
        }
        Arc::new(records)
    }

    /// A body comes home; if somebody else still holds it, its buffer is theirs.
    pub(crate) fn unshare(&mut self, mut body: Body) {
        if let Some(inside) = Arc::get_mut(&mut body) {
            let buffer = core::mem::take(inside);
            self.recycle(buffer);
            if self.shells.len() < 1024 {
                self.shells.push(body);
            }
        }
    }
}

/// Appends `from`, doubled as often as it stays below `to`, and `to`.
fn double(from: usize, to: usize, sizes: &mut Vec<usize>) {
    let mut size = from;
    while size < to {
        sizes.push(size);
        size = size.saturating_mul(2);
    }
    sizes.push(to);
}

impl Hash for Budget {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self {
            total,
            used,
            grants,
            sizes,
            usual,
            pooled: _,
            free: _,
            shells: _,
        } = self;
        (total, used, grants, sizes, usual).hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_double_from_one_kibibyte_up_to_the_batch_size() {
        let budget = Budget::new(1 << 20, 10_000, 10_000);
        let sizes: Vec<usize> = (0..5).map(|class| budget.size_of(Class(class))).collect();
        assert_eq!(sizes, [1024, 2048, 4096, 8192, 10_000]);
        assert_eq!(budget.class_for(1025), Some(Class(1)));
        assert_eq!(budget.class_for(10_001), None);
    }

    #[test]
    fn where_there_is_a_codec_classes_double_on_above_the_batch_size() {
        let budget = Budget::new(1 << 20, 3000, 20_000);
        assert_eq!(
            budget.sizes,
            [1024, 2048, 3000, 6000, 12_000, 20_000],
            "each holds what the one before holds twice"
        );
        assert_eq!(budget.class_for(3000), Some(Class(2)));
        assert_eq!(budget.class_for(3001), None, "an ordinary batch");
        assert_eq!(budget.class_of_any(3001), Some(Class(3)));
        assert_eq!(budget.class_of_any(20_001), None);
    }

    #[test]
    fn a_batch_size_below_the_smallest_class_is_the_only_class() {
        let budget = Budget::new(1 << 20, 1, 1);
        assert_eq!(budget.size_of(Class(0)), 1);
        assert_eq!(budget.class_for(2), None);
    }

    #[test]
    fn no_class_is_larger_than_the_budget() {
        let budget = Budget::new(20_000, 32_768, 1 << 20);
        let class = budget.class_for(17_000).expect("there is one");
        assert_eq!(budget.size_of(class), 20_000);
        assert_eq!(budget.class_for(20_001), None);
    }

    #[test]
    fn what_is_released_is_available_again() {
        let mut budget = Budget::new(10_000, 1024, 1024);
        budget.charge(4000);
        budget.grant(WaiterId(1), 2000);
        assert_eq!(budget.available(), 4000);
        budget.release(4000);
        budget.end_grant(WaiterId(1));
        assert_eq!(budget.available(), 10_000);
    }

    #[test]
    fn what_is_set_aside_is_there_for_its_waiter_and_nobody_else() {
        let mut budget = Budget::new(10_000, 1024, 1024);
        budget.charge(5000);
        budget.grant(WaiterId(1), 3000);
        assert!(budget.affords(Claim::Newcomer, 2000));
        assert!(!budget.affords(Claim::Newcomer, 2001));
        assert!(budget.affords(Claim::Waiter(WaiterId(1)), 5000));
        budget.take(Claim::Waiter(WaiterId(1)), 1000);
        assert_eq!((budget.used(), budget.available()), (6000, 2000));
    }

    #[test]
    fn a_shared_body_gives_its_buffer_back_once_alone() {
        let mut budget = Budget::new(1 << 20, 1024, 1024);
        let buffer = budget.buffer(Class(0));
        let body = budget.share(buffer);
        let frame = Arc::clone(&body);
        budget.unshare(body);
        assert_eq!(budget.pooled, 0);
        budget.unshare(frame);
        assert_eq!(budget.pooled, 1024);
        assert_eq!(budget.buffer(Class(0)).capacity(), 1024);
        assert_eq!(budget.pooled, 0);
    }
}

//! One exact byte budget (`buffer.memory`), and the buffers that it pays for.
//!
//! A buffer comes out of a size class, from 1 KiB doubling up to `batch.size`, and is charged by
//! its class, so that in steady state nothing grows, nothing is copied and nothing is allocated.

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
    batch_size: usize,
    pooled: usize,
    free: Vec<Vec<Vec<u8>>>,
    /// Empty shared bodies, so that closing a batch allocates nothing.
    shells: Vec<Body>,
}

const SMALLEST: usize = 1024;

impl Budget {
    pub(crate) fn new(total: usize, batch_size: usize) -> Self {
        let mut budget = Self {
            total,
            used: 0,
            grants: Grants::new(SMALLEST.min(batch_size).min(total)),
            // No class is larger than all there is, or nothing could ever be in it.
            batch_size: batch_size.min(total).max(1),
            pooled: 0,
            free: Vec::new(),
            shells: Vec::new(),
        };
        let classes = usize::from(budget.largest().0) + 1;
        budget.free.resize_with(classes, Vec::new);
        budget
    }

    /// The smallest class that holds a batch of `size` bytes, header included; `None` if the
    /// batch is larger than `batch.size` and gets a buffer of its own.
    pub(crate) fn class_for(&self, size: usize) -> Option<Class> {
        (0..=self.largest().0)
            .map(Class)
            .find(|&class| size <= self.size_of(class))
    }

    /// The bytes of a class.
    pub(crate) fn size_of(&self, class: Class) -> usize {
        SMALLEST
            .checked_shl(u32::from(class.0))
            .unwrap_or(usize::MAX)
            .min(self.batch_size)
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
        let Some(class) = self.class_for(bytes.len()) else {
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
        let Some(class) = (0..=self.largest().0)
            .map(Class)
            .rev()
            .find(|&c| self.size_of(c) <= capacity)
        else {
            return;
        };
        let size = self.size_of(class);
        // Twice as large as its class: an odd one, let it go.
        if self.total < self.used + self.pooled + size || 2 * size < capacity {
            return;
        }
        buffer.clear();
        self.pooled += size;
        self.free[usize::from(class.0)].push(buffer);
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

    fn largest(&self) -> Class {
        let mut class = 0_u8;
        while self.size_of(Class(class)) < self.batch_size {
            class += 1;
        }
        Class(class)
    }
}

impl Hash for Budget {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self {
            total,
            used,
            grants,
            batch_size,
            pooled: _,
            free: _,
            shells: _,
        } = self;
        (total, used, grants, batch_size).hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_double_from_one_kibibyte_up_to_the_batch_size() {
        let budget = Budget::new(1 << 20, 10_000);
        let sizes: Vec<usize> = (0..5).map(|class| budget.size_of(Class(class))).collect();
        assert_eq!(sizes, [1024, 2048, 4096, 8192, 10_000]);
        assert_eq!(budget.class_for(1025), Some(Class(1)));
        assert_eq!(budget.class_for(10_001), None);
    }

    #[test]
    fn a_batch_size_below_the_smallest_class_is_the_only_class() {
        let budget = Budget::new(1 << 20, 1);
        assert_eq!(budget.size_of(Class(0)), 1);
        assert_eq!(budget.class_for(2), None);
    }

    #[test]
    fn no_class_is_larger_than_the_budget() {
        let budget = Budget::new(20_000, 32_768);
        let class = budget.class_for(17_000).expect("there is one");
        assert_eq!(budget.size_of(class), 20_000);
        assert_eq!(budget.class_for(20_001), None);
    }

    #[test]
    fn what_is_released_is_available_again() {
        let mut budget = Budget::new(10_000, 1024);
        budget.charge(4000);
        budget.grant(WaiterId(1), 2000);
        assert_eq!(budget.available(), 4000);
        budget.release(4000);
        budget.end_grant(WaiterId(1));
        assert_eq!(budget.available(), 10_000);
    }

    #[test]
    fn what_is_set_aside_is_there_for_its_waiter_and_nobody_else() {
        let mut budget = Budget::new(10_000, 1024);
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
        let mut budget = Budget::new(1 << 20, 1024);
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

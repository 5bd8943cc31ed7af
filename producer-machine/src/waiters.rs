//! Who waits for room in the buffer or for a topic, first come first served.
//!
//! ```text
//! Waiting ──room──> Granted(reserved) ──used or cancelled──> gone
//!    ▲ └──deadline──> gone       └── not enough after all: back, at the same place
//! ```

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::ops::Bound;

use crate::{Instant, TopicHandle, WaiterId};

/// What a waiter waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Room for a record of so many bytes.
    Space(usize),
    /// News of a topic.
    Topic(TopicHandle),
}

/// A waiter.
#[derive(Clone, Copy, Debug)]
struct Waiter {
    wish: Wish,
    deadline: Instant,
}

/// What a waiter leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    /// Its timer.
    pub(crate) deadline: Instant,
    /// What is still set aside for it, to be given back.
    pub(crate) granted: usize,
}

/// All waiters.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    all: BTreeMap<WaiterId, Waiter>,
    /// Those that wait for room, in the order of their coming.
    queue: BTreeSet<WaiterId>,
    /// What is set aside for those who were told that there is room.
    grants: BTreeMap<WaiterId, usize>,
    topics: BTreeSet<(TopicHandle, WaiterId)>,
    next: u64,
}

impl Waiters {
    pub(crate) fn add(&mut self, wish: Wish, deadline: Instant) -> WaiterId {
        let id = WaiterId(self.next);
        self.next += 1;
        self.all.insert(id, Waiter { wish, deadline });
        match wish {
            Wish::Space(_) => {
                self.queue.insert(id);
            }
            Wish::Topic(topic) => {
                self.topics.insert((topic, id));
            }
        }
        id
    }

    /// Whether anybody waits for room and has none yet.
    pub(crate) fn wait_for_space(&self) -> bool {
        !self.queue.is_empty()
    }

    /// How many wait for room and have none yet.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// The longest waiter for room, and how much it needs.
    pub(crate) fn first(&self) -> Option<(WaiterId, usize)> {
        let &id = self.queue.first()?;
        match self.all.get(&id)?.wish {
            Wish::Space(needed) => Some((id, needed)),
            Wish::Topic(_) => None,
        }
    }

    /// Sets bytes aside for a waiter, who leaves the queue.
    pub(crate) fn grant(&mut self, id: WaiterId, reserved: usize) {
        self.queue.remove(&id);
        self.grants.insert(id, reserved);
    }

    /// What somebody waits for.
    pub(crate) fn wish(&self, id: WaiterId) -> Option<Wish> {
        self.all.get(&id).map(|waiter| waiter.wish)
    }

    /// What is set aside for a waiter.
    pub(crate) fn granted(&self, id: WaiterId) -> Option<usize> {
        self.grants.get(&id).copied()
    }

    /// What is set aside for those who came later.
    pub(crate) fn granted_behind(&self, id: WaiterId) -> usize {
        let behind = self.grants.range((Bound::Excluded(id), Bound::Unbounded));
        behind.map(|(_, &reserved)| reserved).sum()
    }

    /// A waiter has used so many bytes: of its own grant first, then of those who came last.
    pub(crate) fn used(&mut self, id: WaiterId, bytes: usize) {
        let mut left = bytes;
        let own = self.grants.get(&id).map(|_| id);
        let behind = self.grants.range((Bound::Excluded(id), Bound::Unbounded));
        let givers: Vec<WaiterId> = own
            .into_iter()
            .chain(behind.rev().map(|(&id, _)| id))
            .collect();
        for giver in givers {
            let Some(granted) = self.grants.get_mut(&giver) else {
                continue;
            };
            let taken = left.min(*granted);
            *granted -= taken;
            left -= taken;
            if left == 0 {
                return;
            }
        }
    }

    /// The room was not enough: the waiter is back in the queue, where it was.
    pub(crate) fn wait_again(&mut self, id: WaiterId, needed: usize) -> Option<Ended> {
        let waiter = self.all.get_mut(&id)?;
        waiter.wish = Wish::Space(needed);
        let deadline = waiter.deadline;
        self.queue.insert(id);
        let granted = self.grants.remove(&id).unwrap_or(0);
        Some(Ended { deadline, granted })
    }

    pub(crate) fn remove(&mut self, id: WaiterId) -> Option<Ended> {
        let waiter = self.all.remove(&id)?;
        self.queue.remove(&id);
        if let Wish::Topic(topic) = waiter.wish {
            self.topics.remove(&(topic, id));
        }
        let granted = self.grants.remove(&id).unwrap_or(0);
        Some(Ended {
            deadline: waiter.deadline,
            granted,
        })
    }

    #[cfg(test)]
    pub(crate) fn contains(&self, id: WaiterId) -> bool {
        self.all.contains_key(&id)
    }

    /// Takes out those who wait for news of this topic.
    pub(crate) fn take_topic(&mut self, topic: TopicHandle) -> Vec<(WaiterId, Ended)> {
        let range = (topic, WaiterId(0))..=(topic, WaiterId(u64::MAX));
        let ids: Vec<WaiterId> = self.topics.range(range).map(|&(_, id)| id).collect();
        ids.into_iter()
            .filter_map(|id| self.remove(id).map(|waiter| (id, waiter)))
            .collect()
    }

    /// Everybody, for the end.
    pub(crate) fn ids(&self) -> Vec<WaiterId> {
        self.all.keys().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiters_are_served_in_the_order_of_their_coming() {
        let mut waiters = Waiters::default();
        let first = waiters.add(Wish::Space(100), Instant::NEVER);
        let second = waiters.add(Wish::Space(1), Instant::NEVER);
        assert_eq!(waiters.first(), Some((first, 100)));
        waiters.grant(first, 100);
        assert_eq!(waiters.first(), Some((second, 1)));
        waiters.wait_again(first, 200);
        assert_eq!(waiters.first(), Some((first, 200)));
    }

    #[test]
    fn a_waiter_may_use_what_is_set_aside_for_those_behind_it() {
        let mut waiters = Waiters::default();
        let [first, second, third] =
            [1, 2, 3].map(|bytes| waiters.add(Wish::Space(bytes), Instant::NEVER));
        waiters.grant(second, 50);
        waiters.grant(third, 30);
        waiters.grant(first, 10);
        assert_eq!(waiters.granted_behind(first), 80);
        waiters.used(first, 60);
        let left = [first, second, third].map(|id| waiters.granted(id));
        assert_eq!(left, [Some(0), Some(30), Some(0)]);
    }

    #[test]
    fn those_who_wait_for_a_topic_are_told_once() {
        let mut waiters = Waiters::default();
        let id = waiters.add(Wish::Topic(TopicHandle(3)), Instant::NEVER);
        let told = waiters.take_topic(TopicHandle(3));
        assert_eq!(told.len(), 1);
        assert!(!waiters.contains(id));
        assert!(waiters.take_topic(TopicHandle(3)).is_empty());
    }
}

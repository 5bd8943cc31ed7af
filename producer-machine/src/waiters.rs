//! Who waits for room in the buffer or for a topic, first come first served.
//!
//! ```text
//! Waiting ──room──> Told ──done or cancelled──> gone
//!    ▲ └─deadline─> gone └── not enough after all: back, at the same place
//! ```

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::{Instant, TopicHandle, WaiterId};

/// What a waiter waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Room for a record of so many bytes.
    Space(usize),
    /// News of a topic.
    Topic(TopicHandle),
}

/// How far a waiter has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It was told that there is room.
    Told,
    /// It waits.
    Waiting,
}

/// A waiter.
#[derive(Clone, Copy, Debug)]
struct Waiter {
    wish: Wish,
    deadline: Instant,
    stage: Stage,
}

/// All waiters. What is set aside for those who were told is the budget's business.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    all: BTreeMap<WaiterId, Waiter>,
    /// Those that wait for room, in the order of their coming.
    queue: BTreeSet<WaiterId>,
    topics: BTreeSet<(TopicHandle, WaiterId)>,
    next: u64,
}

impl Waiters {
    pub(crate) fn add(&mut self, wish: Wish, deadline: Instant) -> WaiterId {
        let id = WaiterId(self.next);
        self.next += 1;
        let waiter = Waiter {
            wish,
            deadline,
            stage: Stage::Waiting,
        };
        self.all.insert(id, waiter);
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
    pub(crate) fn waiting_for_space(&self) -> usize {
        self.queue.len()
    }

    /// How many wait for news of a topic.
    pub(crate) fn waiting_for_topics(&self) -> usize {
        self.topics.len()
    }

    /// The longest waiter for room, and how much it needs.
    pub(crate) fn first(&self) -> Option<(WaiterId, usize)> {
        let &id = self.queue.first()?;
        match self.all.get(&id)?.wish {
            Wish::Space(needed) => Some((id, needed)),
            Wish::Topic(_) => None,
        }
    }

    /// A waiter is told that there is room, and leaves the queue.
    pub(crate) fn tell(&mut self, id: WaiterId) {
        self.queue.remove(&id);
        if let Some(waiter) = self.all.get_mut(&id) {
            waiter.stage = Stage::Told;
        }
    }

    /// What somebody waits for.
    pub(crate) fn wish(&self, id: WaiterId) -> Option<Wish> {
        self.all.get(&id).map(|waiter| waiter.wish)
    }

    /// Whether a waiter was told that there is room, and has not left.
    pub(crate) fn is_told(&self, id: WaiterId) -> bool {
        self.all
            .get(&id)
            .is_some_and(|waiter| waiter.stage == Stage::Told)
    }

    /// The room was not enough: the waiter is back in the queue, where it was. Gives its deadline.
    pub(crate) fn wait_again(&mut self, id: WaiterId, needed: usize) -> Option<Instant> {
        let waiter = self.all.get_mut(&id)?;
        waiter.wish = Wish::Space(needed);
        waiter.stage = Stage::Waiting;
        self.queue.insert(id);
        Some(waiter.deadline)
    }

    /// A waiter goes. Gives its deadline.
    pub(crate) fn remove(&mut self, id: WaiterId) -> Option<Instant> {
        let waiter = self.all.remove(&id)?;
        self.queue.remove(&id);
        if let Wish::Topic(topic) = waiter.wish {
            self.topics.remove(&(topic, id));
        }
        Some(waiter.deadline)
    }

    #[cfg(test)]
    pub(crate) fn contains(&self, id: WaiterId) -> bool {
        self.all.contains_key(&id)
    }

    /// Takes out those who wait for news of this topic, with their deadlines.
    pub(crate) fn take_topic(&mut self, topic: TopicHandle) -> Vec<(WaiterId, Instant)> {
        let range = (topic, WaiterId(0))..=(topic, WaiterId(u64::MAX));
        let ids: Vec<WaiterId> = self.topics.range(range).map(|&(_, id)| id).collect();
        ids.into_iter()
            .filter_map(|id| self.remove(id).map(|deadline| (id, deadline)))
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
        waiters.tell(first);
        assert!(waiters.is_told(first));
        assert_eq!(waiters.first(), Some((second, 1)));
        waiters.wait_again(first, 200);
        assert!(!waiters.is_told(first));
        assert_eq!(waiters.first(), Some((first, 200)));
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

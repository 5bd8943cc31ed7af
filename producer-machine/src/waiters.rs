//! Who waits for room in the buffer or for a topic, first come first served.
//!
//! ```text
//! Waiting ──room──> Told ──done or cancelled──> gone
//! │ ▲ ▲ │             └── not enough after all: back, at the same place
//! │ │ │ └──deadline──> gone
//! │ │ └── the broker is heard again, or holds less
//! └─┼──the broker is sick──> Aside(broker)
//!   └── asks again            └──deadline──> gone
//! ```
//!
//! Who waits for a broker that is sick steps aside, so that those behind are served, and keeps its
//! place and its deadline.
//! While the broker is silent one of them comes back at a time, since what it will take shows
//! only once it is done; all come back when the broker is heard.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::ops::Bound;

use crate::brokers::NodeId;
use crate::error::Shortage;
use crate::{Instant, TopicHandle, WaiterId};

/// What a waiter waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Wish {
    /// Room for a record.
    Space(Shortage),
    /// News of a topic.
    Topic(TopicHandle),
}

/// What a waiter is told whose wait was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// That there may be room. It has not left.
    Space,
    /// That there may be news of its topic. It has gone; this was its deadline.
    Topic(Instant),
}

/// How far a waiter has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    /// This broker is sick: others go first.
    Aside(NodeId),
    /// It was told that there is room.
    Told,
    /// It waits.
    Waiting,
}

/// A waiter.
#[derive(Clone, Copy, Debug, Hash)]
struct Waiter {
    wish: Wish,
    deadline: Instant,
    stage: Stage,
    /// Until when it is expected to come, once it was told of room.
    expected_until: Instant,
    /// The silent broker that it has come back for, alone.
    scout: Option<NodeId>,
}

/// Those who wait for a sick broker.
#[derive(Debug, Default, Hash)]
struct Aside {
    waiters: BTreeSet<WaiterId>,
    /// The one that has come back, and is not done.
    scout: Option<WaiterId>,
}

/// All waiters. What is set aside for those who were told is the budget's business.
#[derive(Debug, Default, Hash)]
pub(crate) struct Waiters {
    all: BTreeMap<WaiterId, Waiter>,
    /// Those that wait for room, in the order of their coming.
    queue: BTreeSet<WaiterId>,
    /// By sick broker; only of those that somebody waits for.
    aside: BTreeMap<NodeId, Aside>,
    /// How many are aside, for all brokers.
    aside_count: usize,
    topics: BTreeSet<(TopicHandle, WaiterId)>,
    /// Those who were told of room and are expected to come, by when that ends.
    expected: BTreeSet<(Instant, WaiterId)>,
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
            expected_until: Instant::ORIGIN,
            scout: None,
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

    /// Whether anybody waits for room and has none yet, but for those who are aside.
    pub(crate) fn wait_for_space(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Whether anybody waits for room while nobody who was told of some is expected. A batch that
    /// leaves before those have come has one of their records and not all of them (E129).
    pub(crate) fn wait_in_vain(&self) -> bool {
        self.wait_for_space() && self.expected.is_empty()
    }

    /// A waiter that was told of room is expected to come for it, but not for ever: one that
    /// nobody polls any more would keep the others waiting.
    pub(crate) fn expect(&mut self, id: WaiterId, until: Instant) {
        if let Some(waiter) = self.all.get_mut(&id) {
            self.expected.remove(&(waiter.expected_until, id));
            waiter.expected_until = until;
            self.expected.insert((until, id));
        }
    }

    /// Those who have not come in time are expected no more. Gives when the next one is not.
    pub(crate) fn expect_no_more(&mut self, now: Instant) -> Option<Instant> {
        while let Some(&late) = self.expected.first().filter(|(until, _)| *until <= now) {
            self.expected.remove(&late);
        }
        self.expected.first().map(|&(until, _)| until)
    }

    /// How many wait for room and have none yet.
    pub(crate) fn waiting_for_space(&self) -> usize {
        self.queue.len() + self.aside_count
    }

    /// How many stand aside for others, since their broker is silent.
    pub(crate) const fn standing_aside(&self) -> usize {
        self.aside_count
    }

    /// How many wait for news of a topic.
    pub(crate) fn waiting_for_topics(&self) -> usize {
        self.topics.len()
    }

    /// The longest waiter for room, and how much it needs.
    pub(crate) fn first(&self) -> Option<(WaiterId, Shortage)> {
        let &id = self.queue.first()?;
        match self.all.get(&id)?.wish {
            Wish::Space(shortage) => Some((id, shortage)),
            Wish::Topic(_) => None,
        }
    }

    /// A waiter is told that there is room, and leaves the queue.
    pub(crate) fn tell(&mut self, id: WaiterId) {
        self.leave_line(id);
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
    pub(crate) fn wait_again(&mut self, id: WaiterId, shortage: Shortage) -> Option<Instant> {
        let waiter = self.all.get_mut(&id)?;
        waiter.wish = Wish::Space(shortage);
        waiter.stage = Stage::Waiting;
        self.expected.remove(&(waiter.expected_until, id));
        self.queue.insert(id);
        Some(waiter.deadline)
    }

    /// A waiter in the queue steps aside: its broker is sick. Gives the broker for which it had
    /// come back alone: the next one may.
    pub(crate) fn step_aside(&mut self, id: WaiterId, broker: NodeId) -> Option<NodeId> {
        let scouted = self.end_scouting(id);
        self.queue.remove(&id);
        if let Some(waiter) = self.all.get_mut(&id) {
            waiter.stage = Stage::Aside(broker);
            self.aside.entry(broker).or_default().waiters.insert(id);
            self.aside_count += 1;
        }
        scouted
    }

    /// Whether anybody is aside.
    pub(crate) fn are_aside(&self) -> bool {
        !self.aside.is_empty()
    }

    /// The first sick broker after that one that somebody is aside for.
    pub(crate) fn sick_after(&self, broker: Option<NodeId>) -> Option<NodeId> {
        let start = broker.map_or(Bound::Unbounded, Bound::Excluded);
        let (&next, _) = self.aside.range((start, Bound::Unbounded)).next()?;
        Some(next)
    }

    /// What the first who is aside for a broker needs, unless another one has just come back.
    pub(crate) fn next_scout(&self, broker: NodeId) -> Option<(WaiterId, Shortage)> {
        let aside = self.aside.get(&broker)?;
        let &first = aside.waiters.first().filter(|_| aside.scout.is_none())?;
        match self.all.get(&first)?.wish {
            Wish::Space(shortage) => Some((first, shortage)),
            Wish::Topic(_) => None,
        }
    }

    /// One of those who are aside for a broker comes back, alone.
    pub(crate) fn send_scout(&mut self, broker: NodeId, id: WaiterId) {
        self.leave_line(id);
        if let Some(waiter) = self.all.get_mut(&id) {
            waiter.stage = Stage::Waiting;
            waiter.scout = Some(broker);
            self.queue.insert(id);
            self.aside.entry(broker).or_default().scout = Some(id);
        }
    }

    /// All who are aside for a broker come back.
    pub(crate) fn call_back(&mut self, broker: NodeId) {
        let Some(aside) = self.aside.remove(&broker) else {
            return;
        };
        self.aside_count -= aside.waiters.len();
        for id in aside.waiters {
            if let Some(waiter) = self.all.get_mut(&id) {
                waiter.stage = Stage::Waiting;
                self.queue.insert(id);
            }
        }
    }

    /// A waiter goes. Gives its deadline.
    pub(crate) fn remove(&mut self, id: WaiterId) -> Option<Instant> {
        self.leave_line(id);
        self.end_scouting(id);
        let waiter = self.all.remove(&id)?;
        self.expected.remove(&(waiter.expected_until, id));
        if let Wish::Topic(topic) = waiter.wish {
            self.topics.remove(&(topic, id));
        }
        Some(waiter.deadline)
    }

    /// The deadline of a waiter has come: it goes, unless it was told, for a grant is not taken
    /// back. Gives what it waited for.
    pub(crate) fn expire(&mut self, id: WaiterId) -> Option<Wish> {
        let wish = self.wish(id).filter(|_| !self.is_told(id))?;
        self.remove(id);
        Some(wish)
    }

    /// Whatever it waits for, its wait is over, so that it finds out why. Gives what it is to be
    /// told; nothing if it was told already.
    pub(crate) fn wake(&mut self, id: WaiterId) -> Option<Woken> {
        match self.wish(id)? {
            Wish::Space(_) if self.is_told(id) => None,
            Wish::Space(_) => {
                self.tell(id);
                Some(Woken::Space)
            }
            Wish::Topic(_) => self.remove(id).map(Woken::Topic),
        }
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

    /// Out of the queue, or from aside.
    fn leave_line(&mut self, id: WaiterId) {
        self.queue.remove(&id);
        if let Some(Stage::Aside(broker)) = self.all.get(&id).map(|waiter| waiter.stage) {
            self.aside_count -= 1;
            self.change_aside(broker, |aside| {
                aside.waiters.remove(&id);
            });
        }
    }

    /// A waiter that came back alone is done: the next one may. Gives the broker that it is for.
    fn end_scouting(&mut self, id: WaiterId) -> Option<NodeId> {
        let broker = self.all.get_mut(&id)?.scout.take()?;
        self.change_aside(broker, |aside| {
            aside.scout.take_if(|scout| *scout == id);
        });
        Some(broker)
    }

    fn change_aside(&mut self, broker: NodeId, change: impl FnOnce(&mut Aside)) {
        let Some(aside) = self.aside.get_mut(&broker) else {
            return;
        };
        change(aside);
        if aside.waiters.is_empty() && aside.scout.is_none() {
            self.aside.remove(&broker);
        }
    }
}

#[cfg(test)]
mod table;

#[cfg(test)]
mod tests {
    use super::*;

    const SICK: NodeId = NodeId(1);

    fn space(bytes: usize) -> Wish {
        Wish::Space(shortage(bytes))
    }

    const fn shortage(bytes: usize) -> Shortage {
        Shortage {
            bytes,
            partition: None,
        }
    }

    fn first(waiters: &Waiters) -> Option<WaiterId> {
        waiters.first().map(|(id, _)| id)
    }

    #[test]
    fn waiters_are_served_in_the_order_of_their_coming() {
        let mut waiters = Waiters::default();
        let early = waiters.add(space(100), Instant::NEVER);
        let late = waiters.add(space(1), Instant::NEVER);
        assert_eq!(waiters.first(), Some((early, shortage(100))));
        waiters.tell(early);
        assert!(waiters.is_told(early));
        assert_eq!(waiters.first(), Some((late, shortage(1))));
        waiters.wait_again(early, shortage(200));
        assert!(!waiters.is_told(early));
        assert_eq!(waiters.first(), Some((early, shortage(200))));
    }

    #[test]
    fn who_steps_aside_lets_others_go_first_and_keeps_its_place() {
        let mut waiters = Waiters::default();
        let [a, b, c] = [1, 2, 3].map(|bytes| waiters.add(space(bytes), Instant::NEVER));
        waiters.step_aside(a, SICK);
        waiters.step_aside(b, SICK);
        assert_eq!(first(&waiters), Some(c));
        assert_eq!(waiters.waiting_for_space(), 3);
        assert_eq!(waiters.sick_after(None), Some(SICK));
        assert_eq!(waiters.sick_after(Some(SICK)), None);
        waiters.call_back(SICK);
        assert!(!waiters.are_aside());
        assert_eq!(first(&waiters), Some(a), "before those who came later");
        assert_eq!(waiters.waiting_for_space(), 3);
    }

    #[test]
    fn while_a_broker_is_silent_those_aside_come_back_one_at_a_time() {
        let mut waiters = Waiters::default();
        let [a, b] = [1, 2].map(|bytes| waiters.add(space(bytes), Instant::NEVER));
        waiters.step_aside(a, SICK);
        waiters.step_aside(b, SICK);
        assert_eq!(waiters.next_scout(SICK), Some((a, shortage(1))));
        waiters.send_scout(SICK, a);
        assert_eq!(first(&waiters), Some(a));
        assert_eq!(waiters.next_scout(SICK), None, "the first is not done");
        waiters.tell(a);
        assert_eq!(waiters.next_scout(SICK), None);
        waiters.remove(a);
        assert_eq!(waiters.next_scout(SICK), Some((b, shortage(2))));
        waiters.remove(b);
        assert!(!waiters.are_aside());
        assert_eq!(waiters.waiting_for_space(), 0);
    }

    #[test]
    fn a_waiter_that_came_back_in_vain_steps_aside_again() {
        let mut waiters = Waiters::default();
        let id = waiters.add(space(1), Instant::NEVER);
        waiters.step_aside(id, SICK);
        waiters.send_scout(SICK, id);
        waiters.tell(id);
        waiters.wait_again(id, shortage(9));
        waiters.step_aside(id, SICK);
        assert_eq!(waiters.next_scout(SICK), Some((id, shortage(9))));
        assert_eq!(first(&waiters), None);
    }

    #[test]
    fn a_waiter_that_came_back_for_one_broker_may_step_aside_for_another() {
        const SICK_AS_WELL: NodeId = NodeId(2);
        let mut waiters = Waiters::default();
        let [a, b] = [1, 2].map(|bytes| waiters.add(space(bytes), Instant::NEVER));
        for id in [a, b] {
            assert_eq!(waiters.step_aside(id, SICK), None);
        }
        waiters.send_scout(SICK, a);
        assert_eq!(waiters.step_aside(a, SICK_AS_WELL), Some(SICK));
        assert_eq!(waiters.next_scout(SICK), Some((b, shortage(2))));
    }

    #[test]
    fn who_was_told_and_does_not_come_is_expected_for_a_while_only() {
        let [soon, later] = [10, 20].map(Instant::from_millis);
        let mut waiters = Waiters::default();
        let [a, b, _] = [1, 2, 3].map(|bytes| waiters.add(space(bytes), Instant::NEVER));
        assert!(waiters.wait_in_vain());
        for (id, until) in [(a, soon), (b, later)] {
            waiters.tell(id);
            waiters.expect(id, until);
        }
        assert_eq!(waiters.expect_no_more(Instant::ORIGIN), Some(soon));
        assert_eq!(waiters.expect_no_more(soon), Some(later));
        assert!(!waiters.wait_in_vain());
        waiters.wait_again(b, shortage(2));
        assert!(waiters.wait_in_vain() && waiters.is_told(a));
        assert_eq!(waiters.expect_no_more(soon), None);
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

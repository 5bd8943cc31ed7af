//! Those who wait for room in the buffer, or for news of a topic.

use core::time::Duration;

use super::ProducerMachine;
use super::timers::Timer;
use crate::brokers::NodeId;
use crate::error::Shortage;
use crate::event::Event;
use crate::waiters::{Wish, Woken};
use crate::{Instant, TopicHandle, WaiterId};

impl ProducerMachine {
    pub(super) fn add_space_waiter(
        &mut self,
        now: Instant,
        shortage: Shortage,
        deadline: Instant,
    ) -> WaiterId {
        let now = self.tick(now);
        let id = self.waiters.add(Wish::Space(shortage), deadline);
        if self.is_open() {
            self.timers.arm(deadline, Timer::Waiter(id));
        } else {
            self.wake_waiter(id);
        }
        self.conclude(now);
        id
    }

    pub(super) fn add_topic_waiter(
        &mut self,
        now: Instant,
        topic: TopicHandle,
        deadline: Instant,
    ) -> WaiterId {
        let now = self.tick(now);
        let id = self.waiters.add(Wish::Topic(topic), deadline);
        if self.is_open() && self.partitions(topic).is_none() {
            self.timers.arm(deadline, Timer::Waiter(id));
            self.metadata.want(now, topic);
            self.service_control(now);
        } else {
            self.waiters.remove(id);
            self.events.push_back(Event::MetadataReady(id));
        }
        id
    }

    pub(super) fn end_wait(&mut self, now: Instant, waiter: WaiterId) {
        let now = self.tick(now);
        if let Some(deadline) = self.waiters.remove(waiter) {
            self.timers.disarm(deadline, Timer::Waiter(waiter));
            self.accumulator.budget.end_grant(waiter);
        }
        self.conclude(now);
    }

    /// The room was not enough: what was reserved is free again, and the place is kept.
    pub(super) fn put_back(&mut self, waiter: WaiterId, shortage: Shortage) {
        if let Some(deadline) = self.waiters.wait_again(waiter, shortage) {
            self.accumulator.budget.end_grant(waiter);
            self.timers.arm(deadline, Timer::Waiter(waiter));
        }
    }

    pub(super) fn on_wait_expired(&mut self, waiter: WaiterId) {
        let Some(wish) = self.waiters.expire(waiter) else {
            return;
        };
        if let Wish::Space(_) = wish {
            self.meter.on_exhausted();
        }
        self.events.push_back(Event::WaitExpired(waiter));
    }

    /// Tells a waiter that its wait is over, so that it finds out why.
    pub(super) fn wake_waiter(&mut self, id: WaiterId) {
        match self.waiters.wake(id) {
            Some(Woken::Space) => self.events.push_back(Event::SpaceReady(id)),
            Some(Woken::Topic(deadline)) => {
                self.timers.disarm(deadline, Timer::Waiter(id));
                self.events.push_back(Event::MetadataReady(id));
            }
            None => {}
        }
    }

    /// Gives free memory to those who wait, first come first served: a batch's worth to the
    /// first, and a wake-up to as many behind as would fill that batch (E129).
    pub(super) fn grant_space(&mut self, now: Instant) {
        while let Some((first, needed)) = self.first_in_line(now) {
            let budget = &mut self.accumulator.budget;
            if budget.available() < needed {
                break;
            }
            let reserved = needed.max(self.config.batch_size.min(budget.available()));
            budget.grant(first, reserved);
            self.tell_room(now, first);
            let mut room = reserved - needed;
            while let Some((next, needed)) = self.first_in_line(now) {
                if room < needed {
                    break;
                }
                room -= needed;
                self.tell_room(now, next);
            }
        }
        self.watch_silence();
        self.watch_told(now);
    }

    /// Those who were told of room and do not come hold up the others until time alone ends that.
    fn watch_told(&mut self, now: Instant) {
        let next = self.waiters.expect_no_more(now);
        match next.filter(|_| self.waiters.wait_for_space()) {
            Some(at) => self.told.set(at, Timer::Told, &mut self.timers),
            None => self.told.clear(Timer::Told, &mut self.timers),
        }
    }

    /// The first in line steps aside once its broker has been silent for long, which time alone
    /// brings about: without an alarm those behind would learn of it with whatever comes next.
    fn watch_silence(&mut self) {
        let first = self.waiters.first();
        let at = first.and_then(|(_, shortage)| {
            let partition = shortage.partition?;
            self.accumulator.sick_leader_at(partition, shortage.bytes)
        });
        match at {
            Some(at) => self.silence.set(at, Timer::Silence, &mut self.timers),
            None => self.silence.clear(Timer::Silence, &mut self.timers),
        }
    }

    /// The first whose broker is not sick, and how much it needs. Those before it step aside.
    fn first_in_line(&mut self, now: Instant) -> Option<(WaiterId, usize)> {
        while let Some((id, shortage)) = self.waiters.first() {
            self.steps.step();
            match self.sick_leader(now, shortage) {
                Some(broker) => {
                    if let Some(scouted) = self.waiters.step_aside(id, broker) {
                        self.send_scout(now, scouted);
                    }
                }
                None => return Some((id, shortage.bytes)),
            }
        }
        None
    }

    /// Those who stepped aside come back: all when their broker was heard, else the first once
    /// the broker may hold what it needs.
    pub(super) fn bring_back(&mut self, now: Instant) {
        let mut before = None;
        while let Some(broker) = self.waiters.sick_after(before) {
            self.steps.step();
            before = Some(broker);
            if !self.accumulator.holdings.is_silent(now, broker) {
                self.waiters.call_back(broker);
            } else {
                self.send_scout(now, broker);
            }
        }
    }

    /// The first who is aside for a silent broker comes back, if no other has and the broker may
    /// hold what it needs.
    fn send_scout(&mut self, now: Instant, broker: NodeId) {
        if let Some((first, shortage)) = self.waiters.next_scout(broker) {
            if self.sick_leader(now, shortage).is_none() {
                self.waiters.send_scout(broker, first);
            }
        }
    }

    fn sick_leader(&self, now: Instant, shortage: Shortage) -> Option<NodeId> {
        let partition = shortage.partition?;
        self.accumulator.sick_leader(now, partition, shortage.bytes)
    }

    fn tell_room(&mut self, now: Instant, waiter: WaiterId) {
        self.waiters.tell(waiter);
        self.waiters.expect(waiter, now + COMES_WITHIN);
        self.events.push_back(Event::SpaceReady(waiter));
    }
}

/// Who was told of room and is alive comes as soon as its task gets a turn. A batch that waits for
/// it longer than this waits for somebody who will not come, and others for the batch.
const COMES_WITHIN: Duration = Duration::from_millis(100);

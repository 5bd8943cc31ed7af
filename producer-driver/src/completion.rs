//! Completions: one per group of records, shared by all who wait for one of them.
//!
//! ```text
//! send ──► Receipt{group, index} ──► Completions[slot] ──► Arc<Completion> ◄── Delivery{index}
//!                                          ▲
//! Event::Completed{group, range, result} ──┘ resolves by range, normally one for all
//! ```
//!
//! Nothing is kept per record that nobody awaits: a waker or a callback stands under its index,
//! and only when somebody polled while pending, or asked to be called.

use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Poll, Waker};

use kafka_producer_machine::{Failed, GroupId};

use crate::delivery::{DeliveryError, RecordMetadata};
use crate::due::{Callback, Due, DueQueue};

/// What became of a range of a group's records.
#[derive(Clone, Debug)]
pub(crate) struct Resolution {
    pub(crate) records: Range<u32>,
    pub(crate) topic: Arc<str>,
    pub(crate) result: Result<Place, Arc<Failed>>,
}

/// Where a range of records was written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) partition: u32,
    pub(crate) base_offset: Option<i64>,
    pub(crate) log_append_time: Option<i64>,
}

impl Resolution {
    /// What became of one record of the range; `timestamp` is the record's own.
    #[inline]
    pub(crate) fn outcome(&self, index: u32, timestamp: i64) -> Outcome {
        let position = index.saturating_sub(self.records.start);
        match &self.result {
            Ok(place) => Ok(place.of(&self.topic, position, timestamp)),
            Err(failed) => {
                let topic = Arc::clone(&self.topic);
                Err(DeliveryError::new(Arc::clone(failed), topic, position))
            }
        }
    }
}

impl Place {
    /// Where the record at `position` of the range was written.
    #[inline]
    fn of(&self, topic: &Arc<str>, position: u32, timestamp: i64) -> RecordMetadata {
        RecordMetadata {
            topic: Arc::clone(topic),
            partition: self.partition,
            offset: self
                .base_offset
                .map(|base| base.saturating_add(i64::from(position))),
            timestamp: Some(self.log_append_time.unwrap_or(timestamp)),
        }
    }
}

/// What an application learns of one record.
pub(crate) type Outcome = Result<RecordMetadata, DeliveryError>;

/// The shared state of one group.
#[derive(Debug, Default)]
pub(crate) struct Completion {
    /// The first resolution, normally the only one: read without a lock.
    first: OnceLock<Resolution>,
    rest: Mutex<Rest>,
}

#[derive(Debug, Default)]
struct Rest {
    more: Vec<Resolution>,
    /// Who waits, by record. Empty and unallocated unless somebody polled while pending.
    wakers: BTreeMap<u32, Waker>,
}

impl Completion {
    /// What became of a record, if that is known; `timestamp` is the record's own.
    #[inline]
    pub(crate) fn outcome(&self, index: u32, timestamp: i64) -> Option<Outcome> {
        let first = self.first.get()?;
        if first.records.contains(&index) {
            return Some(first.outcome(index, timestamp));
        }
        self.rest().find(index, timestamp)
    }

    /// As `outcome`; remembers whom to wake if it is not known yet.
    #[inline]
    pub(crate) fn poll(&self, index: u32, timestamp: i64, waker: &Waker) -> Poll<Outcome> {
        // Good news that is there takes the straight road: what it says is written once, where
        // the caller wants it.
        match self.first(index) {
            Some(Resolution {
                records,
                topic,
                result: Ok(place),
            }) => Poll::Ready(Ok(place.of(topic, index - records.start, timestamp))),
            _ => self.poll_slowly(index, timestamp, waker),
        }
    }

    /// What `poll` does unless the first resolution is the record's.
    #[inline(never)]
    fn poll_slowly(&self, index: u32, timestamp: i64, waker: &Waker) -> Poll<Outcome> {
        // Dropped after unlocking, with the one that it takes the place of: a task may go with it.
        let mut newest = waker.clone();
        let mut rest = self.rest();
        // It may have been resolved between the first look and the lock.
        if let Some(first) = self.first(index) {
            return Poll::Ready(first.outcome(index, timestamp));
        }
        if let Some(known) = rest.find(index, timestamp) {
            return Poll::Ready(known);
        }
        match rest.wakers.get_mut(&index) {
            Some(known) => mem::swap(known, &mut newest),
            None => drop(rest.wakers.insert(index, newest)),
        }
        Poll::Pending
    }

    /// The first resolution, if it is this record's.
    #[inline]
    fn first(&self, index: u32) -> Option<&Resolution> {
        self.first
            .get()
            .filter(|first| first.records.contains(&index))
    }

    /// Records what became of a range and moves those who wait for it to `wakes`.
    fn resolve(&self, resolution: Resolution, wakes: &mut Vec<Waker>) {
        let mut rest = self.rest();
        let records = resolution.records.clone();
        if let Err(next) = self.first.set(resolution) {
            rest.more.push(next);
        }
        if rest.wakers.is_empty() {
            return;
        }
        let mut waiting = rest.wakers.split_off(&records.start);
        let mut later = waiting.split_off(&records.end);
        rest.wakers.append(&mut later);
        wakes.extend(waiting.into_values());
    }

    /// Whether all that is known is good news.
    fn succeeded(&self) -> bool {
        self.first.get().is_some_and(|first| first.result.is_ok())
            && self.rest().more.iter().all(|next| next.result.is_ok())
    }

    /// Makes it as new.
    fn reset(&mut self) {
        self.first.take();
        let rest = self.rest.get_mut().unwrap_or_else(PoisonError::into_inner);
        rest.more.clear();
        rest.wakers.clear();
    }

    fn rest(&self) -> MutexGuard<'_, Rest> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rest {
    fn find(&self, index: u32, timestamp: i64) -> Option<Outcome> {
        let known = self
            .more
            .iter()
            .find(|known| known.records.contains(&index))?;
        Some(known.outcome(index, timestamp))
    }
}

/// Which group: a slot, and how often the slot has been used before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

impl From<GroupId> for Key {
    fn from(group: GroupId) -> Self {
        Self {
            slot: group.slot(),
            generation: group.generation(),
        }
    }
}

/// The completions of the groups that somebody awaits, by the groups' slots.
#[derive(Debug, Default)]
pub(crate) struct Completions {
    slots: Vec<Slot>,
    /// Those of groups that ended well, to be used again once the last handle is gone.
    /// A failed one is not kept: it would keep its batch alive.
    retired: VecDeque<Arc<Completion>>,
}

#[derive(Debug, Default)]
struct Slot {
    generation: u32,
    completion: Option<Arc<Completion>>,
    /// In the order of their records, since records join a group one by one.
    callbacks: VecDeque<Callback>,
}

impl Completions {
    /// The completion of a group that just took a record somebody awaits.
    #[inline]
    pub(crate) fn join(&mut self, group: Key) -> &Arc<Completion> {
        let slot = slot_of(&mut self.slots, group);
        let retired = &mut self.retired;
        slot.completion.get_or_insert_with(|| pooled(retired))
    }

    /// Has `callback` called once its record is resolved.
    pub(crate) fn call(&mut self, group: Key, callback: Callback) {
        slot_of(&mut self.slots, group)
            .callbacks
            .push_back(callback);
    }

    /// Whether somebody awaits a record of the group; if not, what becomes of it is nobody's
    /// business.
    pub(crate) fn knows(&self, group: Key) -> bool {
        self.slots.get(group.slot as usize).is_some_and(|slot| {
            slot.generation == group.generation
                && (slot.completion.is_some() || !slot.callbacks.is_empty())
        })
    }

    /// Resolves a range of a group; `last` gives its slot free.
    pub(crate) fn resolve(
        &mut self,
        group: Key,
        resolution: Resolution,
        wakes: &mut Vec<Waker>,
        due: &mut DueQueue,
    ) {
        let slot = slot_of(&mut self.slots, group);
        // Ranges of one group may be resolved out of order.
        let records = &resolution.records;
        let start = slot
            .callbacks
            .partition_point(|callback| callback.index < records.start);
        let end = slot
            .callbacks
            .partition_point(|callback| callback.index < records.end);
        for callback in slot.callbacks.drain(start..end) {
            due.push(Due::Call(callback, resolution.clone()));
        }

        if let Some(completion) = &slot.completion {
            completion.resolve(resolution, wakes);
        }
    }

    /// Nothing of the group is left.
    pub(crate) fn retire(&mut self, group: Key) {
        let slot = slot_of(&mut self.slots, group);
        debug_assert!(
            slot.callbacks.is_empty(),
            "the last resolution resolves the last record"
        );
        let Some(completion) = slot.completion.take() else {
            return;
        };
        if completion.succeeded() && self.retired.len() < RETIRED_MAX {
            self.retired.push_back(completion);
        }
    }
}

/// The slot of a group, made or cleared for its generation.
#[inline]
fn slot_of(slots: &mut Vec<Slot>, group: Key) -> &mut Slot {
    let index = group.slot as usize;
    if slots
        .get(index)
        .is_none_or(|slot| slot.generation != group.generation)
    {
        renew(slots, group);
    }
    &mut slots[index]
}

#[cold]
fn renew(slots: &mut Vec<Slot>, group: Key) {
    let index = group.slot as usize;
    if slots.len() <= index {
        slots.resize_with(index + 1, Slot::default);
    }
    let slot = &mut slots[index];
    debug_assert!(
        slot.callbacks.is_empty(),
        "a slot is used again once all is resolved"
    );
    slot.generation = group.generation;
    slot.completion = None;
}

/// A used completion that nobody holds any more, or a new one.
fn pooled(retired: &mut VecDeque<Arc<Completion>>) -> Arc<Completion> {
    // The oldest is the likeliest to be free; two looks keep the cost fixed.
    for _ in 0..2 {
        let Some(mut oldest) = retired.pop_front() else {
            break;
        };
        if let Some(free) = Arc::get_mut(&mut oldest) {
            free.reset();
            return oldest;
        }
        retired.push_back(oldest);
    }
    Arc::new(Completion::default())
}

/// How many used completions are kept: a few batches in flight to a few brokers.
const RETIRED_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::Wake;

    use super::*;
    use crate::due::Call;

    #[derive(Default)]
    struct Counter(AtomicU32);

    impl Wake for Counter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn written(records: Range<u32>, base_offset: i64) -> Resolution {
        let place = Place {
            partition: 0,
            base_offset: Some(base_offset),
            log_append_time: None,
        };
        Resolution {
            records,
            topic: "orders".into(),
            result: Ok(place),
        }
    }

    fn offset(completion: &Completion, index: u32) -> Option<i64> {
        completion.outcome(index, 0)?.unwrap().offset
    }

    const GROUP: Key = Key {
        slot: 3,
        generation: 1,
    };

    #[test]
    fn one_range_resolves_a_whole_group() {
        let mut completions = Completions::default();
        let completion = Arc::clone(completions.join(GROUP));
        assert_eq!(offset(&completion, 1), None);
        completions.resolve(
            GROUP,
            written(0..3, 40),
            &mut Vec::new(),
            &mut DueQueue::default(),
        );
        assert_eq!(offset(&completion, 1), Some(41));
        assert_eq!(offset(&completion, 3), None);
    }

    #[test]
    fn ranges_resolve_their_own_records_and_wake_only_them() {
        let mut completions = Completions::default();
        let completion = Arc::clone(completions.join(GROUP));
        let counters: Vec<Arc<Counter>> = (0..4).map(|_| Arc::default()).collect();
        for (index, counter) in (0..).zip(&counters) {
            let waker = Waker::from(Arc::clone(counter));
            assert!(completion.poll(index, 0, &waker).is_pending());
        }
        let woken = || {
            counters
                .iter()
                .map(|c| c.0.load(Ordering::Relaxed))
                .collect::<Vec<_>>()
        };

        let mut wakes = Vec::new();
        completions.resolve(
            GROUP,
            written(2..4, 90),
            &mut wakes,
            &mut DueQueue::default(),
        );
        wakes.drain(..).for_each(Waker::wake);
        assert_eq!(woken(), [0, 0, 1, 1]);
        assert_eq!(offset(&completion, 0), None);

        completions.resolve(
            GROUP,
            written(0..2, 10),
            &mut wakes,
            &mut DueQueue::default(),
        );
        wakes.drain(..).for_each(Waker::wake);
        assert_eq!(woken(), [1, 1, 1, 1]);
        assert_eq!(offset(&completion, 3), Some(91));
        assert_eq!(offset(&completion, 1), Some(11));
    }

    #[test]
    fn polling_again_replaces_the_waker() {
        let mut completions = Completions::default();
        let completion = Arc::clone(completions.join(GROUP));
        let (old, new) = (Arc::<Counter>::default(), Arc::<Counter>::default());
        assert!(
            completion
                .poll(0, 0, &Waker::from(Arc::clone(&old)))
                .is_pending()
        );
        assert!(
            completion
                .poll(0, 0, &Waker::from(Arc::clone(&new)))
                .is_pending()
        );
        let mut wakes = Vec::new();
        completions.resolve(
            GROUP,
            written(0..1, 0),
            &mut wakes,
            &mut DueQueue::default(),
        );
        wakes.drain(..).for_each(Waker::wake);
        assert_eq!(
            (old.0.load(Ordering::Relaxed), new.0.load(Ordering::Relaxed)),
            (0, 1)
        );
    }

    #[test]
    fn callbacks_fall_due_by_range_in_the_order_of_records() {
        let mut completions = Completions::default();
        for index in [0, 2, 5] {
            let call: Call = Box::new(|_| ());
            completions.call(
                GROUP,
                Callback {
                    index,
                    timestamp: 0,
                    call,
                },
            );
        }
        let mut due = DueQueue::default();
        completions.resolve(GROUP, written(2..6, 0), &mut Vec::new(), &mut due);
        completions.resolve(GROUP, written(0..2, 0), &mut Vec::new(), &mut due);
        let mut taken = VecDeque::new();
        due.start(&mut taken);
        let index = |due: &Due| match due {
            Due::Call(callback, _) => Some(callback.index),
            Due::Closed | Due::Flushed(_) => None,
        };
        let order: Vec<Option<u32>> = taken.iter().map(index).collect();
        assert_eq!(order, [Some(2), Some(5), Some(0)]);
    }

    #[test]
    fn a_completion_is_used_again_once_nobody_holds_it() {
        let mut completions = Completions::default();
        let held = Arc::clone(completions.join(GROUP));
        let first = Arc::as_ptr(&held);
        completions.resolve(
            GROUP,
            written(0..1, 0),
            &mut Vec::new(),
            &mut DueQueue::default(),
        );
        completions.retire(GROUP);
        let next = Key {
            slot: 3,
            generation: 2,
        };
        assert_ne!(Arc::as_ptr(completions.join(next)), first);
        drop(held);
        let again = completions.join(Key {
            slot: 4,
            generation: 0,
        });
        assert_eq!(Arc::as_ptr(again), first);
        assert_eq!(offset(again, 0), None);
    }

    #[test]
    fn a_group_that_nobody_awaits_is_unknown() {
        let mut completions = Completions::default();
        assert!(!completions.knows(GROUP));
        completions.join(GROUP);
        assert!(completions.knows(GROUP));
        assert!(!completions.knows(Key {
            generation: 2,
            ..GROUP
        }));
        completions.resolve(
            GROUP,
            written(0..1, 0),
            &mut Vec::new(),
            &mut DueQueue::default(),
        );
        completions.retire(GROUP);
        assert!(!completions.knows(GROUP));
    }
}

//! Completion groups: fixed when a record is accepted, resolved exactly once.
//!
//! A batch is a list of runs, normally one: so records that were held for an unknown topic keep
//! the receipts they were given, whatever batch they end in.

use alloc::vec::Vec;
use core::ops::Range;

use crate::GroupId;

/// Some neighbors of a batch that belong to one group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Run {
    pub(crate) group: GroupId,
    pub(crate) first: u32,
    pub(crate) count: u32,
}

/// The runs of a batch in the order of its records.
#[derive(Clone, Debug, Hash)]
pub(crate) enum Runs {
    Many(Vec<Run>),
    One(Run),
}

impl Runs {
    pub(crate) fn as_slice(&self) -> &[Run] {
        match self {
            Self::Many(runs) => runs,
            Self::One(run) => core::slice::from_ref(run),
        }
    }
}

impl Runs {
    /// The runs of the records at these places in the batch.
    pub(crate) fn slice(&self, places: Range<u32>) -> Self {
        let mut place = 0;
        let mut runs = Vec::new();
        for run in self.as_slice() {
            let from = places.start.max(place);
            let to = places.end.min(place + run.count);
            if from < to {
                runs.push(Run {
                    group: run.group,
                    first: run.first + (from - place),
                    count: to - from,
                });
            }
            place += run.count;
        }
        match runs.as_slice() {
            [run] => Self::One(*run),
            _ => Self::Many(runs),
        }
    }
}

#[derive(Clone, Copy, Debug, Hash)]
struct Slot {
    generation: u32,
    unresolved: u32,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    /// Records may still join.
    Open,
    /// No record joins any more.
    Closed,
    Free,
}

/// All groups that are alive.
#[derive(Debug, Default, Hash)]
pub(crate) struct Groups {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

impl Groups {
    pub(crate) fn open(&mut self) -> GroupId {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot {
                generation: 0,
                unresolved: 0,
                stage: Stage::Free,
            });
            (self.slots.len() - 1) as u32
        });
        let state = &mut self.slots[slot as usize];
        state.stage = Stage::Open;
        GroupId {
            slot,
            generation: state.generation,
        }
    }

    /// The group has `records` in all and gets no more.
    pub(crate) fn close(&mut self, group: GroupId, records: u32) {
        let state = &mut self.slots[group.slot as usize];
        debug_assert_eq!(state.generation, group.generation, "a group closes once");
        state.stage = Stage::Closed;
        state.unresolved += records;
        if state.unresolved == 0 {
            self.release(group);
        }
    }

    /// `records` of the group are resolved; whether that was the last of it.
    pub(crate) fn resolve(&mut self, group: GroupId, records: u32) -> bool {
        let state = &mut self.slots[group.slot as usize];
        debug_assert!(records <= state.unresolved, "each record is resolved once");
        state.unresolved = state.unresolved.saturating_sub(records);
        let last = state.unresolved == 0 && state.stage == Stage::Closed;
        if last {
            self.release(group);
        }
        last
    }

    /// How many groups are alive.
    #[cfg(test)]
    pub(crate) fn alive(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    fn release(&mut self, group: GroupId) {
        let state = &mut self.slots[group.slot as usize];
        state.generation = state.generation.wrapping_add(1);
        state.stage = Stage::Free;
        self.free.push(group.slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_used_again_with_another_generation() {
        let mut groups = Groups::default();
        let first = groups.open();
        groups.close(first, 2);
        assert!(!groups.resolve(first, 1));
        assert!(groups.resolve(first, 1));
        let second = groups.open();
        assert_eq!(second.slot, first.slot);
        assert_ne!(second.generation, first.generation);
    }

    #[test]
    fn a_part_of_a_batch_keeps_the_receipts_of_its_records() {
        let group = |slot| GroupId {
            slot,
            generation: 0,
        };
        let run = |slot, first, count| Run {
            group: group(slot),
            first,
            count,
        };
        let runs = Runs::Many(alloc::vec![run(1, 7, 3), run(2, 0, 2), run(1, 10, 1)]);
        let slice = |places| runs.slice(places).as_slice().to_vec();
        assert_eq!(slice(0..2), [run(1, 7, 2)]);
        assert_eq!(slice(2..5), [run(1, 9, 1), run(2, 0, 2)]);
        assert_eq!(slice(4..6), [run(2, 1, 1), run(1, 10, 1)]);
    }

    #[test]
    fn a_group_without_records_frees_its_slot_at_once() {
        let mut groups = Groups::default();
        let empty = groups.open();
        groups.close(empty, 0);
        assert_eq!(groups.alive(), 0);
    }
}

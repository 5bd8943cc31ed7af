//! What a partition remembers of each producer, and the judgement it founds on it (checks C9 and
//! C11 to C14; Kafka's `ProducerStateManager` and `ProducerAppendInfo`).
//!
//! ```text
//! batch ──> same epoch, same first and last sequence as one of the last five? ──> Duplicate
//!       ──> lower epoch ──────────────────────────────────────────────────────> refused, 47
//!       ──> higher epoch: must begin at 0 ────────────────────────────────────> append, or 45
//!       ──> same epoch: must follow the newest ───────────────────────────────> append, or 45
//!       ──> nothing known: by knob ───────────────────────────────────────────> append, 45 or 59
//! ```
//!
//! **Invariant.** A state that exists holds at least one batch; its newest one is the last written.

use std::collections::{BTreeMap, VecDeque};

use kafka_producer_proto::ErrorCode;

/// How many batches of a producer a partition recognises.
pub(crate) const WINDOW: usize = 5;

/// What a broker answers to a sequence other than 0 from a producer that it does not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownProducer {
    /// Any sequence is taken: today's brokers, for producers without transactions.
    #[default]
    AnySequence,
    /// OUT_OF_ORDER_SEQUENCE_NUMBER: brokers with transactions of version 2 (KAFKA-18202).
    OutOfOrder,
    /// UNKNOWN_PRODUCER_ID: brokers up to 2.4.
    UnknownProducerId,
}

/// What a broker answers to a batch that it has written before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DuplicateAnswer {
    /// A success with the offset of the original.
    #[default]
    Original,
    /// DUPLICATE_SEQUENCE_NUMBER: brokers before 1.1.
    DuplicateSequence,
}

/// Who a batch says it is from, and which of that producer's records it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
    pub(crate) first_sequence: i32,
    pub(crate) last_sequence: i32,
}

/// One batch that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WrittenBatch {
    pub(crate) first_sequence: i32,
    pub(crate) last_sequence: i32,
    pub(crate) base_offset: i64,
    pub(crate) last_offset: i64,
    pub(crate) timestamp: i64,
}

/// What becomes of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    Append,
    Duplicate(WrittenBatch),
    Refuse(ErrorCode),
}

/// The producers that a partition knows.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProducerStates {
    known: BTreeMap<i64, State>,
}

#[derive(Clone, Debug)]
struct State {
    epoch: i16,
    /// Oldest first, never empty.
    window: VecDeque<WrittenBatch>,
    updated_at: i64,
}

impl Identity {
    /// The identity of `count` records from `first_sequence` on, wrapping after 2^31 - 1.
    pub(crate) const fn new(producer_id: i64, epoch: i16, first_sequence: i32, count: i32) -> Self {
        let last_sequence = add_sequence(first_sequence, count - 1);
        Self {
            producer_id,
            epoch,
            first_sequence,
            last_sequence,
        }
    }
}

impl ProducerStates {
    /// Forgets a producer that has been silent for `expiration_ms` (`producer.id.expiration.ms`).
    pub(crate) fn expire(&mut self, now: i64, producer_id: i64, expiration_ms: i64) {
        let state = self.known.get(&producer_id);
        if state.is_some_and(|state| state.updated_at.saturating_add(expiration_ms) <= now) {
            self.known.remove(&producer_id);
        }
    }

    /// Remembers a batch that was appended after `judge` let it pass.
    pub(crate) fn remember(&mut self, now: i64, identity: Identity, batch: WrittenBatch) {
        let state = self
            .known
            .entry(identity.producer_id)
            .or_insert_with(|| State {
                epoch: identity.epoch,
                window: VecDeque::with_capacity(WINDOW),
                updated_at: now,
            });
        if state.epoch != identity.epoch {
            state.epoch = identity.epoch;
            state.window.clear();
        }
        if state.window.len() == WINDOW {
            state.window.pop_front();
        }
        state.window.push_back(batch);
        state.updated_at = now;
    }

    /// A replica that restarted when its log ended at `end` knows, of what was written before,
    /// only each producer's newest batch (C18).
    pub(crate) fn forget_before_restart(&mut self, end: i64) {
        for state in self.known.values_mut() {
            let before = state
                .window
                .iter()
                .filter(|batch| batch.last_offset < end)
                .count();
            state.window.drain(..before.saturating_sub(1));
        }
    }

    /// Forgets batches at `end` and beyond, which were truncated.
    /// A producer that loses all it is known by is forgotten.
    pub(crate) fn truncate(&mut self, end: i64) {
        self.known.retain(|_, state| {
            state.window.retain(|batch| batch.last_offset < end);
            !state.window.is_empty()
        });
    }

    /// Forgets everything, as an unclean election does.
    pub(crate) fn clear(&mut self) {
        self.known.clear();
    }

    /// What is to become of a batch, without doing it.
    pub(crate) fn judge(&self, batch: Identity, unknown: UnknownProducer) -> Judgement {
        let Some(state) = self.known.get(&batch.producer_id) else {
            return match unknown {
                _ if batch.first_sequence == 0 => Judgement::Append,
                UnknownProducer::AnySequence => Judgement::Append,
                UnknownProducer::OutOfOrder => {
                    Judgement::Refuse(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER)
                }
                UnknownProducer::UnknownProducerId => {
                    Judgement::Refuse(ErrorCode::UNKNOWN_PRODUCER_ID)
                }
            };
        };
        state.judge(batch)
    }
}

impl State {
    fn judge(&self, batch: Identity) -> Judgement {
        if batch.epoch < self.epoch {
            return Judgement::Refuse(ErrorCode::INVALID_PRODUCER_EPOCH);
        }
        if self.epoch < batch.epoch {
            return match batch.first_sequence {
                0 => Judgement::Append,
                _ => Judgement::Refuse(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER),
            };
        }
        let same = |known: &&WrittenBatch| {
            known.first_sequence == batch.first_sequence
                && known.last_sequence == batch.last_sequence
        };
        if let Some(known) = self.window.iter().find(same) {
            return Judgement::Duplicate(*known);
        }
        match self.window.back() {
            Some(newest) if batch.first_sequence == add_sequence(newest.last_sequence, 1) => {
                Judgement::Append
            }
            _ => Judgement::Refuse(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER),
        }
    }
}

/// The sequence `count` records later; after 2^31 - 1 comes 0.
const fn add_sequence(sequence: i32, count: i32) -> i32 {
    // Both are at least 0, so the wrapped sum is off by exactly the sign bit.
    sequence.wrapping_add(count) & i32::MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(epoch: i16, first: i32, count: i32) -> Identity {
        Identity::new(7, epoch, first, count)
    }

    /// A partition to which producer 7 has written batches of ten records.
    fn written(batches: i32) -> ProducerStates {
        let mut states = ProducerStates::default();
        for batch in 0..batches {
            let id = identity(0, batch * 10, 10);
            states.remember(0, id, entry(id, i64::from(batch) * 10));
        }
        states
    }

    fn entry(id: Identity, base_offset: i64) -> WrittenBatch {
        WrittenBatch {
            first_sequence: id.first_sequence,
            last_sequence: id.last_sequence,
            base_offset,
            last_offset: base_offset + 9,
            timestamp: 1,
        }
    }

    fn judge(states: &ProducerStates, batch: Identity) -> Judgement {
        states.judge(batch, UnknownProducer::AnySequence)
    }

    const OUT_OF_ORDER: Judgement = Judgement::Refuse(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);

    #[test]
    fn c9_each_of_the_last_five_batches_is_a_duplicate_and_the_sixth_is_not() {
        let states = written(6);
        assert_eq!(judge(&states, identity(0, 0, 10)), OUT_OF_ORDER);
        for batch in 1..6 {
            let Judgement::Duplicate(known) = judge(&states, identity(0, batch * 10, 10)) else {
                panic!("batch {batch} is not known");
            };
            assert_eq!(known.base_offset, i64::from(batch) * 10);
        }
    }

    #[test]
    fn c9_a_partial_overlap_is_no_duplicate() {
        let states = written(2);
        assert_eq!(judge(&states, identity(0, 10, 9)), OUT_OF_ORDER);
        assert_eq!(judge(&states, identity(0, 11, 9)), OUT_OF_ORDER);
        assert_eq!(judge(&states, identity(0, 10, 20)), OUT_OF_ORDER);
    }

    #[test]
    fn c11_a_lower_epoch_is_refused() {
        let mut states = written(1);
        let id = identity(1, 0, 10);
        states.remember(0, id, entry(id, 10));
        let refused = Judgement::Refuse(ErrorCode::INVALID_PRODUCER_EPOCH);
        assert_eq!(judge(&states, identity(0, 0, 10)), refused);
    }

    #[test]
    fn c12_a_higher_epoch_begins_at_zero_and_clears_the_window() {
        let mut states = written(2);
        assert_eq!(judge(&states, identity(1, 20, 10)), OUT_OF_ORDER);
        let id = identity(1, 0, 10);
        assert_eq!(judge(&states, id), Judgement::Append);
        states.remember(0, id, entry(id, 20));
        assert_eq!(judge(&states, identity(1, 10, 10)), Judgement::Append);
    }

    #[test]
    fn c13_a_batch_follows_the_newest_one_without_a_gap() {
        let states = written(2);
        assert_eq!(judge(&states, identity(0, 20, 10)), Judgement::Append);
        assert_eq!(judge(&states, identity(0, 21, 10)), OUT_OF_ORDER);
    }

    #[test]
    fn c13_after_the_largest_sequence_comes_zero() {
        let mut states = ProducerStates::default();
        let id = identity(0, i32::MAX - 9, 10);
        assert_eq!(id.last_sequence, i32::MAX);
        states.remember(0, id, entry(id, 0));
        assert_eq!(judge(&states, identity(0, 0, 10)), Judgement::Append);
        assert_eq!(identity(0, i32::MAX - 1, 10).last_sequence, 7);
    }

    #[test]
    fn c14_an_unknown_producer_meets_the_three_variants() {
        let states = ProducerStates::default();
        let batch = identity(0, 5, 10);
        let answer = |variant| states.judge(batch, variant);
        assert_eq!(answer(UnknownProducer::AnySequence), Judgement::Append);
        assert_eq!(answer(UnknownProducer::OutOfOrder), OUT_OF_ORDER);
        assert_eq!(
            answer(UnknownProducer::UnknownProducerId),
            Judgement::Refuse(ErrorCode::UNKNOWN_PRODUCER_ID)
        );
        let first = identity(0, 0, 10);
        assert_eq!(
            states.judge(first, UnknownProducer::OutOfOrder),
            Judgement::Append
        );
    }

    #[test]
    fn c18_after_a_restart_only_the_newest_batch_is_known() {
        let mut states = written(5);
        states.forget_before_restart(50);
        assert!(matches!(
            judge(&states, identity(0, 40, 10)),
            Judgement::Duplicate(_)
        ));
        assert_eq!(judge(&states, identity(0, 30, 10)), OUT_OF_ORDER);
        assert_eq!(judge(&states, identity(0, 50, 10)), Judgement::Append);
    }

    #[test]
    fn c18_what_was_written_after_the_restart_is_known() {
        let mut states = written(5);
        states.forget_before_restart(30);
        for batch in 2..5 {
            let known = judge(&states, identity(0, batch * 10, 10));
            assert!(matches!(known, Judgement::Duplicate(_)), "batch {batch}");
        }
        assert_eq!(judge(&states, identity(0, 10, 10)), OUT_OF_ORDER);
    }

    #[test]
    fn c18_truncated_batches_are_forgotten() {
        let mut states = written(3);
        states.truncate(20);
        assert_eq!(judge(&states, identity(0, 20, 10)), Judgement::Append);
        states.truncate(0);
        assert_eq!(judge(&states, identity(0, 99, 10)), Judgement::Append);
    }

    #[test]
    fn c19_a_silent_producer_expires() {
        let mut states = written(1);
        states.expire(86_399_999, 7, 86_400_000);
        assert_eq!(judge(&states, identity(0, 99, 10)), OUT_OF_ORDER);
        states.expire(86_400_000, 7, 86_400_000);
        assert_eq!(judge(&states, identity(0, 99, 10)), Judgement::Append);
    }
}

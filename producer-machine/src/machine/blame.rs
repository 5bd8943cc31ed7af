//! Which records a broker blames for the refusal of their batch (KIP-467,
//! `producer-semantics.md` §7.3).
//!
//! The whole batch is dropped for them: the others are innocent, and are told so, for they may be
//! sent again as they are. That is left to the application, since it would put them behind later
//! ones.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;

use kafka_producer_proto::ErrorCode;
use kafka_producer_proto::messages::produce::BatchIndexAndErrorMessage;

use super::ProducerMachine;
use crate::accumulator::BatchKey;
use crate::error::ProduceError;

/// The places in the batch of the records that are blamed, with the broker's words for each.
#[derive(Clone, Debug, Default)]
pub(super) struct Blame(BTreeMap<u32, Option<Arc<str>>>);

impl From<Vec<BatchIndexAndErrorMessage>> for Blame {
    fn from(told: Vec<BatchIndexAndErrorMessage>) -> Self {
        let mut blamed = BTreeMap::new();
        for entry in told {
            if let Ok(place) = u32::try_from(entry.batch_index) {
                let message = entry.batch_index_error_message.map(Arc::from);
                blamed.entry(place).or_insert(message);
            }
        }
        Self(blamed)
    }
}

impl Blame {
    /// The error of each record of a batch of so many, in runs of equal fate. Without blame it is
    /// the batch's.
    fn fates(
        mut self,
        count: u32,
        code: ErrorCode,
        message: Option<Arc<str>>,
    ) -> Vec<(Range<u32>, ProduceError)> {
        self.0.retain(|&place, _| place < count);
        // The code of the batch is that of its first bad record: it holds for a single one.
        let own = match self.0.len() {
            0 => return alloc::vec![(0..count, ProduceError::Broker { code, message })],
            1 => code,
            _ => ErrorCode::INVALID_RECORD,
        };
        let mut fates = Vec::new();
        let mut done = 0;
        let innocent = |places: Range<u32>, fates: &mut Vec<_>| {
            if !places.is_empty() {
                fates.push((places, ProduceError::BatchmateRejected { code }));
            }
        };
        for (place, said) in self.0 {
            innocent(done..place, &mut fates);
            let message = said.or_else(|| message.clone());
            let error = ProduceError::Broker { code: own, message };
            fates.push((place..place + 1, error));
            done = place + 1;
        }
        innocent(done..count, &mut fates);
        fates
    }
}

impl ProducerMachine {
    /// A broker refuses a batch for good.
    pub(super) fn refuse_batch(
        &mut self,
        key: BatchKey,
        code: ErrorCode,
        message: Option<Arc<str>>,
        blame: Blame,
    ) {
        let count = self.accumulator.batches[key.0 as usize].count;
        self.fail_each(key, blame.fates(count, code, message));
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use super::*;

    fn fates(places: &[i32]) -> Vec<(Range<u32>, String)> {
        let told = places.iter().map(|&batch_index| BatchIndexAndErrorMessage {
            batch_index,
            batch_index_error_message: (batch_index == 1).then(|| String::from("its own")),
        });
        let blame = Blame::from(told.collect::<Vec<_>>());
        let message = Some(Arc::from("all"));
        let fates = blame.fates(4, ErrorCode::INVALID_TIMESTAMP, message);
        let say = |error| match error {
            ProduceError::Broker { code, message } => {
                alloc::format!("{} {}", code.name(), message.unwrap_or_default())
            }
            _ => String::from("innocent"),
        };
        fates
            .into_iter()
            .map(|(at, error)| (at, say(error)))
            .collect()
    }

    fn of(text: &str) -> String {
        String::from(text)
    }

    #[test]
    fn without_blame_all_records_have_the_error_of_the_batch() {
        assert_eq!(fates(&[]), [(0..4, of("INVALID_TIMESTAMP all"))]);
    }

    #[test]
    fn one_bad_record_has_the_error_of_the_batch_and_the_others_are_innocent() {
        let expected = [
            (0..1, of("innocent")),
            (1..2, of("INVALID_TIMESTAMP its own")),
            (2..4, of("innocent")),
        ];
        assert_eq!(fates(&[1]), expected);
    }

    #[test]
    fn several_bad_records_are_invalid_whatever_the_batch_is() {
        let expected = [
            (0..1, of("INVALID_RECORD all")),
            (1..3, of("innocent")),
            (3..4, of("INVALID_RECORD all")),
        ];
        assert_eq!(fates(&[3, 0, 3]), expected);
    }

    #[test]
    fn places_that_are_in_no_batch_are_no_blame() {
        assert_eq!(
            fates(&[4, -1, i32::MAX, i32::MIN]),
            [(0..4, of("INVALID_TIMESTAMP all"))]
        );
    }
}

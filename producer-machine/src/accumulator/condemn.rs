//! What follows a batch that failed, under `failed.batch=fail_later` (D14).
//!
//! Whatever of the partition came later and is known not to be written fails with it. What is in
//! flight or in doubt ends by the truth: its sequence is behind that of the failed one, so a
//! broker takes it only if it has that one, too. Should it come back unwritten, it fails then.
//!
//! Nothing fails with what was condemned, however that ends: what came in before the failure was
//! told has failed or is condemned itself, and what came later was sent with the failure in view.
//!
//! **Invariants.** While anything is condemned no batch is numbered: all that is outstanding then
//! was handed out before the failure.

use alloc::vec::Vec;

use super::{Accumulator, BatchKey, PartitionKey, Serial};

/// The failure behind which a partition has something outstanding.
#[derive(Clone, Copy, Debug, Hash)]
pub(super) struct Condemned {
    /// What has a number and a later serial follows it.
    after: Serial,
    /// The name of its error.
    error: &'static str,
}

impl Accumulator {
    /// A batch of a partition has failed, with an error of this name. Gives those behind it that
    /// are known not to be written, in order; what is outstanding besides is condemned.
    pub(crate) fn condemn(
        &mut self,
        key: PartitionKey,
        failed: Serial,
        error: &'static str,
    ) -> Vec<BatchKey> {
        let partition = &mut self.partitions[key.0 as usize];
        if partition.sequences.is_broken() {
            let before = partition.condemned.filter(|before| before.after < failed);
            let after = failed;
            partition.condemned = Some(before.unwrap_or(Condemned { after, error }));
        }
        let open = partition.open.as_ref().map(|open| open.key);
        let batches = &self.batches;
        let waiting = partition.queue.iter().copied().chain(open);
        waiting
            .filter(|later| {
                let later = batches.get(later.0 as usize);
                later.is_some_and(|later| failed < later.serial && !later.is_in_doubt())
            })
            .collect()
    }

    /// The name of the error with which an earlier batch of its partition failed after this one
    /// was handed out, under the same identity.
    pub(crate) fn condemned_by(&self, key: BatchKey) -> Option<&'static str> {
        let batch = &self.batches[key.0 as usize];
        let condemned = self.partitions[batch.partition.0 as usize].condemned?;
        let follows = batch.numbering.is_some() && condemned.after < batch.serial;
        follows.then_some(condemned.error)
    }
}

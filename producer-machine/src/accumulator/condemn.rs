//! What follows a batch that failed, under `failed.batch=fail_later` (D14).
//!
//! Whatever of the partition came later and is known not to be written fails with it. What is in
//! flight or in doubt ends by the truth: its sequence is behind that of the failed one, so a
//! broker takes it only if it has that one, too. Should it come back unwritten, it fails then.
//!
//! **Invariants.** While anything is condemned no batch is numbered: all that is outstanding then
//! was handed out before the failure.

use alloc::vec::Vec;

use super::{Accumulator, BatchKey, PartitionKey, Serial};

impl Accumulator {
    /// A batch of a partition has failed. Gives those behind it that are known not to be
    /// written, in order; what is outstanding besides is condemned.
    pub(crate) fn condemn(&mut self, key: PartitionKey, failed: Serial) -> Vec<BatchKey> {
        let partition = &mut self.partitions[key.0 as usize];
        if partition.sequences.is_broken() {
            let before = partition.condemned_after;
            partition.condemned_after = Some(before.map_or(failed, |before| before.min(failed)));
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

    /// Whether a batch was handed out before an earlier one of its partition failed, under the
    /// same identity.
    pub(crate) fn is_condemned(&self, key: BatchKey) -> bool {
        let batch = &self.batches[key.0 as usize];
        let after = self.partitions[batch.partition.0 as usize].condemned_after;
        batch.numbering.is_some() && after.is_some_and(|after| after < batch.serial)
    }
}

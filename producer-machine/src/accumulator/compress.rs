//! A closed batch becomes a job outside, and comes back smaller.
//!
//! **Invariant.** Both copies are charged while there are two.

use alloc::vec::Vec;

use kafka_producer_proto::batch::HEADER_LEN;
use kafka_producer_proto::compression::{self, Codec};

use super::{Accumulator, BatchKey, Records, Stage};
use crate::JobId;
use crate::action::{CompressJob, Work};

impl Accumulator {
    /// Whether a batch that is closed must be compressed before it leaves.
    pub(crate) fn compresses(&self) -> bool {
        self.codec != Codec::None
    }

    /// A job that compresses a closed batch, if there is a codec. Both copies are charged.
    pub(crate) fn compress(&mut self, key: BatchKey) -> Option<CompressJob> {
        if !self.compresses() {
            return None;
        }
        let Stage::Queued(records) = &self.batches.get(key.0 as usize)?.stage else {
            return None;
        };
        let records = records.body.clone();
        // Room for the worst case, or the largest class: the codec makes more if it must.
        let worst = compression::max_compressed_len(self.codec, records.len());
        let class = self
            .budget
            .class_for(worst)
            .or_else(|| self.budget.class_for(HEADER_LEN + records.len()));
        let charge = class.map_or(worst, |class| self.budget.size_of(class));
        let out = self.buffer_for(class, worst);
        self.recharge(key, self.batches[key.0 as usize].charge + charge);
        let job = JobId(self.next_job);
        self.next_job += 1;
        self.lend_to_job(job, key);
        let batch = self.batches.get_mut(key.0 as usize)?;
        batch.stage.compress(job);
        Some(CompressJob {
            id: job,
            codec: self.codec,
            level: self.level,
            records,
            work: Work::Compress(out),
        })
    }

    /// The compressed copy replaces the plain one, whose charge ends.
    pub(crate) fn compressed(&mut self, key: BatchKey, out: Vec<u8>) {
        if !self.batches.contains(key.0 as usize) {
            return;
        }
        let out = self.budget.fit(out);
        self.recharge(key, out.capacity());
        let body = self.budget.share(out);
        let codec = self.codec;
        let batch = &mut self.batches[key.0 as usize];
        if let Some(plain) = batch.stage.compressed(Records { body, codec }) {
            self.budget.unshare(plain);
        }
    }

    /// A job came back without a result: its batch, out of its queue, is nobody's else.
    pub(crate) fn job_failed(&mut self, key: BatchKey) {
        let batch = &mut self.batches[key.0 as usize];
        batch.stage.job_done();
        self.partitions[batch.partition.0 as usize].dequeue(key);
    }
}

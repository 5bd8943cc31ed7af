//! Work that is done outside: it leaves when there is memory for what it makes.
//!
//! ```text
//! compress, split ──plan──> waiting ──memory, or no other job is out──> out ──take_job──> done
//!                              └── its batch has ended ──> gone
//! ```
//!
//! **Invariants.** Jobs leave in the order in which they were planned. What they make is charged
//! from then until they are back. One may always be out, or a buffer full of batches that are to
//! be compressed would stay full: so all of them together exceed `buffer.memory` by what one of
//! them makes.

use alloc::collections::VecDeque;

use super::{Accumulator, BatchKey, Class, Serial, Stage};
use crate::JobId;
use crate::action::{CompressJob, Work};
use crate::split::Split;

/// The jobs that wait, and how many are out.
#[derive(Debug, Default, Hash)]
pub(crate) struct Jobs {
    waiting: VecDeque<Plan>,
    /// Jobs that are out, also those whose batches have ended.
    out: u32,
    next: u64,
}

/// A job that has not left yet.
#[derive(Clone, Copy, Debug, Hash)]
struct Plan {
    job: JobId,
    batch: BatchKey,
    serial: Serial,
    making: Making,
}

/// What a job makes, and needs memory for.
#[derive(Clone, Copy, Debug, Hash)]
pub(super) enum Making {
    /// A compressed copy, in a buffer of a class or of so many bytes.
    Copy { class: Option<Class>, bytes: usize },
    /// Its parts: so many bytes for its records unpacked, and packed again.
    Parts { split: Split, bytes: usize },
}

impl Making {
    const fn bytes(&self) -> usize {
        match *self {
            Self::Copy { bytes, .. } | Self::Parts { bytes, .. } => bytes,
        }
    }
}

impl Jobs {
    /// A job is back.
    pub(super) const fn come_back(&mut self) {
        debug_assert!(0 < self.out, "what comes back was out");
        self.out = self.out.saturating_sub(1);
    }
}

impl Accumulator {
    /// A batch in the queue is to be worked on: it may not leave before that is done.
    pub(super) fn plan(&mut self, key: BatchKey, making: Making) {
        let job = JobId(self.jobs.next);
        self.jobs.next += 1;
        let batch = &mut self.batches[key.0 as usize];
        batch.stage.compress(job);
        self.jobs.waiting.push_back(Plan {
            job,
            batch: key,
            serial: batch.serial,
            making,
        });
    }

    /// Whether a job waits for memory.
    #[inline]
    pub(crate) fn is_job_waiting(&self) -> bool {
        !self.jobs.waiting.is_empty()
    }

    /// Whether somebody outside has this job: it waits no more.
    pub(crate) fn is_job_out(&self, job: JobId) -> bool {
        self.loans.has(job)
    }

    /// The next job that may leave.
    pub(crate) fn next_job(&mut self) -> Option<CompressJob> {
        let plan = loop {
            let plan = *self.jobs.waiting.front()?;
            let is_wanted = self.is_batch(plan.batch, plan.serial);
            if is_wanted && 0 < self.jobs.out && self.budget.available() < plan.making.bytes() {
                return None;
            }
            self.jobs.waiting.pop_front();
            if is_wanted {
                break plan;
            }
        };
        let batch = &self.batches[plan.batch.0 as usize];
        let Stage::Compressing(_, records) = &batch.stage else {
            debug_assert!(false, "a batch that waits for a job waits for nothing else");
            return None;
        };
        let (records, charge) = (records.clone(), batch.charge + plan.making.bytes());
        self.recharge(plan.batch, charge);
        self.lend_to_job(plan.job, plan.batch);
        self.jobs.out += 1;
        let (codec, work) = match plan.making {
            Making::Copy { class, bytes } => {
                let buffer = self.buffer_for(class, bytes);
                (self.codec, Work::Compress(buffer))
            }
            Making::Parts { split, .. } => (records.codec, Work::Split(split)),
        };
        Some(CompressJob {
            id: plan.job,
            codec,
            level: self.level,
            records: records.body,
            work,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accumulator::{Claim, Hurry, PartitionKey};
    use crate::config::Config;
    use crate::{Instant, TopicHandle};
    use alloc::vec;
    use alloc::vec::Vec;
    use kafka_producer_proto::batch::RecordBody;
    use kafka_producer_proto::compression::Codec;

    const NOW: Instant = Instant::ORIGIN;

    /// What a batch is compressed into, for the worst case, if no buffer of the pool is as large.
    const COPY: usize = 1034;

    /// Batches of 1 KiB, in a buffer of so many bytes.
    fn accumulator(buffer_memory: &str) -> Accumulator {
        let config = Config::from_properties([
            ("bootstrap.servers", "a:9092"),
            ("batch.size", "1024"),
            ("buffer.memory", buffer_memory),
            ("compression.type", "lz4"),
        ]);
        let mut accumulator = Accumulator::new(&config.expect("a valid configuration"));
        accumulator.add_partition(TopicHandle(0), 0);
        accumulator
    }

    /// A batch that is to be compressed.
    fn plan(accumulator: &mut Accumulator) -> BatchKey {
        let partition = PartitionKey(0);
        let record = RecordBody {
            timestamp: 0,
            key: None,
            value: Some(&[b'x'; 900]),
            headers: &[],
        };
        let hurry = Hurry::Relaxed;
        accumulator.append(NOW, partition, &record, hurry, Claim::Newcomer);
        let batch = accumulator.close_open(partition).expect("it was opened");
        accumulator.compress(batch);
        batch
    }

    #[test]
    fn jobs_leave_while_there_is_memory_for_what_they_make() {
        let mut accumulator = accumulator("9000");
        let (first, second) = (plan(&mut accumulator), plan(&mut accumulator));
        assert_eq!(accumulator.budget.used(), 2 * 1024, "nothing has left yet");
        let jobs = [accumulator.next_job(), accumulator.next_job()];
        assert!(jobs.iter().all(Option::is_some));
        assert_eq!(accumulator.budget.used(), 2 * 3072, "each has 2 KiB more");
        let charge = |key: BatchKey| accumulator.batches[key.0 as usize].charge;
        assert_eq!((charge(first), charge(second)), (3072, 3072));
    }

    #[test]
    fn one_job_leaves_whatever_is_taken_and_the_next_when_it_is_back() {
        let mut accumulator = accumulator("4096");
        for _ in 0..4 {
            plan(&mut accumulator);
        }
        assert_eq!(accumulator.budget.used(), 4096, "it is full");
        let first = accumulator.next_job().expect("none is out");
        assert_eq!(accumulator.budget.used(), 4096 + COPY);
        assert!(accumulator.next_job().is_none());
        let batch = accumulator.take_job(first.id).expect("it is there");
        accumulator.compressed(batch, vec![0; 100]);
        assert!(accumulator.next_job().is_some());
        assert!(accumulator.is_job_waiting());
    }

    #[test]
    fn a_batch_that_its_codec_makes_no_smaller_goes_as_it_is() {
        let mut accumulator = accumulator("9000");
        let key = plan(&mut accumulator);
        let plain = accumulator.batches[key.0 as usize].plain_bytes;
        let job = accumulator.next_job().expect("none is out");
        let batch = accumulator.take_job(job.id).expect("it is there");
        drop(job);
        accumulator.compressed(batch, vec![0; plain]);
        assert_eq!(accumulator.budget.used(), 1024, "the copy is gone");
        let batch = &accumulator.batches[key.0 as usize];
        assert!(batch.stage.is_queued());
        let records = batch.stage.records().expect("it is closed");
        assert_eq!((records.codec, records.body.len()), (Codec::None, plain));
    }

    #[test]
    fn a_job_whose_batch_has_ended_is_not_done_and_one_that_is_out_is_waited_for() {
        let mut accumulator = accumulator("4096");
        let batches: Vec<BatchKey> = (0..4).map(|_| plan(&mut accumulator)).collect();
        let lost = accumulator.next_job().expect("none is out");
        accumulator.remove(batches[1]);
        assert!(accumulator.next_job().is_none(), "one is out");
        accumulator.remove(batches[0]);
        assert!(accumulator.next_job().is_none(), "its memory is still held");
        assert_eq!(accumulator.take_job(lost.id), None);
        assert_eq!(accumulator.budget.used(), 2 * 1024);
        let next = accumulator.next_job().expect("none is out");
        assert_eq!(accumulator.take_job(next.id), Some(batches[2]));
    }
}

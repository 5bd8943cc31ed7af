//! A batch that a broker found too large is split, and its parts take its place
//! (`producer-semantics.md` §2.10).
//!
//! **Invariants.** The parts have the records, the receipts, the numbers and the deadline of the
//! batch, in its order and in its place. Only a batch that is known not to be written is split
//! (`verification.md` D8): its numbers are free to be used in smaller portions.

use alloc::vec::Vec;

use kafka_producer_proto::compression::{self, Codec};

use super::fate::Fate;
use super::jobs::Making;
use super::{Accumulator, Batch, BatchKey, Records, Serial};
use crate::idempotence::Numbering;
use crate::split::{Part, Split};
use crate::{ErrorCode, Instant};

impl Accumulator {
    /// Whether a batch whose request has ended may be split.
    pub(crate) fn is_splittable(&self, key: BatchKey) -> bool {
        let batch = &self.batches[key.0 as usize];
        1 < batch.count && !batch.is_in_doubt()
    }

    /// A batch whose request has ended is to be split. Until it is, the batch stands in its place,
    /// so that nothing of its partition overtakes it.
    pub(crate) fn split(&mut self, key: BatchKey, batch_size: usize) {
        self.learn_of_split(key);
        let batch = &self.batches[key.0 as usize];
        debug_assert_eq!(
            batch.frames, 0,
            "what a lost connection carried is in doubt"
        );
        let Some(records) = batch.stage.records() else {
            return;
        };
        let partition = &mut self.partitions[batch.partition.0 as usize];
        partition.sequences.stumble();
        partition.enqueue(key, &self.batches);
        // What the job holds besides the batch: its records unpacked, and packed again.
        let packed = compression::max_compressed_len(records.codec, batch.plain_bytes);
        let split = Split::new(batch.plain_bytes, batch.base_timestamp, batch_size);
        let bytes = batch.plain_bytes + packed;
        self.plan(key, Making::Parts { split, bytes });
    }

    /// The job is done: the parts of a batch take its place. Gives their keys, in order.
    pub(crate) fn finish_split(&mut self, key: BatchKey, parts: Vec<Part>) -> Vec<BatchKey> {
        let Some(batch) = self.batches.get_mut(key.0 as usize) else {
            return Vec::new();
        };
        batch.stage.job_done();
        let codec = batch.stage.records().map_or(Codec::None, |r| r.codec);
        self.resolved(key);
        let Some(whole) = self.remove(key) else {
            return Vec::new();
        };
        let partition = &mut self.partitions[whole.partition.0 as usize];
        if whole.numbering.is_some() {
            partition.sequences.split(parts.len() as u32);
        }
        partition.dequeue(key);
        let mut place = 0;
        let mut keys = Vec::new();
        for part in parts {
            let count = part.count;
            if codec != Codec::None {
                let topic = self.partitions[whole.partition.0 as usize].topic;
                self.learn(topic, part.body.len(), part.plain_bytes);
            }
            keys.push(self.install_part(&whole, place, part));
            place += count;
        }
        debug_assert_eq!(place, whole.count, "no record is lost");
        keys
    }

    fn install_part(&mut self, whole: &Batch, place: u32, part: Part) -> BatchKey {
        let (body, codec) = (part.body, part.codec);
        let charge = body.capacity();
        let mut batch = Batch {
            partition: whole.partition,
            serial: Serial {
                first: whole.serial.first + place,
                ..whole.serial
            },
            oldest: whole.oldest,
            stage: super::Stage::Open,
            fate: Fate::NotWritten,
            runs: whole.runs.slice(place..place + part.count),
            count: part.count,
            base_timestamp: part.base_timestamp,
            max_timestamp: part.max_timestamp,
            plain_bytes: part.plain_bytes,
            charge: 0,
            frames: 0,
            linger_at: whole.linger_at,
            deadline: whole.deadline,
            numbering: whole.numbering.map(|numbering| Numbering {
                base: numbering.base.plus(place),
                ..numbering
            }),
            // The split costs no retry.
            attempts: 0,
            last_error: Some(ErrorCode::MESSAGE_TOO_LARGE),
            retry_at: Instant::ORIGIN,
            failed_at: None,
            leader_epoch: whole.leader_epoch,
            incarnation: whole.incarnation,
        };
        batch.stage.close(Records {
            body: self.budget.share(body),
            codec,
        });
        let (serial, oldest) = (batch.serial, batch.oldest);
        let key = BatchKey(self.batches.insert(batch) as u32);
        self.recharge(key, charge);
        self.incomplete.insert((oldest, serial));
        self.partitions[whole.partition.0 as usize].enqueue(key, &self.batches);
        key
    }
}

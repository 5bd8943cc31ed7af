//! A closed batch becomes a job outside, and comes back smaller; and how much larger than
//! `batch.size` it may be before, so that it is about that large afterwards.

use alloc::vec::Vec;

use kafka_producer_proto::compression::{self, Codec};

use super::jobs::Making;
use super::{Accumulator, BatchKey, Ratio, Records, Room};
use crate::TopicHandle;
use crate::config::Config;

/// The most bytes that a batch may have before compression, header included.
///
/// Java has no such bound, and its batches of well compressible records take memory beyond
/// `buffer.memory`. Ours holds no more than `max.request.size`, so that whatever its records come
/// to, it is no larger than a request that the brokers are said to take; and a quarter of
/// `buffer.memory`, so that one partition has room for a batch that fills, one that is being
/// compressed with its copy, and those in flight, and its sender need not wait for itself.
pub(super) fn largest_batch(config: &Config) -> usize {
    let most = config.max_request_size.min(config.buffer_memory / 4);
    match config.compression {
        Codec::None => config.batch_size,
        _ => config.batch_size.max(most),
    }
}

impl Accumulator {
    /// Whether a batch that is closed must be compressed before it leaves.
    pub(crate) fn compresses(&self) -> bool {
        self.codec != Codec::None
    }

    /// When a batch of this topic that is opened now will be full.
    pub(super) fn room_for(&self, topic: TopicHandle) -> Room {
        let size = self.budget.batch_size();
        if !self.compresses() {
            return Room::plain(size);
        }
        let ratio = self.ratios.get(&topic).copied();
        let ratio = ratio.unwrap_or(Ratio::NO_GAIN);
        Room::compressed(ratio, size, self.budget.largest())
    }

    /// A closed batch is to be compressed, if there is a codec.
    pub(crate) fn compress(&mut self, key: BatchKey) {
        let Some(batch) = self.batches.get(key.0 as usize) else {
            return;
        };
        if !self.compresses() || !batch.stage.is_queued() {
            return;
        }
        // Room for the worst case, or the codec would move what it has made so far.
        let worst = compression::max_compressed_len(self.codec, batch.plain_bytes);
        let class = self.budget.class_of_any(worst);
        let bytes = class.map_or(worst, |class| self.budget.size_of(class));
        self.plan(key, Making::Copy { class, bytes });
    }

    /// The compressed copy replaces the plain one, whose charge ends. A copy that is no smaller
    /// is of no use to anybody: the batch goes as it is, as librdkafka's does. So compressed
    /// batches never take more memory than they took before.
    pub(crate) fn compressed(&mut self, key: BatchKey, out: Vec<u8>) {
        let Some(batch) = self.batches.get(key.0 as usize) else {
            return;
        };
        let Some(plain) = batch.stage.records().map(|records| records.body.capacity()) else {
            return;
        };
        let topic = self.partitions[batch.partition.0 as usize].topic;
        let plain_bytes = batch.plain_bytes;
        self.learn(topic, out.len().min(plain_bytes), plain_bytes);
        if plain_bytes <= out.len() {
            self.recharge(key, plain);
            self.budget.recycle(out);
            self.batches[key.0 as usize].stage.job_done();
            return;
        }
        let mut out = self.budget.fit(out);
        if plain < out.capacity() {
            out.shrink_to_fit();
        }
        self.recharge(key, out.capacity());
        let body = self.budget.share(out);
        let codec = self.codec;
        let batch = &mut self.batches[key.0 as usize];
        if let Some(plain) = batch.stage.compressed(Records { body, codec }) {
            self.budget.unshare(plain);
        }
    }

    /// So well have records of a topic compressed.
    ///
    /// What is less than half of a batch says more of the codec's own header than of records: a
    /// lone one becomes larger. Java learns of it all the same, and the hundreds of batches that
    /// follow are smaller than they need be; here it teaches nothing, since no batch was full.
    pub(super) fn learn(&mut self, topic: TopicHandle, compressed: usize, plain: usize) {
        if plain < self.budget.batch_size() / 2 {
            return;
        }
        let actual = Ratio::of(compressed, plain);
        let expected = self.ratios.entry(topic).or_insert(Ratio::NO_GAIN);
        *expected = expected.after(actual);
    }

    /// A compressed batch was too large for its broker: it is expected of the next ones that
    /// they gain nothing, until they do.
    pub(super) fn learn_of_split(&mut self, key: BatchKey) {
        let batch = &self.batches[key.0 as usize];
        let topic = self.partitions[batch.partition.0 as usize].topic;
        let Some(records) = batch.stage.records() else {
            return;
        };
        if records.codec != Codec::None {
            let actual = Ratio::of(records.body.len(), batch.plain_bytes);
            self.ratios.insert(topic, Ratio::after_split(actual));
        }
    }

    /// A job came back without a result: its batch, out of its queue, is nobody's else.
    pub(crate) fn job_failed(&mut self, key: BatchKey) {
        let batch = &mut self.batches[key.0 as usize];
        batch.stage.job_done();
        self.partitions[batch.partition.0 as usize].dequeue(key);
    }
}

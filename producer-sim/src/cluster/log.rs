//! A partition's log: batches as they were sent, with a start, an end and a high watermark.
//!
//! ```text
//! dropped by retention │ start ........ high watermark ........ end │
//!                                │ visible to consumers │ not yet replicated │
//! ```
//!
//! **Invariant.** `start <= high watermark <= end`.
//! A batch is kept as it came; its offset and leader epoch, which no checksum covers, are written
//! when it is read, so that an append copies nothing.

use std::collections::VecDeque;

use bytes::Bytes;
use kafka_producer_proto::batch::BatchHeader;

/// One partition's log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    start: i64,
    end: i64,
    high_watermark: i64,
    bytes: usize,
    entries: VecDeque<Entry>,
    /// Ends of appends that followers do not have yet, and when they will.
    replicating: VecDeque<(i64, i64)>,
}

/// A batch in the log.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) base_offset: i64,
    pub(crate) last_offset: i64,
    pub(crate) leader_epoch: i32,
    pub(crate) max_timestamp: i64,
    batch: Bytes,
}

impl Log {
    /// Appends a batch that the followers have from `replicated_at` on; returns its base offset.
    pub(crate) fn append(
        &mut self,
        replicated_at: i64,
        leader_epoch: i32,
        header: &BatchHeader,
        batch: Bytes,
    ) -> i64 {
        let base_offset = self.end;
        let last_offset = base_offset.saturating_add(i64::from(header.last_offset_delta));
        self.bytes += batch.len();
        self.end = last_offset.saturating_add(1);
        let max_timestamp = header.max_timestamp;
        self.entries.push_back(Entry {
            base_offset,
            last_offset,
            leader_epoch,
            max_timestamp,
            batch,
        });
        self.replicating.push_back((self.end, replicated_at));
        base_offset
    }

    /// Lets the high watermark follow what the followers have by now.
    pub(crate) fn replicate(&mut self, now: i64) {
        while let Some(&(end, at)) = self.replicating.front() {
            if now < at {
                return;
            }
            self.high_watermark = end;
            self.replicating.pop_front();
        }
    }

    /// Lets the followers have everything at once.
    pub(crate) fn replicate_all(&mut self) {
        self.replicating.clear();
        self.high_watermark = self.end;
    }

    /// Loses what no follower has, as a clean election after a crash does.
    pub(crate) fn truncate_to_high_watermark(&mut self) {
        self.replicating.clear();
        while self
            .entries
            .back()
            .is_some_and(|last| self.high_watermark <= last.base_offset)
        {
            if let Some(lost) = self.entries.pop_back() {
                self.bytes -= lost.batch.len();
            }
        }
        self.end = self.high_watermark;
    }

    /// Loses what the replica lacks that leads after an unclean election: the batch that holds
    /// `offset` and all behind it, replicated or not.
    pub(crate) fn lose_from(&mut self, offset: i64) {
        self.replicating.clear();
        while self
            .entries
            .back()
            .is_some_and(|last| offset <= last.last_offset)
        {
            if let Some(lost) = self.entries.pop_back() {
                self.bytes -= lost.batch.len();
                self.end = lost.base_offset;
            }
        }
        self.high_watermark = self.end;
    }

    /// Drops the oldest batch; returns how many bytes that freed.
    pub(crate) fn drop_oldest(&mut self) -> Option<usize> {
        let oldest = self.entries.pop_front()?;
        self.bytes -= oldest.batch.len();
        self.start = self.start.max(oldest.last_offset + 1);
        self.high_watermark = self.high_watermark.max(self.start);
        Some(oldest.batch.len())
    }

    /// Drops everything before `offset` (DeleteRecords); returns how many bytes that freed.
    pub(crate) fn delete_before(&mut self, offset: i64) -> usize {
        let before = self.bytes;
        while self
            .entries
            .front()
            .is_some_and(|oldest| oldest.last_offset < offset)
        {
            self.drop_oldest();
        }
        self.start = self.start.max(offset.min(self.high_watermark));
        before - self.bytes
    }

    /// The first offset that is still there.
    pub(crate) const fn start(&self) -> i64 {
        self.start
    }

    /// The offset of the next record.
    pub(crate) const fn end(&self) -> i64 {
        self.end
    }

    /// The end of what consumers see.
    pub(crate) const fn high_watermark(&self) -> i64 {
        self.high_watermark
    }

    /// When the high watermark moves next.
    pub(crate) fn replicates_at(&self) -> Option<i64> {
        self.replicating.front().map(|&(_, at)| at)
    }

    /// How many bytes the batches take.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The batches, oldest first.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// The batches from the one that holds `offset` up to the high watermark.
    pub(crate) fn readable_from(&self, offset: i64) -> impl Iterator<Item = &Entry> {
        let first = self
            .entries
            .partition_point(|entry| entry.last_offset < offset);
        let visible = self.high_watermark;
        self.entries
            .range(first..)
            .take_while(move |entry| entry.last_offset < visible)
    }
}

impl Entry {
    /// How many bytes the batch takes.
    pub(crate) fn len(&self) -> usize {
        self.batch.len()
    }

    /// Appends the batch as consumers get it.
    pub(crate) fn write_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.base_offset.to_be_bytes());
        out.extend_from_slice(&self.batch[8..12]);
        out.extend_from_slice(&self.leader_epoch.to_be_bytes());
        out.extend_from_slice(&self.batch[16..]);
    }

    /// The batch as it was sent.
    pub(crate) const fn batch(&self) -> &Bytes {
        &self.batch
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::testing::batch;

    fn header_of(batch: &Bytes) -> BatchHeader {
        BatchHeader::parse(batch).unwrap().0
    }

    fn append(log: &mut Log, replicated_at: i64, count: usize) -> i64 {
        let batch = Bytes::from(batch(count));
        log.append(replicated_at, 3, &header_of(&batch), batch)
    }

    #[test]
    fn offsets_follow_each_other() {
        let mut log = Log::default();
        assert_eq!(append(&mut log, 0, 2), 0);
        assert_eq!(append(&mut log, 0, 3), 2);
        assert_eq!(log.end(), 5);
    }

    #[test]
    fn consumers_see_only_what_is_replicated() {
        let mut log = Log::default();
        append(&mut log, 10, 2);
        append(&mut log, 20, 2);
        log.replicate(10);
        assert_eq!(log.high_watermark(), 2);
        assert_eq!(log.readable_from(0).count(), 1);
        log.replicate(20);
        assert_eq!(log.readable_from(0).count(), 2);
        assert_eq!(log.readable_from(3).next().unwrap().base_offset, 2);
    }

    #[test]
    fn a_read_batch_carries_offset_and_leader_epoch() {
        let mut log = Log::default();
        append(&mut log, 0, 2);
        append(&mut log, 0, 1);
        log.replicate(0);
        let mut out = Vec::new();
        log.readable_from(2)
            .for_each(|entry| entry.write_to(&mut out));
        let read = header_of(&Bytes::from(out.clone()));
        assert_eq!((read.base_offset, read.partition_leader_epoch), (2, 3));
        kafka_producer_proto::batch::verify_crc(&out).unwrap();
    }

    #[test]
    fn retention_moves_the_start() {
        let mut log = Log::default();
        append(&mut log, 0, 2);
        append(&mut log, 0, 2);
        log.replicate(0);
        let freed = log.drop_oldest().unwrap();
        assert_eq!((log.start(), log.bytes()), (2, freed));
        log.delete_before(4);
        assert_eq!((log.start(), log.end(), log.bytes()), (4, 4, 0));
    }

    #[test]
    fn an_unclean_election_loses_whole_batches_that_were_replicated() {
        let mut log = Log::default();
        append(&mut log, 0, 2);
        append(&mut log, 0, 2);
        append(&mut log, 100, 2);
        log.replicate(0);
        log.lose_from(3);
        assert_eq!((log.end(), log.high_watermark()), (2, 2));
        assert_eq!(append(&mut log, 0, 1), 2);
        log.lose_from(9);
        assert_eq!((log.end(), log.high_watermark()), (3, 3));
    }

    #[test]
    fn a_truncated_log_ends_at_the_high_watermark() {
        let mut log = Log::default();
        append(&mut log, 0, 2);
        append(&mut log, 100, 2);
        log.replicate(0);
        log.truncate_to_high_watermark();
        assert_eq!((log.end(), log.high_watermark()), (2, 2));
        assert_eq!(append(&mut log, 0, 1), 2);
    }
}

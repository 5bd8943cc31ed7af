//! Records that cannot be placed yet: their topic is unknown, or their partition is.
//!
//! They are held inside the machine, within the budget and within `max.block.ms`, in the order of
//! the calls; a chunk is a batch without a partition.

use alloc::vec::Vec;

use kafka_producer_proto::batch::{ClosedRecords, OpenBatch, RecordBody};

use super::batch::Serial;
use super::groups::{Run, Runs};
use crate::{GroupId, Instant, Receipt};

/// Some records of one topic that wait to be placed.
#[derive(Debug, Hash)]
pub(crate) struct Chunk {
    pub(crate) records: OpenBatch,
    /// The partition that each record asks for.
    pub(crate) partitions: Vec<Option<u32>>,
    /// The receipts of the records, in order.
    pub(crate) runs: Vec<Run>,
    /// The group that takes more records; `None` once it is closed.
    pub(crate) group: Option<GroupId>,
    pub(crate) serial: Serial,
    pub(crate) created: Instant,
    pub(crate) deadline: Instant,
    pub(crate) charge: usize,
    pub(crate) limit: usize,
}

impl Chunk {
    /// Takes the record if there is room.
    pub(crate) fn try_append(
        &mut self,
        record: &RecordBody<'_>,
        partition: Option<u32>,
    ) -> Option<Receipt> {
        let group = self.group?;
        let index = self.records.try_append(record, self.limit)?;
        self.partitions.push(partition);
        match self.runs.last_mut() {
            Some(run) => run.count += 1,
            None => self.runs.push(Run {
                group,
                first: index,
                count: 1,
            }),
        }
        Some(Receipt { group, index })
    }

    /// Takes a record that has a receipt already.
    pub(crate) fn append_again(
        &mut self,
        record: &RecordBody<'_>,
        partition: Option<u32>,
        receipt: Receipt,
    ) {
        self.records.append(record);
        self.partitions.push(partition);
        match self.runs.last_mut() {
            Some(run) if run.group == receipt.group && run.first + run.count == receipt.index => {
                run.count += 1;
            }
            _ => self.runs.push(Run {
                group: receipt.group,
                first: receipt.index,
                count: 1,
            }),
        }
    }

    /// Every record's receipt, in order.
    pub(crate) fn receipts(runs: &[Run]) -> impl Iterator<Item = Receipt> {
        runs.iter().flat_map(|run| {
            (run.first..run.first + run.count).map(|index| Receipt {
                group: run.group,
                index,
            })
        })
    }

    /// The runs, cut where the partition that the records ask for changes.
    pub(crate) fn by_partition(
        runs: &[Run],
        partitions: &[Option<u32>],
    ) -> Vec<(Option<u32>, Run)> {
        let mut cut: Vec<(Option<u32>, Run)> = Vec::new();
        for (Receipt { group, index }, &partition) in Self::receipts(runs).zip(partitions) {
            match cut.last_mut() {
                Some((asked, run))
                    if (*asked, run.group, run.first + run.count) == (partition, group, index) =>
                {
                    run.count += 1;
                }
                _ => cut.push((
                    partition,
                    Run {
                        group,
                        first: index,
                        count: 1,
                    },
                )),
            }
        }
        cut
    }

    /// What is in it.
    pub(crate) fn into_parts(self) -> (ClosedRecords, Vec<Option<u32>>, Runs) {
        (self.records.close(), self.partitions, Runs::Many(self.runs))
    }
}

//! What a drain took, as one Produce request.

use alloc::vec::Vec;

use kafka_producer_proto::Uuid;

use crate::TopicHandle;
use crate::accumulator::Accumulator;
use crate::connection::SentBatch;
use crate::frame::Unsealed;
use crate::metadata::Metadata;
use crate::produce::{self, BatchPart, RequestHead, TOPIC_IDS_FROM, TopicPart};

/// The batches of one request, sorted by topic and partition; never empty.
#[derive(Debug)]
pub(crate) struct Load {
    pub(super) version: i16,
    pub(super) batches: Vec<SentBatch>,
}

/// A request that was written.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) version: i16,
    pub(crate) batches: Vec<SentBatch>,
    /// The topic ids in it, sorted, if it has ids and no names.
    pub(crate) ids: Vec<(Uuid, TopicHandle)>,
}

impl Load {
    /// Writes the whole frame. The version of `head` is the highest that the broker takes: one
    /// that has names is used when a topic has no id.
    pub(crate) fn write(
        self,
        head: RequestHead<'_>,
        metadata: &Metadata,
        accumulator: &Accumulator,
        frame: &mut Unsealed,
    ) -> Written {
        let (version, ids) = self.topic_ids(metadata);
        let head = RequestHead { version, ..head };
        let topics = || self.batches.chunk_by(|one, next| one.topic == next.topic);
        let parts = topics().filter_map(|group| {
            let view = metadata.topic(group.first()?.topic)?;
            let batches = group.iter().filter_map(|sent| {
                let batch = accumulator.batches.get(sent.batch.0 as usize)?;
                let (header, body) = produce::header_of(batch)?;
                Some(BatchPart {
                    index: sent.index,
                    header,
                    body,
                })
            });
            Some(TopicPart {
                name: &view.name,
                id: view.id,
                count: group.len(),
                batches,
            })
        });
        let written = produce::write_request(head, topics().count(), parts, frame);
        debug_assert_eq!(written, Ok(()), "a request of ours can be encoded");
        Written {
            version,
            batches: self.batches,
            ids,
        }
    }

    /// Topic ids, if every topic of the request has one; else names and a version that has names.
    fn topic_ids(&self, metadata: &Metadata) -> (i16, Vec<(Uuid, TopicHandle)>) {
        if self.version < TOPIC_IDS_FROM {
            return (self.version, Vec::new());
        }
        let mut ids: Vec<(Uuid, TopicHandle)> = Vec::new();
        for sent in &self.batches {
            if ids.last().is_some_and(|&(_, topic)| topic == sent.topic) {
                continue;
            }
            match metadata.topic(sent.topic) {
                Some(view) if !view.id.is_zero() => ids.push((view.id, sent.topic)),
                _ => return (TOPIC_IDS_FROM - 1, Vec::new()),
            }
        }
        ids.sort_unstable();
        (self.version, ids)
    }
}

//! Leader hints: a broker that no longer leads a partition tells who does (KIP-951).

use alloc::sync::Arc;
use alloc::vec::Vec;

use kafka_producer_proto::messages::produce::{LeaderIdAndEpoch, NodeEndpoint};

use super::ProducerMachine;
use super::receive::Answer;
use crate::brokers::NodeId;
use crate::connection::SentBatch;
use crate::error::DisconnectReason;
use crate::{ErrorCode, Instant};

/// Who leads a partition, and since which epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hint {
    leader: NodeId,
    epoch: i32,
}

impl Hint {
    /// The hint beside an error, if it is one: of a partition without a leader there is none, and
    /// only two errors say that another broker leads.
    pub(super) fn beside(code: ErrorCode, told: Option<LeaderIdAndEpoch>) -> Option<Self> {
        let told = told.filter(|told| 0 <= told.leader_id && 0 <= told.leader_epoch)?;
        let is_elsewhere = matches!(
            code,
            ErrorCode::NOT_LEADER_OR_FOLLOWER | ErrorCode::FENCED_LEADER_EPOCH
        );
        is_elsewhere.then_some(Self {
            leader: NodeId(told.leader_id),
            epoch: told.leader_epoch,
        })
    }
}

impl ProducerMachine {
    /// Takes over the hints of an answer, before its batches are settled: those that go again
    /// then go to the new leader, and a leader newer than the one that refused is asked without
    /// backoff, once (KAFKA-15415).
    pub(super) fn apply_hints(
        &mut self,
        now: Instant,
        batches: &[SentBatch],
        answers: &[Option<Answer>],
        endpoints: &[NodeEndpoint],
    ) {
        let hints = batches.iter().zip(answers).filter_map(|(sent, answer)| {
            // What a former topic says of its leaders holds for that one only.
            let hint = answer.as_ref()?.hint?;
            let is_current = self.accumulator.batches.contains(sent.batch.0 as usize)
                && !self.accumulator.is_of_former_topic(sent.batch);
            is_current.then_some((*sent, hint))
        });
        let hints: Vec<(SentBatch, Hint)> = hints.collect();
        if hints.is_empty() {
            return;
        }
        for endpoint in endpoints {
            self.meet(now, endpoint);
        }
        for (sent, hint) in hints {
            let moved = self
                .metadata
                .apply_hint(sent.topic, sent.index, (hint.leader, hint.epoch));
            if let Some(key) = moved {
                self.on_leader(now, key);
            }
        }
    }

    /// Takes over the address of a broker that hints name.
    fn meet(&mut self, now: Instant, endpoint: &NodeEndpoint) {
        let Ok(port) = u16::try_from(endpoint.port) else {
            return;
        };
        if endpoint.node_id < 0 {
            return;
        }
        let node = NodeId(endpoint.node_id);
        self.metadata.meet(node);
        let host = Arc::from(endpoint.host.as_str());
        for misled in self.brokers.meet(node, &host, port) {
            self.disconnect(now, misled, DisconnectReason::Asked);
        }
    }
}

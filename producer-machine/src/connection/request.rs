//! What is in flight on a connection.

use alloc::vec::Vec;

use kafka_producer_proto::{ApiKey, Uuid};

use crate::accumulator::BatchKey;
use crate::{Instant, TopicHandle};

/// A batch in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SentBatch {
    pub(crate) topic: TopicHandle,
    pub(crate) index: u32,
    pub(crate) batch: BatchKey,
}

/// A request in flight.
#[derive(Debug, Hash)]
pub(crate) struct Sent {
    pub(crate) correlation_id: i32,
    pub(crate) version: i16,
    /// When it was handed out to be written.
    pub(crate) at: Instant,
    pub(crate) deadline: Instant,
    pub(crate) what: What,
}

/// What a request asked.
#[derive(Debug, Hash)]
pub(crate) enum What {
    ApiVersions,
    InitProducerId,
    Metadata,
    /// Sorted by topic and partition. The ids are those of the moment of sending: a topic may
    /// be created anew before the answer comes (KAFKA-19397).
    Produce {
        batches: Vec<SentBatch>,
        ids: Vec<(Uuid, TopicHandle)>,
    },
}

impl What {
    pub(crate) const fn api(&self) -> ApiKey {
        match self {
            Self::ApiVersions => ApiKey::ApiVersions,
            Self::InitProducerId => ApiKey::InitProducerId,
            Self::Metadata => ApiKey::Metadata,
            Self::Produce { .. } => ApiKey::Produce,
        }
    }
}

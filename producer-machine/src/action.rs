//! What the machine asks of the world.

use alloc::sync::Arc;
use alloc::vec::Vec;

use kafka_producer_proto::compression::{Codec, CompressionError, Compressor};

use crate::frame::Body;
use crate::split::{Part, Split};
use crate::{ConnectionId, JobId};

/// One wish of the machine. Every wish is answered by a fact.
#[derive(Debug, Hash)]
#[non_exhaustive]
pub enum Action {
    /// Run the job on any thread, outside the lock, and hand the result to `handle_compressed`.
    Compress(CompressJob),
    /// Open a connection: `handle_connected` when it stands, and in any case, sooner or later,
    /// exactly one `handle_disconnected`.
    Connect {
        /// The id that facts about this connection carry.
        connection: ConnectionId,
        /// Host name or address.
        host: Arc<str>,
        /// Port.
        port: u16,
        /// Resolve `host` and take address number `attempt` modulo their count.
        attempt: u32,
    },
    /// Close the connection. The machine has already forgotten it.
    Disconnect {
        /// Which one.
        connection: ConnectionId,
    },
    /// There is a frame for this connection: call `poll_transmit` and write what it fills.
    Transmit {
        /// Which one.
        connection: ConnectionId,
    },
}

/// A batch to be compressed; or one that its broker found too large, to be split into smaller ones.
#[derive(Debug, Hash)]
pub struct CompressJob {
    pub(crate) id: JobId,
    pub(crate) codec: Codec,
    pub(crate) level: i32,
    pub(crate) records: Body,
    pub(crate) work: Work,
}

/// What a job is to do.
#[derive(Debug, Hash)]
pub(crate) enum Work {
    /// Compress into this buffer.
    Compress(Vec<u8>),
    Split(Split),
}

/// What a job has made.
#[derive(Debug)]
pub(crate) enum Product {
    Compressed(Vec<u8>),
    Parts(Vec<Part>),
}

impl CompressJob {
    /// Does the work. Pure; `compressor` keeps contexts between jobs, for set-up is what small
    /// batches pay for.
    pub fn run(self, compressor: &mut Compressor) -> Compressed {
        let (id, codec, level) = (self.id, self.codec, self.level);
        let result = match self.work {
            Work::Compress(mut out) => compressor
                .compress(codec, level, &self.records, &mut out)
                .map(|()| Product::Compressed(out)),
            Work::Split(split) => split
                .run(codec, level, &self.records, compressor)
                .map(Product::Parts),
        };
        Compressed { id, result }
    }

    /// The result of a job that came to nothing, for a driver whose thread did not survive it:
    /// the batch fails, instead of waiting for `delivery.timeout.ms`.
    pub fn failure(&self) -> Compressed {
        let error = CompressionError::Failed {
            codec: self.codec,
            bytes: self.records.len(),
        };
        Compressed {
            id: self.id,
            result: Err(error),
        }
    }

    /// How many bytes it begins with.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
}

/// The result of a [`CompressJob`], for `handle_compressed`.
#[derive(Debug)]
pub struct Compressed {
    pub(crate) id: JobId,
    pub(crate) result: Result<Product, CompressionError>,
}

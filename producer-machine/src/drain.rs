//! One drain of a lane: the batches that leave in one Produce request (Java's
//! `RecordAccumulator.drain`).
//!
//! ```text
//! queue ──its turn──> partition ──its open batch is due──> Closed ──> the same partition again
//!   ▲                     ├──nothing may leave──> Expired, Idle, Unspoken
//!   │                     ├──room──> Took
//!   └──stands as before───┴──no room──> the end
//! ```
//!
//! First those in the queue as it was at the beginning; then, since the request leaves anyway,
//! those whose batch lingers (piggy-backing), unless there is a codec: a batch that is yet to be
//! compressed comes too late for the request, and closing it would only make it small.
//!
//! **Invariants.** One request carries every partition that is ready, one batch of each, as far as
//! `max.request.size` goes; a batch above that goes alone. A partition without room is the first
//! of the next request. Whoever runs a drain sees to a step before asking for the next one, which
//! may depend on it.

mod request;
#[cfg(all(test, feature = "zstd"))]
mod table;

use alloc::vec::Vec;

use crate::accumulator::{Accumulator, BatchKey, Next, Partition, PartitionKey, Terms};
use crate::brokers::{Brokers, Lane, LaneId, Place};
use crate::connection::SentBatch;
use crate::produce::ZSTD_FROM;
use crate::{ConnectionId, Instant};

pub(crate) use request::{Load, Written};

/// What has happened to one partition, to be seen to before the next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Its open batch takes no more records. The next step is about the same partition.
    Closed(BatchKey),
    /// The next batch is too old to leave. It is still in the queue of its partition.
    Expired(BatchKey),
    /// It has nothing that may leave: it belongs elsewhere.
    Idle(PartitionKey),
    /// A batch leaves: its partition may have another one.
    Took(PartitionKey, BatchKey),
    /// The broker is too old for the codec of the next batch, which is still in the queue.
    Unspoken(BatchKey),
}

/// Where a request goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Road {
    pub(crate) lane: LaneId,
    pub(crate) connection: ConnectionId,
    /// The version of Produce that is spoken there.
    pub(crate) version: i16,
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug)]
enum Round {
    /// Nobody's.
    Over,
    /// So many more from the queue.
    Queue(usize),
    /// Those whose batch lingers, behind this one.
    Lingering(Option<PartitionKey>),
}

/// A partition that was called, and where it stood.
#[derive(Clone, Copy, Debug)]
struct Visit {
    key: PartitionKey,
    place: Place,
}

/// What came of looking at a partition.
#[derive(Clone, Copy, Debug)]
enum Found {
    /// Something is in flight elsewhere: it is looked at again when that has ended.
    Elsewhere,
    /// The request is full.
    Full,
    /// Something has happened.
    Step(Step),
}

/// A drain that has begun.
#[derive(Debug)]
pub(crate) struct Drain {
    road: Road,
    /// Bytes that are left of `max.request.size`.
    room: usize,
    batches: Vec<SentBatch>,
    /// How many of the batches came from the queue. Once that is over they are sorted: a partition
    /// whose batch has just left opens the next one, and a request carries one of it at most.
    queued: usize,
    round: Round,
    /// The partition whose batch was just closed.
    visit: Option<Visit>,
    visited: usize,
}

impl Drain {
    /// Begins a request of at most `room` bytes, if anybody is ready to send on this lane.
    pub(crate) fn begin(
        road: Road,
        room: usize,
        brokers: &Brokers,
        spares: &mut Spares,
    ) -> Option<Self> {
        let lane = brokers.lane(road.lane)?;
        let ready = lane.ready();
        if ready == 0 {
            return None;
        }
        Some(Self {
            road,
            room,
            batches: spares.batches.pop().unwrap_or_default(),
            queued: 0,
            round: Round::Queue(ready),
            visit: None,
            visited: 0,
        })
    }

    /// What happens next; `None` when the request is as full as it gets.
    pub(crate) fn step(
        &mut self,
        now: Instant,
        terms: &Terms,
        accumulator: &mut Accumulator,
        brokers: &mut Brokers,
    ) -> Option<Step> {
        loop {
            let visit = match self.visit.take() {
                Some(visit) => visit,
                None => self.call(accumulator, brokers)?,
            };
            match self.look(now, visit.key, terms, accumulator) {
                Found::Elsewhere => {}
                Found::Full => {
                    self.round = Round::Over;
                    send_back(visit, accumulator, brokers);
                    return None;
                }
                Found::Step(step) => {
                    self.visit = matches!(step, Step::Closed(_)).then_some(visit);
                    return Some(step);
                }
            }
        }
    }

    /// The request, sorted by topic and partition; `None` if nothing leaves.
    pub(crate) fn end(mut self, spares: &mut Spares) -> Option<Load> {
        if self.batches.is_empty() {
            spares.batches.push(self.batches);
            return None;
        }
        self.batches
            .sort_unstable_by_key(|sent| (sent.topic, sent.index));
        Some(Load {
            version: self.road.version,
            batches: self.batches,
        })
    }

    /// How many partitions were called so far.
    pub(crate) const fn visited(&self) -> usize {
        self.visited
    }

    /// The next partition.
    fn call(&mut self, accumulator: &mut Accumulator, brokers: &mut Brokers) -> Option<Visit> {
        if let Round::Queue(left) = self.round {
            let lane = brokers.lane_mut(self.road.lane);
            if let Some((turn, key)) = lane.filter(|_| 0 < left).and_then(Lane::call_first) {
                self.visited += 1;
                self.round = Round::Queue(left - 1);
                accumulator.partitions[key.0 as usize].stand(Place::Nowhere);
                let place = Place::Ready(self.road.lane, turn);
                return Some(Visit { key, place });
            }
            self.end_queue(accumulator);
        }
        while let Round::Lingering(behind) = self.round {
            let key = brokers.lane(self.road.lane)?.lingers_behind(behind)?;
            self.visited += 1;
            self.round = Round::Lingering(Some(key));
            if !self.carries(&accumulator.partitions[key.0 as usize]) {
                let place = Place::Lingering(self.road.lane);
                return Some(Visit { key, place });
            }
        }
        None
    }

    /// The queue has been gone through: those that linger come next, if a request leaves and
    /// they can go along.
    fn end_queue(&mut self, accumulator: &Accumulator) {
        self.round = if self.batches.is_empty() || accumulator.compresses() {
            Round::Over
        } else {
            Round::Lingering(None)
        };
        self.queued = self.batches.len();
        self.batches
            .sort_unstable_by_key(|sent| (sent.topic, sent.index));
    }

    /// Whether a batch of this partition came from the queue.
    fn carries(&self, partition: &Partition) -> bool {
        let own = (partition.topic, partition.index);
        let queued = &self.batches[..self.queued];
        let found = queued.binary_search_by_key(&own, |sent| (sent.topic, sent.index));
        found.is_ok()
    }

    /// Takes the next batch of a partition, if it may go on this connection and there is room.
    fn look(
        &mut self,
        now: Instant,
        key: PartitionKey,
        terms: &Terms,
        accumulator: &mut Accumulator,
    ) -> Found {
        if !accumulator.partitions[key.0 as usize].may_use(self.road.connection) {
            return Found::Elsewhere;
        }
        let (batch, numbering) = match accumulator.next(now, key, terms) {
            Next::Take(batch, numbering) => (batch, numbering),
            // Without room it stays open: until the next request it gathers records.
            Next::Seal | Next::Linger if self.is_full_for(accumulator.open_size(key)) => {
                return Found::Full;
            }
            Next::Seal | Next::Linger => {
                // A batch that is to be compressed comes back later.
                let closed = accumulator.close_open(key);
                return Found::Step(closed.map_or(Step::Idle(key), Step::Closed));
            }
            Next::NotBefore(_) | Next::Nothing | Next::WaitForIdentity | Next::WantsBump(_) => {
                return Found::Step(Step::Idle(key));
            }
        };
        let state = &accumulator.batches[batch.0 as usize];
        let size = state.stage().wire_size();
        if state.deadline <= now {
            return Found::Step(Step::Expired(batch));
        }
        if self.is_full_for(size) {
            return Found::Full;
        }
        if self.road.version < ZSTD_FROM && state.is_zstd() {
            return Found::Step(Step::Unspoken(batch));
        }
        self.room = self.room.saturating_sub(size);
        let sent = accumulator.depart(batch, numbering, self.road.connection);
        self.batches.push(sent);
        Found::Step(Step::Took(key, batch))
    }

    /// Whether a batch of so many bytes must wait. The first one goes whatever its size.
    fn is_full_for(&self, size: usize) -> bool {
        self.room < size && !self.batches.is_empty()
    }
}

/// A partition that was called in vain stands where it stood: who lingers has not left its place.
fn send_back(visit: Visit, accumulator: &mut Accumulator, brokers: &mut Brokers) {
    accumulator.partitions[visit.key.0 as usize].stand(visit.place);
    if let Place::Ready(lane, turn) = visit.place {
        if let Some(lane) = brokers.lane_mut(lane) {
            lane.stand_again(turn, visit.key);
        }
    }
}

/// What requests are made of, kept so that the next one allocates nothing.
#[derive(Debug, Default)]
pub(crate) struct Spares {
    batches: Vec<Vec<SentBatch>>,
}

impl Spares {
    /// The batches of a request have been seen to.
    pub(crate) fn take_back(&mut self, mut batches: Vec<SentBatch>) {
        batches.clear();
        self.batches.push(batches);
    }
}

//! The wires: connections with delays in each direction, cut into pieces, that break and stall.
//!
//! ```text
//! producer ──frame──> pieces ──delay──> host: whole requests, one at a time ──> cluster
//! producer <──pieces── delay <── answer <──────────────────────────────────────────┘
//! ```
//!
//! **Invariants.** Bytes of one direction arrive in their order, once. A request that has arrived
//! whole is executed even if its connection dies first, perhaps much later (K4). A connection ends
//! in exactly one report to the producer.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use kafka_producer_machine::{Compressed, ConnectionId, DisconnectReason, Instant};
use kafka_producer_proto::FrameReader;

use super::faults::Fault;
use crate::chance::Chance;
use crate::cluster::{BrokerId, Ticket};

/// Something that happens at a time.
#[derive(Debug)]
pub(crate) enum Happening {
    /// The application closes the producer, which has so long for the rest.
    Close(Duration),
    /// A compressed batch comes back from its worker.
    Compressed(Compressed),
    /// A connection stands, if the host still takes it.
    Connected(ConnectionId),
    /// Something goes wrong, or right again.
    Fault(Fault),
    /// The producer learns that a connection has ended.
    Gone(ConnectionId, DisconnectReason),
    /// The host learns that the producer has closed.
    HostGone(ConnectionId),
    /// A request is executed after its connection has died.
    Late(BrokerId, Vec<u8>),
    /// The host looks again at a request that had to wait, or a connection it left alone.
    Resume(ConnectionId),
    /// The application hands in records.
    Send { topic: usize, count: u32 },
    /// Bytes reach the host.
    ToHost(ConnectionId, Vec<u8>),
    /// Bytes reach the producer.
    ToProducer(ConnectionId, Vec<u8>),
    /// The producer's writer is ready for the next frame.
    Write(ConnectionId),
}

/// What happens next.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    happenings: BTreeMap<(Instant, u64), Happening>,
    serial: u64,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) broker: BrokerId,
    pub(crate) producer: End,
    pub(crate) host: HostEnd,
    /// When the latest bytes arrive that are on their way, in either direction.
    to_host_at: Instant,
    to_producer_at: Instant,
    pub(crate) reader: FrameReader,
    pub(crate) requests: VecDeque<(Vec<u8>, Fate)>,
    /// What is to happen to the requests that are not whole yet.
    pub(crate) fates: VecDeque<Fate>,
}

/// How a connection looks from the producer's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The producer has closed it; the report is on its way.
    Closing,
    /// Reported.
    Closed,
    Connecting,
    Open,
}

/// How a connection looks from the host's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HostEnd {
    /// Nothing is read any more.
    Closed,
    /// The next request may be served.
    Idle,
    /// Nothing is read until then.
    Paused(Instant),
    /// Nothing is ever read again, and nothing closed.
    Stalled,
    /// A request waits for the log.
    Waiting(Ticket),
}

/// Where a connection breaks because of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// After the answer was made, before any of it is written (F3).
    AfterApply,
    /// After the request has arrived, before it is executed (F2).
    BeforeApply,
    /// Within the answer (F4).
    InsideAnswer,
    /// Within the request (F1).
    InsideRequest,
    /// Nowhere.
    Served,
}

/// How long things take, and in what pieces they come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weather {
    pub(crate) least_micros: u64,
    pub(crate) most_micros: u64,
    /// Bytes come in pieces once in so many times.
    pub(crate) pieces_one_in: u64,
}

impl Default for Weather {
    fn default() -> Self {
        Self {
            least_micros: 200,
            most_micros: 1500,
            pieces_one_in: 3,
        }
    }
}

impl Agenda {
    pub(crate) fn add(&mut self, at: Instant, happening: Happening) {
        self.serial += 1;
        self.happenings.insert((at, self.serial), happening);
    }

    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.happenings.keys().next().map(|&(at, _)| at)
    }

    pub(crate) fn pop(&mut self) -> Option<Happening> {
        self.happenings.pop_first().map(|(_, happening)| happening)
    }

    /// Whether nothing will happen by itself.
    pub(crate) fn is_empty(&self) -> bool {
        self.happenings.is_empty()
    }
}

impl Weather {
    pub(crate) fn delay(self, chance: &mut Chance) -> Duration {
        Duration::from_micros(chance.between(self.least_micros, self.most_micros))
    }
}

impl Link {
    pub(crate) fn new(now: Instant, broker: BrokerId) -> Self {
        Self {
            broker,
            producer: End::Connecting,
            host: HostEnd::Idle,
            to_host_at: now,
            to_producer_at: now,
            reader: FrameReader::new(100 * 1024 * 1024),
            requests: VecDeque::new(),
            fates: VecDeque::new(),
        }
    }

    /// When bytes that leave now arrive at the host: never before earlier ones.
    pub(crate) fn reach_host(&mut self, at: Instant) -> Instant {
        self.to_host_at = at.max(self.to_host_at + TICK);
        self.to_host_at
    }

    /// When bytes that leave now arrive at the producer.
    pub(crate) fn reach_producer(&mut self, at: Instant) -> Instant {
        self.to_producer_at = at.max(self.to_producer_at + TICK);
        self.to_producer_at
    }
}

/// Cuts bytes into pieces, most often one.
pub(crate) fn pieces(weather: Weather, chance: &mut Chance, bytes: &[u8]) -> Vec<Vec<u8>> {
    if !chance.one_in(weather.pieces_one_in) || bytes.len() < 2 {
        return vec![bytes.to_vec()];
    }
    let mut rest = bytes;
    let mut pieces = Vec::new();
    // A few small pieces: what breaks at a boundary breaks at the first ones.
    while !rest.is_empty() && pieces.len() < 7 {
        let most = u64::try_from(rest.len()).unwrap_or(u64::MAX);
        let small = chance.one_in(2);
        let length = chance.between(1, if small { most.min(8) } else { most });
        let (piece, after) = rest.split_at(usize::try_from(length).unwrap_or(rest.len()));
        pieces.push(piece.to_vec());
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(rest.to_vec());
    }
    pieces
}

const TICK: Duration = Duration::from_micros(1);

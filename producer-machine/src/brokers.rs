//! Which connection to open and when: one lane per broker, its queue, its reconnect backoff.
//!
//! ```text
//! lane:  Down(not before) ──connect──> Up(connection) ──lost──> Down(backoff, KIP-580)
//! ```
//!
//! A broker may be given several lanes one day (`connections.per.broker`): a partition stays on
//! its lane, so order and idempotence hold. Today there is one.
//!
//! **Invariants.** At most one connection per lane. Ids of connections are never reused.
//! A partition stands in one queue at most, once, and only while it may send.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::accumulator::PartitionKey;
use crate::config::Config;
use crate::connection::{Connection, Phase};
use crate::error::DisconnectReason;
use crate::retry::Backoff;
use crate::seed::Stream;
use crate::time::TICK;
use crate::{ConnectionId, Instant};

/// A broker's id, or a negative number for an address of `bootstrap.servers`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NodeId(pub(crate) i32);

impl NodeId {
    const fn bootstrap(index: usize) -> Self {
        Self(-1 - index as i32)
    }

    /// The broker's id, unless it is known by its address only.
    pub(crate) const fn broker(self) -> Option<i32> {
        if self.0 < 0 { None } else { Some(self.0) }
    }
}

/// A partition's place in the queue of a lane; lower ones go first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Turn(u64);

/// How a connection was lost.
#[derive(Clone, Debug)]
pub(crate) struct Loss {
    pub(crate) at: Instant,
    pub(crate) reason: DisconnectReason,
}

/// The way to a broker.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) host: Arc<str>,
    pub(crate) port: u16,
    pub(crate) connection: Option<ConnectionId>,
    /// Partitions that may send, by their turn.
    ready: BTreeMap<Turn, PartitionKey>,
    next_turn: u64,
    /// Partitions whose open batch lingers: they go along with a request that leaves anyway.
    pub(crate) lingering: BTreeSet<PartitionKey>,
    pub(crate) not_before: Instant,
    /// Whether the newest metadata names it; a lane is never dropped, for partitions may stand
    /// in its queue.
    is_named: bool,
    last_attempt: Option<Instant>,
    /// Attempts so far: the driver takes address number `attempts` modulo their count.
    attempts: u32,
    /// How the last connection was lost, or why it was never made.
    pub(crate) last_loss: Option<Loss>,
    /// Since when the broker has not answered at all, if it was given up for that.
    pub(crate) silent_since: Option<Instant>,
    /// Losses since the lane last carried requests.
    losses: u32,
    /// Attempts since the last one that got through to the peer.
    setup_failures: u32,
}

impl Lane {
    fn new(host: Arc<str>, port: u16) -> Self {
        Self {
            host,
            port,
            connection: None,
            ready: BTreeMap::new(),
            next_turn: 0,
            lingering: BTreeSet::new(),
            not_before: Instant::ORIGIN,
            is_named: true,
            last_attempt: None,
            attempts: 0,
            last_loss: None,
            silent_since: None,
            losses: 0,
            setup_failures: 0,
        }
    }

    /// A partition may send: it stands behind those that wait already.
    pub(crate) fn stand_in(&mut self, key: PartitionKey) -> Turn {
        let turn = Turn(self.next_turn);
        self.next_turn += 1;
        self.ready.insert(turn, key);
        turn
    }

    /// A partition that was first keeps its turn.
    pub(crate) fn stand_again(&mut self, turn: Turn, key: PartitionKey) {
        self.ready.insert(turn, key);
    }

    pub(crate) fn step_out(&mut self, turn: Turn) {
        self.ready.remove(&turn);
    }

    /// Takes the partition out whose turn it is.
    pub(crate) fn call_first(&mut self) -> Option<(Turn, PartitionKey)> {
        self.ready.pop_first()
    }

    /// How many partitions may send.
    pub(crate) fn ready(&self) -> usize {
        self.ready.len()
    }

    /// How many partitions go before the one with this turn.
    pub(crate) fn ahead_of(&self, turn: Turn) -> usize {
        self.ready.range(..turn).count()
    }

    /// Whether the newest metadata names it.
    pub(crate) const fn is_named(&self) -> bool {
        self.is_named
    }

    /// A connection that was heard of last at `heard` was lost.
    pub(crate) fn lose(&mut self, now: Instant, heard: Instant, reason: &DisconnectReason) {
        match reason {
            DisconnectReason::RequestTimeout | DisconnectReason::SetupTimeout => {
                self.silent_since.get_or_insert(heard);
            }
            _ => self.silent_since = None,
        }
        self.last_loss = Some(Loss {
            at: now,
            reason: reason.clone(),
        });
    }

    pub(crate) fn address(&self) -> Arc<str> {
        Arc::from(alloc::format!("{}:{}", self.host, self.port))
    }
}

/// A connection to be opened.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) connection: ConnectionId,
    pub(crate) host: Arc<str>,
    pub(crate) port: u16,
    pub(crate) attempt: u32,
    pub(crate) setup_deadline: Instant,
}

/// Where a request may go that any broker can answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LeastLoaded {
    /// Over this connection, now.
    Connected(ConnectionId),
    /// A connection is being made, or all are busy: wait.
    Pending,
    /// To this node, which must be connected first.
    Connect(NodeId),
    /// Nobody before this instant: all are backing off.
    NotBefore(Instant),
}

/// All brokers that are known, and the connections to them.
#[derive(Debug)]
pub(crate) struct Brokers {
    pub(crate) lanes: BTreeMap<NodeId, Lane>,
    pub(crate) connections: BTreeMap<ConnectionId, Connection>,
    next_connection: u64,
    reconnect: Backoff,
    setup: Backoff,
    max_in_flight: usize,
}

impl Brokers {
    pub(crate) fn new(config: &Config) -> Self {
        let lanes = config
            .bootstrap_servers
            .iter()
            .enumerate()
            .map(|(index, (host, port))| {
                (NodeId::bootstrap(index), Lane::new(Arc::clone(host), *port))
            })
            .collect();
        Self {
            lanes,
            connections: BTreeMap::new(),
            next_connection: 0,
            reconnect: Backoff::new(config.reconnect_backoff, config.reconnect_backoff_max),
            setup: Backoff::new(config.setup_timeout, config.setup_timeout_max),
            max_in_flight: config.max_in_flight,
        }
    }

    /// Takes over the brokers that metadata names. Gives the nodes whose address changed while
    /// a connection to the old one was being made.
    pub(crate) fn learn(&mut self, brokers: &[(NodeId, Arc<str>, u16)]) -> Vec<ConnectionId> {
        let mut misled = Vec::new();
        for (node, host, port) in brokers {
            let Some(lane) = self.lanes.get_mut(node) else {
                self.lanes.insert(*node, Lane::new(Arc::clone(host), *port));
                continue;
            };
            if lane.host == *host && lane.port == *port {
                continue;
            }
            lane.host = Arc::clone(host);
            lane.port = *port;
            lane.attempts = 0;
            let connecting = lane.connection.filter(|id| {
                self.connections
                    .get(id)
                    .is_some_and(|c| matches!(c.phase, Phase::Connecting))
            });
            misled.extend(connecting);
        }
        let named: BTreeSet<NodeId> = brokers.iter().map(|(node, ..)| *node).collect();
        for (node, lane) in &mut self.lanes {
            lane.is_named = node.broker().is_none() || named.contains(node);
        }
        misled
    }

    /// Begins a connection, if the node's backoff is over and it has none.
    pub(crate) fn open(
        &mut self,
        now: Instant,
        node: NodeId,
        jitter: &mut Stream,
    ) -> Option<Opening> {
        let lane = self.lanes.get_mut(&node)?;
        if lane.connection.is_some() || now < lane.not_before {
            return None;
        }
        let connection = ConnectionId(self.next_connection);
        self.next_connection += 1;
        let attempt = lane.attempts;
        lane.connection = Some(connection);
        lane.last_attempt = Some(now);
        lane.attempts = lane.attempts.wrapping_add(1);
        // Expired means more than the limit, so the deadline is one tick behind it.
        let setup_deadline = now + self.setup.delay(lane.setup_failures, jitter) + TICK;
        self.connections
            .insert(connection, Connection::new(now, node, lane.address()));
        let host = Arc::clone(&lane.host);
        Some(Opening {
            connection,
            host,
            port: lane.port,
            attempt,
            setup_deadline,
        })
    }

    /// The peer took the connection.
    pub(crate) fn connected(&mut self, connection: ConnectionId) {
        if let Some(lane) = self.lane_of(connection) {
            lane.setup_failures = 0;
        }
    }

    /// The connection carries requests: the backoff starts again from its beginning. A mere TCP
    /// connection must not reset it, or a peer that accepts and hangs up would be hammered.
    pub(crate) fn ready(&mut self, connection: ConnectionId) {
        if let Some(lane) = self.lane_of(connection) {
            lane.losses = 0;
            lane.silent_since = None;
        }
    }

    /// Takes the connection out; its lane backs off.
    pub(crate) fn remove(
        &mut self,
        now: Instant,
        id: ConnectionId,
        jitter: &mut Stream,
    ) -> Option<Connection> {
        let connection = self.connections.remove(&id)?;
        let reconnect = self.reconnect;
        if let Some(lane) = self.lanes.get_mut(&connection.node) {
            lane.connection = None;
            lane.not_before = now + reconnect.delay(lane.losses, jitter);
            lane.losses = lane.losses.saturating_add(1);
            if matches!(connection.phase, Phase::Connecting) {
                lane.setup_failures = lane.setup_failures.saturating_add(1);
            }
        }
        Some(connection)
    }

    /// Where to ask what any broker can answer: the idlest connection, else the node that was
    /// left alone longest. Brokers that metadata named go before the bootstrap addresses.
    pub(crate) fn least_loaded(&self, now: Instant) -> Option<LeastLoaded> {
        let idlest = self
            .connections
            .iter()
            .filter(|(_, c)| c.can_send(now, self.max_in_flight))
            .min_by_key(|(_, c)| c.in_flight.len());
        if let Some((&id, _)) = idlest {
            return Some(LeastLoaded::Connected(id));
        }
        if !self.connections.is_empty() {
            return Some(LeastLoaded::Pending);
        }
        let oldest_first =
            |(node, lane): &(&NodeId, &Lane)| (node.broker().is_none(), lane.last_attempt, **node);
        let connectable = self
            .lanes
            .iter()
            .filter(|(_, lane)| lane.is_named && lane.not_before <= now)
            .min_by_key(oldest_first);
        if let Some((&node, _)) = connectable {
            return Some(LeastLoaded::Connect(node));
        }
        self.lanes
            .values()
            .filter(|lane| lane.is_named)
            .map(|lane| lane.not_before)
            .min()
            .map(LeastLoaded::NotBefore)
    }

    pub(crate) fn lane_of(&mut self, connection: ConnectionId) -> Option<&mut Lane> {
        let node = self.connections.get(&connection)?.node;
        self.lanes.get_mut(&node)
    }

    pub(crate) const fn max_in_flight(&self) -> usize {
        self.max_in_flight
    }
}

/// The largest answer that is read. Java has no bound; answers to a producer are small.
pub(crate) const MAX_FRAME: usize = 100 * 1024 * 1024;

//! Which connection to open and when: brokers, their lanes, their reconnect backoff.
//!
//! ```text
//! broker ──> lanes ──> connection
//! lane:  Down ──connect, not before the broker's backoff is over──> Up ──lost──> Down (KIP-580)
//! ```
//!
//! A broker has `connections.per.broker` lanes: a partition stays on its lane, so order and
//! idempotence hold.
//!
//! **Invariants.** At most one connection per lane. Ids of connections are never reused.

mod check;
mod lane;
#[cfg(test)]
mod table;

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use crate::accumulator::PartitionKey;
use crate::config::{Config, MetadataRecovery};
use crate::connection::{Connection, Limits, Phase};
use crate::error::DisconnectReason;
use crate::retry::Backoff;
use crate::seed::Stream;
use crate::time::TICK;
use crate::{ConnectionId, Instant};

pub(crate) use check::{Expected, INTRODUCED};
pub(crate) use lane::{Lane, Place, Standing};

use check::ClusterCheck;

/// A broker's id, or a negative number for an address of `bootstrap.servers`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

/// One of a broker's lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LaneId {
    pub(crate) node: NodeId,
    pub(crate) index: u32,
}

/// How a connection was lost.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Loss {
    pub(crate) at: Instant,
    pub(crate) reason: DisconnectReason,
}

/// A broker, or an address of `bootstrap.servers`.
#[derive(Debug, Hash)]
pub(crate) struct Broker {
    pub(crate) host: Arc<str>,
    pub(crate) port: u16,
    pub(crate) lanes: Vec<Lane>,
    /// The end of the reconnect backoff.
    pub(crate) not_before: Instant,
    /// Whether the newest metadata names it; a broker is never dropped, for partitions may stand
    /// in its lanes.
    is_named: bool,
    last_attempt: Option<Instant>,
    /// Attempts so far: the driver takes address number `attempts` modulo their count.
    attempts: u32,
    /// How the last connection was lost, or why it was never made.
    pub(crate) last_loss: Option<Loss>,
    /// Losses since a lane last carried requests.
    losses: u32,
    /// Attempts since the last one that got through to the peer.
    setup_failures: u32,
}

impl Broker {
    fn new(host: Arc<str>, port: u16, lanes: u32) -> Self {
        Self {
            host,
            port,
            lanes: (0..lanes).map(|_| Lane::default()).collect(),
            not_before: Instant::ORIGIN,
            is_named: true,
            last_attempt: None,
            attempts: 0,
            last_loss: None,
            losses: 0,
            setup_failures: 0,
        }
    }

    /// Whether the newest metadata names it.
    pub(crate) const fn is_named(&self) -> bool {
        self.is_named
    }

    /// Whether there is no connection to it, not even one that is being made.
    fn is_absent(&self) -> bool {
        self.lanes.iter().all(|lane| lane.connection.is_none())
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
}

/// Where a request may go that any broker can answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LeastLoaded {
    /// Over this connection, now.
    Connected(ConnectionId),
    /// A connection is being made, or all are busy: wait.
    Pending,
    /// Over this lane, which must be connected first.
    Connect(LaneId),
    /// Nobody before this instant: all are backing off.
    NotBefore(Instant),
}

/// All brokers that are known, and the connections to them.
#[derive(Debug, Hash)]
pub(crate) struct Brokers {
    all: BTreeMap<NodeId, Broker>,
    pub(crate) connections: BTreeMap<ConnectionId, Connection>,
    /// How many lanes each has.
    lanes: u32,
    /// Whom brokers are introduced to, or not.
    check: ClusterCheck,
    /// Whether the bootstrap addresses are asked no more once brokers are known
    /// (`metadata.recovery.strategy=none`).
    keeps_to_learned: bool,
    next_connection: u64,
    reconnect: Backoff,
    setup: Backoff,
    limits: Limits,
}

impl Brokers {
    pub(crate) fn new(config: &Config) -> Self {
        let lanes = config.connections_per_broker;
        let all = config
            .bootstrap_servers
            .iter()
            .enumerate()
            .map(|(index, (host, port))| {
                let broker = Broker::new(Arc::clone(host), *port, lanes);
                (NodeId::bootstrap(index), broker)
            })
            .collect();
        Self {
            all,
            lanes,
            check: ClusterCheck::new(config),
            keeps_to_learned: config.metadata_recovery == MetadataRecovery::None,
            connections: BTreeMap::new(),
            next_connection: 0,
            reconnect: Backoff::new(
                config.reconnect_backoff.max(RECONNECT_FLOOR),
                config.reconnect_backoff_max.max(RECONNECT_FLOOR),
            ),
            setup: Backoff::new(config.setup_timeout, config.setup_timeout_max),
            limits: Limits {
                idle: config.connections_max_idle,
                patience: config.reconnect_backoff_max.max(PATIENCE_FLOOR),
                // A broker answers REQUEST_TIMED_OUT when that time is over: who hangs up at
                // the same moment loses the connection for it (D23).
                request: config.request_timeout + config.request_timeout_grace,
                in_flight: config.max_in_flight,
            },
        }
    }

    /// Takes over the brokers that metadata names. Gives the connections to be ended, whose
    /// addresses hold no more.
    pub(crate) fn learn(&mut self, brokers: &[(NodeId, Arc<str>, u16)]) -> Vec<ConnectionId> {
        let mut misled = Vec::new();
        for broker in &mut self.all {
            broker.1.is_named = broker.0.broker().is_none();
        }
        for (node, host, port) in brokers {
            misled.extend(self.meet(*node, host, *port));
        }
        misled
    }

    /// Takes over the address of a broker that was named. Gives the connections to the address that
    /// it had on which nothing is in flight. The others end once nothing is, or break: brokers may
    /// disagree on the address for a while, and each change of mind would put batches in doubt.
    pub(crate) fn meet(&mut self, node: NodeId, host: &Arc<str>, port: u16) -> Vec<ConnectionId> {
        let lanes = self.lanes;
        let broker = self
            .all
            .entry(node)
            .or_insert_with(|| Broker::new(Arc::clone(host), port, lanes));
        broker.is_named = true;
        if broker.host == *host && broker.port == port {
            return Vec::new();
        }
        broker.host = Arc::clone(host);
        broker.port = port;
        broker.attempts = 0;
        let own = broker.lanes.iter().filter_map(|lane| lane.connection);
        let connections = &mut self.connections;
        own.filter(|id| connections.get_mut(id).is_some_and(Connection::leave))
            .collect()
    }

    /// Whether metadata name brokers.
    pub(crate) fn has_learned(&self) -> bool {
        self.learned().any(|broker| broker.is_named)
    }

    /// Nobody names the brokers that were learned any more. Gives whether there were any.
    pub(crate) fn forget_learned(&mut self) -> bool {
        let had = self.has_learned();
        for (node, broker) in &mut self.all {
            broker.is_named = node.broker().is_none();
        }
        had
    }

    fn learned(&self) -> impl Iterator<Item = &Broker> {
        self.all.range(NodeId(0)..).map(|(_, broker)| broker)
    }

    /// Begins a connection, if the broker's backoff is over and the lane has none.
    pub(crate) fn open(
        &mut self,
        now: Instant,
        id: LaneId,
        jitter: &mut Stream,
    ) -> Option<Opening> {
        let broker = self.all.get_mut(&id.node)?;
        let address = broker.address();
        let lane = broker.lanes.get_mut(id.index as usize)?;
        if lane.connection.is_some() || now < broker.not_before {
            return None;
        }
        let connection = ConnectionId(self.next_connection);
        self.next_connection += 1;
        let attempt = broker.attempts;
        lane.connection = Some(connection);
        broker.last_attempt = Some(now);
        broker.attempts = broker.attempts.wrapping_add(1);
        // Expired means more than the limit, so the deadline is one tick behind it.
        let setup_deadline = now + self.setup.delay(broker.setup_failures, jitter) + TICK;
        let made = Connection::new(now, id, address, self.limits, setup_deadline);
        self.connections.insert(connection, made);
        Some(Opening {
            connection,
            host: Arc::clone(&broker.host),
            port: broker.port,
            attempt,
        })
    }

    /// The peer took the connection. Gives whether that is news.
    pub(crate) fn connected(&mut self, now: Instant, id: ConnectionId) -> bool {
        let Some(connection) = self.connections.get_mut(&id) else {
            return false;
        };
        let node = connection.lane.node;
        let version = match self.check.expected(node) {
            Some(_) => INTRODUCED,
            None => INTRODUCED - 1,
        };
        let is_news = connection.connected(now, version);
        if let Some(broker) = self.all.get_mut(&node).filter(|_| is_news) {
            broker.setup_failures = 0;
        }
        is_news
    }

    /// Who a broker of this cluster is asked to be, if it will check that.
    pub(crate) fn expected(&self, node: NodeId) -> Option<Expected> {
        self.check.expected(node)
    }

    /// An answer of metadata tells which cluster this is.
    pub(crate) fn learn_cluster(&mut self, id: Option<&str>) {
        self.check.learn(id);
    }

    /// The connection carries requests: the backoff starts again from its beginning. A mere TCP
    /// connection must not reset it, or a peer that accepts and hangs up would be hammered.
    pub(crate) fn ready(&mut self, connection: ConnectionId) {
        let phase = self.connections.get(&connection).map(Connection::phase);
        if let Some(Phase::Ready(versions)) = phase {
            self.check.hear(versions.api_versions);
        }
        if let Some(broker) = self.broker_of(connection) {
            broker.losses = 0;
        }
    }

    /// A connection was lost, or never made: for those who ask why.
    pub(crate) fn lose(&mut self, now: Instant, node: NodeId, reason: &DisconnectReason) {
        if let Some(broker) = self.all.get_mut(&node) {
            broker.last_loss = Some(Loss {
                at: now,
                reason: reason.clone(),
            });
        }
    }

    fn broker_of(&mut self, connection: ConnectionId) -> Option<&mut Broker> {
        let node = self.connections.get(&connection)?.lane.node;
        self.all.get_mut(&node)
    }

    /// Takes the connection out; its broker backs off.
    pub(crate) fn remove(
        &mut self,
        now: Instant,
        id: ConnectionId,
        jitter: &mut Stream,
    ) -> Option<Connection> {
        let connection = self.connections.remove(&id)?;
        let reconnect = self.reconnect;
        if let Some(broker) = self.all.get_mut(&connection.lane.node) {
            if let Some(lane) = broker.lanes.get_mut(connection.lane.index as usize) {
                lane.connection = None;
            }
            broker.not_before = now + reconnect.delay(broker.losses, jitter);
            broker.losses = broker.losses.saturating_add(1);
            if connection.is_connecting() {
                broker.setup_failures = broker.setup_failures.saturating_add(1);
            }
        }
        Some(connection)
    }

    /// The lane of a partition that this broker leads. It never changes: answers of two
    /// connections would interleave.
    pub(crate) const fn lane_for(&self, node: NodeId, key: PartitionKey) -> LaneId {
        LaneId {
            node,
            index: key.0 % self.lanes,
        }
    }

    /// Moves a partition from the place it has to another one, if it is another one.
    pub(crate) fn place(
        &mut self,
        key: PartitionKey,
        from: Place,
        to: Option<(LaneId, Standing)>,
    ) -> Place {
        let stays = match (from, to) {
            (Place::Lingering(at), Some((lane, Standing::Lingering)))
            | (Place::Ready(at, _), Some((lane, Standing::Ready))) => at == lane,
            (Place::Nowhere, None) => true,
            _ => false,
        };
        if stays {
            return from;
        }
        if let Place::Lingering(id) | Place::Ready(id, _) = from {
            if let Some(lane) = self.lane_mut(id) {
                lane.leave(key, from);
            }
        }
        to.and_then(|(id, standing)| Some(self.lane_mut(id)?.enter(id, key, standing)))
            .unwrap_or(Place::Nowhere)
    }

    /// All brokers, and the addresses of `bootstrap.servers`.
    pub(crate) const fn all(&self) -> &BTreeMap<NodeId, Broker> {
        &self.all
    }

    pub(crate) fn lane(&self, id: LaneId) -> Option<&Lane> {
        self.all.get(&id.node)?.lanes.get(id.index as usize)
    }

    pub(crate) fn lane_mut(&mut self, id: LaneId) -> Option<&mut Lane> {
        self.all.get_mut(&id.node)?.lanes.get_mut(id.index as usize)
    }

    /// The lanes of a broker.
    pub(crate) fn lanes_of(&self, node: NodeId) -> impl Iterator<Item = LaneId> + use<> {
        (0..self.lanes).map(move |index| LaneId { node, index })
    }

    /// Whether partitions may send to a broker, or requests to it are not answered.
    pub(crate) fn is_waited_for(&self, node: NodeId) -> bool {
        let lanes = self.all.get(&node).map(|broker| broker.lanes.as_slice());
        lanes.unwrap_or_default().iter().any(|lane| {
            let connection = lane.connection.and_then(|id| self.connections.get(&id));
            0 < lane.ready() || connection.is_some_and(|c| !c.in_flight.is_empty())
        })
    }

    /// The partitions whose open batch lingers.
    pub(crate) fn lingering(&self) -> impl Iterator<Item = PartitionKey> {
        self.all
            .values()
            .flat_map(|broker| broker.lanes.iter().flat_map(Lane::lingering))
    }

    /// Where to ask what any broker can answer: the idlest connection, else one that is being
    /// made, else the node that was left alone longest. Brokers that metadata named go before the
    /// bootstrap addresses, which are another way to them and are not tried beside them.
    ///
    /// A connection that takes long to be made is not waited for: a peer that drops what it is
    /// sent would hold up the answers of all the others for the whole setup timeout.
    pub(crate) fn least_loaded(&self, now: Instant) -> Option<LeastLoaded> {
        let idlest = self
            .connections
            .iter()
            .filter(|(_, c)| c.can_send(now))
            .min_by_key(|(_, c)| c.in_flight.len());
        if let Some((&id, _)) = idlest {
            return Some(LeastLoaded::Connected(id));
        }
        if self.connections.values().any(|c| c.is_promising(now)) {
            return Some(LeastLoaded::Pending);
        }
        // Those that are connected to are full or throttled: that may last.
        let is_any_busy = self.connections.values().any(Connection::is_ready);
        let spares_bootstrap = is_any_busy || (self.keeps_to_learned && self.has_learned());
        let absent = || {
            self.all.iter().filter(move |(node, broker)| {
                let is_spared = spares_bootstrap && node.broker().is_none();
                broker.is_named && broker.is_absent() && !is_spared
            })
        };
        let oldest_first = |(node, broker): &(&NodeId, &Broker)| {
            (node.broker().is_none(), broker.last_attempt, **node)
        };
        let connectable = absent().filter(|(_, broker)| broker.not_before <= now);
        if let Some((&node, _)) = connectable.min_by_key(oldest_first) {
            return Some(LeastLoaded::Connect(LaneId { node, index: 0 }));
        }
        let soonest = absent().map(|(_, broker)| broker.not_before).min();
        let busy = (!self.connections.is_empty()).then_some(LeastLoaded::Pending);
        soonest.map(LeastLoaded::NotBefore).or(busy)
    }

    pub(crate) const fn max_in_flight(&self) -> usize {
        self.limits.in_flight
    }
}

/// A broker that refuses at once must not keep a core busy, whatever the configuration says.
const RECONNECT_FLOOR: Duration = Duration::from_millis(1);

/// A connect across an ocean takes a quarter of a second, and is not late for that: short backoffs
/// say how soon to try again, and nothing of how long a try may take.
const PATIENCE_FLOOR: Duration = Duration::from_secs(1);

/// The largest answer that is read. Java has no bound; answers to a producer are small.
pub(crate) const MAX_FRAME: usize = 100 * 1024 * 1024;

//! The cluster on loopback TCP, with plain threads: for demos, other clients and users' tests.
//!
//! ```text
//! listener thread per broker ──accept──> connection thread: read ─ parse ─ [lock] answer ─ write
//!                                                                            │
//!                                   Condvar: something was appended <────────┘
//! ```
//!
//! **Invariants.**
//! - One lock holds the cluster; parsing, checksums and decompression run outside it.
//! - A connection is served strictly in order, one request at a time (K4).
//! - Every wait ends when its broker stops.

mod connection;
mod listener;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use self::listener::Listener;
use crate::cluster::{AutoCreate, BrokerId, Cluster, PartitionCount, StoredRecord, legal_topic};

/// What is served.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerConfig {
    /// How many brokers there are; their ids are 0, 1, 2, ...
    pub brokers: u32,
    /// The port of the first broker, the others take the next ones; 0 takes any that are free.
    pub port: u16,
    /// Topics that exist from the start, with their numbers of partitions.
    pub topics: Vec<(String, u32)>,
    /// How many partitions a topic gets that is asked for and missing; `None` leaves it unknown.
    pub auto_create_partitions: Option<u32>,
    /// How much the logs hold in all; the oldest batches of the largest log go first.
    pub retention_bytes: usize,
    /// What the ids of topics follow from.
    pub seed: u64,
}

/// A cluster that serves on loopback until it is dropped.
///
/// ```
/// use kafka_producer_sim::serve::{Server, ServerConfig};
///
/// # fn main() -> std::io::Result<()> {
/// let mut config = ServerConfig::default();
/// config.topics = vec![("orders".into(), 6)];
/// let server = Server::start(config)?;
/// println!("bootstrap.servers={}", server.bootstrap());
/// assert!(server.records("orders", 0).is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    addresses: BTreeMap<BrokerId, SocketAddr>,
    listeners: Mutex<BTreeMap<BrokerId, Listener>>,
}

/// What the threads share.
#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// The cluster has changed, or a broker has.
    changed: Condvar,
    clock: Clock,
}

#[derive(Debug)]
struct State {
    cluster: Cluster,
    hosts: BTreeMap<BrokerId, Host>,
    next_connection: u64,
}

/// One broker's process.
#[derive(Debug, Default)]
struct Host {
    /// How often it was stopped: threads of an earlier life must end.
    life: u64,
    presence: Presence,
    connections: BTreeMap<u64, TcpStream>,
}

/// Whether a broker does anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Presence {
    /// It accepts connections and requests, and does not look at them.
    Paused,
    #[default]
    Serving,
    Stopped,
}

/// The real clocks, read once and then as elapsed time, so that the wall clock never jumps.
#[derive(Clone, Copy, Debug)]
struct Clock {
    started: Instant,
    wall_at_start: i64,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            brokers: 1,
            port: 0,
            topics: Vec::new(),
            auto_create_partitions: Some(1),
            retention_bytes: 512 * 1024 * 1024,
            seed: 0,
        }
    }
}

impl Clock {
    #[expect(
        clippy::disallowed_methods,
        reason = "here the cluster meets the real world"
    )]
    fn start() -> Self {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let wall = since_epoch.unwrap_or_default().as_millis();
        Self {
            started: Instant::now(),
            wall_at_start: i64::try_from(wall).unwrap_or(i64::MAX),
        }
    }

    /// The wall clock in milliseconds.
    fn now(self) -> i64 {
        let elapsed = i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.wall_at_start.saturating_add(elapsed)
    }
}

impl Server {
    /// Starts the brokers; when this returns they accept connections.
    ///
    /// # Errors
    /// There is no broker; a topic has no partition, a name that Kafka does not take, or one that
    /// came before; a port is taken, or the system refuses a thread.
    pub fn start(config: ServerConfig) -> io::Result<Self> {
        check(&config).map_err(|what| io::Error::new(io::ErrorKind::InvalidInput, what))?;
        let mut cluster = Cluster::new(config.seed);
        let mut sockets = Vec::new();
        for (offset, id) in (0..config.brokers).zip(0..) {
            let socket = listener::bind(port_of(config.port, offset)?)?;
            let address = socket.local_addr()?;
            cluster.add_broker(id, &address.ip().to_string(), address.port());
            sockets.push((BrokerId(id), socket, address));
        }
        cluster.knobs.retention_bytes = config.retention_bytes;
        match config.auto_create_partitions {
            Some(partitions) => cluster.knobs.auto_create_partitions = partitions,
            None => cluster.knobs.auto_create = AutoCreate::Off,
        }
        for (name, partitions) in &config.topics {
            cluster.create_topic(name, *partitions);
        }

        let hosts = sockets
            .iter()
            .map(|(id, ..)| (*id, Host::default()))
            .collect();
        let state = Mutex::new(State {
            cluster,
            hosts,
            next_connection: 0,
        });
        let shared = Arc::new(Shared {
            state,
            changed: Condvar::new(),
            clock: Clock::start(),
        });
        let addresses = sockets
            .iter()
            .map(|(id, _, address)| (*id, *address))
            .collect();
        let listeners = Mutex::new(BTreeMap::new());
        // From here on, dropping the server stops what has started.
        let server = Self {
            shared,
            addresses,
            listeners,
        };
        for (id, socket, address) in sockets {
            server.listen(id, socket, address)?;
        }
        Ok(server)
    }

    /// The brokers' addresses for `bootstrap.servers`.
    pub fn bootstrap(&self) -> String {
        let addresses: Vec<String> = self.addresses.values().map(ToString::to_string).collect();
        addresses.join(",")
    }

    /// The address of one broker.
    pub fn address(&self, broker: impl Into<BrokerId>) -> Option<SocketAddr> {
        self.addresses.get(&broker.into()).copied()
    }

    /// Looks at the cluster or changes it, between two requests.
    pub fn with_cluster<T>(&self, act: impl FnOnce(&mut Cluster) -> T) -> T {
        let mut state = self.shared.lock();
        state.cluster.advance(self.shared.clock.now());
        let result = act(&mut state.cluster);
        drop(state);
        self.shared.changed.notify_all();
        result
    }

    /// Waits until something holds for the cluster; whether it came to that within `limit`.
    pub fn wait_until(&self, limit: Duration, holds: impl Fn(&Cluster) -> bool) -> bool {
        let state = self.shared.lock();
        let waited = self
            .shared
            .changed
            .wait_timeout_while(state, limit, |state| !holds(&state.cluster));
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        holds(&state.cluster)
    }

    /// The records that a partition holds; none if it is not there, or not yet.
    pub fn records(&self, topic: &str, partition: u32) -> Vec<StoredRecord> {
        self.shared.lock().cluster.records(topic, partition)
    }

    /// The offset of the next record of a partition.
    pub fn end_offset(&self, topic: &str, partition: u32) -> Option<i64> {
        self.shared.lock().cluster.end_offset(topic, partition)
    }

    /// How much each partition of a topic holds.
    pub fn counts(&self, topic: &str) -> Vec<PartitionCount> {
        self.shared.lock().cluster.counts(topic)
    }

    /// Cuts every connection of all brokers.
    pub fn cut_connections(&self) {
        for host in self.shared.lock().hosts.values_mut() {
            host.cut();
        }
    }

    /// Lets a broker accept everything and do nothing, as a stopped process does (SIGSTOP).
    ///
    /// # Panics
    /// There is no such broker.
    #[track_caller]
    pub fn pause_broker(&self, broker: impl Into<BrokerId>) {
        let broker = broker.into();
        self.check_broker(broker);
        self.shared.set_presence(broker, Presence::Paused);
    }

    /// Lets it go on with what has come meanwhile.
    ///
    /// # Panics
    /// There is no such broker.
    #[track_caller]
    pub fn resume_broker(&self, broker: impl Into<BrokerId>) {
        let broker = broker.into();
        self.check_broker(broker);
        self.shared.set_presence(broker, Presence::Serving);
    }

    /// Stops a broker as SIGKILL does: its connections are cut, new ones refused, and what it led
    /// moves to other brokers.
    ///
    /// # Panics
    /// There is no such broker.
    #[track_caller]
    pub fn stop_broker(&self, broker: impl Into<BrokerId>) {
        let broker = broker.into();
        self.check_broker(broker);
        let listener = self.lock_listeners().remove(&broker);
        let mut state = self.shared.lock();
        state.cluster.advance(self.shared.clock.now());
        state.cluster.stop_broker(broker);
        state.stop(broker);
        drop(state);
        self.shared.changed.notify_all();
        if let Some(listener) = listener {
            listener.join();
        }
    }

    /// Starts it again at the same address.
    ///
    /// # Errors
    /// There is no such broker, the port was taken meanwhile, or the system refuses a thread.
    pub fn start_broker(&self, broker: impl Into<BrokerId>) -> io::Result<()> {
        let broker = broker.into();
        let Some(address) = self.address(broker) else {
            let message = self.no_broker(broker);
            return Err(io::Error::new(io::ErrorKind::NotFound, message));
        };
        if self.lock_listeners().contains_key(&broker) {
            return Ok(());
        }
        let socket = listener::bind(address.port())?;
        let mut state = self.shared.lock();
        state.cluster.advance(self.shared.clock.now());
        state.cluster.start_broker(broker);
        if let Some(host) = state.hosts.get_mut(&broker) {
            host.presence = Presence::Serving;
        }
        drop(state);
        self.listen(broker, socket, address)
    }

    /// Stops all brokers; dropping the server does the same.
    pub fn shutdown(self) {
        drop(self);
    }

    /// A test that names a broker which is not there would test fair weather in place of a fault.
    #[expect(clippy::panic, reason = "a test that names what is not there is wrong")]
    #[track_caller]
    fn check_broker(&self, broker: BrokerId) {
        if !self.addresses.contains_key(&broker) {
            panic!("{}", self.no_broker(broker));
        }
    }

    fn no_broker(&self, broker: BrokerId) -> String {
        let brokers = self.addresses.len();
        format!("expected a broker below {brokers}, came {broker}")
    }

    fn listen(
        &self,
        broker: BrokerId,
        socket: std::net::TcpListener,
        address: SocketAddr,
    ) -> io::Result<()> {
        let listener = Listener::spawn(&self.shared, broker, socket, address)?;
        self.lock_listeners().insert(broker, listener);
        Ok(())
    }

    fn lock_listeners(&self) -> MutexGuard<'_, BTreeMap<BrokerId, Listener>> {
        self.listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let brokers: Vec<BrokerId> = self.addresses.keys().copied().collect();
        for broker in brokers {
            let listener = self.lock_listeners().remove(&broker);
            self.shared.lock().stop(broker);
            self.shared.changed.notify_all();
            if let Some(listener) = listener {
                listener.join();
            }
        }
    }
}

impl Shared {
    /// A panic in a test's closure must not hide the server from the rest of the test.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, limit: Duration) -> MutexGuard<'a, State> {
        let waited = self.changed.wait_timeout(state, limit);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn set_presence(&self, broker: BrokerId, presence: Presence) {
        let mut state = self.lock();
        match state.hosts.get_mut(&broker) {
            Some(host) if host.presence != Presence::Stopped => host.presence = presence,
            _ => {}
        }
        drop(state);
        self.changed.notify_all();
    }
}

impl State {
    fn stop(&mut self, broker: BrokerId) {
        if let Some(host) = self.hosts.get_mut(&broker) {
            host.life += 1;
            host.presence = Presence::Stopped;
            host.cut();
        }
    }

    /// What a broker does, if it still lives the life that the caller knows.
    fn presence(&self, broker: BrokerId, life: u64) -> Presence {
        match self.hosts.get(&broker) {
            Some(host) if host.life == life => host.presence,
            _ => Presence::Stopped,
        }
    }
}

impl Host {
    fn cut(&mut self) {
        for connection in std::mem::take(&mut self.connections).into_values() {
            // It may be gone already, which is what is wanted.
            let _ = connection.shutdown(std::net::Shutdown::Both);
        }
    }
}

/// What the ports do not tell.
fn check(config: &ServerConfig) -> Result<(), String> {
    if config.brokers == 0 {
        return Err("expected at least 1 broker, came 0".into());
    }
    let mut names = BTreeSet::new();
    for (name, partitions) in &config.topics {
        legal_topic(name, *partitions)?;
        if !names.insert(name) {
            return Err(format!("topic {name} came twice: name each topic once"));
        }
    }
    Ok(())
}

fn port_of(first: u16, offset: u32) -> io::Result<u16> {
    if first == 0 {
        return Ok(0);
    }
    let port = u32::from(first)
        .checked_add(offset)
        .and_then(|port| u16::try_from(port).ok());
    port.ok_or_else(|| {
        let message = format!("expected ports up to 65535, came {first} + {offset}");
        io::Error::new(io::ErrorKind::InvalidInput, message)
    })
}

/// Where all brokers listen: a simulated cluster is nobody else's business.
const LOOPBACK: Ipv4Addr = Ipv4Addr::LOCALHOST;

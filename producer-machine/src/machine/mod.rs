//! The router: facts in, the children's small values matched, wishes out.
//!
//! Each child owns one job and changes only itself; nothing calls a sibling.
//! Here is the surface; the files beside this one route one road each:
//!
//! ```text
//! send ──> accumulator ──> schedule ──> transmit ──> (network) ──> receive ──> settle
//!                             ▲              timers                               │
//!                             └────────────────── again ──────────────────────────┘
//! ```

mod blame;
mod conclude;
mod connect;
mod digest;
mod explain;
mod held;
mod hint;
mod lifecycle;
mod metrics;
pub(crate) mod purge;
mod rebootstrap;
mod receive;
mod resolve;
mod schedule;
mod send;
mod sequence;
mod settle;
mod split;
mod steps;
mod timers;
mod transmit;
mod trouble;
mod wait;

use alloc::collections::{BTreeSet, VecDeque};
use alloc::sync::Arc;

use kafka_producer_proto::ErrorCode;

use crate::accumulator::{Accumulator, Hurry, Order, PartitionKey, Terms};
use crate::action::{Action, Compressed};
use crate::brokers::Brokers;
use crate::config::{Config, Guarantee};
use crate::digest::Digest;
use crate::drain::Spares;
use crate::error::{DisconnectReason, FatalError, SendError, Shortage};
use crate::event::{Event, Notice};
use crate::explain::{Explanation, Subject};
use crate::frame::Unsealed;
use crate::idempotence::{Sequence, Session};
use crate::metadata::Metadata;
use crate::metrics::Meter;
use crate::partitioner::Chooser;
use crate::retry::Backoff;
use crate::seed::Stream;
use crate::time::{Alarm, Deadlines};
use crate::waiters::Waiters;
use crate::{ConnectionId, FlushId, Instant, Receipt, Record, Seed, TopicHandle, WaiterId};

use resolve::Bootstrap;
use send::NO_TIMESTAMP;
use steps::Steps;
use timers::Timer;

/// How long the producer has to live.
#[derive(Clone, Debug, Hash)]
enum Life {
    /// Everything is resolved, nothing is left.
    Closed,
    /// Nothing more is taken; the rest goes out until this instant.
    Closing(Instant),
    /// It can do nothing more.
    Fatal(FatalError),
    /// Records are welcome.
    Open,
}

/// The producer's whole mind: a Kafka producer without sockets, clock, threads or entropy.
///
/// Commands and facts never block and never fail but for `send`; wishes are cheap when there is
/// nothing. Any call may come in any order at any time. A `now` earlier than the latest seen
/// counts as the latest seen. Nothing panics.
///
/// A driver does this, in any event loop:
///
/// ```text
/// loop {
///     hand in what happened            // send, handle_received, handle_timeout …
///     while let Some(event) = machine.poll_event()   { complete deliveries }
///     while let Some(action) = machine.poll_action() { connect, disconnect, compress, or
///         for Transmit: while machine.poll_transmit(now, id, &mut frame) { write frame.seal() } }
///     sleep until machine.poll_timeout(), which may be due already, or until something happens
/// }
/// ```
///
/// Three things are asked of it, or memory stays charged and what waits for it waits on: each
/// `Compress` job comes back through `handle_compressed`, also a failed one and one whose records
/// have ended; each `Connect` ends in one `handle_disconnected`, when no frame of it is read any
/// more; and a frame is cleared right after its last byte, before the next one is asked for.
#[derive(Debug)]
pub struct ProducerMachine {
    config: Config,
    order: Order,
    now: Instant,
    life: Life,
    accumulator: Accumulator,
    brokers: Brokers,
    chooser: Chooser,
    metadata: Metadata,
    session: Session,
    session_failures: u32,
    waiters: Waiters,
    /// Whether batches could linger when the last input was concluded: if not, none does.
    concluded: Hurry,
    /// Flushes that have not ended, with the serial that each waits for.
    flushes: VecDeque<(FlushId, u64)>,
    next_flush: u64,
    /// Partitions that wait for a producer id.
    without_identity: BTreeSet<PartitionKey>,
    timers: Deadlines<Timer>,
    /// Of the broker that the first in line for room waits for.
    silence: Alarm,
    /// Of those who were told of room and do not come.
    told: Alarm,
    /// When to look again at what any broker can answer; `None` while a fact will tell.
    control_at: Option<Instant>,
    /// Whether any address is known to ask.
    bootstrap: Bootstrap,
    /// When the known brokers are given up, while metadata are wanted and do not come.
    metadata_awaited_by: Alarm,
    /// The address and the reason of the last connection that was lost or never made.
    trouble: Option<Arc<str>>,
    meter: Meter,
    retry: Backoff,
    jitter: Stream,
    random: Stream,
    events: VecDeque<Event>,
    actions: VecDeque<Action>,
    steps: Steps,
    spares: Spares,
}

impl ProducerMachine {
    /// A producer that begins at `now`. It asks for its first connection at once.
    pub fn new(now: Instant, config: Config, seed: Seed) -> Self {
        let idempotent = config.guarantee == Guarantee::Idempotent;
        let order = match (idempotent, config.max_in_flight) {
            (true, limit) => Order::Idempotent {
                limit: limit.min(5) as u32,
            },
            (false, 1) => Order::Muted,
            (false, _) => Order::None,
        };
        let (at, replaces) = (now, None);
        let wanted = Session::Wanted { at, replaces };
        let mut machine = Self {
            order,
            now,
            life: Life::Open,
            accumulator: Accumulator::new(&config),
            brokers: Brokers::new(&config),
            chooser: Chooser::new(&config),
            metadata: Metadata::new(now, &config),
            session: if idempotent { wanted } else { Session::Off },
            session_failures: 0,
            waiters: Waiters::default(),
            concluded: Hurry::Relaxed,
            flushes: VecDeque::new(),
            next_flush: 0,
            without_identity: BTreeSet::new(),
            timers: Deadlines::new(),
            silence: Alarm::default(),
            told: Alarm::default(),
            control_at: None,
            bootstrap: Bootstrap::Found,
            metadata_awaited_by: Alarm::default(),
            trouble: None,
            meter: Meter::new(now),
            retry: Backoff::new(config.retry_backoff, config.retry_backoff_max),
            jitter: seed.stream(1),
            random: seed.stream(2),
            events: VecDeque::new(),
            actions: VecDeque::new(),
            steps: Steps::default(),
            spares: Spares::default(),
            config,
        };
        machine.seek_bootstrap(now);
        machine.service_control(now);
        machine
    }

    /// A handle for a topic; also asks for its metadata.
    pub fn topic(&mut self, now: Instant, name: &str) -> TopicHandle {
        let now = self.tick(now);
        let topic = self.metadata.handle(now, name);
        if self.partitions(topic).is_none() && self.is_open() {
            self.metadata.want(now, topic);
            self.service_control(now);
        }
        topic
    }

    /// Takes a record, or says why not; copies it once.
    ///
    /// # Errors
    /// See [`SendError`]. After `Full` nothing was taken: wait with [`Self::wait_for_space`].
    #[inline]
    pub fn send(&mut self, now: Instant, record: &Record<'_>) -> Result<Receipt, SendError> {
        self.send_stamped(now, record.timestamp.unwrap_or(NO_TIMESTAMP), record)
    }

    /// As `send`, with the room that `Event::SpaceReady` granted to `waiter`.
    ///
    /// May answer `Full` again: the waiter then keeps its place at the front, and another
    /// `SpaceReady` or `WaitExpired` follows. What is left of the room stays reserved until
    /// [`Self::cancel_wait`], which ends every wait.
    ///
    /// # Errors
    /// See [`SendError`].
    pub fn send_reserved(
        &mut self,
        now: Instant,
        waiter: WaiterId,
        record: &Record<'_>,
    ) -> Result<Receipt, SendError> {
        self.send_reserved_stamped(
            now,
            waiter,
            record.timestamp.unwrap_or(NO_TIMESTAMP),
            record,
        )
    }

    /// Waits for room, first come first served: ends in `SpaceReady` or `WaitExpired`.
    pub fn wait_for_space(
        &mut self,
        now: Instant,
        shortage: Shortage,
        deadline: Instant,
    ) -> WaiterId {
        self.add_space_waiter(now, shortage, deadline)
    }

    /// Waits until a topic is known or refused: ends in `MetadataReady` or `WaitExpired`.
    pub fn wait_for_metadata(
        &mut self,
        now: Instant,
        topic: TopicHandle,
        deadline: Instant,
    ) -> WaiterId {
        self.add_topic_waiter(now, topic, deadline)
    }

    /// Ends a wait, whatever came of it; what was reserved goes to the next in line.
    pub fn cancel_wait(&mut self, now: Instant, waiter: WaiterId) {
        self.end_wait(now, waiter);
    }

    /// Everything accepted so far goes out without lingering; ends in `Event::Flushed`.
    pub fn flush(&mut self, now: Instant) -> FlushId {
        self.begin_flush(now)
    }

    /// Takes nothing more, delivers what it can until `deadline`, then fails the rest.
    /// A later call can only bring the deadline forward. Ends in `Event::Closed`.
    pub fn close(&mut self, now: Instant, deadline: Instant) {
        self.begin_close(now, deadline);
    }

    /// The connection stands.
    pub fn handle_connected(&mut self, now: Instant, connection: ConnectionId) {
        let now = self.tick(now);
        self.on_connected(now, connection);
        self.conclude(now);
    }

    /// Bytes came. Any chunking gives the same.
    pub fn handle_received(&mut self, now: Instant, connection: ConnectionId, bytes: &[u8]) {
        let now = self.tick(now);
        self.on_received(now, connection, bytes);
        self.conclude(now);
    }

    /// The connection has ended, or could not be made, and no frame of it is read any more: what
    /// `poll_transmit` filled was written, cleared or dropped.
    pub fn handle_disconnected(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        reason: DisconnectReason,
    ) {
        let now = self.tick(now);
        self.accumulator.take_frame(connection);
        self.on_lost(now, connection, reason);
        self.conclude(now);
    }

    /// A compression job is done; also when its records have ended meanwhile.
    pub fn handle_compressed(&mut self, now: Instant, compressed: Compressed) {
        let now = self.tick(now);
        self.on_compressed(now, compressed);
        self.conclude(now);
    }

    /// Time has passed. May be called at any time; must be when `poll_timeout` is due.
    ///
    /// Each call does bounded work and gets on: `poll_timeout` may still be due afterwards, and is
    /// due no more after some calls at the same instant.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.tick(now);
        self.on_timeout(now);
        self.conclude(now);
    }

    /// The next thing that the world is to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Fills `frame` with one whole request for this connection; `false` if there is none now.
    ///
    /// Asking for the next frame says that the last one was written. After `false`, an
    /// `Action::Transmit` announces the next.
    pub fn poll_transmit(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        frame: &mut Unsealed,
    ) -> bool {
        let now = self.tick(now);
        let filled = self.fill(now, connection, frame);
        self.conclude(now);
        filled
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When `handle_timeout` must be called next.
    #[inline]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let control = match self.life {
            Life::Closed | Life::Fatal(_) => None,
            Life::Closing(_) | Life::Open => self.control_at,
        };
        let first = self.timers.first().min(control.unwrap_or(Instant::NEVER));
        (first != Instant::NEVER).then_some(first)
    }

    /// Whether there is an action or an event. Most appends produce neither.
    #[inline]
    pub fn has_output(&self) -> bool {
        !self.actions.is_empty() || !self.events.is_empty()
    }

    /// The settings.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// How many partitions the topic has, once that is known.
    pub fn partitions(&self, topic: TopicHandle) -> Option<u32> {
        let count = self.metadata.topic(topic)?.partitions.len() as u32;
        (0 < count).then_some(count)
    }

    /// The broker that leads a partition, if one does and it is known.
    pub fn leader(&self, topic: TopicHandle, partition: u32) -> Option<i32> {
        let topic = self.metadata.topic(topic)?;
        let view = topic.partitions.get(partition as usize)?;
        view.leader?.broker()
    }

    /// Why the cluster refuses the topic, if it does.
    pub fn topic_error(&self, topic: TopicHandle) -> Option<ErrorCode> {
        self.metadata.topic(topic)?.refusal
    }

    /// The handle of a topic that was named before; unlike [`Self::topic`] it asks for nothing.
    pub fn find_topic(&self, name: &str) -> Option<TopicHandle> {
        self.metadata.find(name)
    }

    /// The name behind a handle.
    pub fn topic_name(&self, topic: TopicHandle) -> Option<Arc<str>> {
        self.metadata
            .topic(topic)
            .map(|view| Arc::clone(&view.name))
    }

    /// How many requests on this connection are not answered yet; 0 for an unknown id.
    pub fn in_flight(&self, connection: ConnectionId) -> usize {
        self.brokers
            .connections
            .get(&connection)
            .map_or(0, |c| c.in_flight.len())
    }

    /// Bytes of `buffer.memory` in use: everything that this machine or whoever drives it may
    /// still hold, and zero once all is resolved and handed back.
    ///
    /// A batch counts until it is resolved. It counts longer while a compression job for it is
    /// out, until `handle_compressed`; and while its frame may still be read on a connection that
    /// the machine gave up, until `handle_disconnected`. A driver that drops a job, or keeps a
    /// disconnect to itself, has less to work with from then on. What an application keeps of
    /// records that failed is its own.
    pub const fn buffer_used(&self) -> usize {
        self.accumulator.budget.used()
    }

    /// What a partition, a broker, a topic or the producer waits for, since when, and what
    /// happens next; `Display` says it in sentences. For people: it costs nothing until it is
    /// called, and then as much as there is to look at.
    ///
    /// ```
    /// use kafka_producer_machine::explain::Subject;
    /// use kafka_producer_machine::{Config, Instant, ProducerMachine, Record, Seed};
    ///
    /// let config = Config::from_properties([("bootstrap.servers", "b0:9092")])?;
    /// let mut machine = ProducerMachine::new(Instant::ORIGIN, config, Seed::new(1));
    /// let orders = machine.topic(Instant::ORIGIN, "orders");
    /// let record = Record::to("orders").partition(3).value("one");
    /// machine.send(Instant::ORIGIN, &record)?;
    ///
    /// let later = Instant::from_millis(200);
    /// let explanation = machine.explain(later, Subject::Partition(orders, 3));
    /// assert_eq!(
    ///     explanation.to_string(),
    ///     "orders-3 waits for 200 ms: metadata does not name the topic; 1 record is held; \
    ///      metadata is asked for once a broker is connected. The oldest record has waited \
    ///      200 ms and fails in 59.8 s (max.block.ms)."
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn explain(&self, now: Instant, what: Subject) -> Explanation {
        self.explain_subject(now, what)
    }

    /// A fingerprint of the whole state: the same inputs give the same one after each call, and
    /// any difference that can matter shows. It reads everything, records included: for tests,
    /// and for comparing a run with its replay.
    ///
    /// ```
    /// use kafka_producer_machine::{Config, Instant, ProducerMachine, Seed};
    ///
    /// let machine = |seed| {
    ///     let config = Config::from_properties([("bootstrap.servers", "b0:9092")])?;
    ///     Ok(ProducerMachine::new(Instant::ORIGIN, config, Seed::new(seed)))
    /// };
    /// assert_eq!(machine(1)?.digest(), machine(1)?.digest());
    /// assert_ne!(machine(1)?.digest(), machine(2)?.digest());
    /// # Ok::<(), kafka_producer_machine::ConfigError>(())
    /// ```
    pub fn digest(&self) -> Digest {
        self.state_digest()
    }

    /// Turns of loops so far, counted where debug assertions are on: for tests.
    #[doc(hidden)]
    pub const fn steps(&self) -> u64 {
        self.steps.taken()
    }

    /// Where sequences begin, before any record is sent: for tests of the wrap at 2147483647,
    /// which no test could otherwise reach. A broker without state of a partition takes any first
    /// sequence.
    #[doc(hidden)]
    pub const fn begin_sequences_at(&mut self, first: i32) {
        self.accumulator.first_sequence = Sequence::new(first);
    }

    pub(super) fn notice(&mut self, notice: Notice) {
        self.events.push_back(Event::Notice(notice));
    }

    /// Time never runs backwards.
    #[inline]
    fn tick(&mut self, now: Instant) -> Instant {
        self.now = self.now.max(now);
        self.now
    }

    const fn is_open(&self) -> bool {
        matches!(self.life, Life::Open)
    }

    /// What decides who goes next, besides the partition itself.
    fn terms(&self) -> Terms {
        Terms {
            order: self.order,
            session: self.session,
            hurry: self.hurry(),
            flushed_to: self.flushes.back().map(|&(_, up_to)| up_to),
        }
    }
}

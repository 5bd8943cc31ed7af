//! The router: facts in, the children's small values matched, wishes out.

use alloc::sync::Arc;

use kafka_producer_proto::ErrorCode;

use crate::action::{Action, Compressed};
use crate::config::Config;
use crate::error::{DisconnectReason, SendError, Shortage};
use crate::event::Event;
use crate::frame::Unsealed;
use crate::{ConnectionId, FlushId, Instant, Receipt, Record, Seed, TopicHandle, WaiterId};

/// The producer's whole mind.
#[derive(Debug)]
pub struct ProducerMachine {
    config: Config,
}

#[allow(unused_variables, missing_docs, clippy::unused_self, reason = "the surface first")]
impl ProducerMachine {
    pub fn new(now: Instant, config: Config, seed: Seed) -> Self {
        Self { config }
    }

    // Commands.
    /// A handle for a topic; also asks for its metadata.
    pub fn topic(&mut self, now: Instant, name: &str) -> TopicHandle {
        TopicHandle(0)
    }
    /// Takes a record, or says why not. Copies it once.
    pub fn send(&mut self, now: Instant, record: &Record<'_>) -> Result<Receipt, SendError> {
        Err(SendError::Closed)
    }
    /// As `send`, with the room that was granted to `waiter` by `Event::SpaceReady`. May answer
    /// `Full` again: the waiter then keeps its place at the front and gets another `SpaceReady`.
    /// What is left of the room stays reserved until `cancel_wait`, which ends every wait.
    pub fn send_reserved(
        &mut self,
        now: Instant,
        waiter: WaiterId,
        record: &Record<'_>,
    ) -> Result<Receipt, SendError> {
        Err(SendError::Closed)
    }
    /// Waits for room: ends in `SpaceReady` or `WaitExpired`.
    pub fn wait_for_space(&mut self, now: Instant, shortage: Shortage, deadline: Instant) -> WaiterId {
        WaiterId(0)
    }
    /// Waits until a topic is known or refused: ends in `MetadataReady` or `WaitExpired`.
    pub fn wait_for_metadata(&mut self, now: Instant, topic: TopicHandle, deadline: Instant) -> WaiterId {
        WaiterId(0)
    }
    /// Ends a wait, whatever came of it; what it had reserved goes to the next one.
    pub fn cancel_wait(&mut self, now: Instant, waiter: WaiterId) {}
    /// Everything accepted so far goes out without lingering; ends in `Event::Flushed`.
    pub fn flush(&mut self, now: Instant) -> FlushId {
        FlushId(0)
    }
    /// Takes nothing more, delivers what it can until `deadline`, then fails the rest.
    /// A later call can only bring the deadline forward. Ends in `Event::Closed`.
    pub fn close(&mut self, now: Instant, deadline: Instant) {}

    // Facts.
    pub fn handle_connected(&mut self, now: Instant, connection: ConnectionId) {}
    pub fn handle_received(&mut self, now: Instant, connection: ConnectionId, bytes: &[u8]) {}
    pub fn handle_disconnected(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        reason: DisconnectReason,
    ) {
    }
    pub fn handle_compressed(&mut self, now: Instant, compressed: Compressed) {}
    pub fn handle_timeout(&mut self, now: Instant) {}

    // Wishes.
    pub fn poll_action(&mut self) -> Option<Action> {
        None
    }
    pub fn poll_transmit(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        frame: &mut Unsealed,
    ) -> bool {
        false
    }
    pub fn poll_event(&mut self) -> Option<Event> {
        None
    }
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }
    pub fn has_output(&self) -> bool {
        false
    }

    // Questions.
    pub fn config(&self) -> &Config {
        &self.config
    }
    /// How many partitions the topic has, once that is known.
    pub fn partitions(&self, topic: TopicHandle) -> Option<u32> {
        None
    }
    /// The broker that leads a partition, if it is known.
    pub fn leader(&self, topic: TopicHandle, partition: u32) -> Option<i32> {
        None
    }
    /// Why the cluster refuses the topic, if it does.
    pub fn topic_error(&self, topic: TopicHandle) -> Option<ErrorCode> {
        None
    }
    /// The name behind a handle.
    pub fn topic_name(&self, topic: TopicHandle) -> Option<Arc<str>> {
        None
    }
}

//! The road in: from bytes to the answers that those who asked get.

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use kafka_producer_proto::messages::produce::{PartitionAnswer, ProduceResponseView, TopicKey};
use kafka_producer_proto::messages::{
    ApiVersionsResponse, InitProducerIdResponse, MetadataResponse,
};
use kafka_producer_proto::{ApiKey, DecodeError, ErrorCode, Message, ResponseHeader, Uuid};

use super::ProducerMachine;
use super::blame::Blame;
use super::hint::Hint;
use crate::connection::{Negotiated, SentBatch, ThrottleRule, What};
use crate::error::DisconnectReason;
use crate::event::{Event, Notice};
use crate::idempotence::Identity;
use crate::metadata::Metadata;
use crate::{ConnectionId, Instant, TopicHandle};

/// What a broker says of one batch.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) code: ErrorCode,
    pub(super) base_offset: i64,
    pub(super) log_append_time: i64,
    pub(super) log_start_offset: i64,
    pub(super) message: Option<Arc<str>>,
    /// The records that the broker refuses the batch for.
    pub(super) blame: Blame,
    /// Who leads the partition, if this broker does not.
    pub(super) hint: Option<Hint>,
}

impl Answer {
    /// No word at all: the connection was lost, or the answer left the batch out.
    pub(super) fn none(code: ErrorCode) -> Self {
        Self {
            code,
            base_offset: -1,
            log_append_time: -1,
            log_start_offset: -1,
            message: None,
            blame: Blame::default(),
            hint: None,
        }
    }
}

impl ProducerMachine {
    pub(super) fn on_received(&mut self, now: Instant, id: ConnectionId, bytes: &[u8]) {
        let Some(connection) = self.brokers.connections.get_mut(&id) else {
            return;
        };
        self.meter.on_bytes(connection.lane.node, bytes.len());
        let mut reader = connection.take_reader();
        let mut rest = bytes;
        loop {
            let problem = match reader.next_frame(&mut rest) {
                Ok(Some(frame)) => {
                    let read = self.on_frame(now, id, frame);
                    read.map(|()| self.on_heard(now, id)).err()
                }
                Ok(None) => break,
                Err(error) => Some(error.to_string()),
            };
            if let Some(problem) = problem {
                let reason = DisconnectReason::Protocol(Arc::from(problem));
                self.disconnect(now, id, reason);
            }
            if !self.brokers.connections.contains_key(&id) {
                return;
            }
        }
        if let Some(connection) = self.brokers.connections.get_mut(&id) {
            connection.give_back(reader);
        }
        self.arm_connection(id);
        self.announce_rest(now, id);
    }

    /// A broker has said something: whether it owes us more begins to count now.
    pub(super) fn on_heard(&mut self, now: Instant, id: ConnectionId) {
        let Some(node) = self.brokers.connections.get(&id).map(|c| c.lane.node) else {
            return;
        };
        let waiting_since = self.brokers.is_waited_for(node).then_some(now);
        self.accumulator.holdings.heard(node, waiting_since);
    }

    /// A frame answers the oldest request, and no other.
    fn on_frame(&mut self, now: Instant, id: ConnectionId, frame: &[u8]) -> Result<(), String> {
        let Some(connection) = self.brokers.connections.get_mut(&id) else {
            return Ok(());
        };
        let Some(sent) = connection.in_flight.front() else {
            return Err(String::from("an answer came and nothing was asked"));
        };
        let api = sent.what.api();
        let (header, body) = ResponseHeader::decode(api, sent.version, frame)
            .map_err(|error| undecodable(api, sent.version, error))?;
        if header.correlation_id != sent.correlation_id {
            return Err(alloc::format!(
                "the answer to request {} was expected, {} came",
                sent.correlation_id,
                header.correlation_id
            ));
        }
        let (version, sent_at, node) = (sent.version, sent.at, connection.lane.node);
        connection.heard(now);
        self.meter.on_response(node);
        let unreadable = |error| undecodable(api, version, error);
        // An answer that cannot be read leaves its request in flight, to end with the connection.
        match api {
            ApiKey::ApiVersions => {
                let response = ApiVersionsResponse::decode(version, body).map_err(unreadable)?;
                connection.answered();
                self.on_api_versions(now, id, &response)
            }
            ApiKey::InitProducerId => {
                let response = InitProducerIdResponse::decode(version, body).map_err(unreadable)?;
                connection.answered();
                self.on_init_producer_id(now, id, version, &response)
            }
            ApiKey::Metadata => {
                let response = MetadataResponse::decode(version, body).map_err(unreadable)?;
                connection.answered();
                self.on_metadata(now, id, version, &response);
                Ok(())
            }
            _ => match connection.answered() {
                Some(What::Produce { batches, ids }) => {
                    self.meter
                        .on_produce_response(now, node, now.since(sent_at));
                    self.on_produce(now, id, version, body, batches, &ids)
                }
                _ => Ok(()),
            },
        }
    }

    fn on_api_versions(
        &mut self,
        now: Instant,
        id: ConnectionId,
        response: &ApiVersionsResponse,
    ) -> Result<(), String> {
        let Some(connection) = self.brokers.connections.get_mut(&id) else {
            return Ok(());
        };
        match connection.negotiate(now, response) {
            Negotiated::Again => Ok(()),
            Negotiated::Ready => {
                let (lane, address) = (connection.lane, Arc::clone(&connection.address));
                self.brokers.ready(id);
                let broker = lane.node.broker();
                self.notice(Notice::Connected {
                    connection: id,
                    broker,
                    address,
                });
                self.announce(now, lane);
                Ok(())
            }
            Negotiated::Useless(problem) => {
                self.on_rebootstrap_required(now, response.error_code);
                Err(problem)
            }
        }
    }

    fn on_metadata(
        &mut self,
        now: Instant,
        id: ConnectionId,
        version: i16,
        response: &MetadataResponse,
    ) {
        self.throttle(
            now,
            id,
            ApiKey::Metadata,
            version,
            response.throttle_time_ms,
        );
        if response.error_code == ErrorCode::REBOOTSTRAP_REQUIRED {
            self.metadata.failed(now, &mut self.jitter);
            self.on_rebootstrap_required(now, response.error_code);
            return;
        }
        if response.brokers.is_empty() {
            // A broker that is still starting knows nobody.
            self.metadata.failed(now, &mut self.jitter);
            return;
        }
        self.await_metadata_no_more();
        self.brokers.learn_cluster(response.cluster_id.as_deref());
        self.meter.on_metadata(now);
        let applied = self
            .metadata
            .apply(now, version, response, &mut self.jitter);
        for misled in self.brokers.learn(&applied.brokers) {
            self.disconnect(now, misled, DisconnectReason::Asked);
        }
        for topic in applied.recreated {
            self.on_recreated(now, topic);
        }
        for key in applied.moved {
            self.on_leader(now, key);
        }
        for topic in applied.ready {
            self.begin_placing(topic);
            self.tell_topic(topic);
        }
        self.place_some(now);
        for topic in applied.refused {
            self.refuse_held(topic);
            self.tell_topic(topic);
        }
        self.notice(Notice::MetadataRefreshed {
            brokers: response.brokers.len() as u32,
            topics: self.metadata.known_topics() as u32,
        });
    }

    /// Takes over the leader of a partition in use.
    pub(super) fn on_leader(&mut self, now: Instant, key: crate::accumulator::PartitionKey) {
        let partition = &self.accumulator.partitions[key.0 as usize];
        let (topic, index) = (partition.topic, partition.index);
        let Some(known) = self.metadata.topic(topic) else {
            return;
        };
        // Nobody leads a partition that the topic has no more.
        let view = known.partitions.get(index as usize);
        let (leader, epoch) = view.map_or((None, -1), |view| (view.leader, view.leader_epoch));
        if let Some(before) = self.accumulator.lead(key, leader, epoch) {
            // Who waits for this partition waits for that broker no more.
            self.waiters.call_back(before);
        }
        if leader.is_some() {
            self.metadata.unwant_leader(key);
        } else if let Some(topic) = self.metadata.topic_mut(topic) {
            // Records without a key go elsewhere.
            topic.sticky.forget();
        }
        self.reconsider(now, key);
    }

    fn tell_topic(&mut self, topic: TopicHandle) {
        for (id, deadline) in self.waiters.take_topic(topic) {
            self.timers
                .disarm(deadline, super::timers::Timer::Waiter(id));
            self.events.push_back(Event::MetadataReady(id));
        }
    }

    fn on_init_producer_id(
        &mut self,
        now: Instant,
        id: ConnectionId,
        version: i16,
        response: &InitProducerIdResponse,
    ) -> Result<(), String> {
        self.throttle(
            now,
            id,
            ApiKey::InitProducerId,
            version,
            response.throttle_time_ms,
        );
        let code = response.error_code;
        match code {
            ErrorCode::NONE if 0 <= response.producer_id && 0 <= response.producer_epoch => {
                self.session_failures = 0;
                let identity = Identity {
                    producer_id: response.producer_id,
                    producer_epoch: response.producer_epoch,
                };
                if self.session.begin(identity).is_some() {
                    self.tell_bumped(identity);
                }
                for key in core::mem::take(&mut self.without_identity) {
                    self.reconsider(now, key);
                }
            }
            ErrorCode::NONE => {
                // The request is no longer in flight: its end brings no second try.
                self.ask_identity_later(now);
                return Err(alloc::format!(
                    "a producer id and epoch of 0 or more were expected, {} and {} came",
                    response.producer_id,
                    response.producer_epoch
                ));
            }
            ErrorCode::CLUSTER_AUTHORIZATION_FAILED
            | ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED => {
                // What waits fails now; once the rights are mended, later records go through
                // (KAFKA-13668).
                self.ask_identity_later(now);
                self.fail_all_waiting(now, code);
            }
            _ if code.is_retriable() => self.ask_identity_later(now),
            _ => self.fail_for_good(now, code),
        }
        Ok(())
    }

    pub(super) fn ask_identity_later(&mut self, now: Instant) {
        let delay = self.retry.delay(self.session_failures, &mut self.jitter);
        self.session_failures = self.session_failures.saturating_add(1);
        self.session.ask_again(now + delay);
    }

    fn on_produce(
        &mut self,
        now: Instant,
        id: ConnectionId,
        version: i16,
        body: &[u8],
        batches: Vec<SentBatch>,
        ids: &[(Uuid, TopicHandle)],
    ) -> Result<(), String> {
        let mut answers: Vec<Option<Answer>> = Vec::new();
        answers.resize_with(batches.len(), || None);
        let mut matcher = Matcher {
            batches: &batches,
            ids,
            metadata: &self.metadata,
            last: None,
            steps: 0,
        };
        let visited = ProduceResponseView::visit(version, body, &mut |answer| {
            if let Some(at) = matcher.place(&answer) {
                // An entry that comes twice counts once.
                answers[at].get_or_insert_with(|| Answer::from(answer));
            }
        });
        self.steps.take(matcher.steps);
        let tail = visited.map_err(|error| undecodable(ApiKey::Produce, version, error));
        if let Ok(tail) = &tail {
            self.meter.on_throttle_time(now, tail.throttle_time_ms);
            self.throttle(now, id, ApiKey::Produce, version, tail.throttle_time_ms);
            self.apply_hints(now, &batches, &answers, &tail.node_endpoints);
        }
        let mut fatal = None;
        for (sent, answer) in batches.iter().zip(answers) {
            // What the answer leaves out, or garbles, is as good as lost.
            let answer = match (&tail, answer) {
                (Ok(_), Some(answer)) => answer,
                _ => Answer::none(ErrorCode::NETWORK_EXCEPTION),
            };
            fatal = self.settle(now, sent.batch, answer).or(fatal);
        }
        // Last, or good answers beside a fatal one would be told as failures.
        if let Some(code) = fatal {
            self.fail_for_good(now, code);
        }
        self.spares.take_back(batches);
        tail.map(|_| ())
    }

    fn throttle(
        &mut self,
        now: Instant,
        id: ConnectionId,
        api: ApiKey,
        version: i16,
        throttle_time_ms: i32,
    ) {
        let span = Duration::from_millis(u64::try_from(throttle_time_ms).unwrap_or(0));
        let rule = if api.throttles_from() <= version {
            ThrottleRule::ClientWaits
        } else {
            ThrottleRule::BrokerWaits
        };
        if span.is_zero() {
            return;
        }
        if let Some(connection) = self.brokers.connections.get_mut(&id) {
            connection.throttle(now, span, rule);
            let until = connection.throttled_until;
            if now < until {
                self.timers.arm(until, super::timers::Timer::Throttle(id));
            }
        }
    }
}

/// Finds the batch that an entry of an answer is for. By halving: the names in an answer are the
/// broker's choice and may be many.
struct Matcher<'a> {
    batches: &'a [SentBatch],
    ids: &'a [(Uuid, TopicHandle)],
    metadata: &'a Metadata,
    /// The topic of the entry before, which often is the topic of the next one.
    last: Option<TopicHandle>,
    steps: usize,
}

impl Matcher<'_> {
    fn place(&mut self, answer: &PartitionAnswer<'_>) -> Option<usize> {
        let index = u32::try_from(answer.index).ok()?;
        let topic = match answer.topic {
            TopicKey::Id(id) => {
                let steps = &mut self.steps;
                let at = self.ids.binary_search_by(|(sent, _)| {
                    *steps += 1;
                    sent.cmp(&id)
                });
                self.ids[at.ok()?].1
            }
            TopicKey::Name(name) => self.named(name)?,
        };
        self.last = Some(topic);
        let steps = &mut self.steps;
        let at = self.batches.binary_search_by(|sent| {
            *steps += 1;
            (sent.topic, sent.index).cmp(&(topic, index))
        });
        at.ok()
    }

    fn named(&mut self, name: &str) -> Option<TopicHandle> {
        self.steps += 1;
        let last = self.last.and_then(|last| self.metadata.topic(last));
        if last.is_some_and(|view| &*view.name == name) {
            return self.last;
        }
        self.metadata.find(name)
    }
}

impl From<PartitionAnswer<'_>> for Answer {
    fn from(answer: PartitionAnswer<'_>) -> Self {
        Self {
            code: answer.error_code,
            base_offset: answer.base_offset,
            log_append_time: answer.log_append_time_ms,
            log_start_offset: answer.log_start_offset,
            message: answer.error_message.map(Arc::from),
            blame: Blame::from(answer.record_errors),
            hint: Hint::beside(answer.error_code, answer.current_leader),
        }
    }
}

fn undecodable(api: ApiKey, version: i16, error: DecodeError) -> String {
    alloc::format!(
        "the answer to {} version {version} cannot be read: {error}",
        api.name()
    )
}

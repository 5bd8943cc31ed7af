//! The road out: one request per broker and drain, carrying every partition that may send.

use alloc::string::String;
use alloc::vec::Vec;

use kafka_producer_proto::messages::{ApiVersionsRequest, InitProducerIdRequest};
use kafka_producer_proto::{Request, Uuid, encode_request};

use super::ProducerMachine;
use crate::accumulator::{BatchKey, Next, PartitionKey};
use crate::brokers::{Lane, LaneId, Place};
use crate::connection::{Ask, Phase, Sent, SentBatch, Versions, What};
use crate::error::ProduceError;
use crate::frame::Unsealed;
use crate::produce::{self, BatchPart, RequestHead, TopicPart};
use crate::{ConnectionId, ErrorCode, Instant};

/// Software name and version that brokers count clients by.
const SOFTWARE_NAME: &str = "kafka-producer-rust";
const SOFTWARE_VERSION: &str = env!("CARGO_PKG_VERSION");

/// What a request carries so far.
struct Load {
    lane: LaneId,
    connection: ConnectionId,
    version: i16,
    /// Bytes that are left of `max.request.size`.
    room: usize,
    batches: Vec<SentBatch>,
}

impl Load {
    /// Whether a batch of so many bytes must wait. The first one goes whatever its size.
    fn is_full_for(&self, size: usize) -> bool {
        self.room < size && !self.batches.is_empty()
    }
}

/// Whether a request takes more batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    Left,
    None,
}

impl ProducerMachine {
    pub(super) fn fill(&mut self, now: Instant, id: ConnectionId, frame: &mut Unsealed) -> bool {
        frame.clear();
        self.on_written(now, id);
        let filled = match self.brokers.connections.get(&id).map(|c| &c.phase) {
            Some(Phase::Negotiating(Ask::Pending(version))) => {
                let version = *version;
                self.fill_api_versions(now, id, version, frame)
            }
            Some(Phase::Ready(versions)) => {
                let versions = *versions;
                self.fill_ready(now, id, versions, frame)
            }
            Some(Phase::Connecting | Phase::Negotiating(Ask::Sent(_))) | None => false,
        };
        if let Some(connection) = self.brokers.connections.get_mut(&id) {
            connection.announced = filled;
            if filled {
                let node = connection.lane.node;
                self.meter.on_request(now, node, frame.len());
                self.accumulator.holdings.asked(now, node);
            }
        }
        if filled {
            self.arm_connection(id);
        } else {
            self.announce_rest(now, id);
        }
        filled
    }

    /// Announces what this connection may carry now, if anything: what became ready while a
    /// frame was looked for in vain, or waited for a slot in flight.
    pub(super) fn announce_rest(&mut self, now: Instant, id: ConnectionId) {
        let asks_again = self
            .brokers
            .connections
            .get(&id)
            .is_some_and(|c| matches!(c.phase, Phase::Negotiating(Ask::Pending(_))));
        let lane = self.brokers.connections.get(&id).map(|c| c.lane);
        let lane = lane.and_then(|lane| self.brokers.lane(lane));
        if asks_again || lane.is_some_and(|lane| 0 < lane.ready()) {
            self.announce_connection(id);
        }
        self.service_control(now);
    }

    fn fill_ready(
        &mut self,
        now: Instant,
        id: ConnectionId,
        versions: Versions,
        frame: &mut Unsealed,
    ) -> bool {
        let limit = self.brokers.max_in_flight();
        if !self
            .brokers
            .connections
            .get(&id)
            .is_some_and(|c| c.can_send(now, limit))
        {
            return false;
        }
        if self.metadata.due_at().is_some_and(|at| at <= now) && !self.is_over() {
            let request = self.metadata.request(now, versions.metadata);
            let filled =
                self.fill_request(now, id, versions.metadata, &request, What::Metadata, frame);
            self.service_control(now);
            return filled;
        }
        if self.session.wanted_at().is_some_and(|at| at <= now) && !self.is_over() {
            if let Some(version) = versions.init_producer_id {
                return self.fill_init_producer_id(now, id, version, frame);
            }
            self.fail_for_good(now, ErrorCode::UNSUPPORTED_VERSION);
            return false;
        }
        self.fill_produce(now, id, versions.produce, frame)
    }

    fn fill_api_versions(
        &mut self,
        now: Instant,
        id: ConnectionId,
        version: i16,
        frame: &mut Unsealed,
    ) -> bool {
        let request = ApiVersionsRequest {
            client_software_name: String::from(SOFTWARE_NAME),
            client_software_version: String::from(SOFTWARE_VERSION),
            ..ApiVersionsRequest::default()
        };
        if let Some(connection) = self.brokers.connections.get_mut(&id) {
            connection.phase = Phase::Negotiating(Ask::Sent(version));
        }
        self.fill_request(now, id, version, &request, What::ApiVersions, frame)
    }

    fn fill_init_producer_id(
        &mut self,
        now: Instant,
        id: ConnectionId,
        version: i16,
        frame: &mut Unsealed,
    ) -> bool {
        // An idempotent producer always gets a fresh id; epochs it bumps by itself (KIP-360).
        let request = InitProducerIdRequest {
            transactional_id: None,
            transaction_timeout_ms: i32::MAX,
            ..InitProducerIdRequest::default()
        };
        self.session.ask();
        let filled = self.fill_request(now, id, version, &request, What::InitProducerId, frame);
        self.service_control(now);
        filled
    }

    fn fill_request<R: Request>(
        &mut self,
        now: Instant,
        id: ConnectionId,
        version: i16,
        request: &R,
        what: What,
        frame: &mut Unsealed,
    ) -> bool {
        let Some(connection) = self.brokers.connections.get_mut(&id) else {
            return false;
        };
        let deadline = connection.request_deadline(now, self.config.request_timeout);
        let correlation_id = connection.correlate();
        let client_id = Some(self.config.client_id());
        let encoded = encode_request(
            client_id,
            correlation_id,
            version,
            request,
            frame.head_mut(),
        );
        // The versions were negotiated and all strings are bounded by the configuration.
        debug_assert_eq!(encoded, Ok(()), "a request of ours can be encoded");
        connection.in_flight.push_back(Sent {
            correlation_id,
            version,
            at: now,
            deadline,
            what,
        });
        connection.idle_at = now + self.config.connections_max_idle;
        encoded.is_ok()
    }

    fn fill_produce(
        &mut self,
        now: Instant,
        id: ConnectionId,
        version: i16,
        frame: &mut Unsealed,
    ) -> bool {
        let Some(lane) = self.brokers.connections.get(&id).map(|c| c.lane) else {
            return false;
        };
        let mut load = Load {
            lane,
            connection: id,
            version,
            room: self.config.max_request_size,
            batches: self.spare_batches.pop().unwrap_or_default(),
        };
        self.drain(now, &mut load);
        let mut batches = load.batches;
        if batches.is_empty() {
            self.spare_batches.push(batches);
            return false;
        }
        batches.sort_unstable_by_key(|sent| (sent.topic, sent.index));
        let (version, ids) = self.topic_ids(version, &batches);
        let written = self.write_produce(id, version, &batches, frame);
        debug_assert_eq!(written, Some(()), "a request of ours can be encoded");
        self.meter.on_produce();
        let idle_at = now + self.config.connections_max_idle;
        let Some(connection) = self.brokers.connections.get_mut(&id) else {
            return false;
        };
        connection.idle_at = idle_at;
        let deadline = connection.request_deadline(now, self.config.request_timeout);
        let correlation_id = connection.correlate();
        if self.config.guarantee.acks() == 0 {
            // No answer comes: the next question for a frame says that this one was written.
            connection
                .unanswered
                .extend(batches.iter().map(|sent| sent.batch));
            connection.written_by = deadline;
            batches.clear();
            self.spare_batches.push(batches);
        } else {
            let what = What::Produce { batches, ids };
            connection.in_flight.push_back(Sent {
                correlation_id,
                version,
                at: now,
                deadline,
                what,
            });
        }
        true
    }

    /// Topic ids, if every topic of the request has one; else names and a version that has names.
    fn topic_ids(
        &self,
        version: i16,
        batches: &[SentBatch],
    ) -> (i16, Vec<(Uuid, crate::TopicHandle)>) {
        if version < produce::TOPIC_IDS_FROM {
            return (version, Vec::new());
        }
        let mut ids: Vec<(Uuid, crate::TopicHandle)> = Vec::new();
        for sent in batches {
            if ids.last().is_some_and(|&(_, topic)| topic == sent.topic) {
                continue;
            }
            match self.metadata.topic(sent.topic) {
                Some(view) if !view.id.is_zero() => ids.push((view.id, sent.topic)),
                _ => return (produce::TOPIC_IDS_FROM - 1, Vec::new()),
            }
        }
        (version, ids)
    }

    fn write_produce(
        &self,
        id: ConnectionId,
        version: i16,
        batches: &[SentBatch],
        frame: &mut Unsealed,
    ) -> Option<()> {
        let connection = self.brokers.connections.get(&id)?;
        let timeout_ms = i32::try_from(self.config.request_timeout.as_millis());
        let head = RequestHead {
            version,
            correlation_id: connection.next_correlation(),
            client_id: self.config.client_id(),
            acks: self.config.guarantee.acks(),
            timeout_ms: timeout_ms.unwrap_or(i32::MAX),
        };
        let topics = || batches.chunk_by(|one, next| one.topic == next.topic);
        let parts = topics().filter_map(|group| {
            let view = self.metadata.topic(group.first()?.topic)?;
            let batches = group.iter().filter_map(|sent| {
                let batch = self.accumulator.batches.get(sent.batch.0 as usize)?;
                let (header, body) = produce::header_of(batch)?;
                Some(BatchPart {
                    index: sent.index,
                    header,
                    body,
                })
            });
            Some(TopicPart {
                name: &view.name,
                id: view.id,
                count: group.len(),
                batches,
            })
        });
        produce::write_request(head, topics().count(), parts, frame).ok()
    }

    /// Takes one batch of every partition that may send to this broker, in turn, up to
    /// `max.request.size`; a batch above that goes alone. Then those whose batch lingers go
    /// along: the request leaves anyway (piggy-backing).
    fn drain(&mut self, now: Instant, load: &mut Load) {
        let Some(lane) = self.brokers.lane(load.lane) else {
            return;
        };
        let ready = lane.ready();
        if ready == 0 {
            return;
        }
        // Noted before anything is taken: a partition whose batch has just left opens the next
        // one, and a request carries one batch of a partition at most.
        let mut lingering = core::mem::take(&mut self.spare_keys);
        lingering.extend(lane.lingering());
        let room = self.drain_ready(now, ready, load);
        if room == Room::Left && !load.batches.is_empty() {
            self.drain_lingering(now, &lingering, load);
        }
        lingering.clear();
        self.spare_keys = lingering;
    }

    /// Takes from the first so many of the queue.
    fn drain_ready(&mut self, now: Instant, count: usize, load: &mut Load) -> Room {
        for _ in 0..count {
            self.steps.step();
            let lane = self.brokers.lane_mut(load.lane);
            let Some((turn, key)) = lane.and_then(Lane::call_first) else {
                break;
            };
            self.accumulator.partitions[key.0 as usize].place = Place::Nowhere;
            if self.drain_one(now, key, load) == Room::None {
                // This partition is the first of the next request.
                self.accumulator.partitions[key.0 as usize].place = Place::Ready(load.lane, turn);
                if let Some(lane) = self.brokers.lane_mut(load.lane) {
                    lane.stand_again(turn, key);
                }
                return Room::None;
            }
        }
        Room::Left
    }

    /// The request leaves anyway: what lingers goes along, as far as there is room.
    fn drain_lingering(&mut self, now: Instant, lingering: &[PartitionKey], load: &mut Load) {
        let place = Place::Lingering(load.lane);
        for &key in lingering {
            self.steps.step();
            let lingers = self.accumulator.partitions[key.0 as usize].place == place;
            if lingers && self.drain_one(now, key, load) == Room::None {
                return;
            }
        }
    }

    /// Takes the next batch of a partition, if it may go on this connection and there is room.
    fn drain_one(&mut self, now: Instant, key: PartitionKey, load: &mut Load) -> Room {
        let partition = &self.accumulator.partitions[key.0 as usize];
        if !partition.may_use(load.connection) {
            // Looked at again when what is in flight elsewhere has ended.
            return Room::Left;
        }
        let open = partition.open.as_ref().map(|open| open.records.size());
        let mut next = self.next_of(now, key);
        if let Next::Seal | Next::Linger = next {
            if load.is_full_for(open.unwrap_or(0)) {
                // It stays open: until the next request it gathers records.
                return Room::None;
            }
            // A batch that is to be compressed comes back later, through `reconsider`.
            if let Some(closed) = self.accumulator.close_open(key) {
                self.seal(closed);
            }
            next = self.next_of(now, key);
        }
        let Next::Take(batch, numbering) = next else {
            self.reconsider(now, key);
            return Room::Left;
        };
        let state = &self.accumulator.batches[batch.0 as usize];
        if state.deadline <= now {
            self.expire(now, batch);
            return Room::Left;
        }
        let size = state.stage().wire_size();
        if load.is_full_for(size) {
            return Room::None;
        }
        if load.version < produce::ZSTD_FROM && state.is_zstd() {
            self.refuse_zstd(now, key, batch);
            return Room::Left;
        }
        load.room = load.room.saturating_sub(size);
        let sent = self.accumulator.depart(batch, numbering, load.connection);
        load.batches.push(sent);
        self.count_drained(now, batch);
        self.reconsider(now, key);
        Room::Left
    }

    /// The broker is too old for the codec.
    fn refuse_zstd(&mut self, now: Instant, key: PartitionKey, batch: BatchKey) {
        self.accumulator.partitions[key.0 as usize].dequeue(batch);
        let error = ProduceError::Broker {
            code: ErrorCode::UNSUPPORTED_COMPRESSION_TYPE,
            message: None,
        };
        self.fail(batch, error);
        self.reconsider(now, key);
    }

    /// Under acks=0 the driver's question for the next frame says that the last one was written:
    /// that is all there will ever be to know.
    fn on_written(&mut self, now: Instant, id: ConnectionId) {
        let Some(connection) = self.brokers.connections.get_mut(&id) else {
            return;
        };
        for batch in core::mem::take(&mut connection.unanswered) {
            self.on_sent_unanswered(now, batch);
        }
    }
}

//! The road out: which request a connection carries next.

use alloc::string::String;

use kafka_producer_proto::messages::{ApiVersionsRequest, InitProducerIdRequest};
use kafka_producer_proto::{Request, encode_request};

use super::ProducerMachine;
use crate::accumulator::BatchKey;
use crate::brokers::INTRODUCED;
use crate::connection::{Turn, Versions, What};
use crate::drain::{Drain, Load, Road, Step, Written};
use crate::error::ProduceError;
use crate::frame::Unsealed;
use crate::produce::RequestHead;
use crate::{ConnectionId, ErrorCode, Instant};

/// Software name and version that brokers count clients by.
const SOFTWARE_NAME: &str = "kafka-producer-rust";
const SOFTWARE_VERSION: &str = env!("CARGO_PKG_VERSION");

impl ProducerMachine {
    pub(super) fn fill(&mut self, now: Instant, id: ConnectionId, frame: &mut Unsealed) -> bool {
        frame.clear();
        self.on_written(now, id);
        let connection = self.brokers.connections.get(&id);
        let filled = match connection.map_or(Turn::Nothing, |c| c.turn(now)) {
            Turn::ApiVersions(version) => self.fill_api_versions(now, id, version, frame),
            Turn::Nothing => false,
            Turn::Requests(versions) => self.fill_any(now, id, versions, frame),
        };
        if let Some(connection) = self.brokers.connections.get_mut(&id) {
            if filled {
                connection.got_frame();
                let node = connection.lane.node;
                self.meter.on_request(now, node, frame.len());
                self.accumulator.holdings.asked(now, node);
            } else {
                connection.asked_in_vain();
            }
        }
        if filled {
            self.arm_connection(id);
        } else {
            self.announce_rest(now, id);
        }
        filled
    }

    /// Metadata and the producer id go before records.
    fn fill_any(
        &mut self,
        now: Instant,
        id: ConnectionId,
        versions: Versions,
        frame: &mut Unsealed,
    ) -> bool {
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
        let connection = self.brokers.connections.get(&id);
        let expected = connection
            .filter(|_| INTRODUCED <= version)
            .and_then(|connection| self.brokers.expected(connection.lane.node));
        let request = ApiVersionsRequest {
            client_software_name: String::from(SOFTWARE_NAME),
            client_software_version: String::from(SOFTWARE_VERSION),
            cluster_id: expected.as_ref().map(|it| String::from(&*it.cluster)),
            node_id: expected.map_or(-1, |it| it.node),
        };
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
        connection.sent(now, correlation_id, version, what);
        encoded.is_ok()
    }

    fn fill_produce(
        &mut self,
        now: Instant,
        id: ConnectionId,
        version: i16,
        frame: &mut Unsealed,
    ) -> bool {
        let Some(load) = self.drain(now, id, version) else {
            return false;
        };
        let Some(connection) = self.brokers.connections.get_mut(&id) else {
            return false;
        };
        let correlation_id = connection.correlate();
        let timeout_ms = i32::try_from(self.config.request_timeout.as_millis());
        let head = RequestHead {
            version,
            correlation_id,
            client_id: self.config.client_id(),
            acks: self.config.guarantee.acks(),
            timeout_ms: timeout_ms.unwrap_or(i32::MAX),
        };
        let written = load.write(head, &self.metadata, &self.accumulator, frame);
        self.meter.on_produce();
        let Written {
            version,
            batches,
            ids,
        } = written;
        if head.acks == 0 {
            // No answer comes: the next question for a frame says that this one was written.
            connection.sent_unanswered(now, &batches);
            self.spares.take_back(batches);
        } else {
            let what = What::Produce { batches, ids };
            connection.sent(now, correlation_id, version, what);
        }
        true
    }

    /// Runs a drain, and sees to what it meets.
    fn drain(&mut self, now: Instant, connection: ConnectionId, version: i16) -> Option<Load> {
        let road = Road {
            lane: self.brokers.connections.get(&connection)?.lane,
            connection,
            version,
        };
        let room = self.config.max_request_size;
        let mut drain = Drain::begin(road, room, &self.brokers, &mut self.spares)?;
        while let Some(step) =
            drain.step(now, &self.terms(), &mut self.accumulator, &mut self.brokers)
        {
            match step {
                Step::Closed(batch) => self.seal(batch),
                Step::Expired(batch) => self.expire(now, batch),
                Step::Idle(key) => self.reconsider(now, key),
                Step::Took(key, batch) => {
                    self.count_drained(now, batch);
                    self.reconsider(now, key);
                }
                Step::Unspoken(batch) => self.refuse_codec(now, batch),
            }
        }
        self.steps.take(drain.visited());
        let load = drain.end(&mut self.spares)?;
        for topic in load.topics() {
            if let Some(view) = self.metadata.topic_mut(topic) {
                view.touch(now);
                let weighed = self.chooser.on_drained(now, view, &self.accumulator);
                self.steps.take(weighed);
            }
        }
        Some(load)
    }

    /// The broker is too old for the codec.
    fn refuse_codec(&mut self, now: Instant, batch: BatchKey) {
        let key = self.accumulator.batches[batch.0 as usize].partition;
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
        let written = connection.written();
        if written.is_empty() {
            return;
        }
        for batch in written {
            self.on_sent_unanswered(now, batch);
        }
        // A broker that takes what it never answers is not sick.
        self.on_heard(now, id);
    }
}

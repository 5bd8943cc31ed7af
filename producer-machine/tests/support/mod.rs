//! A bench for the machine: scripted brokers that do what the test says, in virtual time.
//!
//! Handshakes, metadata and producer ids are answered by themselves unless the test holds them;
//! Produce requests wait until the test answers them, or lets them be lost.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::panic,
    reason = "each test file uses a part of it, and a bench that is misused says so"
)]

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use kafka_producer_machine::{
    Action, CompressJob, Compressor, Config, ConnectionId, DisconnectReason, Event, Failed,
    FlushId, GroupId, Instant, Notice, ProducerMachine, Receipt, Record, Seed, SendError, Unsealed,
    Written,
};
use kafka_producer_proto::batch::{BatchHeader, RecordIter};
use kafka_producer_proto::messages::api_versions::ApiVersion;
use kafka_producer_proto::messages::metadata::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_producer_proto::messages::produce::{PartitionProduceResponse, TopicProduceResponse};
use kafka_producer_proto::messages::{
    ApiVersionsRequest, ApiVersionsResponse, InitProducerIdResponse, MetadataRequest,
    MetadataResponse, ProduceRequest, ProduceResponse,
};
use kafka_producer_proto::{ApiKey, ErrorCode, Message, RequestHeader, Uuid, encode_response};

/// A batch as a broker saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenBatch {
    pub topic: String,
    pub partition: u32,
    pub producer_id: i64,
    pub epoch: i16,
    pub sequence: i32,
    pub values: Vec<String>,
    /// The batch, byte for byte as it came.
    pub bytes: Vec<u8>,
}

/// A Produce request that waits for its answer.
#[derive(Clone, Debug)]
pub struct Seen {
    pub connection: ConnectionId,
    pub broker: i32,
    pub version: i16,
    pub correlation_id: i32,
    pub acks: i16,
    pub at: Instant,
    pub batches: Vec<SeenBatch>,
}

/// How a record ended.
pub type End = Result<Written, std::sync::Arc<Failed>>;

#[derive(Clone, Debug)]
pub struct TopicScript {
    pub id: Uuid,
    /// (leader, leader epoch) by partition; leader −1 is none.
    pub partitions: Vec<(i32, i32)>,
    pub error: ErrorCode,
}

#[derive(Debug)]
struct Link {
    broker: i32,
    inbound: Vec<u8>,
}

pub struct Bench {
    pub machine: ProducerMachine,
    pub now: Instant,
    pub topics: BTreeMap<String, TopicScript>,
    /// Brokers named in metadata; connecting to others is refused.
    pub brokers: Vec<i32>,
    /// Brokers that metadata name at the address of another one.
    pub moved: BTreeMap<i32, i32>,
    /// The racks of brokers that have one.
    pub racks: BTreeMap<i32, String>,
    pub down: Vec<i32>,
    /// Brokers whose names do not resolve.
    pub nameless: Vec<i32>,
    /// Brokers that say nothing to who connects.
    pub hanging: Vec<i32>,
    /// Brokers that take connections, and answer no handshake.
    pub starting: Vec<i32>,
    pub produce_versions: (i16, i16),
    pub metadata_version: i16,
    /// The highest version of ApiVersions.
    pub api_versions: i16,
    pub cluster_id: Option<String>,
    /// What each question for versions said: to whom, in which version, who it is taken for.
    pub introductions: Vec<(i32, i16, Option<String>, i32)>,
    /// Brokers that are not who they are taken for.
    pub strangers: Vec<i32>,
    /// The error of all the metadata.
    pub metadata_error: ErrorCode,
    pub init_producer_id: VecDeque<(ErrorCode, i64, i16)>,
    pub next_producer_id: i64,
    pub answers_metadata: bool,
    pub answers_handshake: bool,
    /// The driver is stuck in writing: it asks for no further frame.
    pub stops_asking: bool,
    /// Compression jobs run at once unless held.
    pub holds_jobs: bool,
    pub jobs: Vec<CompressJob>,
    pub metadata_requests: Vec<(Instant, MetadataRequest)>,
    pub init_requests: Vec<Instant>,
    pub connects: Vec<(Instant, i32, u32)>,
    pub requests: Vec<Seen>,
    pub events: Vec<Event>,
    pub notices: Vec<Notice>,
    /// How often each receipt was resolved, and how the first time.
    pub ends: BTreeMap<(GroupId, u32), Vec<End>>,
    pub receipts: Vec<Receipt>,
    links: BTreeMap<ConnectionId, Link>,
    /// Every frame as it left, for comparing whole runs.
    pub wire: Vec<u8>,
}

/// Settings for tests: `properties` over Java's defaults, one bootstrap server.
pub fn config(properties: &[(&str, &str)]) -> Config {
    let base = [("bootstrap.servers", "b0:9092"), ("client.id", "test")];
    let all = base.iter().chain(properties).copied();
    Config::from_properties(all).expect("the test's settings are valid")
}

impl Bench {
    /// Two brokers, 0 and 1; topic `t` with two partitions, both led by broker 0.
    pub fn new(properties: &[(&str, &str)]) -> Self {
        let now = Instant::from_millis(1_000_000);
        let mut bench = Self {
            machine: ProducerMachine::new(now, config(properties), Seed::new(42)),
            now,
            topics: BTreeMap::new(),
            brokers: vec![0, 1],
            moved: BTreeMap::new(),
            racks: BTreeMap::new(),
            down: Vec::new(),
            nameless: Vec::new(),
            hanging: Vec::new(),
            starting: Vec::new(),
            produce_versions: (3, 12),
            metadata_version: 12,
            api_versions: 4,
            cluster_id: None,
            introductions: Vec::new(),
            strangers: Vec::new(),
            metadata_error: ErrorCode::NONE,
            init_producer_id: VecDeque::new(),
            next_producer_id: 100,
            answers_metadata: true,
            answers_handshake: true,
            stops_asking: false,
            holds_jobs: false,
            jobs: Vec::new(),
            metadata_requests: Vec::new(),
            init_requests: Vec::new(),
            connects: Vec::new(),
            requests: Vec::new(),
            events: Vec::new(),
            notices: Vec::new(),
            ends: BTreeMap::new(),
            receipts: Vec::new(),
            links: BTreeMap::new(),
            wire: Vec::new(),
        };
        bench.add_topic("t", &[0, 0]);
        bench
    }

    /// Connected, with a producer id, and `t` known.
    pub fn ready(properties: &[(&str, &str)]) -> Self {
        let mut bench = Self::new(properties);
        bench.machine.topic(bench.now, "t");
        bench.run();
        bench.events.clear();
        bench
    }

    /// As `ready`, and one record each to `t`-0 acknowledged, so that batches may be pipelined.
    pub fn established(properties: &[(&str, &str)]) -> Self {
        let mut bench = Self::ready(properties);
        bench.send_to("t", 0, "first");
        bench.flush();
        bench.acknowledge_all();
        bench.events.clear();
        bench
    }

    pub fn add_topic(&mut self, name: &str, leaders: &[i32]) {
        let id = Uuid::from_bytes([self.topics.len() as u8 + 1; 16]);
        let partitions = leaders.iter().map(|&leader| (leader, 1)).collect();
        let script = TopicScript {
            id,
            partitions,
            error: ErrorCode::NONE,
        };
        self.topics.insert(name.into(), script);
    }

    /// Moves a leader, with a newer epoch.
    pub fn move_leader(&mut self, topic: &str, partition: usize, leader: i32) {
        let entry = &mut self.topics.get_mut(topic).expect("the topic").partitions[partition];
        *entry = (leader, entry.1 + 1);
    }

    // Commands.

    pub fn try_send(&mut self, record: &Record<'_>) -> Result<Receipt, SendError> {
        let result = self.machine.send(self.now, record);
        if let Ok(receipt) = result {
            self.receipts.push(receipt);
        }
        self.run();
        result
    }

    pub fn send_to(&mut self, topic: &str, partition: u32, value: &str) -> Receipt {
        let record = Record::to(topic)
            .partition(partition)
            .value(value)
            .timestamp(1_000);
        self.try_send(&record).expect("there is room")
    }

    pub fn flush(&mut self) {
        self.machine.flush(self.now);
        self.run();
    }

    /// Lets time pass in steps of what the machine asks for.
    pub fn advance(&mut self, span: Duration) {
        let end = self.now + span;
        let mut steps = 0;
        while let Some(at) = self.machine.poll_timeout().filter(|&at| at <= end) {
            self.now = self.now.max(at);
            self.machine.handle_timeout(self.now);
            self.run();
            steps += 1;
            assert!(steps < 100_000, "the machine is busy with nothing");
        }
        self.now = end;
        self.machine.handle_timeout(self.now);
        self.run();
    }

    pub fn advance_ms(&mut self, millis: u64) {
        self.advance(Duration::from_millis(millis));
    }

    // The brokers' side.

    /// The Produce requests that came and were not answered yet.
    pub fn take_requests(&mut self) -> Vec<Seen> {
        std::mem::take(&mut self.requests)
    }

    /// The only request that waits.
    pub fn take_request(&mut self) -> Seen {
        assert_eq!(
            self.requests.len(),
            1,
            "one request is expected: {:#?}",
            self.requests
        );
        self.requests.remove(0)
    }

    /// Answers every batch of a request with this code; base offsets are made of the sequence.
    pub fn answer(&mut self, seen: &Seen, code: ErrorCode) {
        self.answer_with(seen, |_| answer(code));
    }

    pub fn answer_with(
        &mut self,
        seen: &Seen,
        each: impl Fn(&SeenBatch) -> PartitionProduceResponse,
    ) {
        let mut response = ProduceResponse::default();
        for batch in &seen.batches {
            let entry = PartitionProduceResponse {
                index: batch.partition as i32,
                ..each(batch)
            };
            let id = self
                .topics
                .get(&batch.topic)
                .map_or(Uuid::ZERO, |topic| topic.id);
            let (name, topic_id) = if seen.version < 13 {
                (batch.topic.clone(), Uuid::ZERO)
            } else {
                (String::new(), id)
            };
            match response
                .responses
                .iter_mut()
                .find(|t| t.name == name && t.topic_id == topic_id)
            {
                Some(topic) => topic.partition_responses.push(entry),
                None => response.responses.push(TopicProduceResponse {
                    name,
                    topic_id,
                    partition_responses: vec![entry],
                }),
            }
        }
        self.respond(seen, &response);
    }

    pub fn respond(&mut self, seen: &Seen, response: &ProduceResponse) {
        self.hand_in(seen, response);
        self.run();
    }

    /// Hands an answer to the machine and looks at nothing that follows from it.
    pub fn hand_in(&mut self, seen: &Seen, response: &ProduceResponse) {
        let mut bytes = Vec::new();
        encode_response(
            ApiKey::Produce,
            seen.version,
            seen.correlation_id,
            response,
            &mut bytes,
        )
        .expect("the test's answer can be encoded");
        self.machine
            .handle_received(self.now, seen.connection, &bytes);
    }

    /// Acknowledges one request; base offsets are made of the sequence.
    pub fn acknowledge(&mut self, seen: &Seen) {
        self.answer_with(seen, |batch| PartitionProduceResponse {
            base_offset: i64::from(batch.sequence.max(0)),
            ..answer(ErrorCode::NONE)
        });
    }

    /// Acknowledges everything until nothing is left to send.
    pub fn acknowledge_all(&mut self) {
        while !self.requests.is_empty() {
            for seen in self.take_requests() {
                self.acknowledge(&seen);
            }
        }
    }

    /// Cuts all connections to a broker.
    pub fn cut(&mut self, broker: i32) {
        self.lose(broker, &DisconnectReason::Closed);
    }

    /// Loses all connections to a broker, or the attempts at them, for this reason.
    pub fn lose(&mut self, broker: i32, reason: &DisconnectReason) {
        let ids: Vec<ConnectionId> = self
            .links
            .iter()
            .filter(|(_, link)| link.broker == broker)
            .map(|(&id, _)| id)
            .collect();
        for id in ids {
            self.links.remove(&id);
            self.requests.retain(|seen| seen.connection != id);
            self.machine
                .handle_disconnected(self.now, id, reason.clone());
        }
        self.run();
    }

    pub fn connection_to(&self, broker: i32) -> Option<ConnectionId> {
        self.links
            .iter()
            .find(|(_, link)| link.broker == broker)
            .map(|(&id, _)| id)
    }

    // What came of it.

    pub fn end_of(&self, receipt: Receipt) -> Option<&End> {
        let ends = self.ends.get(&(receipt.group, receipt.index))?;
        assert_eq!(ends.len(), 1, "a receipt is resolved exactly once");
        ends.first()
    }

    pub fn is_acked(&self, receipt: Receipt) -> bool {
        matches!(self.end_of(receipt), Some(Ok(_)))
    }

    pub fn failure_of(&self, receipt: Receipt) -> &Failed {
        match self.end_of(receipt) {
            Some(Err(failed)) => failed,
            other => panic!("a failure is expected, {other:?} came"),
        }
    }

    /// Where the range of the event begins that resolved a receipt.
    pub fn range_start(&self, receipt: Receipt) -> u32 {
        let mut starts = self.events.iter().filter_map(|event| match event {
            Event::Completed { group, records, .. }
                if *group == receipt.group && records.contains(&receipt.index) =>
            {
                Some(records.start)
            }
            _ => None,
        });
        starts.next().expect("it is resolved")
    }

    /// Each receipt is resolved, exactly once, and no memory is held.
    pub fn assert_settled(&self) {
        for receipt in &self.receipts {
            assert!(
                self.end_of(*receipt).is_some(),
                "{receipt:?} is not resolved"
            );
        }
        let all: usize = self.ends.values().map(Vec::len).sum();
        assert_eq!(all, self.receipts.len(), "nothing else is resolved");
        assert_eq!(self.machine.buffer_used(), 0, "memory is returned");
    }

    /// How often this flush was reported done.
    pub fn flushed(&self, flush: FlushId) -> usize {
        let is_it = |event: &&Event| matches!(event, Event::Flushed(id) if *id == flush);
        self.events.iter().filter(is_it).count()
    }

    // The loop.

    /// Does what the machine asks, until it asks for nothing more.
    pub fn run(&mut self) {
        loop {
            while let Some(event) = self.machine.poll_event() {
                self.on_event(event);
            }
            let Some(action) = self.machine.poll_action() else {
                return;
            };
            match action {
                Action::Connect {
                    connection,
                    host,
                    attempt,
                    ..
                } => {
                    self.on_connect(connection, &host, attempt);
                }
                Action::Disconnect { connection } => {
                    self.links.remove(&connection);
                    self.requests.retain(|seen| seen.connection != connection);
                    let reason = DisconnectReason::Asked;
                    self.machine
                        .handle_disconnected(self.now, connection, reason);
                }
                Action::Transmit { connection } => self.transmit(connection),
                Action::Compress(job) if self.holds_jobs => self.jobs.push(job),
                Action::Compress(job) => {
                    let done = job.run(&mut Compressor::new());
                    self.machine.handle_compressed(self.now, done);
                }
                other => panic!("an action that the bench does not know: {other:?}"),
            }
        }
    }

    fn on_event(&mut self, event: Event) {
        match &event {
            Event::Completed {
                group,
                records,
                result,
                ..
            } => {
                for index in records.clone() {
                    let place = i64::from(index - records.start);
                    let result = match result {
                        Ok(written) => Ok(Written {
                            base_offset: written.base_offset.map(|base| base + place),
                            ..*written
                        }),
                        Err(failed) => Err(failed.clone()),
                    };
                    self.ends.entry((*group, index)).or_default().push(result);
                }
                // A slot may be used again from now on: the generation tells them apart.
            }
            Event::Notice(notice) => self.notices.push(notice.clone()),
            _ => {}
        }
        self.events.push(event);
    }

    fn on_connect(&mut self, connection: ConnectionId, host: &str, attempt: u32) {
        let broker: i32 = host
            .trim_start_matches('b')
            .parse()
            .expect("hosts are b0, b1 …");
        self.connects.push((self.now, broker, attempt));
        let is_nameless = self.nameless.contains(&broker);
        if is_nameless || self.down.contains(&broker) {
            let reason = if is_nameless {
                DisconnectReason::Resolve("no such host".into())
            } else {
                DisconnectReason::Failed("connection refused".into())
            };
            self.machine
                .handle_disconnected(self.now, connection, reason);
            return;
        }
        self.links.insert(
            connection,
            Link {
                broker,
                inbound: Vec::new(),
            },
        );
        if self.answers_handshake && !self.hanging.contains(&broker) {
            self.machine.handle_connected(self.now, connection);
        }
    }

    fn transmit(&mut self, connection: ConnectionId) {
        let mut frame = Unsealed::new();
        while self.machine.poll_transmit(self.now, connection, &mut frame) {
            let bytes: Vec<u8> = frame.seal().chunks().flatten().copied().collect();
            frame.clear();
            self.wire.extend_from_slice(&bytes);
            if self.links.contains_key(&connection) {
                self.on_request(connection, &bytes[4..]);
            }
            if self.stops_asking {
                return;
            }
        }
    }

    fn on_request(&mut self, connection: ConnectionId, frame: &[u8]) {
        let (header, body) = RequestHeader::decode(frame).expect("a header of ours");
        let version = header.version;
        let correlation_id = header.correlation_id;
        let mut out = Vec::new();
        match ApiKey::from_value(header.api) {
            Some(ApiKey::ApiVersions) if self.is_starting(connection) => return,
            Some(ApiKey::ApiVersions) if self.answers_handshake => {
                let request = ApiVersionsRequest::decode(version.min(5), body);
                let response = self.introduced(connection, version, request.unwrap_or_default());
                let is_known = version <= self.api_versions;
                encode_response(
                    ApiKey::ApiVersions,
                    if is_known { version } else { 0 },
                    correlation_id,
                    &response,
                    &mut out,
                )
            }
            Some(ApiKey::Metadata) => {
                let request = MetadataRequest::decode(version, body).expect("a request of ours");
                self.metadata_requests.push((self.now, request.clone()));
                if !self.answers_metadata {
                    return;
                }
                let response = self.metadata(&request);
                encode_response(
                    ApiKey::Metadata,
                    version,
                    correlation_id,
                    &response,
                    &mut out,
                )
            }
            Some(ApiKey::InitProducerId) => {
                self.init_requests.push(self.now);
                let response = self.producer_id();
                encode_response(
                    ApiKey::InitProducerId,
                    version,
                    correlation_id,
                    &response,
                    &mut out,
                )
            }
            Some(ApiKey::Produce) => {
                let request = ProduceRequest::decode(version, body).expect("a request of ours");
                let seen = self.see(connection, version, correlation_id, &request);
                self.requests.push(seen);
                return;
            }
            _ => return,
        }
        .expect("the bench's answer can be encoded");
        self.machine.handle_received(self.now, connection, &out);
    }

    fn is_starting(&self, connection: ConnectionId) -> bool {
        let broker = self.links[&connection].broker;
        self.starting.contains(&broker)
    }

    fn introduced(
        &mut self,
        connection: ConnectionId,
        version: i16,
        request: ApiVersionsRequest,
    ) -> ApiVersionsResponse {
        let broker = self.links[&connection].broker;
        let (cluster, node) = (request.cluster_id, request.node_id);
        let is_introduced = cluster.is_some();
        self.introductions.push((broker, version, cluster, node));
        let mut response = self.supported();
        if self.api_versions < version {
            response.error_code = ErrorCode::UNSUPPORTED_VERSION;
            response
                .api_keys
                .retain(|entry| entry.api_key == ApiKey::ApiVersions.value());
        } else if is_introduced && self.strangers.contains(&broker) {
            response.error_code = ErrorCode::REBOOTSTRAP_REQUIRED;
        }
        response
    }

    fn supported(&self) -> ApiVersionsResponse {
        let (min, max) = self.produce_versions;
        let range = |api: ApiKey, min_version, max_version| ApiVersion {
            api_key: api.value(),
            min_version,
            max_version,
        };
        ApiVersionsResponse {
            api_keys: vec![
                range(ApiKey::Produce, min, max),
                range(ApiKey::Metadata, 0, self.metadata_version),
                range(ApiKey::InitProducerId, 0, 4),
                range(ApiKey::ApiVersions, 0, self.api_versions),
            ],
            ..ApiVersionsResponse::default()
        }
    }

    fn metadata(&self, request: &MetadataRequest) -> MetadataResponse {
        let asked = request
            .topics
            .iter()
            .flatten()
            .filter_map(|topic| topic.name.clone());
        let topics = asked.map(|name| {
            let Some(script) = self.topics.get(&name) else {
                return MetadataResponseTopic {
                    error_code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                    name: Some(name),
                    ..MetadataResponseTopic::default()
                };
            };
            let partitions =
                script
                    .partitions
                    .iter()
                    .enumerate()
                    .map(|(index, &(leader, epoch))| MetadataResponsePartition {
                        error_code: if leader < 0 {
                            ErrorCode::LEADER_NOT_AVAILABLE
                        } else {
                            ErrorCode::NONE
                        },
                        partition_index: index as i32,
                        leader_id: leader,
                        leader_epoch: epoch,
                        ..MetadataResponsePartition::default()
                    });
            MetadataResponseTopic {
                error_code: script.error,
                name: Some(name),
                topic_id: script.id,
                partitions: partitions.collect(),
                ..MetadataResponseTopic::default()
            }
        });
        MetadataResponse {
            brokers: self
                .brokers
                .iter()
                .map(|&id| MetadataResponseBroker {
                    node_id: id,
                    host: format!("b{}", self.moved.get(&id).unwrap_or(&id)),
                    port: 9092,
                    rack: self.racks.get(&id).cloned(),
                })
                .collect(),
            topics: topics.collect(),
            cluster_id: self.cluster_id.clone(),
            error_code: self.metadata_error,
            ..MetadataResponse::default()
        }
    }

    fn producer_id(&mut self) -> InitProducerIdResponse {
        let (error_code, producer_id, producer_epoch) =
            self.init_producer_id.pop_front().unwrap_or_else(|| {
                let id = self.next_producer_id;
                self.next_producer_id += 1;
                (ErrorCode::NONE, id, 0)
            });
        InitProducerIdResponse {
            error_code,
            producer_id,
            producer_epoch,
            ..InitProducerIdResponse::default()
        }
    }

    fn see(
        &self,
        connection: ConnectionId,
        version: i16,
        correlation_id: i32,
        request: &ProduceRequest,
    ) -> Seen {
        let mut batches = Vec::new();
        for topic in &request.topic_data {
            let name = if version < 13 {
                topic.name.clone()
            } else {
                let found = self
                    .topics
                    .iter()
                    .find(|(_, script)| script.id == topic.topic_id);
                found.expect("a topic id of ours").0.clone()
            };
            for partition in &topic.partition_data {
                let bytes = partition.records.as_deref().expect("records");
                batches.push(see_batch(&name, partition.index as u32, bytes));
            }
        }
        Seen {
            connection,
            broker: self.links[&connection].broker,
            version,
            correlation_id,
            acks: request.acks,
            at: self.now,
            batches,
        }
    }
}

fn see_batch(topic: &str, partition: u32, bytes: &[u8]) -> SeenBatch {
    kafka_producer_proto::batch::verify_crc(bytes).expect("the checksum is right");
    let (header, records, rest) = BatchHeader::parse(bytes).expect("a batch of ours");
    assert!(rest.is_empty(), "exactly one batch");
    let codec = header.attributes.codec().expect("a codec of ours");
    let mut plain = Vec::new();
    let section = if codec == kafka_producer_machine::Codec::None {
        records
    } else {
        kafka_producer_proto::compression::decompress(codec, records, 1 << 30, &mut plain)
            .expect("what we compressed");
        &plain
    };
    let values: Vec<String> = RecordIter::new(section, header.base_timestamp)
        .map(|record| {
            let value = record.expect("a record of ours").value.unwrap_or(b"null");
            String::from_utf8_lossy(value).into_owned()
        })
        .collect();
    assert_eq!(values.len() as i32, header.count, "the count is right");
    SeenBatch {
        topic: topic.into(),
        partition,
        producer_id: header.producer_id,
        epoch: header.producer_epoch,
        sequence: header.base_sequence,
        values,
        bytes: bytes.to_vec(),
    }
}

/// A partition's answer with this code and nothing else.
pub fn answer(code: ErrorCode) -> PartitionProduceResponse {
    PartitionProduceResponse {
        error_code: code,
        base_offset: -1,
        log_append_time_ms: -1,
        log_start_offset: 0,
        ..PartitionProduceResponse::default()
    }
}

/// The batch was written, from this offset on.
pub fn written(offset: i64) -> PartitionProduceResponse {
    PartitionProduceResponse {
        base_offset: offset,
        ..answer(ErrorCode::NONE)
    }
}

impl SeenBatch {
    /// Producer id, epoch and base sequence.
    pub const fn identity(&self) -> (i64, i16, i32) {
        (self.producer_id, self.epoch, self.sequence)
    }
}

impl Seen {
    /// The only batch of the request.
    pub fn batch(&self) -> &SeenBatch {
        assert_eq!(self.batches.len(), 1, "one batch: {:#?}", self.batches);
        &self.batches[0]
    }

    /// The identity of the only batch.
    pub fn identity(&self) -> (i64, i16, i32) {
        self.batch().identity()
    }
}

impl Bench {
    /// One record to `t` that leaves without lingering.
    pub fn produce(&mut self, partition: u32, value: &str) -> Receipt {
        let receipt = self.send_to("t", partition, value);
        self.flush();
        receipt
    }

    /// As `established`, for both partitions of `t`.
    pub fn established_both(properties: &[(&str, &str)]) -> Self {
        let mut bench = Self::established(properties);
        bench.produce(1, "first");
        bench.acknowledge_all();
        bench.events.clear();
        bench
    }

    /// Lets time pass, a millisecond at a time, until a Produce request comes.
    pub fn await_request(&mut self) -> Seen {
        for _ in 0..100_000 {
            if !self.requests.is_empty() {
                return self.take_request();
            }
            self.advance_ms(1);
        }
        panic!("no request within 100 seconds");
    }

    /// Answers a request: written, from this offset on.
    pub fn acknowledge_at(&mut self, seen: &Seen, offset: i64) {
        self.answer_with(seen, |_| written(offset));
    }

    /// The offset that a record was acknowledged with.
    pub fn offset_of(&self, receipt: Receipt) -> Option<i64> {
        match self.end_of(receipt) {
            Some(Ok(written)) => written.base_offset,
            other => panic!("an acknowledgement is expected, {other:?} came"),
        }
    }

    /// The identities that the producer changed to, in order.
    pub fn bumps(&self) -> Vec<(i64, i16)> {
        let bumped = |notice: &Notice| match *notice {
            Notice::EpochBumped {
                producer_id,
                producer_epoch,
            } => Some((producer_id, producer_epoch)),
            _ => None,
        };
        self.notices.iter().filter_map(bumped).collect()
    }

    /// How often the machine suspected a loss.
    pub fn suspected_losses(&self) -> usize {
        let is_loss = |notice: &&Notice| matches!(notice, Notice::DataLossSuspected { .. });
        self.notices.iter().filter(is_loss).count()
    }

    /// Why connections ended, in order.
    pub fn disconnects(&self) -> Vec<DisconnectReason> {
        let reason = |notice: &Notice| match notice {
            Notice::Disconnected { reason, .. } => Some(reason.clone()),
            _ => None,
        };
        self.notices.iter().filter_map(reason).collect()
    }
}

/// The acknowledgement of a request, for handing it in; for versions that name topics.
pub fn acknowledgement(seen: &Seen) -> ProduceResponse {
    let responses = seen.batches.iter().map(|batch| TopicProduceResponse {
        name: batch.topic.clone(),
        topic_id: Uuid::ZERO,
        partition_responses: vec![PartitionProduceResponse {
            index: batch.partition as i32,
            base_offset: i64::from(batch.sequence.max(0)),
            ..answer(ErrorCode::NONE)
        }],
    });
    ProduceResponse {
        responses: responses.collect(),
        ..ProduceResponse::default()
    }
}

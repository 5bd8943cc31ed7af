//! Peers that answer as they please, byte for byte, and the account of what came of it.
#![allow(
    clippy::panic,
    dead_code,
    unreachable_pub,
    reason = "each test file uses a part of it"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use kafka_producer_machine::{
    Action, Compressor, Config, ConnectionId, DisconnectReason, Event, Failed, GroupId, Instant,
    Notice, ProducerMachine, Receipt, Record, Seed, Unsealed, Written,
};
use kafka_producer_proto::messages::MetadataResponse;
use kafka_producer_proto::messages::metadata::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_producer_proto::{ErrorCode, Message, Uuid, encode_response};

use crate::chaos::answers::{Asked, Flavor};

/// What a peer does with a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Sends these bytes, whatever they are.
    Bytes(Vec<u8>),
    /// Hangs up.
    HangUp,
    /// Answers as it should.
    Proper,
    Silence,
}

/// How a record ended, and when.
pub struct End {
    pub at: Instant,
    pub result: Result<Written, std::sync::Arc<Failed>>,
}

type Script = Box<dyn FnMut(i32, &Asked) -> Reply>;

/// A machine with two brokers, 0 and 1; topics `t0` to `t2` have a partition on each.
pub struct Peers {
    pub machine: ProducerMachine,
    pub now: Instant,
    pub notices: Vec<Notice>,
    pub ends: BTreeMap<(GroupId, u32), End>,
    pub accepted: Vec<(Receipt, Instant)>,
    pub links: BTreeMap<ConnectionId, i32>,
    script: Script,
}

/// Short deadlines, so that a test sees them.
const SETTINGS: [(&str, &str); 5] = [
    ("bootstrap.servers", "b0:9092"),
    ("linger.ms", "0"),
    ("delivery.timeout.ms", "6000"),
    ("request.timeout.ms", "2000"),
    ("max.block.ms", "6000"),
];

/// No record may take longer.
pub const PATIENCE: Duration = Duration::from_millis(6000);

impl Peers {
    pub fn new(
        settings: &[(&str, &str)],
        script: impl FnMut(i32, &Asked) -> Reply + 'static,
    ) -> Self {
        let all = SETTINGS.iter().chain(settings).copied();
        let config = Config::from_properties(all).expect("the test's settings are valid");
        let now = Instant::from_millis(1_000_000);
        Self {
            machine: ProducerMachine::new(now, config, Seed::new(3)),
            now,
            notices: Vec::new(),
            ends: BTreeMap::new(),
            accepted: Vec::new(),
            links: BTreeMap::new(),
            script: Box::new(script),
        }
    }

    pub fn send(&mut self, topic: &str, partition: u32) -> Receipt {
        let record = Record::to(topic).partition(partition).value("v");
        let record = record.timestamp(1_000);
        let receipt = self.machine.send(self.now, &record).expect("there is room");
        self.accepted.push((receipt, self.now));
        self.run();
        receipt
    }

    /// As `send`, and the machine chooses the partition.
    pub fn send_anywhere(&mut self, topic: &str) {
        let record = Record::to(topic).value("v").timestamp(1_000);
        let receipt = self.machine.send(self.now, &record).expect("there is room");
        self.accepted.push((receipt, self.now));
        self.run();
    }

    pub fn receive(&mut self, id: ConnectionId, bytes: &[u8]) {
        self.machine.handle_received(self.now, id, bytes);
        self.run();
    }

    /// Lets time pass as the machine asks for it.
    pub fn advance(&mut self, span: Duration) {
        let end = self.now + span;
        let mut steps = 0;
        while let Some(at) = self.machine.poll_timeout().filter(|&at| at <= end) {
            self.now = self.now.max(at);
            self.machine.handle_timeout(self.now);
            self.run();
            steps += 1;
            assert!(steps < 20_000, "the machine is busy with nothing");
        }
        self.now = end;
        self.machine.handle_timeout(end);
        self.run();
    }

    /// Does what the machine asks, until it asks for nothing more.
    pub fn run(&mut self) {
        for _ in 0..100_000 {
            while let Some(event) = self.machine.poll_event() {
                self.on_event(event);
            }
            let Some(action) = self.machine.poll_action() else {
                return;
            };
            self.act(action);
        }
        panic!("the machine never comes to rest");
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Compress(job) => {
                let done = job.run(&mut Compressor::new());
                self.machine.handle_compressed(self.now, done);
            }
            Action::Connect {
                connection, host, ..
            } => match host.strip_prefix('b').and_then(|id| id.parse().ok()) {
                Some(broker @ 0..=1) => {
                    self.links.insert(connection, broker);
                    self.machine.handle_connected(self.now, connection);
                }
                _ => {
                    let reason = DisconnectReason::Resolve("no such host".into());
                    self.machine
                        .handle_disconnected(self.now, connection, reason);
                }
            },
            Action::Disconnect { connection } => self.hang_up(connection),
            Action::Transmit { connection } => self.transmit(connection),
            other => panic!("an action that the peers do not know: {other:?}"),
        }
    }

    fn hang_up(&mut self, connection: ConnectionId) {
        if self.links.remove(&connection).is_some() {
            let reason = DisconnectReason::Closed;
            self.machine
                .handle_disconnected(self.now, connection, reason);
        }
    }

    fn transmit(&mut self, connection: ConnectionId) {
        let mut frame = Unsealed::new();
        while self.machine.poll_transmit(self.now, connection, &mut frame) {
            let bytes: Vec<u8> = frame.seal().chunks().flatten().copied().collect();
            frame.clear();
            let asked = Asked::read(&bytes);
            let Some(&broker) = self.links.get(&connection) else {
                continue;
            };
            match (self.script)(broker, &asked) {
                Reply::Bytes(bytes) => {
                    self.machine.handle_received(self.now, connection, &bytes);
                }
                Reply::HangUp => self.hang_up(connection),
                Reply::Proper if asked.wants_answer() => {
                    let bytes = asked.answer(&Flavor::Good);
                    self.machine.handle_received(self.now, connection, &bytes);
                }
                Reply::Proper | Reply::Silence => {}
            }
        }
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Completed {
                group,
                records,
                result,
                ..
            } => {
                for index in records {
                    let end = End {
                        at: self.now,
                        result: result.clone(),
                    };
                    let before = self.ends.insert((group, index), end);
                    assert!(before.is_none(), "a receipt is resolved once");
                }
            }
            Event::Notice(notice) => self.notices.push(notice),
            _ => {}
        }
    }

    pub fn end_of(&self, receipt: Receipt) -> &End {
        let end = self.ends.get(&(receipt.group, receipt.index));
        end.expect("every record ends")
    }

    /// Every record is resolved in time, and nothing is kept once its request has ended too.
    pub fn account(&mut self) {
        self.advance(Duration::from_secs(3));
        for (receipt, at) in &self.accepted {
            let took = self.end_of(*receipt).at.since(*at);
            assert!(took <= PATIENCE, "{receipt:?} took {took:?}");
        }
        assert_eq!(self.ends.len(), self.accepted.len());
        assert_eq!(self.machine.buffer_used(), 0, "memory is returned");
    }

    /// Why connections ended, each reason once.
    pub fn reasons(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        for notice in &self.notices {
            if let Notice::Disconnected { reason, .. } = notice {
                let text = format!("{reason:?}");
                if !reasons.contains(&text) {
                    reasons.push(text);
                }
            }
        }
        reasons
    }
}

/// The metadata that the brokers should give, to be spoiled.
pub fn metadata(asked: &Asked) -> MetadataResponse {
    let frame = asked.answer(&Flavor::Good);
    let tags = usize::from(9 <= asked.header.version);
    MetadataResponse::decode(asked.header.version, &frame[8 + tags..]).expect("an answer of ours")
}

/// A broker of the metadata.
pub fn broker(node_id: i32, host: &str, port: i32) -> MetadataResponseBroker {
    MetadataResponseBroker {
        node_id,
        host: host.into(),
        port,
        ..MetadataResponseBroker::default()
    }
}

/// A topic of the metadata with these (index, leader, leader epoch).
pub fn topic(name: &str, partitions: &[(i32, i32, i32)]) -> MetadataResponseTopic {
    MetadataResponseTopic {
        error_code: ErrorCode::NONE,
        name: Some(name.into()),
        topic_id: Uuid::from_bytes([9; 16]),
        partitions: partitions
            .iter()
            .map(
                |&(partition_index, leader_id, leader_epoch)| MetadataResponsePartition {
                    partition_index,
                    leader_id,
                    leader_epoch,
                    ..MetadataResponsePartition::default()
                },
            )
            .collect(),
        ..MetadataResponseTopic::default()
    }
}

/// The frame of an answer.
pub fn frame(asked: &Asked, response: &impl Message) -> Reply {
    let mut out = Vec::new();
    let header = &asked.header;
    encode_response(
        asked.api(),
        header.version,
        header.correlation_id,
        response,
        &mut out,
    )
    .expect("the answer can be encoded");
    Reply::Bytes(out)
}

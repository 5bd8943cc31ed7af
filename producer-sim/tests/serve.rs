//! The cluster on real sockets, asked by hand-made frames.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use bytes::Bytes;
use kafka_producer_proto::batch::{BatchHeader, HEADER_LEN, OpenBatch, RecordBody, seal};
use kafka_producer_proto::messages::fetch::{FetchPartition, FetchTopic};
use kafka_producer_proto::messages::metadata::MetadataRequestTopic;
use kafka_producer_proto::messages::produce::{PartitionProduceData, TopicProduceData};
use kafka_producer_proto::messages::{
    ApiVersionsRequest, FetchRequest, MetadataRequest, ProduceRequest,
};
use kafka_producer_proto::{ErrorCode, Message, Request, ResponseHeader, encode_request};
use kafka_producer_sim::serve::{Server, ServerConfig};

fn server(brokers: u32) -> Server {
    let mut config = ServerConfig::default();
    config.brokers = brokers;
    config.topics = vec![("orders".into(), 2)];
    Server::start(config).unwrap()
}

/// A client that knows nothing but frames.
struct Client {
    stream: TcpStream,
}

impl Client {
    fn connect(server: &Server, broker: i32) -> Self {
        let stream = TcpStream::connect(server.address(broker).unwrap()).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        Self { stream }
    }

    fn send<R: Request>(&mut self, version: i16, request: &R) {
        let mut frame = Vec::new();
        encode_request(Some("test"), 1, version, request, &mut frame).unwrap();
        self.stream.write_all(&frame).unwrap();
    }

    fn receive<R: Request>(&mut self, version: i16) -> R::Response {
        let mut size = [0; 4];
        self.stream.read_exact(&mut size).unwrap();
        let mut frame = vec![0; i32::from_be_bytes(size) as usize];
        self.stream.read_exact(&mut frame).unwrap();
        let (_, body) = ResponseHeader::decode(R::API, version, &frame).unwrap();
        R::Response::decode(version, body).unwrap()
    }

    fn ask<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        self.send(version, request);
        self.receive::<R>(version)
    }

    /// Whether the broker has closed the connection.
    fn is_closed(&mut self) -> bool {
        match self.stream.read(&mut [0; 1]) {
            Ok(read) => read == 0,
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
        }
    }
}

fn produce(partition: i32, values: &[&str]) -> ProduceRequest {
    let mut open = OpenBatch::new(Vec::new());
    for value in values {
        let value = Some(value.as_bytes());
        open.append(&RecordBody {
            timestamp: 1,
            key: None,
            value,
            headers: &[],
        });
    }
    let closed = open.close();
    let header: BatchHeader = closed.header();
    let mut head = [0; HEADER_LEN];
    header.write_unchecked_crc(closed.records.len(), &mut head);
    seal(&mut head, &closed.records);
    let records = Some(Bytes::from([&head[..], &closed.records].concat()));
    let partition_data = vec![PartitionProduceData {
        index: partition,
        records,
    }];
    let topic = TopicProduceData {
        name: "orders".into(),
        partition_data,
        ..Default::default()
    };
    ProduceRequest {
        acks: -1,
        timeout_ms: 1000,
        topic_data: vec![topic],
        ..Default::default()
    }
}

fn fetch(max_wait_ms: i32) -> FetchRequest {
    let partitions = vec![FetchPartition {
        partition_max_bytes: 1000,
        ..Default::default()
    }];
    let topic = FetchTopic {
        topic: "orders".into(),
        partitions,
        ..Default::default()
    };
    FetchRequest {
        max_wait_ms,
        min_bytes: 1,
        topics: vec![topic],
        ..Default::default()
    }
}

#[test]
fn records_land_and_are_found() {
    let server = server(2);
    let mut client = Client::connect(&server, 0);
    let versions = client.ask(0, &ApiVersionsRequest::default());
    assert!(!versions.api_keys.is_empty());
    let topic = MetadataRequestTopic {
        name: Some("orders".into()),
        ..Default::default()
    };
    let metadata = client.ask(
        9,
        &MetadataRequest {
            topics: Some(vec![topic]),
            ..Default::default()
        },
    );
    assert_eq!(metadata.brokers.len(), 2);
    let address = server.address(1).unwrap();
    assert_eq!(metadata.brokers[1].port, i32::from(address.port()));
    let answer = client.ask(9, &produce(0, &["a", "b"]));
    assert_eq!(
        answer.responses[0].partition_responses[0].error_code,
        ErrorCode::NONE
    );
    let values: Vec<_> = server
        .records("orders", 0)
        .into_iter()
        .map(|found| found.value.unwrap())
        .collect();
    assert_eq!(values, [b"a", b"b"]);
    assert_eq!(server.end_offset("orders", 0), Some(2));
    assert_eq!(server.counts("orders")[0].written, 2);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = server(1);
    let mut client = Client::connect(&server, 0);
    for _ in 0..10 {
        client.send(9, &produce(0, &["a"]));
    }
    for offset in 0..10 {
        let answer = client.receive::<ProduceRequest>(9);
        assert_eq!(
            answer.responses[0].partition_responses[0].base_offset,
            offset
        );
    }
}

#[test]
fn a_reader_waits_for_what_is_written() {
    let server = server(1);
    let mut reader = Client::connect(&server, 0);
    reader.send(12, &fetch(20_000));
    Client::connect(&server, 0).ask(9, &produce(0, &["a"]));
    let answer = reader.receive::<FetchRequest>(12);
    let records = answer.responses[0].partitions[0].records.clone().unwrap();
    assert!(!records.is_empty());
}

#[test]
fn a_reader_is_answered_when_its_patience_ends() {
    let server = server(1);
    let answer = Client::connect(&server, 0).ask(12, &fetch(20));
    assert!(
        answer.responses[0].partitions[0]
            .records
            .as_ref()
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_stopped_broker_cuts_and_refuses_and_comes_back_at_the_same_address() {
    let server = server(2);
    let mut client = Client::connect(&server, 0);
    client.ask(9, &produce(0, &["a"]));
    server.stop_broker(0);
    assert!(client.is_closed());
    let address = server.address(0).unwrap();
    assert_eq!(
        TcpStream::connect(address).unwrap_err().kind(),
        ErrorKind::ConnectionRefused
    );
    let moved = Client::connect(&server, 1).ask(9, &produce(0, &["b"]));
    assert_eq!(moved.responses[0].partition_responses[0].base_offset, 1);
    server.start_broker(0).unwrap();
    let mut again = Client::connect(&server, 0);
    let refused = again.ask(10, &produce(0, &["c"]));
    let refused = &refused.responses[0].partition_responses[0];
    assert_eq!(refused.error_code, ErrorCode::NOT_LEADER_OR_FOLLOWER);
    assert_eq!(refused.current_leader.leader_id, 1);
}

#[test]
fn a_paused_broker_answers_when_it_goes_on() {
    let server = server(1);
    let mut client = Client::connect(&server, 0);
    server.pause_broker(0);
    client.send(9, &produce(0, &["a"]));
    let short = Duration::from_millis(50);
    assert!(!server.wait_until(short, |cluster| cluster.end_offset("orders", 0) == Some(1)));
    server.resume_broker(0);
    client.receive::<ProduceRequest>(9);
    assert_eq!(server.end_offset("orders", 0), Some(1));
}

#[test]
fn a_throttled_connection_is_not_read() {
    let server = server(1);
    server.with_cluster(|cluster| cluster.throttle_next(60_000));
    let mut client = Client::connect(&server, 0);
    assert_eq!(client.ask(9, &produce(0, &["a"])).throttle_time_ms, 60_000);
    client.send(9, &produce(0, &["b"]));
    let short = Duration::from_millis(50);
    assert!(!server.wait_until(short, |cluster| cluster.end_offset("orders", 0) == Some(2)));
    // And the pause does not outlive the server.
    server.shutdown();
    assert!(client.is_closed());
}

#[test]
fn what_is_no_request_closes_the_connection() {
    let server = server(1);
    for bytes in [
        &[0, 0, 0, 0][..],
        &[0xff; 8],
        &[0x7f, 0xff, 0xff, 0xff],
        b"GET / HTTP/1.1\r\n",
    ] {
        let mut client = Client::connect(&server, 0);
        client.stream.write_all(bytes).unwrap();
        assert!(client.is_closed(), "{bytes:?}");
    }
}

#[test]
fn connections_can_be_cut_at_will() {
    let server = server(1);
    let mut client = Client::connect(&server, 0);
    client.ask(9, &produce(0, &["a"]));
    server.cut_connections();
    assert!(client.is_closed());
}

#[test]
fn a_taken_port_is_an_error_that_names_it() {
    let first = server(1);
    let port = first.address(0).unwrap().port();
    let mut config = ServerConfig::default();
    config.port = port;
    let error = Server::start(config).unwrap_err().to_string();
    assert!(error.contains(&format!("127.0.0.1:{port}")), "{error}");
}

#[test]
fn a_broker_that_is_not_there_cannot_be_stopped_or_paused() {
    let refused = |act: fn(&Server)| -> String {
        let server = server(2);
        let ended = catch_unwind(AssertUnwindSafe(|| act(&server)));
        *ended.unwrap_err().downcast().unwrap()
    };
    let expected = "expected a broker below 2, came 9";
    assert_eq!(refused(|server| server.stop_broker(9)), expected);
    assert_eq!(refused(|server| server.pause_broker(9)), expected);
    assert_eq!(refused(|server| server.resume_broker(9)), expected);
    assert_eq!(server(2).start_broker(9).unwrap_err().to_string(), expected);
}

#[test]
fn topics_that_kafka_would_not_create_are_refused() {
    let refused = |topics: &[(&str, u32)]| {
        let mut config = ServerConfig::default();
        config.topics = topics.iter().map(|&(name, n)| (name.into(), n)).collect();
        let error = Server::start(config).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        error.to_string()
    };
    assert!(refused(&[("bad topic", 1)]).contains("is no name of a topic"));
    assert_eq!(
        refused(&[("orders", 0)]),
        "expected a partition of topic orders, came none"
    );
    assert_eq!(
        refused(&[("orders", 1), ("orders", 2)]),
        "topic orders came twice: name each topic once"
    );
}

#[test]
fn a_cluster_without_brokers_is_refused() {
    let mut config = ServerConfig::default();
    config.brokers = 0;
    let error = Server::start(config).unwrap_err();
    assert_eq!(error.to_string(), "expected at least 1 broker, came 0");
}

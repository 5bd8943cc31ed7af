//! What the tests of the cluster share: batches, requests, and a cluster to send them to.

use bytes::Bytes;
use kafka_producer_proto::batch::{BatchHeader, HEADER_LEN, OpenBatch, RecordBody, seal};
use kafka_producer_proto::compression::{Codec, Compressor};
use kafka_producer_proto::messages::produce::{
    PartitionProduceData, PartitionProduceResponse, ProduceRequest, ProduceResponse,
    TopicProduceData,
};
use kafka_producer_proto::{ErrorCode, Message, Request, ResponseHeader, encode_request};

use super::{Cluster, Step, Then};

/// The wall clock of the tests, in milliseconds.
pub(crate) const NOW: i64 = 1_700_000_000_000;

/// A sound batch of `count` records without a producer id.
pub(crate) fn batch(count: usize) -> Vec<u8> {
    keyed_batch(count, None)
}

/// A sound batch of `count` records with this key.
pub(crate) fn keyed_batch(count: usize, key: Option<&[u8]>) -> Vec<u8> {
    let mut open = OpenBatch::new(Vec::new());
    for _ in 0..count {
        open.append(&RecordBody {
            timestamp: NOW,
            key,
            value: Some(b"value"),
            headers: &[],
        });
    }
    let closed = open.close();
    let header = BatchHeader {
        crc: 0,
        ..closed.header()
    };
    put_together(&header, &closed.records)
}

/// A sound batch of producer 7.
pub(crate) fn idempotent(epoch: i16, base_sequence: i32, count: usize) -> Vec<u8> {
    resealed(batch(count), |header| {
        header.producer_id = 7;
        header.producer_epoch = epoch;
        header.base_sequence = base_sequence;
    })
}

/// A sound batch, compressed.
pub(crate) fn compressed(codec: Codec, count: usize) -> Vec<u8> {
    let plain = batch(count);
    let (header, records, _) = BatchHeader::parse(&plain).unwrap();
    let mut out = Vec::new();
    Compressor::new()
        .compress(codec, codec.default_level(), records, &mut out)
        .unwrap();
    let attributes = header.attributes.with_codec(codec);
    put_together(
        &BatchHeader {
            attributes,
            ..header
        },
        &out,
    )
}

/// The batch with one byte set.
pub(crate) fn corrupt(mut batch: Vec<u8>, at: usize, byte: u8) -> Vec<u8> {
    batch[at] = byte;
    batch
}

/// The batch with another header and the checksum of that.
pub(crate) fn resealed(batch: Vec<u8>, change: impl Fn(&mut BatchHeader)) -> Vec<u8> {
    let (mut header, records, _) = BatchHeader::parse(&batch).unwrap();
    change(&mut header);
    put_together(&header, records)
}

fn put_together(header: &BatchHeader, records: &[u8]) -> Vec<u8> {
    let mut head = [0; HEADER_LEN];
    header.write_unchecked_crc(records.len(), &mut head);
    seal(&mut head, records);
    [&head[..], records].concat()
}

/// A cluster of two brokers with the topic "orders" of two partitions, led by 0 and 1.
pub(crate) fn cluster() -> Cluster {
    let mut cluster = Cluster::new(1);
    cluster.advance(NOW);
    cluster.add_broker(0, "b0", 9092);
    cluster.add_broker(1, "b1", 9092);
    cluster.create_topic("orders", 2);
    cluster
}

/// A Produce request with one batch for "orders".
pub(crate) fn produce_to(partition: i32, acks: i16, batch: Vec<u8>) -> ProduceRequest {
    let records = Some(Bytes::from(batch));
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
        acks,
        timeout_ms: 1000,
        topic_data: vec![topic],
        ..Default::default()
    }
}

/// What the frame of a request is without its size.
pub(crate) fn frame<R: Request>(version: i16, request: &R) -> Vec<u8> {
    let mut out = Vec::new();
    encode_request(Some("test"), 42, version, request, &mut out).unwrap();
    out.split_off(4)
}

/// Reads an answer.
pub(crate) fn answer_of<R: Request>(version: i16, frame: &[u8]) -> R::Response {
    let size = i32::from_be_bytes(*frame.first_chunk().unwrap());
    assert_eq!(
        usize::try_from(size).unwrap() + 4,
        frame.len(),
        "the size of the answer"
    );
    let (header, body) = ResponseHeader::decode(R::API, version, &frame[4..]).unwrap();
    assert_eq!(header.correlation_id, 42);
    R::Response::decode(version, body).unwrap()
}

/// Sends a request to a broker, which answers at once.
pub(crate) fn ask<R: Request>(
    cluster: &mut Cluster,
    broker: i32,
    version: i16,
    request: &R,
) -> R::Response {
    let Step::Done(reply) = cluster.handle(NOW, broker.into(), &frame(version, request)) else {
        panic!("the answer comes later");
    };
    assert_eq!(reply.then, Then::Read);
    answer_of::<R>(version, &reply.frame.expect("an answer"))
}

/// Produces one batch; the answer for its partition.
pub(crate) fn produce(
    cluster: &mut Cluster,
    broker: i32,
    partition: i32,
    batch: Vec<u8>,
) -> PartitionProduceResponse {
    let response = ask(cluster, broker, 11, &produce_to(partition, -1, batch));
    only(response)
}

/// The only partition of an answer.
pub(crate) fn only(response: ProduceResponse) -> PartitionProduceResponse {
    let [topic] = <[_; 1]>::try_from(response.responses).unwrap();
    let [partition] = <[_; 1]>::try_from(topic.partition_responses).unwrap();
    partition
}

/// Produces one batch; error and offset.
pub(crate) fn outcome(
    cluster: &mut Cluster,
    broker: i32,
    partition: i32,
    batch: Vec<u8>,
) -> (ErrorCode, i64) {
    let answer = produce(cluster, broker, partition, batch);
    (answer.error_code, answer.base_offset)
}

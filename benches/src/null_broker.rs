//! A broker that says yes and throws everything away: it measures the client.
//!
//! Other clients than ours are measured with it too, so it offers what they insist on: librdkafka
//! writes batches of today's format only to brokers that know Produce 3 and Fetch 4.

use std::io::{self, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use kafka_producer_machine::Frame;
use kafka_producer_proto::messages::api_versions::ApiVersion;
use kafka_producer_proto::messages::metadata::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_producer_proto::messages::{
    ApiVersionsResponse, InitProducerIdResponse, MetadataResponse,
};
use kafka_producer_proto::{ApiKey, ErrorCode, Message, RequestHeader, encode_response};

use crate::load::{PARTITIONS, TOPIC};

/// The version of Produce that everybody speaks: by name, flexible.
const PRODUCE: i16 = 9;

/// What was thrown away: how full batches and requests were says whether clients were compared
/// under the same conditions.
static REQUESTS: AtomicU64 = AtomicU64::new(0);
static BATCHES: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

/// Serves on a free port of loopback, which it prints, until stdin ends; then it prints what came.
pub(crate) fn run() -> Result<(), String> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(|error| error.to_string())?;
    let port = listener
        .local_addr()
        .map_err(|error| error.to_string())?
        .port();
    println!("127.0.0.1:{port}");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || serve(stream, port));
        }
    });
    io::copy(&mut io::stdin(), &mut io::sink()).map_err(|error| error.to_string())?;
    let [requests, batches, bytes] =
        [&REQUESTS, &BATCHES, &BYTES].map(|count| count.load(Ordering::Relaxed));
    println!("discarded requests={requests} batches={batches} bytes={bytes}");
    Ok(())
}

fn serve(stream: TcpStream, port: u16) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut out = stream.try_clone()?;
    let mut reader = BufReader::with_capacity(1 << 20, stream);
    let mut frame = Vec::new();
    let mut answer = Vec::new();
    loop {
        let mut size = [0; 4];
        reader.read_exact(&mut size)?;
        frame.resize(u32::from_be_bytes(size) as usize, 0);
        reader.read_exact(&mut frame)?;
        answer.clear();
        answer_bytes(&frame, port, &mut answer);
        out.write_all(&answer)?;
    }
}

/// The answer to a sealed frame, without a socket between.
pub(crate) fn answer_frame(frame: Frame<'_>, answer: &mut Vec<u8>) {
    // Only the heads matter: a body is skipped by its length, which stands in the head.
    let mut chunks = frame.chunks();
    let first = chunks.next().unwrap_or_default();
    if first.get(4..6) != Some(&[0, 0]) {
        answer_bytes(first.get(4..).unwrap_or_default(), 9092, answer);
        return;
    }
    let mut partitions = [0_u32; PARTITIONS as usize];
    let mut count = 0;
    let mut head = first;
    loop {
        // The batch header is the last of its head, behind the partition and the length.
        partitions[count] = index_before_header(head);
        count += 1;
        chunks.next();
        match chunks.next() {
            Some(next) if HEADER_LEN < next.len() => head = next,
            _ => break,
        }
    }
    produce_answer(correlation_id(&first[4..]), &partitions[..count], answer);
}

const HEADER_LEN: usize = kafka_producer_proto::batch::HEADER_LEN;

fn index_before_header(head: &[u8]) -> u32 {
    let end = head.len() - HEADER_LEN;
    // A compact length of one to five bytes: only its last byte has no continuation bit.
    let mut start = end - 1;
    while head[start - 1] & 0x80 != 0 {
        start -= 1;
    }
    head[..start]
        .last_chunk()
        .map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

fn correlation_id(frame: &[u8]) -> i32 {
    frame
        .get(4..8)
        .and_then(|bytes| bytes.try_into().ok())
        .map_or(0, i32::from_be_bytes)
}

fn answer_bytes(frame: &[u8], port: u16, answer: &mut Vec<u8>) {
    let (header, _) = RequestHeader::decode(frame).expect("a request of ours");
    let id = header.correlation_id;
    let version = header.version;
    match ApiKey::from_value(header.api) {
        Some(ApiKey::Produce) => {
            assert_eq!(
                version, PRODUCE,
                "a client takes the newest version it is offered"
            );
            let partitions = walk_produce(frame);
            REQUESTS.fetch_add(1, Ordering::Relaxed);
            BATCHES.fetch_add(partitions.len() as u64, Ordering::Relaxed);
            BYTES.fetch_add(frame.len() as u64, Ordering::Relaxed);
            produce_answer(id, &partitions, answer);
        }
        Some(api @ ApiKey::ApiVersions) if API_VERSIONS < version => {
            // Whoever asks in a newer version is told in the oldest what there is (KIP-511).
            let mut refusal = versions();
            refusal.error_code = ErrorCode::UNSUPPORTED_VERSION;
            encode(api, 0, id, &refusal, answer);
        }
        Some(api @ ApiKey::ApiVersions) => encode(api, version, id, &versions(), answer),
        Some(api @ ApiKey::Metadata) => encode(api, version, id, &metadata(port), answer),
        Some(api @ ApiKey::InitProducerId) => {
            let response = InitProducerIdResponse {
                producer_id: 1,
                ..Default::default()
            };
            encode(api, version, id, &response, answer);
        }
        _ => {}
    }
}

fn encode(api: ApiKey, version: i16, id: i32, response: &impl Message, out: &mut Vec<u8>) {
    encode_response(api, version, id, response, out).expect("an answer of ours");
}

/// The partitions of a Produce request of version 9, bodies skipped.
fn walk_produce(frame: &[u8]) -> Vec<u32> {
    let client = u16::from_be_bytes([frame[8], frame[9]]) as usize;
    // Header tags, no transactional id, acks, timeout, one topic, its name.
    let mut at = 10 + client + 1 + 1 + 2 + 4 + 1;
    at += frame[at] as usize;
    let count = frame[at] - 1;
    at += 1;
    let mut partitions = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        partitions.push(u32::from_be_bytes([
            frame[at],
            frame[at + 1],
            frame[at + 2],
            frame[at + 3],
        ]));
        at += 4;
        let mut length = 0_usize;
        let mut shift = 0;
        loop {
            let byte = frame[at];
            at += 1;
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        at += length - 1 + 1;
    }
    partitions
}

fn produce_answer(correlation_id: i32, partitions: &[u32], out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&correlation_id.to_be_bytes());
    out.extend_from_slice(&[0, 2, TOPIC.len() as u8 + 1]);
    out.extend_from_slice(TOPIC.as_bytes());
    out.push(partitions.len() as u8 + 1);
    for index in partitions {
        out.extend_from_slice(&index.to_be_bytes());
        out.extend_from_slice(&[0; 2]);
        out.extend_from_slice(&0_i64.to_be_bytes());
        out.extend_from_slice(&(-1_i64).to_be_bytes());
        out.extend_from_slice(&0_i64.to_be_bytes());
        out.extend_from_slice(&[1, 0, 0]);
    }
    out.extend_from_slice(&[0, 0, 0, 0, 0, 0]);
    let size = (out.len() - start - 4) as u32;
    out[start..start + 4].copy_from_slice(&size.to_be_bytes());
}

/// Offered, and never answered.
const FETCH: i16 = 1;
const API_VERSIONS: i16 = 3;

fn versions() -> ApiVersionsResponse {
    let range = |api: ApiKey, min_version, max_version| ApiVersion {
        api_key: api.value(),
        min_version,
        max_version,
    };
    ApiVersionsResponse {
        api_keys: vec![
            range(ApiKey::Produce, 3, PRODUCE),
            ApiVersion {
                api_key: FETCH,
                min_version: 4,
                max_version: 12,
            },
            range(ApiKey::Metadata, 0, 12),
            range(ApiKey::InitProducerId, 0, 4),
            range(ApiKey::ApiVersions, 0, API_VERSIONS),
        ],
        ..ApiVersionsResponse::default()
    }
}

fn metadata(port: u16) -> MetadataResponse {
    let partitions = (0..PARTITIONS as i32).map(|partition_index| MetadataResponsePartition {
        partition_index,
        leader_id: 0,
        leader_epoch: 1,
        ..MetadataResponsePartition::default()
    });
    MetadataResponse {
        brokers: vec![MetadataResponseBroker {
            node_id: 0,
            host: "127.0.0.1".into(),
            port: i32::from(port),
            ..MetadataResponseBroker::default()
        }],
        topics: vec![MetadataResponseTopic {
            name: Some(TOPIC.into()),
            partitions: partitions.collect(),
            ..MetadataResponseTopic::default()
        }],
        ..MetadataResponse::default()
    }
}

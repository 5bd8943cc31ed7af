//! Builds Produce requests and judges their answers: pure tables.
//!
//! The truth table of an answered attempt is that of `verification.md` §10: which answers prove
//! that nothing was written, and which leave a doubt.

use alloc::vec::Vec;

use kafka_producer_proto::batch::{Attributes, BatchHeader, HEADER_LEN};
use kafka_producer_proto::compression::Codec;
use kafka_producer_proto::wire::{self, Lengths};
use kafka_producer_proto::{ApiKey, EncodeError, ErrorCode, Uuid};

use crate::accumulator::{Batch, Records};
use crate::frame::{Body, Unsealed};

/// The first version that names topics by id (KIP-516).
pub(crate) const TOPIC_IDS_FROM: i16 = 13;
/// The first version that may carry zstd.
pub(crate) const ZSTD_FROM: i16 = 7;

/// What an answer means for its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Written.
    Acknowledge,
    /// Written before; the broker no longer knows where.
    AcknowledgeUnplaced,
    /// The broker does not know the sequence: see `machine/sequence.rs`.
    OutOfSequence,
    /// No use in trying again.
    Refuse(Scope),
    /// Try again.
    Retry,
    /// Too large for the broker: in smaller batches, if it holds several records.
    Split,
}

/// What a refusal costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// This batch.
    Batch,
    /// The whole producer.
    Producer,
}

/// Judges an answer (`producer-semantics.md` §4.1 for what to do).
pub(crate) const fn verdict(code: ErrorCode) -> Verdict {
    match code {
        ErrorCode::NONE => Verdict::Acknowledge,
        ErrorCode::DUPLICATE_SEQUENCE_NUMBER => Verdict::AcknowledgeUnplaced,
        ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER | ErrorCode::UNKNOWN_PRODUCER_ID => {
            Verdict::OutOfSequence
        }
        ErrorCode::MESSAGE_TOO_LARGE => Verdict::Split,
        ErrorCode::CLUSTER_AUTHORIZATION_FAILED
        | ErrorCode::UNSUPPORTED_VERSION
        | ErrorCode::INVALID_PRODUCER_ID_MAPPING
        | ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED
        | ErrorCode::PRODUCER_FENCED => Verdict::Refuse(Scope::Producer),
        ErrorCode::CORRUPT_MESSAGE
        | ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
        | ErrorCode::LEADER_NOT_AVAILABLE
        | ErrorCode::NOT_LEADER_OR_FOLLOWER
        | ErrorCode::REQUEST_TIMED_OUT
        | ErrorCode::REPLICA_NOT_AVAILABLE
        | ErrorCode::NETWORK_EXCEPTION
        | ErrorCode::COORDINATOR_LOAD_IN_PROGRESS
        | ErrorCode::COORDINATOR_NOT_AVAILABLE
        | ErrorCode::NOT_COORDINATOR
        | ErrorCode::NOT_ENOUGH_REPLICAS
        | ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND
        | ErrorCode::CONCURRENT_TRANSACTIONS
        | ErrorCode::KAFKA_STORAGE_ERROR
        | ErrorCode::LISTENER_NOT_FOUND
        | ErrorCode::FENCED_LEADER_EPOCH
        | ErrorCode::UNKNOWN_LEADER_EPOCH
        | ErrorCode::THROTTLING_QUOTA_EXCEEDED
        | ErrorCode::UNKNOWN_TOPIC_ID
        | ErrorCode::INCONSISTENT_TOPIC_ID => Verdict::Retry,
        _ => Verdict::Refuse(Scope::Batch),
    }
}

/// Whether an answer proves that this attempt wrote nothing (`verification.md` §10).
/// Everything that is not on the list leaves a doubt, codes of tomorrow included.
pub(crate) const fn proves_unwritten(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::CORRUPT_MESSAGE
            | ErrorCode::MESSAGE_TOO_LARGE
            | ErrorCode::INVALID_TOPIC_EXCEPTION
            | ErrorCode::RECORD_LIST_TOO_LARGE
            | ErrorCode::NOT_ENOUGH_REPLICAS
            | ErrorCode::INVALID_REQUIRED_ACKS
            | ErrorCode::TOPIC_AUTHORIZATION_FAILED
            | ErrorCode::CLUSTER_AUTHORIZATION_FAILED
            | ErrorCode::INVALID_TIMESTAMP
            | ErrorCode::INVALID_REQUEST
            | ErrorCode::UNSUPPORTED_FOR_MESSAGE_FORMAT
            | ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER
            | ErrorCode::INVALID_PRODUCER_EPOCH
            | ErrorCode::INVALID_TXN_STATE
            | ErrorCode::INVALID_PRODUCER_ID_MAPPING
            | ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED
            | ErrorCode::UNKNOWN_PRODUCER_ID
            | ErrorCode::UNSUPPORTED_COMPRESSION_TYPE
            | ErrorCode::INVALID_RECORD
            | ErrorCode::PRODUCER_FENCED
            | ErrorCode::TRANSACTION_ABORTABLE
    )
}

/// The head of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestHead<'a> {
    pub(crate) version: i16,
    pub(crate) correlation_id: i32,
    pub(crate) client_id: &'a str,
    pub(crate) acks: i16,
    pub(crate) timeout_ms: i32,
}

/// A topic in a request: its name, its id, and its batches.
#[derive(Debug)]
pub(crate) struct TopicPart<'a, I> {
    pub(crate) name: &'a str,
    pub(crate) id: Uuid,
    pub(crate) count: usize,
    pub(crate) batches: I,
}

/// A batch in a request.
#[derive(Debug)]
pub(crate) struct BatchPart {
    pub(crate) index: u32,
    pub(crate) header: BatchHeader,
    pub(crate) body: Body,
}

/// Writes a whole frame: heads in one buffer, bodies shared.
pub(crate) fn write_request<'a, I: Iterator<Item = BatchPart>>(
    head: RequestHead<'_>,
    count: usize,
    topics: impl Iterator<Item = TopicPart<'a, I>>,
    frame: &mut Unsealed,
) -> Result<(), EncodeError> {
    let lengths = lengths_of(head.version);
    let start = begin_request(ApiKey::Produce, head, frame)?;
    let out = frame.head_mut();
    wire::put_str(lengths, None, out)?;
    out.extend_from_slice(&head.acks.to_be_bytes());
    out.extend_from_slice(&head.timeout_ms.to_be_bytes());
    wire::put_array_count(lengths, Some(count), out)?;
    for topic in topics {
        let out = frame.head_mut();
        if head.version < TOPIC_IDS_FROM {
            wire::put_str(lengths, Some(topic.name), out)?;
        } else {
            out.extend_from_slice(topic.id.as_bytes());
        }
        wire::put_array_count(lengths, Some(topic.count), out)?;
        for batch in topic.batches {
            write_batch(lengths, batch, frame)?;
        }
        end_struct(lengths, frame.head_mut());
    }
    end_struct(lengths, frame.head_mut());
    end_request(start, frame);
    Ok(())
}

fn write_batch(lengths: Lengths, part: BatchPart, frame: &mut Unsealed) -> Result<(), EncodeError> {
    let out = frame.head_mut();
    out.extend_from_slice(&part.index.to_be_bytes());
    wire::put_bytes_length(lengths, Some(HEADER_LEN + part.body.len()), out)?;
    let mut header = [0; HEADER_LEN];
    part.header
        .write_unchecked_crc(part.body.len(), &mut header);
    out.extend_from_slice(&header);
    frame.push_body(part.body);
    end_struct(lengths, frame.head_mut());
    Ok(())
}

/// Writes the size, to be set later, and the request header; gives where the size stands.
fn begin_request(
    api: ApiKey,
    head: RequestHead<'_>,
    frame: &mut Unsealed,
) -> Result<usize, EncodeError> {
    let out = frame.head_mut();
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&api.value().to_be_bytes());
    out.extend_from_slice(&head.version.to_be_bytes());
    out.extend_from_slice(&head.correlation_id.to_be_bytes());
    // An int16 length in both header versions: a broker must be able to read any header.
    wire::put_str(Lengths::Classic, Some(head.client_id), out)?;
    end_struct(lengths_of(head.version), out);
    Ok(start)
}

fn end_request(start: usize, frame: &mut Unsealed) {
    let size = (frame.len() - start - 4) as i32;
    if let Some(place) = frame.head_mut().get_mut(start..start + 4) {
        place.copy_from_slice(&size.to_be_bytes());
    }
}

fn end_struct(lengths: Lengths, out: &mut Vec<u8>) {
    if lengths == Lengths::Compact {
        out.push(0);
    }
}

const fn lengths_of(version: i16) -> Lengths {
    if ApiKey::Produce.is_flexible(version) {
        Lengths::Compact
    } else {
        Lengths::Classic
    }
}

/// The header of a batch as it goes out now: the body never changes, the header is written for
/// each attempt.
pub(crate) fn header_of(batch: &Batch) -> Option<(BatchHeader, Body)> {
    let Records { body, codec } = batch.stage().records()?;
    let mut header = BatchHeader::plain(batch.count, batch.base_timestamp, batch.max_timestamp);
    if *codec != Codec::None {
        header.attributes = Attributes::default().with_codec(*codec);
    }
    if let Some(numbering) = batch.numbering {
        header.producer_id = numbering.identity.producer_id;
        header.producer_epoch = numbering.identity.producer_epoch;
        header.base_sequence = numbering.base.as_i32();
    }
    Some((header, body.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::sync::Arc;
    use alloc::vec;
    use kafka_producer_proto::batch::{OpenBatch, RecordBody};
    use kafka_producer_proto::messages::ProduceRequest;
    use kafka_producer_proto::messages::produce::{PartitionProduceData, TopicProduceData};

    fn closed(value: &[u8]) -> kafka_producer_proto::batch::ClosedRecords {
        let mut open = OpenBatch::new(Vec::new());
        open.append(&RecordBody {
            timestamp: 7,
            key: None,
            value: Some(value),
            headers: &[],
        });
        open.close()
    }

    fn whole(value: &[u8]) -> Vec<u8> {
        let closed = closed(value);
        let mut header = [0; HEADER_LEN];
        closed
            .header()
            .write_unchecked_crc(closed.records.len(), &mut header);
        kafka_producer_proto::batch::seal(&mut header, &closed.records);
        [&header[..], &closed.records].concat()
    }

    fn part(index: u32, value: &[u8]) -> BatchPart {
        let closed = closed(value);
        BatchPart {
            index,
            header: closed.header(),
            body: Arc::new(closed.records),
        }
    }

    #[test]
    fn a_written_frame_equals_the_encoded_message_in_every_version() {
        let id = Uuid::from_bytes([7; 16]);
        for version in ApiKey::Produce.client_versions().iter() {
            let head = RequestHead {
                version,
                correlation_id: 5,
                client_id: "me",
                acks: -1,
                timeout_ms: 30_000,
            };
            let topics = [
                TopicPart {
                    name: "a",
                    id,
                    count: 2,
                    batches: vec![part(0, b"x"), part(3, b"yy")].into_iter(),
                },
                TopicPart {
                    name: "b",
                    id,
                    count: 1,
                    batches: vec![part(1, b"z")].into_iter(),
                },
            ];
            let mut frame = Unsealed::new();
            write_request(head, 2, topics.into_iter(), &mut frame).unwrap();
            let bytes: Vec<u8> = frame.seal().chunks().flatten().copied().collect();
            assert_eq!(bytes, encoded(version, id), "version {version}");
        }
    }

    fn encoded(version: i16, id: Uuid) -> Vec<u8> {
        let topic = |name: &str, partitions: &[(i32, &[u8])]| TopicProduceData {
            name: if version < TOPIC_IDS_FROM {
                name.into()
            } else {
                Default::default()
            },
            topic_id: if version < TOPIC_IDS_FROM {
                Uuid::ZERO
            } else {
                id
            },
            partition_data: partitions
                .iter()
                .map(|&(index, value)| PartitionProduceData {
                    index,
                    records: Some(whole(value).into()),
                })
                .collect(),
        };
        let request = ProduceRequest {
            transactional_id: None,
            acks: -1,
            timeout_ms: 30_000,
            topic_data: vec![
                topic("a", &[(0, b"x"), (3, b"yy")]),
                topic("b", &[(1, b"z")]),
            ],
        };
        let mut out = Vec::new();
        kafka_producer_proto::encode_request(Some("me"), 5, version, &request, &mut out).unwrap();
        out
    }

    #[test]
    fn an_unknown_code_is_refused_and_leaves_a_doubt() {
        let code = ErrorCode(9999);
        assert_eq!(verdict(code), Verdict::Refuse(Scope::Batch));
        assert!(!proves_unwritten(code));
        assert!(!proves_unwritten(ErrorCode::UNKNOWN_SERVER_ERROR));
    }

    #[test]
    fn answers_that_can_follow_an_append_leave_a_doubt() {
        for code in [3, 6, 7, 13, 20, 56, 74, 100, 103, -1].map(ErrorCode) {
            assert!(!proves_unwritten(code), "{code}");
        }
    }

    #[test]
    fn answers_of_the_truth_table_prove_that_nothing_was_written() {
        let definite = [
            2, 10, 17, 18, 19, 21, 29, 31, 32, 42, 43, 45, 47, 48, 49, 53, 59, 76, 87, 90, 120,
        ];
        for code in definite.map(ErrorCode) {
            assert!(proves_unwritten(code), "{code}");
        }
    }
}

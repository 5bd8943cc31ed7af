//! Reads a Produce response in place: every acknowledgement passes here, so nothing is allocated
//! for a partition that has no record errors.
//!
//! The generic codec of [`ProduceResponse`](super::ProduceResponse) says the same; a test compares.

use alloc::vec::Vec;

use super::produce::{BatchIndexAndErrorMessage, LeaderIdAndEpoch, NodeEndpoint};
use crate::wire::{
    DecodeError, DecodeErrorKind, Field, Form, Parsed, failure, finish, take_array_count, take_i16,
    take_i32, take_i64, take_str, take_tags,
};
use crate::{ApiKey, ErrorCode, Uuid, message};

/// How a response names a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicKey<'a> {
    /// By id, from version 13 on.
    Id(Uuid),
    /// By name, up to version 12.
    Name(&'a str),
}

/// The answer for one partition, with the topic that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionAnswer<'a> {
    /// The topic.
    pub topic: TopicKey<'a>,
    /// Partition number.
    pub index: i32,
    /// Partition result.
    pub error_code: ErrorCode,
    /// Offset of the batch's first record; -1 if it was refused before the append.
    pub base_offset: i64,
    /// The broker's timestamp if the topic uses LogAppendTime, else -1.
    pub log_append_time_ms: i64,
    /// First offset still in the log, -1 unknown or below version 5.
    pub log_start_offset: i64,
    /// Records that made the broker reject the whole batch (KIP-467).
    pub record_errors: Vec<BatchIndexAndErrorMessage>,
    /// Summary text for the batch.
    pub error_message: Option<&'a str>,
    /// New leader hint (KIP-951), if the broker sent one.
    pub current_leader: Option<LeaderIdAndEpoch>,
}

/// What follows the partitions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResponseTail {
    /// Throttle in ms.
    pub throttle_time_ms: i32,
    /// Addresses of the brokers that leader hints name (KIP-951).
    pub node_endpoints: Vec<NodeEndpoint>,
}

/// A Produce response that is read without being built.
#[derive(Clone, Copy, Debug)]
pub struct ProduceResponseView;

impl ProduceResponseView {
    /// Hands each partition's answer to `each`, in wire order, and returns what follows them.
    ///
    /// # Errors
    /// The version is unknown, or the bytes are no such response. The partitions before the fault
    /// have been handed over by then, and were well-formed.
    pub fn visit(
        version: i16,
        body: &[u8],
        each: &mut impl FnMut(PartitionAnswer<'_>),
    ) -> Result<ResponseTail, DecodeError> {
        let Some(form) = message::form(ApiKey::Produce, version) else {
            let kind = DecodeErrorKind::UnsupportedVersion { version };
            return Err(DecodeError::at(body, kind));
        };
        let (_, tail) = finish(take_response(form, body, each))?;
        Ok(tail)
    }
}

fn take_response<'a>(
    form: Form,
    input: &'a [u8],
    each: &mut impl FnMut(PartitionAnswer<'_>),
) -> Parsed<'a, ResponseTail> {
    let (mut rest, topics) = take_count(form, input)?;
    for _ in 0..topics {
        (rest, ()) = take_topic(form, rest, each)?;
    }
    let mut tail = ResponseTail::default();
    (rest, tail.throttle_time_ms) = take_i32(rest)?;
    (rest, ()) = take_section(form, rest, |tag, bytes| {
        if tag == 0 && HINTS_FROM <= form.version {
            (_, tail.node_endpoints) = Field::take(form, bytes)?;
        }
        Ok(())
    })?;
    Ok((rest, tail))
}

fn take_topic<'a>(
    form: Form,
    input: &'a [u8],
    each: &mut impl FnMut(PartitionAnswer<'_>),
) -> Parsed<'a, ()> {
    let (rest, topic) = take_topic_key(form, input)?;
    let (mut rest, partitions) = take_count(form, rest)?;
    for _ in 0..partitions {
        let answer;
        (rest, answer) = take_partition(form, topic, rest)?;
        each(answer);
    }
    take_section(form, rest, |_, _| Ok(()))
}

fn take_topic_key(form: Form, input: &[u8]) -> Parsed<'_, TopicKey<'_>> {
    if TOPIC_IDS_FROM <= form.version {
        let (rest, id) = Uuid::take(form, input)?;
        return Ok((rest, TopicKey::Id(id)));
    }
    match take_str(form.lengths, input)? {
        (rest, Some(name)) => Ok((rest, TopicKey::Name(name))),
        (_, None) => failure(input, DecodeErrorKind::NullNotAllowed),
    }
}

fn take_partition<'a>(
    form: Form,
    topic: TopicKey<'a>,
    input: &'a [u8],
) -> Parsed<'a, PartitionAnswer<'a>> {
    let (rest, index) = take_i32(input)?;
    let (rest, code) = take_i16(rest)?;
    let (rest, base_offset) = take_i64(rest)?;
    let (mut rest, log_append_time_ms) = take_i64(rest)?;
    let mut answer = PartitionAnswer {
        topic,
        index,
        error_code: ErrorCode(code),
        base_offset,
        log_append_time_ms,
        log_start_offset: -1,
        record_errors: Vec::new(),
        error_message: None,
        current_leader: None,
    };
    if LOG_START_FROM <= form.version {
        (rest, answer.log_start_offset) = take_i64(rest)?;
    }
    if RECORD_ERRORS_FROM <= form.version {
        (rest, answer.record_errors) = Field::take(form, rest)?;
        (rest, answer.error_message) = take_str(form.lengths, rest)?;
    }
    (rest, ()) = take_section(form, rest, |tag, bytes| {
        if tag == 0 && HINTS_FROM <= form.version {
            let (_, leader) = LeaderIdAndEpoch::take(form, bytes)?;
            answer.current_leader = Some(leader);
        }
        Ok(())
    })?;
    Ok((rest, answer))
}

/// The count of an array that may not be null; only counted with, so any size is harmless.
fn take_count(form: Form, input: &[u8]) -> Parsed<'_, usize> {
    match take_array_count(form.lengths, 1, input)? {
        (rest, Some(count)) => Ok((rest, count)),
        (_, None) => failure(input, DecodeErrorKind::NullNotAllowed),
    }
}

/// A tag section, where the version has one.
fn take_section<'a>(
    form: Form,
    input: &'a [u8],
    each: impl FnMut(u32, &'a [u8]) -> Result<(), nom::Err<DecodeError>>,
) -> Parsed<'a, ()> {
    if form.is_flexible() {
        take_tags(input, each)
    } else {
        Ok((input, ()))
    }
}

const LOG_START_FROM: i16 = 5;
const RECORD_ERRORS_FROM: i16 = 8;
const HINTS_FROM: i16 = 10;
const TOPIC_IDS_FROM: i16 = 13;

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::Message;
    use crate::messages::produce::{
        PartitionProduceResponse, ProduceResponse, TopicProduceResponse,
    };

    /// Two topics, one partition with everything set and one with nothing.
    fn response() -> ProduceResponse {
        let full = PartitionProduceResponse {
            index: 3,
            error_code: ErrorCode::NOT_LEADER_OR_FOLLOWER,
            base_offset: 70,
            log_append_time_ms: 1_700_000_000_000,
            log_start_offset: 9,
            record_errors: vec![BatchIndexAndErrorMessage {
                batch_index: 2,
                batch_index_error_message: Some("no key".into()),
            }],
            error_message: Some("refused".into()),
            current_leader: LeaderIdAndEpoch {
                leader_id: 2,
                leader_epoch: 8,
            },
        };
        let plain = PartitionProduceResponse {
            base_offset: 5,
            ..Default::default()
        };
        ProduceResponse {
            responses: vec![
                TopicProduceResponse {
                    name: "orders".into(),
                    topic_id: Uuid::from_bytes([1; 16]),
                    partition_responses: vec![full, plain.clone()],
                },
                TopicProduceResponse {
                    name: "é".into(),
                    topic_id: Uuid::from_bytes([2; 16]),
                    partition_responses: vec![plain],
                },
            ],
            throttle_time_ms: 40,
            node_endpoints: vec![NodeEndpoint {
                node_id: 2,
                host: "b2".into(),
                port: 9092,
                rack: Some("r".into()),
            }],
        }
    }

    /// What `visit` says, put together like the generic codec does.
    fn rebuilt(version: i16, body: &[u8]) -> Result<ProduceResponse, DecodeError> {
        let mut response = ProduceResponse::default();
        let mut each = |answer: PartitionAnswer<'_>| {
            let mut topic = TopicProduceResponse::default();
            match answer.topic {
                TopicKey::Id(id) => topic.topic_id = id,
                TopicKey::Name(name) => topic.name = name.into(),
            }
            let known = response
                .responses
                .last_mut()
                .filter(|last| last.name == topic.name && last.topic_id == topic.topic_id);
            let partition = PartitionProduceResponse {
                index: answer.index,
                error_code: answer.error_code,
                base_offset: answer.base_offset,
                log_append_time_ms: answer.log_append_time_ms,
                log_start_offset: answer.log_start_offset,
                record_errors: answer.record_errors,
                error_message: answer.error_message.map(Into::into),
                current_leader: answer.current_leader.unwrap_or_default(),
            };
            match known {
                Some(last) => last.partition_responses.push(partition),
                None => {
                    topic.partition_responses.push(partition);
                    response.responses.push(topic);
                }
            }
        };
        let tail = ProduceResponseView::visit(version, body, &mut each)?;
        response.throttle_time_ms = tail.throttle_time_ms;
        response.node_endpoints = tail.node_endpoints;
        Ok(response)
    }

    #[test]
    fn the_view_says_what_the_generic_decoder_says_in_every_version() {
        for version in ApiKey::Produce.versions().iter() {
            let mut body = Vec::new();
            response().encode(version, &mut body).unwrap();
            assert_eq!(
                rebuilt(version, &body),
                ProduceResponse::decode(version, &body)
            );
            for cut in 0..body.len() {
                assert_eq!(
                    rebuilt(version, &body[..cut]).is_err(),
                    ProduceResponse::decode(version, &body[..cut]).is_err(),
                    "version {version} cut at {cut}"
                );
            }
        }
    }

    #[test]
    fn a_version_that_is_not_known_is_refused() {
        let refused = ProduceResponseView::visit(14, &[0; 64], &mut |_| ());
        let kind = DecodeErrorKind::UnsupportedVersion { version: 14 };
        assert_eq!(
            refused,
            Err(DecodeError {
                remaining: 64,
                kind
            })
        );
    }
}

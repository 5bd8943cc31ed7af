//! What a leader does with one batch: the checks that need the topic's settings and the
//! producer's state, and the append (C8 to C16; Kafka's `LogValidator` and `UnifiedLog`).

use bytes::Bytes;
use kafka_producer_proto::ErrorCode;
use kafka_producer_proto::batch::{self, BatchHeader, HEADER_LEN, TimestampType};
use kafka_producer_proto::messages::produce::{
    BatchIndexAndErrorMessage, PartitionProduceResponse,
};

use super::examine::{Batch, Content, Keys, NO_TIMESTAMP};
use super::producer_state::{Identity, Judgement, WrittenBatch};
use super::topic::{Cleanup, Partition, Timestamps, TopicConfig};
use super::{BrokerId, DuplicateAnswer, Knobs};

/// What the partition-level checks have come to.
pub(crate) enum Outcome {
    /// It is in the log, up to `end`.
    Written {
        answer: PartitionProduceResponse,
        end: i64,
    },
    /// It is not.
    Refused(PartitionProduceResponse),
}

/// One partition of a request that got past the checks of the whole request.
pub(crate) struct Attempt<'a> {
    pub(crate) broker: BrokerId,
    pub(crate) acks: i16,
    pub(crate) index: i32,
    pub(crate) batch: &'a Batch,
}

/// C8 with the topic's settings, in Kafka's order.
pub(crate) fn check_batch(
    now: i64,
    config: &TopicConfig,
    partition: &Partition,
    attempt: &Attempt<'_>,
) -> Result<(), PartitionProduceResponse> {
    let (index, batch) = (attempt.index, attempt.batch);
    let log_start_offset = partition.log.start();
    let with_log_start = |error| PartitionProduceResponse {
        log_start_offset,
        ..refused(index, error)
    };
    if batch.header.base_offset != 0 {
        return Err(with_log_start(ErrorCode::INVALID_RECORD));
    }
    if config.max_message_bytes < batch.bytes.len() {
        return Err(refused(index, ErrorCode::MESSAGE_TOO_LARGE));
    }
    let content = batch.content.map_err(|error| match error {
        ErrorCode::CORRUPT_MESSAGE => refused(index, error),
        _ => with_log_start(error),
    })?;

    let keyless = config.cleanup == Cleanup::Compact && content.keys == Keys::SomeMissing;
    let untimely = is_untimely(now, config, batch, content);
    let error = match (untimely, keyless) {
        (true, _) => ErrorCode::INVALID_TIMESTAMP,
        (false, true) => ErrorCode::INVALID_RECORD,
        (false, false) => return Ok(()),
    };
    let bounds = Bounds::at(now, config, batch);
    let places = batch.places_of(|record| {
        (keyless && record.key.is_none()) || (untimely && bounds.exclude(record.timestamp))
    });
    Err(PartitionProduceResponse {
        record_errors: places
            .iter()
            .map(|&place| record_error(place, error))
            .collect(),
        error_message: Some(summary(&places, error)),
        ..with_log_start(error)
    })
}

/// The timestamps that a topic takes.
#[derive(Clone, Copy)]
struct Bounds {
    earliest: i64,
    latest: i64,
    refuses_all: bool,
}

impl Bounds {
    fn at(now: i64, config: &TopicConfig, batch: &Batch) -> Self {
        let stamped_by_broker = config.timestamps == Timestamps::LogAppendTime;
        let claims_so = batch.header.attributes.timestamp_type() == TimestampType::LogAppendTime;
        let (earliest, latest) = match config.timestamps {
            Timestamps::LogAppendTime => (i64::MIN, i64::MAX),
            Timestamps::CreateTime => (
                now.saturating_sub(config.timestamp_before_max_ms),
                now.saturating_add(config.timestamp_after_max_ms),
            ),
        };
        // Only the broker may say so; a topic with CreateTime does not care (3.9 and 4.3).
        Self {
            earliest,
            latest,
            refuses_all: stamped_by_broker && claims_so,
        }
    }

    fn exclude(self, timestamp: i64) -> bool {
        let inside =
            timestamp == NO_TIMESTAMP || (self.earliest..=self.latest).contains(&timestamp);
        self.refuses_all || !inside
    }
}

fn is_untimely(now: i64, config: &TopicConfig, batch: &Batch, content: Content) -> bool {
    let bounds = Bounds::at(now, config, batch);
    bounds.exclude(content.latest)
        || content
            .earliest
            .is_some_and(|earliest| bounds.exclude(earliest))
}

/// C9 and C11 to C16: duplicate, refused or appended; with the offset if appended.
pub(crate) fn append(
    now: i64,
    knobs: &Knobs,
    config: &TopicConfig,
    partition: &mut Partition,
    attempt: &Attempt<'_>,
) -> (Outcome, Option<i64>) {
    let log_start_offset = partition.log.start();
    let answer = refused(attempt.index, ErrorCode::NONE);
    let answer = PartitionProduceResponse {
        log_start_offset,
        ..answer
    };
    let identity = identity_of(&attempt.batch.header);
    let judgement = identity.map_or(Judgement::Append, |identity| {
        let expiration_ms = knobs.producer_id_expiration_ms;
        partition
            .producers
            .expire(now, identity.producer_id, expiration_ms);
        partition.producers.judge(identity, knobs.unknown_producer)
    });
    match judgement {
        Judgement::Append => {}
        Judgement::Duplicate(known) => return (duplicate(knobs.duplicates, answer, known), None),
        Judgement::Refuse(error_code) => {
            let answer = PartitionProduceResponse {
                error_code,
                ..answer
            };
            return (Outcome::Refused(answer), None);
        }
    }

    let (stored, header) = stamped(now, config, attempt.batch);
    let replicated_at = now.saturating_add(knobs.replication_delay_ms);
    let epoch = partition.leadership.epoch;
    let base_offset = partition.log.append(replicated_at, epoch, &header, stored);
    partition.log.replicate(now);
    let end = partition.log.end();
    if let Some(identity) = identity {
        let written = WrittenBatch {
            first_sequence: identity.first_sequence,
            last_sequence: identity.last_sequence,
            base_offset,
            last_offset: end - 1,
            timestamp: header.max_timestamp,
        };
        partition.producers.remember(now, identity, written);
    }
    let log_append_time_ms = match config.timestamps {
        Timestamps::CreateTime => NO_TIMESTAMP,
        Timestamps::LogAppendTime => now,
    };
    let answer = PartitionProduceResponse {
        base_offset,
        log_append_time_ms,
        ..answer
    };
    (Outcome::Written { answer, end }, Some(base_offset))
}

fn identity_of(header: &BatchHeader) -> Option<Identity> {
    let BatchHeader {
        producer_id,
        producer_epoch,
        base_sequence,
        count,
        ..
    } = *header;
    let is_idempotent = 0 <= producer_id;
    is_idempotent.then(|| Identity::new(producer_id, producer_epoch, base_sequence, count))
}

/// C9: the original's offset and its timestamp, which stands in the field for the append time
/// whatever the topic's timestamps are (all versions seen).
fn duplicate(
    knob: DuplicateAnswer,
    answer: PartitionProduceResponse,
    known: WrittenBatch,
) -> Outcome {
    match knob {
        DuplicateAnswer::DuplicateSequence => {
            let error_code = ErrorCode::DUPLICATE_SEQUENCE_NUMBER;
            Outcome::Refused(PartitionProduceResponse {
                error_code,
                ..answer
            })
        }
        DuplicateAnswer::Original => {
            let answer = PartitionProduceResponse {
                base_offset: known.base_offset,
                log_append_time_ms: known.timestamp,
                ..answer
            };
            Outcome::Written {
                answer,
                end: known.last_offset + 1,
            }
        }
    }
}

/// The batch as it is stored: as it came, unless the broker has to set or correct its timestamps.
fn stamped(now: i64, config: &TopicConfig, batch: &Batch) -> (Bytes, BatchHeader) {
    let latest = batch.content.map_or(NO_TIMESTAMP, |content| content.latest);
    let (timestamp_type, max_timestamp) = match config.timestamps {
        Timestamps::CreateTime => (TimestampType::CreateTime, latest),
        Timestamps::LogAppendTime => (TimestampType::LogAppendTime, now),
    };
    let attributes = batch.header.attributes.with_timestamp_type(timestamp_type);
    let header = BatchHeader {
        attributes,
        max_timestamp,
        ..batch.header
    };
    if header == batch.header {
        return (batch.bytes.clone(), header);
    }
    let mut bytes = batch.bytes.to_vec();
    if let Some((head, records)) = bytes.split_first_chunk_mut::<HEADER_LEN>() {
        header.write_unchecked_crc(records.len(), head);
        batch::seal(head, records);
    }
    (bytes.into(), header)
}

/// An answer that says nothing but an error.
pub(crate) fn refused(index: i32, error_code: ErrorCode) -> PartitionProduceResponse {
    PartitionProduceResponse {
        index,
        error_code,
        base_offset: -1,
        ..Default::default()
    }
}

fn record_error(place: i32, error: ErrorCode) -> BatchIndexAndErrorMessage {
    let text = format!("record {place}: {}", error.explanation());
    BatchIndexAndErrorMessage {
        batch_index: place,
        batch_index_error_message: Some(text),
    }
}

/// Names the first three bad records, as Kafka does.
fn summary(places: &[i32], error: ErrorCode) -> String {
    let named: Vec<String> = places.iter().take(3).map(ToString::to_string).collect();
    let more = if 3 < places.len() { ", ..." } else { "" };
    format!("{}: records {}{more}", error.name(), named.join(", "))
}

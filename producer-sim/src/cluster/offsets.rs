//! ListOffsets: where a log begins and ends, and which record is the first of a time.

use kafka_producer_proto::ErrorCode;
use kafka_producer_proto::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_producer_proto::messages::{ListOffsetsRequest, ListOffsetsResponse};

use super::inspect::records_of;
use super::request::Head;
use super::topic::Partition;
use super::{BrokerId, Cluster};

impl Cluster {
    pub(crate) fn on_list_offsets(
        &mut self,
        broker: BrokerId,
        head: Head,
        request: ListOffsetsRequest,
    ) -> ListOffsetsResponse {
        let topics = request.topics.into_iter().map(|topic| {
            let partitions = topic.partitions.iter();
            let partitions =
                partitions.map(|asked| self.list_offsets(broker, head, &topic.name, asked));
            ListOffsetsTopicResponse {
                partitions: partitions.collect(),
                name: topic.name.clone(),
            }
        });
        ListOffsetsResponse {
            topics: topics.collect(),
            ..Default::default()
        }
    }

    fn list_offsets(
        &mut self,
        broker: BrokerId,
        head: Head,
        topic: &str,
        asked: &ListOffsetsPartition,
    ) -> ListOffsetsPartitionResponse {
        let answer = ListOffsetsPartitionResponse {
            partition_index: asked.partition_index,
            ..Default::default()
        };
        let now = self.clock;
        let topic = self.topics.get_mut(topic);
        let Some(partition) = topic.and_then(|topic| topic.partition_mut(asked.partition_index))
        else {
            let error_code = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
            return ListOffsetsPartitionResponse {
                error_code,
                ..answer
            };
        };
        if let Err(error_code) = check_leader(partition, broker, asked.current_leader_epoch) {
            return ListOffsetsPartitionResponse {
                error_code,
                ..answer
            };
        }
        partition.log.replicate(now);
        match find(partition, head.version, asked.timestamp) {
            Some((timestamp, offset)) => {
                let leader_epoch = partition.leadership.epoch;
                ListOffsetsPartitionResponse {
                    timestamp,
                    offset,
                    leader_epoch,
                    ..answer
                }
            }
            None => answer,
        }
    }
}

/// Refuses a reader that has not found the leader, or is behind or ahead of it (KIP-320).
pub(crate) fn check_leader(
    partition: &Partition,
    broker: BrokerId,
    known_epoch: i32,
) -> Result<(), ErrorCode> {
    let leadership = partition.leadership;
    if leadership.leader != Some(broker) {
        return Err(ErrorCode::NOT_LEADER_OR_FOLLOWER);
    }
    match known_epoch {
        -1 => Ok(()),
        known if known < leadership.epoch => Err(ErrorCode::FENCED_LEADER_EPOCH),
        known if leadership.epoch < known => Err(ErrorCode::UNKNOWN_LEADER_EPOCH),
        _ => Ok(()),
    }
}

/// Timestamp and offset of what is asked for by a time, or by a number that stands for a place.
fn find(partition: &Partition, version: i16, timestamp: i64) -> Option<(i64, i64)> {
    let log = &partition.log;
    match timestamp {
        LATEST => Some((-1, log.high_watermark())),
        EARLIEST => Some((-1, log.start())),
        MAX_TIMESTAMP if 7 <= version => {
            let records = log
                .readable_from(log.start())
                .flat_map(|entry| records_of(entry.batch(), entry.base_offset));
            records
                .map(|record| (record.timestamp, -record.offset))
                .max()
                .map(|(at, offset)| (at, -offset))
        }
        EARLIEST_LOCAL if 8 <= version => Some((-1, log.start())),
        // Nothing is tiered.
        ..0 => None,
        from => log
            .readable_from(log.start())
            .filter(|entry| from <= entry.max_timestamp)
            .flat_map(|entry| records_of(entry.batch(), entry.base_offset))
            .find(|record| from <= record.timestamp)
            .map(|record| (record.timestamp, record.offset)),
    }
}

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;

#[cfg(test)]
mod tests {
    use kafka_producer_proto::messages::list_offsets::ListOffsetsTopic;

    use super::*;
    use crate::cluster::testing::{NOW, ask, batch, cluster, produce};

    fn offset_at(cluster: &mut Cluster, version: i16, timestamp: i64) -> i64 {
        let asked = ListOffsetsPartition {
            timestamp,
            ..Default::default()
        };
        let topic = ListOffsetsTopic {
            name: "orders".into(),
            partitions: vec![asked],
        };
        let request = ListOffsetsRequest {
            topics: vec![topic],
            ..Default::default()
        };
        let response = ask(cluster, 0, version, &request);
        response.topics[0].partitions[0].offset
    }

    #[test]
    fn the_ends_of_a_log_are_found_in_every_version() {
        let mut cluster = cluster();
        produce(&mut cluster, 0, 0, batch(3));
        produce(&mut cluster, 0, 0, batch(2));
        cluster.delete_records("orders", 0, 3);
        for version in 1..=11 {
            assert_eq!(offset_at(&mut cluster, version, LATEST), 5);
            assert_eq!(offset_at(&mut cluster, version, EARLIEST), 3);
        }
    }

    #[test]
    fn a_time_finds_the_first_record_of_it_or_none() {
        let mut cluster = cluster();
        produce(&mut cluster, 0, 0, batch(3));
        assert_eq!(offset_at(&mut cluster, 7, NOW), 0);
        assert_eq!(offset_at(&mut cluster, 7, NOW + 1), -1);
        assert_eq!(offset_at(&mut cluster, 7, MAX_TIMESTAMP), 0);
    }
}

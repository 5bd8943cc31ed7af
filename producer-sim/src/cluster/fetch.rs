//! Fetch: enough of it that other clients can read what was written.
//!
//! There are no sessions (every answer names session 0) and no transactions (the last stable offset
//! is the high watermark). An answer waits until there is enough, something is wrong, or the
//! client's patience ends.

use bytes::Bytes;
use kafka_producer_proto::messages::fetch::{
    FetchPartition, FetchableTopicResponse, LeaderIdAndEpoch, PartitionData,
};
use kafka_producer_proto::messages::{FetchRequest, FetchResponse};
use kafka_producer_proto::{ApiKey, ErrorCode};

use super::inject::Target;
use super::offsets::check_leader;
use super::request::Head;
use super::{BrokerId, ById, Cluster, Parked, Reply, Step, Ticket};

/// A Fetch request that waits for records.
#[derive(Debug)]
pub(crate) struct ParkedFetch {
    head: Head,
    broker: BrokerId,
    deadline: i64,
    request: FetchRequest,
}

/// What an answer may still take.
struct Budget {
    bytes: usize,
    /// Whether nothing was taken yet: the first batch comes whatever its size is (KIP-74).
    is_whole: bool,
}

/// What was found for a request.
struct Found {
    response: FetchResponse,
    bytes: usize,
    has_errors: bool,
    /// When there may be more.
    next: Option<i64>,
}

impl ParkedFetch {
    pub(crate) const fn broker(&self) -> BrokerId {
        self.broker
    }
}

impl Cluster {
    pub(crate) fn on_fetch(&mut self, broker: BrokerId, head: Head, request: FetchRequest) -> Step {
        let target = Target {
            api: ApiKey::Fetch,
            broker,
            topic: None,
            partition: None,
        };
        let injected = self.injected(target).map(|(error, _)| error);
        // An incremental fetch names a session, and there are none.
        let session = (0 < request.session_epoch).then_some(ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
        if let Some(error_code) = injected.or(session) {
            let response = FetchResponse {
                error_code,
                ..Default::default()
            };
            return Step::Done(Reply::answer(head, &response));
        }
        let deadline = self
            .clock
            .saturating_add(i64::from(request.max_wait_ms.max(0)));
        match self.try_fetch(Box::new(ParkedFetch {
            head,
            broker,
            deadline,
            request,
        })) {
            Ok(reply) => Step::Done(reply),
            Err((fetch, until)) => self.park(Parked::Fetch(fetch), until),
        }
    }

    pub(crate) fn resume_fetch(&mut self, ticket: Ticket, fetch: Box<ParkedFetch>) -> Step {
        match self.try_fetch(fetch) {
            Ok(reply) => Step::Done(reply),
            Err((fetch, until)) => self.park_again(ticket, Parked::Fetch(fetch), until),
        }
    }

    fn try_fetch(&mut self, fetch: Box<ParkedFetch>) -> Result<Reply, (Box<ParkedFetch>, i64)> {
        let found = self.gather(&fetch);
        let wanted = usize::try_from(fetch.request.min_bytes).unwrap_or(0);
        let has_enough = wanted <= found.bytes || found.has_errors;
        if has_enough || fetch.deadline <= self.clock {
            return Ok(Reply::answer(fetch.head, &found.response));
        }
        let until = found
            .next
            .map_or(fetch.deadline, |next| next.min(fetch.deadline));
        Err((fetch, until))
    }

    fn gather(&mut self, fetch: &ParkedFetch) -> Found {
        let limit = usize::try_from(fetch.request.max_bytes).unwrap_or(0);
        let mut budget = Budget {
            bytes: limit,
            is_whole: true,
        };
        let response = FetchResponse::default();
        let mut found = Found {
            response,
            bytes: 0,
            has_errors: false,
            next: None,
        };
        for topic in &fetch.request.topics {
            let by_id = ById::since(13, fetch.head.version);
            let name = self
                .resolve(by_id, &topic.topic, topic.topic_id)
                .map(String::from);
            let mut partitions = Vec::with_capacity(topic.partitions.len());
            for asked in &topic.partitions {
                let data = match &name {
                    Some(name) => self.read(fetch, name, asked, &mut budget, &mut found.next),
                    None => failed(asked.partition, by_id.unknown()),
                };
                found.bytes += data.records.as_ref().map_or(0, Bytes::len);
                found.has_errors |= !data.error_code.is_none();
                partitions.push(data);
            }
            let (topic, topic_id) = (topic.topic.clone(), topic.topic_id);
            let answer = FetchableTopicResponse {
                topic,
                topic_id,
                partitions,
            };
            found.response.responses.push(answer);
        }
        found
    }

    fn read(
        &mut self,
        fetch: &ParkedFetch,
        topic: &str,
        asked: &FetchPartition,
        budget: &mut Budget,
        next: &mut Option<i64>,
    ) -> PartitionData {
        let index = asked.partition;
        let now = self.clock;
        let known = self
            .topics
            .get_mut(topic)
            .and_then(|topic| topic.partition_mut(index));
        let Some(partition) = known else {
            return failed(index, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        };
        if let Err(error) = check_leader(partition, fetch.broker, asked.current_leader_epoch) {
            let leader_epoch = partition.leadership.epoch;
            let leader_id = partition
                .leadership
                .leader
                .map_or(super::NO_BROKER, |id| id.0);
            let current_leader = LeaderIdAndEpoch {
                leader_id,
                leader_epoch,
            };
            return PartitionData {
                current_leader,
                ..failed(index, error)
            };
        }
        let log = &mut partition.log;
        log.replicate(now);
        if let Some(at) = log.replicates_at() {
            *next = Some(next.map_or(at, |next| next.min(at)));
        }
        let has = PartitionData {
            high_watermark: log.high_watermark(),
            last_stable_offset: log.high_watermark(),
            log_start_offset: log.start(),
            aborted_transactions: (fetch.request.isolation_level == 1).then(Vec::new),
            ..failed(index, ErrorCode::NONE)
        };
        if !(log.start()..=log.end()).contains(&asked.fetch_offset) {
            return PartitionData {
                error_code: ErrorCode::OFFSET_OUT_OF_RANGE,
                ..has
            };
        }
        let limit = usize::try_from(asked.partition_max_bytes).unwrap_or(0);
        let mut records = Vec::new();
        for entry in log.readable_from(asked.fetch_offset) {
            let fits = records.len() + entry.len() <= limit && entry.len() <= budget.bytes;
            if !fits && !budget.is_whole {
                break;
            }
            entry.write_to(&mut records);
            budget.bytes = budget.bytes.saturating_sub(entry.len());
            budget.is_whole = false;
        }
        PartitionData {
            records: Some(records.into()),
            ..has
        }
    }
}

fn failed(partition_index: i32, error_code: ErrorCode) -> PartitionData {
    PartitionData {
        partition_index,
        error_code,
        high_watermark: -1,
        records: Some(Bytes::new()),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use kafka_producer_proto::batch::{BatchHeader, verify_crc};
    use kafka_producer_proto::messages::fetch::FetchTopic;

    use super::*;
    use crate::cluster::testing::{NOW, answer_of, ask, batch, cluster, frame, produce};

    fn request(cluster: &Cluster, fetch_offset: i64) -> FetchRequest {
        let asked = FetchPartition {
            fetch_offset,
            partition_max_bytes: 1000,
            ..Default::default()
        };
        let topic = FetchTopic {
            topic: "orders".into(),
            topic_id: cluster.topic_id("orders").unwrap(),
            partitions: vec![asked],
        };
        let topics = vec![topic];
        FetchRequest {
            topics,
            max_wait_ms: 500,
            min_bytes: 1,
            ..Default::default()
        }
    }

    fn only(response: FetchResponse) -> PartitionData {
        response.responses[0].partitions[0].clone()
    }

    #[test]
    fn what_was_written_is_read_in_every_version() {
        let mut cluster = cluster();
        produce(&mut cluster, 0, 0, batch(3));
        produce(&mut cluster, 0, 0, batch(2));
        for version in 4..=18 {
            let request = request(&cluster, 4);
            let data = only(ask(&mut cluster, 0, version, &request));
            let records = data.records.unwrap();
            verify_crc(&records).unwrap();
            let (header, _, rest) = BatchHeader::parse(&records).unwrap();
            assert_eq!((header.base_offset, header.count, rest.len()), (3, 2, 0));
            assert_eq!(data.high_watermark, 5);
        }
    }

    #[test]
    fn the_first_batch_comes_whatever_its_size_is() {
        let mut cluster = cluster();
        produce(&mut cluster, 0, 0, batch(100));
        produce(&mut cluster, 0, 0, batch(100));
        let mut request = request(&cluster, 0);
        request.max_bytes = 1;
        let records = only(ask(&mut cluster, 0, 12, &request)).records.unwrap();
        assert_eq!(BatchHeader::parse(&records).unwrap().2.len(), 0);
    }

    #[test]
    fn an_offset_outside_the_log_is_refused() {
        let mut cluster = cluster();
        produce(&mut cluster, 0, 0, batch(3));
        let request = request(&cluster, 4);
        let data = only(ask(&mut cluster, 0, 12, &request));
        assert_eq!(data.error_code, ErrorCode::OFFSET_OUT_OF_RANGE);
    }

    #[test]
    fn an_empty_log_is_waited_for_and_answered_when_something_comes() {
        let mut cluster = cluster();
        let request = request(&cluster, 0);
        let Step::Wait { ticket, until } = cluster.handle(NOW, 0.into(), &frame(12, &request))
        else {
            panic!("answered at once");
        };
        assert_eq!(until, NOW + 500);
        assert!(matches!(cluster.resume(NOW + 1, ticket), Step::Wait { .. }));
        produce(&mut cluster, 0, 0, batch(3));
        let Step::Done(reply) = cluster.resume(NOW + 2, ticket) else {
            panic!("still waits");
        };
        let data = only(answer_of::<FetchRequest>(12, &reply.frame.unwrap()));
        assert!(!data.records.unwrap().is_empty());
    }

    #[test]
    fn an_empty_log_is_answered_at_the_end_of_patience() {
        let mut cluster = cluster();
        let request = request(&cluster, 0);
        let Step::Wait { ticket, until } = cluster.handle(NOW, 0.into(), &frame(12, &request))
        else {
            panic!("answered at once");
        };
        let Step::Done(reply) = cluster.resume(until, ticket) else {
            panic!("still waits");
        };
        let data = only(answer_of::<FetchRequest>(12, &reply.frame.unwrap()));
        assert_eq!(
            (data.error_code, data.records.unwrap().len()),
            (ErrorCode::NONE, 0)
        );
    }

    #[test]
    fn another_broker_names_the_leader() {
        let mut cluster = cluster();
        let request = request(&cluster, 0);
        let data = only(ask(&mut cluster, 1, 12, &request));
        assert_eq!(data.error_code, ErrorCode::NOT_LEADER_OR_FOLLOWER);
        assert_eq!(data.current_leader.leader_id, 0);
    }

    #[test]
    fn there_are_no_sessions() {
        let mut cluster = cluster();
        let mut request = request(&cluster, 0);
        (request.session_id, request.session_epoch) = (7, 1);
        let response = ask(&mut cluster, 0, 12, &request);
        assert_eq!(response.error_code, ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
    }
}

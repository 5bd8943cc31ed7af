//! Produce: the checks of a broker, in a broker's order, and the append (C1 to C21).
//!
//! ```text
//! whole request   C2 transactional ─> C3, C4 topic ─> C5 one batch, 76 ─> C1 acks
//! each partition  ─> C6 leader ─> C7 in sync ─> C8 batch ─> C9, C11–C14 sequence ─> C16 append
//! answer          C17 acks: none, now, or when the followers have it
//! ```
//!
//! The order is visible to clients: a duplicate with a bad timestamp gets 32, one that is too
//! large gets 10, so that neither code proves that an earlier attempt was not written.

use kafka_producer_proto::compression::Codec;
use kafka_producer_proto::messages::produce::{
    LeaderIdAndEpoch, NodeEndpoint, PartitionProduceResponse, ProduceResponse, TopicProduceResponse,
};
use kafka_producer_proto::{ApiKey, ErrorCode, Uuid};

use super::append::{Attempt, Outcome, append, check_batch, refused};
use super::examine::Section;
use super::inject::Target;
use super::request::{Head, Produced, ProducedTopic};
use super::{
    Broker, BrokerId, ById, Cluster, LeaderHints, Parked, Place, Reply, Step, StoredBatch, Then,
    Ticket,
};

/// A Produce request whose records are in the leaders' logs and not yet in the followers'.
#[derive(Debug)]
pub(crate) struct ParkedProduce {
    head: Head,
    broker: BrokerId,
    deadline: i64,
    response: ProduceResponse,
    waits: Vec<Wait>,
}

impl ParkedProduce {
    pub(crate) const fn broker(&self) -> BrokerId {
        self.broker
    }
}

/// One partition of it.
#[derive(Clone, Debug)]
struct Wait {
    /// Where its answer stands in the response.
    place: (usize, usize),
    topic: String,
    id: Uuid,
    partition: i32,
    /// The high watermark that it waits for.
    end: i64,
}

impl Cluster {
    pub(crate) fn on_produce(&mut self, broker: BrokerId, head: Head, request: Produced) -> Step {
        if request.sections().any(|section| *section == Section::Null) {
            return Step::Done(Reply::silence(Then::Stall));
        }

        let mut response = ProduceResponse::default();
        let mut waits = Vec::new();
        // No transactional id is authorised here, and one such batch refuses the whole request.
        let whole = request
            .sections()
            .any(Section::is_transactional)
            .then_some(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
        for (topic_at, topic) in request.topics.iter().enumerate() {
            let mut answer = TopicProduceResponse {
                name: topic.name.clone(),
                topic_id: topic.id,
                partition_responses: Vec::with_capacity(topic.partitions.len()),
            };
            for (index, section) in &topic.partitions {
                let place = (topic_at, answer.partition_responses.len());
                let outcome = match whole {
                    Some(error) => Outcome::Refused(refused(*index, error)),
                    None => self.produce(broker, head, request.acks, topic, *index, section),
                };
                answer.partition_responses.push(match outcome {
                    Outcome::Refused(answer) => answer,
                    Outcome::Written { answer, end } => {
                        waits.extend(self.wait(head, topic, place, *index, end));
                        answer
                    }
                });
            }
            response.responses.push(answer);
        }
        self.enforce_retention();
        response.node_endpoints = self.endpoints_of(&response);
        self.conclude(broker, head, &request, response, waits)
    }

    /// C17: no answer, an answer, or an answer later.
    fn conclude(
        &mut self,
        broker: BrokerId,
        head: Head,
        request: &Produced,
        mut response: ProduceResponse,
        waits: Vec<Wait>,
    ) -> Step {
        response.throttle_time_ms = self.throttles.pop().unwrap_or(0);
        match request.acks {
            0 => {
                let failed = answers(&response).any(|answer| !answer.error_code.is_none());
                let then = if failed { Then::Close } else { Then::Read };
                Step::Done(Reply::silence(then).paused(response.throttle_time_ms))
            }
            -1 => {
                let deadline = self
                    .clock
                    .saturating_add(i64::from(request.timeout_ms.max(0)));
                let produce = ParkedProduce {
                    head,
                    broker,
                    deadline,
                    response,
                    waits,
                };
                match self.settle(produce) {
                    Ok(reply) => Step::Done(reply),
                    Err((produce, until)) => self.park(Parked::Produce(produce), until),
                }
            }
            _ => Step::Done(reply(head, &response)),
        }
    }

    pub(crate) fn resume_produce(&mut self, ticket: Ticket, produce: ParkedProduce) -> Step {
        if !self.is_up(produce.broker) {
            return Step::Done(Reply::silence(Then::Close));
        }
        match self.settle(produce) {
            Ok(reply) => Step::Done(reply),
            Err((produce, until)) => self.park_again(ticket, Parked::Produce(produce), until),
        }
    }

    /// Answers as soon as no partition waits: the slowest one decides.
    /// Otherwise says when to look again.
    fn settle(&mut self, mut produce: ParkedProduce) -> Result<Reply, (ParkedProduce, i64)> {
        let now = self.clock;
        let mut until = produce.deadline;
        let ParkedProduce {
            broker,
            deadline,
            response,
            waits,
            ..
        } = &mut produce;
        waits.retain(|wait| {
            let (topic, partition) = wait.place;
            let answer = &mut response.responses[topic].partition_responses[partition];
            match self.verdict(now, *broker, wait) {
                Some(ErrorCode::NONE) => false,
                Some(error) => {
                    // It is in the log all the same: offset and log start stay as they are.
                    answer.error_code = error;
                    if error == ErrorCode::NOT_LEADER_OR_FOLLOWER {
                        answer.current_leader = self.hint(&wait.topic, wait.partition);
                    }
                    false
                }
                None if *deadline <= now => {
                    answer.error_code = ErrorCode::REQUEST_TIMED_OUT;
                    false
                }
                None => {
                    let replicated = self.replicates_at(&wait.topic, wait.partition);
                    until = until.min(replicated.unwrap_or(until));
                    true
                }
            }
        });
        if !produce.waits.is_empty() {
            return Err((produce, until));
        }
        produce.response.node_endpoints = self.endpoints_of(&produce.response);
        Ok(reply(produce.head, &produce.response))
    }

    /// Whether a written batch is replicated, or can no longer be waited for.
    fn verdict(&mut self, now: i64, broker: BrokerId, wait: &Wait) -> Option<ErrorCode> {
        let Some(topic) = self
            .topics
            .get_mut(&wait.topic)
            .filter(|topic| topic.id == wait.id)
        else {
            return Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        };
        let partition = topic.partition_mut(wait.partition)?;
        partition.log.replicate(now);
        if partition.leadership.leader != Some(broker) {
            return Some(ErrorCode::NOT_LEADER_OR_FOLLOWER);
        }
        (wait.end <= partition.log.high_watermark()).then_some(ErrorCode::NONE)
    }

    fn wait(
        &self,
        head: Head,
        topic: &ProducedTopic,
        place: (usize, usize),
        partition: i32,
        end: i64,
    ) -> Option<Wait> {
        let by_id = ById::since(13, head.version);
        let name = self.resolve(by_id, &topic.name, topic.id)?;
        let id = self.topics.get(name)?.id;
        Some(Wait {
            place,
            topic: name.into(),
            id,
            partition,
            end,
        })
    }

    /// C3 to C6 for one partition, then the rest where its leader is.
    fn produce(
        &mut self,
        broker: BrokerId,
        head: Head,
        acks: i16,
        topic: &ProducedTopic,
        index: i32,
        section: &Section,
    ) -> Outcome {
        let by_id = ById::since(13, head.version);
        let name = self.resolve(by_id, &topic.name, topic.id).map(String::from);
        let known = name.as_deref().and_then(|name| self.topics.get(name));
        let visible = known.filter(|topic| topic.visible_at <= self.clock);
        let (Some(name), Some(known)) = (&name, visible) else {
            return Outcome::Refused(refused(index, by_id.unknown()));
        };
        if known.partition(index).is_none() {
            return Outcome::Refused(refused(index, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
        }
        let batch = match section {
            Section::Batch(batch) => batch,
            Section::Malformed { error, message } => {
                let error_message = message.clone();
                let answer = PartitionProduceResponse {
                    error_message,
                    ..refused(index, *error)
                };
                return Outcome::Refused(answer);
            }
            Section::Null => return Outcome::Refused(refused(index, ErrorCode::INVALID_RECORD)),
        };
        if head.version < 7 && batch.header.attributes.codec() == Ok(Codec::Zstd) {
            return Outcome::Refused(refused(index, ErrorCode::UNSUPPORTED_COMPRESSION_TYPE));
        }
        if !matches!(acks, -1..=1) {
            return Outcome::Refused(refused(index, ErrorCode::INVALID_REQUIRED_ACKS));
        }
        self.produce_injected(
            name,
            &Attempt {
                broker,
                acks,
                index,
                batch,
            },
        )
    }

    fn produce_injected(&mut self, name: &str, attempt: &Attempt<'_>) -> Outcome {
        let target = Target {
            api: ApiKey::Produce,
            broker: attempt.broker,
            topic: Some(name),
            partition: Some(attempt.index),
        };
        match self.injected(target) {
            None => self.produce_at_leader(name, attempt),
            Some((error, Place::BeforeAppend)) => Outcome::Refused(refused(attempt.index, error)),
            Some((error, Place::AfterAppend)) => match self.produce_at_leader(name, attempt) {
                Outcome::Written { answer, .. } => {
                    let answer = PartitionProduceResponse {
                        error_code: error,
                        ..answer
                    };
                    Outcome::Refused(answer)
                }
                refused @ Outcome::Refused(_) => refused,
            },
        }
    }

    fn produce_at_leader(&mut self, name: &str, attempt: &Attempt<'_>) -> Outcome {
        let index = attempt.index;
        let now = self.clock;
        let Some(topic) = self.topics.get_mut(name) else {
            return Outcome::Refused(refused(index, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
        };
        let (id, config) = (topic.id, topic.config);
        let Some(partition) = topic.partition_mut(index) else {
            return Outcome::Refused(refused(index, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
        };
        if partition.leadership.leader != Some(attempt.broker) {
            let current_leader = self.hint(name, index);
            let answer = refused(index, ErrorCode::NOT_LEADER_OR_FOLLOWER);
            return Outcome::Refused(PartitionProduceResponse {
                current_leader,
                ..answer
            });
        }
        let brokers = &self.brokers;
        let is_live = |replica: &&BrokerId| brokers.get(replica).is_some_and(Broker::is_up);
        let in_sync = partition.replicas.iter().filter(is_live).count();
        if attempt.acks == -1 && in_sync < config.min_insync_replicas {
            let answer = refused(index, ErrorCode::NOT_ENOUGH_REPLICAS);
            let log_start_offset = partition.log.start();
            return Outcome::Refused(PartitionProduceResponse {
                log_start_offset,
                ..answer
            });
        }
        if let Err(answer) = check_batch(now, &config, partition, attempt) {
            return Outcome::Refused(answer);
        }
        let before = partition.log.bytes();
        let (outcome, appended) = append(now, &self.knobs, &config, partition, attempt);
        self.stored_bytes += partition.log.bytes() - before;
        if let (Some(base_offset), Some(history)) = (appended, &mut self.history) {
            history.push(StoredBatch {
                topic_id: id,
                topic: name.into(),
                partition: index.cast_unsigned(),
                base_offset,
                bytes: attempt.batch.bytes.clone(),
            });
        }
        outcome
    }

    /// Who leads, for a broker that does not (KIP-951).
    fn hint(&self, topic: &str, partition: i32) -> LeaderIdAndEpoch {
        let known = self
            .topics
            .get(topic)
            .and_then(|topic| topic.partition(partition));
        match (self.knobs.leader_hints, known) {
            (LeaderHints::Given, Some(partition)) => LeaderIdAndEpoch {
                leader_id: self.leader_named(partition.leadership),
                leader_epoch: partition.leadership.epoch,
            },
            _ => LeaderIdAndEpoch::default(),
        }
    }

    fn endpoints_of(&self, response: &ProduceResponse) -> Vec<NodeEndpoint> {
        let mut named: Vec<i32> = answers(response)
            .map(|answer| answer.current_leader.leader_id)
            .collect();
        named.sort_unstable();
        named.dedup();
        let endpoint = |node_id: i32| {
            let broker = self.brokers.get(&BrokerId(node_id))?;
            Some(NodeEndpoint {
                node_id,
                host: broker.host.clone(),
                port: i32::from(broker.port),
                rack: broker.rack.clone(),
            })
        };
        named.into_iter().filter_map(endpoint).collect()
    }

    fn replicates_at(&self, topic: &str, partition: i32) -> Option<i64> {
        self.topics
            .get(topic)?
            .partition(partition)?
            .log
            .replicates_at()
    }
}

impl Section {
    fn is_transactional(&self) -> bool {
        matches!(self, Self::Batch(batch) if batch.header.attributes.is_transactional())
    }
}

fn answers(response: &ProduceResponse) -> impl Iterator<Item = &PartitionProduceResponse> {
    response
        .responses
        .iter()
        .flat_map(|topic| &topic.partition_responses)
}

fn reply(head: Head, response: &ProduceResponse) -> Reply {
    Reply::answer(head, response).paused(response.throttle_time_ms)
}

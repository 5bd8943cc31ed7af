//! What a partition waits for, asked in the order in which `Partition::next` and `schedule` ask.
//!
//! ```text
//! topic? ──> in flight? ──> compressed? ──> backoff over? ──> producer id, epoch? ──> leader?
//!        ──> lingered? ──> leader connected? ──> not throttled? ──> a slot in flight? ──> queued
//! ```

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::link::at;
use super::{Explanation, Next, NodeId, Oldest, ProducerMachine, State, Step, unknown};
use crate::accumulator::{Batch, BatchKey, Departure, Order, Partition, PartitionKey, Stage};
use crate::brokers::Place;
use crate::connection::What;
use crate::explain::{Link, PartitionState, TopicState};
use crate::idempotence::Fresh;
use crate::machine::Life;
use crate::{ErrorCode, Instant, Outcome, TopicHandle};

/// A partition's state with its times.
struct View {
    state: PartitionState,
    since: Option<Instant>,
    next: Option<Next>,
}

impl From<PartitionState> for View {
    fn from(state: PartitionState) -> Self {
        Self {
            state,
            since: None,
            next: None,
        }
    }
}

/// What is in flight of a partition.
struct Flight {
    node: NodeId,
    requests: u32,
    unresolved: u32,
    oldest: Instant,
    deadline: Instant,
    outcome: Outcome,
}

impl ProducerMachine {
    pub(super) fn explain_partition(
        &self,
        now: Instant,
        topic: TopicHandle,
        index: u32,
    ) -> Explanation {
        let Some(topic_view) = self.metadata.topic(topic) else {
            return unknown(now, String::from("this topic handle"));
        };
        let subject = format!("{}-{index}", topic_view.name);
        let of_topic = self.topic_state(topic);
        let known = topic_view.partitions.get(index as usize);
        let key = topic_view.used_partition(index);
        let oldest = match key {
            Some(key) => self.oldest_batch(|batch| batch.partition == key),
            None => self.oldest_held(topic, |asked| asked.is_none_or(|asked| asked == index)),
        };
        let mut view = match (&self.life, of_topic, known, key) {
            (Life::Closed, ..) => PartitionState::Closed.into(),
            (Life::Fatal(fatal), ..) => PartitionState::Fatal(fatal.clone()).into(),
            // A batch goes on although its topic is refused meanwhile.
            (_, Some(state), _, key) if key.is_none() || oldest.is_none() => self.no_topic(state),
            // What was left for a partition that is gone is in a batch, and not held.
            (_, _, None, Some(key)) if oldest.is_some() => self.view(now, key),
            (_, _, None, _) => self.not_in_topic(topic, index, topic_view.partitions.len()),
            (_, _, Some(_), None) => PartitionState::Nothing.into(),
            (_, _, Some(_), Some(key)) => self.view(now, key),
        };
        if let PartitionState::NoProducerId | PartitionState::NotInTopic { .. } = view.state {
            view.since = oldest.map(|oldest| oldest.accepted);
        }
        if let PartitionState::Topic(TopicState::Unknown { .. }) = view.state {
            view.since = oldest.map(|oldest| oldest.accepted);
        }
        Explanation {
            state: State::Partition(view.state),
            since: view.since,
            next: view.next,
            oldest,
            ..unknown(now, subject)
        }
    }

    fn no_topic(&self, state: TopicState) -> View {
        let refused = matches!(state, TopicState::Refused { .. });
        View {
            next: self.next_metadata().filter(|_| !refused),
            ..PartitionState::Topic(state).into()
        }
    }

    fn not_in_topic(&self, topic: TopicHandle, index: u32, partitions: usize) -> View {
        View {
            next: self.next_metadata(),
            ..PartitionState::NotInTopic {
                partitions: partitions as u32,
                held: self.held_records(topic, |asked| asked == Some(index)),
            }
            .into()
        }
    }

    /// A partition that has been used.
    fn view(&self, now: Instant, key: PartitionKey) -> View {
        let partition = &self.accumulator.partitions[key.0 as usize];
        if let Some(flight) = self.flight(key) {
            return self.in_flight_view(partition, &flight);
        }
        let batches = &self.accumulator.batches;
        let queued = partition.queue.iter();
        let first = queued
            .clone()
            .find(|key| {
                let batch = batches.get(key.0 as usize);
                batch.is_some_and(|batch| batch.numbering.is_some())
            })
            .or_else(|| queued.clone().next())
            .and_then(|key| batches.get(key.0 as usize));
        let obstacle = match (first, &partition.open) {
            (Some(batch), _) => self.batch_obstacle(now, partition, batch),
            (None, Some(_)) => self.number_obstacle(partition),
            (None, None) => return PartitionState::Nothing.into(),
        };
        obstacle.unwrap_or_else(|| self.leader_view(now, key, first))
    }

    fn in_flight_view(&self, partition: &Partition, flight: &Flight) -> View {
        let leader = self.node(flight.node);
        let behind = partition.queue.len() as u32 + u32::from(partition.open.is_some());
        if 0 < behind && self.is_bumping(partition) {
            return View {
                since: Some(flight.oldest),
                ..PartitionState::EpochBump {
                    outstanding: partition.sequences().outstanding(),
                }
                .into()
            };
        }
        let requests = flight.requests;
        let state = if flight.unresolved == 0 && behind == 0 {
            PartitionState::GivenUp { leader, requests }
        } else {
            PartitionState::InFlight {
                leader,
                requests,
                behind,
                is_leader: partition.leader == Some(flight.node),
                outcome: flight.outcome,
            }
        };
        View {
            state,
            since: Some(flight.oldest),
            next: at(Step::GiveUpRequest, Some(flight.deadline)),
        }
    }

    /// Whether fresh batches wait until those with a number have ended.
    fn is_bumping(&self, partition: &Partition) -> bool {
        matches!(self.order, Order::Idempotent { .. })
            && matches!(
                partition.sequences().look(&self.session),
                Fresh::AfterOutstanding | Fresh::AfterBump(_)
            )
    }

    /// What keeps the next batch from leaving, apart from its leader.
    fn batch_obstacle(&self, now: Instant, partition: &Partition, batch: &Batch) -> Option<View> {
        if let Stage::Compressing(job, records) = batch.stage() {
            let bytes = records.body.len();
            let state = if self.accumulator.is_job_out(*job) {
                PartitionState::Compressing { bytes }
            } else {
                PartitionState::CopyRoom { bytes }
            };
            return Some(state.into());
        }
        let not_before = batch.not_before(partition.leader_epoch());
        if now < not_before {
            let error = batch.last_error.unwrap_or(ErrorCode::NETWORK_EXCEPTION);
            let attempts = batch.attempts;
            let state = if batch.is_suspected() {
                PartitionState::InDoubt { error, attempts }
            } else {
                PartitionState::BackingOff {
                    error,
                    attempts,
                    outcome: outcome(batch),
                }
            };
            return Some(View {
                state,
                since: batch.failed_at,
                next: at(Step::SendAgain, Some(not_before)),
            });
        }
        match batch.numbering {
            Some(_) => None,
            None => self.number_obstacle(partition),
        }
    }

    /// What keeps a fresh batch from getting a number.
    fn number_obstacle(&self, partition: &Partition) -> Option<View> {
        let Order::Idempotent { .. } = self.order else {
            return None;
        };
        match partition.sequences().look(&self.session) {
            Fresh::Number(_) => None,
            Fresh::AfterIdentity => Some(View {
                next: Some(Next {
                    step: Step::AskProducerId,
                    at: self.session.wanted_at(),
                }),
                ..PartitionState::NoProducerId.into()
            }),
            Fresh::AfterOutstanding | Fresh::AfterBump(_) => Some(
                PartitionState::EpochBump {
                    outstanding: partition.sequences().outstanding(),
                }
                .into(),
            ),
        }
    }

    /// A batch may leave, or lingers: what about its leader?
    fn leader_view(&self, now: Instant, key: PartitionKey, first: Option<&Batch>) -> View {
        let partition = &self.accumulator.partitions[key.0 as usize];
        let Some(node) = partition.leader else {
            let state = match self.partitions(partition.topic) {
                Some(partitions) if partitions <= partition.index => {
                    PartitionState::Gone { partitions }
                }
                Some(_) | None => PartitionState::NoLeader,
            };
            return View {
                since: self.metadata.leaderless_since(key),
                next: self.next_metadata(),
                ..state.into()
            };
        };
        if let (None, Some(view)) = (first, self.lingering(partition)) {
            return view;
        }
        let leader = self.node(node);
        let id = self.brokers.lane_for(node, key);
        let Some((lane, link)) = self.brokers.lane(id).zip(self.link_of(now, id)) else {
            return PartitionState::NoLeader.into();
        };
        match link.link {
            Link::Ready { in_flight } if in_flight < self.brokers.max_in_flight() => {
                PartitionState::Queued {
                    leader,
                    ahead: match partition.place() {
                        Place::Ready(_, turn) => lane.ahead_of(turn),
                        Place::Lingering(_) | Place::Nowhere => lane.ready(),
                    },
                }
                .into()
            }
            Link::Ready { in_flight } => View {
                state: PartitionState::InFlightLimit { leader, in_flight },
                since: None,
                next: link.next,
            },
            Link::Throttled { .. } => View {
                state: PartitionState::Throttled { leader },
                since: link.since,
                next: link.next,
            },
            link_state => View {
                state: PartitionState::LeaderUnavailable {
                    leader,
                    link: link_state,
                },
                since: link.since,
                next: link.next,
            },
        }
    }

    fn lingering(&self, partition: &Partition) -> Option<View> {
        let open = partition
            .open
            .as_ref()
            .filter(|open| open.departure == Departure::Lingering)?;
        let batch = self.accumulator.batches.get(open.key.0 as usize)?;
        Some(View {
            state: PartitionState::Lingering {
                records: open.records.count(),
                bytes: open.records.size(),
            },
            since: Some(self.accepted(batch)),
            next: at(Step::EndLinger, Some(batch.linger_at)),
        })
    }

    /// What is in flight of a partition: on one connection, in its order.
    fn flight(&self, key: PartitionKey) -> Option<Flight> {
        let partition = &self.accumulator.partitions[key.0 as usize];
        let connection = self.brokers.connections.get(&partition.connection?)?;
        let place = (partition.topic, partition.index);
        let asked = connection.in_flight.iter().filter_map(|sent| {
            let What::Produce { batches, .. } = &sent.what else {
                return None;
            };
            let at = batches.binary_search_by_key(&place, |sent| (sent.topic, sent.index));
            Some((sent, batches.get(at.ok()?)?.batch))
        });
        let (oldest, deadline) = match asked.clone().next() {
            Some((sent, _)) => (sent.at, sent.deadline),
            // Under acks=0 nobody answers: the frame is being written.
            None => (connection.heard_at, connection.written_by),
        };
        let keys: Vec<BatchKey> = asked
            .map(|(_, batch)| batch)
            .chain(connection.unanswered.iter().copied())
            .collect();
        let of_partition = |batch: &&Batch| batch.partition == key;
        let batches = || {
            let found = keys
                .iter()
                .filter_map(|key| self.accumulator.batches.get(key.0 as usize));
            found.filter(of_partition)
        };
        Some(Flight {
            node: connection.lane.node,
            requests: partition.in_flight,
            unresolved: batches()
                .filter(|batch| !batch.stage().is_abandoned())
                .count() as u32,
            oldest,
            deadline,
            outcome: batches()
                .map(outcome)
                .find(|outcome| *outcome == Outcome::MaybeWritten)
                .unwrap_or(Outcome::NotWritten),
        })
    }

    /// The oldest of some batches that are not resolved, by its deadline.
    pub(super) fn oldest_batch(&self, which: impl Fn(&Batch) -> bool) -> Option<Oldest> {
        self.accumulator
            .batches
            .iter()
            .map(|(_, batch)| batch)
            .filter(|batch| !batch.stage().is_abandoned() && which(batch))
            .min_by_key(|batch| (batch.deadline, batch.serial))
            .map(|batch| Oldest {
                accepted: self.accepted(batch),
                deadline: batch.deadline,
                setting: "delivery.timeout.ms",
            })
    }

    /// When the oldest record of a batch was accepted.
    fn accepted(&self, batch: &Batch) -> Instant {
        batch.deadline - self.config.delivery_timeout
    }
}

const fn outcome(batch: &Batch) -> Outcome {
    if batch.is_in_doubt() {
        Outcome::MaybeWritten
    } else {
        Outcome::NotWritten
    }
}

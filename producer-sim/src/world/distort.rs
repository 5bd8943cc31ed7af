//! Answers that are wrong in a way that real ones are: an entry is missing or stands twice,
//! metadata leaves something out or is older than what was told before (F26, F31, K1).
//!
//! None of them lies about a record: what is left out is in doubt, and of two entries both are
//! true.

use std::collections::VecDeque;

use kafka_producer_proto::messages::{MetadataResponse, ProduceResponse};
use kafka_producer_proto::{ApiKey, Message, RequestHeader, ResponseHeader, encode_response};

use super::World;
use super::goals::Goal;
use crate::chance::Chance;

/// What is wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Distortion {
    /// An answer to Produce leaves out a partition.
    EntryMissing,
    /// An answer to Produce has a partition twice.
    EntryTwice,
    /// Metadata leaves out a partition.
    PartitionMissing,
    /// Metadata tells what was so some time ago.
    Stale,
    /// Metadata leaves out a topic.
    TopicMissing,
    /// The answer to Produce is written twice: the second one answers nothing.
    Twice,
}

/// What is to be distorted, and what metadata has told lately.
#[derive(Debug, Default)]
pub(crate) struct Distortions {
    pub(crate) armed: Vec<Distortion>,
    told: VecDeque<MetadataResponse>,
}

/// How many answers are remembered: as old as that is what is told late.
const REMEMBERED: usize = 4;

impl Distortion {
    const fn api(self) -> ApiKey {
        match self {
            Self::EntryMissing | Self::EntryTwice | Self::Twice => ApiKey::Produce,
            Self::PartitionMissing | Self::Stale | Self::TopicMissing => ApiKey::Metadata,
        }
    }
}

impl World {
    /// The answer as it is written: `frame`, or a distorted one, or two.
    pub(crate) fn distorted(&mut self, request: &[u8], frame: Vec<u8>) -> Vec<u8> {
        let Ok((header, _)) = RequestHeader::decode(request) else {
            return frame;
        };
        let Some(api) = [ApiKey::Produce, ApiKey::Metadata]
            .into_iter()
            .find(|api| api.value() == header.api)
        else {
            return frame;
        };
        let armed = &self.distortions.armed;
        let at = armed.iter().position(|distortion| distortion.api() == api);
        let distortion = at.map(|at| self.distortions.armed.remove(at));
        let Ok((answer, body)) = ResponseHeader::decode(api, header.version, &frame[4..]) else {
            return frame;
        };
        let (version, correlation_id) = (header.version, answer.correlation_id);
        let rewritten = match api {
            ApiKey::Metadata => MetadataResponse::decode(version, body)
                .ok()
                .map(|response| {
                    let response = self.retold(response, distortion);
                    encoded(api, version, correlation_id, &response)
                }),
            _ => match distortion {
                None => return frame,
                Some(Distortion::Twice) => Some([&frame[..], &frame[..]].concat()),
                Some(distortion) => {
                    ProduceResponse::decode(version, body)
                        .ok()
                        .map(|mut response| {
                            distort(&mut response, distortion, &mut self.network);
                            encoded(api, version, correlation_id, &response)
                        })
                }
            },
        };
        rewritten.unwrap_or(frame)
    }

    /// Metadata as it is told.
    fn retold(
        &mut self,
        mut response: MetadataResponse,
        distortion: Option<Distortion>,
    ) -> MetadataResponse {
        let told = &mut self.distortions.told;
        if !response.topics.is_empty() {
            told.push_back(response.clone());
            if REMEMBERED < told.len() {
                told.pop_front();
            }
        }
        let Some(distortion) = distortion.filter(|_| !response.topics.is_empty()) else {
            return response;
        };
        self.ledger.goals.reach(Goal::MetadataWrong);
        let chance = &mut self.network;
        let topic = place_in(&response.topics, chance);
        match distortion {
            Distortion::PartitionMissing => {
                let partitions = &mut response.topics[topic].partitions;
                if !partitions.is_empty() {
                    partitions.remove(place_in(partitions, chance));
                }
            }
            Distortion::Stale => {
                for topic in &mut response.topics {
                    let older = told.iter().flat_map(|response| &response.topics);
                    let mut same = older.filter(|older| older.name == topic.name);
                    if let Some(older) = same.next() {
                        *topic = older.clone();
                    }
                }
            }
            _ => {
                response.topics.remove(topic);
            }
        }
        response
    }
}

fn distort(response: &mut ProduceResponse, distortion: Distortion, chance: &mut Chance) {
    if response.responses.is_empty() {
        return;
    }
    let topic = place_in(&response.responses, chance);
    let entries = &mut response.responses[topic].partition_responses;
    if entries.is_empty() {
        return;
    }
    let at = place_in(entries, chance);
    if distortion == Distortion::EntryTwice {
        entries.push(entries[at].clone());
    } else {
        entries.remove(at);
    }
}

/// Any place in a list that is not empty.
fn place_in<T>(list: &[T], chance: &mut Chance) -> usize {
    let length = u64::try_from(list.len()).unwrap_or(u64::MAX);
    usize::try_from(chance.below(length)).unwrap_or(0)
}

fn encoded(api: ApiKey, version: i16, correlation_id: i32, response: &impl Message) -> Vec<u8> {
    let mut frame = Vec::new();
    // What could be decoded can be encoded.
    let done = encode_response(api, version, correlation_id, response, &mut frame);
    debug_assert!(done.is_ok(), "a decoded answer can be encoded");
    frame
}

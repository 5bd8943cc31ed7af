//! What the brokers of the chaos answer: the right thing, a code, or rubbish.

use kafka_producer_proto::batch::BatchHeader;
use kafka_producer_proto::messages::api_versions::ApiVersion;
use kafka_producer_proto::messages::metadata::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_producer_proto::messages::produce::{PartitionProduceResponse, TopicProduceResponse};
use kafka_producer_proto::messages::{
    ApiVersionsResponse, InitProducerIdResponse, MetadataRequest, MetadataResponse, ProduceRequest,
    ProduceResponse,
};
use kafka_producer_proto::{ApiKey, ErrorCode, Message, RequestHeader, Uuid, encode_response};

/// How a broker answers.
#[derive(Clone, Debug)]
pub enum Flavor {
    /// With this code wherever there is one.
    Code(i16),
    /// As it should.
    Good,
    /// These bytes in the place of the body.
    Rubbish(Vec<u8>),
    /// As it should, under another correlation id.
    WrongId(i32),
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    pub header: RequestHeader,
    pub body: Vec<u8>,
}

impl Asked {
    /// Reads one whole frame, and insists that it is one.
    pub fn read(frame: &[u8]) -> Self {
        let (size, rest) = frame.split_first_chunk::<4>().expect("a size");
        let size = usize::try_from(i32::from_be_bytes(*size)).expect("a size of 0 or more");
        assert_eq!(size, rest.len(), "one whole frame");
        let (header, body) = RequestHeader::decode(rest).expect("a header of ours");
        Self {
            header,
            body: body.to_vec(),
        }
    }

    pub fn api(&self) -> ApiKey {
        ApiKey::from_value(self.header.api).expect("an API that Kafka has")
    }

    /// Whether an answer is expected at all.
    pub fn wants_answer(&self) -> bool {
        self.api() != ApiKey::Produce || self.produce().acks != 0
    }

    pub fn produce(&self) -> ProduceRequest {
        ProduceRequest::decode(self.header.version, &self.body).expect("a request of ours")
    }

    /// The whole frame of the answer.
    pub fn answer(&self, flavor: &Flavor) -> Vec<u8> {
        let code = match flavor {
            Flavor::Code(code) => ErrorCode(*code),
            Flavor::Good | Flavor::Rubbish(_) | Flavor::WrongId(_) => ErrorCode::NONE,
        };
        match flavor {
            Flavor::Rubbish(bytes) => {
                let mut frame = ((bytes.len() + 4) as i32).to_be_bytes().to_vec();
                frame.extend_from_slice(&self.header.correlation_id.to_be_bytes());
                frame.extend_from_slice(bytes);
                frame
            }
            Flavor::WrongId(id) => self.encode(self.header.correlation_id.wrapping_add(*id), code),
            Flavor::Code(_) | Flavor::Good => self.encode(self.header.correlation_id, code),
        }
    }

    fn encode(&self, id: i32, code: ErrorCode) -> Vec<u8> {
        let mut out = Vec::new();
        let version = self.header.version;
        let api = self.api();
        match api {
            ApiKey::ApiVersions => encode_response(api, version, id, &api_versions(code), &mut out),
            ApiKey::InitProducerId => {
                let answer = InitProducerIdResponse {
                    error_code: code,
                    producer_id: 7,
                    producer_epoch: 0,
                    ..InitProducerIdResponse::default()
                };
                encode_response(api, version, id, &answer, &mut out)
            }
            ApiKey::Metadata => {
                let asked = MetadataRequest::decode(version, &self.body).expect("a request");
                encode_response(api, version, id, &metadata(&asked, code), &mut out)
            }
            _ => encode_response(api, version, id, &produced(&self.produce(), code), &mut out),
        }
        .expect("the answer can be encoded");
        out
    }
}

fn api_versions(error_code: ErrorCode) -> ApiVersionsResponse {
    let range = |api: ApiKey, min_version, max_version| ApiVersion {
        api_key: api.value(),
        min_version,
        max_version,
    };
    ApiVersionsResponse {
        error_code,
        api_keys: vec![
            range(ApiKey::Produce, 3, 12),
            range(ApiKey::Metadata, 1, 12),
            range(ApiKey::InitProducerId, 0, 4),
            range(ApiKey::ApiVersions, 0, 3),
        ],
        ..ApiVersionsResponse::default()
    }
}

/// Topics t0 to t2 have two partitions, led by brokers 0 and 1; others do not exist.
fn metadata(request: &MetadataRequest, code: ErrorCode) -> MetadataResponse {
    let partition = |index| MetadataResponsePartition {
        partition_index: index,
        leader_id: index,
        leader_epoch: 1,
        ..MetadataResponsePartition::default()
    };
    let topics = request.topics.iter().flatten().map(|topic| {
        let name = topic.name.clone().unwrap_or_default();
        let known = ["t0", "t1", "t2"].iter().position(|known| *known == name);
        MetadataResponseTopic {
            error_code: match known {
                Some(_) => code,
                None => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            },
            topic_id: known.map_or(Uuid::ZERO, |at| Uuid::from_bytes([at as u8 + 1; 16])),
            name: Some(name),
            partitions: known.map_or_else(Vec::new, |_| vec![partition(0), partition(1)]),
            ..MetadataResponseTopic::default()
        }
    });
    MetadataResponse {
        brokers: [0, 1]
            .map(|id| MetadataResponseBroker {
                node_id: id,
                host: format!("b{id}"),
                port: 9092,
                ..MetadataResponseBroker::default()
            })
            .into(),
        topics: topics.collect(),
        ..MetadataResponse::default()
    }
}

/// Base offsets are base sequences: the place of a record in its partition, however batched.
fn produced(request: &ProduceRequest, error_code: ErrorCode) -> ProduceResponse {
    let responses = request.topic_data.iter().map(|topic| TopicProduceResponse {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        partition_responses: topic
            .partition_data
            .iter()
            .map(|partition| {
                let records = partition.records.as_deref().expect("records");
                let (header, ..) = BatchHeader::parse(records).expect("a batch of ours");
                PartitionProduceResponse {
                    index: partition.index,
                    error_code,
                    base_offset: if error_code == ErrorCode::NONE {
                        i64::from(header.base_sequence.max(0))
                    } else {
                        -1
                    },
                    log_append_time_ms: -1,
                    log_start_offset: 0,
                    ..PartitionProduceResponse::default()
                }
            })
            .collect(),
    });
    ProduceResponse {
        responses: responses.collect(),
        ..ProduceResponse::default()
    }
}

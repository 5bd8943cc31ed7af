//! Requests as a broker reads them: which APIs and versions there are, and the strict parse that
//! needs no cluster.
//!
//! Whatever cannot be parsed ends the connection without an answer, as on a real broker. The one
//! exception is ApiVersions, which is answered in whatever version it comes.

use kafka_producer_proto::messages::{
    ApiVersionsRequest, CreateTopicsRequest, DeleteTopicsRequest, DescribeClusterRequest,
    DescribeConfigsRequest, FetchRequest, FindCoordinatorRequest, InitProducerIdRequest,
    ListOffsetsRequest, MetadataRequest, ProduceRequest,
};
use kafka_producer_proto::{ApiKey, DecodeError, Message, RequestHeader, Uuid, VersionRange};

use super::examine::Section;

/// A request, parsed and with its batches examined, that no broker has seen yet.
///
/// Parsing is apart from [`Cluster::answer`](super::Cluster::answer) because it reads every byte:
/// a server does it before it takes the cluster's lock.
#[derive(Clone, Debug)]
pub struct Request {
    pub(crate) head: Head,
    pub(crate) body: Body,
}

/// What an answer must repeat.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) api: ApiKey,
    pub(crate) version: i16,
    pub(crate) correlation_id: i32,
}

/// The request itself.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    ApiVersions(ApiVersionsRequest),
    CreateTopics(CreateTopicsRequest),
    DeleteTopics(DeleteTopicsRequest),
    DescribeCluster,
    DescribeConfigs(DescribeConfigsRequest),
    Fetch(FetchRequest),
    FindCoordinator(FindCoordinatorRequest),
    InitProducerId(InitProducerIdRequest),
    ListOffsets(ListOffsetsRequest),
    Metadata(MetadataRequest),
    Produce(Produced),
    UnknownApiVersions,
}

/// A Produce request whose batches are examined.
#[derive(Clone, Debug)]
pub(crate) struct Produced {
    pub(crate) acks: i16,
    pub(crate) timeout_ms: i32,
    pub(crate) topics: Vec<ProducedTopic>,
}

/// One topic of a Produce request: by name up to version 12, then by id.
#[derive(Clone, Debug)]
pub(crate) struct ProducedTopic {
    pub(crate) name: String,
    pub(crate) id: Uuid,
    pub(crate) partitions: Vec<(i32, Section)>,
}

/// Bytes that no broker answers: the connection must be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unanswerable {
    /// The frame is no request.
    #[error("the request cannot be parsed: {0}")]
    Malformed(#[from] DecodeError),
    /// No broker of this cluster knows the API, or not in this version.
    #[error("API key {api} version {version} is not served: ask ApiVersions first")]
    NotServed {
        /// The API's key.
        api: i16,
        /// Its version.
        version: i16,
    },
}

impl Request {
    /// Parses a frame, without its size.
    ///
    /// # Errors
    /// A broker would close the connection.
    pub fn parse(frame: &[u8]) -> Result<Self, Unanswerable> {
        let (header, body) = RequestHeader::decode(frame)?;
        let RequestHeader {
            api,
            version,
            correlation_id,
            ..
        } = header;
        let not_served = Unanswerable::NotServed { api, version };
        let api = ApiKey::from_value(api).ok_or(not_served)?;
        let head = Head {
            api,
            version,
            correlation_id,
        };
        let served = served(api).ok_or(not_served)?;
        if !served.contains(version) {
            return match api {
                ApiKey::ApiVersions => Ok(Self {
                    head,
                    body: Body::UnknownApiVersions,
                }),
                _ => Err(not_served),
            };
        }
        Ok(Self {
            head,
            body: Body::decode(api, version, body)?,
        })
    }
}

impl Body {
    fn decode(api: ApiKey, version: i16, body: &[u8]) -> Result<Self, Unanswerable> {
        Ok(match api {
            ApiKey::ApiVersions => Self::ApiVersions(Message::decode(version, body)?),
            ApiKey::CreateTopics => Self::CreateTopics(Message::decode(version, body)?),
            ApiKey::DeleteTopics => Self::DeleteTopics(Message::decode(version, body)?),
            ApiKey::DescribeCluster => {
                DescribeClusterRequest::decode(version, body)?;
                Self::DescribeCluster
            }
            ApiKey::DescribeConfigs => Self::DescribeConfigs(Message::decode(version, body)?),
            ApiKey::Fetch => Self::Fetch(Message::decode(version, body)?),
            ApiKey::FindCoordinator => Self::FindCoordinator(Message::decode(version, body)?),
            ApiKey::InitProducerId => Self::InitProducerId(Message::decode(version, body)?),
            ApiKey::ListOffsets => Self::ListOffsets(Message::decode(version, body)?),
            ApiKey::Metadata => Self::Metadata(Message::decode(version, body)?),
            ApiKey::Produce => Self::Produce(Produced::examine(Message::decode(version, body)?)),
            _ => {
                return Err(Unanswerable::NotServed {
                    api: api.value(),
                    version,
                });
            }
        })
    }
}

impl Produced {
    fn examine(request: ProduceRequest) -> Self {
        let topics = request.topic_data.into_iter().map(|topic| {
            let partitions = topic.partition_data.into_iter();
            ProducedTopic {
                name: topic.name,
                id: topic.topic_id,
                partitions: partitions
                    .map(|data| (data.index, Section::examine(data.records)))
                    .collect(),
            }
        });
        Self {
            acks: request.acks,
            timeout_ms: request.timeout_ms,
            topics: topics.collect(),
        }
    }

    /// The record sections of all partitions.
    pub(crate) fn sections(&self) -> impl Iterator<Item = &Section> {
        self.topics
            .iter()
            .flat_map(|topic| topic.partitions.iter().map(|(_, section)| section))
    }
}

/// The versions of an API that every broker of the cluster serves.
pub(crate) const fn served(api: ApiKey) -> Option<VersionRange> {
    Some(match api {
        ApiKey::Produce => VersionRange::new(3, 13),
        ApiKey::Fetch => VersionRange::new(4, 18),
        ApiKey::ListOffsets => VersionRange::new(1, 11),
        ApiKey::Metadata => VersionRange::new(0, 13),
        ApiKey::FindCoordinator => VersionRange::new(0, 6),
        ApiKey::ApiVersions => VersionRange::new(0, 4),
        ApiKey::CreateTopics => VersionRange::new(2, 7),
        ApiKey::DeleteTopics => VersionRange::new(1, 6),
        ApiKey::InitProducerId => VersionRange::new(0, 5),
        ApiKey::DescribeConfigs => VersionRange::new(1, 4),
        ApiKey::DescribeCluster => VersionRange::new(0, 2),
        _ => return None,
    })
}

/// The versions of an API that a broker says it serves.
///
/// Brokers since 4.0 say that they take Produce 0, which they do not: librdkafka would otherwise
/// believe that they know no compression (KAFKA-18659).
pub(crate) const fn advertised(api: ApiKey) -> Option<VersionRange> {
    match (api, served(api)) {
        (ApiKey::Produce, Some(served)) => Some(VersionRange::new(0, served.max)),
        (_, served) => served,
    }
}

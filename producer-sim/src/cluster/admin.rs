//! CreateTopics, DeleteTopics, DescribeCluster, DescribeConfigs: enough for tools and tests.

use kafka_producer_proto::messages::create_topics::{
    CreatableTopic, CreatableTopicConfigs, CreatableTopicResult,
};
use kafka_producer_proto::messages::delete_topics::{DeletableTopicResult, DeleteTopicState};
use kafka_producer_proto::messages::describe_cluster::DescribeClusterBroker;
use kafka_producer_proto::messages::describe_configs::{
    DescribeConfigsResource, DescribeConfigsResourceResult, DescribeConfigsResult,
};
use kafka_producer_proto::messages::{
    CreateTopicsRequest, CreateTopicsResponse, DeleteTopicsRequest, DeleteTopicsResponse,
    DescribeClusterResponse, DescribeConfigsRequest, DescribeConfigsResponse,
};
use kafka_producer_proto::{ErrorCode, Uuid};

use super::topic::{Partition, TopicConfig, is_legal_name};
use super::{BrokerId, Cluster};

/// Why a topic is not created.
struct Refusal {
    error: ErrorCode,
    message: String,
}

/// A topic that can be created.
struct Plan {
    config: TopicConfig,
    partitions: Vec<Partition>,
}

/// Whether a request is to be executed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Execute,
    Validate,
}

impl Refusal {
    fn new(error: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            error,
            message: message.into(),
        }
    }
}

impl Cluster {
    pub(crate) fn on_create_topics(
        &mut self,
        request: CreateTopicsRequest,
    ) -> CreateTopicsResponse {
        let mode = if request.validate_only {
            Mode::Validate
        } else {
            Mode::Execute
        };
        let named = |name: &str| {
            request
                .topics
                .iter()
                .filter(|topic| topic.name == name)
                .count()
        };
        let topics = request.topics.iter().map(|topic| {
            let planned = match named(&topic.name) {
                1 => self.plan(topic),
                _ => {
                    let message = "the topic is named more than once in the request";
                    Err(Refusal::new(ErrorCode::INVALID_REQUEST, message))
                }
            };
            match planned {
                Ok(plan) => self.create(mode, &topic.name, plan),
                Err(Refusal { error, message }) => CreatableTopicResult {
                    name: topic.name.clone(),
                    error_code: error,
                    error_message: Some(message),
                    ..Default::default()
                },
            }
        });
        CreateTopicsResponse {
            topics: topics.collect(),
            ..Default::default()
        }
    }

    fn plan(&self, topic: &CreatableTopic) -> Result<Plan, Refusal> {
        if !is_legal_name(&topic.name) {
            let message = "expected 1 to 249 of the characters a-z, A-Z, 0-9, '.', '_' and '-'";
            return Err(Refusal::new(ErrorCode::INVALID_TOPIC_EXCEPTION, message));
        }
        if self.topics.contains_key(&topic.name) {
            let message = format!("Topic '{}' already exists.", topic.name);
            return Err(Refusal::new(ErrorCode::TOPIC_ALREADY_EXISTS, message));
        }
        let mut config = TopicConfig::default();
        for setting in &topic.configs {
            let value = setting.value.as_deref().unwrap_or_default();
            config
                .set(&setting.name, value)
                .map_err(|message| Refusal::new(ErrorCode::INVALID_CONFIG, message))?;
        }
        let partitions = match topic.assignments.is_empty() {
            true => self.placed(topic)?,
            false => self.assigned(topic)?,
        };
        Ok(Plan { config, partitions })
    }

    /// Partitions where the cluster puts them.
    fn placed(&self, topic: &CreatableTopic) -> Result<Vec<Partition>, Refusal> {
        let count = match topic.num_partitions {
            -1 => self.knobs.auto_create_partitions,
            count => u32::try_from(count).unwrap_or(0),
        };
        if count == 0 {
            let message = format!(
                "expected at least 1 partition, came {}",
                topic.num_partitions
            );
            return Err(Refusal::new(ErrorCode::INVALID_PARTITIONS, message));
        }
        let live = self.live_brokers().len();
        let factor = match topic.replication_factor {
            -1 => live.min(3),
            factor => usize::try_from(factor).unwrap_or(0),
        };
        if factor == 0 || live < factor {
            let came = topic.replication_factor;
            let message =
                format!("expected 1 to {live} replicas (brokers that are up), came {came}");
            return Err(Refusal::new(ErrorCode::INVALID_REPLICATION_FACTOR, message));
        }
        let partitions = (0..count).map(|index| {
            let partition = self.new_partition(index);
            self.partition_on(partition.replicas.into_iter().take(factor).collect())
        });
        Ok(partitions.collect())
    }

    /// Partitions where the request puts them.
    fn assigned(&self, topic: &CreatableTopic) -> Result<Vec<Partition>, Refusal> {
        let invalid = |message: &str| Refusal::new(ErrorCode::INVALID_REPLICA_ASSIGNMENT, message);
        let mut assignments: Vec<_> = topic.assignments.iter().collect();
        assignments.sort_by_key(|assignment| assignment.partition_index);
        let mut partitions = Vec::with_capacity(assignments.len());
        for (expected, assignment) in (0..).zip(assignments) {
            let replicas: Vec<BrokerId> = assignment
                .broker_ids
                .iter()
                .copied()
                .map(BrokerId)
                .collect();
            if assignment.partition_index != expected {
                return Err(invalid("expected partitions 0, 1, 2, ... once each"));
            }
            if replicas.is_empty() || !replicas.iter().all(|id| self.brokers.contains_key(id)) {
                return Err(invalid("expected replicas on brokers of this cluster"));
            }
            partitions.push(self.partition_on(replicas));
        }
        Ok(partitions)
    }

    fn create(&mut self, mode: Mode, name: &str, plan: Plan) -> CreatableTopicResult {
        let Plan { config, partitions } = plan;
        let num_partitions = i32::try_from(partitions.len()).unwrap_or(i32::MAX);
        let replicas = partitions
            .first()
            .map_or(0, |partition| partition.replicas.len());
        let topic_id = match mode {
            Mode::Execute => self.insert_topic(name, config, partitions),
            Mode::Validate => Uuid::ZERO,
        };
        let setting = |(name, value): (&str, String)| CreatableTopicConfigs {
            name: name.into(),
            value: Some(value),
            config_source: DEFAULT_CONFIG,
            ..Default::default()
        };
        CreatableTopicResult {
            name: name.into(),
            topic_id,
            num_partitions,
            replication_factor: i16::try_from(replicas).unwrap_or(i16::MAX),
            configs: Some(config.properties().into_iter().map(setting).collect()),
            ..Default::default()
        }
    }

    pub(crate) fn on_delete_topics(
        &mut self,
        request: DeleteTopicsRequest,
    ) -> DeleteTopicsResponse {
        let by_name = request.topic_names.into_iter();
        let by_name = by_name.map(|name| DeleteTopicState {
            name: Some(name),
            topic_id: Uuid::ZERO,
        });
        let asked = request.topics.into_iter().chain(by_name);
        let responses = asked.map(|topic| self.delete(topic)).collect();
        DeleteTopicsResponse {
            responses,
            ..Default::default()
        }
    }

    fn delete(&mut self, asked: DeleteTopicState) -> DeletableTopicResult {
        let DeleteTopicState { name, topic_id } = asked;
        let known = name.clone().or_else(|| self.names.get(&topic_id).cloned());
        let deleted = known.as_deref().and_then(|name| self.delete_topic(name));
        let unknown = match name {
            Some(_) => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            None => ErrorCode::UNKNOWN_TOPIC_ID,
        };
        let error_code = if deleted.is_some() {
            ErrorCode::NONE
        } else {
            unknown
        };
        let topic_id = deleted.unwrap_or(topic_id);
        DeletableTopicResult {
            name: known.or(name),
            topic_id,
            error_code,
            error_message: None,
        }
    }

    pub(crate) fn on_describe_cluster(&self, _asked: BrokerId) -> DescribeClusterResponse {
        let up = self.brokers.iter().filter(|(_, broker)| broker.is_up());
        let brokers = up.map(|(id, broker)| DescribeClusterBroker {
            broker_id: id.0,
            host: broker.host.clone(),
            port: i32::from(broker.port),
            rack: broker.rack.clone(),
            is_fenced: false,
        });
        DescribeClusterResponse {
            cluster_id: self.cluster_id(),
            controller_id: self.controller(),
            brokers: brokers.collect(),
            ..Default::default()
        }
    }

    pub(crate) fn on_describe_configs(
        &self,
        request: &DescribeConfigsRequest,
    ) -> DescribeConfigsResponse {
        let results = request
            .resources
            .iter()
            .map(|resource| self.describe(resource));
        DescribeConfigsResponse {
            results: results.collect(),
            ..Default::default()
        }
    }

    fn describe(&self, resource: &DescribeConfigsResource) -> DescribeConfigsResult {
        let topic = self.topics.get(&resource.resource_name);
        let (error_code, properties) = match (resource.resource_type, topic) {
            (TOPIC, Some(topic)) => (ErrorCode::NONE, topic.config.properties().into()),
            (TOPIC, None) => (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, Vec::new()),
            // Brokers have nothing that could be told by a name.
            (BROKER, _) => (ErrorCode::NONE, Vec::new()),
            _ => (ErrorCode::INVALID_REQUEST, Vec::new()),
        };
        let is_asked = |name: &str| match &resource.configuration_keys {
            Some(keys) => keys.iter().any(|key| key == name),
            None => true,
        };
        let asked = properties.into_iter().filter(|(name, _)| is_asked(name));
        let configs = asked.map(|(name, value)| DescribeConfigsResourceResult {
            name: name.into(),
            value: Some(value),
            config_source: DEFAULT_CONFIG,
            ..Default::default()
        });
        DescribeConfigsResult {
            error_code,
            resource_type: resource.resource_type,
            resource_name: resource.resource_name.clone(),
            configs: configs.collect(),
            ..Default::default()
        }
    }
}

/// Resource types of DescribeConfigs.
const TOPIC: i8 = 2;
const BROKER: i8 = 4;
/// Where a setting comes from that nobody set.
const DEFAULT_CONFIG: i8 = 5;

#[cfg(test)]
mod tests {
    use kafka_producer_proto::messages::DescribeClusterRequest;
    use kafka_producer_proto::messages::create_topics::CreatableTopicConfig;

    use super::*;
    use crate::cluster::testing::{ask, cluster};

    fn topic(name: &str, num_partitions: i32, replication_factor: i16) -> CreatableTopic {
        CreatableTopic {
            name: name.into(),
            num_partitions,
            replication_factor,
            ..Default::default()
        }
    }

    fn create(cluster: &mut Cluster, version: i16, topic: CreatableTopic) -> CreatableTopicResult {
        let request = CreateTopicsRequest {
            topics: vec![topic],
            ..Default::default()
        };
        let response = ask(cluster, 0, version, &request);
        let [result] = <[_; 1]>::try_from(response.topics).unwrap();
        result
    }

    #[test]
    fn a_topic_is_created_and_deleted_in_every_version() {
        let mut cluster = cluster();
        for version in 2..=7 {
            let created = create(&mut cluster, version, topic("new", 4, 2));
            assert_eq!(created.error_code, ErrorCode::NONE, "version {version}");
            assert_eq!(cluster.partition_count("new"), Some(4));
            let request = DeleteTopicsRequest {
                topics: vec![DeleteTopicState {
                    name: Some("new".into()),
                    ..Default::default()
                }],
                topic_names: vec!["new".into()],
                ..Default::default()
            };
            let deleted = ask(&mut cluster, 0, version - 1, &request);
            assert_eq!(
                deleted.responses[0].error_code,
                ErrorCode::NONE,
                "version {version}"
            );
            assert_eq!(cluster.partition_count("new"), None);
        }
    }

    #[test]
    fn what_cannot_be_created_is_refused_with_kafkas_codes() {
        let mut cluster = cluster();
        let mut refused = |topic| create(&mut cluster, 7, topic).error_code;
        assert_eq!(
            refused(topic("orders", 1, 1)),
            ErrorCode::TOPIC_ALREADY_EXISTS
        );
        assert_eq!(
            refused(topic("a b", 1, 1)),
            ErrorCode::INVALID_TOPIC_EXCEPTION
        );
        assert_eq!(refused(topic("a", 0, 1)), ErrorCode::INVALID_PARTITIONS);
        assert_eq!(
            refused(topic("a", 1, 3)),
            ErrorCode::INVALID_REPLICATION_FACTOR
        );
        let configs = vec![CreatableTopicConfig {
            name: "x".into(),
            value: None,
        }];
        let strange = CreatableTopic {
            configs,
            ..topic("a", 1, 1)
        };
        assert_eq!(refused(strange), ErrorCode::INVALID_CONFIG);
        assert_eq!(refused(topic("a", -1, -1)), ErrorCode::NONE);
    }

    #[test]
    fn a_dry_run_creates_nothing() {
        let mut cluster = cluster();
        let request = CreateTopicsRequest {
            topics: vec![topic("new", 1, 1)],
            validate_only: true,
            ..Default::default()
        };
        let response = ask(&mut cluster, 0, 7, &request);
        assert_eq!(response.topics[0].error_code, ErrorCode::NONE);
        assert_eq!(cluster.partition_count("new"), None);
    }

    #[test]
    fn settings_are_told() {
        let resource = DescribeConfigsResource {
            resource_type: TOPIC,
            resource_name: "orders".into(),
            configuration_keys: Some(vec!["max.message.bytes".into()]),
        };
        let request = DescribeConfigsRequest {
            resources: vec![resource],
            ..Default::default()
        };
        for version in 1..=4 {
            let response = ask(&mut cluster(), 0, version, &request);
            let [config] = <[_; 1]>::try_from(response.results[0].configs.clone()).unwrap();
            assert_eq!(config.value.as_deref(), Some("1048588"));
        }
    }

    #[test]
    fn the_cluster_describes_itself() {
        for version in 0..=2 {
            let request = DescribeClusterRequest::default();
            let response = ask(&mut cluster(), 0, version, &request);
            assert_eq!((response.brokers.len(), response.controller_id), (2, 0));
        }
    }
}

//! Metadata: brokers, topics, partitions and leaders, as brokers show them (K1, K2).
//!
//! A missing topic that is asked for by name may be created by the asking
//! (`auto.create.topics.enable`).

use std::collections::BTreeSet;

use kafka_producer_proto::messages::metadata::{
    MetadataRequestTopic, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_producer_proto::messages::{MetadataRequest, MetadataResponse};
use kafka_producer_proto::{ApiKey, ErrorCode, Uuid};

use super::inject::Target;
use super::request::Head;
use super::topic::{Partition, Topic, is_legal_name};
use super::{AutoCreate, Broker, BrokerId, Cluster, NO_BROKER};

/// Whether a request may create what it asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum MayCreate {
    No,
    Yes,
}

impl Cluster {
    pub(crate) fn on_metadata(
        &mut self,
        broker: BrokerId,
        head: Head,
        request: MetadataRequest,
    ) -> MetadataResponse {
        let may_create = if request.allow_auto_topic_creation {
            MayCreate::Yes
        } else {
            MayCreate::No
        };
        let topics = match request.topics {
            None => self.shown_topics(),
            Some(topics) if topics.is_empty() && head.version == 0 => self.shown_topics(),
            Some(topics) => self.asked_topics(broker, head.version, may_create, &topics),
        };
        MetadataResponse {
            brokers: self.shown_brokers(),
            cluster_id: Some(self.id.to_string()),
            controller_id: self.controller(),
            topics,
            ..Default::default()
        }
    }

    /// In KRaft this is just some broker that is up.
    pub(crate) fn controller(&self) -> i32 {
        self.live_brokers()
            .first()
            .map_or(NO_BROKER, |broker| broker.0)
    }

    pub(crate) fn cluster_id(&self) -> String {
        self.id.to_string()
    }

    fn shown_brokers(&self) -> Vec<MetadataResponseBroker> {
        let up = self.brokers.iter().filter(|(_, broker)| broker.is_up());
        let shown = up.map(|(id, broker)| MetadataResponseBroker {
            node_id: id.0,
            host: broker.host.clone(),
            port: i32::from(broker.port),
            rack: broker.rack.clone(),
        });
        shown.collect()
    }

    fn shown_topics(&self) -> Vec<MetadataResponseTopic> {
        self.topics
            .values()
            .map(|topic| self.shown(topic))
            .collect()
    }

    fn asked_topics(
        &mut self,
        broker: BrokerId,
        version: i16,
        may_create: MayCreate,
        topics: &[MetadataRequestTopic],
    ) -> Vec<MetadataResponseTopic> {
        let has_id = topics.iter().any(|topic| !topic.topic_id.is_zero());
        let has_nothing = topics
            .iter()
            .any(|topic| topic.topic_id.is_zero() && topic.name.is_none());
        if version < 12 && (has_id || has_nothing) {
            // Versions 10 and 11 carry ids that must not be used; the names come back.
            let echo = |topic: &MetadataRequestTopic| MetadataResponseTopic {
                name: Some(topic.name.clone().unwrap_or_default()),
                ..failed(ErrorCode::INVALID_REQUEST)
            };
            return topics.iter().map(echo).collect();
        }
        if has_nothing {
            // Kafka stumbles over the null and fails the whole request, with empty names.
            return topics
                .iter()
                .map(|_| failed(ErrorCode::UNKNOWN_SERVER_ERROR))
                .collect();
        }
        if has_id {
            let ids: BTreeSet<Uuid> = topics.iter().map(|topic| topic.topic_id).collect();
            return ids
                .into_iter()
                .filter(|id| !id.is_zero())
                .map(|id| self.by_id(id))
                .collect();
        }
        let names: BTreeSet<&str> = topics
            .iter()
            .filter_map(|topic| topic.name.as_deref())
            .collect();
        names
            .into_iter()
            .map(|name| self.by_name(broker, may_create, name))
            .collect()
    }

    fn by_id(&self, topic_id: Uuid) -> MetadataResponseTopic {
        let known = self
            .names
            .get(&topic_id)
            .and_then(|name| self.topics.get(name));
        match known {
            Some(topic) if topic.visible_at <= self.clock => self.shown(topic),
            _ => {
                let unknown = failed(ErrorCode::UNKNOWN_TOPIC_ID);
                MetadataResponseTopic {
                    name: None,
                    topic_id,
                    ..unknown
                }
            }
        }
    }

    fn by_name(
        &mut self,
        broker: BrokerId,
        may_create: MayCreate,
        name: &str,
    ) -> MetadataResponseTopic {
        let target = Target {
            api: ApiKey::Metadata,
            broker,
            topic: Some(name),
            partition: None,
        };
        let named = |error| MetadataResponseTopic {
            name: Some(name.into()),
            ..failed(error)
        };
        if let Some((error, _)) = self.injected(target) {
            return named(error);
        }
        if !is_legal_name(name) {
            return named(ErrorCode::INVALID_TOPIC_EXCEPTION);
        }
        if !self.topics.contains_key(name) && may_create == MayCreate::Yes {
            self.auto_create(name);
        }
        match self.topics.get(name) {
            Some(topic) => self.shown(topic),
            None => named(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        }
    }

    fn auto_create(&mut self, name: &str) {
        let (delay_ms, hidden_as) = match self.knobs.auto_create {
            AutoCreate::AtOnce => (0, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
            AutoCreate::Later { delay_ms, first } => (delay_ms, first),
            AutoCreate::Off => return,
        };
        let partitions = self.knobs.auto_create_partitions;
        self.create_topic(name, partitions);
        let visible_at = self.clock.saturating_add(delay_ms);
        if let Some(topic) = self.topics.get_mut(name) {
            (topic.visible_at, topic.hidden_as) = (visible_at, hidden_as);
        }
    }

    fn shown(&self, topic: &Topic) -> MetadataResponseTopic {
        let name = Some(topic.name.clone());
        if self.clock < topic.visible_at {
            return MetadataResponseTopic {
                name,
                ..failed(topic.hidden_as)
            };
        }
        let partitions = (0..).zip(&topic.partitions);
        MetadataResponseTopic {
            name,
            topic_id: topic.id,
            partitions: partitions
                .map(|(index, found)| self.shown_partition(index, found))
                .collect(),
            ..failed(ErrorCode::NONE)
        }
    }

    fn shown_partition(&self, index: i32, partition: &Partition) -> MetadataResponsePartition {
        let leadership = partition.shown(self.clock);
        let is_up = |id: &&BrokerId| self.brokers.get(id).is_some_and(Broker::is_up);
        let ids = |ids: Vec<&BrokerId>| ids.into_iter().map(|id| id.0).collect::<Vec<i32>>();
        let (up, down) = partition
            .replicas
            .iter()
            .partition::<Vec<&BrokerId>, _>(is_up);
        let has_leader = leadership.leader.is_some();
        MetadataResponsePartition {
            error_code: match has_leader {
                true => ErrorCode::NONE,
                false => ErrorCode::LEADER_NOT_AVAILABLE,
            },
            partition_index: index,
            leader_id: self.leader_named(leadership),
            leader_epoch: leadership.epoch,
            replica_nodes: partition.replicas.iter().map(|id| id.0).collect(),
            isr_nodes: if has_leader { ids(up) } else { Vec::new() },
            offline_replicas: ids(down),
        }
    }
}

fn failed(error_code: ErrorCode) -> MetadataResponseTopic {
    MetadataResponseTopic {
        error_code,
        name: Some(String::new()),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Injection;
    use crate::cluster::testing::{NOW, ask, cluster};

    fn named(name: &str) -> MetadataRequestTopic {
        MetadataRequestTopic {
            name: Some(name.into()),
            ..Default::default()
        }
    }

    fn request(topics: Vec<MetadataRequestTopic>) -> MetadataRequest {
        MetadataRequest {
            topics: Some(topics),
            ..Default::default()
        }
    }

    fn topic(
        cluster: &mut Cluster,
        version: i16,
        asked: MetadataRequestTopic,
    ) -> MetadataResponseTopic {
        let response = ask(cluster, 0, version, &request(vec![asked]));
        let [topic] = <[_; 1]>::try_from(response.topics).unwrap();
        topic
    }

    #[test]
    fn every_version_tells_brokers_and_leaders() {
        for version in 0..=13 {
            let response = ask(&mut cluster(), 0, version, &request(vec![named("orders")]));
            assert_eq!(response.brokers.len(), 2);
            let leaders: Vec<i32> = response.topics[0]
                .partitions
                .iter()
                .map(|found| found.leader_id)
                .collect();
            assert_eq!(leaders, [0, 1], "version {version}");
        }
    }

    #[test]
    fn nothing_means_all_topics_in_version_0_and_none_later() {
        assert_eq!(ask(&mut cluster(), 0, 0, &request(vec![])).topics.len(), 1);
        assert_eq!(ask(&mut cluster(), 0, 1, &request(vec![])).topics.len(), 0);
        let all = MetadataRequest {
            topics: None,
            ..Default::default()
        };
        assert_eq!(ask(&mut cluster(), 0, 9, &all).topics.len(), 1);
    }

    #[test]
    fn a_missing_topic_is_created_by_the_asking() {
        let mut cluster = cluster();
        cluster.knobs.auto_create_partitions = 3;
        let found = topic(&mut cluster, 9, named("new"));
        assert_eq!(
            (found.error_code, found.partitions.len()),
            (ErrorCode::NONE, 3)
        );
    }

    #[test]
    fn a_missing_topic_can_take_its_time() {
        let mut cluster = cluster();
        let first = ErrorCode::LEADER_NOT_AVAILABLE;
        cluster.knobs.auto_create = AutoCreate::Later {
            delay_ms: 100,
            first,
        };
        assert_eq!(topic(&mut cluster, 9, named("new")).error_code, first);
        cluster.advance(NOW + 100);
        assert_eq!(
            topic(&mut cluster, 9, named("new")).error_code,
            ErrorCode::NONE
        );
    }

    #[test]
    fn a_missing_topic_stays_unknown_if_either_side_wants_it_so() {
        let mut cluster = cluster();
        let no = MetadataRequest {
            allow_auto_topic_creation: false,
            ..request(vec![named("a")])
        };
        let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
        assert_eq!(ask(&mut cluster, 0, 9, &no).topics[0].error_code, unknown);
        cluster.knobs.auto_create = AutoCreate::Off;
        assert_eq!(topic(&mut cluster, 9, named("a")).error_code, unknown);
    }

    #[test]
    fn an_illegal_name_is_refused() {
        let found = topic(&mut cluster(), 9, named("a b"));
        assert_eq!(found.error_code, ErrorCode::INVALID_TOPIC_EXCEPTION);
    }

    #[test]
    fn topics_are_found_by_id_from_version_12_on() {
        let mut cluster = cluster();
        let topic_id = cluster.topic_id("orders").unwrap();
        let by_id = MetadataRequestTopic {
            topic_id,
            name: None,
        };
        let found = topic(&mut cluster, 12, by_id);
        assert_eq!(
            (found.error_code, found.name.as_deref()),
            (ErrorCode::NONE, Some("orders"))
        );
        let echoed = MetadataRequestTopic {
            topic_id,
            name: Some("orders".into()),
        };
        let refused = topic(&mut cluster, 10, echoed);
        assert_eq!(refused.error_code, ErrorCode::INVALID_REQUEST);
        let unknown = MetadataRequestTopic {
            topic_id: Uuid::from_bytes([7; 16]),
            name: None,
        };
        let found = topic(&mut cluster, 13, unknown);
        assert_eq!(
            (found.error_code, found.name),
            (ErrorCode::UNKNOWN_TOPIC_ID, None)
        );
    }

    #[test]
    fn a_null_name_without_an_id_fails_every_topic() {
        let asked = vec![
            named("orders"),
            MetadataRequestTopic {
                name: None,
                ..Default::default()
            },
        ];
        let response = ask(&mut cluster(), 0, 12, &request(asked));
        for topic in response.topics {
            assert_eq!(topic.error_code, ErrorCode::UNKNOWN_SERVER_ERROR);
            assert_eq!(topic.name.as_deref(), Some(""));
        }
    }

    #[test]
    fn duplicate_names_collapse() {
        let response = ask(
            &mut cluster(),
            0,
            9,
            &request(vec![named("orders"), named("orders")]),
        );
        assert_eq!(response.topics.len(), 1);
    }

    #[test]
    fn a_partition_without_a_leader_says_so_and_keeps_its_epoch() {
        let mut cluster = cluster();
        cluster.move_leader("orders", 0, 1);
        cluster.depose_leader("orders", 0);
        let found = &topic(&mut cluster, 9, named("orders")).partitions[0];
        assert_eq!(found.error_code, ErrorCode::LEADER_NOT_AVAILABLE);
        assert_eq!((found.leader_id, found.leader_epoch), (-1, 1));
        assert!(found.isr_nodes.is_empty());
    }

    #[test]
    fn a_stopped_broker_disappears_and_its_partitions_move() {
        let mut cluster = cluster();
        cluster.stop_broker(1);
        let response = ask(&mut cluster, 0, 9, &request(vec![named("orders")]));
        assert_eq!(response.brokers.len(), 1);
        let moved = &response.topics[0].partitions[1];
        assert_eq!((moved.leader_id, moved.leader_epoch), (0, 1));
        assert_eq!(moved.offline_replicas, [1]);
    }

    #[test]
    fn a_recreated_topic_has_another_id() {
        let mut cluster = cluster();
        let before = cluster.delete_topic("orders").unwrap();
        assert_ne!(cluster.create_topic("orders", 1), before);
    }

    #[test]
    fn an_injected_error_is_answered_once() {
        let mut cluster = cluster();
        let error = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
        cluster.inject(Injection::new(ApiKey::Metadata, error).topic("orders"));
        assert_eq!(topic(&mut cluster, 9, named("orders")).error_code, error);
        assert_eq!(
            topic(&mut cluster, 9, named("orders")).error_code,
            ErrorCode::NONE
        );
    }
}

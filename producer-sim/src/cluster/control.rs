//! The verbs of tests: brokers come and go, leaders move, topics appear, grow and vanish.

use kafka_producer_proto::{ErrorCode, Uuid};

use super::topic::{Partition, Topic};
use super::{Broker, BrokerId, BrokerState, Cluster, Injection, Parked, TopicConfig, next_uuid};

impl Cluster {
    /// Adds a broker under this address.
    pub fn add_broker(&mut self, id: impl Into<BrokerId>, host: &str, port: u16) {
        let state = BrokerState::Up;
        let broker = Broker {
            host: host.into(),
            port,
            rack: None,
            state,
        };
        self.brokers.insert(id.into(), broker);
    }

    /// Gives a broker another address, as after a move to another machine.
    pub fn readdress(&mut self, id: impl Into<BrokerId>, host: &str, port: u16) {
        if let Some(broker) = self.brokers.get_mut(&id.into()) {
            broker.host = host.into();
            broker.port = port;
        }
    }

    /// Puts a broker into a rack.
    pub fn set_rack(&mut self, id: impl Into<BrokerId>, rack: &str) {
        if let Some(broker) = self.brokers.get_mut(&id.into()) {
            broker.rack = Some(rack.into());
        }
    }

    /// Stops a broker as a crash does: what it led goes to replicas that are up, without what they
    /// do not have yet, or stays without a leader.
    pub fn stop_broker(&mut self, id: impl Into<BrokerId>) {
        let id = id.into();
        let Some(broker) = self.brokers.get_mut(&id) else {
            return;
        };
        broker.state = BrokerState::Down;
        self.parked.retain(|_, parked| parked.broker() != id);
        let up = self.live_brokers();
        let (now, shown_at) = (self.clock, self.clock + self.knobs.metadata_lag_ms);
        for partition in self.partitions_mut() {
            if partition.leadership.leader != Some(id) {
                continue;
            }
            let next = partition
                .replicas
                .iter()
                .copied()
                .find(|replica| up.contains(replica));
            if next.is_some() {
                partition.log.replicate(now);
                partition.log.truncate_to_high_watermark();
                partition.producers.truncate(partition.log.end());
            }
            partition.lead(next, now, shown_at);
        }
        self.recount();
    }

    /// Starts it again. Of what its replicas hold it knows each producer's newest batch (C18), and
    /// its first InitProducerId is answered COORDINATOR_LOAD_IN_PROGRESS.
    pub fn start_broker(&mut self, id: impl Into<BrokerId>) {
        let id = id.into();
        match self.brokers.get_mut(&id) {
            Some(broker) if broker.state == BrokerState::Down => {
                broker.state = BrokerState::Loading;
            }
            _ => return,
        }
        let (now, shown_at) = (self.clock, self.clock + self.knobs.metadata_lag_ms);
        for partition in self.partitions_mut() {
            if !partition.replicas.contains(&id) {
                continue;
            }
            partition.restarted.insert(id, partition.log.end());
            if partition.leadership.leader.is_none() {
                partition.lead(Some(id), now, shown_at);
                partition.log.replicate_all();
            }
        }
    }

    /// Whether a broker serves requests.
    pub fn is_up(&self, id: impl Into<BrokerId>) -> bool {
        self.brokers.get(&id.into()).is_some_and(Broker::is_up)
    }

    /// All brokers, lowest id first.
    pub fn broker_ids(&self) -> impl Iterator<Item = BrokerId> {
        self.brokers.keys().copied()
    }

    /// The broker at this address.
    pub fn broker_at(&self, host: &str, port: u16) -> Option<BrokerId> {
        let at = |broker: &Broker| broker.host == host && broker.port == port;
        self.brokers
            .iter()
            .find(|(_, broker)| at(broker))
            .map(|(&id, _)| id)
    }

    /// Creates a topic, or finds it; returns its id.
    pub fn create_topic(&mut self, name: &str, partitions: u32) -> Uuid {
        self.create_topic_with(name, partitions, TopicConfig::default())
    }

    /// Creates a topic with these settings, or finds it; returns its id.
    pub fn create_topic_with(&mut self, name: &str, partitions: u32, config: TopicConfig) -> Uuid {
        if let Some(topic) = self.topics.get(name) {
            return topic.id;
        }
        let partitions = (0..partitions)
            .map(|index| self.new_partition(index))
            .collect();
        self.insert_topic(name, config, partitions)
    }

    pub(crate) fn insert_topic(
        &mut self,
        name: &str,
        config: TopicConfig,
        partitions: Vec<Partition>,
    ) -> Uuid {
        let id = next_uuid(&mut self.ids);
        let topic = Topic {
            name: name.into(),
            id,
            config,
            partitions,
            visible_at: self.clock + self.knobs.metadata_lag_ms,
            hidden_as: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        };
        self.topics.insert(name.into(), topic);
        self.names.insert(id, name.into());
        id
    }

    /// Deletes a topic with its records. One of the same name gets another id.
    pub fn delete_topic(&mut self, name: &str) -> Option<Uuid> {
        let topic = self.topics.remove(name)?;
        self.names.remove(&topic.id);
        self.recount();
        Some(topic.id)
    }

    /// Gives a topic more partitions; it never gets fewer.
    pub fn grow_topic(&mut self, name: &str, partitions: u32) {
        let has = self.partition_count(name).unwrap_or(partitions);
        let added: Vec<Partition> = (has..partitions)
            .map(|index| self.new_partition(index))
            .collect();
        if let Some(topic) = self.topics.get_mut(name) {
            topic.partitions.extend(added);
        }
    }

    /// Changes the settings of a topic.
    pub fn configure_topic(&mut self, name: &str, change: impl FnOnce(&mut TopicConfig)) {
        if let Some(topic) = self.topics.get_mut(name) {
            change(&mut topic.config);
        }
    }

    /// Lets another broker lead a partition, which has everything that the former leader had.
    pub fn move_leader(&mut self, topic: &str, partition: u32, to: impl Into<BrokerId>) {
        self.lead(topic, partition, Some(to.into()));
    }

    /// Lets a broker lead a partition that lacks the newest `lost` records, though they were
    /// acknowledged: an unclean election. What it knows of producers ends with its log.
    pub fn elect_unclean(
        &mut self,
        topic: &str,
        partition: u32,
        to: impl Into<BrokerId>,
        lost: i64,
    ) {
        let (now, shown_at) = (self.clock, self.clock + self.knobs.metadata_lag_ms);
        if let Some(partition) = self.partition_mut(topic, partition) {
            let end = partition.log.end();
            partition.log.lose_from(end.saturating_sub(lost));
            partition.producers.truncate(partition.log.end());
            partition.lead(Some(to.into()), now, shown_at);
        }
        self.recount();
    }

    /// Leaves a partition without a leader.
    pub fn depose_leader(&mut self, topic: &str, partition: u32) {
        self.lead(topic, partition, None);
    }

    fn lead(&mut self, topic: &str, partition: u32, leader: Option<BrokerId>) {
        let (now, shown_at) = (self.clock, self.clock + self.knobs.metadata_lag_ms);
        let Some(partition) = self.partition_mut(topic, partition) else {
            return;
        };
        if partition.leadership.leader != leader {
            partition.log.replicate_all();
            partition.lead(leader, now, shown_at);
        }
    }

    /// Forgets all producers of a partition, as an unclean election or an expiry does.
    pub fn forget_producers(&mut self, topic: &str, partition: u32) {
        if let Some(partition) = self.partition_mut(topic, partition) {
            partition.producers.clear();
        }
    }

    /// Deletes the records before `offset` (DeleteRecords).
    /// What the partition knows of producers stays (C19).
    pub fn delete_records(&mut self, topic: &str, partition: u32, offset: i64) {
        if let Some(partition) = self.partition_mut(topic, partition) {
            partition.log.delete_before(offset);
        }
        self.recount();
    }

    /// Makes brokers answer an error although nothing is wrong.
    pub fn inject(&mut self, injection: Injection) {
        self.injections.add(injection);
    }

    /// Forgets the injections and throttles that are not used up.
    pub fn heal(&mut self) {
        self.injections.clear();
        self.throttles.clear();
    }

    /// Throttles the next Produce request: its answer says so, and the connection is not read for
    /// so long (K5).
    pub fn throttle_next(&mut self, millis: i32) {
        self.throttles.push(millis);
    }

    /// Remembers every append from now on, also what is truncated or deleted later.
    pub fn keep_history(&mut self) {
        self.history.get_or_insert_default();
    }

    /// Drops the oldest batches of the largest logs until all together are within bounds.
    pub(crate) fn enforce_retention(&mut self) {
        let limit = self.knobs.retention_bytes;
        if self.stored_bytes <= limit {
            return;
        }
        // A little more than needed, so that not every append has to find the largest log.
        let target = limit - limit / 64;
        while target < self.stored_bytes {
            let largest = self
                .partitions_mut()
                .max_by_key(|partition| partition.log.bytes());
            let Some(log) = largest.map(|partition| &mut partition.log) else {
                return;
            };
            let Some(freed) = log.drop_oldest() else {
                return;
            };
            self.stored_bytes -= freed;
        }
    }

    fn recount(&mut self) {
        self.stored_bytes = self
            .partitions_mut()
            .map(|partition| partition.log.bytes())
            .sum();
    }

    /// The brokers that are up, lowest id first.
    pub(crate) fn live_brokers(&self) -> Vec<BrokerId> {
        let up = self.brokers.iter().filter(|(_, broker)| broker.is_up());
        up.map(|(&id, _)| id).collect()
    }

    /// Up to three replicas in turn, the first of which leads if it is up.
    pub(crate) fn new_partition(&self, index: u32) -> Partition {
        let all: Vec<BrokerId> = self.brokers.keys().copied().collect();
        let first = usize::try_from(index).unwrap_or(0) % all.len().max(1);
        let in_turn = all.iter().cycle().skip(first).copied();
        self.partition_on(in_turn.take(all.len().min(3)).collect())
    }

    /// A partition on these replicas.
    pub(crate) fn partition_on(&self, replicas: Vec<BrokerId>) -> Partition {
        let leader = replicas
            .iter()
            .copied()
            .find(|&replica| self.is_up(replica));
        Partition::new(replicas, leader)
    }

    fn partitions_mut(&mut self) -> impl Iterator<Item = &mut Partition> {
        self.topics
            .values_mut()
            .flat_map(|topic| &mut topic.partitions)
    }

    fn partition_mut(&mut self, topic: &str, partition: u32) -> Option<&mut Partition> {
        self.topics
            .get_mut(topic)?
            .partition_mut(i32::try_from(partition).ok()?)
    }
}

impl Parked {
    const fn broker(&self) -> BrokerId {
        match self {
            Self::Fetch(fetch) => fetch.broker(),
            Self::Produce(produce) => produce.broker(),
        }
    }
}

//! The simulated cluster as the cases see it.

use kafka_producer_proto::{ApiKey, ErrorCode};
use kafka_producer_sim::cluster::{Injection, StoredRecord};
use kafka_producer_sim::serve::{Server, ServerConfig};

/// A cluster of three brokers on loopback.
pub struct Cluster {
    server: Server,
}

impl Cluster {
    /// Starts one with these topics; others are not created on demand.
    ///
    /// # Panics
    ///
    /// If there is no port left.
    pub fn start(topics: &[(&str, u32)]) -> Self {
        let topics = topics
            .iter()
            .map(|&(name, count)| (name.to_owned(), count))
            .collect();
        let mut config = ServerConfig::default();
        config.brokers = 3;
        config.topics = topics;
        config.auto_create_partitions = None;
        Self {
            server: Server::start(config).expect("loopback has free ports"),
        }
    }

    /// Where to connect first.
    pub fn bootstrap(&self) -> String {
        self.server.bootstrap()
    }

    /// The values of a partition, as text, in the order of the log.
    pub fn values(&self, topic: &str, partition: u32) -> Vec<String> {
        self.server.with_cluster(|cluster| {
            let records = cluster.records(topic, partition);
            let value = |value: Option<Vec<u8>>| value.unwrap_or_default();
            let text = |value: Vec<u8>| String::from_utf8_lossy(&value).into_owned();
            records
                .into_iter()
                .map(|record| text(value(record.value)))
                .collect()
        })
    }

    /// The records of a partition, in the order of the log.
    pub fn records(&self, topic: &str, partition: u32) -> Vec<StoredRecord> {
        self.server.records(topic, partition)
    }

    /// The values of all partitions, sorted.
    pub fn all_values(&self, topic: &str, partitions: u32) -> Vec<String> {
        let mut all: Vec<String> = (0..partitions)
            .flat_map(|partition| self.values(topic, partition))
            .collect();
        all.sort();
        all
    }

    /// No request is answered while `act` runs.
    pub fn hold<T>(&self, act: impl FnOnce() -> T) -> T {
        self.server.with_cluster(|_| act())
    }

    /// The next Produce requests are answered with this error, and nothing is written.
    pub fn refuse(&self, error: ErrorCode, times: u32) {
        let injection = Injection::new(ApiKey::Produce, error).times(times);
        self.server
            .with_cluster(|cluster| cluster.inject(injection));
    }

    /// Stops every broker, as SIGKILL does.
    pub fn stop(&self) {
        (0..BROKERS).for_each(|broker| self.server.stop_broker(broker));
    }

    /// Starts them again, at the same addresses and with their logs.
    ///
    /// # Panics
    ///
    /// If somebody has taken a port meanwhile.
    pub fn start_again(&self) {
        for broker in 0..BROKERS {
            let started = self.server.start_broker(broker);
            started.expect("the port is free");
        }
    }

    /// Cuts every connection to every broker.
    pub fn cut(&self) {
        self.server.cut_connections();
    }
}

/// The ids of the brokers are below.
const BROKERS: i32 = 3;

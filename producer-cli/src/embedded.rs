//! A simulated cluster inside this process, for those who only want to see it work.

use kafka_producer_sim::serve::{Server, ServerConfig};

use crate::args::legal_topic;
use crate::engine::counted;
use crate::failure::Failure;

/// A cluster that ends with the command.
pub(crate) struct Embedded {
    server: Server,
}

impl Embedded {
    /// Three brokers on free ports of loopback, with one topic of six partitions.
    pub(crate) fn start(topic: &str) -> Result<Self, Failure> {
        legal_topic(topic).map_err(Failure::Usage)?;
        let mut config = ServerConfig::default();
        config.brokers = BROKERS;
        config.port = 0;
        config.topics = vec![(topic.to_string(), PARTITIONS)];
        let server = Server::start(config).map_err(|error| {
            Failure::World(format!("the simulated cluster cannot be started: {error}"))
        })?;
        Ok(Self { server })
    }

    /// Says on stderr that nothing real is written to.
    pub(crate) fn announce(&self) {
        eprintln!("using a simulated cluster of {BROKERS} brokers in this process");
    }

    pub(crate) fn bootstrap(&self) -> String {
        self.server.bootstrap()
    }

    /// Says on stderr what landed in each partition.
    pub(crate) fn list(&self, topic: &str) {
        let counts = self.server.counts(topic);
        let total: i64 = counts.iter().map(|partition| partition.written).sum();
        let records = |number: i64| counted(number.unsigned_abs(), "record");
        let landed = records(total);
        eprintln!("{landed} landed in topic {topic} of the simulated cluster:");
        for counts in counts {
            eprintln!(
                "  partition {}: {}",
                counts.partition,
                records(counts.written)
            );
        }
    }
}

const BROKERS: u32 = 3;
const PARTITIONS: u32 = 6;

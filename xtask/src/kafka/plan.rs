//! What a cluster looks like before it runs: its version, size and ports, and each node's
//! `server.properties`.
//!
//! Every node is broker and controller at once. Brokers listen on consecutive ports from the
//! given one on, the controllers on the ports after those. Where there is ZooKeeper instead of
//! controllers, it has the first of their ports. After the controllers come the detours: a second
//! listener of each broker, and the door in front of it that it advertises, where nobody listens
//! until a suite puts its proxy there.

use std::ops::RangeInclusive;
use std::path::Path;

use serde_json::{Value, json};

use crate::failure::{Doing, Failure, Outcome};
use crate::kafka::distribution::Version;
use crate::kafka::node::Role;
use crate::ports;

/// The port that is tried first.
pub(crate) const USUAL_PORT: u16 = 29092;

/// How many ports each broker takes: its own, its controller's, its detour's and the door's.
const PORTS: u16 = 4;

/// How a cluster is to be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Plan {
    pub(crate) version: Version,
    pub(crate) brokers: u16,
    pub(crate) port: u16,
    /// Lines for every `server.properties`, after ours, so that they win.
    pub(crate) settings: Vec<String>,
}

impl Plan {
    /// The ids of the nodes.
    pub(crate) fn nodes(&self) -> RangeInclusive<u16> {
        1..=self.brokers
    }

    /// Whether who wants such a cluster can use this one: the ports do not matter.
    pub(crate) fn serves(&self, wanted: &Self) -> bool {
        (self.version, self.brokers) == (wanted.version, wanted.brokers)
            && wanted.settings.iter().all(|it| self.settings.contains(it))
    }

    /// Where clients begin.
    pub(crate) fn bootstrap(&self) -> String {
        let address = |node| format!("127.0.0.1:{}", self.broker_port(node));
        self.nodes().map(address).collect::<Vec<_>>().join(",")
    }

    /// For each broker the door that its detour is advertised as, and where the detour listens.
    pub(crate) fn detour(&self) -> String {
        let pair = |node| {
            let (door, listener) = (self.door_port(node), self.detour_port(node));
            format!("127.0.0.1:{door}=127.0.0.1:{listener}")
        };
        self.nodes().map(pair).collect::<Vec<_>>().join(",")
    }

    /// Fails with the name of the first port that somebody else has.
    pub(crate) fn check_ports(&self) -> Outcome {
        match ports::first_taken(self.port, PORTS * self.brokers) {
            None => Ok(()),
            Some(port) => Err(Failure::new(format!(
                "port {port} is taken, stop what listens there or choose others with --port"
            ))),
        }
    }

    /// The same plan on the first ports from its own on that are all free.
    pub(crate) fn moved_to_free_ports(self) -> Outcome<Self> {
        let port = ports::first_free(self.port, PORTS * self.brokers)?;
        Ok(Self { port, ..self })
    }

    /// The file of settings of one node, which keeps its data in `data`.
    pub(crate) fn properties(&self, role: Role, data: &Path) -> String {
        match role {
            Role::Broker(node) => self.broker_properties(node, data),
            Role::ZooKeeper => self.zookeeper_properties(data),
        }
    }

    fn broker_properties(&self, node: u16, data: &Path) -> String {
        let replicas = self.brokers.min(3);
        let in_sync = (replicas - 1).max(1);
        let mut text = if self.version.needs_zookeeper() {
            self.identity_with_zookeeper(node)
        } else {
            self.identity(node)
        };
        let data = data.display();
        text += &format!(
            "log.dirs={data}
num.partitions=4
default.replication.factor={replicas}
min.insync.replicas={in_sync}
group.initial.rebalance.delay.ms=0
"
        );
        // Few partitions: they are made on first use, and two cores make fifty slowly.
        for topic in [
            "offsets.topic",
            "transaction.state.log",
            "share.coordinator.state.topic",
        ] {
            text += &format!("{topic}.replication.factor={replicas}\n{topic}.num.partitions=4\n");
        }
        for topic in ["transaction.state.log", "share.coordinator.state.topic"] {
            text += &format!("{topic}.min.isr={in_sync}\n");
        }
        if 1 < self.brokers {
            // A killed broker is noticed within three seconds; shorter ones starve on two cores.
            text += "broker.session.timeout.ms=3000\nbroker.heartbeat.interval.ms=500\n";
            text += "replica.lag.time.max.ms=3000\n";
        }
        for setting in &self.settings {
            text += setting;
            text += "\n";
        }
        text
    }

    /// Who a node is, where nodes keep the metadata themselves.
    fn identity(&self, node: u16) -> String {
        let controller = self.controller_port(node);
        let (listeners, advertised) = self.listeners(node);
        let voter = |node| format!("{node}@127.0.0.1:{}", self.controller_port(node));
        let voters = self.nodes().map(voter).collect::<Vec<_>>().join(",");
        format!(
            "process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
listeners={listeners},CONTROLLER://127.0.0.1:{controller}
advertised.listeners={advertised}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,DETOUR:PLAINTEXT
"
        )
    }

    /// Who a node is, where ZooKeeper keeps the metadata.
    fn identity_with_zookeeper(&self, node: u16) -> String {
        let zookeeper = self.zookeeper_port();
        let (listeners, advertised) = self.listeners(node);
        // A killed broker is noticed when its session ends. The connection may take longer: both
        // processes start at the same time.
        format!(
            "broker.id={node}
zookeeper.connect=127.0.0.1:{zookeeper}
zookeeper.session.timeout.ms=3000
zookeeper.connection.timeout.ms=60000
listeners={listeners}
advertised.listeners={advertised}
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,DETOUR:PLAINTEXT
controlled.shutdown.max.retries=1
controlled.shutdown.retry.backoff.ms=500
"
        )
    }

    /// Where clients of a broker are served, and where they are told to come.
    fn listeners(&self, node: u16) -> (String, String) {
        let (broker, detour) = (self.broker_port(node), self.detour_port(node));
        let door = self.door_port(node);
        let listeners =
            |detour| format!("PLAINTEXT://127.0.0.1:{broker},DETOUR://127.0.0.1:{detour}");
        (listeners(detour), listeners(door))
    }

    fn zookeeper_properties(&self, data: &Path) -> String {
        let (port, data) = (self.zookeeper_port(), data.display());
        // Sessions last two ticks at least: with the usual tick of 2 s brokers would get 4 s.
        format!(
            "clientPort={port}
clientPortAddress=127.0.0.1
dataDir={data}
tickTime=500
admin.enableServer=false
"
        )
    }

    /// The plan as the file that `status` and `stop` read.
    pub(crate) fn to_json(&self) -> String {
        let Self {
            version,
            brokers,
            port,
            settings,
        } = self;
        let version = version.to_string();
        json!({"version": version, "brokers": brokers, "port": port, "settings": settings})
            .to_string()
    }

    pub(crate) fn from_json(text: &str) -> Outcome<Self> {
        let value: Value = serde_json::from_str(text).doing("reading the plan of the cluster")?;
        let number = |name: &str| value[name].as_u64().and_then(|it| u16::try_from(it).ok());
        let settings = value["settings"].as_array();
        let plan = || {
            Some(Self {
                version: value["version"].as_str()?.parse().ok()?,
                brokers: number("brokers")?,
                port: number("port")?,
                settings: settings?
                    .iter()
                    .map(|it| Some(it.as_str()?.into()))
                    .collect::<Option<_>>()?,
            })
        };
        plan().ok_or_else(|| Failure::new(format!("expected the plan of a cluster, got {text}")))
    }

    fn broker_port(&self, node: u16) -> u16 {
        self.port + node - 1
    }

    fn zookeeper_port(&self) -> u16 {
        self.port + self.brokers
    }

    fn controller_port(&self, node: u16) -> u16 {
        self.port + self.brokers + node - 1
    }

    fn detour_port(&self, node: u16) -> u16 {
        self.port + 2 * self.brokers + node - 1
    }

    fn door_port(&self, node: u16) -> u16 {
        self.port + 3 * self.brokers + node - 1
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    fn plan(brokers: u16, port: u16) -> Plan {
        let version = "4.3.1".parse().unwrap();
        Plan {
            version,
            brokers,
            port,
            settings: vec!["log.retention.ms=1".into()],
        }
    }

    #[test]
    fn brokers_and_controllers_take_consecutive_ports() {
        let plan = plan(3, 29092);
        assert_eq!(
            plan.bootstrap(),
            "127.0.0.1:29092,127.0.0.1:29093,127.0.0.1:29094"
        );

        let text = plan.properties(Role::Broker(2), Path::new("data2"));
        let listeners = "listeners=PLAINTEXT://127.0.0.1:29093,DETOUR://127.0.0.1:29099,\
                         CONTROLLER://127.0.0.1:29096\n";
        assert!(text.contains(listeners), "{text}");
        let advertised = "PLAINTEXT://127.0.0.1:29093,DETOUR://127.0.0.1:29102\n";
        assert!(text.contains(advertised), "{text}");
        let voters = "voters=1@127.0.0.1:29095,2@127.0.0.1:29096,3@127.0.0.1:29097\n";
        assert!(text.contains(voters), "{text}");
    }

    #[test]
    fn brokers_of_kafka_2_find_zookeeper_behind_their_own_ports() {
        let version = "2.8.2".parse().unwrap();
        let plan = Plan {
            version,
            ..plan(3, 29092)
        };
        let text = plan.properties(Role::Broker(2), Path::new("data2"));
        assert!(text.starts_with("broker.id=2\nzookeeper.connect=127.0.0.1:29095\n"));
        assert!(
            text.contains("listeners=PLAINTEXT://127.0.0.1:29093,DETOUR:"),
            "{text}"
        );
        assert!(!text.contains("controller.quorum"), "{text}");

        let text = plan.properties(Role::ZooKeeper, Path::new("data"));
        assert!(
            text.starts_with("clientPort=29095\nclientPortAddress=127.0.0.1\n"),
            "{text}"
        );
    }

    #[test]
    fn replicas_follow_the_number_of_brokers() {
        let one = plan(1, 29092).properties(Role::Broker(1), Path::new("data"));
        assert!(
            one.contains("default.replication.factor=1\nmin.insync.replicas=1\n"),
            "{one}"
        );
        let three = plan(3, 29092).properties(Role::Broker(1), Path::new("data"));
        assert!(
            three.contains("default.replication.factor=3\nmin.insync.replicas=2\n"),
            "{three}"
        );
        let five = plan(5, 29092).properties(Role::Broker(1), Path::new("data"));
        assert!(
            five.contains("default.replication.factor=3\nmin.insync.replicas=2\n"),
            "{five}"
        );
    }

    #[test]
    fn given_settings_come_last_and_win() {
        let text = plan(1, 29092).properties(Role::Broker(1), Path::new("data"));
        assert!(text.ends_with("\nlog.retention.ms=1\n"), "{text}");
    }

    #[test]
    fn a_cluster_serves_whoever_wants_its_version_size_and_some_of_its_settings() {
        let plain = |brokers, port| Plan {
            settings: Vec::new(),
            ..plan(brokers, port)
        };
        assert!(plan(3, 29092).serves(&plan(3, 31000)));
        assert!(plan(3, 29092).serves(&plain(3, 29092)));
        assert!(!plain(3, 29092).serves(&plan(3, 29092)));
        assert!(!plan(3, 29092).serves(&plan(1, 29092)));
    }

    #[test]
    fn a_plan_survives_its_file() {
        let plan = plan(3, 31000);
        assert_eq!(Plan::from_json(&plan.to_json()).unwrap(), plan);
        assert!(Plan::from_json("{}").is_err());
        assert!(Plan::from_json("no json").is_err());
    }

    #[test]
    fn a_taken_port_is_named_and_can_be_evaded() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();

        let message = plan(1, port).check_ports().unwrap_err().to_string();
        assert!(
            message.starts_with(&format!("port {port} is taken")),
            "{message}"
        );

        let moved = plan(1, port).moved_to_free_ports().unwrap();
        assert!(port < moved.port);
        moved.check_ports().unwrap();
    }
}

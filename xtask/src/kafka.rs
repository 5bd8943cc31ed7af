//! Apache Kafka on loopback: starts it, says whether it runs, breaks it, ends it.
//!
//! There is at most one cluster in a target folder, in `target/kafka/cluster`: its plan, and for
//! each node its settings, log, data and process id. It outlives the command that starts it, so
//! that a person can work with it, and `stop` finds it again through these files.
//! A cluster of Kafka 2 has a ZooKeeper besides its nodes, which is started and ended with them.
//! A cluster counts as ready when a new topic has every broker in its ISR, not before.

mod distribution;
mod node;
mod plan;

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

pub(crate) use distribution::{Distribution, Version};
pub(crate) use plan::{Plan, USUAL_PORT};

use crate::failure::{Doing, Failure, Outcome};
use crate::kafka::node::{Node, Role};
use crate::process::Interrupt;
use crate::workspace;

/// How long a cluster may take until it is ready; three nodes take ten seconds on an idle machine.
const START: Duration = Duration::from_secs(180);

/// The cluster of this target folder.
#[derive(Debug)]
pub(crate) struct Cluster {
    plan: Plan,
    distribution: Distribution,
    /// What brokers of Kafka 2 cannot do without.
    zookeeper: Option<Node>,
    nodes: Vec<Node>,
}

impl Cluster {
    /// Starts a cluster, or finds the one that was started by the same plan.
    pub(crate) fn start(plan: Plan, interrupt: &Interrupt) -> Outcome<Self> {
        if let Some(running) = Self::running()? {
            running.check_same(&plan)?;
            return Ok(running);
        }
        plan.check_ports()?;
        let distribution = Distribution::prepare(plan.version)?;
        let cluster = Self::lay_out(plan, distribution)?;
        let begun = cluster.begin(interrupt);
        if let Err(failure) = begun {
            let tails: String = cluster.processes().map(Node::log_tail).collect();
            cluster.stop()?;
            return Err(Failure::new(format!("{tails}{failure}")));
        }
        Ok(cluster)
    }

    /// The cluster that was started earlier, if a node of it still runs.
    pub(crate) fn running() -> Outcome<Option<Self>> {
        Ok(Self::known()?.filter(|cluster| cluster.processes().any(|node| node.pid().is_some())))
    }

    /// The cluster that was started last, whether it runs or not.
    pub(crate) fn known() -> Outcome<Option<Self>> {
        let file = folder().join("plan.json");
        if !file.exists() {
            return Ok(None);
        }
        let plan = Plan::from_json(&fs::read_to_string(&file).doing(file.display())?)?;
        let distribution = Distribution::at(plan.version);
        Ok(Some(Self::of(plan, distribution)))
    }

    /// Ends all nodes; their logs stay until the next start.
    pub(crate) fn stop(&self) -> Outcome {
        for node in &self.nodes {
            node.ask_to_leave()?;
        }
        self.nodes.iter().try_for_each(Node::end)?;
        // Without it no broker leaves in peace.
        if let Some(zookeeper) = &self.zookeeper {
            zookeeper.ask_to_leave()?;
            zookeeper.end()?;
        }
        Ok(())
    }

    /// Ends nodes as a crash would.
    pub(crate) fn kill(&self, nodes: &[u16]) -> Outcome {
        nodes.iter().try_for_each(|&node| self.node(node)?.kill())
    }

    /// Ends nodes in peace as far as they run, starts them, and waits until all are in every ISR.
    pub(crate) fn restart(&self, nodes: &[u16], interrupt: &Interrupt) -> Outcome {
        let nodes: Vec<&Node> = nodes
            .iter()
            .map(|&node| self.node(node))
            .collect::<Outcome<_>>()?;
        for node in &nodes {
            node.ask_to_leave()?;
        }
        for node in &nodes {
            node.end()?;
        }
        for node in &nodes {
            node.start(&self.distribution)?;
        }
        self.wait_until_ready(interrupt)
    }

    /// The cluster itself if it is as planned, on whatever ports and with whatever settings
    /// besides, and is all up.
    pub(crate) fn check_shape(self, wanted: &Plan) -> Outcome<Self> {
        if !self.plan.serves(wanted) {
            return Err(self.is_another());
        }
        self.check_up()?;
        Ok(self)
    }

    /// Where clients begin.
    pub(crate) fn bootstrap(&self) -> String {
        self.plan.bootstrap()
    }

    /// Where clients meet a proxy: see `Plan::detour`.
    pub(crate) fn detour(&self) -> String {
        self.plan.detour()
    }

    /// Which release it is.
    pub(crate) fn version(&self) -> Version {
        self.plan.version
    }

    /// What Kafka's tools and the judge need after `-cp`.
    pub(crate) fn class_path(&self) -> String {
        self.distribution.class_path()
    }

    /// A line a node: its id, its process id, up or down.
    pub(crate) fn status(&self) -> String {
        let line = |node: &Node| match node.pid() {
            Some(pid) => format!("{node}: up, process {pid}\n"),
            None => format!("{node}: down\n"),
        };
        self.processes().map(line).collect()
    }

    /// All that must run, what others need first.
    fn processes(&self) -> impl Iterator<Item = &Node> {
        self.zookeeper.iter().chain(&self.nodes)
    }

    fn of(plan: Plan, distribution: Distribution) -> Self {
        let node = |role| Node::new(role, &folder());
        let needs_zookeeper = plan.version.needs_zookeeper();
        Self {
            distribution,
            zookeeper: needs_zookeeper.then(|| node(Role::ZooKeeper)),
            nodes: plan.nodes().map(|id| node(Role::Broker(id))).collect(),
            plan,
        }
    }

    fn check_same(&self, wanted: &Plan) -> Outcome {
        if self.plan == *wanted {
            self.check_up()
        } else {
            Err(self.is_another())
        }
    }

    fn check_up(&self) -> Outcome {
        let Some(down) = self.processes().find(|node| node.pid().is_none()) else {
            return Ok(());
        };
        let remedy = match down.role() {
            Role::Broker(id) => {
                format!("start it again with cargo xtask kafka restart --node {id}")
            }
            Role::ZooKeeper => "end the rest with cargo xtask kafka stop".into(),
        };
        let message = format!("the cluster runs, but {down} is down, {remedy}");
        Err(Failure::new(message))
    }

    fn is_another(&self) -> Failure {
        let Plan {
            version,
            brokers,
            port,
            settings,
        } = &self.plan;
        Failure::new(format!(
            "another cluster runs: Kafka {version}, {brokers} brokers from port {port} on, \
             settings {settings:?}, end it with cargo xtask kafka stop"
        ))
    }

    /// Writes the files of a new cluster over those of the last one.
    fn lay_out(plan: Plan, distribution: Distribution) -> Outcome<Self> {
        let folder = folder();
        if folder.exists() {
            fs::remove_dir_all(&folder).doing(folder.display())?;
        }
        fs::create_dir_all(&folder).doing(folder.display())?;
        fs::write(folder.join("plan.json"), plan.to_json()).doing(folder.display())?;

        let cluster = Self::of(plan, distribution);
        for node in cluster.processes() {
            let properties = cluster.plan.properties(node.role(), &node.data());
            fs::write(node.properties(), properties).doing(node.properties().display())?;
        }
        Ok(cluster)
    }

    fn begin(&self, interrupt: &Interrupt) -> Outcome {
        // With ZooKeeper a cluster finds its id there, and nothing is formatted.
        if self.zookeeper.is_none() {
            self.format(interrupt)?;
        }
        self.processes()
            .try_for_each(|node| node.start(&self.distribution))?;
        self.wait_until_ready(interrupt)
    }

    fn format(&self, interrupt: &Interrupt) -> Outcome {
        let id = cluster_id();
        let mut formats = Vec::new();
        for node in &self.nodes {
            let mut format = node.format(&self.distribution, &id);
            format
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
            formats.push(format.spawn().doing("starting java")?);
        }
        for format in formats {
            let output = format.wait_with_output().doing("formatting")?;
            interrupt.check()?; // The formatter hears a Ctrl-C too, and would be blamed.
            if !output.status.success() {
                let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
                return Err(Failure::new(format!("formatting failed: {complaint}")));
            }
        }
        interrupt.check()
    }

    /// Lets the judge create a topic until every broker is in its ISR.
    fn wait_until_ready(&self, interrupt: &Interrupt) -> Outcome {
        let (brokers, seconds) = (self.plan.brokers.to_string(), START.as_secs().to_string());
        let mut judge = self.judge();
        judge.args(["ready", &brokers, &seconds]);
        judge
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut judge = Reaped(judge.spawn().doing("starting java")?);
        loop {
            if let Some(status) = judge.0.try_wait().doing("waiting for the judge")? {
                return if status.success() {
                    Ok(())
                } else {
                    Err(judge.complaint())
                };
            }
            interrupt.check()?;
            if let Some(down) = self.processes().find(|node| node.pid().is_none()) {
                return Err(Failure::new(format!("{down} ended while starting")));
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// The judge about this cluster: commands follow, as words or on stdin.
    fn judge(&self) -> Command {
        let mut java = self.distribution.java();
        java.arg("Judge").arg(self.bootstrap());
        java
    }

    fn node(&self, id: u16) -> Outcome<&Node> {
        let mut nodes = self.nodes.iter();
        let found = nodes.find(|node| node.role() == Role::Broker(id));
        let last = self.plan.brokers;
        found.ok_or_else(|| Failure::new(format!("expected a node from 1 to {last}, got {id}")))
    }
}

/// A child that does not outlive its user.
struct Reaped(Child);

impl Reaped {
    fn complaint(&mut self) -> Failure {
        let mut said = String::new();
        if let Some(stdout) = &mut self.0.stdout {
            // What cannot be read cannot be told: the failure stands either way.
            let _ = std::io::Read::read_to_string(stdout, &mut said);
        }
        Failure::new(format!("the cluster is not ready: {}", said.trim()))
    }
}

impl Drop for Reaped {
    fn drop(&mut self) {
        // Both fail only if it has ended, which is what is wanted.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn folder() -> PathBuf {
    workspace::target().join("kafka/cluster")
}

/// A new cluster's id: 16 random bytes as Kafka writes them, base64 for URLs without padding.
fn cluster_id() -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let half = || u128::from(RandomState::new().hash_one(0));
    let bits = half() << 64 | half();
    // The last of 22 digits has only two bits; the others are of no meaning and must be zero.
    let digit = |place: u32| {
        let six = if place == 21 {
            (bits & 3) << 4
        } else {
            bits >> (122 - 6 * place) & 63
        };
        char::from(DIGITS[usize::try_from(six).unwrap_or(0)])
    };
    (0..22).map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_id_is_22_digits_and_never_the_same() {
        let id = cluster_id();
        assert_eq!(id.len(), 22);
        assert!("AQgw".contains(&id[21..]), "{id}");
        assert_ne!(id, cluster_id());
    }
}

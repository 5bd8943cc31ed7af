//! One process of the cluster: a Java program, its files, and the signals that end it.
//!
//! It is a broker, which a suite may kill, or the ZooKeeper that brokers of Kafka 2 lean on.
//!
//! A node outlives the command that started it. Its process id is kept in a file and believed only
//! while the process with that id has this node's `server.properties` on its command line.

use std::fmt;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use crate::failure::{Doing, Failure, Outcome};
use crate::kafka::distribution::Distribution;
use crate::process;

/// How long a broker may take to leave on SIGTERM. The last of three waits in vain for a quorum.
const GRACE: Duration = Duration::from_secs(10);

/// How many lines of a log are shown when something went wrong.
const TAIL: usize = 30;

/// A node, whether it runs or not.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    role: Role,
    /// The folder of the cluster; each file in it has the node's name.
    folder: PathBuf,
}

/// What a node is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Role {
    /// A broker with this id; the controller as well where there is no ZooKeeper.
    Broker(u16),
    ZooKeeper,
}

impl Role {
    const fn class(self) -> &'static str {
        match self {
            Self::Broker(_) => "kafka.Kafka",
            Self::ZooKeeper => "org.apache.zookeeper.server.quorum.QuorumPeerMain",
        }
    }
}

impl Node {
    pub(crate) fn new(role: Role, folder: &Path) -> Self {
        Self {
            role,
            folder: folder.to_path_buf(),
        }
    }

    /// Makes an empty log for the cluster with this id.
    ///
    /// Gives the command only: formatting three nodes at once takes as long as one.
    pub(crate) fn format(&self, distribution: &Distribution, cluster: &str) -> Command {
        let mut java = distribution.java();
        java.args(["kafka.tools.StorageTool", "format", "-t", cluster, "-c"]);
        java.arg(self.properties());
        java
    }

    /// Starts the node in a process group of its own, out of reach of a Ctrl-C meant for us.
    pub(crate) fn start(&self, distribution: &Distribution) -> Outcome {
        let log = File::options().create(true).append(true).open(self.log());
        let log = log.doing(self.log().display())?;
        let mut java = distribution.java();
        java.arg(self.role.class()).arg(self.properties());
        java.current_dir(&self.folder)
            .process_group(0)
            .stdin(Stdio::null());
        java.stdout(log.try_clone().doing(self.log().display())?)
            .stderr(log);

        let child = java.spawn().doing("starting java")?;
        fs::write(self.pid_file(), child.id().to_string()).doing(self.pid_file().display())?;
        // For an instant after exec a command line is empty, and the node would count as down.
        process::holds_within(Duration::from_secs(1), || self.pid().is_some());
        Ok(())
    }

    /// The process id, if the node runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        let pid = fs::read_to_string(self.pid_file())
            .ok()?
            .trim()
            .parse()
            .ok()?;
        process::is_running(pid, &self.properties()).then_some(pid)
    }

    /// Asks the node to leave; `Node::end` waits for it.
    pub(crate) fn ask_to_leave(&self) -> Outcome {
        self.pid()
            .map_or(Ok(()), |pid| process::signal(pid, Signal::TERM))
    }

    /// Waits until the node has left, and kills it when its time is over.
    pub(crate) fn end(&self) -> Outcome {
        if process::holds_within(GRACE, || self.pid().is_none()) {
            return Ok(());
        }
        self.kill()
    }

    /// Ends the node as a crash would.
    pub(crate) fn kill(&self) -> Outcome {
        let Some(pid) = self.pid() else {
            return Ok(());
        };
        process::signal(pid, Signal::KILL)?;
        if process::holds_within(GRACE, || self.pid().is_none()) {
            return Ok(());
        }
        Err(Failure::new(format!(
            "process {pid} of {self} survived SIGKILL"
        )))
    }

    pub(crate) fn role(&self) -> Role {
        self.role
    }

    pub(crate) fn properties(&self) -> PathBuf {
        self.file("properties")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.file("data")
    }

    /// The end of the node's log, each line behind the node's name.
    pub(crate) fn log_tail(&self) -> String {
        let text = fs::read(self.log()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        let tail = &lines[lines.len().saturating_sub(TAIL)..];
        tail.iter()
            .map(|line| format!("{self}: {line}\n"))
            .collect()
    }

    fn log(&self) -> PathBuf {
        self.file("log")
    }

    fn pid_file(&self) -> PathBuf {
        self.file("pid")
    }

    fn file(&self, extension: &str) -> PathBuf {
        let name = self.to_string().replace(' ', "");
        self.folder.join(format!("{name}.{extension}"))
    }
}

impl fmt::Display for Node {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.role {
            Role::Broker(id) => write!(formatter, "node {id}"),
            Role::ZooKeeper => formatter.write_str("zookeeper"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_file_that_names_another_process_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let node = Node::new(Role::Broker(1), folder.path());
        assert_eq!(node.pid(), None);

        fs::write(node.pid_file(), std::process::id().to_string()).unwrap();
        assert_eq!(node.pid(), None);
        node.kill().unwrap();
    }

    #[test]
    fn a_process_with_the_nodes_properties_is_found_and_killed() {
        let folder = tempfile::tempdir().unwrap();
        let node = Node::new(Role::Broker(1), folder.path());
        // The shell stays the parent of `sleep`, so that its command line keeps the name.
        let script = "sleep 61; true";
        let mut shell = Command::new("sh");
        let mut child = shell
            .args(["-c", script])
            .arg(node.properties())
            .spawn()
            .unwrap();
        fs::write(node.pid_file(), child.id().to_string()).unwrap();

        assert!(process::holds_within(GRACE, || node.pid() == Some(child.id())));
        node.kill().unwrap();
        assert_eq!(node.pid(), None);
        child.wait().unwrap();
    }

    #[test]
    fn only_the_end_of_a_log_is_shown() {
        let folder = tempfile::tempdir().unwrap();
        let node = Node::new(Role::Broker(2), folder.path());
        let lines: String = (0..100).map(|line| format!("{line}\n")).collect();
        fs::write(node.log(), lines).unwrap();

        let tail = node.log_tail();
        assert!(tail.starts_with("node 2: 70\n"), "{tail}");
        assert!(tail.ends_with("node 2: 99\n"), "{tail}");
    }
}

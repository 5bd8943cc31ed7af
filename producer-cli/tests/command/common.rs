//! Runs the command as a user would, and a cluster in this process for it to talk to.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use kafka_producer_sim::serve::{Server, ServerConfig};

/// How long any command may take: much more than it needs on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// A cluster with one topic.
pub(crate) fn cluster(brokers: u32, topic: &str, partitions: u32) -> Server {
    let mut config = ServerConfig::default();
    config.brokers = brokers;
    config.port = 0;
    config.topics = vec![(topic.to_string(), partitions)];
    Server::start(config).unwrap()
}

/// The command with these arguments, its three streams in our hands.
pub(crate) fn spawn(arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_kafka-producer"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Runs the command to its end.
pub(crate) fn run(arguments: &[&str], input: &[u8]) -> Ended {
    let mut child = spawn(arguments);
    // A command that refuses its arguments may be gone already.
    let _ = child.stdin.take().unwrap().write_all(input);
    end(child)
}

/// Waits for the end of the command.
pub(crate) fn end(mut child: Child) -> Ended {
    drop(child.stdin.take());
    let process = child.id();
    let (done, expired) = std::sync::mpsc::channel::<()>();
    let watchdog = std::thread::spawn(move || {
        if expired.recv_timeout(LIMIT) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            signal(process, "KILL");
        }
    });
    let output = child.wait_with_output().unwrap();
    drop(done);
    watchdog.join().unwrap();
    Ended::from(output)
}

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ended {
    /// The objects on stdout.
    pub(crate) fn objects(&self) -> Vec<serde_json::Value> {
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}{}", self.stdout, self.stderr);
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        self
    }

    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(
            self.stderr.contains(text),
            "{text:?} is missing in:\n{}",
            self.stderr
        );
        self
    }
}

/// Sends a signal to one process of ours.
pub(crate) fn signal(process: u32, name: &str) {
    let sent = Command::new("kill")
        .args([&format!("-{name}"), &process.to_string()])
        .status();
    assert!(sent.unwrap().success());
}

/// An address where nobody listens: bound once, and let go.
pub(crate) fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// The next line of a running command's stdout or stderr.
pub(crate) fn line(stream: &mut BufReader<impl Read>) -> String {
    let mut line = String::new();
    stream.read_line(&mut line).unwrap();
    line.trim_end().to_string()
}

/// Waits until something holds.
#[track_caller]
pub(crate) fn eventually(mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < LIMIT, "it never came to hold");
        std::thread::sleep(Duration::from_millis(5));
    }
}

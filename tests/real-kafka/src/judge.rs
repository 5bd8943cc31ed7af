//! The judge: a Java program that says, with Kafka's own clients, what is really in the cluster.
//!
//! One runs as long as the test program and is asked in turns; a Java machine takes half a second
//! to start. It ends when its stdin does, so that none outlives its tests.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::{base64, cluster};

/// A record as Kafka's consumer read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// Its partition.
    pub partition: u32,
    /// Its offset.
    pub offset: i64,
    /// Milliseconds since the Unix epoch.
    pub timestamp: i64,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value.
    pub value: Option<Vec<u8>>,
    /// Its headers, in order.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

/// The Java program, and the pipes to it.
pub struct Judge {
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    _java: Child,
}

/// The judge of this test program; whoever holds it is alone with it.
pub fn judge() -> MutexGuard<'static, Judge> {
    static JUDGE: LazyLock<Mutex<Judge>> = LazyLock::new(|| Mutex::new(Judge::start()));
    // Whoever panicked did so between two answers: nothing is half read.
    JUDGE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a test that cannot ask its judge fails"
)]
impl Judge {
    fn start() -> Self {
        let mut java = Command::new("java");
        java.args(["-Xmx256m", "-XX:+UseSerialGC"]);
        // Its clients would tell of every broker that a test kills.
        java.arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=off");
        java.arg("-cp").arg(cluster::variable("KAFKA_JUDGE_CP"));
        java.args(["Judge", &cluster::bootstrap()]);
        java.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut java = java.spawn().unwrap();
        Self {
            commands: java.stdin.take().unwrap(),
            answers: BufReader::with_capacity(1 << 16, java.stdout.take().unwrap()),
            _java: java,
        }
    }

    /// Creates a topic, and waits until every partition has its leader and all of its replicas.
    pub fn create(&mut self, topic: &str, partitions: u32, replicas: u32, settings: &[&str]) {
        let settings = settings.join(" ");
        self.ask(&format!(
            "create {topic} {partitions} {replicas} {settings}"
        ));
    }

    /// Deletes a topic, and waits until it is gone.
    pub fn delete(&mut self, topic: &str) {
        self.ask(&format!("delete {topic}"));
    }

    /// Changes a topic's settings.
    pub fn configure(&mut self, topic: &str, settings: &str) {
        self.ask(&format!("config {topic} {settings}"));
    }

    /// Gives a topic more partitions, so many in all.
    pub fn grow(&mut self, topic: &str, partitions: u32) {
        self.ask(&format!("grow {topic} {partitions}"));
    }

    /// Takes every partition from its leader, and gives it to a broker that does not have it.
    pub fn move_leaders(&mut self, topic: &str) {
        self.ask(&format!("move {topic}"));
    }

    /// Limits what a client id may write to each broker in a second, or lifts the limit.
    pub fn limit(&mut self, client: &str, bytes: Option<u32>) {
        let bytes = bytes.map_or_else(|| "-".into(), |bytes| bytes.to_string());
        self.ask(&format!("quota {client} {bytes}"));
    }

    /// How many records a topic holds.
    pub fn count(&mut self, topic: &str) -> u64 {
        let answer = self.ask(&format!("count {topic}"));
        answer["count"].as_u64().unwrap()
    }

    /// Where Java puts this key in a topic of so many partitions.
    pub fn partition(&mut self, count: u32, key: &[u8]) -> u32 {
        let key = match key {
            [] => String::from("-"),
            key => base64::encode(key),
        };
        number(&self.ask(&format!("partition {count} {key}"))["partition"])
    }

    /// The leader of each partition, −1 where there is none.
    pub fn leaders(&mut self, topic: &str) -> Vec<i32> {
        let partitions = self.describe(topic);
        let leaders = partitions.iter().map(|partition| &partition["leader"]);
        leaders.map(number).collect()
    }

    /// How many replicas of each partition are in sync.
    pub fn in_sync(&mut self, topic: &str) -> Vec<usize> {
        let partitions = self.describe(topic);
        let in_sync = partitions
            .iter()
            .map(|partition| partition["isr"].as_array());
        in_sync.map(|replicas| replicas.unwrap().len()).collect()
    }

    /// Every record of a topic, by partition and offset.
    pub fn read(&mut self, topic: &str) -> Vec<Read> {
        self.say(&format!("read {topic}"));
        let mut records = Vec::new();
        loop {
            let line: Value = serde_json::from_str(&self.line()).unwrap();
            check(&line);
            if line["end"] == true {
                records.sort_by_key(|record: &Read| (record.partition, record.offset));
                return records;
            }
            records.push(Read::from_json(&line));
        }
    }

    /// The values of one partition as text, in the order of the log.
    pub fn values(&mut self, topic: &str, partition: u32) -> Vec<String> {
        let records = self.read(topic).into_iter();
        records
            .filter(|record| record.partition == partition)
            .map(|record| String::from_utf8(record.value.unwrap_or_default()).unwrap())
            .collect()
    }

    /// Shows every record of a topic: its partition, its offset, its value. Holds none of them.
    /// Those of a partition come in the order of the log.
    pub fn dump(&mut self, topic: &str, mut show: impl FnMut(u32, i64, &str)) {
        self.say(&format!("dump {topic}"));
        loop {
            let line = self.line();
            let mut words = line.trim_end().splitn(3, '\t');
            let (Some(partition), Some(offset), Some(value)) =
                (words.next(), words.next(), words.next())
            else {
                return check(&serde_json::from_str(&line).unwrap());
            };
            show(partition.parse().unwrap(), offset.parse().unwrap(), value);
        }
    }

    fn describe(&mut self, topic: &str) -> Vec<Value> {
        let answer = self.ask(&format!("describe {topic}"));
        answer["partitions"].as_array().unwrap().clone()
    }

    fn ask(&mut self, command: &str) -> Value {
        self.say(command);
        let answer = serde_json::from_str(&self.line()).unwrap();
        check(&answer);
        answer
    }

    fn say(&mut self, command: &str) {
        writeln!(self.commands, "{command}").unwrap();
        self.commands.flush().unwrap();
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        let count = self.answers.read_line(&mut line).unwrap();
        assert!(0 < count, "the judge has ended");
        line
    }
}

#[allow(
    clippy::unwrap_used,
    reason = "a test fails when its judge talks nonsense"
)]
impl Read {
    fn from_json(line: &Value) -> Self {
        let headers = line["headers"].as_array().unwrap();
        Self {
            partition: number(&line["partition"]),
            offset: line["offset"].as_i64().unwrap(),
            timestamp: line["timestamp"].as_i64().unwrap(),
            key: bytes(&line["key"]),
            value: bytes(&line["value"]),
            headers: headers
                .iter()
                .map(|header| (header[0].as_str().unwrap().into(), bytes(&header[1])))
                .collect(),
        }
    }
}

fn check(answer: &Value) {
    assert!(answer["error"].is_null(), "the judge: {}", answer["error"]);
}

#[allow(
    clippy::unwrap_used,
    reason = "a test fails when its judge talks nonsense"
)]
fn number<T: TryFrom<i64, Error: std::fmt::Debug>>(value: &Value) -> T {
    T::try_from(value.as_i64().unwrap()).unwrap()
}

#[allow(
    clippy::unwrap_used,
    reason = "a test fails when its judge talks nonsense"
)]
fn bytes(value: &Value) -> Option<Vec<u8>> {
    value.as_str().map(|text| base64::decode(text).unwrap())
}

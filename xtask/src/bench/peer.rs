//! The clients that are compared, and how each of them is built.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::failure::{Doing, Outcome};
use crate::kafka::{Distribution, Version};
use crate::process;
use crate::workspace;

/// A client: a command that wants a number of records and an address.
#[derive(Debug)]
pub(crate) struct Peer {
    name: &'static str,
    words: Vec<String>,
}

/// The peers that all others are measured by, as rows of a table name them.
pub(super) const LIBRDKAFKA: &str = "librdkafka, callback";
pub(super) const FRANZ_GO: &str = "franz-go, promise";

/// Which release of Java's producer is taken.
const JAVA: &str = "4.3.1";

impl Peer {
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn command(&self) -> Command {
        let mut words = self.words.iter();
        let mut command = Command::new(words.next().map_or("", String::as_str));
        command.args(words);
        command
    }

    fn new(name: &'static str, words: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let words = words.into_iter().map(Into::into).collect();
        Self { name, words }
    }
}

/// Where our own benches are, once they are built.
pub(crate) fn benches() -> PathBuf {
    workspace::target().join("release/benches")
}

/// Builds ours, and of the others what can be built here.
pub(crate) fn build_all() -> Outcome<Vec<Peer>> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(workspace::root());
    process::run(cargo.args(["build", "--release", "--package", "benches"]))?;

    let road = |form| [benches().display().to_string(), "road".into(), form];
    let mut peers = vec![
        Peer::new("ours, tokio, send", road("send".into())),
        Peer::new("ours, tokio, send_all(16)", road("send_all".into())),
        Peer::new("ours, threads, send", road("threads".into())),
    ];
    for (name, build) in [
        (LIBRDKAFKA, librdkafka as fn(&'static str) -> Outcome<Peer>),
        (FRANZ_GO, franz_go),
        ("Java, callback", java),
    ] {
        match build(name) {
            Ok(peer) => peers.push(peer),
            Err(failure) => eprintln!("left out: {name}, which cannot be built here: {failure}"),
        }
    }
    Ok(peers)
}

/// Needs a C compiler and make; takes minutes for the first time.
fn librdkafka(name: &'static str) -> Outcome<Peer> {
    let target = folder("librdkafka")?;
    let mut cargo = Command::new("cargo");
    cargo.current_dir(source("librdkafka"));
    cargo.args(["build", "--release", "--locked", "--target-dir"]);
    process::run(cargo.arg(&target))?;
    let program = target.join("release/peer-librdkafka");
    Ok(Peer::new(name, [program.display().to_string()]))
}

/// Needs Go.
fn franz_go(name: &'static str) -> Outcome<Peer> {
    let program = folder("franz-go")?.join("franz-go");
    let mut go = Command::new("go");
    go.current_dir(source("franz-go"));
    process::run(go.args(["build", "-o"]).arg(&program).arg("."))?;
    Ok(Peer::new(name, [program.display().to_string()]))
}

/// Needs a JDK and Maven.
fn java(name: &'static str) -> Outcome<Peer> {
    let version: Version = JAVA.parse()?;
    let kafka = Distribution::prepare(version)?.class_path();
    let classes = folder("java")?;
    let mut javac = Command::new("javac");
    javac.args(["-Xlint:all,-processing", "-cp", &kafka, "-d"]);
    process::run(javac.arg(&classes).arg(source("java").join("Peer.java")))?;
    let class_path = format!("{}:{kafka}", classes.display());
    let quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=off";
    let words = ["java", "-Xmx512m", quiet, "-cp", &class_path, "Peer"];
    Ok(Peer::new(name, words))
}

fn source(peer: &str) -> PathBuf {
    workspace::root().join("benches/peers").join(peer)
}

/// Where a peer is built.
fn folder(peer: &str) -> Outcome<PathBuf> {
    let folder = workspace::target().join("bench-peers").join(peer);
    fs::create_dir_all(&folder).doing(folder.display())?;
    Ok(folder)
}

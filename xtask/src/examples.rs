//! Runs every example against the simulated cluster: what is shown to users must work.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use crate::failure::{Doing, Failure, Outcome};
use crate::ports;
use crate::process::{self, Group, Interrupt};
use crate::suites;
use crate::workspace;

/// How long an example may take; each is done in a second or two.
const PATIENCE: Duration = Duration::from_secs(120);

/// The port that the web service tries first.
const WEB_PORT: u16 = 28180;

pub(crate) fn run() -> Outcome {
    let interrupt = Interrupt::watch()?;
    let mut build = Command::new("cargo");
    build
        .args([
            "build",
            "--package",
            "kafka-producer",
            "--examples",
            "--bins",
        ])
        .args(["--package", "web-service", "--features"])
        .arg("kafka-producer/threads")
        .current_dir(workspace::root());
    process::run_until(&mut build, &interrupt)?;
    let (_cluster, bootstrap) = suites::simulated_cluster(&interrupt)?;
    for name in names()? {
        let mut example = Command::new(program(&Path::new("examples").join(name)));
        // Those that have a cluster of their own take no notice.
        example.arg(&bootstrap);
        let mut group = Group::start(&mut example)?;
        group.expect_success(PATIENCE, &interrupt)?;
    }
    web_service(&bootstrap, &interrupt)?;
    eprintln!("every example does what it says");
    Ok(())
}

/// The examples in the folder, by name.
fn names() -> Outcome<BTreeSet<String>> {
    let folder = workspace::root().join("examples");
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(&folder).doing(folder.display())? {
        let path = entry.doing(folder.display())?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            names.extend(path.file_stem().map(|name| name.to_string_lossy().into()));
        }
    }
    Ok(names)
}

fn program(name: &Path) -> PathBuf {
    workspace::target().join("debug").join(name)
}

/// An event is in the log when it is answered, and a Ctrl-C ends the service cleanly.
fn web_service(bootstrap: &str, interrupt: &Interrupt) -> Outcome {
    let address = format!("127.0.0.1:{}", ports::first_free(WEB_PORT, 1)?);
    let mut service = Command::new(program(Path::new("web-service")));
    let mut group = Group::start(service.args([bootstrap, &address]))?;
    let is_up = process::holds_within(Duration::from_secs(30), || {
        TcpStream::connect(&address).is_ok() || interrupt.check().is_err()
    });
    interrupt.check()?;
    if !is_up {
        return Err(Failure::new(format!("nobody listens on {address}")));
    }
    expect_answer(&address, "POST /events", "{\"user\":42}", "201 Created")?;
    expect_answer(&address, "GET /healthz", "", "the producer is open")?;
    group.signal(Signal::INT)?;
    group.expect_success(PATIENCE, interrupt)
}

fn expect_answer(address: &str, what: &str, body: &str, expected: &str) -> Outcome {
    let mut stream = TcpStream::connect(address).doing(address)?;
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .doing(address)?;
    let length = body.len();
    let request = format!(
        "{what} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n\
         \r\n{body}"
    );
    stream.write_all(request.as_bytes()).doing(what)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).doing(what)?;
    if answer.contains(expected) {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{what}: expected {expected}, got {answer}"
    )))
}

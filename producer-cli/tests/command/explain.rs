//! What the commands say of themselves: on SIGUSR1, and when records are late.

use std::io::{BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout};
use std::time::Duration;

use crate::common::{cluster, end, line, nobody, run, signal, spawn};

#[cfg(unix)]
#[test]
fn produce_says_what_it_waits_for_when_asked_by_a_signal() {
    let server = cluster(1, "t", 1);
    let (mut child, mut stdin, mut stdout) = one_delivered(&server.bootstrap());
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    for _ in 0..2 {
        signal(child.id(), "USR1");
        let said = line(&mut stderr);
        assert!(said.starts_with("the producer is open: "), "{said}");
        assert!(said.ends_with("Every record is resolved."), "{said}");
    }
    stdin.write_all(b"two\n").unwrap();
    assert!(line(&mut stdout).contains("\"offset\":1"));
    drop(stdin);
    end(child).expect(0);
}

#[cfg(unix)]
#[test]
fn perf_says_what_it_waits_for_when_asked_by_a_signal() {
    let flags = ["--record-size", "10", "--throughput", "50"];
    let window = ["--num-records", "200", "--reporting-interval", "200"];
    let mut child = spawn(&[&["perf", "--topic", "t"], &flags[..], &window[..]].concat());
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    assert!(line(&mut stdout).contains("records sent"));
    signal(child.id(), "USR1");
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let said = std::iter::repeat_with(|| line(&mut stderr))
        .take(20)
        .find(|line| line.starts_with("the producer is open: "));
    assert!(said.is_some(), "nothing was said");
    signal(child.id(), "INT");
    end(child).expect(130);
}

#[test]
fn records_that_are_late_are_explained_while_others_still_wait() {
    let server = cluster(1, "t", 1);
    let bootstrap = server.bootstrap();
    let mut child = spawn(&[&late(&bootstrap)[..], &["--output", "json"]].concat());
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdin.write_all(b"one\n").unwrap();
    assert!(line(&mut stdout).contains("\"offset\":0"));
    let leader = server.with_cluster(|cluster| cluster.leader("t", 0));
    server.pause_broker(leader.unwrap());
    stdin.write_all(b"two\n").unwrap();
    std::thread::sleep(Duration::from_millis(700));
    stdin.write_all(b"three\n").unwrap();
    drop(stdin);
    end(child)
        .expect(1)
        .says("records were not delivered in time: the producer is open: ")
        .says("The longest wait: t-0 ");
}

#[test]
fn records_that_are_late_are_not_called_resolved_after_their_errors() {
    let bootstrap = nobody();
    let ended = run(&late(&bootstrap), b"one\n")
        .expect(1)
        .says(&format!("within max.block.ms, last {bootstrap}: "));
    let said = ended.stderr;
    assert!(!said.contains("Every record is resolved"), "{said}");
    assert!(!said.contains("not delivered in time"), "{said}");
    let twice = format!("connecting to {bootstrap}");
    assert!(!said.contains(&twice), "{said}");
}

#[test]
fn a_broker_that_dies_after_metadata_came_is_told_of_soon() {
    let server = cluster(1, "t", 1);
    let bootstrap = server.bootstrap();
    let (mut child, mut stdin, _stdout) = one_delivered(&bootstrap);
    drop(server);
    stdin.write_all(b"two\n").unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let said = line(&mut stderr);
    assert!(said.starts_with("nothing was delivered for "), "{said}");
    assert!(said.contains(&format!("({bootstrap})")), "{said}");
    assert!(said.contains("The oldest record has waited "), "{said}");
    signal(child.id(), "INT");
    signal(child.id(), "INT");
    drop(stdin);
    end(child).expect(130);
}

/// A command that has delivered one record: it listens for signals by then.
fn one_delivered(bootstrap: &str) -> (Child, ChildStdin, BufReader<ChildStdout>) {
    let flags = ["--topic", "t", "--output", "json", "--bootstrap-server"];
    let mut child = spawn(&[&["produce"], &flags[..], &[bootstrap]].concat());
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(b"one\n").expect("it is read");
    let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
    assert!(line(&mut stdout).contains("\"offset\":0"));
    (child, stdin, stdout)
}

/// Arguments of a command whose records are late after a second.
fn late(bootstrap: &str) -> Vec<&str> {
    let properties = [
        "delivery.timeout.ms=1200",
        "request.timeout.ms=1000",
        "linger.ms=0",
        "max.block.ms=1000",
    ];
    let flags = ["--topic", "t", "--bootstrap-server", bootstrap];
    let properties = properties
        .iter()
        .flat_map(|property| ["--command-property", property]);
    ["produce"]
        .into_iter()
        .chain(flags)
        .chain(properties)
        .collect()
}

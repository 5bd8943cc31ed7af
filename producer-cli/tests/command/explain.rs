//! What the commands say of themselves: on SIGUSR1, and when records are late.

#[cfg(unix)]
use crate::common::{cluster, end, line, signal, spawn};
use crate::common::{nobody, run};

#[cfg(unix)]
#[test]
fn produce_says_what_it_waits_for_when_asked_by_a_signal() {
    use std::io::{BufReader, Write};

    let server = cluster(1, "t", 1);
    let bootstrap = server.bootstrap();
    let flags = ["--topic", "t", "--output", "json", "--bootstrap-server"];
    let mut child = spawn(&[&["produce"], &flags[..], &[&bootstrap]].concat());
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"one\n").unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    // Whoever has delivered a record listens for signals.
    assert!(line(&mut stdout).contains("\"offset\":0"));
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
    use std::io::BufReader;

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
fn records_that_are_late_are_explained_with_the_reason() {
    let bootstrap = nobody();
    let properties = [
        "delivery.timeout.ms=1200",
        "request.timeout.ms=1000",
        "linger.ms=0",
        "max.block.ms=1000",
    ];
    let flags = ["--topic", "t", "--bootstrap-server", &bootstrap];
    let properties = properties
        .iter()
        .flat_map(|property| ["--command-property", property]);
    let arguments: Vec<&str> = ["produce"]
        .into_iter()
        .chain(flags)
        .chain(properties)
        .collect();
    run(&arguments, b"one\ntwo\n")
        .expect(1)
        .says("records were not delivered in time: the producer is open: ")
        .says(&format!("no metadata yet (last {bootstrap}: "));
}

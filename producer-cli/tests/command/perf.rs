//! `perf` and `broker`: output to the letter, what lands, how they end.

use std::io::{BufReader, Read};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::common::{Ended, cluster, end, line, run, signal, spawn};

fn perf(flags: &[&str]) -> Ended {
    run(&[&["perf", "--topic", "t"], flags].concat(), b"")
}

/// The line with every number replaced by `#`.
fn shape(line: &str) -> String {
    let mut shape = String::new();
    for c in line.chars() {
        let c = if c.is_ascii_digit() { '#' } else { c };
        if c != '#' || !shape.ends_with('#') {
            shape.push(c);
        }
    }
    shape
}

const TOTAL: &str = "# records sent, #.# records/sec (#.# MB/sec), #.# ms avg latency, \
                     #.# ms max latency, # ms #th, # ms #th, # ms #th, # ms #.#th.";
const WINDOW: &str = "# records sent, #.# records/sec (#.# MB/sec), #.# ms avg latency, \
                      #.# ms max latency.";

#[test]
fn without_brokers_it_brings_its_own_and_lists_what_landed() {
    let flags = [
        "--num-records",
        "2000",
        "--record-size",
        "100",
        "--throughput",
        "-1",
    ];
    let ended = perf(&flags).expect(0);
    assert_eq!(shape(ended.stdout.trim_end()), TOTAL);
    assert!(ended.stdout.starts_with("2000 records sent, "));
    ended
        .says("using a simulated cluster")
        .says("2000 records landed in topic t")
        .says("  partition 5: ");
}

#[test]
fn every_record_lands_with_the_payload_of_kafkas_tool() {
    let server = cluster(3, "t", 1);
    let bootstrap = server.bootstrap();
    let flags = [
        "--num-records",
        "500",
        "--record-size",
        "20",
        "--throughput",
        "-1",
    ];
    perf(&[&flags[..], &["--bootstrap-server", &bootstrap]].concat()).expect(0);
    let records = server.records("t", 0);
    assert_eq!(records.len(), 500);
    let first = records[0].value.clone().unwrap();
    assert!(first.len() == 20 && first.iter().all(u8::is_ascii_uppercase));
}

const FEW: [&str; 6] = [
    "--num-records",
    "200",
    "--record-size",
    "100",
    "--throughput",
    "-1",
];

#[test]
fn metrics_follow_the_totals_in_the_table_of_kafkas_tool() {
    let ended = perf(&[&FEW[..], &["--print-metrics"]].concat()).expect(0);
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(shape(lines[0]), TOTAL);
    assert_eq!(lines[1], "");
    let (head, rows) = lines[2..].split_first().unwrap();
    let names: Vec<&str> = rows
        .iter()
        .map(|row| row.split_once(" : ").unwrap().0)
        .collect();
    let width = names[0].len();
    assert_eq!(*head, format!("{:<width$}   Value", "Metric Name"));
    assert!(names.iter().all(|name| name.len() == width), "{names:#?}");
    assert!(names.is_sorted(), "{names:#?}");
    for row in [
        "producer-metrics:record-send-total:{client-id=perf-producer-client} : 200.000",
        "producer-topic-metrics:record-send-total:{client-id=perf-producer-client, topic=t} : \
         200.000",
        "producer-metrics:buffer-total-bytes:{client-id=perf-producer-client} : 33554432.000",
    ] {
        let mut lines = rows.iter().map(|line| line.split_whitespace());
        assert!(lines.any(|words| words.eq(row.split_whitespace())), "{row}");
    }
}

#[test]
fn metrics_are_an_object_a_line_in_json() {
    let flags = ["--print-metrics", "--output", "json"];
    let ended = perf(&[&FEW[..], &flags].concat()).expect(0);
    let objects: Vec<serde_json::Value> = ended
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(objects[0]["type"], "total");
    let is_it = |metric: &&serde_json::Value| {
        metric["group"] == "producer-topic-metrics" && metric["name"] == "record-send-total"
    };
    let metric = objects.iter().find(is_it).unwrap();
    assert_eq!(metric["type"], "metric");
    assert_eq!(metric["value"], 200.0);
    assert_eq!(metric["tags"]["topic"], "t");
    assert_eq!(metric["tags"]["client-id"], "perf-producer-client");
}

#[test]
fn windows_and_the_steady_state_are_said_as_kafkas_tool_says_them() {
    let flags = [
        "--num-records",
        "300",
        "--payload-monotonic",
        "--throughput",
        "300",
        "--reporting-interval",
        "100",
        "--warmup-records",
        "150",
    ];
    let started = Instant::now();
    let ended = perf(&flags).expect(0);
    assert!(Duration::from_millis(900) < started.elapsed());
    let lines: Vec<_> = ended.stdout.lines().map(shape).collect();
    assert_eq!(
        ended.stdout.lines().next(),
        Some(
            "Warmup first 150 records. Steady state results will print after the complete test \
             summary."
        )
    );
    assert!(
        lines.contains(&"In steady state.".to_string()),
        "{}",
        ended.stdout
    );
    assert!(
        lines.iter().filter(|line| *line == WINDOW).count() > 3,
        "{}",
        ended.stdout
    );
    let last_two = &lines[lines.len() - 2..];
    assert_eq!(
        last_two,
        [
            TOTAL.to_string(),
            TOTAL.replacen("# records", "# steady state records", 1)
        ]
    );
}

#[test]
fn json_is_one_object_a_line() {
    let flags = [
        "--num-records",
        "100",
        "--record-size",
        "9",
        "--throughput",
        "-1",
    ];
    let objects = perf(&[&flags[..], &["--output", "json"]].concat())
        .expect(0)
        .objects();
    let total = objects.last().unwrap();
    assert_eq!(total["type"], "total");
    assert_eq!(total["records"], 100);
}

#[test]
fn payloads_come_from_a_file() {
    let server = cluster(1, "t", 1);
    let bootstrap = server.bootstrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, "a;b;").unwrap();
    let path = file.path().to_str().unwrap();
    let flags = [
        "--num-records",
        "50",
        "--throughput",
        "-1",
        "--payload-delimiter",
        ";",
    ];
    let source = ["--payload-file", path, "--bootstrap-server", &bootstrap];
    perf(&[&flags[..], &source].concat()).expect(0);
    let mut values: Vec<_> = server
        .records("t", 0)
        .into_iter()
        .map(|record| record.value.unwrap())
        .collect();
    assert_eq!(values.len(), 50);
    values.sort();
    values.dedup();
    assert_eq!(values, [b"a", b"b"]);
}

#[test]
fn records_that_fail_are_counted_by_error_and_named_once() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = listener.local_addr().unwrap().to_string();
    drop(listener);
    let flags = [
        "--num-records",
        "5",
        "--record-size",
        "9",
        "--throughput",
        "-1",
    ];
    let cluster = [
        "--bootstrap-server",
        &nobody,
        "--command-property",
        "max.block.ms=300",
    ];
    let ended = perf(&[&flags[..], &cluster].concat()).expect(1);
    assert!(ended.stdout.starts_with("0 records sent, "));
    assert_eq!(
        ended.stderr.matches("record 0: ").count(),
        1,
        "{}",
        ended.stderr
    );
    ended.says("5 records not delivered: ");
}

#[test]
fn a_signal_ends_a_measurement_with_its_total() {
    let flags = [
        "--num-records",
        "1000000",
        "--record-size",
        "9",
        "--throughput",
        "500",
    ];
    let mut child = spawn(
        &[
            &["perf", "--topic", "t", "--reporting-interval", "50"],
            &flags[..],
        ]
        .concat(),
    );
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    assert_eq!(shape(&line(&mut stdout)), WINDOW);
    signal(child.id(), "INT");
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(rest.lines().last().map(shape).as_deref(), Some(TOTAL));
    end(child).expect(130).says("interrupted: ");
}

#[test]
fn a_broker_prints_its_address_and_serves_until_a_signal() {
    for name in ["INT", "TERM"] {
        let flags = ["--brokers", "3", "--port", "0", "--topic", "orders:6"];
        let mut child = spawn(&[&["broker"], &flags[..]].concat());
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let bootstrap = line(&mut stdout);
        assert_eq!(bootstrap.split(',').count(), 3);
        for address in bootstrap.split(',') {
            TcpStream::connect(address).unwrap();
        }
        let produce = [
            "produce",
            "--topic",
            "new",
            "--bootstrap-server",
            &bootstrap,
        ];
        run(&produce, b"a\n").expect(0);
        signal(child.id(), name);
        end(child).expect(0);
    }
}

#[test]
fn a_broker_whose_port_is_taken_says_so() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    run(&["broker", "--port", &port], b"")
        .expect(1)
        .says("--port): cannot listen on")
        .says("; free it or take another\n");
}

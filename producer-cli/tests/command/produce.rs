//! `produce` against a cluster in this process: what lands, what is said, how it ends.

use std::io::{BufReader, Read, Write};
use std::time::{Duration, Instant};

use kafka_producer_sim::serve::Server;

use crate::common::{Ended, cluster, end, eventually, line, nobody, run, signal, spawn};

/// Produces to topic `t` of the cluster.
fn produce(server: &Server, flags: &[&str], input: &[u8]) -> Ended {
    let bootstrap = server.bootstrap();
    let base = ["produce", "--topic", "t", "--bootstrap-server", &bootstrap];
    run(&[&base, flags].concat(), input)
}

#[test]
fn the_first_example_prints_where_each_record_landed() {
    let ended = run(
        &[
            "produce",
            "--embedded",
            "--topic",
            "CustomerCountry",
            "--reader-property",
            "parse.key=true",
            "--reader-property",
            "key.separator=:",
            "--output",
            "json",
        ],
        b"user-42:France\nuser-7:Italy\n",
    )
    .expect(0);
    let mut objects = ended.objects();
    objects.sort_by_key(|object| object["line"].as_u64());
    assert_eq!(objects.len(), 2);
    for (object, number) in objects.iter().zip(1..) {
        assert_eq!(object["line"], number);
        assert_eq!(object["topic"], "CustomerCountry");
        assert_eq!(object["offset"], 0);
        assert!(
            object["partition"].is_u64() && object["timestamp"].is_u64(),
            "{object}"
        );
    }
}

#[test]
fn lines_pass_as_bytes() {
    let server = cluster(1, "t", 1);
    produce(&server, &[], b"plain\n\xff\xfe\r\n\nlast")
        .expect(0)
        .says("4 delivered, 0 failed");
    let values: Vec<_> = server
        .records("t", 0)
        .into_iter()
        .map(|record| record.value.unwrap())
        .collect();
    let expected: [&[u8]; 4] = [b"plain", b"\xff\xfe", b"", b"last"];
    assert_eq!(values, expected);
}

#[test]
fn keys_headers_and_nulls_land_as_they_are_written() {
    let server = cluster(1, "t", 1);
    let flags = [
        "--reader-property",
        "parse.key=true",
        "--reader-property",
        "parse.headers=true",
        "--reader-property",
        "null.marker=NULL",
        "--header",
        "source=test",
    ];
    produce(&server, &flags, b"a:1,b:NULL\tk\tv\nNULL\tk\tNULL\n").expect(0);
    let records = server.records("t", 0);
    assert_eq!(records[0].key.as_deref(), Some(&b"k"[..]));
    assert_eq!(records[0].value.as_deref(), Some(&b"v"[..]));
    assert_eq!(records[0].headers.len(), 3);
    assert_eq!(records[0].headers[0].1.as_deref(), Some(&b"1"[..]));
    assert_eq!(records[0].headers[1].1, None);
    assert_eq!(records[0].headers[2].1.as_deref(), Some(&b"test"[..]));
    assert_eq!(records[1].value, None);
    assert_eq!(records[1].headers.len(), 1);
}

#[test]
fn each_codec_and_each_acks_level_delivers() {
    let server = cluster(1, "t", 1);
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        produce(&server, &["--compression-codec", codec], b"x\n").expect(0);
    }
    produce(&server, &["--compression-codec"], b"x\n").expect(0);
    for acks in ["all", "-1", "1", "0"] {
        produce(&server, &["--request-required-acks", acks], b"x\n").expect(0);
    }
    eventually(|| server.records("t", 0).len() == 10);
}

#[test]
fn without_acks_the_offset_is_unknown() {
    let server = cluster(1, "t", 1);
    let ended = produce(
        &server,
        &["--request-required-acks", "0", "--output", "json"],
        b"x\n",
    );
    assert!(ended.expect(0).objects()[0]["offset"].is_null());
}

#[test]
fn one_by_one_and_to_a_chosen_partition_lines_keep_their_order() {
    let server = cluster(2, "t", 3);
    let flags = ["--sync", "--partition", "2", "--output", "json"];
    let objects = produce(&server, &flags, b"a\nb\nc\n").expect(0).objects();
    let places: Vec<_> = objects
        .iter()
        .map(|object| (object["line"].as_u64(), object["partition"].as_u64()))
        .collect();
    assert_eq!(places, [1, 2, 3].map(|number| (Some(number), Some(2))));
    assert_eq!(server.records("t", 2).len(), 3);
}

#[test]
fn a_file_is_read_as_stdin_is() {
    let server = cluster(1, "t", 1);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, "a\nb\n").unwrap();
    produce(&server, &[file.path().to_str().unwrap()], b"").expect(0);
    assert_eq!(server.records("t", 0).len(), 2);
    produce(&server, &["/nowhere"], b"")
        .expect(2)
        .says("/nowhere cannot be read");
}

#[test]
fn a_line_without_its_separator_stops_and_what_came_before_is_delivered() {
    let server = cluster(1, "t", 1);
    let ended = produce(
        &server,
        &["--reader-property", "parse.key=true", "--output", "json"],
        b"k\tv\nbad\nk\tw\n",
    )
    .expect(1)
    .says("nothing after line 2 is sent")
    .says("1 delivered, 1 failed\n");
    assert!(ended.stdout.contains(
        "{\"line\":2,\"topic\":\"t\",\"partition\":null,\
         \"error\":\"INVALID_RECORD\",\"code\":87,\"message\":\"no key.separator"
    ));
    assert_eq!(server.records("t", 0).len(), 1);
}

#[test]
fn a_record_that_is_too_large_fails_alone() {
    let server = cluster(1, "t", 1);
    let input = [&vec![b'x'; 2_000_000][..], b"\nsmall\n"].concat();
    let ended = produce(&server, &["--output", "json"], &input).expect(1);
    let failed: Vec<_> = ended
        .objects()
        .into_iter()
        .filter(|object| object["line"] == 1)
        .collect();
    assert_eq!(failed[0]["error"], "MESSAGE_TOO_LARGE");
    assert_eq!(failed[0]["code"], 10);
    assert_eq!(failed[0]["outcome"], "not_written");
    assert!(failed[0]["partition"].is_null());
    ended.says("1 delivered, 1 failed");
    assert_eq!(server.records("t", 0).len(), 1);
}

#[test]
fn an_unreachable_cluster_fails_every_line_within_its_deadline() {
    let bootstrap = nobody();
    let ended = run(
        &[
            "produce",
            "--topic",
            "t",
            "--bootstrap-server",
            &bootstrap,
            "--max-block-ms",
            "500",
            "--output",
            "json",
        ],
        b"a\nb\n",
    )
    .expect(1);
    for object in ended.objects() {
        assert_eq!(object["outcome"], "not_written");
        assert!(object["partition"].is_null());
    }
    assert_eq!(ended.objects().len(), 2);
    // What stdout tells is not told again.
    assert!(!ended.stderr.contains("line "), "{}", ended.stderr);
    ended.says("0 delivered, 2 failed");
}

#[test]
fn failures_alike_are_told_ten_times_and_then_counted() {
    let bootstrap = nobody();
    let flags = ["--bootstrap-server", &bootstrap, "--max-block-ms", "500"];
    let input = "x\n".repeat(25);
    let ended = run(
        &[&["produce", "--topic", "t"], &flags[..]].concat(),
        input.as_bytes(),
    )
    .expect(1)
    .says("line 1: ")
    .says("… and 15 more like it (NETWORK_EXCEPTION)\n0 delivered, 25 failed\n");
    let told = ended.stderr.lines().filter(|it| it.starts_with("line "));
    assert_eq!(told.count(), 10);
}

#[test]
fn a_broker_that_creates_no_topics_leaves_them_unknown() {
    let topic = ["--topic", "t", "--no-auto-create-topics"];
    let mut broker = spawn(&[&["broker", "--port", "0"], &topic[..]].concat());
    let bootstrap = line(&mut BufReader::new(broker.stdout.take().unwrap()));
    let base = ["produce", "--output", "json", "--max-block-ms", "500"];
    let base = [&base[..], &["--bootstrap-server", &bootstrap]].concat();
    run(&[&base[..], &["--topic", "t"]].concat(), b"a\n").expect(0);
    let ended = run(&[&base[..], &["--topic", "other"]].concat(), b"a\n").expect(1);
    let object = &ended.objects()[0];
    assert_eq!(object["error"], "UNKNOWN_TOPIC_OR_PARTITION");
    assert_eq!(
        (&object["code"], &object["outcome"]),
        (&3.into(), &"not_written".into())
    );
    signal(broker.id(), "TERM");
    end(broker).expect(0);
}

#[test]
fn a_stuck_partition_delays_no_other() {
    let server = cluster(2, "t", 2);
    let bootstrap = server.bootstrap();
    let mut child = spawn(&[
        "produce",
        "--topic",
        "t",
        "--bootstrap-server",
        &bootstrap,
        "--reader-property",
        "parse.key=true",
        "--output",
        "json",
    ]);
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    // Connections to both brokers, so that a paused one is known and silent.
    for key in 0..20 {
        writeln!(stdin, "{key}\tv").unwrap();
    }
    for _ in 0..20 {
        line(&mut stdout);
    }
    let silent = server
        .with_cluster(|cluster| cluster.leader("t", 0))
        .unwrap();
    server.pause_broker(silent);
    for key in 0..20 {
        writeln!(stdin, "{key}\tw").unwrap();
    }
    let here = 20 - (server.records("t", 0).len());
    for _ in 0..here {
        let object: serde_json::Value = serde_json::from_str(&line(&mut stdout)).unwrap();
        assert_eq!(object["partition"], 1);
    }
    server.resume_broker(silent);
    drop(stdin);
    for _ in here..20 {
        let object: serde_json::Value = serde_json::from_str(&line(&mut stdout)).unwrap();
        assert_eq!(object["partition"], 0);
    }
    end(child).expect(0);
}

#[test]
fn a_signal_delivers_what_was_read_and_ends_with_130() {
    for name in ["INT", "TERM"] {
        let server = cluster(1, "t", 1);
        let bootstrap = server.bootstrap();
        let mut child = spawn(&[
            "produce",
            "--topic",
            "t",
            "--bootstrap-server",
            &bootstrap,
            "--timeout",
            "99",
        ]);
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(b"a\nb\n").unwrap();
        eventually(|| server.records("t", 0).len() == 2);
        signal(child.id(), name);
        end(child).expect(130).says("2 delivered, 0 failed");
        drop(stdin);
    }
}

#[test]
fn a_second_signal_ends_at_once_and_says_what_became_of_each_line() {
    let bootstrap = nobody();
    let flags = ["--bootstrap-server", &bootstrap, "--output", "json"];
    let mut child = spawn(&[&["produce", "--topic", "t"], &flags[..]].concat());
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"a\nb\nc\n").unwrap();
    // Nothing tells that lines have been taken; a signal before that finds fewer.
    std::thread::sleep(Duration::from_millis(1500));
    signal(child.id(), "INT");
    assert!(line(&mut stderr).starts_with("interrupted: waiting at most 10s for 3 lines"));
    let started = Instant::now();
    signal(child.id(), "INT");
    let mut said = String::new();
    stderr.read_to_string(&mut said).unwrap();
    assert!(
        said.contains("ended at once\n0 delivered, 3 failed\n"),
        "{said}"
    );
    let objects = end(child).expect(130).objects();
    assert_eq!(objects.len(), 3);
    for object in objects {
        assert_eq!(object["outcome"], "not_written");
        // No broker has done this.
        assert_eq!(object["error"], "CLOSED");
        assert!(object["code"].is_null());
        assert_eq!(
            object["message"],
            "the producer was closed before the record was delivered"
        );
    }
    assert!(started.elapsed() < Duration::from_secs(9));
    drop(stdin);
}

#[test]
fn one_signal_ends_the_wait_for_an_unreachable_cluster() {
    let bootstrap = nobody();
    let flags = ["--bootstrap-server", &bootstrap, "--output", "json"];
    let mut child = spawn(&[&["produce", "--topic", "t"], &flags[..]].concat());
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    child.stdin.take().unwrap().write_all(b"a\nb\n").unwrap();
    let said = line(&mut stderr);
    let last = format!("no metadata for topic t yet (last {bootstrap}: ");
    assert!(said.starts_with(&last), "{said}");
    let asked = format!("): is a broker of {bootstrap} reachable? still trying");
    assert!(said.ends_with(&asked), "{said}");
    let started = Instant::now();
    signal(child.id(), "INT");
    assert_eq!(
        line(&mut stderr),
        "interrupted: waiting at most 10s for 2 lines; interrupt again to end at once"
    );
    let mut said = String::new();
    stderr.read_to_string(&mut said).unwrap();
    assert!(said.ends_with("0 delivered, 2 failed\n"), "{said}");
    let objects = end(child).expect(130).objects();
    // Without the signal it would be max.block.ms, which is a minute.
    assert!(started.elapsed() < Duration::from_secs(30));
    assert_eq!(objects.len(), 2);
    for object in objects {
        assert_eq!(object["outcome"], "not_written");
    }
}

#[test]
fn a_closed_stdout_ends_it_cleanly() {
    let server = cluster(1, "t", 1);
    let bootstrap = server.bootstrap();
    let flags = ["--bootstrap-server", &bootstrap, "--output", "json"];
    let mut child = spawn(&[&["produce", "--topic", "t"], &flags[..]].concat());
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"a\n").unwrap();
    eventually(|| child.try_wait().unwrap().is_some());
    end(child)
        .expect(1)
        .says("stdout cannot be written")
        .says("1 delivered, 0 failed");
    drop(stdin);
}

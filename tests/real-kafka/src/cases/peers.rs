//! Bootstrap servers that are no Kafka brokers, alone and beside good ones.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use conformance::Transport;
use kafka_producer::{Outcome, ProducerError, Record};
use kafka_producer_driver::block_on;

use crate::cluster::{bootstrap, config_at, print_instead, topic, version};
use crate::judge::judge;

/// A port that nobody listens on.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// Listens on loopback and does `talk` with every connection, as long as the process lives.
fn serve(talk: impl Fn(TcpStream) + Send + Sync + Clone + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let talk = talk.clone();
            thread::spawn(move || talk(stream));
        }
    });
    address
}

fn web_server() -> String {
    serve(|mut stream| {
        let mut buffer = [0; 4096];
        let _ = stream.read(&mut buffer);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        while stream.read(&mut buffer).is_ok_and(|count| 0 < count) {}
    })
}

/// The first good server.
fn good() -> String {
    let all = bootstrap();
    all.split(',').next().unwrap().to_owned()
}

fn check_good(transport: &impl Transport, servers: &str) {
    let topic = topic("beside");
    judge().create(&topic, 2, 3, &[]);
    // Which server is asked first is chance: several producers meet the bad one.
    for _ in 0..4 {
        let begin = Instant::now();
        let producer = transport.start(config_at(servers, &[]));
        for partition in 0..2 {
            let record = Record::to(&topic).partition(partition).value("x");
            let delivery = block_on(producer.send(&record)).unwrap();
            block_on(delivery).unwrap();
        }
        block_on(producer.close(Duration::from_secs(10))).unwrap();
        assert!(begin.elapsed() < Duration::from_secs(10));
    }
    assert_eq!(judge().count(&topic), 8);
}

pub fn an_unreachable_bootstrap_server_beside_a_good_one_does_no_harm(transport: &impl Transport) {
    let (bad, good) = (nobody(), good());
    check_good(transport, &format!("{bad},{good}"));
    check_good(
        transport,
        &format!("{bad},no-such-host.invalid:9092,{good}"),
    );
}

pub fn a_wrong_peer_beside_a_good_one_does_no_harm(transport: &impl Transport) {
    let (web, good) = (web_server(), good());
    check_good(transport, &format!("{web},{good}"));
}

fn check_bad(transport: &impl Transport, servers: &str) {
    let limits = [
        ("max.block.ms", "1000"),
        ("request.timeout.ms", "500"),
        ("delivery.timeout.ms", "1500"),
    ];
    let producer = transport.start(config_at(servers, &limits));
    let begin = Instant::now();
    let delivery = block_on(producer.send(&Record::to("orders").value("x"))).unwrap();
    let error = block_on(producer.partitions_for("orders")).unwrap_err();
    assert!(
        matches!(error, ProducerError::MetadataTimeout { .. }),
        "{error}"
    );
    let error = block_on(delivery).unwrap_err();
    assert_eq!(error.outcome, Outcome::NotWritten, "{error}");
    let back = error.into_record().unwrap();
    assert_eq!(back.value.as_deref(), Some(&b"x"[..]));
    assert!(begin.elapsed() < Duration::from_secs(4));
    block_on(producer.close(Duration::from_secs(1))).unwrap();
    assert!(begin.elapsed() < Duration::from_secs(6));
}

pub fn a_controller_is_no_broker(transport: &impl Transport) {
    // The controllers' ports are those after the brokers'. They speak Kafka's protocol, and know
    // nothing of Produce and Metadata.
    if version() < (3, 0) {
        let zookeeper = "there is none: ZooKeeper is taken for a broker, which is none either";
        print_instead("a_controller_is_no_broker", zookeeper);
    }
    let all = bootstrap();
    let count = all.split(',').count();
    let (host, port) = all.split(',').next().unwrap().split_once(':').unwrap();
    let controller = usize::from(port.parse::<u16>().unwrap()) + count;
    check_bad(transport, &format!("{host}:{controller}"));
}

pub fn a_web_server_is_an_error_in_time(transport: &impl Transport) {
    check_bad(transport, &web_server());
}

pub fn a_peer_that_hangs_up_is_an_error_in_time(transport: &impl Transport) {
    check_bad(transport, &serve(drop));
}

pub fn a_peer_that_speaks_tls_is_an_error_in_time(transport: &impl Transport) {
    // The start of a handshake and then silence: a peer that waits for TLS as we wait for Kafka.
    let address = serve(|mut stream| {
        let _ = stream.write_all(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01]);
        let mut buffer = [0; 4096];
        while stream.read(&mut buffer).is_ok_and(|count| 0 < count) {}
    });
    check_bad(transport, &address);
}

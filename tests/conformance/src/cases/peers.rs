//! Peers that are no Kafka brokers: each ends in a typed error within its deadline.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use kafka_producer::{Outcome, ProduceError, ProducerError, Record};
use kafka_producer_driver::block_on;

use crate::{Transport, config};

const LIMITS: [(&str, &str); 4] = [
    ("max.block.ms", "400"),
    ("request.timeout.ms", "200"),
    ("delivery.timeout.ms", "600"),
    ("linger.ms", "0"),
];

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

/// Answers whatever comes with these bytes, once, and keeps the connection.
fn answer(bytes: &'static [u8]) -> String {
    serve(move |mut stream| {
        let mut buffer = [0; 4096];
        let _ = stream.read(&mut buffer);
        let _ = stream.write_all(bytes);
        while stream.read(&mut buffer).is_ok_and(|count| 0 < count) {}
    })
}

fn check(transport: &impl Transport, bootstrap: &str) {
    let producer = transport.start(config(bootstrap, &LIMITS));
    let started = Instant::now();
    let delivery = block_on(producer.send(&Record::to("orders").value("x"))).unwrap();
    let error = block_on(producer.partitions_for("orders")).unwrap_err();
    assert!(
        matches!(error, ProducerError::MetadataTimeout { .. }),
        "{error}"
    );
    let error = block_on(delivery).unwrap_err();
    assert_eq!(error.outcome, Outcome::NotWritten);
    assert!(
        matches!(
            error.error,
            ProduceError::Unreachable { .. } | ProduceError::TimedOut { .. }
        ),
        "{error}"
    );
    assert_eq!(error.record().unwrap().value.as_deref(), Some(&b"x"[..]));
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );

    let closing = Instant::now();
    block_on(producer.close(Duration::from_millis(500))).unwrap();
    assert!(
        closing.elapsed() < Duration::from_secs(5),
        "{:?}",
        closing.elapsed()
    );
}

pub fn an_unreachable_peer_is_an_error_in_time(transport: &impl Transport) {
    // Bound and dropped: nobody listens there.
    let address = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    check(transport, &address.to_string());
}

pub fn a_name_that_does_not_resolve_is_an_error_in_time(transport: &impl Transport) {
    check(transport, "no-such-host.invalid:9092");
}

pub fn a_silent_peer_is_an_error_in_time(transport: &impl Transport) {
    let address = serve(|mut stream| {
        let mut buffer = [0; 4096];
        while stream.read(&mut buffer).is_ok_and(|count| 0 < count) {}
    });
    check(transport, &address);
}

pub fn a_web_server_is_an_error_in_time(transport: &impl Transport) {
    check(
        transport,
        &answer(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
    );
}

pub fn a_tls_server_is_an_error_in_time(transport: &impl Transport) {
    // A fatal alert: unexpected message.
    check(
        transport,
        &answer(&[0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x0a]),
    );
}

pub fn noise_is_an_error_in_time(transport: &impl Transport) {
    let address = serve(|mut stream| {
        let mut state = 0x9e37_79b9_u32;
        let noise: Vec<u8> = (0..1 << 16)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                state.to_le_bytes()[0]
            })
            .collect();
        let _ = stream.write_all(&noise);
        let _ = stream.shutdown(Shutdown::Write);
        let _ = stream.read(&mut [0; 4096]);
    });
    check(transport, &address);
}

pub fn a_length_of_two_gibibytes_is_an_error_in_time(transport: &impl Transport) {
    check(
        transport,
        &answer(&[0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0]),
    );
}

pub fn a_peer_that_hangs_up_is_an_error_in_time(transport: &impl Transport) {
    check(transport, &serve(drop));
}

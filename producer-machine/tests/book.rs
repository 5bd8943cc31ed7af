//! The pages of the book about errors quote messages: these are the messages.

use std::fmt::Display;
use std::fs;

use kafka_producer_machine::{Config, ErrorCode, FatalError, ProduceError, SendError};

#[track_caller]
fn check(page: &str, error: impl Display) {
    let path = format!("{}/../docs/errors/{page}", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(path).expect("the page is there");
    let quoted = format!("\n> {error}\n");
    assert!(text.contains(&quoted), "{page} does not quote: {error}");
}

#[track_caller]
fn check_settings(settings: &[(&str, &str)]) {
    let error = Config::from_properties(settings.iter().copied()).expect_err("it is refused");
    check("config.md", error);
}

#[test]
fn refused_configurations_are_quoted_as_they_are() {
    let servers = ("bootstrap.servers", "a:9092");
    check_settings(&[("bootstrap.servers", "a:0")]);
    check_settings(&[servers, ("delivery.timeout.ms", "30004")]);
    check_settings(&[servers, ("queue.buffering.max.ms", "5")]);
    check_settings(&[servers, ("max.in.flight.requests.per.connection", "6")]);
    check_settings(&[servers, ("batch.size", "many")]);
    check_settings(&[]);
    check_settings(&[servers, ("lingr.ms", "5")]);
    check_settings(&[servers, ("security.protocol", "SSL")]);
}

#[test]
fn refused_records_are_quoted_as_they_are() {
    check("send.md", SendError::Closed);
    let (size, limit) = (1_048_700, 1_048_576);
    let setting = "max.request.size";
    check(
        "send.md",
        SendError::TooLarge {
            size,
            limit,
            setting,
        },
    );
    let (topic, code) = ("orders".into(), ErrorCode::TOPIC_AUTHORIZATION_FAILED);
    check("send.md", SendError::Topic { topic, code });
    check("send.md", SendError::UnknownHandle);
}

#[test]
fn failures_are_quoted_as_they_are() {
    check("delivery.md", ProduceError::Closed);
    let what = "a partition of topic orders was expected of the custom partitioner, it panicked; \
                correct it";
    check("delivery.md", ProduceError::Partitioner(what.into()));
    check("delivery.md", ProduceError::Purged);
    let (attempts, last) = (4, ErrorCode::NOT_ENOUGH_REPLICAS);
    check(
        "delivery.md",
        ProduceError::RetriesExhausted { attempts, last },
    );
    check(
        "delivery.md",
        ProduceError::TimedOut {
            attempts: 12,
            last: Some(ErrorCode::NETWORK_EXCEPTION),
            trouble: Some("a:9092: connection refused".into()),
        },
    );
    let earlier = "NOT_ENOUGH_REPLICAS";
    check("delivery.md", ProduceError::EarlierFailed { earlier });
    let setting = "max.block.ms";
    check(
        "delivery.md",
        ProduceError::TopicUnknown {
            topic: "orders".into(),
            partition: None,
            count: None,
            setting,
        },
    );
    let trouble = "a:9092: connection refused".into();
    check(
        "delivery.md",
        ProduceError::Unreachable { trouble, setting },
    );
    let code = ErrorCode::CLUSTER_AUTHORIZATION_FAILED;
    check("fatal.md", FatalError::from(code));
}

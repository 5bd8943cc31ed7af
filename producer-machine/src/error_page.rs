//! The page of the book about error codes, printed from the tables that judge them.

// For the file that the page is compared with.
extern crate std;

use alloc::format;
use alloc::string::{String, ToString};

use expect_test::expect_file;

use crate::ErrorCode;
use crate::error::FatalError;
use crate::produce::{Scope, Verdict, proves_unwritten, verdict};

/// What to do about a code that a producer meets.
macro_rules! advice {
    ($( $code:ident => $advice:literal; )+) => { &[$( (ErrorCode::$code, $advice) ),+] };
}

#[test]
fn the_page_of_error_codes_is_printed_from_the_tables() {
    expect_file!["../../docs/errors/broker.md"].assert_eq(&markdown());
}

#[test]
fn every_code_that_is_judged_has_its_advice() {
    for &code in ErrorCode::ALL {
        let is_judged = verdict(code) != Verdict::Refuse(Scope::Batch) || proves_unwritten(code);
        assert!(!is_judged || advice(code).is_some(), "{code}");
    }
}

#[test]
fn the_page_of_fatal_errors_has_a_row_for_each_code_that_ends_a_producer() {
    let page = include_str!("../../docs/errors/fatal.md");
    let ends = |code: ErrorCode| verdict(code) == Verdict::Refuse(Scope::Producer);
    let by_choice = |code: ErrorCode| verdict(code) == Verdict::OutOfSequence;
    // Nobody says this one: names of `bootstrap.servers` have not resolved.
    let ours = ErrorCode::NETWORK_EXCEPTION;
    for &code in ErrorCode::ALL {
        let begins = format!("| {} |", code.name());
        let row = page.lines().find(|line| line.starts_with(&begins));
        let is_end = ends(code) || by_choice(code) || code == ours;
        assert_eq!(row.is_some(), is_end, "{code}");
        if let Some(row) = row {
            let advice = format!("| {} |", FatalError::from(code).advice());
            assert!(row.ends_with(&advice), "{code}: {advice}");
        }
    }
}

fn markdown() -> String {
    let mut page = HEAD.to_string();
    for &code in ErrorCode::ALL {
        if let Some(advice) = advice(code) {
            page.push_str(&format!(
                "| {} | {} | {} | {} | {} | {advice} |\n",
                code.0,
                code.name(),
                code.explanation(),
                what_follows(code),
                is_written(code),
            ));
        }
    }
    page.push_str(OTHERS);
    for &code in ErrorCode::ALL {
        if advice(code).is_none() {
            let (number, name, means) = (code.0, code.name(), code.explanation());
            page.push_str(&format!("| {number} | {name} | {means} |\n"));
        }
    }
    page
}

fn what_follows(code: ErrorCode) -> &'static str {
    match verdict(code) {
        Verdict::Acknowledge | Verdict::AcknowledgeUnplaced => "a success",
        Verdict::OutOfSequence => "it depends",
        Verdict::Refuse(Scope::Batch) => "the batch fails",
        Verdict::Refuse(Scope::Producer) => "the producer ends",
        Verdict::Retry => "tried again",
        Verdict::Split => "split and sent again; a single record fails",
    }
}

fn is_written(code: ErrorCode) -> &'static str {
    match verdict(code) {
        Verdict::Acknowledge | Verdict::AcknowledgeUnplaced => "yes",
        _ if proves_unwritten(code) => "no",
        _ => "perhaps",
    }
}

fn advice(code: ErrorCode) -> Option<&'static str> {
    let row = ADVICE.iter().find(|(known, _)| *known == code)?;
    Some(row.1)
}

const HEAD: &str = include_str!("error_page.md");

const OTHERS: &str = "
## Codes of other requests

A producer does not ask for what these answer.
Should a broker send one all the same, the batch fails and may have been written; report it.

| | code | means |
|---|---|---|
";

const ADVICE: &[(ErrorCode, &str)] = advice! {
    UNKNOWN_SERVER_ERROR => "look into the broker's log";
    NONE => "nothing";
    CORRUPT_MESSAGE =>
        "nothing once; if it comes often, look for broken memory or a broken network between";
    UNKNOWN_TOPIC_OR_PARTITION => "create the topic, if it does not come by itself";
    LEADER_NOT_AVAILABLE => "nothing; if it stays, look which replicas are alive";
    NOT_LEADER_OR_FOLLOWER => "nothing: the leader has moved and is looked up";
    REQUEST_TIMED_OUT =>
        "look which replicas are slow; it also stands for a broker that did not answer within \
         request.timeout.ms: look how that one is";
    REPLICA_NOT_AVAILABLE => "nothing; if it stays, look which replicas are alive";
    MESSAGE_TOO_LARGE =>
        "raise the topic's max.message.bytes if single records fail; if splits are many, lower \
         batch.size";
    NETWORK_EXCEPTION =>
        "nothing; if it comes often, look at the network (this code is made here, for a lost \
         connection)";
    COORDINATOR_LOAD_IN_PROGRESS => "nothing: the brokers are starting";
    COORDINATOR_NOT_AVAILABLE => "nothing; if it stays, look at the topic __transaction_state";
    NOT_COORDINATOR => "nothing";
    INVALID_TOPIC_EXCEPTION => "correct the name of the topic";
    RECORD_LIST_TOO_LARGE => "raise the topic's segment.bytes, or lower batch.size";
    NOT_ENOUGH_REPLICAS =>
        "bring replicas back; min.insync.replicas says how many must be in sync";
    NOT_ENOUGH_REPLICAS_AFTER_APPEND =>
        "bring replicas back; min.insync.replicas says how many must be in sync";
    INVALID_REQUIRED_ACKS => "report it: such acks cannot be set here";
    TOPIC_AUTHORIZATION_FAILED =>
        "give the right Write on the topic (a topic that does not exist looks the same to those \
         without rights)";
    CLUSTER_AUTHORIZATION_FAILED =>
        "give the right IdempotentWrite (brokers before 2.8), or set enable.idempotence to false";
    INVALID_TIMESTAMP =>
        "correct the clock or the records' timestamps, or the topic's \
         message.timestamp.before.max.ms and after.max.ms";
    UNSUPPORTED_VERSION =>
        "use newer brokers, or switch off what is too new for them (zstd, idempotence)";
    INVALID_REQUEST => "report it, with the broker's version";
    UNSUPPORTED_FOR_MESSAGE_FORMAT =>
        "raise the topic's message format: this producer writes format 2 only (since 0.11)";
    POLICY_VIOLATION => "ask who runs the brokers what they refuse";
    OUT_OF_ORDER_SEQUENCE_NUMBER =>
        "usually nothing; with the notice DataLossSuspected, look for lost replicas or an unclean \
         election";
    DUPLICATE_SEQUENCE_NUMBER => "nothing: the record is in the log once, its offset is not known";
    INVALID_PRODUCER_EPOCH => "find out whether something else writes with this producer id";
    INVALID_TXN_STATE => "report it: there are no transactions here yet";
    INVALID_PRODUCER_ID_MAPPING => "make a new producer";
    CONCURRENT_TRANSACTIONS => "nothing";
    TRANSACTIONAL_ID_AUTHORIZATION_FAILED => "give the right Write on the transactional id";
    KAFKA_STORAGE_ERROR => "look at the broker's disks; the partition moves to another replica";
    UNKNOWN_PRODUCER_ID => "usually nothing; it comes from brokers up to 2.4 after retention";
    LISTENER_NOT_FOUND =>
        "give every broker a listener of the name that this client connects to";
    FENCED_LEADER_EPOCH => "nothing: the leader has moved and is looked up";
    UNKNOWN_LEADER_EPOCH => "nothing: the broker lags behind";
    UNSUPPORTED_COMPRESSION_TYPE => "choose another compression.type";
    INVALID_RECORD =>
        "correct the record that the message names: on a compacted topic it needs a key; the \
         others of its batch may be sent again";
    THROTTLING_QUOTA_EXCEEDED => "send slower, or raise the quota";
    PRODUCER_FENCED => "find out who runs twice under this identity";
    UNKNOWN_TOPIC_ID => "nothing: the topic was deleted or created anew, and is looked up";
    INCONSISTENT_TOPIC_ID => "nothing: the topic was created anew, and is looked up";
    TRANSACTION_ABORTABLE => "report it: there are no transactions here yet";
    REBOOTSTRAP_REQUIRED =>
        "nothing: brokers say so when they are asked about the cluster, and the producer starts \
         again from bootstrap.servers by itself; if one says so about a batch, report it";
};

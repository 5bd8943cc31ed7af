//! `kafka-producer config`: every setting, for people and for programs.

use std::collections::BTreeSet;

use crate::common::run;

/// The settings that a producer of Kafka 4.4 has, `ssl.*` and `sasl.*` by one name each.
fn expected() -> BTreeSet<&'static str> {
    include_str!("settings.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect()
}

fn is_of_security(name: &str) -> bool {
    name.starts_with("ssl.") || name.starts_with("sasl.")
}

#[test]
fn every_setting_of_kafka_is_listed_and_nothing_else_but_ours() {
    let ended = run(&["config", "--output", "json"], b"").expect(0);
    let objects = ended.objects();
    let listed: BTreeSet<&str> = objects
        .iter()
        .map(|object| object["name"].as_str().unwrap())
        .collect();
    let missing: Vec<_> = expected().difference(&listed).copied().collect();
    assert!(missing.is_empty(), "{missing:?}");

    let more: Vec<_> = objects
        .iter()
        .filter(|object| object["origin"] != "ours")
        .map(|object| object["name"].as_str().unwrap())
        .filter(|name| !expected().contains(name) && !is_of_security(name))
        .collect();
    let older = ["auto.include.jmx.reporter", "security.providers"];
    assert_eq!(more, older);
}

#[test]
fn each_object_says_all_that_there_is_to_say() {
    let objects = run(&["config", "--output", "json"], b"")
        .expect(0)
        .objects();
    for object in &objects {
        for field in ["name", "type", "values", "about", "origin", "support"] {
            let text = object[field].as_str().unwrap();
            assert!(!text.is_empty(), "{field} of {object}");
        }
        assert!(object["default"].is_string() || object["default"].is_null());
        let support = object["support"].as_str().unwrap();
        assert!(["supported", "ignored", "jvm-only", "needless", "refused"].contains(&support));
    }
}

#[test]
fn one_setting_is_told_alone() {
    let ended = run(&["config", "linger.ms"], b"").expect(0);
    assert!(ended.stdout.starts_with("linger.ms\n    meaning  "));
    assert!(ended.stdout.contains("default  5\n"), "{}", ended.stdout);
    let ended = run(&["config", "acks", "--output", "json"], b"").expect(0);
    let objects = ended.objects();
    assert_eq!(objects.len(), 1);
    assert_eq!(objects[0]["default"], "all");
    assert_eq!(objects[0]["values"], "all, -1, 0 or 1");
}

#[test]
fn several_settings_are_told_in_the_order_of_their_names_on_the_line() {
    let ended = run(&["config", "linger.ms", "batch.size"], b"").expect(0);
    let names: Vec<&str> = ended
        .stdout
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with(' '))
        .collect();
    assert_eq!(names, ["linger.ms", "batch.size"]);
    run(&["config", "linger.ms", "batch.sise"], b"")
        .expect(2)
        .says("unknown setting batch.sise; did you mean batch.size?");
}

#[test]
fn an_unknown_setting_is_answered_with_the_nearest() {
    run(&["config", "lingr.ms"], b"")
        .expect(2)
        .says("unknown setting lingr.ms; did you mean linger.ms?");
    run(&["config", "queue.buffering.max.ms"], b"")
        .expect(2)
        .says("queue.buffering.max.ms is librdkafka's name: use linger.ms");
}

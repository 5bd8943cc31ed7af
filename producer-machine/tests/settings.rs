//! The table of settings against Java's producer, and the page of the book that is printed from
//! it.

use std::collections::BTreeMap;

use expect_test::expect_file;
use kafka_producer_machine::{Config, Setting, Support, librdkafka_markdown, settings_markdown};

/// What Java's producer 4.3.1 says of its settings.
fn java() -> BTreeMap<&'static str, (&'static str, &'static str)> {
    include_str!("settings/java-4.3.1.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let mut words = line.split_whitespace();
            let mut next = || words.next().expect("a line has three words");
            let (name, kind, default) = (next(), next(), next());
            (name, (kind, if default == "\"\"" { "" } else { default }))
        })
        .collect()
}

#[test]
fn every_setting_of_javas_producer_is_there_with_its_type_and_default() {
    for (name, (kind, default)) in java() {
        let setting = Setting::named(name).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(setting.default(), default, "{name}");
        // `Kind` is what we check a value by: Java's check of one list is by hand.
        if name != "security.providers" {
            assert_eq!(setting.type_name(), kind, "{name}");
        }
    }
}

#[test]
fn what_java_4_3_does_not_have_is_named_here() {
    let java = java();
    let others: Vec<_> = Config::settings()
        .map(Setting::name)
        .filter(|name| !java.contains_key(name))
        .collect();
    let newer = [
        "buffer.memory.allocation.strategy",
        "partitioner.rack.aware",
        "client.rack",
        "bootstrap.resolve.timeout.ms",
        "metadata.cluster.check.enable",
    ];
    let older = ["auto.include.jmx.reporter"];
    let ours = [
        "compression.threads",
        "connections.per.broker",
        "data.loss",
        "failed.batch",
        "partitioner",
        "request.timeout.grace.ms",
        "unknown.fate",
    ];
    for name in others {
        let is_known = [&newer[..], &older, &ours]
            .iter()
            .any(|names| names.contains(&name));
        assert!(is_known, "{name}");
    }
}

#[test]
fn each_kind_of_support_does_to_a_setting_what_it_says() {
    let outcome = |setting: &Setting| {
        let other = other_value(setting);
        let servers = ("bootstrap.servers", "a:9092");
        Config::from_properties([("client.rack", "r"), servers, (setting.name(), &other)])
            .map(|config| config.warnings().join("\n"))
            .map_err(|error| error.to_string())
    };
    for setting in Config::settings() {
        let name = setting.name();
        match (setting.support(), outcome(setting)) {
            (Support::Ignored, Ok(said)) => {
                assert!(
                    said.contains(&format!("{name} has no effect yet")),
                    "{said}"
                );
            }
            (Support::JvmOnly, Ok(said)) => {
                let expected = format!("{name} has no effect outside of a JVM");
                assert!(said.contains(&expected), "{said}");
            }
            (Support::Needless, Ok(said)) => {
                assert!(
                    said.contains(&format!("{name} has no effect here")),
                    "{said}"
                );
            }
            (Support::Refused, Err(error)) => {
                let expected = format!("{name} is not supported yet");
                assert!(error.starts_with(&expected), "{error}");
            }
            // A rule between settings may still refuse it.
            (Support::Supported, Ok(said) | Err(said)) => {
                let has_none = format!("{name} has no effect yet");
                assert!(!said.contains(&has_none), "{said}");
                assert!(!said.contains("not supported yet"), "{said}");
            }
            (support, outcome) => panic!("{name} is {support:?}: {outcome:?}"),
        }
    }
}

/// A valid value that is not the default.
fn other_value(setting: &Setting) -> String {
    let default = setting.default();
    let values = setting.values();
    match setting.type_name() {
        "boolean" => (default == "false").to_string(),
        "double" => "0.7".into(),
        "int" | "long" if values.contains("from 1 to") => "3".into(),
        "int" | "long" => if default == "7" { "8" } else { "7" }.into(),
        "list" => "b:9092".into(),
        _ => values
            .split([',', ' '])
            .find(|word| !["", "or", default].contains(word) && values.contains(" or "))
            .unwrap_or("other")
            .into(),
    }
}

#[test]
fn the_pages_of_the_book_are_printed_from_the_tables() {
    expect_file!["../../docs/from-librdkafka.md"].assert_eq(&librdkafka_markdown());
    expect_file!["../../docs/configuration.md"].assert_eq(&settings_markdown());
}

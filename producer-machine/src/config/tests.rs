//! From settings to a `Config`: defaults, both ways in, and the text of every refusal.

#![cfg(test)]

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;

use expect_test::expect;
use proptest::prelude::*;

use super::testing::{SERVERS, check, config, wrapped};
use super::*;
use crate::config::table::settings;

#[test]
fn nothing_but_servers_is_javas_default() {
    let config = config(&[]).unwrap();
    expect![[r#"
        Config {
            batch_size: 16384,
            bootstrap_resolve_timeout: None,
            bootstrap_servers: [
                (
                    "a",
                    9092,
                ),
            ],
            buffer_memory: 33554432,
            client_id: "",
            client_rack: "",
            compression: None,
            compression_level: 0,
            connections_max_idle: 540s,
            data_loss: Report,
            delivery_timeout: 120s,
            failed_batch: Report,
            guarantee: Idempotent,
            linger: 5ms,
            max_block: 60s,
            max_in_flight: 5,
            max_request_size: 1048576,
            metadata_cluster_check: true,
            metadata_max_age: 300s,
            metadata_max_idle: 300s,
            metadata_recovery: Rebootstrap {
                trigger: 300s,
            },
            custom_partitioner: None,
            partition_rule: BuiltIn,
            partitioner_adaptive: true,
            partitioner_availability_timeout: None,
            partitioner_ignore_keys: false,
            partitioner_rack_aware: false,
            reconnect_backoff: 50ms,
            reconnect_backoff_max: 1s,
            request_timeout: 30s,
            request_timeout_grace: 0ns,
            retries: 2147483647,
            retry_backoff: 100ms,
            retry_backoff_max: 1s,
            setup_timeout: 10s,
            setup_timeout_max: 30s,
            unknown_fate: Report,
            connections_per_broker: 1,
            compression_threads: None,
            send_buffer_bytes: Some(
                131072,
            ),
            receive_buffer_bytes: Some(
                32768,
            ),
            warnings: [],
        }
    "#]]
    .assert_debug_eq(&config);
}

#[test]
fn the_builder_says_the_same_as_properties() {
    let built = every_setter().build().unwrap();
    let parsed = Config::from_properties(EVERY_SETTING).unwrap();
    assert_eq!(format!("{built:?}"), format!("{parsed:?}"));
}

#[test]
fn the_builder_can_stop_an_idempotent_producer_at_lost_records() {
    let builder = Config::builder().bootstrap_servers(["a:9092"]);
    let built = builder.data_loss(DataLoss::Stop).build().unwrap();
    assert_eq!(built.data_loss(), DataLoss::Stop);
}

#[test]
fn every_supported_setting_has_a_setter() {
    let builder = every_setter();
    for setting in settings().filter(|setting| setting.support() == Support::Supported) {
        // There is no codec that every build has.
        let is_set = builder.is_explicit(setting.name()) || setting.name() == "compression.type";
        // The setter of `partitioner` says the same.
        let is_set = is_set || setting.name() == "partitioner.class";
        assert!(is_set, "{}", setting.name());
    }
}

#[test]
fn what_was_set_can_be_read() {
    let config = Config::from_properties(EVERY_SETTING).unwrap();
    let millis = Duration::from_millis;
    assert_eq!(config.batch_size(), 1);
    assert_eq!(config.bootstrap_resolve_timeout(), Some(millis(30)));
    let servers: Vec<_> = config.bootstrap_servers().collect();
    assert_eq!(servers, [("a", 9092), ("::1", 9093)]);
    assert_eq!(config.buffer_memory(), 2);
    assert_eq!(config.client_id(), "me");
    assert_eq!(config.compression(), Codec::None);
    assert_eq!(config.compression_level(), 0);
    assert!(!config.compresses());
    assert_eq!(config.compression_threads(), Some(3));
    assert_eq!(config.connections_max_idle(), millis(4));
    assert_eq!(config.connections_per_broker(), 2);
    assert_eq!(config.delivery_timeout(), millis(50_000));
    assert_eq!(config.guarantee(), Guarantee::AtLeastOnce(Acks::Leader));
    assert_eq!(config.linger(), millis(7));
    assert_eq!(config.max_block(), millis(9));
    assert_eq!(config.max_in_flight(), 1);
    assert_eq!(config.max_request_size(), 11);
    assert!(!config.metadata_cluster_is_checked());
    assert_eq!(config.metadata_max_age(), millis(12));
    assert_eq!(config.metadata_max_idle(), millis(13_000));
    assert_eq!(config.client_rack(), "r1");
    assert_eq!(config.partitioner(), PartitionRule::Fnv1aRandom);
    assert!(!config.partitioner_is_adaptive());
    assert_eq!(config.partitioner_availability_timeout(), Some(millis(23)));
    assert!(config.partitioner_ignore_keys());
    assert!(config.partitioner_is_rack_aware());
    assert_eq!(config.receive_buffer_bytes(), None);
    assert_eq!(config.reconnect_backoff(), millis(14));
    assert_eq!(config.reconnect_backoff_max(), millis(15));
    assert_eq!(config.request_timeout(), millis(16));
    assert_eq!(config.request_timeout_grace(), millis(24));
    assert_eq!(config.retries(), 17);
    assert_eq!(config.retry_backoff(), millis(18));
    assert_eq!(config.retry_backoff_max(), millis(19));
    assert_eq!(config.send_buffer_bytes(), Some(20));
    assert_eq!(config.setup_timeout(), millis(21));
    assert_eq!(config.setup_timeout_max(), millis(22));
    assert_eq!(config.data_loss(), DataLoss::Report);
    assert_eq!(config.failed_batch(), FailedBatch::FailLater);
    assert_eq!(config.unknown_fate(), UnknownFate::Rewrite);
}

#[test]
fn a_lenient_reader_warns_of_names_and_refuses_values() {
    let lenient = |properties: &[(&'static str, &'static str)]| {
        Config::from_properties_lenient([SERVERS].into_iter().chain(properties.iter().copied()))
    };
    let config = lenient(&[
        ("lingr.ms", "x"),
        ("queue.buffering.max.ms", "7"),
        ("linger.ms", "3"),
        ("metrics.num.samples", "3"),
    ])
    .unwrap();
    assert_eq!(config.linger(), Duration::from_millis(3));
    expect![[r#"
        unknown setting lingr.ms; did you mean linger.ms?
        queue.buffering.max.ms is librdkafka's name: use linger.ms
        metrics.num.samples has no effect here (how many windows of
          metrics are kept; here two, for maxima)"#]]
    .assert_eq(&wrapped(&config.warnings().join("\n")));

    let error = lenient(&[("lingr.ms", "5"), ("acks", "7")]).unwrap_err();
    assert!(error.to_string().starts_with("acks is \"7\""), "{error}");
    let error = lenient(&[("security.protocol", "SSL")]).unwrap_err();
    assert!(error.to_string().contains("not supported yet"), "{error}");
}

/// A builder on which each setter was called.
fn every_setter() -> ConfigBuilder {
    Config::builder()
        .bootstrap_resolve_timeout(Duration::from_millis(30))
        .bootstrap_servers(["a:9092", "[::1]:9093"])
        .batch_size(1)
        .buffer_memory(2)
        .client_id("me")
        .compression_threads(3)
        .connections_max_idle(Duration::from_millis(4))
        .connections_per_broker(2)
        .delivery_timeout(Duration::from_millis(50_000))
        .guarantee(Guarantee::AtLeastOnce(Acks::Leader))
        .gzip_level(6)
        .linger(Duration::from_millis(7))
        .lz4_level(8)
        .max_block(Duration::from_millis(9))
        .max_in_flight(1)
        .max_request_size(11)
        .metadata_cluster_unchecked()
        .metadata_max_age(Duration::from_millis(12))
        .metadata_max_idle(Duration::from_millis(13_000))
        .metadata_recovery(MetadataRecovery::Rebootstrap {
            trigger: Duration::from_millis(29),
        })
        .receive_buffer_bytes(None)
        .reconnect_backoff(Duration::from_millis(14), Duration::from_millis(15))
        .request_timeout(Duration::from_millis(16))
        .request_timeout_grace(Duration::from_millis(24))
        .retries(17)
        .retry_backoff(Duration::from_millis(18), Duration::from_millis(19))
        .send_buffer_bytes(Some(20))
        .setup_timeout(Duration::from_millis(21), Duration::from_millis(22))
        .client_rack("r1")
        .partitioner(PartitionRule::Fnv1aRandom)
        .partitioner_not_adaptive()
        .partitioner_availability_timeout(Duration::from_millis(23))
        .partitioner_ignore_keys()
        .partitioner_rack_aware()
        .data_loss(DataLoss::Report)
        .failed_batch(FailedBatch::FailLater)
        .unknown_fate(UnknownFate::Rewrite)
        .zstd_level(-5)
}

/// The same as text.
const EVERY_SETTING: [(&str, &str); 43] = [
    ("bootstrap.resolve.timeout.ms", "30"),
    ("bootstrap.servers", " a:9092, [::1]:9093"),
    ("batch.size", "1"),
    ("buffer.memory", "2"),
    ("client.id", "me"),
    ("compression.threads", "3"),
    ("connections.max.idle.ms", "4"),
    ("connections.per.broker", "2"),
    ("client.rack", "r1"),
    ("partitioner", "fnv1a_random"),
    ("partitioner.adaptive.partitioning.enable", "false"),
    ("partitioner.availability.timeout.ms", "23"),
    ("partitioner.ignore.keys", "true"),
    ("partitioner.rack.aware", "true"),
    ("delivery.timeout.ms", "50000"),
    ("acks", "1"),
    ("enable.idempotence", "false"),
    ("compression.gzip.level", "6"),
    ("linger.ms", "7"),
    ("compression.lz4.level", "8"),
    ("max.block.ms", "9"),
    ("max.in.flight.requests.per.connection", "1"),
    ("max.request.size", "11"),
    ("metadata.cluster.check.enable", "false"),
    ("metadata.max.age.ms", "12"),
    ("metadata.max.idle.ms", "13000"),
    ("metadata.recovery.strategy", "rebootstrap"),
    ("metadata.recovery.rebootstrap.trigger.ms", "29"),
    ("receive.buffer.bytes", "-1"),
    ("reconnect.backoff.ms", "14"),
    ("reconnect.backoff.max.ms", "15"),
    ("request.timeout.ms", "16"),
    ("request.timeout.grace.ms", "24"),
    ("retries", "17"),
    ("retry.backoff.ms", "18"),
    ("retry.backoff.max.ms", "19"),
    ("send.buffer.bytes", "20"),
    ("socket.connection.setup.timeout.ms", "21"),
    ("socket.connection.setup.timeout.max.ms", "22"),
    ("data.loss", "report"),
    ("failed.batch", "fail_later"),
    ("unknown.fate", "rewrite"),
    ("compression.zstd.level", "-5"),
];

#[test]
fn what_promises_security_is_refused_and_its_value_not_repeated() {
    check(
        &[("security.protocol", "SASL_SSL")],
        expect![[r#"
            security.protocol is not supported yet (whether connections
              are encrypted by TLS and authenticated by SASL): expected
              the default, PLAINTEXT, and another value came; remove the
              setting"#]],
    );
    check(
        &[("sasl.jaas.config", "secret")],
        expect![[r#"
            sasl.jaas.config is not supported yet (the credentials of
              SASL, as a line of JAAS): expected no value, which is the
              default, and one came; remove the setting"#]],
    );
    check(
        &[
            ("security.protocol", "plaintext"),
            ("ssl.protocol", "TLSv1.3"),
        ],
        expect!["Idempotent"],
    );
    check(&[("ssl.keystore.location", "")], expect!["Idempotent"]);
}

#[test]
fn what_only_a_jvm_understands_is_accepted_with_a_warning() {
    check(
        &[
            (
                "key.serializer",
                "org.apache.kafka.common.serialization.StringSerializer",
            ),
            ("interceptor.classes", "a.B"),
        ],
        expect![[r#"
            Idempotent
            key.serializer has no effect outside of a JVM (the class
              that turns keys into bytes; keys are bytes here)
            interceptor.classes has no effect outside of a JVM (classes
              that see each record before it is sent and after its end;
              ProducerBuilder::interceptor takes ours)"#]],
    );
}

#[test]
fn what_is_harmless_and_not_built_warns_unless_it_is_the_default() {
    check(
        &[
            ("enable.metrics.push", "false"),
            ("metrics.num.samples", "2"),
        ],
        expect![[r#"
            Idempotent
            enable.metrics.push has no effect yet (push metrics to the
              brokers that ask for them; here they are only read)"#]],
    );
}

#[test]
fn a_value_out_of_range_names_setting_value_range_and_default() {
    check(
        &[("batch.size", "many")],
        expect![[r#"
            batch.size is "many": expected a whole number from 0 to
              2147483647; correct it, or leave it out for the default
              "16384""#]],
    );
    check(
        &[("linger.ms", "-1")],
        expect![[r#"
            linger.ms is "-1": expected milliseconds, a whole number not
              below 0; correct it, or leave it out for the default "5""#]],
    );
    check(
        &[("acks", "two")],
        expect![[r#"
            acks is "two": expected all, -1, 0 or 1; correct it, or
              leave it out for the default "all""#]],
    );
    check(
        &[("compression.gzip.level", "0")],
        expect![[r#"
            compression.gzip.level is "0": expected -1, or a whole
              number from 1 to 9; correct it, or leave it out for the
              default "-1""#]],
    );
    check(
        &[("compression.threads", "0")],
        expect![[r#"
            compression.threads is "0": expected a whole number from 1
              to 2147483647"#]],
    );
}

#[test]
fn a_builders_value_out_of_range_is_refused_as_well() {
    let base = || Config::builder().bootstrap_servers(["a:1"]);
    let message = |builder: ConfigBuilder| wrapped(&builder.build().unwrap_err().to_string());
    expect![[r#"
        request.timeout.ms is "9223372036854775807": expected
          milliseconds, a whole number from 0 to 2147483647; correct
          it, or leave it out for the default "30000""#]]
    .assert_eq(&message(
        base().request_timeout(Duration::from_millis(i64::MAX as u64)),
    ));
    expect![[r#"
        max.in.flight.requests.per.connection is "0": expected a
          whole number from 1 to 2147483647; correct it, or leave it
          out for the default "5""#]]
    .assert_eq(&message(base().max_in_flight(0)));
    expect![[r#"
        retries is "4294967295": expected a whole number from 0 to
          2147483647; correct it, or leave it out for the default
          "2147483647""#]]
    .assert_eq(&message(base().retries(u32::MAX)));
}

#[test]
fn servers_come_one_by_one_or_between_commas() {
    let config = Config::builder()
        .bootstrap_servers(["a:1, b:2", "c:3"])
        .build()
        .unwrap();
    let hosts: Vec<_> = config
        .bootstrap_servers
        .iter()
        .map(|server| &*server.0)
        .collect();
    assert_eq!(hosts, ["a", "b", "c"]);
}

#[test]
fn servers_must_be_named() {
    let error = "bootstrap.servers is not set: name at least one broker as host:port";
    assert_eq!(Config::builder().build().unwrap_err().to_string(), error);
    let empty = Config::from_properties([("bootstrap.servers", "  ")]);
    assert_eq!(empty.unwrap_err().to_string(), error);
}

#[test]
fn of_a_name_that_stands_twice_the_last_counts() {
    let config = config(&[("linger.ms", "wrong"), ("linger.ms", "1")]).unwrap();
    assert_eq!(config.linger, Duration::from_millis(1));
}

#[test]
fn a_batch_of_no_bytes_is_a_batch_of_one_record() {
    assert_eq!(config(&[("batch.size", "0")]).unwrap().batch_size, 1);
}

#[test]
fn a_client_id_is_the_users_then_the_drivers_then_that_of_the_first_producer() {
    let unset = config(&[("client.id", "")]).unwrap();
    assert_eq!(unset.client_id(), "producer-1");
    let named = unset.client_id_or_else(|| "producer-7".into());
    assert_eq!(named.client_id(), "producer-7");
    let set = config(&[("client.id", "me")]).unwrap();
    let set = set.client_id_or_else(|| unreachable!("it has a name"));
    assert_eq!(set.client_id(), "me");
}

#[test]
fn a_client_id_must_fit_the_protocol() {
    let long = "x".repeat(32_768);
    check(
        &[("client.id", &long)],
        expect![[r#"
            client.id is "xxxxxxxxxxxxxxxxxxxx…": expected at most
              32767 bytes; correct it, or leave it out for the default """#]],
    );
}

#[test]
#[cfg(feature = "gzip")]
fn the_level_of_the_chosen_codec_counts() {
    let level = |codec, name, level| {
        let properties = vec![("compression.type", codec), (name, level)];
        config(&properties).unwrap().compression_level
    };
    assert_eq!(level("gzip", "compression.gzip.level", "7"), 7);
    assert_eq!(level("gzip", "compression.zstd.level", "7"), -1);
    assert_eq!(level("none", "compression.gzip.level", "7"), 0);
}

#[test]
#[cfg(not(feature = "gzip"))]
fn a_codec_that_is_not_compiled_in_names_its_feature() {
    check(
        &vec![("compression.type", "gzip")],
        expect![[r#"
            compression.type is gzip, which was not compiled in: enable
              the feature gzip"#]],
    );
}

fn any_name() -> impl Strategy<Value = String> {
    let known: Vec<String> = settings()
        .map(|setting| setting.name().to_string())
        .collect();
    prop_oneof![prop::sample::select(known), ".{0,40}"]
}

fn any_value() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,30}",
        "-?[0-9]{0,22}",
        "(true|false|all|none|zstd|a:1,b:2|)"
    ]
}

proptest! {
    #[test]
    fn no_settings_panic(list in prop::collection::vec((any_name(), any_value()), 0..6)) {
        let list = list.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        match Config::from_properties([SERVERS].into_iter().chain(list)) {
            Ok(config) => prop_assert!(config.linger <= config.delivery_timeout),
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }
}

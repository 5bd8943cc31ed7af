//! Settings that every Kafka client has.

use super::Kind::{Flag, Number, Text, Word};
use super::{I32_MAX, Setting, built, int, jvm, millis_int, millis_long, no_effect};

const BUFFER: super::Kind = Number {
    min: -1,
    max: I32_MAX,
};

/// Kafka's `CommonClientConfigs`.
pub(super) const SETTINGS: &[Setting] = &[
    built("client.id", "", Text, "the name that brokers log and meter"),
    no_effect(
        "client.dns.lookup",
        "use_all_dns_ips",
        Word(&[
            "use_all_dns_ips",
            "resolve_canonical_bootstrap_servers_only",
        ]),
        "which addresses of a name are tried; always all of them here",
    ),
    no_effect(
        "bootstrap.resolve.timeout.ms",
        "0",
        millis_long(),
        "how long names may stay unresolved (KIP-909); they are retried here for ever",
    ),
    built(
        "reconnect.backoff.ms",
        "50",
        millis_long(),
        "the wait before the second connect; 0 means 1, or a core would be kept busy",
    ),
    built(
        "reconnect.backoff.max.ms",
        "1000",
        millis_long(),
        "the longest wait before a connect",
    ),
    built(
        "socket.connection.setup.timeout.ms",
        "10000",
        millis_int(),
        "how long the first connect may take",
    ),
    built(
        "socket.connection.setup.timeout.max.ms",
        "30000",
        millis_int(),
        "how long any connect may take",
    ),
    built(
        "connections.max.idle.ms",
        "540000",
        millis_long(),
        "close a connection idle that long",
    ),
    built(
        "metadata.max.age.ms",
        "300000",
        millis_long(),
        "refresh metadata at least that often",
    ),
    built(
        "metadata.max.idle.ms",
        "300000",
        super::Kind::Millis {
            min: 5000,
            max: i64::MAX,
        },
        "forget the metadata of a topic that is unused that long",
    ),
    no_effect(
        "metadata.recovery.strategy",
        "rebootstrap",
        Word(&["none", "rebootstrap"]),
        "ask bootstrap.servers again when no known broker answers (KIP-899)",
    ),
    no_effect(
        "metadata.recovery.rebootstrap.trigger.ms",
        "300000",
        millis_int(),
        "how long no broker may answer before that",
    ),
    no_effect(
        "metadata.cluster.check.enable",
        "true",
        Flag,
        "check the cluster id (KIP-1242)",
    ),
    built(
        "send.buffer.bytes",
        "131072",
        BUFFER,
        "SO_SNDBUF; -1 leaves it to the system",
    ),
    built(
        "receive.buffer.bytes",
        "32768",
        BUFFER,
        "SO_RCVBUF; -1 leaves it to the system",
    ),
    no_effect(
        "metrics.sample.window.ms",
        "30000",
        millis_long(),
        "the window of metrics",
    ),
    no_effect(
        "metrics.num.samples",
        "2",
        int(1),
        "how many windows are kept",
    ),
    no_effect(
        "metrics.recording.level",
        "INFO",
        Word(&["INFO", "DEBUG", "TRACE"]),
        "how much is measured",
    ),
    jvm(
        "metric.reporters",
        "org.apache.kafka.common.metrics.JmxReporter",
        "Java classes",
    ),
    jvm(
        "auto.include.jmx.reporter",
        "true",
        "JMX; gone since Kafka 4.0",
    ),
    jvm("config.providers", "", "Java classes"),
    jvm("security.providers", "null", "Java classes"),
];

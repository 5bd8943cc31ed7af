//! Settings that every Kafka client has.

use super::Kind::{Flag, List, Millis, MillisOrNever, Text, Word};
use super::{I32_MAX, Setting, Support, between, int, millis_long};

/// Kafka's `CommonClientConfigs`.
pub(super) const SETTINGS: &[Setting] = settings! {
    Supported "client.id" = "", Text, "CommonClientConfigs",
        "the name that brokers log and meter; producer-1, producer-2 and so on if not set";
    Refused "client.dns.lookup" = "use_all_dns_ips",
        Word(&["use_all_dns_ips", "resolve_canonical_bootstrap_servers_only"]), "KIP-302",
        "which addresses of a name are tried: all, one after the other; canonical names are for \
         Kerberos, which is not built";
    Supported "bootstrap.resolve.timeout.ms" = "0", millis_long(), "KIP-909",
        "how long all names of bootstrap.servers may stay unresolved before the producer gives up \
         for good, also if no host has taken or refused a connection; give it longer than a \
         connect takes; 0 is for ever, while Java tries once when it is made";
    Supported "reconnect.backoff.ms" = "50", millis_long(), "CommonClientConfigs",
        "the wait before the second connect to a broker; it doubles with each further one; 0 means \
         1, or a core would be kept busy";
    Supported "reconnect.backoff.max.ms" = "1000", millis_long(), "KIP-144",
        "the longest wait before a connect; if only reconnect.backoff.ms is set, that one";
    Supported "socket.connection.setup.timeout.ms" = "10000", millis_long(), "KIP-601",
        "how long the first connect to a broker may take; it doubles with each further one";
    Supported "socket.connection.setup.timeout.max.ms" = "30000", millis_long(), "KIP-601",
        "how long any connect may take";
    Supported "connections.max.idle.ms" = "540000", MillisOrNever, "CommonClientConfigs",
        "close a connection that has been idle that long; -1 is never";
    Supported "metadata.max.age.ms" = "300000", millis_long(), "CommonClientConfigs",
        "refresh metadata at least that often";
    Supported "metadata.max.idle.ms" = "300000", Millis { min: 5000, max: i64::MAX }, "KIP-526",
        "forget the metadata of a topic that is unused that long";
    Supported "metadata.recovery.strategy" = "rebootstrap", Word(&["none", "rebootstrap"]),
        "KIP-899",
        "ask bootstrap.servers again when no known broker answers";
    Supported "metadata.recovery.rebootstrap.trigger.ms" = "300000", millis_long(), "KIP-1102",
        "how long metadata may stay unanswered before that";
    Supported "metadata.cluster.check.enable" = "true", Flag, "KIP-1242",
        "ask brokers that can tell whether they are the ones of the cluster that metadata named; \
         one that is not makes the producer ask bootstrap.servers again, unless \
         metadata.recovery.strategy is none";
    Supported "send.buffer.bytes" = "131072", between(-1, I32_MAX), "CommonClientConfigs",
        "the size of a socket's send buffer; -1 leaves it to the system";
    Supported "receive.buffer.bytes" = "32768", between(-1, I32_MAX), "CommonClientConfigs",
        "the size of a socket's receive buffer; -1 leaves it to the system";
    Needless "metrics.sample.window.ms" = "30000", millis_long(), "CommonClientConfigs",
        "the window of metrics; here a rate is over the span between two snapshots";
    Needless "metrics.num.samples" = "2", int(1), "CommonClientConfigs",
        "how many windows of metrics are kept; here two, for maxima";
    Needless "metrics.recording.level" = "INFO", Word(&["INFO", "DEBUG", "TRACE"]),
        "CommonClientConfigs",
        "how much is measured; here always everything";
    JvmOnly "metric.reporters" = "org.apache.kafka.common.metrics.JmxReporter", List,
        "CommonClientConfigs",
        "classes that metrics are told to";
    JvmOnly "auto.include.jmx.reporter" = "true", Flag, "KIP-830",
        "whether metrics go to JMX; gone since Kafka 4.0";
    JvmOnly "config.providers" = "", List, "KIP-297",
        "classes that fill in values from elsewhere";
    JvmOnly "security.providers" = "null", Text, "KIP-492",
        "classes that bring algorithms of TLS and SASL";
};

//! librdkafka's names that Kafka's Java client does not know, and what to use instead.

/// A table from one row for each name.
macro_rules! names {
    ($( $name:literal => $advice:literal; )+) => { &[$( ($name, $advice) ),+] };
}

/// What to do about a name of librdkafka's, if it is one.
pub(super) fn advice(name: &str) -> Option<(&'static str, &'static str)> {
    NAMES.iter().find(|(theirs, _)| *theirs == name).copied()
}

/// The names of librdkafka's CONFIGURATION.md that a producer may have, in order.
pub(super) const NAMES: &[(&str, &str)] = names! {
    "allow.auto.create.topics" => "the brokers decide (auto.create.topics.enable); remove it";
    "api.version.fallback.ms" => "versions are always negotiated; remove it";
    "api.version.request" => "versions are always negotiated; remove it";
    "api.version.request.timeout.ms" => "versions are always negotiated; remove it";
    "background_event_cb" => "notices go through tracing; remove it";
    "batch.num.messages" => "batches are bounded by bytes; use batch.size";
    "broker.address.family" => "every address of a name is tried; remove it";
    "broker.address.ttl" => "names are resolved for each connect; remove it";
    "broker.version.fallback" => "versions are always negotiated; remove it";
    "builtin.features" =>
        "a codec that was not compiled in is named when it is asked for; remove it";
    "closesocket_cb" => "sockets belong to the transport; remove it";
    "compression.codec" => "use compression.type";
    "compression.level" => "use compression.gzip.level or compression.zstd.level";
    "connect_cb" => "sockets belong to the transport; remove it";
    "debug" => "logs go through tracing, whose filters choose; remove it";
    "default_topic_conf" => "settings are the same for all topics; remove it";
    "delivery.report.only.error" => "every record is reported; remove it";
    "dr_cb" => "pass a callback with the record, or await its delivery; remove it";
    "dr_msg_cb" => "pass a callback with the record, or await its delivery; remove it";
    "enable.gapless.guarantee" => "use failed.batch, whose value fail_later leaves no gap";
    "enable.random.seed" => "chance has a seed of its own; remove it";
    "enable.sasl.oauthbearer.unsecure.jwt" => "SASL is not built yet; remove it";
    "enable.ssl.certificate.verification" => "use ssl.endpoint.identification.algorithm";
    "enabled_events" => "notices go through tracing; remove it";
    "error_cb" => "errors come with the records that they end; remove it";
    "interceptors" => "ProducerBuilder::interceptor takes one of yours; remove it";
    "internal.termination.signal" => "threads end with close; remove it";
    "log.connection.close" => "connections are reported as events; remove it";
    "log.queue" => "logs go through tracing; remove it";
    "log.thread.name" => "logs go through tracing; remove it";
    "log_cb" => "logs go through tracing; remove it";
    "log_level" => "logs go through tracing; remove it";
    "max.in.flight" => "use max.in.flight.requests.per.connection";
    "message.copy.max.bytes" => "every record is copied once; remove it";
    "message.max.bytes" => "use max.request.size";
    "message.send.max.retries" => "use retries";
    "message.timeout.ms" => "use delivery.timeout.ms";
    "metadata.broker.list" => "use bootstrap.servers";
    "msg_order_cmp" => "order is first in, first out; remove it";
    "oauthbearer_token_refresh_cb" => "SASL is not built yet; remove it";
    "opaque" => "a closure or a future keeps what it needs; remove it";
    "open_cb" => "no file is opened here; remove it";
    "partitioner_cb" => "give the builder a custom_partitioner; remove it";
    "plugin.library.paths" => "there are no plugins; remove it";
    "produce.offset.report" => "every acknowledgement tells its offset; remove it";
    "queue.buffering.backpressure.threshold" => "use batch.size and linger.ms";
    "queue.buffering.max.kbytes" => "use buffer.memory, which counts bytes";
    "queue.buffering.max.messages" => "records are bounded by bytes; use buffer.memory";
    "queue.buffering.max.ms" => "use linger.ms";
    "queuing.strategy" => "order is first in, first out; remove it";
    "receive.message.max.bytes" => "answers have a limit of their own; remove it";
    "reconnect.backoff.jitter.ms" => "use reconnect.backoff.ms, which is jittered by a fifth";
    "request.required.acks" => "use acks";
    "resolve_cb" => "the transport resolves names; remove it";
    "sasl.kerberos.keytab" => "use sasl.jaas.config";
    "sasl.kerberos.principal" => "use sasl.jaas.config";
    "sasl.mechanisms" => "use sasl.mechanism";
    "sasl.oauthbearer.client.id" => "use sasl.oauthbearer.client.credentials.client.id";
    "sasl.oauthbearer.client.secret" =>
        "use sasl.oauthbearer.client.credentials.client.secret";
    "sasl.oauthbearer.config" => "use sasl.jaas.config";
    "sasl.oauthbearer.extensions" => "use sasl.jaas.config";
    "sasl.oauthbearer.method" => "use sasl.oauthbearer.jwt.retriever.class";
    "sasl.password" => "use sasl.jaas.config";
    "sasl.username" => "use sasl.jaas.config";
    "socket.blocking.max.ms" => "nothing blocks that long here; remove it";
    "socket.keepalive.enable" =>
        "idle connections are closed by connections.max.idle.ms; remove it";
    "socket.max.fails" => "it has no counterpart; remove it";
    "socket.nagle.disable" => "sockets never delay here; remove it";
    "socket.receive.buffer.bytes" => "use receive.buffer.bytes";
    "socket.send.buffer.bytes" => "use send.buffer.bytes";
    "socket.timeout.ms" => "use request.timeout.ms";
    "socket_cb" => "sockets belong to the transport; remove it";
    "ssl.ca.certificate.stores" => "use ssl.truststore.location";
    "ssl.ca.location" => "use ssl.truststore.location";
    "ssl.ca.pem" => "use ssl.truststore.certificates";
    "ssl.certificate.location" => "use ssl.keystore.location";
    "ssl.certificate.pem" => "use ssl.keystore.certificate.chain";
    "ssl.crl.location" => "TLS is not built yet; remove it";
    "ssl.curves.list" => "TLS is not built yet; remove it";
    "ssl.engine.id" => "TLS is not built yet; remove it";
    "ssl.engine.location" => "TLS is not built yet; remove it";
    "ssl.key.location" => "use ssl.keystore.location";
    "ssl.key.pem" => "use ssl.keystore.key";
    "ssl.providers" => "TLS is not built yet; remove it";
    "ssl.sigalgs.list" => "TLS is not built yet; remove it";
    "statistics.interval.ms" => "ask for metrics when they are needed; remove it";
    "stats_cb" => "ask for metrics when they are needed; remove it";
    "sticky.partitioning.linger.ms" => "a partition is kept for batch.size bytes; remove it";
    "throttle_cb" => "metrics tell of throttling (produce-throttle-time-avg); remove it";
    "topic.blacklist" => "only topics in use are asked for; remove it";
    "topic.metadata.propagation.max.ms" => "use max.block.ms";
    "topic.metadata.refresh.fast.interval.ms" => "use retry.backoff.ms";
    "topic.metadata.refresh.interval.ms" => "use metadata.max.age.ms";
    "topic.metadata.refresh.sparse" => "only topics in use are asked for; remove it";
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::table::find;

    #[test]
    fn names_stand_in_order_and_once() {
        assert!(NAMES.is_sorted_by(|one, next| one.0 < next.0));
    }

    #[test]
    fn no_name_of_librdkafka_hides_one_of_ours_and_every_hint_exists() {
        for (theirs, advice) in NAMES {
            assert_eq!(find(theirs), None, "{theirs}");
            let hints = advice
                .split("; ")
                .filter_map(|part| part.strip_prefix("use "));
            for hint in hints.flat_map(|names| names.split(" or ")) {
                let ours = hint.split([' ', ',']).next().unwrap_or(hint);
                assert!(find(ours).is_some(), "{ours}");
            }
            assert!(
                advice.contains("use ") || advice.ends_with("; remove it"),
                "{advice}"
            );
        }
    }
}

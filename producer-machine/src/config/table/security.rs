//! Settings of TLS and SASL: known by name, refused until they are built.
//!
//! A producer that ignored one of them would talk in the clear where its owner asked for
//! secrecy, so every value but the default is an error.

use super::Kind::{NonEmpty, Text, Word};
use super::{Setting, refused};

const TLS: &str = "TLS";
const SASL: &str = "SASL";
const KERBEROS: &str = "SASL/GSSAPI";
const OAUTH: &str = "SASL/OAUTHBEARER";

const fn tls(name: &'static str, default: &'static str) -> Setting {
    refused(name, default, Text, TLS)
}

const fn sasl(name: &'static str, default: &'static str) -> Setting {
    refused(name, default, Text, SASL)
}

const fn kerberos(name: &'static str, default: &'static str) -> Setting {
    refused(name, default, Text, KERBEROS)
}

const fn oauth(name: &'static str, default: &'static str) -> Setting {
    refused(name, default, Text, OAUTH)
}

/// Kafka's `SslConfigs`, `SaslConfigs` and `BrokerSecurityConfigs` as far as clients see them.
pub(super) const SETTINGS: &[Setting] = &[
    refused(
        "security.protocol",
        "PLAINTEXT",
        Word(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]),
        "whether connections are encrypted and authenticated",
    ),
    tls("ssl.cipher.suites", "null"),
    tls("ssl.enabled.protocols", "TLSv1.2,TLSv1.3"),
    tls("ssl.endpoint.identification.algorithm", "https"),
    tls("ssl.engine.factory.class", "null"),
    tls("ssl.key.password", "null"),
    tls("ssl.keymanager.algorithm", "SunX509"),
    tls("ssl.keystore.certificate.chain", "null"),
    tls("ssl.keystore.key", "null"),
    tls("ssl.keystore.location", "null"),
    tls("ssl.keystore.password", "null"),
    tls("ssl.keystore.type", "JKS"),
    tls("ssl.protocol", "TLSv1.3"),
    tls("ssl.provider", "null"),
    tls("ssl.secure.random.implementation", "null"),
    tls("ssl.trustmanager.algorithm", "PKIX"),
    tls("ssl.truststore.certificates", "null"),
    tls("ssl.truststore.location", "null"),
    tls("ssl.truststore.password", "null"),
    tls("ssl.truststore.type", "JKS"),
    refused("sasl.mechanism", "GSSAPI", NonEmpty, SASL),
    sasl("sasl.jaas.config", "null"),
    sasl("sasl.client.callback.handler.class", "null"),
    sasl("sasl.login.callback.handler.class", "null"),
    sasl("sasl.login.class", "null"),
    sasl("sasl.login.connect.timeout.ms", "null"),
    sasl("sasl.login.read.timeout.ms", "null"),
    sasl("sasl.login.refresh.buffer.seconds", "300"),
    sasl("sasl.login.refresh.min.period.seconds", "60"),
    sasl("sasl.login.refresh.window.factor", "0.8"),
    sasl("sasl.login.refresh.window.jitter", "0.05"),
    sasl("sasl.login.retry.backoff.max.ms", "10000"),
    sasl("sasl.login.retry.backoff.ms", "100"),
    kerberos("sasl.kerberos.kinit.cmd", "/usr/bin/kinit"),
    kerberos("sasl.kerberos.min.time.before.relogin", "60000"),
    kerberos("sasl.kerberos.service.name", "null"),
    kerberos("sasl.kerberos.ticket.renew.jitter", "0.05"),
    kerberos("sasl.kerberos.ticket.renew.window.factor", "0.8"),
    oauth("sasl.oauthbearer.client.credentials.client.id", "null"),
    oauth("sasl.oauthbearer.client.credentials.client.secret", "null"),
    oauth("sasl.oauthbearer.clock.skew.seconds", "30"),
    oauth("sasl.oauthbearer.expected.audience", "null"),
    oauth("sasl.oauthbearer.expected.issuer", "null"),
    oauth("sasl.oauthbearer.header.urlencode", "false"),
    oauth("sasl.oauthbearer.jwks.endpoint.refresh.ms", "3600000"),
    oauth(
        "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms",
        "10000",
    ),
    oauth("sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", "100"),
    oauth("sasl.oauthbearer.jwks.endpoint.url", "null"),
    oauth("sasl.oauthbearer.jwt.retriever.class", "null"),
    oauth("sasl.oauthbearer.jwt.validator.class", "null"),
    oauth("sasl.oauthbearer.scope", "null"),
    oauth("sasl.oauthbearer.scope.claim.name", "scope"),
    oauth("sasl.oauthbearer.sub.claim.name", "sub"),
    oauth("sasl.oauthbearer.token.endpoint.url", "null"),
];

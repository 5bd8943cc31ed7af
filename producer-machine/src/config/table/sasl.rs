//! Settings of SASL: known by name, refused until they are built.
//!
//! What is refused here would let a producer talk as somebody else than its owner meant.

use super::Kind::{Class, Decimal, Flag, List, NonEmpty, Password, Text, Word};
use super::{Setting, Support, between, int, millis_int, millis_long};

/// Kafka's `SaslConfigs`.
pub(super) const SETTINGS: &[Setting] = settings! {
    Refused "sasl.mechanism" = "GSSAPI", NonEmpty, "SaslConfigs",
        "how SASL authenticates: GSSAPI, PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER";
    Refused "sasl.jaas.config" = "null", Password, "KIP-85",
        "the credentials of SASL, as a line of JAAS";
    Refused "sasl.client.callback.handler.class" = "null", Class, "KIP-86",
        "the class that answers the callbacks of SASL";
    Refused "sasl.login.callback.handler.class" = "null", Class, "KIP-86",
        "the class that answers the callbacks of a SASL login";
    Refused "sasl.login.class" = "null", Class, "KIP-86",
        "the class that logs in to SASL";
    Refused "sasl.login.connect.timeout.ms" = "null", millis_int(), "KIP-768",
        "how long connecting to the provider of SASL tokens may take";
    Refused "sasl.login.read.timeout.ms" = "null", millis_int(), "KIP-768",
        "how long the provider of SASL tokens may take to answer";
    Refused "sasl.login.refresh.buffer.seconds" = "300", between(0, 3600), "KIP-255",
        "how long before its end a SASL token is refreshed at the latest";
    Refused "sasl.login.refresh.min.period.seconds" = "60", between(0, 900), "KIP-255",
        "the shortest time between two refreshes of a SASL token";
    Refused "sasl.login.refresh.window.factor" = "0.8", Decimal, "KIP-255",
        "the part of a SASL token's life after which it is refreshed";
    Refused "sasl.login.refresh.window.jitter" = "0.05", Decimal, "KIP-255",
        "how much chance shifts that part";
    Refused "sasl.login.retry.backoff.max.ms" = "10000", millis_long(), "KIP-768",
        "the longest wait before the provider of SASL tokens is asked again";
    Refused "sasl.login.retry.backoff.ms" = "100", millis_long(), "KIP-768",
        "the first wait before the provider of SASL tokens is asked again";
    Refused "sasl.kerberos.kinit.cmd" = "/usr/bin/kinit", Text, "SaslConfigs",
        "the command that gets a Kerberos ticket for SASL/GSSAPI";
    Refused "sasl.kerberos.min.time.before.relogin" = "60000", millis_long(), "SaslConfigs",
        "the shortest time between two Kerberos logins";
    Refused "sasl.kerberos.service.name" = "null", Text, "SaslConfigs",
        "the Kerberos name that brokers run under";
    Refused "sasl.kerberos.ticket.renew.jitter" = "0.05", Decimal, "SaslConfigs",
        "how much chance shifts the renewal of a Kerberos ticket";
    Refused "sasl.kerberos.ticket.renew.window.factor" = "0.8", Decimal, "SaslConfigs",
        "the part of a Kerberos ticket's life after which it is renewed";
    Refused "sasl.oauthbearer.assertion.algorithm" = "RS256", Word(&["ES256", "RS256"]),
        "KIP-1139",
        "how the assertion of SASL/OAUTHBEARER is signed";
    Refused "sasl.oauthbearer.assertion.claim.aud" = "null", Text, "KIP-1139",
        "the assertion's claim aud, its audience";
    Refused "sasl.oauthbearer.assertion.claim.exp.seconds" = "300", between(0, 86_400),
        "KIP-1139",
        "how long the assertion is valid";
    Refused "sasl.oauthbearer.assertion.claim.iss" = "null", Text, "KIP-1139",
        "the assertion's claim iss, its issuer";
    Refused "sasl.oauthbearer.assertion.claim.jti.include" = "false", Flag, "KIP-1139",
        "whether the assertion has the claim jti, a name of its own";
    Refused "sasl.oauthbearer.assertion.claim.nbf.seconds" = "60", between(0, 3600), "KIP-1139",
        "how long before its making the assertion is valid";
    Refused "sasl.oauthbearer.assertion.claim.sub" = "null", Text, "KIP-1139",
        "the assertion's claim sub, its subject";
    Refused "sasl.oauthbearer.assertion.file" = "null", Text, "KIP-1139",
        "the file of an assertion made elsewhere";
    Refused "sasl.oauthbearer.assertion.private.key.file" = "null", Text, "KIP-1139",
        "the file of the key that signs the assertion";
    Refused "sasl.oauthbearer.assertion.private.key.passphrase" = "null", Password, "KIP-1139",
        "the password of that key";
    Refused "sasl.oauthbearer.assertion.template.file" = "null", Text, "KIP-1139",
        "the file of the assertion's fixed part";
    Refused "sasl.oauthbearer.client.credentials.client.id" = "null", Text, "KIP-1139",
        "this client's name at the provider of OAuth tokens";
    Refused "sasl.oauthbearer.client.credentials.client.secret" = "null", Password, "KIP-1139",
        "this client's secret at the provider of OAuth tokens";
    Refused "sasl.oauthbearer.clock.skew.seconds" = "30", int(0), "KIP-768",
        "how far the clocks of client and provider of OAuth tokens may differ";
    Refused "sasl.oauthbearer.expected.audience" = "", List, "KIP-768",
        "the audiences that an OAuth token may be for";
    Refused "sasl.oauthbearer.expected.issuer" = "null", Text, "KIP-768",
        "who must have issued an OAuth token";
    Refused "sasl.oauthbearer.header.urlencode" = "false", Flag, "SaslConfigs",
        "whether the credentials are URL-encoded on their way to the provider of OAuth tokens";
    Refused "sasl.oauthbearer.jwks.endpoint.refresh.ms" = "3600000", millis_long(), "KIP-768",
        "how often the keys that prove OAuth tokens are fetched again";
    Refused "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms" = "10000", millis_long(),
        "KIP-768",
        "the longest wait before those keys are asked for again";
    Refused "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms" = "100", millis_long(), "KIP-768",
        "the first wait before those keys are asked for again";
    Refused "sasl.oauthbearer.jwks.endpoint.url" = "null", Text, "KIP-768",
        "where those keys are";
    Refused "sasl.oauthbearer.jwt.retriever.class" =
        "org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever", Class, "KIP-1139",
        "the class that fetches OAuth tokens";
    Refused "sasl.oauthbearer.jwt.validator.class" =
        "org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator", Class, "KIP-1139",
        "the class that checks OAuth tokens";
    Refused "sasl.oauthbearer.scope" = "null", Text, "KIP-1139",
        "what an OAuth token is asked for";
    Refused "sasl.oauthbearer.scope.claim.name" = "scope", Text, "KIP-768",
        "the claim of an OAuth token that holds its scope";
    Refused "sasl.oauthbearer.sub.claim.name" = "sub", Text, "KIP-768",
        "the claim of an OAuth token that holds its subject";
    Refused "sasl.oauthbearer.token.endpoint.url" = "null", Text, "KIP-768",
        "where OAuth tokens are";
};

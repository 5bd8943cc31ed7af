//! Settings of TLS: known by name, refused until they are built.
//!
//! A producer that ignored one of them would talk in the clear where its owner asked for
//! secrecy, so every value but the default is an error.

use super::Kind::{Class, List, Password, Text, Word};
use super::{Setting, Support};

/// Kafka's `SslConfigs`, and which protocol connections speak.
pub(super) const SETTINGS: &[Setting] = settings! {
    Refused "security.protocol" = "PLAINTEXT",
        Word(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]), "CommonClientConfigs",
        "whether connections are encrypted by TLS and authenticated by SASL";
    Refused "ssl.cipher.suites" = "", List, "SslConfigs",
        "the cipher suites that TLS may use";
    Refused "ssl.enabled.protocols" = "TLSv1.2,TLSv1.3", List, "SslConfigs",
        "the versions of TLS that may be spoken";
    Refused "ssl.endpoint.identification.algorithm" = "https", Text, "KIP-294",
        "how TLS checks that a broker has the name it was called by";
    Refused "ssl.engine.factory.class" = "null", Class, "KIP-519",
        "the class that makes TLS engines";
    Refused "ssl.key.password" = "null", Password, "SslConfigs",
        "the password of the private key of TLS";
    Refused "ssl.keymanager.algorithm" = "SunX509", Text, "SslConfigs",
        "the algorithm of Java's key manager for TLS";
    Refused "ssl.keystore.certificate.chain" = "null", Password, "KIP-651",
        "this client's certificates for TLS, as PEM text";
    Refused "ssl.keystore.key" = "null", Password, "KIP-651",
        "this client's private key for TLS, as PEM text";
    Refused "ssl.keystore.location" = "null", Text, "SslConfigs",
        "the file of this client's key and certificates for TLS";
    Refused "ssl.keystore.password" = "null", Password, "SslConfigs",
        "the password of that file";
    Refused "ssl.keystore.type" = "JKS", Text, "SslConfigs",
        "the format of that file";
    Refused "ssl.protocol" = "TLSv1.3", Text, "SslConfigs",
        "the version of TLS that is preferred";
    Refused "ssl.provider" = "null", Text, "SslConfigs",
        "the Java provider of TLS";
    Refused "ssl.secure.random.implementation" = "null", Text, "SslConfigs",
        "the random number generator of TLS";
    Refused "ssl.trustmanager.algorithm" = "PKIX", Text, "SslConfigs",
        "the algorithm of Java's trust manager for TLS";
    Refused "ssl.truststore.certificates" = "null", Password, "KIP-651",
        "the certificates that TLS trusts, as PEM text";
    Refused "ssl.truststore.location" = "null", Text, "SslConfigs",
        "the file of certificates that TLS trusts";
    Refused "ssl.truststore.password" = "null", Password, "SslConfigs",
        "the password of that file";
    Refused "ssl.truststore.type" = "JKS", Text, "SslConfigs",
        "the format of that file";
};

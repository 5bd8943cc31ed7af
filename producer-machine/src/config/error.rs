//! Why a configuration was refused: what was expected, what came, what to do.

use alloc::format;
use alloc::string::String;
use core::time::Duration;

/// A configuration that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// An entry of `bootstrap.servers` is no address.
    #[error("bootstrap.servers has the entry {entry:?}: {problem}; write host:port or [ipv6]:port")]
    BootstrapServer {
        /// The entry.
        entry: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The codec's feature was not compiled in.
    #[error("compression.type is {codec}, which was not compiled in: enable the feature {codec}")]
    CodecMissing {
        /// The codec.
        codec: &'static str,
    },
    /// `delivery.timeout.ms` leaves no time for one try.
    #[error(
        "delivery.timeout.ms is {}: expected at least {} = {}; raise it, or lower one of them",
        delivery.as_millis(), terms(*grace), spans(*linger, *request, *grace)
    )]
    DeliveryTimeout {
        /// `delivery.timeout.ms`.
        delivery: Duration,
        /// `linger.ms`.
        linger: Duration,
        /// `request.timeout.ms`.
        request: Duration,
        /// `request.timeout.grace.ms`.
        grace: Duration,
    },
    /// The name is librdkafka's.
    #[error("{name} is librdkafka's name: {advice}")]
    Foreign {
        /// The name as it came.
        name: &'static str,
        /// What to write instead.
        advice: &'static str,
    },
    /// Idempotence does not go with another setting.
    #[error(
        "{setting} is {value}, but idempotence needs {expected}: change it, or set \
         enable.idempotence to false"
    )]
    Idempotence {
        /// The other setting.
        setting: &'static str,
        /// Its value.
        value: String,
        /// What it would have to be.
        expected: &'static str,
    },
    /// A value is not what its setting takes.
    #[error("{setting} is {value:?}: expected {expected}{}", default_of(default))]
    Invalid {
        /// The setting.
        setting: &'static str,
        /// The value as it came.
        value: String,
        /// What the setting takes.
        expected: String,
        /// The setting's default, as Java prints it.
        default: &'static str,
    },
    /// A setting that has no default was not set.
    #[error("{setting} is not set: {advice}")]
    Missing {
        /// The setting.
        setting: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// The name means nothing.
    #[error("unknown setting {name}{}", nearest_of(nearest))]
    Unknown {
        /// The name as it came.
        name: String,
        /// The known name that looks most like it, if one does.
        nearest: Option<&'static str>,
    },
    /// The setting is known, and promises something that is not built. Values are never
    /// repeated here: they may be secrets.
    #[error(
        "{setting} is not supported yet ({about}): expected {}; remove the setting",
        only(default)
    )]
    Unsupported {
        /// The setting.
        setting: &'static str,
        /// The only value that works.
        default: &'static str,
        /// What the setting is for.
        about: &'static str,
    },
}

/// What would have been taken, and that something else came.
fn only(default: &&str) -> String {
    match *default {
        "" | "null" => String::from("no value, which is the default, and one came"),
        default => alloc::format!("the default, {default}, and another value came"),
    }
}

fn default_of(default: &&str) -> String {
    match *default {
        "null" => String::new(),
        default => alloc::format!("; correct it, or leave it out for the default {default:?}"),
    }
}

fn nearest_of(nearest: &Option<&'static str>) -> String {
    nearest.map_or_else(
        || String::from("; names are those of Kafka's producer, such as linger.ms"),
        |name| alloc::format!("; did you mean {name}?"),
    )
}

/// What one try needs: who set no grace reads nothing of it.
pub(super) const fn terms(grace: Duration) -> &'static str {
    if grace.is_zero() {
        "linger.ms + request.timeout.ms"
    } else {
        "linger.ms + request.timeout.ms + request.timeout.grace.ms"
    }
}

/// The values of these settings.
fn spans(linger: Duration, request: Duration, grace: Duration) -> String {
    let (linger, request) = (linger.as_millis(), request.as_millis());
    if grace.is_zero() {
        format!("{linger} + {request}")
    } else {
        format!("{linger} + {request} + {}", grace.as_millis())
    }
}

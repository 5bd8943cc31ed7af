//! From settings to a `Config`: what must hold between them.
//!
//! C1 to C10 are the rules of Java's `ProducerConfig.postProcessParsedConfig`. C5 and C6 are
//! about transactions, which are refused by name.
//! Where Java changes a setting in silence, a warning says so here.

mod losses;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use kafka_producer_proto::compression::Codec;

use super::builder::ConfigBuilder;
use super::error::{ConfigError, terms};
use super::table::{Support, find};
use super::value::Value;
use super::{Acks, Config, Guarantee, MetadataRecovery, names, servers};
use crate::partitioner::PartitionRule;

/// The configuration that these settings make.
pub(super) fn build(settings: &ConfigBuilder) -> Result<Config, ConfigError> {
    let mut warnings = ignored(settings);
    let (retry_backoff, retry_backoff_max) = pair(
        settings,
        "retry.backoff.ms",
        "retry.backoff.max.ms",
        &mut warnings,
    )?;
    let (reconnect_backoff, reconnect_backoff_max) = reconnect_backoff(settings, &mut warnings)?;
    let (setup_timeout, setup_timeout_max) = pair(
        settings,
        "socket.connection.setup.timeout.ms",
        "socket.connection.setup.timeout.max.ms",
        &mut warnings,
    )?;
    let linger = linger(settings, &mut warnings)?;
    let guarantee = guarantee(settings, &mut warnings)?;
    let compression = codec(settings)?;
    rack(settings)?;
    let (partition_rule, ignore_keys) = partition_rule(settings)?;
    let adaptive = settings.flag("partitioner.adaptive.partitioning.enable")?;
    let availability = availability_timeout(settings, adaptive, &mut warnings)?;

    Ok(Config {
        // Java treats 0 as 1: no record ever fits into a batch that has one.
        batch_size: settings.size("batch.size")?.max(1),
        bootstrap_resolve_timeout: unless_zero(settings, "bootstrap.resolve.timeout.ms")?,
        bootstrap_servers: servers::parse(&settings.list("bootstrap.servers")?, &mut warnings)?,
        buffer_memory: settings.size("buffer.memory")?,
        client_id: client_id(settings)?.into(),
        client_rack: settings.text("client.rack")?.into(),
        compression,
        compression_level: level(settings, compression, &mut warnings)?,
        compression_threads: threads(settings)?,
        connections_max_idle: settings.span("connections.max.idle.ms")?,
        connections_per_broker: connections_per_broker(settings)?,
        data_loss: losses::data_loss(settings, guarantee)?,
        delivery_timeout: delivery_timeout(settings, linger, &mut warnings)?,
        failed_batch: losses::failed_batch(settings, guarantee)?,
        guarantee,
        linger,
        max_block: settings.span("max.block.ms")?,
        max_in_flight: settings.size("max.in.flight.requests.per.connection")?,
        max_request_size: settings.size("max.request.size")?,
        metadata_cluster_check: settings.flag("metadata.cluster.check.enable")?,
        metadata_max_age: settings.span("metadata.max.age.ms")?,
        metadata_max_idle: settings.span("metadata.max.idle.ms")?,
        metadata_recovery: metadata_recovery(settings)?,
        custom_partitioner: settings.custom_partitioner.clone(),
        partition_rule,
        partitioner_adaptive: adaptive,
        partitioner_availability_timeout: availability,
        partitioner_ignore_keys: ignore_keys,
        partitioner_rack_aware: settings.flag("partitioner.rack.aware")?,
        receive_buffer_bytes: usize::try_from(settings.number("receive.buffer.bytes")?).ok(),
        reconnect_backoff,
        reconnect_backoff_max,
        request_timeout: settings.span("request.timeout.ms")?,
        request_timeout_grace: settings.span("request.timeout.grace.ms")?,
        retries: u32::try_from(settings.number("retries")?).unwrap_or(u32::MAX),
        retry_backoff,
        retry_backoff_max,
        send_buffer_bytes: usize::try_from(settings.number("send.buffer.bytes")?).ok(),
        setup_timeout,
        setup_timeout_max,
        unknown_fate: losses::unknown_fate(settings, guarantee, &mut warnings)?,
        warnings,
    })
}

/// A warning for each setting that is accepted and does nothing.
fn ignored(settings: &ConfigBuilder) -> Vec<String> {
    let warning = |setting: &super::Setting| {
        let extent = match setting.support() {
            Support::JvmOnly => "outside of a JVM",
            Support::Needless => "here",
            Support::Ignored | Support::Refused | Support::Supported => "yet",
        };
        format!(
            "{} has no effect {extent} ({})",
            setting.name(),
            setting.about()
        )
    };
    settings.ignored().map(warning).collect()
}

/// C9: longer than `i32` milliseconds is as good as for ever.
fn linger(settings: &ConfigBuilder, warnings: &mut Vec<String>) -> Result<Duration, ConfigError> {
    let linger = settings.span("linger.ms")?;
    if LONGEST < linger {
        warnings.push(format!(
            "linger.ms is lowered to {}, its limit",
            LONGEST.as_millis()
        ));
    }
    Ok(linger.min(LONGEST))
}

/// C1: a record must have time to linger and to be asked once, to the end of the wait.
fn delivery_timeout(
    settings: &ConfigBuilder,
    linger: Duration,
    warnings: &mut Vec<String>,
) -> Result<Duration, ConfigError> {
    let delivery = settings.span("delivery.timeout.ms")?;
    let request = settings.span("request.timeout.ms")?;
    let grace = settings.span("request.timeout.grace.ms")?;
    let least = (linger.saturating_add(request).saturating_add(grace)).min(LONGEST);
    if least <= delivery {
        return Ok(delivery);
    }
    if settings.is_explicit("delivery.timeout.ms") {
        return Err(ConfigError::DeliveryTimeout {
            delivery,
            linger,
            request,
            grace,
        });
    }
    warnings.push(format!(
        "delivery.timeout.ms is raised from {} to {}: {}",
        delivery.as_millis(),
        least.as_millis(),
        terms(grace)
    ));
    Ok(least)
}

/// C2, C3, C4: idempotence needs retries, every replica, and five in flight at most.
///
/// If idempotence is only the default, C2 and C3 switch it off and C4 is an error all the same
/// (KAFKA-17927).
fn guarantee(
    settings: &ConfigBuilder,
    warnings: &mut Vec<String>,
) -> Result<Guarantee, ConfigError> {
    let acks = settings.text("acks")?;
    let without = match &*acks {
        "0" => Guarantee::AtMostOnce,
        "1" => Guarantee::AtLeastOnce(Acks::Leader),
        _ => Guarantee::AtLeastOnce(Acks::All),
    };
    if !settings.flag("enable.idempotence")? {
        return Ok(without);
    }

    let retries = settings.number("retries")?;
    let unmet = if retries == 0 {
        Some(("retries", retries.to_string(), "at least 1"))
    } else if without != Guarantee::AtLeastOnce(Acks::All) {
        Some(("acks", acks, "all"))
    } else {
        None
    };
    let explicit = settings.is_explicit("enable.idempotence");
    if let (true, Some((setting, value, expected))) = (explicit, &unmet) {
        return Err(ConfigError::Idempotence {
            setting,
            value: value.clone(),
            expected,
        });
    }

    let setting = "max.in.flight.requests.per.connection";
    let in_flight = settings.number(setting)?;
    if MOST_IN_FLIGHT < in_flight {
        let value = in_flight.to_string();
        return Err(ConfigError::Idempotence {
            setting,
            value,
            expected: "at most 5",
        });
    }

    let Some((setting, value, expected)) = unmet else {
        return Ok(Guarantee::Idempotent);
    };
    let price = match (setting, &*value) {
        ("retries", _) => "what fails once is lost",
        ("acks", "0") => "nobody tells of what is lost",
        (_, _) => "retries may write a record twice",
    };
    warnings.push(format!(
        "enable.idempotence is switched off: {setting} is {value}, it needs {expected}; {price}"
    ));
    Ok(without)
}

/// C8: a first value above its maximum is the maximum.
fn pair(
    settings: &ConfigBuilder,
    first_name: &str,
    longest_name: &str,
    warnings: &mut Vec<String>,
) -> Result<(Duration, Duration), ConfigError> {
    let first = settings.span(first_name)?;
    let longest = settings.span(longest_name)?;
    if longest < first {
        warnings.push(format!(
            "{first_name} is {}, above {longest_name}: both count as {}",
            first.as_millis(),
            longest.as_millis()
        ));
    }
    Ok((first.min(longest), longest))
}

fn metadata_recovery(settings: &ConfigBuilder) -> Result<MetadataRecovery, ConfigError> {
    Ok(match &*settings.text("metadata.recovery.strategy")? {
        "none" => MetadataRecovery::None,
        _ => MetadataRecovery::Rebootstrap {
            trigger: settings.span("metadata.recovery.rebootstrap.trigger.ms")?,
        },
    })
}

/// As Java: if only the first is set, the wait does not grow.
fn reconnect_backoff(
    settings: &ConfigBuilder,
    warnings: &mut Vec<String>,
) -> Result<(Duration, Duration), ConfigError> {
    let (first, longest) = ("reconnect.backoff.ms", "reconnect.backoff.max.ms");
    if settings.is_explicit(longest) || !settings.is_explicit(first) {
        return pair(settings, first, longest, warnings);
    }
    let wait = settings.span(first)?;
    warnings.push(format!(
        "{first} is set and {longest} is not: the wait between connects does not grow"
    ));
    Ok((wait, wait))
}

/// C7: without a place of its own, a client has no rack to prefer.
fn rack(settings: &ConfigBuilder) -> Result<(), ConfigError> {
    if settings.flag("partitioner.rack.aware")? && settings.text("client.rack")?.is_empty() {
        return Err(ConfigError::Missing {
            setting: "client.rack",
            advice: "say where this client stands, or set partitioner.rack.aware to false",
        });
    }
    Ok(())
}

/// The rule that chooses partitions, by our name or by that of one of Java's classes, and whether
/// it ignores keys.
fn partition_rule(settings: &ConfigBuilder) -> Result<(PartitionRule, bool), ConfigError> {
    let ignore_keys = settings.flag("partitioner.ignore.keys")?;
    let word = settings.text("partitioner")?;
    // The table allows no word that is not a rule.
    let named = PartitionRule::from_name(&word).unwrap_or_default();
    if !settings.is_explicit("partitioner.class") {
        return Ok((named, ignore_keys));
    }
    let class = settings.text("partitioner.class")?;
    let (of_class, ignores) = match class.strip_prefix("org.apache.kafka.clients.producer.") {
        Some("internals.DefaultPartitioner") => (PartitionRule::BuiltIn, ignore_keys),
        Some("RoundRobinPartitioner") => (PartitionRule::RoundRobin, ignore_keys),
        Some("UniformStickyPartitioner") => (PartitionRule::BuiltIn, true),
        None if class.is_empty() => (PartitionRule::BuiltIn, ignore_keys),
        None | Some(_) => return Err(unknown_class(class)),
    };
    if settings.is_explicit("partitioner") && of_class != named {
        return Err(ConfigError::Invalid {
            setting: "partitioner.class",
            value: class,
            expected: format!("to agree with partitioner, which is {word}: set one of them"),
            default: "null",
        });
    }
    Ok((of_class, ignores))
}

/// A class of the user's own cannot be run; if it were ignored, keys would go elsewhere.
fn unknown_class(class: String) -> ConfigError {
    ConfigError::Invalid {
        setting: "partitioner.class",
        value: class,
        expected: "Kafka's DefaultPartitioner, RoundRobinPartitioner or UniformStickyPartitioner; \
                   for another one set partitioner, or give the builder a custom_partitioner"
            .to_string(),
        default: "null",
    }
}

/// As in Java, only adaptive partitioning leaves brokers out.
fn availability_timeout(
    settings: &ConfigBuilder,
    adaptive: bool,
    warnings: &mut Vec<String>,
) -> Result<Option<Duration>, ConfigError> {
    let name = "partitioner.availability.timeout.ms";
    let timeout = unless_zero(settings, name)?;
    if timeout.is_some() && !adaptive {
        warnings.push(format!(
            "{name} has no effect without partitioner.adaptive.partitioning.enable"
        ));
    }
    Ok(timeout)
}

/// A span of which zero means that there is no limit.
fn unless_zero(settings: &ConfigBuilder, name: &str) -> Result<Option<Duration>, ConfigError> {
    Ok(Some(settings.span(name)?).filter(|span| !span.is_zero()))
}

fn connections_per_broker(settings: &ConfigBuilder) -> Result<u32, ConfigError> {
    Ok(u32::try_from(settings.number("connections.per.broker")?).unwrap_or(1))
}

fn codec(settings: &ConfigBuilder) -> Result<Codec, ConfigError> {
    // The table allows no word that is not a codec.
    let codec = Codec::from_name(&settings.text("compression.type")?).unwrap_or(Codec::None);
    if codec.is_available() {
        Ok(codec)
    } else {
        Err(ConfigError::CodecMissing {
            codec: codec.name(),
        })
    }
}

fn level(
    settings: &ConfigBuilder,
    codec: Codec,
    warnings: &mut Vec<String>,
) -> Result<i32, ConfigError> {
    // All three are checked, as Java does, and one is used.
    let gzip = settings.number("compression.gzip.level")?;
    let lz4 = settings.number("compression.lz4.level")?;
    let zstd = settings.number("compression.zstd.level")?;
    if codec == Codec::Lz4 && settings.is_explicit("compression.lz4.level") {
        warnings.push("compression.lz4.level has no effect: lz4 has one level here".to_string());
    }
    let level = match codec {
        Codec::Gzip => gzip,
        Codec::Lz4 => lz4,
        Codec::Zstd => zstd,
        _ => 0,
    };
    Ok(i32::try_from(level).unwrap_or(0))
}

fn threads(settings: &ConfigBuilder) -> Result<Option<usize>, ConfigError> {
    if settings.is_explicit("compression.threads") {
        settings.size("compression.threads").map(Some)
    } else {
        Ok(None)
    }
}

/// Empty if it was not set.
fn client_id(settings: &ConfigBuilder) -> Result<String, ConfigError> {
    let id = settings.text("client.id")?;
    if LONGEST_STRING < id.len() {
        return Err(ConfigError::Invalid {
            setting: "client.id",
            value: id.chars().take(20).chain("…".chars()).collect(),
            expected: format!("at most {LONGEST_STRING} bytes"),
            default: "",
        });
    }
    Ok(id)
}

impl ConfigBuilder {
    fn flag(&self, name: &str) -> Result<bool, ConfigError> {
        match self.value(name)? {
            Value::Flag(flag) => Ok(flag),
            other => Err(mismatch(name, &other)),
        }
    }

    fn list(&self, name: &str) -> Result<Vec<String>, ConfigError> {
        if !self.is_explicit(name) {
            return Ok(Vec::new());
        }
        match self.value(name)? {
            Value::List(entries) => Ok(entries),
            other => Err(mismatch(name, &other)),
        }
    }

    fn number(&self, name: &str) -> Result<i64, ConfigError> {
        match self.value(name)? {
            Value::Number(number) => Ok(number),
            other => Err(mismatch(name, &other)),
        }
    }

    fn size(&self, name: &str) -> Result<usize, ConfigError> {
        // Beyond the machine's own limit there is no difference any more.
        Ok(usize::try_from(self.number(name)?).unwrap_or(usize::MAX))
    }

    fn span(&self, name: &str) -> Result<Duration, ConfigError> {
        match self.value(name)? {
            Value::Span(span) => Ok(span),
            other => Err(mismatch(name, &other)),
        }
    }

    fn text(&self, name: &str) -> Result<String, ConfigError> {
        match self.value(name)? {
            Value::Text(text) => Ok(text),
            other => Err(mismatch(name, &other)),
        }
    }
}

/// A setter or a default whose type is not its setting's: a test keeps this from happening.
fn mismatch(name: &str, value: &Value) -> ConfigError {
    match find(name) {
        Some(setting) => super::value::invalid(setting, &value.to_text()),
        None => names::unknown(name),
    }
}

/// The longest span that fits the `i32` milliseconds of the protocol.
const LONGEST: Duration = Duration::from_millis(i32::MAX as u64);
/// The longest string that fits the `i16` length of the protocol.
const LONGEST_STRING: usize = i16::MAX as usize;
/// A broker remembers the last five batches of a producer.
const MOST_IN_FLIGHT: i64 = 5;

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;

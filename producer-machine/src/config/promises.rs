//! What a configuration promises of each record: the guarantee, and what follows where it cannot be
//! kept.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::builder::ConfigBuilder;
use super::error::ConfigError;
use super::{Acks, DataLoss, FailedBatch, Guarantee, UnknownFate};

/// C2, C3, C4: idempotence needs retries, every replica, and five in flight at most.
///
/// If idempotence is only the default, C2 and C3 switch it off and C4 is an error all the same
/// (KAFKA-17927).
pub(super) fn guarantee(
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

/// Only sequences tell a broker, and so the producer, that records are missing.
pub(super) fn data_loss(
    settings: &ConfigBuilder,
    guarantee: Guarantee,
) -> Result<DataLoss, ConfigError> {
    let value = settings.text("data.loss")?;
    if value != "stop" {
        return Ok(DataLoss::Report);
    }
    if guarantee != Guarantee::Idempotent {
        return Err(ConfigError::Invalid {
            setting: "data.loss",
            value,
            expected: "report, unless the producer is idempotent".to_string(),
            default: "report",
        });
    }
    Ok(DataLoss::Stop)
}

/// Without sequences a broker takes a later batch that is in flight, whatever became of the
/// earlier one.
pub(super) fn failed_batch(
    settings: &ConfigBuilder,
    guarantee: Guarantee,
) -> Result<FailedBatch, ConfigError> {
    let value = settings.text("failed.batch")?;
    if value != "fail_later" {
        return Ok(FailedBatch::Report);
    }
    let in_flight = settings.number("max.in.flight.requests.per.connection")?;
    if guarantee != Guarantee::Idempotent && in_flight != 1 {
        return Err(ConfigError::Invalid {
            setting: "failed.batch",
            value,
            expected: "report, unless the producer is idempotent or \
                       max.in.flight.requests.per.connection is 1"
                .to_string(),
            default: "report",
        });
    }
    Ok(FailedBatch::FailLater)
}

/// Without sequences what may have been written is written again in any case: to ask for it
/// promises nothing that is not kept.
pub(super) fn unknown_fate(
    settings: &ConfigBuilder,
    guarantee: Guarantee,
    warnings: &mut Vec<String>,
) -> Result<UnknownFate, ConfigError> {
    if settings.text("unknown.fate")? != "rewrite" {
        return Ok(UnknownFate::Report);
    }
    if guarantee != Guarantee::Idempotent {
        warnings.push("unknown.fate has no effect without idempotence".to_string());
    }
    Ok(UnknownFate::Rewrite)
}

/// A broker remembers the last five batches of a producer.
const MOST_IN_FLIGHT: i64 = 5;

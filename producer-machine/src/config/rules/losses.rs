//! What becomes of records that failed, are in doubt, or were lost: what only idempotence can keep
//! is not promised without it.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::config::builder::ConfigBuilder;
use crate::config::error::ConfigError;
use crate::config::{DataLoss, FailedBatch, Guarantee, UnknownFate};

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
        return Err(report_unless(
            "the producer is idempotent",
            "data.loss",
            value,
        ));
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
        let needed = "the producer is idempotent or max.in.flight.requests.per.connection is 1";
        return Err(report_unless(needed, "failed.batch", value));
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

/// What promises more than to report must be able to keep it.
fn report_unless(needed: &str, setting: &'static str, value: String) -> ConfigError {
    let (expected, default) = (format!("report, unless {needed}"), "report");
    ConfigError::Invalid {
        setting,
        value,
        expected,
        default,
    }
}

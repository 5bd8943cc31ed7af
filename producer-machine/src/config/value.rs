//! One value of one setting, read as its kind demands.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use super::error::ConfigError;
use super::table::{Kind, Setting};

/// A value whose type and range are right for its setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Flag(bool),
    List(Vec<String>),
    Number(i64),
    Span(Duration),
    Text(String),
}

impl Value {
    /// Reads a value as a properties file holds it. Java trims it first, and so do we.
    pub(crate) fn parse(setting: &Setting, text: &str) -> Result<Self, ConfigError> {
        let text = text.trim();
        let invalid = || invalid(setting, text);
        match setting.kind() {
            Kind::Flag if text.eq_ignore_ascii_case("true") => Ok(Self::Flag(true)),
            Kind::Flag if text.eq_ignore_ascii_case("false") => Ok(Self::Flag(false)),
            Kind::Flag => Err(invalid()),
            Kind::List if text.is_empty() => Ok(Self::List(Vec::new())),
            Kind::List => Ok(Self::List(
                text.split(',')
                    .map(|entry| entry.trim().to_string())
                    .collect(),
            )),
            Kind::MillisOrNever if text == "-1" => Ok(Self::Span(Duration::MAX)),
            Kind::Millis { .. } | Kind::MillisOrNever => {
                // A negative number has no span; `check` cannot see it any more.
                let millis: i64 = text.parse().map_err(|_| invalid())?;
                let millis = u64::try_from(millis).map_err(|_| invalid())?;
                Self::Span(Duration::from_millis(millis)).check(setting)
            }
            Kind::NonEmpty if text.is_empty() => Err(invalid()),
            Kind::Decimal if !text.parse().is_ok_and(f64::is_finite) => Err(invalid()),
            Kind::Class | Kind::Decimal | Kind::NonEmpty | Kind::Password | Kind::Text => {
                Ok(Self::Text(text.to_string()))
            }
            Kind::Number { .. } | Kind::NumberOr { .. } => {
                Self::Number(text.parse().map_err(|_| invalid())?).check(setting)
            }
            Kind::Word(words) => words
                .iter()
                .find(|word| word.eq_ignore_ascii_case(text))
                .map(|word| Self::Text(word.to_string()))
                .ok_or_else(invalid),
        }
    }

    /// The same value, if it is within its setting's range.
    pub(crate) fn check(self, setting: &Setting) -> Result<Self, ConfigError> {
        let fits = match (&self, setting.kind()) {
            (Self::Number(number), Kind::Number { min, max }) => (min..=max).contains(number),
            (Self::Number(number), Kind::NumberOr { or, min, max }) => {
                *number == or || (min..=max).contains(number)
            }
            (Self::Span(span), Kind::Millis { min, max }) => {
                (millis(min)..=millis(max)).contains(span)
            }
            _ => true,
        };
        if fits {
            Ok(self)
        } else {
            Err(invalid(setting, &self.to_text()))
        }
    }

    /// The value as a properties file would hold it.
    pub(crate) fn to_text(&self) -> String {
        match self {
            Self::Flag(flag) => flag.to_string(),
            Self::List(entries) => entries.join(","),
            Self::Number(number) => number.to_string(),
            Self::Span(Duration::MAX) => "-1".to_string(),
            Self::Span(span) => span.as_millis().to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

/// What values the setting takes, for a reader.
pub(crate) fn expected(kind: Kind) -> String {
    match kind {
        Kind::Class => "the name of a Java class".to_string(),
        Kind::Decimal => "a number such as 0.5".to_string(),
        Kind::Flag => "true or false".to_string(),
        Kind::List => "entries between commas".to_string(),
        Kind::Millis { min, max } => format!("milliseconds, a whole number {}", range(min, max)),
        Kind::MillisOrNever => {
            format!("-1, or milliseconds, a whole number {}", range(0, i64::MAX))
        }
        Kind::NonEmpty => "at least one character".to_string(),
        Kind::Number { min, max } => format!("a whole number {}", range(min, max)),
        Kind::NumberOr { or, min, max } => format!("{or}, or a whole number {}", range(min, max)),
        Kind::Password | Kind::Text => "text".to_string(),
        Kind::Word(words) => match words.split_last() {
            Some((last, [])) => last.to_string(),
            Some((last, others)) => format!("{} or {last}", others.join(", ")),
            None => "nothing".to_string(),
        },
    }
}

fn range(min: i64, max: i64) -> String {
    if max == i64::MAX {
        format!("not below {min}")
    } else {
        format!("from {min} to {max}")
    }
}

fn millis(count: i64) -> Duration {
    Duration::from_millis(u64::try_from(count).unwrap_or(0))
}

pub(crate) fn invalid(setting: &Setting, text: &str) -> ConfigError {
    ConfigError::Invalid {
        setting: setting.name(),
        value: text.to_string(),
        expected: expected(setting.kind()),
        default: setting.default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::table::find;

    fn parse(name: &str, text: &str) -> Option<Value> {
        Value::parse(find(name).unwrap(), text).ok()
    }

    #[test]
    fn values_are_trimmed_as_java_trims_them() {
        assert_eq!(parse("batch.size", " 7 "), Some(Value::Number(7)));
        assert_eq!(
            parse("enable.idempotence", "\tFALSE"),
            Some(Value::Flag(false))
        );
    }

    #[test]
    fn a_word_is_taken_in_any_case_and_kept_in_kafkas() {
        assert_eq!(
            parse("compression.type", "ZSTD"),
            Some(Value::Text("zstd".into()))
        );
        assert_eq!(parse("acks", "All"), Some(Value::Text("all".into())));
        assert_eq!(parse("acks", "2"), None);
    }

    #[test]
    fn numbers_end_at_their_limits() {
        assert_eq!(
            parse("batch.size", "2147483647"),
            Some(Value::Number(2_147_483_647))
        );
        assert_eq!(parse("batch.size", "2147483648"), None);
        assert_eq!(parse("batch.size", "-1"), None);
        assert_eq!(parse("batch.size", "1e3"), None);
        assert_eq!(parse("buffer.memory", "99999999999999999999"), None);
        assert_eq!(
            parse("compression.zstd.level", "-131072"),
            Some(Value::Number(-131_072))
        );
        assert_eq!(
            parse("compression.gzip.level", "-1"),
            Some(Value::Number(-1))
        );
        assert_eq!(parse("compression.gzip.level", "0"), None);
        assert_eq!(parse("send.buffer.bytes", "-1"), Some(Value::Number(-1)));
    }

    #[test]
    fn milliseconds_end_at_their_limits() {
        let span = |millis| Some(Value::Span(Duration::from_millis(millis)));
        assert_eq!(
            parse("request.timeout.ms", "2147483647"),
            span(2_147_483_647)
        );
        assert_eq!(parse("request.timeout.ms", "2147483648"), None);
        assert_eq!(parse("linger.ms", "2147483648"), span(2_147_483_648));
        assert_eq!(parse("linger.ms", "-1"), None);
        assert_eq!(parse("metadata.max.idle.ms", "4999"), None);
        assert_eq!(parse("metadata.max.idle.ms", "5000"), span(5000));
        let never = Some(Value::Span(Duration::MAX));
        assert_eq!(parse("connections.max.idle.ms", "-1"), never);
        assert_eq!(parse("connections.max.idle.ms", "-2"), None);
        assert_eq!(parse("connections.max.idle.ms", "0"), span(0));
    }

    #[test]
    fn a_list_keeps_its_empty_entries_for_whoever_checks_them() {
        assert_eq!(
            parse("bootstrap.servers", "a:1 , ,b:2"),
            Some(Value::List(["a:1", "", "b:2"].map(String::from).into()))
        );
        assert_eq!(
            parse("bootstrap.servers", " "),
            Some(Value::List(Vec::new()))
        );
    }
}

//! The one table of settings: name, default, valid values, and whether it does anything here.
//!
//! Everything reads it: the builder, the parser of properties, the messages of errors, the
//! search for the nearest name.
//! Names, defaults and limits are those of Kafka's `ProducerConfig`; a default is written as
//! Java prints it, and `null` means that there is none.

mod common;
mod producer;
mod security;

/// One setting of a producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    name: &'static str,
    default: &'static str,
    about: &'static str,
    kind: Kind,
    support: Support,
}

/// What a value must look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `true` or `false`.
    Flag,
    /// Entries between commas.
    List,
    /// A duration as a whole number of milliseconds.
    Millis { min: i64, max: i64 },
    /// Text of at least one character.
    NonEmpty,
    /// A whole number.
    Number { min: i64, max: i64 },
    /// A whole number, or this one outside of the range.
    NumberOr { or: i64, min: i64, max: i64 },
    /// Any text.
    Text,
    /// One of these words, in any case.
    Word(&'static [&'static str]),
}

/// What this producer makes of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Support {
    /// It does what Kafka's documentation says, or what ours says.
    Built,
    /// Only a JVM could make sense of it: accepted with a warning.
    Jvm,
    /// Not built, and harmless: any value but the default is accepted with a warning.
    NoEffect,
    /// Not built, and a promise that must not be broken in silence: any value but the default
    /// is refused.
    Refused,
}

impl Setting {
    /// The name, as in a properties file.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The default as Java prints it; `null` if there is none.
    pub const fn default(&self) -> &'static str {
        self.default
    }

    /// What it is for, in a few words.
    pub const fn about(&self) -> &'static str {
        self.about
    }

    /// Whether setting it has an effect in this version.
    pub const fn has_effect(&self) -> bool {
        matches!(self.support, Support::Built)
    }

    pub(crate) const fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) const fn support(&self) -> Support {
        self.support
    }
}

/// Every setting that is known, in the order of Kafka's documentation.
pub(crate) fn settings() -> impl Iterator<Item = &'static Setting> {
    producer::SETTINGS
        .iter()
        .chain(common::SETTINGS)
        .chain(security::SETTINGS)
}

/// The setting of this name.
pub(crate) fn find(name: &str) -> Option<&'static Setting> {
    settings().find(|setting| setting.name == name)
}

const I32_MAX: i64 = i32::MAX as i64;

const fn built(
    name: &'static str,
    default: &'static str,
    kind: Kind,
    about: &'static str,
) -> Setting {
    Setting {
        name,
        default,
        about,
        kind,
        support: Support::Built,
    }
}

const fn jvm(name: &'static str, default: &'static str, about: &'static str) -> Setting {
    Setting {
        name,
        default,
        about,
        kind: Kind::Text,
        support: Support::Jvm,
    }
}

const fn no_effect(
    name: &'static str,
    default: &'static str,
    kind: Kind,
    about: &'static str,
) -> Setting {
    Setting {
        name,
        default,
        about,
        kind,
        support: Support::NoEffect,
    }
}

const fn refused(
    name: &'static str,
    default: &'static str,
    kind: Kind,
    about: &'static str,
) -> Setting {
    Setting {
        name,
        default,
        about,
        kind,
        support: Support::Refused,
    }
}

/// A number that travels or is kept as `i32`, as Java's type INT.
const fn int(min: i64) -> Kind {
    Kind::Number { min, max: I32_MAX }
}

/// Milliseconds that travel or are kept as `i32`.
const fn millis_int() -> Kind {
    Kind::Millis {
        min: 0,
        max: I32_MAX,
    }
}

/// Milliseconds of Java's type LONG.
const fn millis_long() -> Kind {
    Kind::Millis {
        min: 0,
        max: i64::MAX,
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::config::value::Value;

    #[test]
    fn no_name_stands_twice() {
        let mut names: Vec<_> = settings().map(Setting::name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn every_default_is_a_valid_value() {
        for setting in settings().filter(|setting| setting.default != "null") {
            assert!(
                Value::parse(setting, setting.default).is_ok(),
                "{}",
                setting.name
            );
        }
    }

    #[test]
    fn every_setting_says_what_it_is_for() {
        for setting in settings() {
            assert!(!setting.about.is_empty(), "{}", setting.name);
            assert!(!setting.about.ends_with('.'), "{}", setting.name);
        }
    }
}

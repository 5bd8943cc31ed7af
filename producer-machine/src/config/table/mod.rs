//! The one table of settings: name, default, valid values, origin, and what it means here.
//!
//! Everything reads it: the builder, the parser of properties, the messages of errors, the
//! search for the nearest name, the page of the book, and `kafka-producer config`.
//! Names, defaults and limits are those of Kafka's `ProducerConfig`; a default is written as
//! Java prints it, and `null` means that there is none.

/// A table from one row for each setting:
/// `Support "name" = "default", kind, "origin", "what it is for";`
macro_rules! settings {
    ($(
        $support:ident $name:literal = $default:literal, $kind:expr, $origin:literal,
            $about:literal;
    )+) => {
        &[$( Setting {
            name: $name,
            default: $default,
            about: $about,
            origin: $origin,
            kind: $kind,
            support: Support::$support,
        } ),+]
    };
}

mod client;
mod ours;
mod producer;
mod sasl;
mod tls;

use alloc::string::String;

use super::value;

/// One setting of a producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    name: &'static str,
    default: &'static str,
    about: &'static str,
    origin: &'static str,
    kind: Kind,
    support: Support,
}

/// What a value must look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The name of a Java class.
    Class,
    /// A number with a point in it.
    Decimal,
    /// `true` or `false`.
    Flag,
    /// Entries between commas.
    List,
    /// A duration as a whole number of milliseconds.
    Millis { min: i64, max: i64 },
    /// The same of type LONG, or −1 for ever.
    MillisOrNever,
    /// Text of at least one character.
    NonEmpty,
    /// A whole number.
    Number { min: i64, max: i64 },
    /// A whole number, or this one outside of the range.
    NumberOr { or: i64, min: i64, max: i64 },
    /// Text that nobody may see.
    Password,
    /// Any text.
    Text,
    /// One of these words, in any case.
    Word(&'static [&'static str]),
}

/// What this producer makes of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// Not built, and harmless: any value but the default is accepted with a warning.
    Ignored,
    /// Only a JVM could make sense of it: any value but the default is accepted with a warning.
    JvmOnly,
    /// What it is about is done otherwise here: any value but the default is accepted with a
    /// warning.
    Needless,
    /// Not built, and a promise that must not be broken in silence: any value but the default
    /// is refused.
    Refused,
    /// It does what Kafka's documentation says, or what ours says.
    Supported,
}

impl Support {
    /// `ignored`, `jvm-only`, `needless`, `refused` or `supported`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ignored => "ignored",
            Self::JvmOnly => "jvm-only",
            Self::Needless => "needless",
            Self::Refused => "refused",
            Self::Supported => "supported",
        }
    }

    /// What that means, in one sentence.
    pub const fn explanation(self) -> &'static str {
        match self {
            Self::Ignored => "not yet: another value than the default is accepted with a warning",
            Self::JvmOnly => "only a JVM understands it: accepted with a warning",
            Self::Needless => "it is done otherwise here: accepted with a warning",
            Self::Refused => "not yet: another value than the default is an error",
            Self::Supported => "it has its effect",
        }
    }
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

    /// What it is for, in one sentence.
    pub const fn about(&self) -> &'static str {
        self.about
    }

    /// Where it comes from: a KIP, a class of Kafka's, or `ours`.
    pub const fn origin(&self) -> &'static str {
        self.origin
    }

    /// The type of its values, as Kafka's documentation calls it.
    pub const fn type_name(&self) -> &'static str {
        match self.kind {
            Kind::Class => "class",
            Kind::Decimal => "double",
            Kind::Flag => "boolean",
            Kind::List => "list",
            Kind::Millis { max, .. } | Kind::Number { max, .. } | Kind::NumberOr { max, .. } => {
                if max <= I32_MAX {
                    "int"
                } else {
                    "long"
                }
            }
            Kind::MillisOrNever => "long",
            Kind::Password => "password",
            Kind::NonEmpty | Kind::Text | Kind::Word(_) => "string",
        }
    }

    /// Which values it takes, such as `a whole number from 1 to 17`.
    pub fn values(&self) -> String {
        value::expected(self.kind)
    }

    /// What this producer makes of it.
    pub const fn support(&self) -> Support {
        self.support
    }

    /// The setting of this name, or the error that names the nearest one.
    pub fn named(name: &str) -> Result<&'static Self, super::ConfigError> {
        find(name).ok_or_else(|| super::names::unknown(name))
    }

    pub(crate) const fn kind(&self) -> Kind {
        self.kind
    }
}

/// Settings that stand together in the documentation.
pub(crate) struct Group {
    pub(crate) title: &'static str,
    pub(crate) settings: &'static [Setting],
}

/// Every setting that is known, in the order of Kafka's documentation.
pub(crate) const GROUPS: &[Group] = &[
    Group {
        title: "Settings of the producer",
        settings: producer::SETTINGS,
    },
    Group {
        title: "Settings of every client",
        settings: client::SETTINGS,
    },
    Group {
        title: "Settings that are ours",
        settings: ours::SETTINGS,
    },
    Group {
        title: "TLS",
        settings: tls::SETTINGS,
    },
    Group {
        title: "SASL",
        settings: sasl::SETTINGS,
    },
];

/// Every setting that is known, in the order of the groups.
pub(crate) fn settings() -> impl Iterator<Item = &'static Setting> {
    GROUPS.iter().flat_map(|group| group.settings)
}

/// The setting of this name.
pub(crate) fn find(name: &str) -> Option<&'static Setting> {
    settings().find(|setting| setting.name == name)
}

const I32_MAX: i64 = i32::MAX as i64;

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

/// A number from one limit to the other.
const fn between(min: i64, max: i64) -> Kind {
    Kind::Number { min, max }
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
    fn every_setting_says_what_it_is_for_and_where_it_comes_from() {
        for setting in settings() {
            assert!(!setting.about.is_empty(), "{}", setting.name);
            assert!(!setting.about.ends_with('.'), "{}", setting.name);
            let is_kip = setting.origin.strip_prefix("KIP-").is_some_and(|number| {
                !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit())
            });
            let is_class =
                setting.origin.ends_with("Config") || setting.origin.ends_with("Configs");
            let is_ours = setting.origin == "ours";
            assert!(is_kip || is_class || is_ours, "{}", setting.name);
        }
    }

    #[test]
    fn ours_stand_in_their_own_group() {
        for group in GROUPS {
            for setting in group.settings {
                let is_ours = setting.origin == "ours";
                assert_eq!(is_ours, group.title.contains("ours"), "{}", setting.name);
            }
        }
    }
}

//! The one table of metrics: name, unit, meaning, and how each is read off the counts.
//!
//! Names are those of Java's producer 4.3; the few that Java has not are said to be ours.
//! The book's page is printed from it.

mod node;
mod producer;
mod topic;

use alloc::format;
use alloc::string::String;

use super::reading::Reading;
use super::{MetricDefinition, MetricGroup, MetricUnit};

pub(super) use node::NODE;
pub(super) use producer::PRODUCER;
pub(super) use topic::TOPIC;

/// A metric, and how to read it.
#[derive(Debug)]
pub(crate) struct Row<T> {
    pub(crate) definition: MetricDefinition,
    pub(crate) read: Read<T>,
}

type Read<T> = fn(&Reading<'_, T>) -> f64;

const fn row<T>(
    group: MetricGroup,
    name: &'static str,
    unit: MetricUnit,
    about: &'static str,
    read: Read<T>,
) -> Row<T> {
    let definition = MetricDefinition {
        name,
        group,
        unit,
        about,
    };
    Row { definition, read }
}

/// The metrics of Java's producer that there are not, and why. A name that ends in `*` stands for
/// all that begin so.
pub(super) const ABSENT: &[(&str, &str)] = &[
    ("commit-id", "text, not a number, and a crate has none"),
    (
        "connections",
        "counts connections by cipher, and there is no TLS yet",
    ),
    ("failed-authentication-*", "there is no authentication yet"),
    (
        "failed-reauthentication-*",
        "there is no authentication yet",
    ),
    ("io-*", "times Java's selector; here a runtime polls"),
    (
        "reauthentication-latency-*",
        "there is no authentication yet",
    ),
    (
        "record-size-max",
        "wants a look at each record, and nothing here counts records one by one",
    ),
    ("select-*", "counts the turns of Java's selector"),
    (
        "successful-authentication-*",
        "there is no authentication yet",
    ),
    (
        "successful-reauthentication-*",
        "there is no authentication yet",
    ),
    ("txn-*", "there are no transactions yet"),
    ("version", "text, not a number: it is that of the crate"),
];

/// The table of all metrics as Markdown.
pub(super) fn markdown() -> String {
    let mut page = String::from(INTRODUCTION);
    let mut group = None;
    for definition in MetricDefinition::all() {
        let MetricDefinition {
            name, unit, about, ..
        } = definition;
        if group.replace(definition.group) != Some(definition.group) {
            let group = definition.group.name();
            page += &format!("\n## {group}\n\n| name | unit | meaning |\n|---|---|---|\n");
        }
        page += &format!("| `{name}` | {} | {about} |\n", unit.name());
    }
    page += "\n## Absent\n\nMetrics of Java's producer that there are not.\n\n";
    page += "| name | reason |\n|---|---|\n";
    for (name, reason) in ABSENT {
        page += &format!("| `{name}` | {reason} |\n");
    }
    page
}

const INTRODUCTION: &str = include_str!("intro.md");

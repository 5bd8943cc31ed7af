//! The pages of the book about settings, printed from their tables.

use alloc::format;
use alloc::string::{String, ToString};

use super::librdkafka::NAMES;
use super::table::{GROUPS, Setting};

/// `docs/configuration.md`.
#[doc(hidden)]
pub fn markdown() -> String {
    let mut page = HEAD.to_string();
    for group in GROUPS {
        page.push_str(&format!("\n## {}\n\n{COLUMNS}", group.title));
        for setting in group.settings {
            page.push_str(&row(setting));
        }
    }
    page
}

/// `docs/from-librdkafka.md`.
#[doc(hidden)]
pub fn librdkafka() -> String {
    let rows = NAMES
        .iter()
        .map(|(name, advice)| format!("| `{name}` | {advice} |\n"));
    [FROM_LIBRDKAFKA.to_string()]
        .into_iter()
        .chain(rows)
        .collect()
}

fn row(setting: &Setting) -> String {
    let default = match setting.default() {
        "null" => String::new(),
        "" => "empty".to_string(),
        default => format!("`{default}`"),
    };
    format!(
        "| `{}` | {}: {} | {default} | {} | {} | {} |\n",
        setting.name(),
        setting.type_name(),
        setting.values(),
        setting.about(),
        setting.origin(),
        setting.support().name(),
    )
}

/// What its table of names needs to be understood.
const FROM_LIBRDKAFKA: &str = include_str!("from_librdkafka.md");

const COLUMNS: &str = "\
| name | values | default | meaning | origin | here |
|---|---|---|---|---|---|
";

/// What the tables need to be understood.
const HEAD: &str = include_str!("page.md");

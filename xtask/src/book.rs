//! Compares the book in `docs` with itself and with the code: every page is in the summary, every
//! link leads somewhere, every way to fail has its entry, and no Rust goes uncompiled: a page's own
//! is compiled as documentation, and what it quotes from an example stands there word for word.

use std::fs;
use std::path::{Path, PathBuf};

/// The enums of errors, the file that holds each, and the page that explains it.
const ERRORS: &[(&str, &str, &str)] = &[
    (
        "ConfigError",
        "producer-machine/src/config/error.rs",
        "config.md",
    ),
    ("SendError", "producer-machine/src/error.rs", "send.md"),
    ("ProducerError", "producer-driver/src/error.rs", "send.md"),
    (
        "ProduceError",
        "producer-machine/src/error.rs",
        "delivery.md",
    ),
    ("WaitError", "producer-driver/src/error.rs", "delivery.md"),
    ("CloseError", "producer-driver/src/error.rs", "delivery.md"),
    (
        "DisconnectReason",
        "producer-machine/src/error.rs",
        "disconnect.md",
    ),
];

/// What is wrong with the book; empty if nothing is.
pub(crate) fn findings(root: &Path) -> Vec<String> {
    let docs = root.join("docs");
    let pages = pages_below(&docs);
    let mut found = Vec::new();
    let summary = read(&docs.join("SUMMARY.md"), &mut found);
    let front = read(&root.join("src/lib.rs"), &mut found);
    for page in &pages {
        let name = page.strip_prefix(&docs).unwrap_or(page).display();
        let text = read(page, &mut found);
        if !page.ends_with("SUMMARY.md") && !summary.contains(&format!("({name})")) {
            found.push(format!("docs/{name} is not in docs/SUMMARY.md"));
        }
        let mut quoted = 0;
        for (source, code) in quotes(&text) {
            quoted += 1;
            if !read(&root.join(source), &mut found).contains(code) {
                found.push(format!(
                    "docs/{name} quotes {source}, which reads otherwise"
                ));
            }
        }
        let own = text.matches("```rust").count() - quoted;
        if 0 < own && !front.contains(&format!("\"{name}\"")) {
            found.push(format!(
                "docs/{name} has Rust: name it in `book` of src/lib.rs"
            ));
        }
        // `# …` is hidden by mdBook alone: everybody else reads it as code.
        let hidden = rust_lines(&text).filter(|line| *line == "#" || line.starts_with("# "));
        found.extend(hidden.map(|line| format!("docs/{name} has the hidden line {line:?}")));
        for link in links(&text) {
            let target = page.parent().unwrap_or(&docs).join(link);
            if !target.exists() {
                found.push(format!("docs/{name} links to {link}, which is not there"));
            }
        }
    }
    found.extend(untold_events(root));
    for (name, source, page) in ERRORS {
        let source = read(&root.join(source), &mut found);
        let page_text = read(&docs.join("errors").join(page), &mut found);
        let variants = variants(&source, name);
        if variants.is_empty() {
            found.push(format!("{name} has no variants where it is looked for"));
        }
        let heading = |variant: &&str| format!("## `{name}::{variant}`\n");
        let missing = variants.iter().filter(|v| !page_text.contains(&heading(v)));
        found.extend(missing.map(|v| format!("docs/errors/{page} has no entry {name}::{v}")));
        let entries = page_text.matches(&format!("## `{name}::")).count();
        if variants.len() < entries {
            found.push(format!("docs/errors/{page} explains a {name} that is gone"));
        }
    }
    found
}

fn read(path: &Path, found: &mut Vec<String>) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| {
        found.push(format!("{} cannot be read: {error}", path.display()));
        String::new()
    })
}

fn pages_below(folder: &Path) -> Vec<PathBuf> {
    let mut pages = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            pages.extend(pages_below(&path));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
    pages
}

/// What the page of events does not tell as the code does.
fn untold_events(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let told = events(&read(
        &root.join("producer-driver/src/notice.rs"),
        &mut found,
    ));
    let page = read(&root.join("docs/tracing.md"), &mut found);
    let rows = told
        .iter()
        .map(|(level, text)| format!("\n| {level} | `{text}` |"));
    let missing = rows.filter(|row| !page.contains(row));
    found.extend(missing.map(|row| format!("docs/tracing.md has no row {}", row.trim())));
    // One row is the table's head.
    let rows = page.matches("\n| ").count();
    if rows != told.len() + 1 {
        found.push(format!("docs/tracing.md tells {rows} events and a head"));
    }
    found
}

const LEVELS: [&str; 4] = ["debug", "error", "info", "warn"];

/// The level and the message of each event of `tracing` in a source.
fn events(source: &str) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    for (at, _) in source.match_indices("!(") {
        let before = &source[..at];
        let Some(level) = LEVELS.iter().find(|level| before.ends_with(**level)) else {
            continue;
        };
        let call = &source[at..];
        let call = call.split(");").next().unwrap_or(call);
        let call = call.split("),\n").next().unwrap_or(call);
        // The message is the last text of the call; it may go on in the next line.
        if let Some(text) = call.rsplit('"').nth(1) {
            let lines: Vec<&str> = text.split("\\\n").map(str::trim_start).collect();
            found.push((*level, lines.concat()));
        }
    }
    found
}

/// What a page quotes from examples: the file that it names above, and the code.
fn quotes(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split("<!-- from ").skip(1).filter_map(|rest| {
        let (source, rest) = rest.split_once(" -->\n```rust\n")?;
        let (code, _) = rest.split_once("```")?;
        Some((source, code))
    })
}

/// The lines of Rust in a page.
fn rust_lines(text: &str) -> impl Iterator<Item = &str> {
    let blocks = text.split("\n```rust").skip(1);
    blocks.flat_map(|rest| rest.split("\n```").next().unwrap_or(rest).lines().skip(1))
}

/// Where the links of a page lead, but for those out of the book.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .filter_map(|link| link.split('#').next())
        .filter(|link| link.ends_with(".md") && !link.contains("://"))
}

/// The variants of a public enum: the lines of its body that are indented once and begin a name.
fn variants<'a>(source: &'a str, name: &str) -> Vec<&'a str> {
    let body = source
        .split_once(&format!("pub enum {name} {{\n"))
        .map_or("", |(_, rest)| rest.split("\n}").next().unwrap_or(rest));
    body.lines()
        .filter_map(|line| line.strip_prefix("    "))
        .filter(|line| line.starts_with(|first: char| first.is_ascii_uppercase()))
        .filter_map(|line| line.split(|c: char| !c.is_alphanumeric()).next())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_book_agrees_with_itself_and_with_the_code() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let found = findings(&root);
        assert!(found.is_empty(), "the book:\n{}", found.join("\n"));
    }

    #[test]
    fn a_variant_is_a_name_that_is_indented_once() {
        let source = concat!(
            "pub enum E {\n    /// Doc.\n    #[error(\n        \"X\"\n    )]\n    One {\n",
            "        Field: u8,\n    },\n    Two(u8),\n    Three,\n}\nfn Four() {}\n",
        );
        assert_eq!(variants(source, "E"), ["One", "Two", "Three"]);
        assert!(variants(source, "F").is_empty());
    }

    #[test]
    fn the_message_of_an_event_is_the_last_text_of_its_call() {
        let source = "warn!(%topic, \"a \\\n    b\");\nx!(\"y\");\nF => error!(e = %f, \"c\"),\n";
        let told = [("warn", "a b".to_string()), ("error", "c".to_string())];
        assert_eq!(events(source), told);
    }

    #[test]
    fn a_quotation_is_the_code_below_the_name_of_its_file() {
        let text = "<!-- from a.rs -->\n```rust\nfn a() {}\n```\nand\n```rust\nfn b() {}\n```\n";
        assert_eq!(quotes(text).collect::<Vec<_>>(), [("a.rs", "fn a() {}\n")]);
    }

    #[test]
    fn only_rust_is_code_of_ours() {
        let text = "# a\n```toml\n# b\n```\n```rust,no_run\n# c\nd\n```\n# e\n";
        assert_eq!(rust_lines(text).collect::<Vec<_>>(), ["# c", "d"]);
    }

    #[test]
    fn a_link_is_followed_within_the_book_only() {
        let text = "[a](b.md), [c](d/e.md#f), [g](https://h.i/j.md), [k](l.rs)";
        assert_eq!(links(text).collect::<Vec<_>>(), ["b.md", "d/e.md"]);
    }
}

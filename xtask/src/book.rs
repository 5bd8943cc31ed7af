//! Compares the book in `docs` with itself and with the code: every page is in the summary, every
//! link leads somewhere, every way to fail has its entry, and no Rust goes uncompiled.

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
        if text.contains("```rust") && !front.contains(&format!("\"{name}\"")) {
            found.push(format!(
                "docs/{name} has Rust: name it in `book` of src/lib.rs"
            ));
        }
        for link in links(&text) {
            let target = page.parent().unwrap_or(&docs).join(link);
            if !target.exists() {
                found.push(format!("docs/{name} links to {link}, which is not there"));
            }
        }
    }
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
    fn a_link_is_followed_within_the_book_only() {
        let text = "[a](b.md), [c](d/e.md#f), [g](https://h.i/j.md), [k](l.rs)";
        assert_eq!(links(text).collect::<Vec<_>>(), ["b.md", "d/e.md"]);
    }
}

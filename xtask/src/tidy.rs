//! What formatter and clippy do not watch: lengths, headers, leftovers, and traces of one machine.
//!
//! `cargo xtask tidy` prints each finding as `file:line: what is wrong: how to mend it`; the same
//! runs as a test, so that `cargo test --workspace` finds it too.

mod mask;
mod rust;

use std::env;
use std::fmt;
use std::fs;
use std::path::Path;

use crate::failure::{Doing, Failure, Outcome};
use crate::workspace;

/// How wide a line of code may be. Markdown has one sentence a line instead.
const COLUMNS: usize = 100;

/// Files that every clone must have.
const REQUIRED: [&str; 7] = [
    "ARCHITECTURE.md",
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
];

/// Folders that hold nothing of ours.
const SKIPPED: [&str; 5] = [".git", "target", "artifacts", "coverage", "__pycache__"];

/// One thing that is not as it should be.
#[derive(Debug)]
pub(crate) struct Finding {
    path: String,
    line: usize,
    what: String,
}

impl Finding {
    fn new(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            line,
            what: what.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, what } = self;
        write!(formatter, "{path}:{line}: {what}")
    }
}

/// Fails with every finding in the workspace.
pub(crate) fn check() -> Outcome {
    let findings = findings(&workspace::root())?;
    if findings.is_empty() {
        return Ok(());
    }
    let lines: String = findings
        .iter()
        .map(|finding| format!("{finding}\n"))
        .collect();
    Err(Failure::new(format!(
        "{} findings\n{}",
        findings.len(),
        lines.trim_end()
    )))
}

fn findings(root: &Path) -> Outcome<Vec<Finding>> {
    let mut findings = Vec::new();
    for required in REQUIRED {
        if !root.join(required).is_file() {
            findings.push(Finding::new(required, 1, "expected this file, write it"));
        }
    }
    let places = places(root);
    walk(root, &mut |path, text| {
        let name = path
            .strip_prefix(root)
            .unwrap_or(path)
            .to_string_lossy()
            .replace('\\', "/");
        findings.extend(check_file(&name, text, &places));
    })?;
    Ok(findings)
}

fn check_file(path: &str, text: &str, places: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    if path.ends_with(".rs") {
        findings.extend(rust::check(path, text));
    }
    let is_code = [".rs", ".java", ".py", ".sh", ".ci/run"]
        .iter()
        .any(|end| path.ends_with(end));
    for (line, number) in text.lines().zip(1..) {
        let columns = line.chars().count();
        if is_code && COLUMNS < columns {
            let what = format!("{columns} columns, at most {COLUMNS}: break the line");
            findings.push(Finding::new(path, number, what));
        }
        if let Some(place) = places.iter().find(|place| line.contains(place.as_str())) {
            let what = format!("{place} is a path of this machine: make it relative");
            findings.push(Finding::new(path, number, what));
        }
    }
    findings
}

/// The folders that only this machine has: the checkout, its parent, and the user's home.
fn places(root: &Path) -> Vec<String> {
    // Every machine has these, and texts may speak of them.
    let common = ["/", "/tmp", "/home", "/opt", "/srv", "/usr", "/var"].map(Path::new);
    let home = env::var_os("HOME").unwrap_or_default();
    let places = [Some(root), root.parent(), Some(Path::new(&home))]
        .into_iter()
        .flatten();
    places
        .filter(|place| place.is_absolute() && !common.contains(place))
        .map(|place| format!("{}/", place.display()))
        .collect()
}

/// Visits every text file of ours.
fn walk(folder: &Path, visit: &mut dyn FnMut(&Path, &str)) -> Outcome {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).doing(folder.display())? {
        paths.push(entry.doing(folder.display())?.path());
    }
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            if !SKIPPED.contains(&&*name) && path != workspace::target() {
                walk(&path, visit)?;
            }
        } else if let Ok(text) = fs::read_to_string(&path) {
            // What is no text, a fuzzing corpus say, has no lines to look at.
            visit(&path, &text);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_tidy() {
        if let Err(failure) = check() {
            panic!("{failure}");
        }
    }

    #[test]
    fn a_line_of_101_columns_is_too_long_in_code_only() {
        let line = "ß".repeat(101);
        let found = check_file("a/B.java", &format!("\n{line}\n"), &[]);
        assert_eq!(
            found[0].to_string(),
            "a/B.java:2: 101 columns, at most 100: break the line"
        );
        assert!(check_file("a.md", &line, &[]).is_empty());
        assert!(check_file("a.py", &"ß".repeat(100), &[]).is_empty());
    }

    #[test]
    fn a_path_of_this_machine_is_found_in_any_text() {
        let places = places(Path::new("/builds/checkout"));
        let found = check_file("a.md", "see /builds/checkout/b\n", &places);
        let wanted = "a.md:1: /builds/checkout/ is a path of this machine: make it relative";
        assert_eq!(found[0].to_string(), wanted);
        assert_eq!(check_file("a.md", "see /builds/other", &places).len(), 1);
        assert!(check_file("a.md", "see /tmp/other", &places).is_empty());
    }

    #[test]
    fn a_missing_document_is_found() {
        let empty = tempfile::tempdir().unwrap();
        assert_eq!(findings(empty.path()).unwrap().len(), REQUIRED.len());
    }

    #[test]
    fn what_is_no_text_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("corpus"), [0xff, 0xfe]).unwrap();
        fs::create_dir(folder.path().join("target")).unwrap();
        fs::write(folder.path().join("target/a.rs"), "no header").unwrap();
        assert_eq!(findings(folder.path()).unwrap().len(), REQUIRED.len());
    }
}

//! Compares `docs/edge-cases.md` with the tests: the list must not claim what is not there, nor
//! forget what is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The highest number of an edge case.
const LAST: u32 = 159;

/// What is wrong with the list; empty if nothing is.
pub(crate) fn findings(root: &Path) -> Vec<String> {
    let list = match fs::read_to_string(root.join("docs/edge-cases.md")) {
        Ok(list) => list,
        Err(error) => return vec![format!("docs/edge-cases.md cannot be read: {error}")],
    };
    let tests = tests_below(root);
    let mut found = Vec::new();
    let mut numbers = BTreeSet::new();
    let mut listed = BTreeSet::new();
    for line in list.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, number, test, place, _] = cells.as_slice() else {
            continue;
        };
        let Some(number) = number.strip_prefix('E').and_then(|n| n.parse::<u32>().ok()) else {
            continue;
        };
        numbers.insert(number);
        let name = test.trim_matches('`');
        if name == "not yet" {
            if place.is_empty() {
                found.push(format!(
                    "E{number} is not yet tested: say what it waits for"
                ));
            }
            continue;
        }
        listed.insert(name.to_owned());
        match tests.get(name) {
            Some(file) if file == place => {}
            Some(file) => found.push(format!("{name} is in {file}, the list says {place}")),
            None => found.push(format!("{name} is listed, and no test has that name")),
        }
        if !name.starts_with(&format!("edge_e{number}_")) {
            found.push(format!("{name} stands in the line of E{number}"));
        }
    }
    let missing = (1..=LAST).filter(|number| !numbers.contains(number));
    found.extend(missing.map(|number| format!("E{number} is not in the list")));
    let forgotten = tests.keys().filter(|name| !listed.contains(*name));
    found.extend(forgotten.map(|name| format!("{name} is not in the list")));
    found
}

/// The names of all edge tests with the file each stands in.
fn tests_below(root: &Path) -> BTreeMap<String, String> {
    let mut tests = BTreeMap::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = entry.file_name();
            if path.is_dir() {
                if name != "target" && !name.to_string_lossy().starts_with('.') {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap_or_default();
                let place = path
                    .strip_prefix(root)
                    .unwrap_or(&path)
                    .display()
                    .to_string();
                tests.extend(names_in(&text).map(|name| (name, place.clone())));
            }
        }
    }
    tests
}

fn names_in(text: &str) -> impl Iterator<Item = String> {
    text.lines().filter_map(|line| {
        let line = line.trim_start();
        // A case of the conformance suite is a function that every transport calls.
        let line = line.strip_prefix("pub ").unwrap_or(line);
        let name = line.strip_prefix("fn ")?.split('(').next()?;
        name.starts_with("edge_e").then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_edge_cases_and_the_tests_agree() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let found = findings(&root);
        assert!(
            found.is_empty(),
            "docs/edge-cases.md:\n{}",
            found.join("\n")
        );
    }

    #[test]
    fn a_name_is_found_in_its_line_and_nowhere_else() {
        let text =
            "    fn edge_e7_it_works() {\n// fn edge_e8_no\nlet x = 1;\npub fn edge_e9_so(\n";
        let names: Vec<_> = names_in(text).collect();
        assert_eq!(names, ["edge_e7_it_works", "edge_e9_so"]);
    }
}

//! Every future that the driver gives away is dropped at every poll somewhere: this compares its
//! sources with the list of those that are.
#![allow(
    clippy::unwrap_used,
    reason = "a source that cannot be read is a failure"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Each future, and the cases that drop it: those of `cases/cancel.rs`, and unit tests of the
/// driver for what only transports use.
const DROPPED: &[(&str, &[&str])] = &[
    ("all", &["dropped_deliveries_unsend_nothing"]),
    ("Close", &["a_dropped_close_goes_on"]),
    ("Delivery", &["a_dropped_delivery_unsends_nothing"]),
    ("Flush", &["a_dropped_flush_harms_nobody"]),
    (
        "PartitionsFor",
        &["a_dropped_question_for_partitions_harms_nobody"],
    ),
    (
        "Sending",
        &[
            "a_dropped_send_loses_and_doubles_nothing",
            "a_dropped_wait_passes_its_room_on",
        ],
    ),
    (
        "SendingAll",
        &[
            "a_dropped_send_all_keeps_a_prefix",
            "a_dropped_wait_passes_its_room_on",
        ],
    ),
    (
        "SendingDetached",
        &[
            "a_dropped_detached_send_loses_and_doubles_nothing",
            "a_dropped_send_with_a_callback_loses_and_doubles_nothing",
            "a_dropped_wait_passes_its_room_on",
        ],
    ),
    ("wait", &["a_wait_that_is_dropped_leaves_the_permit"]),
];

/// The text of every source file in a folder of the workspace.
fn sources(folder: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files: Vec<_> = fs::read_dir(root.join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let rust = files
        .iter()
        .filter(|path| path.extension().is_some_and(|end| end == "rs"));
    rust.map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// The public futures of a text: types by their names, functions by theirs.
fn futures_in(text: &str) -> BTreeSet<&str> {
    text.lines()
        .map(str::trim_start)
        .filter_map(future_in)
        .collect()
}

fn future_in(line: &str) -> Option<&str> {
    let function = name_after(line, "pub async fn ");
    let unnamed = || {
        let function = name_after(line, "pub fn ")?;
        line.contains("impl Future").then_some(function)
    };
    let implemented = || {
        let (head, rest) = line.split_once("Future for ")?;
        head.starts_with("impl").then(|| name_after(rest, ""))?
    };
    function.or_else(unnamed).or_else(implemented)
}

/// The name that comes after these words.
fn name_after<'a>(line: &'a str, words: &str) -> Option<&'a str> {
    let rest = line.strip_prefix(words)?;
    rest.split(|c: char| !c.is_alphanumeric() && c != '_')
        .next()
}

#[test]
fn every_future_of_the_driver_is_dropped_at_every_poll() {
    let driver = sources("producer-driver/src");
    let listed: BTreeSet<&str> = DROPPED.iter().map(|(future, _)| *future).collect();
    assert_eq!(futures_in(&driver), listed);
}

#[test]
fn every_case_of_the_list_is_run() {
    let suite = sources("tests/conformance/src");
    let driver = sources("producer-driver/src");
    for case in DROPPED.iter().flat_map(|(_, cases)| *cases) {
        // The suite names it, or it is a test of the driver.
        let in_suite = suite.contains(&format!("            {case},\n"));
        let in_driver = driver.contains(&format!("    #[test]\n    fn {case}("));
        assert!(in_suite || in_driver, "{case} is not run");
    }
}

#[test]
fn futures_are_found_by_type_and_by_function() {
    let text = "impl Future for Flush {\nimpl<W> Future for Room<W> {\n    pub async fn all(self)\n\
                pub fn some(self) -> impl Future<Output = ()> {\n\
                // impl Future for Nobody\n    async fn private()\nimpl Drop for Flush {";
    let found: Vec<&str> = futures_in(text).into_iter().collect();
    assert_eq!(found, ["Flush", "Room", "all", "some"]);
}

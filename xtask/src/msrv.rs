//! Builds what is published with the oldest Rust that it promises to build with.
//!
//! The promise is each package's `rust-version`. Clippy's `incompatible_msrv` sees only our own
//! calls into the standard library; a dependency that asks for more, or syntax that is too new, is
//! seen by building alone.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::failure::{Doing, Failure, Outcome};
use crate::process;
use crate::workspace;

/// With and without whatever is optional: each may lean on something that the other lacks.
const FEATURES: [&str; 2] = ["--all-features", "--no-default-features"];

/// Packages by the oldest Rust that they build with.
type Promises = BTreeMap<String, Vec<String>>;

/// Builds every published package with the Rust of its promise.
pub(crate) fn check() -> Outcome {
    let promises = promises()?;
    fetch_all(&promises)?;
    for (rust, packages) in &promises {
        for features in FEATURES {
            // Through rustup: a `cargo` that cargo itself started may be no proxy.
            let mut cargo = Command::new("rustup");
            cargo.args(["run", rust, "cargo", "check", "--quiet", "--locked"]);
            cargo.arg(features).arg("--target-dir");
            cargo.arg(workspace::target().join("msrv"));
            for package in packages {
                cargo.args(["--package", package]);
            }
            process::run(cargo.current_dir(workspace::root()))?;
        }
    }
    Ok(())
}

/// Installs the toolchains that are missing, and builds nothing.
pub(crate) fn fetch() -> Outcome {
    fetch_all(&promises()?)
}

fn fetch_all(promises: &Promises) -> Outcome {
    for rust in promises.keys() {
        let mut rustc = Command::new("rustup");
        rustc.args(["run", rust, "rustc", "--version"]);
        let there = rustc.stdout(Stdio::null()).stderr(Stdio::null()).status();
        if there.doing("asking rustup for its toolchains")?.success() {
            continue;
        }
        let mut install = Command::new("rustup");
        install.args(["toolchain", "install", rust, "--profile", "minimal"]);
        process::run(install.arg("--no-self-update")).map_err(|failure| {
            Failure::new(format!(
                "expected Rust {rust}, which rustup neither has nor can fetch ({failure}): \
                 install it, or try again with a network"
            ))
        })?;
    }
    Ok(())
}

fn promises() -> Outcome<Promises> {
    let mut cargo = Command::new("cargo");
    cargo.args(["metadata", "--format-version", "1", "--no-deps"]);
    cargo
        .current_dir(workspace::root())
        .stderr(Stdio::inherit());
    let output = cargo.output().doing("cargo metadata")?;
    let metadata = serde_json::from_slice(&output.stdout).doing("reading cargo metadata")?;
    Ok(promises_of(&metadata))
}

fn promises_of(metadata: &Value) -> Promises {
    let mut promises = Promises::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        // What may not be published has an empty list of registries: it promises nothing.
        let is_published = package["publish"].is_null();
        if let (true, Some(rust), Some(name)) = (
            is_published,
            package["rust_version"].as_str(),
            package["name"].as_str(),
        ) {
            promises.entry(rust.into()).or_default().push(name.into());
        }
    }
    promises
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn published_packages_stand_under_their_promise() {
        let metadata = json!({"packages": [
            {"name": "a", "rust_version": "1.85", "publish": null},
            {"name": "b", "rust_version": "1.88", "publish": null},
            {"name": "c", "rust_version": "1.85", "publish": null},
            {"name": "bench", "rust_version": "1.88", "publish": []},
        ]});
        let expected = [("1.85", vec!["a", "c"]), ("1.88", vec!["b"])];
        let expected = expected.map(|(rust, packages)| {
            let packages: Vec<String> = packages.into_iter().map(String::from).collect();
            (String::from(rust), packages)
        });
        assert_eq!(promises_of(&metadata), Promises::from(expected));
    }

    #[test]
    fn protocol_and_machine_promise_more_than_the_rest() {
        let promises = promises().unwrap();
        let crates = ["kafka-producer-machine", "kafka-producer-proto"];
        let mut oldest = promises["1.85"].clone();
        oldest.sort();
        assert_eq!(oldest, crates);
        assert!(promises["1.88"].contains(&"kafka-producer".to_owned()));
    }
}

//! Shows that protocol and machine need no standard library.
//!
//! `cargo build --no-default-features` proves nothing: a dependency that brings `std` along builds
//! as well. So both are put into a static library that is `#![no_std]` and has a panic handler of
//! its own. Whatever brings `std` brings a second one, and the build fails.
//! A check that cannot fail is none: the same build must fail with a `std` planted in a copy of
//! either crate, in both ways it can get there, by a plain `use` and behind the crate's back.
//!
//! All of it happens in a workspace of copies under `target/no-std`. The library is the only part
//! that is not ours already; its allocator is a published one, so that it needs no `unsafe`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::failure::{Doing, Failure, Outcome};
use crate::workspace;

/// The folders of the crates that are `no_std`.
const CRATES: [&str; 2] = ["producer-proto", "producer-machine"];

/// What is planted, and how the compiler must complain about it.
const PLANTS: [(&str, &str); 2] = [
    ("use std::collections::HashMap as _;", "crate `std`"),
    ("extern crate std as planted;", "duplicate lang item"),
];

/// Builds the library, then shows that it would not build with `std` in it.
pub(crate) fn check() -> Outcome {
    let copies = Copies::fresh()?;
    copies.build().map_err(|complaint| {
        Failure::new(format!(
            "{complaint}\nprotocol and machine do not build without std"
        ))
    })?;
    eprintln!("{} are part of a library without std", CRATES.join(" and "));

    for folder in CRATES {
        for (plant, wanted) in PLANTS {
            copies.plant(folder, plant)?;
            match copies.build() {
                Err(complaint) if complaint.contains(wanted) => {
                    eprintln!("'{plant}' in {folder} is refused: {wanted}");
                }
                Err(complaint) => {
                    let message = format!("expected '{wanted}' for '{plant}' in {folder}, got");
                    return Err(Failure::new(format!("{message}\n{complaint}")));
                }
                Ok(()) => {
                    let message = format!("'{plant}' in {folder} went unnoticed");
                    return Err(Failure::new(message));
                }
            }
            copies.restore(folder)?;
        }
    }
    Ok(())
}

/// The workspace of copies.
struct Copies {
    folder: PathBuf,
}

impl Copies {
    /// Copies the crates as they are, beside a library that takes them in.
    fn fresh() -> Outcome<Self> {
        let root = workspace::root();
        let folder = workspace::target().join("no-std");
        let copies = Self { folder };
        let manifest = fs::read_to_string(root.join("Cargo.toml")).doing("Cargo.toml")?;
        copies.write("Cargo.toml", &manifest_of_copies(&manifest))?;
        // The same versions of dependencies as everywhere.
        let lock = fs::read_to_string(root.join("Cargo.lock")).doing("Cargo.lock")?;
        copies.write("Cargo.lock", &lock)?;
        copies.write("library/Cargo.toml", LIBRARY_MANIFEST)?;
        copies.write("library/src/lib.rs", LIBRARY)?;
        for folder in CRATES {
            let copy = copies.folder.join(folder);
            if copy.exists() {
                fs::remove_dir_all(&copy).doing(copy.display())?;
            }
            copy_folder(&root.join(folder), &copy)?;
        }
        Ok(copies)
    }

    /// Builds the library; the error is what the compiler said.
    fn build(&self) -> Result<(), String> {
        let mut cargo = Command::new("cargo");
        cargo
            .args(["build", "--package", "no-std-library"])
            .current_dir(&self.folder);
        cargo
            .env("CARGO_TARGET_DIR", self.folder.join("target"))
            .stdin(Stdio::null());
        let output = cargo
            .output()
            .map_err(|error| format!("starting cargo: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }

    fn plant(&self, folder: &str, plant: &str) -> Outcome {
        let path = format!("{folder}/src/lib.rs");
        let source = fs::read_to_string(self.folder.join(&path)).doing(&path)?;
        self.write(&path, &format!("{source}\n{plant}\n"))
    }

    fn restore(&self, folder: &str) -> Outcome {
        let path = format!("{folder}/src/lib.rs");
        let source = fs::read_to_string(workspace::root().join(&path)).doing(&path)?;
        self.write(&path, &source)
    }

    fn write(&self, path: &str, text: &str) -> Outcome {
        let path = self.folder.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).doing(parent.display())?;
        }
        fs::write(&path, text).doing(path.display())
    }
}

/// A workspace of the copies: what they inherit from ours, and nothing else.
fn manifest_of_copies(manifest: &str) -> String {
    let members = "[workspace]\nresolver = \"3\"\n\
         members = [\"library\", \"producer-proto\", \"producer-machine\"]\n\n\
         [profile.dev]\npanic = \"abort\"\n";
    let mut inherited = String::from(members);
    let mut within = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            within = line.starts_with("[workspace.");
        }
        if within {
            inherited += line;
            inherited.push('\n');
        }
    }
    inherited
}

fn copy_folder(from: &Path, to: &Path) -> Outcome {
    fs::create_dir_all(to).doing(to.display())?;
    for entry in fs::read_dir(from).doing(from.display())? {
        let entry = entry.doing(from.display())?;
        let copy = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &copy)?;
        } else {
            fs::copy(entry.path(), &copy).doing(copy.display())?;
        }
    }
    Ok(())
}

const LIBRARY_MANIFEST: &str = r#"[package]
name = "no-std-library"
version = "0.0.0"
edition = "2024"

[lib]
crate-type = ["staticlib"]

[dependencies]
kafka-producer-machine = { path = "../producer-machine", default-features = false }
kafka-producer-proto = { path = "../producer-proto", default-features = false }
linked_list_allocator = "0.10"
"#;

const LIBRARY: &str = r"#![no_std]
#![forbid(unsafe_code)]

extern crate kafka_producer_machine as _;
extern crate kafka_producer_proto as _;

#[global_allocator]
static ALLOCATOR: linked_list_allocator::LockedHeap = linked_list_allocator::LockedHeap::empty();

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_inherit_the_workspaces_tables_and_not_its_members() {
        let manifest = "[workspace]\nmembers = [\"a\"]\n[workspace.dependencies]\nbytes = \"1\"\n\
             [package]\nname = \"p\"\n[workspace.lints.rust]\nx = \"warn\"\n[profile.dev]\ny = 1\n";
        let copies = manifest_of_copies(manifest);

        let tables =
            "[workspace.dependencies]\nbytes = \"1\"\n[workspace.lints.rust]\nx = \"warn\"\n";
        assert!(copies.ends_with(tables), "{copies}");
        assert!(
            !copies.contains("[\"a\"]") && !copies.contains("[package]"),
            "{copies}"
        );
    }
}

//! Plants bugs into the producer, one after the other, and demands that the simulator finds each:
//! an oracle that has never been seen to speak proves nothing.
//!
//! ```text
//! workspace ──copy──> target/planted/workspace ──patch──> build ──> seeds until one is broken
//! producer-sim/planted/*.patch ───────────────────^
//! ```
//!
//! A planted bug is a patch whose first line says what the bug does to a user. One that no longer
//! applies, or no longer builds, is a failure like one that is not found.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::failure::{Doing, Failure, Outcome};
use crate::process::{self, Group, Interrupt};
use crate::workspace;

/// A seed takes milliseconds. One that takes longer than this, on the busiest machine, will not
/// end: a bug as well.
const PATIENCE: Duration = Duration::from_secs(120);

/// How many seeds must not speak of the producer as it is, or the rest would say nothing.
const SOUND_SEEDS: u32 = 200;

/// A bug to be planted.
#[derive(Debug)]
struct Bug {
    name: String,
    patch: PathBuf,
    /// What it does to a user.
    harm: String,
}

/// What the simulator made of it.
#[derive(Debug, PartialEq, Eq)]
enum Finding {
    /// This seed, counted from one, broke a promise; the first thing it said.
    Caught { seeds: u64, said: String },
    /// This seed, counted from one, never ended.
    Endless { seeds: u64 },
    /// No seed broke a promise.
    Missed,
}

/// Plants every bug, or those whose name contains `only`, and lets each be looked for with so many
/// seeds.
pub(crate) fn test(seeds: u32, only: Option<&str>) -> Outcome {
    let interrupt = Interrupt::watch()?;
    let bugs = bugs(only)?;
    let field = Field::prepare()?;
    field.build(&interrupt)?;
    match field.look(SOUND_SEEDS, &interrupt)? {
        Finding::Missed => {}
        found => {
            return Err(Failure::new(format!(
                "the simulator must find nothing in the producer as it is, it found: {found}"
            )));
        }
    }
    let mut failed = Vec::new();
    println!("{:<32} {:>6}  said", "planted", "seeds");
    for bug in &bugs {
        let found = field.find(bug, seeds, &interrupt);
        interrupt.check()?;
        match found {
            Ok(found) => {
                println!("{:<32} {found}", bug.name);
                if found == Finding::Missed {
                    failed.push(format!("{}: not found; {}", bug.name, bug.harm));
                }
            }
            Err(failure) => {
                println!("{:<32} {:>6}  {failure}", bug.name, "-");
                failed.push(format!("{}: {failure}", bug.name));
            }
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    let (count, all) = (failed.len(), bugs.len());
    let list = failed.join("\n  ");
    Err(Failure::new(format!(
        "{count} of {all} planted bugs:\n  {list}"
    )))
}

/// The patches, in the order of their names.
fn bugs(only: Option<&str>) -> Outcome<Vec<Bug>> {
    let folder = workspace::root().join("producer-sim/planted");
    let mut bugs = Vec::new();
    for entry in fs::read_dir(&folder).doing(folder.display())? {
        let patch = entry.doing(folder.display())?.path();
        if patch.extension().is_none_or(|kind| kind != "patch") {
            continue;
        }
        let name = patch.file_stem().unwrap_or_default().to_string_lossy();
        if only.is_some_and(|only| !name.contains(only)) {
            continue;
        }
        let text = fs::read_to_string(&patch).doing(patch.display())?;
        bugs.push(Bug {
            name: name.into_owned(),
            harm: harm_of(&text).doing(patch.display())?.to_owned(),
            patch,
        });
    }
    bugs.sort_by(|one, other| one.name.cmp(&other.name));
    if bugs.is_empty() {
        let folder = folder.display();
        return Err(Failure::new(format!("{folder}: no such planted bug")));
    }
    Ok(bugs)
}

/// The first line of a patch.
fn harm_of(text: &str) -> Outcome<&str> {
    let first = text.lines().next().unwrap_or_default();
    let is_prose = !first.is_empty() && !first.starts_with("---") && !first.starts_with("diff");
    is_prose.then_some(first).ok_or_else(|| {
        Failure::new("the first line must say what the bug does to a user, it is part of the patch")
    })
}

/// Runs git with the patch in a folder.
fn apply(patch: &Path, folder: &Path, options: &[&str]) -> Outcome {
    let mut git = Command::new("git");
    git.arg("apply").args(options).arg(patch);
    git.current_dir(folder);
    // A copy lies within a checkout, whose index says nothing about it.
    git.env("GIT_CEILING_DIRECTORIES", folder.join(".."));
    let output = git.output().doing("git apply")?;
    if output.status.success() {
        return Ok(());
    }
    let error = String::from_utf8_lossy(&output.stderr);
    Err(Failure::new(format!(
        "the patch no longer applies, write it anew: {}",
        error.trim()
    )))
}

/// A copy of the workspace, to be spoilt.
#[derive(Debug)]
struct Field {
    /// Files of the workspace, relative to its root.
    files: BTreeSet<PathBuf>,
    workspace: PathBuf,
    target: PathBuf,
}

impl Field {
    fn prepare() -> Outcome<Self> {
        let folder = workspace::target().join("planted");
        let mut git = Command::new("git");
        git.args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ]);
        let listed = git.current_dir(workspace::root()).output().doing("git")?;
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        let files: BTreeSet<PathBuf> = listed
            .split_terminator('\0')
            .map(PathBuf::from)
            .filter(|file| workspace::root().join(file).is_file())
            .collect();
        if files.is_empty() {
            return Err(Failure::new("expected a git checkout, git lists no file"));
        }
        Ok(Self {
            files,
            workspace: folder.join("workspace"),
            target: folder.join("target"),
        })
    }

    /// Makes the copy equal to the workspace. What is equal is left alone, so that only what a bug
    /// has changed is built again; what a bug has added goes.
    fn restore(&self) -> Outcome {
        self.remove_strangers(&self.workspace)?;
        for file in &self.files {
            let (from, to) = (workspace::root().join(file), self.workspace.join(file));
            let wanted = fs::read(&from).doing(from.display())?;
            if fs::read(&to).is_ok_and(|found| found == wanted) {
                continue;
            }
            if let Some(folder) = to.parent() {
                fs::create_dir_all(folder).doing(folder.display())?;
            }
            fs::write(&to, wanted).doing(to.display())?;
        }
        Ok(())
    }

    /// Removes the files of the copy that the workspace does not have.
    fn remove_strangers(&self, folder: &Path) -> Outcome {
        if !folder.exists() {
            return Ok(());
        }
        for entry in fs::read_dir(folder).doing(folder.display())? {
            let path = entry.doing(folder.display())?.path();
            if path.is_dir() {
                self.remove_strangers(&path)?;
            } else if !path
                .strip_prefix(&self.workspace)
                .is_ok_and(|file| self.files.contains(file))
            {
                fs::remove_file(&path).doing(path.display())?;
            }
        }
        Ok(())
    }

    fn find(&self, bug: &Bug, seeds: u32, interrupt: &Interrupt) -> Outcome<Finding> {
        self.restore()?;
        apply(&bug.patch, &self.workspace, &[])?;
        self.compile(interrupt)?;
        self.look(seeds, interrupt)
    }

    fn build(&self, interrupt: &Interrupt) -> Outcome {
        self.restore()?;
        self.compile(interrupt)
    }

    fn compile(&self, interrupt: &Interrupt) -> Outcome {
        let mut cargo = self.cargo();
        cargo.args(["--no-run", "--quiet"]);
        process::run_until(&mut cargo, interrupt)
    }

    /// Runs seeds until one breaks a promise.
    fn look(&self, seeds: u32, interrupt: &Interrupt) -> Outcome<Finding> {
        let report = self.target.join("report");
        let output = fs::File::create(&report).doing(report.display())?;
        let mut cargo = self.cargo();
        cargo.args(["--", "--nocapture", "no_seed_breaks_a_promise"]);
        cargo.env("SIM_SEEDS", seeds.to_string());
        cargo.env("SIM_STOP", "1").env("RUST_BACKTRACE", "0");
        cargo.stdout(output).stderr(Stdio::null());
        let mut group = Group::start(&mut cargo)?;
        let mut progress = (Instant::now(), 0);
        let status = loop {
            interrupt.check()?;
            if let Some(status) = group.ended()? {
                break Some(status);
            }
            let written = fs::metadata(&report).doing(report.display())?.len();
            if progress.1 < written {
                progress = (Instant::now(), written);
            } else if PATIENCE <= progress.0.elapsed() {
                break None;
            }
            thread::sleep(Duration::from_millis(50));
        };
        drop(group);
        let report = fs::read_to_string(&report).doing(report.display())?;
        finding(&report, status)
    }

    /// The seeds of the copy. Most bugs show within seconds, so building is what takes time: what
    /// they change is built for that, and only in part.
    fn cargo(&self) -> Command {
        let mut cargo = Command::new("cargo");
        cargo.current_dir(&self.workspace);
        cargo.env("CARGO_TARGET_DIR", &self.target);
        cargo.env("CARGO_PROFILE_RELEASE_INCREMENTAL", "true");
        cargo.args(["test", "--release", "--package", "kafka-producer-sim"]);
        cargo.args(["--test", "seeds"]);
        for spoilt in ["machine", "sim"] {
            let profile = format!("profile.release.package.kafka-producer-{spoilt}");
            cargo.arg("--config").arg(format!("{profile}.opt-level=1"));
            cargo.arg("--config").arg(format!("{profile}.debug=false"));
        }
        cargo
    }
}

/// What the first seed said that broke a promise. A program without a status never ended.
fn finding(report: &str, status: Option<ExitStatus>) -> Outcome<Finding> {
    let begun = report.lines().rev().find_map(|line| {
        let seed = line.strip_prefix("seed ")?.strip_suffix(" begins")?;
        seed.parse::<u64>().ok()
    });
    match (status, begun) {
        (Some(_), _) => {}
        (None, Some(seed)) => return Ok(Finding::Endless { seeds: seed + 1 }),
        (None, None) => {
            return Err(Failure::new(format!(
                "expected seeds to run, none has begun within {PATIENCE:?}"
            )));
        }
    }
    let mut lines = report.lines();
    let broken = lines.find_map(|line| {
        let (seed, said) = line.strip_prefix("seed ")?.split_once(": ")?;
        Some((seed.parse::<u64>().ok()?, said))
    });
    let Some((seed, said)) = broken else {
        // A goal that a bug keeps from being reached fails the run as well, at its end.
        let came_to_its_end = report.contains(" records accepted, ");
        return match status.filter(|status| !came_to_its_end && !status.success()) {
            None => Ok(Finding::Missed),
            Some(status) => Err(Failure::new(format!(
                "expected all seeds to run, they ended in the midst: {status}"
            ))),
        };
    };
    let violation = lines.next().filter(|line| line.starts_with("  "));
    Ok(Finding::Caught {
        seeds: seed + 1,
        said: violation.unwrap_or(said).trim().to_owned(),
    })
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Caught { seeds, said } => write!(f, "{seeds:>6}  {said}"),
            Self::Endless { seeds } => write!(f, "{seeds:>6}  a run never ended"),
            Self::Missed => write!(f, "{:>6}  nothing", "-"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    /// What is made of a report of a program that has ended with this code.
    fn found(report: &str, code: i32) -> Outcome<Finding> {
        finding(report, Some(ExitStatus::from_raw(code << 8)))
    }

    #[test]
    fn the_first_violation_of_the_first_broken_seed_is_what_was_said() {
        let report = "seed 41 begins\nseed 41: 2 violations\n  D6: record 3 is NotWritten\n";
        let caught = Finding::Caught {
            seeds: 42,
            said: "D6: record 3 is NotWritten".into(),
        };
        assert_eq!(found(report, 101).unwrap(), caught);
    }

    #[test]
    fn a_panic_is_a_finding() {
        let caught = Finding::Caught {
            seeds: 8,
            said: "a panic; replay: SIM_SEED=7".into(),
        };
        let report = "seed 7: a panic; replay: SIM_SEED=7\n\n9 records accepted";
        assert_eq!(found(report, 101).unwrap(), caught);
    }

    #[test]
    fn a_goal_that_was_not_reached_is_no_finding() {
        let report = "seed 0 begins\n9 records accepted, 9 acknowledged\n  0 Grown\n";
        assert_eq!(found(report, 101).unwrap(), Finding::Missed);
        assert_eq!(found(report, 0).unwrap(), Finding::Missed);
    }

    #[test]
    fn seeds_that_do_not_come_to_their_end_are_a_failure() {
        let failure = found("seed 0 begins\nseed 1 begins\n", 101).unwrap_err();
        let said = "expected all seeds to run, they ended in the midst: exit status: 101";
        assert_eq!(failure.to_string(), said);
        assert!(finding("", None).is_err(), "none has begun");
    }

    #[test]
    fn a_seed_that_never_ends_is_a_finding() {
        let found = finding("seed 0 begins\nseed 1 begins\n", None).unwrap();
        assert_eq!(found, Finding::Endless { seeds: 2 });
    }

    #[test]
    fn every_planted_bug_applies() {
        let root = workspace::root();
        let check = |bug: &Bug| apply(&bug.patch, &root, &["--check"]).err();
        let bugs = bugs(None).unwrap();
        let stale = bugs.iter().filter_map(|bug| Some((&bug.name, check(bug)?)));
        let stale: Vec<String> = stale.map(|(name, why)| format!("{name}: {why}")).collect();
        assert!(stale.is_empty(), "{}", stale.join("\n"));
    }

    #[test]
    fn the_page_has_a_row_for_each_bug() {
        let page = workspace::root().join("producer-sim/planted/README.md");
        let page = fs::read_to_string(page).unwrap();
        let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
        let rows: BTreeSet<&str> = rows.filter_map(|row| row.split('`').next()).collect();
        let bugs = bugs(None).unwrap();
        let bugs: BTreeSet<&str> = bugs.iter().map(|bug| &*bug.name).collect();
        assert_eq!(rows, bugs);
    }

    #[test]
    fn what_a_bug_has_added_goes_before_the_next_one() {
        let folder = tempfile::tempdir().unwrap();
        let field = Field {
            files: BTreeSet::from(["a/kept.rs".into()]),
            workspace: folder.path().into(),
            target: folder.path().join("target"),
        };
        fs::create_dir(folder.path().join("a")).unwrap();
        for file in ["a/kept.rs", "a/added.rs"] {
            fs::write(folder.path().join(file), "").unwrap();
        }
        field.remove_strangers(&field.workspace).unwrap();
        assert!(folder.path().join("a/kept.rs").exists());
        assert!(!folder.path().join("a/added.rs").exists());
    }

    #[test]
    fn a_patch_says_first_what_it_does_to_a_user() {
        assert_eq!(
            harm_of("A record is lost.\n\n--- a/x\n").unwrap(),
            "A record is lost."
        );
        assert!(harm_of("--- a/x\n+++ b/x\n").is_err());
    }
}

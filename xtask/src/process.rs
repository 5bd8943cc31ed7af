//! Other programs: run them, ask them, end them, and hear a Ctrl-C meanwhile.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::failure::{Doing, Failure, Outcome};

/// Tells whether somebody pressed Ctrl-C, or sent SIGTERM, since it was made.
///
/// From then on these signals no longer end this process, so whoever holds an `Interrupt` asks it
/// often and cleans up.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt {
    raised: Arc<AtomicBool>,
}

impl Interrupt {
    pub(crate) fn watch() -> Outcome<Self> {
        let raised = Arc::new(AtomicBool::new(false));
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&raised))
                .doing("watching for Ctrl-C")?;
        }
        Ok(Self { raised })
    }

    /// Fails once the signal came.
    pub(crate) fn check(&self) -> Outcome {
        if self.raised.load(Ordering::Relaxed) {
            return Err(Failure::new("interrupted"));
        }
        Ok(())
    }
}

/// Runs a program with this one's output and fails unless it ends well.
pub(crate) fn run(command: &mut Command) -> Outcome {
    let shown = shown(command);
    eprintln!("$ {shown}");
    let status = command.stdin(Stdio::null()).status().doing(&shown)?;
    if !status.success() {
        return Err(Failure::new(format!("{shown}: {status}")));
    }
    Ok(())
}

/// Runs a program like `run`, and takes it and all of its children along on a Ctrl-C.
pub(crate) fn run_until(command: &mut Command, interrupt: &Interrupt) -> Outcome {
    let shown = shown(command);
    let mut group = Group::start(command)?;
    loop {
        if let Some(status) = group.0.try_wait().doing(&shown)? {
            if status.success() {
                return Ok(());
            }
            return Err(Failure::new(format!("{shown}: {status}")));
        }
        interrupt.check()?;
        thread::sleep(Duration::from_millis(50));
    }
}

/// A child with a process group of its own, none of which outlives its user.
#[derive(Debug)]
pub(crate) struct Group(Child);

impl Group {
    /// Starts a program as the first of its group.
    pub(crate) fn start(command: &mut Command) -> Outcome<Self> {
        let shown = shown(command);
        eprintln!("$ {shown}");
        // What it starts can be reached through the group, and a Ctrl-C reaches it through us only.
        Ok(Self(
            command
                .stdin(Stdio::null())
                .process_group(0)
                .spawn()
                .doing(&shown)?,
        ))
    }

    /// Fails unless the program ends well within this time.
    pub(crate) fn expect_success(&mut self, limit: Duration, interrupt: &Interrupt) -> Outcome {
        let ended = holds_within(limit, || !self.is_running() || interrupt.check().is_err());
        interrupt.check()?;
        if !ended {
            return Err(Failure::new(format!("it has not ended after {limit:?}")));
        }
        let status = self.0.wait().doing("waiting for its end")?;
        if status.success() {
            return Ok(());
        }
        Err(Failure::new(format!("it ended with {status}")))
    }

    /// Sends a signal to the program itself.
    pub(crate) fn signal(&self, which: Signal) -> Outcome {
        signal(self.0.id(), which)
    }

    /// Whether the program itself still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.ended(), Ok(None))
    }

    /// How the program itself ended; nothing while it runs.
    pub(crate) fn ended(&mut self) -> Outcome<Option<ExitStatus>> {
        self.0.try_wait().doing("waiting for a program")
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Once waited for, the id may be another's; the group of one that ended is left alone.
        if !self.is_running() {
            return;
        }
        if let Some(group) = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw) {
            // It fails only if the group is gone, which is what is wanted.
            let _ = kill_process_group(group, Signal::TERM);
            if !holds_within(Duration::from_secs(5), || !self.is_running()) {
                let _ = kill_process_group(group, Signal::KILL);
            }
        }
        let _ = self.0.wait();
    }
}

/// Whether the process with this id runs and its command line names `mark`.
///
/// An id alone is not enough: after a restart of the machine it may be anybody's.
pub(crate) fn is_running(id: u32, mark: &Path) -> bool {
    let mark = mark.to_string_lossy();
    match fs::read(format!("/proc/{id}/cmdline")) {
        Ok(line) => String::from_utf8_lossy(&line).contains(&*mark),
        // A system without /proc, or no such process: ps tells them apart.
        Err(_) => Command::new("ps")
            .args(["-p", &id.to_string(), "-o", "command="])
            .output()
            .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(&*mark)),
    }
}

/// Sends a signal to a process that `is_running` vouched for.
pub(crate) fn signal(id: u32, signal: Signal) -> Outcome {
    let pid = i32::try_from(id).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| Failure::new(format!("expected a process id, got {id}")))?;
    match kill_process(pid, signal) {
        // It ended on its own just now: what was wanted.
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(Failure::new(format!(
            "sending {signal:?} to process {id}: {error}"
        ))),
    }
}

/// Looks every 50 ms whether something holds, for as long as `patience` lasts.
pub(crate) fn holds_within(patience: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while !holds() {
        if patience <= start.elapsed() {
            return false;
        }
        thread::sleep(Duration::from_millis(50));
    }
    true
}

/// The command line as a person would type it.
fn shown(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(
        command
            .get_args()
            .map(|word| word.to_string_lossy().into_owned()),
    );
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_its_command_line_and_not_by_its_id() {
        let mut child = Command::new("sleep").arg("61.5").spawn().unwrap();

        let up = || is_running(child.id(), Path::new("61.5"));
        assert!(holds_within(Duration::from_secs(10), up));
        assert!(!is_running(child.id(), Path::new("kafka.Kafka")));

        signal(child.id(), Signal::KILL).unwrap();
        child.wait().unwrap();
        assert!(!is_running(child.id(), Path::new("61.5")));
    }

    #[test]
    fn a_failed_program_is_named_with_its_status() {
        let failure = run(Command::new("sh").args(["-c", "exit 3"])).unwrap_err();
        assert_eq!(failure.to_string(), "sh -c exit 3: exit status: 3");
    }

    #[test]
    fn a_group_ends_with_its_user_and_so_do_its_children() {
        let folder = tempfile::tempdir().unwrap();
        let mark = folder.path().join("mark");
        let script = format!("sleep 62.5 & echo $! > {}; wait", mark.display());
        let group = Group::start(Command::new("sh").args(["-c", &script])).unwrap();
        let child = || fs::read_to_string(&mark).ok()?.trim().parse::<u32>().ok();
        let is_up = || child().is_some_and(|id| is_running(id, Path::new("62.5")));
        assert!(holds_within(Duration::from_secs(10), is_up));

        drop(group);
        assert!(holds_within(Duration::from_secs(10), || !is_up()));
    }
}

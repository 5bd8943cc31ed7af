//! Runs every bench in a process of its own and prints one table.

use std::env;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// Instructions are the difference of two runs, so that start and warm-up cancel out.
const SHORT: u64 = 50_000;
const LONG: u64 = 250_000;
/// CPU and heap calls are taken from a run at full speed.
const TIMED: u64 = 2_000_000;

/// What a bench told.
struct Cost {
    cpu_ns: String,
    heap_calls: String,
}

pub(crate) fn run() -> Result<(), String> {
    let broker = NullBroker::start()?;
    println!("100-byte records, no codec, acks=all, idempotent, 4 partitions, 16 KiB batches");
    println!(
        "{:<28} {:>14} {:>12} {:>10}",
        "", "instructions", "heap calls", "CPU ns"
    );
    row("machine alone", &["machine"], &[])?;
    for form in ["send", "send_all", "detached", "threads"] {
        row(
            &format!("road: {form}"),
            &["road", form],
            &[broker.address.as_str()],
        )?;
    }
    Ok(())
}

fn row(name: &str, before: &[&str], after: &[&str]) -> Result<(), String> {
    let instructions = match (
        callgrind(before, SHORT, after)?,
        callgrind(before, LONG, after)?,
    ) {
        (Some(short), Some(long)) => {
            format!(
                "{:.0}",
                long.saturating_sub(short) as f64 / (LONG - SHORT) as f64
            )
        }
        _ => "no valgrind".into(),
    };
    let Cost { cpu_ns, heap_calls } = timed(before, after)?;
    println!("{name:<28} {instructions:>14} {heap_calls:>12} {cpu_ns:>10}");
    Ok(())
}

/// Instructions of a whole run in user space; `None` where valgrind is missing.
fn callgrind(before: &[&str], records: u64, after: &[&str]) -> Result<Option<u64>, String> {
    let mut command = Command::new("valgrind");
    command
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(itself()?);
    command.args(before).arg(records.to_string()).args(after);
    let Ok(output) = command.output() else {
        return Ok(None);
    };
    let said = String::from_utf8_lossy(&output.stderr);
    let collected = said
        .lines()
        .find_map(|line| line.split("Collected : ").nth(1));
    match collected.and_then(|number| number.trim().parse().ok()) {
        Some(instructions) if output.status.success() => Ok(Some(instructions)),
        _ => Err(format!("callgrind told nothing:\n{said}")),
    }
}

fn timed(before: &[&str], after: &[&str]) -> Result<Cost, String> {
    let mut command = Command::new(itself()?);
    let output = command
        .args(before)
        .arg(TIMED.to_string())
        .args(after)
        .output()
        .map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stdout);
    let value = |key: &str| {
        said.split_whitespace()
            .find_map(|word| word.strip_prefix(key))
            .map(str::to_owned)
    };
    match (value("cpu_ns="), value("heap_calls=")) {
        (Some(cpu_ns), Some(heap_calls)) => Ok(Cost { cpu_ns, heap_calls }),
        _ => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

fn itself() -> Result<std::path::PathBuf, String> {
    env::current_exe().map_err(|error| error.to_string())
}

/// A null broker in a process of its own: its instructions are not the client's.
struct NullBroker {
    child: Child,
    address: String,
}

impl NullBroker {
    fn start() -> Result<Self, String> {
        let mut child = Command::new(itself()?)
            .arg("null-broker")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let mut address = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout)
                .read_line(&mut address)
                .map_err(|error| error.to_string())?;
        }
        Ok(Self {
            child,
            address: address.trim().to_owned(),
        })
    }
}

impl Drop for NullBroker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

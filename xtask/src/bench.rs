//! What a record costs us, alone or in one run with other clients.
//!
//! Next to others, every client runs once in each round, in a process of its own that measures
//! its own CPU after a warm-up; what the broker spends counts for nobody. Clients are compared
//! within a round, since a machine is faster in one minute than in the next.
//! Nobody needs the others for anything else: they are built here only, and whichever cannot be
//! is named and left out.

mod peer;
mod table;

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::bench::peer::Peer;
use crate::bench::table::Table;
use crate::failure::{Doing, Failure, Outcome};
use crate::process;
use crate::workspace;

/// How clients are compared.
#[derive(clap::Args, Debug)]
pub(crate) struct Comparison {
    /// Compare with librdkafka, franz-go and Java's producer in one run
    #[arg(long)]
    peers: bool,
    /// How often every client runs; the least CPU counts
    #[arg(long, requires = "peers", default_value_t = 5,
          value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// How many records each run sends, besides a warm-up
    #[arg(long, requires = "peers", default_value_t = 2_000_000,
          value_parser = clap::value_parser!(u64).range(1..))]
    records: u64,
    /// Bytes of a batch (repeatable)
    #[arg(long, requires = "peers", default_values_t = [16_384, 1_000_000])]
    batch_size: Vec<u32>,
    /// A cluster instead of the broker that discards; it gets a topic `bench` of 4 partitions
    #[arg(long, requires = "peers")]
    bootstrap_server: Option<String>,
}

/// How many records may be on their way: enough for batches of a megabyte to become full.
const OUTSTANDING: u32 = 100_000;

/// Counts instructions, heap calls and CPU per record, or compares CPU with other clients.
pub(crate) fn run(comparison: &Comparison, arguments: &[String]) -> Outcome {
    if comparison.peers {
        return compare(comparison);
    }
    let mut cargo = Command::new("cargo");
    cargo.current_dir(workspace::root());
    cargo.args(["run", "--release", "--package", "benches", "--"]);
    process::run(cargo.args(arguments))
}

fn compare(comparison: &Comparison) -> Outcome {
    let peers = peer::build_all()?;
    for &batch_size in &comparison.batch_size {
        println!(
            "\n100-byte records, no codec, acks=all, idempotent, 4 partitions, batches of \
             {batch_size} bytes, linger 5 ms, {} records, {} rounds",
            comparison.records, comparison.rounds
        );
        let mut table = Table::new(peers.iter().map(Peer::name));
        for round in 1..=comparison.rounds {
            for (row, peer) in peers.iter().enumerate() {
                eprintln!("round {round}: {}", peer.name());
                table.enter(row, measure(peer, comparison, batch_size)?);
            }
        }
        print!("{table}");
    }
    Ok(())
}

/// What one run of a client told, and the broker of it.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    /// Nanoseconds of the client's CPU a record.
    cpu: f64,
    /// Records a second.
    speed: f64,
    /// Bytes in a batch and batches in a request, where the broker counted them.
    fill: Option<(f64, f64)>,
}

fn measure(peer: &Peer, comparison: &Comparison, batch_size: u32) -> Outcome<Run> {
    let (broker, address) = match &comparison.bootstrap_server {
        Some(servers) => (None, servers.clone()),
        None => {
            let (broker, address) = NullBroker::start()?;
            (Some(broker), address)
        }
    };
    let mut client = peer.command();
    client.arg(comparison.records.to_string()).arg(address);
    client.env("BENCH_BATCH_SIZE", batch_size.to_string());
    client.env("BENCH_LINGER_MS", "5");
    client.env("BENCH_OUTSTANDING", OUTSTANDING.to_string());
    client.stdin(Stdio::null());
    let output = client.output().doing(peer.name())?;
    let said = String::from_utf8_lossy(&output.stdout);
    let (Some(cpu), Some(seconds)) = (value(&said, "cpu_ns="), value(&said, "seconds=")) else {
        let complaint = String::from_utf8_lossy(&output.stderr);
        let message = format!("{} told no cost: {}", peer.name(), complaint.trim());
        return Err(Failure::new(message));
    };
    Ok(Run {
        cpu,
        speed: comparison.records as f64 / seconds,
        fill: broker.map(NullBroker::finish).transpose()?,
    })
}

/// The number behind this key, in a line of `key=number` words.
fn value(text: &str, key: &str) -> Option<f64> {
    let mut words = text.split_whitespace();
    words.find_map(|word| word.strip_prefix(key)?.parse().ok())
}

/// The broker that discards, in a process of its own for each run.
struct NullBroker {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl NullBroker {
    /// The broker and where it listens.
    fn start() -> Outcome<(Self, String)> {
        let mut command = Command::new(peer::benches());
        command.arg("null-broker");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().doing("starting the broker that discards")?;
        let stdout = child.stdout.take();
        let stdout = stdout.ok_or_else(|| Failure::new("the broker has no stdout"))?;
        let mut broker = Self {
            child,
            stdout: BufReader::new(stdout),
        };
        let mut address = String::new();
        let read = broker.stdout.read_line(&mut address);
        read.doing("reading where the broker listens")?;
        Ok((broker, address.trim().to_owned()))
    }

    /// Ends it; it tells the bytes in a batch and the batches in a request.
    fn finish(mut self) -> Outcome<(f64, f64)> {
        drop(self.child.stdin.take());
        let mut said = String::new();
        let read = self.stdout.read_to_string(&mut said);
        read.doing("reading what the broker discarded")?;
        let counts = || {
            let [requests, batches, bytes] =
                ["requests=", "batches=", "bytes="].map(|key| value(&said, key));
            Some((bytes? / batches?, batches? / requests?))
        };
        counts().ok_or_else(|| Failure::new(format!("the broker told no counts: {said}")))
    }
}

impl Drop for NullBroker {
    fn drop(&mut self) {
        // Both fail only if it has ended, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_is_found_among_other_words() {
        let said = "warming up\ncost cpu_ns=181.5 heap_calls=0.006 seconds=0.925\n";
        assert_eq!(value(said, "cpu_ns="), Some(181.5));
        assert_eq!(value(said, "seconds="), Some(0.925));
        assert_eq!(value(said, "batches="), None);
    }
}

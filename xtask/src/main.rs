//! The project's own chores, as `cargo xtask CHORE`.

#![allow(clippy::print_stdout, reason = "a command's answers go to stdout")]

mod bench;
#[cfg(test)]
mod book;
#[cfg(test)]
mod edge_cases;
mod examples;
mod failure;
mod kafka;
mod msrv;
mod no_std;
mod planted;
mod ports;
mod process;
mod suites;
mod tidy;
mod workspace;

use std::ops::RangeInclusive;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::bench::Comparison;
use crate::failure::{Failure, Outcome};
use crate::kafka::{Cluster, Plan, USUAL_PORT, Version};
use crate::process::Interrupt;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The project's own chores")]
enum Chore {
    /// Apache Kafka on loopback, for tests and for trying things out
    #[command(subcommand)]
    Kafka(KafkaChore),
    /// The suites that need other programs
    #[command(subcommand)]
    Test(Suite),
    /// Run the simulator with many seeds
    Seeds {
        /// How many
        #[arg(long, default_value_t = 2000)]
        count: u32,
    },
    /// Count instructions, heap calls and CPU per record
    Bench {
        #[command(flatten)]
        comparison: Comparison,
        /// What the benches are given
        #[arg(last = true, conflicts_with = "peers")]
        arguments: Vec<String>,
    },
    /// Do all that CI does
    Ci,
    /// Build what is published with the oldest Rust that it promises
    Msrv {
        /// Install the toolchains that are missing, and build nothing
        #[arg(long)]
        fetch_only: bool,
    },
    /// Show that protocol and machine need no standard library
    NoStd,
    /// Check what formatter and clippy do not: lengths, headers, leftovers
    Tidy,
}

#[derive(Subcommand)]
enum KafkaChore {
    /// Fetch it, start it, wait until it is ready, print its bootstrap servers
    Start(Shape),
    /// End every node
    Stop,
    /// Print each node's process id and whether it is up
    Status,
    /// End nodes as a crash would, with SIGKILL
    Kill {
        /// A node, counted from 1 (repeatable)
        #[arg(long, required = true)]
        node: Vec<u16>,
    },
    /// Start nodes again and wait until all are in sync
    Restart {
        /// A node, counted from 1 (repeatable)
        #[arg(long, required = true)]
        node: Vec<u16>,
    },
}

#[derive(Subcommand)]
enum Suite {
    /// Our producer against Apache Kafka, three brokers of it unless such a cluster runs already
    RealKafka {
        /// The release: 2.8.x, or 3.9.0 or newer
        #[arg(long, default_value = "4.3.1")]
        version: Version,
        /// What the test program is given
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// The simulator against a producer with bugs planted, each of which it must find
    Planted {
        /// With so many seeds at most
        #[arg(long, default_value_t = 3000)]
        seeds: u32,
        /// Only bugs with this in their name
        #[arg(long)]
        only: Option<String>,
    },
    /// Our producer while brokers die, topics go and the network is hostile
    Hardship {
        /// The release: 2.8.x, or 3.9.0 or newer
        #[arg(long, default_value = "4.3.1")]
        version: Version,
        /// What the test program is given
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Every example against the simulated cluster
    Examples,
    /// Python's clients against the simulated cluster
    Peers {
        /// Against this cluster instead, which should behave the same
        #[arg(long)]
        bootstrap_server: Option<String>,
        /// What pytest is given
        #[arg(last = true)]
        arguments: Vec<String>,
    },
}

/// Ports that need no rights and leave room for the other nodes.
const PORTS: RangeInclusive<i64> = 1024..=65000;

#[derive(Args)]
struct Shape {
    /// How many nodes, each broker and controller at once
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=9))]
    brokers: u16,
    /// The release: 2.8.x, or 3.9.0 or newer
    #[arg(long, default_value = "4.3.1")]
    version: Version,
    /// The first broker's port; the other brokers and the controllers take those after it
    #[arg(long, default_value_t = USUAL_PORT, value_parser = clap::value_parser!(u16).range(PORTS))]
    port: u16,
    /// A line for every server.properties
    #[arg(long = "config", value_name = "KEY=VALUE")]
    settings: Vec<String>,
}

fn main() -> ExitCode {
    match run(Chore::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(chore: Chore) -> Outcome {
    match chore {
        Chore::Kafka(chore) => run_kafka(chore),
        Chore::Test(Suite::RealKafka { version, arguments }) => {
            suites::real_kafka(version, &arguments)
        }
        Chore::Test(Suite::Planted { seeds, only }) => planted::test(seeds, only.as_deref()),
        Chore::Test(Suite::Hardship { version, arguments }) => {
            suites::hardship(version, &arguments)
        }
        Chore::Test(Suite::Examples) => examples::run(),
        Chore::Test(Suite::Peers {
            bootstrap_server,
            arguments,
        }) => suites::peers(bootstrap_server, &arguments),
        Chore::Seeds { count } => suites::seeds(count),
        Chore::Bench {
            comparison,
            arguments,
        } => bench::run(&comparison, &arguments),
        Chore::Ci => suites::ci(),
        Chore::Msrv { fetch_only: true } => msrv::fetch(),
        Chore::Msrv { fetch_only: false } => msrv::check(),
        Chore::NoStd => no_std::check(),
        Chore::Tidy => tidy::check(),
    }
}

fn run_kafka(chore: KafkaChore) -> Outcome {
    match chore {
        KafkaChore::Start(Shape {
            brokers,
            version,
            port,
            settings,
        }) => {
            let plan = Plan {
                version,
                brokers,
                port,
                settings,
            };
            let cluster = Cluster::start(plan, &Interrupt::watch()?)?;
            println!("bootstrap={}", cluster.bootstrap());
            Ok(())
        }
        KafkaChore::Stop => match Cluster::known()? {
            Some(cluster) => cluster.stop(),
            None => Ok(()),
        },
        KafkaChore::Status => match Cluster::known()? {
            Some(cluster) => {
                print!("bootstrap={}\n{}", cluster.bootstrap(), cluster.status());
                Ok(())
            }
            None => {
                println!("no cluster was started here");
                Ok(())
            }
        },
        KafkaChore::Kill { node } => started()?.kill(&node),
        KafkaChore::Restart { node } => started()?.restart(&node, &Interrupt::watch()?),
    }
}

fn started() -> Outcome<Cluster> {
    let none = || Failure::new("no cluster was started here, cargo xtask kafka start does it");
    Cluster::known()?.ok_or_else(none)
}

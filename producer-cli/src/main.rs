//! The `kafka-producer` command: produce lines, measure, serve a simulated cluster, list
//! the settings.
//!
//! ```text
//! args ──> settings ──> Config ──> Engine (the producer) ──> reports on stdout and stderr
//!             └──> embedded cluster, if no broker is named
//! ```
//!
//! Exit codes: 0 all was delivered, 1 something was not, 2 wrong usage or configuration,
//! 130 after Ctrl-C or SIGTERM.
//! Data goes to stdout, everything for people to stderr.

mod args;
mod broker;
mod config;
mod embedded;
mod engine;
mod explain;
mod failure;
mod interrupt;
mod perf;
mod produce;
mod settings;
mod words;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};

fn main() -> ExitCode {
    let outcome = match Args::parse().command {
        Command::Broker(args) => broker::run(&args),
        Command::Config(args) => config::run(&args),
        Command::Perf(args) => perf::run(&args),
        Command::Produce(args) => produce::run(&args),
    };
    outcome.unwrap_or_else(|failure| {
        eprintln!("error: {failure}");
        failure.exit_code()
    })
}

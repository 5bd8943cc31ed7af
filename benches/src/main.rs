//! What a record costs: instructions, heap calls and CPU, for the machine alone and for the whole
//! road into a server that discards.
//!
//! `report` runs everything: instructions under callgrind as the difference of a long and a short
//! run, which repeats within 2 % under any load; heap calls exactly; CPU as the clock of the
//! process tells it, which is only worth comparing within one run.
#![allow(clippy::print_stdout, reason = "a report is for standard output")]

mod load;
mod machine_alone;
mod null_broker;
mod report;
mod road;

use std::alloc::System;
use std::env;
use std::process::ExitCode;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static COUNTING: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const USAGE: &str = "usage: benches report | null-broker | machine N | road FORM N ADDRESS";

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = match args.as_slice() {
        [] | ["report"] => report::run(),
        ["null-broker"] => null_broker::run(),
        ["machine", records] => count(records).map(machine_alone::run),
        ["road", form, records, address] => {
            count(records).and_then(|records| road::run(form, records, address))
        }
        _ => Err(USAGE.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("benches: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn count(text: &str) -> Result<u64, String> {
    text.parse()
        .map_err(|_| format!("a number of records was expected, {text} came"))
}

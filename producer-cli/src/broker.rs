//! `broker`: the simulated cluster on loopback, until a signal comes.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::process::ExitCode;

use kafka_producer_sim::serve::{Server, ServerConfig};

use crate::args::BrokerArgs;
use crate::failure::Failure;
use crate::interrupt::Interrupts;

/// Serves until Ctrl-C or SIGTERM.
pub(crate) fn run(args: &BrokerArgs) -> Result<ExitCode, Failure> {
    check(args)?;
    let mut config = ServerConfig::default();
    config.brokers = args.brokers;
    config.port = args.port;
    config.topics.clone_from(&args.topics);
    if args.no_auto_create_topics {
        config.auto_create_partitions = None;
    }
    config.retention_bytes = args.retention_bytes.unwrap_or(config.retention_bytes);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::World(format!("signals cannot be caught: {error}")))?;
    // Whoever reads the address may send the signal at once.
    let mut interrupts = runtime.block_on(async { Interrupts::listen() })?;

    let server = Server::start(config).map_err(|error| {
        Failure::World(format!(
            "the cluster cannot be served (see --port): {error}"
        ))
    })?;
    writeln!(io::stdout(), "{}", server.bootstrap())
        .map_err(|error| Failure::World(format!("stdout cannot be written: {error}")))?;
    runtime.block_on(interrupts.next());
    drop(server);
    Ok(ExitCode::SUCCESS)
}

/// What no flag can see alone.
fn check(args: &BrokerArgs) -> Result<(), Failure> {
    let mut names = BTreeSet::new();
    for (name, _) in &args.topics {
        if !names.insert(name) {
            return Err(Failure::Usage(format!(
                "--topic names {name} twice: name each topic once"
            )));
        }
    }
    let last = u32::from(args.port) + args.brokers - 1;
    if args.port != 0 && u32::from(u16::MAX) < last {
        return Err(Failure::Usage(format!(
            "--port {} leaves no port for the last of {} brokers: expected at most {}",
            args.port,
            args.brokers,
            u32::from(u16::MAX) + 1 - args.brokers
        )));
    }
    Ok(())
}

//! `perf`: how fast records get there, measured as Kafka's `kafka-producer-perf-test` does.
//!
//! ```text
//! payloads ──> run ──> Engine ──> callbacks ──> board (stats) ──> printer thread ──> stdout
//! ```

mod board;
mod metrics;
mod payload;
mod run;
mod stats;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::args::PerfArgs;
use crate::embedded::Embedded;
use crate::engine::{self, Progress, counted};
use crate::explain::{self, Questions};
use crate::failure::Failure;
use crate::interrupt::Interrupts;

use board::Board;
use payload::Payloads;
use run::{End, Plan};

/// Sends the records and says how it went.
pub(crate) fn run(args: &PerfArgs) -> Result<ExitCode, Failure> {
    if args.num_records <= args.warmup_records {
        return Err(Failure::Usage(format!(
            "--warmup-records is {}: expected fewer than --num-records, which is {}",
            args.warmup_records, args.num_records
        )));
    }
    let payloads = Payloads::new(args)?;
    let mut settings = args.settings()?;
    let cluster = if settings.has("bootstrap.servers") {
        None
    } else {
        let cluster = Embedded::start(&args.topic)?;
        settings.set("bootstrap.servers", &cluster.bootstrap());
        Some(cluster)
    };
    let servers = settings.value("bootstrap.servers").unwrap_or_default();
    let config = settings.into_config()?;
    if let Some(cluster) = &cluster {
        cluster.announce();
    }

    let bar = progress(args.num_records);
    let interval = Duration::from_millis(args.reporting_interval);
    let stopped = |error| Failure::World(format!("a thread cannot be started: {error}"));
    let (board, printer) =
        Board::start(Instant::now(), interval, args.output, bar.clone()).map_err(stopped)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(stopped)?;
    let plan = Plan {
        args,
        payloads,
        board: Arc::clone(&board),
        bar: bar.clone(),
        patience: engine::patience(&config),
    };
    let end = runtime.block_on(async {
        let (interrupts, questions) = (Interrupts::listen()?, Questions::listen()?);
        let producer = engine::start(config)?;
        let look = || {
            if args.print_metrics {
                board.keep(producer.metrics());
            }
        };
        let work = run::run(&producer, plan, &look, interrupts);
        let work = explain::answering(&producer, questions, work);
        let progress = || Progress {
            sent: true,
            resolved: board.resolved(),
        };
        Ok::<_, Failure>(engine::watched(&producer, &args.topic, &servers, progress, work).await)
    })?;

    bar.finish_and_clear();
    let failed = board.finish(Instant::now());
    drop(board);
    if !matches!(end, End::Abandoned { .. }) {
        // It has printed everything once the board is gone.
        let _ = printer.join();
    }
    runtime.shutdown_background();
    if let Some(cluster) = cluster {
        cluster.list(&args.topic);
    }
    Ok(conclude(end, failed))
}

/// Says how it ended, on stderr and as an exit code.
fn conclude(end: End, failed: u64) -> ExitCode {
    match end {
        End::Abandoned { unresolved: 0 } => {
            eprintln!("ended at once");
            ExitCode::from(130)
        }
        End::Abandoned { unresolved } => {
            eprintln!(
                "ended at once: {} without an outcome, each may have been written",
                counted(unresolved, "record")
            );
            ExitCode::from(130)
        }
        End::Interrupted => ExitCode::from(130),
        End::Finished if failed == 0 => ExitCode::SUCCESS,
        End::Finished | End::OutputClosed => ExitCode::from(1),
    }
}

/// A bar on stderr, if that is a terminal.
fn progress(records: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(records), ProgressDrawTarget::stderr());
    match ProgressStyle::with_template("{bar:40} {human_pos}/{human_len} {per_sec} {eta}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

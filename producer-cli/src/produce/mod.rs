//! `produce`: each line of the input becomes a record.
//!
//! ```text
//! stdin ──> reader thread ──> writer ──> Engine ──> callbacks ──> reporter thread ──> stdout
//! ```

mod reader;
mod report;
mod writer;

use std::fs::File;
use std::io::{self, BufReader, IsTerminal, Read, Write};
use std::process::ExitCode;
use std::thread;

use tokio::sync::mpsc;

use crate::args::{Output, ProduceArgs};
use crate::embedded::Embedded;
use crate::engine::{self, counted};
use crate::explain::{self, Questions};
use crate::failure::Failure;
use crate::interrupt::Interrupts;

use reader::{BadLine, Line, LineFormat, LineReader};
use report::{Reporter, Tally, first_lines, more};
use writer::{End, Job};

/// Lines that were read together.
type Lines = io::Result<Vec<Result<Line, BadLine>>>;

/// Produces every line, and says what became of it.
pub(crate) fn run(args: &ProduceArgs) -> Result<ExitCode, Failure> {
    let format = LineFormat::from_settings(&args.reader_settings()?)?;
    let mut settings = args.settings()?;
    let cluster = match (args.embedded, settings.has("bootstrap.servers")) {
        (true, true) => {
            return Err(Failure::Usage(
                "--embedded and bootstrap.servers exclude each other: name a cluster or use the \
                 simulated one"
                    .to_string(),
            ));
        }
        (false, false) => {
            return Err(Failure::Usage(
                "no broker is named: write --bootstrap-server HOST:PORT, or --embedded for a \
                 simulated cluster that forgets everything at the end"
                    .to_string(),
            ));
        }
        (true, false) => {
            let cluster = Embedded::start(&args.topic)?;
            settings.set("bootstrap.servers", &cluster.bootstrap());
            Some(cluster)
        }
        (false, true) => None,
    };
    let servers = settings.value("bootstrap.servers").unwrap_or_default();
    let config = settings.into_config()?;
    let input = open(args)?;
    if let Some(cluster) = &cluster {
        cluster.announce();
    }
    let lines = read(LineReader::new(
        BufReader::with_capacity(1 << 16, input),
        format,
        config.max_request_size(),
    ))?;

    let stopped = |error| Failure::World(format!("a thread cannot be started: {error}"));
    let (reporter, printer) =
        Reporter::start(&args.topic, args.output, io::stdout()).map_err(stopped)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(stopped)?;
    let end = runtime.block_on(async {
        let (interrupts, questions) = (Interrupts::listen()?, Questions::listen()?);
        let patience = engine::patience(&config);
        let producer = engine::start(config)?;
        let job = Job::new(args, patience);
        let progress = || reporter.progress();
        let work = writer::write(&producer, &job, lines, &reporter, interrupts);
        let work = explain::answering(&producer, questions, work);
        Ok::<_, Failure>(engine::watched(&producer, &args.topic, &servers, progress, work).await)
    })?;

    let code = conclude(args.output, &end, &reporter.tally());
    if !matches!(end, End::Abandoned) {
        drop(reporter);
        // It has printed everything once it is gone.
        let _ = printer.join();
    }
    runtime.shutdown_background();
    drop(cluster);
    Ok(code)
}

/// Says how it ended, on stderr and as an exit code.
fn conclude(output: Output, end: &End, tally: &Tally) -> ExitCode {
    if output == Output::Text {
        more(&tally.failures).for_each(|more| eprintln!("{more}"));
    }
    match end {
        End::Abandoned if tally.unresolved.is_empty() => eprintln!("ended at once"),
        End::Abandoned => {
            eprintln!(
                "ended at once: {} without an outcome, each may have been written: {}",
                counted(tally.unresolved.len() as u64, "line"),
                first_lines(&tally.unresolved)
            );
        }
        End::BadLine(number) => eprintln!(
            "error: line {number} is not in the format: nothing after line {number} is sent"
        ),
        End::InputFailed(error) => eprintln!("error: the input cannot be read: {error}"),
        End::Finished | End::Interrupted | End::OutputClosed => {}
    }
    let unresolved = match tally.unresolved.len() {
        0 => String::new(),
        count => format!(", {count} unresolved"),
    };
    eprintln!(
        "{} delivered, {} failed{unresolved}",
        tally.delivered, tally.failed
    );
    match end {
        End::Abandoned | End::Interrupted => ExitCode::from(130),
        End::Finished if tally.failed == 0 => ExitCode::SUCCESS,
        End::BadLine(_) | End::Finished | End::InputFailed(_) | End::OutputClosed => {
            ExitCode::from(1)
        }
    }
}

fn open(args: &ProduceArgs) -> Result<Box<dyn Read + Send>, Failure> {
    match &args.file {
        Some(path) if path.as_os_str() != "-" => match File::open(path) {
            Ok(file) => Ok(Box::new(file)),
            Err(error) => Err(Failure::Usage(format!(
                "{} cannot be read: {error}",
                path.display()
            ))),
        },
        _ if io::stdin().is_terminal() && args.output == Output::Text => {
            Ok(Box::new(Prompted { stdin: io::stdin() }))
        }
        _ => Ok(Box::new(io::stdin())),
    }
}

/// A terminal that shows `>` before it waits for a line, as Kafka's console producer does.
struct Prompted {
    stdin: io::Stdin,
}

impl Read for Prompted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut stdout = io::stdout();
        if stdout.is_terminal() {
            stdout.write_all(b">")?;
            stdout.flush()?;
        }
        self.stdin.read(buffer)
    }
}

/// Reads on a thread of its own, since reading a terminal cannot be given up.
fn read(
    mut reader: LineReader<BufReader<Box<dyn Read + Send>>>,
) -> Result<mpsc::Receiver<Lines>, Failure> {
    let (sender, lines) = mpsc::channel(READ_AHEAD);
    let work = move || {
        loop {
            let batch = read_batch(&mut reader);
            let over = !matches!(&batch, Ok(batch) if !batch.is_empty());
            if sender.blocking_send(batch).is_err() || over {
                return;
            }
        }
    };
    thread::Builder::new()
        .name("reader".to_string())
        .spawn(work)
        .map(|_| lines)
        .map_err(|error| Failure::World(format!("a thread cannot be started: {error}")))
}

/// Waits for one line and takes those that came with it. Empty at the end of the input.
fn read_batch(reader: &mut LineReader<BufReader<Box<dyn Read + Send>>>) -> Lines {
    let mut batch = Vec::new();
    while let Some(line) = reader.next()? {
        batch.push(line);
        if BATCH <= batch.len() || !reader.has_line() {
            break;
        }
    }
    Ok(batch)
}

/// How many lines travel together at most.
const BATCH: usize = 256;
/// How many of such batches are read before the first is sent.
const READ_AHEAD: usize = 8;

//! Lines to records to the producer, until the input ends or somebody says stop.

use std::io;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use kafka_producer::{ErrorCode, Header, Outcome, Record};

use super::Lines;
use super::reader::{BadLine, Fault, Line};
use super::report::Reporter;
use crate::args::ProduceArgs;
use crate::engine::{self, Engine, Undelivered};
use crate::interrupt::{self, Interrupts};

/// What every record has in common.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    topic: String,
    partition: Option<u32>,
    headers: Vec<(String, String)>,
    pace: Pace,
    /// How long sent lines may still travel after a signal.
    patience: Duration,
}

/// When the next line is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    /// After the outcome of the one before.
    OneByOne,
    /// As soon as there is room.
    Streaming,
}

/// Why it ended. Everything sent is resolved, except perhaps after `Abandoned`.
#[derive(Debug)]
pub(crate) enum End {
    /// A second signal came.
    Abandoned,
    /// The line with this number is not in the format.
    BadLine(u64),
    Finished,
    InputFailed(io::Error),
    /// A signal came.
    Interrupted,
    /// Nobody reads stdout any more.
    OutputClosed,
}

/// Whether to go on with the next line.
enum Step {
    Next,
    Stop(End),
}

impl Job {
    pub(crate) fn new(args: &ProduceArgs, patience: Duration) -> Self {
        Self {
            topic: args.topic.clone(),
            partition: args.partition,
            headers: args.headers.clone(),
            pace: if args.sync {
                Pace::OneByOne
            } else {
                Pace::Streaming
            },
            patience,
        }
    }
}

/// Sends every line and waits until all are resolved.
pub(crate) async fn write(
    engine: &impl Engine,
    job: &Job,
    lines: mpsc::Receiver<Lines>,
    reporter: &Reporter,
    mut interrupts: Interrupts,
) -> End {
    let mut end = send_all(engine, job, lines, reporter, &mut interrupts).await;
    if !matches!(end, End::Interrupted) {
        let finish = async {
            engine.flush().await;
            // A record is resolved a moment before its callback is called.
            reporter.settled().await;
            engine.close(CLOSE_LIMIT).await;
        };
        tokio::select! {
            biased;
            () = finish => return end,
            () = interrupts.next() => end = End::Interrupted,
        }
    }
    eprintln!(
        "{}",
        interrupt::announcement(
            job.patience,
            reporter.tally().unresolved.len() as u64,
            "line"
        )
    );
    let finish = async {
        engine.close(job.patience).await;
        reporter.settled().await;
    };
    tokio::select! {
        biased;
        () = finish => return end,
        () = interrupts.next() => {}
    }
    engine::abandon(engine).await;
    reporter.abandon();
    // Whoever reads stdout may be slow; the end does not wait for long.
    let _ = tokio::time::timeout(engine::GRACE, reporter.settled()).await;
    End::Abandoned
}

async fn send_all(
    engine: &impl Engine,
    job: &Job,
    mut lines: mpsc::Receiver<Lines>,
    reporter: &Reporter,
    interrupts: &mut Interrupts,
) -> End {
    loop {
        let batch = tokio::select! {
            biased;
            () = interrupts.next() => return End::Interrupted,
            () = reporter.output_closed() => return End::OutputClosed,
            batch = lines.recv() => batch,
        };
        let batch = match batch {
            None => return End::Finished,
            Some(Ok(batch)) if batch.is_empty() => return End::Finished,
            Some(Ok(batch)) => batch,
            Some(Err(error)) => return End::InputFailed(error),
        };
        for line in batch {
            match take(engine, job, line, reporter, interrupts).await {
                Step::Next => {}
                Step::Stop(end) => return end,
            }
        }
    }
}

async fn take(
    engine: &impl Engine,
    job: &Job,
    line: Result<Line, BadLine>,
    reporter: &Reporter,
    interrupts: &mut Interrupts,
) -> Step {
    let line = match line {
        Ok(line) => line,
        Err(bad) => {
            reporter.open(bad.number).await;
            reporter.resolve(bad.number, Err(refused(bad.fault, bad.problem)));
            return match bad.fault {
                Fault::Malformed => Step::Stop(End::BadLine(bad.number)),
                Fault::TooLong => Step::Next,
            };
        }
    };

    tokio::select! {
        biased;
        () = reporter.open(line.number) => {}
        () = interrupts.next() => return Step::Stop(End::Interrupted),
    }
    let (resolved, outcome) = oneshot::channel();
    let sent = tokio::select! {
        biased;
        sent = send(engine, job, &line, reporter, resolved) => sent,
        () = interrupts.next() => {
            reporter.withdraw(line.number);
            return Step::Stop(End::Interrupted);
        }
    };
    if let Err(error) = sent {
        reporter.resolve(line.number, Err(error));
        return Step::Next;
    }
    if job.pace == Pace::OneByOne {
        tokio::select! {
            biased;
            _ = outcome => {}
            () = interrupts.next() => return Step::Stop(End::Interrupted),
        }
    }
    Step::Next
}

async fn send(
    engine: &impl Engine,
    job: &Job,
    line: &Line,
    reporter: &Reporter,
    resolved: oneshot::Sender<()>,
) -> Result<(), Undelivered> {
    let own = line.headers().map(|(key, value)| Header { key, value });
    let common = job.headers.iter().map(|(key, value)| Header {
        key: key.as_str(),
        value: Some(value.as_bytes()),
    });
    let headers: Vec<Header<'_>> = own.chain(common).collect();
    let mut record = Record::to(job.topic.as_str()).headers(&headers);
    record.partition = job.partition;
    record.key = line.key();
    record.value = line.value();

    let (number, reporter) = (line.number, reporter.clone());
    engine
        .send(&record, move |outcome| {
            reporter.resolve(number, outcome);
            // Nobody waits for it unless lines go one by one.
            let _ = resolved.send(());
        })
        .await
}

/// A line that never became a record.
fn refused(fault: Fault, message: String) -> Undelivered {
    let code = match fault {
        Fault::Malformed => ErrorCode::INVALID_RECORD,
        Fault::TooLong => ErrorCode::MESSAGE_TOO_LARGE,
    };
    Undelivered {
        partition: None,
        name: code.name(),
        code: Some(code.0),
        message,
        outcome: Outcome::NotWritten,
    }
}

/// How long closing may take once everything is resolved: connections are closed, no more.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;

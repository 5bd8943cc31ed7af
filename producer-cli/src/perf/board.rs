//! Where callbacks leave their numbers: cheap for them, and printed elsewhere.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use kafka_producer::Metrics;
use tokio::sync::Notify;

use super::metrics;
use super::stats::{Phase, Stats, Total, Window};
use crate::args::Output;
use crate::engine::{Undelivered, counted};

/// The numbers of a run.
pub(crate) struct Board {
    interval: Duration,
    tally: Mutex<Tally>,
    /// Given when the awaited number of records is resolved.
    settled: Notify,
    output_closed: Arc<AtomicBool>,
}

struct Tally {
    whole: Stats,
    steady: Option<Steady>,
    resolved: u64,
    /// The number of resolved records that somebody waits for.
    awaited: Option<u64>,
    /// How often each error came.
    errors: BTreeMap<&'static str, u64>,
    /// What the producer has done, if that is to be printed.
    metrics: Option<Metrics>,
    lines: mpsc::Sender<Line>,
}

struct Steady {
    stats: Stats,
    announced: bool,
}

/// Something to print.
enum Line {
    Error(String),
    Metrics(Box<Metrics>),
    Note(String),
    Total(Total),
    Window(Window),
}

impl Board {
    /// A board, and the thread that prints: it ends when the board is gone.
    pub(crate) fn start(
        now: Instant,
        interval: Duration,
        output: Output,
        bar: ProgressBar,
    ) -> io::Result<(Arc<Self>, thread::JoinHandle<()>)> {
        let (lines, received) = mpsc::channel();
        let output_closed = Arc::new(AtomicBool::new(false));
        let closed = Arc::clone(&output_closed);
        let thread = thread::Builder::new()
            .name("report".to_string())
            .spawn(move || print(&received, output, &bar, &closed))?;
        let tally = Tally {
            whole: Stats::new(now, interval),
            steady: None,
            resolved: 0,
            awaited: None,
            errors: BTreeMap::new(),
            metrics: None,
            lines,
        };
        Ok((
            Arc::new(Self {
                interval,
                tally: Mutex::new(tally),
                settled: Notify::new(),
                output_closed,
            }),
            thread,
        ))
    }

    /// Says that the first records do not count for the steady state.
    pub(crate) fn announce_warmup(&self, records: u64) {
        self.tally().say(Line::Note(format!(
            "Warmup first {records} records. Steady state results will print after the complete \
             test summary."
        )));
    }

    /// From now on, records count for the steady state as well.
    pub(crate) fn begin_steady_state(&self, now: Instant) {
        let stats = Stats::new(now, self.interval);
        self.tally().steady = Some(Steady {
            stats,
            announced: false,
        });
    }

    /// A record was delivered.
    pub(crate) fn delivered(&self, now: Instant, sent: Instant, bytes: usize, phase: Phase) {
        let latency = now.saturating_duration_since(sent);
        let mut tally = self.tally();
        self.count(&mut tally);
        let whole = tally.whole.record(now, latency, bytes);

        let mut lines = [None, None];
        match &mut tally.steady {
            // Java's tool goes silent for the whole run once the steady state has begun.
            Some(steady) if phase == Phase::SteadyState => {
                if let Some(window) = steady.stats.record(now, latency, bytes) {
                    if !std::mem::replace(&mut steady.announced, true) {
                        lines[0] = Some(Line::Note("In steady state.".to_string()));
                    }
                    lines[1] = Some(Line::Window(window));
                }
            }
            Some(_) => {}
            None => lines[1] = whole.map(Line::Window),
        }
        for line in lines.into_iter().flatten() {
            tally.say(line);
        }
    }

    /// A record was not delivered. The first of each kind is named.
    pub(crate) fn failed(&self, number: u64, error: &Undelivered) {
        let mut tally = self.tally();
        self.count(&mut tally);
        let count = tally.errors.entry(error.name).or_insert(0);
        *count += 1;
        if *count == 1 {
            tally.say(Line::Error(format!("record {number}: {error}")));
        }
    }

    /// Waits until that many records have an outcome.
    pub(crate) async fn settled(&self, records: u64) {
        {
            let mut tally = self.tally();
            if records <= tally.resolved {
                return;
            }
            tally.awaited = Some(records);
        }
        self.settled.notified().await;
    }

    /// How many records have an outcome.
    pub(crate) fn resolved(&self) -> u64 {
        self.tally().resolved
    }

    /// Whether nobody reads stdout any more.
    pub(crate) fn output_closed(&self) -> bool {
        self.output_closed.load(Ordering::Relaxed)
    }

    /// Keeps the producer's metrics, to be said after the totals.
    pub(crate) fn keep(&self, metrics: Metrics) {
        self.tally().metrics = Some(metrics);
    }

    /// Says the totals; gives the number of records that failed.
    pub(crate) fn finish(&self, now: Instant) -> u64 {
        let mut tally = self.tally();
        tally.say(Line::Total(tally.whole.total(now, Phase::Whole)));
        if let Some(steady) = &tally.steady {
            tally.say(Line::Total(steady.stats.total(now, Phase::SteadyState)));
        }
        if let Some(metrics) = tally.metrics.take() {
            tally.say(Line::Metrics(Box::new(metrics)));
        }
        for (error, count) in &tally.errors {
            tally.say(Line::Error(format!(
                "{} not delivered: {error}",
                counted(*count, "record")
            )));
        }
        tally.errors.values().sum()
    }

    fn count(&self, tally: &mut Tally) {
        tally.resolved += 1;
        if tally.awaited == Some(tally.resolved) {
            self.settled.notify_one();
        }
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tally {
    fn say(&self, line: Line) {
        // The printer goes only after the board.
        let _ = self.lines.send(line);
    }
}

fn print(lines: &mpsc::Receiver<Line>, output: Output, bar: &ProgressBar, closed: &AtomicBool) {
    while let Ok(line) = lines.recv() {
        let text = match (line, output) {
            (Line::Error(text), _) => {
                bar.suspend(|| eprintln!("{text}"));
                continue;
            }
            (Line::Metrics(metrics), Output::Json) => metrics::json_lines(&metrics),
            (Line::Metrics(metrics), Output::Text) => metrics::table(&metrics),
            (Line::Note(_), Output::Json) => continue,
            (Line::Note(text), Output::Text) => text,
            (Line::Total(total), Output::Json) => total.to_json(),
            (Line::Total(total), Output::Text) => total.to_string(),
            (Line::Window(window), Output::Json) => window.to_json(),
            (Line::Window(window), Output::Text) => window.to_string(),
        };
        let written = bar.suspend(|| {
            let mut stdout = io::stdout();
            writeln!(stdout, "{text}").and_then(|()| stdout.flush())
        });
        if written.is_err() {
            closed.store(true, Ordering::Relaxed);
        }
    }
}

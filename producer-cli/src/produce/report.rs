//! What became of each line: a JSON object, a sentence, a count.
//!
//! A callback must never wait for a terminal, since it runs where the producer's network is
//! served.
//! So outcomes travel to one printing thread through a channel without a bound, and the bound is
//! kept at the other end: no line is sent while [`LIMIT`] outcomes are still to come or to print.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;

use tokio::sync::{Notify, Semaphore};

use kafka_producer::Outcome;
use serde_json::Value;

use crate::args::Output;
use crate::engine::{Delivered, Progress, Undelivered};

/// Collects outcomes. Clones share everything.
#[derive(Clone)]
pub(crate) struct Reporter {
    shared: Arc<Shared>,
    outcomes: mpsc::Sender<(u64, Result<Delivered, Undelivered>)>,
}

struct Shared {
    tally: Mutex<Tally>,
    /// One permit for each outcome that may still come or be printed.
    room: Semaphore,
    output_closed: Notify,
}

/// How far the lines have got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) delivered: u64,
    pub(crate) failed: u64,
    /// How many failed with each error, by its name.
    pub(crate) failures: BTreeMap<&'static str, u64>,
    /// Lines that were sent and have no outcome yet.
    pub(crate) unresolved: BTreeSet<u64>,
    /// Whether nobody waits for the unresolved any more.
    pub(crate) abandoned: bool,
    /// Whether whoever read stdout went away.
    pub(crate) output_closed: bool,
}

impl Reporter {
    /// A reporter, and the thread that prints: it ends when every clone is gone.
    pub(crate) fn start(
        topic: &str,
        output: Output,
        stdout: impl Write + Send + 'static,
    ) -> io::Result<(Self, thread::JoinHandle<()>)> {
        let (outcomes, received) = mpsc::channel();
        let shared = Arc::new(Shared {
            tally: Mutex::default(),
            room: Semaphore::new(LIMIT as usize),
            output_closed: Notify::new(),
        });
        let printer = Printer {
            shared: Arc::clone(&shared),
            topic: Value::from(topic).to_string(),
            output,
            told: BTreeMap::new(),
            stdout: Some(stdout),
        };
        let thread = thread::Builder::new()
            .name("report".to_string())
            .spawn(move || printer.run(&received))?;
        Ok((Self { shared, outcomes }, thread))
    }

    /// Waits until one more line may be sent, and counts it as unresolved.
    pub(crate) async fn open(&self, line: u64) {
        // The semaphore is never closed.
        if let Ok(permit) = self.shared.room.acquire().await {
            permit.forget();
        }
        self.tally_mut().unresolved.insert(line);
    }

    /// Takes back `open` for a line that was not sent after all.
    pub(crate) fn withdraw(&self, line: u64) {
        self.tally_mut().unresolved.remove(&line);
        self.shared.room.add_permits(1);
    }

    /// The line has its outcome.
    pub(crate) fn resolve(&self, line: u64, outcome: Result<Delivered, Undelivered>) {
        {
            let mut tally = self.tally_mut();
            if tally.abandoned {
                return;
            }
            tally.unresolved.remove(&line);
            match &outcome {
                Ok(_) => tally.delivered += 1,
                Err(failed) => {
                    tally.failed += 1;
                    *tally.failures.entry(failed.name).or_insert(0) += 1;
                }
            }
        }
        // The printer goes only after the last sender.
        let _ = self.outcomes.send((line, outcome));
    }

    /// Reports what is unresolved as such; outcomes that still come are too late.
    pub(crate) fn abandon(&self) {
        let unresolved = {
            let mut tally = self.tally_mut();
            tally.abandoned = true;
            tally.unresolved.clone()
        };
        for line in unresolved {
            let outcome = Undelivered {
                partition: None,
                name: "UNRESOLVED",
                code: None,
                message: "unresolved when the command was ended".to_string(),
                outcome: Outcome::MaybeWritten,
            };
            // The printer goes only after the last sender.
            let _ = self.outcomes.send((line, Err(outcome)));
        }
    }

    /// Waits until every line that was sent has its outcome, and it is printed.
    pub(crate) async fn settled(&self) {
        // All the room is there again: nothing is on its way.
        if let Ok(all) = self.shared.room.acquire_many(LIMIT).await {
            drop(all);
        }
    }

    /// Waits until nobody reads stdout any more.
    pub(crate) async fn output_closed(&self) {
        self.shared.output_closed.notified().await;
    }

    /// How far the lines have got, in numbers.
    pub(crate) fn progress(&self) -> Progress {
        let tally = self.tally_mut();
        let resolved = tally.delivered + tally.failed;
        Progress {
            sent: 0 < resolved || !tally.unresolved.is_empty(),
            resolved,
        }
    }

    /// How far the lines have got.
    pub(crate) fn tally(&self) -> Tally {
        self.tally_mut().clone()
    }

    fn tally_mut(&self) -> MutexGuard<'_, Tally> {
        self.shared.tally_mut()
    }
}

impl Shared {
    fn tally_mut(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Printer<W> {
    shared: Arc<Shared>,
    /// The topic as JSON.
    topic: String,
    output: Output,
    /// How many failures with each error were told on stderr.
    told: BTreeMap<&'static str, u64>,
    /// `None` once nobody reads it.
    stdout: Option<W>,
}

impl<W: Write> Printer<W> {
    fn run(mut self, outcomes: &mpsc::Receiver<(u64, Result<Delivered, Undelivered>)>) {
        let mut text = String::new();
        while let Ok(first) = outcomes.recv() {
            // What has come meanwhile goes out with one write.
            let mut count = 0;
            for (line, outcome) in [first].into_iter().chain(outcomes.try_iter()).take(BATCH) {
                match (self.output, &outcome) {
                    // Its object on stdout says the same.
                    (Output::Json, _) => {
                        text.push_str(&json(line, &self.topic, &outcome));
                        text.push('\n');
                    }
                    (Output::Text, Err(error)) => self.tell(line, error),
                    (Output::Text, Ok(_)) => {}
                }
                count += 1;
            }
            self.print(&text);
            text.clear();
            self.shared.room.add_permits(count);
        }
    }

    /// Tells of a failure on stderr, unless that was done often enough: [`more`] counts the rest.
    fn tell(&mut self, line: u64, error: &Undelivered) {
        let told = self.told.entry(error.name).or_insert(0);
        if *told < ALIKE {
            *told += 1;
            eprintln!("line {line}: {error}");
        }
    }

    fn print(&mut self, text: &str) {
        let Some(stdout) = self.stdout.as_mut().filter(|_| !text.is_empty()) else {
            return;
        };
        if let Err(error) = stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.flush())
        {
            eprintln!("error: stdout cannot be written: {error}; no more lines are taken");
            self.stdout = None;
            self.shared.tally_mut().output_closed = true;
            self.shared.output_closed.notify_one();
        }
    }
}

/// The outcome as one JSON object; `topic` is JSON already.
fn json(line: u64, topic: &str, outcome: &Result<Delivered, Undelivered>) -> String {
    let number = |number: Option<i64>| number.map_or("null".to_string(), |n| n.to_string());
    let (partition, rest) = match outcome {
        Ok(delivered) => {
            let offset = number(delivered.offset);
            let timestamp = number(delivered.timestamp);
            let rest = format!(r#""offset":{offset},"timestamp":{timestamp}"#);
            (Some(delivered.partition), rest)
        }
        Err(failed) => {
            let Undelivered { name, message, .. } = failed;
            let code = number(failed.code.map(i64::from));
            // It may hold a broker's own words, and those anything.
            let message = Value::from(message.as_str());
            let outcome = failed.outcome.name();
            let rest = format!(
                r#""error":"{name}","code":{code},"message":{message},"outcome":"{outcome}""#
            );
            (failed.partition, rest)
        }
    };
    let partition = number(partition.map(i64::from));
    format!(r#"{{"line":{line},"topic":{topic},"partition":{partition},{rest}}}"#)
}

/// A sentence for each error that more lines failed with than were told of.
pub(crate) fn more(failures: &BTreeMap<&'static str, u64>) -> impl Iterator<Item = String> {
    let more = failures
        .iter()
        .map(|(name, count)| (name, count.saturating_sub(ALIKE)));
    more.filter(|(_, more)| 0 < *more)
        .map(|(name, more)| format!("… and {more} more like it ({name})"))
}

/// The first lines by number, and how many more there are.
pub(crate) fn first_lines(lines: &BTreeSet<u64>) -> String {
    let first: Vec<_> = lines.iter().take(NAMED).map(u64::to_string).collect();
    match lines.len().checked_sub(NAMED) {
        None | Some(0) => first.join(", "),
        Some(more) => format!("{} and {more} more", first.join(", ")),
    }
}

/// How many outcomes may be on their way: what a producer's buffer holds of short lines.
const LIMIT: u32 = 1 << 17;
/// How many outcomes are printed with one write.
const BATCH: usize = 1024;
/// How many failures with one error are told one by one.
const ALIKE: u64 = 10;
/// How many unresolved lines are named.
const NAMED: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    const DELIVERED: Delivered = Delivered {
        partition: 2,
        offset: Some(41),
        timestamp: Some(1_700_000_000_000),
    };

    fn undelivered(partition: Option<u32>, outcome: Outcome) -> Undelivered {
        let message = "a broker said \"no\"".to_string();
        Undelivered {
            partition,
            name: "REQUEST_TIMED_OUT",
            code: Some(7),
            message,
            outcome,
        }
    }

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_delivered_line_is_an_object_with_its_place() {
        assert_eq!(
            json(1, "\"t\"", &Ok(DELIVERED)),
            r#"{"line":1,"topic":"t","partition":2,"offset":41,"timestamp":1700000000000}"#
        );
        let unknown = Delivered {
            partition: 0,
            offset: None,
            timestamp: None,
        };
        assert_eq!(
            json(1, "\"t\"", &Ok(unknown)),
            r#"{"line":1,"topic":"t","partition":0,"offset":null,"timestamp":null}"#
        );
    }

    #[test]
    fn a_failed_line_is_an_object_with_the_reason_and_the_certainty() {
        let failed = |partition, outcome| json(3, "\"t\"", &Err(undelivered(partition, outcome)));
        assert_eq!(
            failed(Some(1), Outcome::MaybeWritten),
            [
                r#"{"line":3,"topic":"t","partition":1,"error":"REQUEST_TIMED_OUT","code":7,"#,
                r#""message":"a broker said \"no\"","outcome":"maybe_written"}"#
            ]
            .concat()
        );
        assert_eq!(
            failed(None, Outcome::NotWritten),
            [
                r#"{"line":3,"topic":"t","partition":null,"error":"REQUEST_TIMED_OUT","code":7,"#,
                r#""message":"a broker said \"no\"","outcome":"not_written"}"#
            ]
            .concat()
        );
    }

    #[tokio::test]
    async fn outcomes_are_counted_and_printed_in_the_order_in_which_they_come() {
        let page = Page::default();
        let (reporter, thread) = Reporter::start("t\"", Output::Json, page.clone()).unwrap();
        for line in 1..=4 {
            reporter.open(line).await;
        }
        reporter.resolve(2, Ok(DELIVERED));
        reporter.resolve(1, Err(undelivered(None, Outcome::NotWritten)));
        reporter.withdraw(4);
        let tally = reporter.tally();
        assert_eq!((tally.delivered, tally.failed), (1, 1));
        assert_eq!(tally.unresolved, BTreeSet::from([3]));
        drop(reporter);
        thread.join().unwrap();
        let text = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines[0]["line"], 2);
        assert_eq!(lines[1]["line"], 1);
        assert_eq!(lines[1]["topic"], "t\"");
    }

    #[tokio::test]
    async fn an_abandoned_line_has_an_object_and_no_outcome_after_it() {
        let page = Page::default();
        let (reporter, thread) = Reporter::start("t", Output::Json, page.clone()).unwrap();
        reporter.open(1).await;
        reporter.abandon();
        reporter.resolve(1, Ok(DELIVERED));
        reporter.settled().await;
        let tally = reporter.tally();
        assert_eq!((tally.delivered, tally.failed), (0, 0));
        assert_eq!(tally.unresolved, BTreeSet::from([1]));
        drop(reporter);
        thread.join().unwrap();
        assert_eq!(
            String::from_utf8(page.0.lock().unwrap().clone()).unwrap(),
            [
                r#"{"line":1,"topic":"t","partition":null,"error":"UNRESOLVED","code":null,"#,
                r#""message":"unresolved when the command was ended","outcome":"maybe_written"}"#,
                "\n"
            ]
            .concat()
        );
    }

    #[tokio::test]
    async fn a_closed_stdout_is_noticed_and_the_rest_still_counted() {
        let (reporter, thread) = Reporter::start("t", Output::Json, Closed).unwrap();
        reporter.open(1).await;
        reporter.resolve(1, Ok(DELIVERED));
        reporter.output_closed().await;
        reporter.open(2).await;
        reporter.resolve(2, Ok(DELIVERED));
        assert_eq!(reporter.tally().delivered, 2);
        assert!(reporter.tally().output_closed);
        drop(reporter);
        thread.join().unwrap();
    }

    #[test]
    fn failures_beyond_those_that_were_told_are_counted() {
        let failures = BTreeMap::from([("CLOSED", 11), ("REQUEST_TIMED_OUT", 10)]);
        let more: Vec<String> = more(&failures).collect();
        assert_eq!(more, ["… and 1 more like it (CLOSED)"]);
    }

    #[test]
    fn the_first_unresolved_lines_are_named() {
        assert_eq!(first_lines(&BTreeSet::from([3, 5])), "3, 5");
        assert_eq!(
            first_lines(&(1..=12).collect()),
            "1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more"
        );
    }
}

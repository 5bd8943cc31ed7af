//! The writer with a producer made of a list: who stops it, and what is left.

#![cfg(test)]

use std::io;
use std::sync::Mutex;

use super::*;
use crate::args::Output;
use crate::engine::{Delivered, Wait};
use crate::produce::reader::LineFormat;

type Done = Box<dyn FnOnce(Result<Delivered, Undelivered>) + Send>;

/// Keeps what it is given until it is told to resolve it.
#[derive(Default)]
struct Fake {
    held: Mutex<Vec<Done>>,
    values: Mutex<Vec<Vec<u8>>>,
    mood: Mood,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Mood {
    /// Each record succeeds at once.
    #[default]
    Ready,
    /// Records are taken and never resolved.
    Silent,
    /// There is never room.
    Full,
    /// Every record is refused.
    Refusing,
}

impl Engine for Fake {
    async fn send(
        &self,
        record: &Record<'_>,
        done: impl FnOnce(Result<Delivered, Undelivered>) + Send + 'static,
    ) -> Result<(), Undelivered> {
        match self.mood {
            Mood::Full => std::future::pending().await,
            Mood::Refusing => return Err(refused(Fault::TooLong, "refused".to_string())),
            Mood::Ready => {
                done(Ok(Delivered {
                    partition: 0,
                    offset: Some(0),
                    timestamp: None,
                }));
            }
            Mood::Silent => self.held.lock().unwrap().push(Box::new(done)),
        }
        self.values
            .lock()
            .unwrap()
            .push(record.value.unwrap_or_default().to_vec());
        Ok(())
    }

    async fn metadata(&self, _topic: &str) {}

    fn trouble(&self) -> Option<String> {
        None
    }

    fn longest_wait(&self) -> Option<Wait> {
        None
    }

    async fn flush(&self) {
        if self.mood == Mood::Silent {
            std::future::pending::<()>().await;
        }
    }

    async fn close(&self, _limit: Duration) {
        self.flush().await;
    }
}

fn job(pace: Pace) -> Job {
    Job {
        topic: "t".to_string(),
        partition: None,
        headers: Vec::new(),
        pace,
        patience: Duration::from_secs(10),
    }
}

fn line(number: u64, text: &str) -> Result<Line, BadLine> {
    LineFormat::default().cut(number, text.as_bytes().to_vec())
}

/// A batch of lines and the end of the input.
fn input(lines: Vec<Result<Line, BadLine>>) -> mpsc::Receiver<Lines> {
    let (sender, receiver) = mpsc::channel(2);
    sender.try_send(Ok(lines)).unwrap();
    receiver
}

fn reporter() -> Reporter {
    Reporter::start("t", Output::Text, io::sink()).unwrap().0
}

async fn run(mood: Mood, lines: Vec<Result<Line, BadLine>>, signals: usize) -> (End, Reporter) {
    let (by_hand, interrupts) = Interrupts::by_hand();
    let engine = Fake {
        mood,
        ..Fake::default()
    };
    let reporter = reporter();
    let signal = async {
        for _ in 0..signals {
            // Whatever can happen without a signal has happened by then.
            for _ in 0..50 {
                tokio::task::yield_now().await;
            }
            by_hand.send(()).await.unwrap();
        }
        std::future::pending::<()>().await;
    };
    let job = job(Pace::Streaming);
    let end = tokio::select! {
        end = write(&engine, &job, input(lines), &reporter, interrupts) => end,
        () = signal => unreachable!(),
    };
    (end, reporter)
}

#[tokio::test]
async fn every_line_is_sent_and_resolved() {
    let (end, reporter) = run(Mood::Ready, vec![line(1, "a"), line(2, "b")], 0).await;
    assert!(matches!(end, End::Finished));
    assert_eq!(reporter.tally().delivered, 2);
    assert!(reporter.tally().unresolved.is_empty());
}

#[tokio::test]
async fn a_refused_line_fails_and_the_next_one_is_tried() {
    let (end, reporter) = run(Mood::Refusing, vec![line(1, "a"), line(2, "b")], 0).await;
    assert!(matches!(end, End::Finished));
    assert_eq!(reporter.tally().failed, 2);
}

#[tokio::test]
async fn a_malformed_line_stops_the_input_and_what_came_before_is_delivered() {
    let bad = BadLine {
        number: 2,
        fault: Fault::Malformed,
        problem: "no key".to_string(),
    };
    let lines = vec![line(1, "a"), Err(bad), line(3, "c")];
    let (end, reporter) = run(Mood::Ready, lines, 0).await;
    assert!(matches!(end, End::BadLine(2)));
    assert_eq!(
        (reporter.tally().delivered, reporter.tally().failed),
        (1, 1)
    );
}

#[tokio::test]
async fn a_line_that_is_too_long_fails_alone() {
    let long = BadLine {
        number: 1,
        fault: Fault::TooLong,
        problem: "too long".to_string(),
    };
    let (end, reporter) = run(Mood::Ready, vec![Err(long), line(2, "b")], 0).await;
    assert!(matches!(end, End::Finished));
    assert_eq!(
        (reporter.tally().delivered, reporter.tally().failed),
        (1, 1)
    );
}

#[tokio::test]
async fn a_signal_while_there_is_no_room_sends_nothing_more() {
    let (end, reporter) = run(Mood::Full, vec![line(1, "a")], 1).await;
    assert!(matches!(end, End::Interrupted));
    assert!(reporter.tally().unresolved.is_empty());
}

#[tokio::test]
async fn a_second_signal_ends_at_once_and_leaves_the_unresolved() {
    let (end, reporter) = run(Mood::Silent, vec![line(1, "a"), line(2, "b")], 2).await;
    assert!(matches!(end, End::Abandoned));
    assert_eq!(reporter.tally().unresolved, [1, 2].into());
}

#[tokio::test]
async fn one_by_one_the_second_line_waits_for_the_first() {
    let (_by_hand, interrupts) = Interrupts::by_hand();
    let engine = Fake {
        mood: Mood::Silent,
        ..Fake::default()
    };
    let reporter = reporter();
    let lines = input(vec![line(1, "a"), line(2, "b")]);
    let job = job(Pace::OneByOne);
    let writing = write(&engine, &job, lines, &reporter, interrupts);
    let resolving = async {
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        assert_eq!(*engine.values.lock().unwrap(), [b"a".to_vec()]);
        let done = engine.held.lock().unwrap().remove(0);
        done(Ok(Delivered {
            partition: 0,
            offset: None,
            timestamp: None,
        }));
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        assert_eq!(engine.values.lock().unwrap().len(), 2);
    };
    tokio::select! {
        _ = writing => unreachable!("the second line is never resolved"),
        () = resolving => {}
    }
}

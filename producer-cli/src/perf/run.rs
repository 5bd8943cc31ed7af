//! The loop that sends, no faster than asked for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;

use kafka_producer::Record;

use super::board::Board;
use super::payload::Payloads;
use super::stats::Phase;
use crate::args::{PerfArgs, Throughput};
use crate::engine::{self, Engine};
use crate::interrupt::{self, Interrupts};

/// What to send, and who counts.
pub(crate) struct Plan<'a> {
    pub(crate) args: &'a PerfArgs,
    pub(crate) payloads: Payloads,
    pub(crate) board: Arc<Board>,
    pub(crate) bar: ProgressBar,
    /// How long sent records may still travel after a signal.
    pub(crate) patience: Duration,
}

/// Why it ended. Everything sent is resolved, except perhaps after `Abandoned`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// A second signal came.
    Abandoned {
        unresolved: u64,
    },
    Finished,
    /// A signal came.
    Interrupted,
    /// Nobody reads stdout any more.
    OutputClosed,
}

/// Sends every record and waits until all are resolved. Takes a look at the producer then, while
/// it still has connections if that can be.
pub(crate) async fn run(
    engine: &impl Engine,
    mut plan: Plan<'_>,
    look: &impl Fn(),
    mut interrupts: Interrupts,
) -> End {
    let mut sent = 0;
    let mut end = tokio::select! {
        biased;
        end = send_all(engine, &mut plan, &mut sent) => end,
        () = interrupts.next() => End::Interrupted,
    };
    plan.bar.set_position(sent);
    if end != End::Interrupted {
        let finish = async {
            engine.flush().await;
            // A record is resolved a moment before its callback is called.
            plan.board.settled(sent).await;
            look();
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
            plan.patience,
            sent.saturating_sub(plan.board.resolved()),
            "record"
        )
    );
    let finish = async {
        engine.close(plan.patience).await;
        plan.board.settled(sent).await;
    };
    tokio::select! {
        biased;
        () = finish => {
            look();
            return end;
        }
        () = interrupts.next() => {}
    }
    engine::abandon(engine).await;
    look();
    End::Abandoned {
        unresolved: sent.saturating_sub(plan.board.resolved()),
    }
}

async fn send_all(engine: &impl Engine, plan: &mut Plan<'_>, sent: &mut u64) -> End {
    let args = plan.args;
    let started = Instant::now();
    let mut phase = Phase::Whole;
    if 0 < args.warmup_records {
        plan.board.announce_warmup(args.warmup_records);
    }
    for number in 0..args.num_records {
        let now = Instant::now();
        if 0 < args.warmup_records && number == args.warmup_records {
            plan.board.begin_steady_state(now);
            phase = Phase::SteadyState;
        }
        send(engine, plan, now, number, phase).await;
        *sent = number + 1;

        if number % CHECK_EVERY == 0 {
            plan.bar.set_position(number);
            if plan.board.output_closed() {
                return End::OutputClosed;
            }
        }
        if let Some(wait) = pause(args.throughput, *sent, now - started) {
            tokio::time::sleep(wait).await;
        }
    }
    End::Finished
}

async fn send(engine: &impl Engine, plan: &mut Plan<'_>, now: Instant, number: u64, phase: Phase) {
    let payload = plan.payloads.next(number);
    let bytes = payload.len();
    let record = Record::to(plan.args.topic.as_str()).value(payload);
    let board = Arc::clone(&plan.board);
    let outcome = engine
        .send(&record, move |outcome| match outcome {
            Ok(_) => board.delivered(Instant::now(), now, bytes, phase),
            Err(error) => board.failed(number, &error),
        })
        .await;
    if let Err(error) = outcome {
        plan.board.failed(number, &error);
    }
}

/// How long to wait so that `sent` records in `elapsed` are not too many.
/// Short waits are saved up, since a sleep of less than two milliseconds is never exact.
fn pause(throughput: Throughput, sent: u64, elapsed: Duration) -> Option<Duration> {
    let Throughput::Limited(rate) = throughput else {
        return None;
    };
    let due = Duration::try_from_secs_f64(sent as f64 / rate).unwrap_or(Duration::MAX);
    Some(due.saturating_sub(elapsed)).filter(|wait| SHORTEST_SLEEP <= *wait)
}

const SHORTEST_SLEEP: Duration = Duration::from_millis(2);
/// How many records are sent between two looks at the bar and at stdout.
const CHECK_EVERY: u64 = 1024;
/// How long closing may take once everything is resolved: connections are closed, no more.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_ahead_of_their_rate_wait() {
        let rate = Throughput::Limited(1000.0);
        let wait = |sent, elapsed| pause(rate, sent, Duration::from_millis(elapsed));
        assert_eq!(wait(10, 4), Some(Duration::from_millis(6)));
        assert_eq!(wait(10, 10), None);
        assert_eq!(wait(10, 50), None);
        assert_eq!(wait(1, 0), None);
        assert_eq!(pause(Throughput::Unlimited, 10, Duration::ZERO), None);
    }
}

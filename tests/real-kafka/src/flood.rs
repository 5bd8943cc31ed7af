//! Many numbered records at a steady pace while brokers die, and the account of every one.
//!
//! Each partition has one sender, so that its records have one order. A record's value begins
//! with its number. At the end Kafka's own consumer reads everything back, and each record is
//! found where its fate says it is:
//!
//! | fate | in the log |
//! |---|---|
//! | acknowledged | exactly once, in order, at the offset that was told |
//! | not written | never |
//! | maybe written | at most once, in order |
//!
//! A topic that is created anew in the meantime has another log: what was acknowledged before is
//! gone with the old one, and none of it may be in the new one.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use conformance::{Tasks, Threads, Transport};
use kafka_producer::explain::Subject;
use kafka_producer::{Config, Delivery, Outcome, Producer, Record};
use kafka_producer_driver::block_on;

use crate::cluster;
use crate::judge::judge;

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What is sent.
#[derive(Clone, Debug)]
pub struct Flood {
    /// Where to.
    pub topic: String,
    /// How many partitions it has.
    pub partitions: u32,
    /// At least so many records in each.
    pub least: usize,
    /// So many records a second in each.
    pub pace: usize,
    /// Bytes of a value.
    pub bytes: usize,
}

/// What became of a record, as the producer told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Acknowledged {
        offset: Option<i64>,
        at: Instant,
    },
    /// Acknowledged, and gone with the topic.
    Gone,
    MaybeWritten,
    NotWritten,
}

/// The account of a flood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Records that were handed to the producer.
    pub records: usize,
    /// Those that were acknowledged.
    pub acknowledged: usize,
    /// Those of them that went with their topic.
    pub gone: usize,
    /// Those that failed as not written, or were not taken.
    pub not_written: usize,
    /// Those that failed as maybe written.
    pub maybe_written: usize,
    /// Those of the last kind that were found in the log.
    pub written_after_all: usize,
    /// Acknowledged, and not in the log.
    pub lost: usize,
    /// In the log more than once.
    pub doubled: usize,
    /// In the log after a later one of its partition.
    pub out_of_order: usize,
    /// In the log at another offset than was told.
    pub misplaced: usize,
    /// In the log although it is said not to be, or was never sent.
    pub unexpected: usize,
    /// How long it took, from the first record to the last answer.
    pub took: Duration,
    /// The longest time between two acknowledgements in a partition.
    pub longest_pause: Duration,
    /// The longest time from handing a record over to its acknowledgement.
    pub longest_wait: Duration,
}

/// A transport whose kind of sender can be started: threads, or tasks that share few threads.
pub trait Host: Transport {
    /// Starts senders; what it gives waits for them.
    fn spawn<T: Send + 'static>(&self, jobs: Vec<Boxed<T>>) -> impl FnOnce() -> Vec<T>;

    /// Waits without blocking others.
    fn pause(span: Duration) -> Boxed<()>;
}

impl Host for Threads {
    fn spawn<T: Send + 'static>(&self, jobs: Vec<Boxed<T>>) -> impl FnOnce() -> Vec<T> {
        let threads: Vec<_> = jobs
            .into_iter()
            .map(|job| thread::spawn(|| block_on(job)))
            .collect();
        || {
            let results = threads.into_iter();
            results
                .map(|thread| thread.join().expect("a sender does not panic"))
                .collect()
        }
    }

    fn pause(span: Duration) -> Boxed<()> {
        // The sender has its thread for itself.
        Box::pin(async move { thread::sleep(span) })
    }
}

impl Host for Tasks {
    fn spawn<T: Send + 'static>(&self, jobs: Vec<Boxed<T>>) -> impl FnOnce() -> Vec<T> {
        let tasks: Vec<_> = self.block_on(async { jobs.into_iter().map(tokio::spawn).collect() });
        move || {
            let results = self.block_on(async move {
                let mut results = Vec::new();
                for task in tasks {
                    results.push(task.await);
                }
                results
            });
            let results = results.into_iter();
            results
                .map(|result| result.expect("a sender does not panic"))
                .collect()
        }
    }

    fn pause(span: Duration) -> Boxed<()> {
        Box::pin(tokio::time::sleep(span))
    }
}

impl Flood {
    /// Sends at least the least, and until `meanwhile` is over; then reads everything back.
    ///
    /// # Panics
    ///
    /// If a sender does.
    pub fn run<H: Host>(&self, host: &H, config: Config, meanwhile: impl FnOnce()) -> Account {
        self.run_through(host, config, |_| {
            meanwhile();
            Topic::Stays
        })
    }

    /// The same for what uses the producer meanwhile, or replaces the topic.
    ///
    /// # Panics
    ///
    /// If a sender does.
    pub fn run_through<H: Host>(
        &self,
        host: &H,
        config: Config,
        meanwhile: impl FnOnce(&Producer) -> Topic,
    ) -> Account {
        let producer = host.start(config);
        let begin = Instant::now();
        let stop = Arc::new(AtomicBool::new(false));
        let sender = |partition| -> Boxed<Sent> {
            let (flood, producer) = (self.clone(), producer.clone());
            let stop = Arc::clone(&stop);
            Box::pin(async move { flood.pour(&producer, partition, &stop, H::pause).await })
        };
        let wait = host.spawn((0..self.partitions).map(sender).collect());
        let fate_of_topic = {
            // A test that fails meanwhile must not leave its senders sending.
            let _stop = Stop(Arc::clone(&stop));
            meanwhile(&producer)
        };
        let mut sent = wait();
        // What became of each record its sender has noted.
        let _ = block_on(producer.close(Duration::from_secs(30)));
        if let Topic::BeganAnew(instant) = fate_of_topic {
            sent.iter_mut().for_each(|sent| sent.bury(instant));
        }

        let mut account = Account {
            took: begin.elapsed(),
            ..Account::default()
        };
        let mut partitions: Vec<Partition> =
            sent.into_iter().map(|sent| account.open(sent)).collect();
        judge().dump(&self.topic, |partition, offset, value| {
            let number = value.split('-').next().and_then(|text| text.parse().ok());
            match partitions.get_mut(partition as usize) {
                Some(partition) => account.enter(partition, offset, number),
                None => account.unexpected += 1,
            }
        });
        for partition in partitions {
            account.close(&partition);
        }
        account
    }

    async fn pour(
        &self,
        producer: &Producer,
        partition: u32,
        stop: &AtomicBool,
        pause: fn(Duration) -> Boxed<()>,
    ) -> Sent {
        let begin = Instant::now();
        let topic = producer.topic(&self.topic);
        let padding = "x".repeat(self.bytes.saturating_sub(NUMBER_BYTES));
        let mut sent = Sent::new(begin);
        while sent.fates.len() < self.least || !stop.load(Ordering::Relaxed) {
            let due = begin.elapsed().as_millis() * self.pace as u128 / 1000;
            if due <= sent.fates.len() as u128 {
                pause(Duration::from_millis(5)).await;
                sent.settle_known();
                if sent.is_late() {
                    let why = producer.explain(Subject::Partition(topic, partition));
                    cluster::print(&format!("no acknowledgement for {LATE:?}: {why}"));
                }
                continue;
            }
            let value = format!("{:010}-{padding}", sent.fates.len());
            let record = Record::to(topic).partition(partition).value(&value);
            match producer.send(&record).await {
                Ok(delivery) => sent.pend(delivery),
                Err(_) => sent.fates.push(Fate::NotWritten),
            }
        }
        sent.settle_all().await;
        sent
    }
}

/// What became of a topic while records were sent to it.
#[derive(Clone, Copy, Debug)]
pub enum Topic {
    /// It was deleted, and had been gone for a while when it was created again at this instant.
    BeganAnew(Instant),
    /// It is still the same.
    Stays,
}

/// From then on a pause is worth a word of the producer's.
const LATE: Duration = Duration::from_secs(7);

/// Digits and the dash.
const NUMBER_BYTES: usize = 11;

/// Ends the senders, however `meanwhile` ends.
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What one sender knows.
struct Sent {
    fates: Vec<Fate>,
    pending: VecDeque<Pending>,
    last_acknowledged: Instant,
    /// Of this pause it has been told.
    told_since: Option<Instant>,
    longest_pause: Duration,
    longest_wait: Duration,
}

/// A record on its way.
struct Pending {
    number: usize,
    since: Instant,
    delivery: Delivery,
}

impl Sent {
    const fn new(begin: Instant) -> Self {
        Self {
            fates: Vec::new(),
            pending: VecDeque::new(),
            last_acknowledged: begin,
            told_since: None,
            longest_pause: Duration::ZERO,
            longest_wait: Duration::ZERO,
        }
    }

    fn pend(&mut self, delivery: Delivery) {
        self.pending.push_back(Pending {
            number: self.fates.len(),
            since: Instant::now(),
            delivery,
        });
        self.fates.push(Fate::MaybeWritten);
    }

    fn settle_known(&mut self) {
        while let Some(pending) = self.pending.front() {
            let Some(result) = pending.delivery.try_result() else {
                return;
            };
            self.settle(pending.number, pending.since, &result);
            self.pending.pop_front();
        }
    }

    async fn settle_all(&mut self) {
        while let Some(pending) = self.pending.pop_front() {
            let result = pending.delivery.await;
            self.settle(pending.number, pending.since, &result);
        }
    }

    fn settle(&mut self, number: usize, since: Instant, result: &Known) {
        self.fates[number] = match result {
            Ok(written) => {
                let now = Instant::now();
                let pause = now - self.last_acknowledged;
                self.longest_pause = self.longest_pause.max(pause);
                self.longest_wait = self.longest_wait.max(now - since);
                self.last_acknowledged = now;
                Fate::Acknowledged {
                    offset: written.offset,
                    at: now,
                }
            }
            Err(error) if error.outcome == Outcome::NotWritten => Fate::NotWritten,
            Err(_) => Fate::MaybeWritten,
        };
    }

    /// Whether nothing has been acknowledged for long; true once in each pause.
    fn is_late(&mut self) -> bool {
        let since = Some(self.last_acknowledged);
        let is_late = LATE <= self.last_acknowledged.elapsed() && self.told_since != since;
        if is_late {
            self.told_since = since;
        }
        is_late
    }

    /// Whatever was acknowledged before `instant` is gone.
    fn bury(&mut self, instant: Instant) {
        for fate in &mut self.fates {
            if matches!(fate, Fate::Acknowledged { at, .. } if *at < instant) {
                *fate = Fate::Gone;
            }
        }
    }
}

type Known = Result<kafka_producer::RecordMetadata, kafka_producer::DeliveryError>;

/// A partition's records, while the log is read.
struct Partition {
    fates: Vec<Fate>,
    seen: Vec<bool>,
    last: Option<usize>,
}

impl Account {
    /// Whether the log tells the same story as the producer.
    pub const fn holds(&self) -> bool {
        self.records == self.acknowledged + self.not_written + self.maybe_written
            && self.lost == 0
            && self.doubled == 0
            && self.out_of_order == 0
            && self.misplaced == 0
            && self.unexpected == 0
    }

    /// Prints the account where a test's output is not captured: it is what the test is for.
    pub fn print(&self, about: &str) {
        cluster::print(&format!("{about}: {self}"));
    }

    fn open(&mut self, sent: Sent) -> Partition {
        self.longest_pause = self.longest_pause.max(sent.longest_pause);
        self.longest_wait = self.longest_wait.max(sent.longest_wait);
        self.records += sent.fates.len();
        for fate in &sent.fates {
            match fate {
                Fate::Acknowledged { .. } => self.acknowledged += 1,
                Fate::Gone => {
                    self.acknowledged += 1;
                    self.gone += 1;
                }
                Fate::MaybeWritten => self.maybe_written += 1,
                Fate::NotWritten => self.not_written += 1,
            }
        }
        Partition {
            seen: vec![false; sent.fates.len()],
            fates: sent.fates,
            last: None,
        }
    }

    fn enter(&mut self, partition: &mut Partition, offset: i64, number: Option<usize>) {
        let found = number.and_then(|number| Some((number, *partition.fates.get(number)?)));
        let Some((number, fate)) = found else {
            self.unexpected += 1;
            return;
        };
        match fate {
            Fate::Acknowledged {
                offset: Some(told), ..
            } if told != offset => self.misplaced += 1,
            Fate::Acknowledged { .. } => {}
            // It was written once for the old topic, and once more for the new one.
            Fate::Gone => self.doubled += 1,
            Fate::MaybeWritten => self.written_after_all += 1,
            Fate::NotWritten => self.unexpected += 1,
        }
        if partition.seen[number] {
            self.doubled += 1;
        } else if partition.last.is_some_and(|last| number < last) {
            self.out_of_order += 1;
        }
        partition.seen[number] = true;
        partition.last = partition.last.max(Some(number));
    }

    fn close(&mut self, partition: &Partition) {
        let lost =
            |(fate, seen): &(&Fate, &bool)| matches!(fate, Fate::Acknowledged { .. }) && !**seen;
        self.lost += partition
            .fates
            .iter()
            .zip(&partition.seen)
            .filter(lost)
            .count();
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            records,
            acknowledged,
            gone,
            not_written,
            maybe_written,
            written_after_all,
            lost,
            doubled,
            out_of_order,
            misplaced,
            unexpected,
            took,
            longest_pause,
            longest_wait,
        } = self;
        write!(
            f,
            "{records} records in {:.1} s: {acknowledged} acknowledged",
            took.as_secs_f64()
        )?;
        if 0 < *gone {
            write!(f, " ({gone} of them gone with their topic)")?;
        }
        write!(
            f,
            ", {not_written} not written, {maybe_written} maybe written ({written_after_all} of \
             them were); {lost} lost, {doubled} doubled, {out_of_order} out of order, {misplaced} \
             misplaced, {unexpected} unexpected; longest time without an acknowledgement {:.1} s, \
             longest wait for one {:.1} s",
            longest_pause.as_secs_f64(),
            longest_wait.as_secs_f64()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(fates: &[Fate]) -> Sent {
        let mut sent = Sent::new(Instant::now());
        sent.fates = fates.to_vec();
        sent
    }

    fn account_of(sent: Sent, log: &[(i64, usize)]) -> Account {
        let mut account = Account::default();
        let mut partition = account.open(sent);
        for &(offset, number) in log {
            account.enter(&mut partition, offset, Some(number));
        }
        account.close(&partition);
        account
    }

    fn account(fates: &[Fate], log: &[(i64, usize)]) -> Account {
        account_of(sent(fates), log)
    }

    fn acked(offset: i64) -> Fate {
        Fate::Acknowledged {
            offset: Some(offset),
            at: Instant::now(),
        }
    }

    #[test]
    fn an_account_holds_when_the_log_is_as_told() {
        let both = [acked(0), acked(1)];
        assert!(account(&both, &[(0, 0), (1, 1)]).holds());
        let fates = [acked(0), Fate::NotWritten, Fate::MaybeWritten];
        assert!(account(&fates, &[(0, 0)]).holds());
        let also = account(&fates, &[(0, 0), (1, 2)]);
        assert!(also.holds());
        assert_eq!(also.written_after_all, 1);
    }

    #[test]
    fn every_kind_of_lie_is_found() {
        let both = [acked(0), acked(1)];
        assert_eq!(account(&both, &[(0, 0)]).lost, 1);
        assert_eq!(account(&both, &[(0, 0), (1, 1), (1, 1)]).doubled, 1);
        assert_eq!(account(&both, &[(1, 1), (0, 0)]).out_of_order, 1);
        assert_eq!(account(&both, &[(0, 0), (5, 1)]).misplaced, 1);
        let unwritten = [acked(0), Fate::NotWritten];
        assert_eq!(account(&unwritten, &[(0, 0), (1, 1)]).unexpected, 1);
        assert_eq!(account(&both, &[(0, 0), (1, 1), (2, 2)]).unexpected, 1);
        assert!(!account(&both, &[]).holds());
    }

    #[test]
    fn what_went_with_its_topic_is_not_lost_and_may_not_come_again() {
        let early = acked(0);
        let anew = Instant::now();
        let both = || {
            let mut sent = sent(&[early, acked(0)]);
            sent.bury(anew);
            sent
        };
        let account = account_of(both(), &[(0, 1)]);
        assert!(account.holds());
        assert_eq!((account.acknowledged, account.gone), (2, 1));
        assert_eq!(account_of(both(), &[]).lost, 1);
        assert_eq!(account_of(both(), &[(0, 1), (1, 0)]).doubled, 1);
    }
}

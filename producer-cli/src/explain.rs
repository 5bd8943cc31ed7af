//! Says on stderr what the producer waits for: when somebody asks by SIGUSR1, and when a record
//! was not delivered in its time.
//!
//! ```text
//! SIGUSR1 ──────────────────┐
//!                           ├──> explain ──> stderr
//! a deadline has passed ────┘ at most once a second
//! ```

use std::convert::Infallible;
use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::failure::Failure;

/// What can be asked what it waits for.
pub(crate) trait Explains {
    /// What it waits for, in sentences.
    fn explain(&self) -> String;

    /// The same, if records are on their way: else there is nothing that it waits for.
    fn explain_trouble(&self) -> Option<String>;

    /// Waits until a record was not delivered in its time since the last such wait.
    fn expired(&self) -> impl Future<Output = ()>;
}

/// Signals that ask for an explanation.
pub(crate) struct Questions {
    #[cfg(unix)]
    signals: tokio::signal::unix::Signal,
}

impl Questions {
    /// Listens from now on: before, SIGUSR1 ends the process. Must be called on a tokio runtime.
    pub(crate) fn listen() -> Result<Self, Failure> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};

            let signals = signal(SignalKind::user_defined1())
                .map_err(|error| Failure::World(format!("signals cannot be caught: {error}")))?;
            Ok(Self { signals })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    /// The next one. Waits for ever where there are no such signals.
    async fn next(&mut self) {
        #[cfg(unix)]
        if self.signals.recv().await.is_some() {
            return;
        }
        std::future::pending::<()>().await;
    }
}

/// Runs the work, and explains meanwhile.
pub(crate) async fn answering<T>(
    producer: &impl Explains,
    mut questions: Questions,
    work: impl Future<Output = T>,
) -> T {
    let asked = async {
        loop {
            questions.next().await;
            eprintln!("{}", producer.explain());
        }
    };
    tokio::select! {
        // Before the work: it may end with the last record, and the producer with it.
        biased;
        never = explain_failures(producer, |text| eprintln!("{text}")) => match never {},
        never = asked => match never {},
        result = work => result,
    }
}

/// Explains each time when a record has expired, but not more often than is good to read.
async fn explain_failures(producer: &impl Explains, say: impl Fn(String)) -> Infallible {
    loop {
        producer.expired().await;
        let again = Instant::now() + PAUSE;
        if let Some(waits) = producer.explain_trouble() {
            say(format!("records were not delivered in time: {waits}"));
        }
        sleep_until(again).await;
    }
}

/// Between two explanations that nobody asked for.
const PAUSE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    use std::cell::{Cell, RefCell};

    use tokio::sync::Notify;

    #[derive(Default)]
    struct Scripted {
        explained: Cell<u32>,
        expired: Notify,
    }

    impl Explains for Scripted {
        fn explain(&self) -> String {
            self.explained.set(self.explained.get() + 1);
            format!("the producer is open ({}).", self.explained.get())
        }

        fn explain_trouble(&self) -> Option<String> {
            Some(self.explain())
        }

        async fn expired(&self) {
            self.expired.notified().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn records_that_expire_together_are_explained_once_a_second() {
        let producer = Scripted::default();
        let said = RefCell::new(Vec::new());
        let started = Instant::now();
        let expire = async {
            for _ in 0..25 {
                producer.expired.notify_one();
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            tokio::time::sleep(Duration::from_secs(5)).await;
        };
        let say = |text| {
            said.borrow_mut()
                .push((started.elapsed().as_millis(), text));
        };
        tokio::select! {
            () = expire => {}
            never = explain_failures(&producer, say) => match never {},
        }
        let said = said.into_inner();
        let at: Vec<u128> = said.iter().map(|(at, _)| at / 1000).collect();
        assert_eq!(at, [0, 1, 2, 3]);
        assert_eq!(
            said[0].1,
            "records were not delivered in time: the producer is open (1)."
        );
    }

    #[tokio::test]
    async fn a_record_that_expires_with_the_end_of_the_work_is_explained() {
        let producer = Scripted::default();
        let questions = Questions::listen().unwrap();
        producer.expired.notify_one();
        let work = async { 7 };
        assert_eq!(answering(&producer, questions, work).await, 7);
        assert_eq!(producer.explained.get(), 1);
    }
}

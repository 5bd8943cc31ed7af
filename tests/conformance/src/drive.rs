//! Futures polled by hand, so that they can be dropped between any two polls.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use kafka_producer::Config;

/// Settings for these brokers, with short backoffs, and `more` on top.
///
/// # Panics
///
/// If they contradict each other.
pub fn config(bootstrap: &str, more: &[(&str, &str)]) -> Config {
    let defaults = [
        ("bootstrap.servers", bootstrap),
        ("reconnect.backoff.ms", "10"),
        ("reconnect.backoff.max.ms", "50"),
        ("retry.backoff.ms", "10"),
        ("retry.backoff.max.ms", "50"),
    ];
    let properties = defaults.iter().chain(more).copied();
    Config::from_properties(properties).expect("the settings of a case are right")
}

/// A future that is polled by hand.
pub struct Task<F> {
    future: Pin<Box<F>>,
    bell: Arc<Bell>,
}

#[derive(Default)]
struct Bell {
    rung: Mutex<bool>,
    ring: Condvar,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.ring.notify_all();
    }
}

impl<F: Future> Task<F> {
    /// Not polled yet.
    pub fn new(future: F) -> Self {
        Self {
            future: Box::pin(future),
            bell: Arc::default(),
        }
    }

    /// Polls once.
    pub fn poll(&mut self) -> Poll<F::Output> {
        let waker = Waker::from(Arc::clone(&self.bell));
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }

    /// Waits until it has been woken.
    ///
    /// # Panics
    ///
    /// If it is not woken within half a minute: a wake-up was lost.
    pub fn woken(&self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut rung = self
            .bell
            .rung
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        while !*rung {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "a future was never woken");
            let waited = self.bell.ring.wait_timeout(rung, left);
            rung = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        *rung = false;
    }

    /// Drops the future before it is done, and waits until nobody could wake it any more.
    ///
    /// # Panics
    ///
    /// If its waker is kept for half a minute: it has leaked.
    pub fn give_up(self) {
        let Self { future, bell } = self;
        drop(future);
        let deadline = Instant::now() + Duration::from_secs(30);
        while 1 < Arc::strong_count(&bell) {
            assert!(Instant::now() < deadline, "the waker was never dropped");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Polls until it is done, and only when it was woken.
    pub fn finish(mut self) -> F::Output {
        loop {
            if let Poll::Ready(output) = self.poll() {
                return output;
            }
            self.woken();
        }
    }
}

/// Polls a future so many times at most, waiting for its wake-up in between, then gives it
/// up.
pub fn poll_at_most<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut task = Task::new(future);
    for poll in 0..polls {
        if 0 < poll {
            task.woken();
        }
        if let Poll::Ready(output) = task.poll() {
            return Some(output);
        }
    }
    task.give_up();
    None
}

/// Makes a future and drops it after no poll, after one, after two … until one is done.
/// Gives the number of those that were dropped.
///
/// # Panics
///
/// If none is done after a hundred polls.
pub fn at_every_poll<F: Future>(mut make: impl FnMut() -> F) -> (usize, F::Output) {
    for polls in 0..100 {
        if let Some(output) = poll_at_most(polls, make()) {
            return (polls, output);
        }
    }
    unreachable!("a future that needs a hundred polls makes no progress")
}

//! One permit and the one role that waits for it.
//!
//! A permit that is given while nobody waits is kept, so no wake-up is lost; several given at
//! once count as one.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// Wakes a role: given by anybody, taken by one.
#[derive(Debug, Default)]
pub struct Signal {
    raised: AtomicBool,
    waiting: Mutex<Option<Waker>>,
}

impl Signal {
    /// A signal that nobody has given.
    pub const fn new() -> Self {
        Self {
            raised: AtomicBool::new(false),
            waiting: Mutex::new(None),
        }
    }

    /// Gives the permit.
    pub fn notify(&self) {
        if self.raised.swap(true, Ordering::AcqRel) {
            // Whoever raised it has woken, or is about to wake, the one who waits.
            return;
        }
        let waker = self
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Waits for the permit and takes it. Cancel-safe: a dropped wait leaves it.
    pub async fn wait(&self) {
        poll_fn(|context| self.poll(context)).await;
    }

    /// One look at the permit; remembers who to wake.
    pub fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.raised.swap(false, Ordering::AcqRel) {
            return Poll::Ready(());
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *waiting {
            Some(waker) => waker.clone_from(context.waker()),
            none => *none = Some(context.waker().clone()),
        }
        // It may have been given between the first look and the waker's arrival.
        if self.raised.swap(false, Ordering::AcqRel) {
            *waiting = None;
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::sync::Arc;
    use std::thread;

    use super::*;
    use crate::park::block_on;

    #[test]
    fn a_permit_given_before_the_wait_is_kept() {
        let signal = Signal::new();
        signal.notify();
        signal.notify();
        block_on(signal.wait());
        let mut context = Context::from_waker(Waker::noop());
        assert_eq!(signal.poll(&mut context), Poll::Pending);
    }

    #[test]
    fn a_wait_that_is_dropped_leaves_the_permit() {
        let signal = Signal::new();
        let mut context = Context::from_waker(Waker::noop());
        drop(signal.wait());
        let mut pending = Box::pin(signal.wait());
        assert!(pending.as_mut().poll(&mut context).is_pending());
        signal.notify();
        drop(pending);
        block_on(signal.wait());
    }

    #[test]
    fn no_permit_is_lost_between_threads() {
        let signal = Arc::new(Signal::new());
        let back = Arc::new(Signal::new());
        let other = {
            let (signal, back) = (Arc::clone(&signal), Arc::clone(&back));
            thread::spawn(move || {
                for _ in 0..2000 {
                    block_on(signal.wait());
                    back.notify();
                }
            })
        };
        for _ in 0..2000 {
            signal.notify();
            block_on(back.wait());
        }
        other.join().unwrap();
    }
}

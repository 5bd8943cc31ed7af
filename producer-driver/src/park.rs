//! Futures on a thread of their own: the blocking half of the driver needs no runtime.

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Instant;

/// Runs a future on this thread, which parks while the future waits.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let parking = Parking::take();
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut parking.context()) {
            parking.leave();
            return output;
        }
        parking.park();
    }
}

/// As [`block_on`], until a deadline; `None` if that came first.
pub fn block_on_until<F: Future>(deadline: Instant, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let parking = Parking::take();
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut parking.context()) {
            parking.leave();
            return Some(output);
        }
        if !parking.park_until(deadline) {
            parking.leave();
            return None;
        }
    }
}

/// Runs `act` and remembers meanwhile that this thread is busy with a callback: waiting inside
/// one may wait for what only this thread can bring (E23).
pub(crate) fn in_callback<T>(act: impl FnOnce() -> T) -> T {
    /// Puts the mark back also when `act` panics.
    struct Mark(bool);
    impl Drop for Mark {
        fn drop(&mut self) {
            IN_CALLBACK.set(self.0);
        }
    }

    let _mark = Mark(IN_CALLBACK.replace(true));
    act()
}

/// Whether this thread is running a callback.
pub(crate) fn is_in_callback() -> bool {
    IN_CALLBACK.get()
}

/// The waker of one `block_on`. Each has a flag of its own, since the thread's one token may be
/// taken by a `block_on` inside another.
struct Parking {
    unpark: Arc<Unpark>,
    waker: Waker,
}

struct Unpark {
    woken: AtomicBool,
    thread: Thread,
}

impl Parking {
    /// The one that the last `block_on` of this thread left, or a new one.
    fn take() -> Self {
        SPARE.take().unwrap_or_else(|| {
            let unpark = Arc::new(Unpark {
                woken: AtomicBool::new(false),
                thread: thread::current(),
            });
            Self {
                waker: Waker::from(Arc::clone(&unpark)),
                unpark,
            }
        })
    }

    /// Keeps it for the next `block_on`, unless the thread is at its end. A wake that comes late
    /// costs the next one a poll.
    fn leave(self) {
        let _ = SPARE.try_with(|spare| spare.set(Some(self)));
    }

    fn context(&self) -> Context<'_> {
        Context::from_waker(&self.waker)
    }

    fn park(&self) {
        while !self.unpark.woken.swap(false, Ordering::Acquire) {
            thread::park();
        }
    }

    /// Whether it was woken before the deadline.
    fn park_until(&self, deadline: Instant) -> bool {
        while !self.unpark.woken.swap(false, Ordering::Acquire) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            thread::park_timeout(left);
        }
        true
    }
}

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.woken.swap(true, Ordering::Release) {
            self.thread.unpark();
        }
    }
}

thread_local! {
    static IN_CALLBACK: Cell<bool> = const { Cell::new(false) };
    static SPARE: Cell<Option<Parking>> = const { Cell::new(None) };
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_wait_ends_at_its_deadline() {
        let deadline = Instant::now() + Duration::from_millis(5);
        assert_eq!(block_on_until(deadline, std::future::pending::<()>()), None);
        assert!(deadline <= Instant::now());
    }

    #[test]
    fn a_ready_future_needs_no_time() {
        assert_eq!(
            block_on_until(Instant::now(), std::future::ready(7)),
            Some(7)
        );
    }

    #[test]
    fn the_callback_mark_is_put_back_after_a_panic() {
        let result = std::panic::catch_unwind(|| in_callback(|| panic!("on purpose")));
        assert!(result.is_err());
        assert!(!is_in_callback());
    }
}

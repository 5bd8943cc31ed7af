//! Code of others that runs on our roles: callbacks, wakers, and whoever listens to events.
//!
//! Any of it may panic. A panic ends what panicked and nothing else: neither the role it
//! happened on, nor what is due to others.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

use kafka_producer_machine::Notice;

use crate::completion::Resolution;
use crate::due::Callback;
use crate::notice;
use crate::park::in_callback;

/// Calls a callback.
pub(crate) fn call(callback: Callback, resolution: &Resolution) {
    if panics(|| in_callback(|| callback.call(resolution))) {
        notice::callback_panicked();
    }
}

/// Reports what happened to whoever listens.
pub(crate) fn report(notices: &mut Vec<Notice>) {
    for event in notices.drain(..) {
        // Whoever listens has just shown that it cannot be told.
        let _ = panics(|| notice::report(&event));
    }
}

/// Wakes all of them.
pub(crate) fn wake(wakes: &mut Vec<Waker>) {
    for waker in wakes.drain(..) {
        if panics(|| waker.wake()) {
            notice::waker_panicked();
        }
    }
}

/// Whether `act` panics. What it touched is its own: nothing of ours is left half done.
#[inline]
pub(crate) fn panics(act: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(act)).is_err()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::Wake;

    use super::*;

    static WOKEN: AtomicU32 = AtomicU32::new(0);

    struct Rude;

    impl Wake for Rude {
        fn wake(self: Arc<Self>) {
            panic!("on purpose");
        }
    }

    struct Polite;

    impl Wake for Polite {
        fn wake(self: Arc<Self>) {
            WOKEN.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn those_behind_a_waker_that_panics_are_woken_all_the_same() {
        let (rude, polite) = (Waker::from(Arc::new(Rude)), Waker::from(Arc::new(Polite)));
        let mut wakes = vec![polite.clone(), rude.clone(), polite.clone(), rude, polite];
        wake(&mut wakes);
        assert_eq!((wakes.len(), WOKEN.load(Ordering::Relaxed)), (0, 3));
    }
}

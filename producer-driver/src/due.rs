//! What is due to the application, in one order: callbacks, and the ends that wait for them.
//!
//! ```text
//! idle ──start: something is due──► busy: one thread calls, without the lock
//!   ▲                                 │ ▲
//!   └── go_on: nothing, or give_back ─┘ └── go_on: what was pushed meanwhile
//! ```
//!
//! A flush that ends while a callback of one of its records is due or running takes its place
//! behind it, so whoever awaits the flush finds that every callback before it has run.

use std::collections::VecDeque;
use std::fmt;

use kafka_producer_machine::FlushId;

use crate::completion::{Outcome, Resolution};

/// Something to be done outside the lock, once all that came before it is done.
#[derive(Debug)]
pub(crate) enum Due {
    /// A record was resolved, and its sender wants to be called.
    Call(Callback, Resolution),
    /// The producer is closed.
    Closed,
    /// A flush is over.
    Flushed(FlushId),
}

/// Somebody who wants to be called once a record is resolved.
pub(crate) struct Callback {
    pub(crate) index: u32,
    pub(crate) timestamp: i64,
    pub(crate) call: Call,
}

/// The application's half of a callback.
pub(crate) type Call = Box<dyn FnOnce(Outcome) + Send>;

impl Callback {
    /// Tells the sender what became of its record.
    pub(crate) fn call(self, resolution: &Resolution) {
        (self.call)(resolution.outcome(self.index, self.timestamp));
    }
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Callback({})", self.index)
    }
}

/// What is due, and whether a thread is busy with what was due before.
#[derive(Debug, Default)]
pub(crate) struct DueQueue {
    due: VecDeque<Due>,
    busy: bool,
}

impl DueQueue {
    pub(crate) fn push(&mut self, due: Due) {
        self.due.push_back(due);
    }

    /// Whether nothing is due and nobody is busy: what ends now need not wait.
    pub(crate) fn is_idle(&self) -> bool {
        self.due.is_empty() && !self.busy
    }

    /// Hands what is due to the caller, who must then go on until nothing is, unless another
    /// thread does that already. `taken` comes empty and is kept for its capacity.
    pub(crate) fn start(&mut self, taken: &mut VecDeque<Due>) {
        if !self.busy && !self.due.is_empty() {
            self.busy = true;
            std::mem::swap(&mut self.due, taken);
        }
    }

    /// Hands over what became due meanwhile; `false` if nothing did, and nobody is busy any more.
    pub(crate) fn go_on(&mut self, taken: &mut VecDeque<Due>) -> bool {
        self.busy = !self.due.is_empty();
        if self.busy {
            std::mem::swap(&mut self.due, taken);
        }
        self.busy
    }

    /// Takes back what a thread was handed and could not finish; nobody is busy any more.
    pub(crate) fn give_back(&mut self, rest: &mut VecDeque<Due>) {
        rest.append(&mut self.due);
        std::mem::swap(&mut self.due, rest);
        self.busy = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::completion::Place;

    #[test]
    fn only_one_thread_is_handed_what_is_due() {
        let mut queue = DueQueue::default();
        let (mut first, mut second) = (VecDeque::new(), VecDeque::new());
        queue.start(&mut first);
        assert!(first.is_empty() && queue.is_idle());

        queue.push(Due::Closed);
        queue.start(&mut first);
        queue.push(Due::Closed);
        queue.start(&mut second);
        assert_eq!((first.len(), second.len()), (1, 0));
        assert!(!queue.is_idle());

        first.clear();
        assert!(queue.go_on(&mut first));
        assert_eq!(first.len(), 1);
        first.clear();
        // The last one may still be running until it is asked for more.
        assert!(!queue.is_idle());
        assert!(!queue.go_on(&mut first));
        assert!(queue.is_idle());
    }

    fn call() -> Due {
        let callback = Callback {
            index: 0,
            timestamp: 0,
            call: Box::new(|_| ()),
        };
        let place = Place {
            partition: 0,
            base_offset: None,
            log_append_time: None,
        };
        let resolution = Resolution {
            records: 0..1,
            topic: "orders".into(),
            result: Ok(place),
        };
        Due::Call(callback, resolution)
    }

    #[test]
    fn what_is_given_back_comes_before_what_came_later() {
        let mut queue = DueQueue::default();
        let mut taken = VecDeque::new();
        queue.push(Due::Closed);
        queue.start(&mut taken);
        queue.push(call());
        queue.give_back(&mut taken);
        assert!(!queue.is_idle() && taken.is_empty());
        queue.start(&mut taken);
        assert!(matches!(taken.pop_front(), Some(Due::Closed)));
        assert!(matches!(taken.pop_front(), Some(Due::Call(..))));
    }
}

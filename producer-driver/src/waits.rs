//! Who waits for an answer of the machine: for room, for metadata, for a flush, for the end.
//!
//! The machine keeps the order and the deadlines; here are only the wakers.

use std::collections::BTreeMap;
use std::mem;
use std::task::{Poll, Waker};

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The deadline came first.
    Expired,
    /// What was waited for is there.
    Ready,
}

/// Waits by their ids.
#[derive(Debug)]
pub(crate) struct Waits<K> {
    waiting: BTreeMap<K, Wait>,
}

#[derive(Debug, Default)]
struct Wait {
    answer: Option<Answer>,
    waker: Option<Waker>,
}

impl<K: Copy + Ord> Waits<K> {
    pub(crate) const fn new() -> Self {
        Self {
            waiting: BTreeMap::new(),
        }
    }

    /// Starts to wait.
    pub(crate) fn park(&mut self, id: K) {
        self.waiting.insert(id, Wait::default());
    }

    /// Waits once more under the same id.
    pub(crate) fn park_again(&mut self, id: K, waker: &Waker) {
        self.waiting.insert(
            id,
            Wait {
                answer: None,
                waker: Some(waker.clone()),
            },
        );
    }

    /// Stops waiting. What it gives back is to be dropped after unlocking.
    pub(crate) fn leave(&mut self, id: K) -> Option<Waker> {
        self.waiting.remove(&id).and_then(|wait| wait.waker)
    }

    /// The answer, if it has come. If not it takes `waker`, and leaves the one it had in its
    /// place, to be dropped after unlocking: a task may go with its last waker.
    pub(crate) fn poll(&mut self, id: K, waker: &mut Option<Waker>) -> Poll<Answer> {
        // An id that is not here was answered and left before.
        let Some(wait) = self.waiting.get_mut(&id) else {
            return Poll::Ready(Answer::Ready);
        };
        if let Some(answer) = wait.answer {
            return Poll::Ready(answer);
        }
        mem::swap(&mut wait.waker, waker);
        Poll::Pending
    }

    /// Answers one wait. An id that nobody waits under is none of ours.
    pub(crate) fn answer(&mut self, id: K, answer: Answer, wakes: &mut Vec<Waker>) {
        if let Some(wait) = self.waiting.get_mut(&id) {
            wait.answer = Some(answer);
            wakes.extend(wait.waker.take());
        }
    }

    /// Answers every wait: nothing will come any more.
    pub(crate) fn answer_all(&mut self, answer: Answer, wakes: &mut Vec<Waker>) {
        for wait in self.waiting.values_mut() {
            wait.answer.get_or_insert(answer);
            wakes.extend(wait.waker.take());
        }
    }

    /// How many wait.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_kept_until_it_is_asked_for() {
        let mut waits = Waits::new();
        waits.park(1);
        let mut wakes = Vec::new();
        waits.answer(1, Answer::Expired, &mut wakes);
        assert_eq!(
            waits.poll(1, &mut Some(Waker::noop().clone())),
            Poll::Ready(Answer::Expired)
        );
        assert!(wakes.is_empty());
    }

    #[test]
    fn an_answer_wakes_the_one_who_polled() {
        let mut waits = Waits::new();
        waits.park(1);
        waits.park(2);
        assert_eq!(
            waits.poll(1, &mut Some(Waker::noop().clone())),
            Poll::Pending
        );
        assert_eq!(
            waits.poll(2, &mut Some(Waker::noop().clone())),
            Poll::Pending
        );
        let mut wakes = Vec::new();
        waits.answer(2, Answer::Ready, &mut wakes);
        assert_eq!(wakes.len(), 1);
        waits.answer_all(Answer::Ready, &mut wakes);
        assert_eq!(wakes.len(), 2);
        assert_eq!(
            waits.poll(1, &mut Some(Waker::noop().clone())),
            Poll::Ready(Answer::Ready)
        );
    }

    #[test]
    fn an_answer_for_one_who_left_is_nobodys() {
        let mut waits = Waits::new();
        waits.park(1);
        assert!(waits.leave(1).is_none());
        let mut wakes = Vec::new();
        waits.answer(1, Answer::Ready, &mut wakes);
        assert!(wakes.is_empty());
    }
}

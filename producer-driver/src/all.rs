//! Sending many records under few locks.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use kafka_producer_machine::{Instant, Record, SendError};

use crate::error::SendAllError;
use crate::hub::{Caller, Core};
use crate::room::{Awaited, Place, Room, size};
use crate::waits::Answer;
use crate::{Deliveries, Delivery, Producer, ProducerError};

/// Records that wait for room; see [`Producer::send_all`].
///
/// Cancel-safe: dropping it keeps what was taken so far, a prefix of the records, and takes
/// nothing more.
#[must_use = "records beyond the room that was there are taken only while this is awaited"]
pub struct SendingAll<'p, 'r> {
    producer: &'p Producer,
    records: &'r [Record<'r>],
    next: usize,
    taken: Deliveries,
    state: State<'p, 'r>,
}

enum State<'p, 'r> {
    /// All records are taken, or one was refused.
    Done(Option<ProducerError>),
    /// There is more, and others should have a chance to run before it.
    More,
    /// No room yet.
    Waiting(Place),
    /// No room yet for a record that interceptors have seen.
    WaitingAlone(Room<'p, 'r, Awaited>),
}

impl<'p, 'r> SendingAll<'p, 'r> {
    pub(crate) fn new(producer: &'p Producer, records: &'r [Record<'r>]) -> Self {
        let (taken, state) = (Deliveries::for_records(records.len()), State::More);
        let mut sending = Self {
            producer,
            records,
            next: 0,
            taken,
            state,
        };
        sending.advance(None);
        sending
    }

    /// Takes records under one lock, about as many as fit between two yields.
    fn advance(&mut self, waker: Option<&Waker>) {
        let producer = self.producer;
        if producer.hub().interceptors().is_some() {
            self.state = self.take_each();
            return;
        }
        let left = producer.hub().apply(Caller::Sender, |core, now| {
            let place = match self.state {
                State::Waiting(place) => Some(place),
                State::Done(_) | State::More | State::WaitingAlone(_) => None,
            };
            self.state = self.take_some(now, core, place, waker);
            match (place, &self.state) {
                (Some(place), State::Done(_) | State::More) => core.leave(now, place),
                _ => None,
            }
        });
        drop(left);
    }

    /// Takes records one by one: interceptors see each just before it is taken, without the lock.
    #[cold]
    fn take_each(&mut self) -> State<'p, 'r> {
        while let Some(record) = self.records.get(self.next) {
            let mut room = Room::new(self.producer, record, Awaited);
            let is_told_later = room.is_told_later();
            match room.now() {
                Some(Ok(delivery)) => self.took(&delivery),
                Some(Err(error)) => return State::Done(Some(error)),
                None => return State::WaitingAlone(room),
            }
            if is_told_later && self.next < self.records.len() {
                return State::More;
            }
        }
        State::Done(None)
    }

    fn took(&mut self, delivery: &Delivery) {
        self.taken.add(delivery);
        self.next += 1;
    }

    fn take_some(
        &mut self,
        now: Instant,
        core: &mut Core,
        mut place: Option<Place>,
        waker: Option<&Waker>,
    ) -> State<'p, 'r> {
        let records = self.records;
        let before = self.next;
        let this_moment = self.producer.hub().clock.timestamp(now);
        while let Some(record) = records.get(self.next) {
            let timestamp = record.timestamp.unwrap_or(this_moment);
            let sent = match place {
                Some(place) => {
                    let waiter = place.waiter;
                    core.machine
                        .send_reserved_stamped(now, waiter, timestamp, record)
                }
                None => core.machine.send_stamped(now, timestamp, record),
            };
            match sent {
                Ok(receipt) => {
                    let completion = core.completions.join(receipt.group.into());
                    self.taken.push(completion, receipt.index, timestamp);
                    self.next += 1;
                    if core.appended(size(record)) && self.next < records.len() {
                        return State::More;
                    }
                }
                Err(SendError::Full(_)) if core.closed => {
                    return State::Done(Some(SendError::Closed.into()));
                }
                Err(SendError::Full(shortage)) => match place.take() {
                    // The grant was too small for even one record: it will be topped up.
                    Some(place) if self.next == before => {
                        waker.into_iter().for_each(|waker| {
                            core.waiters.park_again(place.waiter, waker);
                        });
                        return State::Waiting(place);
                    }
                    // The grant is used up: to the end of the line, with `max.block.ms` anew.
                    Some(place) => {
                        // The waker is this task's own: there is no last one to drop.
                        drop(core.leave(now, place));
                        return State::Waiting(core.queue(now, shortage, self.producer));
                    }
                    None => return State::Waiting(core.queue(now, shortage, self.producer)),
                },
                Err(error) => return State::Done(Some(error.into())),
            }
        }
        State::Done(None)
    }

    fn finish(&mut self) -> Result<Deliveries, SendAllError> {
        let taken = std::mem::take(&mut self.taken);
        match &mut self.state {
            State::Done(error) => match error.take() {
                None => Ok(taken),
                Some(error) => Err(SendAllError { taken, error }),
            },
            State::More | State::Waiting(_) | State::WaitingAlone(_) => Ok(taken),
        }
    }

    /// The answer, if there is no need to wait for it; or what was taken, and why no more.
    pub(crate) fn now(&mut self) -> Result<Deliveries, SendAllError> {
        while matches!(self.state, State::More) {
            self.advance(None);
        }
        if let State::Waiting(place) = self.state {
            let producer = self.producer;
            drop(
                producer
                    .hub()
                    .apply(Caller::Sender, |core, now| core.leave(now, place)),
            );
            self.state = State::Done(Some(ProducerError::WouldDeadlock));
        }
        if let State::WaitingAlone(_) = self.state {
            self.state = State::Done(Some(ProducerError::WouldDeadlock));
        }
        self.finish()
    }
}

impl Future for SendingAll<'_, '_> {
    type Output = Result<Deliveries, SendAllError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let waker = context.waker();
        loop {
            match &mut self.state {
                State::Done(_) => return Poll::Ready(self.finish()),
                State::WaitingAlone(room) => match room.poll(context) {
                    Poll::Ready(Ok(delivery)) => {
                        self.took(&delivery);
                        self.state = State::More;
                    }
                    Poll::Ready(Err(error)) => self.state = State::Done(Some(error)),
                    Poll::Pending => return Poll::Pending,
                },
                State::More => {
                    self.advance(Some(waker));
                    if matches!(self.state, State::More) {
                        waker.wake_by_ref();
                        return Poll::Pending;
                    }
                }
                &mut State::Waiting(place) => {
                    let hub = self.producer.hub();
                    let mut newest = Some(waker.clone());
                    let Poll::Ready(answer) = hub.lock().waiters.poll(place.waiter, &mut newest)
                    else {
                        return Poll::Pending;
                    };
                    if answer == Answer::Expired {
                        let now = hub.clock.coarse();
                        drop(hub.apply(Caller::Sender, |core, now| core.leave(now, place)));
                        self.state = State::Done(Some(place.expired(now)));
                        continue;
                    }
                    self.advance(Some(waker));
                    if matches!(self.state, State::More) {
                        waker.wake_by_ref();
                        return Poll::Pending;
                    }
                }
            }
        }
    }
}

impl Drop for SendingAll<'_, '_> {
    fn drop(&mut self) {
        if let State::Waiting(place) = self.state {
            drop(
                self.producer
                    .hub()
                    .apply(Caller::Sender, |core, now| core.leave(now, place)),
            );
        }
    }
}

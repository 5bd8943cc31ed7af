//! Sending one record: at once if there is room, else first come first served.
//!
//! ```text
//! send ─► Taken ──────────────────────────────► Delivery
//!   └───► Waiting ─SpaceReady─► send_reserved ─► Delivery
//!            ├─────WaitExpired─► BufferFull
//!            └─────dropped─────► cancel_wait: the room goes to the next in line
//! ```

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use kafka_producer_machine::{Instant, Receipt, Record, SendError, WaiterId};

use crate::due::{Call, Callback};
use crate::hub::{Caller, Core};
use crate::waits::Answer;
use crate::{Delivery, Producer, ProducerError};

/// What the sender wants to know of a record that was taken.
pub(crate) trait Want: Unpin {
    type Taken: Unpin;

    fn taken(&mut self, core: &mut Core, receipt: Receipt, timestamp: i64) -> Self::Taken;
}

/// What becomes of it.
pub(crate) struct Awaited;

impl Want for Awaited {
    type Taken = Delivery;

    fn taken(&mut self, core: &mut Core, receipt: Receipt, timestamp: i64) -> Delivery {
        let completion = Arc::clone(core.completions.join(receipt.group.into()));
        Delivery::new(completion, receipt.index, timestamp)
    }
}

/// Nothing, or a call.
pub(crate) struct Detached {
    pub(crate) call: Option<Call>,
}

impl Want for Detached {
    type Taken = ();

    fn taken(&mut self, core: &mut Core, receipt: Receipt, timestamp: i64) {
        if let Some(call) = self.call.take() {
            let callback = Callback {
                index: receipt.index,
                timestamp,
                call,
            };
            core.completions.call(receipt.group.into(), callback);
        }
    }
}

/// A record on its way into the buffer. Small, since every `send` moves one about.
pub(crate) enum Room<'p, 'r, W: Want> {
    /// The answer was given.
    Done,
    /// It was refused.
    Refused(Box<ProducerError>),
    /// It was taken, to be told at once.
    Taken(W::Taken),
    /// No room yet.
    Waiting(Box<Waiting<'p, 'r, W>>),
    /// It was taken, to be told after others had a chance to run.
    Yielding(W::Taken),
}

/// A place in the line.
pub(crate) struct Waiting<'p, 'r, W> {
    producer: &'p Producer,
    record: Record<'r>,
    want: W,
    place: Place,
}

/// A wait that is given up when it is dropped.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) waiter: WaiterId,
    pub(crate) since: Instant,
    pub(crate) needed: usize,
}

impl Place {
    /// The error of a wait that brought nothing.
    pub(crate) fn expired(self, now: Instant) -> ProducerError {
        ProducerError::BufferFull {
            needed: self.needed,
            waited: now.since(self.since),
        }
    }
}

impl Core {
    /// Takes a place in the line.
    pub(crate) fn queue(
        &mut self,
        now: Instant,
        shortage: kafka_producer_machine::Shortage,
        producer: &Producer,
    ) -> Place {
        let deadline = now + producer.config().max_block();
        let waiter = self.machine.wait_for_space(now, shortage, deadline);
        self.waiters.park(waiter);
        Place {
            waiter,
            since: now,
            needed: shortage.bytes(),
        }
    }

    /// Leaves the line; what was reserved goes to the next one. The waker that it gives back is
    /// to be dropped after unlocking, since a task may go with it.
    pub(crate) fn leave(&mut self, now: Instant, place: Place) -> Option<Waker> {
        self.machine.cancel_wait(now, place.waiter);
        self.waiters.leave(place.waiter)
    }
}

impl<'p, 'r, W: Want> Room<'p, 'r, W> {
    /// Appends now, or takes a place in the line.
    pub(crate) fn new(producer: &'p Producer, record: &Record<'r>, want: W) -> Self {
        // What the application gave, such as a callback, is never dropped under the lock.
        let mut want = Some(want);
        producer.hub().apply(Caller::Sender, |core, now| {
            let (stamped, timestamp) = producer.stamp(now, record);
            match core.machine.send(now, &stamped) {
                Ok(receipt) => {
                    let want = want.as_mut().expect("only `Waiting` below takes it");
                    let taken = want.taken(core, receipt, timestamp);
                    if core.appended(size(&stamped)) {
                        Self::Yielding(taken)
                    } else {
                        Self::Taken(taken)
                    }
                }
                Err(SendError::Full(shortage)) => {
                    let place = core.queue(now, shortage, producer);
                    let want = want.take().expect("it is taken here only");
                    Self::Waiting(Box::new(Waiting {
                        producer,
                        record: *record,
                        want,
                        place,
                    }))
                }
                Err(error) => Self::refused(error),
            }
        })
    }

    #[cold]
    fn refused(error: SendError) -> Self {
        Self::Refused(Box::new(error.into()))
    }

    #[inline]
    pub(crate) fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<W::Taken, ProducerError>> {
        match mem::replace(self, Self::Done) {
            Self::Taken(taken) => Poll::Ready(Ok(taken)),
            before => self.poll_slowly(before, context),
        }
    }

    /// What `poll` does for a record that was not simply taken.
    fn poll_slowly(
        &mut self,
        before: Self,
        context: &mut Context<'_>,
    ) -> Poll<Result<W::Taken, ProducerError>> {
        match before {
            Self::Done => unreachable!("a future is not polled once it is done"),
            Self::Refused(error) => Poll::Ready(Err(*error)),
            Self::Taken(taken) => Poll::Ready(Ok(taken)),
            Self::Waiting(mut waiting) => match waiting.poll(context.waker()) {
                Some(result) => Poll::Ready(result),
                None => {
                    *self = Self::Waiting(waiting);
                    Poll::Pending
                }
            },
            Self::Yielding(taken) => {
                *self = Self::Taken(taken);
                context.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }

    /// The answer, if there is no need to wait for it.
    #[inline]
    pub(crate) fn now(&mut self) -> Option<Result<W::Taken, ProducerError>> {
        match mem::replace(self, Self::Done) {
            Self::Done => None,
            Self::Refused(error) => Some(Err(*error)),
            Self::Taken(taken) | Self::Yielding(taken) => Some(Ok(taken)),
            waiting @ Self::Waiting(_) => {
                *self = waiting;
                None
            }
        }
    }
}

impl<W: Want> Waiting<'_, '_, W> {
    /// One more try if there is room; `None` if the wait goes on.
    fn poll(&mut self, waker: &Waker) -> Option<Result<W::Taken, ProducerError>> {
        let place = self.place;
        let hub = self.producer.hub();
        let Poll::Ready(answer) = hub.lock().waiters.poll(place.waiter, waker) else {
            return None;
        };
        hub.apply(Caller::Sender, |core, now| {
            if answer == Answer::Expired {
                return Some(Err(place.expired(now)));
            }
            let (record, timestamp) = self.producer.stamp(now, &self.record);
            match core.machine.send_reserved(now, place.waiter, &record) {
                Ok(receipt) => Some(Ok(self.want.taken(core, receipt, timestamp))),
                Err(SendError::Full(_)) if core.closed => Some(Err(SendError::Closed.into())),
                Err(SendError::Full(_)) => {
                    core.waiters.park_again(place.waiter, waker);
                    None
                }
                Err(error) => Some(Err(error.into())),
            }
        })
    }
}

impl<W> Drop for Waiting<'_, '_, W> {
    fn drop(&mut self) {
        let place = self.place;
        let hub = self.producer.hub();
        drop(hub.apply(Caller::Sender, |core, now| core.leave(now, place)));
    }
}

/// About how many bytes a record takes, for the yield only.
pub(crate) fn size(record: &Record<'_>) -> usize {
    RECORD_OVERHEAD + record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len)
}

/// What a record without key, value and headers takes, about.
const RECORD_OVERHEAD: usize = 10;

/// A record that waits for room; see [`Producer::send`].
///
/// Cancel-safe: dropping it before it is done gives up the place in the line, and the record was
/// either taken whole or not at all.
#[must_use = "the record may not be taken until this is awaited"]
pub struct Sending<'p, 'r> {
    room: Room<'p, 'r, Awaited>,
}

/// A record that waits for room; see [`Producer::send_detached`] and [`Producer::send_with`].
///
/// Cancel-safe as [`Sending`].
#[must_use = "the record may not be taken until this is awaited"]
pub struct SendingDetached<'p, 'r> {
    room: Room<'p, 'r, Detached>,
}

impl<'p, 'r> Sending<'p, 'r> {
    pub(crate) const fn new(room: Room<'p, 'r, Awaited>) -> Self {
        Self { room }
    }

    /// The answer, if there is no need to wait for it.
    #[inline]
    pub(crate) fn now(&mut self) -> Option<Result<Delivery, ProducerError>> {
        self.room.now()
    }
}

impl<'p, 'r> SendingDetached<'p, 'r> {
    pub(crate) const fn new(room: Room<'p, 'r, Detached>) -> Self {
        Self { room }
    }

    /// The answer, if there is no need to wait for it.
    #[inline]
    pub(crate) fn now(&mut self) -> Option<Result<(), ProducerError>> {
        self.room.now()
    }
}

impl Future for Sending<'_, '_> {
    type Output = Result<Delivery, ProducerError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.room.poll(context)
    }
}

impl Future for SendingDetached<'_, '_> {
    type Output = Result<(), ProducerError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.room.poll(context)
    }
}

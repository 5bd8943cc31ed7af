//! Sending one record: at once if there is room, else first come first served.
//!
//! ```text
//! send ─► Taken ──────────────────────────────► Delivery
//!   └───► Waiting ─SpaceReady─► send_reserved ─► Delivery
//!            ├─────WaitExpired─► BufferFull
//!            └─────dropped─────► cancel_wait: the room goes to the next in line
//! ```

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use kafka_producer_machine::{Instant, Receipt, Record, SendError, WaiterId};

use crate::clock::Clock;
use crate::due::{Call, Callback};
use crate::hub::{Caller, Core};
use crate::interceptor::{Chain, Intercepted};
use crate::waits::Answer;
use crate::{Delivery, Producer, ProducerError};

/// A record on its way in: the sender's own, or what interceptors have made of it.
pub(crate) trait Entrant<'r> {
    /// Hands it to the machine, with the room that `waiter` was granted; gives its timestamp too.
    fn enter(
        &mut self,
        core: &mut Core,
        now: Instant,
        clock: &Clock,
        waiter: Option<WaiterId>,
    ) -> Result<(Receipt, i64), SendError>;

    /// About how many bytes it takes.
    fn size(&self) -> usize;

    /// As it is kept while it waits.
    fn keep(self) -> Kept<'r>;
}

/// A record that waits for room.
pub(crate) enum Kept<'r> {
    Intercepted(Intercepted<'r>),
    Plain(Record<'r>),
}

impl<'r> Entrant<'r> for &Record<'r> {
    #[inline]
    fn enter(
        &mut self,
        core: &mut Core,
        now: Instant,
        clock: &Clock,
        waiter: Option<WaiterId>,
    ) -> Result<(Receipt, i64), SendError> {
        let timestamp = match self.timestamp {
            Some(own) => own,
            None => clock.timestamp(now),
        };
        let machine = &mut core.machine;
        let receipt = match waiter {
            None => machine.send_stamped(now, timestamp, self)?,
            Some(waiter) => machine.send_reserved_stamped(now, waiter, timestamp, self)?,
        };
        Ok((receipt, timestamp))
    }

    #[inline]
    fn size(&self) -> usize {
        size(self)
    }

    fn keep(self) -> Kept<'r> {
        Kept::Plain(*self)
    }
}

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

/// A record on its way into the buffer.
///
/// Every `send` makes one, moves it about and drops it, nearly always with nothing but `taken`:
/// so that road has no jump table, and what is rare stands behind one pointer.
pub(crate) struct Room<'p, 'r, W: Want> {
    /// It was taken, to be told.
    taken: Option<W::Taken>,
    turn: Turn,
    /// It was not taken, or not yet. With `taken`, this is nothing.
    rest: Option<Box<Rest<'p, 'r, W>>>,
}

/// When to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// After others had a chance to run.
    Next,
    Now,
}

enum Rest<'p, 'r, W> {
    /// Never.
    Refused(ProducerError),
    /// No room yet.
    Waiting(Waiting<'p, 'r, W>),
}

/// A place in the line.
pub(crate) struct Waiting<'p, 'r, W> {
    producer: &'p Producer,
    record: Kept<'r>,
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
    #[inline]
    pub(crate) fn new(producer: &'p Producer, record: &Record<'r>, want: W) -> Self {
        match producer.hub().interceptors() {
            None => Self::enter(producer, &mut Some(record), want),
            Some(chain) => Self::intercept(producer, chain, record, want),
        }
    }

    #[cold]
    fn intercept(producer: &'p Producer, chain: &Arc<Chain>, record: &Record<'r>, want: W) -> Self {
        let mut entrant = Some(chain.intercept(producer.hub(), record));
        let room = Self::enter(producer, &mut entrant, want);
        if let (Some(refusal), Some(entrant)) = (room.refusal(), &mut entrant) {
            entrant.refuse(&refusal);
        }
        room
    }

    /// Whoever waits is taken out of `entrant`.
    #[inline]
    fn enter<E: Entrant<'r>>(producer: &'p Producer, entrant: &mut Option<E>, want: W) -> Self {
        let hub = producer.hub();
        // What the application gave, such as a callback, is never dropped under the lock.
        let mut want = Some(want);
        hub.apply(Caller::Sender, |core, now| {
            let own = entrant.as_mut().expect("only `Waiting` below takes it");
            match own.enter(core, now, &hub.clock, None) {
                Ok((receipt, timestamp)) => {
                    let want = want.as_mut().expect("only `Waiting` below takes it");
                    let taken = want.taken(core, receipt, timestamp);
                    let turn = match core.appended(own.size()) {
                        true => Turn::Next,
                        false => Turn::Now,
                    };
                    Self {
                        taken: Some(taken),
                        turn,
                        rest: None,
                    }
                }
                Err(SendError::Full(shortage)) => {
                    let place = core.queue(now, shortage, producer);
                    let entrant = entrant.take().expect("it is taken here only");
                    let want = want.take().expect("it is taken here only");
                    Self::not_taken(Rest::Waiting(Waiting {
                        producer,
                        record: entrant.keep(),
                        want,
                        place,
                    }))
                }
                Err(error) => Self::not_taken(Rest::Refused(error.into())),
            }
        })
    }

    #[cold]
    fn not_taken(rest: Rest<'p, 'r, W>) -> Self {
        Self {
            taken: None,
            turn: Turn::Now,
            rest: Some(Box::new(rest)),
        }
    }

    #[inline]
    pub(crate) fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<W::Taken, ProducerError>> {
        if self.turn == Turn::Now
            && let Some(taken) = self.taken.take()
        {
            return Poll::Ready(Ok(taken));
        }
        self.poll_slowly(context)
    }

    /// What `poll` does for a record that was not simply taken.
    #[inline(never)]
    fn poll_slowly(&mut self, context: &mut Context<'_>) -> Poll<Result<W::Taken, ProducerError>> {
        if self.turn == Turn::Next {
            self.turn = Turn::Now;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let rest = self.rest.as_deref_mut();
        let result = match rest.expect("a future is not polled once it is done") {
            Rest::Refused(error) => Err(error.clone()),
            Rest::Waiting(waiting) => match waiting.poll(context.waker()) {
                Some(result) => result,
                None => return Poll::Pending,
            },
        };
        self.rest = None;
        Poll::Ready(result)
    }

    /// Whether others should have a chance to run before it is told.
    pub(crate) fn is_told_later(&self) -> bool {
        self.turn == Turn::Next
    }

    /// The answer, if there is no need to wait for it.
    #[inline]
    pub(crate) fn now(&mut self) -> Option<Result<W::Taken, ProducerError>> {
        match self.taken.take() {
            Some(taken) => Some(Ok(taken)),
            None => self.refusal().map(Err),
        }
    }

    #[cold]
    fn refusal(&self) -> Option<ProducerError> {
        match self.rest.as_deref()? {
            Rest::Refused(error) => Some(error.clone()),
            Rest::Waiting(_) => None,
        }
    }
}

impl<W: Want> Waiting<'_, '_, W> {
    /// One more try if there is room; `None` if the wait goes on.
    fn poll(&mut self, waker: &Waker) -> Option<Result<W::Taken, ProducerError>> {
        let place = self.place;
        let hub = self.producer.hub();
        let mut newest = Some(waker.clone());
        let Poll::Ready(answer) = hub.lock().waiters.poll(place.waiter, &mut newest) else {
            return None;
        };
        let result = hub.apply(Caller::Sender, |core, now| {
            if answer == Answer::Expired {
                return Some(Err(place.expired(now)));
            }
            let entered = match &mut self.record {
                Kept::Intercepted(record) => {
                    record.enter(core, now, &hub.clock, Some(place.waiter))
                }
                Kept::Plain(record) => {
                    let mut record = &*record;
                    record.enter(core, now, &hub.clock, Some(place.waiter))
                }
            };
            match entered {
                Ok((receipt, timestamp)) => Some(Ok(self.want.taken(core, receipt, timestamp))),
                Err(SendError::Full(_)) if core.closed => Some(Err(SendError::Closed.into())),
                Err(SendError::Full(_)) => {
                    core.waiters.park_again(place.waiter, waker);
                    None
                }
                Err(error) => Some(Err(error.into())),
            }
        });
        if let (Some(Err(error)), Kept::Intercepted(record)) = (&result, &mut self.record) {
            record.refuse(error);
        }
        result
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

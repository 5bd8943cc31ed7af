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
    /// Its own timestamp, if it has one.
    fn timestamp(&self) -> Option<i64>;

    /// Hands it to the machine.
    fn enter(
        &mut self,
        core: &mut Core,
        now: Instant,
        timestamp: i64,
    ) -> Result<Receipt, SendError>;

    /// Hands it to the machine, with the room that `waiter` was granted.
    fn enter_late(
        &mut self,
        core: &mut Core,
        now: Instant,
        timestamp: i64,
        waiter: WaiterId,
    ) -> Result<Receipt, SendError>;

    /// About how many bytes it takes.
    fn size(&self) -> usize;

    /// As it is kept while it waits.
    fn keep(&mut self) -> Kept<'r>;
}

/// The record's timestamp: its own, or that of this moment.
#[inline]
pub(crate) fn stamp<'r>(now: Instant, clock: &Clock, record: &impl Entrant<'r>) -> i64 {
    match record.timestamp() {
        Some(own) => own,
        None => clock.timestamp(now),
    }
}

/// A record that waits for room.
pub(crate) enum Kept<'r> {
    Intercepted(Intercepted<'r>),
    Plain(Record<'r>),
}

impl<'r> Entrant<'r> for &Record<'r> {
    #[inline]
    fn timestamp(&self) -> Option<i64> {
        self.timestamp
    }

    // The one call that every record makes, from few places: it costs less in line.
    #[inline(always)]
    fn enter(
        &mut self,
        core: &mut Core,
        now: Instant,
        timestamp: i64,
    ) -> Result<Receipt, SendError> {
        core.machine.send_stamped(now, timestamp, self)
    }

    fn enter_late(
        &mut self,
        core: &mut Core,
        now: Instant,
        timestamp: i64,
        waiter: WaiterId,
    ) -> Result<Receipt, SendError> {
        core.machine
            .send_reserved_stamped(now, waiter, timestamp, self)
    }

    #[inline]
    fn size(&self) -> usize {
        size(self)
    }

    fn keep(&mut self) -> Kept<'r> {
        Kept::Plain(**self)
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
    pub(crate) fn new(producer: &'p Producer, record: &Record<'r>, want: W) -> Self {
        match producer.hub().interceptors() {
            None => Self::enter(producer, record, want),
            Some(chain) => Self::intercept(producer, chain, record, want),
        }
    }

    #[cold]
    fn intercept(producer: &'p Producer, chain: &Arc<Chain>, record: &Record<'r>, want: W) -> Self {
        let mut record = chain.intercept(producer.hub(), record);
        let room = Self::enter(producer, &mut record, want);
        if let Some(refusal) = room.refusal() {
            record.refuse(&refusal);
        }
        room
    }

    #[inline(always)]
    fn enter(producer: &'p Producer, mut record: impl Entrant<'r>, want: W) -> Self {
        let hub = producer.hub();
        // What the application gave, such as a callback, is never dropped under the lock.
        let mut want = Some(want);
        hub.apply_in_line(Caller::Sender, |core, now| {
            let timestamp = stamp(now, &hub.clock, &record);
            match record.enter(core, now, timestamp) {
                Ok(receipt) => {
                    let want = want.as_mut().expect("only `Waiting` below takes it");
                    let taken = want.taken(core, receipt, timestamp);
                    let turn = match core.appended(record.size()) {
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
                    let want = want.take().expect("it is taken here only");
                    Self::not_taken(Rest::Waiting(Waiting {
                        producer,
                        record: record.keep(),
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
            let waiter = place.waiter;
            let entered = match &mut self.record {
                Kept::Intercepted(record) => enter_late(record, core, now, &hub.clock, waiter),
                Kept::Plain(record) => enter_late(&*record, core, now, &hub.clock, waiter),
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

/// Hands a record to the machine that has waited for room; gives its timestamp too.
fn enter_late<'r>(
    mut record: impl Entrant<'r>,
    core: &mut Core,
    now: Instant,
    clock: &Clock,
    waiter: WaiterId,
) -> Result<(Receipt, i64), SendError> {
    let timestamp = stamp(now, clock, &record);
    let receipt = record.enter_late(core, now, timestamp, waiter)?;
    Ok((receipt, timestamp))
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
/// either taken whole or not at all. What is lent stays lent until then, and a record that was
/// taken was copied: nobody can change it on its way.
///
/// ```compile_fail
/// # use kafka_producer_driver::{Producer, Record};
/// # fn example(producer: &Producer, mut value: String) {
/// let sending = producer.send(&Record::to("orders").value(&value));
/// value.push_str("more"); // It may wait for room yet: this does not compile.
/// drop(sending);
/// # }
/// ```
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

//! A link: one connection and its two roles.
//!
//! ```text
//!            ┌─ reader: resolve, connect, then bytes ─► handle_received
//! socket ◄──►│
//!            └─ writer: woken ─► poll_transmit ─► seal ─► write
//!                 ▲ or whoever made the frame, if it need not wait
//! ```
//!
//! Only the holder of the write token calls `poll_transmit` and writes, or frames interleave.
//! Whoever wants something written sets the work flag *before* it tries for the token; whoever
//! held the token looks at the flag *after* giving it back. Both go through the same mutex, so
//! one of them sees the other, and no wake-up is lost.

use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::Poll;
use std::time::Duration;

use kafka_producer_machine::{ConnectionId, DisconnectReason, Unsealed};

use crate::Signal;
use crate::hub::{Caller, Host, Hub};
use crate::runtime::{Role, Runtime, SocketOptions, Stream};

/// Where a link leads.
pub(crate) struct Target {
    pub(crate) host: Arc<str>,
    pub(crate) port: u16,
    pub(crate) attempt: u32,
}

/// One connection, from `Action::Connect` to `handle_disconnected`.
pub(crate) struct Link {
    id: ConnectionId,
    /// The socket, once there is one.
    outlet: OnceLock<Arc<dyn Outlet>>,
    /// Why it ends; the first reason stays.
    reason: OnceLock<DisconnectReason>,
    /// Interrupts an attempt to connect.
    ending: Signal,
    /// Wakes the writer.
    wake: Signal,
    /// Whether there may be a frame that nobody has looked for.
    work: AtomicBool,
    /// The write token and what it writes.
    token: Mutex<Option<Box<Outgoing>>>,
}

/// A frame on its way out, and how much of it is out.
#[derive(Default)]
struct Outgoing {
    frame: Unsealed,
    written: usize,
}

/// The half of a stream that needs no runtime.
trait Outlet: Send + Sync {
    fn write_now(&self, chunks: &[IoSlice<'_>]) -> io::Result<usize>;
    fn shut(&self);
}

impl<S: Stream> Outlet for S {
    fn write_now(&self, chunks: &[IoSlice<'_>]) -> io::Result<usize> {
        self.try_write(chunks)
    }

    fn shut(&self) {
        self.shutdown();
    }
}

impl Link {
    pub(crate) fn new(id: ConnectionId) -> Self {
        Self {
            id,
            outlet: OnceLock::new(),
            reason: OnceLock::new(),
            ending: Signal::new(),
            wake: Signal::new(),
            work: AtomicBool::new(false),
            token: Mutex::new(Some(Box::default())),
        }
    }

    pub(crate) const fn id(&self) -> ConnectionId {
        self.id
    }

    /// Why the link ended.
    pub(crate) fn reason(&self) -> DisconnectReason {
        self.reason
            .get()
            .cloned()
            .unwrap_or(DisconnectReason::Asked)
    }

    pub(crate) fn close_as_asked(&self) {
        self.close(DisconnectReason::Asked);
    }

    /// There is a frame: writes it here and now if the peer owes no answer, or else wakes the
    /// writer. (Always direct costs 27 % CPU and two thirds of the coalescing; never direct
    /// doubles the cost of a lone record.)
    pub(crate) fn transmit(&self, hub: &Arc<Hub>, debt: Debt) {
        self.work.store(true, Ordering::Release);
        if debt == Debt::Answers || self.write_directly(hub) == Left::Something {
            self.wake.notify();
        }
    }

    /// Closes the socket: a read or write that waits returns, and the reader reports the end.
    fn close(&self, reason: DisconnectReason) {
        // Two may close at once; the first to say why is right.
        let _ = self.reason.set(reason);
        self.ending.notify();
        self.wake.notify();
        if let Some(outlet) = self.outlet.get() {
            outlet.shut();
        }
    }

    fn is_ended(&self) -> bool {
        self.reason.get().is_some()
    }

    /// Writes one frame without waiting, if nobody else is writing.
    fn write_directly(&self, hub: &Arc<Hub>) -> Left {
        let Some(outlet) = self.outlet.get() else {
            return Left::Nothing;
        };
        let Some(mut outgoing) = self.take_token() else {
            // Whoever holds the token will look at the work flag.
            return Left::Nothing;
        };
        self.work.store(false, Ordering::Relaxed);
        let left = self.try_frame(hub, outlet.as_ref(), &mut outgoing);
        self.give_back(outgoing);
        if self.work.load(Ordering::Acquire) {
            Left::Something
        } else {
            left
        }
    }

    fn try_frame(&self, hub: &Arc<Hub>, outlet: &dyn Outlet, outgoing: &mut Outgoing) -> Left {
        if !outgoing.frame.is_empty() {
            // The rest of a frame that did not fit: the writer has been told.
            return Left::Something;
        }
        if !self.next_frame(hub, outgoing) {
            return Left::Nothing;
        }
        loop {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let chunks = outgoing.remaining(&mut slices);
            if chunks.is_empty() {
                break;
            }
            match outlet.write_now(chunks) {
                Ok(0) => return self.write_failed(&io::ErrorKind::WriteZero.into()),
                Ok(written) => outgoing.written += written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Left::Something,
                Err(error) => return self.write_failed(&error),
            }
        }
        outgoing.clear();
        // Asking for the next one says that this one is written. If there is one, something is
        // in flight now, and it is the writer's.
        if self.next_frame(hub, outgoing) {
            Left::Something
        } else {
            Left::Nothing
        }
    }

    fn write_failed(&self, error: &io::Error) -> Left {
        self.close(DisconnectReason::Failed(
            format!("writing failed: {error}").into(),
        ));
        Left::Nothing
    }

    /// Fills in the next frame; only for the holder of the token.
    fn next_frame(&self, hub: &Arc<Hub>, outgoing: &mut Outgoing) -> bool {
        hub.apply(Caller::Role, |core, now| {
            core.machine
                .poll_transmit(now, self.id, &mut outgoing.frame)
        })
    }

    fn take_token(&self) -> Option<Box<Outgoing>> {
        self.token
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    fn give_back(&self, outgoing: Box<Outgoing>) {
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(outgoing);
    }
}

/// What the peer owes when a frame is announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Debt {
    /// Requests are in flight: their answers will bring more to write.
    Answers,
    Nothing,
}

/// Whether there is something left to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    Nothing,
    Something,
}

impl Outgoing {
    /// What of the frame is not out yet, as many chunks as one call takes.
    fn remaining<'a, 'b>(&'a mut self, slices: &'b mut [IoSlice<'a>]) -> &'b [IoSlice<'a>] {
        let mut skip = self.written;
        let mut count = 0;
        for chunk in self.frame.seal().chunks() {
            if chunk.len() <= skip {
                skip -= chunk.len();
                continue;
            }
            let Some(slice) = slices.get_mut(count) else {
                break;
            };
            *slice = IoSlice::new(&chunk[skip..]);
            skip = 0;
            count += 1;
        }
        &slices[..count]
    }

    /// Right after the last byte, so that the acknowledgement finds one owner of the bodies.
    fn clear(&mut self) {
        self.frame.clear();
        self.written = 0;
    }
}

/// A runtime whose type the hub has forgotten.
pub(crate) struct Hosted<R> {
    pub(crate) runtime: Arc<R>,
    pub(crate) options: SocketOptions,
    /// How long the system may try to connect; the machine gives up earlier if it wants to.
    pub(crate) limit: Duration,
}

impl<R: Runtime> Host for Hosted<R> {
    fn open(&self, hub: Arc<Hub>, link: Arc<Link>, target: Target) {
        let end = End { hub, link };
        let (runtime, options, limit) = (Arc::clone(&self.runtime), self.options, self.limit);
        let task = async move { read(&end, runtime, target, options, limit).await };
        // A role that could not be spawned is dropped, and `End` reports it.
        let _ = self.runtime.spawn(Role::Reader, task);
    }
}

/// Reports the end of the link, however it comes: also when a runtime drops the role.
struct End {
    hub: Arc<Hub>,
    link: Arc<Link>,
}

impl Drop for End {
    fn drop(&mut self) {
        self.link.close(DisconnectReason::Failed(
            "the runtime dropped the connection".into(),
        ));
        self.hub.forget(&self.link);
    }
}

/// The reader: connects, then hands over what arrives until the end.
async fn read<R: Runtime>(
    end: &End,
    runtime: Arc<R>,
    target: Target,
    options: SocketOptions,
    limit: Duration,
) {
    let End { hub, link } = end;
    let stream = match connect(link, runtime.as_ref(), &target, options, limit).await {
        Ok(stream) => Arc::new(stream),
        Err(reason) => return link.close(reason),
    };
    let outlet: Arc<dyn Outlet> = Arc::<R::Stream>::clone(&stream);
    // Only this role sets it, once.
    let _ = link.outlet.set(outlet);
    if link.is_ended() {
        // Closed between the connection and now, by somebody who found no socket to close.
        return stream.shutdown();
    }
    let writer = write(Arc::clone(hub), Arc::clone(link), Arc::clone(&stream));
    if let Err(error) = runtime.spawn(Role::Writer, writer) {
        let reason = format!("no thread for the writer: {error}");
        return link.close(DisconnectReason::Failed(reason.into()));
    }
    hub.apply(Caller::Role, |core, now| {
        core.machine.handle_connected(now, link.id);
    });

    let mut buffer = vec![0; READ_BYTES];
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) => return link.close(DisconnectReason::Closed),
            Ok(count) => {
                hub.apply(Caller::Role, |core, now| {
                    core.machine.handle_received(now, link.id, &buffer[..count]);
                });
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                let reason = format!("reading failed: {error}");
                return link.close(DisconnectReason::Failed(reason.into()));
            }
        }
    }
}

/// Resolves, and takes address `attempt` modulo their count, so that every one is tried.
async fn connect<R: Runtime>(
    link: &Link,
    runtime: &R,
    target: &Target,
    options: SocketOptions,
    limit: Duration,
) -> Result<R::Stream, DisconnectReason> {
    let resolving = runtime.resolve(&target.host, target.port);
    let addresses = unless_ended(link, resolving)
        .await?
        .map_err(|error| DisconnectReason::Resolve(error.to_string().into()))?;
    let attempt = usize::try_from(target.attempt).unwrap_or(0);
    let Some(&address) = attempt
        .checked_rem(addresses.len())
        .and_then(|index| addresses.get(index))
    else {
        return Err(DisconnectReason::Resolve("the name has no address".into()));
    };
    unless_ended(link, runtime.connect(address, options, limit))
        .await?
        .map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => DisconnectReason::SetupTimeout,
            _ => DisconnectReason::Failed(format!("connecting to {address}: {error}").into()),
        })
}

/// Works until it is done, or until the machine wants the link no more.
async fn unless_ended<T>(
    link: &Link,
    work: impl Future<Output = T>,
) -> Result<T, DisconnectReason> {
    let mut work = pin!(work);
    poll_fn(|context| {
        if link.is_ended() || link.ending.poll(context).is_ready() {
            return Poll::Ready(Err(link.reason()));
        }
        work.as_mut().poll(context).map(Ok)
    })
    .await
}

/// The writer: woken, writes until nothing is left.
async fn write<S: Stream>(hub: Arc<Hub>, link: Arc<Link>, stream: Arc<S>) {
    loop {
        link.wake.wait().await;
        loop {
            if link.is_ended() {
                return;
            }
            let Some(mut outgoing) = link.take_token() else {
                // Whoever holds the token will look at the work flag, and wake this role.
                break;
            };
            link.work.store(false, Ordering::Relaxed);
            let written = write_frames(&hub, &link, stream.as_ref(), &mut outgoing).await;
            link.give_back(outgoing);
            if let Err(error) = written {
                link.write_failed(&error);
                return;
            }
            if !link.work.load(Ordering::Acquire) {
                break;
            }
        }
    }
}

async fn write_frames<S: Stream>(
    hub: &Arc<Hub>,
    link: &Link,
    stream: &S,
    outgoing: &mut Outgoing,
) -> io::Result<()> {
    loop {
        if outgoing.frame.is_empty() && !link.next_frame(hub, outgoing) {
            return Ok(());
        }
        loop {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let chunks = outgoing.remaining(&mut slices);
            if chunks.is_empty() {
                break;
            }
            match stream.write(chunks).await {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => outgoing.written += written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        outgoing.clear();
    }
}

/// Chunks in one vectored write: two per batch, so 31 batches.
const SLICES: usize = 64;

/// Most answers are small; a large one comes in pieces.
const READ_BYTES: usize = 32 * 1024;

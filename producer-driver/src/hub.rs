//! The one lock, and the only place that touches the machine.
//!
//! ```text
//! apply:  lock ─► act ─► has_output? ─► drain ─► unlock ─► write, wake, compress, connect, call
//!                            └─ no: most appends ─► unlock
//! ```
//!
//! - Nobody blocks, compresses, seals, wakes or calls back under the lock.
//! - Callbacks run one at a time, in the order in which their records were resolved, and a flush
//!   or a close ends in that order too.
//! - The clock role is told only when the first deadline moves earlier.

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use kafka_producer_machine::{
    Action, CompressJob, Config, Event, Instant, Notice, ProducerMachine, Seed, WaiterId, Written,
};

use crate::clock::Clock;
use crate::completion::{Completions, Place, Resolution};
use crate::due::{Due, DueQueue};
use crate::ends::{EndId, Tally};
use crate::interceptor::Chain;
use crate::link::{Debt, Link, Target};
use crate::waits::{Answer, Waits};
use crate::workers::Workers;
use crate::{Signal, foreign, notice};

/// Everything that handles and roles share.
pub(crate) struct Hub {
    core: Mutex<Core>,
    pub(crate) clock: Clock,
    /// Interrupts the clock role's sleep.
    pub(crate) alarm: Signal,
    host: Box<dyn Host>,
    workers: Workers,
    interceptors: Option<Arc<Chain>>,
}

/// What starts links: a runtime whose type is forgotten, so that handles are not generic.
pub(crate) trait Host: Send + Sync {
    fn open(&self, hub: Arc<Hub>, link: Arc<Link>, target: Target);
}

/// What the lock guards.
pub(crate) struct Core {
    pub(crate) machine: ProducerMachine,
    pub(crate) completions: Completions,
    pub(crate) waiters: Waits<WaiterId>,
    pub(crate) ends: Waits<EndId>,
    /// How often somebody has asked to close.
    pub(crate) closes: u64,
    /// Whether the producer has begun to close.
    pub(crate) closing: bool,
    /// How the records ended that were on their way then.
    pub(crate) tally: Tally,
    /// Whether the machine is closed, or nobody drives it any more.
    pub(crate) closed: bool,
    /// Whether, besides, every callback has run.
    pub(crate) over: bool,
    links: BTreeMap<u64, Arc<Link>>,
    /// Until when the clock role sleeps.
    armed: Instant,
    /// Bytes appended since a sender last let others run.
    unyielded: usize,
    due: DueQueue,
}

/// Who acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// A role: reads the precise clock, and leaves compression to the workers.
    Role,
    /// Somebody who sends: reads the coarse clock, and compresses the batch it sealed.
    Sender,
}

/// What is left to do once the lock is released.
#[derive(Default)]
struct Output {
    alarm: bool,
    errands: Vec<Errand>,
    notices: Vec<Notice>,
    wakes: Vec<Waker>,
    due: VecDeque<Due>,
    ended: bool,
}

enum Errand {
    Compress(CompressJob),
    Connect(Arc<Link>, Target),
    Disconnect(Arc<Link>),
    Transmit(Arc<Link>, Debt),
}

thread_local! {
    /// The last output of this thread, empty, for its capacity.
    static SCRATCH: Cell<Output> = Cell::default();
}

impl Hub {
    pub(crate) fn new(config: Config, seed: Seed, host: Box<dyn Host>, chain: Chain) -> Arc<Self> {
        let clock = Clock::start();
        let workers = Workers::new(config.compression_threads());
        notice::warn(config.warnings());
        let machine = ProducerMachine::new(clock.precise(), config, seed);
        let core = Mutex::new(Core {
            machine,
            completions: Completions::default(),
            waiters: Waits::new(),
            ends: Waits::new(),
            closes: 0,
            closing: false,
            tally: Tally::default(),
            closed: false,
            over: false,
            links: BTreeMap::new(),
            armed: Instant::NEVER,
            unyielded: 0,
            due: DueQueue::default(),
        });
        Arc::new(Self {
            core,
            clock,
            alarm: Signal::new(),
            host,
            workers,
            interceptors: chain.shared(),
        })
    }

    /// Those who see every record, if there are any.
    #[inline]
    pub(crate) const fn interceptors(&self) -> Option<&Arc<Chain>> {
        self.interceptors.as_ref()
    }

    /// Locks, acts, and then does what the machine wishes, after unlocking.
    pub(crate) fn apply<T>(
        self: &Arc<Self>,
        caller: Caller,
        act: impl FnOnce(&mut Core, Instant) -> T,
    ) -> T {
        self.apply_in_line(caller, act)
    }

    /// As `apply`, for what is done with every record: the call costs 2 % of it.
    #[inline(always)]
    pub(crate) fn apply_in_line<T>(
        self: &Arc<Self>,
        caller: Caller,
        act: impl FnOnce(&mut Core, Instant) -> T,
    ) -> T {
        let now = match caller {
            Caller::Role => self.clock.precise(),
            Caller::Sender => self.clock.coarse(),
        };
        let mut core = self.lock();
        let result = act(&mut core, now);
        let alarm = core.rearm();
        if alarm || core.machine.has_output() {
            self.carry_out(caller, core, alarm);
        }
        result
    }

    /// Does what the machine wishes, after unlocking. Apart from `apply`, since most appends have
    /// nothing to carry out.
    #[inline(never)]
    fn carry_out(self: &Arc<Self>, caller: Caller, mut core: MutexGuard<'_, Core>, alarm: bool) {
        let mut output = SCRATCH.try_with(Cell::take).unwrap_or_default();
        output.alarm = alarm;
        core.drain(&mut output);
        drop(core);

        let calls = !output.due.is_empty();
        let mut turn = Turn {
            hub: self,
            output,
            calls,
        };
        self.perform(caller, &mut turn.output);
        turn.calls = false;
        let output = mem::take(&mut turn.output);
        // A thread at its end has no scratch any more, and needs none.
        let _ = SCRATCH.try_with(|scratch| scratch.set(output));
    }

    /// Only to look, or to change what is not the machine's.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Core> {
        // A panic of ours under the lock must not turn into one in every task of the application.
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fires what is due and says how long to sleep: `None` once there is nothing to wait for
    /// ever again, `Some(None)` until the alarm.
    pub(crate) fn tick(self: &Arc<Self>) -> Option<Option<Duration>> {
        self.apply(Caller::Role, |core, now| {
            // Whatever moves meanwhile, this role looks again before it sleeps.
            core.armed = Instant::ORIGIN;
            if core.machine.poll_timeout().is_some_and(|at| at <= now) {
                core.machine.handle_timeout(now);
            }
        });
        let mut core = self.lock();
        if core.closed {
            return None;
        }
        let next = core.machine.poll_timeout();
        core.armed = next.unwrap_or(Instant::NEVER);
        drop(core);
        Some(next.map(|at| at.since(self.clock.precise())))
    }

    /// Ends everything now: nobody drives the machine any more.
    pub(crate) fn abandon(self: &Arc<Self>) {
        self.apply(Caller::Role, |core, now| {
            core.close(now, now);
            core.machine.handle_timeout(now);
        });
        let mut wakes = Vec::new();
        let mut core = self.lock();
        core.close_now(&mut wakes);
        drop(core);
        foreign::wake(&mut wakes);
        self.workers.stop();
    }

    /// The link is no more; its socket is closed.
    pub(crate) fn forget(self: &Arc<Self>, link: &Link) {
        self.apply(Caller::Role, |core, now| {
            core.links.remove(&link.id().as_u64());
            core.machine
                .handle_disconnected(now, link.id(), link.reason());
        });
    }

    fn perform(self: &Arc<Self>, caller: Caller, output: &mut Output) {
        if output.alarm || output.ended {
            self.alarm.notify();
        }
        foreign::report(&mut output.notices);

        let mut may_compress = caller == Caller::Sender;
        for errand in output.errands.drain(..) {
            match errand {
                Errand::Compress(job) => {
                    if may_compress {
                        // One job at most: the batch that this sender sealed.
                        may_compress = false;
                        self.workers.run_here(self, job);
                    } else {
                        self.workers.push(self, job);
                    }
                }
                Errand::Connect(link, target) => self.host.open(Arc::clone(self), link, target),
                Errand::Disconnect(link) => link.close_as_asked(),
                Errand::Transmit(link, debt) => link.transmit(self, debt),
            }
        }
        foreign::wake(&mut output.wakes);
        if output.ended {
            output.ended = false;
            self.workers.stop();
        }
        if !output.due.is_empty() {
            self.call_back(&mut output.due);
        }
    }

    /// Does what is due until nothing is. Only one thread at a time gets here: the order of
    /// completions is the order of callbacks.
    fn call_back(self: &Arc<Self>, due: &mut VecDeque<Due>) {
        let mut wakes = Vec::new();
        loop {
            while let Some(next) = due.pop_front() {
                match next {
                    Due::Call(callback, resolution) => foreign::call(callback, &resolution),
                    Due::Closed => self.lock().end(&mut wakes),
                    Due::Flushed(flush) => {
                        let ends = &mut self.lock().ends;
                        ends.answer(EndId::Flush(flush), Answer::Ready, &mut wakes);
                    }
                }
                foreign::wake(&mut wakes);
            }
            if !self.lock().due.go_on(due) {
                return;
            }
        }
    }
}

/// What one thread has to carry out. A panic on the way, which is a runtime's or ours, loses the
/// rest of it, but what is due is due again: or no callback would run and no flush end any more.
struct Turn<'h> {
    hub: &'h Hub,
    output: Output,
    /// Whether this is the thread that calls back.
    calls: bool,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.calls {
            self.hub.lock().due.give_back(&mut self.output.due);
        }
    }
}

impl Core {
    /// Counts what was appended. Whether the sender should let others run: a task that never
    /// suspends starves the roles that share its thread.
    pub(crate) const fn appended(&mut self, bytes: usize) -> bool {
        self.unyielded += bytes;
        if self.unyielded < YIELD_BYTES {
            return false;
        }
        self.unyielded = 0;
        true
    }

    /// Whether the first deadline has moved earlier than the clock role sleeps.
    fn rearm(&mut self) -> bool {
        match self.machine.poll_timeout() {
            Some(at) if at < self.armed => {
                self.armed = at;
                true
            }
            _ => false,
        }
    }

    fn drain(&mut self, output: &mut Output) {
        while let Some(event) = self.machine.poll_event() {
            self.on_event(event, output);
        }
        while let Some(action) = self.machine.poll_action() {
            self.on_action(action, output);
        }
        self.due.start(&mut output.due);
    }

    fn on_event(&mut self, event: Event, output: &mut Output) {
        match event {
            Event::Closed => {
                output.ended = true;
                self.close_now(&mut output.wakes);
            }
            Event::Completed {
                group,
                records,
                result,
                last,
            } => {
                if self.closing {
                    self.tally.count(&records, &result);
                }
                let key = group.into();
                if !self.completions.knows(key) {
                    return;
                }
                let topic = match &result {
                    Ok(written) => written.topic,
                    Err(failed) => failed.topic,
                };
                let topic = self
                    .machine
                    .topic_name(topic)
                    .unwrap_or_else(|| Arc::from(""));
                let result = result.map(Place::from);
                let resolution = Resolution {
                    records,
                    topic,
                    result,
                };
                self.completions
                    .resolve(key, resolution, &mut output.wakes, &mut self.due);
                if last {
                    self.completions.retire(key);
                }
            }
            Event::Flushed(flush) => {
                if self.due.is_idle() {
                    let id = EndId::Flush(flush);
                    self.ends.answer(id, Answer::Ready, &mut output.wakes);
                } else {
                    self.due.push(Due::Flushed(flush));
                }
            }
            Event::MetadataReady(waiter) | Event::SpaceReady(waiter) => {
                self.waiters
                    .answer(waiter, Answer::Ready, &mut output.wakes);
            }
            Event::Notice(event) => {
                if let Notice::Fatal(fatal) = &event {
                    self.tally.fatal = Some(fatal.clone());
                }
                output.notices.push(event);
            }
            Event::WaitExpired(waiter) => {
                self.waiters
                    .answer(waiter, Answer::Expired, &mut output.wakes);
            }
            _ => debug_assert!(false, "an event that the driver does not know: {event:?}"),
        }
    }

    fn on_action(&mut self, action: Action, output: &mut Output) {
        let errand = match action {
            Action::Compress(job) => Some(Errand::Compress(job)),
            Action::Connect {
                connection,
                host,
                port,
                attempt,
            } => {
                let link = Arc::new(Link::new(connection));
                self.links.insert(connection.as_u64(), Arc::clone(&link));
                Some(Errand::Connect(
                    link,
                    Target {
                        host,
                        port,
                        attempt,
                    },
                ))
            }
            Action::Disconnect { connection } => self
                .links
                .get(&connection.as_u64())
                .cloned()
                .map(Errand::Disconnect),
            Action::Transmit { connection } => {
                let debt = match self.machine.in_flight(connection) {
                    0 => Debt::Nothing,
                    _ => Debt::Answers,
                };
                let link = self.links.get(&connection.as_u64()).cloned();
                link.map(|link| Errand::Transmit(link, debt))
            }
            _ => {
                debug_assert!(false, "an action that the driver does not know: {action:?}");
                None
            }
        };
        output.errands.extend(errand);
    }

    /// Nothing will come any more: whoever waits looks again and finds it closed. Those who wait
    /// for the end wait for the callbacks too.
    fn close_now(&mut self, wakes: &mut Vec<Waker>) {
        self.closed = true;
        self.waiters.answer_all(Answer::Ready, wakes);
        if self.due.is_idle() {
            self.end(wakes);
        } else {
            self.due.push(Due::Closed);
        }
    }

    /// All is over.
    fn end(&mut self, wakes: &mut Vec<Waker>) {
        self.over = true;
        self.ends.answer_all(Answer::Ready, wakes);
    }
}

impl From<Written> for Place {
    fn from(written: Written) -> Self {
        Self {
            partition: written.partition,
            base_offset: written.base_offset,
            log_append_time: written.log_append_time,
        }
    }
}

/// About how much is appended between two yields: a batch or a few.
const YIELD_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::mpsc;

    use super::*;
    use crate::due::Callback;

    /// A runtime that cannot even be asked.
    struct Broken;

    impl Host for Broken {
        fn open(&self, _: Arc<Hub>, _: Arc<Link>, _: Target) {
            panic!("on purpose");
        }
    }

    #[test]
    fn what_is_due_is_called_although_the_thread_that_should_has_panicked() {
        let config = Config::from_properties([("bootstrap.servers", "127.0.0.1:1")]).unwrap();
        let hub = Hub::new(config, Seed::new(1), Box::new(Broken), Chain::default());
        let (sender, called) = mpsc::channel();
        let due = |index| {
            let sender = sender.clone();
            let callback = Callback {
                index,
                timestamp: 0,
                call: Box::new(move |_| sender.send(index).unwrap()),
            };
            let place = Place {
                partition: 0,
                base_offset: None,
                log_append_time: None,
            };
            let resolution = Resolution {
                records: 0..2,
                topic: "orders".into(),
                result: Ok(place),
            };
            Due::Call(callback, resolution)
        };

        let panicked = catch_unwind(AssertUnwindSafe(|| {
            hub.apply(Caller::Role, |core, now| {
                core.due.push(due(0));
                core.machine.topic(now, "orders");
            });
        }));
        assert!(panicked.is_err());
        assert!(called.try_recv().is_err());

        hub.apply(Caller::Role, |core, now| {
            core.due.push(due(1));
            core.machine.flush(now);
        });
        assert_eq!(called.try_iter().collect::<Vec<_>>(), [0, 1]);
        assert!(hub.lock().due.is_idle());
    }
}

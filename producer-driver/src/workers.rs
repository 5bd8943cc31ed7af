//! Threads that compress: started when there is work for them, up to `compression.threads`.
//!
//! A job that a role came upon goes here, never to the clock: compressing a batch takes as long
//! as a deadline can be late. The sender whose record sealed a batch runs its job itself.

use std::collections::VecDeque;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;

use kafka_producer_machine::{CompressJob, Compressor};

use crate::hub::{Caller, Hub};

/// The pool.
pub(crate) struct Workers {
    shared: Arc<Shared>,
    /// Contexts of senders that compress; a worker keeps its own.
    compressors: Mutex<Vec<Compressor>>,
    max: usize,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    ready: Condvar,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<CompressJob>,
    threads: usize,
    idle: usize,
    stopped: bool,
}

impl Workers {
    /// At most `threads` of them; one per core if that is `None`.
    pub(crate) fn new(threads: Option<usize>) -> Self {
        let cores = || thread::available_parallelism().map_or(1, usize::from);
        Self {
            shared: Arc::default(),
            compressors: Mutex::default(),
            max: threads.unwrap_or_else(cores).max(1),
        }
    }

    /// Runs a job on this thread and hands the result back.
    pub(crate) fn run_here(&self, hub: &Arc<Hub>, job: CompressJob) {
        let kept = self
            .compressors
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let mut compressor = kept.unwrap_or_default();
        run(hub, job, &mut compressor);
        let mut compressors = self
            .compressors
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if compressors.len() < self.max {
            compressors.push(compressor);
        }
    }

    /// Leaves a job to a worker, and starts one if all are busy.
    pub(crate) fn push(&self, hub: &Arc<Hub>, job: CompressJob) {
        let mut queue = self.shared.lock();
        queue.jobs.push_back(job);
        if queue.idle < queue.jobs.len() && queue.threads < self.max && !queue.stopped {
            let (shared, weak) = (Arc::clone(&self.shared), Arc::downgrade(hub));
            let name = thread::Builder::new().name("kafka-compress".into());
            match name.spawn(move || work(&shared, &weak)) {
                Ok(_) => queue.threads += 1,
                Err(_) if queue.threads == 0 => {
                    // No thread to be had: late is better than never.
                    let job = queue.jobs.pop_back();
                    drop(queue);
                    job.into_iter().for_each(|job| self.run_here(hub, job));
                    return;
                }
                Err(_) => {}
            }
        }
        drop(queue);
        self.shared.ready.notify_one();
    }

    /// Ends the threads; jobs that nobody took are dropped with their batches.
    pub(crate) fn stop(&self) {
        let mut queue = self.shared.lock();
        queue.stopped = true;
        queue.jobs.clear();
        drop(queue);
        self.shared.ready.notify_all();
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn work(shared: &Shared, hub: &Weak<Hub>) {
    let mut compressor = Compressor::new();
    loop {
        let mut queue = shared.lock();
        queue.idle += 1;
        let job = loop {
            if queue.stopped {
                return;
            }
            if let Some(job) = queue.jobs.pop_front() {
                break job;
            }
            queue = shared
                .ready
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        };
        queue.idle -= 1;
        drop(queue);
        let Some(hub) = hub.upgrade() else { return };
        run(&hub, job, &mut compressor);
    }
}

/// A codec that panics costs its batch, which is told so, and neither the thread nor the rest.
fn run(hub: &Arc<Hub>, job: CompressJob, compressor: &mut Compressor) {
    let failure = job.failure();
    let compressed = survive(failure, compressor, |compressor| job.run(compressor));
    hub.apply(Caller::Role, |core, now| {
        core.machine.handle_compressed(now, compressed);
    });
}

/// What `act` gives, or `failure` if it panics.
fn survive<T>(
    failure: T,
    compressor: &mut Compressor,
    act: impl FnOnce(&mut Compressor) -> T,
) -> T {
    let done = panic::catch_unwind(AssertUnwindSafe(|| act(compressor)));
    done.unwrap_or_else(|_| {
        // What it left behind may be half done.
        *compressor = Compressor::new();
        failure
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_codec_that_panics_costs_its_job_and_not_the_thread() {
        let mut compressor = Compressor::new();
        let mut job = |name: &'static str| {
            survive("failed", &mut compressor, |_| {
                assert_ne!(name, "bad", "on purpose");
                name
            })
        };
        assert_eq!(["a", "bad", "b"].map(&mut job), ["a", "failed", "b"]);
    }
}

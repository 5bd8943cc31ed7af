//! The transports under test.

use std::sync::mpsc;
use std::thread;

use kafka_producer::{Producer, ProducerBuilder};
use tokio::runtime::{Builder, Handle, Runtime};

/// A way to start a producer.
pub trait Transport {
    /// Starts one.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    fn start(&self, builder: impl Into<ProducerBuilder>) -> Producer;
}

/// Blocking threads.
pub struct Threads;

impl Transport for Threads {
    fn start(&self, builder: impl Into<ProducerBuilder>) -> Producer {
        let producer = kafka_producer::threads::start(builder).expect("the machine has threads");
        producer.as_async().clone()
    }
}

/// Tokio tasks on two threads.
pub struct Tasks(Runtime);

impl Default for Tasks {
    fn default() -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build();
        Self(runtime.expect("the machine has threads"))
    }
}

impl Tasks {
    /// Runs a future among the tasks.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.0.block_on(future)
    }
}

impl Transport for Tasks {
    fn start(&self, builder: impl Into<ProducerBuilder>) -> Producer {
        let _guard = self.0.enter();
        kafka_producer::tokio::start(builder).expect("there is a runtime")
    }
}

/// Tokio tasks that share one thread.
pub struct OneTask {
    handle: Handle,
    /// The runtime's thread ends when this is dropped.
    _stop: tokio::sync::oneshot::Sender<()>,
}

impl Default for OneTask {
    fn default() -> Self {
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let (sender, handle) = mpsc::channel();
        thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build();
            let runtime = runtime.expect("the machine has sockets");
            let _ = sender.send(runtime.handle().clone());
            let _ = runtime.block_on(stopped);
        });
        Self {
            handle: handle.recv().expect("the thread sends it first"),
            _stop: stop,
        }
    }
}

impl Transport for OneTask {
    fn start(&self, builder: impl Into<ProducerBuilder>) -> Producer {
        let _guard = self.handle.enter();
        kafka_producer::tokio::start(builder).expect("there is a runtime")
    }
}

//! The same producer for threads: what is a future elsewhere waits here.
//!
//! Calls that wait park the calling thread. Inside a delivery callback they are refused with
//! `WouldDeadlock` instead, since a callback may run on the thread that would end the wait; what
//! need not wait works there as everywhere.
//!
//! Never call them on a single-threaded async runtime that hosts the same producer: its thread
//! would wait for itself. The std-thread transport has no such thread.

use std::time::{Duration, Instant};

use kafka_producer_machine::explain::{Explanation, Subject};
use kafka_producer_machine::{Config, Metrics, Purge, Record, SendError, TopicHandle};

use crate::park::{block_on, block_on_until, is_in_callback};
use crate::{
    CloseError, Deliveries, DeliveryError, PartitionInfo, ProducerError, RecordMetadata,
    SendAllError, WaitError,
};

/// A [`Producer`](crate::Producer) whose calls may wait.
///
/// **Call [`close`](Self::close) (or [`flush`](Self::flush)) before the program ends**, or lose
/// what is pending.
///
/// ```no_run
/// # use kafka_producer_driver::{Record, blocking};
/// # fn run(producer: &blocking::Producer) -> Result<(), Box<dyn std::error::Error>> {
/// // The first call waits for room, the second for the cluster.
/// let delivery = producer.send(&Record::to("orders").value("one apple"))?;
/// println!("at offset {:?}", delivery.wait()?.offset);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a producer that nobody holds closes itself"]
pub struct Producer {
    inner: crate::Producer,
}

impl From<crate::Producer> for Producer {
    fn from(inner: crate::Producer) -> Self {
        Self { inner }
    }
}

impl Producer {
    /// Takes a record; waits for room, at most `max.block.ms`.
    ///
    /// # Errors
    ///
    /// Why it was not taken.
    pub fn send(&self, record: &Record<'_>) -> Result<Delivery, ProducerError> {
        let mut sending = self.inner.send(record);
        let sent = match sending.now() {
            Some(sent) => sent,
            None if is_in_callback() => Err(ProducerError::WouldDeadlock),
            None => block_on(sending),
        };
        sent.map(|inner| Delivery { inner })
    }

    /// Takes a record if there is room now.
    ///
    /// # Errors
    ///
    /// `Full` if there is no room, or if others wait for it; else why the record can never be
    /// taken.
    pub fn try_send(&self, record: &Record<'_>) -> Result<Delivery, SendError> {
        self.inner.try_send(record).map(|inner| Delivery { inner })
    }

    /// Takes many records, in order and with few locks; waits for room as needed, each time at
    /// most `max.block.ms`.
    ///
    /// # Errors
    ///
    /// Why the next one was not taken, with those that were.
    pub fn send_all(&self, records: &[Record<'_>]) -> Result<Deliveries, SendAllError> {
        let mut sending = self.inner.send_all(records);
        if is_in_callback() {
            sending.now()
        } else {
            block_on(sending)
        }
    }

    /// As [`send`](Self::send), and nobody will ever know what becomes of the record.
    ///
    /// # Errors
    ///
    /// As `send`.
    pub fn send_detached(&self, record: &Record<'_>) -> Result<(), ProducerError> {
        let mut sending = self.inner.send_detached(record);
        match sending.now() {
            Some(sent) => sent,
            None if is_in_callback() => Err(ProducerError::WouldDeadlock),
            None => block_on(sending),
        }
    }

    /// As [`try_send`](Self::try_send), fire and forget.
    ///
    /// # Errors
    ///
    /// As `try_send`.
    pub fn try_send_detached(&self, record: &Record<'_>) -> Result<(), SendError> {
        self.inner.try_send_detached(record)
    }

    /// As [`send`](Self::send), with a callback; see
    /// [`Producer::send_with`](crate::Producer::send_with).
    ///
    /// # Errors
    ///
    /// As `send`; the callback is dropped.
    pub fn send_with(
        &self,
        record: &Record<'_>,
        callback: impl FnOnce(Result<RecordMetadata, DeliveryError>) + Send + 'static,
    ) -> Result<(), ProducerError> {
        let mut sending = self.inner.send_with(record, callback);
        match sending.now() {
            Some(sent) => sent,
            None if is_in_callback() => Err(ProducerError::WouldDeadlock),
            None => block_on(sending),
        }
    }

    /// Sends everything that was taken so far without lingering and waits until all of it is
    /// resolved.
    ///
    /// # Errors
    ///
    /// `WouldDeadlock` inside a callback.
    pub fn flush(&self) -> Result<(), ProducerError> {
        refuse_in_callback()?;
        block_on(self.inner.flush());
        Ok(())
    }

    /// As [`flush`](Self::flush), and waits so long at most.
    ///
    /// # Errors
    ///
    /// `FlushTimeout` if not everything is resolved by then: it goes on all the same.
    /// `WouldDeadlock` inside a callback.
    pub fn flush_for(&self, time: Duration) -> Result<(), ProducerError> {
        refuse_in_callback()?;
        let flush = self.inner.flush();
        let started = Instant::now();
        // A time that the clock cannot count is for ever.
        let Some(deadline) = started.checked_add(time) else {
            block_on(flush);
            return Ok(());
        };
        block_on_until(deadline, flush).ok_or_else(|| ProducerError::FlushTimeout {
            pending: self.inner.hub().lock().machine.pending_records(),
            waited: started.elapsed(),
        })
    }

    /// Gives up records that have not ended, without waiting; see
    /// [`Producer::purge`](crate::Producer::purge).
    pub fn purge(&self, what: Purge) {
        self.inner.purge(what);
    }

    /// Takes nothing more, delivers what it can within `timeout`, fails the rest, and waits for
    /// the end. A later call can only bring the deadline forward.
    ///
    /// # Errors
    ///
    /// `Undelivered` with the counts, if not every record was delivered that was on its way.
    /// `WouldDeadlock` inside a callback; the closing has begun all the same.
    pub fn close(&self, timeout: Duration) -> Result<(), CloseError> {
        let close = self.inner.close(timeout);
        if is_in_callback() {
            return Err(CloseError::WouldDeadlock);
        }
        block_on(close)
    }

    /// The partitions of a topic; waits for them at most `max.block.ms`.
    ///
    /// # Errors
    ///
    /// Why they are not known.
    pub fn partitions_for(&self, topic: &str) -> Result<Vec<PartitionInfo>, ProducerError> {
        refuse_in_callback()?;
        block_on(self.inner.partitions_for(topic))
    }

    /// Names a topic once, so that its records cost no look-up; also asks for its metadata.
    pub fn topic(&self, name: &str) -> TopicHandle {
        self.inner.topic(name)
    }

    /// The handle of a topic that was named before, without asking for it.
    pub fn find_topic(&self, name: &str) -> Option<TopicHandle> {
        self.inner.find_topic(name)
    }

    /// What something waits for, since when, and what happens next; see
    /// [`Producer::explain`](crate::Producer::explain).
    pub fn explain(&self, what: Subject) -> Explanation {
        self.inner.explain(what)
    }

    /// A snapshot of what the producer has done; never waits. See
    /// [`Producer::metrics`](crate::Producer::metrics).
    pub fn metrics(&self) -> Metrics {
        self.inner.metrics()
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        self.inner.config()
    }

    /// The same producer with futures.
    pub const fn as_async(&self) -> &crate::Producer {
        &self.inner
    }
}

/// A record that was taken. Dropping it un-sends nothing.
#[derive(Debug)]
#[must_use = "a failed record is noticed only by whoever waits for its delivery"]
pub struct Delivery {
    inner: crate::Delivery,
}

impl Delivery {
    /// Waits until the record is resolved: at most `delivery.timeout.ms`.
    ///
    /// # Errors
    ///
    /// Why the record was not delivered, or `WouldDeadlock` inside a callback.
    pub fn wait(self) -> Result<RecordMetadata, WaitError> {
        // Most are done by now, and then there is no need for a waker.
        if let Some(known) = self.inner.try_result() {
            return Ok(known?);
        }
        if is_in_callback() {
            return Err(WaitError::WouldDeadlock);
        }
        Ok(block_on(self.inner)?)
    }

    /// Waits for some time; `None` if the record is not resolved by then. The delivery can be
    /// asked again.
    pub fn wait_for(&mut self, time: Duration) -> Option<Result<RecordMetadata, WaitError>> {
        if let Some(known) = self.inner.try_result() {
            return Some(known.map_err(WaitError::from));
        }
        if is_in_callback() {
            return Some(Err(WaitError::WouldDeadlock));
        }
        // A time that the clock cannot count is for ever.
        let Some(deadline) = Instant::now().checked_add(time) else {
            return Some(block_on(&mut self.inner).map_err(WaitError::from));
        };
        block_on_until(deadline, &mut self.inner).map(|known| known.map_err(WaitError::from))
    }

    /// What became of the record, if that is known; never waits.
    pub fn try_result(&self) -> Option<Result<RecordMetadata, DeliveryError>> {
        self.inner.try_result()
    }

    /// The same as a future.
    pub fn into_async(self) -> crate::Delivery {
        self.inner
    }
}

impl From<crate::Delivery> for Delivery {
    fn from(inner: crate::Delivery) -> Self {
        Self { inner }
    }
}

fn refuse_in_callback() -> Result<(), ProducerError> {
    if is_in_callback() {
        Err(ProducerError::WouldDeadlock)
    } else {
        Ok(())
    }
}

//! The handle that applications hold.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kafka_producer_machine::explain::{Explanation, Subject};
use kafka_producer_machine::{
    Config, Instant, Metrics, Purge, Record, Seed, SendError, TopicHandle,
};

use crate::all::SendingAll;
use crate::due::Call;
use crate::ends::{Close, Flush, PartitionsFor};
use crate::hub::{Caller, Hub};
use crate::link::Hosted;
use crate::room::{Awaited, Detached, Entrant, Room, Sending, SendingDetached, Want, stamp};
use crate::runtime::{Role, Runtime, SocketOptions};
use crate::{Delivery, DeliveryError, ProducerBuilder, RecordMetadata, notice};

/// A Kafka producer: clone it freely and share it between threads and tasks.
///
/// No call blocks; what has to wait is a future. Every future is cancel-safe: dropping one
/// un-sends nothing and gives back what it held.
///
/// **Call [`close`](Self::close) (or await [`flush`](Self::flush)) before the program ends.**
/// When the last handle is dropped, records that are pending are delivered in the background,
/// until `delivery.timeout.ms`, and their callbacks run; a process that ends meanwhile loses
/// them. The drop itself neither waits nor panics; with the feature `tracing` it warns of how
/// many records it leaves. On tokio the background is the runtime: if that ends first, what is
/// pending fails with [`ProduceError::Closed`](crate::ProduceError::Closed).
#[derive(Clone)]
#[must_use = "a producer that nobody holds closes itself"]
pub struct Producer {
    owner: Arc<Owner>,
}

/// What all clones share; its end is the end of the last handle.
struct Owner {
    hub: Arc<Hub>,
    config: Config,
}

/// One partition of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartitionInfo {
    /// Its number, from zero.
    pub partition: u32,
    /// The id of the broker that leads it, if that is known.
    pub leader: Option<i32>,
}

impl Producer {
    /// What to start a producer with: these settings, and whatever else is added.
    pub fn builder(config: Config) -> ProducerBuilder {
        config.into()
    }

    /// Starts a producer on a runtime. Connects to the cluster in the background.
    ///
    /// Without a `client.id` it is called `producer-1`, the next one of the process `producer-2`,
    /// and so on, as in Java: brokers log and meter each by its name.
    ///
    /// # Errors
    ///
    /// What the runtime says when it cannot host the clock role.
    pub fn start(runtime: impl Runtime, builder: impl Into<ProducerBuilder>) -> io::Result<Self> {
        let ProducerBuilder { config, chain } = builder.into();
        let config = config.client_id_or_else(next_client_id);
        let runtime = Arc::new(runtime);
        let host = Hosted {
            runtime: Arc::clone(&runtime),
            options: SocketOptions {
                receive_buffer: config.receive_buffer_bytes(),
                send_buffer: config.send_buffer_bytes(),
            },
            limit: config.setup_timeout_max(),
        };
        let hub = Hub::new(config.clone(), entropy(), Box::new(host), chain);
        let clock = keep_time(
            Ticking {
                hub: Arc::clone(&hub),
            },
            Arc::clone(&runtime),
        );
        runtime.spawn(Role::Clock, clock)?;
        Ok(Self {
            owner: Arc::new(Owner { hub, config }),
        })
    }

    /// Takes a record, at once if there is room: the record is appended in the call, and the
    /// future waits only for room, at most `max.block.ms`.
    ///
    /// It yields a [`Delivery`], a future of what becomes of the record. Dropping the future of
    /// `send` before it is done gives up the place in the line; the record was then either taken
    /// whole or not at all.
    ///
    /// ```no_run
    /// # use kafka_producer_driver::{Producer, Record};
    /// # async fn run(producer: &Producer) -> Result<(), Box<dyn std::error::Error>> {
    /// // Two waits: for room, and for the cluster.
    /// let record = Record::to("orders").key("user-42").value("one apple");
    /// let delivery = producer.send(&record).await?;
    /// let written = delivery.await?;
    /// println!("{}-{} at {:?}", written.topic, written.partition, written.offset);
    /// # Ok(())
    /// # }
    /// ```
    pub fn send<'p, 'r>(&'p self, record: &Record<'r>) -> Sending<'p, 'r> {
        Sending::new(Room::new(self, record, Awaited))
    }

    /// Takes a record if there is room now.
    ///
    /// A program that only calls this should let its runtime run now and then.
    ///
    /// ```no_run
    /// # use kafka_producer_driver::{Delivery, Producer, Record, SendError};
    /// /// `None`: answer the caller that there is no room now.
    /// fn admit(producer: &Producer, order: &[u8]) -> Result<Option<Delivery>, SendError> {
    ///     match producer.try_send(&Record::to("orders").value(order)) {
    ///         Ok(delivery) => Ok(Some(delivery)),
    ///         Err(SendError::Full(_)) => Ok(None),
    ///         Err(error) => Err(error),
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// `Full` if there is no room, or if others wait for it; else why the record can never be
    /// taken.
    pub fn try_send(&self, record: &Record<'_>) -> Result<Delivery, SendError> {
        self.take_now(record, Awaited)
    }

    /// Takes many records, in order and with few locks; waits for room as needed, each time at
    /// most `max.block.ms`.
    ///
    /// What there is room for is appended in the call. Dropping the future keeps what was taken
    /// so far, and takes nothing more.
    ///
    /// ```no_run
    /// # use kafka_producer_driver::{Producer, Record};
    /// # async fn run(producer: &Producer) -> Result<(), Box<dyn std::error::Error>> {
    /// let prices = ["12", "13", "11"];
    /// let record = |price| Record::to("prices").value(price);
    /// let records: Vec<Record<'_>> = prices.into_iter().map(record).collect();
    /// let deliveries = producer.send_all(&records).await?;
    /// for outcome in deliveries.all().await {
    ///     outcome?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn send_all<'p, 'r>(&'p self, records: &'r [Record<'r>]) -> SendingAll<'p, 'r> {
        SendingAll::new(self, records)
    }

    /// As [`send`](Self::send), and nobody will ever know what becomes of the record: fire and
    /// forget, the cheapest form.
    pub fn send_detached<'p, 'r>(&'p self, record: &Record<'r>) -> SendingDetached<'p, 'r> {
        SendingDetached::new(Room::new(self, record, Detached { call: None }))
    }

    /// As [`try_send`](Self::try_send), fire and forget.
    ///
    /// # Errors
    ///
    /// As `try_send`.
    pub fn try_send_detached(&self, record: &Record<'_>) -> Result<(), SendError> {
        self.take_now(record, Detached { call: None })
    }

    /// As [`send`](Self::send), with a callback instead of a [`Delivery`].
    ///
    /// Callbacks run one at a time, in the order in which records are resolved, on whatever
    /// thread resolved them: keep them short. A callback may call `try_send` and `close`; it must
    /// not block, and it need not: awaiting a flush inside is impossible, and a blocking wait is
    /// refused. One that panics does not affect the others.
    ///
    /// If the record is not taken, the callback is dropped and the future says why.
    ///
    /// ```no_run
    /// # use kafka_producer_driver::{Producer, ProducerError, Record};
    /// # async fn run(producer: &Producer) -> Result<(), ProducerError> {
    /// let record = Record::to("orders").value("one apple");
    /// producer
    ///     .send_with(&record, |outcome| match outcome {
    ///         Ok(written) => println!("at offset {:?}", written.offset),
    ///         Err(error) => eprintln!("{error}"),
    ///     })
    ///     .await
    /// # }
    /// ```
    pub fn send_with<'p, 'r>(
        &'p self,
        record: &Record<'r>,
        callback: impl FnOnce(Result<RecordMetadata, DeliveryError>) + Send + 'static,
    ) -> SendingDetached<'p, 'r> {
        let call: Call = Box::new(callback);
        SendingDetached::new(Room::new(self, record, Detached { call: Some(call) }))
    }

    /// As [`try_send`](Self::try_send), with a callback as in [`send_with`](Self::send_with).
    ///
    /// # Errors
    ///
    /// As `try_send`; the callback is dropped.
    pub fn try_send_with(
        &self,
        record: &Record<'_>,
        callback: impl FnOnce(Result<RecordMetadata, DeliveryError>) + Send + 'static,
    ) -> Result<(), SendError> {
        let call: Call = Box::new(callback);
        self.take_now(record, Detached { call: Some(call) })
    }

    /// Sends everything that was taken so far without lingering; the future is done when all of
    /// it is resolved, well or not, and its callbacks have run.
    ///
    /// The flush begins in the call; dropping the future only stops watching. A future that is
    /// polled inside a delivery callback stays pending, as what it waits for comes later.
    pub fn flush(&self) -> Flush {
        Flush::new(self)
    }

    /// Gives up records that were taken and have not ended, now: each fails with
    /// [`ProduceError::Purged`](crate::ProduceError::Purged) and the truth about it. What is sent
    /// afterwards is welcome.
    ///
    /// It is for programs whose records lose their worth with time. A producer that is to end is
    /// better closed with a limit.
    ///
    /// ```no_run
    /// # fn change_over(producer: &kafka_producer_driver::Producer) {
    /// use kafka_producer_driver::Purge;
    ///
    /// producer.purge(Purge::Unsent);
    /// # }
    /// ```
    pub fn purge(&self, what: Purge) {
        self.hub()
            .apply(Caller::Role, |core, now| core.machine.purge(now, what));
    }

    /// Takes nothing more, delivers what it can within `timeout`, then fails the rest; the future
    /// is done when all callbacks have run.
    ///
    /// It gives an error with the counts if not every record was delivered that was on its way,
    /// and the fatal error of a producer that had come to its end. What failed before the call
    /// was told before, and counts in `record-error-total` of [`metrics`](Self::metrics).
    ///
    /// The closing begins in the call; dropping the future only stops watching. A later call can
    /// only bring the deadline forward.
    pub fn close(&self, timeout: Duration) -> Close {
        Close::new(self, timeout)
    }

    /// The partitions of a topic, once they are known: waits at most `max.block.ms`.
    ///
    /// ```no_run
    /// # use kafka_producer_driver::{Producer, ProducerError};
    /// # async fn run(producer: &Producer) -> Result<(), ProducerError> {
    /// for partition in producer.partitions_for("orders").await? {
    ///     println!("{}: led by {:?}", partition.partition, partition.leader);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn partitions_for(&self, topic: &str) -> PartitionsFor {
        PartitionsFor::new(self, topic)
    }

    /// Names a topic once, so that its records cost no look-up; also asks for its metadata.
    ///
    /// ```no_run
    /// # use kafka_producer_driver::{Producer, Record, SendError};
    /// # fn run(producer: &Producer, prices: &[String]) -> Result<(), SendError> {
    /// let topic = producer.topic("prices");
    /// for price in prices {
    ///     producer.try_send_detached(&Record::to(topic).value(price))?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn topic(&self, name: &str) -> TopicHandle {
        self.hub()
            .apply(Caller::Sender, |core, now| core.machine.topic(now, name))
    }

    /// The handle of a topic that was named before; unlike [`topic`](Self::topic) it asks for
    /// nothing.
    pub fn find_topic(&self, name: &str) -> Option<TopicHandle> {
        self.hub().lock().machine.find_topic(name)
    }

    /// What a partition, a broker, a topic or the producer waits for, since when, and what
    /// happens next; `Display` says it in sentences.
    ///
    /// It costs nothing until it is called. Then it takes the lock for as long as it takes to
    /// look at what is outstanding: for people, not for loops.
    ///
    /// ```no_run
    /// # fn show(producer: &kafka_producer_driver::Producer) {
    /// use kafka_producer_driver::explain::Subject;
    ///
    /// println!("{}", producer.explain(Subject::Producer));
    /// if let Some(orders) = producer.find_topic("orders") {
    ///     println!("{}", producer.explain(Subject::Partition(orders, 3)));
    /// }
    /// # }
    /// ```
    pub fn explain(&self, what: Subject) -> Explanation {
        let now = self.hub().clock.precise();
        self.hub().lock().machine.explain(now, what)
    }

    /// A snapshot of what the producer has done, under the names of Java's metrics.
    ///
    /// It copies counts under the lock: once a second is nothing, once a record is too much.
    /// Rates and means are over the whole life of the producer, or between two snapshots, which
    /// [`Metrics::since`] gives.
    ///
    /// ```no_run
    /// # fn example(producer: &kafka_producer_driver::Producer) {
    /// let earlier = producer.metrics();
    /// std::thread::sleep(std::time::Duration::from_secs(10));
    /// let span = producer.metrics().since(&earlier);
    /// println!("{:?} records a second", span.producer("record-send-rate"));
    /// println!("{:?} ms for most", span.producer("record-latency-p99"));
    /// for metric in span.iter() {
    ///     println!("{metric} = {}", metric.value);
    /// }
    /// # }
    /// ```
    pub fn metrics(&self) -> Metrics {
        let hub = self.hub();
        let now = hub.clock.precise();
        let metrics = hub.lock().machine.metrics(now);
        metrics.with_start_time(hub.clock.timestamp(Instant::ORIGIN))
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.owner.config
    }

    pub(crate) fn hub(&self) -> &Arc<Hub> {
        &self.owner.hub
    }

    /// Takes a record if there is room now.
    #[inline]
    fn take_now<W: Want>(&self, record: &Record<'_>, want: W) -> Result<W::Taken, SendError> {
        let hub = self.hub();
        match hub.interceptors() {
            None => self.enter_now(record, want),
            Some(chain) => {
                let mut record = chain.intercept(hub, record);
                let taken = self.enter_now(&mut record, want);
                if let Err(refusal) = &taken {
                    record.refuse(&refusal.clone().into());
                }
                taken
            }
        }
    }

    #[inline]
    fn enter_now<'r, W: Want>(
        &self,
        mut record: impl Entrant<'r>,
        mut want: W,
    ) -> Result<W::Taken, SendError> {
        let hub = self.hub();
        // What the application gave, such as a callback, is never dropped under the lock.
        hub.apply(Caller::Sender, |core, now| {
            let timestamp = stamp(now, &hub.clock, &record);
            let receipt = record.enter(core, now, timestamp)?;
            Ok(want.taken(core, receipt, timestamp))
        })
    }
}

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let client_id = self.owner.config.client_id();
        f.debug_struct("Producer")
            .field("client_id", &client_id)
            .finish_non_exhaustive()
    }
}

impl Drop for Owner {
    /// Neither waits nor compresses: whoever drops a handle does not expect to.
    fn drop(&mut self) {
        let patience = self.config.delivery_timeout();
        let pending = self.hub.apply(Caller::Role, |core, now| {
            if core.closed || core.closing {
                return 0;
            }
            let pending = core.machine.pending_records();
            core.close(now, now + patience);
            pending
        });
        if 0 < pending {
            notice::dropped(pending);
        }
    }
}

/// The clock role: fires what is due, then sleeps until the next deadline or the alarm.
async fn keep_time<R: Runtime>(ticking: Ticking, runtime: Arc<R>) {
    while let Some(span) = ticking.hub.tick() {
        runtime.sleep(span, &ticking.hub.alarm).await;
    }
}

/// Without its clock nothing would ever end: whoever drops the role ends everything.
struct Ticking {
    hub: Arc<Hub>,
}

impl Drop for Ticking {
    fn drop(&mut self) {
        if !self.hub.lock().closed {
            self.hub.abandon();
        }
    }
}

/// A seed that differs from producer to producer; it needs to be no secret.
fn entropy() -> Seed {
    Seed::new(RandomState::new().build_hasher().finish())
}

/// The name of the next producer that has none of its own.
fn next_client_id() -> String {
    static STARTED: AtomicU64 = AtomicU64::new(0);
    let number = STARTED.fetch_add(1, Ordering::Relaxed) + 1;
    format!("producer-{number}")
}

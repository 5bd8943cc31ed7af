//! Interceptors: they see every record once on its way in and once at its end, whatever it is
//! sent with and whatever comes of it.

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use kafka_producer::{
    Acknowledgement, Delivery, Ending, ErrorCode, Header, InterceptedRecord, Interceptor, Outcome,
    Producer, ProducerError, Record, SendError, Topic, blocking,
};
use kafka_producer_driver::block_on;

use super::room::{SMALL, fill, value};
use crate::{Cluster, Task, Transport, config};

/// Adds a header with its name to each record, and notes what it sees.
struct Witness {
    name: &'static str,
    seen: Mutex<Vec<String>>,
}

impl Witness {
    fn new(name: &'static str) -> Arc<Self> {
        let seen = Mutex::default();
        Arc::new(Self { name, seen })
    }

    fn note(&self, line: String) {
        self.seen.lock().unwrap().push(line);
    }

    /// What it has seen since it was asked last.
    fn seen(&self) -> Vec<String> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

impl Interceptor for Witness {
    fn on_send(&self, record: &mut InterceptedRecord<'_>) {
        self.note(format!("sent {}", text(record.value.as_deref())));
        record.add_header(self.name, "1");
    }

    fn on_acknowledgement(&self, acknowledgement: &Acknowledgement<'_>) {
        let ending = match acknowledgement.ending {
            Ending::Failed(error) => format!(
                "failed {}",
                error.error.code().map_or("none", |code| code.name())
            ),
            Ending::GivenUp => "given up".to_owned(),
            Ending::Refused(ProducerError::Send(error)) => match error {
                SendError::Closed => "refused Closed".to_owned(),
                SendError::Full(_) => "refused Full".to_owned(),
                SendError::TooLarge { .. } => "refused TooLarge".to_owned(),
                other => format!("refused {other}"),
            },
            Ending::Refused(ProducerError::BufferFull { .. }) => "refused BufferFull".to_owned(),
            Ending::Refused(other) => format!("refused {other}"),
            Ending::Written(written) => {
                assert_eq!(acknowledgement.outcome(), None);
                assert_eq!(acknowledgement.partition, Some(written.partition));
                "written".to_owned()
            }
            _ => "new".to_owned(),
        };
        let headers = acknowledgement.headers.iter();
        let headers: Vec<&str> = headers.map(|header| header.key).collect();
        let place = match acknowledgement.partition {
            Some(partition) => format!("{}-{partition}", acknowledgement.topic),
            None => acknowledgement.topic.to_owned(),
        };
        self.note(format!("{place} [{}] {ending}", headers.join(" ")));
    }
}

fn text(bytes: Option<&[u8]>) -> String {
    let bytes = bytes.unwrap_or_default();
    String::from_utf8_lossy(&bytes[..bytes.len().min(10)])
        .trim_end()
        .into()
}

/// A producer whose records a witness sees.
fn witnessed(
    transport: &impl Transport,
    cluster: &Cluster,
    more: &[(&str, &str)],
) -> (Producer, Arc<Witness>) {
    let witness = Witness::new("w");
    let builder = Producer::builder(config(&cluster.bootstrap(), more));
    let producer = transport.start(builder.interceptor(Arc::clone(&witness)));
    (producer, witness)
}

/// The keys of the headers of each record of a partition.
fn headers(cluster: &Cluster, topic: &str, partition: u32) -> Vec<Vec<String>> {
    let records = cluster.records(topic, partition).into_iter();
    let keys = records.map(|record| {
        let keys = record.headers.into_iter().map(|(key, _)| key);
        keys.map(|key| String::from_utf8(key).unwrap()).collect()
    });
    keys.collect()
}

pub fn interceptors_see_every_way_to_send(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 1)]);
    let (producer, witness) = witnessed(transport, &cluster, &[]);
    let waiting = blocking::Producer::from(producer.clone());
    let orders = producer.topic("orders");
    let record = Record::to(orders).value("x");
    let ignore = |_: Result<_, _>| {};

    let mut deliveries = vec![block_on(producer.send(&record)).unwrap()];
    deliveries.push(producer.try_send(&record).unwrap());
    deliveries.push(waiting.send(&record).unwrap().into_async());
    deliveries.push(waiting.try_send(&record).unwrap().into_async());
    deliveries.extend(block_on(producer.send_all(&[record; 3])).unwrap());
    deliveries.extend(waiting.send_all(&[record; 2]).unwrap());
    block_on(producer.send_detached(&record)).unwrap();
    producer.try_send_detached(&record).unwrap();
    waiting.send_detached(&record).unwrap();
    waiting.try_send_detached(&record).unwrap();
    block_on(producer.send_with(&record, ignore)).unwrap();
    producer.try_send_with(&record, ignore).unwrap();
    waiting.send_with(&record, ignore).unwrap();
    block_on(producer.flush());

    assert!(
        deliveries
            .iter()
            .all(|one| matches!(one.try_result(), Some(Ok(_))))
    );
    let seen = witness.seen();
    let count = |line: &str| seen.iter().filter(|seen| *seen == line).count();
    assert_eq!(
        (count("sent x"), count("orders-0 [w] written"), seen.len()),
        (16, 16, 32),
        "{seen:?}"
    );
    assert_eq!(headers(&cluster, "orders", 0), vec![["w"]; 16]);
}

pub fn interceptors_see_what_those_before_made_of_a_record(transport: &impl Transport) {
    struct Divert;
    impl Interceptor for Divert {
        fn on_send(&self, record: &mut InterceptedRecord<'_>) {
            record.topic = "payments".into();
            record.partition = Some(1);
            record.timestamp = Some(7);
            record.key = Some(b"key"[..].into());
            record.value = Some([&record.value.take().unwrap()[..], b"!"].concat().into());
            record.headers.clear();
        }
    }

    let cluster = Cluster::start(&[("orders", 1), ("payments", 2)]);
    let (first, last) = (Witness::new("first"), Witness::new("last"));
    let builder = Producer::builder(config(&cluster.bootstrap(), &[]));
    let builder = builder.interceptor(Arc::clone(&first)).interceptor(Divert);
    let producer = transport.start(builder.interceptor(Arc::clone(&last)));
    let headers = [Header {
        key: "own",
        value: None,
    }];
    for topic in [Topic::from("orders"), producer.topic("orders").into()] {
        let record = Record::to(topic).value("x").headers(&headers);
        let written = block_on(block_on(producer.send(&record)).unwrap()).unwrap();
        assert_eq!((&*written.topic, written.partition), ("payments", 1));
        assert_eq!(written.timestamp, Some(7));
        // It is told after whoever awaits its delivery, and before a flush is over.
        block_on(producer.flush());
    }

    let end = "payments-1 [last] written";
    assert_eq!(first.seen(), ["sent x", end].repeat(2));
    assert_eq!(last.seen(), ["sent x!", end].repeat(2));
    assert_eq!(cluster.values("payments", 1), ["x!", "x!"]);
    let records = cluster.records("payments", 1);
    assert_eq!(records[0].key.as_deref(), Some(&b"key"[..]));
    assert_eq!(cluster.values("orders", 0).len(), 0);
}

pub fn a_record_that_waits_for_room_is_intercepted_once(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 1)]);
    let more: Vec<_> = SMALL
        .iter()
        .copied()
        .chain([("max.block.ms", "2000")])
        .collect();
    let (producer, witness) = witnessed(transport, &cluster, &more);
    block_on(block_on(producer.send(&Record::to("orders").value("hello"))).unwrap()).unwrap();
    block_on(producer.flush());
    let (late, many) = (value("late"), value("many"));
    let late = Record::to("orders").partition(0).value(&late);
    let many = [Record::to("orders").value(&many); 3];

    let (filled, served, all) = cluster.hold(|| {
        let filled = fill(&producer);
        witness.seen();
        // One goes away, one waits too long, one is served.
        let mut gone = Task::new(producer.send(&late));
        assert!(gone.poll().is_pending());
        gone.give_up();
        let seen = witness.seen();
        assert_eq!(seen, ["sent late", "orders-0 [w] given up"]);
        let error = block_on(producer.send(&late)).unwrap_err();
        assert!(matches!(error, ProducerError::BufferFull { .. }), "{error}");
        let seen = witness.seen();
        assert_eq!(seen, ["sent late", "orders-0 [w] refused BufferFull"]);
        let mut served = Task::new(producer.send(&late));
        assert!(served.poll().is_pending());
        let mut all = Task::new(producer.send_all(&many));
        assert!(all.poll().is_pending());
        (filled, served, all)
    });
    let mut deliveries = filled;
    deliveries.push(served.finish().unwrap());
    deliveries.extend(all.finish().unwrap());
    for delivery in deliveries {
        block_on(delivery).unwrap();
    }
    block_on(producer.flush());
    let seen = witness.seen();
    let count = |line: &str| seen.iter().filter(|seen| *seen == line).count();
    assert_eq!((count("sent late"), count("sent many")), (1, 3), "{seen:?}");
}

pub fn edge_e128_interceptor_and_callback_are_told_of_a_failure_once(transport: &impl Transport) {
    let cluster = Cluster::start(&[("orders", 2)]);
    let limit = [("max.request.size", "1000"), ("linger.ms", "60000")];
    let (producer, witness) = witnessed(transport, &cluster, &limit);
    // Never taken: told in the call, with the partition that was asked for.
    let large = vec![b'x'; 2000];
    let large = Record::to("orders").value(&large);
    for (record, place) in [(large, "orders"), (large.partition(1), "orders-1")] {
        let told = format!("{place} [w] refused TooLarge");
        let expected = ["sent xxxxxxxxxx", &told];
        drop(producer.try_send(&record).unwrap_err());
        assert_eq!(witness.seen(), expected);
        producer.try_send_detached(&record).unwrap_err();
        assert_eq!(witness.seen(), expected);
        drop(block_on(producer.send(&record)).unwrap_err());
        assert_eq!(witness.seen(), expected);
        let all = block_on(producer.send_all(&[record, record])).unwrap_err();
        assert!(all.taken.is_empty());
        assert_eq!(witness.seen(), expected);
    }

    // Taken, and refused by the broker: the interceptor is told, and then the callback.
    cluster.refuse(ErrorCode::MESSAGE_TOO_LARGE, 1);
    let (told, seen) = (Arc::clone(&witness), Arc::new(Mutex::new(Vec::new())));
    let sink = Arc::clone(&seen);
    let call = move |result: Result<_, kafka_producer::DeliveryError>| {
        let error = result.unwrap_err();
        assert_eq!((&*error.topic, error.partition), ("orders", Some(1)));
        assert_eq!(error.outcome, Outcome::NotWritten);
        sink.lock().unwrap().push(told.seen());
    };
    let record = Record::to("orders").partition(1).value("x");
    producer.try_send_with(&record, call).unwrap();
    block_on(producer.flush());
    let expected = ["sent x", "orders-1 [w] failed MESSAGE_TOO_LARGE"];
    assert_eq!(*seen.lock().unwrap(), [expected]);

    block_on(producer.close(Duration::ZERO)).unwrap();
    drop(producer.try_send(&record).unwrap_err());
    assert_eq!(witness.seen(), ["sent x", "orders-1 [w] refused Closed"]);
}

pub fn edge_e128_an_interceptor_that_panics_is_left_out(transport: &impl Transport) {
    struct Rude;
    impl Interceptor for Rude {
        fn on_send(&self, record: &mut InterceptedRecord<'_>) {
            record.value = None;
            record.add_header("rude", "1");
            panic!("on purpose");
        }

        fn on_acknowledgement(&self, _: &Acknowledgement<'_>) {
            panic!("on purpose");
        }
    }

    let cluster = Cluster::start(&[("orders", 1)]);
    let (first, last) = (Witness::new("first"), Witness::new("last"));
    let builder = Producer::builder(config(&cluster.bootstrap(), &[]));
    let builder = builder.interceptor(Arc::clone(&first)).interceptor(Rude);
    let producer = transport.start(builder.interceptor(Arc::clone(&last)));
    let (sender, called) = mpsc::channel();
    for _ in 0..3 {
        let sender = sender.clone();
        let call = move |result: Result<_, _>| sender.send(result.is_ok()).unwrap();
        block_on(producer.send_with(&Record::to("orders").value("x"), call)).unwrap();
    }
    block_on(producer.flush());
    assert_eq!(called.try_iter().collect::<Vec<_>>(), [true; 3]);
    for witness in [first, last] {
        let seen = witness.seen();
        let count = |line: &str| seen.iter().filter(|seen| *seen == line).count();
        let end = "orders-0 [first last] written";
        assert_eq!((count("sent x"), count(end)), (3, 3), "{seen:?}");
    }
    assert_eq!(cluster.values("orders", 0), ["x"; 3]);
    assert_eq!(headers(&cluster, "orders", 0), vec![["first", "last"]; 3]);
}

pub fn what_became_of_a_record_is_visible_before_its_interceptor_is_told(
    transport: &impl Transport,
) {
    #[derive(Default)]
    struct Look {
        delivery: Mutex<Option<Delivery>>,
        visible: Mutex<Vec<bool>>,
    }
    impl Interceptor for Look {
        fn on_acknowledgement(&self, _: &Acknowledgement<'_>) {
            let delivery = self.delivery.lock().unwrap();
            let is_visible = delivery
                .as_ref()
                .is_some_and(|one| one.try_result().is_some());
            self.visible.lock().unwrap().push(is_visible);
        }
    }

    let cluster = Cluster::start(&[("orders", 1)]);
    let look = Arc::new(Look::default());
    let builder = Producer::builder(config(&cluster.bootstrap(), &[]));
    let producer = transport.start(builder.interceptor(Arc::clone(&look)));
    cluster.hold(|| {
        let delivery = producer.try_send(&Record::to("orders").value("x")).unwrap();
        *look.delivery.lock().unwrap() = Some(delivery);
    });
    block_on(producer.flush());
    assert_eq!(*look.visible.lock().unwrap(), [true]);
}

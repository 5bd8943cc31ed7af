//! Apache Kafka through the transport on std threads.

use std::time::Duration;

use conformance::Threads;
use kafka_producer::Record;
use real_kafka::cluster::{config, topic};
use real_kafka::judge::judge;

real_kafka::suite!(Threads);

#[test]
fn a_blocking_producer_sends_and_waits() {
    let topic = topic("blocking");
    judge().create(&topic, 1, 3, &[]);
    let producer = kafka_producer::threads::start(config(&[])).unwrap();
    let values: Vec<String> = (0..2000).map(|n| format!("{n:04}")).collect();
    let send = |value| producer.send(&Record::to(&topic).value(value)).unwrap();
    let deliveries: Vec<_> = values.iter().map(send).collect();
    for (offset, delivery) in (0..).zip(deliveries) {
        assert_eq!(delivery.wait().unwrap().offset, Some(offset));
    }
    producer.close(Duration::from_secs(10)).unwrap();
    assert_eq!(judge().values(&topic, 0), values);
}

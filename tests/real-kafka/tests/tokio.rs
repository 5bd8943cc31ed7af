//! Apache Kafka through the transport on tokio.

use std::time::Duration;

use conformance::Tasks;
use kafka_producer::Record;
use real_kafka::cluster::{config, topic};
use real_kafka::judge::judge;

real_kafka::suite!(Tasks::default());

#[tokio::test]
async fn the_body_of_a_single_threaded_runtime_can_send_and_await() {
    let topic = topic("one-thread");
    judge().create(&topic, 1, 3, &[]);
    let producer = kafka_producer::tokio::start(config(&[])).unwrap();
    let values: Vec<String> = (0..2000).map(|n| format!("{n:04}")).collect();
    let mut deliveries = Vec::new();
    for value in &values {
        let record = Record::to(&topic).value(value);
        deliveries.push(producer.send(&record).await.unwrap());
    }
    for (offset, delivery) in (0..).zip(deliveries) {
        assert_eq!(delivery.await.unwrap().offset, Some(offset));
    }
    producer.close(Duration::from_secs(10)).await.unwrap();
    assert_eq!(judge().values(&topic, 0), values);
}

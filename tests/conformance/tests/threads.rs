//! The suite on blocking threads, and that they drag no async runtime along.

use std::process::Command;

use std::time::Duration;

use conformance::{Cluster, Threads, config};
use kafka_producer::Record;

conformance::suite!(Threads);

#[test]
fn the_blocking_handle_waits_for_everything() {
    let cluster = Cluster::start(&[("orders", 1)]);
    let producer = kafka_producer::threads::start(config(&cluster.bootstrap(), &[])).unwrap();
    assert_eq!(producer.partitions_for("orders").unwrap().len(), 1);

    let topic = producer.topic("orders");
    let record = Record::to(topic).value("x");
    assert_eq!(
        producer.send(&record).unwrap().wait().unwrap().offset,
        Some(0)
    );
    producer.send_detached(&record).unwrap();
    producer
        .send_with(&record, |result| assert!(result.is_ok()))
        .unwrap();
    let all = producer.send_all(&[record; 3]).unwrap();
    producer.flush().unwrap();
    assert!(
        all.into_iter()
            .all(|one| matches!(one.try_result(), Some(Ok(_))))
    );
    assert_eq!(cluster.values("orders", 0).len(), 6);
    producer.close(Duration::from_secs(10)).unwrap();
}

#[test]
fn a_wait_with_a_limit_can_be_repeated() {
    let cluster = Cluster::start(&[("orders", 1)]);
    let producer = kafka_producer::threads::start(config(&cluster.bootstrap(), &[])).unwrap();
    let mut delivery = cluster.hold(|| {
        let mut delivery = producer.send(&Record::to("orders").value("x")).unwrap();
        assert!(delivery.wait_for(Duration::from_millis(20)).is_none());
        delivery
    });
    let written = delivery.wait_for(Duration::MAX).unwrap().unwrap();
    assert_eq!(written.offset, Some(0));
}

#[test]
fn no_async_runtime_is_in_the_tree_of_the_std_transport() {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let tree = Command::new(cargo)
        .args(["tree", "--offline", "--edges", "normal", "--prefix", "none"])
        .args(["--package", "kafka-producer-std", "--all-features"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .output()
        .unwrap();
    assert!(
        tree.status.success(),
        "{}",
        String::from_utf8_lossy(&tree.stderr)
    );
    let tree = String::from_utf8(tree.stdout).unwrap();
    assert!(tree.contains("kafka-producer-driver"), "{tree}");
    let runtimes = [
        "tokio",
        "smol",
        "async-std",
        "async-io",
        "mio",
        "polling",
        "futures",
    ];
    for line in tree.lines() {
        let name = line.split_whitespace().next().unwrap_or_default();
        assert!(!runtimes.contains(&name), "{name} is in the tree:\n{tree}");
    }
}

//! The names of producers without a `client.id`: alone in its process, since they are counted.

use conformance::{Threads, Transport, config};

#[test]
fn producers_without_a_name_are_numbered_and_those_with_one_are_not_counted() {
    let start = |more: &[(&str, &str)]| Threads.start(config("127.0.0.1:1", more));
    let producers = [
        start(&[]),
        start(&[("client.id", "orders")]),
        start(&[("client.id", "")]),
        start(&[]),
    ];
    let names = producers.each_ref().map(|one| one.config().client_id());
    assert_eq!(names, ["producer-1", "orders", "producer-2", "producer-3"]);

    // A log tells them apart.
    let debug = format!("{:?}", producers[2]);
    assert!(debug.contains("producer-2"), "{debug}");
    let clone = producers[3].clone();
    assert_eq!(clone.config().client_id(), "producer-3", "the same one");
}

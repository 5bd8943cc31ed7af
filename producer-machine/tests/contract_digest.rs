//! The digest of the state: equal wherever the outputs are promised to be equal, and different
//! wherever a difference can matter.

mod chaos;
mod support;

use std::time::Duration;

use chaos::script::{Op, script, settings};
use chaos::{Chunks, World};
use kafka_producer_machine::{
    Config, Digest, Instant, Partitioner, ProducerMachine, Record, Seed, Unplaced,
};
use proptest::prelude::*;
use support::{Bench, config};

/// The digest after each step.
fn digests(settings: &[(&str, &str)], chunks: Chunks, ops: &[Op]) -> Vec<Digest> {
    let mut world = World::new(settings, chunks);
    let mut digests = vec![world.machine.digest()];
    for op in ops {
        world.run(std::slice::from_ref(op));
        digests.push(world.machine.digest());
    }
    world.end();
    digests.push(world.machine.digest());
    digests
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(48)
    })]

    #[test]
    fn the_same_inputs_give_the_same_digest_at_every_step(
        settings in settings(),
        ops in script(150),
    ) {
        let first = digests(&settings, Chunks::Whole, &ops);
        let second = digests(&settings, Chunks::Whole, &ops);
        prop_assert_eq!(first, second);
    }

    #[test]
    fn any_chunking_of_the_bytes_gives_the_same_digest_at_every_step(
        settings in settings(),
        ops in script(150),
    ) {
        let whole = digests(&settings, Chunks::Whole, &ops);
        let pieces = digests(&settings, Chunks::Pieces, &ops);
        prop_assert_eq!(whole, pieces);
    }

    #[test]
    fn every_accepted_record_and_every_output_shows_in_the_digest(
        settings in settings(),
        ops in script(150),
    ) {
        let mut world = World::new(&settings, Chunks::Whole);
        for op in &ops {
            let before = world.machine.digest();
            let (said, sent) = (world.transcript.len(), world.receipts.len());
            world.run(std::slice::from_ref(op));
            let moved = sent < world.receipts.len()
                || (matches!(op, Op::PollEvent(_)) && said < world.transcript.len());
            prop_assert!(!moved || world.machine.digest() != before, "{:?}", op);
        }
    }
}

/// A machine that has sent so many records of these bytes and this timestamp.
fn sent(seed: u64, linger: &str, value: &[u8], timestamp: i64) -> Digest {
    let now = Instant::from_millis(1);
    let config = config(&[("linger.ms", linger)]);
    let mut machine = ProducerMachine::new(now, config, Seed::new(seed));
    let record = Record::to("t").value(value).timestamp(timestamp);
    machine.send(now, &record).expect("there is room");
    machine.digest()
}

#[test]
fn another_seed_setting_record_or_instant_gives_another_digest() {
    let usual = sent(1, "5", b"one", 7);
    assert_eq!(usual, sent(1, "5", b"one", 7));
    assert_ne!(usual, sent(2, "5", b"one", 7), "another seed");
    assert_ne!(usual, sent(1, "6", b"one", 7), "another setting");
    assert_ne!(usual, sent(1, "5", b"two", 7), "another value");
    assert_ne!(usual, sent(1, "5", b"one", 8), "another timestamp");
}

#[test]
fn a_moment_that_passes_shows_and_an_early_look_at_the_same_moment_does_not() {
    let now = Instant::from_millis(1);
    let mut machine = ProducerMachine::new(now, config(&[]), Seed::new(1));
    let before = machine.digest();
    machine.handle_timeout(now);
    assert_eq!(machine.digest(), before);
    machine.handle_timeout(now + Duration::from_micros(1));
    assert_ne!(machine.digest(), before);
}

/// Two brokers take their connections, in this order, and the driver hears all that follows.
fn connected(order: [i32; 2]) -> [Digest; 2] {
    let mut bench = Bench::established(&[]);
    bench.add_topic("u", &[1]);
    bench.machine.topic(bench.now, "u");
    bench.run();
    bench.answers_handshake = false;
    bench.cut(0);
    bench.produce(0, "one");
    bench.send_to("u", 0, "one");
    bench.advance_ms(100);
    let ids = order.map(|broker| bench.connection_to(broker).expect("it is being made"));
    for id in ids {
        bench.machine.handle_connected(bench.now, id);
    }
    let undrained = bench.machine.digest();
    while bench.machine.poll_action().is_some() {}
    [undrained, bench.machine.digest()]
}

#[test]
fn facts_that_have_nothing_to_do_with_each_other_may_come_in_any_order() {
    let [undrained, drained] = connected([0, 1]);
    let [other_undrained, other_drained] = connected([1, 0]);
    assert_ne!(
        undrained, other_undrained,
        "what is to be done shows in order"
    );
    assert_eq!(
        drained, other_drained,
        "and once it is done nothing else does"
    );
}

/// A partitioner that remembers whose turn it is.
struct Turns(u32);

impl Partitioner for Turns {
    fn partition(&mut self, record: &Unplaced<'_>) -> Option<u32> {
        self.0 += 1;
        Some(self.0 % record.partitions)
    }

    fn digest(&self) -> u64 {
        self.0.into()
    }
}

#[test]
fn what_a_partitioner_says_of_its_memory_shows() {
    let of = |turn| {
        let config = Config::builder()
            .bootstrap_servers(["b0:9092"])
            .custom_partitioner(move || Turns(turn))
            .build()
            .expect("a valid configuration");
        ProducerMachine::new(Instant::ORIGIN, config, Seed::new(1)).digest()
    };
    assert_eq!(of(1), of(1));
    assert_ne!(of(1), of(2));
}

//! Edge cases of choosing partitions: sticky and adaptive, and what is not there yet.

mod support;

use std::time::Duration;

use kafka_producer_machine::{
    Config, Outcome, Partitioner, ProduceError, ProducerMachine, Record, Seed, SendError, Unplaced,
};
use kafka_producer_proto::ErrorCode;
use support::{Bench, Seen};

/// A bench and what its brokers have taken so far.
struct Story {
    bench: Bench,
    /// Partition and values of each batch that was answered.
    log: Vec<(u32, Vec<String>)>,
}

impl Story {
    /// Topic `s` with these leaders, all partitions used once, and acknowledged where the leader
    /// is broker 0.
    fn new(leaders: &[i32], properties: &[(&str, &str)]) -> Self {
        let base = [("batch.size", "1024"), ("linger.ms", "60000")];
        let all: Vec<_> = base.iter().chain(properties).copied().collect();
        let mut bench = Bench::ready(&all);
        bench.brokers = vec![0, 1, 2, 3];
        bench.add_topic("s", leaders);
        bench.machine.topic(bench.now, "s");
        bench.run();
        let log = Vec::new();
        Self { bench, log }
    }

    /// One record to each partition, acknowledged.
    fn establish(mut self) -> Self {
        for partition in 0..self.bench.topics["s"].partitions.len() {
            self.bench.send_to("s", partition as u32, "first");
        }
        self.bench.flush();
        self.answer(|_| true);
        self.log.clear();
        self
    }

    /// Answers the requests to some brokers until none is left; others wait.
    fn answer(&mut self, broker: impl Fn(i32) -> bool) {
        loop {
            let (now, later): (Vec<Seen>, Vec<Seen>) = self
                .bench
                .take_requests()
                .into_iter()
                .partition(|seen| broker(seen.broker));
            self.bench.requests = later;
            if now.is_empty() {
                return;
            }
            for seen in now {
                self.bench.acknowledge(&seen);
                let batches = seen.batches.into_iter();
                self.log
                    .extend(batches.map(|batch| (batch.partition, batch.values)));
            }
        }
    }

    /// Records of 100 bytes without a key; broker 1 answers or not.
    fn send(&mut self, records: usize, tag: &str, broker: impl Fn(i32) -> bool) {
        let value = format!("{tag:x<100}");
        for _ in 0..records {
            let record = Record::to("s").value(&value).timestamp(1);
            self.bench.try_send(&record).expect("there is room");
            self.answer(&broker);
        }
    }

    /// Everything leaves and is answered. Gives the records of a tag by partition.
    fn records(&mut self, tag: &str) -> Vec<usize> {
        self.bench.flush();
        self.answer(|_| true);
        let mut counts = vec![0; self.bench.topics["s"].partitions.len()];
        for (partition, values) in &self.log {
            let of_tag = values.iter().filter(|value| value.starts_with(tag));
            counts[*partition as usize] += of_tag.count();
        }
        counts
    }
}

#[test]
fn edge_e120_records_without_a_key_are_spread_evenly_and_no_batch_is_a_fraction() {
    // Each on a broker of its own: what lingers goes along with a full batch to the same one.
    let mut story = Story::new(&[0, 1, 2, 3], &[]).establish();
    story.send(9000, "a", |_| true);
    assert!(
        story.log.iter().all(|(_, values)| 8 <= values.len()),
        "each batch that left by itself is full"
    );
    for count in story.records("a") {
        assert!((1800..=2700).contains(&count), "{count} of 9000");
    }
    story.bench.assert_settled();
}

#[test]
fn edge_e120_records_with_a_key_neither_count_nor_move_the_partition_that_sticks() {
    let mut story = Story::new(&[0], &[("batch.size", "4096")]).establish();
    story.bench.topics.get_mut("s").expect("s").partitions = vec![(0, 1); 16];
    story.bench.machine.topic(story.bench.now, "s");
    story.bench.advance(Duration::from_secs(300));
    let value = format!("{:x<100}", "a");
    for _ in 0..30 {
        // 3,000 bytes without a key stay together; the others fill batches everywhere.
        story.send(1, "a", |_| true);
        for partition in 0..16 {
            let named = Record::to("s").partition(partition).value("named");
            story.bench.try_send(&named.timestamp(1)).expect("room");
            let keyed = Record::to("s").key("k").value(&value[1..]).timestamp(1);
            story.bench.try_send(&keyed).expect("room");
        }
        story.answer(|_| true);
    }
    let counts = story.records("a");
    let used: Vec<_> = counts.into_iter().filter(|&count| 0 < count).collect();
    assert_eq!(used, [30]);
}

#[test]
fn edge_e120_a_partition_whose_broker_is_slow_gets_fewer_records_if_that_is_wanted() {
    let shares = |properties: &[(&str, &str)]| {
        let mut story = Story::new(&[0, 1], properties).establish();
        story.send(2000, "a", |broker| broker == 0);
        story.records("a")
    };
    let adaptive = shares(&[]);
    assert!(adaptive[1] * 4 < adaptive[0], "{adaptive:?}");
    let uniform = shares(&[("partitioner.adaptive.partitioning.enable", "false")]);
    assert!(uniform[0] < uniform[1] * 2, "{uniform:?}");
}

#[test]
fn edge_e121_until_each_partition_was_used_all_have_the_same_chance() {
    // Partition 2 has no leader, so nothing without a key goes there.
    let mut story = Story::new(&[0, 1, -1], &[]);
    story.bench.send_to("s", 0, "first");
    story.bench.send_to("s", 1, "first");
    story.bench.flush();
    story.answer(|broker| broker == 0);
    story.send(2000, "cold", |broker| broker == 0);
    story.bench.send_to("s", 2, "named");
    story.send(2000, "warm", |broker| broker == 0);

    let (cold, warm) = (story.records("cold"), story.records("warm"));
    assert!(cold[0] < cold[1] * 2, "{cold:?}");
    assert!(warm[1] * 4 < warm[0], "{warm:?}");
    assert_eq!((cold[2], warm[2]), (0, 0), "it has no leader");
}

#[test]
fn edge_e121_one_partition_that_is_not_left_out_takes_everything() {
    let timeout = ("partitioner.availability.timeout.ms", "1000");
    let mut story = Story::new(&[0, 1, 1], &[timeout]).establish();
    story.bench.send_to("s", 1, "stuck");
    story.bench.flush();
    story.bench.advance_ms(1001);
    story.send(20, "before", |broker| broker == 0);
    story.send(1000, "after", |broker| broker == 0);
    let after = story.records("after");
    assert_eq!(after, [1000, 0, 0], "partition 2 is of the same broker");
}

#[test]
fn edge_e55_a_broker_that_takes_nothing_is_left_out_after_its_time_and_comes_back_with_an_answer() {
    let timeout = ("partitioner.availability.timeout.ms", "1000");
    let mut story = Story::new(&[0, 1], &[timeout]).establish();
    // An idle hour is nothing that the broker could be blamed for (as Java does).
    story.bench.advance(Duration::from_secs(3600));
    story.answer(|_| true);
    story.bench.send_to("s", 1, "stuck");
    story.bench.flush();
    let mut early = 0;
    for _ in 0..9 {
        story.bench.advance_ms(100);
        story.send(300, "early", |broker| broker == 0);
        early += 300;
    }
    story.bench.advance_ms(101);
    // What sticks to partition 1 now, and what is weighed with the first request.
    story.send(40, "then", |broker| broker == 0);
    story.send(1000, "late", |broker| broker == 0);
    story.answer(|_| true);
    story.send(1000, "again", |_| true);

    let of_early = story.records("early");
    assert_eq!(of_early.iter().sum::<usize>(), early);
    assert!(0 < of_early[1], "not before its time: {of_early:?}");
    assert_eq!(story.records("late"), [1000, 0]);
    let again = story.records("again");
    assert!(200 < again[1], "{again:?}");
    story.bench.assert_settled();
}

#[test]
fn edge_e122_a_record_for_a_partition_that_is_not_there_waits_until_it_is() {
    let mut story = Story::new(&[0, 1], &[]).establish();
    story.bench.metadata_requests.clear();
    let receipt = story.bench.send_to("s", 2, "new");
    story.bench.advance_ms(120);
    let asked = story.bench.metadata_requests.len();
    assert_eq!(asked, 1, "asked for a backoff after the last time");
    story.bench.advance(Duration::from_secs(5));
    let asked = story.bench.metadata_requests.len();
    assert!((6..=12).contains(&asked), "with backoff: {asked}");
    let script = story.bench.topics.get_mut("s").expect("s");
    script.partitions.push((0, 1));
    story.bench.advance_ms(1200);
    assert_eq!(story.records("new"), [0, 0, 1]);
    assert!(story.bench.is_acked(receipt));
    let asked = story.bench.metadata_requests.len();
    story.bench.advance(Duration::from_secs(30));
    assert_eq!(
        story.bench.metadata_requests.len(),
        asked,
        "nothing is missing"
    );
}

#[test]
fn edge_e122_a_record_for_a_partition_that_never_comes_fails_and_the_error_names_the_count() {
    let mut story = Story::new(&[0, 1], &[("max.block.ms", "3000")]).establish();
    let receipt = story.bench.send_to("s", 2, "new");
    story.bench.advance_ms(2999);
    assert!(story.bench.end_of(receipt).is_none());
    story.bench.advance_ms(1);
    let failed = story.bench.failure_of(receipt);
    assert_eq!(failed.outcome, Outcome::NotWritten);
    let ProduceError::TopicUnknown {
        partition, count, ..
    } = failed.error
    else {
        unreachable!("the partition is unknown, {} came", failed.error)
    };
    assert_eq!((partition, count), (Some(2), Some(2)));
    // One that was planned may still go.
    let asked = story.bench.metadata_requests.len() + 1;
    story.bench.advance(Duration::from_secs(60));
    assert!(story.bench.metadata_requests.len() <= asked, "nobody waits");
    story.bench.assert_settled();
}

#[test]
fn edge_e122_keys_are_spread_over_a_new_partition_as_soon_as_it_is_known() {
    let mut story = Story::new(&[0, 0], &[]).establish();
    let of = |story: &mut Story, value: &str| {
        // murmur2 of `foobar` is even, and 0 modulo 3.
        let record = Record::to("s").key("foobar").value(value).timestamp(1);
        story.bench.try_send(&record).expect("there is room");
        story.records(value)
    };
    assert_eq!(of(&mut story, "two"), [1, 0]);
    let script = story.bench.topics.get_mut("s").expect("s");
    script.partitions.push((0, 1));
    script.partitions.push((0, 1));
    script.partitions.push((0, 1));
    story.bench.advance(Duration::from_secs(301));
    // 1357151166 modulo 5.
    assert_eq!(of(&mut story, "five"), [0, 1, 0, 0, 0]);
}

#[test]
fn edge_e123_records_for_a_topic_that_is_created_later_wait_for_it_in_order() {
    let mut bench = Bench::ready(&[("linger.ms", "0")]);
    let receipts: Vec<_> = ["a", "b"]
        .map(|value| Record::to("late").value(value).timestamp(1))
        .iter()
        .map(|record| bench.try_send(record).expect("there is room"))
        .collect();
    bench.metadata_requests.clear();
    bench.advance(Duration::from_secs(10));
    let asked = bench.metadata_requests.len();
    assert!((10..=16).contains(&asked), "with backoff: {asked}");
    bench.add_topic("late", &[1]);
    bench.advance_ms(1200);
    let seen = bench.take_request();
    assert_eq!(seen.batch().values, ["a", "b"]);
    bench.acknowledge(&seen);
    assert!(receipts.into_iter().all(|receipt| bench.is_acked(receipt)));
    bench.assert_settled();
}

#[test]
fn edge_e123_a_topic_that_never_comes_ends_the_wait_after_max_block_ms() {
    let mut bench = Bench::ready(&[("max.block.ms", "2000")]);
    let receipt = bench.try_send(&Record::to("never")).expect("room");
    bench.advance_ms(1999);
    assert!(bench.end_of(receipt).is_none());
    bench.advance_ms(1);
    let error = &bench.failure_of(receipt).error;
    assert!(
        matches!(error, ProduceError::TopicUnknown { .. }),
        "{error}"
    );
    bench.assert_settled();
}

#[test]
fn edge_e123_a_topic_that_the_cluster_refuses_fails_at_once() {
    let mut bench = Bench::ready(&[]);
    bench.add_topic("bad name", &[]);
    let script = bench.topics.get_mut("bad name").expect("it");
    script.error = ErrorCode::INVALID_TOPIC_EXCEPTION;
    let receipt = bench.try_send(&Record::to("bad name")).expect("room");
    let code = bench.failure_of(receipt).error.code();
    assert_eq!(code, Some(ErrorCode::INVALID_TOPIC_EXCEPTION));
    bench.assert_settled();
}

#[test]
fn edge_e124_a_topic_that_was_idle_is_left_out_and_asked_for_at_once_when_it_is_used_again() {
    let idle = [
        ("metadata.max.idle.ms", "5000"),
        ("metadata.max.age.ms", "3000"),
        ("max.block.ms", "1000"),
    ];
    let mut story = Story::new(&[0, 1], &idle).establish();
    let names = |bench: &Bench| {
        let (_, request) = bench.metadata_requests.last().expect("a request");
        let topics = request.topics.as_deref().unwrap_or_default().iter();
        topics
            .filter_map(|topic| topic.name.clone())
            .collect::<Vec<_>>()
    };
    story.bench.advance_ms(4000);
    assert!(names(&story.bench).contains(&"s".into()));
    story.bench.advance_ms(8000);
    assert_eq!(names(&story.bench), [""; 0], "nobody uses any topic");

    // Meanwhile the leader has moved; the numbers go on where they were.
    story.bench.move_leader("s", 0, 1);
    let asked = story.bench.metadata_requests.len();
    story.bench.send_to("s", 0, "again");
    assert_eq!(story.bench.metadata_requests.len(), asked + 1);
    assert_eq!(names(&story.bench), ["s"]);
    story.bench.flush();
    let seen = story.bench.take_request();
    assert_eq!((seen.broker, seen.batch().sequence), (1, 1));
    story.bench.acknowledge(&seen);
    story.bench.assert_settled();
}

/// Puts each record where its value says.
struct AsTold;

impl Partitioner for AsTold {
    fn partition(&mut self, record: &Unplaced<'_>) -> Option<u32> {
        assert_eq!((record.topic, record.partitions), ("t", 2));
        assert_eq!(record.load.available(), [0, 1]);
        match record.value? {
            b"busy" => Some(record.load.waiting_batches(0)),
            b"boom" => unreachable!("a partitioner that panics"),
            digits => std::str::from_utf8(digits).ok()?.parse().ok(),
        }
    }
}

/// A bench whose machine asks `AsTold`.
fn told(properties: &[(&str, &str)]) -> Bench {
    let base = [("bootstrap.servers", "b0:9092"), ("linger.ms", "60000")];
    let mut builder = Config::builder().custom_partitioner(|| AsTold);
    for (name, value) in base.iter().chain(properties) {
        builder = builder.property(name, value).expect("a valid setting");
    }
    let mut bench = Bench::new(&[]);
    let config = builder.build().expect("valid settings");
    bench.machine = ProducerMachine::new(bench.now, config, Seed::new(7));
    bench
}

/// The partition of each batch, and its values.
fn placed(bench: &mut Bench) -> Vec<(u32, Vec<String>)> {
    bench.flush();
    let mut placed = Vec::new();
    while let Some(seen) = bench.requests.pop() {
        bench.acknowledge(&seen);
        placed.extend(seen.batches.into_iter().map(|b| (b.partition, b.values)));
    }
    placed.sort();
    placed
}

#[test]
fn a_custom_partitioner_is_asked_for_each_record_that_names_no_partition() {
    let mut bench = told(&[("partitioner", "consistent")]);
    bench.machine.topic(bench.now, "t");
    bench.run();
    let send = |bench: &mut Bench, record: Record<'_>| {
        bench.try_send(&record.timestamp(1)).expect("there is room")
    };
    send(&mut bench, Record::to("t").value("1"));
    send(&mut bench, Record::to("t").value("busy"));
    send(&mut bench, Record::to("t").value("busy"));
    send(&mut bench, Record::to("t").value("1").partition(0));
    // No answer: `consistent` puts what has no key into partition 0.
    send(&mut bench, Record::to("t").value("none"));
    let expected = [(0, vec!["busy", "1", "none"]), (1, vec!["1", "busy"])];
    let placed = placed(&mut bench);
    assert_eq!(format!("{placed:?}"), format!("{expected:?}"));
    bench.assert_settled();
}

#[test]
fn a_partition_that_the_topic_does_not_have_is_an_error_of_that_send() {
    let mut bench = told(&[("max.block.ms", "1000")]);
    // Not known yet: the record is taken, and fails when the topic is known.
    let early = bench.try_send(&Record::to("t").value("9").timestamp(1));
    assert_eq!(
        bench.failure_of(early.expect("it is held")).error,
        ProduceError::Partitioner(
            "a partition of topic t below 2 was expected of the custom partitioner, 9 came; \
             correct it"
                .into()
        )
    );

    let wrong = bench.try_send(&Record::to("t").value("2").timestamp(1));
    let Err(SendError::Invalid { what }) = wrong else {
        unreachable!("the answer is out of range, {wrong:?} came")
    };
    assert_eq!(
        what,
        "a partition of topic t below 2 was expected of the custom partitioner, 2 came; correct it"
    );
    let right = bench.try_send(&Record::to("t").value("1").timestamp(1));
    assert!(right.is_ok());
    assert_eq!(placed(&mut bench), [(1, vec!["1".to_string()])]);
    bench.assert_settled();
}

#[test]
fn a_custom_partitioner_that_panics_costs_that_record_and_no_other() {
    let mut bench = told(&[]);
    let mut hold = |value| {
        let record = Record::to("t").value(value).timestamp(1);
        let receipt = bench.machine.send(bench.now, &record).expect("it is held");
        bench.receipts.push(receipt);
        receipt
    };
    let held = ["1", "boom", "1"].map(&mut hold);
    bench.run();
    let panicked = "a partition of topic t was expected of the custom partitioner, it panicked; \
                    correct it";
    let failed = bench.failure_of(held[1]);
    assert_eq!(failed.error, ProduceError::Partitioner(panicked.into()));
    assert_eq!(failed.outcome, Outcome::NotWritten);
    let given_back = failed.records.record(0).expect("it is given back");
    assert_eq!(given_back.value.as_deref(), Some(&b"boom"[..]));

    let refused = bench.try_send(&Record::to("t").value("boom").timestamp(1));
    let what = panicked.into();
    assert_eq!(refused, Err(SendError::Invalid { what }));
    bench.flush();
    bench.acknowledge_all();
    assert!(bench.is_acked(held[0]) && bench.is_acked(held[2]));
    bench.assert_settled();
}

#[test]
fn a_leader_in_our_rack_is_preferred_while_there_is_one() {
    let rack = [("partitioner.rack.aware", "true"), ("client.rack", "r1")];
    let mut story = Story::new(&[0, 1, 1], &rack);
    story.bench.racks.insert(1, "r1".into());
    let mut story = {
        story.bench.advance(Duration::from_secs(301));
        story.establish()
    };
    story.send(1000, "near", |_| true);
    let near = story.records("near");
    assert_eq!(near[0], 0);
    assert!(200 < near[1] && 200 < near[2], "{near:?}");
    story.bench.move_leader("s", 1, 0);
    story.bench.move_leader("s", 2, 0);
    story.bench.advance(Duration::from_secs(301));
    story.send(1000, "far", |_| true);
    let far = story.records("far");
    assert!(far.iter().all(|&count| 150 < count), "{far:?}");
}

#[test]
fn keys_take_no_notice_of_racks_and_round_robin_takes_none_of_keys() {
    let rack = [
        ("partitioner.rack.aware", "true"),
        ("client.rack", "r1"),
        ("partitioner", "round_robin"),
    ];
    let mut story = Story::new(&[0, 1, -1], &rack);
    for _ in 0..6 {
        let record = Record::to("s").key("k").value("turn").timestamp(1);
        story.bench.try_send(&record).expect("there is room");
    }
    assert_eq!(story.records("turn"), [3, 3, 0]);
}

#[test]
fn edge_e126_an_empty_name_is_no_topic_and_nobody_is_asked_for_it() {
    let mut bench = Bench::ready(&[]);
    bench.metadata_requests.clear();
    let unnamed = Record::to("").value("a");
    for record in [unnamed, unnamed.partition(3), unnamed.key("k")] {
        let refused = bench.try_send(&record);
        let Err(SendError::Invalid { what }) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(
            what,
            "the name of a topic was expected, an empty one came; name it"
        );
    }
    let topic = bench.machine.topic(bench.now, "");
    bench.run();
    assert_eq!(
        bench.machine.topic_error(topic),
        Some(ErrorCode::INVALID_TOPIC_EXCEPTION)
    );
    assert_eq!(bench.machine.buffer_used(), 0);
    bench.advance(Duration::from_secs(60));
    let asked = bench.metadata_requests.iter();
    let asked = asked.flat_map(|(_, request)| request.topics.iter().flatten());
    assert_eq!(
        asked
            .filter(|topic| topic.name.as_deref() == Some(""))
            .count(),
        0
    );
}

#[test]
fn edge_e126_a_negative_timestamp_is_refused_and_zero_is_one() {
    let mut bench = Bench::ready(&[]);
    for timestamp in [i64::MIN, -2, -1] {
        let record = Record::to("t").value("a").timestamp(timestamp);
        let refused = bench.try_send(&record);
        let Err(SendError::Invalid { what }) = refused else {
            panic!("{refused:?}");
        };
        assert!(what.contains(&timestamp.to_string()), "{what}");
    }
    assert_eq!(bench.machine.buffer_used(), 0);
    let record = Record::to("t").value("a").timestamp(0);
    bench.try_send(&record).expect("the first moment of 1970");
    bench.flush();
    bench.acknowledge_all();
    bench.assert_settled();
}

#[test]
fn edge_e126_an_empty_key_is_hashed_and_no_key_is_not() {
    let mut story = Story::new(&[0, 1, 2, 3], &[]).establish();
    for _ in 0..400 {
        let keyed = Record::to("s").key("").value("empty").timestamp(1);
        story.bench.try_send(&keyed).expect("there is room");
        story.answer(|_| true);
    }
    // murmur2 of nothing is 275646681.
    assert_eq!(story.records("empty"), [0, 400, 0, 0]);
    story.send(400, "none", |_| true);
    let used = story.records("none").into_iter().filter(|&count| 0 < count);
    assert!(1 < used.count(), "records without a key are spread");
    story.bench.assert_settled();
}

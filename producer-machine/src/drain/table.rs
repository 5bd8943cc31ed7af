//! What a drain does with a partition, for all that may be the matter with it, as a table.

extern crate std;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

use expect_test::expect_file;
use kafka_producer_proto::batch::RecordBody;

use super::*;
use crate::TopicHandle;
use crate::accumulator::{Claim, Hurry, Order, Proof};
use crate::brokers::{NodeId, Standing};
use crate::config::Config;
use crate::idempotence::Session;

const NOW: Instant = Instant::from_millis(10);
const LATER: Instant = Instant::from_millis(20);
const HERE: ConnectionId = ConnectionId(1);
const ELSEWHERE: ConnectionId = ConnectionId(2);
const LANE: LaneId = LaneId {
    node: NodeId(1),
    index: 0,
};

struct Fixture {
    accumulator: Accumulator,
    brokers: Brokers,
    /// Leaves first, if it is there.
    other: PartitionKey,
    /// The one that is looked at.
    key: PartitionKey,
}

impl Fixture {
    fn new(codec: &str) -> Self {
        let config = Config::from_properties([
            ("bootstrap.servers", "b1:9092"),
            ("compression.type", codec),
            ("linger.ms", "5"),
        ]);
        let config = config.expect("a valid configuration");
        let mut brokers = Brokers::new(&config);
        brokers.learn(&[(NodeId(1), "b1".into(), 9092)]);
        let mut accumulator = Accumulator::new(&config);
        let [other, key] = [0, 1].map(|index| accumulator.add_partition(TopicHandle(0), index));
        Self {
            accumulator,
            brokers,
            other,
            key,
        }
    }

    fn append(&mut self, key: PartitionKey) {
        let record = RecordBody {
            timestamp: 0,
            key: None,
            value: Some(b"x"),
            headers: &[],
        };
        let claim = Claim::Newcomer;
        let appended = self
            .accumulator
            .append(NOW, key, &record, Hurry::Relaxed, claim);
        appended.result.expect("there is room");
    }

    fn queue(&mut self, key: PartitionKey) -> BatchKey {
        self.append(key);
        self.accumulator.close_open(key).expect("it is open")
    }

    fn stand(&mut self, key: PartitionKey, standing: Standing) {
        let to = Some((LANE, standing));
        let place = self.brokers.place(key, Place::Nowhere, to);
        self.accumulator.partitions[key.0 as usize].stand(place);
    }
}

type Matter = (&'static str, Standing, fn(&mut Fixture));

const MATTERS: [Matter; 9] = [
    ("nothing to send", Standing::Ready, |_| {}),
    ("queued", Standing::Ready, |f| {
        f.queue(f.key);
    }),
    ("open and due", Standing::Ready, |f| {
        f.append(f.key);
        let open = f.accumulator.partitions[f.key.0 as usize].open.as_ref();
        let batch = open.map(|open| open.key).expect("it is open");
        f.accumulator.end_linger(batch);
    }),
    ("open and lingering", Standing::Lingering, |f| {
        f.append(f.key);
    }),
    ("just closed", Standing::Ready, |f| {
        let batch = f.queue(f.key);
        f.accumulator.compress(batch);
    }),
    ("compressed", Standing::Ready, |f| {
        let batch = f.queue(f.key);
        f.accumulator.compress(batch);
        if let Some(job) = f.accumulator.next_job() {
            f.accumulator.take_job(job.id);
            f.accumulator.compressed(batch, Vec::new());
        }
    }),
    ("backing off", Standing::Ready, |f| {
        let batch = f.queue(f.key);
        f.accumulator.depart(batch, None, HERE);
        f.accumulator.arrive(batch, None, Proof::Sure);
        f.accumulator.requeue(NOW, batch, LATER);
    }),
    ("in flight elsewhere", Standing::Ready, |f| {
        let batch = f.queue(f.key);
        f.accumulator.depart(batch, None, ELSEWHERE);
        f.queue(f.key);
    }),
    ("expired", Standing::Ready, |f| {
        let batch = f.queue(f.key);
        f.accumulator.batches[batch.0 as usize].deadline = NOW;
    }),
];

/// What the request is like when it is the partition's turn.
#[derive(Clone, Copy, Debug)]
enum Before {
    Empty,
    Full,
    WithRoom,
}

/// What happens to the partition, and where it stands then.
fn drained(fixture: Fixture, before: Before) -> String {
    let room = match before {
        Before::Full => 0,
        Before::Empty | Before::WithRoom => 1000,
    };
    let road = Road {
        lane: LANE,
        connection: HERE,
        version: 6,
    };
    let terms = Terms {
        order: Order::None,
        session: Session::Off,
        hurry: Hurry::Relaxed,
        flushed_to: None,
    };
    let Fixture {
        mut accumulator,
        mut brokers,
        other,
        key,
    } = fixture;
    let mut spares = Spares::default();
    let Some(mut drain) = Drain::begin(road, room, &brokers, &mut spares) else {
        return String::from("no request");
    };
    let mut told = Vec::new();
    while let Some(step) = drain.step(NOW, &terms, &mut accumulator, &mut brokers) {
        told.push(match step {
            Step::Took(took, _) if took == other => continue,
            Step::Closed(batch) => {
                // As the machine does.
                accumulator.compress(batch);
                "Closed"
            }
            Step::Expired(_) => "Expired",
            Step::Idle(_) => "Idle",
            Step::Took(..) => "Took",
            Step::Unspoken(_) => "Unspoken",
        });
    }
    let batches = drain.end(&mut spares).map_or(0, |load| load.batches.len());
    let place = match accumulator.partitions[key.0 as usize].place() {
        Place::Lingering(_) => "Lingering",
        Place::Nowhere => "Nowhere",
        Place::Ready(..) => "Ready",
    };
    let ready = brokers.lane(LANE).map_or(0, Lane::ready);
    alloc::format!("{told:?}, {place}, {ready} ready, {batches} leave")
}

#[test]
fn everything_that_may_be_the_matter_with_a_partition_in_every_request() {
    let mut table = String::new();
    for codec in ["none", "zstd"] {
        for (name, standing, matter) in MATTERS {
            for before in [Before::Empty, Before::WithRoom, Before::Full] {
                let mut fixture = Fixture::new(codec);
                if let Before::Full | Before::WithRoom = before {
                    fixture.queue(fixture.other);
                    fixture.stand(fixture.other, Standing::Ready);
                }
                matter(&mut fixture);
                fixture.stand(fixture.key, standing);
                let what = drained(fixture, before);
                writeln!(table, "{codec} {name:19} {before:?}: {what}").expect("a string takes it");
            }
        }
    }
    expect_file!["table.txt"].assert_eq(&table);
}

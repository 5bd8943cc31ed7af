//! Every place of a partition with every wish, as a table; and what lanes promise.

extern crate std;

use alloc::string::String;
use core::fmt::Write as _;

use expect_test::expect_file;

use super::*;
use crate::config::Config;

const HERE: LaneId = lane(0);
const THERE: LaneId = lane(1);
const KEY: PartitionKey = PartitionKey(6);

const fn lane(index: u32) -> LaneId {
    LaneId {
        node: NodeId(1),
        index,
    }
}

fn brokers() -> Brokers {
    let config = Config::builder()
        .bootstrap_servers(["b1:9092"])
        .connections_per_broker(2)
        .build()
        .expect("a valid configuration");
    let mut brokers = Brokers::new(&config);
    brokers.learn(&[(NodeId(1), "b1".into(), 9092)]);
    brokers
}

fn say(place: Place) -> String {
    match place {
        Place::Lingering(lane) => alloc::format!("Lingering at {}", lane.index),
        Place::Nowhere => String::from("Nowhere"),
        Place::Ready(lane, _) => alloc::format!("Ready at {}", lane.index),
    }
}

/// How many partitions stand in each lane: in the queue, beside it.
fn count(brokers: &Brokers) -> [(usize, usize); 2] {
    [HERE, THERE].map(|id| {
        brokers
            .lane(id)
            .map_or((0, 0), |lane| (lane.ready(), lane.lingering().count()))
    })
}

#[test]
fn every_place_with_every_wish_and_a_partition_stands_once() {
    let wishes = [
        None,
        Some((HERE, Standing::Lingering)),
        Some((HERE, Standing::Ready)),
        Some((THERE, Standing::Lingering)),
        Some((THERE, Standing::Ready)),
    ];
    let mut table = String::new();
    for first in wishes {
        for second in wishes {
            let mut brokers = brokers();
            let before = brokers.place(KEY, Place::Nowhere, first);
            let after = brokers.place(KEY, before, second);
            let standing = count(&brokers);
            let wish = say(brokers.place(KEY, Place::Nowhere, second));
            let (before, after) = (say(before), say(after));
            writeln!(table, "{before}: to {wish} -> {after}, {standing:?}").expect("a string");
        }
    }
    expect_file!["places.txt"].assert_eq(&table);
}

#[test]
fn a_partition_that_stays_ready_keeps_its_turn() {
    let mut brokers = brokers();
    let ready = Some((HERE, Standing::Ready));
    let first = brokers.place(KEY, Place::Nowhere, ready);
    brokers.place(PartitionKey(8), Place::Nowhere, ready);
    assert_eq!(brokers.place(KEY, first, ready), first);
    let called = brokers.lane_mut(HERE).and_then(Lane::call_first);
    assert_eq!(called.map(|(_, key)| key), Some(KEY));
}

#[test]
fn a_partition_has_one_lane_for_good_and_neighbors_share_the_lanes() {
    let brokers = brokers();
    let lanes = [4, 5, 4, 6].map(|key| brokers.lane_for(NodeId(1), PartitionKey(key)).index);
    assert_eq!(lanes, [0, 1, 0, 0]);
}

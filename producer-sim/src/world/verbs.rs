//! The verbs of a story: what a test does to brokers, leaders and connections, and what it looks
//! up there.
//!
//! Who names a broker, topic or partition that is not there has mistyped it, and would test fair
//! weather in place of a fault: such a verb panics. Faults of the campaign, which may befall a
//! topic that is gone, take the forms of the cluster instead.

use kafka_producer_machine::{ConnectionId, Instant};

use super::faults::Way;
use super::{LogView, World};
use crate::cluster::{BrokerId, Cluster};

/// A broker of a world, to be spoken to.
#[derive(Debug)]
pub struct BrokerVerbs<'a> {
    world: &'a mut World,
    broker: BrokerId,
}

impl World {
    /// Speaks to a broker.
    ///
    /// # Panics
    /// There is no such broker.
    #[track_caller]
    pub fn broker(&mut self, broker: impl Into<BrokerId>) -> BrokerVerbs<'_> {
        let broker = broker.into();
        self.check_broker(broker);
        self.is_calm = false;
        BrokerVerbs {
            world: self,
            broker,
        }
    }

    /// Lets another broker lead a partition.
    ///
    /// # Panics
    /// There is no such topic, partition or broker.
    #[track_caller]
    pub fn move_leader(&mut self, topic: &str, partition: u32, to: impl Into<BrokerId>) {
        let to = to.into();
        self.check_partition(topic, partition);
        self.check_broker(to);
        self.note(format!("{topic}-{partition} moves to broker {to}"));
        self.lead(topic, partition, to);
    }

    /// The same as a fault, which may come too late.
    pub(crate) fn lead(&mut self, topic: &str, partition: u32, to: BrokerId) {
        self.cluster.advance(self.wall());
        self.is_calm = false;
        self.cluster.move_leader(topic, partition, to);
        self.wake_waiting();
        self.drain();
    }

    /// Resets every connection; what is on its way is lost.
    pub fn cut_connections(&mut self) {
        self.note("every connection is cut".into());
        self.reset_all();
    }

    pub(crate) fn reset_all(&mut self) {
        self.is_calm = false;
        let ids: Vec<ConnectionId> = self.links.keys().copied().collect();
        for id in ids {
            self.break_link(id, "connection reset");
        }
    }

    /// Looks at the cluster or changes it.
    pub fn with_cluster<T>(&mut self, act: impl FnOnce(&mut Cluster) -> T) -> T {
        self.cluster.advance(self.wall());
        self.is_calm = false;
        let result = act(&mut self.cluster);
        self.wake_waiting();
        result
    }

    /// The records of a partition.
    ///
    /// # Panics
    /// There is no such topic, also if it is yet to be created, or no such partition.
    #[track_caller]
    pub fn log(&self, topic: &str, partition: u32) -> LogView {
        self.check_partition(topic, partition);
        LogView {
            records: self.cluster.records(topic, partition),
        }
    }

    #[track_caller]
    pub(super) fn check_broker(&self, broker: BrokerId) {
        let ids = self.broker_ids();
        if !ids.contains(&broker) {
            let ids = listed(ids);
            refuse(&format!("expected a broker of {ids}, came {broker}"));
        }
    }

    #[track_caller]
    pub(super) fn check_partition(&self, topic: &str, partition: u32) {
        let Some(count) = self.cluster.partition_count(topic) else {
            let topics = listed(self.cluster.topics());
            refuse(&format!("expected a topic of {topics}, came {topic}"));
        };
        if count <= partition {
            refuse(&format!(
                "expected a partition of {topic} below {count}, came {partition}"
            ));
        }
    }
}

impl BrokerVerbs<'_> {
    /// Stops looking at requests, as a stopped process does: they stay unread.
    pub fn stop_answering(mut self) {
        self.note("stops answering");
        self.world
            .troubles
            .paused
            .insert(self.broker, Instant::NEVER);
    }

    /// Goes on with what has come meanwhile.
    pub fn go_on(mut self) {
        self.note("goes on");
        self.world.unpause(self.broker);
        self.world.drain();
    }

    /// Executes requests, and loses every answer.
    pub fn lose_answers(mut self) {
        self.note("loses its answers");
        let troubles = &mut self.world.troubles;
        troubles
            .deaf
            .insert(self.broker, (Way::Answers, Instant::NEVER));
    }

    /// Answers again, on new connections.
    pub fn find_answers(mut self) {
        self.note("answers again");
        self.world.troubles.deaf.remove(&self.broker);
    }

    /// Dies, as by SIGKILL.
    pub fn kill(mut self) {
        self.note("is killed");
        self.world.crash(self.broker);
    }

    /// Comes back.
    pub fn restart(mut self) {
        self.note("comes back");
        self.world.cluster.start_broker(self.broker);
    }

    fn note(&mut self, what: &str) {
        self.world.note(format!("broker {} {what}", self.broker));
    }
}

/// Ends a test that asks for what cannot be.
#[expect(clippy::panic, reason = "a test that names what is not there is wrong")]
#[track_caller]
pub(crate) fn refuse(what: &str) -> ! {
    panic!("{what}")
}

/// The names between commas, or that there is none.
fn listed(names: impl IntoIterator<Item = impl ToString>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| name.to_string()).collect();
    match names.as_slice() {
        [] => "none".into(),
        names => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    fn world() -> World {
        World::new(1).brokers(3).topic("visits", 3)
    }

    /// What a verb says before it ends the test.
    fn refused(act: impl FnOnce(&mut World)) -> String {
        let ended = catch_unwind(AssertUnwindSafe(|| act(&mut world())));
        *ended.unwrap_err().downcast().unwrap()
    }

    #[test]
    fn a_broker_that_is_not_there_cannot_be_spoken_to() {
        assert_eq!(
            refused(|world| world.broker(3).stop_answering()),
            "expected a broker of 0, 1, 2, came 3"
        );
    }

    #[test]
    fn a_leader_moves_only_from_and_to_what_is_there() {
        assert_eq!(
            refused(|world| world.move_leader("visit", 0, 1)),
            "expected a topic of visits, came visit"
        );
        assert_eq!(
            refused(|world| world.move_leader("visits", 5, 0)),
            "expected a partition of visits below 3, came 5"
        );
        assert_eq!(
            refused(|world| world.move_leader("visits", 0, 9)),
            "expected a broker of 0, 1, 2, came 9"
        );
    }

    #[test]
    fn only_a_partition_that_is_there_has_a_log() {
        assert!(world().log("visits", 2).is_empty());
        assert_eq!(
            refused(|world| drop(world.log("visit", 9))),
            "expected a topic of visits, came visit"
        );
        assert_eq!(
            refused(|_| drop(World::new(1).log("orders", 0))),
            "expected a topic of none, came orders"
        );
    }

    #[test]
    fn a_topic_needs_a_name_that_kafka_takes() {
        let what = refused(|_| drop(World::new(1).topic("bad topic", 1)));
        assert!(what.contains("is no name of a topic"), "{what}");
    }

    #[test]
    fn the_faults_of_a_story_are_noted() {
        let mut world = world();
        world.broker(0).stop_answering();
        world.move_leader("visits", 1, 2);
        world.cut_connections();
        let told = [
            "broker 0 stops answering",
            "visits-1 moves to broker 2",
            "every connection is cut",
        ];
        for (note, told) in world.notes().iter().zip(told) {
            assert!(note.ends_with(told), "{note}");
        }
        assert_eq!(world.notes().len(), 3);
    }
}

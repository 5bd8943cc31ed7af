//! Our rack: partitions whose leader stands in it are preferred for records without a key
//! (KIP-1123).

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;

use kafka_producer_proto::messages::MetadataResponse;

use crate::brokers::NodeId;
use crate::config::Config;
use crate::metadata::TopicView;

/// The brokers that stand where we do.
#[derive(Debug, Hash)]
pub(crate) struct Rack {
    /// `client.rack`, if `partitioner.rack.aware` is set.
    name: Option<Arc<str>>,
    neighbors: BTreeSet<NodeId>,
}

impl Rack {
    pub(crate) fn new(config: &Config) -> Self {
        let name = config
            .partitioner_rack_aware
            .then(|| Arc::clone(&config.client_rack));
        Self {
            name,
            neighbors: BTreeSet::new(),
        }
    }

    /// An answer names the brokers and their racks.
    pub(crate) fn learn(&mut self, response: &MetadataResponse) {
        let Some(name) = &self.name else { return };
        let brokers = response.brokers.iter();
        self.neighbors = brokers
            .filter(|broker| broker.rack.as_deref() == Some(name))
            .map(|broker| NodeId(broker.node_id))
            .collect();
    }
}

impl TopicView {
    /// The partitions or their leaders may have changed: sorts out where records without a key
    /// may go.
    pub(crate) fn sort_out(&mut self, rack: &Rack) {
        self.sticky.unweigh();
        self.available.clear();
        self.near.clear();
        for (index, view) in self.partitions.iter().enumerate() {
            let Some(leader) = view.leader else { continue };
            self.available.push(index as u32);
            if rack.neighbors.contains(&leader) {
                self.near.push(index as u32);
            }
        }
    }

    /// As `sort_out`, where one partition has another leader: the others are not looked at.
    pub(crate) fn sort_in(&mut self, index: u32, rack: &Rack) {
        self.sticky.unweigh();
        let view = self.partitions.get(index as usize);
        let leader = view.and_then(|view| view.leader);
        match leader {
            Some(_) => list(&mut self.available, index),
            None => unlist(&mut self.available, index),
        }
        match leader.filter(|leader| rack.neighbors.contains(leader)) {
            Some(_) => list(&mut self.near, index),
            None => unlist(&mut self.near, index),
        }
    }
}

fn list(sorted: &mut Vec<u32>, index: u32) {
    if let Err(at) = sorted.binary_search(&index) {
        sorted.insert(at, index);
    }
}

fn unlist(sorted: &mut Vec<u32>, index: u32) {
    if let Ok(at) = sorted.binary_search(&index) {
        sorted.remove(at);
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::Instant;
    use crate::metadata::PartitionView;

    const HERE: NodeId = NodeId(1);
    const THERE: NodeId = NodeId(2);

    fn rack() -> Rack {
        Rack {
            name: Some("here".into()),
            neighbors: BTreeSet::from([HERE]),
        }
    }

    fn topic(leaders: &[Option<NodeId>]) -> TopicView {
        let mut topic = TopicView::named(Instant::ORIGIN, "t".into(), None);
        let led = |&leader| PartitionView {
            leader,
            leader_epoch: 0,
            key: None,
        };
        topic.partitions = leaders.iter().map(led).collect();
        topic.sort_out(&rack());
        topic
    }

    #[test]
    fn to_sort_in_one_partition_gives_what_sorting_out_all_gives() {
        let leaders = [None, Some(HERE), Some(THERE)];
        for before in leaders {
            for after in leaders {
                let mut topic = topic(&[Some(HERE), before, Some(THERE)]);
                topic.partitions[1].leader = after;
                topic.sort_in(1, &rack());
                let found = (topic.available.clone(), topic.near.clone());
                topic.sort_out(&rack());
                assert_eq!(
                    found,
                    (topic.available, topic.near),
                    "{before:?}, {after:?}"
                );
            }
        }
        let mut none = topic(&[]);
        none.sort_in(7, &rack());
        assert_eq!(none.available, vec![]);
    }
}

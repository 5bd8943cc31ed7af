//! Our rack: partitions whose leader stands in it are preferred for records without a key
//! (KIP-1123).

use alloc::collections::BTreeSet;
use alloc::sync::Arc;

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
}

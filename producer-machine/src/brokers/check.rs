//! Whether a broker is the one that metadata named, of the cluster that metadata described
//! (`metadata.cluster.check.enable`, KIP-1242).
//!
//! The broker judges that itself: it is told who it is taken for when it is asked for its
//! versions, in version 5 of that request. Asking an older broker in version 5 costs a round
//! trip, so nobody is before some broker has said that it knows it. The addresses of
//! `bootstrap.servers` are taken for nobody.

use alloc::sync::Arc;

use crate::brokers::NodeId;
use crate::config::{Config, MetadataRecovery};

/// The first version of ApiVersions that says who the broker is taken for.
pub(crate) const INTRODUCED: i16 = 5;

/// Who a broker is taken for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) cluster: Arc<str>,
    pub(crate) node: i32,
}

/// What is known of the cluster, and of its brokers' ability to check it.
#[derive(Debug, Hash)]
pub(super) struct ClusterCheck {
    is_wanted: bool,
    /// The cluster that the newest metadata described, if that said so.
    cluster: Option<Arc<str>>,
    /// Whether the last broker that told its versions knows this one.
    is_known: bool,
}

impl ClusterCheck {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            // Whoever may not start again can do nothing about the answer.
            is_wanted: config.metadata_cluster_check
                && config.metadata_recovery != MetadataRecovery::None,
            cluster: None,
            is_known: false,
        }
    }

    /// Metadata describe this cluster.
    pub(super) fn learn(&mut self, cluster: Option<&str>) {
        if self.is_wanted && self.cluster.as_deref() != cluster {
            self.cluster = cluster.map(Arc::from);
        }
    }

    /// A broker has told up to which version it is spoken to.
    pub(super) fn hear(&mut self, version: Option<i16>) {
        self.is_known = version.is_some_and(|version| INTRODUCED <= version);
    }

    /// Who this broker is taken for, if it is to check that.
    pub(super) fn expected(&self, node: NodeId) -> Option<Expected> {
        let node = node.broker().filter(|_| self.is_known)?;
        let cluster = self.cluster.clone()?;
        Some(Expected { cluster, node })
    }
}

//! Whether a topic is in use, and whether it has all that somebody waits for.

use core::time::Duration;

use super::TopicView;
use crate::Instant;

impl TopicView {
    /// It is used.
    pub(crate) const fn touch(&mut self, now: Instant) {
        self.used = now;
    }

    /// Whether nobody has used it for so long.
    pub(crate) fn was_idle_for(&self, now: Instant, span: Duration) -> bool {
        span < now.since(self.used)
    }

    /// Somebody waits for this partition of it, or for any.
    pub(crate) fn lacks(&mut self, partition: Option<u32>) {
        self.wanted = partition.map_or(1, |partition| partition.saturating_add(1));
    }

    /// Whether it has fewer partitions than somebody waits for.
    pub(super) fn is_wanting(&self) -> bool {
        self.partitions.len() < self.wanted as usize
    }
}

//! Giving up records on purpose.

use super::ProducerMachine;
use crate::Instant;
use crate::error::ProduceError;

/// What [`ProducerMachine::purge`] gives up, as librdkafka's `RD_KAFKA_PURGE_F_QUEUE` and
/// `RD_KAFKA_PURGE_F_INFLIGHT` do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Purge {
    /// All that has not ended: also what is in flight, and what waits to be sent again. Brokers
    /// may have written that; the outcome of each record says so.
    Everything,
    /// What no broker was asked to write yet: none of it is written.
    Unsent,
}

impl ProducerMachine {
    /// Gives up records that were taken and have not ended: each fails with
    /// [`ProduceError::Purged`] and the truth about it. What is sent afterwards is welcome; a
    /// partition goes on when its requests in flight have ended.
    pub fn purge(&mut self, now: Instant, what: Purge) {
        let now = self.tick(now);
        if self.is_over() {
            return;
        }
        let mut touched = self.fail_batches(&ProduceError::Purged, |batch| match what {
            Purge::Everything => true,
            Purge::Unsent => !batch.is_handed_out(),
        });
        self.fail_all_held(&ProduceError::Purged);
        touched.sort_unstable();
        touched.dedup();
        for key in touched {
            self.reconsider(now, key);
        }
        self.conclude(now);
    }
}

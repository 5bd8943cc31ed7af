//! Who may send, and to whom: partitions stand in the queue of their leader's lane.
//!
//! A partition is looked at again whenever something that it may wait for has happened, and only
//! then: 100,000 idle partitions cost what 10 do.

use super::ProducerMachine;
use super::timers::Timer;
use crate::Instant;
use crate::accumulator::{BatchKey, Next, PartitionKey};
use crate::brokers::{LaneId, Standing};

impl ProducerMachine {
    /// Looks at a partition: puts it where it belongs now.
    pub(super) fn reconsider(&mut self, now: Instant, key: PartitionKey) {
        self.steps.step();
        if self.is_over() {
            return;
        }
        let terms = self.terms();
        match self.accumulator.next(now, key, &terms) {
            Next::Nothing => {
                self.put(key, None);
                if self.accumulator.partitions[key.0 as usize].leader.is_none() {
                    self.metadata.unwant_leader(key);
                }
            }
            Next::NotBefore(at) => {
                self.put(key, None);
                self.arm_backoff(key, at);
            }
            Next::WaitForIdentity => {
                self.put(key, None);
                self.without_identity.insert(key);
            }
            Next::WantsBump(old) => {
                self.bump(now, old);
                self.accumulator.leave_identity(key);
                self.reconsider(now, key);
            }
            Next::Linger => self.put_with_leader(now, key, Standing::Lingering),
            Next::Seal | Next::Take(..) => self.put_with_leader(now, key, Standing::Ready),
        }
    }

    pub(super) fn on_lingered(&mut self, now: Instant, batch: BatchKey) {
        if let Some(key) = self.accumulator.end_linger(batch) {
            self.reconsider(now, key);
        }
    }

    fn put_with_leader(&mut self, now: Instant, key: PartitionKey, standing: Standing) {
        let Some(node) = self.accumulator.partitions[key.0 as usize].leader else {
            self.put(key, None);
            self.metadata.want_leader(now, key, &mut self.jitter);
            self.service_control(now);
            return;
        };
        let lane = self.brokers.lane_for(node, key);
        self.put(key, Some((lane, standing)));
        if standing == Standing::Ready {
            self.accumulator.holdings.asked(now, node);
            self.announce(now, lane);
        }
    }

    fn put(&mut self, key: PartitionKey, to: Option<(LaneId, Standing)>) {
        let partition = &mut self.accumulator.partitions[key.0 as usize];
        partition.stand(self.brokers.place(key, partition.place(), to));
    }

    fn arm_backoff(&mut self, key: PartitionKey, at: Instant) {
        let partition = &mut self.accumulator.partitions[key.0 as usize];
        partition
            .backoff
            .set(at, Timer::Backoff(key), &mut self.timers);
    }
}

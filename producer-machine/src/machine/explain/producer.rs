//! How it is with the whole producer.

use alloc::boxed::Box;
use alloc::string::String;

use super::link::Busy;
use super::{Explanation, Next, ProducerMachine, State, Step, unknown};
use crate::explain::{IdentityState, MetadataState, ProducerLife, ProducerState};
use crate::idempotence::Session;
use crate::machine::Life;
use crate::{Instant, TopicHandle};

impl ProducerMachine {
    pub(super) fn explain_producer(&self, now: Instant) -> Explanation {
        let connections = self.brokers.connections.values();
        let ready = connections.filter(|connection| connection.is_ready());
        let slowest = self.slowest(now);
        let oldest = slowest.as_ref().and_then(|slowest| slowest.oldest);
        let state = ProducerState {
            life: match &self.life {
                Life::Closed => ProducerLife::Closed,
                Life::Closing(at) => ProducerLife::Closing(*at),
                Life::Fatal(fatal) => ProducerLife::Fatal(fatal.clone()),
                Life::Open => ProducerLife::Open,
            },
            buffer_used: self.accumulator.budget.used(),
            buffer_total: self.accumulator.budget.total(),
            waiters: self.waiters.waiting_for_space(),
            aside: self.waiters.standing_aside(),
            flushes: self.flushes.len(),
            connections: ready.count(),
            metadata: MetadataState {
                refreshed: self.metadata.refreshed_at(),
                due: self.next_metadata().and_then(|next| next.at),
                trouble: self.blackout(),
            },
            identity: match self.session {
                Session::Asking { .. } => IdentityState::Asking,
                Session::Off => IdentityState::Off,
                Session::Ready(identity) => IdentityState::Known {
                    producer_id: identity.producer_id,
                    producer_epoch: identity.producer_epoch,
                },
                Session::Wanted { at, .. } => IdentityState::Wanted(at),
            },
            troubles: self.troubles(
                now,
                if slowest.is_some() {
                    Busy::Yes
                } else {
                    Busy::No
                },
            ),
            slowest,
        };
        let next = match self.life {
            Life::Closing(at) => Some(Next {
                step: Step::Fail,
                at: Some(at),
            }),
            Life::Closed | Life::Fatal(_) | Life::Open => None,
        };
        Explanation {
            state: State::Producer(Box::new(state)),
            next,
            oldest,
            ..unknown(now, String::from("the producer"))
        }
    }

    /// The partition, or the topic, whose record has waited longest.
    fn slowest(&self, now: Instant) -> Option<Explanation> {
        let batches = self.accumulator.batches.iter().map(|(_, batch)| batch);
        let batch = batches
            .filter(|batch| !batch.stage().is_abandoned())
            .min_by_key(|batch| (batch.deadline, batch.serial));
        let held = self.accumulator.held.iter();
        let held = held
            .filter_map(|(&topic, chunks)| Some((chunks.front()?.created, topic)))
            .min();
        let accepted = batch.map(|batch| batch.deadline - self.config.delivery_timeout);
        let older = |(created, _): &(Instant, TopicHandle)| {
            accepted.is_none_or(|accepted| *created < accepted)
        };
        match (held.filter(older), batch) {
            (Some((_, topic)), _) => Some(self.explain_topic(now, topic)),
            (None, Some(batch)) => {
                let partition = &self.accumulator.partitions[batch.partition.0 as usize];
                Some(self.explain_partition(now, partition.topic, partition.index))
            }
            (None, None) => None,
        }
    }
}

//! How far the way to a broker is.

use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::{Explanation, Next, NodeId, ProducerMachine, State, Step, unknown};
use crate::Instant;
use crate::brokers::{Broker, Lane, LaneId, Loss};
use crate::connection::{Connection, Phase};
use crate::error::DisconnectReason;
use crate::explain::{BrokerState, Link, Node};

/// Whether records wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Busy {
    No,
    Yes,
}

/// A link with its times.
pub(super) struct LinkView {
    pub(super) link: Link,
    pub(super) since: Option<Instant>,
    pub(super) next: Option<Next>,
}

impl ProducerMachine {
    pub(super) fn explain_broker(&self, now: Instant, node: NodeId) -> Explanation {
        let Some(broker) = self.brokers.all().get(&node).filter(|_| 0 <= node.0) else {
            return unknown(now, format!("broker {}", node.0));
        };
        let views = || {
            let lanes = broker.lanes.iter();
            lanes.map(|lane| (self.link_view(now, broker, lane), lane))
        };
        // A lane that something waits for says more than one that is at rest.
        let telling = views().min_by_key(|(view, lane)| {
            let idle = match view.link {
                Link::Leaving { in_flight }
                | Link::Ready { in_flight }
                | Link::Throttled { in_flight } => in_flight == 0,
                Link::BackingOff { .. } | Link::Connecting | Link::Negotiating => false,
                Link::Down { .. } => true,
            };
            (lane.ready() == 0, idle, view.since)
        });
        let Some((view, _)) = telling else {
            return unknown(now, self.node(node).to_string());
        };
        let stands = |link: &Link| {
            matches!(
                link,
                Link::Leaving { .. } | Link::Ready { .. } | Link::Throttled { .. }
            )
        };
        Explanation {
            state: State::Broker(BrokerState {
                link: view.link,
                connected: views().filter(|(view, _)| stands(&view.link)).count(),
                lanes: broker.lanes.len(),
                waiting: broker.lanes.iter().map(Lane::ready).sum(),
                silent_since: self.accumulator.holdings.silent_since(now, node),
                named: broker.is_named(),
            }),
            since: view.since,
            next: view.next,
            ..unknown(now, self.node(node).to_string())
        }
    }

    /// Brokers of which there is something to be said: one that cannot be used, or that has not
    /// answered though nobody waits for it any more.
    pub(super) fn troubles(&self, now: Instant, busy: Busy) -> Vec<Explanation> {
        let named = self
            .brokers
            .all()
            .iter()
            .filter(|(node, broker)| node.broker().is_some() && broker.is_named());
        let recent = Some(now - self.config.delivery_timeout);
        named
            .map(|(&node, _)| self.explain_broker(now, node))
            .filter(|said| match &said.state {
                State::Broker(broker) => {
                    broker.silent_since.is_some()
                        || match broker.link {
                            // Older losses have not failed any record of late.
                            Link::Down { ref last } => last.is_some() && said.since >= recent,
                            Link::Ready { in_flight } => busy == Busy::No && 0 < in_flight,
                            Link::BackingOff { .. }
                            | Link::Connecting
                            | Link::Leaving { .. }
                            | Link::Negotiating
                            | Link::Throttled { .. } => true,
                        }
                }
                _ => false,
            })
            .collect()
    }

    /// A broker by id and address.
    pub(super) fn node(&self, node: NodeId) -> Node {
        Node {
            id: node.broker(),
            address: match self.brokers.all().get(&node) {
                Some(broker) => broker.address(),
                None => "address unknown".into(),
            },
        }
    }

    /// How far a lane is.
    pub(super) fn link_of(&self, now: Instant, id: LaneId) -> Option<LinkView> {
        let broker = self.brokers.all().get(&id.node)?;
        let lane = broker.lanes.get(id.index as usize)?;
        Some(self.link_view(now, broker, lane))
    }

    fn link_view(&self, now: Instant, broker: &Broker, lane: &Lane) -> LinkView {
        let connection = lane
            .connection
            .and_then(|id| self.brokers.connections.get(&id));
        let Some(connection) = connection else {
            return self.without_connection(now, broker, lane);
        };
        match connection.phase() {
            Phase::Connecting => LinkView {
                link: Link::Connecting,
                since: Some(connection.since),
                next: at(Step::GiveUpSetup, Some(connection.setup_deadline)),
            },
            Phase::Negotiating(_) => LinkView {
                link: Link::Negotiating,
                since: Some(connection.since),
                next: at(Step::GiveUpRequest, connection.oldest_deadline()),
            },
            Phase::Ready(_) => ready(now, connection),
        }
    }

    fn without_connection(&self, now: Instant, broker: &Broker, lane: &Lane) -> LinkView {
        let wanted = 0 < lane.ready() && !self.is_over();
        if now < broker.not_before || wanted {
            let last = broker.last_loss.as_ref();
            return LinkView {
                link: Link::BackingOff {
                    last: last.map(|loss| loss.reason.clone()),
                },
                since: last.map(|loss| loss.at),
                next: at(Step::Connect, Some(broker.not_before)).filter(|_| wanted),
            };
        }
        let by_itself = |loss: &&Loss| {
            !matches!(
                loss.reason,
                DisconnectReason::Asked | DisconnectReason::Idle
            )
        };
        let last = broker.last_loss.as_ref().filter(by_itself);
        LinkView {
            link: Link::Down {
                last: last.map(|loss| loss.reason.clone()),
            },
            since: last.map(|loss| loss.at),
            next: None,
        }
    }
}

fn ready(now: Instant, connection: &Connection) -> LinkView {
    let in_flight = connection.in_flight.len();
    if now < connection.throttled_until && !connection.is_left() {
        return LinkView {
            link: Link::Throttled { in_flight },
            since: Some(connection.throttled_since),
            next: at(Step::EndThrottle, Some(connection.throttled_until)),
        };
    }
    let oldest = connection.in_flight.front();
    LinkView {
        link: if connection.is_left() {
            Link::Leaving { in_flight }
        } else {
            Link::Ready { in_flight }
        },
        since: Some(oldest.map_or(connection.heard_at, |oldest| oldest.at)),
        next: match oldest {
            Some(oldest) => at(Step::GiveUpRequest, Some(oldest.deadline)),
            None => at(
                Step::GoIdle,
                Some(connection.idle_at).filter(|&at| at != Instant::NEVER),
            ),
        },
    }
}

/// A step at an instant that is known.
pub(super) fn at(step: Step, at: Option<Instant>) -> Option<Next> {
    at.map(|at| Next { step, at: Some(at) })
}

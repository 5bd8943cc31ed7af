//! The far ends of the wires: brokers that read requests one at a time and write answers (K4).

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use kafka_producer_machine::{ConnectionId, DisconnectReason, Guarantee, Instant};
use kafka_producer_proto::messages::ProduceResponse;
use kafka_producer_proto::{ApiKey, Message, RequestHeader, ResponseHeader};

use super::World;
use super::faults::{Refusal, Way};
use super::goals::Goal;
use super::network::{End, Fate, Happening, HostEnd, Link, pieces};
use crate::cluster::{BrokerId, Reply, Step, Then};

impl World {
    /// The producer wants a connection.
    pub(crate) fn connect(&mut self, id: ConnectionId, host: &str, port: u16) {
        self.check_reconnect(host);
        let Some(broker) = self.cluster.broker_at(host, port) else {
            let at = self.later();
            let reason = DisconnectReason::Resolve("no such host".into());
            self.agenda.add(at, Happening::Gone(id, reason));
            return;
        };
        let mut link = Link::new(self.now, broker);
        let at = self.later();
        let refusal = self.troubles.refusal(self.now, broker);
        match refusal {
            _ if !self.cluster.is_up(broker) => self.refuse(at, id),
            Some(Refusal::Refused) => self.refuse(at, id),
            Some(Refusal::Silence) => link.host = HostEnd::Closed,
            None => {
                let slow = self.troubles.slowness(self.now, broker);
                self.agenda.add(at + slow, Happening::Connected(id));
            }
        }
        self.links.insert(id, link);
    }

    fn refuse(&mut self, at: Instant, id: ConnectionId) {
        let reason = DisconnectReason::Failed("connection refused".into());
        self.agenda.add(at, Happening::Gone(id, reason));
    }

    /// A connection stands, unless the broker has died on the way.
    pub(crate) fn on_connected(&mut self, id: ConnectionId) {
        let now = self.now;
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        if link.producer != End::Connecting {
            return;
        }
        if !self.cluster.is_up(link.broker) {
            self.refuse(now, id);
            return;
        }
        link.producer = End::Open;
        self.machine.handle_connected(now, id);
    }

    /// The producer gives a connection up.
    pub(crate) fn disconnect(&mut self, id: ConnectionId) {
        self.watch.lost(self.now, &mut self.ledger, id);
        if self
            .links
            .get(&id)
            .is_some_and(|link| link.producer != End::Closed)
        {
            self.note_lost(id);
        }
        let (soon, later) = (self.later(), self.later());
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        if link.producer == End::Closed {
            return;
        }
        link.producer = End::Closing;
        self.agenda
            .add(soon, Happening::Gone(id, DisconnectReason::Asked));
        // What was written still arrives, and is executed.
        let at = link.reach_host(later);
        self.agenda.add(at, Happening::HostGone(id));
    }

    /// A whole frame leaves the producer.
    pub(crate) fn transmit(&mut self, id: ConnectionId, frame: &[u8]) {
        let broker = self.links.get(&id).map_or(BrokerId(-1), |link| link.broker);
        let (ledger, rules) = (&mut self.ledger, &self.rules);
        let fresh = self
            .watch
            .sent(self.now, ledger, rules, (id, broker), frame);
        self.check_lingered(&fresh);
        let fate = self.fate_of(frame);
        let (weather, at) = (self.weather, self.later());
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        if self.troubles.loses(self.now, link.broker, Way::Requests) {
            // TCP loses nothing from the middle: with these bytes all later ones are lost.
            link.host = HostEnd::Closed;
        }
        if link.host == HostEnd::Closed {
            return;
        }
        let bytes = match fate {
            Fate::InsideRequest => &frame[..frame.len() / 2],
            _ => frame,
        };
        link.fates.push_back(fate);
        let mut at = at;
        for piece in pieces(weather, &mut self.network, bytes) {
            at = link.reach_host(at);
            self.agenda.add(at, Happening::ToHost(id, piece));
        }
        if fate == Fate::InsideRequest {
            self.ledger.goals.reach(Goal::CutInFrame);
            let at = link.reach_host(at);
            self.agenda.add(at, Happening::HostGone(id));
            self.report_gone(id, "reset while writing");
        }
    }

    /// Where this frame breaks its connection. Breaks wait for a Produce request.
    fn fate_of(&mut self, frame: &[u8]) -> Fate {
        match frame {
            [_, _, _, _, 0, 0, ..] => self.troubles.breaks.pop().unwrap_or(Fate::Served),
            _ => Fate::Served,
        }
    }

    pub(crate) fn on_host_bytes(&mut self, id: ConnectionId, bytes: &[u8]) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        if link.host == HostEnd::Closed {
            return;
        }
        let mut rest = bytes;
        loop {
            match link.reader.next_frame(&mut rest) {
                Ok(Some(frame)) => {
                    let fate = link.fates.pop_front().unwrap_or(Fate::Served);
                    link.requests.push_back((frame.to_vec(), fate));
                }
                Ok(None) => break,
                Err(error) => {
                    self.ledger.violate(format!("D4: {error}"));
                    self.break_link(id, "the stream of the producer is no Kafka");
                    return;
                }
            }
        }
        self.serve(id);
    }

    /// Serves requests until one has to wait.
    pub(crate) fn serve(&mut self, id: ConnectionId) {
        while self.serve_next(id).is_continue() {}
    }

    fn serve_next(&mut self, id: ConnectionId) -> ControlFlow<()> {
        let wall = self.wall();
        let Some(link) = self.links.get_mut(&id) else {
            return ControlFlow::Break(());
        };
        if link.host != HostEnd::Idle || self.troubles.is_paused(link.broker) {
            return ControlFlow::Break(());
        }
        let Some((request, fate)) = link.requests.pop_front() else {
            return ControlFlow::Break(());
        };
        if fate == Fate::BeforeApply {
            self.break_link(id, "reset before the request was executed");
            return ControlFlow::Break(());
        }
        let broker = link.broker;
        let before = self.cluster.history().len();
        let step = self.cluster.handle(wall, broker, &request);
        let appended = self.cluster.history().len() - before;
        let step = match step {
            Step::Done(Reply {
                frame: Some(frame),
                then,
            }) => {
                self.note_counts();
                self.note_duplicate(&request, &frame, appended);
                let frame = Some(self.distorted(&request, frame));
                Step::Done(Reply { frame, then })
            }
            step => step,
        };
        if fate != Fate::Served {
            self.break_after(id, fate, step);
            return ControlFlow::Break(());
        }
        self.follow(id, step);
        ControlFlow::Continue(())
    }

    /// The request is executed, and its answer does not get through.
    fn break_after(&mut self, id: ConnectionId, fate: Fate, step: Step) {
        match step {
            Step::Wait { ticket, .. } => self.cluster.abandon(ticket),
            Step::Done(Reply {
                frame: Some(frame), ..
            }) if fate == Fate::InsideAnswer => {
                self.answer(id, &frame[..frame.len() / 2]);
            }
            Step::Done(_) => {}
        }
        self.break_link(id, "reset before the answer was written");
    }

    /// Does what the cluster says about a request.
    fn follow(&mut self, id: ConnectionId, step: Step) {
        let reply = match step {
            Step::Done(reply) => reply,
            Step::Wait { ticket, until } => {
                self.set_host(id, HostEnd::Waiting(ticket));
                let at = self.instant_of(until).max(self.now);
                self.agenda.add(at, Happening::Resume(id));
                return;
            }
        };
        match &reply.frame {
            Some(frame) => self.answer(id, frame),
            None if reply.then == Then::Close && self.rules.guarantee == Guarantee::AtMostOnce => {
                self.ledger.goals.reach(Goal::AcksZeroClosed);
            }
            None => {}
        }
        match reply.then {
            Then::Close => self.break_link(id, "closed by the broker"),
            Then::Pause(pause) => {
                let until = self.now + pause;
                self.set_host(id, HostEnd::Paused(until));
                self.agenda.add(until, Happening::Resume(id));
            }
            Then::Read => self.set_host(id, HostEnd::Idle),
            Then::Stall => self.set_host(id, HostEnd::Stalled),
        }
    }

    /// Looks again at a connection that had to wait.
    pub(crate) fn resume(&mut self, id: ConnectionId) {
        let wall = self.wall();
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        match link.host {
            HostEnd::Waiting(ticket) => {
                let step = self.cluster.resume(wall, ticket);
                self.follow(id, step);
            }
            HostEnd::Paused(until) if until <= self.now => link.host = HostEnd::Idle,
            _ => {}
        }
        self.serve(id);
    }

    /// Everything that waits for the cluster looks at it again: it has changed.
    pub(crate) fn wake_waiting(&mut self) {
        let waits = |link: &Link| matches!(link.host, HostEnd::Waiting(_));
        let waiting: Vec<ConnectionId> = self
            .links
            .iter()
            .filter(|(_, link)| waits(link))
            .map(|(&id, _)| id)
            .collect();
        for id in waiting {
            self.resume(id);
        }
    }

    /// Writes an answer, or part of one.
    fn answer(&mut self, id: ConnectionId, bytes: &[u8]) {
        let (weather, at) = (self.weather, self.later());
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        if self.troubles.loses(self.now, link.broker, Way::Answers) {
            link.host = HostEnd::Closed;
            return;
        }
        let mut at = at + self.troubles.slowness(self.now, link.broker);
        for piece in pieces(weather, &mut self.network, bytes) {
            at = link.reach_producer(at);
            self.agenda.add(at, Happening::ToProducer(id, piece));
        }
    }

    /// The connection dies at the host's end; the producer learns of it later.
    pub(crate) fn break_link(&mut self, id: ConnectionId, why: &str) {
        self.close_host(id);
        self.report_gone(id, why);
    }

    /// The host's end closes. What has arrived whole may still be executed: a first part of it,
    /// in order, perhaps much later (F11).
    pub(crate) fn close_host(&mut self, id: ConnectionId) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        if let HostEnd::Waiting(ticket) = link.host {
            self.cluster.abandon(ticket);
        }
        let (broker, was_open) = (link.broker, link.host != HostEnd::Closed);
        link.host = HostEnd::Closed;
        let mut at = self.now;
        for (request, fate) in std::mem::take(&mut link.requests) {
            if !was_open || fate != Fate::Served || self.network.one_in(2) {
                return;
            }
            let longest = if self.network.one_in(4) {
                10_000_000
            } else {
                1000
            };
            at = at + Duration::from_micros(self.network.below(longest));
            self.agenda.add(at, Happening::Late(broker, request));
        }
    }

    /// The producer will learn that the connection has ended, after what is on its way.
    pub(crate) fn report_gone(&mut self, id: ConnectionId, why: &str) {
        let at = self.later();
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        if link.producer == End::Closed {
            return;
        }
        let at = link.reach_producer(at);
        let reason = DisconnectReason::Failed(Arc::from(why));
        self.agenda.add(at, Happening::Gone(id, reason));
    }

    /// A request of a dead connection is executed after all.
    pub(crate) fn apply_late(&mut self, broker: BrokerId, request: &[u8]) {
        let wall = self.wall();
        let before = self.cluster.history().len();
        if let Step::Wait { ticket, .. } = self.cluster.handle(wall, broker, request) {
            self.cluster.abandon(ticket);
        }
        if before < self.cluster.history().len() {
            self.ledger.goals.reach(Goal::LateApply);
        }
    }

    /// Notes how many partitions topics have: asking for one may create it.
    fn note_counts(&mut self) {
        for (name, topic) in &mut self.topics {
            if let Some(count) = self.cluster.partition_count(name) {
                topic.count = topic.count.max(count);
            }
        }
    }

    /// Notes when a broker knows a batch that it has got before.
    fn note_duplicate(&mut self, request: &[u8], frame: &[u8], appended: usize) {
        let Ok((header, _)) = RequestHeader::decode(request) else {
            return;
        };
        let (api, version) = (ApiKey::Produce, header.version);
        if header.api != api.value() {
            return;
        }
        let answer = ResponseHeader::decode(api, version, &frame[4..]);
        let response = answer.and_then(|(_, body)| ProduceResponse::decode(version, body));
        let topics = response.unwrap_or_default().responses;
        let answers = topics.iter().flat_map(|topic| &topic.partition_responses);
        if appended < answers.filter(|answer| answer.error_code.is_none()).count() {
            self.ledger.goals.reach(Goal::DuplicateKnown);
        }
    }

    pub(crate) fn reset_links(&mut self, broker: BrokerId) {
        for id in self.links_of(broker) {
            self.break_link(id, "connection reset");
        }
    }

    pub(crate) fn links_of(&self, broker: BrokerId) -> Vec<ConnectionId> {
        let of_broker = self.links.iter().filter(|(_, link)| link.broker == broker);
        of_broker.map(|(&id, _)| id).collect()
    }

    fn set_host(&mut self, id: ConnectionId, host: HostEnd) {
        if let Some(link) = self.links.get_mut(&id) {
            // A host that has closed stays so.
            if link.host != HostEnd::Closed {
                link.host = host;
            }
        }
    }

    /// When bytes that leave now arrive.
    pub(crate) fn later(&mut self) -> Instant {
        self.now + self.weather.delay(&mut self.network)
    }
}

//! Reads what goes over the wires, with a parser that is not the producer's, to know which records
//! are in doubt, and hands it to `discipline`, which knows what a producer may send at all.
//!
//! An attempt is *ambiguous* if its frame was handed out and no definite answer for its partition
//! came on that connection (the truth table of the verification plan). Taint is sticky until a
//! success.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use kafka_producer_machine::{ConnectionId, Instant};
use kafka_producer_proto::messages::{
    InitProducerIdResponse, MetadataRequest, MetadataResponse, ProduceRequest, ProduceResponse,
};
use kafka_producer_proto::{ApiKey, FrameReader, Message, RequestHeader, ResponseHeader};

use super::contents::{
    Place, Sent, Verdict, batches_of, first_attempts, is_final, is_splittable, note_goals, verdict,
};
use super::discipline::{Beside, Departure, Discipline, check_sizes};
use super::goals::Goal;
use super::ledger::{Identity, Ledger, RecordId};
use super::rules::{Retries, Rules};
use crate::cluster::BrokerId;

/// What is on its way.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    wires: BTreeMap<ConnectionId, Wire>,
    /// Who used an identity first, and has not been refused.
    used: BTreeMap<(Place, Identity), RecordId>,
    pub(crate) discipline: Discipline,
}

#[derive(Debug)]
struct Wire {
    answers: FrameReader,
    flights: VecDeque<Flight>,
    /// Until then nothing may be sent (KIP-219).
    quiet_until: Instant,
    /// How much longer answers may take, for the broker throttles.
    respite: Duration,
    /// Whether an answer came that fits no request.
    has_stray: bool,
    /// Whether it has carried records: it leads to a broker by its number.
    carries: bool,
}

/// A request without its answer.
#[derive(Debug)]
struct Flight {
    at: Instant,
    /// What the producer had been told of topics by then.
    lessons: u64,
    api: i16,
    correlation_id: i32,
    version: i16,
    /// The records that it carries, if it is a Produce request.
    batches: BTreeMap<Place, Sent>,
}

impl Watch {
    /// A frame has left the producer for a broker. `frame` has its size. Gives the batches that
    /// it carries for the first time, if it carries no others.
    pub(crate) fn sent(
        &mut self,
        now: Instant,
        ledger: &mut Ledger,
        rules: &Rules,
        wire: (ConnectionId, BrokerId),
        frame: &[u8],
    ) -> Vec<Vec<RecordId>> {
        let (id, broker) = wire;
        let body = frame.get(4..).unwrap_or_default();
        let Ok((header, body)) = RequestHeader::decode(body) else {
            ledger.violate("D4: a frame of the producer is no request".into());
            return Vec::new();
        };
        let RequestHeader {
            api,
            version,
            correlation_id,
            ..
        } = header;
        let quiet_until = self.wire(id).quiet_until;
        if now < quiet_until {
            ledger.violate(format!(
                "T2: {api} leaves at {now:?}, throttled until {quiet_until:?}"
            ));
        }
        let mut flight = Flight {
            at: now,
            lessons: self.discipline.lessons,
            api,
            correlation_id,
            version,
            batches: BTreeMap::new(),
        };
        let mut fresh = Vec::new();
        if api == ApiKey::Metadata.value() {
            self.check_metadata(now, ledger, rules, version, body);
        } else if api == ApiKey::Produce.value() {
            let Ok(request) = ProduceRequest::decode(version, body) else {
                ledger.violate("D4: a Produce request of the producer cannot be parsed".into());
                return fresh;
            };
            let acks = request.acks;
            check_sizes(ledger, rules, &request);
            let batches = batches_of(ledger, request);
            if 1 < batches.len() {
                ledger.goals.reach(Goal::PiggyBacked);
            }
            fresh = first_attempts(ledger, &batches);
            self.wire(id).carries = true;
            self.check_departures(now, ledger, rules, (id, broker), &batches);
            self.begin(ledger, rules, &batches);
            if acks == 0 {
                // No answer will ever settle it.
                for (place, records) in &batches {
                    self.judge(now, ledger, Verdict::Ambiguous, place, records);
                }
                return fresh;
            }
            flight.batches = batches;
        }
        let flights = &mut self.wire(id).flights;
        flights.push_back(flight);
        if rules.max_in_flight < flights.len() {
            let count = flights.len();
            ledger.violate(format!("M4: {count} requests are in flight on {id:?}"));
        }
        fresh
    }

    /// T8: one request for metadata at a time, and the same ones a backoff apart.
    fn check_metadata(
        &mut self,
        now: Instant,
        ledger: &mut Ledger,
        rules: &Rules,
        version: i16,
        body: &[u8],
    ) {
        let flights = self.wires.values().flat_map(|wire| &wire.flights);
        if flights
            .into_iter()
            .any(|flight| flight.api == ApiKey::Metadata.value())
        {
            ledger.violate("T8: two requests for metadata are in flight".into());
        }
        let Ok(request) = MetadataRequest::decode(version, body) else {
            ledger.violate("D4: a Metadata request of the producer cannot be parsed".into());
            return;
        };
        let names = request.topics.unwrap_or_default();
        let names = names.into_iter().filter_map(|topic| topic.name).collect();
        self.discipline.asks_metadata(now, ledger, rules, names);
    }

    fn check_departures(
        &mut self,
        now: Instant,
        ledger: &mut Ledger,
        rules: &Rules,
        wire: (ConnectionId, BrokerId),
        batches: &BTreeMap<Place, Sent>,
    ) {
        let (id, broker) = wire;
        for (place, records) in batches {
            let mut beside = Beside::default();
            // One with an answer to nothing is given up already, and the wish for it is on its way.
            for (&other, wire) in self.wires.iter().filter(|(_, wire)| !wire.has_stray) {
                for sent in wire
                    .flights
                    .iter()
                    .filter_map(|flight| flight.batches.get(place))
                {
                    beside.count += 1;
                    beside.elsewhere |= other != id;
                    let identities = sent.iter().map(|&(_, identity)| identity);
                    beside
                        .identities
                        .extend(identities.map(|id| (id.producer_id, id.epoch)));
                }
            }
            let departure = Departure {
                broker,
                place,
                records,
                beside: &beside,
            };
            self.discipline.departs(now, ledger, rules, &departure);
        }
    }

    /// Bytes have reached the producer.
    pub(crate) fn received(
        &mut self,
        now: Instant,
        ledger: &mut Ledger,
        id: ConnectionId,
        bytes: &[u8],
    ) {
        let mut frames: Vec<Vec<u8>> = Vec::new();
        let mut rest = bytes;
        let wire = self.wire(id);
        while let Ok(Some(frame)) = wire.answers.next_frame(&mut rest) {
            frames.push(frame.to_vec());
        }
        match (bytes.len(), frames.len()) {
            (1, _) => ledger.goals.reach(Goal::OneByte),
            (_, 2..) => ledger.goals.reach(Goal::SeveralAnswers),
            _ => {}
        }
        for frame in frames {
            let Some(flight) = self.wire(id).flights.pop_front() else {
                // It answers nothing.
                self.stray(ledger, id);
                continue;
            };
            let api = ApiKey::ALL.iter().find(|api| api.value() == flight.api);
            let Some((Ok((header, body)), api)) =
                api.map(|&api| (ResponseHeader::decode(api, flight.version, &frame), api))
            else {
                continue;
            };
            if header.correlation_id != flight.correlation_id {
                // P3: an answer to something else; the request stays as open as the others.
                self.stray(ledger, id);
                self.settle(now, ledger, flight, ProduceResponse::default());
                continue;
            }
            self.answered(now, ledger, (id, api), flight, body);
        }
    }

    /// The producer has given the connection up, or has learned that it is lost.
    pub(crate) fn lost(&mut self, now: Instant, ledger: &mut Ledger, id: ConnectionId) {
        let Some(wire) = self.wires.remove(&id) else {
            return;
        };
        for batch in wire.flights.into_iter().flat_map(|flight| flight.batches) {
            self.judge(now, ledger, Verdict::Ambiguous, &batch.0, &batch.1);
        }
    }

    fn stray(&mut self, ledger: &mut Ledger, id: ConnectionId) {
        ledger.goals.reach(Goal::StrayAnswer);
        self.wire(id).has_stray = true;
    }

    /// P2: a connection with an answer that fits no request is given up at once.
    pub(crate) fn check_strays(&self, ledger: &mut Ledger) {
        for (id, _) in self.wires.iter().filter(|(_, wire)| wire.has_stray) {
            ledger.violate(format!("P2: {id:?} goes on after an answer to nothing"));
        }
    }

    /// T4: a connection whose oldest request was not answered within `request.timeout.ms` is
    /// given up.
    pub(crate) fn check_overdue(&self, now: Instant, ledger: &mut Ledger, rules: &Rules) {
        for (id, wire) in &self.wires {
            let limit = rules.request_timeout + wire.respite + SLACK;
            if let Some(oldest) = wire.flights.front().filter(|sent| sent.at + limit < now) {
                let at = oldest.at;
                ledger.violate(format!("T4: {id:?} waits for an answer since {at:?}"));
            }
        }
    }

    /// Whether any request is in flight.
    pub(crate) fn has_in_flight(&self) -> bool {
        self.wires.values().any(|wire| !wire.flights.is_empty())
    }

    /// Whether any broker asks for peace.
    pub(crate) fn is_throttled(&self, now: Instant) -> bool {
        self.wires.values().any(|wire| now < wire.quiet_until)
    }

    /// Whether a connection could carry records now, and carries nothing.
    pub(crate) fn is_free(&self, now: Instant, id: ConnectionId) -> bool {
        self.wires
            .get(&id)
            .is_some_and(|wire| wire.carries && wire.flights.is_empty() && wire.quiet_until <= now)
    }

    /// Whether batches of this partition are in flight anywhere.
    pub(crate) fn carries(&self, topic: &str, partition: i32) -> bool {
        let mut flights = self.wires.values().flat_map(|wire| &wire.flights);
        flights.any(|flight| {
            let mut places = flight.batches.keys();
            places.any(|place| self.discipline.is_of(place, topic, partition))
        })
    }

    fn answered(
        &mut self,
        now: Instant,
        ledger: &mut Ledger,
        wire: (ConnectionId, ApiKey),
        flight: Flight,
        body: &[u8],
    ) {
        let (id, api) = wire;
        let version = flight.version;
        let throttle_ms = match api {
            ApiKey::Metadata => {
                let response = MetadataResponse::decode(version, body).unwrap_or_default();
                self.discipline.learns(&response);
                response.throttle_time_ms
            }
            ApiKey::InitProducerId => {
                let response = InitProducerIdResponse::decode(version, body).unwrap_or_default();
                if response.error_code.is_none() {
                    self.discipline.begins(ledger, &response);
                }
                response.throttle_time_ms
            }
            ApiKey::Produce => {
                let response = ProduceResponse::decode(version, body).unwrap_or_default();
                let throttle_ms = response.throttle_time_ms;
                self.settle(now, ledger, flight, response);
                throttle_ms
            }
            _ => 0,
        };
        if throttle_ms <= 0 {
            return;
        }
        let span = Duration::from_millis(u64::from(throttle_ms.unsigned_abs()));
        let wire = self.wire(id);
        wire.respite += span;
        if api.throttles_from() <= version {
            ledger.goals.reach(Goal::Throttled);
            wire.quiet_until = wire.quiet_until.max(now + span);
        }
    }

    /// The request has ended: with this answer, or without one for what it leaves out.
    fn settle(
        &mut self,
        now: Instant,
        ledger: &mut Ledger,
        flight: Flight,
        response: ProduceResponse,
    ) {
        let mut batches = flight.batches;
        for topic in response.responses {
            for answer in topic.partition_responses {
                let place = (topic.name.clone(), topic.topic_id, answer.index);
                let Some(records) = batches.remove(&place) else {
                    continue;
                };
                let code = answer.error_code;
                let verdict = verdict(code);
                self.discipline.hears(&place, code, &answer.current_leader);
                note_goals(ledger, code, answer.base_offset);
                let is_former = self.discipline.is_of_former_topic(flight.lessons, &place);
                let is_splittable = is_splittable(code) && !is_former && ledger.may_split(&records);
                if is_final(code) && !is_former && !is_splittable {
                    ledger.refused(now, &records);
                }
                if let (Verdict::Written, Some((_, last))) = (verdict, records.last()) {
                    self.discipline.acknowledged(&place, *last);
                }
                self.judge(now, ledger, verdict, &place, &records);
                if is_splittable {
                    ledger.split(&records);
                    self.discipline.split(&place, &records);
                }
            }
        }
        for (place, records) in batches {
            self.judge(now, ledger, Verdict::Ambiguous, &place, &records);
        }
    }

    /// Notes an attempt, and that it says the same as ambiguous ones before it (D8, D9).
    fn begin(&mut self, ledger: &mut Ledger, rules: &Rules, batches: &BTreeMap<Place, Sent>) {
        for (place, records) in batches {
            for &(id, identity) in records {
                let Some(entry) = ledger.entry_mut(id) else {
                    continue;
                };
                let before = entry.identity.replace(identity);
                entry.open += 1;
                entry.attempts += 1;
                let attempts = entry.attempts;
                entry.leader_epoch = self.discipline.leader_epoch(place);
                entry.place = Some(place.clone());
                let idempotent = 0 <= identity.producer_id;
                if idempotent && entry.tainted && before != Some(identity) {
                    let what = format!("D8: record {} in doubt, then {identity:?}", id.0);
                    ledger.violate(what);
                }
                if matches!(rules.retries, Retries::Limited(most) if most + 1 < attempts) {
                    let what = format!("T9: record {} is sent for the {attempts}. time", id.0);
                    ledger.violate(what);
                }
                let other = self.used.insert((place.clone(), identity), id);
                if let Some(other) = other.filter(|&other| idempotent && other != id) {
                    let what = format!("D9: {identity:?} names records {} and {}", other.0, id.0);
                    ledger.violate(what);
                }
            }
        }
    }

    fn judge(
        &mut self,
        now: Instant,
        ledger: &mut Ledger,
        verdict: Verdict,
        place: &Place,
        records: &[(RecordId, Identity)],
    ) {
        for (id, identity) in records {
            let Some(entry) = ledger.entry_mut(*id) else {
                continue;
            };
            entry.open = entry.open.saturating_sub(1);
            entry.ended = Some(now);
            match verdict {
                Verdict::Ambiguous => (entry.tainted, entry.was_tainted) = (true, true),
                Verdict::NotWritten if !entry.tainted && entry.open == 0 => {
                    // Nothing of this identity is in any log: another record may have it.
                    self.used.remove(&(place.clone(), *identity));
                }
                Verdict::NotWritten => {}
                Verdict::Written => entry.tainted = false,
            }
        }
    }

    fn wire(&mut self, id: ConnectionId) -> &mut Wire {
        self.wires.entry(id).or_insert_with(|| Wire {
            answers: FrameReader::new(100 * 1024 * 1024),
            flights: VecDeque::new(),
            quiet_until: Instant::ORIGIN,
            respite: Duration::ZERO,
            has_stray: false,
            carries: false,
        })
    }
}

/// Expired means more than the limit, so the deadline is one tick behind it.
const SLACK: Duration = Duration::from_millis(1);

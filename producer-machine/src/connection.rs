//! One connection's session: framing, version negotiation, and requests in flight in order.
//!
//! ```text
//! Connecting ──connected──> Negotiating(v4) ──ok──> Ready(versions)
//!                             │      ▲
//!                             └ 35 ──┘  once, with the broker's own maximum
//! ```
//!
//! What the driver knows of frames to send, and does about them:
//!
//! ```text
//! Idle ──announce──> Told ──asks, there is one──> Writing
//!  ▲                 │  ▲                            │
//!  └──asks in vain───┘  └──────asks for another──────┘
//! ```
//!
//! **Invariants.** A broker answers in order: only the oldest request in flight may be answered,
//! under its correlation id. Anything else means that the stream is broken.

mod request;
mod versions;

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use kafka_producer_proto::messages::ApiVersionsResponse;
use kafka_producer_proto::{ApiKey, ErrorCode, FrameReader};

use crate::Instant;
use crate::accumulator::BatchKey;
use crate::brokers::{LaneId, MAX_FRAME};
use crate::error::DisconnectReason;
use crate::time::{Alarm, TICK};

pub(crate) use request::{Sent, SentBatch, What};
pub(crate) use versions::Versions;

use versions::{choose, range_of};

/// How far a connection is from carrying requests.
#[derive(Debug, Hash)]
pub(crate) enum Phase {
    /// The driver is connecting.
    Connecting,
    /// ApiVersions is to be sent in this version, or has been.
    Negotiating(Ask),
    /// Requests may go.
    Ready(Versions),
}

/// The state of the version negotiation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ask {
    /// To be sent in this version.
    Pending(i16),
    /// Sent in this version.
    Sent(i16),
}

/// What may be sent over a connection now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// ApiVersions, in this version.
    ApiVersions(i16),
    /// Nothing.
    Nothing,
    /// Any request.
    Requests(Versions),
}

/// How far the driver is with the frames of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Writer {
    /// It asks for none before it is told to.
    Idle,
    /// It knows that there is something to send, and has not asked in vain since.
    Told,
    /// It may still be writing the last frame: it has not asked for another.
    Writing,
}

/// What a connection keeps to.
#[derive(Clone, Copy, Debug, Hash)]
pub(crate) struct Limits {
    /// `connections.max.idle.ms`.
    pub(crate) idle: Duration,
    /// How long each step until it is ready may take before others are tried beside it:
    /// `reconnect.backoff.max.ms`, or a second if that is longer.
    pub(crate) patience: Duration,
    /// How long an answer is waited for: `request.timeout.ms`, and `request.timeout.grace.ms` on
    /// top.
    pub(crate) request: Duration,
    /// `max.in.flight.requests.per.connection`.
    pub(crate) in_flight: usize,
}

/// A connection.
#[derive(Debug, Hash)]
pub(crate) struct Connection {
    pub(crate) lane: LaneId,
    pub(crate) address: Arc<str>,
    phase: Phase,
    limits: Limits,
    /// Since when it is in this phase.
    pub(crate) since: Instant,
    /// When the broker last answered, or took the connection.
    pub(crate) heard_at: Instant,
    reader: FrameReader,
    pub(crate) in_flight: VecDeque<Sent>,
    /// Batches under acks=0 whose frame the driver may still be writing.
    pub(crate) unanswered: Vec<BatchKey>,
    /// Until when that frame must be written: a peer that stops reading must not pin memory.
    pub(crate) written_by: Instant,
    pub(crate) throttled_until: Instant,
    /// When that throttle began.
    pub(crate) throttled_since: Instant,
    /// Until then the broker reads nothing: what is sent meanwhile is answered later.
    deaf_until: Instant,
    writer: Writer,
    /// Whether the broker has another address now: nothing more is sent over this one.
    is_left: bool,
    /// When the driver must have connected.
    pub(crate) setup_deadline: Instant,
    /// When to look elsewhere, or once more, for it is not ready yet.
    late_at: Instant,
    /// Setup, then the oldest request, or idleness; lateness before that.
    pub(crate) alarm: Alarm,
    /// When `connections.max.idle.ms` ends if nothing happens until then.
    pub(crate) idle_at: Instant,
    next_correlation: i32,
}

/// What an answer to ApiVersions means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Negotiated {
    /// Ask again, in another version.
    Again,
    /// Requests may go.
    Ready,
    /// This peer is of no use.
    Useless(String),
}

impl Connection {
    pub(crate) fn new(
        now: Instant,
        lane: LaneId,
        address: Arc<str>,
        limits: Limits,
        setup_deadline: Instant,
    ) -> Self {
        Self {
            lane,
            address,
            phase: Phase::Connecting,
            limits,
            since: now,
            heard_at: now,
            reader: FrameReader::new(MAX_FRAME),
            in_flight: VecDeque::new(),
            unanswered: Vec::new(),
            written_by: Instant::NEVER,
            throttled_until: Instant::ORIGIN,
            throttled_since: Instant::ORIGIN,
            deaf_until: Instant::ORIGIN,
            writer: Writer::Idle,
            is_left: false,
            setup_deadline,
            late_at: now + limits.patience,
            alarm: Alarm::default(),
            idle_at: Instant::NEVER,
            next_correlation: 0,
        }
    }

    /// The peer took the connection, and is to be asked for its versions in this one. Gives
    /// whether that is news.
    pub(crate) fn connected(&mut self, now: Instant, version: i16) -> bool {
        if !self.is_connecting() {
            return false;
        }
        self.phase = Phase::Negotiating(Ask::Pending(version));
        self.since = now;
        self.late_at = now + self.limits.patience;
        self.heard(now);
        true
    }

    /// The broker has said something.
    pub(crate) fn heard(&mut self, now: Instant) {
        self.heard_at = now;
        self.idle_at = now + self.limits.idle;
    }

    /// The oldest request is answered.
    pub(crate) fn answered(&mut self) -> Option<What> {
        self.in_flight.pop_front().map(|sent| sent.what)
    }

    /// A request leaves, to be answered in time.
    pub(crate) fn sent(&mut self, now: Instant, correlation_id: i32, version: i16, what: What) {
        if let (What::ApiVersions, Phase::Negotiating(ask)) = (&what, &mut self.phase) {
            *ask = Ask::Sent(version);
        }
        self.in_flight.push_back(Sent {
            correlation_id,
            version,
            at: now,
            deadline: self.request_deadline(now),
            what,
        });
        self.idle_at = now + self.limits.idle;
    }

    /// A request leaves that nobody answers, to be written in time.
    pub(crate) fn sent_unanswered(&mut self, now: Instant, batches: &[SentBatch]) {
        self.unanswered
            .extend(batches.iter().map(|sent| sent.batch));
        self.written_by = self.request_deadline(now);
        self.idle_at = now + self.limits.idle;
    }

    /// The driver asks for a frame: the last one is written. Gives what was in it that nobody
    /// answers.
    pub(crate) fn written(&mut self) -> Vec<BatchKey> {
        if let Writer::Writing = self.writer {
            self.writer = Writer::Told;
        }
        core::mem::take(&mut self.unanswered)
    }

    /// The driver got a frame.
    pub(crate) const fn got_frame(&mut self) {
        self.writer = Writer::Writing;
    }

    /// The driver asked for a frame in vain: it must be told of the next one.
    pub(crate) const fn asked_in_vain(&mut self) {
        self.writer = Writer::Idle;
    }

    /// Something is to be sent. Gives whether the driver must be told: unless it knows already,
    /// or would ask in vain.
    pub(crate) fn announce(&mut self, now: Instant) -> bool {
        let is_news = self.writer == Writer::Idle && self.turn(now) != Turn::Nothing;
        if is_news {
            self.writer = Writer::Told;
        }
        is_news
    }

    /// Whether the driver may still be writing the last frame.
    pub(crate) fn is_writing(&self) -> bool {
        self.writer == Writer::Writing
    }

    /// The reader, while its frames are seen to.
    pub(crate) const fn take_reader(&mut self) -> FrameReader {
        core::mem::replace(&mut self.reader, FrameReader::new(MAX_FRAME))
    }

    /// It has read all that came.
    pub(crate) fn give_back(&mut self, reader: FrameReader) {
        self.reader = reader;
    }

    /// What may be sent now.
    pub(crate) fn turn(&self, now: Instant) -> Turn {
        match self.phase {
            Phase::Negotiating(Ask::Pending(version)) => Turn::ApiVersions(version),
            Phase::Ready(_) if self.is_left => Turn::Nothing,
            Phase::Ready(versions)
                if self.in_flight.len() < self.limits.in_flight && self.throttled_until <= now =>
            {
                Turn::Requests(versions)
            }
            Phase::Connecting | Phase::Negotiating(Ask::Sent(_)) | Phase::Ready(_) => Turn::Nothing,
        }
    }

    /// The broker has another address now: nothing more is sent over this one, and what is in
    /// flight may end. Gives whether nothing is.
    pub(crate) fn leave(&mut self) -> bool {
        self.is_left = true;
        !self.is_ready() || self.has_drained()
    }

    /// Whether the broker has another address now.
    pub(crate) const fn is_left(&self) -> bool {
        self.is_left
    }

    /// Whether it is left and nothing is in flight on it any more.
    pub(crate) fn has_drained(&self) -> bool {
        self.is_left && self.in_flight.is_empty() && self.unanswered.is_empty()
    }

    /// Whether a request may go now.
    pub(crate) fn can_send(&self, now: Instant) -> bool {
        matches!(self.turn(now), Turn::Requests(_))
    }

    pub(crate) const fn phase(&self) -> &Phase {
        &self.phase
    }

    /// Whether the driver is still connecting.
    pub(crate) const fn is_connecting(&self) -> bool {
        matches!(self.phase, Phase::Connecting)
    }

    /// Whether it carries requests.
    pub(crate) const fn is_ready(&self) -> bool {
        matches!(self.phase, Phase::Ready(_))
    }

    /// The batches in the last frame. Requests are answered in order, so the last one is there
    /// if any is.
    pub(crate) fn last_frame(&self) -> impl Iterator<Item = BatchKey> {
        let last = match self.in_flight.back().map(|sent| &sent.what) {
            Some(What::Produce { batches, .. }) => batches.as_slice(),
            _ => &[],
        };
        let unanswered = self.unanswered.iter().copied();
        last.iter().map(|sent| sent.batch).chain(unanswered)
    }

    #[cfg(test)]
    pub(crate) const fn versions(&self) -> Option<Versions> {
        match &self.phase {
            Phase::Ready(versions) => Some(*versions),
            Phase::Connecting | Phase::Negotiating(_) => None,
        }
    }

    /// When the oldest request must be answered, or a frame without an answer be written.
    pub(crate) fn oldest_deadline(&self) -> Option<Instant> {
        let written_by = (!self.unanswered.is_empty()).then_some(self.written_by);
        let answered_by = self.in_flight.front().map(|oldest| oldest.deadline);
        [written_by, answered_by].into_iter().flatten().min()
    }

    /// When to look at it next: before it is ready also because it takes long.
    pub(crate) fn look_at(&self) -> Instant {
        let deadline = match self.phase {
            Phase::Connecting => self.setup_deadline,
            Phase::Negotiating(_) | Phase::Ready(_) => {
                self.oldest_deadline().unwrap_or(self.idle_at)
            }
        };
        if self.is_ready() {
            deadline
        } else {
            deadline.min(self.late_at)
        }
    }

    /// Why it is to be given up now, if it is.
    pub(crate) fn end(&self, now: Instant) -> Option<DisconnectReason> {
        if self.is_connecting() {
            return (self.setup_deadline <= now).then_some(DisconnectReason::SetupTimeout);
        }
        match self.oldest_deadline() {
            Some(deadline) if deadline <= now => Some(DisconnectReason::RequestTimeout),
            None if self.idle_at <= now => Some(DisconnectReason::Idle),
            Some(_) | None => None,
        }
    }

    /// Whether it will be ready soon, as far as one can tell: what any broker can answer waits
    /// for it, and no other is tried.
    pub(crate) fn is_promising(&self, now: Instant) -> bool {
        !self.is_ready() && now < self.since + self.limits.patience
    }

    /// Whether it takes too long to become ready, now or once more.
    pub(crate) fn has_become_late(&mut self, now: Instant) -> bool {
        let is_late = !self.is_ready() && self.late_at <= now;
        if is_late {
            self.late_at = now + self.limits.patience;
        }
        is_late
    }

    /// The next correlation id. Java keeps the topmost eight for SASL, and so do we.
    pub(crate) const fn correlate(&mut self) -> i32 {
        let id = self.next_correlation;
        self.next_correlation = if id == i32::MAX - 8 { 0 } else { id + 1 };
        id
    }

    /// When a request that leaves now has been without an answer for too long. Expired means
    /// more than the limit, so the deadline is one tick behind it.
    fn request_deadline(&self, now: Instant) -> Instant {
        now.max(self.deaf_until) + self.limits.request + TICK
    }

    /// The broker asks for peace: nothing is sent before, and what is in flight may take longer
    /// (KIP-219). The end never moves backwards.
    pub(crate) fn throttle(&mut self, now: Instant, span: Duration, version: ThrottleRule) {
        if span.is_zero() {
            return;
        }
        match version {
            ThrottleRule::BrokerWaits => self.deaf_until = self.deaf_until.max(now + span),
            ThrottleRule::ClientWaits => {
                if self.throttled_until <= now {
                    self.throttled_since = now;
                }
                self.throttled_until = self.throttled_until.max(now + span);
            }
        }
        for sent in &mut self.in_flight {
            sent.deadline = sent.deadline + span;
        }
    }

    /// Takes the answer to ApiVersions.
    pub(crate) fn negotiate(&mut self, now: Instant, response: &ApiVersionsResponse) -> Negotiated {
        let Phase::Negotiating(Ask::Sent(asked)) = self.phase else {
            return Negotiated::Useless(String::from("an ApiVersions answer nobody asked for"));
        };
        if response.error_code == ErrorCode::UNSUPPORTED_VERSION {
            return self.fall_back(asked, response);
        }
        if response.error_code != ErrorCode::NONE {
            let code = response.error_code;
            return Negotiated::Useless(alloc::format!("the broker refuses ApiVersions: {code}"));
        }
        match choose(response) {
            Ok(versions) => {
                self.phase = Phase::Ready(versions);
                self.since = now;
                Negotiated::Ready
            }
            Err(problem) => Negotiated::Useless(problem),
        }
    }

    /// The broker knows a lower version than we asked in; below 2.4 it does not say which.
    fn fall_back(&mut self, asked: i16, response: &ApiVersionsResponse) -> Negotiated {
        let named = range_of(response, ApiKey::ApiVersions).map_or(0, |range| range.max);
        let version = named.clamp(0, ApiKey::ApiVersions.client_versions().max);
        if asked <= version {
            return Negotiated::Useless(alloc::format!(
                "the broker refuses ApiVersions {asked} and offers {version}"
            ));
        }
        self.phase = Phase::Negotiating(Ask::Pending(version));
        Negotiated::Again
    }
}

/// Who waits when a broker throttles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ThrottleRule {
    /// The broker alone: it does not read for so long.
    BrokerWaits,
    /// The client as well.
    ClientWaits,
}

#[cfg(test)]
mod table;

#[cfg(test)]
const LIMITS: Limits = Limits {
    idle: Duration::from_secs(540),
    patience: Duration::from_secs(1),
    request: Duration::from_secs(30),
    in_flight: 2,
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::brokers::NodeId;
    use alloc::vec;
    use kafka_producer_proto::messages::api_versions::ApiVersion;

    const LANE: LaneId = LaneId {
        node: NodeId(1),
        index: 0,
    };

    fn response(code: ErrorCode, keys: &[(i16, i16, i16)]) -> ApiVersionsResponse {
        ApiVersionsResponse {
            error_code: code,
            api_keys: keys
                .iter()
                .map(|&(api_key, min_version, max_version)| ApiVersion {
                    api_key,
                    min_version,
                    max_version,
                })
                .collect(),
            ..ApiVersionsResponse::default()
        }
    }

    fn asked(version: i16) -> Connection {
        let mut connection = Connection::new(
            Instant::ORIGIN,
            LANE,
            "b1:9092".into(),
            LIMITS,
            Instant::from_millis(10_000),
        );
        connection.phase = Phase::Negotiating(Ask::Sent(version));
        connection
    }

    #[test]
    fn the_highest_common_versions_are_chosen() {
        let mut connection = asked(4);
        let answer = response(ErrorCode::NONE, &[(0, 0, 9), (3, 0, 11), (22, 0, 4)]);
        assert_eq!(
            connection.negotiate(Instant::ORIGIN, &answer),
            Negotiated::Ready
        );
        let expected = Versions {
            produce: 9,
            metadata: 11,
            init_producer_id: Some(4),
            api_versions: None,
        };
        assert_eq!(connection.versions(), Some(expected));
    }

    #[test]
    fn a_refused_version_is_asked_again_in_the_brokers_own() {
        let mut connection = asked(4);
        let answer = response(ErrorCode::UNSUPPORTED_VERSION, &[(18, 0, 2)]);
        assert_eq!(
            connection.negotiate(Instant::ORIGIN, &answer),
            Negotiated::Again
        );
        assert!(matches!(
            connection.phase,
            Phase::Negotiating(Ask::Pending(2))
        ));
    }

    #[test]
    fn a_broker_that_names_no_version_is_asked_in_the_lowest_and_only_once() {
        let mut connection = asked(4);
        let answer = response(ErrorCode::UNSUPPORTED_VERSION, &[]);
        assert_eq!(
            connection.negotiate(Instant::ORIGIN, &answer),
            Negotiated::Again
        );
        connection.phase = Phase::Negotiating(Ask::Sent(0));
        assert!(matches!(
            connection.negotiate(Instant::ORIGIN, &answer),
            Negotiated::Useless(_)
        ));
    }

    #[test]
    fn a_broker_that_is_too_old_is_said_to_be() {
        let mut connection = asked(4);
        let answer = response(ErrorCode::NONE, &[(0, 0, 2), (3, 0, 1)]);
        let Negotiated::Useless(problem) = connection.negotiate(Instant::ORIGIN, &answer) else {
            panic!("accepted");
        };
        assert_eq!(
            problem,
            "Produce needs versions 3 to 13, the broker offers versions 0 to 2: it is too old or \
             not a Kafka broker"
        );
        let nothing = vec![];
        assert!(matches!(
            asked(4).negotiate(Instant::ORIGIN, &response(ErrorCode::NONE, &nothing)),
            Negotiated::Useless(_)
        ));
    }

    #[test]
    fn the_topmost_correlation_ids_are_not_used() {
        let mut connection = asked(4);
        connection.next_correlation = i32::MAX - 8;
        assert_eq!(connection.correlate(), i32::MAX - 8);
        assert_eq!(connection.correlate(), 0);
    }

    #[test]
    fn a_throttle_never_ends_earlier_than_one_before_it() {
        let mut connection = asked(4);
        let now = Instant::from_millis(10);
        connection.throttle(now, Duration::from_millis(50), ThrottleRule::ClientWaits);
        connection.throttle(now, Duration::from_millis(20), ThrottleRule::ClientWaits);
        assert_eq!(connection.throttled_until, Instant::from_millis(60));
    }
}

//! Explanations as sentences for an operator.
//!
//! One sentence says what something waits for, since when, and what comes next; a second one how
//! long the oldest record has waited and when it fails.

use alloc::format;
use alloc::string::String;
use core::fmt;
use core::time::Duration;

use super::{
    BrokerState, Explanation, IdentityState, Link, MetadataState, Next, Node, Oldest,
    PartitionState, ProducerLife, ProducerState, State, Step, TopicState,
};
use crate::{Instant, Outcome};

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject = &self.subject;
        match &self.state {
            State::Broker(broker) => write!(f, "{subject} {}", self.broker(broker))?,
            State::Partition(partition) => write!(f, "{subject} {}", self.partition(partition))?,
            State::Producer(producer) => return self.fmt_producer(producer, f),
            State::Topic(topic) => write!(f, "{subject} {}", self.topic(topic))?,
            State::Unknown => return write!(f, "nothing is known of {subject}."),
        }
        if let Some(next) = self.next {
            write!(f, "; {}", self.step(next))?;
        }
        f.write_str(".")?;
        match &self.oldest {
            Some(oldest) => write!(f, " {}", self.oldest(oldest)),
            None => Ok(()),
        }
    }
}

impl Explanation {
    fn partition(&self, state: &PartitionState) -> String {
        match state {
            PartitionState::Closed => String::from("has nothing to send: the producer is closed"),
            PartitionState::Fatal(fatal) => format!("sends nothing: {fatal}"),
            PartitionState::InFlight { .. } => self.in_flight(state),
            PartitionState::Nothing => String::from("has nothing to send"),
            PartitionState::Topic(topic) => self.topic(topic),
            PartitionState::GivenUp { leader, .. }
            | PartitionState::InFlightLimit { leader, .. }
            | PartitionState::LeaderUnavailable { leader, .. }
            | PartitionState::Queued { leader, .. }
            | PartitionState::Throttled { leader } => self.at_leader(state, leader),
            PartitionState::BackingOff { .. }
            | PartitionState::Compressing { .. }
            | PartitionState::CopyRoom { .. }
            | PartitionState::EpochBump { .. }
            | PartitionState::Gone { .. }
            | PartitionState::InDoubt { .. }
            | PartitionState::Lingering { .. }
            | PartitionState::NoLeader
            | PartitionState::NoProducerId
            | PartitionState::NotInTopic { .. } => self.at_home(state),
        }
    }

    /// What a partition waits for before it looks for its leader's connection.
    fn at_home(&self, state: &PartitionState) -> String {
        let waited = self.for_so_long();
        match state {
            PartitionState::BackingOff {
                error,
                attempts,
                outcome,
            } => format!(
                "has backed off{waited} since attempt {attempts} ended with {error}{}",
                match outcome {
                    Outcome::MaybeWritten => ", and may have been written all the same",
                    Outcome::NotWritten => "",
                }
            ),
            PartitionState::Compressing { bytes } => {
                let bytes = Bytes(*bytes);
                format!("waits for a thread to compress a batch of {bytes}")
            }
            PartitionState::CopyRoom { bytes } => {
                let bytes = Bytes(*bytes);
                format!(
                    "waits for room to compress a batch of {bytes}: too little of buffer.memory is \
                     left, and one batch is compressed after the other"
                )
            }
            PartitionState::EpochBump { outstanding: 0 } => {
                String::from("goes on under a new producer epoch with its next batch")
            }
            PartitionState::EpochBump { outstanding } => format!(
                "waits{waited} for {} to end, and goes on under a new producer epoch then",
                count(*outstanding as usize, "outstanding batch", "es")
            ),
            PartitionState::Gone { partitions } => format!(
                "is gone{waited}: the topic was created anew with {}",
                count(*partitions as usize, "partition", "s")
            ),
            PartitionState::InDoubt { error, attempts } => format!(
                "has had a batch in doubt{waited}: attempt {attempts} ended with {error} although \
                 an earlier one may have written it, so the leader is looked up again"
            ),
            PartitionState::Lingering { records, bytes } => format!(
                "lets {} ({}) linger{waited} so that more can join",
                count(*records as usize, "record", "s"),
                Bytes(*bytes)
            ),
            PartitionState::NoLeader => format!("waits{waited} for a leader: metadata names none"),
            PartitionState::NoProducerId => format!("waits{waited} for a producer id"),
            PartitionState::NotInTopic { partitions, held } => format!(
                "does not exist: the topic has {}; {} held",
                count(*partitions as usize, "partition", "s"),
                are(*held)
            ),
            _ => String::new(),
        }
    }

    /// What a partition waits for at its leader.
    fn at_leader(&self, state: &PartitionState, leader: &Node) -> String {
        let waited = self.for_so_long();
        match state {
            PartitionState::GivenUp { requests, .. } => format!(
                "waits{waited} for {leader} to answer {}, whose records were given up already",
                count(*requests as usize, "request", "s")
            ),
            PartitionState::InFlightLimit { in_flight, .. } => format!(
                "waits for its leader, {leader}, to answer one of the {in_flight} in flight \
                 (max.in.flight.requests.per.connection)"
            ),
            PartitionState::LeaderUnavailable { link, .. } => {
                format!("waits for its leader, {leader}, {}", self.obstacle(link))
            }
            PartitionState::Queued { ahead: 0, .. } => {
                format!("goes with the next request to its leader, {leader}")
            }
            PartitionState::Queued { ahead, .. } => format!(
                "is queued for its leader, {leader}, behind {}",
                count(*ahead, "other partition", "s")
            ),
            PartitionState::Throttled { .. } => format!(
                "waits{waited} because its leader, {leader}, throttles this producer for a quota"
            ),
            _ => String::new(),
        }
    }

    fn in_flight(&self, state: &PartitionState) -> String {
        let PartitionState::InFlight {
            leader,
            requests,
            behind,
            is_leader,
            outcome,
        } = state
        else {
            return String::new();
        };
        let who = if *is_leader {
            format!("its leader, {leader},")
        } else {
            format!("{leader}, which led it before,")
        };
        let oldest = match (requests, self.waited()) {
            (_, None) => String::new(),
            (1, Some(span)) => format!(" for {}", Span(span)),
            (_, Some(span)) => format!(", the oldest for {}", Span(span)),
        };
        let behind = match behind {
            0 => String::new(),
            behind => format!(
                ", with {} behind",
                count(*behind as usize, "more batch", "es")
            ),
        };
        format!(
            "waits for {who} to answer {}{oldest}{behind}{}",
            count(*requests as usize, "request", "s"),
            match outcome {
                Outcome::MaybeWritten => "; an earlier attempt may have written it already",
                Outcome::NotWritten => "",
            }
        )
    }

    /// What keeps a link from carrying requests, after a comma.
    fn obstacle(&self, link: &Link) -> String {
        let waited = self.for_so_long();
        match link {
            Link::BackingOff { last: Some(reason) } => {
                format!("which is not connected: {reason}{}", self.ago())
            }
            Link::BackingOff { last: None } | Link::Down { .. } => {
                String::from("which is not connected")
            }
            Link::Connecting => format!("which has not taken the connection{waited}"),
            Link::Leaving { in_flight } => format!(
                "whose address has changed, after {} to the former one",
                count(*in_flight, "request", "s")
            ),
            Link::Negotiating => format!("which has not told its versions{waited}"),
            Link::Ready { .. } | Link::Throttled { .. } => String::from("which is connected"),
        }
    }

    fn broker(&self, state: &BrokerState) -> String {
        let waited = self.for_so_long();
        let mut text = match &state.link {
            Link::BackingOff { last: Some(reason) } => {
                format!("is not connected: {reason}{}", self.ago())
            }
            Link::BackingOff { last: None } => String::from("is not connected"),
            Link::Connecting => format!("has not taken the connection{waited}"),
            Link::Down { last: None } => {
                String::from("is not connected, and nothing is ready to be sent to it")
            }
            Link::Down { last: Some(reason) } => format!(
                "is not connected, and nothing is ready to be sent to it; the last connection \
                 ended{}: {reason}",
                self.ago().trim_start_matches(',')
            ),
            Link::Leaving { in_flight } => format!(
                "has another address, with {} to answer at the former one, the oldest{waited}",
                count(*in_flight, "request", "s")
            ),
            Link::Negotiating => format!("has not told its versions{waited}"),
            Link::Ready { in_flight: 0 } => format!("is connected and idle{waited}"),
            Link::Ready { in_flight } => format!(
                "has {} to answer, the oldest{waited}",
                count(*in_flight, "request", "s")
            ),
            Link::Throttled { in_flight } => format!(
                "has throttled this producer for a quota{waited}, with {} to answer",
                count(*in_flight, "request", "s")
            ),
        };
        if let Some(since) = state.silent_since {
            text += &format!("; it has been silent for {}", Span(self.now.since(since)));
        }
        if 0 < state.waiting {
            let waiting = count(state.waiting, "partition", "s");
            text += &format!("; {waiting} can be sent to it");
        }
        if 1 < state.lanes {
            text += &format!("; {} of {} connections stand", state.connected, state.lanes);
        }
        if !state.named {
            text += "; metadata no longer names it";
        }
        text
    }

    fn topic(&self, state: &TopicState) -> String {
        match state {
            TopicState::Known {
                partitions,
                leaderless: 0,
            } => format!(
                "has {}, all with a leader",
                count(*partitions as usize, "partition", "s")
            ),
            TopicState::Known {
                partitions,
                leaderless,
            } => format!(
                "has {}, {leaderless} of them without a leader",
                count(*partitions as usize, "partition", "s")
            ),
            TopicState::Refused { code } => {
                format!("is refused by the cluster: {code}: {}", code.explanation())
            }
            TopicState::Unknown { held, trouble } => {
                let why = match trouble {
                    Some(trouble) => format!("no broker has told anything yet, last {trouble}"),
                    None => String::from("metadata does not name the topic"),
                };
                format!("waits{}: {why}; {} held", self.for_so_long(), are(*held))
            }
        }
    }

    fn fmt_producer(&self, state: &ProducerState, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let life = match &state.life {
            ProducerLife::Closed => return f.write_str("the producer is closed."),
            ProducerLife::Closing(at) => {
                format!("is closing, and what is left fails {}", self.when(*at))
            }
            ProducerLife::Fatal(fatal) => return write!(f, "{fatal}."),
            ProducerLife::Open => String::from("is open"),
        };
        let waiters = match state.waiters {
            0 => String::from("nobody waits for room"),
            1 => String::from("1 waits for room"),
            waiters => format!("{waiters} wait for room"),
        };
        let aside = match state.aside {
            0 => String::new(),
            aside => format!(" ({aside} aside, for a silent broker)"),
        };
        let flushes = match state.flushes {
            0 => String::new(),
            flushes => format!(", {} under way", count(flushes, "flush", "es")),
        };
        write!(
            f,
            "the producer {life}: {} of {} of buffer.memory are used, \
             {waiters}{aside}{flushes}. It has {}, {}, and {}.",
            Bytes(state.buffer_used),
            Bytes(state.buffer_total),
            count(state.connections, "connection", "s"),
            self.identity(state.identity),
            self.metadata(&state.metadata),
        )?;
        match &state.slowest {
            Some(slowest) => write!(f, " The longest wait: {slowest}")?,
            None => f.write_str(" Every record is resolved.")?,
        }
        state
            .troubles
            .iter()
            .try_for_each(|trouble| write!(f, " Trouble: {trouble}"))
    }

    fn identity(&self, state: IdentityState) -> String {
        match state {
            IdentityState::Asking => String::from("no producer id yet (being asked for)"),
            IdentityState::Known {
                producer_id,
                producer_epoch,
            } => format!("producer id {producer_id} with epoch {producer_epoch}"),
            IdentityState::Off => String::from("no producer id (idempotence is off)"),
            IdentityState::Wanted(at) => {
                format!("no producer id yet (asked for {})", self.when(at))
            }
        }
    }

    fn metadata(&self, state: &MetadataState) -> String {
        let age = match (state.refreshed, &state.trouble) {
            (Some(at), _) => format!("metadata {} old", Span(self.now.since(at))),
            (None, Some(trouble)) => format!("no metadata yet (last {trouble})"),
            (None, None) => String::from("no metadata yet"),
        };
        match state.due {
            Some(at) => format!("{age}, asked for {}", self.when(at)),
            None => format!("{age}, being asked for"),
        }
    }

    fn step(&self, next: Next) -> String {
        let when = next.at.map(|at| self.when(at));
        let when = when.as_deref().unwrap_or("in time");
        match next.step {
            Step::AskMetadata if next.at.is_none() => String::from("metadata is being asked for"),
            Step::AskMetadata => format!("metadata is asked for {when}"),
            Step::AskOnceConnected => {
                String::from("metadata is asked for once a broker is connected")
            }
            Step::AskProducerId if next.at.is_none() => String::from("a broker has been asked"),
            Step::AskProducerId => format!("a broker is asked {when}"),
            Step::Connect => format!("it is tried again {when} (reconnect.backoff.ms)"),
            Step::EndLinger => format!("they are sent {when} (linger.ms)"),
            Step::EndThrottle => format!("sending goes on {when}"),
            Step::Fail => format!("what is left fails {when}"),
            Step::GiveUpRequest => {
                let again = match self.state {
                    State::Partition(PartitionState::InFlight { .. }) => ", then sent again",
                    _ => "",
                };
                format!("it is given up {when} (request.timeout.ms){again}")
            }
            Step::GiveUpSetup => format!(
                "it is given up {when} (socket.connection.setup.timeout.ms), then tried again"
            ),
            Step::GoIdle => format!("it is closed {when} (connections.max.idle.ms)"),
            Step::SendAgain => format!("its batch is sent again {when} (retry.backoff.ms)"),
        }
    }

    fn oldest(&self, oldest: &Oldest) -> String {
        format!(
            "The oldest record has waited {} and fails {} ({}).",
            Span(self.now.since(oldest.accepted)),
            self.when(oldest.deadline),
            oldest.setting
        )
    }

    fn when(&self, at: Instant) -> String {
        let span = at.since(self.now);
        if span < Duration::from_millis(1) {
            return String::from("now");
        }
        format!("in {}", Span(span))
    }

    fn ago(&self) -> String {
        match self.waited() {
            Some(span) => format!(", {} ago", Span(span)),
            None => String::new(),
        }
    }

    fn for_so_long(&self) -> String {
        match self.waited() {
            Some(span) => format!(" for {}", Span(span)),
            None => String::new(),
        }
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.id {
            Some(id) => write!(f, "broker {id} ({})", self.address),
            None => write!(f, "bootstrap server {}", self.address),
        }
    }
}

/// `1 request`, `2 requests`.
fn count(number: usize, noun: &str, plural: &str) -> String {
    let plural = if number == 1 { "" } else { plural };
    format!("{number} {noun}{plural}")
}

fn are(records: u32) -> String {
    let verb = if records == 1 { "is" } else { "are" };
    format!("{} {verb}", count(records as usize, "record", "s"))
}

/// A span as people read it: two figures that matter.
struct Span(Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let seconds = millis / 1000;
        match seconds {
            0 => write!(f, "{millis} ms"),
            1..=59 => write!(f, "{seconds}.{} s", millis % 1000 / 100),
            60..=3599 => write!(f, "{} min {} s", seconds / 60, seconds % 60),
            _ => write!(f, "{} h {} min", seconds / 3600, seconds % 3600 / 60),
        }
    }
}

/// Bytes as people read them.
struct Bytes(usize);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = |unit: usize| (self.0 / unit, self.0 % unit * 10 / unit);
        let (unit, (whole, tenth)) = match self.0 {
            0..=1023 => return write!(f, "{} B", self.0),
            1024..=0xf_ffff => ("KiB", tenths(1 << 10)),
            _ => ("MiB", tenths(1 << 20)),
        };
        write!(f, "{whole}.{tenth} {unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_span_is_said_in_the_unit_that_people_would_use() {
        let said = |millis| Span(Duration::from_millis(millis)).to_string();
        assert_eq!(said(0), "0 ms");
        assert_eq!(said(999), "999 ms");
        assert_eq!(said(4_250), "4.2 s");
        assert_eq!(said(200_000), "3 min 20 s");
        assert_eq!(said(7_500_000), "2 h 5 min");
    }

    #[test]
    fn bytes_are_said_with_one_decimal() {
        let said = |bytes| Bytes(bytes).to_string();
        assert_eq!(said(1023), "1023 B");
        assert_eq!(said(1024 + 512), "1.5 KiB");
        assert_eq!(said(32 << 20), "32.0 MiB");
    }
}

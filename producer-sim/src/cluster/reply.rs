//! What a broker does about a request: an answer now, an answer later, or the end of a connection.

use std::time::Duration;

use kafka_producer_proto::{Message, encode_response};

use super::request::Head;

/// What comes of handing a request to a broker.
#[derive(Debug)]
#[must_use = "the client waits for it"]
pub enum Step {
    /// This, now.
    Done(Reply),
    /// Not yet: resume the ticket when something was appended, and at the latest at `until`.
    /// The connection must not be read meanwhile.
    Wait {
        /// What to resume.
        ticket: Ticket,
        /// The wall clock, in milliseconds, at which something happens by itself.
        until: i64,
    },
}

/// A request that a broker has not answered yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub(crate) u64);

/// What a broker does to a connection.
#[derive(Debug, PartialEq, Eq)]
pub struct Reply {
    /// The whole frame to write; `None` where Kafka sends none (acks=0, or before it closes).
    pub frame: Option<Vec<u8>>,
    /// And then.
    pub then: Then,
}

/// What a broker does with a connection after its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Closes it.
    Close,
    /// Reads nothing from it for so long (KIP-219).
    Pause(Duration),
    /// Reads the next request.
    Read,
    /// Leaves it open and never reads it again, as Kafka 3.9 and 4.3 do after null records.
    Stall,
}

impl Reply {
    /// An answer.
    pub(crate) fn answer(head: Head, response: &impl Message) -> Self {
        let Head {
            api,
            version,
            correlation_id,
        } = head;
        let mut frame = Vec::new();
        match encode_response(api, version, correlation_id, response, &mut frame) {
            Ok(()) => Self {
                frame: Some(frame),
                then: Then::Read,
            },
            // A name too long for the version, say: a real broker closes as well.
            Err(_) => Self::silence(Then::Close),
        }
    }

    /// No answer.
    pub(crate) const fn silence(then: Then) -> Self {
        Self { frame: None, then }
    }

    /// The same, followed by a pause if `millis` is above zero.
    pub(crate) fn paused(self, millis: i32) -> Self {
        match (u64::try_from(millis), self.then) {
            (Ok(millis @ 1..), Then::Read) => Self {
                then: Then::Pause(Duration::from_millis(millis)),
                ..self
            },
            _ => self,
        }
    }
}

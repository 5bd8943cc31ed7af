//! Errors on demand: what tests make a broker answer although nothing is wrong with it.

use kafka_producer_proto::{ApiKey, ErrorCode};

use super::BrokerId;

/// An error to be answered a number of times.
///
/// ```
/// use kafka_producer_sim::cluster::{ApiKey, ErrorCode, Injection, Place};
///
/// let once = Injection::new(ApiKey::Produce, ErrorCode::REQUEST_TIMED_OUT)
///     .topic("orders")
///     .partition(0)
///     .place(Place::AfterAppend);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Injection {
    api: ApiKey,
    error: ErrorCode,
    broker: Option<BrokerId>,
    topic: Option<String>,
    partition: Option<i32>,
    times: u32,
    place: Place,
}

/// Whether a batch is written before its error is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// It is written: the error does not tell the truth about that, as 7, 20, 6, 3 and 56 may.
    AfterAppend,
    /// It is not.
    #[default]
    BeforeAppend,
}

impl Injection {
    /// Answers `error` to the next request of this API.
    pub const fn new(api: ApiKey, error: ErrorCode) -> Self {
        let place = Place::BeforeAppend;
        Self {
            api,
            error,
            broker: None,
            topic: None,
            partition: None,
            times: 1,
            place,
        }
    }

    /// What is answered.
    pub const fn error(&self) -> ErrorCode {
        self.error
    }

    /// Only on this broker.
    #[must_use]
    pub fn broker(mut self, broker: impl Into<BrokerId>) -> Self {
        self.broker = Some(broker.into());
        self
    }

    /// Only for this topic.
    #[must_use]
    pub fn topic(mut self, topic: &str) -> Self {
        self.topic = Some(topic.into());
        self
    }

    /// Only for this partition.
    #[must_use]
    pub const fn partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }

    /// So often.
    #[must_use]
    pub const fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    /// Before or after the append.
    #[must_use]
    pub const fn place(mut self, place: Place) -> Self {
        self.place = place;
        self
    }
}

/// What a request is about, as far as injections ask.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    pub(crate) api: ApiKey,
    pub(crate) broker: BrokerId,
    pub(crate) topic: Option<&'a str>,
    pub(crate) partition: Option<i32>,
}

/// The injections that are not used up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Injections {
    waiting: Vec<Injection>,
}

impl Injections {
    pub(crate) fn add(&mut self, injection: Injection) {
        if injection.times != 0 {
            self.waiting.push(injection);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
    }

    /// The error for this request, if one is waiting; it is used up once.
    pub(crate) fn take(&mut self, target: Target<'_>) -> Option<(ErrorCode, Place)> {
        let at = self
            .waiting
            .iter()
            .position(|injection| injection.meets(target))?;
        let injection = &mut self.waiting[at];
        let found = (injection.error, injection.place);
        injection.times -= 1;
        if injection.times == 0 {
            self.waiting.remove(at);
        }
        Some(found)
    }
}

impl Injection {
    fn meets(&self, target: Target<'_>) -> bool {
        self.api == target.api
            && self.broker.is_none_or(|broker| broker == target.broker)
            && self
                .topic
                .as_deref()
                .is_none_or(|topic| Some(topic) == target.topic)
            && self
                .partition
                .is_none_or(|partition| Some(partition) == target.partition)
    }
}

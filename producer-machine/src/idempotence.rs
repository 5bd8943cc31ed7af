//! Producer id and epoch, and the sequences of each partition (KIP-98, KIP-360).
//!
//! ```text
//! producer:   Wanted ──> Asking ──> Ready(id, epoch) ──bump──> Ready(id, epoch + 1)
//!               ▲           │ error        └──epoch 32767──> Wanted(in place of id)
//!               └───────────┘
//! partition:  adopt ──> number batches 0, n, … ──> something is lost ──> wait until nothing is
//!             outstanding ──> bump, unless a later acknowledgement closed the hole ──> adopt
//! ```
//!
//! **Invariants.** All outstanding batches of a partition have one identity: a new one is adopted
//! only when none is outstanding. A number is given once; a batch whose fate is unknown keeps it.

use crate::Instant;
use crate::accumulator::Fate;

/// A producer id with its epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Identity {
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i16,
}

/// The identity of the whole producer.
#[derive(Clone, Copy, Debug, Hash)]
pub(crate) enum Session {
    /// An InitProducerId is on its way.
    Asking { replaces: Option<Identity> },
    /// Idempotence is off.
    Off,
    /// In use.
    Ready(Identity),
    /// To be asked for, not before this instant; in place of an identity that is used up.
    Wanted {
        at: Instant,
        replaces: Option<Identity>,
    },
}

/// What came of a wish for a new epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bumped {
    /// Somebody else's bump has already replaced the old identity.
    Already,
    /// The next epoch is in force.
    Epoch(Identity),
    /// The epochs are used up: a new producer id is wanted.
    Exhausted,
}

impl Session {
    pub(crate) const fn identity(&self) -> Option<Identity> {
        match self {
            Self::Ready(identity) => Some(*identity),
            Self::Asking { .. } | Self::Off | Self::Wanted { .. } => None,
        }
    }

    /// From when on an identity is to be asked for, if it is.
    pub(crate) const fn wanted_at(&self) -> Option<Instant> {
        match self {
            Self::Wanted { at, .. } => Some(*at),
            Self::Asking { .. } | Self::Off | Self::Ready(_) => None,
        }
    }

    /// An InitProducerId leaves.
    pub(crate) const fn ask(&mut self) {
        if let Self::Wanted { replaces, .. } = *self {
            *self = Self::Asking { replaces };
        }
    }

    /// It was lost, or refused for now.
    pub(crate) const fn ask_again(&mut self, at: Instant) {
        if let Self::Asking { replaces } = *self {
            *self = Self::Wanted { at, replaces };
        }
    }

    /// It was answered. Gives the identity that this one replaces.
    pub(crate) const fn begin(&mut self, identity: Identity) -> Option<Identity> {
        let Self::Asking { replaces } = *self else {
            return None;
        };
        *self = Self::Ready(identity);
        replaces
    }

    /// Leaves `old` behind. An idempotent producer needs no request for that (KIP-360): the
    /// broker takes a higher epoch that starts at sequence 0.
    pub(crate) fn bump(&mut self, now: Instant, old: Identity) -> Bumped {
        let Self::Ready(current) = self else {
            return Bumped::Already;
        };
        if *current != old {
            return Bumped::Already;
        }
        match current.producer_epoch.checked_add(1) {
            Some(epoch) => {
                current.producer_epoch = epoch;
                Bumped::Epoch(*current)
            }
            None => {
                *self = Self::Wanted {
                    at: now,
                    replaces: Some(old),
                };
                Bumped::Exhausted
            }
        }
    }
}

/// A sequence number: 0 to 2³¹−1, then 0 again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Sequence(u32);

impl Sequence {
    const MASK: u32 = i32::MAX as u32;

    pub(crate) const fn new(value: i32) -> Self {
        Self(value as u32 & Self::MASK)
    }

    /// The sequence `records` later.
    pub(crate) const fn plus(self, records: u32) -> Self {
        Self(self.0.wrapping_add(records) & Self::MASK)
    }

    pub(crate) const fn as_i32(self) -> i32 {
        self.0 as i32
    }

    /// Whether this lies after `other`, going forwards by less than half the circle.
    const fn is_after(self, other: Self) -> bool {
        let distance = self.0.wrapping_sub(other.0) & Self::MASK;
        0 < distance && distance < 1 << 30
    }
}

/// The number of a batch: frozen from its first drain on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Numbering {
    pub(crate) identity: Identity,
    pub(crate) base: Sequence,
}

/// How a partition goes on with fresh batches.
///
/// ```text
/// Clear ──given up in doubt──> IfHole ──proven written──> Clear
///   └──a number is wasted──> Bump <──not proven─┘ ──forget──> Clear(OneByOne)
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Course {
    /// At once.
    Clear(Pace),
    /// A batch of unknown fate was given up. If a later acknowledgement proves it written there
    /// is no hole; else a new epoch.
    IfHole(Pace),
    /// A number was given to a batch that is not in the log: a new epoch.
    Bump,
}

/// How many batches may be in flight. Before the first acknowledgement a broker without state
/// takes any sequence, so a second batch could overtake the first (E76).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Pace {
    /// Several: the broker takes our sequences, and nothing waits to be sent again.
    Established,
    /// One, until an acknowledgement comes.
    OneByOne,
}

impl Default for Course {
    fn default() -> Self {
        Self::BEGINNING
    }
}

impl Course {
    const BEGINNING: Self = Self::Clear(Pace::OneByOne);

    const fn pace(self) -> Pace {
        match self {
            Self::Bump => Pace::OneByOne,
            Self::Clear(pace) | Self::IfHole(pace) => pace,
        }
    }

    /// At this pace from now on. A new epoch begins one by one whatever came before it.
    const fn at(self, pace: Pace) -> Self {
        match self {
            Self::Bump => Self::Bump,
            Self::Clear(_) => Self::Clear(pace),
            Self::IfHole(_) => Self::IfHole(pace),
        }
    }
}

/// Whether a fresh batch may be numbered now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fresh {
    /// Yes, so.
    Number(Numbering),
    /// Not before everything outstanding of this partition has ended.
    AfterOutstanding,
    /// Not before the producer has an identity.
    AfterIdentity,
    /// Not before this identity has been left behind: ask again after `Session::bump`.
    AfterBump(Identity),
}

/// What a broker that does not know a batch's sequence says of what it had acknowledged before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denial {
    /// It no longer has it: the batch follows it, and nothing that came later can be in the way.
    Lost,
    /// Perhaps it has it: a later batch of unknown fate may have pushed out what it remembers.
    Unproven,
    /// Nothing: something that is not in the log came between.
    Unrelated,
}

/// The sequences of one partition.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Sequences {
    identity: Option<Identity>,
    /// Where the first identity begins: 0, but for tests of the wrap.
    first: Sequence,
    next: Sequence,
    /// The sequence after the highest acknowledged one; `None` before the first.
    acknowledged_to: Option<Sequence>,
    /// The highest offset that was acknowledged under the identity, if the broker told one.
    acknowledged_offset: Option<i64>,
    /// As far as brokers have denied each batch behind the acknowledged ones.
    denied_to: Option<Sequence>,
    /// Batches with a number that have not ended, in flight or waiting for a retry.
    outstanding: u32,
    course: Course,
}

impl Sequences {
    /// Sequences that begin somewhere else under their first identity.
    pub(crate) fn beginning_at(first: Sequence) -> Self {
        Self {
            first,
            ..Self::default()
        }
    }

    /// Whether a fresh batch may go, and under which number. Numbers nothing yet.
    pub(crate) fn fresh(&mut self, session: &Session) -> Fresh {
        if 0 < self.outstanding && !matches!(self.course, Course::Clear(_)) {
            return Fresh::AfterOutstanding;
        }
        if self.has_hole() {
            if let Some(old) = self.identity {
                return Fresh::AfterBump(old);
            }
        }
        self.course = Course::Clear(self.course.pace());
        let Some(current) = session.identity() else {
            return Fresh::AfterIdentity;
        };
        if self.identity != Some(current) {
            if 0 < self.outstanding {
                return Fresh::AfterOutstanding;
            }
            self.adopt(current);
        }
        Fresh::Number(Numbering {
            identity: current,
            base: self.next,
        })
    }

    /// What `fresh` would say.
    pub(crate) fn look(&self, session: &Session) -> Fresh {
        self.clone().fresh(session)
    }

    /// The identity has been left behind; the next one is adopted with the next fresh batch.
    pub(crate) fn forget(&mut self) {
        debug_assert_eq!(
            self.outstanding, 0,
            "outstanding batches keep their identity"
        );
        self.identity = None;
        self.course = Course::BEGINNING;
    }

    /// A fresh batch of `records` took the number that `fresh` gave.
    pub(crate) fn numbered(&mut self, records: u32) {
        self.next = self.next.plus(records);
        self.outstanding += 1;
    }

    /// A numbered batch was acknowledged, perhaps after the application had given it up.
    /// Acknowledgements may come out of order: the highest counts.
    pub(crate) fn acknowledged(
        &mut self,
        numbering: Numbering,
        records: u32,
        last_offset: Option<i64>,
    ) {
        self.end_one();
        if self.identity != Some(numbering.identity) {
            return;
        }
        let to = numbering.base.plus(records);
        if self
            .acknowledged_to
            .is_none_or(|before| to.is_after(before))
        {
            self.acknowledged_to = Some(to);
            self.denied_to = None;
        }
        self.acknowledged_offset = self.acknowledged_offset.max(last_offset);
    }

    /// A broker does not know the sequence of a batch that is the first of those outstanding.
    /// It always knows the newest batch that it has, also after a restart: so if it denies all
    /// behind the acknowledged ones, it has lost some of these.
    pub(crate) fn denied(&mut self, numbering: Numbering, records: u32, fate: Fate) -> Denial {
        let follows = self.denied_to.or(self.acknowledged_to);
        if self.identity != Some(numbering.identity) || follows != Some(numbering.base) {
            return Denial::Unrelated;
        }
        let to = numbering.base.plus(records);
        // Nothing is written behind a batch that is not.
        if to == self.next || !fate.is_in_doubt() {
            self.denied_to = None;
            return Denial::Lost;
        }
        self.denied_to = Some(to);
        Denial::Unproven
    }

    /// Whether a log that begins at this offset has dropped all that was acknowledged, with what
    /// the broker knew of it (`producer-semantics.md` §5.8).
    pub(crate) fn is_retired(&self, log_start_offset: i64) -> bool {
        self.acknowledged_offset
            .is_none_or(|last| last < log_start_offset)
    }

    /// A numbered batch became several, which share its numbers.
    pub(crate) const fn split(&mut self, parts: u32) {
        self.outstanding += parts.saturating_sub(1);
    }

    /// A numbered batch ended, known not to be written: its number is a gap.
    pub(crate) fn refused(&mut self) {
        self.end_one();
        self.course = Course::Bump;
    }

    /// A numbered batch ended, its fate unknown.
    pub(crate) fn gave_up(&mut self) {
        self.end_one();
        self.doubt();
    }

    /// A numbered batch was given up while its request goes on.
    pub(crate) fn doubt(&mut self) {
        if let Course::Clear(pace) = self.course {
            self.course = Course::IfHole(pace);
        }
    }

    /// The broker takes our sequences, and nothing waits to be sent again.
    pub(crate) const fn establish(&mut self) {
        self.course = self.course.at(Pace::Established);
    }

    /// Something failed: one batch in flight until all is through that goes again (D13).
    pub(crate) const fn stumble(&mut self) {
        self.course = self.course.at(Pace::OneByOne);
    }

    /// Whether several batches may be in flight.
    pub(crate) const fn is_established(&self) -> bool {
        matches!(self.course.pace(), Pace::Established)
    }

    /// Whether no fresh batch is numbered before everything outstanding has ended.
    pub(crate) const fn is_broken(&self) -> bool {
        !matches!(self.course, Course::Clear(_))
    }

    /// Batches with a number that have not ended.
    pub(crate) const fn outstanding(&self) -> u32 {
        self.outstanding
    }

    /// The topic was created anew: what is numbered belongs to the old one.
    pub(crate) const fn restart(&mut self) {
        self.course = Course::Bump;
    }

    fn has_hole(&self) -> bool {
        match self.course {
            Course::Bump => true,
            Course::Clear(_) => false,
            Course::IfHole(_) => self.acknowledged_to != Some(self.next),
        }
    }

    const fn adopt(&mut self, identity: Identity) {
        self.identity = Some(identity);
        self.next = core::mem::replace(&mut self.first, Sequence(0));
        self.acknowledged_to = None;
        self.acknowledged_offset = None;
        self.denied_to = None;
        self.course = Course::BEGINNING;
    }

    fn end_one(&mut self) {
        debug_assert!(0 < self.outstanding, "what ends was outstanding");
        self.outstanding = self.outstanding.saturating_sub(1);
    }
}

#[cfg(test)]
mod table;

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Identity = Identity {
        producer_id: 7,
        producer_epoch: 0,
    };

    fn ready() -> Session {
        Session::Ready(FIRST)
    }

    fn number(sequences: &mut Sequences, session: &Session, records: u32) -> Numbering {
        match sequences.fresh(session) {
            Fresh::Number(numbering) => {
                sequences.numbered(records);
                numbering
            }
            other => panic!("not numbered: {other:?}"),
        }
    }

    #[test]
    fn batches_are_numbered_by_records_from_zero() {
        let mut sequences = Sequences::default();
        assert_eq!(number(&mut sequences, &ready(), 3).base.as_i32(), 0);
        assert_eq!(number(&mut sequences, &ready(), 2).base.as_i32(), 3);
        assert_eq!(number(&mut sequences, &ready(), 1).base.as_i32(), 5);
    }

    #[test]
    fn a_sequence_wraps_after_two_to_the_31_minus_one() {
        assert_eq!(Sequence::new(i32::MAX).plus(1).as_i32(), 0);
        assert_eq!(Sequence::new(i32::MAX).plus(100).as_i32(), 99);
        assert!(Sequence::new(3).is_after(Sequence::new(i32::MAX)));
        assert!(!Sequence::new(i32::MAX).is_after(Sequence::new(3)));
    }

    #[test]
    fn a_hole_that_a_later_acknowledgement_closes_needs_no_bump() {
        let mut sequences = Sequences::default();
        let _lost = number(&mut sequences, &ready(), 3);
        let later = number(&mut sequences, &ready(), 2);
        sequences.gave_up();
        assert_eq!(sequences.fresh(&ready()), Fresh::AfterOutstanding);
        sequences.acknowledged(later, 2, None);
        assert_eq!(number(&mut sequences, &ready(), 1).base.as_i32(), 5);
    }

    #[test]
    fn an_open_hole_needs_a_bump_once_nothing_is_outstanding() {
        let mut session = ready();
        let mut sequences = Sequences::default();
        number(&mut sequences, &session, 3);
        sequences.gave_up();
        assert_eq!(sequences.fresh(&session), Fresh::AfterBump(FIRST));
        let next = Identity {
            producer_epoch: 1,
            ..FIRST
        };
        assert_eq!(session.bump(Instant::ORIGIN, FIRST), Bumped::Epoch(next));
        sequences.forget();
        let numbering = number(&mut sequences, &session, 1);
        assert_eq!((numbering.identity, numbering.base.as_i32()), (next, 0));
    }

    #[test]
    fn a_partition_whose_identity_was_bumped_elsewhere_waits_and_restarts_at_zero() {
        let mut session = ready();
        let mut sequences = Sequences::default();
        let mine = number(&mut sequences, &session, 3);
        session.bump(Instant::ORIGIN, FIRST);
        assert_eq!(sequences.fresh(&session), Fresh::AfterOutstanding);
        sequences.acknowledged(mine, 3, None);
        assert_eq!(number(&mut sequences, &session, 1).base.as_i32(), 0);
    }

    #[test]
    fn a_second_bump_of_the_same_identity_changes_nothing() {
        let mut session = ready();
        session.bump(Instant::ORIGIN, FIRST);
        assert_eq!(session.bump(Instant::ORIGIN, FIRST), Bumped::Already);
    }

    #[test]
    fn the_last_epoch_asks_for_a_new_producer_id() {
        let last = Identity {
            producer_id: 7,
            producer_epoch: i16::MAX,
        };
        let mut session = Session::Ready(last);
        assert_eq!(session.bump(Instant::ORIGIN, last), Bumped::Exhausted);
        assert_eq!(session.identity(), None);
    }

    #[test]
    fn acknowledgements_out_of_order_keep_the_highest() {
        let mut sequences = Sequences::default();
        let first = number(&mut sequences, &ready(), 3);
        let second = number(&mut sequences, &ready(), 2);
        sequences.acknowledged(second, 2, None);
        sequences.acknowledged(first, 3, None);
        assert_eq!(sequences.acknowledged_to, Some(Sequence(5)));
    }

    #[test]
    fn edge_e74_a_batch_may_straddle_the_wrap_and_the_order_is_kept_across_it() {
        let mut sequences = Sequences::default();
        let most = number(&mut sequences, &ready(), i32::MAX as u32 - 1);
        sequences.acknowledged(most, i32::MAX as u32 - 1, None);
        let lost = number(&mut sequences, &ready(), 1);
        let astride = number(&mut sequences, &ready(), 4);
        let beyond = number(&mut sequences, &ready(), 3);
        let bases = [lost, astride, beyond].map(|numbering| numbering.base.as_i32());
        assert_eq!(bases, [2_147_483_646, 2_147_483_647, 3]);

        // The first is given up in doubt; the acknowledgements come in the wrong order.
        sequences.gave_up();
        sequences.acknowledged(beyond, 3, None);
        sequences.acknowledged(astride, 4, None);
        assert_eq!(sequences.acknowledged_to, Some(Sequence(6)), "6 is after 3");
        let next = number(&mut sequences, &ready(), 1);
        assert_eq!(next.base.as_i32(), 6, "the hole before the wrap is closed");
        assert_eq!(next.identity, FIRST);
    }
}

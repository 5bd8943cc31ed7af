//! Things that must happen now and then: a campaign in which one of them never does proves less
//! than it says (the "sometimes" goals of the verification plan, as far as they apply here).

use std::collections::BTreeMap;

/// Something that must happen now and then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Goal {
    /// Acknowledged records are lost in an unclean election.
    AcknowledgedLost,
    /// A broker closes a connection because of an acks=0 request that it cannot serve.
    AcksZeroClosed,
    /// An answer or the end of a connection comes that the producer has given up.
    AfterTheEnd,
    /// A refused answer is followed by another under a new epoch while other records are in doubt.
    BumpInDoubt,
    /// The producer is closed while requests are in flight.
    ClosedInFlight,
    /// A frame is cut while it is written.
    CutInFrame,
    /// A broker answers an error about a batch that it has appended.
    DoubtAfterAppend,
    /// A batch that was appended before is recognised.
    DuplicateKnown,
    /// The producer ends for good, for a broker will not have it.
    EndedForGood,
    /// The epochs of a producer id are used up.
    EpochsUsedUp,
    /// A record ends by its deadline while it waits.
    ExpiredWaiting,
    /// A record ends by its deadline while it is in flight.
    ExpiredInFlight,
    /// Somebody who waits for room gives up after max.block.ms.
    ExpiredBlocked,
    /// A flush is begun while a broker is throttling.
    FlushThrottled,
    /// A flush is begun while a partition has no leader.
    FlushLeaderless,
    /// A topic gets more partitions while records wait.
    Grown,
    /// A request is executed after its connection has ended.
    LateApply,
    /// An acknowledged record is lost with the leader (acks=1).
    LostWithLeader,
    /// A broker has lost what it acknowledged, or denies all that is in doubt.
    LossSuspected,
    /// Metadata leaves out what is there, or tells what was.
    MetadataWrong,
    /// A later one in flight is refused because an earlier one failed.
    OutOfSequence,
    /// A frame comes in pieces of which one is a single byte.
    OneByte,
    /// A batch is sent in one request with batches of other partitions.
    PiggyBacked,
    /// The application gives records up while requests are in flight.
    PurgedInFlight,
    /// A topic is created anew while requests are in flight.
    Recreated,
    /// Sequences begin again with 0 after 2147483647.
    SequenceWrapped,
    /// A topic comes back with fewer partitions while records wait.
    Shrunk,
    /// Several answers come at once.
    SeveralAnswers,
    /// An answer comes twice, and the connection is given up.
    StrayAnswer,
    /// The producer stops because acknowledged records are lost.
    StoppedByLoss,
    /// The broker throttles, and the producer waits.
    Throttled,
    /// A record is refused that is larger than its topic allows.
    TooLargeForTopic,
    /// A record is refused that can never fit.
    TooLargeForUs,
    /// A topic is unknown at first, and its records land in the end.
    UnknownAtFirst,
    /// The first one who waits for room stops waiting while others do.
    WaiterCancelled,
    /// Room is given to one who waits.
    WaiterServed,
}

/// Which goals were reached, and how often.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Goals(BTreeMap<Goal, u64>);

impl Goal {
    /// Every goal.
    pub const ALL: [Self; 36] = [
        Self::AcknowledgedLost,
        Self::AcksZeroClosed,
        Self::AfterTheEnd,
        Self::BumpInDoubt,
        Self::ClosedInFlight,
        Self::CutInFrame,
        Self::DoubtAfterAppend,
        Self::DuplicateKnown,
        Self::EndedForGood,
        Self::EpochsUsedUp,
        Self::ExpiredWaiting,
        Self::ExpiredInFlight,
        Self::ExpiredBlocked,
        Self::FlushThrottled,
        Self::FlushLeaderless,
        Self::Grown,
        Self::LateApply,
        Self::LossSuspected,
        Self::LostWithLeader,
        Self::MetadataWrong,
        Self::OutOfSequence,
        Self::OneByte,
        Self::PiggyBacked,
        Self::PurgedInFlight,
        Self::Recreated,
        Self::SequenceWrapped,
        Self::Shrunk,
        Self::SeveralAnswers,
        Self::StoppedByLoss,
        Self::StrayAnswer,
        Self::Throttled,
        Self::TooLargeForTopic,
        Self::TooLargeForUs,
        Self::UnknownAtFirst,
        Self::WaiterCancelled,
        Self::WaiterServed,
    ];
}

impl Goals {
    pub(crate) fn reach(&mut self, goal: Goal) {
        *self.0.entry(goal).or_default() += 1;
    }

    /// Adds what another run has reached.
    pub fn add(&mut self, other: &Self) {
        for (&goal, count) in &other.0 {
            *self.0.entry(goal).or_default() += count;
        }
    }

    /// How often a goal was reached.
    pub fn count(&self, goal: Goal) -> u64 {
        self.0.get(&goal).copied().unwrap_or(0)
    }

    /// The goals that were never reached.
    pub fn missed(&self) -> Vec<Goal> {
        let missed = |goal: &Goal| self.count(*goal) == 0;
        Goal::ALL.into_iter().filter(missed).collect()
    }
}

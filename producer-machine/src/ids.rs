//! Names for things that cross the boundary: connections, topics, groups, waiters, flushes.

/// One attempt to talk to one broker, from `Action::Connect` to `handle_disconnected`.
/// Never reused; facts about unknown ids are ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub(crate) u64);

impl ConnectionId {
    /// The number behind the id, for logs and for tables of the driver.
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

/// A topic that was named once, so that a record costs no look-up by name.
/// Valid for the machine that gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicHandle(pub(crate) u32);

/// The records that complete together: fixed when a record is accepted.
///
/// `slot` is small and dense, so that a driver can keep completions in a plain vector;
/// a slot is used again only after its group has resolved whole, with another generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

impl GroupId {
    /// The index of this group among those alive.
    pub const fn slot(self) -> u32 {
        self.slot
    }

    /// How often the slot has been used before.
    pub const fn generation(self) -> u32 {
        self.generation
    }
}

/// What `send` gives for an accepted record: its group and its place in it.
/// `Event::Completed` resolves it exactly once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Receipt {
    /// The group that the record completes with.
    pub group: GroupId,
    /// The place of the record in its group, from zero.
    pub index: u32,
}

/// A wait that the machine keeps for somebody: for space or for metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WaiterId(pub(crate) u64);

/// One call of `flush`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlushId(pub(crate) u64);

/// A compression job on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub(crate) u64);

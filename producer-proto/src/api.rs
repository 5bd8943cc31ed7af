//! The APIs that this crate can speak: their keys, their versions, and which headers they have.
//!
//! The ranges are those of Kafka's JSON definitions (`clients/.../common/message/*.json`); the
//! newest releases dropped the versions below the minimum (KIP-896).

use core::fmt;

/// An inclusive range of versions of one API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VersionRange {
    /// The lowest version.
    pub min: i16,
    /// The highest version.
    pub max: i16,
}

impl VersionRange {
    /// The versions from `min` to `max`, both included.
    #[must_use]
    pub const fn new(min: i16, max: i16) -> Self {
        Self { min, max }
    }

    /// Whether `version` lies in the range.
    #[must_use]
    pub const fn contains(self, version: i16) -> bool {
        self.min <= version && version <= self.max
    }

    /// The versions that both ranges have, if any.
    ///
    /// A client speaks the highest version of this intersection with a broker's advertised range.
    #[must_use]
    pub fn intersect(self, other: Self) -> Option<Self> {
        let min = self.min.max(other.min);
        let max = self.max.min(other.max);
        (min <= max).then_some(Self { min, max })
    }

    /// All versions of the range, lowest first.
    pub fn iter(self) -> impl DoubleEndedIterator<Item = i16> {
        self.min..=self.max
    }
}

impl fmt::Display for VersionRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.min, self.max)
    }
}

/// What is known about one API; the rows of [`apis!`].
struct Facts {
    name: &'static str,
    versions: VersionRange,
    client: VersionRange,
    flexible_from: i16,
    throttles_from: i16,
}

/// Defines [`ApiKey`] from one row per API.
///
/// Columns: `versions` are those that the codec knows, `client` those that a client may choose
/// (the others are between brokers, or not released), `flexible` is the first version with compact
/// lengths and tagged fields, `throttles` the first one from which the client itself waits out
/// `throttle_time_ms` (KIP-219).
macro_rules! apis {
    ($(
        $(#[$meta:meta])*
        $name:ident = $key:literal,
        versions $min:literal..=$max:literal, client $client_min:literal..=$client_max:literal,
        flexible $flexible:expr, throttles $throttles:expr;
    )+) => {
        /// The number that names an API in a request header.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        #[repr(i16)]
        pub enum ApiKey {
            $( $(#[$meta])* $name = $key, )+
        }

        impl ApiKey {
            /// Every API of this crate, by key.
            pub const ALL: &'static [Self] = &[$( Self::$name ),+];

            /// The API with this key, if this crate speaks it.
            #[must_use]
            pub const fn from_value(key: i16) -> Option<Self> {
                match key {
                    $( $key => Some(Self::$name), )+
                    _ => None,
                }
            }

            const fn facts(self) -> Facts {
                match self {
                    $( Self::$name => Facts {
                        name: stringify!($name),
                        versions: VersionRange::new($min, $max),
                        client: VersionRange::new($client_min, $client_max),
                        flexible_from: $flexible,
                        throttles_from: $throttles,
                    }, )+
                }
            }
        }
    };
}

/// Above every version: the API never becomes flexible, or never throttles.
const NEVER: i16 = i16::MAX;

apis! {
    /// Appends record batches to partitions.
    Produce = 0, versions 3..=13, client 3..=13, flexible 9, throttles 6;
    /// Reads record batches.
    Fetch = 1, versions 4..=18, client 4..=18, flexible 12, throttles 8;
    /// Finds the offsets at the ends of a log, or at a timestamp.
    ListOffsets = 2, versions 1..=11, client 1..=11, flexible 6, throttles 3;
    /// Tells brokers, topics, partitions and leaders.
    Metadata = 3, versions 0..=13, client 0..=13, flexible 9, throttles 6;
    /// Tells which broker coordinates a transactional id or a group.
    FindCoordinator = 10, versions 0..=6, client 0..=6, flexible 3, throttles 2;
    /// Names the authentication mechanism.
    SaslHandshake = 17, versions 0..=1, client 0..=1, flexible NEVER, throttles NEVER;
    /// Tells which APIs and features a broker has.
    ///
    /// Version 5 is not yet in a released broker, and asking for it costs a round trip there.
    ApiVersions = 18, versions 0..=5, client 0..=5, flexible 3, throttles 2;
    /// Creates topics.
    CreateTopics = 19, versions 2..=7, client 2..=7, flexible 5, throttles 3;
    /// Deletes topics.
    DeleteTopics = 20, versions 1..=6, client 1..=6, flexible 4, throttles 2;
    /// Hands out a producer id and epoch.
    ///
    /// Version 6 belongs to two-phase commit (KIP-939) and is marked unstable.
    InitProducerId = 22, versions 0..=6, client 0..=5, flexible 2, throttles 1;
    /// Adds partitions to a transaction; from version 4 on it is between brokers.
    AddPartitionsToTxn = 24, versions 0..=5, client 0..=3, flexible 3, throttles 1;
    /// Adds a consumer group's offsets to a transaction.
    AddOffsetsToTxn = 25, versions 0..=4, client 0..=4, flexible 3, throttles 1;
    /// Commits or aborts a transaction.
    EndTxn = 26, versions 0..=5, client 0..=5, flexible 3, throttles 1;
    /// Commits consumer offsets within a transaction.
    TxnOffsetCommit = 28, versions 0..=6, client 0..=6, flexible 3, throttles 1;
    /// Tells the settings of topics and brokers.
    DescribeConfigs = 32, versions 1..=4, client 1..=4, flexible 4, throttles 2;
    /// Carries one step of an authentication.
    SaslAuthenticate = 36, versions 0..=2, client 0..=2, flexible 2, throttles NEVER;
    /// Tells the brokers and the controller.
    DescribeCluster = 60, versions 0..=2, client 0..=2, flexible 0, throttles 0;
    /// Asks which client metrics the cluster wants (KIP-714).
    GetTelemetrySubscriptions = 71, versions 0..=0, client 0..=0, flexible 0, throttles 0;
    /// Delivers client metrics (KIP-714).
    PushTelemetry = 72, versions 0..=0, client 0..=0, flexible 0, throttles 0;
}

impl ApiKey {
    /// The key as it stands on the wire.
    #[must_use]
    pub const fn value(self) -> i16 {
        self as i16
    }

    /// Kafka's name of the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.facts().name
    }

    /// The versions that this crate encodes and decodes.
    #[must_use]
    pub const fn versions(self) -> VersionRange {
        self.facts().versions
    }

    /// The versions that a client may send.
    #[must_use]
    pub const fn client_versions(self) -> VersionRange {
        self.facts().client
    }

    /// The first version with compact lengths and tagged fields (`i16::MAX`: none).
    #[must_use]
    pub const fn flexible_from(self) -> i16 {
        self.facts().flexible_from
    }

    /// Whether `version` has compact lengths and tagged fields.
    #[must_use]
    pub const fn is_flexible(self, version: i16) -> bool {
        self.facts().flexible_from <= version
    }

    /// The first version from which the client waits out `throttle_time_ms` (KIP-219).
    #[must_use]
    pub const fn throttles_from(self) -> i16 {
        self.facts().throttles_from
    }

    /// The version of the request header: 2 for a flexible request, otherwise 1.
    #[must_use]
    pub const fn request_header_version(self, version: i16) -> i16 {
        if self.is_flexible(version) { 2 } else { 1 }
    }

    /// The version of the response header: 1 for a flexible request, otherwise 0.
    ///
    /// Answers to ApiVersions always have version 0, because the client that reads one does not
    /// know yet what the broker can do.
    #[must_use]
    pub const fn response_header_version(self, version: i16) -> i16 {
        match self {
            Self::ApiVersions => 0,
            _ if self.is_flexible(version) => 1,
            _ => 0,
        }
    }
}

impl fmt::Display for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

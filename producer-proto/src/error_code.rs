//! Kafka's error codes: names, which are worth a retry, and what each one means (Kafka's `Errors`).

use core::fmt;

/// An error code as it stands on the wire; codes newer than the table are kept as they came.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorCode(pub i16);

/// Whether Kafka's Java client derives the code's exception from `RetriableException`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Again {
    Final,
    Retry,
}

/// What the client's picture of the cluster lacks when it sees the code.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Refresh {
    Coordinator,
    Metadata,
    Nothing,
}

/// What is known about one code; the rows of [`codes!`].
struct Facts {
    name: &'static str,
    again: Again,
    refresh: Refresh,
    explanation: &'static str,
}

/// Defines the constants and the tables from one row per code.
macro_rules! codes {
    ($( $name:ident = $code:literal, $again:ident, $refresh:ident, $explanation:literal; )+) => {
        impl ErrorCode {
            $(
                #[doc = concat!("Code ", $code, ": ", $explanation, ".")]
                pub const $name: Self = Self($code);
            )+

            /// Every known code, lowest first.
            pub const ALL: &'static [Self] = &[$( Self::$name ),+];

            const fn facts(self) -> Option<Facts> {
                match self.0 {
                    $( $code => Some(Facts {
                        name: stringify!($name),
                        again: Again::$again,
                        refresh: Refresh::$refresh,
                        explanation: $explanation,
                    }), )+
                    _ => None,
                }
            }

            /// The code with this name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $( stringify!($name) => Some(Self::$name), )+
                    _ => None,
                }
            }
        }
    };
}

codes! {
    UNKNOWN_SERVER_ERROR = -1, Final, Nothing, "the broker failed in a way it does not classify";
    NONE = 0, Final, Nothing, "success";
    OFFSET_OUT_OF_RANGE = 1, Final, Nothing, "the offset lies outside the log";
    CORRUPT_MESSAGE = 2, Retry, Nothing, "the batch is damaged or its checksum is wrong";
    UNKNOWN_TOPIC_OR_PARTITION = 3, Retry, Metadata,
        "the broker does not know the topic or partition, which is normal just after its creation";
    INVALID_FETCH_SIZE = 4, Final, Nothing, "the fetch size is not valid";
    LEADER_NOT_AVAILABLE = 5, Retry, Metadata, "the partition has no leader yet";
    NOT_LEADER_OR_FOLLOWER = 6, Retry, Metadata, "the broker is not the leader of the partition";
    REQUEST_TIMED_OUT = 7, Retry, Nothing,
        "the request was not replicated in time, yet it may have been written";
    BROKER_NOT_AVAILABLE = 8, Final, Nothing, "the broker is not available";
    REPLICA_NOT_AVAILABLE = 9, Retry, Metadata, "some replicas are not available, the leader is";
    MESSAGE_TOO_LARGE = 10, Final, Nothing,
        "the batch is larger than the topic's max.message.bytes";
    STALE_CONTROLLER_EPOCH = 11, Final, Nothing, "the controller moved to another broker";
    OFFSET_METADATA_TOO_LARGE = 12, Final, Nothing, "the metadata string of an offset is too long";
    NETWORK_EXCEPTION = 13, Retry, Metadata, "the connection was lost before an answer came";
    COORDINATOR_LOAD_IN_PROGRESS = 14, Retry, Nothing, "the coordinator is still loading its state";
    COORDINATOR_NOT_AVAILABLE = 15, Retry, Coordinator,
        "no coordinator is available: look it up again";
    NOT_COORDINATOR = 16, Retry, Coordinator, "the broker is not the coordinator: look it up again";
    INVALID_TOPIC_EXCEPTION = 17, Final, Nothing,
        "the topic name is illegal, or the topic is internal";
    RECORD_LIST_TOO_LARGE = 18, Final, Nothing, "the batch is larger than a segment of the log";
    NOT_ENOUGH_REPLICAS = 19, Retry, Nothing,
        "fewer replicas are in sync than min.insync.replicas asks for, and nothing was written";
    NOT_ENOUGH_REPLICAS_AFTER_APPEND = 20, Retry, Nothing,
        "the batch was written to the leader, then too few replicas were in sync";
    INVALID_REQUIRED_ACKS = 21, Final, Nothing, "acks is not -1, 0 or 1";
    ILLEGAL_GENERATION = 22, Final, Nothing, "the group's generation is stale";
    INCONSISTENT_GROUP_PROTOCOL = 23, Final, Nothing, "the group's members share no protocol";
    INVALID_GROUP_ID = 24, Final, Nothing, "the group id is not valid";
    UNKNOWN_MEMBER_ID = 25, Final, Nothing, "the group does not know the member";
    INVALID_SESSION_TIMEOUT = 26, Final, Nothing,
        "the session timeout is outside the broker's limits";
    REBALANCE_IN_PROGRESS = 27, Final, Nothing, "the group is rebalancing";
    INVALID_COMMIT_OFFSET_SIZE = 28, Final, Nothing, "the offsets are too large to store";
    TOPIC_AUTHORIZATION_FAILED = 29, Final, Nothing, "the client has no right to the topic";
    GROUP_AUTHORIZATION_FAILED = 30, Final, Nothing, "the client has no right to the group";
    CLUSTER_AUTHORIZATION_FAILED = 31, Final, Nothing,
        "the client has no right to do this on the cluster, such as idempotent writing";
    INVALID_TIMESTAMP = 32, Final, Nothing, "a record's timestamp is outside the topic's window";
    UNSUPPORTED_SASL_MECHANISM = 33, Final, Nothing,
        "the broker has not enabled the SASL mechanism";
    ILLEGAL_SASL_STATE = 34, Final, Nothing, "a SASL request came at the wrong moment";
    UNSUPPORTED_VERSION = 35, Final, Nothing,
        "the broker does not support this version of the request, or the feature behind it";
    TOPIC_ALREADY_EXISTS = 36, Final, Nothing, "the topic exists already";
    INVALID_PARTITIONS = 37, Final, Nothing, "the number of partitions is not valid";
    INVALID_REPLICATION_FACTOR = 38, Final, Nothing,
        "the replication factor is not valid, or there are too few brokers for it";
    INVALID_REPLICA_ASSIGNMENT = 39, Final, Nothing, "the assignment of replicas is not valid";
    INVALID_CONFIG = 40, Final, Nothing, "a setting is not valid";
    NOT_CONTROLLER = 41, Retry, Nothing, "the broker is not the controller";
    INVALID_REQUEST = 42, Final, Nothing, "the request is malformed or illegal";
    UNSUPPORTED_FOR_MESSAGE_FORMAT = 43, Final, Nothing,
        "the broker's log format is too old for this";
    POLICY_VIOLATION = 44, Final, Nothing, "a policy or interceptor of the broker refused it";
    OUT_OF_ORDER_SEQUENCE_NUMBER = 45, Final, Nothing,
        "the sequence number leaves a gap after what the broker has";
    DUPLICATE_SEQUENCE_NUMBER = 46, Final, Nothing,
        "the batch was written before, and its offset is no longer known";
    INVALID_PRODUCER_EPOCH = 47, Final, Nothing,
        "the producer's epoch is older than one the broker has seen";
    INVALID_TXN_STATE = 48, Final, Nothing, "the transaction is not in a state that allows this";
    INVALID_PRODUCER_ID_MAPPING = 49, Final, Nothing,
        "the producer id does not belong to this transactional id any more";
    INVALID_TRANSACTION_TIMEOUT = 50, Final, Nothing,
        "the transaction timeout is not positive, or above the broker's maximum";
    CONCURRENT_TRANSACTIONS = 51, Retry, Nothing, "the previous transaction is still completing";
    TRANSACTION_COORDINATOR_FENCED = 52, Final, Nothing, "the transaction coordinator was replaced";
    TRANSACTIONAL_ID_AUTHORIZATION_FAILED = 53, Final, Nothing,
        "the client has no right to the transactional id";
    SECURITY_DISABLED = 54, Final, Nothing, "security is switched off on the broker";
    OPERATION_NOT_ATTEMPTED = 55, Final, Nothing,
        "the partition was not tried because another one failed";
    KAFKA_STORAGE_ERROR = 56, Retry, Metadata, "a log directory of the broker failed";
    LOG_DIR_NOT_FOUND = 57, Final, Nothing, "the broker has no such log directory";
    SASL_AUTHENTICATION_FAILED = 58, Final, Nothing, "the broker rejected the credentials";
    UNKNOWN_PRODUCER_ID = 59, Final, Nothing, "the broker has no state for this producer id";
    REASSIGNMENT_IN_PROGRESS = 60, Final, Nothing, "a reassignment of the partition is under way";
    DELEGATION_TOKEN_AUTH_DISABLED = 61, Final, Nothing, "delegation tokens are switched off";
    DELEGATION_TOKEN_NOT_FOUND = 62, Final, Nothing, "the delegation token is not known";
    DELEGATION_TOKEN_OWNER_MISMATCH = 63, Final, Nothing,
        "the delegation token belongs to another principal";
    DELEGATION_TOKEN_REQUEST_NOT_ALLOWED = 64, Final, Nothing,
        "delegation tokens cannot be requested over this connection";
    DELEGATION_TOKEN_AUTHORIZATION_FAILED = 65, Final, Nothing,
        "the client has no right to the delegation token";
    DELEGATION_TOKEN_EXPIRED = 66, Final, Nothing, "the delegation token has expired";
    INVALID_PRINCIPAL_TYPE = 67, Final, Nothing, "the type of principal is not supported";
    NON_EMPTY_GROUP = 68, Final, Nothing, "the group is not empty";
    GROUP_ID_NOT_FOUND = 69, Final, Nothing, "the group does not exist";
    FETCH_SESSION_ID_NOT_FOUND = 70, Retry, Nothing, "the fetch session is not known";
    INVALID_FETCH_SESSION_EPOCH = 71, Retry, Nothing, "the epoch of the fetch session is not valid";
    LISTENER_NOT_FOUND = 72, Retry, Metadata,
        "the leader has no listener of the name that this connection uses";
    TOPIC_DELETION_DISABLED = 73, Final, Nothing, "the broker does not let topics be deleted";
    FENCED_LEADER_EPOCH = 74, Retry, Metadata,
        "the client's leader epoch is older than the broker's";
    UNKNOWN_LEADER_EPOCH = 75, Retry, Nothing,
        "the client's leader epoch is newer than the broker's";
    UNSUPPORTED_COMPRESSION_TYPE = 76, Final, Nothing,
        "the topic or the request's version does not take this compression";
    STALE_BROKER_EPOCH = 77, Final, Nothing, "the broker's epoch is stale";
    OFFSET_NOT_AVAILABLE = 78, Retry, Nothing, "the leader does not know its high watermark yet";
    MEMBER_ID_REQUIRED = 79, Final, Nothing, "the group needs a member id first";
    PREFERRED_LEADER_NOT_AVAILABLE = 80, Retry, Metadata, "the preferred leader is not available";
    GROUP_MAX_SIZE_REACHED = 81, Final, Nothing, "the group is full";
    FENCED_INSTANCE_ID = 82, Final, Nothing, "another member with the same static id took over";
    ELIGIBLE_LEADERS_NOT_AVAILABLE = 83, Retry, Metadata, "no replica is eligible as leader";
    ELECTION_NOT_NEEDED = 84, Retry, Metadata, "the leader need not change";
    NO_REASSIGNMENT_IN_PROGRESS = 85, Final, Nothing,
        "no reassignment of the partition is under way";
    GROUP_SUBSCRIBED_TO_TOPIC = 86, Final, Nothing, "the group is subscribed to the topic";
    INVALID_RECORD = 87, Final, Nothing, "the broker found a record not valid";
    UNSTABLE_OFFSET_COMMIT = 88, Retry, Nothing, "an offset is not stable yet";
    THROTTLING_QUOTA_EXCEEDED = 89, Retry, Nothing, "a quota is exceeded";
    PRODUCER_FENCED = 90, Final, Nothing,
        "another producer with the same transactional id took over";
    RESOURCE_NOT_FOUND = 91, Final, Nothing, "there is no such resource";
    DUPLICATE_RESOURCE = 92, Final, Nothing, "the resource is named twice";
    UNACCEPTABLE_CREDENTIAL = 93, Final, Nothing, "the credential is not acceptable";
    INCONSISTENT_VOTER_SET = 94, Final, Nothing, "the set of voters differs between the two sides";
    INVALID_UPDATE_VERSION = 95, Final, Nothing, "the version of the update is not valid";
    FEATURE_UPDATE_FAILED = 96, Final, Nothing, "a feature could not be updated";
    PRINCIPAL_DESERIALIZATION_FAILURE = 97, Final, Nothing,
        "the broker could not read a forwarded principal";
    SNAPSHOT_NOT_FOUND = 98, Final, Nothing, "there is no such snapshot";
    POSITION_OUT_OF_RANGE = 99, Final, Nothing, "the position lies outside the snapshot";
    UNKNOWN_TOPIC_ID = 100, Retry, Metadata,
        "the broker does not know the topic id: the topic was deleted or created anew";
    DUPLICATE_BROKER_REGISTRATION = 101, Final, Nothing,
        "another broker has registered under this id";
    BROKER_ID_NOT_REGISTERED = 102, Final, Nothing, "the broker is not registered";
    INCONSISTENT_TOPIC_ID = 103, Retry, Metadata, "the topic's id is not the one the broker has";
    INCONSISTENT_CLUSTER_ID = 104, Final, Nothing,
        "the cluster's id is not the one that was expected";
    TRANSACTIONAL_ID_NOT_FOUND = 105, Final, Nothing, "there is no such transactional id";
    FETCH_SESSION_TOPIC_ID_ERROR = 106, Retry, Nothing,
        "the fetch session uses topic ids otherwise than this request";
    INELIGIBLE_REPLICA = 107, Final, Nothing, "the replica may not become in sync";
    NEW_LEADER_ELECTED = 108, Final, Nothing, "a new leader was elected";
    OFFSET_MOVED_TO_TIERED_STORAGE = 109, Final, Nothing, "the offset lies in tiered storage";
    FENCED_MEMBER_EPOCH = 110, Final, Nothing,
        "the member's epoch was fenced by the group coordinator";
    UNRELEASED_INSTANCE_ID = 111, Final, Nothing, "another member still uses the static id";
    UNSUPPORTED_ASSIGNOR = 112, Final, Nothing, "the group does not support the assignor";
    STALE_MEMBER_EPOCH = 113, Final, Nothing, "the member's epoch is stale";
    MISMATCHED_ENDPOINT_TYPE = 114, Final, Nothing,
        "the request went to the wrong kind of endpoint";
    UNSUPPORTED_ENDPOINT_TYPE = 115, Final, Nothing, "the kind of endpoint is not supported";
    UNKNOWN_CONTROLLER_ID = 116, Final, Nothing, "the controller is not known";
    UNKNOWN_SUBSCRIPTION_ID = 117, Final, Nothing,
        "the telemetry subscription is not known: fetch it again";
    TELEMETRY_TOO_LARGE = 118, Final, Nothing, "the telemetry payload is above the broker's limit";
    INVALID_REGISTRATION = 119, Final, Nothing, "the registration is not valid";
    TRANSACTION_ABORTABLE = 120, Final, Nothing,
        "the transaction can go no further and must be aborted";
    INVALID_RECORD_STATE = 121, Final, Nothing, "the record is in no state that allows this";
    SHARE_SESSION_NOT_FOUND = 122, Retry, Nothing, "the share session is not known";
    INVALID_SHARE_SESSION_EPOCH = 123, Retry, Nothing,
        "the epoch of the share session is not valid";
    FENCED_STATE_EPOCH = 124, Final, Nothing, "the share coordinator's epoch was fenced";
    INVALID_VOTER_KEY = 125, Final, Nothing, "the key of the voter is not valid";
    DUPLICATE_VOTER = 126, Final, Nothing, "the voter exists already";
    VOTER_NOT_FOUND = 127, Final, Nothing, "there is no such voter";
    INVALID_REGULAR_EXPRESSION = 128, Final, Nothing, "the regular expression is not valid";
    REBOOTSTRAP_REQUIRED = 129, Final, Nothing,
        "the client must start again from its bootstrap servers";
    STREAMS_INVALID_TOPOLOGY = 130, Final, Nothing, "the streams topology is not valid";
    STREAMS_INVALID_TOPOLOGY_EPOCH = 131, Final, Nothing,
        "the epoch of the streams topology is not valid";
    STREAMS_TOPOLOGY_FENCED = 132, Final, Nothing, "the streams topology is out of date";
    SHARE_SESSION_LIMIT_REACHED = 133, Retry, Nothing, "the broker takes no more share sessions";
    GROUP_DELETION_FAILED = 134, Final, Nothing, "the group could not be deleted";
    STREAMS_TOPOLOGY_DESCRIPTION_UPDATE_FAILED = 135, Final, Nothing,
        "the description of the streams topology could not be updated";
    CONTROLLER_ID_NOT_REGISTERED = 136, Final, Nothing, "the controller is not registered";
}

impl ErrorCode {
    /// Kafka's name; that of [`Self::UNKNOWN_SERVER_ERROR`] for a code newer than the table.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.known_or_unclassified().name
    }

    /// What the code means, in a few words without a full stop.
    #[must_use]
    pub const fn explanation(self) -> &'static str {
        self.known_or_unclassified().explanation
    }

    /// Whether the code is in the table.
    #[must_use]
    pub const fn is_known(self) -> bool {
        self.facts().is_some()
    }

    /// Whether trying again can help.
    ///
    /// A code newer than the table is not retriable, like the unclassified one it counts as.
    #[must_use]
    pub const fn is_retriable(self) -> bool {
        matches!(self.known_or_unclassified().again, Again::Retry)
    }

    /// Whether the client's metadata are wrong (`InvalidMetadataException`).
    #[must_use]
    pub const fn refreshes_metadata(self) -> bool {
        matches!(self.known_or_unclassified().refresh, Refresh::Metadata)
    }

    /// Whether the coordinator must be looked up again.
    #[must_use]
    pub const fn refreshes_coordinator(self) -> bool {
        matches!(self.known_or_unclassified().refresh, Refresh::Coordinator)
    }

    /// Whether this is [`Self::NONE`].
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.0 == Self::NONE.0
    }

    const fn known_or_unclassified(self) -> Facts {
        match self.facts() {
            Some(facts) => facts,
            None => Facts {
                name: "UNKNOWN_SERVER_ERROR",
                again: Again::Final,
                refresh: Refresh::Nothing,
                explanation: "the broker's code is newer than this client",
            },
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.0)
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn the_table_has_every_code_from_unknown_to_the_newest() {
        let codes: Vec<i16> = ErrorCode::ALL.iter().map(|code| code.0).collect();
        assert_eq!(codes, (-1..=136).collect::<Vec<i16>>());
    }

    #[test]
    fn each_name_leads_back_to_its_code() {
        for &code in ErrorCode::ALL {
            assert_eq!(ErrorCode::from_name(code.name()), Some(code));
            assert!(!code.explanation().is_empty() && !code.explanation().ends_with('.'));
        }
        assert_eq!(ErrorCode::from_name("NO_SUCH_NAME"), None);
    }

    #[test]
    fn a_code_prints_its_name_and_number() {
        assert_eq!(
            ErrorCode::NOT_LEADER_OR_FOLLOWER.to_string(),
            "NOT_LEADER_OR_FOLLOWER (6)"
        );
        assert_eq!(ErrorCode(999).to_string(), "UNKNOWN_SERVER_ERROR (999)");
    }

    #[test]
    fn a_code_newer_than_the_table_is_final() {
        let newer = ErrorCode(137);
        assert!(!newer.is_known());
        assert!(!newer.is_retriable());
        assert!(!newer.refreshes_metadata());
    }

    #[test]
    fn retries_and_refreshes_are_those_of_the_java_client() {
        let retriable = ErrorCode::ALL
            .iter()
            .filter(|code| code.is_retriable())
            .count();
        let metadata: Vec<i16> = ErrorCode::ALL
            .iter()
            .filter(|code| code.refreshes_metadata())
            .map(|c| c.0)
            .collect();
        let coordinator: Vec<i16> = ErrorCode::ALL
            .iter()
            .filter(|c| c.refreshes_coordinator())
            .map(|c| c.0)
            .collect();
        assert_eq!(retriable, 32);
        assert_eq!(metadata, [3, 5, 6, 9, 13, 56, 72, 74, 80, 83, 84, 100, 103]);
        assert_eq!(coordinator, [15, 16]);
        assert!(!ErrorCode::NONE.is_retriable());
    }
}

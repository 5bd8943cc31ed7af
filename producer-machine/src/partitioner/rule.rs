//! The rules by name: Java's, librdkafka's and sarama's (`partitioner`, ours).
//!
//! Where the other client chooses at random for a record without a key, the sticky rule does it
//! here: the records are spread as evenly, and batches become full. (librdkafka does the same, by
//! time: `sticky.partitioning.linger.ms`.)

use kafka_producer_proto::hash;

use crate::metadata::TopicView;
use crate::seed::Stream;

/// How a partition is chosen for a record that names none (`partitioner`, ours).
///
/// The same key goes to the same partition as with the client that a rule is named after, as long
/// as the topic has equally many partitions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PartitionRule {
    /// `default`, as Java: murmur2 of the key; without one, a partition sticks.
    #[default]
    BuiltIn,
    /// librdkafka's `consistent`: CRC-32 of the key; no key counts as an empty one.
    Consistent,
    /// librdkafka's `consistent_random`, its default: CRC-32 of the key; without one, or with an
    /// empty one, a partition sticks.
    ConsistentRandom,
    /// librdkafka's `fnv1a`: FNV-1a of the key; no key counts as an empty one.
    Fnv1a,
    /// librdkafka's `fnv1a_random`: FNV-1a of the key; without one, a partition sticks.
    Fnv1aRandom,
    /// librdkafka's `murmur2`: as Java for a key; no key counts as an empty one.
    Murmur2,
    /// librdkafka's `murmur2_random`, which is what Java does.
    Murmur2Random,
    /// librdkafka's `random`: any partition for each record with a key; without one, a partition
    /// sticks.
    Random,
    /// `round_robin`, as Java's `RoundRobinPartitioner`: each partition that has a leader in turn,
    /// whatever the key.
    RoundRobin,
    /// `sarama_consistent_crc`, sarama's `NewConsistentCRCHashPartitioner`: CRC-32 of the key;
    /// without one, a partition sticks.
    SaramaConsistentCrc,
    /// `sarama_hash`, sarama's `NewHashPartitioner` and default: FNV-1a of the key; without one, a
    /// partition sticks.
    SaramaHash,
    /// `sarama_reference_hash`, sarama's `NewReferenceHashPartitioner`: FNV-1a of the key without
    /// its sign bit; without one, a partition sticks.
    SaramaReferenceHash,
}

impl PartitionRule {
    /// Every rule.
    pub const ALL: [Self; 12] = [
        Self::BuiltIn,
        Self::Consistent,
        Self::ConsistentRandom,
        Self::Fnv1a,
        Self::Fnv1aRandom,
        Self::Murmur2,
        Self::Murmur2Random,
        Self::Random,
        Self::RoundRobin,
        Self::SaramaConsistentCrc,
        Self::SaramaHash,
        Self::SaramaReferenceHash,
    ];

    /// The name, as in a properties file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BuiltIn => "default",
            Self::Consistent => "consistent",
            Self::ConsistentRandom => "consistent_random",
            Self::Fnv1a => "fnv1a",
            Self::Fnv1aRandom => "fnv1a_random",
            Self::Murmur2 => "murmur2",
            Self::Murmur2Random => "murmur2_random",
            Self::Random => "random",
            Self::RoundRobin => "round_robin",
            Self::SaramaConsistentCrc => "sarama_consistent_crc",
            Self::SaramaHash => "sarama_hash",
            Self::SaramaReferenceHash => "sarama_reference_hash",
        }
    }

    /// The rule of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.name() == name)
    }

    /// The partition of a record, or `None` if the one that sticks takes it.
    pub(super) fn choose(
        self,
        topic: &mut TopicView,
        key: Option<&[u8]>,
        random: &mut Stream,
    ) -> Option<u32> {
        let count = topic.partitions.len() as u32;
        let partition = match self {
            Self::Random => {
                key?;
                let chosen = random.below(count);
                // As librdkafka: once more if that one has no leader.
                match topic.available.binary_search(&chosen) {
                    Ok(_) => chosen,
                    Err(_) => random.below(count),
                }
            }
            Self::RoundRobin => {
                let turn = topic.sticky.turn;
                topic.sticky.turn = turn.wrapping_add(1);
                in_turn(turn, count, &topic.available)
            }
            _ => self.hash(key)?(key.unwrap_or_default(), count),
        };
        Some(partition)
    }

    /// The hash that decides for this key, or for its absence.
    fn hash(self, key: Option<&[u8]>) -> Option<fn(&[u8], u32) -> u32> {
        let with_key = |hash: fn(&[u8], u32) -> u32| key.map(|_| hash);
        match self {
            Self::BuiltIn | Self::Murmur2Random => with_key(hash::murmur2_partition),
            Self::Consistent => Some(hash::librdkafka_consistent),
            Self::ConsistentRandom => {
                with_key(hash::librdkafka_consistent).filter(|_| key != Some(&[]))
            }
            Self::Fnv1a => Some(hash::librdkafka_fnv1a),
            Self::Fnv1aRandom => with_key(hash::librdkafka_fnv1a),
            Self::Murmur2 => Some(hash::murmur2_partition),
            Self::Random | Self::RoundRobin => None,
            Self::SaramaConsistentCrc => with_key(hash::sarama_consistent_crc),
            Self::SaramaHash => with_key(hash::sarama_hash),
            Self::SaramaReferenceHash => with_key(hash::sarama_reference_hash),
        }
    }
}

/// The partition whose turn it is: one that has a leader, or any if none has.
fn in_turn(turn: u32, count: u32, available: &[u32]) -> u32 {
    let place = turn.checked_rem(available.len() as u32);
    match place.and_then(|place| available.get(place as usize)) {
        Some(&partition) => partition,
        None => turn.checked_rem(count).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The partition of 17 that the hash of a rule gives.
    fn of_17(rule: PartitionRule, key: Option<&[u8]>) -> Option<u32> {
        rule.hash(key).map(|hash| hash(key.unwrap_or_default(), 17))
    }

    #[test]
    fn names_lead_back_to_their_rules() {
        for rule in PartitionRule::ALL {
            assert_eq!(PartitionRule::from_name(rule.name()), Some(rule));
        }
        assert_eq!(PartitionRule::from_name("Murmur2"), None);
    }

    #[test]
    fn a_key_goes_where_the_client_that_a_rule_is_named_after_puts_it() {
        // The key `34` is published for librdkafka and sarama, and tells all rules apart.
        let of = |rule| of_17(rule, Some(b"34"));
        for rule in PartitionRule::ALL {
            let expected = match rule {
                PartitionRule::BuiltIn | PartitionRule::Murmur2 | PartitionRule::Murmur2Random => {
                    Some(7)
                }
                PartitionRule::Consistent
                | PartitionRule::ConsistentRandom
                | PartitionRule::SaramaConsistentCrc => Some(16),
                PartitionRule::Fnv1a | PartitionRule::Fnv1aRandom | PartitionRule::SaramaHash => {
                    Some(4)
                }
                PartitionRule::SaramaReferenceHash => Some(5),
                PartitionRule::Random | PartitionRule::RoundRobin => None,
            };
            assert_eq!(of(rule), expected, "{rule:?}");
        }
    }

    #[test]
    fn no_key_counts_as_an_empty_one_where_librdkafka_says_so_and_sticks_elsewhere() {
        for rule in PartitionRule::ALL {
            let expected = match rule {
                PartitionRule::Consistent | PartitionRule::Fnv1a => Some(0),
                PartitionRule::Murmur2 => Some(11),
                _ => None,
            };
            assert_eq!(of_17(rule, None), expected, "{rule:?}");
        }
    }

    #[test]
    fn an_empty_key_is_a_key_but_for_consistent_random() {
        for rule in PartitionRule::ALL {
            let expected = match rule {
                PartitionRule::BuiltIn | PartitionRule::Murmur2 | PartitionRule::Murmur2Random => {
                    Some(11)
                }
                PartitionRule::Consistent
                | PartitionRule::SaramaConsistentCrc
                | PartitionRule::Fnv1a
                | PartitionRule::Fnv1aRandom
                | PartitionRule::SaramaHash => Some(0),
                PartitionRule::SaramaReferenceHash => Some(9),
                PartitionRule::ConsistentRandom
                | PartitionRule::Random
                | PartitionRule::RoundRobin => None,
            };
            assert_eq!(of_17(rule, Some(b"")), expected, "{rule:?}");
        }
    }

    #[test]
    fn turns_go_round_those_with_a_leader_or_all_if_none_has() {
        let turns = |available: &[u32]| [0, 1, 2, 3].map(|turn| in_turn(turn, 3, available));
        assert_eq!(turns(&[0, 2]), [0, 2, 0, 2]);
        assert_eq!(turns(&[]), [0, 1, 2, 0]);
        assert_eq!(in_turn(u32::MAX, 0, &[]), 0);
    }
}

//! Topics and their partitions: who leads, what the log holds, what metadata shows of it.
//!
//! A change of leader is known at once to the two brokers that it concerns and, if the cluster's
//! metadata lags, only later to those who ask for metadata. That is what makes a client meet
//! NOT_LEADER_OR_FOLLOWER.

use std::collections::BTreeMap;

use kafka_producer_proto::{ErrorCode, Uuid};

use super::BrokerId;
use super::log::Log;
use super::producer_state::ProducerStates;

/// A topic.
#[derive(Clone, Debug)]
pub(crate) struct Topic {
    pub(crate) name: String,
    pub(crate) id: Uuid,
    pub(crate) config: TopicConfig,
    pub(crate) partitions: Vec<Partition>,
    /// Until when metadata answers `hidden_as` for it.
    pub(crate) visible_at: i64,
    pub(crate) hidden_as: ErrorCode,
}

/// The settings of a topic, under Kafka's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicConfig {
    /// `cleanup.policy`, of which only the check of keys is modelled.
    pub cleanup: Cleanup,
    /// `max.message.bytes`: the size of a batch.
    pub max_message_bytes: usize,
    /// `message.timestamp.after.max.ms`: how far in the future a timestamp may lie.
    pub timestamp_after_max_ms: i64,
    /// `message.timestamp.before.max.ms`: how far in the past a timestamp may lie.
    pub timestamp_before_max_ms: i64,
    /// `message.timestamp.type`.
    pub timestamps: Timestamps,
    /// `min.insync.replicas`.
    pub min_insync_replicas: usize,
}

/// `cleanup.policy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cleanup {
    /// `compact`: every record needs a key.
    Compact,
    /// `delete`.
    Delete,
}

/// `message.timestamp.type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timestamps {
    /// `CreateTime`: the producer's.
    CreateTime,
    /// `LogAppendTime`: the broker's.
    LogAppendTime,
}

/// A partition, as its leader has it.
#[derive(Clone, Debug)]
pub(crate) struct Partition {
    pub(crate) replicas: Vec<BrokerId>,
    pub(crate) leadership: Leadership,
    /// What metadata shows instead, and until when.
    shown: Option<(Leadership, i64)>,
    pub(crate) log: Log,
    pub(crate) producers: ProducerStates,
    /// Where the log ended when a replica restarted: it knows little of what came before (C18).
    pub(crate) restarted: BTreeMap<BrokerId, i64>,
}

/// Who leads a partition, and for the how-manieth time somebody does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leadership {
    pub(crate) leader: Option<BrokerId>,
    pub(crate) epoch: i32,
}

impl Default for TopicConfig {
    fn default() -> Self {
        Self {
            cleanup: Cleanup::Delete,
            max_message_bytes: 1_048_588,
            timestamp_after_max_ms: 3_600_000,
            timestamp_before_max_ms: i64::MAX,
            timestamps: Timestamps::CreateTime,
            min_insync_replicas: 1,
        }
    }
}

impl TopicConfig {
    /// Takes one setting by Kafka's name. Those that have no meaning here are taken as well.
    ///
    /// # Errors
    /// Says what was expected and what came.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let wrong = |expected: &str| format!("{name} must be {expected}, came {value:?}");
        let millis = || {
            value
                .parse::<i64>()
                .map_err(|_| wrong("a number of milliseconds"))
        };
        match name {
            "cleanup.policy" => {
                self.cleanup = match value {
                    "compact" | "compact,delete" | "delete,compact" => Cleanup::Compact,
                    "delete" => Cleanup::Delete,
                    _ => return Err(wrong("delete or compact")),
                };
            }
            "max.message.bytes" => {
                self.max_message_bytes = value.parse().map_err(|_| wrong("a number of bytes"))?;
            }
            "message.timestamp.after.max.ms" => self.timestamp_after_max_ms = millis()?,
            "message.timestamp.before.max.ms" => self.timestamp_before_max_ms = millis()?,
            "message.timestamp.type" => {
                self.timestamps = match value {
                    "CreateTime" => Timestamps::CreateTime,
                    "LogAppendTime" => Timestamps::LogAppendTime,
                    _ => return Err(wrong("CreateTime or LogAppendTime")),
                };
            }
            "min.insync.replicas" => {
                self.min_insync_replicas = value.parse().map_err(|_| wrong("a number"))?;
            }
            "compression.type" if value != "producer" => {
                return Err(wrong("producer, for this cluster never compresses anew"));
            }
            "compression.type"
            | "flush.messages"
            | "flush.ms"
            | "retention.bytes"
            | "retention.ms"
            | "segment.bytes"
            | "segment.ms"
            | "delete.retention.ms" => {}
            _ => return Err(format!("Unknown topic config name: {name}")),
        }
        Ok(())
    }

    /// The settings by Kafka's names, in the order of the names.
    pub(crate) fn properties(&self) -> [(&'static str, String); 7] {
        let cleanup = match self.cleanup {
            Cleanup::Compact => "compact",
            Cleanup::Delete => "delete",
        };
        let timestamps = match self.timestamps {
            Timestamps::CreateTime => "CreateTime",
            Timestamps::LogAppendTime => "LogAppendTime",
        };
        [
            ("cleanup.policy", cleanup.into()),
            ("compression.type", "producer".into()),
            ("max.message.bytes", self.max_message_bytes.to_string()),
            (
                "message.timestamp.after.max.ms",
                self.timestamp_after_max_ms.to_string(),
            ),
            (
                "message.timestamp.before.max.ms",
                self.timestamp_before_max_ms.to_string(),
            ),
            ("message.timestamp.type", timestamps.into()),
            ("min.insync.replicas", self.min_insync_replicas.to_string()),
        ]
    }
}

impl Topic {
    /// The partition with this number, if there is one.
    pub(crate) fn partition_mut(&mut self, index: i32) -> Option<&mut Partition> {
        self.partitions.get_mut(usize::try_from(index).ok()?)
    }

    /// The partition with this number, if there is one.
    pub(crate) fn partition(&self, index: i32) -> Option<&Partition> {
        self.partitions.get(usize::try_from(index).ok()?)
    }
}

impl Partition {
    /// A partition without records.
    pub(crate) fn new(replicas: Vec<BrokerId>, leader: Option<BrokerId>) -> Self {
        Self {
            replicas,
            leadership: Leadership { leader, epoch: 0 },
            shown: None,
            log: Log::default(),
            producers: ProducerStates::default(),
            restarted: BTreeMap::new(),
        }
    }

    /// Another leader, or none, that metadata shows from `shown_at` on.
    pub(crate) fn lead(&mut self, leader: Option<BrokerId>, now: i64, shown_at: i64) {
        let before = self.shown(now);
        self.shown = (now < shown_at).then_some((before, shown_at));
        // A partition without a leader keeps the epoch it had (seen on 4.3.1).
        let epoch = self.leadership.epoch + i32::from(leader.is_some());
        self.leadership = Leadership { leader, epoch };
        let Some(leader) = leader else {
            return;
        };
        if let Some(end) = self.restarted.remove(&leader) {
            self.producers.forget_before_restart(end);
        }
        if !self.replicas.contains(&leader) {
            self.replicas.push(leader);
        }
    }

    /// Who leads, as metadata shows it.
    pub(crate) fn shown(&self, now: i64) -> Leadership {
        match self.shown {
            Some((before, until)) if now < until => before,
            _ => self.leadership,
        }
    }
}

/// Refuses a topic that no broker of Kafka would create.
pub(crate) fn legal_topic(name: &str, partitions: u32) -> Result<(), String> {
    if !is_legal_name(name) {
        return Err(format!(
            "{name:?} is no name of a topic: expected 1 to 249 ASCII letters, digits, '.', '_' \
             and '-', and neither \".\" nor \"..\""
        ));
    }
    if partitions == 0 {
        return Err(format!("expected a partition of topic {name}, came none"));
    }
    Ok(())
}

/// Whether Kafka takes this name for a topic.
pub(crate) fn is_legal_name(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    matches!(name.len(), 1..=249) && !matches!(name, "." | "..") && name.bytes().all(legal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_kafka_takes() {
        assert!(is_legal_name("orders-1_a.b"));
        assert!(!is_legal_name(""));
        assert!(!is_legal_name(".."));
        assert!(!is_legal_name("a b"));
        assert!(!is_legal_name(&"a".repeat(250)));
    }

    #[test]
    fn metadata_shows_a_new_leader_only_after_its_lag() {
        let mut partition = Partition::new(vec![BrokerId(0)], Some(BrokerId(0)));
        partition.lead(Some(BrokerId(1)), 100, 150);
        assert_eq!(
            partition.leadership,
            Leadership {
                leader: Some(BrokerId(1)),
                epoch: 1
            }
        );
        assert_eq!(
            partition.shown(149),
            Leadership {
                leader: Some(BrokerId(0)),
                epoch: 0
            }
        );
        assert_eq!(partition.shown(150), partition.leadership);
    }

    #[test]
    fn a_setting_that_cannot_be_is_refused_with_what_was_expected() {
        let mut config = TopicConfig::default();
        let error = config.set("message.timestamp.type", "Now").unwrap_err();
        assert_eq!(
            error,
            "message.timestamp.type must be CreateTime or LogAppendTime, came \"Now\""
        );
        config.set("max.message.bytes", "1000").unwrap();
        assert_eq!(config.max_message_bytes, 1000);
    }
}

//! What is known of the cluster: topics, partitions, leaders, and when to ask again.
//!
//! ```text
//! Unknown ──asked, named──> Known(partitions) ──asked again: newer epochs only──> Known
//!    └──refused (17, 29)──> Refused: told once to those who wait, then asked again on demand
//! ```
//!
//! **Invariants.** A lower leader epoch of the same topic id never replaces a higher one.
//! A topic that an answer leaves out is not forgotten; a partition that it leaves out has no
//! leader until it comes again.
//! One request is in flight at a time; requests forced by trouble are a backoff apart.

mod topic;

use alloc::collections::btree_map::Entry;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use kafka_producer_proto::ErrorCode;
use kafka_producer_proto::messages::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseTopic,
};

use crate::accumulator::{PartitionKey, Refreshes};
use crate::brokers::NodeId;
use crate::config::Config;
use crate::partitioner::Rack;
use crate::retry::Backoff;
use crate::seed::Stream;
use crate::{Instant, TopicHandle};

#[cfg(test)]
pub(crate) use topic::PartitionView;
pub(crate) use topic::TopicView;

/// What a metadata answer changed.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    pub(crate) brokers: Vec<(NodeId, Arc<str>, u16)>,
    /// Partitions in use whose leader or leader epoch is new.
    pub(crate) moved: Vec<PartitionKey>,
    /// Topics that are known now, or have grown.
    pub(crate) ready: Vec<TopicHandle>,
    pub(crate) refused: Vec<TopicHandle>,
    /// Topics that came back under another id.
    pub(crate) recreated: Vec<TopicHandle>,
}

/// What a request in flight asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Asking {
    Everything,
    Newcomers,
    Nothing,
}

/// Kafka's limit on the length of a topic's name.
const MAX_TOPIC_NAME: usize = 249;

/// Whether a topic may have this name, as far as its length goes; the rest the cluster judges.
const fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_TOPIC_NAME
}

/// The cluster as far as it is known.
#[derive(Debug, Hash)]
pub(crate) struct Metadata {
    pub(crate) topics: Vec<TopicView>,
    by_name: BTreeMap<Arc<str>, TopicHandle>,
    brokers: BTreeSet<NodeId>,
    rack: Rack,
    /// Topics to be asked for at once, without backoff.
    newcomers: BTreeSet<TopicHandle>,
    /// Topics that are asked for until they appear.
    unknown: BTreeSet<TopicHandle>,
    /// Partitions with data and without a leader, and since when they wait for one.
    leaderless: BTreeMap<PartitionKey, Instant>,
    asking: Asking,
    /// How often everything was asked for and answered.
    refreshes: u64,
    /// When the last of these answers came.
    refreshed_at: Option<Instant>,
    next: Instant,
    last_sent: Option<Instant>,
    /// Answers in a row that brought nothing new although something is missing.
    fruitless: u32,
    backoff: Backoff,
    max_age: Duration,
    max_idle: Duration,
    max_block: Duration,
}

impl Metadata {
    pub(crate) fn new(now: Instant, config: &Config) -> Self {
        Self {
            topics: Vec::new(),
            by_name: BTreeMap::new(),
            brokers: BTreeSet::new(),
            rack: Rack::new(config),
            newcomers: BTreeSet::new(),
            unknown: BTreeSet::new(),
            leaderless: BTreeMap::new(),
            asking: Asking::Nothing,
            refreshes: 0,
            refreshed_at: None,
            next: now,
            last_sent: None,
            fruitless: 0,
            backoff: Backoff::new(config.retry_backoff, config.retry_backoff_max),
            max_age: config.metadata_max_age,
            max_idle: config.metadata_max_idle,
            max_block: config.max_block,
        }
    }

    /// The handle of a topic that was named before.
    pub(crate) fn find(&self, name: &str) -> Option<TopicHandle> {
        self.by_name.get(name).copied()
    }

    /// The handle of a topic, new or old.
    pub(crate) fn handle(&mut self, now: Instant, name: &str) -> TopicHandle {
        if let Some(&handle) = self.by_name.get(name) {
            return handle;
        }
        let handle = TopicHandle(self.topics.len() as u32);
        let name: Arc<str> = Arc::from(name);
        self.by_name.insert(Arc::clone(&name), handle);
        let refusal = (!is_name(&name)).then_some(ErrorCode::INVALID_TOPIC_EXCEPTION);
        self.topics.push(TopicView::named(now, name, refusal));
        handle
    }

    pub(crate) fn topic(&self, handle: TopicHandle) -> Option<&TopicView> {
        self.topics.get(handle.0 as usize)
    }

    pub(crate) fn topic_mut(&mut self, handle: TopicHandle) -> Option<&mut TopicView> {
        self.topics.get_mut(handle.0 as usize)
    }

    /// Somebody waits for this topic: it is asked for at once, and again until `max.block.ms`
    /// is over.
    pub(crate) fn want(&mut self, now: Instant, handle: TopicHandle) {
        if self.begin_wanting(now, handle) {
            self.newcomers.insert(handle);
        }
    }

    /// Somebody waits for a partition of this topic that it may have by now: it is asked for as
    /// after trouble, a backoff after the last time, and again until `max.block.ms` is over.
    pub(crate) fn want_more(&mut self, now: Instant, handle: TopicHandle, jitter: &mut Stream) {
        self.begin_wanting(now, handle);
        self.refresh(now, jitter);
    }

    /// Says whether nobody has waited for it so far.
    fn begin_wanting(&mut self, now: Instant, handle: TopicHandle) -> bool {
        let until = now + self.max_block;
        let topic = self.topics.get_mut(handle.0 as usize);
        let Some(topic) = topic.filter(|topic| topic.can_be_asked_for()) else {
            return false;
        };
        topic.used = now;
        topic.wanted_until = until;
        topic.refusal = None;
        self.unknown.insert(handle)
    }

    /// Something is wrong with what is known: ask everything again, a backoff after the last
    /// time.
    pub(crate) fn refresh(&mut self, now: Instant, jitter: &mut Stream) {
        let soonest = match self.last_sent {
            Some(sent) => now.max(sent + self.backoff.delay(self.fruitless, jitter)),
            None => now,
        };
        self.next = self.next.min(soonest);
    }

    /// Whether any broker has ever named brokers.
    pub(crate) fn is_informed(&self) -> bool {
        !self.brokers.is_empty()
    }

    /// How often everything was asked for and answered, and which answer a request that is yet to
    /// be sent will bring.
    pub(crate) const fn refreshes(&self) -> Refreshes {
        let done = self.refreshes;
        let next = match self.asking {
            Asking::Everything => done + 2,
            Asking::Newcomers | Asking::Nothing => done + 1,
        };
        Refreshes { done, next }
    }

    /// When everything was last answered.
    pub(crate) const fn refreshed_at(&self) -> Option<Instant> {
        self.refreshed_at
    }

    /// Since when a partition waits for a leader.
    pub(crate) fn leaderless_since(&self, key: PartitionKey) -> Option<Instant> {
        self.leaderless.get(&key).copied()
    }

    /// A partition has data and no leader: it is asked for until it has one.
    pub(crate) fn want_leader(&mut self, now: Instant, key: PartitionKey, jitter: &mut Stream) {
        if let Entry::Vacant(entry) = self.leaderless.entry(key) {
            entry.insert(now);
            self.refresh(now, jitter);
        }
    }

    /// A partition has a leader, or nothing to send.
    pub(crate) fn unwant_leader(&mut self, key: PartitionKey) {
        self.leaderless.remove(&key);
    }

    /// When the next request is due; `None` while one is in flight.
    pub(crate) fn due_at(&self) -> Option<Instant> {
        match self.asking {
            Asking::Nothing if self.newcomers.is_empty() => Some(self.next),
            Asking::Nothing => Some(Instant::ORIGIN),
            Asking::Everything | Asking::Newcomers => None,
        }
    }

    /// The request that is due. New topics alone go at once; anything else asks for all.
    pub(crate) fn request(&mut self, now: Instant, version: i16) -> MetadataRequest {
        let partial = !self.newcomers.is_empty() && now < self.next;
        let newcomers = core::mem::take(&mut self.newcomers);
        let names: Vec<String> = if partial {
            self.asking = Asking::Newcomers;
            newcomers
                .iter()
                .filter_map(|&handle| self.name(handle))
                .collect()
        } else {
            self.asking = Asking::Everything;
            self.last_sent = Some(now);
            self.in_use(now)
        };
        let topics = names
            .into_iter()
            .map(|name| MetadataRequestTopic {
                name: Some(name),
                ..Default::default()
            })
            .collect();
        debug_assert!(1 <= version, "version 0 cannot ask for no topic");
        MetadataRequest {
            topics: Some(topics),
            ..MetadataRequest::default()
        }
    }

    /// The request was lost or its answer is of no use.
    pub(crate) fn failed(&mut self, now: Instant, jitter: &mut Stream) {
        self.asking = Asking::Nothing;
        self.fruitless = self.fruitless.saturating_add(1);
        self.next = now + self.backoff.delay(self.fruitless - 1, jitter);
        self.last_sent = Some(now);
    }

    /// Takes over an answer.
    pub(crate) fn apply(
        &mut self,
        now: Instant,
        version: i16,
        response: &MetadataResponse,
        jitter: &mut Stream,
    ) -> Applied {
        let asked = core::mem::replace(&mut self.asking, Asking::Nothing);
        let mut applied = Applied::default();
        for broker in &response.brokers {
            if let Ok(port) = u16::try_from(broker.port) {
                if 0 <= broker.node_id {
                    let host = Arc::from(broker.host.as_str());
                    applied.brokers.push((NodeId(broker.node_id), host, port));
                }
            }
        }
        self.brokers = applied.brokers.iter().map(|(node, ..)| *node).collect();
        self.rack.learn(response);
        for topic in &response.topics {
            self.apply_topic(version, topic, &mut applied);
        }
        self.plan(now, asked, &applied, jitter);
        applied
    }

    /// Decides when to ask again.
    fn plan(&mut self, now: Instant, asked: Asking, applied: &Applied, jitter: &mut Stream) {
        let topics = &self.topics;
        self.unknown.retain(|handle| {
            topics
                .get(handle.0 as usize)
                .is_some_and(|topic| topic.is_wanting() && now < topic.wanted_until)
        });
        let progress = !applied.ready.is_empty() || !applied.moved.is_empty();
        self.fruitless = if progress {
            0
        } else {
            self.fruitless.saturating_add(1)
        };
        if asked == Asking::Everything {
            self.refreshes += 1;
            self.refreshed_at = Some(now);
            self.next = now + self.max_age;
        }
        if self.unknown.is_empty() && self.leaderless.is_empty() {
            self.fruitless = 0;
        } else {
            let failures = self.fruitless.saturating_sub(1);
            self.next = self.next.min(now + self.backoff.delay(failures, jitter));
        }
    }

    fn apply_topic(&mut self, version: i16, answer: &MetadataResponseTopic, applied: &mut Applied) {
        let Some(&handle) = answer
            .name
            .as_deref()
            .and_then(|name| self.by_name.get(name))
        else {
            return;
        };
        let Some(topic) = self.topics.get_mut(handle.0 as usize) else {
            return;
        };
        match answer.error_code {
            ErrorCode::NONE => {}
            ErrorCode::INVALID_TOPIC_EXCEPTION | ErrorCode::TOPIC_AUTHORIZATION_FAILED => {
                topic.refusal = Some(answer.error_code);
                self.unknown.remove(&handle);
                applied.refused.push(handle);
                return;
            }
            // Creation or election is on its way, or the broker lags: the old view stays.
            _ => return,
        }
        if !topic.id.is_zero() && !answer.topic_id.is_zero() && topic.id != answer.topic_id {
            if answer.partitions.is_empty() {
                // Its creation is not over: a topic has a partition at least.
                return;
            }
            topic.begin_anew(answer.partitions.len(), &mut applied.moved);
            applied.recreated.push(handle);
        }
        if !answer.topic_id.is_zero() {
            topic.id = answer.topic_id;
        }
        topic.refusal = None;
        let before = topic.partitions.len();
        topic.apply_partitions(version, answer, &self.brokers, &mut applied.moved);
        topic.sort_out(&self.rack);
        if before < topic.partitions.len() {
            applied.ready.push(handle);
        }
    }

    /// A broker that refuses a partition tells who leads it. Gives the partition if that is news:
    /// a newer epoch, and a broker whose address is known (KIP-951).
    pub(crate) fn apply_hint(
        &mut self,
        topic: TopicHandle,
        index: u32,
        (leader, epoch): (NodeId, i32),
    ) -> Option<PartitionKey> {
        if !self.brokers.contains(&leader) {
            return None;
        }
        let view = self.topics.get_mut(topic.0 as usize)?;
        view.apply_hint(index, leader, epoch, &self.rack)
    }

    /// A broker has been named beside an answer: its address is known.
    pub(crate) fn meet(&mut self, node: NodeId) {
        self.brokers.insert(node);
    }

    fn name(&self, handle: TopicHandle) -> Option<String> {
        self.topic(handle).map(|topic| String::from(&*topic.name))
    }

    /// The topics that were used of late, or that somebody waits for.
    fn in_use(&self, now: Instant) -> Vec<String> {
        let idle_since = now - self.max_idle;
        self.topics
            .iter()
            .filter(|topic| topic.can_be_asked_for())
            .filter(|topic| {
                idle_since <= topic.used || now < topic.wanted_until || self.has_leaderless(topic)
            })
            .map(|topic| String::from(&*topic.name))
            .collect()
    }

    /// Whether batches of the topic wait for a leader.
    fn has_leaderless(&self, topic: &TopicView) -> bool {
        !self.leaderless.is_empty()
            && topic
                .used_partitions()
                .any(|key| self.leaderless.contains_key(&key))
    }

    /// A batch of the topic is still being tried: the topic is in use.
    pub(crate) fn touch(&mut self, now: Instant, topic: TopicHandle) {
        if let Some(view) = self.topic_mut(topic) {
            view.touch(now);
        }
    }

    /// How many topics are known.
    pub(crate) fn known_topics(&self) -> usize {
        self.topics
            .iter()
            .filter(|topic| !topic.partitions.is_empty())
            .count()
    }
}

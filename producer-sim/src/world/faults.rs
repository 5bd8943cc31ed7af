//! What goes wrong: the faults F1 to F8, F12 to F14, F16, F25, F26, F30 (honest), F31 and F32 of
//! the verification plan, partitions without a leader, and topics that take small batches only.

use std::collections::BTreeMap;
use std::time::Duration;

use kafka_producer_machine::Instant;
use kafka_producer_proto::{ApiKey, ErrorCode};

use super::World;
use super::distort::{Distortion, Distortions};
use super::goals::Goal;
use super::network::{Fate, Happening, HostEnd};
use crate::cluster::{BrokerId, Injection, Place, TopicConfig};

/// One thing that goes wrong, or right again.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fault {
    /// The next Produce frame breaks its connection here (F1 to F4).
    Break(Fate),
    /// A broker dies and stays away so long (F12).
    Crash(BrokerId, Duration),
    /// A topic is created, as it was before or anew (F25).
    Create(String),
    /// Connections to a broker lose what is sent in a direction (F6, F8).
    Deafen(BrokerId, Way, Duration),
    /// A topic is deleted with its records, and created anew after so long, with as many
    /// partitions (F25).
    Delete(String, u32, Duration),
    /// A partition has no leader for so long.
    Depose {
        topic: String,
        partition: u32,
        span: Duration,
    },
    /// An answer is wrong (F26, F31).
    Distort(Distortion),
    /// A topic gets so many more partitions (F25).
    Grow(String, u32),
    /// A broker answers an error once (F30).
    Inject(Injection),
    /// A partition forgets its producers, as after `producer.id.expiration.ms`.
    Forget { topic: String, partition: u32 },
    /// A partition gets another leader (F16).
    Move {
        topic: String,
        partition: u32,
        to: BrokerId,
    },
    /// A topic takes no batch that is larger, for so long.
    Narrow(String, usize, Duration),
    /// A broker stops looking, and goes on later (F13).
    Pause(BrokerId, Duration),
    /// Connecting to a broker fails so, for so long (F7).
    Refuse(BrokerId, Refusal, Duration),
    /// Every connection is reset (F5).
    Reset,
    /// A leader is elected that lacks the newest records, acknowledged or not.
    Lose {
        topic: String,
        partition: u32,
        to: BrokerId,
        lost: i64,
    },
    /// Retention drops all records of a partition, and on old brokers what it knows of producers.
    Retire { topic: String, partition: u32 },
    /// Followers are slow for so long: REQUEST_TIMED_OUT after the append.
    SlowFollowers(Duration, Duration),
    /// A broker's answers take longer (F14).
    SlowHost(BrokerId, Duration, Duration),
    /// The next Produce request is throttled (F32).
    Throttle(i32),
    /// A broker comes back.
    Restart(BrokerId),
    /// A paused broker goes on.
    Unpause(BrokerId),
    /// Followers are fast again.
    FastFollowers,
    /// A topic takes batches of the usual size again.
    Widen(String),
}

/// Which bytes of a connection get lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Answers,
    Both,
    Requests,
}

/// How connecting fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Nothing ever comes back.
    Silence,
    /// At once.
    Refused,
}

/// What is wrong right now.
#[derive(Debug, Default)]
pub(crate) struct Troubles {
    pub(crate) breaks: Vec<Fate>,
    pub(crate) deaf: BTreeMap<BrokerId, (Way, Instant)>,
    pub(crate) paused: BTreeMap<BrokerId, Instant>,
    pub(crate) refusing: BTreeMap<BrokerId, (Refusal, Instant)>,
    pub(crate) slow: BTreeMap<BrokerId, (Duration, Instant)>,
}

impl Troubles {
    pub(crate) fn is_paused(&self, broker: BrokerId) -> bool {
        self.paused.contains_key(&broker)
    }

    /// Whether bytes of this kind get lost at this broker now.
    pub(crate) fn loses(&self, now: Instant, broker: BrokerId, what: Way) -> bool {
        let lost = self.deaf.get(&broker).filter(|(_, until)| now < *until);
        lost.is_some_and(|&(way, _)| way == Way::Both || way == what)
    }

    pub(crate) fn refusal(&self, now: Instant, broker: BrokerId) -> Option<Refusal> {
        let refusal = self.refusing.get(&broker).filter(|(_, until)| now < *until);
        refusal.map(|&(refusal, _)| refusal)
    }

    pub(crate) fn slowness(&self, now: Instant, broker: BrokerId) -> Duration {
        let slow = self.slow.get(&broker).filter(|(_, until)| now < *until);
        slow.map_or(Duration::ZERO, |&(extra, _)| extra)
    }
}

impl World {
    /// Lets a fault happen.
    pub(crate) fn befall(&mut self, fault: Fault) {
        self.note(format!("{fault:?}"));
        self.is_calm = false;
        self.cluster.advance(self.wall());
        match fault {
            Fault::Create(_)
            | Fault::Delete(..)
            | Fault::Depose { .. }
            | Fault::Forget { .. }
            | Fault::Grow(..)
            | Fault::Lose { .. }
            | Fault::Move { .. }
            | Fault::Narrow(..)
            | Fault::Retire { .. }
            | Fault::Widen(_) => self.befall_topic(fault),
            fault => self.befall_broker(fault),
        }
    }

    /// Something happens to a topic.
    fn befall_topic(&mut self, fault: Fault) {
        let now = self.now;
        match fault {
            Fault::Create(topic) => {
                let count = self.topics.get(&topic).map_or(1, |topic| topic.count);
                self.cluster.create_topic(&topic, count);
            }
            Fault::Delete(topic, count, away) => {
                if self.watch.has_in_flight() {
                    self.ledger.goals.reach(Goal::Recreated);
                }
                if let Some(found) = self.topics.get_mut(&topic) {
                    found.deletions += 1;
                    if count < found.count && 0 < self.ledger.pending() {
                        self.ledger.goals.reach(Goal::Shrunk);
                    }
                    found.count = count;
                    // Whoever asks for it first may create it.
                    self.cluster.knobs.auto_create_partitions = count;
                }
                self.cluster.delete_topic(&topic);
                self.agenda
                    .add(now + away, Happening::Fault(Fault::Create(topic)));
            }
            Fault::Depose {
                topic,
                partition,
                span,
            } => {
                let Some(to) = self.cluster.leader(&topic, partition) else {
                    return;
                };
                self.cluster.depose_leader(&topic, partition);
                self.wake_waiting();
                let back = Fault::Move {
                    topic,
                    partition,
                    to,
                };
                self.agenda.add(now + span, Happening::Fault(back));
            }
            Fault::Forget { .. } | Fault::Lose { .. } | Fault::Retire { .. } => {
                self.befall_memory(fault);
            }
            Fault::Grow(topic, more) => {
                if 0 < self.ledger.pending() {
                    self.ledger.goals.reach(Goal::Grown);
                }
                if let Some(found) = self.topics.get_mut(&topic) {
                    found.count += more;
                    self.cluster.grow_topic(&topic, found.count);
                }
            }
            Fault::Move {
                topic,
                partition,
                to,
            } => self.lead(&topic, partition, to),
            Fault::Narrow(topic, most, span) => {
                self.cluster
                    .configure_topic(&topic, |config| config.max_message_bytes = most);
                self.agenda
                    .add(now + span, Happening::Fault(Fault::Widen(topic)));
            }
            Fault::Widen(topic) => self.widen(&topic),
            _ => {}
        }
    }

    fn widen(&mut self, topic: &str) {
        let usual = TopicConfig::default().max_message_bytes;
        self.cluster
            .configure_topic(topic, |config| config.max_message_bytes = usual);
    }

    /// Something happens to a broker, or on the way to it.
    fn befall_broker(&mut self, fault: Fault) {
        let now = self.now;
        match fault {
            Fault::Break(fate) => self.troubles.breaks.push(fate),
            Fault::Crash(broker, away) => {
                self.crash(broker);
                self.agenda
                    .add(now + away, Happening::Fault(Fault::Restart(broker)));
            }
            Fault::Deafen(broker, way, span) => {
                self.troubles.deaf.insert(broker, (way, now + span));
            }
            Fault::Distort(distortion) => self.distortions.armed.push(distortion),
            Fault::FastFollowers => self.cluster.knobs.replication_delay_ms = 0,
            Fault::Inject(injection) => {
                self.note_injection(injection.error());
                self.cluster.inject(injection);
            }
            Fault::Pause(broker, span) => {
                self.troubles.paused.insert(broker, now + span);
                self.agenda
                    .add(now + span, Happening::Fault(Fault::Unpause(broker)));
            }
            Fault::Refuse(broker, refusal, span) => {
                self.troubles.refusing.insert(broker, (refusal, now + span));
            }
            Fault::Reset => self.reset_all(),
            Fault::Restart(broker) => self.cluster.start_broker(broker),
            Fault::SlowFollowers(delay, span) => {
                let delay = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
                self.cluster.knobs.replication_delay_ms = delay;
                self.agenda
                    .add(now + span, Happening::Fault(Fault::FastFollowers));
            }
            Fault::SlowHost(broker, extra, span) => {
                self.troubles.slow.insert(broker, (extra, now + span));
            }
            Fault::Throttle(millis) => self.cluster.throttle_next(millis),
            Fault::Unpause(broker) => self.end_pause(broker),
            _ => {}
        }
    }

    /// Ends everything that is wrong, so that what can be delivered will be.
    pub fn heal(&mut self) {
        self.note("healed".into());
        self.cluster.advance(self.wall());
        self.cluster.heal();
        self.cluster.knobs.replication_delay_ms = 0;
        let paused: Vec<BrokerId> = self.troubles.paused.keys().copied().collect();
        let deaf: Vec<BrokerId> = self.troubles.deaf.keys().copied().collect();
        self.troubles = Troubles::default();
        self.distortions = Distortions::default();
        for broker in self.broker_ids() {
            self.cluster.start_broker(broker);
        }
        self.heal_topics();
        for broker in paused {
            self.unpause(broker);
        }
        for broker in deaf {
            // What was lost on these connections never comes; TCP would give up as well.
            self.reset_links(broker);
        }
    }

    /// Every topic is there, takes what it used to take, and has leaders.
    fn heal_topics(&mut self) {
        let topics: Vec<(String, u32)> = self
            .topics
            .iter()
            .map(|(name, topic)| (name.clone(), topic.count))
            .collect();
        let first = self.broker_ids().first().copied();
        for (topic, count) in topics {
            self.cluster.create_topic(&topic, count);
            self.cluster.grow_topic(&topic, count);
            self.widen(&topic);
            for partition in 0..count {
                let is_led = self.cluster.leader(&topic, partition).is_some();
                if let Some(to) = first.filter(|_| !is_led) {
                    self.cluster.move_leader(&topic, partition, to);
                }
            }
        }
    }

    /// Ends a pause that is over; a later one may have begun meanwhile.
    fn end_pause(&mut self, broker: BrokerId) {
        let until = self.troubles.paused.get(&broker);
        if until.is_some_and(|&until| until <= self.now) {
            self.unpause(broker);
        }
    }

    pub(crate) fn unpause(&mut self, broker: BrokerId) {
        self.troubles.paused.remove(&broker);
        for id in self.links_of(broker) {
            self.serve(id);
        }
    }

    pub(crate) fn crash(&mut self, broker: BrokerId) {
        self.cluster.advance(self.wall());
        self.cluster.stop_broker(broker);
        for id in self.links_of(broker) {
            if let Some(link) = self.links.get_mut(&id) {
                // A process that is gone executes nothing any more.
                link.requests.clear();
                link.host = HostEnd::Closed;
            }
            self.report_gone(id, "the broker died");
        }
        self.wake_waiting();
    }
}

/// The errors that may be injected without lying: `definite no` codes only where nothing was
/// appended, ambiguous ones in either place.
pub(crate) fn honest_injection(chance: &mut crate::chance::Chance) -> Injection {
    if chance.one_in(10) {
        let code = chance.pick(ErrorCode(31), &FATAL.map(ErrorCode));
        return Injection::new(ApiKey::Produce, code);
    }
    if chance.one_in(6) {
        let codes = &[ErrorCode(15), ErrorCode(16), ErrorCode(7), ErrorCode(31)];
        return Injection::new(ApiKey::InitProducerId, chance.pick(ErrorCode(14), codes));
    }
    if chance.one_in(6) {
        let codes = &[ErrorCode(5), ErrorCode(100)];
        return Injection::new(ApiKey::Metadata, chance.pick(ErrorCode(3), codes));
    }
    let times = u32::try_from(chance.between(1, 3)).unwrap_or(1);
    if chance.one_in(2) {
        let refusals = &REFUSALS.map(ErrorCode);
        let code = chance.pick(ErrorCode(2), refusals);
        return Injection::new(ApiKey::Produce, code).times(times);
    }
    let code = chance.pick(ErrorCode(6), &DOUBTS.map(ErrorCode));
    let place = chance.pick(Place::BeforeAppend, &[Place::AfterAppend]);
    Injection::new(ApiKey::Produce, code)
        .times(times)
        .place(place)
}

/// Codes that end an idempotent producer for good: rare, for a run has little to say after them.
const FATAL: [i16; 4] = [49, 35, 53, 90];
/// Codes that say truthfully that an attempt was not written.
const REFUSALS: [i16; 11] = [10, 17, 18, 19, 32, 42, 45, 47, 59, 87, 29];
/// Codes that leave it open.
const DOUBTS: [i16; 9] = [3, 7, 13, 20, 56, 74, 100, -1, 999];

//! Random runs: a producer with random settings, random records, and a random choice of what goes
//! wrong; then everything is healed, and the oracles speak.

use std::fmt;
use std::time::Duration;

use kafka_producer_machine::{Header, PartitionRule, Purge, Record};
use kafka_producer_proto::ErrorCode;

use super::app::Mood;
use super::distort::Distortion;
use super::faults::{Fault, Refusal, Way, honest_injection};
use super::goals::Goals;
use super::network::{Fate, Happening, Weather};
use super::{Resolution, World};
use crate::chance::Chance;
use crate::cluster::{AutoCreate, BrokerId, DuplicateAnswer, LeaderHints, UnknownProducer};

/// What a random run came to.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Where it came from.
    pub seed: u64,
    /// The producer's settings, and what went wrong.
    pub story: Vec<String>,
    /// What was violated; empty for a sound producer.
    pub violations: Vec<String>,
    /// A number that stands for the whole run.
    pub trace: u64,
    /// How many records were acknowledged.
    pub acked: usize,
    /// How many were accepted.
    pub accepted: u64,
    /// What happened that must happen now and then.
    pub goals: Goals,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "seed {}: {} violations",
            self.seed,
            self.violations.len()
        )?;
        for violation in self.violations.iter().take(20) {
            writeln!(f, "  {violation}")?;
        }
        writeln!(f, "what happened:")?;
        for line in &self.story {
            writeln!(f, "  {line}")?;
        }
        let seed = self.seed;
        write!(
            f,
            "replay: SIM_SEED={seed} cargo test -p kafka-producer-sim --test seeds"
        )
    }
}

/// Runs the world of a seed to its end.
pub fn run_seed(seed: u64) -> Verdict {
    let mut world = world_of(seed);
    let mut chance = Chance::stream(seed, "faults");
    let horizon = Duration::from_millis(chance.pick(500, &[3000, 20_000]));
    plan_workload(&mut world, horizon);
    plan_faults(&mut world, &mut chance, horizon);
    world.run_for(horizon);
    world.heal();
    world.run_until_idle();
    check_alive(&mut world);
    let settings = world
        .settings
        .iter()
        .map(|(name, value)| format!("{name}={value}"));
    let story = settings.chain(world.notes.iter().cloned()).collect();
    let violations = world.violations();
    Verdict {
        seed,
        story,
        violations,
        goals: world.ledger.goals.clone(),
        trace: world.trace(),
        acked: world.acked(),
        accepted: world.ledger.accepted(),
    }
}

/// L1: a healed cluster gets what the producer is given, whatever that has gone through. Its
/// patience may be shorter than its backoff, so it gets a few chances.
fn check_alive(world: &mut World) {
    let topics: Vec<String> = world.topics.keys().cloned().collect();
    for topic in topics {
        let mut last = None;
        let is_delivered = (0..5).any(|_| {
            let id = world.send(&Record::to(&topic).value(b"after all").partition(0));
            world.run_until_idle();
            world.run_for(Duration::from_secs(1));
            last = world.resolution(id).cloned();
            matches!(last, Some(Resolution::Acked { .. }))
        });
        if !is_delivered && !world.is_fatal && world.closes_at.is_none() {
            world
                .ledger
                .violate(format!("L1: after all was healed, a record got {last:?}"));
        }
    }
}

fn world_of(seed: u64) -> World {
    let mut chance = Chance::stream(seed, "settings");
    let brokers = chance.pick(3, &[1, 2]);
    let mut world = World::new(seed).brokers(brokers);
    for topic in ["orders", "users"].iter().take(chance.pick(1, &[2])) {
        world = world.topic(topic, chance.pick(1, &[3, 8]));
    }
    if chance.one_in(4) {
        // Nobody has created it yet.
        world.expect_topic("late", chance.pick(1, &[3]));
    }
    if chance.one_in(2) {
        world.mood = Mood::Fickle;
    }
    for (name, value) in settings(&mut chance) {
        world = world.setting(name, &value);
    }
    for broker in world.broker_ids() {
        let rack = chance.pick("east", &["west"]);
        world.cluster.set_rack(broker, rack);
    }
    world.weather = Weather {
        least_micros: chance.pick(50, &[500]),
        most_micros: chance.pick(2000, &[10_000, 50_000]),
        pieces_one_in: chance.pick(1, &[3, 10]),
    };
    let knobs = &mut world.cluster.knobs;
    let variants = &[
        UnknownProducer::OutOfOrder,
        UnknownProducer::UnknownProducerId,
    ];
    knobs.unknown_producer = chance.pick(UnknownProducer::AnySequence, variants);
    knobs.leader_hints = chance.pick(LeaderHints::Given, &[LeaderHints::Missing]);
    knobs.metadata_lag_ms = chance.pick(0, &[0, 50, 500]);
    let later = |first| AutoCreate::Later {
        delay_ms: 100,
        first: ErrorCode(first),
    };
    knobs.auto_create = chance.pick(AutoCreate::AtOnce, &[later(3), later(5), AutoCreate::Off]);
    knobs.auto_create_partitions = world.topics.get("late").map_or(1, |late| late.count);
    if chance.one_in(8) {
        knobs.duplicates = DuplicateAnswer::DuplicateSequence;
    }
    if chance.one_in(8) {
        knobs.first_epoch = i16::MAX - 1;
    }
    let takes_any = knobs.unknown_producer == UnknownProducer::AnySequence;
    if takes_any && chance.one_in(4) {
        let before_wrap = i32::try_from(chance.below(30)).unwrap_or(0);
        world = world.first_sequence(i32::MAX - before_wrap);
    }
    world
}

fn settings(chance: &mut Chance) -> Vec<(&'static str, String)> {
    let mut settings = Vec::new();
    let mut set = |name, value: u64| settings.push((name, value.to_string()));
    set("linger.ms", chance.pick(5, &[0, 1, 50]));
    set("batch.size", chance.pick(16_384, &[1, 200, 1000]));
    set("buffer.memory", chance.pick(33_554_432, &[20_000, 100_000]));
    set("max.request.size", chance.pick(1_048_576, &[4000]));
    let request_timeout = chance.pick(1000, &[300, 3000]);
    set("request.timeout.ms", request_timeout);
    set(
        "delivery.timeout.ms",
        request_timeout * 2 + chance.pick(100, &[3000, 30_000]),
    );
    set("max.block.ms", chance.pick(1000, &[100, 10_000]));
    set("retry.backoff.ms", chance.pick(100, &[1, 20]));
    set("retry.backoff.max.ms", 500);
    set("reconnect.backoff.ms", chance.pick(50, &[1, 200]));
    set("reconnect.backoff.max.ms", 500);
    set("socket.connection.setup.timeout.ms", 500);
    set("socket.connection.setup.timeout.max.ms", 1000);
    set("metadata.max.age.ms", chance.pick(300_000, &[200, 2000]));
    if chance.one_in(8) {
        set("request.timeout.grace.ms", 200);
    }
    if chance.one_in(8) {
        set("connections.max.idle.ms", 300);
    }
    let in_flight = chance.pick(5, &[1, 2, 5]);
    set("max.in.flight.requests.per.connection", in_flight);
    set("connections.per.broker", chance.pick(1, &[1, 1, 2, 3]));
    let (acks, idempotent) = chance.pick(
        ("all", "true"),
        &[
            ("all", "true"),
            ("all", "true"),
            ("all", "false"),
            ("1", "false"),
            ("0", "false"),
        ],
    );
    settings.push(("acks", acks.into()));
    settings.push(("enable.idempotence", idempotent.into()));
    if idempotent == "false" && chance.one_in(3) {
        settings.push(("retries", chance.pick("0", &["1", "3"]).into()));
    }
    if chance.one_in(3) && idempotent == "true" {
        settings.push(("data.loss", "stop".into()));
    }
    if (idempotent == "true" || in_flight == 1) && chance.one_in(3) {
        settings.push(("failed.batch", "fail_later".into()));
    }
    settings.push((
        "compression.type",
        chance.pick("none", &["none", "lz4"]).into(),
    ));
    settings.extend(placement(chance));
    settings
}

/// How partitions are chosen, in half of the runs otherwise than by default.
fn placement(chance: &mut Chance) -> Vec<(&'static str, String)> {
    let mut settings = Vec::new();
    if chance.one_in(2) {
        return settings;
    }
    let mut set = |name, value: &str| settings.push((name, value.to_string()));
    let rules = PartitionRule::ALL.map(PartitionRule::name);
    set("partitioner", chance.pick("default", &rules));
    if chance.one_in(4) {
        set("partitioner.ignore.keys", "true");
    }
    if chance.one_in(4) {
        set("partitioner.adaptive.partitioning.enable", "false");
    }
    if chance.one_in(3) {
        let patience = chance.pick("1", &["50", "500"]);
        set("partitioner.availability.timeout.ms", patience);
    }
    if chance.one_in(3) {
        // Each setting must be valid beside those before it.
        set("client.rack", chance.pick("east", &["nowhere"]));
        set("partitioner.rack.aware", "true");
    }
    settings
}

fn plan_workload(world: &mut World, horizon: Duration) {
    let mut chance = Chance::stream(world.seed, "sends");
    let span = u64::try_from(horizon.as_micros()).unwrap_or(u64::MAX);
    let topics = u64::try_from(world.topics.len()).unwrap_or(1);
    for _ in 0..chance.between(5, 60) {
        let at = world.now + moment(&mut chance, span);
        let topic = usize::try_from(chance.below(topics)).unwrap_or(0);
        let count = u32::try_from(chance.between(1, 15)).unwrap_or(1);
        world.agenda.add(at, Happening::Send { topic, count });
    }
    if chance.one_in(4) {
        // One after the other: there is always one that comes while others linger.
        let (start, topic) = (moment(&mut chance, span), chance.below(topics));
        let topic = usize::try_from(topic).unwrap_or(0);
        for turn in 0..100 {
            let at = world.now + start + Duration::from_millis(3 * turn);
            world.agenda.add(at, Happening::Send { topic, count: 1 });
        }
    }
    let mut chance_of_many = Chance::stream(world.seed, "many sends");
    if world.rules.compresses && chance_of_many.one_in(3) {
        // Enough to fill batches, so that it is learned how well they compress.
        let chance = &mut chance_of_many;
        let (start, topic) = (moment(chance, span), chance.below(topics));
        let topic = usize::try_from(topic).unwrap_or(0);
        for turn in 0..40 {
            let at = world.now + start + Duration::from_millis(6 * turn);
            world.agenda.add(at, Happening::Send { topic, count: 30 });
        }
    }
    if chance.one_in(6) {
        let at = world.now + Duration::from_micros(chance.below(span));
        let limit = Duration::from_millis(chance.pick(0, &[1, 300, 60_000]));
        world.agenda.add(at, Happening::Close(limit));
    }
}

/// Some time within the span, a quarter of the times early: beginnings are fragile.
fn moment(chance: &mut Chance, span: u64) -> Duration {
    let span = if chance.one_in(4) {
        span.min(100_000)
    } else {
        span
    };
    Duration::from_micros(chance.below(span))
}

/// Each kind of fault is armed in half of the runs, a quarter of the runs know at most three, and
/// some none: what hides behind a storm shows in a breeze.
fn plan_faults(world: &mut World, chance: &mut Chance, horizon: Duration) {
    let mut kinds: Vec<u64> = (0..KINDS).filter(|_| chance.one_in(2)).collect();
    if chance.one_in(4) {
        kinds.truncate(usize::try_from(chance.below(4)).unwrap_or(0));
    }
    let span = u64::try_from(horizon.as_micros()).unwrap_or(u64::MAX);
    for kind in kinds {
        for _ in 0..chance.between(1, 4) {
            let fault = fault_of(world, chance, kind);
            let at = world.now + moment(chance, span);
            world.agenda.add(at, Happening::Fault(fault));
        }
    }
}

fn fault_of(world: &World, chance: &mut Chance, kind: u64) -> Fault {
    let brokers = world.broker_ids();
    let broker = chance.pick(BrokerId(0), brokers.get(1..).unwrap_or_default());
    let millis = |chance: &mut Chance, most| Duration::from_millis(chance.between(1, most));
    match kind {
        0 => Fault::Break(Fate::InsideRequest),
        1 => Fault::Break(Fate::BeforeApply),
        2 => Fault::Break(Fate::AfterApply),
        3 => Fault::Break(Fate::InsideAnswer),
        4 => Fault::Reset,
        5 => {
            let way = chance.pick(Way::Both, &[Way::Answers, Way::Requests]);
            Fault::Deafen(broker, way, millis(chance, 2000))
        }
        6 => {
            let refusal = chance.pick(Refusal::Refused, &[Refusal::Silence]);
            Fault::Refuse(broker, refusal, millis(chance, 2000))
        }
        7 => Fault::Crash(broker, millis(chance, 3000)),
        8 => Fault::Pause(broker, millis(chance, 2500)),
        9 => {
            let extra = Duration::from_millis(chance.pick(299, &[300, 301, 999, 1000, 1001, 50]));
            Fault::SlowHost(broker, extra, millis(chance, 2000))
        }
        11 => Fault::Inject(honest_injection(chance)),
        12 => Fault::Throttle(chance.pick(1, &[50, 400, -1])),
        13 => {
            let delay = Duration::from_millis(chance.pick(20, &[200, 5000]));
            Fault::SlowFollowers(delay, millis(chance, 3000))
        }
        14 => Fault::Distort(chance.pick(Distortion::EntryMissing, &[Distortion::EntryTwice])),
        15 => Fault::Distort(Distortion::Twice),
        16 => {
            let others = &[Distortion::PartitionMissing, Distortion::TopicMissing];
            Fault::Distort(chance.pick(Distortion::Stale, others))
        }
        _ => topic_fault_of(world, chance, kind, broker),
    }
}

/// What goes wrong with a topic, or happens to it.
fn topic_fault_of(world: &World, chance: &mut Chance, kind: u64, broker: BrokerId) -> Fault {
    let names: Vec<&str> = world.topics.keys().map(String::as_str).collect();
    let topic = chance.pick("orders", &names);
    let count = u64::from(world.cluster.partition_count(topic).unwrap_or(1));
    let partition = u32::try_from(chance.below(count)).unwrap_or(0);
    let span = Duration::from_millis(chance.between(1, 2000));
    let topic = topic.to_owned();
    match kind {
        17 => {
            let count = u32::try_from(count).unwrap_or(1);
            let anew = chance.pick(count, &[1, count.div_ceil(2), count + 2]);
            Fault::Delete(topic, anew, span / 4)
        }
        18 => Fault::Depose {
            topic,
            partition,
            span,
        },
        19 => Fault::Grow(topic, chance.pick(1, &[3])),
        20 => Fault::Narrow(topic, chance.pick(300, &[1000]), span),
        21 => Fault::Forget { topic, partition },
        22 => Fault::Lose {
            topic,
            partition,
            to: broker,
            lost: i64::from(chance.pick(1, &[5, 100])),
        },
        23 => Fault::Retire { topic, partition },
        _ => Fault::Move {
            topic,
            partition,
            to: broker,
        },
    }
}

const KINDS: u64 = 24;

impl World {
    /// Hands in random records.
    pub(crate) fn send_some(&mut self, topic: usize, count: u32) {
        let Some(topic) = self.topics.keys().nth(topic).cloned() else {
            return;
        };
        let partitions = u64::from(self.cluster.partition_count(&topic).unwrap_or(1));
        for _ in 0..count {
            let mut value = self.random_bytes();
            if self.rules.compresses && value.first().is_some_and(|first| first % 2 == 0) {
                // It compresses well.
                value.fill(b'v');
            }
            let key = self.random_bytes();
            let chance = &mut self.workload;
            let partition = u32::try_from(chance.below(partitions)).unwrap_or(0);
            let headers = [
                Header {
                    key: "h",
                    value: Some(b"x"),
                },
                Header {
                    key: "",
                    value: None,
                },
            ];
            let mut record = Record::to(&topic);
            record.value = (!chance.one_in(10)).then_some(&value);
            record.key = chance.one_in(3).then_some(&key);
            record.partition = chance.one_in(2).then_some(partition);
            record.headers = if chance.one_in(5) { &headers } else { &[] };
            self.send(&record);
        }
        if self.workload.one_in(10) {
            self.flush();
        }
        if self.workload.one_in(60) {
            let what = self.workload.pick(Purge::Unsent, &[Purge::Everything]);
            self.purge(what);
        }
    }

    fn random_bytes(&mut self) -> Vec<u8> {
        let most = self.workload.pick(10, &[0, 100, 2000]);
        let length = self.workload.between(0, most);
        (0..length)
            .map(|_| self.workload.next_u64().to_be_bytes()[0])
            .collect()
    }
}

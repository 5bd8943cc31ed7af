//! Every state of a waiter with every input, together with what is set aside for it, as a table.

extern crate std;

use alloc::format;
use alloc::string::String;
use core::fmt::Write as _;

use expect_test::expect_file;

use super::*;
use crate::accumulator::{Budget, Claim};

const SICK: NodeId = NodeId(1);
const TOPIC: TopicHandle = TopicHandle(3);
const KIB: usize = 1024;
const SHORTAGE: Shortage = Shortage {
    bytes: KIB,
    partition: None,
};

/// A waiter, and one that came later.
struct Line {
    waiters: Waiters,
    budget: Budget,
    id: WaiterId,
    later: WaiterId,
}

impl Line {
    fn new(wish: Wish) -> Self {
        let mut waiters = Waiters::default();
        Self {
            id: waiters.add(wish, Instant::NEVER),
            later: waiters.add(Wish::Space(SHORTAGE), Instant::NEVER),
            budget: Budget::new(8 * KIB, 2 * KIB, 2 * KIB),
            waiters,
        }
    }

    /// In the order in which it becomes so: it steps aside, comes back alone, is granted room.
    fn after(steps: &[fn(&mut Self)]) -> Self {
        let mut line = Self::new(Wish::Space(SHORTAGE));
        for step in steps {
            step(&mut line);
        }
        line
    }

    fn step_aside(&mut self) {
        let _ = self.waiters.step_aside(self.id, SICK);
    }

    fn send_scout(&mut self) {
        self.waiters.send_scout(SICK, self.id);
    }

    fn grant(&mut self) {
        self.budget.grant(self.id, 2 * KIB);
        self.waiters.tell(self.id);
    }

    fn give_back(&mut self) {
        self.waiters.wait_again(self.id, SHORTAGE);
        self.budget.end_grant(self.id);
    }

    fn cancel(&mut self) {
        self.waiters.remove(self.id);
        self.budget.end_grant(self.id);
    }

    fn use_one(&mut self) {
        let claim = Claim::Waiter(self.id);
        self.budget.take(claim, KIB);
        self.budget.release(KIB);
    }

    /// The state, what is set aside, and whose turn it is.
    fn say(&self) -> String {
        let aside = self.budget.total() - self.budget.used() - self.budget.available();
        let first = match self.waiters.first() {
            Some((first, _)) if first == self.id => "it",
            Some((first, _)) if first == self.later => "the later one",
            _ => "nobody",
        };
        format!("{}, {aside} bytes, {first} is first", self.stage())
    }

    fn stage(&self) -> String {
        let Some(waiter) = self.waiters.all.get(&self.id) else {
            return String::from("gone");
        };
        let scout = waiter.scout.map_or("", |_| ", scout");
        match (waiter.wish, waiter.stage) {
            (Wish::Topic(_), _) => String::from("Topic"),
            (Wish::Space(_), Stage::Aside(_)) => format!("Aside{scout}"),
            (Wish::Space(_), stage) => format!("{stage:?}{scout}"),
        }
    }

    fn is_in_line(&self) -> bool {
        self.waiters.queue.contains(&self.id)
    }
}

fn states() -> [Line; 8] {
    let aside = Line::step_aside;
    let told_alone: fn(&mut Line) = |line| line.waiters.tell(line.id);
    [
        Line::new(Wish::Space(SHORTAGE)),
        Line::after(&[Line::grant]),
        Line::after(&[told_alone]),
        Line::after(&[aside]),
        Line::after(&[aside, Line::send_scout]),
        Line::after(&[aside, Line::send_scout, Line::grant]),
        Line::new(Wish::Topic(TOPIC)),
        Line::after(&[Line::cancel]),
    ]
}

type Input = (&'static str, fn(&Line) -> bool, fn(&mut Line) -> String);

/// What came of it, if that is a value.
fn told(what: &impl core::fmt::Debug) -> String {
    format!(", {what:?}")
}

/// Each with the states in which it can come: only who is first in line is granted something or
/// steps aside, and only who was told has room to use or to give back.
const INPUTS: [Input; 12] = [
    ("granted", Line::is_in_line, |line| {
        line.grant();
        String::new()
    }),
    ("told, by another's grant", Line::is_in_line, |line| {
        line.waiters.tell(line.id);
        String::new()
    }),
    (
        "used",
        |line| line.waiters.is_told(line.id),
        |line| {
            line.use_one();
            String::new()
        },
    ),
    (
        "given back",
        |line| line.waiters.is_told(line.id),
        |line| {
            line.give_back();
            String::new()
        },
    ),
    (
        "cancelled",
        |_| true,
        |line| {
            line.cancel();
            String::new()
        },
    ),
    (
        "expired",
        |_| true,
        |line| told(&line.waiters.expire(line.id)),
    ),
    ("its broker is sick", Line::is_in_line, |line| {
        line.step_aside();
        String::new()
    }),
    (
        "its broker may hold more",
        |line| line.waiters.next_scout(SICK).is_some(),
        |line| {
            line.send_scout();
            String::new()
        },
    ),
    (
        "its broker is heard",
        |_| true,
        |line| {
            line.waiters.call_back(SICK);
            String::new()
        },
    ),
    (
        "news of its topic",
        |_| true,
        |line| told(&line.waiters.take_topic(TOPIC).len()),
    ),
    ("closed", |_| true, |line| told(&line.waiters.wake(line.id))),
    (
        "another one comes",
        |_| true,
        |line| {
            line.waiters.add(Wish::Space(SHORTAGE), Instant::NEVER);
            String::new()
        },
    ),
];

#[test]
fn every_waiter_with_every_input() {
    let mut table = String::new();
    for (name, can_come, input) in INPUTS {
        for mut line in states().into_iter().filter(can_come) {
            let before = line.say();
            let what = input(&mut line);
            let after = line.say();
            writeln!(table, "{before}: {name} -> {after}{what}").expect("a string takes it");
        }
    }
    expect_file!["table.txt"].assert_eq(&table);
}

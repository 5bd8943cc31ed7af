//! A deterministic test of an application: a ledger of payments must hold whatever the cluster
//! does to its records.
//!
//! Runs by itself, in virtual time: `cargo run --example simulated`, or one seed again with
//! `cargo run --example simulated -- 7`. In a real project this is a `#[test]`.

use std::time::Duration;

use anyhow::Context;

use kafka_producer::{Outcome, Record};
use kafka_producer_sim::world::{RecordId, Resolution, World};

/// What the application does: a payment is booked once its record is in the log, and given back
/// once it is certain that it never will be. What is uncertain is kept for a person to look at.
#[derive(Debug, Default, PartialEq)]
struct Ledger {
    booked: u32,
    given_back: u32,
    uncertain: u32,
}

impl Ledger {
    fn settle(&mut self, resolution: &Resolution) {
        match resolution {
            Resolution::Acked { .. } => self.booked += 1,
            Resolution::Failed {
                outcome: Outcome::NotWritten,
                ..
            } => self.given_back += 1,
            Resolution::Failed { .. } => self.uncertain += 1,
        }
    }
}

fn main() -> anyhow::Result<()> {
    let seeds = match std::env::args().nth(1).map(|seed| seed.parse::<u64>()) {
        Some(Ok(seed)) => vec![seed],
        _ => (0..20).collect(),
    };
    for seed in seeds {
        let ledger = run(seed)?;
        eprintln!("seed {seed}: {ledger:?}");
    }
    Ok(())
}

/// A day in which brokers stop, connections are cut and leaders move; the same for the same seed.
fn run(seed: u64) -> anyhow::Result<Ledger> {
    let mut world = World::new(seed)
        .brokers(3)
        .topic("payments", 3)
        .setting("delivery.timeout.ms", "40000");
    let mut payments: Vec<RecordId> = Vec::new();
    for round in 0..10_u32 {
        for payment in 0..20 {
            let value = format!("{round}/{payment}");
            let record = Record::to("payments").key("account-7").value(&value);
            payments.push(world.send(&record));
        }
        match (seed + u64::from(round)) % 4 {
            0 => world.broker((round % 3) as i32).stop_answering(),
            1 => world.cut_connections(),
            2 => world.move_leader("payments", round % 3, (round % 2) as i32),
            _ => world.broker(((round + 1) % 3) as i32).go_on(),
        }
        world.run_for(Duration::from_secs(5));
    }
    for broker in 0..3 {
        world.broker(broker).go_on();
    }
    world.run_until_idle();
    // Nothing that was acknowledged is missing, doubled or out of order.
    world.verify();

    let mut ledger = Ledger::default();
    for payment in &payments {
        let resolution = world
            .resolution(*payment)
            .context("a payment without an end")?;
        ledger.settle(resolution);
    }
    // Money neither vanishes nor appears: what is in the log was booked, or is uncertain.
    let log: usize = (0..3).map(|index| world.log("payments", index).len()).sum();
    let most = ledger.booked + ledger.uncertain;
    assert!(
        (ledger.booked as usize..=most as usize).contains(&log),
        "{log} of {ledger:?}"
    );
    Ok(ledger)
}

//! Random runs.
//!
//! | variable | says |
//! |---|---|
//! | `SIM_SEEDS` | how many |
//! | `SIM_FIRST` | where to begin |
//! | `SIM_SEED` | replay this one |
//! | `SIM_STOP` | name each seed as it begins, and end at the first that breaks a promise |

use std::{env, panic};

use kafka_producer_sim::world::{Goal, Goals, run_seed};

fn number(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

/// In so many runs everything must have happened that must happen now and then.
const ENOUGH: u32 = 400;

#[test]
fn no_seed_breaks_a_promise() {
    let first = number("SIM_FIRST").unwrap_or(0);
    let seeds = match number("SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => first..first + number("SIM_SEEDS").unwrap_or(400),
    };
    let (mut acked, mut accepted, mut broken) = (0, 0, Vec::new());
    let (mut goals, mut runs) = (Goals::default(), 0);
    for seed in seeds {
        if env::var_os("SIM_STOP").is_some() {
            // Whoever waits for the first broken one sees that it goes on.
            println!("seed {seed} begins");
        }
        let Ok(verdict) = panic::catch_unwind(|| run_seed(seed)) else {
            println!("seed {seed}: a panic; replay: SIM_SEED={seed}\n");
            broken.push(seed);
            if env::var_os("SIM_STOP").is_some() {
                break;
            }
            continue;
        };
        runs += 1;
        goals.add(&verdict.goals);
        acked += verdict.acked;
        accepted += verdict.accepted;
        if number("SIM_SEED").is_some() {
            println!("{verdict}\ntrace {:016x}", verdict.trace);
        }
        if !verdict.violations.is_empty() {
            println!("{verdict}\n");
            broken.push(seed);
        }
        if !broken.is_empty() && env::var_os("SIM_STOP").is_some() {
            break;
        }
    }
    println!("{accepted} records accepted, {acked} acknowledged");
    for goal in Goal::ALL {
        println!("{:>8} {goal:?}", goals.count(goal));
    }
    assert!(broken.is_empty(), "seeds that broke a promise: {broken:?}");
    // What never happened was not tested.
    let missed = goals.missed();
    assert!(
        runs < ENOUGH || missed.is_empty(),
        "{missed:?} never happened in {runs} runs"
    );
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in 0..5 {
        assert_eq!(run_seed(seed).trace, run_seed(seed).trace, "seed {seed}");
    }
    assert_ne!(run_seed(0).trace, run_seed(1).trace);
}

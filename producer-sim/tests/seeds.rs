//! Random runs.
//!
//! | variable | says |
//! |---|---|
//! | `SIM_SEEDS` | how many |
//! | `SIM_FIRST` | where to begin |
//! | `SIM_SEED` | replay this one |
//! | `SIM_STOP` | end at the first seed that breaks a promise, whatever its value |

use std::{env, panic};

use kafka_producer_sim::world::run_seed;

fn number(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

#[test]
fn no_seed_breaks_a_promise() {
    let first = number("SIM_FIRST").unwrap_or(0);
    let seeds = match number("SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => first..first + number("SIM_SEEDS").unwrap_or(200),
    };
    let (mut acked, mut accepted, mut broken) = (0, 0, Vec::new());
    for seed in seeds {
        let Ok(verdict) = panic::catch_unwind(|| run_seed(seed)) else {
            println!("seed {seed}: a panic; replay: SIM_SEED={seed}\n");
            broken.push(seed);
            if env::var_os("SIM_STOP").is_some() {
                break;
            }
            continue;
        };
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
    assert!(broken.is_empty(), "seeds that broke a promise: {broken:?}");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in 0..5 {
        assert_eq!(run_seed(seed).trace, run_seed(seed).trace, "seed {seed}");
    }
    assert_ne!(run_seed(0).trace, run_seed(1).trace);
}

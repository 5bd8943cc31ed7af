//! Runs of several clients as a table: the least CPU of each, and ratios within rounds.

use std::fmt;

use crate::bench::Run;
use crate::bench::peer::{FRANZ_GO, LIBRDKAFKA};

/// A row a client, a run a round.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<(&'static str, Vec<Run>)>,
}

impl Table {
    pub(crate) fn new(names: impl Iterator<Item = &'static str>) -> Self {
        let rows = names.map(|name| (name, Vec::new())).collect();
        Self { rows }
    }

    pub(crate) fn enter(&mut self, row: usize, run: Run) {
        self.rows[row].1.push(run);
    }

    /// The median over rounds of what a row's CPU is to that of the named one in the same round.
    fn ratio(&self, row: &[Run], named: &str) -> Option<f64> {
        let (_, others) = self.rows.iter().find(|(name, _)| *name == named)?;
        let pairs = row.iter().zip(others);
        median(pairs.map(|(run, other)| run.cpu / other.cpu).collect())
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<27}{:>9}{:>9}{:>14}{:>12}{:>9}{:>9}{:>10}",
            "", "CPU ns", "CPU ns", "CPU ×", "CPU ×", "M rec/s", "bytes", "batches"
        )?;
        writeln!(
            f,
            "{:<27}{:>9}{:>9}{:>14}{:>12}{:>9}{:>9}{:>10}",
            "", "least", "median", "librdkafka", "franz-go", "best", "a batch", "a request"
        )?;
        let shown = |number: Option<f64>, digits: usize| {
            number.map_or("–".into(), |number| format!("{number:.digits$}"))
        };
        for (name, runs) in &self.rows {
            let last = runs.last().and_then(|run| run.fill);
            let speed = runs.iter().map(|run| run.speed / 1e6).reduce(f64::max);
            writeln!(
                f,
                "{name:<27}{:>9}{:>9}{:>14}{:>12}{:>9}{:>9}{:>10}",
                shown(runs.iter().map(|run| run.cpu).reduce(f64::min), 0),
                shown(median(runs.iter().map(|run| run.cpu).collect()), 0),
                shown(self.ratio(runs, LIBRDKAFKA), 2),
                shown(self.ratio(runs, FRANZ_GO), 2),
                shown(speed, 2),
                shown(last.map(|(bytes, _)| bytes), 0),
                shown(last.map(|(_, batches)| batches), 1),
            )?;
        }
        Ok(())
    }
}

fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    let upper = *numbers.get(numbers.len() / 2)?;
    let lower = numbers[(numbers.len() - 1) / 2];
    Some(f64::midpoint(lower, upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(cpu: f64) -> Run {
        Run {
            cpu,
            ..Run::default()
        }
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        let mut table = Table::new(["ours", LIBRDKAFKA].into_iter());
        // The machine is half as fast in the second round: the ratio stays.
        for factor in [1.0, 2.0] {
            table.enter(0, run(100.0 * factor));
            table.enter(1, run(400.0 * factor));
        }
        assert_eq!(table.ratio(&table.rows[0].1, LIBRDKAFKA), Some(0.25));
        assert_eq!(table.ratio(&table.rows[0].1, FRANZ_GO), None);
    }

    #[test]
    fn a_median_lies_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0]), Some(2.5));
        assert_eq!(median(vec![]), None);
    }
}

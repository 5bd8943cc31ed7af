//! Names that are not settings: what was probably meant, and what librdkafka calls it.

use alloc::string::ToString;
use alloc::vec::Vec;

use super::error::ConfigError;
use super::librdkafka;
use super::table::{Setting, settings};

/// The error for a name that is in no table.
pub(crate) fn unknown(name: &str) -> ConfigError {
    if let Some((name, advice)) = librdkafka::advice(name) {
        return ConfigError::Foreign { name, advice };
    }
    ConfigError::Unknown {
        name: name.to_string(),
        nearest: nearest(name),
    }
}

/// The known name that takes the fewest edits, if it is close enough to be a slip.
fn nearest(name: &str) -> Option<&'static str> {
    // A name that long is no slip, and comparing costs the product of both lengths.
    if LONGEST < name.len() {
        return None;
    }
    let wanted = name.trim().to_ascii_lowercase();
    if let Some(longer) = settings()
        .map(Setting::name)
        .find(|known| continues(known, &wanted))
    {
        return Some(longer);
    }
    settings()
        .map(Setting::name)
        .map(|known| (distance(&wanted, known), known))
        .min_by_key(|&(edits, _)| edits)
        .filter(|&(edits, known)| edits <= known.len().min(wanted.len()) / 3)
        .map(|(_, known)| known)
}

/// Whether `known` is `wanted` with words added, as in `max.in.flight.requests`.
fn continues(known: &str, wanted: &str) -> bool {
    wanted.contains('.')
        && known
            .strip_prefix(wanted)
            .is_some_and(|rest| rest.starts_with('.'))
}

/// How many insertions, deletions and substitutions of bytes lead from `a` to `b`.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.bytes().enumerate() {
        // What stood in the row above, one column to the left.
        let mut diagonal = i;
        let mut previous = i + 1;
        for (cell, right) in row.iter_mut().skip(1).zip(b.bytes()) {
            let substituted = diagonal + usize::from(left != right);
            diagonal = *cell;
            previous = substituted.min(previous + 1).min(diagonal + 1);
            *cell = previous;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

const LONGEST: usize = 100;

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use expect_test::{Expect, expect};

    use super::*;
    use crate::config::testing::wrapped;

    fn check(name: &str, message: Expect) {
        message.assert_eq(&wrapped(&unknown(name).to_string()));
    }

    #[test]
    fn a_slip_is_answered_with_the_nearest_name() {
        check(
            "lingr.ms",
            expect!["unknown setting lingr.ms; did you mean linger.ms?"],
        );
        check(
            "Linger.Ms",
            expect!["unknown setting Linger.Ms; did you mean linger.ms?"],
        );
        check(
            "max.in.flight.requests",
            expect![[r#"
                unknown setting max.in.flight.requests; did you mean
                  max.in.flight.requests.per.connection?"#]],
        );
        check(
            "bootstrap.server",
            expect![[r#"
                unknown setting bootstrap.server; did you mean
                  bootstrap.servers?"#]],
        );
        check("ack", expect!["unknown setting ack; did you mean acks?"]);
    }

    #[test]
    fn a_name_like_no_other_is_not_guessed() {
        let far = expect![[r#"
            unknown setting group.instance; names are those of Kafka's
              producer, such as linger.ms"#]];
        check("group.instance", far);
        check(
            "",
            expect![[r#"
                unknown setting ; names are those of Kafka's producer, such
                  as linger.ms"#]],
        );
    }

    #[test]
    fn librdkafkas_names_are_answered_with_ours() {
        check(
            "queue.buffering.max.ms",
            expect!["queue.buffering.max.ms is librdkafka's name: use linger.ms"],
        );
        check(
            "message.timeout.ms",
            expect![[r#"
                message.timeout.ms is librdkafka's name: use
                  delivery.timeout.ms"#]],
        );
        check(
            "queue.buffering.max.messages",
            expect![[r#"
                queue.buffering.max.messages is librdkafka's name: records
                  are bounded by bytes; use buffer.memory"#]],
        );
    }

    #[test]
    fn distance_counts_edits() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("same", "same"), 0);
    }
}

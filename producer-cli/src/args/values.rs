//! The values of flags that are more than a number or a path.

/// The rate that `perf` stays below.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Throughput {
    /// Records per second, above zero.
    Limited(f64),
    Unlimited,
}

pub(super) fn throughput(text: &str) -> Result<Throughput, String> {
    match text.parse::<f64>() {
        Ok(-1.0) => Ok(Throughput::Unlimited),
        Ok(rate) if 0.0 < rate && rate.is_finite() => Ok(Throughput::Limited(rate)),
        _ => Err("expected records per second above 0, or -1 for no limit".to_string()),
    }
}

/// A number of bytes. Java's tools take no units either.
pub(super) fn bytes(text: &str) -> Result<usize, String> {
    let number = text.parse();
    number.map_err(|_| "expected a number of bytes without a unit, as 10485760".to_string())
}

/// A partition: Kafka numbers them with an `int32`.
pub(super) fn partition(text: &str) -> Result<u32, String> {
    match text.parse::<i32>().map(u32::try_from) {
        Ok(Ok(partition)) => Ok(partition),
        _ => Err(format!(
            "expected a partition from 0 to {}; leave the flag out to let the producer choose",
            i32::MAX
        )),
    }
}

pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_string(), value.to_string())),
        _ => Err("expected a name and a value with = between them".to_string()),
    }
}

pub(super) fn topic(text: &str) -> Result<(String, u32), String> {
    let (name, partitions) = text.split_once(':').unwrap_or((text, "1"));
    match partitions.parse() {
        Ok(count @ 1..=100_000) => {
            legal_topic(name)?;
            Ok((name.to_string(), count))
        }
        _ => Err("expected NAME or NAME:PARTITIONS, with 1 to 100000 partitions".to_string()),
    }
}

/// Refuses what no broker would take for a topic's name (`Topic.validate`).
pub(crate) fn legal_topic(name: &str) -> Result<(), String> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if matches!(name.len(), 1..=249) && !matches!(name, "." | "..") && name.bytes().all(legal) {
        return Ok(());
    }
    Err(format!(
        "{name:?} is no name of a topic: expected 1 to 249 ASCII letters, digits, '.', '_' and \
         '-', and neither \".\" nor \"..\""
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_may_hold_the_sign_that_ends_the_name() {
        assert_eq!(
            pair("key.separator=="),
            Ok(("key.separator".into(), "=".into()))
        );
        assert!(pair("=x").is_err());
        assert!(pair("x").is_err());
    }

    #[test]
    fn bytes_have_no_unit() {
        assert_eq!(bytes("10485760"), Ok(10_485_760));
        for text in ["10MB", "-1", ""] {
            let expected = "expected a number of bytes without a unit, as 10485760";
            assert_eq!(bytes(text), Err(expected.to_string()));
        }
    }

    #[test]
    fn a_partition_is_an_int32_that_is_not_negative() {
        assert_eq!(partition("0"), Ok(0));
        assert_eq!(partition("2147483647"), Ok(i32::MAX as u32));
        for text in ["-1", "2147483648", "x"] {
            let problem = partition(text).unwrap_err();
            assert!(problem.starts_with("expected a partition from 0 to 2147483647"));
        }
    }

    #[test]
    fn a_throughput_of_nothing_is_refused() {
        assert!(throughput("0").is_err());
        assert!(throughput("NaN").is_err());
        assert!(throughput("inf").is_err());
        assert!(throughput("-2").is_err());
        assert_eq!(throughput("-1"), Ok(Throughput::Unlimited));
        assert_eq!(throughput("0.5"), Ok(Throughput::Limited(0.5)));
    }

    #[test]
    fn a_topic_may_say_how_many_partitions_it_has() {
        assert_eq!(topic("orders:6"), Ok(("orders".into(), 6)));
        assert_eq!(topic("orders"), Ok(("orders".into(), 1)));
        assert!(topic("orders:0").is_err());
        assert!(topic(":6").is_err());
        assert!(topic("a b").is_err());
        assert!(topic("..").is_err());
    }
}

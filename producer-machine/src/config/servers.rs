//! `bootstrap.servers`: where to ask first.

use alloc::format;
use alloc::string::String;
#[cfg(test)]
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::error::ConfigError;

/// The addresses of a list, each once and in order.
/// Duplicates are dropped with a warning (KIP-1161).
pub(crate) fn parse(
    entries: &[String],
    warnings: &mut Vec<String>,
) -> Result<Vec<(Arc<str>, u16)>, ConfigError> {
    let mut servers: Vec<(Arc<str>, u16)> = Vec::new();
    for entry in entries {
        let (host, port) = parse_entry(entry).map_err(|problem| ConfigError::BootstrapServer {
            entry: entry.clone(),
            problem,
        })?;

        let known =
            |server: &(Arc<str>, u16)| server.1 == port && server.0.eq_ignore_ascii_case(host);
        if servers.iter().any(known) {
            warnings.push(format!(
                "bootstrap.servers names {entry} twice; it counts once"
            ));
        } else {
            servers.push((host.into(), port));
        }
    }
    if servers.is_empty() {
        return Err(ConfigError::Missing {
            setting: "bootstrap.servers",
            advice: "name at least one broker as host:port",
        });
    }
    Ok(servers)
}

/// One address as a properties file holds it.
#[cfg(test)]
pub(crate) fn to_text((host, port): &(Arc<str>, u16)) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        [host, &*port.to_string()].join(":")
    }
}

fn parse_entry(entry: &str) -> Result<(&str, u16), &'static str> {
    if entry.is_empty() {
        return Err("it is empty");
    }
    if entry.contains("://") {
        return Err("a scheme has no place here");
    }
    let (host, port) = entry.rsplit_once(':').ok_or("it has no port")?;
    Ok((parse_host(host)?, parse_port(port)?))
}

fn parse_host(host: &str) -> Result<&str, &'static str> {
    if let Some(rest) = host.strip_prefix('[') {
        let inner = rest.strip_suffix(']').ok_or("its bracket is not closed")?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || ":.%-_".contains(c);
        return match inner {
            inner if !inner.contains(':') => Err("brackets are for IPv6 addresses"),
            inner if !inner.chars().all(allowed) => Err("its address has a character too strange"),
            inner => Ok(inner),
        };
    }
    match host {
        "" => Err("it has no host"),
        host if host.contains(':') => Err("an IPv6 address needs brackets"),
        host if !host
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || ".-_%".contains(c)) =>
        {
            Err("its host has a character that no name has")
        }
        host => Ok(host),
    }
}

fn parse_port(port: &str) -> Result<u16, &'static str> {
    // `parse` alone would take a sign.
    if port.is_empty() || !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("its port is not a number");
    }
    match port.parse() {
        Ok(0) | Err(_) => Err("its port is not between 1 and 65535"),
        Ok(port) => Ok(port),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::config::testing::wrapped;

    fn check(list: &str, outcome: Expect) {
        let entries: Vec<String> = list.split(',').map(String::from).collect();
        let mut warnings = Vec::new();
        let text = match parse(&entries, &mut warnings) {
            Ok(servers) => servers.iter().map(to_text).collect::<Vec<_>>().join(" "),
            Err(error) => error.to_string(),
        };
        let said = [text].into_iter().chain(warnings).collect::<Vec<_>>();
        outcome.assert_eq(&wrapped(&said.join("\n")));
    }

    #[test]
    fn names_and_addresses_are_taken_in_order() {
        check(
            "b.example:9092,10.0.0.1:9093",
            expect!["b.example:9092 10.0.0.1:9093"],
        );
        check(
            "[::1]:9092,[fe80::1%eth0]:1",
            expect!["[::1]:9092 [fe80::1%eth0]:1"],
        );
    }

    #[test]
    fn an_address_that_stands_twice_counts_once() {
        check(
            "a:1,A:1,a:2",
            expect![[r#"
                a:1 a:2
                bootstrap.servers names A:1 twice; it counts once"#]],
        );
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_reason() {
        for (list, problem) in [
            ("", "it is empty"),
            ("a:1,,b:2", "it is empty"),
            ("a", "it has no port"),
            (":9092", "it has no host"),
            ("a:", "its port is not a number"),
            ("a:+1", "its port is not a number"),
            ("a:0", "its port is not between 1 and 65535"),
            ("a:65536", "its port is not between 1 and 65535"),
            ("::1:9092", "an IPv6 address needs brackets"),
            ("[::1:9092", "its bracket is not closed"),
            ("[host]:9092", "brackets are for IPv6 addresses"),
            ("SSL://a:1", "a scheme has no place here"),
            ("a b:1", "its host has a character that no name has"),
        ] {
            let entries: Vec<String> = list.split(',').map(String::from).collect();
            match parse(&entries, &mut Vec::new()) {
                Err(ConfigError::BootstrapServer { problem: found, .. }) => {
                    assert_eq!(found, problem, "{list}");
                }
                other => panic!("{list}: {other:?}"),
            }
        }
        check(
            "a:0",
            expect![[r#"
                bootstrap.servers has the entry "a:0": its port is not
                  between 1 and 65535; write host:port or [ipv6]:port"#]],
        );
    }
}

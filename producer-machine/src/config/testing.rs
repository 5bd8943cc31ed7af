//! What tests of settings share.

#![cfg(test)]

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use expect_test::Expect;

use super::{Config, ConfigError};

/// The one setting without a default.
pub(super) const SERVERS: (&str, &str) = ("bootstrap.servers", "a:9092");

/// The configuration of these settings and a server.
pub(super) fn config(properties: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::from_properties([SERVERS].into_iter().chain(properties.iter().copied()))
}

/// Compares what comes of the settings: the guarantee and the warnings, or the error.
pub(super) fn check(properties: &[(&str, &str)], outcome: Expect) {
    outcome.assert_eq(&wrapped(&said(properties)));
}

/// What comes of the settings, in one line each.
pub(super) fn said(properties: &[(&str, &str)]) -> String {
    match config(properties) {
        Ok(config) => [format!("{:?}", config.guarantee)]
            .into_iter()
            .chain(config.warnings)
            .collect::<Vec<_>>()
            .join("\n"),
        Err(error) => error.to_string(),
    }
}

/// The text in lines short enough for a source file.
pub(super) fn wrapped(text: &str) -> String {
    let mut lines = String::new();
    for line in text.split('\n') {
        if !lines.is_empty() {
            lines.push('\n');
        }
        let mut column = 0;
        for word in line.split(' ') {
            if column != 0 && 60 < column + word.len() {
                lines.push_str("\n ");
                column = 1;
            }
            if column != 0 {
                lines.push(' ');
            }
            lines.push_str(word);
            column += word.len() + 1;
        }
    }
    lines
}

//! Lists the settings of a producer, from the one table that reads them.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;

use kafka_producer::{Config, Setting};
use serde_json::{Value, json};

use crate::args::{ConfigArgs, Output};
use crate::failure::Failure;

/// Prints the settings that are named, or all of them.
pub(crate) fn run(args: &ConfigArgs) -> Result<ExitCode, Failure> {
    let settings: Vec<&Setting> = if args.names.is_empty() {
        Config::settings().collect()
    } else {
        let named = args.names.iter().map(|name| Setting::named(name));
        named
            .collect::<Result<_, _>>()
            .map_err(|error| Failure::Usage(error.to_string()))?
    };
    let text = match args.output {
        Output::Json => settings.into_iter().map(line).collect(),
        Output::Text => settings
            .into_iter()
            .map(paragraph)
            .collect::<Vec<_>>()
            .join("\n"),
    };
    // A reader that has seen enough, such as `head`, is no failure.
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::World(format!("stdout cannot be written: {error}")))
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// One JSON object; a default that does not exist is `null`.
fn line(setting: &Setting) -> String {
    let default = match setting.default() {
        "null" => Value::Null,
        default => default.into(),
    };
    let object = json!({
        "name": setting.name(),
        "type": setting.type_name(),
        "default": default,
        "values": setting.values(),
        "about": setting.about(),
        "origin": setting.origin(),
        "support": setting.support().name(),
    });
    format!("{object}\n")
}

fn paragraph(setting: &Setting) -> String {
    let default = match setting.default() {
        "null" => "none",
        "" => "empty",
        default => default,
    };
    let support = setting.support();
    let mut text = format!("{}\n", setting.name());
    for (what, words) in [
        ("meaning", setting.about()),
        ("default", default),
        ("type", setting.type_name()),
        ("values", &setting.values()),
        ("origin", setting.origin()),
    ] {
        let _ = writeln!(text, "    {what:<8} {words}");
    }
    let (name, means) = (support.name(), support.explanation());
    let _ = writeln!(text, "    {:<8} {name}: {means}", "here");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_told_in_a_paragraph() {
        let linger = Setting::named("linger.ms").unwrap();
        let expected = "linger.ms
    meaning  how long a batch may wait to become fuller
    default  5
    type     long
    values   milliseconds, a whole number not below 0
    origin   KIP-1030
    here     supported: it has its effect
";
        assert_eq!(paragraph(linger), expected);
    }

    #[test]
    fn a_default_that_does_not_exist_is_null_and_an_empty_one_is_not() {
        let default = |name| {
            let object: Value = serde_json::from_str(&line(Setting::named(name).unwrap())).unwrap();
            object["default"].clone()
        };
        assert_eq!(default("transactional.id"), Value::Null);
        assert_eq!(default("client.rack"), "");
        assert_eq!(default("retries"), "2147483647");
    }
}

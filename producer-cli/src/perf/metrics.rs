//! The metrics of a run, printed as Kafka's `ToolsUtils.printMetrics` does, to the letter.

use std::fmt::Write as _;

use kafka_producer::{Metric, MetricUnit, Metrics};
use serde_json::{Map, Value, json};

/// Java's table: a line for each metric, by group, name and tags.
pub(crate) fn table(metrics: &Metrics) -> String {
    let mut lines: Vec<(String, String)> = metrics
        .iter()
        .map(|metric| (metric.to_string(), text_of(&metric)))
        .collect();
    lines.extend(metrics.iter().next().map(|any| version(&any)));
    lines.sort();
    let width = lines.iter().map(|(name, _)| name.chars().count()).max();
    let width = width.unwrap_or(0);
    let mut table = format!("\n{:<width$}   Value", "Metric Name");
    for (name, value) in lines {
        // Writing to a string does not fail.
        let _ = write!(table, "\n{name:<width$} : {value}");
    }
    table
}

/// One JSON object a line.
pub(crate) fn json_lines(metrics: &Metrics) -> String {
    let lines = metrics.iter().map(|metric| {
        let tags = metric
            .tags()
            .map(|(name, value)| (name.to_owned(), Value::from(value)));
        let object = json!({
            "type": "metric",
            "group": metric.definition.group.name(),
            "name": metric.definition.name,
            "tags": tags.collect::<Map<_, _>>(),
            // What is not a number is null.
            "value": metric.value,
        });
        object.to_string()
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// As Java's `%.3f`, or `%s` for the one that is a whole number there.
fn text_of(metric: &Metric<'_>) -> String {
    match metric.definition.unit {
        MetricUnit::UnixMilliseconds => format!("{:.0}", metric.value),
        _ => format!("{:.3}", metric.value),
    }
}

/// Java counts the program's version among the metrics.
fn version(metric: &Metric<'_>) -> (String, String) {
    let name = format!("app-info:version:{{client-id={}}}", metric.client_id);
    (name, env!("CARGO_PKG_VERSION").to_owned())
}

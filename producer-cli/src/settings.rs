//! Settings as they are typed: layers of files, properties and flags, the last one wins.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use kafka_producer::{Config, properties};

use crate::failure::Failure;

/// Settings by name; a later one replaces an earlier one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    values: BTreeMap<String, String>,
}

impl Settings {
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.values.insert(name.to_string(), value.to_string());
    }

    pub(crate) fn extend(&mut self, pairs: &[(String, String)]) {
        self.values.extend(pairs.iter().cloned());
    }

    /// Adds what stands in a properties file, if one is named.
    pub(crate) fn load(&mut self, path: Option<&Path>) -> Result<(), Failure> {
        let Some(path) = path else { return Ok(()) };
        let name = path.display();
        let text = fs::read_to_string(path).map_err(|error| {
            Failure::Usage(format!(
                "the configuration file {name} cannot be read: {error}"
            ))
        })?;
        let pairs = properties::parse(&text)
            .map_err(|error| Failure::Usage(format!("the configuration file {name}: {error}")))?;
        self.values.extend(pairs);
        Ok(())
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    pub(crate) fn value(&self, name: &str) -> Option<String> {
        self.values.get(name).cloned()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The producer's configuration; its warnings go to stderr.
    pub(crate) fn into_config(self) -> Result<Config, Failure> {
        let config = Config::from_properties(self.iter())
            .map_err(|error| Failure::Usage(error.to_string()))?;
        for warning in config.warnings() {
            eprintln!("warning: {warning}");
        }
        Ok(config)
    }
}

/// Says that a flag will go away, as Kafka's own tools do.
pub(crate) fn deprecated(old: &str, new: &str) {
    eprintln!("warning: {old} is deprecated: use {new}");
}

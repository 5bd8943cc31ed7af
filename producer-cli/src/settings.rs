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

/// Where a producer's settings are typed, besides the flags that stand for one each.
#[derive(Debug)]
pub(crate) struct Layers<'a> {
    pub(crate) file: Option<&'a Path>,
    /// The file of `--producer.config`.
    pub(crate) old_file: Option<&'a Path>,
    pub(crate) properties: &'a [(String, String)],
    /// A deprecated flag, and what it was given.
    pub(crate) old_properties: (&'static str, &'a [(String, String)]),
}

impl Settings {
    /// Those of a producer that calls itself so: a property beats the file.
    pub(crate) fn of_producer(client_id: &str, layers: &Layers<'_>) -> Result<Self, Failure> {
        let mut settings = Self::default();
        settings.set("client.id", client_id);
        settings.load(layers.file)?;
        if layers.old_file.is_some() {
            deprecated("--producer.config", "--command-config");
            settings.load(layers.old_file)?;
        }
        let (old_flag, old_properties) = layers.old_properties;
        if !old_properties.is_empty() {
            deprecated(old_flag, "--command-property");
        }
        settings.extend(old_properties);
        settings.extend(layers.properties);
        Ok(settings)
    }

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

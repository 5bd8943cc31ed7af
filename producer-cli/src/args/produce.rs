//! The flags of `produce`, and the settings that they stand for.

use std::path::PathBuf;

use clap::ArgAction;

use super::Output;
use super::values::{pair, partition};
use crate::failure::Failure;
use crate::settings::{Layers, Settings, deprecated};

#[derive(Debug, clap::Args)]
pub(crate) struct ProduceArgs {
    /// The file to read; stdin if there is none, or if it is `-`.
    pub(crate) file: Option<PathBuf>,
    /// The topic to produce to.
    #[arg(long)]
    pub(crate) topic: String,
    /// Brokers to ask first.
    #[arg(long, value_name = "HOST:PORT,...")]
    pub(crate) bootstrap_server: Option<String>,
    /// Produce to a simulated cluster in this process, and lose everything at the end.
    #[arg(long, conflicts_with = "bootstrap_server")]
    pub(crate) embedded: bool,
    /// The partition of every record; the producer chooses if it is not given.
    #[arg(
        long, value_name = "N", allow_negative_numbers = true, value_parser = partition
    )]
    pub(crate) partition: Option<u32>,
    /// A header for every record (repeatable).
    #[arg(long = "header", value_name = "KEY=VALUE", value_parser = pair)]
    pub(crate) headers: Vec<(String, String)>,
    /// Wait for each record before the next one is sent.
    #[arg(long)]
    pub(crate) sync: bool,
    /// What stdout carries: nothing, or a JSON object for each record when it completes.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,

    /// How to read a line (repeatable): parse.key, key.separator, parse.headers,
    /// headers.delimiter, headers.separator, headers.key.separator, null.marker, ignore.error.
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) reader_property: Vec<(String, String)>,
    /// A properties file with the same.
    #[arg(long, value_name = "FILE")]
    pub(crate) reader_config: Option<PathBuf>,
    /// Deprecated: use --reader-property.
    #[arg(
        long, value_name = "NAME=VALUE", value_parser = pair, hide = true,
        conflicts_with = "reader_property"
    )]
    pub(crate) property: Vec<(String, String)>,

    /// A setting of the producer (repeatable).
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) command_property: Vec<(String, String)>,
    /// A properties file with settings of the producer.
    #[arg(long, value_name = "FILE")]
    pub(crate) command_config: Option<PathBuf>,
    /// Deprecated: use --command-property.
    #[arg(
        long, value_name = "NAME=VALUE", value_parser = pair, hide = true,
        conflicts_with = "command_property"
    )]
    pub(crate) producer_property: Vec<(String, String)>,
    /// Deprecated: use --command-config.
    #[arg(
        long = "producer.config",
        value_name = "FILE",
        hide = true,
        conflicts_with = "command_config"
    )]
    pub(crate) producer_config: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) shorthands: Shorthands,
}

/// Flags of the console producer that stand for one setting each.
#[derive(Debug, clap::Args)]
pub(crate) struct Shorthands {
    /// none, gzip, snappy, lz4 or zstd; gzip if nothing follows (compression.type).
    #[arg(long, value_name = "CODEC", num_args = 0..=1, default_missing_value = "gzip")]
    compression_codec: Option<String>,
    /// Target bytes of a batch (batch.size).
    #[arg(long, value_name = "BYTES", action = ArgAction::Set, allow_negative_numbers = true)]
    batch_size: Option<String>,
    /// Milliseconds that a batch may wait to become fuller (linger.ms).
    #[arg(long, value_name = "MS", allow_negative_numbers = true)]
    timeout: Option<String>,
    /// all, -1, 1 or 0 (acks).
    #[arg(long, value_name = "ACKS", allow_negative_numbers = true)]
    request_required_acks: Option<String>,
    /// Tries beyond the first (retries).
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true)]
    message_send_max_retries: Option<String>,
    /// Milliseconds before the first retry (retry.backoff.ms).
    #[arg(long, value_name = "MS", allow_negative_numbers = true)]
    retry_backoff_ms: Option<String>,
    /// Milliseconds that a broker may take to answer (request.timeout.ms).
    #[arg(long, value_name = "MS", allow_negative_numbers = true)]
    request_timeout_ms: Option<String>,
    /// Milliseconds that a record may wait for room and metadata (max.block.ms).
    #[arg(long, value_name = "MS", allow_negative_numbers = true)]
    max_block_ms: Option<String>,
    /// Bytes of records that may wait or be in flight (buffer.memory).
    #[arg(long, value_name = "BYTES", allow_negative_numbers = true)]
    max_memory_bytes: Option<String>,
    /// Milliseconds after which metadata is refreshed (metadata.max.age.ms).
    #[arg(long, value_name = "MS", allow_negative_numbers = true)]
    metadata_expiry_ms: Option<String>,
    /// Bytes of the socket's send buffer (send.buffer.bytes).
    #[arg(long, value_name = "BYTES", allow_negative_numbers = true)]
    socket_buffer_size: Option<String>,
}

impl ProduceArgs {
    /// Every setting of the producer: a flag beats a property, a property beats the file.
    pub(crate) fn settings(&self) -> Result<Settings, Failure> {
        let mut settings = Settings::of_producer(
            "console-producer",
            &Layers {
                file: self.command_config.as_deref(),
                old_file: self.producer_config.as_deref(),
                properties: &self.command_property,
                old_properties: ("--producer-property", &self.producer_property),
            },
        )?;
        let flags = &self.shorthands;
        for (name, value) in [
            ("bootstrap.servers", &self.bootstrap_server),
            ("compression.type", &flags.compression_codec),
            ("batch.size", &flags.batch_size),
            ("linger.ms", &flags.timeout),
            ("acks", &flags.request_required_acks),
            ("retries", &flags.message_send_max_retries),
            ("retry.backoff.ms", &flags.retry_backoff_ms),
            ("request.timeout.ms", &flags.request_timeout_ms),
            ("max.block.ms", &flags.max_block_ms),
            ("buffer.memory", &flags.max_memory_bytes),
            ("metadata.max.age.ms", &flags.metadata_expiry_ms),
            ("send.buffer.bytes", &flags.socket_buffer_size),
        ] {
            if let Some(value) = value {
                settings.set(name, value);
            }
        }
        Ok(settings)
    }

    /// Every property of the reader of lines: a property beats the file.
    pub(crate) fn reader_settings(&self) -> Result<Settings, Failure> {
        let mut settings = Settings::default();
        settings.load(self.reader_config.as_deref())?;
        if !self.property.is_empty() {
            deprecated("--property", "--reader-property");
        }
        settings.extend(&self.property);
        settings.extend(&self.reader_property);
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Args, Command};

    fn produce(flags: &[&str]) -> ProduceArgs {
        let line = ["kafka-producer", "produce", "--topic", "t"]
            .iter()
            .chain(flags);
        match Args::try_parse_from(line).unwrap().command {
            Command::Produce(args) => *args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_codec_flag_alone_means_gzip() {
        let codec = |flags| produce(flags).settings().unwrap().value("compression.type");
        assert_eq!(codec(&["--compression-codec"]).as_deref(), Some("gzip"));
        assert_eq!(
            codec(&["--compression-codec", "zstd"]).as_deref(),
            Some("zstd")
        );
        assert_eq!(
            codec(&["--compression-codec", "--sync"]).as_deref(),
            Some("gzip")
        );
        assert_eq!(codec(&[]), None);
    }

    #[test]
    fn a_flag_beats_a_property_and_a_property_beats_the_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "linger.ms=1\nretries=1\nbatch.size=1\n").unwrap();
        let path = file.path().to_str().unwrap();
        let settings = produce(&[
            "--timeout",
            "3",
            "--command-property",
            "linger.ms=2",
            "--command-property",
            "retries=2",
            "--command-config",
            path,
        ])
        .settings()
        .unwrap();
        assert_eq!(settings.value("linger.ms").as_deref(), Some("3"));
        assert_eq!(settings.value("retries").as_deref(), Some("2"));
        assert_eq!(settings.value("batch.size").as_deref(), Some("1"));
    }

    #[test]
    fn every_shorthand_stands_for_its_setting() {
        let settings = produce(&[
            "--bootstrap-server=a:1",
            "--batch-size=2",
            "--timeout=3",
            "--request-required-acks",
            "-1",
            "--message-send-max-retries=5",
            "--retry-backoff-ms=6",
            "--request-timeout-ms=7",
            "--max-block-ms=8",
            "--max-memory-bytes=9",
            "--metadata-expiry-ms=10",
            "--socket-buffer-size=11",
        ])
        .settings()
        .unwrap();
        for (name, value) in [
            ("client.id", "console-producer"),
            ("bootstrap.servers", "a:1"),
            ("batch.size", "2"),
            ("linger.ms", "3"),
            ("acks", "-1"),
            ("retries", "5"),
            ("retry.backoff.ms", "6"),
            ("request.timeout.ms", "7"),
            ("max.block.ms", "8"),
            ("buffer.memory", "9"),
            ("metadata.max.age.ms", "10"),
            ("send.buffer.bytes", "11"),
        ] {
            assert_eq!(settings.value(name).as_deref(), Some(value), "{name}");
        }
    }

    #[test]
    fn deprecated_names_are_taken_for_the_new_ones() {
        let args = produce(&[
            "--producer-property",
            "acks=1",
            "--property",
            "parse.key=true",
        ]);
        assert_eq!(args.settings().unwrap().value("acks").as_deref(), Some("1"));
        let reader = args.reader_settings().unwrap();
        assert_eq!(reader.value("parse.key").as_deref(), Some("true"));
    }
}

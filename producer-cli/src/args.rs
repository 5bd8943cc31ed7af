//! What can be typed, flag by flag.
//!
//! Names are those of Kafka's console producer (`ConsoleProducer`) and performance test
//! (`ProducerPerformance`); defaults are the library's, because the console producer's own ones
//! (3 retries, 1.5 s for a request) lose records.

use std::path::PathBuf;

use clap::{ArgAction, Parser, Subcommand, ValueEnum};

use crate::failure::Failure;
use crate::settings::{Settings, deprecated};

/// Produce to Apache Kafka, measure it, or serve a simulated cluster.
#[derive(Debug, Parser)]
#[command(name = "kafka-producer", version, arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve a simulated cluster on loopback until Ctrl-C or SIGTERM.
    Broker(BrokerArgs),
    /// Measure, with the flags and the output of kafka-producer-perf-test.
    Perf(Box<PerfArgs>),
    /// Produce each line of stdin or of a file as a record, with the flags of
    /// kafka-console-producer.
    Produce(Box<ProduceArgs>),
}

/// What stdout carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// One JSON object a line.
    Json,
    /// Lines for people.
    Text,
}

#[derive(Debug, clap::Args)]
pub(crate) struct BrokerArgs {
    /// How many brokers; they take consecutive ports.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) brokers: u32,
    /// The port of the first broker; 0 lets the system choose every port.
    #[arg(long, default_value_t = 9092)]
    pub(crate) port: u16,
    /// A topic that exists from the start, as NAME or NAME:PARTITIONS (repeatable). Others are
    /// created when they are asked for.
    #[arg(long = "topic", value_name = "NAME:PARTITIONS", value_parser = topic)]
    pub(crate) topics: Vec<(String, u32)>,
    /// How many bytes of records are kept in all; the oldest go first.
    #[arg(long, value_name = "BYTES")]
    pub(crate) retention_bytes: Option<usize>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct PerfArgs {
    /// The topic to produce to.
    #[arg(long)]
    pub(crate) topic: String,
    /// How many records to send.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) num_records: u64,
    /// Records per second to stay below, approximately; -1 is no limit.
    #[arg(long, allow_negative_numbers = true, value_parser = throughput)]
    pub(crate) throughput: Throughput,
    /// Records of that many random letters.
    #[arg(
        long, value_name = "BYTES",
        value_parser = clap::value_parser!(u32).range(1..=i64::from(i32::MAX)),
        required_unless_present_any = ["payload_file", "payload_monotonic"]
    )]
    pub(crate) record_size: Option<u32>,
    /// A file of payloads; each record takes a random one.
    #[arg(long, value_name = "FILE", conflicts_with = "record_size")]
    pub(crate) payload_file: Option<PathBuf>,
    /// What stands between the payloads of the file; `\n` means a new line.
    #[arg(long, value_name = "TEXT", default_value = "\\n")]
    pub(crate) payload_delimiter: String,
    /// Records that hold 0, 1, 2 and so on.
    #[arg(long, conflicts_with_all = ["record_size", "payload_file"])]
    pub(crate) payload_monotonic: bool,
    /// Brokers to ask first. If no property names them either, a simulated cluster is started.
    #[arg(long, value_name = "HOST:PORT,...")]
    pub(crate) bootstrap_server: Option<String>,
    /// Settings of the producer.
    #[arg(long, value_name = "NAME=VALUE", num_args = 1.., value_parser = pair)]
    pub(crate) command_property: Vec<(String, String)>,
    /// A properties file with settings of the producer.
    #[arg(long, value_name = "FILE")]
    pub(crate) command_config: Option<PathBuf>,
    /// Deprecated: use --command-property.
    #[arg(
        long, value_name = "NAME=VALUE", num_args = 1.., value_parser = pair, hide = true,
        conflicts_with = "command_property"
    )]
    pub(crate) producer_props: Vec<(String, String)>,
    /// Deprecated: use --command-config.
    #[arg(
        long = "producer.config",
        value_name = "FILE",
        hide = true,
        conflicts_with = "command_config"
    )]
    pub(crate) producer_config: Option<PathBuf>,
    /// How many records to send before the steady state; it gets a summary of its own.
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub(crate) warmup_records: u64,
    /// Milliseconds between two lines of progress.
    #[arg(
        long, value_name = "MS", default_value_t = 5000,
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    pub(crate) reporting_interval: u64,
    /// What stdout carries.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

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
        long, value_name = "N",
        value_parser = clap::value_parser!(u32).range(..=i64::from(i32::MAX))
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
        let mut settings = Settings::default();
        settings.set("client.id", "console-producer");
        settings.load(self.command_config.as_deref())?;
        if self.producer_config.is_some() {
            deprecated("--producer.config", "--command-config");
            settings.load(self.producer_config.as_deref())?;
        }
        if !self.producer_property.is_empty() {
            deprecated("--producer-property", "--command-property");
        }
        settings.extend(&self.producer_property);
        settings.extend(&self.command_property);

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

impl PerfArgs {
    /// Every setting of the producer: the flag beats a property, a property beats the file.
    pub(crate) fn settings(&self) -> Result<Settings, Failure> {
        let mut settings = Settings::default();
        settings.set("client.id", "perf-producer-client");
        settings.load(self.command_config.as_deref())?;
        if self.producer_config.is_some() {
            deprecated("--producer.config", "--command-config");
            settings.load(self.producer_config.as_deref())?;
        }
        if !self.producer_props.is_empty() {
            deprecated("--producer-props", "--command-property");
        }
        settings.extend(&self.producer_props);
        settings.extend(&self.command_property);
        if let Some(servers) = &self.bootstrap_server {
            settings.set("bootstrap.servers", servers);
        }
        Ok(settings)
    }
}

/// The rate that `perf` stays below.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Throughput {
    /// Records per second, above zero.
    Limited(f64),
    Unlimited,
}

fn throughput(text: &str) -> Result<Throughput, String> {
    match text.parse::<f64>() {
        Ok(-1.0) => Ok(Throughput::Unlimited),
        Ok(rate) if 0.0 < rate && rate.is_finite() => Ok(Throughput::Limited(rate)),
        _ => Err("expected records per second above 0, or -1 for no limit".to_string()),
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_string(), value.to_string())),
        _ => Err("expected NAME=VALUE".to_string()),
    }
}

fn topic(text: &str) -> Result<(String, u32), String> {
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
    use clap::CommandFactory;

    use super::*;

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
    fn the_definition_holds_together() {
        Args::command().debug_assert();
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
    fn perf_takes_many_properties_after_one_flag() {
        let line = "kafka-producer perf --topic t --num-records 9 --record-size 1 --throughput -1 \
                    --command-property linger.ms=10 batch.size=32768";
        let Command::Perf(args) = Args::try_parse_from(line.split(' ').filter(|w| !w.is_empty()))
            .unwrap()
            .command
        else {
            panic!("not perf");
        };
        assert_eq!(args.throughput, Throughput::Unlimited);
        assert_eq!(
            args.settings().unwrap().value("batch.size").as_deref(),
            Some("32768")
        );
    }

    #[test]
    fn perf_wants_exactly_one_kind_of_payload() {
        let parse = |flags: &str| {
            let line =
                format!("kafka-producer perf --topic t --num-records 9 --throughput 5{flags}");
            Args::try_parse_from(line.split(' ')).is_ok()
        };
        assert!(!parse(""));
        assert!(parse(" --record-size 1"));
        assert!(parse(" --payload-monotonic"));
        assert!(parse(" --payload-file x"));
        assert!(!parse(" --record-size 1 --payload-monotonic"));
        assert!(!parse(" --payload-file x --payload-monotonic"));
        assert!(!parse(" --record-size 0"));
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

//! What can be typed, flag by flag.
//!
//! Names are those of Kafka's console producer (`ConsoleProducer`) and performance test
//! (`ProducerPerformance`); defaults are the library's, because the console producer's own ones
//! (3 retries, 1.5 s for a request) lose records.

mod produce;
mod values;

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

pub(crate) use produce::ProduceArgs;
pub(crate) use values::{Throughput, legal_topic};

use crate::failure::Failure;
use crate::settings::{Layers, Settings};
use values::{bytes, pair, throughput, topic};

/// Produce to Apache Kafka, measure it, or serve a simulated cluster.
#[derive(Debug, Parser)]
#[command(name = "kafka-producer", version, arg_required_else_help = true)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve a simulated cluster on loopback until Ctrl-C or SIGTERM.
    Broker(BrokerArgs),
    /// List the settings of a producer: default, valid values, meaning, origin, and support.
    Config(ConfigArgs),
    /// Measure, with the flags and the output of kafka-producer-perf-test.
    #[command(after_help = SIGNALS)]
    Perf(Box<PerfArgs>),
    /// Produce each line of stdin or of a file as a record, with the flags of
    /// kafka-console-producer.
    #[command(after_help = SIGNALS)]
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
    /// created when they are asked for, unless --no-auto-create-topics is given.
    #[arg(long = "topic", value_name = "NAME:PARTITIONS", value_parser = topic)]
    pub(crate) topics: Vec<(String, u32)>,
    /// Leave topics unknown that do not exist, as auto.create.topics.enable=false does at a broker
    /// of Kafka.
    #[arg(long)]
    pub(crate) no_auto_create_topics: bool,
    /// How many bytes of records are kept in all; the oldest go first.
    #[arg(long, value_name = "BYTES", allow_negative_numbers = true, value_parser = bytes)]
    pub(crate) retention_bytes: Option<usize>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ConfigArgs {
    /// The settings to tell about, in this order; all of them if none is named.
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// What stdout carries.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

#[derive(Debug, clap::Args)]
pub(crate) struct PerfArgs {
    /// The topic to produce to.
    #[arg(long)]
    pub(crate) topic: String,
    /// How many records to send.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) num_records: u64,
    /// Records per second to stay below, approximately; -1 is no limit.
    #[arg(long, value_name = "RATE", allow_negative_numbers = true, value_parser = throughput)]
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
    /// Print the producer's metrics at the end.
    #[arg(long)]
    pub(crate) print_metrics: bool,
    /// What stdout carries.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

/// What the commands say by their end.
const EXIT_CODES: &str = "\
Exit codes:
  0    everything was delivered, or what was asked for is printed
  1    something was not delivered, or cannot be done
  2    wrong usage or configuration
  130  ended by Ctrl-C or SIGTERM (0 for broker, which ends so)";

/// What `produce` and `perf` do when they get a signal.
const SIGNALS: &str = "\
Signals:
  Ctrl-C, SIGTERM  send nothing more and wait at most 10 s for what was sent; the second one ends
                   at once. The exit code is 130
  SIGUSR1          print on stderr what the producer waits for: the use of its buffer, its
                   connections, the record that has waited longest, and brokers in trouble

Exit codes:
  0    everything was delivered
  1    something was not delivered, or cannot be done
  2    wrong usage or configuration
  130  ended by Ctrl-C or SIGTERM";

impl PerfArgs {
    /// Every setting of the producer: the flag beats a property, a property beats the file.
    pub(crate) fn settings(&self) -> Result<Settings, Failure> {
        let mut settings = Settings::of_producer(
            "perf-producer-client",
            &Layers {
                file: self.command_config.as_deref(),
                old_file: self.producer_config.as_deref(),
                properties: &self.command_property,
                old_properties: ("--producer-props", &self.producer_props),
            },
        )?;
        if let Some(servers) = &self.bootstrap_server {
            settings.set("bootstrap.servers", servers);
        }
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_holds_together() {
        Args::command().debug_assert();
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
}

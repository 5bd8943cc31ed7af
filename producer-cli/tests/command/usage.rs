//! Wrong usage and configuration: exit code 2, and a sentence that says what to do.

use crate::common::{Ended, run};

/// Produces to topic `t` of a simulated cluster.
fn embedded(flags: &[&str], input: &[u8]) -> Ended {
    let base = ["produce", "--topic", "t", "--embedded"];
    run(&[&base, flags].concat(), input)
}

#[test]
fn produce_without_a_cluster_names_both_ways_to_one() {
    let ended = run(&["produce", "--topic", "t"], b"").expect(2);
    ended.says("--bootstrap-server").says("--embedded");
}

#[test]
fn a_simulated_and_a_real_cluster_exclude_each_other() {
    embedded(&["--bootstrap-server", "a:1"], b"").expect(2);
    let property = "bootstrap.servers=a:1";
    embedded(&["--command-property", property], b"")
        .expect(2)
        .says("exclude each other");
}

#[test]
fn an_unknown_setting_is_answered_with_the_nearest() {
    let property = "lingr.ms=5";
    embedded(&["--command-property", property], b"")
        .expect(2)
        .says("unknown setting lingr.ms; did you mean linger.ms?");
}

#[test]
fn a_setting_that_promises_security_is_refused() {
    let property = "security.protocol=SSL";
    embedded(&["--command-property", property], b"")
        .expect(2)
        .says("security.protocol is not supported yet");
}

#[test]
fn a_setting_for_a_jvm_warns_and_does_not_stop() {
    let property = "key.serializer=org.apache.kafka.common.serialization.StringSerializer";
    embedded(&["--command-property", property], b"")
        .expect(0)
        .says("warning: key.serializer has no effect outside of a JVM");
}

#[test]
fn a_value_out_of_range_is_refused() {
    embedded(&["--request-required-acks", "2"], b"")
        .expect(2)
        .says("acks is \"2\": expected all, -1, 0 or 1");
    embedded(&["--compression-codec", "brotli"], b"")
        .expect(2)
        .says("compression.type is \"brotli\"");
}

#[test]
fn separators_must_differ() {
    embedded(&["--reader-property", "headers.separator=:"], b"")
        .expect(2)
        .says("headers.separator and headers.key.separator may not be equal");
}

#[test]
fn an_unknown_reader_property_is_refused() {
    embedded(&["--reader-property", "parse.kee=true"], b"")
        .expect(2)
        .says("unknown reader property parse.kee");
}

#[test]
fn a_configuration_file_that_is_not_there_is_named() {
    embedded(&["--command-config", "/nowhere"], b"")
        .expect(2)
        .says("/nowhere");
}

#[test]
fn deprecated_names_work_and_warn() {
    let ended = embedded(
        &[
            "--producer-property",
            "acks=all",
            "--property",
            "parse.key=true",
        ],
        b"k\tv\n",
    )
    .expect(0);
    ended
        .says("warning: --producer-property is deprecated: use --command-property")
        .says("warning: --property is deprecated: use --reader-property");
}

#[test]
fn perf_wants_a_payload_and_fewer_warmup_records_than_records() {
    let perf = [
        "perf",
        "--topic",
        "t",
        "--num-records",
        "5",
        "--throughput",
        "-1",
    ];
    run(&perf, b"").expect(2);
    run(&[&perf[..], &["--record-size", "0"]].concat(), b"").expect(2);
    run(
        &[&perf[..], &["--record-size", "1", "--warmup-records", "5"]].concat(),
        b"",
    )
    .expect(2)
    .says("--warmup-records is 5: expected fewer than --num-records, which is 5");
}

#[test]
fn a_throughput_below_minus_one_names_the_range() {
    let perf = ["perf", "--topic", "t", "--num-records", "5"];
    let flags = ["--record-size", "1", "--throughput", "-2"];
    run(&[&perf[..], &flags].concat(), b"")
        .expect(2)
        .says("expected records per second above 0, or -1 for no limit");
}

#[test]
fn a_payload_file_that_is_missing_or_empty_is_named() {
    let perf = ["perf", "--topic", "t", "--num-records", "5"];
    let flags = ["--throughput", "-1", "--payload-file"];
    let perf = [&perf[..], &flags].concat();
    run(&[&perf[..], &["/nowhere"]].concat(), b"")
        .expect(2)
        .says("the payload file /nowhere cannot be read");
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    run(&[&perf[..], &[path]].concat(), b"")
        .expect(2)
        .says(&format!("the payload file {path} is empty"));
}

#[test]
fn a_simulated_cluster_is_announced_only_once_the_settings_hold() {
    let ended = embedded(&["--command-property", "acks=7"], b"").expect(2);
    assert!(!ended.stderr.contains("simulated"), "{}", ended.stderr);
    run(&["produce", "--embedded", "--topic", "a b"], b"")
        .expect(2)
        .says("\"a b\" is no name of a topic");
}

#[test]
fn a_broker_refuses_topics_and_ports_that_cannot_be() {
    run(&["broker", "--topic", "t:1", "--topic", "t:2"], b"")
        .expect(2)
        .says("--topic names t twice");
    run(&["broker", "--topic", "a b"], b"")
        .expect(2)
        .says("is no name of a topic");
    run(&["broker", "--port", "65535", "--brokers", "2"], b"")
        .expect(2)
        .says("--port 65535 leaves no port");
}

#[test]
fn a_negative_partition_names_the_range_and_is_no_file() {
    for partition in ["-1", "2147483648", "x"] {
        let ended = embedded(&["--partition", partition], b"")
            .expect(2)
            .says("expected a partition from 0 to 2147483647");
        assert!(!ended.stderr.contains("-- -1"), "{}", ended.stderr);
    }
}

#[test]
fn a_retention_with_a_unit_is_answered_with_what_is_expected() {
    run(&["broker", "--retention-bytes", "10MB"], b"")
        .expect(2)
        .says("expected a number of bytes without a unit, as 10485760");
}

#[test]
fn help_tells_of_exit_codes_and_signals() {
    for command in ["produce", "perf"] {
        let help = run(&[command, "--help"], b"").expect(0).stdout;
        for word in ["SIGUSR1", "SIGTERM", "130"] {
            assert!(help.contains(word), "{word} in {command}: {help}");
        }
    }
    let help = run(&["--help"], b"").expect(0).stdout;
    assert!(help.contains("130  ended by Ctrl-C or SIGTERM"), "{help}");
}

#[test]
fn no_command_and_an_unknown_one_are_wrong_usage() {
    run(&[], b"").expect(2);
    run(&["consume"], b"").expect(2);
    run(&["--help"], b"").expect(0);
}

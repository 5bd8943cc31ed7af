//! The matrix of rules between settings (E125).

#![cfg(test)]

use expect_test::expect;

use super::*;
use crate::config::DataLoss;
use crate::config::testing::{check, config, said};

#[test]
fn edge_e125_c1_a_set_delivery_timeout_must_leave_time_for_one_try() {
    check(
        &[("delivery.timeout.ms", "30004")],
        expect![[r#"
            delivery.timeout.ms is 30004: expected at least linger.ms +
              request.timeout.ms = 5 + 30000; raise it, or lower one of
              them"#]],
    );
    check(&[("delivery.timeout.ms", "30005")], expect!["Idempotent"]);
    // The sum ends where `i32` ends.
    check(
        &[
            ("delivery.timeout.ms", "2147483647"),
            ("request.timeout.ms", "2147483647"),
        ],
        expect!["Idempotent"],
    );
}

#[test]
fn edge_e125_c1_a_default_delivery_timeout_is_raised() {
    check(
        &[("request.timeout.ms", "120000")],
        expect![[r#"
            Idempotent
            delivery.timeout.ms is raised from 120000 to 120005:
              linger.ms + request.timeout.ms"#]],
    );
    let raised = config(&[("request.timeout.ms", "2147483647")]).unwrap();
    assert_eq!(raised.delivery_timeout, LONGEST);
}

#[test]
fn edge_e125_c1_the_grace_of_an_answer_counts_where_it_is_set() {
    let grace = ("request.timeout.grace.ms", "24");
    check(
        &[grace, ("delivery.timeout.ms", "30028")],
        expect![[r#"
        delivery.timeout.ms is 30028: expected at least linger.ms +
          request.timeout.ms + request.timeout.grace.ms = 5 + 30000 +
          24; raise it, or lower one of them"#]],
    );
    check(
        &[grace, ("delivery.timeout.ms", "30029")],
        expect!["Idempotent"],
    );
    check(
        &[grace, ("request.timeout.ms", "120000")],
        expect![[r#"
        Idempotent
        delivery.timeout.ms is raised from 120000 to 120029:
          linger.ms + request.timeout.ms + request.timeout.grace.ms"#]],
    );
}

#[test]
fn edge_e125_c2_idempotence_needs_retries() {
    check(
        &[("retries", "0"), ("enable.idempotence", "true")],
        expect![[r#"
            retries is 0, but idempotence needs at least 1: change it,
              or set enable.idempotence to false"#]],
    );
    check(
        &[("retries", "0")],
        expect![[r#"
            AtLeastOnce(All)
            enable.idempotence is switched off: retries is 0, it needs
              at least 1; what fails once is lost"#]],
    );
    check(
        &[("retries", "0"), ("enable.idempotence", "false")],
        expect!["AtLeastOnce(All)"],
    );
}

#[test]
fn edge_e125_c3_idempotence_needs_every_replica() {
    check(
        &[("acks", "1"), ("enable.idempotence", "true")],
        expect![[r#"
            acks is 1, but idempotence needs all: change it, or set
              enable.idempotence to false"#]],
    );
    check(
        &[("acks", "0")],
        expect![[r#"
            AtMostOnce
            enable.idempotence is switched off: acks is 0, it needs all;
              nobody tells of what is lost"#]],
    );
    check(
        &[("acks", "1")],
        expect![[r#"
            AtLeastOnce(Leader)
            enable.idempotence is switched off: acks is 1, it needs all;
              retries may write a record twice"#]],
    );
    check(
        &[("acks", "-1"), ("enable.idempotence", "true")],
        expect!["Idempotent"],
    );
}

#[test]
fn edge_e125_c4_more_than_five_in_flight_need_idempotence_off_by_name() {
    let six = ("max.in.flight.requests.per.connection", "6");
    check(
        &[six],
        expect![[r#"
            max.in.flight.requests.per.connection is 6, but idempotence
              needs at most 5: change it, or set enable.idempotence to
              false"#]],
    );
    assert_eq!(said(&[six, ("enable.idempotence", "true")]), said(&[six]));
    // Also where C3 would have switched it off.
    assert_eq!(said(&[six, ("acks", "1")]), said(&[six]));
    check(
        &[six, ("enable.idempotence", "false")],
        expect!["AtLeastOnce(All)"],
    );
}

#[test]
fn edge_e125_c5_transactions_are_refused_whatever_idempotence_is() {
    let named = ("transactional.id", "t");
    check(
        &[named],
        expect![[r#"
            transactional.id is not supported yet: expected its default
              (null), another value came (the name of a transactional
              producer); remove the setting"#]],
    );
    assert_eq!(
        said(&[named, ("enable.idempotence", "false")]),
        said(&[named])
    );
    check(
        &[("transactional.id", "")],
        expect![[r#"transactional.id is "": expected at least one character"#]],
    );
}

#[test]
fn edge_e125_c6_two_phase_commit_is_refused_whatever_its_timeout_is() {
    let two_phase = ("transaction.two.phase.commit.enable", "true");
    check(
        &[two_phase],
        expect![[r#"
        transaction.two.phase.commit.enable is not supported yet:
          expected its default (false), another value came (let an
          outer transaction coordinator decide); remove the setting"#]],
    );
    let timeout = ("transaction.timeout.ms", "1000");
    assert_eq!(said(&[two_phase, timeout]), said(&[two_phase]));
}

#[test]
fn edge_e125_c7_a_rack_to_prefer_needs_a_rack_of_ones_own() {
    let aware = ("partitioner.rack.aware", "true");
    check(
        &[aware],
        expect![[r#"
        client.rack is not set: say where this client stands, or set
          partitioner.rack.aware to false"#]],
    );
    assert_eq!(said(&[aware, ("client.rack", "  ")]), said(&[aware]));
    let placed = config(&[aware, ("client.rack", "r")]).unwrap();
    assert_eq!(placed.guarantee, Guarantee::Idempotent);
}

/// The rule, and whether it ignores keys.
fn partitions(properties: &[(&str, &str)]) -> (PartitionRule, bool) {
    let config = config(properties).unwrap();
    (config.partition_rule, config.partitioner_ignore_keys)
}

#[test]
fn edge_e125_javas_partitioner_classes_are_answered_with_the_rules_that_they_are() {
    let of = |name: &str| {
        let class = format!("org.apache.kafka.clients.producer.{name}");
        partitions(&[("partitioner.class", &class)])
    };
    let (built_in, round_robin) = (PartitionRule::BuiltIn, PartitionRule::RoundRobin);
    assert_eq!(of("RoundRobinPartitioner"), (round_robin, false));
    assert_eq!(of("UniformStickyPartitioner"), (built_in, true));
    assert_eq!(of("internals.DefaultPartitioner"), (built_in, false));
    assert_eq!(partitions(&[("partitioner.class", "")]), (built_in, false));
}

#[test]
fn edge_e125_a_partitioner_class_that_cannot_be_run_is_refused() {
    check(
        &[("partitioner.class", "com.acme.ByRegion")],
        expect![[r#"
        partitioner.class is "com.acme.ByRegion": expected Kafka's
          DefaultPartitioner, RoundRobinPartitioner or
          UniformStickyPartitioner; for another one set partitioner,
          or give the builder a custom_partitioner"#]],
    );
}

#[test]
fn edge_e125_partitioner_and_partitioner_class_must_agree() {
    let name = "org.apache.kafka.clients.producer.RoundRobinPartitioner";
    let class = ("partitioner.class", name);
    let agreed = partitions(&[class, ("partitioner", "ROUND_ROBIN")]);
    assert_eq!(agreed, (PartitionRule::RoundRobin, false));
    check(
        &[class, ("partitioner", "murmur2")],
        expect![[r#"
        partitioner.class is
          "org.apache.kafka.clients.producer.RoundRobinPartitioner":
          expected to agree with partitioner, which is murmur2: set
          one of them"#]],
    );
}

#[test]
fn edge_e125_a_broker_is_never_left_out_without_adaptive_partitioning() {
    let timeout = ("partitioner.availability.timeout.ms", "5");
    assert_eq!(said(&[timeout]), said(&[]));
    let uniform = ("partitioner.adaptive.partitioning.enable", "false");
    check(
        &[timeout, uniform],
        expect![[r#"
        Idempotent
        partitioner.availability.timeout.ms has no effect without
          partitioner.adaptive.partitioning.enable"#]],
    );
}

#[test]
fn edge_e125_c8_a_first_backoff_above_its_maximum_is_the_maximum() {
    check(
        &[("retry.backoff.ms", "2000")],
        expect![[r#"
            Idempotent
            retry.backoff.ms is 2000, above retry.backoff.max.ms: both
              count as 1000"#]],
    );
    let setup = config(&[("socket.connection.setup.timeout.ms", "40000")]).unwrap();
    assert_eq!(setup.setup_timeout, Duration::from_secs(30));
    let reconnect = config(&[
        ("reconnect.backoff.ms", "90"),
        ("reconnect.backoff.max.ms", "80"),
    ])
    .unwrap();
    assert_eq!(reconnect.reconnect_backoff, Duration::from_millis(80));
}

#[test]
fn edge_e125_c8_a_reconnect_backoff_alone_does_not_grow() {
    check(
        &[("reconnect.backoff.ms", "7")],
        expect![[r#"
            Idempotent
            reconnect.backoff.ms is set and reconnect.backoff.max.ms is
              not: the wait between connects does not grow"#]],
    );
    let config = config(&[("reconnect.backoff.ms", "7")]).unwrap();
    assert_eq!(config.reconnect_backoff_max, Duration::from_millis(7));
}

#[test]
fn edge_e125_c9_a_linger_beyond_i32_is_clipped() {
    check(
        &[
            ("linger.ms", "9223372036854775807"),
            ("delivery.timeout.ms", "2147483647"),
        ],
        expect![[r#"
            Idempotent
            linger.ms is lowered to 2147483647, its limit"#]],
    );
}

#[test]
fn edge_e125_c10_one_in_flight_goes_with_and_without_idempotence() {
    let one = ("max.in.flight.requests.per.connection", "1");
    check(&[one], expect!["Idempotent"]);
    check(
        &[one, ("enable.idempotence", "false")],
        expect!["AtLeastOnce(All)"],
    );
}

#[test]
fn edge_e125_c11_a_transactions_timeout_says_nothing_without_transactions() {
    check(
        &[("transaction.timeout.ms", "1000")],
        expect![[r#"
        Idempotent
        transaction.timeout.ms has no effect yet (how long a
          transaction may stay open; there are no transactions yet)"#]],
    );
}

#[test]
fn edge_e125_c12_sizes_that_exclude_each_other_are_judged_record_by_record() {
    check(
        &[
            ("max.request.size", "2000000"),
            ("buffer.memory", "1000"),
            ("batch.size", "3000000"),
        ],
        expect!["Idempotent"],
    );
}

#[test]
fn edge_e125_lost_records_cannot_stop_a_producer_without_sequences() {
    let stop = ("data.loss", "stop");
    assert_eq!(config(&[stop]).unwrap().data_loss, DataLoss::Stop);
    let plain = ("enable.idempotence", "false");
    check(
        &[stop, plain],
        expect![[r#"
        data.loss is "stop": expected report, unless the producer is
          idempotent; correct it, or leave it out for the default
          "report""#]],
    );
    // Also where C3 switches idempotence off.
    assert_eq!(said(&[stop, ("acks", "1")]), said(&[stop, plain]));
    check(
        &[("data.loss", "report"), plain],
        expect!["AtLeastOnce(All)"],
    );
}

#[test]
fn edge_e125_what_may_be_written_is_written_again_anyway_without_sequences() {
    let rewrite = ("unknown.fate", "rewrite");
    check(&[rewrite], expect!["Idempotent"]);
    check(
        &[rewrite, ("enable.idempotence", "false")],
        expect![[r#"
            AtLeastOnce(All)
            unknown.fate has no effect without idempotence"#]],
    );
}

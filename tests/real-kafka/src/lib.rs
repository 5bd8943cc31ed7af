//! The suite against Apache Kafka itself, three brokers of it, judged by Kafka's own consumer.
//!
//! ```text
//! case ─► producer ─► Apache Kafka ◄─ Judge (Java, one a test program) ◄─ case
//!                          ▲
//!                          └─ kill, restart: cargo xtask kafka …
//! ```
//!
//! A case is a function of a transport; [`suite!`] makes a test of each. What landed is never
//! read by our own code. `cargo xtask test real-kafka` sets up all that is needed and says where
//! it is in the environment; the tests are not even built without the feature `brokers`.

mod base64;
pub mod cluster;
pub mod flood;
pub mod judge;
pub mod proxy;

#[allow(
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    reason = "a suite is test code: a case that cannot go on fails"
)]
pub mod cases {
    pub mod content;
    pub mod delivery;
    pub mod partitions;
    pub mod peers;
    pub mod refusals;
}

/// A test of each case for one transport.
#[macro_export]
macro_rules! suite {
    ($transport:expr) => {
        $crate::suite!($transport; delivery:
            every_acks_level_delivers,
            every_codec_carries_batches_of_many_records,
            a_flush_is_over_when_all_is_in_the_log,
            close_delivers_what_still_lingers,
            close_fails_what_is_late_and_tells_the_truth,
            purges_tell_the_truth_and_the_log_has_no_gap,
            the_last_handle_leaves_its_records_to_be_delivered,
            an_idle_connection_is_made_again,
        );
        $crate::suite!($transport; content:
            keys_values_and_headers_arrive_as_they_were,
            null_and_empty_are_not_the_same,
            timestamps_arrive_as_they_were,
            the_broker_may_set_the_timestamp,
            a_record_of_nearly_the_largest_size_arrives,
        );
        $crate::suite!($transport; partitions:
            an_explicit_partition_is_kept,
            keys_go_where_java_puts_them,
            records_without_a_key_are_spread,
            the_leaders_are_those_that_kafka_names,
            a_missing_topic_is_created_by_its_first_record,
            a_topic_that_is_created_a_second_later_gets_its_records,
            a_partition_that_is_not_there_is_an_error_in_time,
        );
        $crate::suite!($transport; refusals:
            a_record_over_our_limit_is_refused_in_the_call,
            a_record_over_the_topics_limit_is_given_back,
            a_batch_over_the_topics_limit_goes_in_smaller_ones,
            a_topic_with_an_invalid_name_is_refused,
            a_timestamp_that_the_topic_forbids_is_refused,
        );
        $crate::suite!($transport; peers:
            an_unreachable_bootstrap_server_beside_a_good_one_does_no_harm,
            a_wrong_peer_beside_a_good_one_does_no_harm,
            a_controller_is_no_broker,
            a_web_server_is_an_error_in_time,
            a_peer_that_hangs_up_is_an_error_in_time,
            a_peer_that_speaks_tls_is_an_error_in_time,
        );
    };
    ($transport:expr; $group:ident: $($case:ident,)*) => {
        mod $group {
            #[allow(unused_imports, reason = "the transport may be named by a path")]
            use super::*;

            $(#[test]
            fn $case() {
                $crate::cases::$group::$case(&$transport);
            })*
        }
    };
}

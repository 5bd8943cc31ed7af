//! One suite over every transport, on the simulated cluster and on peers that are no brokers.
//!
//! A case is a function of a [`Transport`]; [`suite!`] makes a test of each, so that a transport
//! is checked by naming it once. Cases poll futures on the test's own thread: no handle may need
//! the runtime that hosts its roles.

#[allow(
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    reason = "a suite is test code: a case that cannot go on fails"
)]
pub mod cases {
    pub mod calls;
    pub mod cancel;
    pub mod edges;
    pub mod ends;
    pub mod interceptors;
    pub mod metrics;
    pub mod order;
    pub mod peers;
    pub mod room;
}
mod cluster;
mod drive;
mod stingy;
mod transport;

pub use cluster::Cluster;
pub use drive::{Task, at_every_poll, config, poll_at_most};
pub use stingy::Stingy;
pub use transport::{OneTask, Tasks, Threads, Transport};

/// A test of each case for one transport.
#[macro_export]
macro_rules! suite {
    ($transport:expr) => {
        $crate::suite!($transport; calls:
            a_record_lands_with_its_metadata,
            records_of_a_partition_keep_their_order,
            every_codec_carries_records,
            a_batch_of_records_is_sent_under_one_call,
            detached_records_land,
            a_refused_record_is_reported_in_the_call,
            callbacks_run_in_order_and_one_that_panics_harms_nobody,
            a_waker_that_panics_harms_nobody,
            a_callback_may_send,
            a_flush_is_over_after_the_callbacks_before_it,
            a_close_is_over_after_all_callbacks,
            the_partitions_of_a_topic_are_known,
            a_topic_that_does_not_exist_fails_within_its_time,
            a_producer_that_ends_finds_out_no_more_and_says_so_at_once,
            a_failed_record_is_given_back,
            a_record_that_was_given_back_can_be_sent_again,
            two_handles_on_many_threads_lose_and_double_nothing,
            records_without_acknowledgement_are_resolved,
            a_cut_connection_is_made_again,
            a_producer_explains_itself,
        );
        $crate::suite!($transport; room:
            a_full_buffer_is_an_error_for_try_send,
            those_who_wait_are_served_in_their_order,
            many_who_wait_are_all_served,
            a_wait_for_room_ends_after_max_block,
            send_all_waits_for_room_and_takes_all,
            send_all_says_how_many_were_taken,
            close_ends_the_waits,
        );
        $crate::suite!($transport; cancel:
            a_dropped_send_loses_and_doubles_nothing,
            a_dropped_detached_send_loses_and_doubles_nothing,
            a_dropped_send_with_a_callback_loses_and_doubles_nothing,
            a_dropped_wait_passes_its_room_on,
            a_dropped_send_all_keeps_a_prefix,
            a_dropped_delivery_unsends_nothing,
            dropped_deliveries_unsend_nothing,
            a_dropped_flush_harms_nobody,
            a_dropped_close_goes_on,
            a_dropped_question_for_partitions_harms_nobody,
        );
        $crate::suite!($transport; edges:
            edge_e23_a_flush_in_a_callback_is_an_error_and_the_producer_goes_on,
            edge_e23_a_close_in_a_callback_begins_and_is_not_waited_for,
            edge_e23_a_send_in_a_callback_does_not_wait_for_room,
            edge_e41_a_record_sent_in_an_expiry_callback_is_a_new_one,
            edge_e127_what_was_lent_for_a_record_may_change_after_the_call,
        );
        $crate::suite!($transport; ends:
            a_flush_is_over_when_all_is_resolved,
            close_delivers_what_it_can,
            close_fails_what_is_late,
            purge_gives_up_and_the_producer_goes_on,
            a_closed_producer_takes_nothing,
            closing_twice_is_closing_once,
            the_last_handle_leaves_its_records_to_be_delivered,
            close_says_what_it_has_lost,
            a_blocking_flush_waits_so_long_at_most,
            the_drop_of_the_last_handle_does_not_wait,
            the_last_handle_may_be_dropped_anywhere,
        );
        $crate::suite!($transport; interceptors:
            interceptors_see_every_way_to_send,
            interceptors_see_what_those_before_made_of_a_record,
            a_record_that_waits_for_room_is_intercepted_once,
            edge_e128_interceptor_and_callback_are_told_of_a_failure_once,
            edge_e128_an_interceptor_that_panics_is_left_out,
            what_became_of_a_record_is_visible_before_its_interceptor_is_told,
        );
        $crate::suite!($transport; metrics:
            metrics_tell_what_was_sent,
            two_snapshots_tell_of_the_span_between_them,
            prometheus_is_told_the_same,
        );
        $crate::suite!($transport; order:
            callbacks_keep_the_order_of_a_partition_through_retries,
            callbacks_keep_the_order_of_a_partition_through_failures,
        );
        $crate::suite!($transport; peers:
            an_unreachable_peer_is_an_error_in_time,
            a_name_that_does_not_resolve_is_an_error_in_time,
            a_silent_peer_is_an_error_in_time,
            a_web_server_is_an_error_in_time,
            a_tls_server_is_an_error_in_time,
            noise_is_an_error_in_time,
            a_length_of_two_gibibytes_is_an_error_in_time,
            a_peer_that_hangs_up_is_an_error_in_time,
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

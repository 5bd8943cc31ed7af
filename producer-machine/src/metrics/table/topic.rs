//! The metrics of a topic.

use super::super::MetricGroup::Topic as T;
use super::super::MetricUnit::{Bytes, BytesPerSecond, Count, PerSecond, Ratio};
use super::super::TopicCounts;
use super::{Row, row};

/// In the order of their names.
pub(crate) const TOPIC: &[Row<TopicCounts>] = &[
    row(
        T,
        "byte-rate",
        BytesPerSecond,
        "bytes of batches as they are sent, retries included",
        |r| r.rate(|t| t.bytes),
    ),
    row(
        T,
        "byte-total",
        Bytes,
        "bytes of batches as they are sent, retries included",
        |r| r.total(|t| t.bytes),
    ),
    row(
        T,
        "compression-rate",
        Ratio,
        "size of records as sent to their size before compression; 1 without a codec",
        |r| r.ratio(|t| t.packed_bytes, |t| t.plain_bytes),
    ),
    row(
        T,
        "record-error-rate",
        PerSecond,
        "accepted records that failed",
        |r| r.rate(|t| t.record_errors),
    ),
    row(
        T,
        "record-error-total",
        Count,
        "accepted records that failed",
        |r| r.total(|t| t.record_errors),
    ),
    row(
        T,
        "record-retry-rate",
        PerSecond,
        "records that were queued to be sent again",
        |r| r.rate(|t| t.record_retries),
    ),
    row(
        T,
        "record-retry-total",
        Count,
        "records that were queued to be sent again",
        |r| r.total(|t| t.record_retries),
    ),
    row(
        T,
        "record-send-rate",
        PerSecond,
        "records sent, retries included",
        |r| r.rate(|t| t.records_sent),
    ),
    row(
        T,
        "record-send-total",
        Count,
        "records sent, retries included",
        |r| r.total(|t| t.records_sent),
    ),
];

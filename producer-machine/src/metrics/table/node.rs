//! The metrics of a broker, or of an address of `bootstrap.servers`.

use super::super::MetricGroup::Node as N;
use super::super::MetricUnit::{Bytes, BytesPerSecond, Count, Milliseconds, PerSecond};
use super::super::Node;
use super::super::reading::ms;
use super::{Row, row};

/// In the order of their names.
pub(crate) const NODE: &[Row<Node>] = &[
    row(N, "incoming-byte-rate", BytesPerSecond, "bytes read", |r| {
        r.rate(|n| n.counts.incoming_bytes)
    }),
    row(N, "incoming-byte-total", Bytes, "bytes read", |r| {
        r.total(|n| n.counts.incoming_bytes)
    }),
    row(
        N,
        "outgoing-byte-rate",
        BytesPerSecond,
        "bytes of requests",
        |r| r.rate(|n| n.counts.request_size.sum),
    ),
    row(N, "outgoing-byte-total", Bytes, "bytes of requests", |r| {
        r.total(|n| n.counts.request_size.sum)
    }),
    row(
        N,
        "request-latency-avg",
        Milliseconds,
        "mean time from a Produce request to its answer",
        |r| ms(r.mean(|n| &n.counts.request_latency)),
    ),
    row(
        N,
        "request-latency-max",
        Milliseconds,
        "longest time from a Produce request to its answer",
        |r| ms(r.max(|n| &n.counts.request_latency)),
    ),
    row(N, "request-rate", PerSecond, "requests", |r| {
        r.rate(|n| n.counts.request_size.count)
    }),
    row(
        N,
        "request-size-avg",
        Bytes,
        "mean size of a request",
        |r| r.mean(|n| &n.counts.request_size),
    ),
    row(
        N,
        "request-size-max",
        Bytes,
        "size of the largest request",
        |r| r.max(|n| &n.counts.request_size),
    ),
    row(N, "request-total", Count, "requests", |r| {
        r.total(|n| n.counts.request_size.count)
    }),
    row(
        N,
        "requests-in-flight",
        Count,
        "ours: requests that are not answered yet",
        |r| r.later.requests_in_flight as f64,
    ),
    row(N, "response-rate", PerSecond, "answers", |r| {
        r.rate(|n| n.counts.responses)
    }),
    row(N, "response-total", Count, "answers", |r| {
        r.total(|n| n.counts.responses)
    }),
];

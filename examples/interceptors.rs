//! Gives every record a header for tracing, and counts what became of each.
//!
//! Needs a cluster; see the example `simple`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kafka_producer::{
    Acknowledgement, Config, Ending, InterceptedRecord, Interceptor, Outcome, Producer, Record,
};

/// Numbers records, so that whoever reads them can tell where each came from.
struct Trace {
    service: &'static str,
    next: AtomicU64,
}

impl Interceptor for Trace {
    fn on_send(&self, record: &mut InterceptedRecord<'_>) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        record.add_header("trace", format!("{}-{number}", self.service));
    }
}

/// Counts how records end.
#[derive(Default)]
struct Count {
    written: AtomicU64,
    not_written: AtomicU64,
    maybe_written: AtomicU64,
}

impl Interceptor for Count {
    fn on_acknowledgement(&self, acknowledgement: &Acknowledgement<'_>) {
        let counter = match acknowledgement.outcome() {
            None => &self.written,
            Some(Outcome::NotWritten) => &self.not_written,
            Some(Outcome::MaybeWritten) => &self.maybe_written,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        // The header that `Trace` has added is there too.
        if let Ending::Refused(error) = acknowledgement.ending {
            let trace = acknowledgement.headers.last().and_then(|last| last.value);
            let trace = String::from_utf8_lossy(trace.unwrap_or_default());
            eprintln!("{trace} was not taken: {error}");
        }
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let servers = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "localhost:9092".to_string());
    let config = Config::builder()
        .bootstrap_servers([servers])
        .max_request_size(10_000)
        .build()?;
    let trace = Trace {
        service: "checkout",
        next: AtomicU64::new(0),
    };
    let count = Arc::new(Count::default());
    let builder = Producer::builder(config)
        .interceptor(trace)
        .interceptor(Arc::clone(&count));
    let producer = kafka_producer::tokio::start(builder)?;

    // No sender has to think of headers or of counting, whatever it sends with.
    for order in 0..100 {
        let value = format!("order {order}");
        let record = Record::to("orders").key("user-42").value(&value);
        producer.send_detached(&record).await?;
    }
    let large = "x".repeat(20_000);
    let refused = producer.try_send(&Record::to("orders").value(&large));
    debug_assert!(refused.is_err());

    // Once this is over, every interceptor has been told of every record.
    producer.close(Duration::from_secs(10)).await?;
    let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    eprintln!(
        "{} written, {} not written, {} maybe written",
        of(&count.written),
        of(&count.not_written),
        of(&count.maybe_written)
    );
    anyhow::ensure!((of(&count.written), of(&count.not_written)) == (100, 1));
    Ok(())
}

//! Records that no broker will ever take go to a topic of dead letters, with the reason in their
//! headers; good records of a refused batch are sent again; everything else stops the program
//! and is given back. `docs/dead-letters.md` says why.
//!
//! ```text
//! delivery ──┬─ written
//!            ├─ the record's own fault, not written ──> dead letters ──┬─ written
//!            ├─ another record's fault, not written ──> sent again     └─ given back
//!            └─ anything else ───────────────────────────────────────────> given back
//! ```
//!
//! Needs a cluster; see the example `simple`.

use std::time::Duration;

use anyhow::anyhow;

use kafka_producer::{
    Config, Delivery, DeliveryError, ErrorCode, Outcome, OwnedRecord, ProduceError, Producer,
    ProducerError, Record,
};

const ORDERS: &str = "orders";
const DEAD_LETTERS: &str = "orders.dead-letters";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let servers = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "localhost:9092".to_string());
    let config = Config::builder()
        .bootstrap_servers([servers])
        // More than a topic allows unless its max.message.bytes is raised: the broker refuses.
        .max_request_size(8 << 20)
        .build()?;
    let producer = kafka_producer::tokio::start(config)?;

    let small = "an order".to_string();
    let large = "x".repeat(2 << 20);
    let mut deliveries = Vec::new();
    for order in [&small, &large, &small] {
        let record = Record::to(ORDERS).key("user-42").value(order);
        deliveries.push(producer.send(&record).await?);
    }
    // In the order in which they were sent, so that the dead letters of a key keep theirs.
    for delivery in deliveries {
        if let Err(error) = delivery.await {
            settle(&producer, error).await.map_err(GivenBack::report)?;
        }
    }

    producer.close(Duration::from_secs(10)).await?;
    Ok(())
}

/// What is to be done about a record that was not delivered.
#[derive(Clone, Copy, Debug)]
enum Course {
    /// It is at fault itself, and will be each time.
    Bury,
    /// It may be in the log, or nothing can be written now.
    GiveBack,
    /// It was only in bad company.
    SendAgain,
}

fn course(error: &DeliveryError) -> Course {
    // It may be in its topic: a copy, here or there, is a duplicate to whoever replays it.
    if error.outcome == Outcome::MaybeWritten {
        return Course::GiveBack;
    }
    match &error.error {
        ProduceError::BatchmateRejected { .. } => Course::SendAgain,
        ProduceError::Broker { code, .. } if OWN_FAULT.contains(code) => Course::Bury,
        // No broker, no topic, no right, no time, no producer: all records fail alike, the dead
        // letters too, and a topic full of good records helps nobody.
        _ => Course::GiveBack,
    }
}

/// Codes that condemn one record, and not its topic or the cluster.
const OWN_FAULT: [ErrorCode; 4] = [
    ErrorCode::INVALID_RECORD,
    ErrorCode::INVALID_TIMESTAMP,
    ErrorCode::MESSAGE_TOO_LARGE,
    ErrorCode::RECORD_LIST_TOO_LARGE,
];

/// Does what can be done about a failure, and gives the record back where nothing can.
async fn settle(producer: &Producer, mut error: DeliveryError) -> Result<(), GivenBack> {
    loop {
        let reason = error.to_string();
        let record = error.record();
        let (course, record) = match record {
            Some(record) => (course(&error), record),
            None => return Err(GivenBack { record, reason }),
        };
        match course {
            Course::Bury => return bury(producer, &error, record).await,
            Course::GiveBack => return Err(GivenBack::of(record, reason)),
            Course::SendAgain => match send_again(producer, &error, &record).await {
                // Its new end is judged anew: another record of its batch may be a bad one.
                Ok(delivery) => match delivery.await {
                    Ok(_) => return Ok(()),
                    Err(next) => error = next,
                },
                Err(refused) => return Err(GivenBack::of(record, refused.to_string())),
            },
        }
    }
}

/// Sends a record again that is `NotWritten` and `BatchmateRejected`: after those that were sent
/// since, to the partition where it was.
async fn send_again(
    producer: &Producer,
    error: &DeliveryError,
    record: &OwnedRecord,
) -> Result<Delivery, ProducerError> {
    let mut again = record.to(&*error.topic);
    if let Some(partition) = error.partition {
        again = again.partition(partition);
    }
    producer.send(&again.build()).await
}

/// Sends a record to the dead letters. A letter that fails is not buried again.
async fn bury(
    producer: &Producer,
    error: &DeliveryError,
    record: OwnedRecord,
) -> Result<(), GivenBack> {
    let reason = error.to_string();
    let burials = record.headers.iter().filter(|(key, _)| key == REASON);
    if MOST_BURIALS <= burials.count() {
        // Somebody sends it back and back, and each time it dies of the same.
        let reason = format!("buried too often: {reason}");
        return Err(GivenBack::of(record, reason));
    }
    let size = record.value.as_ref().map_or(0, Vec::len).to_string();
    // It keeps its key, its timestamp and its headers, and gets these after them.
    let mut letter = record
        .to(DEAD_LETTERS)
        .header("dead-letter.topic", &*error.topic)
        .header("dead-letter.error", error.error.name())
        .header("dead-letter.size", &size)
        .header(REASON, &reason);
    if let Some(value) = &record.value {
        // What was too large for one topic is too large for another: its beginning must do.
        letter = letter.value(&value[..value.len().min(LETTER)]);
    }
    let end = match producer.send(&letter.build()).await {
        Ok(delivery) => delivery.await.map_err(|error| error.to_string()),
        Err(refused) => Err(refused.to_string()),
    };
    match end {
        Ok(written) => eprintln!("{DEAD_LETTERS}: offset {:?}, {reason}", written.offset),
        Err(why) => {
            let reason = format!("{reason}; its dead letter: {why}");
            return Err(GivenBack::of(record, reason));
        }
    }
    Ok(())
}

/// A record that could go nowhere. Whoever gets this has it still.
struct GivenBack {
    record: Option<OwnedRecord>,
    reason: String,
}

impl GivenBack {
    fn of(record: OwnedRecord, reason: String) -> Self {
        let record = Some(record);
        Self { record, reason }
    }

    /// The last resort is whoever reads this; a consumer would not commit the offset of its source.
    fn report(self) -> anyhow::Error {
        let key = self.record.and_then(|record| record.key);
        let key = String::from_utf8_lossy(key.as_deref().unwrap_or_default()).into_owned();
        anyhow!("the order of {key} was given back: {}", self.reason)
    }
}

const REASON: &str = "dead-letter.reason";
/// How often a record may become a dead letter.
const MOST_BURIALS: usize = 3;
/// How many bytes of a value a dead letter keeps.
const LETTER: usize = 100_000;

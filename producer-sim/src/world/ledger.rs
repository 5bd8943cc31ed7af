//! Every record that was handed to the producer: what it holds, what was tried, what became of it.
//!
//! A record carries its number in a header of its own, so that it is recognised wherever it turns
//! up, whatever else it holds.

use std::collections::BTreeMap;
use std::time::Duration;

use kafka_producer_machine::{
    Event, Failed, Header, Instant, Outcome, Receipt, Record, SendError, Topic,
};

use super::contents::{Place, Sent};
use super::goals::{Goal, Goals};
use crate::cluster::StoredRecord;

/// The key of the header that carries a record's number.
pub(crate) const MARK: &str = "sim";

/// The number of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordId(pub(crate) usize);

/// What a record holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) topic: String,
    pub(crate) partition: Option<u32>,
    pub(crate) timestamp: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
}

/// What became of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// It was written, perhaps the producer even knows where.
    Acked {
        /// The partition.
        partition: u32,
        /// The offset, if the broker told it.
        offset: Option<i64>,
    },
    /// It failed.
    Failed {
        /// Whether it may be in a log.
        outcome: Outcome,
        /// Kafka's name of the error.
        error: &'static str,
    },
}

/// Who a record said it was, in one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Identity {
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
    pub(crate) sequence: i32,
}

/// What is known about one record.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) content: Content,
    /// When it was accepted, and as the how-manieth.
    pub(crate) accepted: Option<(Instant, u64)>,
    /// Why it was not taken.
    pub(crate) refusal: Option<SendError>,
    /// What became of it, and when.
    pub(crate) resolution: Option<(Instant, Resolution)>,
    /// Attempts so far.
    pub(crate) attempts: u32,
    /// Attempts that no answer has settled.
    pub(crate) open: u32,
    /// Whether the fate of any attempt is unknown.
    pub(crate) tainted: bool,
    /// Whether it ever was.
    pub(crate) was_tainted: bool,
    /// The identity of its latest attempt.
    pub(crate) identity: Option<Identity>,
    /// Where its latest attempt went.
    pub(crate) place: Option<Place>,
    /// The leader epoch that the producer knew then.
    pub(crate) leader_epoch: Option<i32>,
    /// When the latest attempt ended.
    pub(crate) ended: Option<Instant>,
    /// How many partitions the producer knew of the topic when it accepted the record.
    pub(crate) known: u32,
    /// When an answer came after which it must not be tried again.
    pub(crate) refused: Option<Instant>,
    /// How many records had the smallest batch with it that was too large and is sent in parts.
    pub(crate) split_from: Option<usize>,
}

/// All records of a run.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    entries: Vec<Entry>,
    receipts: BTreeMap<Receipt, RecordId>,
    accepted: u64,
    refused: u64,
    /// The record of each topic that was accepted last.
    last: BTreeMap<String, u64>,
    pub(crate) goals: Goals,
    /// Records in the order in which they were acknowledged.
    pub(crate) acked: Vec<RecordId>,
    pub(crate) violations: Vec<String>,
}

impl Content {
    pub(crate) fn of(topic: &str, wall: i64, record: &Record<'_>) -> Self {
        let own = |header: &Header<'_>| (header.key.to_owned(), header.value.map(Vec::from));
        Self {
            topic: topic.into(),
            partition: record.partition,
            timestamp: record.timestamp.unwrap_or(wall),
            key: record.key.map(Vec::from),
            value: record.value.map(Vec::from),
            headers: record.headers.iter().map(own).collect(),
        }
    }

    /// Whether a log holds exactly this.
    fn is(&self, id: RecordId, stored: &StoredRecord) -> bool {
        let headers = stored
            .headers
            .iter()
            .filter(|(key, _)| key != MARK.as_bytes());
        let mine = self
            .headers
            .iter()
            .map(|(key, value)| (key.as_bytes(), value));
        let theirs = headers.map(|(key, value)| (key.as_slice(), value));
        self.key == stored.key
            && self.value == stored.value
            && self.timestamp == stored.timestamp
            && mine.eq(theirs)
            && id_of(&stored.headers) == Some(id)
    }
}

impl Ledger {
    /// Numbers a record that is about to be offered.
    pub(crate) fn add(&mut self, content: Content) -> RecordId {
        let id = RecordId(self.entries.len());
        self.entries.push(Entry {
            content,
            accepted: None,
            refusal: None,
            resolution: None,
            attempts: 0,
            open: 0,
            tainted: false,
            was_tainted: false,
            identity: None,
            place: None,
            leader_epoch: None,
            ended: None,
            known: 0,
            refused: None,
            split_from: None,
        });
        id
    }

    /// The producer has taken a record.
    pub(crate) fn accept(&mut self, now: Instant, id: RecordId, receipt: Receipt, known: u32) {
        self.entries[id.0].known = known;
        self.accepted += 1;
        let serial = self.accepted;
        self.entries[id.0].accepted = Some((now, serial));
        let topic = self.entries[id.0].content.topic.clone();
        self.last.insert(topic, serial);
        if let Some(other) = self.receipts.insert(receipt, id) {
            self.violate(format!(
                "D1: {receipt:?} was given to records {} and {}",
                other.0, id.0
            ));
        }
    }

    /// The producer has refused a record, and must never say more about it.
    pub(crate) fn refuse(&mut self, id: RecordId, error: SendError) {
        self.entries[id.0].refusal = Some(error);
        self.refused += 1;
    }

    /// An answer came after which these records must not be tried again.
    pub(crate) fn refused(&mut self, now: Instant, records: &Sent) {
        for (id, _) in records {
            if let Some(entry) = self.entries.get_mut(id.0)
                && entry.resolution.is_none()
            {
                entry.refused.get_or_insert(now);
            }
        }
    }

    /// Whether this batch may be sent in smaller ones: none of it can be in a log, or was given up
    /// meanwhile.
    pub(crate) fn may_split(&self, records: &Sent) -> bool {
        let is_whole = |id: &RecordId| {
            let entry = self.entries.get(id.0);
            entry.is_none_or(|entry| !entry.tainted && entry.resolution.is_none())
        };
        1 < records.len() && records.iter().all(|(id, _)| is_whole(id))
    }

    /// An answer came after which these records go in smaller batches, at once and at no cost.
    pub(crate) fn split(&mut self, records: &Sent) {
        for (id, _) in records {
            if let Some(entry) = self.entries.get_mut(id.0) {
                (entry.ended, entry.attempts) = (None, 0);
                let most = entry.split_from.unwrap_or(records.len());
                entry.split_from = Some(most.min(records.len()));
            }
        }
    }

    /// L7: a batch that was too large goes in parts that have fewer records than it had, and so
    /// do parts that are too large themselves: it ends.
    pub(crate) fn check_parts(&mut self, records: &Sent) {
        let count = records.len();
        let split_from = |id: RecordId| self.entries.get(id.0).and_then(|entry| entry.split_from);
        let mut parts = records
            .iter()
            .filter_map(|&(id, _)| Some((id, split_from(id)?)));
        if let Some((id, from)) = parts.find(|&(_, from)| from <= count) {
            self.violate(format!(
                "L7: record {} leaves in a batch of {count} records, {from} were too many",
                id.0
            ));
        }
    }

    /// Takes in a completion. Gives the records that have failed.
    pub(crate) fn complete(&mut self, now: Instant, event: &Event) -> Vec<RecordId> {
        let mut all_failed = Vec::new();
        let Event::Completed {
            group,
            records,
            result,
            last,
        } = event
        else {
            return all_failed;
        };
        if let Err(failed) = result {
            let first = Receipt {
                group: *group,
                index: records.start,
            };
            self.check_given_back(first, failed);
        }
        for (position, index) in (0..).zip(records.clone()) {
            let receipt = Receipt {
                group: *group,
                index,
            };
            let Some(id) = self.receipts.remove(&receipt) else {
                self.violate(format!(
                    "D1: {receipt:?} completed twice, or was never given"
                ));
                continue;
            };
            let resolution = match result {
                Ok(written) => {
                    self.acked.push(id);
                    let offset = written.base_offset.map(|base| base + position);
                    Resolution::Acked {
                        partition: written.partition,
                        offset,
                    }
                }
                Err(failed) => {
                    all_failed.push(id);
                    let error = failed.error.name();
                    Resolution::Failed {
                        outcome: failed.outcome,
                        error,
                    }
                }
            };
            self.check_doubt(id, &resolution);
            self.entries[id.0].resolution = Some((now, resolution));
        }
        if *last && self.receipts.keys().any(|receipt| receipt.group == *group) {
            self.violate(format!(
                "D1: {group:?} ended with records that are not resolved"
            ));
        }
        all_failed
    }

    /// A record has failed at the end of its time.
    pub(crate) fn note_expiry(&mut self, id: RecordId, limit: Duration) {
        let entry = &self.entries[id.0];
        let (Some((accepted, _)), Some((resolved, _))) = (&entry.accepted, &entry.resolution)
        else {
            return;
        };
        if *resolved == *accepted + limit {
            self.goals.reach(match entry.open {
                0 => Goal::ExpiredWaiting,
                _ => Goal::ExpiredInFlight,
            });
        }
    }

    /// Records that are accepted and not resolved.
    pub(crate) fn unresolved(&self) -> impl Iterator<Item = (RecordId, &Entry)> {
        self.receipts.values().map(|&id| (id, &self.entries[id.0]))
    }

    /// A failed record can be had back; one of the range stands for all.
    fn check_given_back(&mut self, first: Receipt, failed: &Failed) {
        let Some(&id) = self.receipts.get(&first) else {
            return;
        };
        let content = &self.entries[id.0].content;
        let is_same = failed.records.record(0).is_some_and(|found| {
            found.key == content.key
                && found.value == content.value
                && found.timestamp == content.timestamp
                && found.headers.len() == content.headers.len() + 1
        });
        if !is_same {
            self.violate(format!(
                "record {} failed and is not given back as it was",
                id.0
            ));
        }
    }

    /// D7: no false doubt and no false certainty.
    fn check_doubt(&mut self, id: RecordId, resolution: &Resolution) {
        let entry = &self.entries[id.0];
        let in_doubt = entry.tainted || 0 < entry.open;
        let what = match resolution {
            Resolution::Failed {
                outcome: Outcome::MaybeWritten,
                error,
            } if !in_doubt => {
                format!(
                    "D7: record {} ends MaybeWritten ({error}) without a doubt",
                    id.0
                )
            }
            Resolution::Failed {
                outcome: Outcome::NotWritten,
                error,
            } if in_doubt => {
                format!(
                    "D7: record {} ends NotWritten ({error}) in spite of a doubt",
                    id.0
                )
            }
            _ => return,
        };
        self.violate(what);
    }

    /// Whether every accepted record is resolved.
    pub(crate) fn is_settled(&self) -> bool {
        self.receipts.is_empty()
    }

    /// How many accepted records are not resolved.
    pub(crate) fn pending(&self) -> usize {
        self.receipts.len()
    }

    /// As the how-manieth the latest record of a topic was accepted.
    pub(crate) fn last_accepted(&self, topic: &str) -> Option<u64> {
        self.last.get(topic).copied()
    }

    pub(crate) const fn accepted(&self) -> u64 {
        self.accepted
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = (RecordId, &Entry)> {
        self.entries
            .iter()
            .enumerate()
            .map(|(at, entry)| (RecordId(at), entry))
    }

    pub(crate) fn entry(&self, id: RecordId) -> &Entry {
        &self.entries[id.0]
    }

    pub(crate) fn entry_mut(&mut self, id: RecordId) -> Option<&mut Entry> {
        self.entries.get_mut(id.0)
    }

    /// Whether a log holds this record as it was accepted.
    pub(crate) fn matches(&self, id: RecordId, stored: &StoredRecord) -> bool {
        self.entries
            .get(id.0)
            .is_some_and(|entry| entry.content.is(id, stored))
    }

    pub(crate) fn violate(&mut self, what: String) {
        self.violations.push(what);
    }
}

/// The record as the producer gets it: with its mark.
pub(crate) fn offer<T>(id: RecordId, content: &Content, send: impl FnOnce(&Record<'_>) -> T) -> T {
    let mark = u64::try_from(id.0).unwrap_or(u64::MAX).to_be_bytes();
    let mut headers: Vec<Header<'_>> = content
        .headers
        .iter()
        .map(|(key, value)| Header {
            key,
            value: value.as_deref(),
        })
        .collect();
    headers.push(Header {
        key: MARK,
        value: Some(&mark),
    });
    let mut record = Record::to(Topic::Name(&content.topic));
    record.partition = content.partition;
    record.timestamp = Some(content.timestamp);
    record.key = content.key.as_deref();
    record.value = content.value.as_deref();
    record.headers = &headers;
    send(&record)
}

/// The number that a record's headers carry.
pub(crate) fn id_of(headers: &[(Vec<u8>, Option<Vec<u8>>)]) -> Option<RecordId> {
    let (_, value) = headers.iter().rfind(|(key, _)| key == MARK.as_bytes())?;
    id_from(value.as_deref()?)
}

/// The number in the value of a mark.
pub(crate) fn id_from(mark: &[u8]) -> Option<RecordId> {
    let mark = u64::from_be_bytes(mark.try_into().ok()?);
    Some(RecordId(usize::try_from(mark).ok()?))
}

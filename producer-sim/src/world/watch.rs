//! Reads what goes over the wires, with a parser that is not the producer's, to know which records
//! are in doubt.
//!
//! An attempt is *ambiguous* if its frame was handed out and no definite answer for its partition
//! came on that connection (the truth table of the verification plan). Taint is sticky until a
//! success.

use std::collections::{BTreeMap, VecDeque};

use kafka_producer_machine::ConnectionId;
use kafka_producer_proto::batch::{BatchHeader, RecordIter};
use kafka_producer_proto::compression::{self, Codec};
use kafka_producer_proto::messages::{ProduceRequest, ProduceResponse};
use kafka_producer_proto::{
    ApiKey, ErrorCode, FrameReader, Message, RequestHeader, ResponseHeader, Uuid,
};

use super::ledger::{Identity, Ledger, MARK, RecordId, id_from};

/// A partition as a request names it.
type Place = (String, Uuid, i32);

/// What is on its way.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    wires: BTreeMap<ConnectionId, Wire>,
    /// Who used an identity first, and has not been refused.
    used: BTreeMap<(Place, Identity), RecordId>,
}

#[derive(Debug)]
struct Wire {
    answers: FrameReader,
    flights: VecDeque<Flight>,
}

/// A request without its answer.
#[derive(Debug)]
struct Flight {
    correlation_id: i32,
    version: i16,
    /// The records that it carries, if it is a Produce request.
    batches: Option<BTreeMap<Place, Vec<(RecordId, Identity)>>>,
}

/// What an answer says about its attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Ambiguous,
    NotWritten,
    Written,
}

impl Watch {
    /// A frame has left the producer. `frame` has its size.
    pub(crate) fn sent(&mut self, ledger: &mut Ledger, id: ConnectionId, frame: &[u8]) {
        let Some((header, body)) = frame
            .get(4..)
            .and_then(|bytes| RequestHeader::decode(bytes).ok())
        else {
            ledger.violate("D4: a frame of the producer is no request".into());
            return;
        };
        let RequestHeader {
            api,
            version,
            correlation_id,
            ..
        } = header;
        let mut flight = Flight {
            correlation_id,
            version,
            batches: None,
        };
        if api == ApiKey::Produce.value() {
            let Ok(request) = ProduceRequest::decode(version, body) else {
                ledger.violate("D4: a Produce request of the producer cannot be parsed".into());
                return;
            };
            let acks = request.acks;
            let batches = batches_of(ledger, request);
            self.begin(ledger, &batches);
            if acks == 0 {
                // No answer will ever settle it.
                for (place, records) in &batches {
                    self.judge(ledger, Verdict::Ambiguous, place, records);
                }
                return;
            }
            flight.batches = Some(batches);
        }
        self.wire(id).flights.push_back(flight);
    }

    /// Bytes have reached the producer.
    pub(crate) fn received(&mut self, ledger: &mut Ledger, id: ConnectionId, bytes: &[u8]) {
        let mut frames: Vec<Vec<u8>> = Vec::new();
        let mut rest = bytes;
        let wire = self.wire(id);
        while let Ok(Some(frame)) = wire.answers.next_frame(&mut rest) {
            frames.push(frame.to_vec());
        }
        for frame in frames {
            match self.wire(id).flights.pop_front() {
                Some(flight) => self.answered(ledger, flight, &frame),
                None => ledger.violate("P3: an answer without a request".into()),
            }
        }
    }

    /// The producer has given the connection up, or has learned that it is lost.
    pub(crate) fn lost(&mut self, ledger: &mut Ledger, id: ConnectionId) {
        let Some(wire) = self.wires.remove(&id) else {
            return;
        };
        for batch in wire
            .flights
            .into_iter()
            .filter_map(|flight| flight.batches)
            .flatten()
        {
            self.judge(ledger, Verdict::Ambiguous, &batch.0, &batch.1);
        }
    }

    fn answered(&mut self, ledger: &mut Ledger, flight: Flight, frame: &[u8]) {
        let Some(mut batches) = flight.batches else {
            return;
        };
        let decoded = ResponseHeader::decode(ApiKey::Produce, flight.version, frame);
        let response = match decoded {
            Ok((header, body)) if header.correlation_id == flight.correlation_id => {
                ProduceResponse::decode(flight.version, body).unwrap_or_default()
            }
            _ => ProduceResponse::default(),
        };
        for topic in response.responses {
            for answer in topic.partition_responses {
                let place = (topic.name.clone(), topic.topic_id, answer.index);
                if let Some(records) = batches.remove(&place) {
                    self.judge(ledger, verdict(answer.error_code), &place, &records);
                }
            }
        }
        for (place, records) in batches {
            self.judge(ledger, Verdict::Ambiguous, &place, &records);
        }
    }

    /// Notes an attempt, and that it says the same as ambiguous ones before it (D8, D9).
    fn begin(&mut self, ledger: &mut Ledger, batches: &BTreeMap<Place, Vec<(RecordId, Identity)>>) {
        for (place, records) in batches {
            for &(id, identity) in records {
                let Some(entry) = ledger.entry_mut(id) else {
                    continue;
                };
                let before = entry.identity.replace(identity);
                entry.open += 1;
                let idempotent = 0 <= identity.producer_id;
                if idempotent && entry.tainted && before != Some(identity) {
                    let what = format!("D8: record {} in doubt, then {identity:?}", id.0);
                    ledger.violate(what);
                }
                let other = self.used.insert((place.clone(), identity), id);
                if let Some(other) = other.filter(|&other| idempotent && other != id) {
                    let what = format!("D9: {identity:?} names records {} and {}", other.0, id.0);
                    ledger.violate(what);
                }
            }
        }
    }

    fn judge(
        &mut self,
        ledger: &mut Ledger,
        verdict: Verdict,
        place: &Place,
        records: &[(RecordId, Identity)],
    ) {
        for (id, identity) in records {
            let Some(entry) = ledger.entry_mut(*id) else {
                continue;
            };
            entry.open = entry.open.saturating_sub(1);
            match verdict {
                Verdict::Ambiguous => (entry.tainted, entry.was_tainted) = (true, true),
                Verdict::NotWritten if !entry.tainted && entry.open == 0 => {
                    // Nothing of this identity is in any log: another record may have it.
                    self.used.remove(&(place.clone(), *identity));
                }
                Verdict::NotWritten => {}
                Verdict::Written => entry.tainted = false,
            }
        }
    }

    fn wire(&mut self, id: ConnectionId) -> &mut Wire {
        self.wires.entry(id).or_insert_with(|| Wire {
            answers: FrameReader::new(100 * 1024 * 1024),
            flights: VecDeque::new(),
        })
    }
}

/// Which records a request carries, by partition.
fn batches_of(
    ledger: &mut Ledger,
    request: ProduceRequest,
) -> BTreeMap<Place, Vec<(RecordId, Identity)>> {
    let mut batches = BTreeMap::new();
    for topic in request.topic_data {
        for partition in topic.partition_data {
            let place = (topic.name.clone(), topic.topic_id, partition.index);
            match partition.records.as_deref().and_then(records_of) {
                Some(records) => {
                    if batches.insert(place, records).is_some() {
                        ledger.violate("D4: a partition stands twice in a request".into());
                    }
                }
                None => ledger.violate("D4: a batch of the producer cannot be parsed".into()),
            }
        }
    }
    batches
}

/// The records of a batch, as the producer sent it.
fn records_of(batch: &[u8]) -> Option<Vec<(RecordId, Identity)>> {
    let (header, records, rest) = BatchHeader::parse(batch).ok()?;
    if !rest.is_empty() {
        return None;
    }
    let mut plain = Vec::new();
    let records = match header.attributes.codec().ok()? {
        Codec::None => records,
        codec => {
            compression::decompress(codec, records, usize::MAX, &mut plain).ok()?;
            plain.as_slice()
        }
    };
    let iter = RecordIter::new(records, header.base_timestamp);
    iter.map(|record| {
        let record = record.ok()?;
        let mut marks = record
            .headers
            .filter(|header| header.key == MARK.as_bytes());
        let mark = marks.next()?.value?;
        let identity = Identity {
            producer_id: header.producer_id,
            epoch: header.producer_epoch,
            sequence: header.base_sequence.wrapping_add(record.offset_delta) & i32::MAX,
        };
        Some((id_from(mark)?, identity))
    })
    .collect()
}

/// The truth table: which code proves what about the attempt that it answers.
fn verdict(code: ErrorCode) -> Verdict {
    match code.0 {
        0 | 46 => Verdict::Written,
        2 | 10 | 17 | 18 | 19 | 21 | 29 | 31 | 32 | 42 | 43 | 45 | 47 | 48 | 49 | 53 | 59 | 76
        | 87 | 90 | 120 => Verdict::NotWritten,
        _ => Verdict::Ambiguous,
    }
}

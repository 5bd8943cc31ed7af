//! Batches of any records: sizes are exact, what was appended is read back, and `kafka-protocol`,
//! an implementation of its own, reads what is built here and the other way round.
#![allow(clippy::unwrap_used, reason = "a test may end on it")]

use bytes::{Bytes, BytesMut};
use kafka_producer_proto::batch::{
    Attributes, BatchHeader, HEADER_LEN, Header, OpenBatch, RecordBody, RecordIter, seal,
    verify_crc,
};
use kafka_producer_proto::compression::{Codec, Compressor, decompress};
use kafka_protocol::indexmap::IndexMap;
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records::{
    Compression, Record as TheirRecord, RecordBatchDecoder, RecordBatchEncoder,
    RecordEncodeOptions, TimestampType,
};
use proptest::prelude::*;

/// A record that owns its bytes.
#[derive(Clone, Debug, PartialEq)]
struct Record {
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Record {
    fn lend<T>(&self, to: impl FnOnce(&RecordBody<'_>) -> T) -> T {
        let headers: Vec<_> = self
            .headers
            .iter()
            .map(|(key, value)| Header {
                key,
                value: value.as_deref(),
            })
            .collect();
        to(&RecordBody {
            timestamp: self.timestamp,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers: &headers,
        })
    }
}

/// What the header says besides the records.
const PRODUCER: BatchHeader = BatchHeader {
    producer_id: 4242,
    producer_epoch: 7,
    ..BatchHeader::plain(0, 0, 0)
};
const BASE_SEQUENCE: i32 = 100;

fn available() -> impl Iterator<Item = Codec> {
    Codec::ALL.into_iter().filter(|codec| codec.is_available())
}

fn build(records: &[Record], codec: Codec) -> Vec<u8> {
    let mut open = OpenBatch::new(Vec::new());
    for record in records {
        record.lend(|record| open.append(record));
    }
    let closed = open.close();
    let mut section = Vec::new();
    Compressor::new()
        .compress(codec, codec.default_level(), &closed.records, &mut section)
        .unwrap();

    let header = BatchHeader {
        attributes: Attributes::default().with_codec(codec),
        producer_id: PRODUCER.producer_id,
        producer_epoch: PRODUCER.producer_epoch,
        base_sequence: BASE_SEQUENCE,
        ..closed.header()
    };
    let mut bytes = [0; HEADER_LEN];
    header.write_unchecked_crc(section.len(), &mut bytes);
    seal(&mut bytes, &section);
    [&bytes, &section[..]].concat()
}

fn read(batch: &[u8]) -> (BatchHeader, Vec<Record>) {
    verify_crc(batch).unwrap();
    let (header, section, rest) = BatchHeader::parse(batch).unwrap();
    assert_eq!(rest, []);

    let mut records = Vec::new();
    decompress(
        header.attributes.codec().unwrap(),
        section,
        1 << 24,
        &mut records,
    )
    .unwrap();
    let records = RecordIter::new(&records, header.base_timestamp);
    assert_eq!(records.clone().finish(header.count), Ok(()));

    let owned = |field: Option<&[u8]>| field.map(<[u8]>::to_vec);
    let records = records.enumerate().map(|(index, record)| {
        let record = record.unwrap();
        assert_eq!(record.offset_delta, index as i32);
        let headers = record
            .headers
            .map(|header| (header.key_str().unwrap().to_owned(), owned(header.value)))
            .collect();
        let (key, value) = (owned(record.key), owned(record.value));
        Record {
            timestamp: record.timestamp,
            key,
            value,
            headers,
        }
    });
    (header, records.collect())
}

fn theirs(codec: Codec) -> Compression {
    match codec {
        Codec::None => Compression::None,
        Codec::Gzip => Compression::Gzip,
        Codec::Snappy => Compression::Snappy,
        Codec::Lz4 => Compression::Lz4,
        Codec::Zstd => Compression::Zstd,
    }
}

fn to_theirs(records: &[Record]) -> Vec<TheirRecord> {
    let bytes = |field: &Option<Vec<u8>>| field.clone().map(Bytes::from);
    let convert = |(index, record): (usize, &Record)| TheirRecord {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: -1,
        producer_id: PRODUCER.producer_id,
        producer_epoch: PRODUCER.producer_epoch,
        timestamp_type: TimestampType::Creation,
        offset: index as i64,
        sequence: BASE_SEQUENCE + index as i32,
        timestamp: record.timestamp,
        key: bytes(&record.key),
        value: bytes(&record.value),
        headers: record
            .headers
            .iter()
            .map(|(key, value)| (StrBytes::from(key.clone()), bytes(value)))
            .collect::<IndexMap<_, _>>(),
    };
    records.iter().enumerate().map(convert).collect()
}

/// They keep headers in a map, which loses those with the same key.
fn with_unique_header_keys(mut records: Vec<Record>) -> Vec<Record> {
    for record in &mut records {
        let mut seen = Vec::new();
        record.headers.retain(|(key, _)| {
            let is_new = !seen.contains(key);
            seen.push(key.clone());
            is_new
        });
    }
    records
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn the_announced_size_is_what_append_adds(records in records(), limit in 0..4000_usize) {
        let mut open = OpenBatch::new(Vec::new());
        let mut same = OpenBatch::new(Vec::new());
        for record in &records {
            record.lend(|record| {
                let (size, before) = (open.size_of(record), open.size());
                let bound = record.upper_bound();
                assert!(HEADER_LEN + size <= bound, "{size} above the bound {bound}");

                let appended = open.try_append(record, limit);

                let fits = open.is_empty() || before + size <= limit || before == HEADER_LEN;
                assert_eq!(appended.is_some(), fits);
                assert_eq!(open.size(), if fits { before + size } else { before });
                if fits {
                    assert_eq!(same.append(record), appended.unwrap());
                }
            });
        }
        prop_assert_eq!(open.close(), same.close());
    }

    #[test]
    fn a_buffer_of_the_exact_size_never_grows(records in records()) {
        let fill = |buffer| {
            let mut open = OpenBatch::new(buffer);
            for record in &records {
                record.lend(|record| open.append(record));
            }
            open
        };
        let needed = fill(Vec::new()).records_len();
        let buffer = Vec::with_capacity(needed);
        let capacity = buffer.capacity();
        prop_assert_eq!(fill(buffer).capacity(), capacity);
    }

    #[test]
    fn what_was_appended_is_read_back(records in records()) {
        for codec in available() {
            let (header, read) = read(&build(&records, codec));

            prop_assert_eq!(&read, &records);
            prop_assert_eq!(header.attributes.codec(), Ok(codec));
            prop_assert_eq!(header.last_offset_delta + 1, header.count);
            prop_assert_eq!(header.base_timestamp, records[0].timestamp);
            let max = records.iter().map(|record| record.timestamp).max().unwrap();
            prop_assert_eq!(header.max_timestamp, max);
        }
    }

    #[test]
    fn kafka_protocol_reads_what_is_built_here(records in records()) {
        let records = with_unique_header_keys(records);
        for codec in available() {
            let mut batch = Bytes::from(build(&records, codec));
            let set = RecordBatchDecoder::decode(&mut batch).unwrap();

            prop_assert!(batch.is_empty());
            prop_assert_eq!(set.compression, theirs(codec));
            prop_assert_eq!(set.records, to_theirs(&records));
        }
    }

    #[test]
    fn what_kafka_protocol_builds_is_read_here(records in records()) {
        let records = with_unique_header_keys(records);
        for codec in available() {
            let mut batch = BytesMut::new();
            let options = RecordEncodeOptions { version: 2, compression: theirs(codec) };
            RecordBatchEncoder::encode(&mut batch, &to_theirs(&records), &options).unwrap();

            let (header, read) = read(&batch);

            prop_assert_eq!(&read, &records);
            prop_assert_eq!(header.attributes.codec(), Ok(codec));
            prop_assert_eq!(header.producer_id, PRODUCER.producer_id);
            prop_assert_eq!(header.producer_epoch, PRODUCER.producer_epoch);
            prop_assert_eq!(header.base_sequence, BASE_SEQUENCE);
        }
    }

    #[test]
    fn noise_in_place_of_records_is_an_error_or_a_value(
        noise in prop::collection::vec(any::<u8>(), 0..200),
        count in any::<i32>(),
    ) {
        let records = RecordIter::new(&noise, 0);
        let read = records.clone().flatten().inspect(|record| {
            assert_eq!(record.headers.len(), record.headers.clone().count());
        });
        let read = read.count();
        if records.clone().all(|record| record.is_ok()) {
            prop_assert_eq!(records.clone().finish(read as i32), Ok(()));
        }
        if count != read as i32 {
            prop_assert!(records.finish(count).is_err());
        }
    }
}

fn records() -> impl Strategy<Value = Vec<Record>> {
    prop::collection::vec(record(), 1..100)
}

fn record() -> impl Strategy<Value = Record> {
    let timestamp = prop_oneof![
        4 => Just(1_700_000_000_000),
        4 => 1_699_999_999_000..1_700_000_002_000_i64,
        1 => -1..4_000_000_000_000_i64,
    ];
    let headers = prop_oneof![
        4 => Just(vec![]),
        1 => prop::collection::vec(("[a-zé]{0,3}", field()), 0..4),
    ];
    (timestamp, field(), field(), headers).prop_map(|(timestamp, key, value, headers)| Record {
        timestamp,
        key,
        value,
        headers,
    })
}

/// Null, empty, of a length around those where a varint grows, or anything shorter than that.
fn field() -> impl Strategy<Value = Option<Vec<u8>>> {
    let len = prop_oneof![3 => 0..20_usize, 3 => 55..75_usize, 1 => 8185..8200_usize];
    let bytes = (len, any::<u8>()).prop_map(|(len, byte)| {
        (0..len)
            .map(|index| byte.wrapping_add((index / 5) as u8))
            .collect()
    });
    prop::option::weighted(0.7, bytes)
}

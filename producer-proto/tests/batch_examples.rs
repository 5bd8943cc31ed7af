//! The worked examples of record batches: bytes that Kafka's own reader accepts.
#![allow(clippy::unwrap_used, reason = "a test may end on it")]

use kafka_producer_proto::batch::{
    Attributes, BatchError, BatchHeader, HEADER_LEN, Header, OpenBatch, RecordBody, RecordIter,
    seal, verify_crc,
};
use kafka_producer_proto::compression::Codec;
#[cfg(feature = "gzip")]
use kafka_producer_proto::compression::decompress;

/// Two records with headers, from a plain producer.
const A: &str = "
    00000000 00000000 00000052 ffffffff 02e699d2 44000000 00000100 00018bcf
    e5680000 00018bcf e56805ff ffffffff ffffffff ffffffff ff000000 022e0000
    00046b31 0a68656c 6c6f0404 68310476 31046832 0110000a 02010002 0000";

/// A tombstone with an empty key, in a transaction.
const B: &str = "
    00000000 00000000 00000038 ffffffff 023d632a a2001000 00000000 00018bcf
    e5687b00 00018bcf e5687b00 00000000 00109200 07000000 64000000 010c0000
    00000100";

/// Two records of an idempotent producer, the second one older than the first.
const C: &str = "
    00000000 00000000 00000043 ffffffff 02fae345 38000000 00000100 00018bcf
    e5680000 00018bcf e5680000 00000218 711a0100 00000000 00000000 02100000
    00026102 31001000 13020262 023200";

/// The records of C, compressed with gzip, base sequence 2.
const D: &str = "
    00000000 00000000 00000057 ffffffff 0257b6d5 a2000100 00000100 00018bcf
    e5680000 00018bcf e5680000 00000218 711a0100 00000000 02000000 021f8b08
    00000000 00000313 60606060 4a643264 10601066 624a6232 620000be d749cc12
    000000";

/// A commit marker, as a consumer fetches it.
const E: &str = "
    00000000 0000000b 00000042 00000005 0239ae83 57003000 00000000 00018bcf
    e568c800 00018bcf e568c800 00000000 00109200 07ffffff ff000000 01200000
    00080000 00010c00 00000000 0300";

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text
        .chars()
        .filter_map(|digit| digit.to_digit(16))
        .collect();
    digits
        .chunks(2)
        .map(|pair| (pair[0] << 4 | pair[1]) as u8)
        .collect()
}

/// Fills a batch, lets `adjust` set what a plain producer does not, and seals it.
fn build(records: &[RecordBody<'_>], adjust: impl FnOnce(&mut BatchHeader)) -> Vec<u8> {
    let mut open = OpenBatch::new(Vec::new());
    for record in records {
        open.append(record);
    }
    let closed = open.close();
    let mut header = closed.header();
    adjust(&mut header);

    let mut bytes = [0; HEADER_LEN];
    header.write_unchecked_crc(closed.records.len(), &mut bytes);
    seal(&mut bytes, &closed.records);
    [&bytes, &closed.records[..]].concat()
}

fn records_of_c() -> [RecordBody<'static>; 2] {
    let record = |timestamp, key: &'static str, value: &'static str| RecordBody {
        timestamp,
        key: Some(key.as_bytes()),
        value: Some(value.as_bytes()),
        headers: &[],
    };
    [
        record(1_700_000_000_000, "a", "1"),
        record(1_699_999_999_990, "b", "2"),
    ]
}

/// Timestamp, offset delta, key, value, headers.
type Record = (
    i64,
    i32,
    Option<Vec<u8>>,
    Option<Vec<u8>>,
    Vec<(String, Option<Vec<u8>>)>,
);

fn read(batch: &[u8]) -> (BatchHeader, Vec<Record>) {
    let (header, section, rest) = BatchHeader::parse(batch).unwrap();
    assert!(rest.is_empty());
    assert_eq!(header.attributes.codec(), Ok(Codec::None));
    (header, read_section(&header, section))
}

fn read_section(header: &BatchHeader, section: &[u8]) -> Vec<Record> {
    let records = RecordIter::new(section, header.base_timestamp);
    assert_eq!(records.clone().finish(header.count), Ok(()));

    let owned = |field: Option<&[u8]>| field.map(<[u8]>::to_vec);
    records
        .map(|record| {
            let record = record.unwrap();
            let headers = record
                .headers
                .map(|header| (header.key_str().unwrap().to_owned(), owned(header.value)))
                .collect();
            let (key, value) = (owned(record.key), owned(record.value));
            (record.timestamp, record.offset_delta, key, value, headers)
        })
        .collect()
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    Some(text.as_bytes().to_vec())
}

#[test]
fn example_a_is_built_byte_for_byte() {
    let h1 = Header {
        key: "h1",
        value: Some(b"v1"),
    };
    let h2 = Header {
        key: "h2",
        value: None,
    };
    let empty = Header {
        key: "",
        value: Some(b""),
    };

    let built = build(
        &[
            RecordBody {
                timestamp: 1_700_000_000_000,
                key: Some(b"k1"),
                value: Some(b"hello"),
                headers: &[h1, h2],
            },
            RecordBody {
                timestamp: 1_700_000_000_005,
                key: None,
                value: Some(b""),
                headers: &[empty],
            },
        ],
        |_| {},
    );

    assert_eq!(built, hex(A));
}

#[test]
fn example_b_is_built_byte_for_byte() {
    let tombstone = RecordBody {
        timestamp: 1_700_000_000_123,
        key: Some(b""),
        value: None,
        headers: &[],
    };

    let built = build(&[tombstone], |header| {
        header.attributes = header.attributes.with_transactional();
        header.producer_id = 4242;
        header.producer_epoch = 7;
        header.base_sequence = 100;
    });

    assert_eq!(built, hex(B));
}

#[test]
fn example_c_is_built_byte_for_byte() {
    let built = build(&records_of_c(), |header| {
        header.producer_id = 9_000_000_001;
        header.producer_epoch = 0;
        header.base_sequence = 0;
    });

    assert_eq!(built, hex(C));
}

#[test]
fn example_a_is_read() {
    let (header, records) = read(&hex(A));

    let expected = BatchHeader {
        crc: 0xe699_d244,
        ..BatchHeader::plain(2, 1_700_000_000_000, 1_700_000_000_005)
    };
    assert_eq!(header, expected);
    let first = vec![("h1".to_owned(), bytes("v1")), ("h2".to_owned(), None)];
    let second = vec![(String::new(), bytes(""))];
    assert_eq!(
        records,
        [
            (1_700_000_000_000, 0, bytes("k1"), bytes("hello"), first),
            (1_700_000_000_005, 1, None, bytes(""), second),
        ]
    );
}

#[test]
fn example_b_is_read() {
    let (header, records) = read(&hex(B));

    assert_eq!(header.attributes, Attributes(0x10));
    assert!(header.attributes.is_transactional());
    assert!(!header.attributes.is_control());
    assert_eq!((header.producer_id, header.producer_epoch), (4242, 7));
    assert_eq!(header.base_sequence, 100);
    assert_eq!(records, [(1_700_000_000_123, 0, bytes(""), None, vec![])]);
}

#[test]
fn example_c_is_read() {
    let (header, records) = read(&hex(C));

    assert_eq!(header.producer_id, 9_000_000_001);
    assert_eq!(header.max_timestamp, header.base_timestamp);
    assert_eq!(
        records,
        [
            (1_700_000_000_000, 0, bytes("a"), bytes("1"), vec![]),
            (1_699_999_999_990, 1, bytes("b"), bytes("2"), vec![]),
        ]
    );
}

#[test]
fn the_header_of_example_d_is_read() {
    let example = hex(D);
    let (header, section, _) = BatchHeader::parse(&example).unwrap();

    assert_eq!(header.attributes.codec(), Ok(Codec::Gzip));
    assert_eq!(
        (header.base_sequence, header.count, section.len()),
        (2, 2, 38)
    );
}

#[cfg(feature = "gzip")]
#[test]
fn the_records_of_example_d_are_those_of_example_c() {
    let example = hex(D);
    let (header, section, _) = BatchHeader::parse(&example).unwrap();

    let mut expanded = Vec::new();
    decompress(Codec::Gzip, section, 1000, &mut expanded).unwrap();

    assert_eq!(read_section(&header, &expanded), read(&hex(C)).1);
}

#[cfg(feature = "gzip")]
#[test]
fn every_changed_byte_of_example_d_expands_to_no_more_than_the_limit() {
    for_every_corruption(&hex(D)[HEADER_LEN..], |_, corrupt| {
        let mut expanded = Vec::new();
        let _ = decompress(Codec::Gzip, corrupt, 100, &mut expanded);
        assert!(expanded.capacity() <= 100);
    });
}

#[test]
fn example_e_is_read() {
    let (header, records) = read(&hex(E));

    assert!(header.attributes.is_control() && header.attributes.is_transactional());
    assert_eq!((header.base_offset, header.partition_leader_epoch), (11, 5));
    assert_eq!(header.base_sequence, -1);
    let (key, value) = (hex("0000 0001"), hex("0000 00000003"));
    assert_eq!(
        records,
        [(1_700_000_000_200, 0, Some(key), Some(value), vec![])]
    );
}

#[test]
fn the_checksum_of_every_example_is_right() {
    for example in [A, B, C, D, E] {
        assert_eq!(verify_crc(&hex(example)), Ok(()));
    }
}

#[test]
fn a_batch_is_cut_off_what_follows_it() {
    let (a, c) = (hex(A), hex(C));
    let both = [&a[..], &c[..]].concat();

    let (_, _, rest) = BatchHeader::parse(&both).unwrap();

    assert_eq!(rest, c);
    assert_eq!(verify_crc(&both), Ok(()));
}

#[test]
fn every_strict_prefix_is_cut_short() {
    for example in [A, B, C, D, E] {
        let example = hex(example);
        for len in 0..example.len() {
            let expected = if len < HEADER_LEN {
                HEADER_LEN
            } else {
                example.len()
            };
            let error = BatchError::Truncated {
                expected,
                found: len,
            };
            assert_eq!(BatchHeader::parse(&example[..len]), Err(error));
            assert_eq!(verify_crc(&example[..len]), Err(error));
        }
    }
}

#[test]
fn every_changed_byte_that_the_checksum_covers_is_noticed() {
    for example in [A, B, C, D, E] {
        for_every_corruption(&hex(example), |at, corrupt| {
            let checked = verify_crc(corrupt);
            if 17 <= at {
                assert!(matches!(checked, Err(BatchError::Crc { .. })));
            }
        });
    }
}

#[test]
fn every_changed_byte_reads_as_records_or_as_an_error() {
    for example in [A, B, C, D, E] {
        for_every_corruption(&hex(example), |_, corrupt| {
            let Ok((header, section, _)) = BatchHeader::parse(corrupt) else {
                return;
            };
            let records = RecordIter::new(section, header.base_timestamp);
            for record in records.clone().flatten() {
                assert_eq!(record.headers.len(), record.headers.count());
            }
            let _ = records.finish(header.count);
        });
    }
}

fn for_every_corruption(batch: &[u8], mut check: impl FnMut(usize, &[u8])) {
    for at in 0..batch.len() {
        for byte in 0..=u8::MAX {
            if byte != batch[at] {
                let mut corrupt = batch.to_vec();
                corrupt[at] = byte;
                check(at, &corrupt);
            }
        }
    }
}

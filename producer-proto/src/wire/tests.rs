//! The examples of Kafka's primitive types, both ways, and bytes that are none of them.

#![allow(
    unreachable_pub,
    reason = "the macro makes structs public, these are for this file"
)]

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Debug;

use bytes::Bytes;

use super::*;
use crate::Uuid;

const CLASSIC: Form = Form {
    version: 0,
    lengths: Lengths::Classic,
};
const COMPACT: Form = Form {
    version: 9,
    lengths: Lengths::Compact,
};

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.chars().map(|c| c.to_digit(16).unwrap() as u8).collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

#[track_caller]
fn check<T: Field + Debug + PartialEq>(form: Form, value: T, hex: &str) {
    let mut written = Vec::new();
    value.put(form, &mut written).unwrap();
    assert_eq!(written, bytes(hex));
    assert!(T::smallest(form) <= written.len());
    written.push(0xaa);
    assert_eq!(T::take(form, &written), Ok((&[0xaa][..], value)));
}

#[track_caller]
fn refused<T: Field + Debug + PartialEq>(form: Form, hex: &str, kind: DecodeErrorKind) {
    let bytes = bytes(hex);
    let error = finish(T::take(form, &bytes))
        .map(|(_, value)| value)
        .unwrap_err();
    assert_eq!(error.kind, kind);
}

#[test]
fn fixed_sizes_are_big_endian() {
    check(CLASSIC, true, "01");
    check(CLASSIC, false, "00");
    check(CLASSIC, -2_i8, "fe");
    check(CLASSIC, 9092_i16, "2384");
    check(CLASSIC, -1_i16, "ffff");
    check(CLASSIC, 50_000_u16, "c350");
    check(CLASSIC, 1_000_000_i32, "000f4240");
    check(CLASSIC, -1_i32, "ffffffff");
    check(CLASSIC, 1_700_000_000_000_i64, "0000018bcfe56800");
    check(CLASSIC, -1_i64, "ffffffffffffffff");
    check(CLASSIC, 1.5_f64, "3ff8000000000000");
    let id = Uuid::from_bytes(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff_u128.to_be_bytes());
    check(COMPACT, id, "00112233445566778899aabbccddeeff");
    assert_eq!(bool::take(CLASSIC, &[7]), Ok((&[][..], true)));
}

#[test]
fn strings_have_a_length_of_two_bytes_or_a_varint() {
    check(CLASSIC, String::from("kafka"), "00056b61666b61");
    check(CLASSIC, String::new(), "0000");
    check(CLASSIC, None::<String>, "ffff");
    check(CLASSIC, String::from("é"), "0002c3a9");
    check(COMPACT, String::from("kafka"), "066b61666b61");
    check(COMPACT, Some(String::new()), "01");
    check(COMPACT, None::<String>, "00");
    check(
        COMPACT,
        "a".repeat(200),
        &(String::from("c901") + &"61".repeat(200)),
    );
}

#[test]
fn bytes_have_a_length_of_four_bytes_or_a_varint() {
    check(CLASSIC, Bytes::from_static(&[0xde, 0xad]), "00000002dead");
    check(CLASSIC, Bytes::new(), "00000000");
    check(CLASSIC, None::<Bytes>, "ffffffff");
    check(COMPACT, Bytes::from_static(&[0xde, 0xad]), "03dead");
    check(COMPACT, Some(Bytes::new()), "01");
    check(COMPACT, None::<Bytes>, "00");
}

#[test]
fn arrays_have_a_count_of_four_bytes_or_a_varint() {
    check(CLASSIC, vec![1_i32, 2], "000000020000000100000002");
    check(CLASSIC, Vec::<i32>::new(), "00000000");
    check(CLASSIC, None::<Vec<i32>>, "ffffffff");
    check(COMPACT, vec![1_i32, 2], "030000000100000002");
    check(COMPACT, Some(Vec::<i32>::new()), "01");
    check(COMPACT, None::<Vec<i32>>, "00");
    check(COMPACT, vec![String::from("a"), String::new()], "03026101");
}

#[test]
fn unsigned_varints_have_seven_bits_a_byte() {
    for (value, hex) in [
        (0, "00"),
        (1, "01"),
        (63, "3f"),
        (64, "40"),
        (127, "7f"),
        (128, "8001"),
        (300, "ac02"),
        (8191, "ff3f"),
        (8192, "8040"),
        (16383, "ff7f"),
        (16384, "808001"),
        (2_097_151, "ffff7f"),
        (2_097_152, "80808001"),
        (2_147_483_647, "ffffffff07"),
        (u32::MAX, "ffffffff0f"),
    ] {
        let mut written = Vec::new();
        put_unsigned_varint(value, &mut written);
        assert_eq!(written, bytes(hex));
        assert_eq!(take_unsigned_varint(&written), Ok((&[][..], value)));
    }
}

#[test]
fn a_varint_is_taken_over_long_but_not_endless() {
    assert_eq!(take_unsigned_varint(&[0x80, 0x00, 9]), Ok((&[9][..], 0)));
    // Bits above the 32nd are dropped, as the Java client does.
    assert_eq!(
        take_unsigned_varint(&[0xff, 0xff, 0xff, 0xff, 0x7f]),
        Ok((&[][..], u32::MAX))
    );
    let endless = finish(take_unsigned_varint(&[0x80; 6])).unwrap_err();
    assert_eq!(endless.kind, DecodeErrorKind::VarintTooLong);
    let cut = finish(take_unsigned_varint(&[0x80; 4])).unwrap_err();
    assert_eq!(cut.kind, DecodeErrorKind::Truncated { needed: 1 });
}

message! {
    /// Tag 0 of the example: an array of one struct.
    pub struct Inner {
        /// Its only field.
        value: i32;
    }

    /// Three shapes of a tag section.
    pub struct Tagged {
        /// Tag 0.
        inner: Vec<Inner>, tag 0;
        /// Tag 1.
        long: i64, default -1, tag 1;
    }
}

#[test]
fn a_tag_section_leaves_out_defaults() {
    check(COMPACT, Tagged::default(), "00");
    check(
        COMPACT,
        Tagged {
            long: 42,
            ..Default::default()
        },
        "010108000000000000002a",
    );
}

#[test]
fn unknown_tags_and_surplus_bytes_in_known_ones_are_skipped() {
    let inner = vec![Inner { value: 2 }];
    let read =
        Tagged::take(COMPACT, &bytes("0200060200000002000703aabbcc")).map(|(_, value)| value);
    assert_eq!(
        read,
        Ok(Tagged {
            inner,
            ..Default::default()
        })
    );
    let read = Tagged::take(COMPACT, &bytes("01010a000000000000002affff")).map(|(_, value)| value);
    assert_eq!(
        read,
        Ok(Tagged {
            long: 42,
            ..Default::default()
        })
    );
}

#[test]
fn a_tag_that_says_more_than_there_is_is_refused() {
    refused::<Tagged>(
        COMPACT,
        "ffffffff0f",
        DecodeErrorKind::Truncated { needed: 1 },
    );
    refused::<Tagged>(
        COMPACT,
        "0107ffffffff0f",
        DecodeErrorKind::Truncated { needed: u32::MAX },
    );
    // A known tag must not read on behind its own bytes.
    refused::<Tagged>(
        COMPACT,
        "010102000000000000002a",
        DecodeErrorKind::Truncated { needed: 6 },
    );
}

#[test]
fn null_is_refused_where_a_value_must_be() {
    refused::<String>(CLASSIC, "ffff", DecodeErrorKind::NullNotAllowed);
    refused::<String>(COMPACT, "00", DecodeErrorKind::NullNotAllowed);
    refused::<Bytes>(CLASSIC, "ffffffff", DecodeErrorKind::NullNotAllowed);
    refused::<Vec<i32>>(COMPACT, "00", DecodeErrorKind::NullNotAllowed);
}

#[test]
fn impossible_lengths_are_refused() {
    refused::<Option<String>>(
        CLASSIC,
        "fffe",
        DecodeErrorKind::NegativeLength { length: -2 },
    );
    refused::<Bytes>(
        CLASSIC,
        "80000000",
        DecodeErrorKind::NegativeLength { length: i32::MIN },
    );
    refused::<String>(
        COMPACT,
        "818002",
        DecodeErrorKind::StringTooLong { length: 32768 },
    );
    refused::<String>(CLASSIC, "000361", DecodeErrorKind::Truncated { needed: 2 });
    refused::<String>(CLASSIC, "0001ff", DecodeErrorKind::InvalidUtf8);
    let kind = DecodeErrorKind::CountTooLarge { count: 2 };
    refused::<Vec<i32>>(CLASSIC, "0000000200000001000000", kind);
    refused::<Vec<String>>(
        COMPACT,
        "ffffffff0f01",
        DecodeErrorKind::CountTooLarge {
            count: u32::MAX - 1,
        },
    );
}

#[test]
fn a_string_above_the_limit_is_not_written() {
    let error = "a".repeat(32768).put(COMPACT, &mut Vec::new());
    assert_eq!(error, Err(EncodeError::StringTooLong { length: 32768 }));
    assert_eq!("a".repeat(32767).put(COMPACT, &mut Vec::new()), Ok(()));
}

message! {
    /// A field that may be null from version 5 on.
    pub struct LaterNull {
        /// The field.
        name: Option<String>, nullable 5..;
    }
}

#[test]
fn a_field_is_null_only_in_the_versions_that_allow_it() {
    let null = LaterNull::default();
    check(COMPACT, null.clone(), "0000");
    let error = null.put(CLASSIC, &mut Vec::new());
    assert_eq!(error, Err(EncodeError::NullNotAllowed { version: 0 }));
    refused::<LaterNull>(CLASSIC, "ffff", DecodeErrorKind::NullNotAllowed);
}

//! The codecs: Kafka's samples, bounded decompression, and the shapes that Kafka refuses.
#![cfg(all(
    feature = "gzip",
    feature = "snappy",
    feature = "lz4",
    feature = "zstd"
))]
#![allow(clippy::unwrap_used, reason = "a test may end on it")]

use kafka_producer_proto::compression::{
    Codec, CompressionError, Compressor, decompress, max_compressed_len,
};
use proptest::prelude::*;

const GZIP: &str = "1f8b08000000000000034b4c240e240101005ac9f6cf2c000000";
const SNAPPY_RAW: &str = "2c00619a01000c62626262";
const SNAPPY_XERIAL: &str = "82534e415050590000000001000000010000000b2c00619a01000c62626262";
const LZ4: &str = "04224d186040820b0000001f6101001350616262626200000000";
const ZSTD: &str = "28b52ffd00586500003061616262626201001f8005";

const SAMPLES: [(Codec, &str); 5] = [
    (Codec::Gzip, GZIP),
    (Codec::Snappy, SNAPPY_RAW),
    (Codec::Snappy, SNAPPY_XERIAL),
    (Codec::Lz4, LZ4),
    (Codec::Zstd, ZSTD),
];

const PLAIN: &[u8] = b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaabbbb";

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

fn expand(codec: Codec, input: &[u8], limit: usize) -> Result<Vec<u8>, CompressionError> {
    let mut out = vec![7; 3];
    decompress(codec, input, limit, &mut out).map(|()| out)
}

fn shrink(codec: Codec, input: &[u8]) -> Vec<u8> {
    let mut out = vec![7; 3];
    Compressor::new()
        .compress(codec, codec.default_level(), input, &mut out)
        .unwrap();
    out
}

/// Bytes that no codec makes smaller, the same ones each time.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 8) as u8
    };
    (0..len).map(next).collect()
}

fn is_malformed(result: Result<Vec<u8>, CompressionError>) -> bool {
    matches!(result, Err(CompressionError::Malformed { .. }))
}

#[test]
fn every_sample_expands() {
    for (codec, sample) in SAMPLES {
        assert_eq!(
            expand(codec, &hex(sample), 44),
            Ok(PLAIN.to_vec()),
            "{codec}"
        );
    }
}

#[test]
fn snappy_and_lz4_are_framed_as_java_frames_them() {
    assert_eq!(shrink(Codec::Snappy, PLAIN), hex(SNAPPY_XERIAL));
    assert_eq!(shrink(Codec::Lz4, PLAIN)[..7], hex(LZ4)[..7]);
}

#[test]
fn gzip_is_one_member_with_a_plain_header() {
    assert_eq!(shrink(Codec::Gzip, PLAIN)[..4], [0x1f, 0x8b, 8, 0]);
}

#[test]
fn one_byte_less_than_it_takes_is_too_large() {
    for (codec, sample) in SAMPLES {
        let error = CompressionError::TooLarge { codec, limit: 43 };
        assert_eq!(expand(codec, &hex(sample), 43), Err(error));
        assert_eq!(
            expand(codec, &hex(sample), 0),
            Err(CompressionError::TooLarge { codec, limit: 0 })
        );
    }
}

#[test]
fn a_bomb_is_cut_off_at_the_limit() {
    let zeros = vec![0; 64 << 20];
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let mut out = Vec::new();
        let limit = 1 << 20;
        let result = decompress(codec, &shrink(codec, &zeros), limit, &mut out);

        assert_eq!(result, Err(CompressionError::TooLarge { codec, limit }));
        assert!(
            out.is_empty() && out.capacity() <= limit,
            "{codec}: {}",
            out.capacity()
        );
    }
}

#[test]
fn a_length_that_the_data_cannot_justify_takes_no_memory() {
    let claims_2_gib = hex("ffffffff07 00 61");
    let claims_a_4_mib_block = hex("04224d186070730b0000001f61010013506162626262");

    for (codec, claim) in [
        (Codec::Snappy, claims_2_gib),
        (Codec::Lz4, claims_a_4_mib_block),
    ] {
        let mut out = Vec::new();
        assert!(decompress(codec, &claim, usize::MAX, &mut out).is_err());
        assert!(out.capacity() < 4096, "{codec}: {}", out.capacity());
    }
}

#[test]
fn nothing_is_not_valid_data_of_any_codec() {
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        assert!(is_malformed(expand(codec, b"", 100)), "{codec}");
        assert_eq!(expand(codec, &shrink(codec, b""), 0), Ok(vec![]), "{codec}");
    }
}

#[test]
fn every_strict_prefix_and_every_changed_byte_is_an_error_or_a_bounded_value() {
    for (codec, sample) in SAMPLES {
        let sample = hex(sample);
        for len in 0..sample.len() {
            let cut = expand(codec, &sample[..len], 1 << 16);
            assert!(
                cut.is_err() || cut == Ok(vec![]),
                "{codec} cut to {len}: {cut:?}"
            );
        }
        for at in 0..sample.len() {
            for byte in 0..=u8::MAX {
                let mut corrupt = sample.clone();
                corrupt[at] = byte;
                if let Ok(out) = expand(codec, &corrupt, 1 << 16) {
                    assert!(out.len() <= 1 << 16);
                }
            }
        }
    }
}

#[test]
fn gzip_takes_several_members_and_zstd_several_frames() {
    for codec in [Codec::Gzip, Codec::Zstd] {
        let twice = [shrink(codec, b"first, "), shrink(codec, b"second")].concat();
        assert_eq!(
            expand(codec, &twice, 100),
            Ok(b"first, second".to_vec()),
            "{codec}"
        );
    }
}

#[test]
fn xerial_takes_chunks_of_any_size_and_repeated_headers() {
    let mut stream = Vec::new();
    for chunk in [&b"a"[..], b"", b"longer than the others"] {
        stream.extend(&hex(SNAPPY_XERIAL)[..16]);
        for part in [chunk, b"."] {
            let block = snap_raw(part);
            stream.extend((block.len() as u32).to_be_bytes());
            stream.extend(block);
        }
    }

    let expected = b"a..longer than the others.".to_vec();
    assert_eq!(expand(Codec::Snappy, &stream, 100), Ok(expected));
}

/// A raw block of literals, as xerial's chunks are.
fn snap_raw(plain: &[u8]) -> Vec<u8> {
    match plain.len() {
        0 => vec![0],
        len => [&[len as u8, ((len - 1) << 2) as u8], plain].concat(),
    }
}

#[test]
fn xerial_is_cut_into_chunks_of_32_kib() {
    let stream = shrink(Codec::Snappy, &noise(40_000));

    let first = u32::from_be_bytes(stream[16..20].try_into().unwrap()) as usize;
    let second = &stream[20 + first..];
    assert_eq!(
        stream[20..23],
        hex("808002"),
        "the block's own length, 32768"
    );
    assert_eq!(second[4..6], hex("c038"), "the rest, 7232");
}

#[test]
fn snappys_own_framing_is_refused() {
    let framed = hex("ff060000734e61507059 00 0a0000 0000000001006161");
    assert!(is_malformed(expand(Codec::Snappy, &framed, 1000)));
}

#[test]
fn lz4_stores_blocks_that_do_not_shrink() {
    let plain = noise(70_000);
    let frame = shrink(Codec::Lz4, &plain);

    assert_eq!(frame[7..11], (65_536_u32 | 0x8000_0000).to_le_bytes());
    assert_eq!(frame.len(), 7 + 4 + 65_536 + 4 + 4_464 + 4);
    assert_eq!(expand(Codec::Lz4, &frame, 70_000), Ok(plain));
    assert!(expand(Codec::Lz4, &frame, 69_999).is_err());
}

#[test]
fn lz4_reads_every_option_that_kafka_takes() {
    let block = "0b0000001f61010013506162626262";
    // Content size; block checksum; content checksum (not checked, as in Kafka); 4 MiB blocks.
    for (header, after_block, after_end) in [
        ("6840 2c00000000000000 ??", "", ""),
        ("7040 ??", "!!", ""),
        ("6440 ??", "", "00000000"),
        ("6070 73", "", ""),
    ] {
        let frame = lz4_frame(header, block, after_block, &format!("00000000{after_end}"));
        assert_eq!(
            expand(Codec::Lz4, &frame, 44),
            Ok(PLAIN.to_vec()),
            "{header}"
        );
    }
}

/// Puts the checksums in: `??` is the header's, `!!` the block's.
fn lz4_frame(header: &str, block: &str, after_block: &str, end: &str) -> Vec<u8> {
    use twox_hash::XxHash32;

    let header = hex(header.trim_end_matches("??").trim_end_matches("73"));
    let checksum = (XxHash32::oneshot(0, &header) >> 8) as u8;
    let block = hex(block);
    let block_checksum = match after_block {
        "" => vec![],
        _ => XxHash32::oneshot(0, &block[4..]).to_le_bytes().to_vec(),
    };
    [
        &hex("04224d18"),
        &header,
        &[checksum][..],
        &block,
        &block_checksum,
        &hex(end),
    ]
    .concat()
}

#[test]
fn lz4_refuses_what_kafka_refuses() {
    let frame = hex(LZ4);
    let change = |at: usize, byte: u8| {
        let mut frame = frame.clone();
        frame[at] = byte;
        frame
    };
    let without_end_mark = frame[..frame.len() - 4].to_vec();

    for (what, frame) in [
        (
            "linked blocks",
            lz4_frame("4040 ??", "0b0000001f61010013506162626262", "", "00000000"),
        ),
        (
            "a dictionary",
            lz4_frame("6140 ??", "0b0000001f61010013506162626262", "", "00000000"),
        ),
        (
            "32 KiB blocks",
            lz4_frame("6030 ??", "0b0000001f61010013506162626262", "", "00000000"),
        ),
        ("a skippable frame", change(0, 0x50)),
        ("another header checksum", change(6, 0x83)),
        ("no end mark", without_end_mark),
    ] {
        assert!(is_malformed(expand(Codec::Lz4, &frame, 100)), "{what}");
    }
}

#[test]
fn lz4_ignores_what_follows_the_end_mark() {
    let frame = [hex(LZ4), b"anything".to_vec()].concat();
    assert_eq!(expand(Codec::Lz4, &frame, 44), Ok(PLAIN.to_vec()));
}

#[test]
fn a_level_that_the_codec_does_not_have_is_an_error() {
    let mut out = Vec::new();
    for (codec, level) in [
        (Codec::Gzip, 0),
        (Codec::Gzip, 10),
        (Codec::Lz4, 0),
        (Codec::Zstd, 23),
    ] {
        let result = Compressor::new().compress(codec, level, PLAIN, &mut out);
        assert_eq!(result, Err(CompressionError::Level { codec, level }));
    }
}

#[test]
fn every_level_is_compressed_and_expands() {
    let mut compressor = Compressor::new();
    let mut out = Vec::new();
    for codec in [Codec::Gzip, Codec::Lz4, Codec::Zstd] {
        for level in (-5..=19).filter(|&level| codec.accepts_level(level)) {
            compressor.compress(codec, level, PLAIN, &mut out).unwrap();
            assert_eq!(
                expand(codec, &out, 44),
                Ok(PLAIN.to_vec()),
                "{codec} {level}"
            );
        }
    }
}

#[test]
fn names_and_ids_are_those_of_kafka() {
    for (id, name) in ["none", "gzip", "snappy", "lz4", "zstd"]
        .into_iter()
        .enumerate()
    {
        let codec = Codec::from_id(id as u8).unwrap();
        assert_eq!((codec.id(), codec.name()), (id as u8, name));
        assert_eq!(Codec::from_name(name), Some(codec));
        assert!(codec.is_available());
    }
    assert_eq!(Codec::from_id(5), None);
    assert_eq!(Codec::from_name("GZIP"), None);
}

#[test]
fn a_compressor_can_move_to_another_thread() {
    fn is_send<T: Send>() {}
    is_send::<Compressor>();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_compressed_expands_to_the_same(input in input()) {
        for codec in Codec::ALL {
            let compressed = shrink(codec, &input);
            prop_assert_eq!(expand(codec, &compressed, input.len()), Ok(input.clone()));
            if !input.is_empty() {
                let limit = input.len() - 1;
                let error = CompressionError::TooLarge { codec, limit };
                prop_assert_eq!(expand(codec, &compressed, limit), Err(error));
            }
        }
    }

    #[test]
    fn a_kept_context_changes_no_byte(inputs in prop::collection::vec(input(), 1..5)) {
        let mut kept = Compressor::new();
        let mut out = Vec::new();
        for codec in Codec::ALL {
            for input in &inputs {
                kept.compress(codec, codec.default_level(), input, &mut out).unwrap();
                prop_assert_eq!(&out, &shrink(codec, input));
            }
        }
    }

    #[test]
    fn a_buffer_of_the_announced_size_never_grows(input in input()) {
        for codec in Codec::ALL {
            let mut out = Vec::with_capacity(max_compressed_len(codec, input.len()));
            let capacity = out.capacity();
            for level in [1, 9] {
                Compressor::new().compress(codec, level, &input, &mut out).unwrap();
                prop_assert_eq!(out.capacity(), capacity, "{} {}", codec, level);
            }
        }
    }

    #[test]
    fn noise_is_an_error_or_a_bounded_value(input in prop::collection::vec(any::<u8>(), 0..200)) {
        for codec in Codec::ALL {
            let mut out = Vec::new();
            let _ = decompress(codec, &input, 100, &mut out);
            prop_assert!(out.len() <= 100 && out.capacity() <= 100);
        }
    }
}

/// Text that repeats itself, noise, and both, up to several blocks of every codec.
fn input() -> impl Strategy<Value = Vec<u8>> {
    let text = prop::collection::vec(0_u8..8, 0..64)
        .prop_flat_map(|word| (0..4000_usize).prop_map(move |times| word.repeat(times)));
    let noise = (0..150_000_usize).prop_map(noise);
    prop_oneof![
        text.clone(),
        noise.clone(),
        (text, noise).prop_map(|(a, b)| [a, b].concat())
    ]
}

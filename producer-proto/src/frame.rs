//! Frames: a 32-bit size and that many bytes, cut out of a stream and put together for one.
//!
//! ```text
//! bytes:     ...]| size | frame ............ | size | fra
//!                 `── handed out in place ──'  `─ tail ─'
//! ```
//!
//! **Invariants.** Any way of cutting a stream into pieces yields the same frames.
//! Memory grows with the bytes that came, never with a declared size.

use alloc::vec::Vec;

use crate::wire::EncodeError;
use crate::{ApiKey, Message, Request, header};

/// A stream that cannot be Kafka's, or not with these limits; the connection is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The peer speaks HTTP.
    #[error("expected a Kafka frame, came an HTTP answer: this port belongs to a web server")]
    LooksLikeHttp,
    /// The peer speaks TLS.
    #[error("expected a Kafka frame, came a TLS record: the port wants TLS (security.protocol)")]
    LooksLikeTls,
    /// A size below zero.
    #[error("expected a frame size of 0 or more, came {size}: the peer does not speak Kafka")]
    Negative {
        /// The declared size.
        size: i32,
    },
    /// A size above the limit.
    #[error(
        "expected a frame of at most {limit} bytes, came {size}: raise the limit if it is real"
    )]
    TooLarge {
        /// The declared size.
        size: u32,
        /// The limit.
        limit: usize,
    },
}

/// Cuts frames out of a stream, whatever pieces it comes in.
///
/// ```
/// # use kafka_producer_proto::{FrameReader, FrameError};
/// # fn main() -> Result<(), FrameError> {
/// let mut reader = FrameReader::new(1024);
/// let mut bytes: &[u8] = &[0, 0, 0, 2, 7, 8, 0, 0];
/// assert_eq!(reader.next_frame(&mut bytes)?, Some(&[7, 8][..]));
/// assert_eq!(reader.next_frame(&mut bytes)?, None); // The begun size is kept for later.
/// let mut more: &[u8] = &[0, 1, 9];
/// assert_eq!(reader.next_frame(&mut more)?, Some(&[9][..]));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Hash)]
pub struct FrameReader {
    max_frame_bytes: usize,
    tail: Vec<u8>,
    handed_out: HandedOut,
}

/// Whether the tail is a frame that the caller has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum HandedOut {
    No,
    Yes,
}

impl FrameReader {
    /// A reader that refuses frames above `max_frame_bytes`, their size field not counted.
    #[must_use]
    pub const fn new(max_frame_bytes: usize) -> Self {
        Self {
            max_frame_bytes,
            tail: Vec::new(),
            handed_out: HandedOut::No,
        }
    }

    /// The next whole frame, without its size, in `bytes` and what was kept from before.
    ///
    /// Advances `bytes` past what it used. `None` means that all bytes are used and the last
    /// frame, if any, is unfinished: call it until then. A frame that lies wholly in `bytes` is
    /// not copied.
    ///
    /// # Errors
    /// The size is impossible or above the limit. The stream cannot be resumed.
    pub fn next_frame<'s, 'b: 's>(
        &'s mut self,
        bytes: &mut &'b [u8],
    ) -> Result<Option<&'s [u8]>, FrameError> {
        if self.handed_out == HandedOut::Yes {
            self.forget_tail();
        }
        if self.tail.is_empty() && SIZE_BYTES <= bytes.len() {
            let size = self.size(bytes)?;
            if let Some((frame, rest)) = bytes[SIZE_BYTES..].split_at_checked(size) {
                *bytes = rest;
                return Ok(Some(frame));
            }
        }
        if !self.fill(SIZE_BYTES, bytes) {
            return Ok(None);
        }
        let size = self.size(&self.tail)?;
        if !self.fill(SIZE_BYTES + size, bytes) {
            return Ok(None);
        }
        self.handed_out = HandedOut::Yes;
        Ok(Some(&self.tail[SIZE_BYTES..]))
    }

    /// How many bytes of an unfinished frame are kept.
    #[must_use]
    pub fn buffered(&self) -> usize {
        match self.handed_out {
            HandedOut::No => self.tail.len(),
            HandedOut::Yes => 0,
        }
    }

    fn forget_tail(&mut self) {
        self.handed_out = HandedOut::No;
        if KEPT_CAPACITY < self.tail.capacity() {
            self.tail = Vec::new();
        }
        self.tail.clear();
    }

    /// Moves bytes to the tail until it has `wanted`; whether it has them.
    fn fill(&mut self, wanted: usize, bytes: &mut &[u8]) -> bool {
        let missing = wanted.saturating_sub(self.tail.len()).min(bytes.len());
        let (taken, rest) = bytes.split_at(missing);
        self.tail.extend_from_slice(taken);
        *bytes = rest;
        wanted <= self.tail.len()
    }

    /// The size that the first four bytes declare, if it is one that we take.
    fn size(&self, bytes: &[u8]) -> Result<usize, FrameError> {
        let Some(&prefix) = bytes.first_chunk::<SIZE_BYTES>() else {
            return Ok(0);
        };
        let limit = self.max_frame_bytes;
        let size = i32::from_be_bytes(prefix);
        let Ok(declared) = u32::try_from(size) else {
            return Err(FrameError::Negative { size });
        };
        if declared as usize <= limit {
            return Ok(declared as usize);
        }
        Err(match prefix {
            [b'H', b'T', b'T', b'P'] => FrameError::LooksLikeHttp,
            // An alert or a handshake record, version 3.x.
            [0x15 | 0x16, 0x03, ..] => FrameError::LooksLikeTls,
            _ => FrameError::TooLarge {
                size: declared,
                limit,
            },
        })
    }
}

/// Appends a whole request frame, or nothing if the request cannot be encoded.
///
/// # Errors
/// The version is unknown, or cannot carry one of the values.
pub fn encode_request<R: Request>(
    client_id: Option<&str>,
    correlation_id: i32,
    version: i16,
    request: &R,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    framed(out, |out| {
        header::put_request(R::API, version, correlation_id, client_id, out)?;
        request.encode(version, out)
    })
}

/// Appends a whole response frame, or nothing if the response cannot be encoded.
///
/// # Errors
/// The version is unknown, or cannot carry one of the values.
pub fn encode_response(
    api: ApiKey,
    version: i16,
    correlation_id: i32,
    response: &impl Message,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    framed(out, |out| {
        header::put_response(api, version, correlation_id, out);
        response.encode(version, out)
    })
}

/// Appends what `content` appends, with its size before it.
fn framed(
    out: &mut Vec<u8>,
    content: impl FnOnce(&mut Vec<u8>) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    let start = out.len();
    out.extend_from_slice(&[0; SIZE_BYTES]);
    let sized = content(out).and_then(|()| {
        let length = out.len() - start - SIZE_BYTES;
        i32::try_from(length).map_err(|_| EncodeError::LengthTooLarge { length })
    });
    match sized {
        Ok(size) => {
            out[start..start + SIZE_BYTES].copy_from_slice(&size.to_be_bytes());
            Ok(())
        }
        Err(error) => {
            out.truncate(start);
            Err(error)
        }
    }
}

/// The size field before a frame.
const SIZE_BYTES: usize = 4;

/// A tail above this is given back after its frame, so that one large answer does not pin memory.
const KEPT_CAPACITY: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use alloc::vec;

    use proptest::prelude::*;

    use super::*;
    use crate::messages::{InitProducerIdRequest, MetadataRequest};

    /// All frames of a stream that comes in pieces.
    fn frames<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Vec<u8>>, FrameError> {
        let mut reader = FrameReader::new(1000);
        let mut frames = Vec::new();
        for mut piece in pieces {
            while let Some(frame) = reader.next_frame(&mut piece)? {
                frames.push(frame.to_vec());
            }
            assert!(piece.is_empty());
        }
        Ok(frames)
    }

    #[test]
    fn a_whole_frame_is_handed_out_in_place() {
        let bytes = [0, 0, 0, 1, 5, 0, 0, 0, 0];
        let mut rest = &bytes[..];
        let mut reader = FrameReader::new(10);
        let frame = reader.next_frame(&mut rest).unwrap().unwrap();
        assert!(core::ptr::eq(frame, &bytes[4..5]));
        assert_eq!(reader.next_frame(&mut rest), Ok(Some(&[][..])));
        assert_eq!(reader.next_frame(&mut rest), Ok(None));
        assert_eq!(reader.buffered(), 0);
    }

    #[test]
    fn memory_grows_with_bytes_and_is_given_back() {
        let mut reader = FrameReader::new(100 << 20);
        assert_eq!(
            reader.next_frame(&mut &(100_i32 << 20).to_be_bytes()[..]),
            Ok(None)
        );
        assert!(reader.tail.capacity() < 64);
        let mut reader = FrameReader::new(100 << 20);
        assert_eq!(
            reader.next_frame(&mut &100_000_i32.to_be_bytes()[..]),
            Ok(None)
        );
        assert!(
            reader
                .next_frame(&mut &vec![0; 100_000][..])
                .unwrap()
                .is_some()
        );
        assert_eq!(reader.next_frame(&mut &[][..]), Ok(None));
        assert_eq!(reader.tail.capacity(), 0);
    }

    #[test]
    fn a_frame_at_the_limit_passes_and_one_above_it_does_not() {
        let mut reader = FrameReader::new(2);
        assert_eq!(
            reader.next_frame(&mut &[0, 0, 0, 2, 1, 2][..]),
            Ok(Some(&[1, 2][..]))
        );
        let too_large = FrameError::TooLarge { size: 3, limit: 2 };
        assert_eq!(reader.next_frame(&mut &[0, 0, 0, 3][..]), Err(too_large));
    }

    #[test]
    fn other_protocols_are_named() {
        let first = |mut bytes: &[u8]| FrameReader::new(100 << 20).next_frame(&mut bytes).err();
        assert_eq!(
            first(b"HTTP/1.1 400 Bad Request"),
            Some(FrameError::LooksLikeHttp)
        );
        assert_eq!(
            first(&[0x15, 3, 3, 0, 2, 2, 70]),
            Some(FrameError::LooksLikeTls)
        );
        assert_eq!(first(&[0x16, 3, 1, 2, 0]), Some(FrameError::LooksLikeTls));
        assert_eq!(first(&[0xff; 4]), Some(FrameError::Negative { size: -1 }));
        let size = i32::MAX as u32;
        let limit = 100 << 20;
        assert_eq!(
            first(&i32::MAX.to_be_bytes()),
            Some(FrameError::TooLarge { size, limit })
        );
    }

    #[test]
    fn what_cannot_be_encoded_leaves_the_buffer_as_it_was() {
        let mut out = vec![7];
        let null = MetadataRequest {
            topics: None,
            ..Default::default()
        };
        let error = encode_request(None, 1, 0, &null, &mut out);
        assert_eq!(error, Err(EncodeError::NullNotAllowed { version: 0 }));
        let name = "x".repeat(40_000);
        let request = InitProducerIdRequest::default();
        let error = encode_request(Some(&name), 1, 4, &request, &mut out);
        assert_eq!(error, Err(EncodeError::StringTooLong { length: 40_000 }));
        assert_eq!(out, [7]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn any_way_of_cutting_a_stream_yields_the_same_frames(
            contents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..8),
            cuts in prop::collection::vec(0_usize..400, 0..12),
        ) {
            let mut stream = Vec::new();
            for content in &contents {
                framed(&mut stream, |out| {
                    out.extend_from_slice(content);
                    Ok(())
                }).unwrap();
            }
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(stream.len())).collect();
            cuts.extend([0, stream.len()]);
            cuts.sort_unstable();
            let pieces = cuts.windows(2).map(|ends| &stream[ends[0]..ends[1]]);
            prop_assert_eq!(frames(pieces), Ok(contents.clone()));
            prop_assert_eq!(frames(stream.chunks(1)), Ok(contents));
        }
    }
}

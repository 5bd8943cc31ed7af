//! The bodies of the fuzz targets, kept here so that plain tests can replay their seeds.
//!
//! Each takes any bytes and panics only if the crate broke a promise: no panic inside, what was
//! read can be written and reads back the same, and any chunking yields the same frames.

use alloc::vec::Vec;
use core::fmt::Debug;

use crate::batch::{BatchHeader, HEADER_LEN, RecordIter, verify_crc};
use crate::compression::{Codec, decompress};
use crate::messages::produce::ProduceResponseView;
use crate::messages::*;
use crate::{
    ApiKey, DecodeError, FrameError, FrameReader, Message, Request, RequestHeader, ResponseHeader,
};

/// Which half of an API a body belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// From the client.
    Request,
    /// From the broker.
    Response,
}

/// Reads a body and writes it again.
///
/// # Errors
/// The bytes are no such body.
pub fn recode(api: ApiKey, role: Role, version: i16, body: &[u8]) -> Result<Vec<u8>, DecodeError> {
    macro_rules! by_api {
        ($($api:ident: $request:ident,)+) => {
            match (api, role) {
                $(
                    (ApiKey::$api, Role::Request) => recode_as::<$request>(version, body),
                    (ApiKey::$api, Role::Response) => {
                        recode_as::<<$request as Request>::Response>(version, body)
                    }
                )+
            }
        };
    }
    by_api! {
        AddOffsetsToTxn: AddOffsetsToTxnRequest,
        AddPartitionsToTxn: AddPartitionsToTxnRequest,
        ApiVersions: ApiVersionsRequest,
        CreateTopics: CreateTopicsRequest,
        DeleteTopics: DeleteTopicsRequest,
        DescribeCluster: DescribeClusterRequest,
        DescribeConfigs: DescribeConfigsRequest,
        EndTxn: EndTxnRequest,
        Fetch: FetchRequest,
        FindCoordinator: FindCoordinatorRequest,
        GetTelemetrySubscriptions: GetTelemetrySubscriptionsRequest,
        InitProducerId: InitProducerIdRequest,
        ListOffsets: ListOffsetsRequest,
        Metadata: MetadataRequest,
        Produce: ProduceRequest,
        PushTelemetry: PushTelemetryRequest,
        SaslAuthenticate: SaslAuthenticateRequest,
        SaslHandshake: SaslHandshakeRequest,
        TxnOffsetCommit: TxnOffsetCommitRequest,
    }
}

fn recode_as<M: Message + Debug + PartialEq>(
    version: i16,
    body: &[u8],
) -> Result<Vec<u8>, DecodeError> {
    let message = M::decode(version, body)?;
    let mut written = Vec::new();
    let encoded = message.encode(version, &mut written);
    assert_eq!(encoded, Ok(()), "what was read can be written");
    assert_eq!(
        M::decode(version, &written),
        Ok(message),
        "what was written reads back"
    );
    Ok(written)
}

/// Target `frame`: the first byte says in which pieces the rest arrives at a broker.
pub fn frame(input: &[u8]) {
    let Some((&piece, stream)) = input.split_first() else {
        return;
    };
    let whole = frames(stream.len().max(1), stream);
    assert_eq!(
        frames(usize::from(piece).max(1), stream),
        whole,
        "cutting changes nothing"
    );
    for frame in whole.0 {
        let Ok((header, body)) = RequestHeader::decode(&frame) else {
            continue;
        };
        if let Some(api) = ApiKey::from_value(header.api) {
            _ = recode(api, Role::Request, header.version, body);
        }
    }
}

/// All frames of a stream that comes in pieces of `piece` bytes, and how it ended.
fn frames(piece: usize, stream: &[u8]) -> (Vec<Vec<u8>>, Result<(), FrameError>) {
    let mut reader = FrameReader::new(1 << 16);
    let mut frames = Vec::new();
    for mut bytes in stream.chunks(piece) {
        loop {
            match reader.next_frame(&mut bytes) {
                Ok(Some(frame)) => frames.push(frame.to_vec()),
                Ok(None) => break,
                Err(error) => return (frames, Err(error)),
            }
        }
    }
    (frames, Ok(()))
}

/// Target `response`: two bytes choose API and version, the rest is the frame without its size.
pub fn response(input: &[u8]) {
    let Some((&[api, version], frame)) = input.split_first_chunk() else {
        return;
    };
    let api = ApiKey::ALL[usize::from(api) % ApiKey::ALL.len()];
    let version = api.versions().min + i16::from(version) % (api.versions().max + 1);
    let Ok((_, body)) = ResponseHeader::decode(api, version, frame) else {
        return;
    };
    let read = recode(api, Role::Response, version, body);
    if api == ApiKey::Produce {
        let viewed = ProduceResponseView::visit(version, body, &mut |_| ());
        assert_eq!(
            viewed.is_ok(),
            read.is_ok(),
            "the view takes what the decoder takes"
        );
    }
}

/// Target `batch`: batches back to back, as a broker finds them in a request.
pub fn batch(input: &[u8]) {
    let mut rest = input;
    while let Ok((header, records, after)) = BatchHeader::parse(rest) {
        let mut written = [0; HEADER_LEN];
        header.write_unchecked_crc(records.len(), &mut written);
        assert_eq!(
            written[..17],
            rest[..17],
            "the fields before the checksum are kept"
        );
        assert_eq!(
            written[21..],
            rest[21..HEADER_LEN],
            "the fields after it too"
        );
        _ = verify_crc(rest);
        let mut plain = Vec::new();
        let codec = header.attributes.codec().unwrap_or(Codec::None);
        if decompress(codec, records, DECOMPRESSED_LIMIT, &mut plain).is_ok() {
            let records = RecordIter::new(&plain, header.base_timestamp);
            let headers = records
                .clone()
                .flatten()
                .flat_map(|record| record.headers)
                .count();
            assert!(headers <= plain.len());
            _ = records.finish(header.count);
        }
        rest = after;
    }
}

/// Keeps a compressed bomb from slowing the fuzzer down.
const DECOMPRESSED_LIMIT: usize = 1 << 20;

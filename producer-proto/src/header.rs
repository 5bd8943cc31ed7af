//! The headers of requests and responses (versions 1 and 2, and 0 and 1).

use alloc::string::String;
use alloc::vec::Vec;

use crate::ApiKey;
use crate::wire::{
    DecodeError, EncodeError, Lengths, Parsed, finish, put_str, put_unsigned_varint, take_i16,
    take_i32, take_str, take_tags,
};

/// What stands before the body of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestHeader {
    /// The API's key as it came; it need not be one of [`ApiKey`].
    pub api: i16,
    /// The version of the API, which need not be a known one either.
    pub version: i16,
    /// The number that the response repeats.
    pub correlation_id: i32,
    /// The name that the client gives itself.
    pub client_id: Option<String>,
}

impl RequestHeader {
    /// Takes the header from a frame without its size; returns the body as well.
    ///
    /// A key that is not known here is taken to have the classic header, whose fields come first
    /// in the flexible one too.
    ///
    /// # Errors
    /// The frame ends within the header.
    pub fn decode(frame: &[u8]) -> Result<(Self, &[u8]), DecodeError> {
        let (body, header) = finish(Self::take(frame))?;
        Ok((header, body))
    }

    fn take(frame: &[u8]) -> Parsed<'_, Self> {
        let (rest, api) = take_i16(frame)?;
        let (rest, version) = take_i16(rest)?;
        let (rest, correlation_id) = take_i32(rest)?;
        // Never compact: a broker must read the header of a version that it does not know.
        let (rest, client_id) = take_str(Lengths::Classic, rest)?;
        let client_id = client_id.map(String::from);
        let header = Self {
            api,
            version,
            correlation_id,
            client_id,
        };
        match ApiKey::from_value(api) {
            Some(key) if key.is_flexible(version) => {
                let (body, ()) = take_tags(rest, |_, _| Ok(()))?;
                Ok((body, header))
            }
            _ => Ok((rest, header)),
        }
    }
}

/// What stands before the body of a response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResponseHeader {
    /// The number of the request that is answered.
    pub correlation_id: i32,
}

impl ResponseHeader {
    /// Takes the header from a frame without its size; returns the body as well.
    ///
    /// `api` and `version` are those of the request: the response does not repeat them.
    ///
    /// # Errors
    /// The frame ends within the header.
    pub fn decode(api: ApiKey, version: i16, frame: &[u8]) -> Result<(Self, &[u8]), DecodeError> {
        let (body, header) = finish(Self::take(api, version, frame))?;
        Ok((header, body))
    }

    fn take(api: ApiKey, version: i16, frame: &[u8]) -> Parsed<'_, Self> {
        let (rest, correlation_id) = take_i32(frame)?;
        let header = Self { correlation_id };
        match api.response_header_version(version) {
            0 => Ok((rest, header)),
            _ => {
                let (body, ()) = take_tags(rest, |_, _| Ok(()))?;
                Ok((body, header))
            }
        }
    }
}

/// Appends a request header.
pub(crate) fn put_request(
    api: ApiKey,
    version: i16,
    correlation_id: i32,
    client_id: Option<&str>,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    out.extend_from_slice(&api.value().to_be_bytes());
    out.extend_from_slice(&version.to_be_bytes());
    out.extend_from_slice(&correlation_id.to_be_bytes());
    put_str(Lengths::Classic, client_id, out)?;
    if api.request_header_version(version) == 2 {
        put_unsigned_varint(0, out);
    }
    Ok(())
}

/// Appends a response header.
pub(crate) fn put_response(api: ApiKey, version: i16, correlation_id: i32, out: &mut Vec<u8>) {
    out.extend_from_slice(&correlation_id.to_be_bytes());
    if api.response_header_version(version) == 1 {
        put_unsigned_varint(0, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flexible_request_header_ends_in_tags_but_keeps_the_classic_client_id() {
        let frame = [0, 3, 0, 12, 0, 0, 0, 2, 0, 1, b'c', 1, 9, 2, 8, 8, 7];
        let (header, body) = RequestHeader::decode(&frame).unwrap();
        let client_id = Some(String::from("c"));
        assert_eq!(
            header,
            RequestHeader {
                api: 3,
                version: 12,
                correlation_id: 2,
                client_id
            }
        );
        assert_eq!(body, [7]);
    }

    #[test]
    fn a_request_of_an_unknown_api_has_the_classic_header() {
        let frame = [0x7f, 0xff, 0, 9, 0, 0, 0, 2, 0xff, 0xff, 5];
        let (header, body) = RequestHeader::decode(&frame).unwrap();
        assert_eq!(
            (header.api, header.version, header.client_id),
            (0x7fff, 9, None)
        );
        assert_eq!(body, [5]);
    }

    #[test]
    fn a_request_for_versions_is_read_in_any_version() {
        for (version, tags) in [(-1, 0), (0, 0), (2, 0), (3, 1), (5, 1), (99, 1)] {
            let mut frame = Vec::new();
            let version: i16 = version;
            frame.extend_from_slice(&[0, 18]);
            frame.extend_from_slice(&version.to_be_bytes());
            frame.extend_from_slice(&[0, 0, 0, 1, 0, 0]);
            frame.extend(core::iter::repeat_n(0, tags));
            let (header, body) = RequestHeader::decode(&frame).unwrap();
            assert_eq!((header.version, body), (version, &[][..]));
        }
    }

    #[test]
    fn an_answer_about_versions_never_has_header_tags() {
        let frame = [0, 0, 0, 1, 0];
        let (_, body) = ResponseHeader::decode(ApiKey::ApiVersions, 4, &frame).unwrap();
        assert_eq!(body, [0]);
        let (header, body) = ResponseHeader::decode(ApiKey::Produce, 9, &frame).unwrap();
        assert_eq!((header.correlation_id, body), (1, &[][..]));
        let (_, body) = ResponseHeader::decode(ApiKey::Produce, 8, &frame).unwrap();
        assert_eq!(body, [0]);
    }

    #[test]
    fn a_header_that_is_cut_is_refused() {
        assert!(RequestHeader::decode(&[0, 3, 0, 12, 0, 0, 0, 2, 0, 1, b'c']).is_err());
        assert!(RequestHeader::decode(&[0, 3]).is_err());
        assert!(ResponseHeader::decode(ApiKey::Produce, 9, &[0, 0, 0, 1]).is_err());
    }
}

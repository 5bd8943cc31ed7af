//! Whole frames that other implementations read and wrote as well.

#![allow(dead_code, reason = "each test binary uses what it needs")]

use std::fmt::Debug;

use kafka_producer_proto::fuzzing::Role;
use kafka_producer_proto::{
    ApiKey, Message, Request, RequestHeader, ResponseHeader, encode_request, encode_response,
};

/// One frame.
#[derive(Clone, Debug)]
pub(crate) struct Vector {
    /// Names API, role and version first, then what is special.
    pub(crate) title: &'static str,
    pub(crate) api: ApiKey,
    pub(crate) role: Role,
    pub(crate) version: i16,
    /// The frame with its size.
    pub(crate) bytes: Vec<u8>,
}

impl Vector {
    /// The frame without its size.
    pub(crate) fn frame(&self) -> &[u8] {
        &self.bytes[4..]
    }

    /// What follows the header in a frame that may be damaged.
    pub(crate) fn body<'a>(&self, frame: &'a [u8]) -> Option<&'a [u8]> {
        match self.role {
            Role::Request => Some(RequestHeader::decode(frame).ok()?.1),
            Role::Response => Some(
                ResponseHeader::decode(self.api, self.version, frame)
                    .ok()?
                    .1,
            ),
        }
    }
}

/// Every frame.
pub(crate) fn all() -> Vec<Vector> {
    include_str!("frames.txt")
        .split("> ")
        .skip(1)
        .map(parse)
        .collect()
}

/// The frame whose title begins so.
pub(crate) fn titled(start: &str) -> Vector {
    let mut found = all()
        .into_iter()
        .filter(|vector| vector.title.starts_with(start));
    let vector = found.next().expect("the title exists");
    assert!(found.next().is_none(), "{start} begins more than one title");
    vector
}

/// Compares the frame whose title begins with `title`, from the client named `rs-producer`.
#[track_caller]
pub(crate) fn request<R: Request + Debug + PartialEq>(title: &str, correlation_id: i32, value: &R) {
    request_from(Some("rs-producer"), title, correlation_id, value);
}

#[track_caller]
pub(crate) fn request_from<R: Request + Debug + PartialEq>(
    client_id: Option<&str>,
    title: &str,
    correlation_id: i32,
    value: &R,
) {
    let vector = titled(title);
    assert_eq!(R::API, vector.api);
    let mut written = Vec::new();
    encode_request(
        client_id,
        correlation_id,
        vector.version,
        value,
        &mut written,
    )
    .unwrap();
    assert_eq!(written, vector.bytes);
    let (header, body) = RequestHeader::decode(vector.frame()).unwrap();
    let client_id = client_id.map(String::from);
    let (api, version) = (vector.api.value(), vector.version);
    assert_eq!(
        header,
        RequestHeader {
            api,
            version,
            correlation_id,
            client_id
        }
    );
    assert_eq!(R::decode(version, body).as_ref(), Ok(value));
}

#[track_caller]
pub(crate) fn response<M: Message + Debug + PartialEq>(
    title: &str,
    correlation_id: i32,
    value: &M,
) {
    let vector = titled(title);
    let (api, version) = (vector.api, vector.version);
    let mut written = Vec::new();
    encode_response(api, version, correlation_id, value, &mut written).unwrap();
    assert_eq!(written, vector.bytes);
    let (header, body) = ResponseHeader::decode(api, version, vector.frame()).unwrap();
    assert_eq!(header, ResponseHeader { correlation_id });
    assert_eq!(M::decode(version, body).as_ref(), Ok(value));
}

fn parse(text: &'static str) -> Vector {
    let (title, hex) = text
        .split_once('\n')
        .expect("a title has a line of its own");
    let mut words = title.split([' ', ':']);
    let name = words.next().expect("the API comes first");
    let api = ApiKey::ALL
        .iter()
        .find(|api| api.name() == name)
        .expect("the API is known");
    let role = match words.next() {
        Some("request") => Role::Request,
        Some("response") => Role::Response,
        other => panic!("{other:?} is no role"),
    };
    let version = words
        .next()
        .and_then(|word| word.strip_prefix('v'))
        .expect("then the version");
    let digits: Vec<u32> = hex.chars().filter_map(|digit| digit.to_digit(16)).collect();
    Vector {
        title,
        api: *api,
        role,
        version: version.parse().expect("the version is a number"),
        bytes: digits
            .chunks(2)
            .map(|pair| (pair[0] << 4 | pair[1]) as u8)
            .collect(),
    }
}

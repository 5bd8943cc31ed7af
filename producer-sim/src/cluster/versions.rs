//! ApiVersions: what is served, and the two ways in which it is refused (K3).

use kafka_producer_proto::messages::api_versions::ApiVersion;
use kafka_producer_proto::messages::{ApiVersionsRequest, ApiVersionsResponse};
use kafka_producer_proto::{ApiKey, ErrorCode};

use super::request::advertised;

/// The answer to a version that is served.
pub(crate) fn answer(request: &ApiVersionsRequest) -> ApiVersionsResponse {
    let named = [
        &request.client_software_name,
        &request.client_software_version,
    ];
    // Versions 0 to 2 name nothing, and a name of later ones may not be empty; Kafka tells them
    // apart by version, but an empty name in both fields can only be an old version or a broken
    // client that will not mind.
    let is_old = named.iter().all(|name| name.is_empty());
    if !is_old && !named.iter().all(|name| is_legal_software(name)) {
        let error_code = ErrorCode::INVALID_REQUEST;
        return ApiVersionsResponse {
            error_code,
            ..Default::default()
        };
    }
    let api_keys = ApiKey::ALL.iter().filter_map(|&api| entry(api)).collect();
    ApiVersionsResponse {
        api_keys,
        ..Default::default()
    }
}

/// The answer to a version that is not served: in the form of version 0, with the one entry that
/// tells which are (KIP-511).
pub(crate) fn refusal() -> ApiVersionsResponse {
    ApiVersionsResponse {
        error_code: ErrorCode::UNSUPPORTED_VERSION,
        api_keys: entry(ApiKey::ApiVersions).into_iter().collect(),
        ..Default::default()
    }
}

fn entry(api: ApiKey) -> Option<ApiVersion> {
    let versions = advertised(api)?;
    let api_key = api.value();
    Some(ApiVersion {
        api_key,
        min_version: versions.min,
        max_version: versions.max,
    })
}

/// `[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?`
fn is_legal_software(name: &str) -> bool {
    let is_edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    let bytes = name.as_bytes();
    is_edge(bytes.first()) && is_edge(bytes.last()) && bytes.iter().copied().all(is_inner)
}

#[cfg(test)]
mod tests {
    use kafka_producer_proto::{Message, encode_request};

    use super::*;
    use crate::cluster::testing::{NOW, ask, cluster, frame};
    use crate::cluster::{Reply, Step, Then};

    fn named(name: &str, version: &str) -> ApiVersionsRequest {
        ApiVersionsRequest {
            client_software_name: name.into(),
            client_software_version: version.into(),
            ..Default::default()
        }
    }

    #[test]
    fn k3_every_served_version_lists_what_is_served() {
        for version in 0..=4 {
            let response = ask(&mut cluster(), 0, version, &named("test", "1.0"));
            assert_eq!(response.error_code, ErrorCode::NONE);
            let produce = response
                .api_keys
                .iter()
                .find(|entry| entry.api_key == 0)
                .unwrap();
            assert_eq!((produce.min_version, produce.max_version), (0, 13));
        }
    }

    #[test]
    fn k3_an_unknown_version_is_answered_35_in_the_form_of_version_0() {
        // The request header of a version from the future still parses.
        let frame = [0, 18, 0, 99, 0, 0, 0, 42, 0xff, 0xff, 0, 1, 2, 3];
        let Step::Done(Reply {
            frame: Some(answer),
            then,
        }) = cluster().handle(NOW, 0.into(), &frame)
        else {
            panic!("not answered");
        };
        assert_eq!(then, Then::Read);
        assert_eq!(answer[4..8], [0, 0, 0, 42]);
        let response = ApiVersionsResponse::decode(0, &answer[8..]).unwrap();
        assert_eq!(response.error_code, ErrorCode::UNSUPPORTED_VERSION);
        let [entry] = <[_; 1]>::try_from(response.api_keys).unwrap();
        assert_eq!(
            (entry.api_key, entry.min_version, entry.max_version),
            (18, 0, 4)
        );
    }

    #[test]
    fn k3_a_software_name_outside_the_pattern_gets_42_and_an_empty_list() {
        for (name, version) in [("a b", "1"), ("test", "1+build"), ("-x", "1"), ("test", "")] {
            let response = ask(&mut cluster(), 0, 3, &named(name, version));
            assert_eq!(
                response.error_code,
                ErrorCode::INVALID_REQUEST,
                "{name} {version}"
            );
            assert!(response.api_keys.is_empty());
        }
    }

    #[test]
    fn k3_an_unknown_api_or_version_closes_without_an_answer() {
        let closed = |frame: &[u8]| match cluster().handle(NOW, 0.into(), frame) {
            Step::Done(reply) => reply == Reply::silence(Then::Close),
            Step::Wait { .. } => false,
        };
        assert!(closed(&[0, 99, 0, 0, 0, 0, 0, 1, 0xff, 0xff]));
        assert!(closed(&[0, 0, 0, 2, 0, 0, 0, 1, 0xff, 0xff]));
        assert!(closed(&[]));
    }

    #[test]
    fn k3_a_second_version_header_without_its_tag_byte_closes() {
        let mut whole = Vec::new();
        encode_request(None, 1, 3, &named("a", "1"), &mut whole).unwrap();
        let header_only = &whole[4..14];
        let Step::Done(reply) = cluster().handle(NOW, 0.into(), header_only) else {
            panic!("waits");
        };
        assert_eq!(reply, Reply::silence(Then::Close));
    }

    #[test]
    fn bytes_after_a_request_are_ignored() {
        let mut followed = frame(3, &named("test", "1"));
        followed.extend_from_slice(&[1, 2, 3]);
        let Step::Done(reply) = cluster().handle(NOW, 0.into(), &followed) else {
            panic!("waits");
        };
        assert!(reply.frame.is_some());
    }
}

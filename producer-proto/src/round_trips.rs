//! Every message in every version: what is written is read back, and nothing less is accepted.

use alloc::vec::Vec;
use core::fmt::Debug;

use proptest::prelude::*;

use crate::messages::*;
use crate::sample::{self, Sample, Source};
use crate::wire::Field;
use crate::{ApiKey, ErrorCode, Message, Request, message};

/// Calls a check with each API's request and response.
macro_rules! for_each_api {
    ($check:ident!($($context:tt)*)) => {
        $check!($($context)*
            AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, ApiVersionsRequest,
            CreateTopicsRequest, DeleteTopicsRequest, DescribeClusterRequest,
            DescribeConfigsRequest, EndTxnRequest, FetchRequest, FindCoordinatorRequest,
            GetTelemetrySubscriptionsRequest, InitProducerIdRequest, ListOffsetsRequest,
            MetadataRequest, ProduceRequest, PushTelemetryRequest, SaslAuthenticateRequest,
            SaslHandshakeRequest, TxnOffsetCommitRequest)
    };
}

macro_rules! round_trip_all {
    ($source:ident $($request:ident),+) => { $(
        round_trip::<$request>($request::API, &$source)?;
        round_trip::<<$request as Request>::Response>($request::API, &$source)?;
    )+ };
}

proptest! {
    #![proptest_config(sample::cases(64))]

    #[test]
    fn every_message_reads_back_as_it_was_written(
        source in prop::collection::vec(any::<u8>(), 0..700),
    ) {
        for_each_api!(round_trip_all!(source));
    }
}

fn round_trip<M>(api: ApiKey, source: &[u8]) -> Result<(), TestCaseError>
where
    M: Message + Field + Sample + Debug + PartialEq,
{
    for version in api.versions().iter() {
        let Some(form) = message::form(api, version) else {
            return Err(TestCaseError::fail("the API's own versions have a form"));
        };
        let value = M::sample(form, &mut Source(source));
        let mut body = Vec::new();
        value.encode(version, &mut body).unwrap();
        if api == ApiKey::ApiVersions && body.starts_with(&fallback_prefix()) {
            // The one answer that is read in another version than it was asked in.
            continue;
        }
        prop_assert!(
            M::smallest(form) <= body.len(),
            "{api} {version}: the bound is too high"
        );
        prop_assert_eq!(M::decode(version, &body), Ok(value));
        for end in 0..body.len() {
            prop_assert!(
                M::decode(version, &body[..end]).is_err(),
                "{} {} {}",
                api,
                version,
                end
            );
        }
    }
    Ok(())
}

/// How an ApiVersions answer starts that is in the form of version 0 whatever was asked.
pub(crate) fn fallback_prefix() -> [u8; 2] {
    ErrorCode::UNSUPPORTED_VERSION.0.to_be_bytes()
}

macro_rules! refuse_others {
    ($($request:ident),+) => { $(
        let known = $request::VERSIONS;
        for version in [known.min - 1, known.max + 1, i16::MIN, i16::MAX] {
            let mut body = Vec::new();
            assert!($request::default().encode(version, &mut body).is_err());
            assert!(body.is_empty());
            assert!($request::decode(version, &[0; 99]).is_err());
        }
        assert!(known.intersect($request::API.client_versions()).is_some());
    )+ };
}

#[test]
fn versions_outside_the_range_are_refused_both_ways() {
    for_each_api!(refuse_others!());
}

macro_rules! default_everywhere {
    ($($request:ident),+) => { $(
        for version in $request::VERSIONS.iter() {
            $request::default().encode(version, &mut Vec::new()).unwrap();
            <$request as Request>::Response::default().encode(version, &mut Vec::new()).unwrap();
        }
    )+ };
}

#[test]
fn defaults_can_be_written_in_every_version() {
    for_each_api!(default_everywhere!());
}

//! Which versions a broker is spoken to in: the highest that both sides know.

use alloc::string::String;

use kafka_producer_proto::messages::ApiVersionsResponse;
use kafka_producer_proto::{ApiKey, VersionRange};

/// The versions in which this broker is spoken to. `None`: it does not have the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Versions {
    pub(crate) produce: i16,
    pub(crate) metadata: i16,
    pub(crate) init_producer_id: Option<i16>,
    /// As far as the broker tells.
    pub(crate) api_versions: Option<i16>,
}

pub(super) fn range_of(response: &ApiVersionsResponse, api: ApiKey) -> Option<VersionRange> {
    let entry = response
        .api_keys
        .iter()
        .find(|entry| entry.api_key == api.value())?;
    (entry.min_version <= entry.max_version)
        .then(|| VersionRange::new(entry.min_version, entry.max_version))
}

/// The versions that we speak. Metadata before version 4 cannot ask for auto-creation, and in
/// version 0 an empty list of topics means all of them.
const fn spoken(api: ApiKey) -> VersionRange {
    match api {
        ApiKey::Metadata => VersionRange::new(4, api.client_versions().max),
        _ => api.client_versions(),
    }
}

/// The highest version that both sides know.
fn common(response: &ApiVersionsResponse, api: ApiKey) -> Option<i16> {
    range_of(response, api)?
        .intersect(spoken(api))
        .map(|range| range.max)
}

pub(super) fn choose(response: &ApiVersionsResponse) -> Result<Versions, String> {
    let needed = |api: ApiKey| {
        common(response, api).ok_or_else(|| {
            let offered = range_of(response, api).map_or_else(
                || String::from("nothing"),
                |range| alloc::format!("versions {} to {}", range.min, range.max),
            );
            let ours = spoken(api);
            alloc::format!(
                "{} needs versions {} to {}, the broker offers {offered}: it is too old or not \
                 a Kafka broker",
                api.name(),
                ours.min,
                ours.max
            )
        })
    };
    Ok(Versions {
        produce: needed(ApiKey::Produce)?,
        metadata: needed(ApiKey::Metadata)?,
        init_producer_id: common(response, ApiKey::InitProducerId),
        api_versions: common(response, ApiKey::ApiVersions),
    })
}

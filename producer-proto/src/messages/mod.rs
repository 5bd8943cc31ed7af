//! The bodies of requests and responses, one module per API.
//!
//! Structs and fields are named as in Kafka's JSON definitions. `Default` gives the defaults of
//! those definitions, except that a field that may always be null starts as null.

pub mod api_versions;
pub mod init_producer_id;
pub mod metadata;
pub mod produce;

pub use api_versions::{ApiVersionsRequest, ApiVersionsResponse};
pub use init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
pub use metadata::{MetadataRequest, MetadataResponse};
pub use produce::{ProduceRequest, ProduceResponse};

//! DescribeCluster: tells the brokers and the controller.

use alloc::string::String;
use alloc::vec::Vec;

use crate::ErrorCode;

message! {
    /// The request.
    pub struct DescribeClusterRequest {
        /// Ask for the ACL bit field.
        include_cluster_authorized_operations: bool;
        /// 1 = brokers, 2 = controllers.
        endpoint_type: i8, versions 1.., default 1;
        /// Also list fenced brokers.
        include_fenced_brokers: bool, versions 2..;
    }

    /// The response.
    pub struct DescribeClusterResponse {
        /// Quota throttle in ms, 0 = none (KIP-219).
        throttle_time_ms: i32;
        /// Error code, 0 = ok.
        error_code: ErrorCode;
        /// Human-readable error text or null.
        error_message: Option<String>;
        /// 1 = brokers, 2 = controllers.
        endpoint_type: i8, versions 1.., default 1;
        /// Cluster id.
        cluster_id: String;
        /// Controller id, -1 none.
        controller_id: i32, default -1;
        /// Brokers.
        brokers: Vec<DescribeClusterBroker>;
        /// ACL bit field, INT32_MIN = not requested.
        cluster_authorized_operations: i32, default i32::MIN;
    }

    /// A broker.
    pub struct DescribeClusterBroker {
        /// Broker id.
        broker_id: i32;
        /// Host.
        host: String;
        /// Port.
        port: i32;
        /// Rack or null.
        rack: Option<String>;
        /// Whether the broker is fenced.
        is_fenced: bool, versions 2..;
    }
}

api!(DescribeCluster: DescribeClusterRequest => DescribeClusterResponse);

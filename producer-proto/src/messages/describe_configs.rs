//! DescribeConfigs: tells the settings of topics and brokers.

use alloc::string::String;
use alloc::vec::Vec;

use crate::ErrorCode;

message! {
    /// The request.
    pub struct DescribeConfigsRequest {
        /// Resources to describe.
        resources: Vec<DescribeConfigsResource>;
        /// Also list overridden values.
        include_synonyms: bool;
        /// Also return help text.
        include_documentation: bool, versions 3..;
    }

    /// A topic or broker whose settings are asked for.
    pub struct DescribeConfigsResource {
        /// 2 topic, 4 broker, 8 broker logger, 16 client metrics, 32 group.
        resource_type: i8;
        /// Topic name, or a broker id as text.
        resource_name: String;
        /// Settings wanted, null = all.
        configuration_keys: Option<Vec<String>>;
    }

    /// The response.
    pub struct DescribeConfigsResponse {
        /// Quota throttle in ms, 0 = none (KIP-219).
        throttle_time_ms: i32;
        /// One entry per resource.
        results: Vec<DescribeConfigsResult>;
    }

    /// The settings of one topic or broker.
    pub struct DescribeConfigsResult {
        /// Result.
        error_code: ErrorCode;
        /// Error text or null.
        error_message: Option<String>;
        /// As requested.
        resource_type: i8;
        /// As requested.
        resource_name: String;
        /// Settings.
        configs: Vec<DescribeConfigsResourceResult>;
    }

    /// One setting.
    pub struct DescribeConfigsResourceResult {
        /// Name.
        name: String;
        /// Value, null if sensitive.
        value: Option<String>;
        /// Whether the value cannot be changed.
        read_only: bool;
        /// 1 topic, 2 broker, 3 default broker, 4 static broker, 5 built-in default, 6 broker
        /// logger, 7 client metrics, 8 group.
        config_source: i8, default -1;
        /// Whether the value is a secret.
        is_sensitive: bool;
        /// Other values in order of precedence.
        synonyms: Vec<DescribeConfigsSynonym>;
        /// 0 unknown, 1 boolean, 2 string, 3 int, 4 short, 5 long, 6 double, 7 list, 8 class, 9
        /// password.
        config_type: i8, versions 3..;
        /// Help text or null.
        documentation: Option<String>, versions 3..;
    }

    /// A place that a setting's value may come from.
    pub struct DescribeConfigsSynonym {
        /// Name.
        name: String;
        /// Value or null.
        value: Option<String>;
        /// Where the value comes from.
        source: i8;
    }
}

api!(DescribeConfigs: DescribeConfigsRequest => DescribeConfigsResponse);

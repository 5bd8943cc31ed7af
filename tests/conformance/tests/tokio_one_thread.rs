//! The suite on tokio with one thread for all roles.

use conformance::OneTask;

conformance::suite!(OneTask::default());

//! Why the command could not do its work, and which exit code says so.

use std::fmt;
use std::process::ExitCode;

/// An error that ends the command.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Whoever typed the command can mend it: exit code 2.
    Usage(String),
    /// The world is not as it should be: exit code 1.
    World(String),
}

impl Failure {
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::World(_) => ExitCode::from(1),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) | Self::World(message) => f.write_str(message),
        }
    }
}

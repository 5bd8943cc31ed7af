//! The command as a black box: arguments and input in, streams and exit code out.

#[cfg(test)]
mod common;
#[cfg(test)]
mod config;
mod explain;
#[cfg(test)]
mod perf;
#[cfg(test)]
mod produce;
#[cfg(test)]
mod usage;

//! A Kafka cluster to test producers against, as strict as the real one.
//!
//! ```text
//! cluster   one pure value: request frames and the wall clock in, answers out
//! serve     the same cluster on loopback TCP, for demos and other clients
//! world     the same cluster and a producer in virtual time, with faults and oracles, from a seed
//! ```
//!
//! Users test their own applications with [`serve`], brokers' authors compare theirs with
//! [`cluster`], and [`world`] is how this producer is tested.
#![forbid(unsafe_code)]

mod chance;
pub mod cluster;
pub mod serve;
pub mod world;

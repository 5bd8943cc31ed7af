//! What a transport must bring: resolve, connect, read, write, sleep, spawn.
//!
//! One shape is hosted by async tasks and by blocking threads alike. A blocking transport does
//! its work inside the first poll and returns ready futures; its `spawn` runs the role on a
//! thread of its own with [`block_on`](crate::block_on).

use std::future::Future;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::time::Duration;

use crate::Signal;

/// The ground that roles stand on. Each method does one thing and decides nothing.
pub trait Runtime: Send + Sync + 'static {
    /// An open connection.
    type Stream: Stream;

    /// Every address of a host, in the resolver's order.
    fn resolve(
        &self,
        host: &str,
        port: u16,
    ) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send;

    /// Opens a connection without Nagle's delay; `TimedOut` after `limit`.
    fn connect(
        &self,
        address: SocketAddr,
        options: SocketOptions,
        limit: Duration,
    ) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// Sleeps for `span`, or for ever, until `signal` is given. May end early.
    fn sleep(&self, span: Option<Duration>, signal: &Signal) -> impl Future<Output = ()> + Send;

    /// Runs a role until it ends.
    ///
    /// # Errors
    ///
    /// What the system says when it has no thread left. The role is dropped, and says so.
    fn spawn(&self, role: Role, task: impl Future<Output = ()> + Send + 'static) -> io::Result<()>;
}

/// A connection that one role reads and one writes at a time.
pub trait Stream: Send + Sync + 'static {
    /// Reads at least one byte, or 0 at the end. May wait.
    fn read(&self, buffer: &mut [u8]) -> impl Future<Output = io::Result<usize>> + Send;

    /// Writes at least one byte. May wait.
    fn write(&self, chunks: &[IoSlice<'_>]) -> impl Future<Output = io::Result<usize>> + Send;

    /// Writes what fits without waiting; `WouldBlock` if that is nothing.
    ///
    /// # Errors
    ///
    /// `WouldBlock`, or what is wrong with the socket.
    fn try_write(&self, chunks: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Makes a read or write that waits return, and every later one fail or end.
    fn shutdown(&self);
}

/// What a role does, for names of threads and tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// One clock for all links.
    Clock,
    /// Opens a connection, then hands the machine what arrives on it.
    Reader,
    /// Writes to one connection what is not written directly.
    Writer,
}

impl Role {
    /// A name that fits into the 15 bytes of a thread's name on Linux.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Clock => "kafka-clock",
            Self::Reader => "kafka-reader",
            Self::Writer => "kafka-writer",
        }
    }
}

/// Sizes of a socket's buffers; `None` leaves them to the system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SocketOptions {
    /// `receive.buffer.bytes`.
    pub receive_buffer: Option<usize>,
    /// `send.buffer.bytes`.
    pub send_buffer: Option<usize>,
}

//! The std transport: roles are threads, sockets block. No async runtime is in its tree.
//!
//! ```no_run
//! # fn run(config: kafka_producer_driver::Config) -> Result<(), Box<dyn std::error::Error>> {
//! use kafka_producer_driver::Record;
//!
//! let producer = kafka_producer_std::start(config)?;
//! let delivery = producer.send(&Record::to("orders").value("France"))?;
//! println!("at offset {:?}", delivery.wait()?.offset);
//! producer.close(std::time::Duration::from_secs(10))?;
//! # Ok(())
//! # }
//! ```
#![cfg_attr(docsrs, feature(doc_cfg))]

use std::io::{self, IoSlice};
use std::net::{Shutdown, SocketAddr, ToSocketAddrs};
use std::thread;
use std::time::{Duration, Instant};

use kafka_producer_driver::{
    ProducerBuilder, Role, Runtime, Signal, SocketOptions, Stream, block_on, block_on_until,
    blocking,
};
use socket2::{Domain, Protocol, Socket, Type};

/// Starts a producer on threads of its own: one clock, and two per connection. It connects in the
/// background. A [`Config`](kafka_producer_driver::Config) will do for a builder.
///
/// # Errors
///
/// If the system has no thread left.
pub fn start(builder: impl Into<ProducerBuilder>) -> io::Result<blocking::Producer> {
    kafka_producer_driver::Producer::start(Threads, builder).map(blocking::Producer::from)
}

/// Blocking threads, as the driver sees them: each call does its work in the first poll.
struct Threads;

impl Runtime for Threads {
    type Stream = Connection;

    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok((host, port).to_socket_addrs()?.collect())
    }

    async fn connect(
        &self,
        address: SocketAddr,
        options: SocketOptions,
        limit: Duration,
    ) -> io::Result<Connection> {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::STREAM,
            Some(Protocol::TCP),
        )?;
        socket.set_tcp_nodelay(true)?;
        if let Some(size) = options.send_buffer {
            socket.set_send_buffer_size(size)?;
        }
        if let Some(size) = options.receive_buffer {
            socket.set_recv_buffer_size(size)?;
        }
        socket.connect_timeout(&address.into(), limit)?;
        Ok(Connection(socket))
    }

    async fn sleep(&self, span: Option<Duration>, signal: &Signal) {
        // A span that the clock cannot count is for ever.
        match span.and_then(|span| Instant::now().checked_add(span)) {
            // Whichever comes first; the caller looks at the clock itself.
            Some(deadline) => drop(block_on_until(deadline, signal.wait())),
            None => block_on(signal.wait()),
        }
    }

    fn spawn(&self, role: Role, task: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        let thread = thread::Builder::new().name(role.name().into());
        thread.spawn(move || block_on(task)).map(drop)
    }
}

struct Connection(Socket);

impl Stream for Connection {
    async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        io::Read::read(&mut &self.0, buffer)
    }

    async fn write(&self, chunks: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.send_vectored_with_flags(chunks, NO_SIGNAL)
    }

    fn try_write(&self, chunks: &[IoSlice<'_>]) -> io::Result<usize> {
        // Making the socket itself non-blocking would change the reader too.
        match DONT_WAIT {
            Some(flag) => self.0.send_vectored_with_flags(chunks, flag | NO_SIGNAL),
            None => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn shutdown(&self) {
        // A socket that the peer has closed already has nothing left to shut down.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

/// "Rather not at all than wait", where the system knows that per call. Elsewhere the writer does
/// all the writing.
const DONT_WAIT: Option<i32> = {
    #[cfg(unix)]
    {
        Some(libc::MSG_DONTWAIT)
    }
    #[cfg(not(unix))]
    {
        None
    }
};

/// A peer that has gone is an error, not the end of a process that does not ignore SIGPIPE.
const NO_SIGNAL: i32 = {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        libc::MSG_NOSIGNAL
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        0
    }
};

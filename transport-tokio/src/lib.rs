//! The tokio transport: roles are tasks, sockets are tokio's.
//!
//! ```no_run
//! # use kafka_producer_driver::Config;
//! # async fn run(config: Config) -> Result<(), Box<dyn std::error::Error>> {
//! use kafka_producer_driver::Record;
//!
//! let producer = kafka_producer_tokio::start(config)?;
//! let delivery = producer.send(&Record::to("orders").value("France")).await?;
//! println!("at offset {:?}", delivery.await?.offset);
//! producer.close(std::time::Duration::from_secs(10)).await?;
//! # Ok(())
//! # }
//! ```
#![cfg_attr(docsrs, feature(doc_cfg))]

use std::io::{self, IoSlice};
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use kafka_producer_driver::{
    Producer, ProducerBuilder, Role, Runtime, Signal, SocketOptions, Stream,
};
use socket2::SockRef;
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::runtime::Handle;
use tokio::time::timeout;

/// Starts a producer on the tokio runtime of the calling task. It connects in the background.
/// A [`Config`](kafka_producer_driver::Config) will do for a builder.
///
/// The producer lives as long as its runtime: when that is shut down, what is pending fails.
///
/// # Errors
///
/// If there is no runtime, or one without its I/O and time drivers.
pub fn start(builder: impl Into<ProducerBuilder>) -> io::Result<Producer> {
    let handle = Handle::try_current().map_err(|error| {
        io::Error::other(format!(
            "a tokio runtime is needed to start a producer: {error}"
        ))
    })?;
    start_on(handle, builder)
}

/// Starts a producer on this tokio runtime.
///
/// # Errors
///
/// None at present; see [`start`].
pub fn start_on(handle: Handle, builder: impl Into<ProducerBuilder>) -> io::Result<Producer> {
    Producer::start(Tokio { handle }, builder)
}

/// Tokio, as the driver sees it.
struct Tokio {
    handle: Handle,
}

impl Runtime for Tokio {
    type Stream = Socket;

    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(lookup_host((host, port)).await?.collect())
    }

    async fn connect(
        &self,
        address: SocketAddr,
        options: SocketOptions,
        limit: Duration,
    ) -> io::Result<Socket> {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        }?;
        socket.set_nodelay(true)?;
        if let Some(size) = options.send_buffer {
            socket.set_send_buffer_size(u32::try_from(size).unwrap_or(u32::MAX))?;
        }
        if let Some(size) = options.receive_buffer {
            socket.set_recv_buffer_size(u32::try_from(size).unwrap_or(u32::MAX))?;
        }
        let stream = timeout(limit, socket.connect(address)).await??;
        Ok(Socket(stream))
    }

    async fn sleep(&self, span: Option<Duration>, signal: &Signal) {
        match span {
            // Whichever comes first; the caller looks at the clock itself.
            Some(span) => drop(timeout(span, signal.wait()).await),
            None => signal.wait().await,
        }
    }

    fn spawn(&self, _: Role, task: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        drop(self.handle.spawn(task));
        Ok(())
    }
}

struct Socket(TcpStream);

impl Stream for Socket {
    async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            self.0.readable().await?;
            match self.0.try_read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
        }
    }

    async fn write(&self, chunks: &[IoSlice<'_>]) -> io::Result<usize> {
        loop {
            self.0.writable().await?;
            match self.0.try_write_vectored(chunks) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return written,
            }
        }
    }

    fn try_write(&self, chunks: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(chunks)
    }

    fn shutdown(&self) {
        // A socket that the peer has closed already has nothing left to shut down.
        let _ = SockRef::from(&self.0).shutdown(Shutdown::Both);
    }
}

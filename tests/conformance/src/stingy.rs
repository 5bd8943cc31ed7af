//! A runtime that takes and gives as little as it may: frames leave and answers come in crumbs.
//!
//! Written against the driver's public trait only, as a transport of somebody else would be.

use std::future::Future;
use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use kafka_producer::{Producer, ProducerBuilder};
use kafka_producer_driver::{
    Role, Runtime, Signal, SocketOptions, Stream, block_on, block_on_until,
};

use crate::Transport;

/// Crumbs on blocking threads.
pub struct Stingy;

impl Transport for Stingy {
    fn start(&self, builder: impl Into<ProducerBuilder>) -> Producer {
        Producer::start(Crumbs, builder).expect("the machine has threads")
    }
}

struct Crumbs;

impl Runtime for Crumbs {
    type Stream = Crumb;

    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok((host, port).to_socket_addrs()?.collect())
    }

    async fn connect(
        &self,
        address: SocketAddr,
        _: SocketOptions,
        limit: Duration,
    ) -> io::Result<Crumb> {
        let stream = TcpStream::connect_timeout(&address, limit)?;
        stream.set_nodelay(true)?;
        Ok(Crumb {
            stream,
            calls: AtomicUsize::new(0),
        })
    }

    async fn sleep(&self, span: Option<Duration>, signal: &Signal) {
        match span.and_then(|span| Instant::now().checked_add(span)) {
            Some(deadline) => drop(block_on_until(deadline, signal.wait())),
            None => block_on(signal.wait()),
        }
    }

    fn spawn(&self, _: Role, task: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        thread::spawn(move || block_on(task));
        Ok(())
    }
}

struct Crumb {
    stream: TcpStream,
    calls: AtomicUsize,
}

impl Crumb {
    /// A size that differs from call to call, so that cuts fall everywhere.
    fn crumb(&self, most: usize) -> usize {
        1 + self.calls.fetch_add(1, Ordering::Relaxed) * 7 % most
    }

    fn write_crumb(&self, chunks: &[IoSlice<'_>], most: usize) -> io::Result<usize> {
        let first: &[u8] = chunks.first().map_or(&[], |chunk| chunk);
        (&self.stream).write(&first[..first.len().min(self.crumb(most))])
    }
}

impl Stream for Crumb {
    async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let end = buffer.len().min(self.crumb(11));
        (&self.stream).read(&mut buffer[..end])
    }

    async fn write(&self, chunks: &[IoSlice<'_>]) -> io::Result<usize> {
        self.write_crumb(chunks, 4099)
    }

    fn try_write(&self, chunks: &[IoSlice<'_>]) -> io::Result<usize> {
        match self.crumb(3) {
            1 => Err(io::ErrorKind::WouldBlock.into()),
            2 => Err(io::ErrorKind::Interrupted.into()),
            _ => self.write_crumb(chunks, 13),
        }
    }

    fn shutdown(&self) {
        // A socket that the peer has closed already has nothing left to shut down.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

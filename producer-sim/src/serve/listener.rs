//! Accepts the connections of one broker, until the broker stops.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::{LOOPBACK, Presence, Shared, connection};
use crate::cluster::BrokerId;

/// The thread that accepts.
#[derive(Debug)]
pub(super) struct Listener {
    thread: JoinHandle<()>,
    address: SocketAddr,
}

/// Listens on a port of the loopback interface.
pub(super) fn bind(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((LOOPBACK, port)).map_err(|error| {
        let message =
            format!("cannot listen on {LOOPBACK}:{port}: {error}; free it or take another");
        io::Error::new(error.kind(), message)
    })
}

impl Listener {
    pub(super) fn spawn(
        shared: &Arc<Shared>,
        broker: BrokerId,
        socket: TcpListener,
        address: SocketAddr,
    ) -> io::Result<Self> {
        let shared = Arc::clone(shared);
        let life = shared.lock().hosts.get(&broker).map_or(0, |host| host.life);
        let thread = thread::Builder::new()
            .name(format!("sim-broker-{broker}"))
            .spawn(move || accept(&shared, broker, life, &socket))?;
        Ok(Self { thread, address })
    }

    /// Waits until the port is free again. The broker must have been stopped.
    pub(super) fn join(self) {
        // A blocked accept returns only for a connection; this one tells it to look up.
        let _ = TcpStream::connect_timeout(&self.address, WAKE_LIMIT);
        let _ = self.thread.join();
    }
}

fn accept(shared: &Arc<Shared>, broker: BrokerId, life: u64, socket: &TcpListener) {
    loop {
        let accepted = socket.accept();
        if shared.lock().presence(broker, life) == Presence::Stopped {
            return;
        }
        match accepted {
            Ok((stream, _)) => {
                // A client whose connection cannot be served sees it close and tries again.
                let _ = connection::spawn(shared, broker, life, stream);
            }
            // Out of descriptors, say: without a pause this would spin.
            Err(_) => thread::sleep(ERROR_PAUSE),
        }
    }
}

const WAKE_LIMIT: Duration = Duration::from_secs(1);
const ERROR_PAUSE: Duration = Duration::from_millis(10);

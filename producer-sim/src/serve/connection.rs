//! One connection: reads a request, lets the cluster answer, writes, and only then reads on (K4).

use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, MutexGuard};
use std::thread;
use std::time::Duration;

use super::{Presence, Shared, State};
use crate::cluster::{BrokerId, Reply, Request, Step, Then};

/// One connection's place in the server.
struct Connection<'a> {
    shared: &'a Shared,
    broker: BrokerId,
    life: u64,
}

/// Serves a connection on a thread of its own.
pub(super) fn spawn(
    shared: &Arc<Shared>,
    broker: BrokerId,
    life: u64,
    stream: TcpStream,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let kept = stream.try_clone()?;
    let id = {
        let mut state = shared.lock();
        let id = state.next_connection;
        state.next_connection += 1;
        match state.hosts.get_mut(&broker) {
            Some(host) if host.life == life => host.connections.insert(id, kept),
            _ => return Ok(()),
        };
        id
    };
    let shared = Arc::clone(shared);
    let serve = move || {
        // However it ends, the client sees the connection close.
        let _ = Connection {
            shared: &shared,
            broker,
            life,
        }
        .run(&stream);
        let _ = stream.shutdown(Shutdown::Both);
        if let Some(host) = shared.lock().hosts.get_mut(&broker) {
            host.connections.remove(&id);
        }
    };
    thread::Builder::new()
        .name(format!("sim-connection-{id}"))
        .spawn(serve)?;
    Ok(())
}

impl Connection<'_> {
    fn run(&self, mut stream: &TcpStream) -> io::Result<()> {
        let mut reader = BufReader::with_capacity(READ_BUFFER, stream);
        let mut frame = Vec::new();
        while read_frame(&mut reader, &mut frame)? {
            // Out of the lock: this reads every byte of the batches.
            let Ok(request) = Request::parse(&frame) else {
                return Ok(());
            };
            let Some(reply) = self.answer(request) else {
                return Ok(());
            };
            if let Some(answer) = &reply.frame {
                stream.write_all(answer)?;
            }
            match reply.then {
                Then::Close => return Ok(()),
                Then::Pause(pause) => self.pause(pause),
                Then::Read => {}
                Then::Stall => self.pause(Duration::MAX),
            }
        }
        Ok(())
    }

    /// The cluster's answer, as late as it comes; `None` if the broker has stopped before.
    fn answer(&self, request: Request) -> Option<Reply> {
        let mut state = self.serving(self.shared.lock())?;
        let mut step = state
            .cluster
            .answer(self.shared.clock.now(), self.broker, request);
        self.shared.changed.notify_all();
        loop {
            let (ticket, until) = match step {
                Step::Done(reply) => return Some(reply),
                Step::Wait { ticket, until } => (ticket, until),
            };
            let left = until.saturating_sub(self.shared.clock.now());
            if let Ok(millis @ 1..) = u64::try_from(left) {
                state = self.shared.wait(state, Duration::from_millis(millis));
            }
            state = self.serving(state)?;
            step = state.cluster.resume(self.shared.clock.now(), ticket);
        }
    }

    /// Waits until the broker is not paused; `None` if it has stopped.
    fn serving<'a>(&self, mut state: MutexGuard<'a, State>) -> Option<MutexGuard<'a, State>> {
        loop {
            match state.presence(self.broker, self.life) {
                Presence::Paused => state = self.shared.wait(state, LONG),
                Presence::Serving => return Some(state),
                Presence::Stopped => return None,
            }
        }
    }

    /// Reads nothing for so long, or until the broker stops.
    fn pause(&self, pause: Duration) {
        let state = self.shared.lock();
        let lives = |state: &mut State| state.presence(self.broker, self.life) != Presence::Stopped;
        let pause = pause.min(LONG);
        drop(self.shared.changed.wait_timeout_while(state, pause, lives));
    }
}

/// Reads one request without its size; whether there was one.
fn read_frame(reader: &mut impl Read, frame: &mut Vec<u8>) -> io::Result<bool> {
    let mut size = [0; 4];
    match reader.read_exact(&mut size) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
        Err(error) => return Err(error),
    }
    // Negative, zero or above socket.request.max.bytes: a broker closes.
    let size = match u64::try_from(i32::from_be_bytes(size)) {
        Ok(size) if (1..=LARGEST_REQUEST).contains(&size) => size,
        _ => return Ok(false),
    };
    frame.clear();
    // Grows as the bytes come, not by what was promised.
    let read = reader.take(size).read_to_end(frame)?;
    Ok(u64::try_from(read) == Ok(size))
}

/// `socket.request.max.bytes`.
const LARGEST_REQUEST: u64 = 100 * 1024 * 1024;
/// Small answers of pipelining clients fit many times; large bodies pass it by.
const READ_BUFFER: usize = 64 * 1024;
/// Longer than any test, short enough for every system's clock.
const LONG: Duration = Duration::from_secs(24 * 60 * 60);

//! Drives the machine from an event loop of one's own: one thread, std's sockets, no runtime and
//! no driver. The loop turns a thousand times a second, as that of a game does.
//!
//! ```text
//! turn:  read sockets ──facts──> ProducerMachine ──wishes──> connect, write ──> events
//! ```
//!
//! Needs a cluster; see the example `simple`.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::thread;
use std::time::{Duration, SystemTime};

use kafka_producer_machine::{
    Action, Compressor, Config, ConnectionId, DisconnectReason, Event, Instant, ProducerMachine,
    Record, Seed, SendError, Unsealed,
};

fn main() -> anyhow::Result<()> {
    let servers = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "localhost:9092".to_string());
    let config = Config::from_properties([("bootstrap.servers", servers.as_str())])?;
    let mut world = World::new(config);
    for tick in 0..300 {
        // No room is no error: the loop goes on, and tries again a turn later.
        while !world.send("positions", &format!("position {tick}"))? {
            world.turn();
        }
        world.turn();
    }
    let now = world.now();
    world.machine.close(now, now + Duration::from_secs(10));
    while !world.is_closed {
        world.turn();
    }
    eprintln!("{} written, {} failed", world.written, world.failed);
    Ok(())
}

/// All that the machine does not know: a clock, sockets, and who waits for records.
struct World {
    machine: ProducerMachine,
    started: std::time::Instant,
    links: BTreeMap<ConnectionId, Link>,
    compressor: Compressor,
    written: u32,
    failed: u32,
    is_closed: bool,
}

/// A connection.
struct Link {
    stream: TcpStream,
    /// The frame that is being written, and how many of its bytes are.
    frame: Unsealed,
    written: usize,
    /// Whether the machine has announced a frame since it last had none.
    is_announced: bool,
}

impl World {
    fn new(config: Config) -> Self {
        let started = std::time::Instant::now();
        // Nonces and jitter follow from the seed: any number will do that others do not have.
        let seed = Seed::new(u64::from(std::process::id()) ^ wall_clock().unsigned_abs());
        Self {
            machine: ProducerMachine::new(Instant::ORIGIN, config, seed),
            started,
            links: BTreeMap::new(),
            compressor: Compressor::new(),
            written: 0,
            failed: 0,
            is_closed: false,
        }
    }

    /// The machine's clock begins where we like, and never goes back.
    fn now(&self) -> Instant {
        Instant::ORIGIN + self.started.elapsed()
    }

    /// Hands a record in; whether there was room for it.
    fn send(&mut self, topic: &str, value: &str) -> Result<bool, SendError> {
        let record = Record::to(topic).value(value).timestamp(wall_clock());
        match self.machine.send(self.now(), &record) {
            // A program that wants to know of this very record keeps the receipt: group and index.
            Ok(_receipt) => Ok(true),
            Err(SendError::Full(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// One turn of the loop: sleep, facts in, wishes out.
    fn turn(&mut self) {
        thread::sleep(self.pause());
        self.read_all();
        let now = self.now();
        if self.machine.poll_timeout().is_some_and(|due| due <= now) {
            self.machine.handle_timeout(now);
        }
        // Each answer to a wish may bring the next one.
        while self.machine.has_output() {
            while let Some(action) = self.machine.poll_action() {
                self.act(action);
            }
            self.write_all();
            while let Some(event) = self.machine.poll_event() {
                self.learn(event);
            }
        }
        // What a socket did not take before.
        self.write_all();
    }

    /// Does what the machine asks for.
    fn act(&mut self, action: Action) {
        match action {
            Action::Compress(job) => {
                // Pure work: it may as well run on another thread and come back later.
                let done = job.run(&mut self.compressor);
                self.machine.handle_compressed(self.now(), done);
            }
            Action::Connect {
                connection,
                host,
                port,
                attempt,
            } => match connect(&host, port, attempt) {
                Ok(stream) => {
                    let link = Link {
                        stream,
                        frame: Unsealed::new(),
                        written: 0,
                        is_announced: false,
                    };
                    self.links.insert(connection, link);
                    self.machine.handle_connected(self.now(), connection);
                }
                Err(error) => self.lose(connection, failed(&error)),
            },
            Action::Disconnect { connection } => self.lose(connection, DisconnectReason::Asked),
            Action::Transmit { connection } => {
                if let Some(link) = self.links.get_mut(&connection) {
                    link.is_announced = true;
                }
            }
            // Wishes that a later version may have.
            _ => {}
        }
    }

    /// Hands in what came. The machine finds frames in it, however it is cut.
    fn read_all(&mut self) {
        let mut bytes = [0; 4096];
        let ids: Vec<ConnectionId> = self.links.keys().copied().collect();
        for id in ids {
            let now = self.now();
            while let Some(link) = self.links.get_mut(&id) {
                match link.stream.read(&mut bytes) {
                    Ok(0) => self.lose(id, DisconnectReason::Closed),
                    Ok(count) => self.machine.handle_received(now, id, &bytes[..count]),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => self.lose(id, failed(&error)),
                }
            }
        }
    }

    /// Writes what is announced, as far as the sockets take it.
    fn write_all(&mut self) {
        let now = self.now();
        let mut lost = Vec::new();
        for (&id, link) in &mut self.links {
            while link.is_announced {
                if link.frame.is_empty() && !self.machine.poll_transmit(now, id, &mut link.frame) {
                    link.is_announced = false;
                    break;
                }
                match link.write() {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => {
                        lost.push((id, failed(&error)));
                        break;
                    }
                }
            }
        }
        for (id, reason) in lost {
            self.lose(id, reason);
        }
    }

    /// Every `Connect` ends in exactly one `handle_disconnected`.
    fn lose(&mut self, connection: ConnectionId, reason: DisconnectReason) {
        self.links.remove(&connection);
        let now = self.now();
        self.machine.handle_disconnected(now, connection, reason);
    }

    /// What became of records.
    fn learn(&mut self, event: Event) {
        match event {
            Event::Closed => self.is_closed = true,
            Event::Completed {
                records, result, ..
            } => match result {
                Ok(_) => self.written += records.end - records.start,
                Err(why) => {
                    self.failed += records.end - records.start;
                    eprintln!("{} ({})", why.error, why.outcome.name());
                }
            },
            Event::Notice(notice) => eprintln!("{notice:?}"),
            // The ends of waits and flushes: we began none.
            _ => {}
        }
    }

    /// How long nothing is to do, unless a socket has something.
    fn pause(&self) -> Duration {
        let due = self.machine.poll_timeout();
        let left = due.map_or(TURN, |due| due.since(self.now()));
        left.min(TURN)
    }
}

impl Link {
    /// Writes what the socket takes of the frame; whether that was all of it.
    fn write(&mut self) -> io::Result<bool> {
        let mut before = 0;
        for chunk in self.frame.seal().chunks() {
            let end = before + chunk.len();
            while self.written < end {
                match self.stream.write(&chunk[self.written - before..]) {
                    Ok(0) => return Err(ErrorKind::WriteZero.into()),
                    Ok(count) => self.written += count,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                    Err(error) => return Err(error),
                }
            }
            before = end;
        }
        // At once: the acknowledgement gives the batch's buffer back.
        self.frame.clear();
        self.written = 0;
        Ok(true)
    }
}

/// Connects, and waits for it: std has nothing else. A loop that must not wait takes a thread for
/// this, or a library that can.
fn connect(host: &str, port: u16, attempt: u32) -> io::Result<TcpStream> {
    let addresses: Vec<_> = (host, port).to_socket_addrs()?.collect();
    let Some(address) = addresses.get(attempt as usize % addresses.len().max(1)) else {
        return Err(ErrorKind::NotFound.into());
    };
    let stream = TcpStream::connect_timeout(address, Duration::from_secs(3))?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

fn failed(error: &io::Error) -> DisconnectReason {
    DisconnectReason::Failed(error.to_string().into())
}

/// Milliseconds since 1970, for the timestamps of records.
fn wall_clock() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    i64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(i64::MAX)
}

/// How long the loop may sleep: nobody wakes it when a socket has something.
const TURN: Duration = Duration::from_millis(1);

//! A TCP proxy in front of the brokers that does to connections what bad networks do.
//!
//! ```text
//! producer ─► door (what the broker advertises) ─► listener (where the broker listens)
//! ```
//!
//! Each direction of each connection has its own stream of chances, drawn from the seed: how many
//! bytes pass in peace, then what happens to those that follow. Spans between troubles are spread
//! evenly over powers of two, so that handshakes are hit as well as the middle of large requests.
//! The seed repeats the chances; what the bytes mean that they hit is up to the brokers' timing.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use socket2::SockRef;

use crate::cluster;

/// The doors are open as long as this lives.
pub struct Proxy {
    shared: Arc<Shared>,
    seed: u64,
    doors: Vec<(String, JoinHandle<()>)>,
}

struct Shared {
    /// From here on bytes pass in peace.
    is_calm: AtomicBool,
    is_over: AtomicBool,
    connections: AtomicU32,
    resets: AtomicU32,
    half_closes: AtomicU32,
    stalls: AtomicU32,
    trickles: AtomicU32,
}

/// What happens to a direction of a connection.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    /// Both ends hear that the connection is gone, in the middle of whatever it carried.
    Reset,
    /// The receiver hears that nothing more comes, and may go on sending.
    HalfClose,
    /// Nothing passes for a while.
    Stall(Duration),
    /// So many bytes pass by ones and twos.
    Trickle(usize),
}

impl Proxy {
    /// Opens the door of every broker.
    ///
    /// # Panics
    ///
    /// If a port is taken.
    pub fn open(seed: u64) -> Self {
        let shared = Arc::new(Shared {
            is_calm: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            connections: AtomicU32::new(0),
            resets: AtomicU32::new(0),
            half_closes: AtomicU32::new(0),
            stalls: AtomicU32::new(0),
            trickles: AtomicU32::new(0),
        });
        let mut doors = Vec::new();
        for pair in cluster::variable("KAFKA_DETOUR").split(',') {
            let (door, listener) = pair.split_once('=').expect("xtask writes DOOR=LISTENER");
            let open = TcpListener::bind(door).expect("the port of a door is free");
            // It looks up now and then whether all is over.
            open.set_nonblocking(true).expect("a socket can be told so");
            let (shared, listener) = (Arc::clone(&shared), listener.to_owned());
            let porter = thread::spawn(move || shared.serve(&open, &listener, seed));
            doors.push((door.to_owned(), porter));
        }
        Self {
            shared,
            seed,
            doors,
        }
    }

    /// The bootstrap servers for those who come through the doors.
    pub fn bootstrap(&self) -> String {
        let doors: Vec<&str> = self.doors.iter().map(|(door, _)| door.as_str()).collect();
        doors.join(",")
    }

    /// Lets everything pass from now on.
    pub fn calm(&self) {
        self.shared.is_calm.store(true, Ordering::Relaxed);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        for (_, porter) in self.doors.drain(..) {
            // The next proxy wants the same ports. One that panicked has left its own.
            let _ = porter.join();
        }
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |counter: &AtomicU32| counter.load(Ordering::Relaxed);
        let shared = &self.shared;
        write!(
            f,
            "proxy, HARDSHIP_SEED={}: {} connections, {} resets, {} half-closes, {} stalls, {} \
             trickles",
            self.seed,
            count(&shared.connections),
            count(&shared.resets),
            count(&shared.half_closes),
            count(&shared.stalls),
            count(&shared.trickles)
        )
    }
}

impl Shared {
    fn serve(self: &Arc<Self>, door: &TcpListener, listener: &str, seed: u64) {
        while !self.is_over.load(Ordering::Relaxed) {
            let Ok((client, _)) = door.accept() else {
                thread::sleep(Duration::from_millis(5));
                continue;
            };
            // A broker that is down is no trouble of ours: the client is hung up on.
            let Ok(broker) = TcpStream::connect(listener) else {
                continue;
            };
            let number = self.connections.fetch_add(1, Ordering::Relaxed);
            let chances = Chances(seed ^ u64::from(number) << 32);
            self.join(client, broker, chances);
        }
    }

    /// Carries bytes both ways until both have ended.
    fn join(self: &Arc<Self>, client: TcpStream, broker: TcpStream, mut chances: Chances) {
        let ends = Arc::new([client, broker]);
        let is_cut = Arc::new(AtomicBool::new(false));
        for end in &*ends {
            // Only a socket that nobody waits on can be reset, so nobody waits for long.
            let told = end
                .set_nonblocking(false)
                .and_then(|()| end.set_nodelay(true))
                .and_then(|()| end.set_read_timeout(Some(TICK)))
                .and_then(|()| end.set_write_timeout(Some(TICK)));
            if told.is_err() {
                return;
            }
        }
        for from in [0, 1] {
            let lane = Lane {
                shared: Arc::clone(self),
                ends: Arc::clone(&ends),
                from,
                is_cut: Arc::clone(&is_cut),
                chances: Chances(chances.next()),
            };
            thread::spawn(move || lane.run());
        }
    }
}

/// How soon a lane sees that its connection was cut by the other one.
const TICK: Duration = Duration::from_millis(20);

/// One direction of one connection.
struct Lane {
    shared: Arc<Shared>,
    ends: Arc<[TcpStream; 2]>,
    from: usize,
    is_cut: Arc<AtomicBool>,
    chances: Chances,
}

impl Lane {
    fn run(mut self) {
        let mut peace = self.chances.span();
        let mut buffer = vec![0; 1 << 16];
        while !self.is_cut() {
            let is_calm = self.shared.is_calm.load(Ordering::Relaxed);
            let room = if is_calm {
                buffer.len()
            } else {
                buffer.len().min(peace.max(1))
            };
            let count = match (&self.ends[self.from]).read(&mut buffer[..room]) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if is_early(&error) => continue,
                Err(_) => return self.cut(),
            };
            if self.write(&buffer[..count]).is_err() {
                return self.cut();
            }
            peace -= count.min(peace);
            if peace == 0 && !is_calm {
                let trouble = self.chances.trouble();
                if !self.suffer(trouble) {
                    return;
                }
                peace = self.chances.span();
            }
        }
        self.close();
    }

    /// Whether the lane goes on after it.
    fn suffer(&self, trouble: Trouble) -> bool {
        let counter = match trouble {
            Trouble::Reset => &self.shared.resets,
            Trouble::HalfClose => &self.shared.half_closes,
            Trouble::Stall(_) => &self.shared.stalls,
            Trouble::Trickle(_) => &self.shared.trickles,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        match trouble {
            Trouble::Reset => {
                self.cut();
                false
            }
            Trouble::HalfClose => {
                self.close();
                false
            }
            Trouble::Stall(span) => {
                let begin = Instant::now();
                while begin.elapsed() < span && !self.is_cut() {
                    thread::sleep(TICK);
                }
                true
            }
            Trouble::Trickle(bytes) => {
                let passed = self.trickle(bytes).is_ok();
                if !passed {
                    self.cut();
                }
                passed
            }
        }
    }

    fn trickle(&self, bytes: usize) -> io::Result<()> {
        let mut left = bytes;
        let mut buffer = [0; 2];
        while 0 < left && !self.is_cut() {
            match (&self.ends[self.from]).read(&mut buffer) {
                // Whoever reads next sees the end again.
                Ok(0) => break,
                Ok(count) => {
                    self.write(&buffer[..count])?;
                    left -= count.min(left);
                    thread::sleep(Duration::from_millis(1));
                }
                Err(error) if is_early(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() && !self.is_cut() {
            match (&self.ends[1 - self.from]).write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if is_early(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn is_cut(&self) -> bool {
        self.is_cut.load(Ordering::Relaxed) || self.shared.is_over.load(Ordering::Relaxed)
    }

    /// Makes the sockets end in a reset once both lanes have let go of them.
    fn cut(&self) {
        for end in &*self.ends {
            // A socket that is gone already needs no reset.
            let _ = SockRef::from(end).set_linger(Some(Duration::ZERO));
        }
        self.is_cut.store(true, Ordering::Relaxed);
    }

    /// Tells the receiver that nothing more comes.
    fn close(&self) {
        // It fails only if the receiver is gone, which is as good.
        let _ = self.ends[1 - self.from].shutdown(Shutdown::Write);
    }
}

/// Whether there is only nothing to read yet, or no room to write.
fn is_early(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}

/// A stream of numbers by chance (SplitMix64).
struct Chances(u64);

impl Chances {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ bits >> 31
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// How many bytes pass in peace: half of the spans are longer than 2 KiB, some than 1 MiB.
    fn span(&mut self) -> usize {
        let power = self.below(22);
        usize::try_from(self.below(1 << power)).unwrap_or(0)
    }

    fn trouble(&mut self) -> Trouble {
        match self.below(8) {
            0..=2 => Trouble::Reset,
            3 => Trouble::HalfClose,
            4 | 5 => Trouble::Stall(Duration::from_millis(100 + self.below(5000))),
            _ => Trouble::Trickle(1 + self.below(300) as usize),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_chances_and_another_has_others() {
        let draw = |seed| {
            let mut chances = Chances(seed);
            [(); 4].map(|()| (chances.span(), format!("{:?}", chances.trouble())))
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }
}

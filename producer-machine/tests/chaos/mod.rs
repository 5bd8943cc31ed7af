//! A machine among strangers: every call in any order, with an eye on what it must never do.
//!
//! [`World::run`] plays a script and writes down all that comes out; [`World::end`] closes, lets
//! time pass, and asks for the account.
#![allow(
    clippy::panic,
    dead_code,
    unreachable_pub,
    reason = "each test file uses a part of it"
)]

pub mod answers;
pub mod script;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::sync::OnceLock;
use std::time::Duration;

use kafka_producer_machine::{
    Action, CompressJob, Compressor, Config, ConnectionId, Digest, DisconnectReason, Event,
    GroupId, Instant, MetricSubject, ProducerMachine, Receipt, Record, Seed, SendError, Shortage,
    Unsealed, WaiterId,
};

use answers::{Asked, Flavor};
use script::{Fortune, Op, Pass, Sent};

/// How bytes reach the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chunks {
    /// One by one.
    Bytes,
    /// In pieces of changing size.
    Pieces,
    /// As they were sent.
    Whole,
}

/// A connection as the driver sees it.
#[derive(Debug)]
struct Link {
    id: ConnectionId,
    /// Whether `handle_disconnected` was told, or the machine asked to disconnect.
    is_over: bool,
    /// Whether the driver knows of a frame: announced, and not asked for in vain since.
    is_announced: bool,
    requests: VecDeque<Asked>,
}

pub struct World {
    pub machine: ProducerMachine,
    pub now: Instant,
    /// All that came out, in order.
    pub transcript: String,
    pub receipts: Vec<Receipt>,
    pub ends: BTreeMap<(GroupId, u32), String>,
    chunks: Chunks,
    links: Vec<Link>,
    /// Ids that no connection of this machine has.
    strangers: &'static [ConnectionId],
    waiters: Vec<WaiterId>,
    shortage: Option<Shortage>,
    jobs: Vec<CompressJob>,
    /// Those that come back when all is over.
    lost_jobs: Vec<CompressJob>,
    closed: u32,
    frame: Unsealed,
}

pub fn start() -> Instant {
    Instant::from_millis(1_000_000)
}

fn config(settings: &[(&str, &str)]) -> Config {
    let base = [("bootstrap.servers", "b0:9092,b1:9092")];
    let all = base.iter().chain(settings).copied();
    Config::from_properties(all).expect("the test's settings are valid")
}

/// Ids that a machine gives after a thousand others.
fn strangers() -> &'static [ConnectionId] {
    static STRANGERS: OnceLock<Vec<ConnectionId>> = OnceLock::new();
    STRANGERS.get_or_init(late_ids)
}

fn late_ids() -> Vec<ConnectionId> {
    let mut now = start();
    let mut machine = ProducerMachine::new(now, config(&[]), Seed::new(9));
    let mut ids = Vec::new();
    while ids.len() < 1010 {
        while let Some(action) = machine.poll_action() {
            if let Action::Connect { connection, .. } = action {
                ids.push(connection);
                machine.handle_disconnected(now, connection, DisconnectReason::Closed);
            }
        }
        while machine.poll_event().is_some() {}
        now = machine.poll_timeout().expect("it tries again");
        machine.handle_timeout(now);
    }
    ids.split_off(1000)
}

impl World {
    pub fn new(settings: &[(&str, &str)], chunks: Chunks) -> Self {
        Self {
            machine: ProducerMachine::new(start(), config(settings), Seed::new(5)),
            now: start(),
            transcript: String::new(),
            receipts: Vec::new(),
            ends: BTreeMap::new(),
            chunks,
            links: Vec::new(),
            strangers: strangers(),
            waiters: Vec::new(),
            shortage: None,
            jobs: Vec::new(),
            lost_jobs: Vec::new(),
            closed: 0,
            frame: Unsealed::new(),
        }
    }

    /// Plays a script from the beginning and ends it.
    pub fn play(settings: &[(&str, &str)], chunks: Chunks, ops: &[Op]) -> Self {
        let mut world = Self::new(settings, chunks);
        world.run(ops);
        world.end();
        world
    }

    pub fn run(&mut self, ops: &[Op]) {
        for op in ops {
            self.step(op);
        }
    }

    fn note(&mut self, what: impl std::fmt::Debug) {
        writeln!(self.transcript, "{:?} {what:?}", self.now).expect("a string takes it");
    }

    fn step(&mut self, op: &Op) {
        match op {
            Op::Answer(at, flavor) => self.answer(*at, flavor),
            Op::AnswerAll(at) => self.answer_all(*at),
            Op::Bytes(at, bytes) => {
                if let Some(link) = self.link(*at) {
                    let id = self.links[link].id;
                    self.receive(id, bytes);
                }
            }
            Op::Cancel(at) => {
                if !self.waiters.is_empty() {
                    let waiter = self.waiters[usize::from(*at) % self.waiters.len()];
                    self.machine.cancel_wait(self.now, waiter);
                }
            }
            Op::Close(millis) => {
                let deadline = self.now + Duration::from_millis(u64::from(*millis));
                self.machine.close(self.now, deadline);
            }
            Op::Compress(at, fortune) => self.compress(*at, *fortune),
            Op::Connected(at) => {
                if let Some(link) = self.link(*at) {
                    self.machine.handle_connected(self.now, self.links[link].id);
                }
            }
            Op::Flush => {
                let id = self.machine.flush(self.now);
                self.note(id);
            }
            Op::Lost(at) => {
                if let Some(link) = self.link(*at) {
                    self.lose(link);
                }
            }
            Op::PollAction(count) => (0..*count).for_each(|_| self.poll_action()),
            Op::PollEvent(count) => (0..*count).for_each(|_| self.poll_event()),
            Op::Purge(what) => self.machine.purge(self.now, *what),
            Op::Send(sent) => self.send(*sent),
            Op::Serve => self.serve(),
            Op::Stranger(at) => self.gossip(*at),
            Op::Time(pass) => self.pass(*pass),
            Op::Topic(at) => {
                let topic = self.machine.topic(self.now, &name(*at));
                self.note(self.machine.partitions(topic));
            }
            Op::Transmit(at) => {
                if let Some(link) = self.link(*at) {
                    self.transmit(link);
                }
            }
            Op::Unannounced(at) => self.ask_unannounced(*at),
            Op::WaitForSpace(millis) => {
                if let Some(shortage) = self.shortage {
                    let deadline = self.now + Duration::from_millis(u64::from(*millis));
                    let waiter = self.machine.wait_for_space(self.now, shortage, deadline);
                    self.waiters.push(waiter);
                }
            }
            Op::WaitForTopic(at) => {
                let topic = self.machine.topic(self.now, &name(*at));
                let deadline = self.now + Duration::from_secs(3);
                let waiter = self.machine.wait_for_metadata(self.now, topic, deadline);
                self.waiters.push(waiter);
            }
        }
    }

    /// A connection that the driver has, dead or alive.
    fn link(&self, at: u8) -> Option<usize> {
        (!self.links.is_empty()).then(|| usize::from(at) % self.links.len())
    }

    fn send(&mut self, sent: Sent) {
        let topic = name(sent.topic);
        let value = vec![b'v'; usize::from(sent.bytes)];
        let key = sent.key.map(|key| [key]);
        let mut record = Record::to(&topic).value(&value).timestamp(1_000);
        record.partition = sent.partition.map(u32::from);
        record.key = key.as_ref().map(|key| &key[..]);
        let waiter = sent.waiter.filter(|_| !self.waiters.is_empty());
        let result = match waiter {
            Some(at) => {
                let waiter = self.waiters[usize::from(at) % self.waiters.len()];
                self.machine.send_reserved(self.now, waiter, &record)
            }
            None => self.machine.send(self.now, &record),
        };
        match &result {
            Ok(receipt) => self.receipts.push(*receipt),
            Err(SendError::Full(shortage)) => self.shortage = Some(*shortage),
            Err(_) => {}
        }
        self.note(result);
    }

    fn answer(&mut self, at: u8, flavor: &Flavor) {
        let Some(link) = self.link(at) else { return };
        let Some(asked) = self.links[link].requests.pop_front() else {
            return;
        };
        let bytes = asked.answer(flavor);
        self.receive(self.links[link].id, &bytes);
    }

    fn answer_all(&mut self, at: u8) {
        let Some(link) = self.link(at) else { return };
        let requests = std::mem::take(&mut self.links[link].requests);
        let bytes: Vec<u8> = requests
            .iter()
            .flat_map(|asked| asked.answer(&Flavor::Good))
            .collect();
        self.receive(self.links[link].id, &bytes);
    }

    fn receive(&mut self, id: ConnectionId, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        match self.chunks {
            Chunks::Bytes => {
                for byte in bytes {
                    self.machine.handle_received(self.now, id, &[*byte]);
                }
            }
            Chunks::Pieces => {
                let mut rest = bytes;
                let mut size = 1;
                while !rest.is_empty() {
                    let (piece, left) = rest.split_at(size.min(rest.len()));
                    self.machine.handle_received(self.now, id, piece);
                    rest = left;
                    size = size * 5 % 23 + 1;
                }
            }
            Chunks::Whole => self.machine.handle_received(self.now, id, bytes),
        }
    }

    fn lose(&mut self, link: usize) {
        let id = self.links[link].id;
        self.machine
            .handle_disconnected(self.now, id, DisconnectReason::Closed);
        self.links[link].is_over = true;
        self.links[link].is_announced = false;
        self.links[link].requests.clear();
    }

    fn compress(&mut self, at: u8, fortune: Fortune) {
        if self.jobs.is_empty() {
            return;
        }
        let job = self.jobs.remove(usize::from(at) % self.jobs.len());
        match fortune {
            Fortune::Good => self.hand_back(job),
            Fortune::Lost => self.lost_jobs.push(job),
        }
    }

    fn hand_back(&mut self, job: CompressJob) {
        let done = job.run(&mut Compressor::new());
        self.machine.handle_compressed(self.now, done);
    }

    /// Facts about connections that are over or never were change nothing.
    fn gossip(&mut self, at: u8) {
        let over = self.links.iter().filter(|link| link.is_over);
        let ids: Vec<ConnectionId> = over
            .map(|link| link.id)
            .chain(self.strangers.iter().copied())
            .collect();
        let id = ids[usize::from(at) % ids.len()];
        let before = self.look();
        self.machine.handle_connected(self.now, id);
        self.machine
            .handle_received(self.now, id, b"HTTP/1.1 400 Bad Request");
        self.machine
            .handle_disconnected(self.now, id, DisconnectReason::Closed);
        assert!(!self.machine.poll_transmit(self.now, id, &mut self.frame));
        assert_eq!(before, self.look(), "news of strangers changes nothing");
    }

    /// What can be seen of the machine without changing it.
    fn look(&self) -> Digest {
        self.machine.digest()
    }

    fn pass(&mut self, pass: Pass) {
        match pass {
            Pass::Back(millis) => {
                let before = self.now - Duration::from_millis(u64::from(millis));
                self.machine.handle_timeout(before);
            }
            Pass::Early => {
                let due = self.machine.poll_timeout();
                if due.is_none_or(|due| self.now < due) {
                    let before = self.look();
                    self.machine.handle_timeout(self.now);
                    assert_eq!(before, self.look(), "an early timeout changes nothing");
                }
            }
            Pass::Exact => {
                if let Some(due) = self.machine.poll_timeout() {
                    self.now = self.now.max(due);
                    // Each call does a bounded part of what is due.
                    let is_due = |at: Instant| at <= self.now;
                    let calls = (0..100).take_while(|_| {
                        self.machine.handle_timeout(self.now);
                        self.machine.poll_timeout().is_some_and(is_due)
                    });
                    assert!(calls.count() < 100, "{due:?} is due again and again");
                }
            }
            Pass::Late(millis) => {
                self.now = self.now + Duration::from_millis(u64::from(millis));
                self.machine.handle_timeout(self.now);
            }
        }
    }

    fn poll_action(&mut self) {
        let Some(action) = self.machine.poll_action() else {
            return;
        };
        match action {
            Action::Compress(job) => self.jobs.push(job),
            Action::Connect { connection, .. } => {
                self.note(format_args!("connect {connection:?}"));
                assert!(
                    self.links.iter().all(|link| link.id < connection),
                    "ids only grow"
                );
                self.links.push(Link {
                    id: connection,
                    is_over: false,
                    is_announced: false,
                    requests: VecDeque::new(),
                });
            }
            Action::Disconnect { connection } => {
                self.note(format_args!("disconnect {connection:?}"));
                let link = self.find(connection);
                self.lose(link);
            }
            Action::Transmit { connection } => {
                self.note(format_args!("transmit {connection:?}"));
                let link = self.find(connection);
                self.links[link].is_announced = true;
            }
            other => panic!("an action that the chaos does not know: {other:?}"),
        }
    }

    fn find(&self, id: ConnectionId) -> usize {
        let found = self.links.iter().position(|link| link.id == id);
        found.expect("actions name connections that were wished for")
    }

    fn transmit(&mut self, link: usize) {
        let id = self.links[link].id;
        let mut frame = std::mem::take(&mut self.frame);
        let filled = self.machine.poll_transmit(self.now, id, &mut frame);
        assert_eq!(
            filled,
            !frame.is_empty(),
            "a frame is whole, or there is none"
        );
        self.links[link].is_announced = filled;
        if filled {
            let bytes: Vec<u8> = frame.seal().chunks().flatten().copied().collect();
            frame.clear();
            let asked = Asked::read(&bytes);
            self.note(&asked);
            if asked.wants_answer() {
                self.links[link].requests.push_back(asked);
            }
        }
        self.frame = frame;
    }

    /// After a `false`, there is no frame until one is announced. What any broker can answer is
    /// announced to one connection, and given to whichever asks first.
    fn ask_unannounced(&mut self, at: u8) {
        self.machine.handle_timeout(self.now);
        while self.machine.has_output() {
            self.poll_action();
            self.poll_event();
        }
        let Some(link) = self.link(at) else { return };
        if self.links.iter().all(|link| !link.is_announced) {
            let id = self.links[link].id;
            let filled = self.machine.poll_transmit(self.now, id, &mut self.frame);
            assert!(!filled, "{id:?} has a frame and nobody was told");
        }
    }

    pub fn poll_event(&mut self) {
        let Some(event) = self.machine.poll_event() else {
            return;
        };
        // Whoever still asks is answered: a flush, a wait.
        let is_news = matches!(
            event,
            Event::Closed | Event::Completed { .. } | Event::Notice(_)
        );
        assert!(!is_news || self.closed == 0, "after the end: {event:?}");
        match &event {
            Event::Closed => self.closed += 1,
            Event::Completed {
                group,
                records,
                result,
                ..
            } => {
                for index in records.clone() {
                    let place = i64::from(index - records.start);
                    let end = match result {
                        Ok(written) => {
                            let offset = written.base_offset.map(|base| base + place);
                            format!("{} at {offset:?}", written.partition)
                        }
                        Err(failed) => {
                            let record = failed.records.record(place as u32);
                            assert!(record.is_some(), "a failed record is given back");
                            format!("{:?}", failed.outcome)
                        }
                    };
                    let before = self.ends.insert((*group, index), end);
                    assert_eq!(before, None, "{group:?} {index} is resolved once");
                }
            }
            _ => {}
        }
        self.note(event);
    }

    /// Closes, and lets time pass in a dead network until all is over.
    pub fn end(&mut self) {
        let deadline = self.now + Duration::from_secs(10);
        self.machine.close(self.now, deadline);
        self.drain();
        let mut steps = 0;
        while let Some(at) = self.machine.poll_timeout() {
            assert!(at <= deadline, "closing takes no longer than it may");
            self.now = self.now.max(at);
            self.machine.handle_timeout(self.now);
            self.drain();
            steps += 1;
            assert!(steps < 10_000, "the machine is busy with nothing");
        }
        for link in 0..self.links.len() {
            if !self.links[link].is_over {
                panic!("{:?} was never ended", self.links[link].id);
            }
        }
        // Jobs still read what they compress, until they come back.
        self.jobs.append(&mut self.lost_jobs);
        for job in std::mem::take(&mut self.jobs) {
            self.hand_back(job);
        }
        self.account();
    }

    /// Every record is resolved, everything is given back.
    pub fn account(&self) {
        for receipt in &self.receipts {
            let key = (receipt.group, receipt.index);
            assert!(self.ends.contains_key(&key), "{receipt:?} is not resolved");
        }
        let distinct: BTreeSet<&Receipt> = self.receipts.iter().collect();
        assert_eq!(distinct.len(), self.receipts.len(), "receipts are unique");
        assert_eq!(
            self.ends.len(),
            self.receipts.len(),
            "nothing else is resolved"
        );
        assert_eq!(self.machine.buffer_used(), 0, "memory is returned");
        self.compare_metrics();
    }

    /// The metrics agree with what the application was told.
    fn compare_metrics(&self) {
        let metrics = self.machine.metrics(self.now);
        let failures = ["MaybeWritten", "NotWritten"];
        let failed = self.ends.values().filter(|end| failures.contains(&&***end));
        let errors = metrics.iter().filter(|metric| {
            let is_it = metric.definition.name == "record-error-total";
            is_it && metric.subject != MetricSubject::Producer
        });
        let errors: f64 = errors.map(|metric| metric.value).sum();
        assert_eq!(errors, failed.count() as f64, "record-error-total");
        let total = |name: &str| metrics.producer(name).expect("it is a metric");
        let first_tries = total("record-send-total") - total("record-retry-total");
        assert!(first_tries <= self.receipts.len() as f64, "{first_tries}");
        assert_eq!(total("waiting-threads"), 0.0);
    }

    /// Takes what there is; nobody connects any more.
    pub fn drain(&mut self) {
        let mut steps = 0;
        while self.machine.has_output() {
            steps += 1;
            assert!(steps < 10_000, "the machine never comes to rest");
            self.poll_event();
            let before = self.links.len();
            self.poll_action();
            if before < self.links.len() {
                self.lose(before);
            }
        }
    }

    /// Does all that is asked, and lets every broker answer everything in order.
    pub fn serve(&mut self) {
        for _ in 0..10_000 {
            while self.machine.has_output() {
                self.poll_event();
                let before = self.links.len();
                self.poll_action();
                if before < self.links.len() {
                    let id = self.links[before].id;
                    self.machine.handle_connected(self.now, id);
                }
            }
            for at in 0..self.jobs.len() {
                self.compress(at as u8, Fortune::Good);
            }
            let announced = self.links.iter().position(|link| link.is_announced);
            let asked = self.links.iter().position(|link| !link.requests.is_empty());
            match (announced, asked) {
                (Some(link), _) => self.transmit(link),
                (None, Some(link)) => self.answer(link as u8, &Flavor::Good),
                (None, None) if self.machine.has_output() => {}
                (None, None) => return,
            }
        }
        panic!("the machine never comes to rest");
    }

    /// How often the end was told.
    pub fn closed(&self) -> u32 {
        self.closed
    }
}

pub fn name(at: u8) -> String {
    format!("t{}", at % 5)
}

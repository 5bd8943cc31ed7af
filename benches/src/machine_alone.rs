//! The machine alone: records in, sealed frames out, answers in, completions out. No socket, no
//! lock, no clock.

use std::collections::VecDeque;

use kafka_producer_machine::{
    Action, ConnectionId, Event, Instant, ProducerMachine, Record, Seed, Unsealed,
};

use crate::load::{self, Chooser, Meter, PARTITIONS, TOPIC, VALUE, WARM_UP};
use crate::null_broker;

/// Sends so many records, after a warm-up, and tells their cost.
pub(crate) fn run(records: u64) {
    let config = load::config("b0:9092").expect("the settings above are valid");
    let now = Instant::from_millis(1);
    let mut world = World {
        machine: ProducerMachine::new(now, config, Seed::new(1)),
        frame: Unsealed::new(),
        answers: VecDeque::new(),
        spare: Vec::new(),
        acknowledged: 0,
        now,
    };
    world.pump();
    world.send(WARM_UP);
    let meter = Meter::start();
    world.send(records);
    meter.tell(records);
    assert_eq!(
        world.acknowledged,
        WARM_UP + records,
        "everything is acknowledged"
    );
}

struct World {
    machine: ProducerMachine,
    frame: Unsealed,
    answers: VecDeque<(ConnectionId, Vec<u8>)>,
    spare: Vec<Vec<u8>>,
    acknowledged: u64,
    now: Instant,
}

impl World {
    fn send(&mut self, records: u64) {
        let topic = self.machine.topic(self.now, TOPIC);
        self.pump();
        let chooser = Chooser::from_environment();
        for number in 0..records {
            let record = Record::to(topic).value(&VALUE).timestamp(1);
            let key = number.to_le_bytes();
            let record = match chooser {
                Chooser::Explicit => record.partition((number % u64::from(PARTITIONS)) as u32),
                Chooser::Keyed => record.key(&key),
                Chooser::Keyless => record,
            };
            self.machine
                .send(self.now, &record)
                .expect("answers free the buffer");
            if self.machine.has_output() {
                self.pump();
            }
        }
        self.machine.flush(self.now);
        self.pump();
    }

    fn pump(&mut self) {
        loop {
            while let Some(event) = self.machine.poll_event() {
                if let Event::Completed {
                    records,
                    result: Ok(_),
                    ..
                } = event
                {
                    self.acknowledged += u64::from(records.end - records.start);
                }
            }
            match self.machine.poll_action() {
                Some(Action::Connect { connection, .. }) => {
                    self.machine.handle_connected(self.now, connection);
                }
                Some(Action::Transmit { connection }) => self.transmit(connection),
                Some(_) => {}
                None => match self.answers.pop_front() {
                    Some((connection, answer)) => {
                        self.machine.handle_received(self.now, connection, &answer);
                        self.spare.push(answer);
                    }
                    None => return,
                },
            }
        }
    }

    fn transmit(&mut self, connection: ConnectionId) {
        while self
            .machine
            .poll_transmit(self.now, connection, &mut self.frame)
        {
            let mut answer = self.spare.pop().unwrap_or_default();
            answer.clear();
            null_broker::answer_frame(self.frame.seal(), &mut answer);
            self.answers.push_back((connection, answer));
            self.frame.clear();
        }
    }
}

//! What may happen to a machine, in any order, and strategies that draw it from a seed.

use kafka_producer_machine::Purge;
use proptest::collection::vec;
use proptest::prelude::*;

use super::answers::Flavor;

/// One call, or a few. Numbers choose among what there is, modulo its count.
#[derive(Clone, Debug)]
pub enum Op {
    /// The oldest request of a connection is answered.
    Answer(u8, Flavor),
    /// All requests of a connection are answered, in one piece.
    AnswerAll(u8),
    /// Bytes out of nowhere.
    Bytes(u8, Vec<u8>),
    Cancel(u8),
    Close(u16),
    /// A compression job comes back, or is lost.
    Compress(u8, Fortune),
    Connected(u8),
    Flush,
    Lost(u8),
    PollAction(u8),
    PollEvent(u8),
    Purge(Purge),
    Send(Sent),
    /// The driver does all that it is asked, and the brokers answer as they should.
    Serve,
    /// Facts about connections that are dead or were never there.
    Stranger(u8),
    Time(Pass),
    Topic(u8),
    Transmit(u8),
    /// A frame is asked for though none was announced.
    Unannounced(u8),
    WaitForSpace(u16),
    WaitForTopic(u8),
}

/// A record.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    pub topic: u8,
    pub partition: Option<u8>,
    pub key: Option<u8>,
    pub bytes: u16,
    /// Whether it uses what was granted to a waiter, and to which.
    pub waiter: Option<u8>,
}

/// Whether something ends well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fortune {
    Good,
    Lost,
}

/// How time passes.
#[derive(Clone, Copy, Debug)]
pub enum Pass {
    /// The clock is behind.
    Back(u16),
    /// Just before what the machine asks for: nothing is due.
    Early,
    /// When the machine asks for it.
    Exact,
    /// So many milliseconds, whatever it asks for.
    Late(u16),
}

fn flavor() -> impl Strategy<Value = Flavor> {
    prop_oneof![
        12 => Just(Flavor::Good),
        3 => (-1_i16..140).prop_map(Flavor::Code),
        1 => vec(any::<u8>(), 0..40).prop_map(Flavor::Rubbish),
        1 => (1_i32..5).prop_map(Flavor::WrongId),
    ]
}

fn sent() -> impl Strategy<Value = Sent> {
    (
        0_u8..5,
        proptest::option::of(0_u8..4),
        proptest::option::of(0_u8..8),
        prop_oneof![4 => 0_u16..200, 1 => 0_u16..3000],
        proptest::option::weighted(0.2, any::<u8>()),
    )
        .prop_map(|(topic, partition, key, bytes, waiter)| Sent {
            topic,
            partition,
            key,
            bytes,
            waiter,
        })
}

fn pass() -> impl Strategy<Value = Pass> {
    prop_oneof![
        1 => (0_u16..5000).prop_map(Pass::Back),
        1 => Just(Pass::Early),
        6 => Just(Pass::Exact),
        2 => (0_u16..40_000).prop_map(Pass::Late),
    ]
}

/// Anything at all.
pub fn any_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        12 => sent().prop_map(Op::Send),
        12 => (any::<u8>(), flavor()).prop_map(|(at, flavor)| Op::Answer(at, flavor)),
        4 => any::<u8>().prop_map(Op::AnswerAll),
        12 => any::<u8>().prop_map(Op::Transmit),
        8 => (1_u8..8).prop_map(Op::PollAction),
        8 => any::<u8>().prop_map(Op::Connected),
        8 => pass().prop_map(Op::Time),
        4 => (1_u8..20).prop_map(Op::PollEvent),
        2 => Just(Op::Flush),
        1 => prop_oneof![Just(Purge::Everything), Just(Purge::Unsent)].prop_map(Op::Purge),
        6 => Just(Op::Serve),
        2 => any::<u8>().prop_map(Op::Lost),
        2 => any::<u8>().prop_map(Op::Topic),
        2 => any::<u8>().prop_map(Op::Stranger),
        2 => any::<u8>().prop_map(Op::Unannounced),
        2 => (0_u16..20_000).prop_map(Op::WaitForSpace),
        1 => any::<u8>().prop_map(Op::WaitForTopic),
        2 => any::<u8>().prop_map(Op::Cancel),
        4 => (any::<u8>(), prop_oneof![5 => Just(Fortune::Good), 1 => Just(Fortune::Lost)])
            .prop_map(|(at, fortune)| Op::Compress(at, fortune)),
        1 => (any::<u8>(), vec(any::<u8>(), 0..64)).prop_map(|(at, bytes)| Op::Bytes(at, bytes)),
    ]
}

/// A script that may close the machine on the way.
pub fn script(length: usize) -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        150 => any_op(),
        1 => (0_u16..3000).prop_map(Op::Close),
    ];
    vec(op, 0..length)
}

/// The ways in which machines differ.
pub fn settings() -> impl Strategy<Value = Vec<(&'static str, &'static str)>> {
    let guarantee = prop_oneof![
        4 => Just(vec![]),
        1 => Just(vec![("enable.idempotence", "false")]),
        1 => Just(vec![("enable.idempotence", "false"), ("acks", "0")]),
        1 => Just(vec![
            ("enable.idempotence", "false"),
            ("max.in.flight.requests.per.connection", "1"),
        ]),
    ];
    let gzip = if cfg!(feature = "gzip") {
        "gzip"
    } else {
        "none"
    };
    let lz4 = if cfg!(feature = "lz4") { "lz4" } else { "none" };
    let codec = prop_oneof![3 => Just("none"), 1 => Just(gzip), 1 => Just(lz4)];
    let backoff = prop_oneof![Just("50"), Just("1")];
    let linger = prop_oneof![Just("0"), Just("5"), Just("500")];
    let rule = prop_oneof![2 => Just("default"), 1 => prop::sample::select(RULES)];
    let patience = prop_oneof![Just("0"), Just("1"), Just("200")];
    let drawn = (guarantee, codec, backoff, linger, rule, patience);
    drawn.prop_map(|(mut all, codec, backoff, linger, rule, patience)| {
        all.push(("partitioner", rule));
        all.push(("partitioner.availability.timeout.ms", patience));
        all.push(("compression.type", codec));
        all.push(("reconnect.backoff.ms", backoff));
        all.push(("reconnect.backoff.max.ms", "1000"));
        all.push(("linger.ms", linger));
        all.push(("batch.size", "2048"));
        all.push(("buffer.memory", "16384"));
        all.push(("max.request.size", "6000"));
        all.push(("max.block.ms", "20000"));
        all
    })
}

/// Rules that choose partitions in different ways.
const RULES: &[&str] = &["consistent", "random", "round_robin", "sarama_hash"];

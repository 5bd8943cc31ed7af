//! Whatever the order of facts and polls, the same records complete the same way.

mod chaos;

use chaos::answers::Flavor;
use chaos::script::{Op, Pass, Sent};
use chaos::{Chunks, World};
use proptest::prelude::*;

/// A record with its own partition, so that batching has no say in where it goes.
fn record(number: u8) -> Op {
    Op::Send(Sent {
        topic: number % 3,
        partition: Some(number % 2),
        key: None,
        bytes: 20 + u16::from(number),
        waiter: None,
    })
}

/// What a driver may do, when it likes.
fn chore() -> impl Strategy<Value = Op> {
    prop_oneof![
        (1_u8..4).prop_map(Op::PollAction),
        (1_u8..4).prop_map(Op::PollEvent),
        any::<u8>().prop_map(Op::Connected),
        any::<u8>().prop_map(Op::Transmit),
        any::<u8>().prop_map(|at| Op::Answer(at, Flavor::Good)),
        any::<u8>().prop_map(Op::AnswerAll),
        any::<u8>().prop_map(Op::Stranger),
        Just(Op::Flush),
        Just(Op::Time(Pass::Early)),
        (0_u16..500).prop_map(|millis| Op::Time(Pass::Back(millis))),
        (0_u16..20).prop_map(|millis| Op::Time(Pass::Late(millis))),
    ]
}

/// How each record ended, in the order of sending.
fn ends(chores: &[Op]) -> Vec<String> {
    let mut world = World::new(&[], Chunks::Whole);
    let mut chores = chores.iter();
    for number in 0..40 {
        world.run(&[record(number)]);
        let some: Vec<Op> = chores.by_ref().take(5).cloned().collect();
        world.run(&some);
    }
    world.run(&[Op::Flush, Op::Serve]);
    for _ in 0..20 {
        world.run(&[Op::Time(Pass::Exact), Op::Serve]);
    }
    world.account();
    let of = |receipt: &kafka_producer_machine::Receipt| {
        world.ends[&(receipt.group, receipt.index)].clone()
    };
    world.receipts.iter().map(of).collect()
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(128)
    })]

    #[test]
    fn any_order_of_facts_and_polls_gives_the_same_completions(
        chores in proptest::collection::vec(chore(), 200),
    ) {
        let expected = ends(&[]);
        prop_assert!(expected.iter().all(|end| end.contains("at Some")), "{:?}", expected);
        prop_assert_eq!(expected, ends(&chores));
    }
}

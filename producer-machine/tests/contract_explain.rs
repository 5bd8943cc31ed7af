//! Whatever has happened to a machine, it can say what each thing waits for.

mod chaos;

use chaos::script::{script, settings};
use chaos::{Chunks, World, name};
use kafka_producer_machine::TopicHandle;
use kafka_producer_machine::explain::{PartitionState, State, Subject};
use proptest::prelude::*;

/// Partitions that scripts name.
const PARTITIONS: u32 = 4;

/// Looks at everything there is.
fn look(world: &World, topics: &[TopicHandle]) {
    for &topic in topics {
        for partition in 0..PARTITIONS {
            look_at_partition(world, topic, partition);
        }
        say(world, Subject::Topic(topic));
    }
    for broker in -1..4 {
        say(world, Subject::Broker(broker));
    }
    let producer = say(world, Subject::Producer);
    assert!(
        matches!(&producer, State::Producer(state)
            if state.buffer_used == world.machine.buffer_used()
                && (0 < state.buffer_used || state.slowest.is_none())),
        "{producer:?}"
    );
}

fn look_at_partition(world: &World, topic: TopicHandle, partition: u32) {
    let said = world
        .machine
        .explain(world.now, Subject::Partition(topic, partition));
    assert!(matches!(said.state, State::Partition(_)), "{said:?}");
    let idle = matches!(
        said.state,
        State::Partition(
            PartitionState::Closed | PartitionState::Fatal(_) | PartitionState::Nothing
        )
    );
    // What has records waits for something, and only that is in nobody's way.
    assert!(!idle || said.oldest.is_none(), "{said:?}");
    if let Some(oldest) = said.oldest {
        assert!(oldest.accepted <= said.now, "{said:?}");
    }
    assert!(said.since.is_none_or(|since| since <= said.now), "{said:?}");
    assert!(said.to_string().ends_with('.'), "{said}");
}

fn say(world: &World, what: Subject) -> State {
    let said = world.machine.explain(world.now, what);
    assert!(said.to_string().ends_with('.'), "{said}");
    assert!(said.since.is_none_or(|since| since <= said.now), "{said:?}");
    said.state
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(48)
    })]

    #[test]
    fn every_state_can_be_explained(settings in settings(), ops in script(200)) {
        let mut world = World::new(&settings, Chunks::Whole);
        let topics: Vec<TopicHandle> = (0..5)
            .map(|at| world.machine.topic(world.now, &name(at)))
            .collect();
        for op in &ops {
            world.run(std::slice::from_ref(op));
            look(&world, &topics);
        }
        world.end();
        look(&world, &topics);
    }
}

//! Any call, any order, any time: random scripts, drawn from a seed.

mod chaos;

use chaos::script::{Op, script, settings};
use chaos::{Chunks, World};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(128)
    })]

    #[test]
    fn no_order_of_calls_panics_or_loses_a_record(
        settings in settings(),
        ops in script(250),
    ) {
        let world = World::play(&settings, Chunks::Whole, &ops);
        prop_assert_eq!(world.closed(), 1, "the end is told once");
        prop_assert_eq!(world.machine.poll_timeout(), None);
    }

    #[test]
    fn the_same_inputs_give_the_same_outputs_byte_for_byte(
        settings in settings(),
        ops in script(150),
    ) {
        let first = World::play(&settings, Chunks::Whole, &ops);
        let second = World::play(&settings, Chunks::Whole, &ops);
        prop_assert_eq!(first.transcript, second.transcript);
    }

    #[test]
    fn any_chunking_of_the_bytes_gives_the_same_outputs(
        settings in settings(),
        ops in script(150),
    ) {
        let whole = World::play(&settings, Chunks::Whole, &ops);
        let bytes = World::play(&settings, Chunks::Bytes, &ops);
        let pieces = World::play(&settings, Chunks::Pieces, &ops);
        prop_assert_eq!(&whole.transcript, &bytes.transcript);
        prop_assert_eq!(&whole.transcript, &pieces.transcript);
    }

    #[test]
    fn facts_about_unknown_connections_leave_no_trace(
        settings in settings(),
        ops in script(150),
    ) {
        let heard = World::play(&settings, Chunks::Whole, &ops);
        let quiet: Vec<Op> = ops
            .into_iter()
            .filter(|op| !matches!(op, Op::Stranger(_)))
            .collect();
        let unheard = World::play(&settings, Chunks::Whole, &quiet);
        prop_assert_eq!(heard.transcript, unheard.transcript);
    }
}

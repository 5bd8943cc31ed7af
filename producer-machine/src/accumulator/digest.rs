//! The state of the accumulator for its digest: a slab does not say what is in it by itself.

use core::hash::{Hash, Hasher};

use super::Accumulator;

impl Hash for Accumulator {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self {
            partitions,
            batches,
            budget,
            groups,
            holdings,
            held,
            placing,
            incomplete,
            loans,
            jobs,
            ratios,
            first_sequence,
            next_serial,
            linger,
            delivery_timeout,
            max_block,
            codec,
            level,
        } = self;
        (partitions, budget, groups, held, placing).hash(state);
        (holdings, incomplete, loans, jobs, ratios).hash(state);
        (
            first_sequence,
            next_serial,
            linger,
            delivery_timeout,
            max_block,
            codec,
            level,
        )
            .hash(state);
        batches.len().hash(state);
        for batch in batches {
            batch.hash(state);
        }
        batches.vacant_key().hash(state);
    }
}

//! Counts the turns of loops that could grow with the cluster, so that a test can show that they
//! do not. Only where debug assertions are on: a release build counts nothing.

/// How many turns were taken.
#[derive(Debug, Default)]
pub(super) struct Steps(u64);

impl Steps {
    /// One turn.
    #[inline]
    pub(super) const fn step(&mut self) {
        self.take(1);
    }

    /// As many turns as there are things to look at.
    #[inline]
    pub(super) const fn take(&mut self, turns: usize) {
        if cfg!(debug_assertions) {
            self.0 += turns as u64;
        }
    }

    pub(super) const fn taken(&self) -> u64 {
        self.0
    }
}

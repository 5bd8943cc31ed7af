//! Whether a batch may have been written (`DESIGN.md` §3.4, `verification.md` §10).
//!
//! ```text
//! NotWritten ──an attempt without a definite no──> InDoubt ──45, 59──> InDoubt(until a refresh)
//! ```
//!
//! **Invariants.** A certainty may weaken, never improve: doubt ends with a success only, which is
//! the end of the batch.

/// Whether an attempt of the batch may have written it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fate {
    /// Every attempt, if any, was answered with a definite no.
    NotWritten,
    /// Some attempt is in doubt.
    InDoubt(Suspicion),
}

/// Whether the broker has said that it does not know the sequence of a batch in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Suspicion {
    /// Never: the retry will tell.
    None,
    /// It has: its word is final once metadata were refreshed so often in all, for until then
    /// it may be the wrong broker to ask.
    Until(u64),
}

/// What follows when a broker does not know the sequence of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resolution {
    /// Ask once more, after a refresh of metadata.
    AskElsewhere,
    /// The end: it may have been written, and lost since.
    GiveUp,
    /// It is not in the log: a new number, under the next epoch.
    Renumber,
}

/// How often metadata were refreshed, and which refresh is the next to be asked for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refreshes {
    pub(crate) done: u64,
    pub(crate) next: u64,
}

impl Fate {
    /// An attempt ended without a definite answer.
    pub(crate) const fn doubt(&mut self) {
        if let Self::NotWritten = self {
            *self = Self::InDoubt(Suspicion::None);
        }
    }

    pub(crate) const fn is_in_doubt(self) -> bool {
        matches!(self, Self::InDoubt(_))
    }

    /// Whether a broker has said that it does not know the sequence.
    pub(crate) const fn is_suspected(self) -> bool {
        matches!(self, Self::InDoubt(Suspicion::Until(_)))
    }

    /// A broker does not know the batch's sequence, and nothing of its partition goes before it.
    pub(crate) const fn on_unknown_sequence(&mut self, refreshes: Refreshes) -> Resolution {
        match *self {
            Self::NotWritten => Resolution::Renumber,
            Self::InDoubt(Suspicion::None) => {
                *self = Self::InDoubt(Suspicion::Until(refreshes.next));
                Resolution::AskElsewhere
            }
            Self::InDoubt(Suspicion::Until(refresh)) if refreshes.done < refresh => {
                Resolution::AskElsewhere
            }
            Self::InDoubt(Suspicion::Until(_)) => Resolution::GiveUp,
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use alloc::string::String;
    use core::fmt::Write as _;
    use expect_test::expect;

    type Input = (&'static str, fn(&mut Fate) -> Option<Resolution>);

    const fn refreshes(done: u64) -> Refreshes {
        Refreshes {
            done,
            next: done + 1,
        }
    }

    const INPUTS: [Input; 3] = [
        ("no definite answer", |fate| {
            fate.doubt();
            None
        }),
        ("unknown sequence, 4 refreshes", |fate| {
            Some(fate.on_unknown_sequence(refreshes(4)))
        }),
        ("unknown sequence, 5 refreshes", |fate| {
            Some(fate.on_unknown_sequence(refreshes(5)))
        }),
    ];

    #[test]
    fn every_fate_with_every_input() {
        let fates = [
            Fate::NotWritten,
            Fate::InDoubt(Suspicion::None),
            Fate::InDoubt(Suspicion::Until(5)),
        ];
        let mut table = String::new();
        for (name, input) in INPUTS {
            for before in fates {
                let mut fate = before;
                let resolution = input(&mut fate);
                let told = resolution.map_or(String::new(), |what| alloc::format!(", {what:?}"));
                writeln!(table, "{before:?}: {name} -> {fate:?}{told}").expect("a string");
            }
        }
        expect![[r#"
            NotWritten: no definite answer -> InDoubt(None)
            InDoubt(None): no definite answer -> InDoubt(None)
            InDoubt(Until(5)): no definite answer -> InDoubt(Until(5))
            NotWritten: unknown sequence, 4 refreshes -> NotWritten, Renumber
            InDoubt(None): unknown sequence, 4 refreshes -> InDoubt(Until(5)), AskElsewhere
            InDoubt(Until(5)): unknown sequence, 4 refreshes -> InDoubt(Until(5)), AskElsewhere
            NotWritten: unknown sequence, 5 refreshes -> NotWritten, Renumber
            InDoubt(None): unknown sequence, 5 refreshes -> InDoubt(Until(6)), AskElsewhere
            InDoubt(Until(5)): unknown sequence, 5 refreshes -> InDoubt(Until(5)), GiveUp
        "#]]
        .assert_eq(&table);
    }
}

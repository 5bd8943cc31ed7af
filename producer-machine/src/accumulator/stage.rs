//! How far a batch is, from its first record to its end.
//!
//! ```text
//! Open ──close──> Queued ──depart──> InFlight ──arrive──> Queued
//!                  │  ▲                 └──abandon──> Abandoned
//!         compress ▼  │ compressed, or job done
//!               Compressing
//! ```
//!
//! A batch ends out of every state but `InFlight`: its request ends first, or it is abandoned.
//!
//! **Invariants.** A finished body never changes: a retry writes a new header only. A step that a
//! state does not know leaves it as it is.

use kafka_producer_proto::batch::HEADER_LEN;
use kafka_producer_proto::compression::Codec;

use crate::JobId;
use crate::frame::Body;

/// The records of a batch that takes no more, as they are now.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Records {
    pub(crate) body: Body,
    pub(crate) codec: Codec,
}

/// How far a batch is.
#[derive(Debug, Default, Hash)]
pub(crate) enum Stage {
    /// Given up while its request goes on: the frame may still be read.
    Abandoned(Records),
    /// A job is compressing it.
    Compressing(JobId, Records),
    /// On the connection of its partition.
    InFlight(Records),
    /// Its partition holds it open.
    #[default]
    Open,
    /// Waiting in its partition for its turn.
    Queued(Records),
}

impl Stage {
    /// It takes no more records.
    pub(crate) fn close(&mut self, records: Records) {
        self.step(|stage| match stage {
            Self::Open => Self::Queued(records),
            stage => stage,
        });
    }

    /// A job has been made for it.
    pub(crate) fn compress(&mut self, job: JobId) {
        self.step(|stage| match stage {
            Self::Queued(records) => Self::Compressing(job, records),
            stage => stage,
        });
    }

    /// The job is done. Gives the plain records back.
    pub(crate) fn compressed(&mut self, out: Records) -> Option<Body> {
        let mut plain = None;
        self.step(|stage| match stage {
            Self::Compressing(_, records) => {
                plain = Some(records.body);
                Self::Queued(out)
            }
            stage => stage,
        });
        plain
    }

    /// The job is done, and has nothing that replaces the records.
    pub(crate) fn job_done(&mut self) {
        self.step(|stage| match stage {
            Self::Compressing(_, records) => Self::Queued(records),
            stage => stage,
        });
    }

    /// It leaves.
    pub(crate) fn depart(&mut self) {
        self.step(|stage| match stage {
            Self::Queued(records) => Self::InFlight(records),
            stage => stage,
        });
    }

    /// Its request has ended, and it may go again.
    pub(crate) fn arrive(&mut self) {
        self.step(|stage| match stage {
            Self::InFlight(records) => Self::Queued(records),
            stage => stage,
        });
    }

    /// Nobody waits for it any more, but its request goes on.
    pub(crate) fn abandon(&mut self) {
        self.step(|stage| match stage {
            Self::InFlight(records) => Self::Abandoned(records),
            stage => stage,
        });
    }

    /// The records, once it takes no more.
    pub(crate) const fn records(&self) -> Option<&Records> {
        match self {
            Self::Abandoned(records)
            | Self::Compressing(_, records)
            | Self::InFlight(records)
            | Self::Queued(records) => Some(records),
            Self::Open => None,
        }
    }

    /// Whether it may leave.
    pub(crate) const fn is_queued(&self) -> bool {
        matches!(self, Self::Queued(_))
    }

    pub(crate) const fn is_abandoned(&self) -> bool {
        matches!(self, Self::Abandoned(_))
    }

    /// Bytes of the whole batch on the wire; zero while it may not leave.
    pub(crate) fn wire_size(&self) -> usize {
        match self {
            Self::Queued(records) => HEADER_LEN + records.body.len(),
            Self::Abandoned(_) | Self::Compressing(..) | Self::InFlight(_) | Self::Open => 0,
        }
    }

    fn step(&mut self, next: impl FnOnce(Self) -> Self) {
        *self = next(core::mem::take(self));
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use alloc::string::String;
    use alloc::sync::Arc;
    use core::fmt::Write as _;
    use expect_test::expect_file;

    fn records(codec: Codec) -> Records {
        Records {
            body: Arc::default(),
            codec,
        }
    }

    fn stages() -> [Stage; 5] {
        [
            Stage::Open,
            Stage::Compressing(JobId(1), records(Codec::None)),
            Stage::Queued(records(Codec::None)),
            Stage::InFlight(records(Codec::None)),
            Stage::Abandoned(records(Codec::None)),
        ]
    }

    fn say(stage: &Stage) -> String {
        let name = match stage {
            Stage::Abandoned(_) => "Abandoned",
            Stage::Compressing(..) => "Compressing",
            Stage::InFlight(_) => "InFlight",
            Stage::Open => "Open",
            Stage::Queued(_) => "Queued",
        };
        let codec = stage.records().map_or(Codec::None, |records| records.codec);
        match codec {
            Codec::None => String::from(name),
            codec => alloc::format!("{name} ({codec:?})"),
        }
    }

    type Step = (&'static str, fn(&mut Stage));

    const STEPS: [Step; 7] = [
        ("close", |stage| stage.close(records(Codec::None))),
        ("compress", |stage| stage.compress(JobId(2))),
        ("compressed", |stage| {
            stage.compressed(records(Codec::Zstd));
        }),
        ("job done", Stage::job_done),
        ("depart", Stage::depart),
        ("arrive", Stage::arrive),
        ("abandon", Stage::abandon),
    ];

    #[test]
    fn every_stage_with_every_step() {
        let mut table = String::new();
        for (name, step) in STEPS {
            for mut stage in stages() {
                let before = say(&stage);
                step(&mut stage);
                let after = say(&stage);
                writeln!(table, "{before}: {name} -> {after}").expect("a string takes it");
            }
        }
        expect_file!["stages.txt"].assert_eq(&table);
    }
}

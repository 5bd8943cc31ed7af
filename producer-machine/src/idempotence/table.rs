//! Every state of the producer's session and of a partition's sequences, with every input, as
//! tables.

#![cfg(test)]

extern crate std;

use alloc::string::String;
use core::fmt::Write as _;

use expect_test::expect_file;

use super::*;

const fn identity(producer_epoch: i16) -> Identity {
    Identity {
        producer_id: 7,
        producer_epoch,
    }
}

type SessionInput = (&'static str, fn(&mut Session) -> String);

const SESSION_INPUTS: [SessionInput; 5] = [
    ("ask", |session| {
        session.ask();
        String::new()
    }),
    ("ask again", |session| {
        session.ask_again(Instant::from_millis(9));
        String::new()
    }),
    ("begin 7/2", |session| {
        let replaced = session.begin(identity(2));
        replaced.map_or(String::new(), |old| {
            alloc::format!(", replaces {}", say(&old))
        })
    }),
    ("bump 7/0", |session| {
        alloc::format!(
            ", {}",
            say(&session.bump(Instant::from_millis(5), identity(0)))
        )
    }),
    ("bump 7/32767", |session| {
        let last = identity(i16::MAX);
        alloc::format!(", {}", say(&session.bump(Instant::from_millis(5), last)))
    }),
];

#[test]
fn every_session_with_every_input() {
    let old = identity(0);
    let wanted = |replaces| Session::Wanted {
        at: Instant::ORIGIN,
        replaces,
    };
    let sessions = [
        Session::Off,
        wanted(None),
        wanted(Some(old)),
        Session::Asking { replaces: None },
        Session::Asking {
            replaces: Some(old),
        },
        Session::Ready(old),
        Session::Ready(identity(1)),
        Session::Ready(identity(i16::MAX)),
    ];
    let mut table = String::new();
    for (name, input) in SESSION_INPUTS {
        for session in &sessions {
            let mut after = *session;
            let told = input(&mut after);
            let row = alloc::format!("{}: {name} -> {}{told}", say(session), say(&after));
            writeln!(table, "{row}").expect("a string takes it");
        }
    }
    expect_file!["sessions.txt"].assert_eq(&table);
}

/// Debug, with identities as `7/0`.
fn say(what: &impl core::fmt::Debug) -> String {
    let mut text = alloc::format!("{what:?}");
    for epoch in [0, 1, 2, i16::MAX] {
        text = text.replace(
            &alloc::format!("{:?}", identity(epoch)),
            &alloc::format!("7/{epoch}"),
        );
    }
    text
}

/// Sequences with an acknowledged record, and then so many batches outstanding.
fn sequences(outstanding: u32, course: Course) -> Sequences {
    let mut sequences = Sequences::default();
    let session = Session::Ready(identity(0));
    for _ in 0..=outstanding {
        assert!(matches!(sequences.fresh(&session), Fresh::Number(_)));
        sequences.numbered(1);
    }
    sequences.acknowledged(numbering(0), 1, None);
    sequences.course = course;
    sequences
}

const fn numbering(base: u32) -> Numbering {
    Numbering {
        identity: identity(0),
        base: Sequence(base),
    }
}

type Input = (&'static str, u32, fn(&mut Sequences));

/// Each with the number of batches that must be outstanding.
const INPUTS: [Input; 10] = [
    ("acknowledged", 1, |s| s.acknowledged(numbering(1), 1, None)),
    ("acknowledged last", 2, |s| {
        s.acknowledged(numbering(2), 1, None);
    }),
    ("doubt", 0, Sequences::doubt),
    ("establish", 0, |s| s.establish()),
    ("forget", 0, Sequences::forget),
    ("gave up", 1, Sequences::gave_up),
    ("refused", 1, Sequences::refused),
    ("restart", 0, |s| s.restart()),
    ("split in 3", 1, |s| s.split(3)),
    ("stumble", 0, |s| s.stumble()),
];

#[test]
fn every_state_of_sequences_with_every_input() {
    let session = Session::Ready(identity(0));
    let mut table = String::new();
    let courses = [
        Course::Clear(Pace::Established),
        Course::Clear(Pace::OneByOne),
        Course::IfHole(Pace::Established),
        Course::IfHole(Pace::OneByOne),
        Course::Bump,
    ];
    for course in courses {
        for outstanding in 0..=2 {
            for (name, needed, input) in INPUTS {
                let is_forgetful = name == "forget" && 0 < outstanding;
                if outstanding < needed || is_forgetful {
                    // What ends was outstanding, and nothing outstanding is forgotten.
                    continue;
                }
                let mut state = sequences(outstanding, course);
                input(&mut state);
                let (after, left) = (state.course, state.outstanding);
                let next = match state.fresh(&session) {
                    Fresh::Number(numbering) => alloc::format!("{}", numbering.base.as_i32()),
                    waiting => say(&waiting),
                };
                let row = alloc::format!(
                    "{course:?}, {outstanding} out: {name} -> {after:?}, {left} out, next {next}"
                );
                writeln!(table, "{row}").expect("a string takes it");
            }
        }
    }
    expect_file!["sequences.txt"].assert_eq(&table);
}

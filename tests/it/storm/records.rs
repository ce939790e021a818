//! `run` of the example ended at every record of its journal, and continued.
//!
//! A trigger in the journal's own file refuses every record after the given one: the engine stops before it acts on it,
//! with the outside world exactly as that record found it. Not a guess by time, so every record has its turn.

use std::{
    process::{Command, Output},
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use engine::journal::Journal;
use harness::{
    example::Example,
    process::{finish, shown},
    workspace::stagewright,
};
use rusqlite::Connection;

use super::run::all_is_as_if_it_had_not_been;

/// How many are tried at once.
const AT_ONCE: usize = 2;
/// What `run` says when the journal cannot be written.
const BROKEN: i32 = 3;

fn run(example: &Example, more: &[&str]) -> Output {
    finish(
        Command::new(stagewright())
            .args(example.run_arguments(more))
            .current_dir(example.folder()),
    )
}

fn journal(example: &Example) -> Connection {
    Connection::open(example.state().join("journal.db")).expect("the journal's file")
}

/// Makes the journal before the engine does, and lets it take so many records only.
fn take_no_more_than(example: &Example, records: u32) {
    std::fs::create_dir_all(example.state()).expect("a state folder");
    drop(Journal::open(&example.state().join("journal.db")).expect("a journal"));
    let trigger = format!(
        "CREATE TRIGGER full AFTER INSERT ON input WHEN NEW.seq > {records}
         BEGIN SELECT RAISE(ABORT, 'the test takes no more records'); END;"
    );
    journal(example).execute_batch(&trigger).expect("a trigger");
}

fn records(example: &Example) -> u32 {
    let count = "SELECT coalesce(max(seq), 0) FROM input";
    journal(example)
        .query_row(count, [], |row| row.get(0))
        .expect("a number")
}

/// Ends a run at this record, continues it and looks at everything; answers how many records it had in the end, and
/// whether the record ended it.
fn ended_at(record: u32) -> (u32, bool) {
    let told = |what: &str| format!("ended at record {record}: {what}");
    let example = Example::new();
    take_no_more_than(&example, record);
    let first = run(&example, &["--output", "json"]);
    let end = first.status.code();
    let ended = end == Some(BROKEN);
    assert!(records(&example) <= record, "{}", told(&shown(&first)));
    // Also a run that needed no more records is looked at by an engine that writes some.
    journal(&example)
        .execute_batch("DROP TRIGGER full")
        .expect("dropped");
    if ended {
        let begun = example.state().join("run.json").exists();
        let more: &[&str] = match begun {
            true => &["--output", "json", "--resume"],
            false => &["--output", "json"],
        };
        let again = run(&example, more);
        assert_eq!(again.status.code(), Some(0), "{}", told(&shown(&again)));
    } else {
        assert_eq!(end, Some(0), "{}", told(&shown(&first)));
    }
    let count = records(&example);
    all_is_as_if_it_had_not_been(&example, told);
    (count, ended)
}

#[test]
fn a_run_ended_at_any_record_and_continued_ends_as_if_it_had_not_been() {
    let (whole, _) = ended_at(u32::MAX);
    assert!(whole > 10, "{whole} records");
    let next = AtomicU32::new(0);
    let ended = AtomicU32::new(0);
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let record = next.fetch_add(1, Ordering::Relaxed);
                    if record >= whole {
                        break;
                    }
                    let (_, here) = ended_at(record);
                    ended.fetch_add(u32::from(here), Ordering::Relaxed);
                }
            });
        }
    });
    // Events that come together share a record's turn, so a later run may need a record less than the first.
    let ended = ended.into_inner();
    assert!(ended + 2 >= whole, "{ended} of {whole} ended the run");
}

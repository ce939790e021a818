//! The specification row by row: the cases of `tests/conformance` in this process and over the wire.

use harness::conformance::{
    Case, Templates, cases, play,
    way::{InProcess, Way, Wire},
};

/// Only these, for work on them: a piece of `SECTION TITLE [FILE]`.
const ONLY: &str = "STAGEWRIGHT_TEST_CASES";

fn chosen(fast: bool) -> (Vec<Case>, Templates) {
    let templates = Templates::load();
    let only = std::env::var(ONLY).unwrap_or_default();
    let named = |case: &Case| format!("{} {} [{}]", case.section, case.title, case.file);
    let cases = cases(&templates).into_iter();
    let cases = cases.filter(|case| case.fast == fast && named(case).contains(&only));
    (cases.collect(), templates)
}

fn check(fast: bool, way: &dyn Way) {
    let (cases, templates) = chosen(fast);
    let failed = play(&cases, &templates, way);
    assert!(
        failed.is_empty(),
        "{} of {} cases failed\n\n{}\n",
        failed.len(),
        cases.len(),
        failed.join("\n\n")
    );
    eprintln!("{} cases", cases.len());
}

#[test]
fn conformance_in_process() {
    check(false, &InProcess::start(false));
}

#[test]
fn conformance_over_the_wire() {
    let state = tempfile::tempdir().expect("a folder");
    check(false, &Wire::start(state.path(), false));
}

#[test]
fn conformance_of_time_in_process() {
    check(true, &InProcess::start(true));
}

#[test]
fn conformance_of_time_over_the_wire() {
    let state = tempfile::tempdir().expect("a folder");
    check(true, &Wire::start(state.path(), true));
}

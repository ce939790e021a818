//! `make bench`: measures what the README and `docs/performance.md` say. Prints one row per figure; with the name of one
//! of [`SUBJECTS`] as its argument only the figures of that.

mod api;
mod approvals;
mod artifacts;
mod example;
mod executions;
mod history;
mod lambda;
mod sizes;
mod sources;
mod states;

use std::{future::Future, process::ExitCode};

type Figures = Vec<(String, String)>;

type Subject = (&'static str, fn() -> Figures);

/// What can be measured alone, in the order of a whole run.
const SUBJECTS: [Subject; 10] = [
    ("artifacts", artifacts::measure),
    ("sources", sources::measure),
    ("sizes", sizes::measure),
    ("example", example::measure),
    ("lambda", lambda::measure),
    ("approvals", approvals::measure),
    ("states", states::measure),
    ("api", api::measure),
    ("executions", || ended(executions::measure())),
    ("history", || ended(history::measure())),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let first = arguments.first().map(String::as_str);
    if first == Some(artifacts::CHILD) {
        return artifacts::child(&arguments[1..]);
    }
    let asked = |name: &str| first.is_none_or(|first| first == name);
    if !SUBJECTS.iter().any(|(name, _)| asked(name)) {
        let names = SUBJECTS.map(|(name, _)| name).join(", ");
        eprintln!("bench measures {names}; without an argument all of them");
        return ExitCode::from(2);
    }
    println!("{:<70} {:>24}", "what", "measured");
    for (_, measure) in SUBJECTS.iter().filter(|(name, _)| asked(name)) {
        for (what, figure) in measure() {
            row(&what, &figure);
        }
    }
    ExitCode::SUCCESS
}

fn ended(measure: impl Future<Output = Figures>) -> Figures {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(measure)
}

fn row(what: &str, figure: &str) {
    println!("{what:<70} {figure:>24}");
}

/// Megabytes of a process (its id, or `self`) by a field of its status: `VmRSS:`, or `VmHWM:` for its peak.
fn memory(process: &str, field: &str) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with(field))?;
    let kilobytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes / 1e3)
}

/// The middle of the samples.
fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied().unwrap_or(f64::NAN)
}

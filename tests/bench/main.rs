//! `make bench`: measures what the README and `docs/performance.md` say. Prints one row per figure; with the argument
//! `artifacts`, `approvals` or `states` only those of large artifacts, of the approval page or of state machines.

mod api;
mod approvals;
mod artifacts;
mod example;
mod executions;
mod history;
mod lambda;
mod sizes;
mod states;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let first = arguments.first().map(String::as_str);
    if first == Some(artifacts::CHILD) {
        return artifacts::child(&arguments[1..]);
    }
    println!("{:<70} {:>24}", "what", "measured");
    if first == Some("approvals") {
        for (what, figure) in approvals::measure() {
            row(&what, &figure);
        }
        return ExitCode::SUCCESS;
    }
    if first == Some("states") {
        for (what, figure) in states::measure() {
            row(&what, &figure);
        }
        return ExitCode::SUCCESS;
    }
    for (what, figure) in artifacts::measure() {
        row(&what, &figure);
    }
    if first == Some("artifacts") {
        return ExitCode::SUCCESS;
    }
    for (what, figure) in sizes::measure() {
        row(&what, &figure);
    }
    for (what, figure) in example::measure() {
        row(&what, &figure);
    }
    for (what, figure) in lambda::measure() {
        row(&what, &figure);
    }
    for (what, figure) in approvals::measure() {
        row(&what, &figure);
    }
    for (what, figure) in states::measure() {
        row(&what, &figure);
    }
    for (what, figure) in api::measure() {
        row(&what, &figure);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        for (what, figure) in executions::measure().await {
            row(&what, &figure);
        }
        for (what, figure) in history::measure().await {
            row(&what, &figure);
        }
    });
    ExitCode::SUCCESS
}

fn row(what: &str, figure: &str) {
    println!("{what:<70} {figure:>24}");
}

/// The middle of the samples.
fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied().unwrap_or(f64::NAN)
}

//! What people read about a build.

use shared::{
    fault::{Fault, FaultKind},
    port::Timer,
    provider::Http,
};

use crate::{
    decide,
    params::Params,
    run::{At, Run},
    server::Server,
    wire::{Asks, Build, Report},
};

/// Bytes of a log's end that are read, and lines of it that are shown.
const TAIL_BYTES: u64 = 4096;
const TAIL_LINES: usize = 20;
/// Characters of a question that are shown.
const LONGEST_QUESTION: usize = 200;
/// Names of failed tests that are shown.
const TESTS_SHOWN: usize = 5;

/// Where people see the run: the address by which this function reaches Jenkins, as Jenkins' own is often wrong.
pub fn link(params: &Params, run: Run) -> String {
    let job = params.base.at(&params.job.url_path());
    match run.at {
        At::Build(number) => format!("{job}/{number}/"),
        At::Queue(_) => format!("{job}/"),
    }
}

/// A fault about a run.
pub fn of_run(kind: FaultKind, run: Run, text: String) -> Fault {
    let fault = Fault::new(kind, text);
    match run.to_string().parse() {
        Ok(id) => fault.of_run(id),
        Err(_) => fault,
    }
}

/// What a build waits to be answered, and where; `None` when it asks nothing.
pub fn asks(params: &Params, number: u64, asks: &[Asks]) -> Option<String> {
    let first = asks.first()?;
    let short = |text: &str| -> String {
        let plain = |c: char| if c.is_control() { ' ' } else { c };
        text.chars().map(plain).take(LONGEST_QUESTION).collect()
    };
    let proceed = first
        .proceed_text
        .as_deref()
        .filter(|text| !text.is_empty());
    let proceed = short(proceed.unwrap_or("Proceed"));
    let mut text = format!(
        "waits for somebody to answer {:?} in Jenkins with {proceed:?} or \"Abort\"",
        short(&first.message)
    );
    let names: Vec<String> = first
        .inputs
        .iter()
        .map(|input| short(&input.name))
        .collect();
    if !names.is_empty() {
        text += &format!(" and to give {}", names.join(", "));
    }
    if asks.len() > 1 {
        text += &format!(" ({} more questions)", asks.len() - 1);
    }
    let build = link(params, Run::own(At::Build(number)));
    Some(format!("{text}, at {build}input/"))
}

/// A build that is not good: how it ended, which tests failed, the log's last lines.
pub async fn failure<H: Http, T: Timer>(
    server: &Server<'_, H, T>,
    build: &Build,
    how: &str,
) -> Fault {
    let run = Run::own(At::Build(build.number));
    let mut text = format!("{} #{} {how}", server.params.job, build.number);
    if let Some(tests) = decide::tests(build) {
        text += &format!("; {}", decide::tests_in_words(tests));
        if tests.0 > 0 {
            text += &failed_tests(server, build.number).await;
        }
    }
    text += &format!("; see {}", link(server.params, run));
    let tail = server.tail(build.number, TAIL_BYTES).await;
    let lines: Vec<&str> = tail
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let from = lines.len().saturating_sub(TAIL_LINES);
    if !lines.is_empty() {
        text += &format!("\nThe end of its log:\n{}", lines[from..].join("\n"));
    }
    of_run(FaultKind::Failed, run, text)
}

/// `: shop.CartTest.adds, …`, or nothing when Jenkins does not say.
async fn failed_tests<H: Http, T: Timer>(server: &Server<'_, H, T>, number: u64) -> String {
    let tree = "suites[cases[className,name,status]]";
    let url = server.of_job(&format!("/{number}/testReport/api/json?tree={tree}"));
    let Ok(report) = server.read::<Report>("the test report", &url).await else {
        return String::new();
    };
    let cases = report.suites.iter().flat_map(|suite| &suite.cases);
    let failed = cases.filter(|case| ["FAILED", "REGRESSION"].contains(&case.status.as_str()));
    let names = failed.map(|case| format!("{}.{}", case.class_name, case.name));
    let mut names: Vec<String> = names.take(TESTS_SHOWN + 1).collect();
    if names.len() > TESTS_SHOWN {
        names[TESTS_SHOWN] = "…".to_owned();
    }
    match names.is_empty() {
        true => String::new(),
        false => format!(": {}", names.join(", ")),
    }
}

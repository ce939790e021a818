//! The example release pipeline from start to end, and what its functions report of themselves.

use std::{collections::BTreeMap, fs, path::Path, process::Command, time::Instant};

use harness::{
    example::Example,
    process::{finish, shown},
    workspace::stagewright,
};

use crate::median;

const RUNS: usize = 5;

/// Wall time of a run, and `REPORT` lines of its functions.
pub fn measure() -> Vec<(String, String)> {
    let mut times = Vec::new();
    let mut reports: BTreeMap<&'static str, Vec<f64>> = BTreeMap::new();
    for _ in 0..RUNS {
        let example = Example::new();
        let begin = Instant::now();
        let output = finish(Command::new(stagewright()).args(example.run_arguments(&[])));
        assert!(output.status.success(), "{}", shown(&output));
        times.push(begin.elapsed().as_secs_f64());
        collect(&example.state().join("logs"), &mut reports);
    }
    let mut rows = vec![(
        format!("example release pipeline, {RUNS} runs"),
        format!("{:.2} s", median(times)),
    )];
    for (what, samples) in reports {
        let count = samples.len();
        rows.push((
            format!("functions of the example: {what}, {count} calls"),
            format!("{:.2} ms", median(samples)),
        ));
    }
    rows
}

fn collect(folder: &Path, reports: &mut BTreeMap<&'static str, Vec<f64>>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, reports);
            continue;
        }
        let text = fs::read_to_string(&path).unwrap_or_default();
        for line in text.lines().filter(|l| l.starts_with("REPORT")) {
            let value = |name: &str| {
                let rest = &line[line.find(name)? + name.len()..];
                rest.split_whitespace().next()?.parse::<f64>().ok()
            };
            let init = value("Init Duration: ");
            let duration = value("Duration: ");
            if let Some(init) = init {
                reports.entry("init of a cold one").or_default().push(init);
            }
            let key = if init.is_some() {
                "first event of a cold one"
            } else {
                "event of a warm one"
            };
            reports.entry(key).or_default().extend(duration);
        }
    }
}

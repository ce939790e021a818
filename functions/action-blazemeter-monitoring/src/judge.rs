//! What the results of all runs of a trigger mean, and how their ids are written as one. Pure.

use std::{fmt, str::FromStr};

use crate::{
    params::is_id,
    wire::{Begun, TestResult, Triggered},
};

/// The runs of one trigger as one text: `BUCKET/TEST/RUN,…`, with `N!` before it when N of them could not be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runs {
    /// Those that go.
    pub all: Vec<Begun>,
    /// How many could not be started.
    pub missing: u64,
}

impl From<Triggered> for Runs {
    fn from(triggered: Triggered) -> Self {
        Self {
            all: triggered.runs,
            missing: triggered.runs_failed,
        }
    }
}

impl Runs {
    /// Whether every id can be put into an address.
    pub fn is_plain(&self) -> bool {
        let plain =
            |run: &Begun| is_id(&run.bucket_key) && is_id(&run.test_id) && is_id(&run.test_run_id);
        self.all.iter().all(plain)
    }
}

impl fmt::Display for Runs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.missing > 0 {
            write!(f, "{}!", self.missing)?;
        }
        for (at, run) in self.all.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            write!(
                f,
                "{comma}{}/{}/{}",
                run.bucket_key, run.test_id, run.test_run_id
            )?;
        }
        Ok(())
    }
}

/// A text that names no runs.
#[derive(Debug, PartialEq, Eq)]
pub struct NoRuns;

impl FromStr for Runs {
    type Err = NoRuns;

    fn from_str(text: &str) -> Result<Self, NoRuns> {
        let (missing, list) = match text.split_once('!') {
            Some((missing, list)) => (missing.parse().map_err(|_| NoRuns)?, list),
            None => (0, text),
        };
        let run = |text: &str| {
            let mut parts = text.split('/').map(str::to_owned);
            let run = Begun {
                bucket_key: parts.next()?,
                test_id: parts.next()?,
                test_run_id: parts.next()?,
            };
            parts.next().is_none().then_some(run)
        };
        let all: Option<Vec<Begun>> = list.split(',').map(run).collect();
        let runs = Self {
            all: all.ok_or(NoRuns)?,
            missing,
        };
        if runs.is_plain() {
            Ok(runs)
        } else {
            Err(NoRuns)
        }
    }
}

/// Where all runs stand together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// So many have ended.
    Going {
        /// How many.
        ended: usize,
    },
    /// All passed.
    Passed,
    /// Not all did.
    Bad {
        /// For people.
        text: String,
    },
}

/// Where one run stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum One {
    Going,
    Passed,
    Failed,
    Canceled,
    Contradicting,
    Unknown(String),
}

fn one(result: &TestResult) -> One {
    let ended = result.finished_at.is_some_and(|time| time > 0.0);
    match result.result.as_deref() {
        Some("pass") if result.assertions_failed.is_some_and(|count| count > 0) => {
            One::Contradicting
        }
        Some("pass") => One::Passed,
        Some("fail") => One::Failed,
        Some("canceled") => One::Canceled,
        Some("init" | "queued" | "working") | None => One::Going,
        // A state between those known, or an end: the time tells.
        Some(_) if !ended => One::Going,
        Some(other) => One::Unknown(other.chars().take(60).collect()),
    }
}

/// Judges the results of all runs, given in the runs' order.
pub fn judge(runs: &Runs, results: &[TestResult]) -> Verdict {
    let states: Vec<One> = results.iter().map(one).collect();
    let ended = states.iter().filter(|state| **state != One::Going).count();
    if ended < runs.all.len() {
        return Verdict::Going { ended };
    }
    let total = runs.all.len() as u64 + runs.missing;
    let mut parts = Vec::new();
    for ((run, result), state) in runs.all.iter().zip(results).zip(&states) {
        let place = link(run);
        parts.push(match state {
            One::Going | One::Passed => continue,
            One::Failed => {
                let of = result.assertions_defined.unwrap_or_default();
                match result.assertions_failed {
                    Some(failed) if failed > 0 => {
                        format!("{failed} of {of} assertions failed in {place}")
                    }
                    _ => format!("failed: {place}"),
                }
            }
            One::Canceled => format!("canceled at BlazeMeter before its end: {place}"),
            One::Contradicting => {
                format!("contradicts itself, it passed with failed assertions: {place}")
            }
            One::Unknown(other) => {
                format!(
                    "ended as {other:?}, which this version of the function does not know: {place}"
                )
            }
        });
    }
    if runs.missing > 0 {
        parts.push(format!("{} could not be started", runs.missing));
    }
    let bad = total - states.iter().filter(|state| **state == One::Passed).count() as u64;
    if bad == 0 {
        return Verdict::Passed;
    }
    let more = parts.len().saturating_sub(MOST_PARTS);
    parts.truncate(MOST_PARTS);
    if more > 0 {
        parts.push(format!("and {more} more"));
    }
    Verdict::Bad {
        text: format!("{bad} of {total} runs did not pass: {}", parts.join("; ")),
    }
}

/// Runs in a message.
const MOST_PARTS: usize = 8;

/// Where people see a run.
pub fn link(run: &Begun) -> String {
    let Begun {
        bucket_key,
        test_id,
        test_run_id,
    } = run;
    format!("https://www.runscope.com/radar/{bucket_key}/{test_id}/results/{test_run_id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(count: usize, missing: u64) -> Runs {
        let run = |number: usize| Begun {
            bucket_key: "b".to_owned(),
            test_id: "t-1".to_owned(),
            test_run_id: format!("r{number}"),
        };
        Runs {
            all: (1..=count).map(run).collect(),
            missing,
        }
    }

    #[test]
    fn runs_are_one_text() {
        for (runs, text) in [
            (runs(1, 0), "b/t-1/r1"),
            (runs(2, 3), "3!b/t-1/r1,b/t-1/r2"),
        ] {
            assert_eq!(runs.to_string(), text);
            assert_eq!(text.parse(), Ok(runs));
        }
        for bad in ["", "a/b", "a/b/c/d", "x!a/b/c", "a/../c", "a/b/c,"] {
            assert_eq!(bad.parse::<Runs>(), Err(NoRuns), "{bad}");
        }
    }

    #[test]
    fn all_runs_count() {
        let result = |word: &str, failed: u64, ended: bool| TestResult {
            result: Some(word.to_owned()),
            assertions_failed: Some(failed),
            assertions_defined: Some(5),
            finished_at: ended.then_some(1_384_281_310.68),
            ..TestResult::default()
        };
        let (good, bad) = (result("pass", 0, true), result("fail", 2, true));
        let queued = result("queued", 0, false);
        let at = |number: u32| format!("https://www.runscope.com/radar/b/t-1/results/r{number}");
        let say = |text: String| Verdict::Bad { text };
        for (missing, results, want) in [
            (0, vec![good.clone(), queued], Verdict::Going { ended: 1 }),
            (
                0,
                vec![bad.clone(), result("working", 0, false)],
                Verdict::Going { ended: 1 },
            ),
            (
                0,
                vec![good.clone(), result("paused", 0, false)],
                Verdict::Going { ended: 1 },
            ),
            (0, vec![good.clone(), good.clone()], Verdict::Passed),
            (
                0,
                vec![good.clone(), bad],
                say(format!(
                    "1 of 2 runs did not pass: 2 of 5 assertions failed in {}",
                    at(2)
                )),
            ),
            (
                0,
                vec![result("fail", 0, true), good.clone()],
                say(format!("1 of 2 runs did not pass: failed: {}", at(1))),
            ),
            (
                0,
                vec![good.clone(), result("canceled", 0, true)],
                say(format!(
                    "1 of 2 runs did not pass: canceled at BlazeMeter before its end: {}",
                    at(2)
                )),
            ),
            (
                0,
                vec![good.clone(), result("pass", 1, true)],
                say(format!(
                    "1 of 2 runs did not pass: contradicts itself, it passed with failed assertions: {}",
                    at(2)
                )),
            ),
            (
                0,
                vec![good.clone(), result("dreaming", 0, true)],
                say(format!(
                    "1 of 2 runs did not pass: ended as \"dreaming\", which this version of the function does not know: {}",
                    at(2)
                )),
            ),
            (
                2,
                vec![good.clone(), good],
                say("2 of 4 runs did not pass: 2 could not be started".to_owned()),
            ),
        ] {
            assert_eq!(judge(&runs(2, missing), &results), want);
        }
    }
}

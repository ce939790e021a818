//! What a run's state and results mean. Pure.

use std::time::Duration;

use crate::{
    params::Params,
    wire::{Pace, Results, TestRun, Transaction},
};

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Going {
        /// For people.
        text: String,
    },
    /// It has not moved for too long.
    Stuck,
    /// It is over and says that it is not.
    Contradiction,
    /// It has ended.
    Ended(End),
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Its goals are met.
    Passed,
    /// Its goals are not met.
    Failed,
    /// Stopped by somebody, in order.
    Stopped,
    /// Stopped at once.
    Halted,
    /// Without results.
    Aborted,
    /// The vendor's fault.
    SystemError,
    /// Over, in words that this version does not know.
    Unknown(String),
}

/// The vendor's command line gives up on a run that is INITIALIZING or STOPPING for so long.
pub const STUCK: Duration = Duration::from_secs(600);

/// Judges. `unmoved` is how long the run has shown this status.
pub fn judge(run: &TestRun, unmoved: Duration) -> Verdict {
    let status = status(run);
    let end = match status {
        "PASSED" => End::Passed,
        "FAILED" => End::Failed,
        "STOPPED" => End::Stopped,
        "HALTED" => End::Halted,
        "ABORTED" => End::Aborted,
        "SYSTEM_ERROR" => End::SystemError,
        "CHECKING_STATUS" | "INITIALIZING" | "RUNNING" | "PAUSED" | "STOPPING" => {
            let may_stick = matches!(status, "INITIALIZING" | "STOPPING");
            return match run.is_terminated {
                true => Verdict::Contradiction,
                false if may_stick && unmoved >= STUCK => Verdict::Stuck,
                false => Verdict::Going {
                    text: status.to_owned(),
                },
            };
        }
        other => End::Unknown(other.chars().take(60).collect()),
    };
    if run.is_terminated {
        return Verdict::Ended(end);
    }
    Verdict::Going {
        text: format!("{status}, its results are being collected"),
    }
}

/// The status, for people and for telling whether it moves.
pub fn status(run: &TestRun) -> &str {
    run.ui_status.as_deref().unwrap_or("without a status")
}

impl End {
    /// Whether there may be results and reports.
    pub fn has_results(&self) -> bool {
        matches!(
            self,
            Self::Passed | Self::Failed | Self::Stopped | Self::Halted
        )
    }

    /// What to say of it; nothing of a good end.
    pub fn sentence(&self) -> Option<String> {
        Some(match self {
            Self::Passed => return None,
            Self::Failed => "failed: its goals were not met (FAILED)".to_owned(),
            Self::Stopped => "was stopped before its end (STOPPED): ask who stopped it, then retry the stage".to_owned(),
            Self::Halted => "was halted before its end (HALTED): ask who halted it, then retry the stage".to_owned(),
            Self::Aborted => "was aborted without results (ABORTED): look at its load generators and scripts".to_owned(),
            Self::SystemError => {
                "ended with an error of LoadRunner Cloud itself (SYSTEM_ERROR): retry the stage, or ask the vendor's support".to_owned()
            }
            Self::Unknown(status) => {
                format!("ended with the status {status:?}, which this version of the function does not know")
            }
        })
    }
}

/// `, 12 users, 340 transactions passed, 2 failed`.
pub fn pace(pace: &Pace) -> String {
    let mut text = String::new();
    for (value, unit) in [
        (pace.running_vusers, "users"),
        (pace.passed_trx, "transactions passed"),
        (pace.failed_trx, "failed"),
    ] {
        if let Some(value) = value {
            text += &format!(", {value:.0} {unit}");
        }
    }
    text
}

/// Share of failed transactions in percent; nothing when none were counted.
pub fn failed_percent(results: &Results) -> Option<f64> {
    let passed = results.total_transactions_passed.unwrap_or_default();
    let failed = results.total_transactions_failed.unwrap_or_default();
    (passed + failed > 0.0).then(|| failed * 100.0 / (passed + failed))
}

/// The slowest transaction at the percentile: name and milliseconds.
pub fn slowest(transactions: &[Transaction]) -> Option<(&str, f64)> {
    transactions
        .iter()
        .filter_map(|one| Some((one.name.as_str(), one.percentile? * 1_000.0)))
        .max_by(|(_, one), (_, other)| one.total_cmp(other))
}

/// Which of our own thresholds are broken.
pub fn breaches(params: &Params, results: &Results, transactions: &[Transaction]) -> Vec<String> {
    let mut all = Vec::new();
    if let Some(most) = params.max_failed_percent {
        match failed_percent(results) {
            None => all.push(format!(
                "no transaction was counted, so it cannot be told whether at most {most} % failed (maxFailedPercent)"
            )),
            Some(is) if is > most as f64 => all.push(format!(
                "{is:.1} % of the transactions failed, more than {most} % (maxFailedPercent)"
            )),
            Some(_) => {}
        }
    }
    if let Some(most) = params.max_percentile {
        let most = most.as_millis() as f64;
        match slowest(transactions) {
            None => all.push(
                "no transaction has a percentile, so it cannot be told how slow they were (maxPercentileMs)".to_owned(),
            ),
            Some((name, is)) if is > most => {
                let which = results.percentile_value.map_or_else(String::new, |which| format!(" at the {which:.0}th percentile"));
                all.push(format!("{name:?} took {is:.0} ms{which}, more than {most:.0} (maxPercentileMs)"));
            }
            Some(_) => {}
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn run(status: &str, is_terminated: bool) -> TestRun {
        TestRun {
            ui_status: Some(status.to_owned()),
            is_terminated,
            has_report: true,
        }
    }

    #[test]
    fn every_status_has_its_verdict() {
        let going = |text: &str| Verdict::Going {
            text: text.to_owned(),
        };
        let (short, long) = (Duration::from_secs(599), STUCK);
        for (status, over, unmoved, want) in [
            ("CHECKING_STATUS", false, long, going("CHECKING_STATUS")),
            ("INITIALIZING", false, short, going("INITIALIZING")),
            ("INITIALIZING", false, long, Verdict::Stuck),
            ("RUNNING", false, long, going("RUNNING")),
            ("PAUSED", false, long, going("PAUSED")),
            ("STOPPING", false, short, going("STOPPING")),
            ("STOPPING", false, long, Verdict::Stuck),
            ("RUNNING", true, short, Verdict::Contradiction),
            (
                "PASSED",
                false,
                long,
                going("PASSED, its results are being collected"),
            ),
            ("PASSED", true, short, Verdict::Ended(End::Passed)),
            ("FAILED", true, short, Verdict::Ended(End::Failed)),
            ("STOPPED", true, short, Verdict::Ended(End::Stopped)),
            ("HALTED", true, short, Verdict::Ended(End::Halted)),
            ("ABORTED", true, short, Verdict::Ended(End::Aborted)),
            (
                "SYSTEM_ERROR",
                true,
                short,
                Verdict::Ended(End::SystemError),
            ),
            (
                "DREAMING",
                false,
                long,
                going("DREAMING, its results are being collected"),
            ),
            (
                "DREAMING",
                true,
                short,
                Verdict::Ended(End::Unknown("DREAMING".to_owned())),
            ),
        ] {
            assert_eq!(judge(&run(status, over), unmoved), want, "{status} {over}");
        }
    }

    #[test]
    fn thresholds_are_ours() {
        let params = |more: serde_json::Value| -> Params {
            let mut all = json!({"tenant": "1", "project": 1, "test": 1, "clientId": "a", "clientSecret": "ssm:/a"});
            for (name, value) in more.as_object().into_iter().flatten() {
                all[name] = value.clone();
            }
            serde_json::from_value(all).unwrap()
        };
        let results = |passed: f64, failed: f64| Results {
            total_transactions_passed: Some(passed),
            total_transactions_failed: Some(failed),
            percentile_value: Some(90.0),
            ..Results::default()
        };
        let transaction = |name: &str, seconds: Option<f64>| Transaction {
            name: name.to_owned(),
            percentile: seconds,
        };
        let slow = [
            transaction("Log in", Some(0.4)),
            transaction("Pay", Some(2.5)),
            transaction("x", None),
        ];
        let rate = json!({"maxFailedPercent": 5});
        let time = json!({"maxPercentileMs": 2_499});
        for (more, results, transactions, want) in [
            (rate.clone(), results(95.0, 5.0), &slow[..], None),
            (
                rate.clone(),
                results(94.0, 6.0),
                &slow,
                Some("6.0 % of the transactions failed, more than 5 %"),
            ),
            (
                rate,
                results(0.0, 0.0),
                &slow,
                Some("no transaction was counted"),
            ),
            (
                json!({"maxPercentileMs": 2_500}),
                results(1.0, 0.0),
                &slow,
                None,
            ),
            (
                time.clone(),
                results(1.0, 0.0),
                &slow,
                Some("\"Pay\" took 2500 ms at the 90th percentile, more than 2499"),
            ),
            (
                time,
                results(1.0, 0.0),
                &[],
                Some("no transaction has a percentile"),
            ),
            (json!({}), results(0.0, 9.0), &[], None),
        ] {
            let breaches = breaches(&params(more.clone()), &results, transactions);
            match (breaches.as_slice(), want) {
                ([], None) => {}
                ([one], Some(want)) => assert!(one.contains(want), "{one}"),
                (all, want) => unreachable!("{more}: {all:?} {want:?}"),
            }
        }
    }
}

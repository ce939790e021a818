//! The runs of one trigger: started, found again, looked at.

use std::{collections::BTreeMap, path::Path, time::Duration};

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::Value;
use shared::{
    action::Done,
    fault::{Fault, FaultKind},
    follow::{Look, Setback, Vendor},
    job::{Details, Job},
    port::{Artifacts, Timer},
    provider::{Call, Http, Payload, Provider, ProviderError, query},
    results::hand_over,
    secret::Secret,
    start::{Found, StartError, Starter},
};

use crate::{
    judge::{Runs, Verdict, judge, link},
    params::{MARK, Params, trigger},
    wire::{Begun, Envelope, TestResult, Triggered},
};

/// The runs for one step. Their id is [`Runs`] as text.
pub struct Run<'a, H, T, A> {
    /// The vendor.
    pub provider: &'a Provider<H, T>,
    /// What is wanted.
    pub params: &'a Params,
    /// What reads results.
    pub token: Secret,
    /// What starts tests, and the callback's address; not read when the runs are only looked for.
    pub start: Option<(Secret, Option<Secret>)>,
    /// What marks the runs.
    pub mark: &'a str,
    /// See [`shared::follow::since`].
    pub since: Timestamp,
    /// For one call.
    pub budget: Duration,
    /// Now.
    pub now: Timestamp,
    /// Where results go; `None` when the runs are only looked for.
    pub output: Option<(&'a A, &'a Job)>,
}

/// For sentences.
pub const WHAT: &str = "the API tests of BlazeMeter";
/// Results older than this many seconds before the first known claim are not looked at: clocks differ, and a claim may have
/// been taken over from an earlier one. The mark tells ours from others.
const SKEW: i64 = 3_600;
/// The vendor lists 50 at most.
const PAGE: usize = 50;
/// A result holds every request and response of its test.
const LONGEST_RESULT: usize = 8 * 1024 * 1024;

impl<H: Http, T: Timer, A: Artifacts> Starter for Run<'_, H, T, A> {
    async fn start(&self) -> Result<String, StartError> {
        let call = self.trigger().map_err(StartError::NotStarted)?;
        let sent = self.provider.ask(&call, self.budget, self.now).await;
        let answer = sent.and_then(|answer| answer.json::<Envelope<Triggered>>());
        let triggered = answer.map_err(ProviderError::start_error)?.data;
        let configuration = |text: String| {
            let fault = Fault::new(FaultKind::Configuration, text);
            Err(StartError::NotStarted(fault))
        };
        if triggered.runs.is_empty() {
            return configuration(match triggered.runs_failed {
                0 => "the trigger started nothing: give the test or bucket an environment and a location".to_owned(),
                count => format!("none of the trigger's {count} runs could be started: look at the test's environment"),
            });
        }
        let runs = Runs::from(triggered);
        if runs.is_plain() {
            return Ok(runs.to_string());
        }
        let text =
            "BlazeMeter started runs whose ids cannot be used in addresses: look at the test there";
        Err(StartError::Unknown(Fault::new(FaultKind::Failed, text)))
    }

    /// The newest results of the test since the action began that carry our mark. Of a trigger alone it is not known which
    /// tests it starts.
    async fn find(&self) -> Result<Found, Fault> {
        let Some((bucket, test)) = &self.params.place else {
            return Ok(Found::CannotTell {
                look_at: "the newest results in BlazeMeter (with bucket and test given, this action looks itself)".to_owned(),
            });
        };
        let cannot_tell = Ok(Found::CannotTell {
            look_at: format!("https://www.runscope.com/radar/{bucket}/{test}"),
        });
        let since = self.since.as_second() - SKEW;
        let parameters = [("count", PAGE.to_string()), ("since", since.to_string())];
        let path = format!(
            "/buckets/{bucket}/tests/{test}/results?{}",
            query(&parameters)
        );
        let all: Vec<TestResult> = self
            .get("the newest results", &path)
            .await
            .map_err(ProviderError::fault)?;
        let mut ours = Vec::new();
        for one in &all {
            let Some(id) = &one.test_run_id else {
                return cannot_tell;
            };
            let run = Begun {
                bucket_key: bucket.clone(),
                test_id: test.clone(),
                test_run_id: id.clone(),
            };
            if one.started_at.is_some_and(|time| time < since as f64) {
                continue;
            }
            let shown = match &one.initial_variables {
                Some(variables) => Some(variables.clone()),
                None => {
                    self.result(&run)
                        .await
                        .map_err(ProviderError::fault)?
                        .initial_variables
                }
            };
            match shown {
                None => return cannot_tell,
                Some(variables)
                    if variables.get(MARK).and_then(Value::as_str) == Some(self.mark) =>
                {
                    ours.push(run);
                }
                Some(_) => {}
            }
        }
        let runs = Runs {
            all: ours,
            missing: 0,
        };
        match (runs.all.is_empty(), all.len() < PAGE) {
            (false, _) if runs.is_plain() => Ok(Found::Run(runs.to_string())),
            (true, true) => Ok(Found::Nothing),
            _ => cannot_tell,
        }
    }
}

impl<H: Http, T: Timer, A: Artifacts> Vendor for Run<'_, H, T, A> {
    type Notes = ();

    async fn look(&self, run: &str, (): &mut ()) -> Result<Look, Setback> {
        let runs = self.runs(run)?;
        let mut results = Vec::new();
        for run in &runs.all {
            results.push(self.result(run).await?);
        }
        match judge(&runs, &results) {
            Verdict::Going { ended } => {
                let total = runs.all.len();
                Ok(Look::Going {
                    summary: format!("{WHAT}: {ended} of {total} runs ended"),
                    percent: u8::try_from(ended * 100 / total.max(1)).ok(),
                    again_in: None,
                })
            }
            Verdict::Passed => {
                self.hand_over(&runs).await?;
                Ok(Look::Passed(done(&runs, &results)))
            }
            Verdict::Bad { text } => {
                // The runs' own failure is what counts.
                let _ = self.hand_over(&runs).await;
                let text = format!("{WHAT}: {text}");
                Err(Setback::Final(Fault::new(FaultKind::Failed, text)))
            }
        }
    }

    /// The vendor documents no call that ends a run. One that has ended needs none.
    async fn stop(&self, run: &str) -> Result<(), Fault> {
        let runs = self.runs(run)?;
        let mut results = Vec::new();
        for run in &runs.all {
            results.push(self.result(run).await.map_err(ProviderError::fault)?);
        }
        match judge(&runs, &results) {
            Verdict::Going { .. } => Err(Fault::new(
                FaultKind::Failed,
                "BlazeMeter API Monitoring has no call that ends a run: it goes on to its own end",
            )),
            Verdict::Passed | Verdict::Bad { .. } => Ok(()),
        }
    }

    fn link(&self, run: &str) -> Option<String> {
        run.parse()
            .ok()
            .and_then(|runs: Runs| runs.all.first().map(link))
    }
}

impl<H: Http, T: Timer, A: Artifacts> Run<'_, H, T, A> {
    fn trigger(&self) -> Result<Call, Fault> {
        let Some((secret, callback)) = &self.start else {
            let text = "the runs were to be looked for, not started";
            return Err(Fault::new(FaultKind::Internal, text));
        };
        let (url, mut form) = trigger(&self.params.base, secret)?;
        let mut set = |name: &str, value: &str| {
            form.retain(|(known, _)| known != name);
            form.push((name.to_owned(), value.to_owned()));
        };
        for (name, value) in &self.params.variables {
            set(name, value);
        }
        set(MARK, self.mark);
        if let Some(environment) = &self.params.environment {
            set("runscope_environment", environment);
        }
        if let Some(callback) = callback {
            set("runscope_notification_url", callback.reveal());
        }
        let id = Secret::new(url.rsplit('/').nth(1).unwrap_or_default().to_owned());
        let mut call = Call::post("the trigger", url, Payload::Form(form))
            .hiding(secret)
            .hiding(&id);
        if let Some(callback) = callback {
            call = call.hiding(callback);
        }
        Ok(call)
    }

    fn runs(&self, run: &str) -> Result<Runs, Fault> {
        run.parse().map_err(|_| {
            let text = format!("{run:?} names no runs of BlazeMeter: start the action again");
            Fault::new(FaultKind::Internal, text)
        })
    }

    async fn result(&self, run: &Begun) -> Result<TestResult, ProviderError> {
        self.get("the result", &path(run)).await
    }

    async fn get<V: DeserializeOwned>(
        &self,
        what: &'static str,
        path: &str,
    ) -> Result<V, ProviderError> {
        let url = format!("{}{path}", self.params.base);
        let call = Call::get(what, url)
            .bearer(&self.token)
            .limit(LONGEST_RESULT);
        let answer = self.provider.ask(&call, self.budget, self.now).await?;
        answer.json::<Envelope<V>>().map(|envelope| envelope.data)
    }

    /// Every run's result, as the vendor gives it, as output artifact.
    async fn hand_over(&self, runs: &Runs) -> Result<(), Setback> {
        let Some((artifacts, job)) = self.output.filter(|(_, job)| !job.outputs.is_empty()) else {
            return Ok(());
        };
        let disk = |error: std::io::Error| {
            Fault::new(
                FaultKind::Internal,
                "the results could not be written to /tmp",
            )
            .because(error)
        };
        let folder = tempfile::tempdir().map_err(disk)?;
        let spool = tempfile::NamedTempFile::new().map_err(disk)?;
        for run in &runs.all {
            let result: Value = self.get("the result", &path(run)).await?;
            let to = folder.path().join(format!("{}.json", run.test_run_id));
            write(&to, &result).map_err(disk)?;
        }
        hand_over(artifacts, job, folder.path(), spool.path()).await?;
        Ok(())
    }
}

fn write(to: &Path, result: &Value) -> std::io::Result<()> {
    std::fs::write(to, format!("{result:#}\n"))
}

fn path(run: &Begun) -> String {
    let Begun {
        bucket_key,
        test_id,
        test_run_id,
    } = run;
    format!("/buckets/{bucket_key}/tests/{test_id}/results/{test_run_id}")
}

fn done(runs: &Runs, results: &[TestResult]) -> Done {
    let sum = |of: fn(&TestResult) -> Option<u64>| {
        results
            .iter()
            .filter_map(of)
            .fold(0_u64, u64::saturating_add)
    };
    let times = results
        .iter()
        .filter_map(|one| Some(one.finished_at? - one.started_at?));
    let time = times.fold(0.0_f64, f64::max) * 1_000.0;
    let ids: Vec<&str> = runs
        .all
        .iter()
        .map(|run| run.test_run_id.as_str())
        .collect();
    let passed = sum(|one| one.assertions_passed);
    let variables = [
        ("RunIds", ids.join(",")),
        ("Runs", runs.all.len().to_string()),
        ("AssertionsPassed", passed.to_string()),
        (
            "RequestsExecuted",
            sum(|one| one.requests_executed).to_string(),
        ),
        ("LongestMs", format!("{time:.0}")),
    ];
    let variables: BTreeMap<String, String> = variables
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    let summary = format!(
        "{WHAT}: {} runs passed, {passed} assertions",
        runs.all.len()
    );
    Done {
        details: Details {
            summary: Some(summary),
            ..Details::default()
        },
        variables,
    }
}

//! One run of a load test: started, found again, looked at, stopped, its reports fetched.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::{
    action::Done,
    fault::{Fault, FaultKind},
    follow::{Look, Setback, Vendor},
    job::{Details, Job},
    port::{Artifacts, Timer},
    provider::{Http, Method, Trouble, segment},
    results::hand_over,
    start::{Found, StartError, Starter},
};

use crate::{
    api::{Api, ApiError},
    judge::{End, Verdict, breaches, failed_percent, judge, pace, slowest, status},
    params::Params,
    wire::{ActiveRun, Asked, Begun, Pace, Results, TestRun, Transaction},
};

/// A run for one step. Its id is the vendor's number.
pub struct Run<'a, H, T, A> {
    /// The vendor.
    pub api: Api<'a, H, T>,
    /// What is wanted.
    pub params: &'a Params,
    /// See [`shared::follow::since`].
    pub since: Timestamp,
    /// When the patience is over.
    pub deadline: Timestamp,
    /// Where the reports go; `None` when the run is only looked for or stopped.
    pub output: Option<(&'a A, &'a Job)>,
}

/// What is kept between two looks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notes {
    /// The status seen last.
    pub status: String,
    /// Since when, in Unix seconds.
    pub since: i64,
    /// Reports asked for, in the order of the parameters.
    pub reports: Vec<u64>,
    /// When the first was asked for, in Unix seconds.
    pub asked: i64,
}

/// Shown to the vendor as who started the run.
const INITIATOR: &str = "stagewright";
/// Clocks differ by less than this many seconds.
const SKEW: i64 = 120;
/// The vendor's tools wait 2 to 10 minutes for a report.
const REPORT_PATIENCE: i64 = 600;
/// Between two looks at a report.
const REPORT_EVERY: Duration = Duration::from_secs(15);

impl<H: Http, T: Timer, A: Artifacts> Starter for Run<'_, H, T, A> {
    async fn start(&self) -> Result<String, StartError> {
        let Params { project, test, .. } = self.params;
        let path = format!("/v1/projects/{project}/load-tests/{test}/runs");
        let mail = self.params.send_email.to_string();
        let parameters = [("sendEmail", mail.as_str()), ("initiator", INITIATOR)];
        let body = Some(json!({}));
        let begun = self
            .api
            .ask::<Begun>(Method::Post, "the start", &path, &parameters, body);
        match begun.await {
            Ok(begun) => Ok(begun.run_id.to_string()),
            Err(ApiError::Login(error)) => Err(StartError::NotStarted(error.fault())),
            Err(ApiError::Call(error)) => Err(error.start_error()),
        }
    }

    /// The one active run of our test that began since. Ended runs are in no list that is documented, so nothing found
    /// is no proof that nothing was started, and a load test costs money.
    async fn find(&self) -> Result<Found, Fault> {
        let project = self.params.project.to_string();
        let parameters = [("projectIds", project.as_str())];
        let path = "/v1/test-runs/active";
        let active =
            self.api
                .ask::<Vec<ActiveRun>>(Method::Get, "the active runs", path, &parameters, None);
        let since = (self.since.as_second() - SKEW) as f64 * 1_000.0;
        let mut ours = active.await?;
        ours.retain(|run| {
            run.test_id == self.params.test && run.start_time.is_none_or(|time| time >= since)
        });
        Ok(match ours.as_slice() {
            [one] => Found::Run(one.run_id.to_string()),
            _ => Found::CannotTell {
                look_at: format!(
                    "the runs of load test {} in project {} of LoadRunner Cloud, which lists active runs only",
                    self.params.test, self.params.project
                ),
            },
        })
    }
}

impl<H: Http, T: Timer, A: Artifacts> Vendor for Run<'_, H, T, A> {
    type Notes = Notes;

    async fn look(&self, run: &str, notes: &mut Notes) -> Result<Look, Setback> {
        let state: TestRun = self.api.get("the run", &path(run, "")).await?;
        let now = self.api.now.as_second();
        if notes.status != status(&state) {
            notes.status = status(&state).chars().take(60).collect();
            notes.since = now;
        }
        let unmoved = Duration::from_secs(u64::try_from(now - notes.since).unwrap_or_default());
        let what = what(self.params);
        let failed = |text: String| Fault::new(FaultKind::Failed, text);
        match judge(&state, unmoved) {
            Verdict::Going { text } => {
                // How it goes is told where it can be read.
                let seen = match text.as_str() {
                    "RUNNING" => self
                        .api
                        .get::<Pace>("the run's pace", &path(run, "/status"))
                        .await
                        .ok(),
                    _ => None,
                };
                let seen = seen.map_or_else(String::new, |seen| pace(&seen));
                Ok(Look::Going {
                    summary: format!("{what}: {text}{seen}"),
                    percent: None,
                    again_in: None,
                })
            }
            Verdict::Contradiction => Err(Setback::Odd(failed(format!(
                "LoadRunner Cloud contradicts itself about {what}: it is {} and terminated",
                status(&state)
            )))),
            Verdict::Stuck => {
                let stopped = match self.stop(run).await {
                    Ok(()) => "it was told to stop".to_owned(),
                    Err(fault) => format!("it could not be stopped: {}", fault.public),
                };
                Err(Setback::Final(failed(format!(
                    "{what} is {} for 10 minutes: {stopped}; look at its load generators",
                    status(&state)
                ))))
            }
            Verdict::Ended(end) => self.ended(run, &end, &state, notes).await,
        }
    }

    async fn stop(&self, run: &str) -> Result<(), Fault> {
        let told = self
            .api
            .tell("the stop", &path(run, ""), &[("action", "STOP")])
            .await;
        let error = match told {
            Ok(()) => return Ok(()),
            Err(ApiError::Login(error)) => return Err(error.fault()),
            Err(ApiError::Call(error)) => error,
        };
        match error.trouble {
            Trouble::NotFound => Ok(()),
            Trouble::Refused { .. } => {
                // It may have ended already, which is as good.
                let state: TestRun = self.api.get("the run", &path(run, "")).await?;
                match judge(&state, Duration::ZERO) {
                    Verdict::Ended(_) => Ok(()),
                    _ if status(&state) == "STOPPING" => Ok(()),
                    _ => Err(error.fault()),
                }
            }
            _ => Err(error.fault()),
        }
    }

    fn link(&self, run: &str) -> Option<String> {
        let Params {
            base,
            tenant,
            project,
            ..
        } = self.params;
        let tenant = segment(tenant);
        Some(format!(
            "{base}/run-overview/{}/dashboard/?TENANTID={tenant}&projectId={project}",
            segment(run)
        ))
    }
}

impl<H: Http, T: Timer, A: Artifacts> Run<'_, H, T, A> {
    /// The run is over: results, thresholds, reports.
    async fn ended(
        &self,
        run: &str,
        end: &End,
        state: &TestRun,
        notes: &mut Notes,
    ) -> Result<Look, Setback> {
        let what = what(self.params);
        let bad = end
            .sentence()
            .map(|text| Fault::new(FaultKind::Failed, format!("{what} {text}")));
        if !end.has_results() {
            return Err(Setback::Final(bad.unwrap_or_else(|| {
                Fault::new(FaultKind::Internal, format!("{what} ended without results"))
            })));
        }
        let results = self.results(run).await;
        let (results, transactions) = match (results, &bad) {
            (Ok(read), _) => read,
            // The run's own end is what counts.
            (Err(_), Some(_)) => Default::default(),
            (Err(error), None) => return Err(error.into()),
        };
        let handed = self
            .reports(run, state, notes, &results, &transactions)
            .await;
        match (handed, &bad) {
            (Ok(false), _) if self.waits_for_reports(notes) => {
                return Ok(Look::Going {
                    summary: format!("{what}: {}, its reports are being made", status(state)),
                    percent: Some(99),
                    again_in: Some(REPORT_EVERY),
                });
            }
            (Ok(false), None) => {
                return Err(Setback::Final(Fault::new(
                    FaultKind::Unavailable,
                    format!(
                        "{what} passed, but LoadRunner Cloud did not make its reports in time: retry the stage, \
                         or ask for fewer reports"
                    ),
                )));
            }
            (Err(setback @ Setback::Passing(_)), _) => return Err(setback),
            (Err(setback), None) => return Err(setback),
            (Ok(_) | Err(_), _) => {}
        }
        let breaches = breaches(self.params, &results, &transactions);
        match (bad, breaches.is_empty()) {
            (Some(fault), true) => Err(Setback::Final(fault)),
            (None, true) => Ok(Look::Passed(self.done(run, &results, &transactions))),
            (bad, false) => {
                let first = bad.map_or_else(
                    || format!("{what} passed at LoadRunner Cloud, but not here"),
                    |fault| fault.public,
                );
                let text = format!("{first}: {}", breaches.join("; "));
                Err(Setback::Final(Fault::new(FaultKind::Failed, text)))
            }
        }
    }

    /// Not beyond the action's own time: the run has ended, and how it ended is to be told.
    fn waits_for_reports(&self, notes: &Notes) -> bool {
        let now = self.api.now;
        now < self.deadline && now.as_second() < notes.asked + REPORT_PATIENCE
    }

    async fn results(&self, run: &str) -> Result<(Results, Vec<Transaction>), ApiError> {
        let results = self.api.get("the results", &path(run, "/results")).await?;
        let transactions = self
            .api
            .get("the transactions", &path(run, "/transactions"))
            .await?;
        Ok((results, transactions))
    }

    /// Results and reports as output artifact; `false` while a report is being made.
    async fn reports(
        &self,
        run: &str,
        state: &TestRun,
        notes: &mut Notes,
        results: &Results,
        transactions: &[Transaction],
    ) -> Result<bool, Setback> {
        let Some((artifacts, job)) = self.output.filter(|(_, job)| !job.outputs.is_empty()) else {
            return Ok(true);
        };
        let wanted = match state.has_report {
            true => self.params.reports.as_slice(),
            false => &[],
        };
        if notes.reports.is_empty() {
            notes.asked = self.api.now.as_second();
        }
        for report in &wanted[notes.reports.len().min(wanted.len())..] {
            let body = Some(json!({"reportType": report.name()}));
            let path = path(run, "/reports");
            let asked: Asked = self
                .api
                .ask(Method::Post, "making a report", &path, &[], body)
                .await?;
            notes.reports.push(asked.report_id);
        }
        let disk = |error: std::io::Error| {
            Fault::new(
                FaultKind::Internal,
                "the reports could not be written to /tmp",
            )
            .because(error)
        };
        let folder = tempfile::tempdir().map_err(disk)?;
        let spool = tempfile::NamedTempFile::new().map_err(disk)?;
        for (report, id) in wanted.iter().zip(&notes.reports) {
            let to = folder.path().join(format!("report.{}", report.ending()));
            if !self.api.report(*id, &to).await? {
                return Ok(false);
            }
        }
        let told = summary(run, results, transactions);
        std::fs::write(folder.path().join("results.json"), format!("{told:#}\n")).map_err(disk)?;
        hand_over(artifacts, job, folder.path(), spool.path()).await?;
        Ok(true)
    }

    fn done(&self, run: &str, results: &Results, transactions: &[Transaction]) -> Done {
        let told = summary(run, results, transactions);
        let text = |value: &Value| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        };
        let told = told.as_object().into_iter().flatten();
        let known = told.filter(|(_, value)| !value.is_null());
        let variables: BTreeMap<String, String> = known
            .map(|(name, value)| (name.clone(), text(value)))
            .collect();
        let passed = results.total_transactions_passed.unwrap_or_default();
        let failed = results.total_transactions_failed.unwrap_or_default();
        let summary = format!(
            "{} passed: {passed:.0} transactions passed, {failed:.0} failed",
            what(self.params)
        );
        Done {
            details: Details {
                summary: Some(summary),
                ..Details::default()
            },
            variables,
        }
    }
}

/// What the output variables say, null where the vendor says nothing.
fn summary(run: &str, results: &Results, transactions: &[Transaction]) -> Value {
    let whole = |number: Option<f64>| number.map(|number| format!("{number:.0}"));
    let slowest = slowest(transactions);
    json!({
        "RunId": run,
        "Duration": results.duration,
        "TransactionsPassed": whole(results.total_transactions_passed),
        "TransactionsFailed": whole(results.total_transactions_failed),
        "FailedPercent": failed_percent(results).map(|percent| format!("{percent:.2}")),
        "ScriptErrors": whole(results.script_errors),
        "Vusers": whole(results.total_vusers),
        "Percentile": whole(results.percentile_value),
        "SlowestTransaction": slowest.map(|(name, _)| name),
        "SlowestMs": slowest.map(|(_, time)| format!("{time:.0}")),
    })
}

/// For sentences.
pub fn what(params: &Params) -> String {
    format!("load test {} of LoadRunner Cloud", params.test)
}

fn path(run: &str, more: &str) -> String {
    format!("/v1/test-runs/{}{more}", segment(run))
}

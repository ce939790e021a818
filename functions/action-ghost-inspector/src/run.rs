//! One run of a suite or test: started, found again, looked at, cancelled.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use shared::{
    action::Done,
    fault::{Fault, FaultKind},
    follow::{Look, Setback, Vendor},
    job::{Details, Job},
    port::{Artifacts, Timer},
    provider::{Http, Trouble},
    results::hand_over,
    secret::Secret,
    start::{Found, StartError, Starter},
};

use crate::{
    api::{Api, ApiError, PAGE},
    judge::{Verdict, counts, judge},
    params::{MARK, Params, Target},
    wire::{RunResult, results},
};

/// A run for one step. Its id is the results' ids with commas between them: there are several with several browsers or
/// rows of data.
pub struct Run<'a, H, T, A> {
    /// The vendor.
    pub api: Api<'a, H, T>,
    /// What is wanted.
    pub params: &'a Params,
    /// What marks the run.
    pub mark: &'a str,
    /// See [`shared::follow::since`].
    pub since: jiff::Timestamp,
    /// The callback's address.
    pub webhook: Option<Secret>,
    /// Where the report goes; `None` when the run is only looked for or stopped.
    pub output: Option<(&'a A, &'a Job)>,
}

/// What is kept between two looks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notes {
    /// The end was seen once: `passing` is set a moment before the times are.
    pub settled: bool,
}

/// What the vendor's clients show people.
const APP: &str = "https://app.ghostinspector.com";
/// Results older than this many seconds before the first known claim are not looked at: clocks differ, and a claim may have
/// been taken over from an earlier one. The mark tells ours from others.
const SKEW: i64 = 3_600;
/// Tests of one run that are read for their names.
const MOST_PAGES: usize = 20;
/// Names in a message.
const MOST_NAMES: usize = 10;

impl<H: Http, T: Timer, A: Artifacts> Starter for Run<'_, H, T, A> {
    async fn start(&self) -> Result<String, StartError> {
        let mut fields = self.params.settings.clone();
        fields.push(("immediate".to_owned(), "1".to_owned()));
        fields.push((MARK.to_owned(), self.mark.to_owned()));
        if let Some(webhook) = &self.webhook {
            fields.push(("webhook".to_owned(), webhook.reveal().clone()));
        }
        let path = match &self.params.target {
            Target::Suite(id) => format!("/suites/{id}/execute/"),
            Target::Test(id) => format!("/tests/{id}/execute/"),
        };
        let data = match self.api.post("the start", &path, &fields).await {
            Ok(data) => data,
            Err(ApiError::Http(error)) => return Err(error.start_error()),
            Err(ApiError::Refused(fault)) => return Err(StartError::NotStarted(fault)),
        };
        let nameless = |why: &str| {
            Fault::new(
                FaultKind::Failed,
                format!(
                    "Ghost Inspector took the start and answered {why}: look at {}",
                    self.place()
                ),
            )
        };
        match results(data) {
            Ok(all) if all.is_empty() => Err(StartError::NotStarted(Fault::new(
                FaultKind::Configuration,
                "Ghost Inspector started nothing: the suite has no test that can be run",
            ))),
            Ok(all) => Ok(joined(all.iter().map(|one| one.id.as_str()))),
            Err(_) => Err(StartError::Unknown(nameless("without an id"))),
        }
    }

    /// The newest results since the action began that carry our mark. Results of suites do not show their variables;
    /// those of their tests do.
    async fn find(&self) -> Result<Found, Fault> {
        let path = match &self.params.target {
            Target::Suite(id) => format!("/suites/{id}/results/"),
            Target::Test(id) => format!("/tests/{id}/results/"),
        };
        let count = [("count", PAGE.to_string())];
        let all = self
            .api
            .results("the newest results", &path, &count)
            .await?;
        let since = self.since.as_second() - SKEW;
        let new = |one: &&RunResult| one.created().is_none_or(|time| time.as_second() >= since);
        let candidates: Vec<&RunResult> = all.iter().filter(new).collect();
        let cannot_tell = Ok(Found::CannotTell {
            look_at: self.place(),
        });
        let mut ours = Vec::new();
        for one in &candidates {
            match self.is_ours(one).await? {
                Some(true) => ours.push(one.id.as_str()),
                Some(false) => {}
                None => return cannot_tell,
            }
        }
        if !ours.is_empty() {
            return Ok(Found::Run(joined(ours.into_iter())));
        }
        // There may be older ones on the next page.
        if candidates.len() >= PAGE {
            return cannot_tell;
        }
        Ok(Found::Nothing)
    }
}

impl<H: Http, T: Timer, A: Artifacts> Vendor for Run<'_, H, T, A> {
    type Notes = Notes;

    async fn look(&self, run: &str, notes: &mut Notes) -> Result<Look, Setback> {
        let mut all = Vec::new();
        for id in run.split(',') {
            let path = self.result(id);
            let one = self.api.results("the result", &path, &[]).await?;
            all.extend(one);
        }
        let verdict = judge(&all, self.params.screenshots_count, notes.settled);
        let failed = |text: String| Setback::Final(Fault::new(FaultKind::Failed, text));
        let what = self.params.target.what();
        match verdict {
            Verdict::Going { percent, text } => Ok(Look::Going {
                summary: format!("{what}: {text}"),
                percent,
                again_in: None,
            }),
            Verdict::Settling => {
                notes.settled = true;
                Ok(Look::Going {
                    summary: format!("{what}: ended, its results are being written"),
                    percent: None,
                    again_in: Some(std::time::Duration::from_secs(2)),
                })
            }
            Verdict::Passed => {
                self.report(&all).await?;
                Ok(Look::Passed(self.done(&all)))
            }
            Verdict::Failed => {
                // The run's own failure is what counts.
                let _ = self.report(&all).await;
                Err(failed(
                    self.failure(&all, |one| one.passing == Some(false)).await,
                ))
            }
            Verdict::ScreenshotsDiffer => {
                let _ = self.report(&all).await;
                let names = self.names(&all, |one| one.screenshot_compare_passing == Some(false));
                Err(failed(format!(
                    "{what}: all tests passed, but screenshots differ from the approved ones{}: approve them, or set \
                     failOnScreenshots to false",
                    names.await
                )))
            }
            Verdict::Cancelled => Err(failed(format!(
                "{what} was cancelled at Ghost Inspector before it had a result"
            ))),
            Verdict::Contradiction { result } => Err(failed(format!(
                "Ghost Inspector contradicts itself about the result {result}: it is passing and has failing tests"
            ))),
        }
    }

    async fn stop(&self, run: &str) -> Result<(), Fault> {
        for id in run.split(',') {
            let path = format!("{}cancel/", self.result(id));
            match self.api.post("the cancellation", &path, &[]).await {
                Ok(_) => {}
                Err(ApiError::Http(error)) if error.trouble == Trouble::NotFound => {}
                Err(ApiError::Refused(fault)) if fault.kind == FaultKind::Configuration => {
                    // It may have ended already, which is as good.
                    let all = self
                        .api
                        .results("the result", &self.result(id), &[])
                        .await?;
                    if all
                        .iter()
                        .any(|one| one.passing.is_none() && !one.has_ended())
                    {
                        return Err(fault);
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn link(&self, run: &str) -> Option<String> {
        let id = run.split(',').next()?;
        Some(format!("{APP}{}", self.result(id).trim_end_matches('/')))
    }
}

impl<H: Http, T: Timer, A: Artifacts> Run<'_, H, T, A> {
    fn result(&self, id: &str) -> String {
        match self.params.target {
            Target::Suite(_) => format!("/suite-results/{id}/"),
            Target::Test(_) => format!("/results/{id}/"),
        }
    }

    fn place(&self) -> String {
        match &self.params.target {
            Target::Suite(id) => format!("{APP}/suites/{id}"),
            Target::Test(id) => format!("{APP}/tests/{id}"),
        }
    }

    /// Whether a result carries our mark; `None` when it does not say.
    async fn is_ours(&self, one: &RunResult) -> Result<Option<bool>, Fault> {
        let shown = match (&self.params.target, one.variable(MARK)) {
            (_, Some(value)) => Some(value == Some(self.mark)),
            (Target::Test(_), None) => None,
            (Target::Suite(_), None) => {
                let path = format!("{}results/", self.result(&one.id));
                let count = [("count", "1".to_owned())];
                let tests = self
                    .api
                    .results("the results of its tests", &path, &count)
                    .await?;
                let value = tests.first().and_then(|test| test.variable(MARK));
                value.map(|value| value == Some(self.mark))
            }
        };
        Ok(shown)
    }

    /// The xUnit reports as output artifact. Single tests have none: the artifact is empty then.
    async fn report(&self, all: &[RunResult]) -> Result<(), Fault> {
        let Some((artifacts, job)) = self.output.filter(|(_, job)| !job.outputs.is_empty()) else {
            return Ok(());
        };
        let disk = |error: std::io::Error| {
            Fault::new(
                FaultKind::Internal,
                "the report could not be written to /tmp",
            )
            .because(error)
        };
        let folder = tempfile::tempdir().map_err(disk)?;
        let spool = tempfile::NamedTempFile::new().map_err(disk)?;
        if matches!(self.params.target, Target::Suite(_)) {
            for one in all.iter().filter(|one| is_plain(&one.id)) {
                let to = folder.path().join(format!("{}.xml", one.id));
                let path = format!("{}xunit/", self.result(&one.id));
                self.api.report(&path, &to).await?;
            }
        }
        hand_over(artifacts, job, folder.path(), spool.path()).await
    }

    fn done(&self, all: &[RunResult]) -> Done {
        let (passed, failed, unknown) = counts(all);
        let time: f64 = all.iter().filter_map(|one| one.execution_time).sum();
        let variables = [
            ("ResultIds", joined(all.iter().map(|one| one.id.as_str()))),
            ("Passed", passed.to_string()),
            ("Failed", failed.to_string()),
            ("Total", (passed + failed + unknown).to_string()),
            ("DurationMs", format!("{time:.0}")),
        ];
        let variables: BTreeMap<String, String> = variables
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        let name = all
            .iter()
            .find_map(|one| one.name.as_deref())
            .unwrap_or_default();
        let what = self.params.target.what();
        Done {
            details: Details {
                summary: Some(match name {
                    "" => format!("{what} passed: {passed} tests"),
                    name => format!("{name} passed: {passed} tests"),
                }),
                ..Details::default()
            },
            variables,
        }
    }

    async fn failure(&self, all: &[RunResult], bad: impl Fn(&RunResult) -> bool) -> String {
        let (passed, failed, unknown) = counts(all);
        let names = self.names(all, bad).await;
        let total = passed + failed + unknown;
        format!(
            "{} failed: {failed} of {total} tests{names}",
            self.params.target.what()
        )
    }

    /// `: One, Two and 3 more`, of the tests that are bad. Without them when they cannot be read.
    async fn names(&self, all: &[RunResult], bad: impl Fn(&RunResult) -> bool) -> String {
        let mut names = Vec::new();
        if let Target::Suite(_) = self.params.target {
            for one in all {
                let tests = self.tests(&one.id).await.unwrap_or_default();
                names.extend(tests.into_iter().filter(&bad).filter_map(|test| test.name));
            }
        }
        let more = names.len().saturating_sub(MOST_NAMES);
        names.truncate(MOST_NAMES);
        match (names.is_empty(), more) {
            (true, _) => String::new(),
            (false, 0) => format!(": {}", names.join(", ")),
            (false, more) => format!(": {} and {more} more", names.join(", ")),
        }
    }

    /// The results of a run's tests, page by page.
    async fn tests(&self, id: &str) -> Result<Vec<RunResult>, ApiError> {
        let path = format!("{}results/", self.result(id));
        let mut all = Vec::new();
        for page in 0..MOST_PAGES {
            let offset = (page * PAGE).to_string();
            let parameters = [("count", PAGE.to_string()), ("offset", offset)];
            let tests = self
                .api
                .results("the results of its tests", &path, &parameters)
                .await?;
            let full = tests.len() >= PAGE;
            all.extend(tests);
            if !full {
                break;
            }
        }
        Ok(all)
    }
}

impl Target {
    /// For sentences.
    pub fn what(&self) -> String {
        match self {
            Self::Suite(id) => format!("the suite {id} of Ghost Inspector"),
            Self::Test(id) => format!("the test {id} of Ghost Inspector"),
        }
    }
}

/// Ids are put into addresses and file names.
fn is_plain(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.chars().all(|c| c.is_ascii_alphanumeric())
}

fn joined<'a>(ids: impl Iterator<Item = &'a str>) -> String {
    ids.collect::<Vec<_>>().join(",")
}

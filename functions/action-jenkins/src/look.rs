//! A build as [`shared::follow`] follows it: from the queue's item to its result.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use shared::{
    action::Done,
    fault::{Fault, FaultKind},
    follow::{Look, Setback, Vendor},
    job::{Details, Job},
    port::{Artifacts, Timer},
    provider::Http,
};

use crate::{
    decide::{self, Progress as Seen, Queued, Verdict},
    end, output,
    run::{At, Run},
    server::Server,
    wire::Build,
    words,
};

/// One build, for one step.
pub struct Followed<'a, H, T, A> {
    pub server: Server<'a, H, T>,
    pub timer: &'a T,
    /// The job and where artifacts go; none of a stop, which needs neither.
    pub job: Option<(&'a Job, &'a A)>,
}

/// What is kept beside the run's id.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notes {
    /// The build that the queue's item became: the item is forgotten.
    #[serde(default)]
    build: Option<u64>,
    /// This Jenkins does not tell what a build asks.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    silent: bool,
}

impl<'a, H, T, A> Followed<'a, H, T, A> {
    /// Of this job.
    pub fn of(self, job: &'a Job, artifacts: &'a A) -> Self {
        Self {
            job: Some((job, artifacts)),
            ..self
        }
    }
}

impl<H: Http, T: Timer, A: Artifacts> Vendor for Followed<'_, H, T, A> {
    type Notes = Notes;

    async fn look(&self, run: &str, notes: &mut Notes) -> Result<Look, Setback> {
        let run = parsed(run)?;
        let (server, params) = (&self.server, self.server.params);
        let name = &params.job;
        let number = match (run.at, notes.build) {
            (At::Build(number), _) | (_, Some(number)) => number,
            (At::Queue(id), None) => match server.item(id).await {
                Ok(item) => match decide::queued(&item) {
                    Queued::Build(number) => number,
                    Queued::Cancelled => {
                        let text = format!(
                            "{name}: somebody cancelled {run} in Jenkins before it was built"
                        );
                        return Err(Setback::Final(Fault::new(FaultKind::Failed, text)));
                    }
                    Queued::Leaves => return Ok(going(format!("{name} leaves the queue"), None)),
                    Queued::Waits(why) => {
                        return Ok(going(format!("{name} waits in the queue: {why}"), None));
                    }
                },
                // Forgotten after 5 minutes: the build knows its item.
                Err(error) if error.is_not_found() => match server.build_of_item(id).await? {
                    Some(number) => number,
                    None => return Err(gone(server, run)),
                },
                Err(error) => return Err(error.into()),
            },
        };
        notes.build = Some(number);
        let build = match server.build(number).await {
            Ok(build) => build,
            Err(error) if error.is_not_found() => return Err(gone(server, run.build(number))),
            Err(error) => return Err(error.into()),
        };
        let now = server.now.as_millisecond();
        match decide::progress(&build, params.unstable_is_good, now) {
            Seen::Runs(percent) => Ok(match self.asks(&build, notes).await {
                Some(asks) => going(format!("{name} #{number} {asks}"), None),
                None => going(format!("{name} #{number} runs"), percent),
            }),
            Seen::Undecided => Ok(going(
                format!("{name} #{number} ended and has no result yet"),
                None,
            )),
            Seen::Over(Verdict::Good) => Ok(Look::Passed(self.done(&build).await?)),
            Seen::Over(Verdict::Bad(how)) => {
                Err(Setback::Final(words::failure(server, &build, &how).await))
            }
        }
    }

    async fn stop(&self, run: &str) -> Result<(), Fault> {
        let run = parsed(run)?;
        if run.shared {
            let text = "somebody else had queued the same build, so it goes on";
            return Err(Fault::new(FaultKind::Failed, text));
        }
        end::end(&self.server, self.timer, run).await
    }

    fn shown(&self, run: &str, notes: &Notes) -> String {
        let build = parsed(run).ok().zip(notes.build);
        build.map_or_else(
            || run.to_owned(),
            |(run, number)| run.build(number).to_string(),
        )
    }

    fn link(&self, run: &str) -> Option<String> {
        let run = parsed(run).ok()?;
        Some(words::link(self.server.params, run))
    }
}

impl<H: Http, T: Timer, A: Artifacts> Followed<'_, H, T, A> {
    /// What a running Pipeline build waits for a person to say. Beside the outcome: what fails is left out.
    async fn asks(&self, build: &Build, notes: &mut Notes) -> Option<String> {
        if notes.silent || !build.class.ends_with("WorkflowRun") {
            return None;
        }
        match self.server.asks(build.number).await {
            Ok(asks) => words::asks(self.server.params, build.number, &asks),
            Err(error) => {
                notes.silent = error.is_not_found();
                None
            }
        }
    }

    async fn done(&self, build: &Build) -> Result<Done, Fault> {
        let (server, number) = (&self.server, build.number);
        let output = self
            .job
            .and_then(|(job, store)| Some((job, store, job.outputs.first()?)));
        let files = match output {
            None => None,
            Some((job, store, artifact)) => {
                Some(output::make(server, build, job, artifact, store).await?)
            }
        };
        let result = build.result.clone().unwrap_or_default();
        let seconds = build.duration.unwrap_or_default() / 1000;
        let mut variables = BTreeMap::from([
            ("BuildNumber", number.to_string()),
            (
                "BuildUrl",
                words::link(server.params, Run::own(At::Build(number))),
            ),
            ("Result", result.clone()),
            ("DurationSeconds", seconds.to_string()),
        ]);
        let mut summary = format!("{} #{number}: {result} in {seconds} s", server.params.job);
        if let Some(tests) = decide::tests(build) {
            let (failed, skipped, all) = tests;
            variables.extend([
                ("TestsTotal", all.to_string()),
                ("TestsFailed", failed.to_string()),
                ("TestsSkipped", skipped.to_string()),
            ]);
            summary += &format!(", {}", decide::tests_in_words(tests));
        }
        if let Some(files) = files {
            summary += &format!(", {files} files in the artifact");
        }
        let variables = variables
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value));
        Ok(Done {
            details: Details {
                summary: Some(summary),
                ..Details::default()
            },
            variables: variables.collect(),
        })
    }
}

fn parsed(run: &str) -> Result<Run, Fault> {
    run.parse().map_err(|error| {
        Fault::new(FaultKind::Internal, "the ledger holds no run of Jenkins").because(error)
    })
}

fn going(summary: String, percent: Option<u8>) -> Look {
    Look::Going {
        summary,
        percent,
        again_in: None,
    }
}

/// Not there: for a moment, or for good.
fn gone<H, T>(server: &Server<'_, H, T>, run: Run) -> Setback {
    let text = format!(
        "{}: Jenkins no longer knows {run}: somebody cancelled it or deleted the build",
        server.params.job
    );
    Setback::Odd(Fault::new(FaultKind::Failed, text))
}

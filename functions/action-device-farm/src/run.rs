//! One run: started, found again by its name, looked at, stopped; the list of what it left.

use std::{collections::BTreeMap, fs};

use serde_json::json;
use shared::{
    action::Done,
    fault::{Fault, FaultKind},
    follow::{Look, Setback, Vendor},
    job::{Details, Job},
    port::{Artifacts, PortError, Services},
    results::hand_over,
    start::{Found, StartError, Starter},
};

use crate::{
    api::{Api, fault},
    judge::{Verdict, judge, variables},
    params::{Origin, Params, Part},
    wire::{self, schedule},
};

/// A run for one step.
pub struct Run<'a, S, A> {
    /// Device Farm.
    pub api: Api<'a, S>,
    /// What is wanted.
    pub params: &'a Params,
    /// The run's name, by which it is found again.
    pub name: String,
    /// Uploads that are ready.
    pub uploads: BTreeMap<Part, String>,
    /// Where the list of files goes; `None` when the run is only looked for or stopped.
    pub output: Option<(&'a A, &'a Job)>,
}

impl<S: Services, A: Artifacts> Starter for Run<'_, S, A> {
    async fn start(&self) -> Result<String, StartError> {
        let body = schedule(self.params, &self.name, |part| self.part(part));
        match self.api.schedule(body).await {
            Ok(run) if run.arn.is_empty() => {
                let text = "Device Farm took the run and named no ARN";
                Err(StartError::Unknown(Fault::new(
                    FaultKind::Unavailable,
                    text,
                )))
            }
            Ok(run) => Ok(run.arn),
            // Its model says that a run of this name exists: then it is found by it.
            Err(error) if error.has_code("IdempotencyException") => {
                Err(StartError::Unknown(error.into()))
            }
            Err(error @ PortError::Unavailable { .. }) => Err(StartError::Unknown(error.into())),
            Err(error) => Err(StartError::NotStarted(fault(
                error,
                "devicefarm:ScheduleRun",
            ))),
        }
    }

    /// Device Farm takes several runs of one name, so a start that may have arrived is looked for.
    async fn find(&self) -> Result<Found, Fault> {
        let found = self.api.named(&self.params.project, &self.name).await;
        let found = found.map_err(|error| fault(error, "devicefarm:ListRuns"))?;
        Ok(match found {
            Some(Some(run)) => Found::Run(run.arn),
            Some(None) => Found::Nothing,
            None => Found::CannotTell {
                look_at: format!(
                    "the project's runs in Device Farm, for the name {}",
                    self.name
                ),
            },
        })
    }
}

impl<S: Services, A: Artifacts> Vendor for Run<'_, S, A> {
    type Notes = ();

    async fn look(&self, run: &str, (): &mut ()) -> Result<Look, Setback> {
        let run = match self.api.run(run).await {
            Ok(run) => run,
            Err(error @ PortError::NotFound { .. }) => return Err(Setback::Odd(error.into())),
            Err(error) => return Err(fault(error, "devicefarm:GetRun").into()),
        };
        match judge(&run, self.params.accept_warned) {
            Verdict::Going { summary, percent } => Ok(Look::Going {
                summary,
                percent,
                again_in: None,
            }),
            Verdict::Good(summary) => {
                self.files(&run).await?;
                Ok(Look::Passed(Done {
                    details: Details {
                        summary: Some(summary),
                        ..Details::default()
                    },
                    variables: variables(&run),
                }))
            }
            Verdict::Bad(fault) => {
                // The run's own result is what counts.
                let _ = self.files(&run).await;
                Err(Setback::Final(fault))
            }
        }
    }

    async fn stop(&self, run: &str) -> Result<(), Fault> {
        match self.api.stop(run).await {
            Ok(()) | Err(PortError::NotFound { .. }) => Ok(()),
            // It may have ended already, which is as good.
            Err(error @ PortError::Invalid { .. }) => match self.api.run(run).await {
                Ok(run) if run.status == "COMPLETED" => Ok(()),
                _ => Err(error.into()),
            },
            Err(error) => Err(fault(error, "devicefarm:StopRun")),
        }
    }

    fn link(&self, run: &str) -> Option<String> {
        wire::link(run)
    }
}

impl<S: Services, A: Artifacts> Run<'_, S, A> {
    /// An upload's ARN: made by this action, or given.
    fn part(&self, part: Part) -> Option<String> {
        let given = self.params.parts.iter().find(|(is, _)| *is == part);
        match given {
            Some((_, Origin::Arn(arn))) => Some(arn.clone()),
            _ => self.uploads.get(&part).cloned(),
        }
    }

    /// `run.json` and `files.json`, the list of what the run left, as output artifact.
    async fn files(&self, run: &wire::Run) -> Result<(), Fault> {
        let Some((artifacts, job)) = self.output.filter(|(_, job)| !job.outputs.is_empty()) else {
            return Ok(());
        };
        let files = self.api.files(&run.arn).await;
        let files = files.map_err(|error| fault(error, "devicefarm:ListArtifacts"))?;
        let disk = |error: std::io::Error| {
            Fault::new(FaultKind::Internal, "/tmp cannot be used").because(error)
        };
        let folder = tempfile::tempdir().map_err(disk)?;
        let spool = tempfile::NamedTempFile::new().map_err(disk)?;
        let write = |name: &str, value: serde_json::Value| {
            fs::write(folder.path().join(name), format!("{value:#}\n")).map_err(disk)
        };
        write("run.json", json!(run))?;
        write("files.json", json!(files))?;
        hand_over(artifacts, job, folder.path(), spool.path()).await
    }
}

impl Params {
    /// For sentences.
    pub fn what(&self) -> String {
        format!("the {} run of Device Farm", self.test_type)
    }
}

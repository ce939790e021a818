//! One execution: started under a name of its own, found again by it, looked at, stopped.

use std::fs;

use serde_json::Value;
use shared::{
    action::Done,
    fault::{Fault, FaultKind},
    follow::{Look, Setback, Vendor},
    job::{Details, Job},
    port::{ArtifactFiles, Artifacts, Execution, ExecutionStart, PortError, StateMachines},
    results::hand_over,
    start::{Found, StartError, Starter},
};

use crate::{
    judge::{Verdict, judge, variables},
    params::{Input, LONGEST_INPUT, Params},
};

/// An execution for one step.
pub struct Run<'a, M, A, F> {
    /// Step Functions.
    pub machines: &'a M,
    /// What is wanted.
    pub params: &'a Params,
    /// The execution's name.
    pub name: String,
    /// Where input comes from and output goes; `None` when it is only looked for or stopped.
    pub job: Option<(&'a A, &'a F, &'a Job)>,
}

const GIVEN_UP: &str = "Stagewright.GivenUp";

impl<M: StateMachines, A: Artifacts, F: ArtifactFiles> Starter for Run<'_, M, A, F> {
    async fn start(&self) -> Result<String, StartError> {
        let machine = self.params.machine.as_str();
        let not_started = |fault| StartError::NotStarted(fault);
        let input = self.input().await.map_err(not_started)?;
        let kind = self.machines.kind(machine).await;
        let kind =
            kind.map_err(|error| not_started(fault(error, "states:DescribeStateMachine")))?;
        if kind != "STANDARD" {
            let text = format!(
                "{} is an {kind} state machine: its executions can neither be found again nor stopped, so it could run twice; \
                 use a STANDARD one",
                self.params.what()
            );
            return Err(not_started(Fault::new(FaultKind::Configuration, text)));
        }
        let start = ExecutionStart {
            machine,
            name: &self.name,
            input: &input,
        };
        match self.machines.start(start).await {
            Ok(arn) => Ok(arn),
            Err(error @ PortError::Unavailable { .. }) => Err(StartError::Unknown(error.into())),
            Err(PortError::Conflict { .. }) => self.adopt(&input).await,
            Err(error) if error.has_code("ExecutionLimitExceeded") => {
                let text = "too many executions of the account run now";
                Err(not_started(
                    Fault::new(FaultKind::Unavailable, text).because(error),
                ))
            }
            Err(error) => Err(not_started(fault(error, "states:StartExecution"))),
        }
    }

    async fn find(&self) -> Result<Found, Fault> {
        let arn = self.params.machine.execution(&self.name);
        match self.machines.execution(&arn).await {
            Ok(_) => Ok(Found::Run(arn)),
            // Should it be there all the same: the name starts nothing twice.
            Err(PortError::NotFound { .. }) => Ok(Found::Nothing),
            Err(error) => Err(fault(error, "states:DescribeExecution")),
        }
    }
}

impl<M: StateMachines, A: Artifacts, F: ArtifactFiles> Vendor for Run<'_, M, A, F> {
    type Notes = ();

    async fn look(&self, run: &str, (): &mut ()) -> Result<Look, Setback> {
        let execution = match self.machines.execution(run).await {
            Ok(execution) => execution,
            Err(error @ PortError::NotFound { .. }) => return Err(Setback::Odd(error.into())),
            Err(error) => return Err(fault(error, "states:DescribeExecution").into()),
        };
        let what = format!("the execution {} of {}", name_of(run), self.params.what());
        match judge(&what, &execution) {
            Verdict::Going(summary) => Ok(Look::Going {
                summary,
                percent: None,
                again_in: None,
            }),
            Verdict::Good => Ok(Look::Passed(self.passed(&what, run, &execution).await?)),
            Verdict::Bad(fault) => Err(Setback::Final(fault)),
        }
    }

    async fn stop(&self, run: &str) -> Result<(), Fault> {
        let cause = "the pipeline's action was given up";
        match self.machines.stop(run, GIVEN_UP, cause).await {
            Ok(()) | Err(PortError::NotFound { .. }) => Ok(()),
            // It may have ended already, which is as good.
            Err(error @ PortError::Invalid { .. }) => match self.machines.execution(run).await {
                Ok(execution) if execution.status != "RUNNING" => Ok(()),
                _ => Err(error.into()),
            },
            Err(error) => Err(fault(error, "states:StopExecution")),
        }
    }

    fn link(&self, run: &str) -> Option<String> {
        let region = self.params.machine.region();
        Some(format!(
            "https://{region}.console.aws.amazon.com/states/home?region={region}#/v2/executions/details/{run}"
        ))
    }
}

impl<M: StateMachines, A: Artifacts, F: ArtifactFiles> Run<'_, M, A, F> {
    /// The name was used before: by an earlier start of this very run, else by somebody else.
    async fn adopt(&self, input: &str) -> Result<String, StartError> {
        let arn = self.params.machine.execution(&self.name);
        let there = match self.machines.execution(&arn).await {
            Ok(there) => there,
            Err(error) => {
                return Err(StartError::Unknown(fault(
                    error,
                    "states:DescribeExecution",
                )));
            }
        };
        let same = there.input.as_deref().is_none_or(|there| {
            let parsed = |text| serde_json::from_str::<Value>(text).ok();
            parsed(there) == parsed(input)
        });
        match same {
            true => Ok(arn),
            false => Err(StartError::NotStarted(Fault::new(
                FaultKind::Configuration,
                format!(
                    "{} has an execution {} with another input already: give another executionNamePrefix",
                    self.params.what(),
                    self.name
                ),
            ))),
        }
    }

    async fn input(&self) -> Result<String, Fault> {
        let configuration = |text: String| Fault::new(FaultKind::Configuration, text);
        let (artifact, path) = match &self.params.input {
            Input::Literal(value) => return Ok(value.to_string()),
            Input::File { artifact, path } => (artifact, path),
        };
        let Some((_, files, job)) = self.job else {
            return Err(Fault::new(
                FaultKind::Internal,
                "an input is read only to start with it",
            ));
        };
        let wanted = |name: &str| artifact.as_deref().is_none_or(|wanted| wanted == name);
        let found = job.inputs.iter().find(|input| wanted(input.name.as_str()));
        let found = found.ok_or_else(|| {
            configuration(match artifact {
                Some(name) => format!("inputFile lies in the artifact {name}, which is no input of the action"),
                None => "inputFile is given, but the action has no input artifact: add the one that holds it".to_owned(),
            })
        })?;
        let limit = LONGEST_INPUT as u64;
        let read = files.read(job.credentials.as_ref(), found, path, limit);
        let bytes = read.await.map_err(|error| match error {
            PortError::NotFound { .. } => {
                let text = format!("the file {path:?} is not in the artifact {}", found.name);
                Fault::new(FaultKind::Artifact, text).because(error)
            }
            error => error.into(),
        })?;
        // Written anew, so that a repeated start has the very same input.
        match serde_json::from_slice::<Value>(&bytes) {
            Ok(value) => Ok(value.to_string()),
            Err(_) => Err(configuration(format!(
                "the file {path:?} of the artifact {} is no JSON",
                found.name
            ))),
        }
    }

    async fn passed(&self, what: &str, run: &str, execution: &Execution) -> Result<Done, Fault> {
        let text = execution.output.as_deref();
        let output = text.and_then(|text| serde_json::from_str::<Value>(text).ok());
        if let Some((artifacts, _, job)) = self.job.filter(|(_, _, job)| !job.outputs.is_empty()) {
            write(artifacts, job, text.unwrap_or("null")).await?;
        }
        let (mut variables, left_out) = variables(output.as_ref());
        let own = [
            ("StateMachineArn", self.params.machine.as_str()),
            ("ExecutionArn", run),
            ("ExecutionName", name_of(run)),
        ];
        let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
        variables.extend(own);
        let note = match left_out {
            0 => String::new(),
            left_out => format!("; {left_out} members of its output are no variables"),
        };
        Ok(Done {
            details: Details {
                summary: Some(format!("{what} succeeded{note}")),
                ..Details::default()
            },
            variables,
        })
    }
}

/// The output as `output.json` of the output artifact.
async fn write(artifacts: &impl Artifacts, job: &Job, output: &str) -> Result<(), Fault> {
    let disk = |error: std::io::Error| {
        let text = "the output could not be written to /tmp";
        Fault::new(FaultKind::Internal, text).because(error)
    };
    let folder = tempfile::tempdir().map_err(disk)?;
    let spool = tempfile::NamedTempFile::new().map_err(disk)?;
    fs::write(folder.path().join("output.json"), output).map_err(disk)?;
    hand_over(artifacts, job, folder.path(), spool.path()).await
}

fn name_of(run: &str) -> &str {
    run.rsplit(':').next().unwrap_or_default()
}

impl Params {
    /// For sentences.
    pub fn what(&self) -> String {
        format!("the state machine {}", self.machine.name())
    }
}

fn fault(error: PortError, needed: &str) -> Fault {
    match error {
        PortError::Denied { .. } => {
            let text = format!("{error}: the function's role needs {needed}");
            Fault::new(FaultKind::Permission, text).because(error)
        }
        error => error.into(),
    }
}

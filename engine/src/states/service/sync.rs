//! `.sync` of services that speak JSON: what a task started is looked at until it has ended, and ended when the task is.

use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{
    app::App,
    states::{
        service::json::call as ask,
        task::{Errand, Failed},
    },
};

/// How often it is looked at. Ours: Step Functions does not say how often it does.
const EVERY: Duration = Duration::from_secs(5);

/// What can be started and waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run {
    /// `codebuild:startBuild`
    Build,
    /// `codebuild:startBuildBatch`
    BuildBatch,
    /// `ecs:runTask`
    Task,
    /// `glue:startJobRun`
    Job,
    /// `athena:startQueryExecution`
    Query,
}

/// How something stands.
enum Stands {
    Runs,
    Succeeded,
    Failed,
}

impl Run {
    /// What an integration starts; none for what is not built.
    pub fn of(service: &str, action: &str) -> Option<Self> {
        Some(match (service, action) {
            ("codebuild", "startBuild") => Self::Build,
            ("codebuild", "startBuildBatch") => Self::BuildBatch,
            ("ecs", "runTask") => Self::Task,
            ("glue", "startJobRun") => Self::Job,
            ("athena", "startQueryExecution") => Self::Query,
            _ => return None,
        })
    }

    /// The service, the name that its errors begin with, the action that starts.
    const fn names(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Build => ("codebuild", "CodeBuild", "startBuild"),
            Self::BuildBatch => ("codebuild", "CodeBuild", "startBuildBatch"),
            Self::Task => ("ecs", "ECS", "runTask"),
            Self::Job => ("glue", "Glue", "startJobRun"),
            Self::Query => ("athena", "Athena", "startQueryExecution"),
        }
    }

    /// The member by which a start that is repeated starts nothing more. Glue has none.
    const fn once(self) -> Option<&'static str> {
        match self {
            Self::Build | Self::BuildBatch => Some("IdempotencyToken"),
            Self::Task => Some("ClientToken"),
            Self::Query => Some("ClientRequestToken"),
            Self::Job => None,
        }
    }

    /// The call that looks, of what was started by this input.
    fn look(self, input: &Value, started: &Value) -> (&'static str, Value) {
        match self {
            Self::Build => ("batchGetBuilds", json!({"Ids": [started["Build"]["Id"]]})),
            Self::BuildBatch => (
                "batchGetBuildBatches",
                json!({"Ids": [started["BuildBatch"]["Id"]]}),
            ),
            Self::Task => (
                "describeTasks",
                with_cluster(input, json!({"Tasks": [started["Tasks"][0]["TaskArn"]]})),
            ),
            Self::Job => (
                "getJobRun",
                json!({"JobName": input["JobName"], "RunId": started["JobRunId"]}),
            ),
            Self::Query => (
                "getQueryExecution",
                json!({"QueryExecutionId": started["QueryExecutionId"]}),
            ),
        }
    }

    /// The call that ends it.
    fn stop(self, input: &Value, started: &Value) -> (&'static str, Value) {
        match self {
            Self::Build => ("stopBuild", json!({"Id": started["Build"]["Id"]})),
            Self::BuildBatch => ("stopBuildBatch", json!({"Id": started["BuildBatch"]["Id"]})),
            Self::Task => (
                "stopTask",
                with_cluster(input, json!({"Task": started["Tasks"][0]["TaskArn"]})),
            ),
            Self::Job => (
                "batchStopJobRun",
                json!({"JobName": input["JobName"], "JobRunIds": [started["JobRunId"]]}),
            ),
            Self::Query => (
                "stopQueryExecution",
                json!({"QueryExecutionId": started["QueryExecutionId"]}),
            ),
        }
    }

    /// How it stands, and what the state gets of it.
    fn read(self, mut looked: Value) -> (Stands, Value) {
        let by = |state: &Value, runs: &[&str]| match state.as_str().unwrap_or_default() {
            "SUCCEEDED" => Stands::Succeeded,
            other if runs.contains(&other) => Stands::Runs,
            _ => Stands::Failed,
        };
        match self {
            Self::Build => {
                let build = looked["Builds"][0].take();
                let stands = by(&build["BuildStatus"], &["IN_PROGRESS"]);
                (stands, json!({"Build": build}))
            }
            Self::BuildBatch => {
                let batch = looked["BuildBatches"][0].take();
                let stands = by(&batch["BuildBatchStatus"], &["IN_PROGRESS"]);
                (stands, json!({"BuildBatch": batch}))
            }
            Self::Task => {
                let task = looked["Tasks"][0].take();
                (task_stands(&task), task)
            }
            Self::Job => {
                let run = looked["JobRun"].take();
                let runs = ["STARTING", "RUNNING", "STOPPING", "WAITING"];
                (by(&run["JobRunState"], &runs), run)
            }
            Self::Query => {
                let state = &looked["QueryExecution"]["Status"]["State"];
                (by(state, &["QUEUED", "RUNNING"]), looked)
            }
        }
    }
}

fn with_cluster(input: &Value, mut call: Value) -> Value {
    if let Some(cluster) = input.get("Cluster") {
        call["Cluster"] = cluster.clone();
    }
    call
}

/// A task of ECS has succeeded when every container ended with 0; one that never started has no exit code.
fn task_stands(task: &Value) -> Stands {
    if task["LastStatus"].as_str().is_some_and(|s| s != "STOPPED") {
        return Stands::Runs;
    }
    let containers = task["Containers"].as_array();
    let good = containers.is_some_and(|all| all.iter().all(|c| c["ExitCode"] == 0));
    if good {
        Stands::Succeeded
    } else {
        Stands::Failed
    }
}

/// RunTask answers well when it could not run the task; `.sync` and `.waitForTaskToken` then fail.
pub fn ran(answer: Value) -> Result<Value, Failed> {
    let failures = answer["Failures"].as_array();
    if failures.is_some_and(|all| !all.is_empty()) {
        return Err(Failed::new("AmazonECS.Unknown", answer.to_string()));
    }
    Ok(answer)
}

/// Starts it, once however often this is done, and waits for its end.
pub async fn call(
    app: &App,
    run: Run,
    input: &Value,
    errand: &mut Errand,
) -> Result<Value, Failed> {
    let (service, shown, start) = run.names();
    let mut members = input.as_object().cloned().unwrap_or_default();
    if let Some(once) = run.once() {
        let origin = &Sha256::digest(&errand.origin)[..16];
        let token = || hex::encode(origin).into();
        members.entry(once).or_insert_with(token);
    }
    let wanted = Value::Object(members);
    let started = ask(app, service, Some(shown), start, &wanted).await?;
    let started = match run {
        Run::Task => ran(started)?,
        _ => started,
    };
    errand.submitted(app, started.clone());
    loop {
        if errand.rest(app, app.clock.sleep(EVERY)).await.is_none() {
            let (action, call) = run.stop(input, &started);
            let stopped = ask(app, service, Some(shown), action, &call).await;
            if let Err(failed) = stopped {
                app.logs.notice(format!(
                    "{}: {service}:{action}: {}: {}",
                    errand.origin, failed.error, failed.cause
                ));
            }
            return Err(Failed::new("States.TaskFailed", "stopped"));
        }
        let (action, call) = run.look(input, &started);
        let looked = ask(app, service, Some(shown), action, &call).await?;
        match run.read(looked) {
            (Stands::Runs, _) => {}
            (Stands::Succeeded, output) => return Ok(output),
            (Stands::Failed, output) => {
                return Err(Failed::new("States.TaskFailed", output.to_string()));
            }
        }
    }
}

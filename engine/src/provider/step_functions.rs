//! Invoke/AWS/StepFunctions/1: starts an execution of a state machine and, unless it is express, waits for its end.

use std::{collections::BTreeMap, io};

use engine_plan::{
    effect::ActionTask,
    event::{ExecutionDetails, Outcome},
};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::{Context, Provider, Trouble, artifact, required, workshop::Workshop};
use crate::{face::states, states::Listed};

/// The file in the output artifact. No source names it.
const OUTPUT_FILE: &str = "output.json";

/// The provider. Performed again after a restart it finds the execution that it started, by its name.
#[derive(Debug, Clone, Copy, Default)]
pub struct StepFunctions;

impl Provider for StepFunctions {
    fn perform(&self, task: ActionTask, context: Context) -> BoxFuture<'static, Option<Outcome>> {
        Box::pin(async move {
            let invoked = invoke(&task, &context).await;
            Some(invoked.unwrap_or_else(|(trouble, details)| trouble.outcome(details)))
        })
    }
}

type Failed = (Trouble, ExecutionDetails);

fn early(trouble: impl Into<Trouble>) -> Failed {
    (trouble.into(), ExecutionDetails::default())
}

async fn invoke(task: &ActionTask, context: &Context) -> Result<Outcome, Failed> {
    let machine = required(task, "StateMachineArn").map_err(early)?;
    let workshop = Workshop::open(task, context)
        .map_err(|e: io::Error| early(Trouble::job(format!("action {}: {e}", task.action))))?;
    let input = input(task, context, &workshop).await.map_err(early)?;
    let execution = start(task, context, &machine, &input).map_err(early)?;
    let express = execution.contains(":express:");
    let mut variables = BTreeMap::from([("StateMachineArn".to_owned(), machine)]);
    let details = |summary: String| ExecutionDetails {
        summary: Some(summary),
        external_execution_id: Some(execution.clone()),
        ..ExecutionDetails::default()
    };
    if express {
        // AWS does not look at the end of an express execution.
        return Ok(Outcome::Succeeded {
            details: details("The express execution was started".to_owned()),
            variables,
            revision: None,
        });
    }
    variables.insert("ExecutionArn".to_owned(), execution.clone());
    let started = details("The execution runs".to_owned());
    context.progress.tell(started.clone()).await;
    let waiting = context.held.rest(async {
        tokio::select! {
            ended = context.app.workflows.wait(&execution) => Some(ended),
            // The execution goes on, as on AWS.
            () = context.stop.cancelled() => None,
        }
    });
    let Some(ended) = waiting.await else {
        return Ok(Outcome::Stopped);
    };
    let listed =
        ended.map_err(|e| (Trouble::job(format!("execution {execution}: {e}")), started))?;
    if listed.status() != "SUCCEEDED" {
        let summary = details(format!("The execution ended {}", listed.status()));
        return Err((Trouble::job(why(&execution, &listed)), summary));
    }
    let details = details("The execution succeeded".to_owned());
    let stored = output(task, context, &workshop, &listed).await;
    stored.map_err(|trouble| (trouble, details.clone()))?;
    Ok(Outcome::Succeeded {
        details,
        variables,
        revision: None,
    })
}

fn why(execution: &str, listed: &Listed) -> String {
    let ended = listed.ended.as_ref();
    let part = |text: Option<&String>| text.map_or_else(String::new, |t| format!(": {t}"));
    format!(
        "the execution {execution} ended {}{}{}",
        listed.status(),
        part(ended.and_then(|e| e.error.as_ref())),
        part(ended.and_then(|e| e.cause.as_ref()))
    )
}

/// `Input`: written down, or the text of a file in the input artifact.
async fn input(
    task: &ActionTask,
    context: &Context,
    workshop: &Workshop,
) -> Result<String, Trouble> {
    let text = task.configuration.get("Input").filter(|t| !t.is_empty());
    match task
        .configuration
        .get("InputType")
        .map_or("Literal", String::as_str)
    {
        "Literal" => Ok(text.cloned().unwrap_or_else(|| "{}".to_owned())),
        "FilePath" => {
            let path = text.ok_or_else(|| {
                Trouble::configuration(format!(
                    "action {}: InputType FilePath needs a path in Input",
                    task.action
                ))
            })?;
            let [artifact] = task.inputs.as_slice() else {
                let text = format!(
                    "action {}: InputType FilePath needs one input artifact",
                    task.action
                );
                return Err(Trouble::configuration(text));
            };
            let folder = workshop.scratch("input");
            artifact::unpack(&context.app.objects, artifact, &folder).await?;
            // What was unpacked stays inside; the path must, too.
            let inside = folder.join(path).canonicalize().ok().filter(|found| {
                folder
                    .canonicalize()
                    .is_ok_and(|folder| found.starts_with(folder))
            });
            let missing = || {
                Trouble::configuration(format!(
                    "action {}: artifact {} has no file {path}",
                    task.action, artifact.name
                ))
            };
            let inside = inside.ok_or_else(missing)?;
            tokio::fs::read_to_string(inside)
                .await
                .map_err(|_| missing())
        }
        other => Err(Trouble::configuration(format!(
            "action {}: InputType is Literal or FilePath, not {other}",
            task.action
        ))),
    }
}

fn start(
    task: &ActionTask,
    context: &Context,
    machine: &str,
    input: &str,
) -> Result<String, Trouble> {
    let prefix = task
        .configuration
        .get("ExecutionNamePrefix")
        .filter(|p| !p.is_empty());
    let name = prefix.map_or_else(
        || task.action_execution.clone(),
        |prefix| format!("{prefix}-{}", task.action_execution),
    );
    let body = json!({"stateMachineArn": machine, "name": name, "input": input});
    match states::start(&context.app, &body) {
        Ok(started) => Ok(started["executionArn"]
            .as_str()
            .unwrap_or_default()
            .to_owned()),
        // The name is this action's: an earlier run of the engine started it.
        Err(fault) if fault.code == "ExecutionAlreadyExists" => {
            let base = machine.replacen(":stateMachine:", ":execution:", 1);
            let parts: Vec<&str> = base.splitn(8, ':').take(7).collect();
            Ok(format!("{}:{name}", parts.join(":")))
        }
        Err(fault) => Err(Trouble::configuration(format!(
            "action {}: the state machine {machine} was not started: {}: {}",
            task.action, fault.code, fault.message
        ))),
    }
}

/// Stores what the execution gave as the output artifact, if the action has one.
async fn output(
    task: &ActionTask,
    context: &Context,
    workshop: &Workshop,
    listed: &Listed,
) -> Result<(), Trouble> {
    let Some(artifact) = task.outputs.first() else {
        return Ok(());
    };
    let folder = workshop.scratch("output");
    let text = listed
        .ended
        .as_ref()
        .and_then(|e| e.output.as_ref())
        .unwrap_or(&Value::Null)
        .to_string();
    let written = async {
        tokio::fs::create_dir_all(&folder).await?;
        tokio::fs::write(folder.join(OUTPUT_FILE), text).await
    };
    written
        .await
        .map_err(|e| Trouble::job(format!("action {}: {e}", task.action)))?;
    let zip = workshop.scratch("output.zip");
    let key = task.encryption_key.as_ref();
    artifact::pack(&context.app.objects, artifact, key, &folder, &zip).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use engine_plan::effect::ActionTask;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{
        app::App,
        assemble::{self, Options},
        config::Config,
        provider::{Held, Progress, workshop::tests::task},
        states::StateMachine,
        store::objects::BucketSettings,
    };

    fn context(app: &App, task: &ActionTask) -> Context {
        Context {
            app: app.clone(),
            stop: CancellationToken::new(),
            progress: Progress {
                action_execution: task.action_execution.clone(),
                desk: app.desk.clone(),
            },
            held: Held::new(app.clock.clone(), app.clock.busy()),
        }
    }

    /// A machine that waits an hour, then fails when it is told to.
    fn keep(app: &App, name: &str, kind: &str) -> String {
        let definition = json!({"StartAt": "W", "States": {
            "W": {"Type": "Wait", "SecondsPath": "$.wait", "Next": "C"},
            "C": {"Type": "Choice", "Choices": [{"Variable": "$.fail", "IsPresent": true, "Next": "F"}], "Default": "S"},
            "F": {"Type": "Fail", "Error": "E", "Cause": "C"}, "S": {"Type": "Succeed"}}});
        let arn = app.workflows.arn("stateMachine", name);
        let machine = json!({"arn": arn, "kind": kind, "definition": definition.to_string(), "role": "", "created": app.clock.now(),
            "revision": "", "settings": {}, "tags": {}, "versions": {}, "last_version": 0, "aliases": {}});
        let machine: StateMachine = serde_json::from_value(machine).unwrap();
        let kept = app.workflows.change(|book| {
            book.machines.insert(name.to_owned(), machine);
            Ok::<_, crate::states::StoreError>(())
        });
        kept.unwrap();
        arn
    }

    #[tokio::test]
    async fn it_waits_for_a_standard_execution_and_starts_an_express_one() {
        let folder = tempfile::tempdir().unwrap();
        let mut options = Options::new(Config::default(), folder.path());
        options.fast_clock = true;
        let (engine, _) = assemble::start(options).await.unwrap();
        engine.perform();
        let app = &engine.app;
        app.objects
            .create_bucket("artifacts", BucketSettings::default())
            .await
            .unwrap();
        let machine = keep(app, "m", "STANDARD");
        let quick = keep(app, "q", "EXPRESS");
        let literal = |machine: &str, input: &str| {
            task(
                "A",
                &[("StateMachineArn", machine), ("Input", input)],
                &[],
                &["out"],
            )
        };

        let good = literal(&machine, r#"{"wait":3600}"#);
        let Some(Outcome::Succeeded { variables, .. }) = StepFunctions
            .perform(good.clone(), context(app, &good))
            .await
        else {
            panic!("it succeeds")
        };
        assert_eq!(variables["StateMachineArn"], machine);
        let arn = variables["ExecutionArn"].clone();
        assert!(
            arn.ends_with(&format!(":execution:m:{}", good.action_execution)),
            "{arn}"
        );
        let to = folder.path().join("read");
        artifact::unpack(&app.objects, &good.outputs[0], &to)
            .await
            .unwrap();
        assert_eq!(
            std::fs::read_to_string(to.join(OUTPUT_FILE)).unwrap(),
            r#"{"wait":3600}"#
        );
        // As after a restart: the same action finds its execution.
        let again = StepFunctions
            .perform(good.clone(), context(app, &good))
            .await;
        assert!(
            matches!(again, Some(Outcome::Succeeded { variables, .. }) if variables["ExecutionArn"] == arn)
        );

        let bad = literal(&machine, r#"{"wait":1,"fail":true}"#);
        let Some(Outcome::Failed { message, .. }) =
            StepFunctions.perform(bad.clone(), context(app, &bad)).await
        else {
            panic!("it fails")
        };
        assert!(message.ends_with("ended FAILED: E: C"), "{message}");

        let express = literal(&quick, r#"{"wait":1,"fail":true}"#);
        let Some(Outcome::Succeeded { variables, .. }) = StepFunctions
            .perform(express.clone(), context(app, &express))
            .await
        else {
            panic!("nobody looks at its end")
        };
        assert!(!variables.contains_key("ExecutionArn"), "{variables:?}");

        let zip = folder.path().join("in.zip");
        let source = folder.path().join("source");
        std::fs::create_dir(&source).unwrap();
        std::fs::write(source.join("input.json"), r#"{"wait":0}"#).unwrap();
        for (path, good) in [
            ("input.json", true),
            ("none.json", false),
            ("../in.zip", false),
        ] {
            let keys = [
                ("StateMachineArn", machine.as_str()),
                ("InputType", "FilePath"),
                ("Input", path),
            ];
            let file = task("A", &keys, &["in"], &[]);
            let _ = std::fs::remove_file(&zip);
            artifact::pack(&app.objects, &file.inputs[0], None, &source, &zip)
                .await
                .unwrap();
            let ended = StepFunctions
                .perform(file.clone(), context(app, &file))
                .await;
            assert_eq!(
                matches!(ended, Some(Outcome::Succeeded { .. })),
                good,
                "{path}: {ended:?}"
            );
        }
        engine.shut_down().await;
    }
}

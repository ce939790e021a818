//! Executions of a five-action pipeline per second, with instant actions and the journal on disk.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use engine::{
    bus::Bus,
    clock::{Busy, Clock},
    desk::{Desk, Perform},
};
use engine_plan::{
    check,
    effect::ActionTask,
    event::{Event, ExecutionDetails, Outcome, Settings, Trigger},
};
use serde_json::{Value, json};

const EXECUTIONS: usize = 5_000;
const PIPELINES: usize = 50;

/// Ends every action as soon as it starts.
struct Instantly {
    desk: Desk,
}

impl Perform for Instantly {
    fn perform(&self, task: ActionTask, busy: Busy) {
        let desk = self.desk.clone();
        tokio::spawn(async move {
            let outcome = Outcome::Succeeded {
                details: ExecutionDetails::default(),
                variables: BTreeMap::new(),
                revision: None,
            };
            let event = Event::Finished {
                action_execution: task.action_execution,
                outcome,
            };
            desk.submit(event).await.expect("the desk takes it");
            drop(busy);
        });
    }

    fn cancel(&self, _action_execution: &str) {}
}

fn definition(name: &str) -> Value {
    let action = |name: &str, input: &str, output: &str| {
        json!({"name": name, "actionTypeId": {"category": "Build", "owner": "AWS", "provider": "CodeBuild", "version": "1"},
            "configuration": {"ProjectName": "p"}, "inputArtifacts": [{"name": input}], "outputArtifacts": [{"name": output}]})
    };
    json!({"name": name, "roleArn": "arn:aws:iam::123456789012:role/r", "pipelineType": "V2", "executionMode": "QUEUED",
        "artifactStore": {"type": "S3", "location": "bench-artifacts"},
        "stages": [
            {"name": "Source", "actions": [{"name": "Source",
                "actionTypeId": {"category": "Source", "owner": "AWS", "provider": "CodeCommit", "version": "1"},
                "configuration": {"RepositoryName": "r", "BranchName": "main"}, "outputArtifacts": [{"name": "A"}]}]},
            {"name": "Build", "actions": [action("One", "A", "B"), action("Two", "A", "C")]},
            {"name": "Test", "actions": [action("Three", "B", "D"), action("Four", "C", "E")]}]})
}

/// Starts executions of many pipelines and waits for all of them.
pub async fn measure() -> Vec<(String, String)> {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = Settings {
        account: "123456789012".to_owned(),
        ..Settings::default()
    };
    let desk = Desk::open(
        &folder.path().join("journal.db"),
        Clock::real(),
        Bus::new(),
        settings,
    )
    .expect("a journal");
    desk.attach(Arc::new(Instantly { desk: desk.clone() }));
    let names: Vec<String> = (0..PIPELINES).map(|i| format!("bench-{i}")).collect();
    for name in &names {
        let definition = check::parse(definition(name)).expect("a definition");
        let event = Event::CreatePipeline {
            definition,
            tags: BTreeMap::new(),
            start: false,
        };
        desk.submit(event).await.expect("created");
    }
    let begin = Instant::now();
    let mut running = Vec::new();
    for name in names {
        let desk = desk.clone();
        running.push(tokio::spawn(async move {
            for _ in 0..EXECUTIONS / PIPELINES {
                let event = Event::Start {
                    pipeline: name.clone(),
                    trigger: Trigger {
                        trigger_type: "StartPipelineExecution".to_owned(),
                        trigger_detail: String::new(),
                    },
                    variables: BTreeMap::new(),
                    source_revisions: Vec::new(),
                    client_token: None,
                };
                let started = desk.submit(event).await.expect("started");
                let engine_plan::step::Answer::Execution(id) = started else {
                    panic!("an execution id")
                };
                desk.wait_until(|s| {
                    s.pipelines
                        .get(&name)?
                        .execution(&id)?
                        .has_ended()
                        .then_some(())
                })
                .await;
            }
        }));
    }
    for one in running {
        one.await.expect("it ran");
    }
    let seconds = begin.elapsed().as_secs_f64();
    desk.close().await;
    vec![(
        format!("journaled executions of 5 actions a second, {PIPELINES} at once"),
        format!("{:.0}/s", EXECUTIONS as f64 / seconds),
    )]
}

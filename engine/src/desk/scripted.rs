//! A desk with providers that answer by script, for tests.

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use engine_plan::{
    definition::PipelineDeclaration,
    effect::ActionTask,
    event::{Event, ExecutionDetails, Outcome, Revision, Settings, Trigger},
    state::{Execution, State},
    step::Answer,
};
use serde_json::{Value, json};

use super::{Desk, Perform, Seeds};
use crate::{
    bus::Bus,
    clock::{Busy, Clock},
};

/// Longer than any wait of a test that passes.
const DEADLINE: Duration = Duration::from_secs(60);

/// Source, build, two checks at once (one by a function), approval, deploy.
pub(crate) fn definition() -> Value {
    let action = |name: &str,
                  kind: [&str; 2],
                  configuration: Value,
                  inputs: &[&str],
                  outputs: &[&str]| {
        let named = |names: &[&str]| names.iter().map(|n| json!({"name": n})).collect::<Value>();
        json!({
            "name": name,
            "actionTypeId": {"category": kind[0], "owner": "AWS", "provider": kind[1], "version": "1"},
            "runOrder": 1,
            "configuration": configuration,
            "inputArtifacts": named(inputs),
            "outputArtifacts": named(outputs),
        })
    };
    let mut source = action(
        "Code",
        ["Source", "S3"],
        json!({"S3Bucket": "sources", "S3ObjectKey": "shop.zip"}),
        &[],
        &["Code"],
    );
    source["namespace"] = json!("code");
    let check = json!({"FunctionName": "action-http-check", "UserParameters": "#{code.VersionId}"});
    let build = json!({"ProjectName": "shop"});
    json!({
        "name": "shop",
        "roleArn": "arn:aws:iam::123456789012:role/pipeline",
        "artifactStore": {"type": "S3", "location": "artifacts"},
        "stages": [
            {"name": "Source", "actions": [source]},
            {"name": "Build", "actions": [
                action("Compile", ["Build", "CodeBuild"], build.clone(), &["Code"], &["Site"]),
            ]},
            {"name": "Check", "actions": [
                action("Pages", ["Invoke", "Lambda"], check, &["Site"], &[]),
                action("Links", ["Test", "CodeBuild"], build, &["Site"], &[]),
            ]},
            {"name": "Release", "actions": [
                action("Ask", ["Approval", "Manual"], json!({}), &[], &[]),
            ]},
            {"name": "Publish", "actions": [
                action("Copy", ["Deploy", "S3"], json!({"BucketName": "www", "Extract": "true"}), &["Site"], &[]),
            ]},
        ],
    })
}

pub(crate) fn declared() -> PipelineDeclaration {
    engine_plan::check::parse(definition()).unwrap()
}

pub(crate) fn settings() -> Settings {
    Settings {
        account: "123456789012".to_owned(),
        region: "eu-west-1".to_owned(),
        continuation_seconds: 0,
        third_party: Vec::new(),
    }
}

/// 1, 2, 3, …
pub(crate) fn counted(from: u128) -> Seeds {
    let mut next = from;
    Box::new(move || {
        next += 1;
        next
    })
}

/// Ends every action well: providers by `Finished`, functions by their second job; approvals wait.
pub(crate) struct Scripted {
    desk: Desk,
    /// Action execution ids in the order they were started.
    pub(crate) started: Mutex<Vec<String>>,
    pub(crate) cancelled: Mutex<Vec<String>>,
}

impl Scripted {
    pub(crate) fn attach(desk: &Desk) -> Arc<Self> {
        let scripted = Arc::new(Self {
            desk: desk.clone(),
            started: Mutex::default(),
            cancelled: Mutex::default(),
        });
        desk.attach(Arc::clone(&scripted) as Arc<dyn Perform>);
        scripted
    }
}

impl Perform for Scripted {
    fn perform(&self, task: ActionTask, busy: Busy) {
        self.started
            .lock()
            .unwrap()
            .push(task.action_execution.clone());
        let desk = self.desk.clone();
        let event = match (&task.job, &task.approval) {
            (_, Some(_)) => return,
            _ if task.action_type.owner != "AWS" => return,
            (Some(job), None) => Event::JobSucceeded {
                job: job.id.clone(),
                // Asked once more before it is done.
                continuation: job.continuation_token.is_none().then(|| "half".to_owned()),
                variables: match job.continuation_token {
                    Some(_) => [("status".to_owned(), "200".to_owned())].into(),
                    None => [].into(),
                },
                details: ExecutionDetails::default(),
                revision: None,
            },
            (None, None) => {
                let is_source = task.action_type.category == "Source";
                Event::Finished {
                    action_execution: task.action_execution,
                    outcome: Outcome::Succeeded {
                        details: ExecutionDetails {
                            summary: Some("scripted".to_owned()),
                            ..ExecutionDetails::default()
                        },
                        variables: [("VersionId".to_owned(), "v7".to_owned())].into(),
                        revision: is_source.then(|| Revision {
                            revision_id: "v7".to_owned(),
                            summary: Some("Bake bread".to_owned()),
                            ..Revision::default()
                        }),
                    },
                }
            }
        };
        tokio::spawn(async move {
            // Refused when it was reported before a crash: then somebody else has it.
            drop(desk.submit(event).await);
            drop(busy);
        });
    }

    fn cancel(&self, action_execution: &str) {
        self.cancelled
            .lock()
            .unwrap()
            .push(action_execution.to_owned());
    }
}

/// A desk on a journal, with a real clock.
pub(crate) fn open(journal: &Path, seed: u128) -> Desk {
    Desk::open_with(
        journal,
        Clock::real(),
        Bus::new(),
        settings(),
        counted(seed),
    )
    .unwrap()
}

pub(crate) async fn create(desk: &Desk) {
    let event = Event::CreatePipeline {
        definition: declared(),
        tags: [("team".to_owned(), "web".to_owned())].into(),
        start: false,
    };
    desk.submit(event).await.unwrap();
}

pub(crate) fn start() -> Event {
    start_of("shop")
}

pub(crate) fn start_of(pipeline: &str) -> Event {
    Event::Start {
        pipeline: pipeline.to_owned(),
        trigger: Trigger {
            trigger_type: "StartPipelineExecution".to_owned(),
            trigger_detail: "arn:aws:iam::123456789012:user/dana".to_owned(),
            reference: None,
        },
        variables: [].into(),
        source_revisions: Vec::new(),
        client_token: None,
    }
}

pub(crate) async fn started(desk: &Desk) -> String {
    match desk.submit(start()).await.unwrap() {
        Answer::Execution(id) => id,
        other => panic!("{other:?}"),
    }
}

/// Waits with a deadline.
pub(crate) async fn until<T>(desk: &Desk, look: impl FnMut(&State) -> Option<T>) -> T {
    match tokio::time::timeout(DEADLINE, desk.wait_until(look)).await {
        Ok(found) => found.expect("the desk has ended"),
        Err(_) => panic!("not reached in time: {:#?}", desk.read(Clone::clone)),
    }
}

/// The execution once it has ended.
pub(crate) async fn ended(desk: &Desk, id: &str) -> Execution {
    until(desk, |state| {
        let execution = state.pipelines.get("shop")?.execution(id)?;
        execution.has_ended().then(|| execution.clone())
    })
    .await
}

/// The open approval's token.
pub(crate) async fn token(desk: &Desk) -> String {
    until(desk, |state| {
        state
            .approvals
            .keys()
            .next()
            .map(|token| token.reveal().to_owned())
    })
    .await
}

pub(crate) async fn approve(desk: &Desk, token: &str) {
    let event = Event::Approval {
        pipeline: "shop".to_owned(),
        stage: "Release".to_owned(),
        action: "Ask".to_owned(),
        token: token.to_owned().into(),
        approved: true,
        summary: "looks good".to_owned(),
        by: "arn:aws:iam::123456789012:user/dana".to_owned(),
    };
    desk.submit(event).await.unwrap();
}

//! What really runs when its time is over is stopped, with every process it started.

use std::{path::Path, time::Duration};

use engine_plan::{
    effect::ActionTask,
    event::{Event, Outcome},
    state::ExecutionStatus,
};
use futures_util::future::BoxFuture;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{Context, Provider, registry};
use crate::{
    assemble::{Options, start},
    config::Config,
    desk::scripted::{ended, started},
    lambda::tests::bootstrap_function,
    perform::Performer,
    store::objects::{Body, BucketSettings, PutOptions},
};

const PATIENCE: Duration = Duration::from_secs(60);
/// Starts a process of its own, tells both ids, and never ends.
const FOR_EVER: &str =
    "sleep 1000 & echo $$ $! > \"$PIDS.part\"; mv \"$PIDS.part\" \"$PIDS\"; wait";

/// A source whose artifact is one buildspec.
struct Buildspec(String);

impl Provider for Buildspec {
    fn perform(&self, task: ActionTask, context: Context) -> BoxFuture<'static, Option<Outcome>> {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("buildspec.yml"), &self.0).expect("a file");
        Box::pin(async move {
            let names = shared::archive::files_below(folder.path()).expect("files");
            let mut zip = std::io::Cursor::new(Vec::new());
            shared::archive::pack(folder.path(), &names, &mut zip).expect("packed");
            let place = &task.outputs[0];
            let body = Body::Bytes(zip.into_inner().into());
            let put =
                context
                    .app
                    .objects
                    .put(&place.bucket, &place.key, PutOptions::default(), body);
            put.await.expect("stored");
            Some(Outcome::Succeeded {
                details: Default::default(),
                variables: [].into(),
                revision: None,
            })
        })
    }
}

fn kind(category: &str, provider: &str) -> Value {
    json!({"category": category, "owner": "AWS", "provider": provider, "version": "1"})
}

fn definition(action: Value, gate: Option<Value>) -> Value {
    let mut work = json!({"name": "Work", "actions": [action]});
    if let Some(gate) = gate {
        work["beforeEntry"] = gate;
    }
    json!({
        "name": "shop", "pipelineType": "V2",
        "roleArn": "arn:aws:iam::123456789012:role/pipeline",
        "artifactStore": {"type": "S3", "location": "artifacts"},
        "stages": [
            {"name": "Source", "actions": [{
                "name": "Code", "actionTypeId": kind("Source", "S3"), "outputArtifacts": [{"name": "Code"}],
                "configuration": {"S3Bucket": "sources", "S3ObjectKey": "shop.zip"},
            }]},
            work,
        ],
    })
}

async fn eventually(what: &str, mut look: impl FnMut() -> bool) {
    let waiting = async {
        while !look() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, waiting).await;
    assert!(waited.is_ok(), "waited for {what}");
}

fn is_alive(pid: &str) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // a zombie waits for nobody but its parent
    !status.is_empty() && !status.contains(") Z ")
}

fn pids(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.split_whitespace().map(str::to_owned).collect()
}

/// Runs it until its processes are there, lets that many minutes pass, and answers `errorDetails`.
async fn timed_out(definition: Value, minutes: i64, pids_file: &Path) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = Config::default();
    let mut hanging = bootstrap_function("");
    // longer than the limit that strikes first
    hanging.timeout_seconds = 7200;
    hanging
        .environment
        .insert("PIDS".to_owned(), pids_file.display().to_string());
    config.function.insert("f".to_owned(), hanging);
    let options = Options::new(config, folder.path());
    let Ok((engine, _)) = start(options).await else {
        panic!("the engine did not start");
    };
    let app = engine.app.clone();
    let bucket = app
        .objects
        .create_bucket("artifacts", BucketSettings::default());
    bucket.await.expect("a bucket");
    let command = FOR_EVER.replace("$PIDS", &pids_file.display().to_string());
    let spec = json!({"version": 0.2, "phases": {"build": {"commands": [command]}}});
    let providers = registry::all().with(
        "Source",
        "AWS",
        "S3",
        std::sync::Arc::new(Buildspec(spec.to_string())),
    );
    app.desk.attach(Performer::new(app.clone(), providers));
    let definition = engine_plan::check::parse(definition).expect("valid");
    let create = Event::CreatePipeline {
        definition,
        tags: [].into(),
        start: false,
    };
    app.desk.submit(create).await.expect("created");
    let id = started(&app.desk).await;
    eventually("the processes", || !pids(pids_file).is_empty()).await;
    let running = pids(pids_file);
    assert!(running.iter().all(|pid| is_alive(pid)), "{running:?}");
    let nearly = SignedDuration::from_mins(minutes) - SignedDuration::from_mins(1);
    app.clock.continue_from(app.clock.now() + nearly);
    app.desk
        .submit(Event::TimePassed)
        .await
        .expect("time passes");
    assert!(running.iter().all(|pid| is_alive(pid)), "ended too early");
    app.clock
        .continue_from(app.clock.now() + SignedDuration::from_mins(1));
    app.desk
        .submit(Event::TimePassed)
        .await
        .expect("time passes");
    let execution = ended(&app.desk, &id).await;
    assert_eq!(execution.status, ExecutionStatus::Failed);
    eventually("the end of the processes", || {
        !running.iter().any(|pid| is_alive(pid))
    })
    .await;
    let stage = execution.stages.last().expect("a stage");
    let error = match stage.actions.last() {
        Some(run) => run.error.clone(),
        None => stage.conditions[0].rules[0].error.clone(),
    };
    engine.shut_down().await;
    let error = error.expect("an error");
    format!("{}: {}", error.code, error.message)
}

#[tokio::test]
async fn s3_7_a_build_a_rule_and_a_function_are_stopped_at_their_limit() {
    let inputs = json!([{"name": "Code"}]);
    let build = json!({"name": "it", "actionTypeId": kind("Test", "CodeBuild"), "configuration": {"ProjectName": "x"}, "inputArtifacts": inputs});
    let call = json!({"name": "it", "actionTypeId": kind("Invoke", "Lambda"), "configuration": {"FunctionName": "f", "UserParameters": "hang"}, "inputArtifacts": inputs});
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let command = FOR_EVER.replace("$PIDS", &at("rule").display().to_string());
    let rule = json!({"name": "r", "ruleTypeId": kind("Rule", "Commands"), "commands": [command]});
    let gate = json!({"conditions": [{"result": "FAIL", "rules": [rule]}]});
    for (file, definition, minutes, says) in [
        (
            "build",
            definition(build.clone(), None),
            8 * 60,
            "JobTimedOut: The action did not end within its timeout of 480 minutes.",
        ),
        (
            "rule",
            definition(build, Some(gate)),
            55,
            "RuleTimedOut: The rule did not end within its timeout of 55 minutes.",
        ),
        (
            "function",
            definition(call, None),
            20,
            "JobFailed: The AWS Lambda function f failed to return a result within 20 minutes.",
        ),
    ] {
        let said = timed_out(definition, minutes, &at(file)).await;
        assert!(said.starts_with(says), "{file}: {said}");
    }
}

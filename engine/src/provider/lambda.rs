//! Invoke/AWS/Lambda and the rule LambdaInvoke: sends the `CodePipeline.job` event to a function; the function reports with PutJob…Result.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use engine_plan::{
    effect::{ActionTask, ArtifactLocation, JobTask},
    event::{Event, Outcome},
    state::JobStatus,
};
use futures_util::future::BoxFuture;
use serde::Serialize;

use super::{Context, Provider, failed};
use crate::{
    lambda::{AsyncOutcome, CallContext, InvokeError, LogTarget},
    vault::{IssuedCredentials, Scope},
};

/// How long a job's artifact credentials work.
const CREDENTIALS_HOURS: i64 = 1;
/// `failureDetails.message` holds at most this.
const MESSAGE_LIMIT: usize = 5_000;

/// The provider.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lambda;

impl Provider for Lambda {
    fn perform(&self, task: ActionTask, context: Context) -> BoxFuture<'static, Option<Outcome>> {
        Box::pin(perform(task, context))
    }
}

async fn perform(task: ActionTask, context: Context) -> Option<Outcome> {
    let Some(function) = task.configuration.get("FunctionName").cloned() else {
        let text = format!("action {} names no FunctionName", task.action);
        return Some(failed("ConfigurationError", text));
    };
    let Some(job) = task.job.clone() else {
        let text = format!("action {}: the planner opened no job for it", task.action);
        return Some(failed("JobFailed", text));
    };
    if let Err(error) = context.app.lambda.check(&function) {
        return Some(failed("ConfigurationError", error.to_string()));
    }
    let credentials = issue(&task, &context);
    let account = &context.app.config.engine.account;
    let event = job_event(&task, &job, account, &credentials);
    // Reported by the function or by the watcher, so that a fast clock may jump while a retry waits, but not before
    // the call has begun.
    let busy = context.app.clock.busy();
    tokio::spawn(async move {
        let watch = watch(function, job.id, event, task, context);
        drop(busy);
        watch.await;
    });
    None
}

/// Calls the function and reports the job itself when the function cannot or did not.
async fn watch(function: String, job: String, event: Bytes, task: ActionTask, context: Context) {
    let app = &context.app;
    let call = CallContext {
        log: Some(LogTarget {
            execution: task.execution,
            action_execution: task.action_execution,
        }),
        stop: context.stop.clone(),
        tried: None,
    };
    let outcome = app.lambda.invoke_async(&function, event, call).await;
    let (kind, message) = match outcome {
        Ok(AsyncOutcome::Stopped) | Err(InvokeError::Stopped(_)) => return,
        Ok(AsyncOutcome::Returned) => {
            let grace = app.config.engine.unreported_job_seconds;
            if !is_open(&context, &job) {
                return;
            }
            tokio::select! {
                () = app.clock.sleep(Duration::from_secs(grace.into())) => {}
                () = context.stop.cancelled() => return,
            }
            let text = format!(
                "Lambda function {function} returned without reporting: it called neither PutJobSuccessResult nor PutJobFailureResult for job {job} (waited {grace} s, setting engine.unreported_job_seconds)"
            );
            ("JobFailed", text)
        }
        Ok(AsyncOutcome::Failed {
            attempts,
            kind,
            message,
        }) => {
            let times = if attempts == 1 {
                "once".to_owned()
            } else {
                format!("{attempts} times")
            };
            let text = format!(
                "Lambda function {function} failed {times} and did not report, at last with {kind}: {message}"
            );
            ("JobFailed", text)
        }
        Err(error) => ("ConfigurationError", error.to_string()),
    };
    if !is_open(&context, &job) {
        return;
    }
    let report = Event::JobFailed {
        job,
        kind: kind.to_owned(),
        message: message.chars().take(MESSAGE_LIMIT).collect(),
        external_id: None,
    };
    if let Err(refusal) = app.desk.submit(report).await {
        tracing::debug!(%refusal, function, "the failure of a job was not taken");
    }
}

fn is_open(context: &Context, job: &str) -> bool {
    context.app.desk.read(|state| {
        let status = state.jobs.get(job).map(|job| job.status);
        !matches!(
            status,
            None | Some(JobStatus::Succeeded | JobStatus::Failed | JobStatus::TimedOut)
        )
    })
}

fn issue(task: &ActionTask, context: &Context) -> IssuedCredentials {
    let places = |artifacts: &[ArtifactLocation]| {
        let place = |a: &ArtifactLocation| (a.bucket.clone(), a.key.clone());
        artifacts.iter().map(place).collect()
    };
    let scope = Scope {
        read: places(&task.inputs),
        write: places(&task.outputs),
    };
    let now = context.app.clock.now();
    let expires = now
        .checked_add(jiff::SignedDuration::from_hours(CREDENTIALS_HOURS))
        .unwrap_or(now);
    context.app.vault.issue(scope, expires)
}

/// The event as AWS shapes it, in AWS's order; what is unset is absent, `revision` is null.
fn job_event(
    task: &ActionTask,
    job: &JobTask,
    account: &str,
    credentials: &IssuedCredentials,
) -> Bytes {
    let event = JobEvent {
        job: JobBody {
            id: &job.id,
            account_id: account,
            data: Data {
                action_configuration: Configuration {
                    configuration: &task.configuration,
                },
                input_artifacts: task.inputs.iter().map(artifact).collect(),
                output_artifacts: task.outputs.iter().map(artifact).collect(),
                artifact_credentials: Credentials {
                    secret_access_key: credentials.secret_access_key.reveal(),
                    session_token: credentials.session_token.reveal(),
                    access_key_id: &credentials.access_key_id,
                },
                continuation_token: job.continuation_token.as_deref(),
                encryption_key: task.encryption_key.as_ref().map(|key| Key {
                    id: &key.id,
                    kind: &key.kind,
                }),
            },
        },
    };
    let text = serde_json::to_vec(&event).expect("strings and maps of strings are always JSON");
    Bytes::from(text)
}

fn artifact(place: &ArtifactLocation) -> Artifact<'_> {
    Artifact {
        location: Location {
            s3_location: S3Location {
                bucket_name: &place.bucket,
                object_key: &place.key,
            },
            kind: "S3",
        },
        revision: None,
        name: &place.name,
    }
}

#[derive(Serialize)]
struct JobEvent<'a> {
    #[serde(rename = "CodePipeline.job")]
    job: JobBody<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JobBody<'a> {
    id: &'a str,
    account_id: &'a str,
    data: Data<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    action_configuration: Configuration<'a>,
    input_artifacts: Vec<Artifact<'a>>,
    output_artifacts: Vec<Artifact<'a>>,
    artifact_credentials: Credentials<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    continuation_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encryption_key: Option<Key<'a>>,
}

#[derive(Serialize)]
struct Configuration<'a> {
    configuration: &'a BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Artifact<'a> {
    location: Location<'a>,
    revision: Option<&'a str>,
    name: &'a str,
}

#[derive(Serialize)]
struct Location<'a> {
    #[serde(rename = "s3Location")]
    s3_location: S3Location<'a>,
    #[serde(rename = "type")]
    kind: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct S3Location<'a> {
    bucket_name: &'a str,
    object_key: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Credentials<'a> {
    secret_access_key: &'a str,
    session_token: &'a str,
    access_key_id: &'a str,
}

#[derive(Serialize)]
struct Key<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use engine_plan::definition::{ActionTypeId, EncryptionKey};
    use serde_json::json;

    use super::{super::Held, *};
    use crate::{
        assemble::{Engine, Options, start},
        config::Config,
        desk::scripted::{ended, started},
        lambda::tests::bootstrap_function,
        perform::{Performer, Providers},
    };

    fn task() -> ActionTask {
        let place = |name: &str, key: &str| ArtifactLocation {
            name: name.to_owned(),
            bucket: "b".to_owned(),
            key: key.to_owned(),
            files: Vec::new(),
        };
        ActionTask {
            pipeline: "p".to_owned(),
            pipeline_arn: String::new(),
            pipeline_version: 1,
            execution: "e".to_owned(),
            stage: "s".to_owned(),
            action: "a".to_owned(),
            action_execution: "ae".to_owned(),
            action_type: ActionTypeId {
                category: "Invoke".to_owned(),
                owner: "AWS".to_owned(),
                provider: "Lambda".to_owned(),
                version: "1".to_owned(),
            },
            region: "eu-west-1".to_owned(),
            role_arn: None,
            namespace: None,
            configuration: [
                ("FunctionName".to_owned(), "F".to_owned()),
                ("UserParameters".to_owned(), "any string".to_owned()),
            ]
            .into(),
            commands: Vec::new(),
            environment: Vec::new(),
            output_variables: Vec::new(),
            inputs: vec![place("In", "k")],
            outputs: vec![place("Out", "k2")],
            encryption_key: None,
            source_revision: None,
            job: None,
            approval: None,
        }
    }

    fn text(task: &ActionTask, continuation: Option<&str>) -> String {
        let job = JobTask {
            id: "j".to_owned(),
            nonce: "n".to_owned(),
            continuation_token: continuation.map(str::to_owned),
        };
        let credentials = IssuedCredentials {
            access_key_id: "a".to_owned(),
            secret_access_key: "s".to_owned().into(),
            session_token: "t".to_owned().into(),
            expires: jiff::Timestamp::UNIX_EPOCH,
        };
        let event = job_event(task, &job, "111111111111", &credentials);
        String::from_utf8(event.to_vec()).expect("text")
    }

    #[test]
    fn the_event_is_awss_to_the_byte() {
        let whole = concat!(
            r#"{"CodePipeline.job":{"id":"j","accountId":"111111111111","data":{"#,
            r#""actionConfiguration":{"configuration":{"FunctionName":"F","UserParameters":"any string"}},"#,
            r#""inputArtifacts":[{"location":{"s3Location":{"bucketName":"b","objectKey":"k"},"type":"S3"},"revision":null,"name":"In"}],"#,
            r#""outputArtifacts":[{"location":{"s3Location":{"bucketName":"b","objectKey":"k2"},"type":"S3"},"revision":null,"name":"Out"}],"#,
            r#""artifactCredentials":{"secretAccessKey":"s","sessionToken":"t","accessKeyId":"a"}}}}"#,
        );
        assert_eq!(text(&task(), None), whole);
        let mut task = task();
        task.encryption_key = Some(EncryptionKey {
            id: "key".to_owned(),
            kind: "KMS".to_owned(),
        });
        let rest = r#","continuationToken":"c","encryptionKey":{"id":"key","type":"KMS"}}}}"#;
        assert!(text(&task, Some("c")).ends_with(rest));
    }

    /// A source that is there at once.
    struct Source;

    impl Provider for Source {
        fn perform(&self, _: ActionTask, _: Context) -> BoxFuture<'static, Option<Outcome>> {
            Box::pin(async {
                Some(Outcome::Succeeded {
                    details: Default::default(),
                    variables: [].into(),
                    revision: None,
                })
            })
        }
    }

    async fn engine() -> (Engine, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.engine.async_retry_seconds = vec![0, 0];
        config.engine.unreported_job_seconds = 0;
        config
            .function
            .insert("f".to_owned(), bootstrap_function(""));
        let options = Options::new(config, folder.path());
        let Ok((engine, _)) = start(options).await else {
            panic!("the engine did not start");
        };
        let providers = Providers::default()
            .with("Source", "AWS", "S3", Arc::new(Source))
            .with("Invoke", "AWS", "Lambda", Arc::new(Lambda));
        let performer = Performer::new(engine.app.clone(), providers);
        engine.app.desk.attach(performer);
        (engine, folder)
    }

    fn definition(function: &str, wish: &str) -> engine_plan::definition::PipelineDeclaration {
        let kind = |category: &str, provider: &str| json!({"category": category, "owner": "AWS", "provider": provider, "version": "1"});
        let definition = json!({
            "name": "shop",
            "roleArn": "arn:aws:iam::123456789012:role/pipeline",
            "artifactStore": {"type": "S3", "location": "artifacts"},
            "stages": [
                {"name": "Source", "actions": [{
                    "name": "Code", "actionTypeId": kind("Source", "S3"), "outputArtifacts": [{"name": "Code"}],
                    "configuration": {"S3Bucket": "sources", "S3ObjectKey": "shop.zip"},
                }]},
                {"name": "Check", "actions": [{
                    "name": "Call", "actionTypeId": kind("Invoke", "Lambda"), "inputArtifacts": [{"name": "Code"}],
                    "configuration": {"FunctionName": function, "UserParameters": wish},
                }]},
            ],
        });
        engine_plan::check::parse(definition).unwrap()
    }

    #[tokio::test]
    async fn every_end_of_a_function_ends_the_action() {
        let (engine, _folder) = engine().await;
        let desk = &engine.app.desk;
        for (function, wish, code, text) in [
            ("f", "report", "", ""),
            ("f", "silent", "JobFailed", "f returned without reporting"),
            (
                "f",
                "error",
                "JobFailed",
                "f failed 3 times and did not report, at last with Mine: bad luck",
            ),
            ("f", "exit", "JobFailed", "Runtime.ExitError: RequestId: "),
            ("missing", "x", "ConfigurationError", "[function.missing]"),
        ] {
            let definition = definition(function, wish);
            desk.submit(Event::CreatePipeline {
                definition,
                tags: [].into(),
                start: false,
            })
            .await
            .unwrap();
            let id = started(desk).await;
            let execution = ended(desk, &id).await;
            let run = execution.stages.last().unwrap().actions.last().unwrap();
            match &run.error {
                None => {
                    assert_eq!(code, "", "{wish}");
                    assert_eq!(run.variables["answer"], "42");
                    // The function goes on after its report.
                    let log = || engine.app.logs.read(&id, &run.id, 0, 1 << 20).unwrap();
                    let whole = async {
                        while !String::from_utf8_lossy(&log()).contains("\nREPORT RequestId") {
                            tokio::time::sleep(Duration::from_millis(5)).await;
                        }
                    };
                    tokio::time::timeout(Duration::from_secs(20), whole)
                        .await
                        .unwrap();
                    assert!(String::from_utf8_lossy(&log()).contains("reporting\n"));
                }
                Some(error) => {
                    assert_eq!(error.code, code, "{wish}: {}", error.message);
                    assert!(error.message.contains(text), "{}", error.message);
                    if wish == "error" {
                        let log = engine.app.logs.read(&id, &run.id, 0, 1 << 20).unwrap();
                        let log = String::from_utf8_lossy(&log);
                        let jobs: Vec<_> =
                            log.lines().filter(|it| it.starts_with("job ")).collect();
                        assert_eq!(jobs.len(), 3, "{log}");
                        assert!(jobs[0].len() > 36 && jobs.iter().all(|it| *it == jobs[0]));
                    }
                }
            }
            desk.submit(Event::DeletePipeline {
                name: "shop".to_owned(),
            })
            .await
            .unwrap();
        }
        engine.shut_down().await;
    }

    #[tokio::test]
    async fn credentials_open_the_jobs_own_artifacts() {
        let (engine, _folder) = engine().await;
        let context = Context {
            app: engine.app.clone(),
            stop: Default::default(),
            held: Held::new(engine.app.clock.clone(), engine.app.clock.busy()),
            progress: super::super::Progress {
                action_execution: "ae".to_owned(),
                desk: engine.app.desk.clone(),
            },
        };
        let issued = issue(&task(), &context);
        let token = issued.session_token.reveal().as_str();
        let scope =
            engine
                .app
                .vault
                .scope_of(&issued.access_key_id, Some(token), engine.app.clock.now());
        let scope = scope.unwrap().unwrap();
        assert!(scope.may_read("b", "k") && !scope.may_write("b", "k"));
        assert!(scope.may_write("b", "k2") && !scope.may_read("b", "k3"));
        engine.shut_down().await;
    }
}

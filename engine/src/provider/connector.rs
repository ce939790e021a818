//! Actions of vendors: a function of this workspace does the work, called step by step as a state machine calls it.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use engine_plan::{
    effect::{ActionTask, ArtifactLocation},
    event::{ExecutionDetails, Outcome},
};
use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{Context, Provider, Trouble};
use crate::{
    connector,
    lambda::{CallContext, InvokeError, InvokeResult, LogTarget},
};

/// The provider. Performed again after a restart it names the same run, so that nothing is started twice.
#[derive(Debug, Clone, Copy, Default)]
pub struct Connector;

impl Provider for Connector {
    fn perform(&self, task: ActionTask, context: Context) -> BoxFuture<'static, Option<Outcome>> {
        Box::pin(async move {
            let work = match Work::new(&task, &context) {
                Ok(work) => work,
                Err(trouble) => return Some(trouble.outcome(ExecutionDetails::default())),
            };
            work.finish().await
        })
    }
}

struct Work<'a> {
    task: &'a ActionTask,
    context: &'a Context,
    function: String,
    input: Value,
}

/// What a function answers; `docs/hosts.md`, section Task.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    status: String,
    #[serde(default)]
    progress: Value,
    #[serde(default)]
    wait_seconds: u64,
    #[serde(default)]
    started_at: Value,
    #[serde(default)]
    variables: BTreeMap<String, String>,
    #[serde(default)]
    details: Details,
}

#[derive(Default, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Details {
    summary: Option<String>,
    external_id: Option<String>,
    percent: Option<u8>,
    link: Option<String>,
}

/// A function's error.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Error {
    error_type: String,
    #[serde(default)]
    error_message: String,
}

impl From<Details> for ExecutionDetails {
    fn from(details: Details) -> Self {
        Self {
            summary: details.summary,
            external_execution_id: details.external_id,
            external_execution_url: details.link,
            percent_complete: details.percent,
        }
    }
}

impl<'a> Work<'a> {
    fn new(task: &'a ActionTask, context: &'a Context) -> Result<Self, Trouble> {
        let config = &context.app.config;
        let id = &task.action_type;
        let about =
            |text: String| Trouble::configuration(format!("action {}: {text}", task.action));
        let route = connector::route(&config.connector, id);
        let route = route.ok_or_else(|| about(format!("{} is not configured", id.provider)))?;
        let account = &config.engine.account;
        let parameters = connector::parameters(&route, &id.provider, account, &task.configuration)
            .map_err(|unmapped| about(unmapped.to_string()))?;
        let known = context.app.lambda.check(route.function);
        known.map_err(|error| about(error.to_string()))?;
        let mut input = json!({
            "params": parameters,
            "progress": null,
            "run": task.action_execution,
            "inputs": task.inputs.iter().map(place).collect::<Vec<_>>(),
            "outputs": task.outputs.iter().map(place).collect::<Vec<_>>(),
        });
        if let Some(key) = &task.encryption_key {
            input["encryptionKey"] = key.id.clone().into();
        }
        Ok(Self {
            function: route.function.to_owned(),
            task,
            context,
            input,
        })
    }

    async fn finish(mut self) -> Option<Outcome> {
        let mut told = Details::default();
        loop {
            let answer = match self.step().await? {
                Ok(answer) => answer,
                Err(trouble) => return Some(trouble.outcome(told.into())),
            };
            if answer.status == "SUCCEEDED" {
                return Some(Outcome::Succeeded {
                    details: answer.details.into(),
                    variables: answer.variables,
                    revision: None,
                });
            }
            if answer.details != told {
                told = answer.details.clone();
                self.context.progress.tell(answer.details.into()).await;
            }
            self.input["progress"] = answer.progress;
            self.input["startedAt"] = answer.started_at;
            let clock = &self.context.app.clock;
            let pause = self.context.held.rest(async {
                tokio::select! {
                    () = clock.sleep(Duration::from_secs(answer.wait_seconds)) => false,
                    () = self.context.stop.cancelled() => true,
                }
            });
            if pause.await {
                return self.stop().await;
            }
        }
    }

    /// One step. A function that broke is called again as Lambda calls it again; `None` when the engine ends.
    async fn step(&self) -> Option<Result<Answer, Trouble>> {
        let delays = &self.context.app.config.engine.async_retry_seconds;
        let mut delays = delays.iter();
        loop {
            let result = match self.call(&self.input).await {
                Ok(result) => result,
                Err(InvokeError::Stopped(_)) => return None,
                Err(error) => return Some(Err(Trouble::configuration(error.to_string()))),
            };
            if !result.failed {
                let answer = serde_json::from_slice(&result.payload);
                return Some(answer.map_err(|error| {
                    Trouble::job(format!(
                        "the answer of {} is not read: {error}",
                        self.function
                    ))
                }));
            }
            let error = serde_json::from_slice(&result.payload).unwrap_or_else(|_| Error {
                error_type: "Unknown".to_owned(),
                error_message: "it gave no reason".to_owned(),
            });
            let code = match error.error_type.as_str() {
                "Configuration" => "ConfigurationError",
                "Permission" => "PermissionError",
                "Unavailable" => "SystemUnavailable",
                "Failed" | "Artifact" | "TimedOut" | "Internal" => "JobFailed",
                broke => match delays.next() {
                    Some(delay) if !self.context.stop.is_cancelled() => {
                        tracing::warn!(function = self.function, broke, "a step is made again");
                        let delay = Duration::from_secs((*delay).into());
                        self.context.app.clock.sleep(delay).await;
                        continue;
                    }
                    _ => {
                        let text =
                            format!("{} broke: {broke}: {}", self.function, error.error_message);
                        return Some(Err(Trouble::job(text)));
                    }
                },
            };
            return Some(Err(Trouble {
                code,
                message: error.error_message,
            }));
        }
    }

    /// Stops the vendor's run.
    async fn stop(mut self) -> Option<Outcome> {
        self.input["stop"] = json!({});
        match self.call(&self.input).await {
            Ok(result) if !result.failed => {}
            Ok(result) => {
                let text = String::from_utf8_lossy(&result.payload).into_owned();
                tracing::warn!(
                    function = self.function,
                    text,
                    "a vendor's run was not stopped"
                );
            }
            Err(error) => {
                tracing::warn!(function = self.function, %error, "a vendor's run was not stopped");
            }
        }
        Some(Outcome::Stopped)
    }

    async fn call(&self, input: &Value) -> Result<InvokeResult, InvokeError> {
        let call = CallContext {
            log: Some(LogTarget {
                execution: self.task.execution.clone(),
                action_execution: self.task.action_execution.clone(),
            }),
            // A step is not cut off: what it starts must be known to whoever stops it.
            stop: CancellationToken::new(),
            tried: None,
        };
        let payload = Bytes::from(input.to_string());
        self.context
            .app
            .lambda
            .invoke(&self.function, payload, call)
            .await
    }
}

fn place(artifact: &ArtifactLocation) -> Value {
    json!({"name": artifact.name, "bucket": artifact.bucket, "key": artifact.key})
}

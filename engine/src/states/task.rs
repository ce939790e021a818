//! Tasks: whom they go to, and what comes back.

use bytes::Bytes;
use engine_states::{effect::Order, event::Event, resource::Resource};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{Job, Seen, perform::tell, service};
use crate::{
    app::App,
    clock::Busy,
    lambda::{CallContext, InvokeError, error_of},
};

/// Error and cause of a failed task.
pub struct Failed {
    /// The error's name.
    pub error: String,
    /// Its cause.
    pub cause: String,
}

impl Failed {
    /// A failure of that name.
    pub fn new(error: impl Into<String>, cause: impl Into<String>) -> Self {
        Self {
            error: error.into(),
            cause: cause.into(),
        }
    }

    /// An integration this engine does not have, by name.
    pub fn not_built(service: &str, action: &str) -> Self {
        Self::new(
            "Stagewright.NotBuilt",
            format!(
                "stagewright has no {service}:{action} for state machines; a Lambda function can make the call, or a mock of \
                 the state in a test"
            ),
        )
    }
}

impl Failed {
    /// A service of which there is none here, and no endpoint that has it.
    pub fn nowhere(signing: &str, service: &str, action: &str) -> Self {
        Self::new(
            "Stagewright.NotBuilt",
            format!(
                "stagewright has no {service}:{action} for state machines; name an endpoint that has it with --upstream URL \
                 or [endpoint] {signing} in stagewright.toml"
            ),
        )
    }
}

/// Begins a task; its end is told to the execution.
/// One that was `submitted` before a restart goes on.
pub fn begin(app: &App, arn: &str, order: Order, submitted: bool) {
    if let Resource::Activity(activity) = &order.resource {
        app.workflows.inner.queue.put(activity, arn, &order);
        return;
    }
    let stop = app.workflows.job(Job::Task(arn.to_owned(), order.task));
    let (app, arn) = (app.clone(), arn.to_owned());
    let busy = app.clock.busy();
    tokio::spawn(async move {
        let task = order.task;
        let waits = order.resource.waits_for_token();
        let mut errand = Errand {
            execution: Some(arn.clone()),
            origin: format!("{arn}#{task}"),
            task,
            submitted,
            stop: stop.clone(),
            busy: Some(busy),
        };
        let done = if order.resource.waits_for_end() {
            // It ends what it started when it is stopped itself.
            perform(&app, order, &mut errand).await
        } else {
            tokio::select! {
                done = perform(&app, order, &mut errand) => done,
                () = stop.cancelled() => return,
            }
        };
        let event = match done {
            // Somebody with the token goes on from here.
            Ok(output) if waits => Event::TaskSubmitted { task, output },
            Ok(output) => Event::TaskSucceeded { task, output },
            Err(failed) => Event::TaskFailed {
                task,
                error: Some(failed.error),
                cause: Some(failed.cause),
            },
        };
        if !waits {
            app.workflows.cancel(&Job::Task(arn.clone(), task));
        }
        tell(&app, &arn, event);
        drop(errand);
    });
}

/// Whom a task is done for.
pub struct Errand {
    /// The execution; none when a state is tried alone.
    execution: Option<String>,
    /// Names the execution and the task: the same however often it is done.
    pub origin: String,
    task: u64,
    submitted: bool,
    /// The answer no longer counts.
    pub stop: CancellationToken,
    busy: Option<Busy>,
}

impl Errand {
    /// Says that the service took the request and the task goes on.
    pub fn submitted(&mut self, app: &App, output: Value) {
        if let (Some(arn), false) = (&self.execution, self.submitted) {
            let task = self.task;
            tell(app, arn, Event::TaskSubmitted { task, output });
        }
        self.submitted = true;
    }

    /// Waits for something that is not this task's work: a fast clock goes on. None when the answer no longer counts.
    pub async fn rest<R>(&mut self, app: &App, wait: impl Future<Output = R>) -> Option<R> {
        self.busy = None;
        let waited = tokio::select! {
            waited = wait => Some(waited),
            () = self.stop.cancelled() => None,
        };
        self.busy = Some(app.clock.busy());
        waited
    }
}

/// Does a task outside any execution; what an HTTP task sends and gets is `seen`.
///
/// # Errors
/// The task's own failure.
pub async fn try_once(
    app: &App,
    order: Order,
    reveal: bool,
    seen: &mut Seen,
) -> Result<Value, Failed> {
    let service = order.resource.type_name().to_owned();
    if service == "http" {
        return service::http::traced(app, &order.input, reveal, seen).await;
    }
    let mut errand = Errand {
        execution: None,
        origin: format!("trial/{}", uuid::Uuid::new_v4()),
        task: order.task,
        submitted: false,
        stop: CancellationToken::new(),
        busy: Some(app.clock.busy()),
    };
    perform(app, order, &mut errand).await
}

async fn perform(app: &App, order: Order, errand: &mut Errand) -> Result<Value, Failed> {
    let stop = errand.stop.clone();
    match &order.resource {
        Resource::Lambda(arn) => {
            let payload = Bytes::from(order.input.to_string());
            lambda(app, arn, payload, stop).await
        }
        Resource::Service {
            service,
            action,
            pattern,
        } => match (service.as_str(), action.as_str()) {
            ("lambda", "invoke") => invoke(app, &order.input, stop).await,
            _ => service::call(app, service, action, *pattern, &order.input, errand).await,
        },
        Resource::Activity(_) => Err(Failed::not_built("activity", "call")),
    }
}

/// Calls a function and gives what it returned.
async fn lambda(
    app: &App,
    function: &str,
    payload: Bytes,
    stop: CancellationToken,
) -> Result<Value, Failed> {
    let context = CallContext {
        stop,
        ..CallContext::default()
    };
    match app.lambda.invoke(function, payload, context).await {
        Ok(result) if result.failed => {
            let (error, _) = error_of(&result.payload);
            let cause = String::from_utf8_lossy(&result.payload).into_owned();
            Err(Failed::new(error, cause))
        }
        Ok(result) => Ok(serde_json::from_slice(&result.payload)
            .unwrap_or_else(|_| String::from_utf8_lossy(&result.payload).into_owned().into())),
        Err(error @ InvokeError::UnknownFunction(_)) => Err(Failed::new(
            "Lambda.ResourceNotFoundException",
            error.to_string(),
        )),
        Err(error) => Err(Failed::new("Lambda.Unknown", error.to_string())),
    }
}

/// `lambda:invoke`: the answer of Lambda's API around it.
async fn invoke(app: &App, input: &Value, stop: CancellationToken) -> Result<Value, Failed> {
    let Some(function) = input.get("FunctionName").and_then(Value::as_str) else {
        return Err(Failed::new(
            "Lambda.ValidationException",
            "lambda:invoke needs a FunctionName",
        ));
    };
    let payload = match input.get("Payload") {
        // A text is sent as it is: what the function reads is the JSON in it.
        Some(Value::String(text)) if serde_json::from_str::<Value>(text).is_ok() => text.clone(),
        Some(Value::Null) | None => "{}".to_owned(),
        Some(payload) => payload.to_string(),
    };
    let payload = Bytes::from(payload);
    if input.get("InvocationType").and_then(Value::as_str) == Some("Event") {
        app.lambda
            .check(function)
            .map_err(|e| Failed::new("Lambda.ResourceNotFoundException", e.to_string()))?;
        let (app, function) = (app.clone(), function.to_owned());
        tokio::spawn(async move {
            let context = CallContext::default();
            match app.lambda.invoke_async(&function, payload, context).await {
                // The host tells itself when the function fails.
                Ok(_) | Err(InvokeError::Stopped(_)) => {}
                Err(error) => app.logs.notice(error.to_string()),
            }
        });
        return Ok(json!({"StatusCode": 202, "Payload": ""}));
    }
    let result = lambda(app, function, payload, stop).await?;
    let length = result.to_string().len().to_string();
    let request = uuid::Uuid::new_v4().to_string();
    Ok(json!({
        "ExecutedVersion": "$LATEST",
        "Payload": result,
        "SdkHttpMetadata": {
            "AllHttpHeaders": {"X-Amz-Executed-Version": ["$LATEST"], "x-amzn-RequestId": [request],
                "Content-Length": [length], "Content-Type": ["application/json"]},
            "HttpHeaders": {"X-Amz-Executed-Version": "$LATEST", "x-amzn-RequestId": request,
                "Content-Length": length, "Content-Type": "application/json"},
            "HttpStatusCode": 200,
        },
        "SdkResponseMetadata": {"RequestId": request},
        "StatusCode": 200,
    }))
}

//! Lambda: Invoke.

use axum::{
    body::Body,
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::{HeaderValue, Method, StatusCode};

use super::{
    Call, Fault,
    call::{decode, respond},
};
use crate::{
    app::App,
    lambda::{CallContext, InvokeError},
};

/// Largest event of a synchronous call.
const EVENT_LIMIT: usize = 6 * 1024 * 1024;
/// Largest event of an asynchronous call.
const ASYNC_EVENT_LIMIT: usize = 1024 * 1024;

/// Answers one request (`/2015-03-31/functions/NAME/invocations`).
pub async fn call(app: &App, call: &Call) -> Response {
    match invoke(app, call).await {
        Ok(response) => response,
        Err(fault) => refuse(fault),
    }
}

async fn invoke(app: &App, call: &Call) -> Result<Response, Fault> {
    let path = call.uri.path();
    let name = path
        .strip_prefix("/2015-03-31/functions/")
        .and_then(|rest| rest.strip_suffix("/invocations"));
    let Some(name) = name.filter(|_| call.method == Method::POST) else {
        return Err(Fault::not_built("lambda", path));
    };
    let function = decode(name);
    let header = |name: &str| call.headers.get(name).and_then(|v| v.to_str().ok());
    let kind = header("x-amz-invocation-type").unwrap_or("RequestResponse");
    app.lambda.check(&function).map_err(fault)?;
    let limit = if kind == "Event" {
        ASYNC_EVENT_LIMIT
    } else {
        EVENT_LIMIT
    };
    if call.body.len() > limit {
        let text = format!(
            "{} byte payload is too large for the {kind} invocation type (limit {limit} bytes)",
            call.body.len()
        );
        return Err(Fault::new(413, "RequestTooLargeException", text));
    }
    match kind {
        "DryRun" => Ok(StatusCode::NO_CONTENT.into_response()),
        "Event" => {
            let (app, event) = (app.clone(), call.body.clone());
            tokio::spawn(async move {
                let context = CallContext::default();
                match app.lambda.invoke_async(&function, event, context).await {
                    // The host tells itself when the function fails.
                    Ok(_) | Err(InvokeError::Stopped(_)) => {}
                    Err(error) => app.logs.notice(error.to_string()),
                }
            });
            Ok(StatusCode::ACCEPTED.into_response())
        }
        "RequestResponse" => {
            let event = call.body.clone();
            let result = app
                .lambda
                .invoke(&function, event, CallContext::default())
                .await;
            let result = result.map_err(fault)?;
            let mut response = respond(200, "application/json", Body::from(result.payload));
            let headers = response.headers_mut();
            headers.insert(
                "x-amz-executed-version",
                HeaderValue::from_static("$LATEST"),
            );
            if result.failed {
                headers.insert(
                    "x-amz-function-error",
                    HeaderValue::from_static("Unhandled"),
                );
            }
            if header("x-amz-log-type") == Some("Tail") {
                let tail = BASE64_STANDARD.encode(&result.log_tail);
                if let Ok(tail) = HeaderValue::from_str(&tail) {
                    headers.insert("x-amz-log-result", tail);
                }
            }
            Ok(response)
        }
        other => Err(Fault::new(
            400,
            "InvalidParameterValueException",
            format!("invocation type {other} is none of Event, RequestResponse, DryRun"),
        )),
    }
}

fn fault(error: InvokeError) -> Fault {
    let text = error.to_string();
    match error {
        InvokeError::UnknownFunction(_) => Fault::new(404, "ResourceNotFoundException", text),
        InvokeError::Start { .. } => Fault::new(502, "InvalidRuntimeException", text),
        InvokeError::Stopped(_) => Fault::new(500, "ServiceException", text),
    }
}

/// REST JSON: the code travels in a header.
fn refuse(fault: Fault) -> Response {
    let code = HeaderValue::from_str(&fault.code).ok();
    let kind = if fault.status < 500 { "User" } else { "Server" };
    let body = serde_json::json!({"Type": kind, "Message": fault.message});
    let mut response = respond(fault.status, "application/json", body.to_string());
    if let Some(code) = code {
        response.headers_mut().insert("x-amzn-errortype", code);
    }
    response
}

//! The front door: every request is routed, its credentials judged, its body bounded, its answer given an id.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::{IntoResponse as _, Response},
};
use http::{HeaderName, HeaderValue, header, request::Parts};
use http_body_util::{BodyExt as _, Limited};
use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};
use serde_json::Value;
use tower::ServiceExt as _;

use super::{
    call::{BODY_LIMIT, Call, Caller, Fault, respond},
    calls, cloudwatch, codepipeline, dynamodb, events, kms, lambda,
    route::{self, Presigned, Route, Signature},
    s3::{self, Access, S3Fault},
    ses, sns, states, sts,
    upstream::{self, Upstream},
};
use crate::{
    app::App,
    vault::{Refused, Scope},
};

/// Longest life of a presigned URL, in seconds, as S3's.
const PRESIGNED_LIMIT: i64 = 7 * 24 * 3600;
/// How far a presigned URL may be from the future, in seconds.
const CLOCK_SKEW: i64 = 15 * 60;

#[derive(Clone)]
struct Front {
    app: App,
    pages: Router,
    upstream: Arc<Upstream>,
}

/// The router that takes everything; `pages` gets what is below `/_stagewright/`.
pub(super) fn router(app: App, pages: Router) -> Router {
    let front = Front {
        app,
        pages,
        upstream: Arc::new(Upstream::default()),
    };
    Router::new().fallback(enter).with_state(front)
}

async fn enter(State(front): State<Front>, request: Request) -> Response {
    let _busy = front.app.clock.busy();
    let request_id = uuid::Uuid::new_v4().to_string();
    let (head, body) = request.into_parts();
    let signature = route::signature(&head.headers, &head.uri);
    let own_host = front
        .app
        .base_url
        .split_once("://")
        .map_or("", |(_, host)| host);
    let host = route::text(&head.headers, header::HOST.as_str());
    if !route::is_own_name(host, own_host) {
        return respond(
            421,
            "text/plain; charset=utf-8",
            "This engine does not go by that name: set base_url in [engine] of stagewright.toml.\n",
        );
    }
    let route = route::route(&head, signature.as_ref(), own_host);
    if route == Route::Page {
        let request = Request::from_parts(head, body);
        return front.pages.oneshot(request).await.into_response();
    }
    let keeps_body = head.headers.contains_key(header::EXPECT);
    let mut response = front
        .service(route, signature, head, body, &request_id)
        .await;
    // Whoever waits for 100 and is refused never sends the body: what comes next on the connection is not it.
    if keeps_body && !response.status().is_success() {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    if let Ok(id) = HeaderValue::from_str(&request_id) {
        for name in ["x-amzn-requestid", "x-amz-request-id"] {
            response
                .headers_mut()
                .entry(HeaderName::from_static(name))
                .or_insert(id.clone());
        }
    }
    response
}

impl Front {
    async fn service(
        &self,
        route: Route,
        signature: Option<Signature>,
        head: Parts,
        body: Body,
        request_id: &str,
    ) -> Response {
        if let Some(name) = without_face(&self.app, &route)
            && let Some(target) = upstream::target(&self.app, name)
        {
            if let Route::Json {
                service, operation, ..
            } = &route
            {
                let actions = calls::actions(service, operation, &[]);
                self.app.calls.note(signature.as_ref(), &actions);
            }
            return self.upstream.forward(&target, head, body).await;
        }
        let refuse = |fault: Fault| write_fault(&route, fault, request_id);
        let scope = match self.judge(&route, signature.as_ref()) {
            Ok(scope) => scope,
            Err(fault) => return refuse(fault),
        };
        if let Route::S3 { host_bucket } = route {
            let actions = s3::actions(&head, host_bucket.as_deref());
            self.app.calls.note(signature.as_ref(), &actions);
            let access = match (&signature, scope) {
                (None, _) => Access::Anonymous,
                (Some(_), None) => Access::Full,
                (Some(_), Some(scope)) => Access::Scoped(scope),
            };
            return s3::answer(&self.app, &access, host_bucket, head, body, request_id).await;
        }
        let Some(signature) = signature else {
            return refuse(Fault::new(
                403,
                "MissingAuthenticationToken",
                "Request is missing Authentication Token: sign it with any credentials",
            ));
        };
        let caller = caller(&self.app, &signature, scope.is_some());
        let body = match Limited::new(body, BODY_LIMIT).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => {
                return refuse(Fault::new(
                    413,
                    "RequestEntityTooLargeException",
                    format!("the request's body was not read: {error}"),
                ));
            }
        };
        let mut call = Call {
            service: signature.service.clone(),
            operation: String::new(),
            caller,
            method: head.method,
            uri: head.uri,
            headers: head.headers,
            body,
            request_id: request_id.to_owned(),
        };
        match &route {
            Route::Json {
                service, operation, ..
            } => {
                call.service.clone_from(service);
                call.operation.clone_from(operation);
            }
            Route::Query { .. } => {
                let action = call.form().into_iter().find(|(name, _)| name == "Action");
                call.operation = action.map(|(_, action)| action).unwrap_or_default();
            }
            Route::Rest { .. } | Route::Page | Route::S3 { .. } => {}
        }
        let operation = match &route {
            Route::Rest { service } => {
                calls::rest_operation(service, &call.method, call.uri.path())
            }
            _ => call.operation.clone(),
        };
        let actions = calls::actions(&call.service, &operation, &call.body);
        self.app.calls.note(Some(&signature), &actions);
        match self.dispatch(&route, scope.is_some(), &call).await {
            Ok(response) => response,
            Err(fault) => refuse(fault),
        }
    }

    /// Credentials that were issued here open their objects only; a presigned URL has an end.
    fn judge(&self, route: &Route, signature: Option<&Signature>) -> Result<Option<Scope>, Fault> {
        let Some(signature) = signature else {
            return Ok(None);
        };
        let now = self.app.clock.now();
        if let Some(presigned) = &signature.presigned {
            check_presigned(presigned, now)?;
        }
        let token = signature
            .session_token
            .as_ref()
            .map(|token| token.reveal().as_str());
        self.app
            .vault
            .scope_of(&signature.access_key, token, now)
            .map_err(|refused| {
                let (status, code) = match (route, refused) {
                    (Route::S3 { .. }, Refused::Expired) => (400, "ExpiredToken"),
                    (Route::S3 { .. }, Refused::Invalid) => (400, "InvalidToken"),
                    (Route::Query { .. }, Refused::Expired) => (403, "ExpiredToken"),
                    (Route::Query { .. }, Refused::Invalid) => (403, "InvalidClientTokenId"),
                    (_, Refused::Expired) => (403, "ExpiredTokenException"),
                    (_, Refused::Invalid) => (403, "UnrecognizedClientException"),
                };
                Fault::new(status, code, refused.to_string())
            })
    }

    async fn dispatch(&self, route: &Route, scoped: bool, call: &Call) -> Result<Response, Fault> {
        let app = &self.app;
        let service = call.service.as_str();
        if scoped && service != "sts" {
            return Err(Fault::new(
                403,
                "AccessDeniedException",
                format!(
                    "a job's artifact credentials open its artifacts only, not {service} {}",
                    call.operation
                ),
            ));
        }
        match (route, service) {
            (Route::Json { version, .. }, "codepipeline") => {
                Ok(json_reply(version, &codepipeline::call(app, call).await?))
            }
            (Route::Json { version, .. }, "kms") => {
                Ok(json_reply(version, &kms::call(app, call).await?))
            }
            (Route::Json { version, .. }, "events") => {
                Ok(json_reply(version, &events::call(app, call).await?))
            }
            (Route::Json { version, .. }, "states") => {
                Ok(json_reply(version, &states::call(app, call).await?))
            }
            (Route::Json { .. }, "monitoring") => {
                Ok(cloudwatch::call(app, call, cloudwatch::Protocol::Json))
            }
            (Route::Query { .. }, "monitoring") => {
                Ok(cloudwatch::call(app, call, cloudwatch::Protocol::Query))
            }
            (Route::Rest { .. }, "monitoring") => {
                Ok(cloudwatch::call(app, call, cloudwatch::Protocol::Cbor))
            }
            (Route::Json { .. }, "dynamodb") => {
                dynamodb::call(app, &call.operation, &call.body).await
            }
            (Route::Query { .. }, "sns") => {
                Ok(respond(200, "text/xml", sns::call(app, call).await?))
            }
            (Route::Query { .. }, "ses") => {
                Ok(respond(200, "text/xml", ses::query(app, call).await?))
            }
            (Route::Query { .. }, "sts") => {
                Ok(respond(200, "text/xml", sts::call(app, call, scoped)?))
            }
            (Route::Rest { .. }, "ses") => Ok(respond(
                200,
                "application/json",
                ses::call(app, call).await?.to_string(),
            )),
            (Route::Rest { .. }, "lambda") => Ok(lambda::call(app, call).await),
            (Route::Rest { .. }, "codepipeline") => Ok(codepipeline::refuse_cbor(call)),
            (Route::Rest { .. }, _) => Err(Fault::not_built(
                service,
                &format!("{} {}", call.method, call.uri.path()),
            )),
            _ => Err(Fault::not_built(service, &call.operation)),
        }
    }
}

/// The service to forward, when it has no face here.
fn without_face<'a>(app: &App, route: &'a Route) -> Option<&'a str> {
    match route {
        // Who names an endpoint for state machines means it.
        Route::Json { service, .. } if service == "states" => {
            app.config.endpoint.contains_key(service).then_some(service)
        }
        Route::Json { service, .. } => {
            (!["codepipeline", "dynamodb", "events", "kms", "monitoring"]
                .contains(&service.as_str()))
            .then_some(service)
        }
        Route::Query { service } => (!["monitoring", "sns", "ses", "sts", ""]
            .contains(&service.as_str()))
        .then_some(service),
        Route::Rest { service } => (!["codepipeline", "lambda", "monitoring", "ses"]
            .contains(&service.as_str()))
        .then_some(service),
        Route::Page | Route::S3 { .. } => None,
    }
}

fn caller(app: &App, signature: &Signature, issued: bool) -> Caller {
    let account = &app.config.engine.account;
    let token = signature.session_token.as_ref();
    let function = token.and_then(|t| t.reveal().strip_prefix(crate::lambda::ROLE_TOKEN));
    let arn = if let Some(function) = function {
        format!("arn:aws:sts::{account}:assumed-role/{function}/{function}")
    } else if let Some(session) = token.and_then(|t| sts::session_of(t.reveal())) {
        format!("arn:aws:sts::{account}:assumed-role/{session}")
    } else if issued {
        format!(
            "arn:aws:sts::{account}:assumed-role/stagewright-artifacts/{}",
            signature.access_key
        )
    } else {
        format!("arn:aws:iam::{account}:user/{}", signature.access_key)
    };
    Caller {
        access_key: signature.access_key.clone(),
        arn,
    }
}

fn check_presigned(presigned: &Presigned, now: Timestamp) -> Result<(), Fault> {
    let bad = |text: &str| Fault::new(400, "AuthorizationQueryParametersError", text);
    let (from, end) = match presigned {
        Presigned::V2 { expires } => {
            let end = expires
                .parse()
                .ok()
                .and_then(|end| Timestamp::from_second(end).ok());
            (
                now,
                end.ok_or_else(|| bad("Expires must be a number of seconds since 1970"))?,
            )
        }
        Presigned::V4 { date, expires } => {
            let seconds = expires
                .parse::<i64>()
                .ok()
                .filter(|seconds| (1..=PRESIGNED_LIMIT).contains(seconds))
                .ok_or_else(|| bad("X-Amz-Expires must be between 1 and 604800 seconds"))?;
            let from = DateTime::strptime("%Y%m%dT%H%M%SZ", date)
                .and_then(|date| date.to_zoned(TimeZone::UTC))
                .map_err(|_| {
                    bad("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
                })?
                .timestamp();
            let end = from
                .saturating_add(SignedDuration::from_secs(seconds))
                .unwrap_or(Timestamp::MAX);
            (from, end)
        }
    };
    if now >= end {
        return Err(Fault::new(403, "AccessDenied", "Request has expired"));
    }
    if now.duration_until(from) > SignedDuration::from_secs(CLOCK_SKEW) {
        return Err(Fault::new(403, "AccessDenied", "Request is not yet valid"));
    }
    Ok(())
}

fn json_reply(version: &str, reply: &Value) -> Response {
    respond(
        200,
        &format!("application/x-amz-json-{version}"),
        reply.to_string(),
    )
}

/// A refusal in the words of the route's protocol.
fn write_fault(route: &Route, fault: Fault, request_id: &str) -> Response {
    match route {
        Route::S3 { .. } => S3Fault::new(fault.status, &fault.code, fault.message)
            .into_response("/", request_id, false),
        Route::Query { .. } => fault.into_query_xml(request_id),
        Route::Json { version, .. } => fault.into_json(version),
        Route::Rest { .. } | Route::Page => fault.into_json("1.1"),
    }
}

//! HTTP tasks: `http:invoke` with a connection of `stagewright.toml`.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use reqwest::{
    Method, RequestBuilder,
    header::{HeaderName, HeaderValue},
};
use serde_json::{Map, Value, json};

use crate::{app::App, states::task::Failed};

/// Headers that a task may not set: the service sets them (Step Functions developer guide, HTTP task fields).
const FORBIDDEN: [&str; 8] = [
    "authorization",
    "connection",
    "content-length",
    "expect",
    "host",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

fn invalid(text: impl Into<String>) -> Failed {
    Failed::new("States.Runtime", text)
}

/// What a request and its answer looked like, as TestState shows them.
#[derive(Debug, Default)]
pub struct Seen {
    pub request: Option<Value>,
    pub response: Option<Value>,
}

/// Makes the request; the answer as the state gets it.
pub async fn invoke(app: &App, input: &Value) -> Result<Value, Failed> {
    traced(app, input, false, &mut Seen::default()).await
}

/// The same, looked at; `reveal` shows what the connection adds, too.
pub async fn traced(
    app: &App,
    input: &Value,
    reveal: bool,
    seen: &mut Seen,
) -> Result<Value, Failed> {
    let endpoint = input["ApiEndpoint"]
        .as_str()
        .ok_or_else(|| invalid("http:invoke needs an ApiEndpoint"))?;
    let mut url = reqwest::Url::parse(endpoint)
        .map_err(|e| invalid(format!("the ApiEndpoint {endpoint} is no URL: {e}")))?;
    let method = input["Method"]
        .as_str()
        .and_then(|m| Method::from_bytes(m.as_bytes()).ok())
        .ok_or_else(|| invalid("http:invoke needs a Method"))?;
    if let Some(query) = input["QueryParameters"].as_object() {
        url.query_pairs_mut().extend_pairs(pairs(query));
    }
    let mut request = super::client()
        .map_err(|e| Failed::new("States.Http.Socket", e.message))?
        .request(method, url.clone());
    let form = input["Transform"]["RequestBodyEncoding"] == "URL_ENCODED";
    match (input.get("RequestBody"), form) {
        (Some(Value::Object(fields)), true) => {
            url.set_query(None);
            url.query_pairs_mut().extend_pairs(pairs(fields));
            request = request
                .header("content-type", "application/x-www-form-urlencoded")
                .body(url.query().unwrap_or_default().to_owned());
        }
        (Some(Value::String(text)), false) => request = request.body(text.clone()),
        (Some(body), false) => {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        (Some(_), true) => {
            return Err(invalid(
                "a RequestBody that is URL_ENCODED must be an object",
            ));
        }
        (None, _) => {}
    }
    for (name, value) in input["Headers"].as_object().into_iter().flatten() {
        let lower = name.to_ascii_lowercase();
        if FORBIDDEN.contains(&lower.as_str()) || lower.starts_with("x-amz-") {
            return Err(invalid(format!("a task may not set the header {name}")));
        }
        request = header(request, name, &text(value))?;
    }
    let plain = request.try_clone();
    let request = connected(app, input, request)?;
    let shown = if reveal { request.try_clone() } else { plain };
    seen.request = shown
        .and_then(|request| request.build().ok())
        .map(|r| shown_request(&r));
    let answer = request.send().await.map_err(|e| {
        let name = if e.is_timeout() {
            "States.Timeout"
        } else {
            "States.Http.Socket"
        };
        Failed::new(name, format!("{endpoint} did not answer: {e}"))
    })?;
    let status = answer.status();
    let mut headers = Map::new();
    for (name, value) in answer.headers() {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        let list = headers
            .entry(name.as_str().to_owned())
            .or_insert_with(|| json!([]));
        if let Some(list) = list.as_array_mut() {
            list.push(value.into());
        }
    }
    let body = answer
        .text()
        .await
        .map_err(|e| Failed::new("States.Http.Socket", e.to_string()))?;
    seen.response = Some(json!({
        "protocol": url.scheme(),
        "statusCode": status.as_u16().to_string(),
        "statusMessage": status.canonical_reason().unwrap_or_default(),
        "headers": Value::Object(headers.clone()).to_string(),
        "body": body,
    }));
    if !status.is_success() {
        let error = format!("States.Http.StatusCode.{}", status.as_u16());
        return Err(Failed::new(error, body));
    }
    let body = serde_json::from_str(&body).unwrap_or(Value::String(body));
    Ok(json!({
        "Headers": headers,
        "ResponseBody": body,
        "StatusCode": status.as_u16(),
        "StatusText": status.canonical_reason().unwrap_or_default(),
    }))
}

fn shown_request(request: &reqwest::Request) -> Value {
    let mut headers = Map::new();
    for (name, value) in request.headers() {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        headers.insert(name.as_str().to_owned(), value.into());
    }
    let mut out = json!({
        "protocol": request.url().scheme(),
        "method": request.method().as_str(),
        "url": request.url().as_str(),
        "headers": Value::Object(headers).to_string(),
    });
    if let Some(body) = request.body().and_then(reqwest::Body::as_bytes) {
        out["body"] = String::from_utf8_lossy(body).into();
    }
    out
}

/// The request as the connection signs it. Its ARN is `arn:aws:events:REGION:ACCOUNT:connection/NAME/ID`.
fn connected(app: &App, input: &Value, request: RequestBuilder) -> Result<RequestBuilder, Failed> {
    let arn = input["Authentication"]["ConnectionArn"]
        .as_str()
        .or(input["InvocationConfig"]["ConnectionArn"].as_str())
        .ok_or_else(|| invalid("http:invoke needs Authentication with a ConnectionArn"))?;
    let name = arn
        .split_once(":connection/")
        .map(|(_, rest)| rest.split('/').next().unwrap_or(rest));
    let connection = name.and_then(|name| app.config.http_connection.get(name));
    let Some(connection) = connection else {
        return Err(Failed::new(
            "Events.ConnectionResource.ResourceNotFoundException",
            format!(
                "there is no connection {arn}: write [http-connection.{}] in stagewright.toml",
                name.unwrap_or("NAME")
            ),
        ));
    };
    let mut request = request;
    if let Some(user) = &connection.user {
        let password = connection.password.as_ref().map_or("", |p| p.reveal());
        let encoded = BASE64_STANDARD.encode(format!("{user}:{password}"));
        request = header(request, "authorization", &format!("Basic {encoded}"))?;
    }
    for (name, value) in &connection.headers {
        request = header(request, name, value.reveal())?;
    }
    Ok(request)
}

fn header(request: RequestBuilder, name: &str, value: &str) -> Result<RequestBuilder, Failed> {
    let bad = || invalid(format!("the header {name} cannot be sent"));
    let known = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
    let value = HeaderValue::from_str(value).map_err(|_| bad())?;
    Ok(request.header(known, value))
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Names and values; a list gives its name for each of its values (`INDICES` and the other array formats are not built).
fn pairs(fields: &Map<String, Value>) -> Vec<(String, String)> {
    let pair = |(name, value): (&String, &Value)| match value {
        Value::Array(values) => values.iter().map(|v| (name.clone(), text(v))).collect(),
        value => vec![(name.clone(), text(value))],
    };
    fields.iter().flat_map(pair).collect()
}

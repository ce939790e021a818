//! Requests as Lambda's events: through a function URL and through an HTTP API.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use shared::approval::http::{Body, HttpRequest};
use shared_aws::http_entry;

const FORMS: [&str; 2] = [
    include_str!("../../../../tests/events/function-url-form.json"),
    include_str!("../../../../tests/events/http-api-form.json"),
];

/// The request as the function gets it, through either kind of event.
pub fn through(request: &HttpRequest) -> HttpRequest {
    let [url, api] = FORMS.map(|form| {
        let event = filled(form, request);
        let mut read = http_entry::request(event).expect("it is an HTTP event");
        read.headers.sort();
        read
    });
    assert_eq!(parts(&url), parts(&api));
    url
}

fn parts(request: &HttpRequest) -> Value {
    let body = match &request.body {
        Body::Empty => json!(null),
        Body::Text(text) => json!(["text", text]),
        Body::Base64(text) => json!(["base64", text]),
    };
    json!([
        request.method,
        request.path,
        request.query,
        request.headers,
        request.cookies,
        body
    ])
}

/// The recorded event with everything of this request in place of its own.
fn filled(form: &str, request: &HttpRequest) -> Value {
    let mut event: Value = serde_json::from_str(form).expect("JSON");
    event["rawPath"] = json!(request.path);
    event["rawQueryString"] = json!(request.query);
    event["cookies"] = json!(request.cookies);
    let headers: serde_json::Map<String, Value> = request
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect();
    event["headers"] = Value::Object(headers);
    event["requestContext"]["http"]["method"] = json!(request.method);
    event["requestContext"]["http"]["path"] = json!(request.path);
    // Forms arrive in base64; so does everything that is not text.
    let (body, encoded) = match &request.body {
        Body::Empty => (Value::Null, false),
        Body::Text(text) => (json!(STANDARD.encode(text)), true),
        Body::Base64(text) => (json!(text), true),
    };
    event["body"] = body;
    event["isBase64Encoded"] = json!(encoded);
    event
}

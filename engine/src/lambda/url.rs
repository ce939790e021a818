//! Function URLs under the engine: `/_stagewright/function/NAME/…`, with the event and answer of payload version 2.0.

use std::collections::BTreeMap;

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::{IntoResponse as _, Response},
    routing::any,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts};
use http_body_util::{BodyExt as _, Limited};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{CallContext, InvokeError};
use crate::{app::App, face::call::form};

const PREFIX: &str = "/_stagewright/function/";
/// Lambda's limit of a synchronous event.
const BODY_LIMIT: usize = 6 * 1024 * 1024;

/// The routes; mount with `Router::merge`.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/_stagewright/function/{name}", any(serve))
        .route("/_stagewright/function/{name}/", any(serve))
        .route("/_stagewright/function/{name}/{*path}", any(serve))
}

async fn serve(State(app): State<App>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let path = head.uri.path().strip_prefix(PREFIX).unwrap_or_default();
    let function = path.split('/').next().unwrap_or_default().to_owned();
    match app.lambda.has_url(&function) {
        Ok(true) => {}
        Ok(false) => {
            let text =
                format!("function {function} has no URL: set url = true in [function.{function}]");
            return refuse(StatusCode::FORBIDDEN, "Forbidden", &text);
        }
        Err(error) => return refuse(StatusCode::NOT_FOUND, "NotFound", &error.to_string()),
    }
    let Ok(body) = Limited::new(body, BODY_LIMIT).collect().await else {
        return refuse(
            StatusCode::PAYLOAD_TOO_LARGE,
            "PayloadTooLarge",
            "the request's body is larger than 6 MB or was cut off",
        );
    };
    let facts = Facts {
        base_url: &app.base_url,
        function: &function,
        request_id: &uuid::Uuid::new_v4().to_string(),
        now: app.clock.now(),
    };
    let event = event(&head, &body.to_bytes(), &facts);
    let result = app
        .lambda
        .invoke(
            &function,
            Bytes::from(event.to_string()),
            CallContext::default(),
        )
        .await;
    match result {
        Ok(result) if !result.failed => answer(&result.payload),
        Ok(result) => {
            let (kind, _) = super::error_of(&result.payload);
            tracing::warn!(
                function,
                kind,
                request_id = result.request_id,
                "a function URL's function failed"
            );
            refuse(
                StatusCode::BAD_GATEWAY,
                "InternalServerException",
                "Internal Server Error",
            )
        }
        Err(error @ InvokeError::Start { .. }) => {
            tracing::warn!(%error, "a function URL's function cannot be started");
            refuse(
                StatusCode::BAD_GATEWAY,
                "InternalServerException",
                "Internal Server Error",
            )
        }
        Err(error) => refuse(StatusCode::NOT_FOUND, "NotFound", &error.to_string()),
    }
}

/// What the event says beside the request.
struct Facts<'a> {
    base_url: &'a str,
    function: &'a str,
    request_id: &'a str,
    now: jiff::Timestamp,
}

/// The event of payload version 2.0; the path is the one behind the function's name.
fn event(head: &Parts, body: &[u8], facts: &Facts<'_>) -> Value {
    let whole = head.uri.path().strip_prefix(PREFIX).unwrap_or_default();
    let path = whole
        .strip_prefix(facts.function)
        .filter(|p| !p.is_empty())
        .unwrap_or("/");
    let query = head.uri.query().unwrap_or_default();
    let mut parameters: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in form(query.as_bytes()) {
        join(&mut parameters, name, &value, ",");
    }
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    let mut cookies = Vec::new();
    for (name, value) in &head.headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        if name == header::COOKIE {
            cookies.extend(
                value
                    .split(';')
                    .map(|c| c.trim().to_owned())
                    .filter(|c| !c.is_empty()),
            );
        }
        join(&mut headers, name.as_str().to_owned(), &value, ",");
    }
    let host = facts
        .base_url
        .split_once("://")
        .map_or(facts.base_url, |(_, host)| host);
    headers.insert(
        "x-forwarded-proto".to_owned(),
        facts
            .base_url
            .split(':')
            .next()
            .unwrap_or("http")
            .to_owned(),
    );
    headers.insert("x-forwarded-for".to_owned(), "127.0.0.1".to_owned());
    let agent = headers.get("user-agent").cloned().unwrap_or_default();
    let mut event = Map::new();
    let mut put = |name: &str, value: Value| event.insert(name.to_owned(), value);
    put("version", json!("2.0"));
    put("routeKey", json!("$default"));
    put("rawPath", json!(path));
    put("rawQueryString", json!(query));
    if !cookies.is_empty() {
        put("cookies", json!(cookies));
    }
    put("headers", json!(headers));
    if !parameters.is_empty() {
        put("queryStringParameters", json!(parameters));
    }
    put(
        "requestContext",
        json!({
            "accountId": "anonymous",
            "apiId": facts.function,
            "domainName": host,
            "domainPrefix": facts.function,
            "http": {
                "method": head.method.as_str(),
                "path": path,
                "protocol": format!("{:?}", head.version),
                "sourceIp": "127.0.0.1",
                "userAgent": agent,
            },
            "requestId": facts.request_id,
            "routeKey": "$default",
            "stage": "$default",
            "time": facts.now.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string(),
            "timeEpoch": facts.now.as_millisecond(),
        }),
    );
    let (encoded, body) = match std::str::from_utf8(body) {
        Ok(text) if is_text(&head.headers) => (false, text.to_owned()),
        _ => (true, BASE64_STANDARD.encode(body)),
    };
    if !body.is_empty() {
        put("body", json!(body));
    }
    put("isBase64Encoded", json!(encoded && !body.is_empty()));
    Value::Object(event)
}

fn join(map: &mut BTreeMap<String, String>, name: String, value: &str, between: &str) {
    map.entry(name)
        .and_modify(|all| {
            all.push_str(between);
            all.push_str(value);
        })
        .or_insert_with(|| value.to_owned());
}

/// Lambda passes these as text and everything else, forms included, as base64.
fn is_text(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok());
    let kind = kind
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    kind.starts_with("text/")
        || matches!(
            kind,
            "application/json" | "application/javascript" | "application/xml"
        )
        || kind.ends_with("+json")
        || kind.ends_with("+xml")
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    status_code: u16,
    #[serde(default)]
    headers: BTreeMap<String, Value>,
    #[serde(default)]
    cookies: Vec<String>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

/// What a function answered as an HTTP answer: a map with `statusCode` is one, anything else is the body of a 200 with
/// JSON.
pub fn answer(payload: &[u8]) -> Response {
    let value: Value = serde_json::from_slice(payload).unwrap_or_default();
    if value.get("statusCode").is_none() {
        let body = match &value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let kind = [(header::CONTENT_TYPE, "application/json")];
        return (kind, body).into_response();
    }
    let bad = || {
        refuse(
            StatusCode::BAD_GATEWAY,
            "InternalServerException",
            "Internal Server Error",
        )
    };
    let Ok(answer) = serde_json::from_value::<Answer>(value) else {
        return bad();
    };
    let Ok(status) = StatusCode::from_u16(answer.status_code) else {
        return bad();
    };
    let body = answer.body.unwrap_or_default();
    let body = if answer.is_base64_encoded {
        match BASE64_STANDARD.decode(body) {
            Ok(bytes) => Body::from(bytes),
            Err(_) => return bad(),
        }
    } else {
        Body::from(body)
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    for (name, value) in &answer.headers {
        let value = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value))
        else {
            return bad();
        };
        if !is_hop(&name) {
            headers.insert(name, value);
        }
    }
    for cookie in answer.cookies {
        match HeaderValue::try_from(cookie) {
            Ok(cookie) => headers.append(header::SET_COOKIE, cookie),
            Err(_) => return bad(),
        };
    }
    response
}

/// Headers that belong to the connection, not to the function.
fn is_hop(name: &HeaderName) -> bool {
    [
        header::CONNECTION,
        header::TRANSFER_ENCODING,
        header::CONTENT_LENGTH,
        header::UPGRADE,
    ]
    .contains(name)
}

fn refuse(status: StatusCode, kind: &str, message: &str) -> Response {
    let body = json!({"Code": kind, "Message": message}).to_string();
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_post_becomes_an_event() {
        let request = http::Request::builder()
            .method("POST")
            .uri("/_stagewright/function/approval-respond/a/TOKEN%20x?b=1&b=2&c=%26")
            .header("Content-Type", "application/x-www-form-urlencoded")
            .header("Cookie", "one=1; two=2")
            .header("User-Agent", "test")
            .body(())
            .unwrap();
        let facts = Facts {
            base_url: "http://127.0.0.1:4599",
            function: "approval-respond",
            request_id: "id",
            now: jiff::Timestamp::UNIX_EPOCH,
        };
        let event = event(&request.into_parts().0, b"x=1", &facts);
        assert_eq!(event["rawPath"], "/a/TOKEN%20x");
        assert_eq!(event["rawQueryString"], "b=1&b=2&c=%26");
        assert_eq!(
            event["queryStringParameters"],
            json!({"b": "1,2", "c": "&"})
        );
        assert_eq!(event["cookies"], json!(["one=1", "two=2"]));
        assert_eq!(
            event["headers"]["content-type"],
            "application/x-www-form-urlencoded"
        );
        assert_eq!(
            (&event["body"], &event["isBase64Encoded"]),
            (&json!("eD0x"), &json!(true))
        );
        let http = &event["requestContext"]["http"];
        assert_eq!(
            (&http["method"], &http["protocol"]),
            (&json!("POST"), &json!("HTTP/1.1"))
        );
        assert_eq!(
            event["requestContext"]["time"],
            "01/Jan/1970:00:00:00 +0000"
        );
    }

    #[tokio::test]
    async fn answers_are_mapped() {
        let payload = r#"{"statusCode":303,"headers":{"Location":"/x","content-type":"text/html"},"cookies":["a=1","b=2"],"body":"aGk=","isBase64Encoded":true}"#;
        let response = answer(payload.as_bytes());
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        assert_eq!(response.headers()["location"], "/x");
        assert_eq!(response.headers().get_all("set-cookie").iter().count(), 2);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(&body[..], b"hi");
        assert_eq!(answer(br#"{"a":1}"#).status(), StatusCode::OK);
        for bad in [
            r#"{"statusCode":9}"#,
            r#"{"statusCode":200,"headers":{"a b":"c"}}"#,
            r#"{"statusCode":200,"body":"?","isBase64Encoded":true}"#,
        ] {
            assert_eq!(
                answer(bad.as_bytes()).status(),
                StatusCode::BAD_GATEWAY,
                "{bad}"
            );
        }
    }
}

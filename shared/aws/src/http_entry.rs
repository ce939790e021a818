//! HTTP events at the door (payload 2.0: function URL and HTTP API), and answers on the way out.

use aws_lambda_events::event::lambda_function_urls::LambdaFunctionUrlRequest;
use serde_json::{Map, Value, json};
use shared::approval::http::{Body, HttpAnswer, HttpRequest};

/// Why an event is not an HTTP request. Holds none of its values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the event is not an HTTP request of payload version 2.0 (function URL or HTTP API)")]
pub struct HttpEventError;

/// The request of an event.
///
/// # Errors
/// When it is no HTTP event of payload version 2.0.
pub fn request(event: Value) -> Result<HttpRequest, HttpEventError> {
    let event: LambdaFunctionUrlRequest =
        serde_json::from_value(event).map_err(|_| HttpEventError)?;
    if event.version.as_deref() != Some("2.0") {
        return Err(HttpEventError);
    }
    let headers = event
        .headers
        .iter()
        .filter_map(|(name, value)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        })
        .collect();
    let source = event.request_context.http.source_ip.as_deref();
    let source = source.and_then(|ip| ip.parse().ok());
    Ok(HttpRequest {
        source,
        method: event.request_context.http.method.ok_or(HttpEventError)?,
        path: event.raw_path.ok_or(HttpEventError)?,
        query: event.raw_query_string.unwrap_or_default(),
        headers,
        cookies: event.cookies.unwrap_or_default(),
        body: match event.body {
            None => Body::Empty,
            Some(text) if event.is_base64_encoded => Body::Base64(text),
            Some(text) => Body::Text(text),
        },
    })
}

/// The answer as Lambda takes it.
pub fn answer(answer: HttpAnswer) -> Value {
    let headers: Map<String, Value> = answer
        .headers
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    json!({
        "statusCode": answer.status,
        "headers": headers,
        "cookies": answer.cookies,
        "body": answer.body,
        "isBase64Encoded": false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = include_str!("../events/function-url-post.json");

    #[test]
    fn a_form_post_is_read_and_other_events_are_refused() {
        let good: Value = serde_json::from_str(EVENT).unwrap();
        let request = super::request(good.clone()).unwrap();
        assert_eq!(
            (request.method.as_str(), request.path.as_str()),
            ("POST", "/a/v4.public.x")
        );
        assert_eq!(request.header("sec-fetch-site"), Some("same-origin"));
        assert_eq!(request.cookie("stagewright_form"), Some("c1"));
        assert!(request.body == Body::Base64("dmVyZGljdD1hcHByb3Zl".to_owned()));
        let mut old = good;
        old["version"] = "1.0".into();
        assert_eq!(super::request(old).unwrap_err(), HttpEventError);
        let job = json!({"CodePipeline.job": {}});
        assert_eq!(super::request(job).unwrap_err(), HttpEventError);
    }
}

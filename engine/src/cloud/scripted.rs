//! A service for tests: every call is answered by a closure, over HTTP.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, Uri},
    response::Response,
};

/// What was asked: the operation, and its body as JSON (a form becomes an object of texts, an object of S3 its path and size).
pub type Asked = (String, serde_json::Value);

type Answers = Arc<Mutex<dyn FnMut(&Asked) -> (u16, String) + Send>>;

/// Serves until the test ends; the endpoint.
pub async fn serve(answers: impl FnMut(&Asked) -> (u16, String) + Send + 'static) -> String {
    let answers: Answers = Arc::new(Mutex::new(answers));
    let router = Router::new().fallback(answer).with_state(answers);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

async fn answer(
    State(answers): State<Answers>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    assert!(
        headers["authorization"]
            .to_str()
            .unwrap()
            .starts_with("AWS4-HMAC-SHA256 ")
    );
    let text = || String::from_utf8(body.to_vec()).unwrap();
    let asked = match headers.get("x-amz-target") {
        Some(target) => {
            let target = target.to_str().unwrap();
            let operation = target.rsplit('.').next().unwrap().to_owned();
            (operation, serde_json::from_str(&text()).unwrap())
        }
        None if method == Method::PUT => {
            let object = serde_json::json!({"path": uri.path(), "bytes": body.len()});
            ("PutObject".to_owned(), object)
        }
        None => {
            let form: std::collections::BTreeMap<String, String> =
                crate::face::call::form(text().as_bytes())
                    .into_iter()
                    .collect();
            (form["Action"].clone(), serde_json::to_value(form).unwrap())
        }
    };
    let (status, body) = (answers.lock().unwrap())(&asked);
    Response::builder()
        .status(status)
        .body(body.into())
        .unwrap()
}

//! The Runtime API (2018-06-01) of one function process: one loopback listener, so the address names the process.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Body, Incoming},
    header::HeaderValue,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot, watch},
};
use tokio_util::sync::CancellationToken;

const PREFIX: &str = "/2018-06-01/runtime/";
/// Largest answer of a synchronous call: 6 MB and some, as Lambda's error text says.
pub(super) const ANSWER_LIMIT: usize = 6_291_556;

/// One call on its way to the process.
#[derive(Debug)]
pub(super) struct Call {
    pub request_id: String,
    pub payload: Bytes,
    /// Milliseconds since 1970 by the machine's clock, which is the function's too.
    pub deadline_ms: i64,
    pub function_arn: String,
    pub trace_id: String,
    /// Set once the process has fetched the call.
    pub taken: Arc<AtomicBool>,
    pub answer: oneshot::Sender<Answer>,
}

/// What the process says about a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Response(Bytes),
    /// The error object as it was sent.
    Error(Bytes),
    TooLarge,
}

/// How far the process is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Phase {
    /// How often it asked for a call.
    pub asked: u64,
    /// The error object of `init/error`.
    pub init_error: Option<Bytes>,
}

/// The engine's side of one Runtime API.
#[derive(Debug)]
pub(super) struct Door {
    pub address: SocketAddr,
    pub calls: mpsc::Sender<Call>,
    pub phase: watch::Receiver<Phase>,
    /// Dropping it closes the listener and its connections.
    _close: tokio_util::sync::DropGuard,
}

struct Inside {
    queue: tokio::sync::Mutex<mpsc::Receiver<Call>>,
    open: Mutex<Option<(String, oneshot::Sender<Answer>)>>,
    phase: watch::Sender<Phase>,
}

/// Opens a Runtime API on a free loopback port.
pub(super) async fn open() -> std::io::Result<Door> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let (calls, queue) = mpsc::channel(1);
    let (phase, watched) = watch::channel(Phase::default());
    let inside = Arc::new(Inside {
        queue: tokio::sync::Mutex::new(queue),
        open: Mutex::default(),
        phase,
    });
    let close = CancellationToken::new();
    tokio::spawn(
        close
            .clone()
            .run_until_cancelled_owned(serve(listener, inside, close.clone())),
    );
    Ok(Door {
        address,
        calls,
        phase: watched,
        _close: close.drop_guard(),
    })
}

async fn serve(listener: TcpListener, inside: Arc<Inside>, close: CancellationToken) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let inside = Arc::clone(&inside);
        let connection = http1::Builder::new().serve_connection(
            TokioIo::new(stream),
            service_fn(move |request| {
                let inside = Arc::clone(&inside);
                async move { Ok::<_, Infallible>(inside.answer(request).await) }
            }),
        );
        tokio::spawn(close.clone().run_until_cancelled_owned(connection));
    }
}

impl Inside {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path().to_owned();
        let Some(path) = path.strip_prefix(PREFIX) else {
            return refuse(
                StatusCode::NOT_FOUND,
                "InvalidPath",
                "not a path of the Runtime API",
            );
        };
        let get = request.method() == Method::GET;
        let segments: Vec<&str> = path.split('/').collect();
        match segments.as_slice() {
            ["invocation", "next"] if get => self.next().await,
            ["invocation", id, "response"] if !get => self.response(id, request).await,
            ["invocation", id, "error"] if !get => {
                let error = body(request).await.unwrap_or_default();
                self.settle(id, Answer::Error(error))
            }
            ["init", "error"] if !get => {
                let error = body(request).await.unwrap_or_default();
                self.phase.send_modify(|p| p.init_error = Some(error));
                accepted()
            }
            _ => refuse(
                StatusCode::NOT_FOUND,
                "InvalidPath",
                "not a path of the Runtime API",
            ),
        }
    }

    async fn next(&self) -> Response<Full<Bytes>> {
        self.phase.send_modify(|p| p.asked += 1);
        let Some(call) = self.queue.lock().await.recv().await else {
            return refuse(StatusCode::GONE, "Closed", "the engine is ending");
        };
        call.taken.store(true, Ordering::Release);
        let mut response = Response::new(Full::new(call.payload));
        let headers = response.headers_mut();
        let deadline = call.deadline_ms.to_string();
        for (name, value) in [
            ("content-type", "application/json"),
            ("lambda-runtime-aws-request-id", &call.request_id),
            ("lambda-runtime-deadline-ms", &deadline),
            ("lambda-runtime-invoked-function-arn", &call.function_arn),
            ("lambda-runtime-trace-id", &call.trace_id),
        ] {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        }
        *self.lock() = Some((call.request_id, call.answer));
        response
    }

    async fn response(&self, id: &str, request: Request<Incoming>) -> Response<Full<Bytes>> {
        match body(request).await {
            Some(bytes) => self.settle(id, Answer::Response(bytes)),
            None => {
                self.settle(id, Answer::TooLarge);
                refuse(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "RequestEntityTooLarge",
                    "Exceeded maximum allowed payload size (6291556 bytes).",
                )
            }
        }
    }

    fn settle(&self, id: &str, answer: Answer) -> Response<Full<Bytes>> {
        let mut open = self.lock();
        match open.take_if(|(mine, _)| mine == id) {
            Some((_, sender)) => {
                // The caller may have gone; the process has done its part.
                let _ = sender.send(answer);
                accepted()
            }
            None => refuse(
                StatusCode::BAD_REQUEST,
                "InvalidRequestID",
                "Invalid request ID",
            ),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(String, oneshot::Sender<Answer>)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The whole body; `None` when it is larger than an answer may be or was cut off.
async fn body(request: Request<Incoming>) -> Option<Bytes> {
    let body = request.into_body();
    if body.size_hint().lower() > ANSWER_LIMIT as u64 {
        return None;
    }
    let collected = Limited::new(body, ANSWER_LIMIT).collect().await.ok()?;
    Some(collected.to_bytes())
}

fn accepted() -> Response<Full<Bytes>> {
    json(StatusCode::ACCEPTED, r#"{"status":"OK"}"#.to_owned())
}

fn refuse(status: StatusCode, kind: &str, message: &str) -> Response<Full<Bytes>> {
    let text = serde_json::json!({"errorMessage": message, "errorType": kind});
    json(status, text.to_string())
}

fn json(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert("content-type", HeaderValue::from_static("application/json"));
    response
}

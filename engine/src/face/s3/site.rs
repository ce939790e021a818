//! Web site buckets at `/_stagewright/site/BUCKET/…`, as S3's website endpoint serves them.

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::Response,
    routing::get,
};
use http::{Method, StatusCode, request::Parts};

use super::{
    S3Fault, SANDBOX,
    object::{open, set, unreadable},
    range::{self, Verdict},
};
use crate::{
    app::App,
    face::call::{decode, escape, respond},
    store::objects::{ObjectInfo, StoreError},
};

/// Where sites are.
const PREFIX: &str = "/_stagewright/site/";
const INDEX: &str = "index.html";
const NOT_FOUND: &str = "404.html";

/// The routes; mount with `Router::merge`.
pub fn routes() -> Router<App> {
    Router::new().route("/_stagewright/site/{*path}", get(serve))
}

async fn serve(State(app): State<App>, request: Request) -> Response {
    let (head, _) = request.into_parts();
    let path = head.uri.path().strip_prefix(PREFIX).unwrap_or_default();
    let (bucket, key) = match path.split_once('/') {
        Some((bucket, key)) => (decode(bucket), Some(decode(key))),
        None => (decode(path), None),
    };
    match page(&app, &bucket, key.as_deref(), &head).await {
        Ok(response) => response,
        Err(fault) => not_found(&app, &bucket, &fault).await,
    }
}

/// `key` is `None` for the bucket's address without a slash at its end.
async fn page(
    app: &App,
    bucket: &str,
    key: Option<&str>,
    head: &Parts,
) -> Result<Response, S3Fault> {
    if !app.objects.bucket(bucket).await?.website {
        return Err(S3Fault::access_denied(format!(
            "bucket {bucket} is no web site"
        )));
    }
    let to_folder = || redirect(&format!("{}/", head.uri.path()));
    let Some(key) = key else {
        return Ok(to_folder());
    };
    let is_folder = key.is_empty() || key.ends_with('/');
    let name = if is_folder {
        format!("{key}{INDEX}")
    } else {
        key.to_owned()
    };
    let found = match app.objects.get(bucket, &name, None).await {
        Err(StoreError::NoSuchKey { .. }) if !is_folder => {
            app.objects
                .head(bucket, &format!("{key}/{INDEX}"), None)
                .await?;
            return Ok(to_folder());
        }
        found => found?,
    };
    let (info, path) = found;
    let verdict = range::verdict(&head.headers, "", &info.etag, info.last_modified);
    let (status, body) = match verdict {
        Verdict::Send if head.method == Method::HEAD => (StatusCode::OK, Body::empty()),
        Verdict::Send => (
            StatusCode::OK,
            open(&path, 0, info.size)
                .await
                .map_err(|error| unreadable(&path, &error))?,
        ),
        Verdict::NotModified => (StatusCode::NOT_MODIFIED, Body::empty()),
        Verdict::Failed => (StatusCode::PRECONDITION_FAILED, Body::empty()),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    describe(&info, &mut response);
    Ok(response)
}

async fn not_found(app: &App, bucket: &str, fault: &S3Fault) -> Response {
    let own = match app.objects.bucket(bucket).await {
        Ok(info) if info.website => app.objects.get(bucket, NOT_FOUND, None).await.ok(),
        _ => None,
    };
    if let Some((info, path)) = own
        && let Ok(body) = open(&path, 0, info.size).await
    {
        let mut response = Response::new(body);
        *response.status_mut() = StatusCode::NOT_FOUND;
        describe(&info, &mut response);
        return response;
    }
    let text = format!(
        "<!doctype html><title>{0}</title><h1>{0}</h1><p>{1}</p>",
        escape(&fault.code),
        escape(&fault.message)
    );
    respond(fault.status, "text/html; charset=utf-8", text)
}

fn redirect(to: &str) -> Response {
    let mut response = respond(302, "text/plain", String::new());
    set(response.headers_mut(), "location", to);
    response
}

fn describe(info: &ObjectInfo, response: &mut Response) {
    let out = response.headers_mut();
    set(out, "etag", format!("\"{}\"", info.etag));
    set(out, "last-modified", range::http_date(info.last_modified));
    set(
        out,
        "content-type",
        info.headers
            .content_type
            .as_deref()
            .unwrap_or("binary/octet-stream"),
    );
    let kept = [
        ("cache-control", &info.headers.cache_control),
        ("content-encoding", &info.headers.content_encoding),
        ("content-disposition", &info.headers.content_disposition),
    ];
    for (name, value) in kept {
        if let Some(value) = value {
            set(out, name, value);
        }
    }
    set(out, "content-security-policy", SANDBOX);
    set(out, "x-content-type-options", "nosniff");
}

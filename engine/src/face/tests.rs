//! The listener with real requests.

use std::{path::Path, sync::Arc};

use axum::Router;
use engine_events::book::Home;
use engine_plan::event::Settings;
use http::{HeaderMap, Method, StatusCode};
use jiff::SignedDuration;
use reqwest::RequestBuilder;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::serve;
use crate::{
    alarm::Alarms,
    app::App,
    bus::Bus,
    clock::Clock,
    config::Config,
    desk::Desk,
    eventbridge::EventRules,
    lambda::{HostSettings, LambdaHost},
    logs::Logs,
    mail::MailSink,
    store::{
        keys::Keys,
        objects::{BucketSettings, ObjectStore},
        tables::Tables,
    },
    topic::{TopicSettings, Topics},
    vault::{IssuedCredentials, Scope, Vault},
};

/// A listening engine, taken down when it is dropped.
struct Listening {
    app: App,
    client: reqwest::Client,
    _stop: DropGuard,
    _folder: TempDir,
}

#[tokio::test]
async fn objects_go_in_and_out() {
    let engine = listening(|_| {}).await;
    let s3 = |method, path: &str| engine.signed(method, path, "s3");
    assert_eq!(status(s3(Method::PUT, "/bucket")).await, 200);
    let put = s3(Method::PUT, "/bucket/a%20b/%C3%BC.txt")
        .header("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
        .header("content-encoding", "aws-chunked")
        .header("x-amz-decoded-content-length", "5")
        .header("x-amz-trailer", "x-amz-checksum-crc32")
        .header("x-amz-meta-who", "me")
        .header("content-type", "text/plain");
    let broken = put
        .try_clone()
        .unwrap()
        .body("5\r\nhellO\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n");
    let (code, _, text) = answer(broken).await;
    assert!(
        code == 400 && text.contains("<Code>BadDigest</Code>"),
        "{text}"
    );
    let whole = put.body("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n");
    let (code, headers, _) = answer(whole).await;
    assert_eq!(
        (code, &headers["x-amz-checksum-crc32"]),
        (200.try_into().unwrap(), &"NhCmhg==".parse().unwrap())
    );

    let get = || s3(Method::GET, "/bucket/a%20b/%C3%BC.txt");
    let (_, headers, text) = answer(get()).await;
    assert_eq!(
        (text.as_str(), &headers["x-amz-meta-who"]),
        ("hello", &"me".parse().unwrap())
    );
    assert!(headers.get("content-encoding").is_none());
    let (code, headers, text) = answer(get().header("range", "bytes=1-3")).await;
    assert_eq!(
        (code.as_u16(), text.as_str(), &headers["content-range"]),
        (206, "ell", &"bytes 1-3/5".parse().unwrap())
    );
    assert_eq!(status(get().header("range", "bytes=5-")).await, 416);
    assert_eq!(
        status(get().header("if-none-match", &headers["etag"])).await,
        304
    );

    let (code, _, text) = answer(s3(Method::GET, "/absent/k")).await;
    assert!(
        code == 404 && text.contains("<Code>NoSuchBucket</Code>") && text.contains("absent"),
        "{text}"
    );
    let (code, _, text) = answer(s3(Method::GET, "/bucket?acl")).await;
    assert!(code == 501 && text.contains("GET /BUCKET?acl"), "{text}");
}

#[tokio::test]
async fn a_host_may_name_the_bucket() {
    let engine = listening(|_| {}).await;
    engine.bucket("my.bucket", BucketSettings::default()).await;
    let host = |request: RequestBuilder| request.header("host", "my.bucket.localhost:4599");
    assert_eq!(
        status(host(engine.signed(Method::PUT, "/k", "s3")).body("x")).await,
        200
    );
    let (_, _, text) = answer(engine.signed(Method::GET, "/my.bucket/k", "s3")).await;
    assert_eq!(text, "x");
}

#[tokio::test]
async fn a_job_opens_its_artifacts_only() {
    let engine = listening(|_| {}).await;
    engine.bucket("artifacts", BucketSettings::default()).await;
    for key in ["in", "other"] {
        assert_eq!(
            status(
                engine
                    .signed(Method::PUT, &format!("/artifacts/{key}"), "s3")
                    .body("x")
            )
            .await,
            200
        );
    }
    let artifact = |key: &str| ("artifacts".to_owned(), key.to_owned());
    let scope = Scope {
        read: vec![artifact("in")],
        write: vec![artifact("out")],
    };
    let now = engine.app.clock.now();
    let job = engine
        .app
        .vault
        .issue(scope.clone(), now + SignedDuration::from_mins(5));
    let ended = engine
        .app
        .vault
        .issue(scope, now - SignedDuration::from_mins(5));
    let check =
        async |credentials: &IssuedCredentials, method, path: &str, expected: u16, code: &str| {
            let request = engine.with_credentials(method, path, "s3", credentials);
            let (status, _, text) = answer(request).await;
            assert_eq!(status, expected, "{path}: {text}");
            assert!(text.contains(code), "{path}: {text}");
            assert!(!text.contains(credentials.session_token.reveal()));
        };
    check(&job, Method::GET, "/artifacts/in", 200, "x").await;
    check(&job, Method::PUT, "/artifacts/out", 200, "").await;
    check(
        &job,
        Method::POST,
        "/artifacts/out?uploads",
        200,
        "UploadId",
    )
    .await;
    for (method, path) in [
        (Method::PUT, "/artifacts/in"),
        (Method::GET, "/artifacts/other"),
        (Method::DELETE, "/artifacts/out"),
        (Method::GET, "/artifacts"),
        (Method::GET, "/"),
    ] {
        check(&job, method, path, 403, "<Code>AccessDenied</Code>").await;
    }
    check(
        &ended,
        Method::GET,
        "/artifacts/in",
        400,
        "<Code>ExpiredToken</Code>",
    )
    .await;
    let copies = engine
        .with_credentials(Method::PUT, "/artifacts/out", "s3", &job)
        .header("x-amz-copy-source", "artifacts/other");
    assert_eq!(status(copies).await, 403);
    let tables = engine
        .with_credentials(Method::POST, "/", "dynamodb", &job)
        .header("x-amz-target", "DynamoDB_20120810.ListTables");
    assert_eq!(status(tables).await, 403);
}

#[tokio::test]
async fn presigned_urls_end() {
    let engine = listening(|_| {}).await;
    engine.bucket("bucket", BucketSettings::default()).await;
    assert_eq!(
        status(engine.signed(Method::PUT, "/bucket/k", "s3").body("x")).await,
        200
    );
    let now = engine.app.clock.now();
    let url = |from: i64, seconds: &str| {
        let date = (now + SignedDuration::from_secs(from)).strftime("%Y%m%dT%H%M%SZ");
        format!(
            "/bucket/k?X-Amz-Credential=AK%2FD%2FR%2Fs3%2Faws4_request&X-Amz-Date={date}&X-Amz-Expires={seconds}"
        )
    };
    let old = |from: i64| {
        format!(
            "/bucket/k?AWSAccessKeyId=AK&Signature=s&Expires={}",
            now.as_second() + from
        )
    };
    for (path, expected) in [
        (url(-5, "60"), 200),
        (url(-61, "60"), 403),
        (url(3600, "60"), 403),
        (url(0, "700000"), 400),
        (old(60), 200),
        (old(-1), 403),
    ] {
        assert_eq!(
            status(engine.request(Method::GET, &path)).await,
            expected,
            "{path}"
        );
    }
}

#[tokio::test]
async fn only_web_sites_are_open_to_all() {
    let engine = listening(|_| {}).await;
    engine
        .bucket(
            "site",
            BucketSettings {
                website: true,
                ..BucketSettings::default()
            },
        )
        .await;
    engine.bucket("closed", BucketSettings::default()).await;
    for path in [
        "/site/index.html",
        "/site/sub/index.html",
        "/site/404.html",
        "/closed/index.html",
    ] {
        let put = engine
            .signed(Method::PUT, path, "s3")
            .header("cache-control", "max-age=60");
        assert_eq!(
            status(
                put.header("content-type", "text/html")
                    .body(path.to_owned())
            )
            .await,
            200
        );
    }
    for (method, path, expected, text) in [
        (
            Method::GET,
            "/_stagewright/site/site/",
            200,
            "/site/index.html",
        ),
        (Method::GET, "/_stagewright/site/site", 302, ""),
        (Method::GET, "/_stagewright/site/site/sub", 302, ""),
        (
            Method::GET,
            "/_stagewright/site/site/sub/",
            200,
            "/site/sub/index.html",
        ),
        (
            Method::GET,
            "/_stagewright/site/site/none",
            404,
            "/site/404.html",
        ),
        (
            Method::GET,
            "/_stagewright/site/closed/",
            403,
            "AccessDenied",
        ),
        (Method::GET, "/_stagewright/site/none/", 404, "NoSuchBucket"),
        (Method::GET, "/site/index.html", 200, "/site/index.html"),
        (Method::GET, "/site", 403, "AccessDenied"),
        (Method::PUT, "/site/index.html", 403, "AccessDenied"),
        (Method::GET, "/closed/index.html", 403, "AccessDenied"),
    ] {
        let (code, headers, body) = answer(engine.request(method, path)).await;
        assert_eq!(code, expected, "{path}");
        assert!(body.contains(text), "{path}: {body}");
        if code == 200 {
            assert_eq!(
                (&headers["content-type"], &headers["cache-control"]),
                (
                    &"text/html".parse().unwrap(),
                    &"max-age=60".parse().unwrap()
                )
            );
            assert!(
                headers["content-security-policy"]
                    .to_str()
                    .unwrap()
                    .starts_with("sandbox"),
                "{path}"
            );
        }
    }
}

#[tokio::test]
async fn tables_live_in_the_state_folder() {
    let engine = listening(|_| {}).await;
    let call = async |operation: &str, body: &'static str| {
        let request = engine.signed(Method::POST, "/", "dynamodb");
        let (code, headers, text) = answer(
            request
                .header("x-amz-target", format!("DynamoDB_20120810.{operation}"))
                .body(body),
        )
        .await;
        assert_eq!(headers["content-type"], "application/x-amz-json-1.0");
        (code.as_u16(), text)
    };
    let (code, text) = call(
        "CreateTable",
        r#"{"TableName":"tab","KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}],"AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"}],"BillingMode":"PAY_PER_REQUEST"}"#,
    )
    .await;
    assert_eq!(code, 200, "{text}");
    let put = r#"{"TableName":"tab","Item":{"pk":{"S":"a"}},"ConditionExpression":"attribute_not_exists(pk)"}"#;
    assert_eq!(call("PutItem", put).await.0, 200);
    let (code, text) = call("PutItem", put).await;
    assert!(
        code == 400 && text.contains("#ConditionalCheckFailedException"),
        "{text}"
    );
    let (code, text) = call("GetItem", r#"{"TableName":"tab"}"#).await;
    assert!(
        code == 400 && text.contains("#ValidationException"),
        "{text}"
    );
    let (code, text) = call("CreateBackup", "{}").await;
    assert!(
        code == 501 && text.contains("dynamodb CreateBackup"),
        "{text}"
    );
    let again = Tables::open(&engine.app.state_dir.join("dynamodb.db")).unwrap();
    let item = again
        .call("GetItem", r#"{"TableName":"tab","Key":{"pk":{"S":"a"}}}"#)
        .await;
    assert_eq!(item.unwrap().unwrap(), r#"{"Item":{"pk":{"S":"a"}}}"#);
}

#[tokio::test]
async fn foreign_names_and_endings_are_handled() {
    let engine = listening(|_| {}).await;
    let console = |host: &'static str| {
        engine
            .request(Method::GET, "/_stagewright/mail")
            .header("host", host)
    };
    assert_eq!(status(console("rebound.example.com")).await, 421);
    assert_ne!(status(console("localhost")).await, 421);

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let serving = tokio::spawn(serve(engine.app.clone(), listener, stop.clone()));
    // An idle connection keeps nobody waiting.
    let kept = reqwest::Client::new();
    assert_eq!(
        kept.get(format!("http://{address}/absent/k"))
            .send()
            .await
            .unwrap()
            .status(),
        404
    );
    stop.cancel();
    let ended = tokio::time::timeout(std::time::Duration::from_secs(20), serving).await;
    ended.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn sts_tells_who_calls() {
    let engine = listening(|_| {}).await;
    let form = ("content-type", "application/x-www-form-urlencoded");
    let call = |body: &'static str| {
        engine
            .signed(Method::POST, "/", "sts")
            .header(form.0, form.1)
            .body(body)
    };
    let (_, _, text) = answer(call("Action=GetCallerIdentity&Version=2011-06-15")).await;
    assert!(
        text.contains("<Arn>arn:aws:iam::123456789012:user/AKIA</Arn>"),
        "{text}"
    );
    let (_, _, text) = answer(call(
        "Action=AssumeRole&RoleArn=arn:aws:iam::1:role/p/r&RoleSessionName=me",
    ))
    .await;
    assert!(
        text.contains("<Arn>arn:aws:sts::1:assumed-role/r/me</Arn>")
            && text.contains("<SessionToken>"),
        "{text}"
    );
    assert_eq!(
        status(call("Action=AssumeRole&RoleArn=r&RoleSessionName=me")).await,
        400
    );
}

#[tokio::test]
async fn what_is_not_there_is_refused_by_name_or_forwarded() {
    let engine = listening(|_| {}).await;
    let queues = |engine: &Listening| {
        engine
            .signed(Method::POST, "/?x=1", "sqs")
            .header("x-amz-target", "AmazonSQS.ListQueues")
            .body("{\"a\":1}")
    };
    let stacks = |engine: &Listening| {
        engine
            .signed(Method::POST, "/", "cloudformation")
            .header("content-type", "application/x-www-form-urlencoded")
            .body("Action=ListStacks")
    };
    for (request, name) in [
        (queues(&engine), "sqs ListQueues"),
        (stacks(&engine), "cloudformation ListStacks"),
        (
            engine.signed(Method::GET, "/v1/apis", "apigateway"),
            "apigateway GET /v1/apis",
        ),
        (
            engine
                .signed(Method::POST, "/", "kms")
                .header("x-amz-target", "TrentService.Odd"),
            "Odd",
        ),
    ] {
        let (code, _, text) = answer(request).await;
        assert!(code == 501 && text.contains(name), "{code} {text}");
    }
    let unsigned = engine
        .request(Method::POST, "/")
        .header("x-amz-target", "DynamoDB_20120810.ListTables");
    assert_eq!(status(unsigned).await, 403);

    let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = upstream.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(upstream, Router::new().fallback(echo)).await });
    let engine = listening(|app| app.upstream = Some(format!("http://{address}/").into())).await;
    let (code, headers, text) =
        answer(queues(&engine).header("host", "sqs.eu-west-1.amazonaws.com")).await;
    assert_eq!(
        (code.as_u16(), &headers["x-upstream"]),
        (418, &"yes".parse().unwrap())
    );
    assert!(
        text.starts_with(
            "POST /?x=1 sqs.eu-west-1.amazonaws.com AWS4-HMAC-SHA256 Credential=AKIA/"
        ),
        "{text}"
    );
    assert!(text.ends_with("{\"a\":1}"), "{text}");
    let (_, _, text) = answer(engine.signed(Method::GET, "/v1/apis", "apigateway")).await;
    assert!(
        text.starts_with("GET /v1/apis 127.0.0.1") && text.ends_with(" -"),
        "{text}"
    );
    let (code, _, _) = answer(stacks(&engine)).await;
    assert_eq!(code, 418);
    // What has a face stays here.
    assert_eq!(status(engine.signed(Method::GET, "/", "s3")).await, 200);
    let engine = listening(|app| app.upstream = Some("http://127.0.0.1:1".into())).await;
    let (code, _, text) = answer(queues(&engine)).await;
    assert!(code == 502 && text.contains("http://127.0.0.1:1"), "{text}");
}

async fn echo(
    request: axum::extract::Request,
) -> (StatusCode, [(&'static str, &'static str); 1], String) {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1_000).await.unwrap();
    let header = |name: &str| head.headers[name].to_str().unwrap().to_owned();
    let (host, signature) = (header("host"), header("authorization"));
    let framed = ["content-length", "transfer-encoding"]
        .iter()
        .any(|name| head.headers.contains_key(*name));
    let body = if framed {
        String::from_utf8_lossy(&body).into_owned()
    } else {
        "-".to_owned()
    };
    let text = format!("{} {} {host} {signature} {body}", head.method, head.uri);
    (StatusCode::IM_A_TEAPOT, [("x-upstream", "yes")], text)
}

async fn status(request: RequestBuilder) -> u16 {
    answer(request).await.0.as_u16()
}

async fn answer(request: RequestBuilder) -> (StatusCode, HeaderMap, String) {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    (status, headers, response.text().await.unwrap())
}

impl Listening {
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("{}{path}", self.app.base_url))
    }

    fn signed(&self, method: Method, path: &str, service: &str) -> RequestBuilder {
        self.request(method, path)
            .header("authorization", authorization("AKIA", service))
    }

    fn with_credentials(
        &self,
        method: Method,
        path: &str,
        service: &str,
        credentials: &IssuedCredentials,
    ) -> RequestBuilder {
        self.request(method, path)
            .header(
                "authorization",
                authorization(&credentials.access_key_id, service),
            )
            .header("x-amz-security-token", credentials.session_token.reveal())
    }

    async fn bucket(&self, name: &str, settings: BucketSettings) {
        self.app
            .objects
            .create_bucket(name, settings)
            .await
            .unwrap();
    }
}

fn authorization(access_key: &str, service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential={access_key}/20261123/eu-west-1/{service}/aws4_request, SignedHeaders=host, Signature=00"
    )
}

async fn listening(adjust: impl FnOnce(&mut App)) -> Listening {
    drop(rustls::crypto::ring::default_provider().install_default());
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut app = assemble(
        folder.path(),
        &format!("http://{}", listener.local_addr().unwrap()),
    );
    adjust(&mut app);
    let stop = CancellationToken::new();
    tokio::spawn(serve(app.clone(), listener, stop.clone()));
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    Listening {
        app,
        client,
        _stop: stop.drop_guard(),
        _folder: folder,
    }
}

/// An engine with everything in one folder, and the address it is going to listen at.
fn assemble(folder: &Path, base_url: &str) -> App {
    let config = Arc::new(Config::default());
    let base_url: Arc<str> = base_url.into();
    let clock = Clock::real();
    let bus = Bus::new();
    let logs = Logs::new(folder);
    let mail = MailSink::open(&folder.join("mail"), None, clock.clone()).unwrap();
    let lambda = LambdaHost::new(HostSettings {
        config: config.clone(),
        clock: clock.clone(),
        logs: logs.clone(),
        base_url: base_url.clone(),
        binaries: None,
    });
    let topics = TopicSettings {
        config: config.clone(),
        clock: clock.clone(),
        lambda: lambda.clone(),
        logs: logs.clone(),
        mail: mail.clone(),
        base_url: base_url.clone(),
    };
    App {
        alarms: Alarms::open(&folder.join("alarms.json")).unwrap(),
        desk: Desk::open(
            &folder.join("journal.db"),
            clock.clone(),
            bus.clone(),
            Settings::default(),
        )
        .unwrap(),
        objects: ObjectStore::open(&folder.join("s3")).unwrap(),
        tables: Tables::open(&folder.join("dynamodb.db")).unwrap(),
        keys: Keys::open(&folder.join("keys"), config.clone(), clock.clone()).unwrap(),
        topics: Topics::open(&folder.join("topics"), topics).unwrap(),
        vault: Vault::open(&folder.join("vault.key")).unwrap(),
        state_dir: Arc::new(folder.to_owned()),
        upstream: None,
        rules: EventRules::open(
            &folder.join("rules"),
            Home {
                account: config.engine.account.clone(),
                region: config.engine.region.clone(),
            },
            bus.clone(),
            clock.clone(),
        )
        .unwrap(),
        clock,
        mail,
        bus,
        logs,
        lambda,
        config,
        base_url,
    }
}

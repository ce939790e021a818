//! Who is let in, under which name.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::*;

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
async fn a_body_that_never_came_is_not_read_from_the_next_request() {
    let engine = listening(|_| {}).await;
    let host = engine.app.base_url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).await.expect("it listens");
    let put = format!(
        "PUT /artifacts/out HTTP/1.1\r\nhost: {host}\r\nexpect: 100-continue\r\ncontent-length: 1\r\n\r\n"
    );
    let get = format!("GET /_stagewright/ HTTP/1.1\r\nhost: {host}\r\n\r\n");
    stream.write_all(put.as_bytes()).await.expect("sent");
    stream.write_all(get.as_bytes()).await.expect("sent");
    let mut all = Vec::new();
    let end = stream.read_to_end(&mut all);
    let end = timeout(Duration::from_secs(10), end).await;
    end.expect("it closes").expect("an end");
    let all = String::from_utf8_lossy(&all);
    assert!(all.starts_with("HTTP/1.1 403 "), "{all}");
    assert!(all.contains("connection: close"), "{all}");
    assert_eq!(all.matches("HTTP/1.1 ").count(), 1, "{all}");
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
    let named = "Action=AssumeRole&RoleArn=arn:aws:iam::123456789012:role/approver&RoleSessionName=dana%40example.com&SourceIdentity=dana%40example.com";
    let (_, _, text) = answer(call(named)).await;
    assert!(
        text.contains("<SourceIdentity>dana@example.com</SourceIdentity>"),
        "{text}"
    );
    let token = text
        .split("<SessionToken>")
        .nth(1)
        .and_then(|t| t.split('<').next());
    assert_eq!(
        token.and_then(crate::face::sts::session_of).as_deref(),
        Some("approver/dana@example.com")
    );
    for bad in ["x", "dana%20kim", "aws%3Adana"] {
        let named = format!(
            "Action=AssumeRole&RoleArn=arn:aws:iam::1:role/r&RoleSessionName=me&SourceIdentity={bad}"
        );
        let refused = engine
            .signed(Method::POST, "/", "sts")
            .header(form.0, form.1)
            .body(named);
        assert_eq!(status(refused).await, 400, "{bad}");
    }
    assert_eq!(
        status(call("Action=AssumeRole&RoleArn=r&RoleSessionName=me")).await,
        400
    );
}

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
    states::Workflows,
    store::{
        keys::Keys,
        objects::{BucketSettings, ObjectStore},
        tables::Tables,
    },
    topic::{TopicSettings, Topics},
    vault::{IssuedCredentials, Scope, Vault},
};

mod access;
mod objects;

/// A listening engine, taken down when it is dropped.
struct Listening {
    app: App,
    client: reqwest::Client,
    _stop: DropGuard,
    _folder: TempDir,
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
        calls: super::calls::Calls::default(),
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
        workflows: Workflows::open(
            &folder.join("states.db"),
            Home {
                account: config.engine.account.clone(),
                region: config.engine.region.clone(),
            },
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

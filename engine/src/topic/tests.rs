//! Tests of topics: fan-out, confirmation, filters, restart, refusals.

use std::time::Duration;

use axum::{Router, extract::State, http::HeaderMap, routing::post};
use serde_json::Value;
use tokio::{net::TcpListener, sync::mpsc};

use super::*;
use crate::{lambda::HostSettings, logs::Logs};

const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:news";

fn open(folder: &Path, toml: &str) -> io::Result<Topics> {
    let config: Config = toml::from_str(toml).unwrap();
    let (config, clock) = (Arc::new(config), Clock::fast());
    let logs = Logs::new(folder);
    let lambda = LambdaHost::new(HostSettings {
        config: Arc::clone(&config),
        clock: clock.clone(),
        logs: logs.clone(),
        base_url: "http://127.0.0.1:9".into(),
        binaries: None,
    });
    let mail = MailSink::open(&folder.join("mail"), None, clock.clone()).unwrap();
    let settings = TopicSettings {
        config,
        clock,
        lambda,
        logs,
        mail,
        base_url: "http://127.0.0.1:9".into(),
    };
    Topics::open(folder, settings)
}

fn message(body: &str) -> Message {
    Message {
        subject: Some("News".to_owned()),
        body: body.to_owned(),
        ..Message::default()
    }
}

async fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let wait = async {
        loop {
            if let Some(found) = look() {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait)
        .await
        .unwrap()
}

#[tokio::test]
async fn one_message_reaches_function_and_mailbox() {
    let folder = tempfile::tempdir().unwrap();
    let script = r#"
        api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime"
        exec 3<>"/dev/tcp/${AWS_LAMBDA_RUNTIME_API%:*}/${AWS_LAMBDA_RUNTIME_API#*:}"
        printf 'GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n' >&3
        cat <&3
        exit 1
    "#;
    let toml = format!(
        "[engine]\nasync_retry_seconds = []\n[function.f]\ncommand = ['bash', '-c', '''{script}''']\n\
         [topic.news]\nsubscriptions = [{{protocol = 'lambda', endpoint = 'f'}}, {{protocol = 'email', endpoint = 'dana@example.com'}}]"
    );
    let topics = open(folder.path(), &toml).unwrap();
    let id = topics.publish(TOPIC, message("hello")).unwrap();
    let settings = &topics.inner.settings;
    let mail = until(|| settings.mail.list().first().cloned()).await;
    assert_eq!(
        (mail.subject.as_str(), mail.text.as_deref()),
        ("News", Some("hello"))
    );
    let line = until(|| {
        let log = settings.logs.function_tail("f", 1 << 20).unwrap();
        let log = String::from_utf8(log).unwrap();
        log.lines()
            .find(|l| l.starts_with("{\"Records\""))
            .map(str::to_owned)
    })
    .await;
    let event: Value = serde_json::from_str(&line).unwrap();
    let record = &event["Records"][0];
    assert_eq!(record["EventSource"], "aws:sns");
    assert_eq!(record["Sns"]["MessageId"], id.as_str());
    assert_eq!(
        (&record["Sns"]["TopicArn"], &record["Sns"]["Message"]),
        (&TOPIC.into(), &"hello".into())
    );
    let arn = record["EventSubscriptionArn"].as_str().unwrap().to_owned();
    let topics = open(folder.path(), &toml).unwrap();
    let again = topics.subscriptions(Some(TOPIC)).unwrap();
    assert!(
        again.len() == 2 && again.iter().any(|s| s.arn == arn),
        "the same after a restart"
    );
}

#[tokio::test]
async fn an_http_receiver_confirms_and_is_retried() {
    let folder = tempfile::tempdir().unwrap();
    let (heard, mut hearing) = mpsc::unbounded_channel();
    type Heard = mpsc::UnboundedSender<(String, Value)>;
    let take = async |State(heard): State<Heard>, headers: HeaderMap, body: String| {
        let kind = headers["x-amz-sns-message-type"]
            .to_str()
            .unwrap()
            .to_owned();
        let body: Value = serde_json::from_str(&body).unwrap();
        let busy = body["Message"] == "hello" && !heard.is_closed() && kind == "Notification";
        heard.send((kind, body)).unwrap();
        // The first try of the notification fails.
        static TRIES: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let first = busy && TRIES.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0;
        if first {
            axum::http::StatusCode::SERVICE_UNAVAILABLE
        } else {
            axum::http::StatusCode::OK
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/in", listener.local_addr().unwrap());
    let router = Router::new().route("/in", post(take)).with_state(heard);
    tokio::spawn(async move { axum::serve(listener, router).await });

    let topics = open(folder.path(), "").unwrap();
    assert_eq!(topics.create("news", BTreeMap::new()).unwrap(), TOPIC);
    let pending = topics
        .subscribe(TOPIC, "http", &url, BTreeMap::new())
        .unwrap();
    assert!(pending.is_pending());
    let (kind, asked) = hearing.recv().await.unwrap();
    assert_eq!(kind, "SubscriptionConfirmation");
    topics.publish(TOPIC, message("too early")).unwrap();
    assert!(topics.confirm(TOPIC, "wrong").is_err());
    let arn = topics
        .confirm(TOPIC, asked["Token"].as_str().unwrap())
        .unwrap();
    assert_eq!(arn, pending.arn);
    topics.publish(TOPIC, message("hello")).unwrap();
    for _ in 0..2 {
        let (kind, body) = hearing.recv().await.unwrap();
        assert_eq!(
            (kind.as_str(), &body["Message"]),
            ("Notification", &"hello".into())
        );
    }
    topics
        .set_subscription_attribute(&arn, "FilterPolicy", r#"{"k":["v"]}"#)
        .unwrap();
    topics.publish(TOPIC, message("unwanted")).unwrap();
    let mut wanted = message("wanted");
    let attribute = MessageAttribute {
        data_type: "String".to_owned(),
        value: "v".to_owned(),
    };
    wanted.attributes.insert("k".to_owned(), attribute);
    topics.publish(TOPIC, wanted).unwrap();
    assert_eq!(hearing.recv().await.unwrap().1["Message"], "wanted");
}

#[tokio::test]
async fn what_does_not_fit_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let topics = open(folder.path(), "").unwrap();
    let code = |result: Result<String, TopicError>| result.unwrap_err().code;
    assert_eq!(code(topics.publish(TOPIC, message("x"))), "NotFound");
    topics.create("news", BTreeMap::new()).unwrap();
    assert_eq!(code(topics.publish(TOPIC, message(""))), "InvalidParameter");
    assert_eq!(
        code(topics.publish(TOPIC, message(&"x".repeat(300_000)))),
        "InvalidParameter"
    );
    assert_eq!(
        code(topics.create("a b", BTreeMap::new())),
        "InvalidParameter"
    );
    assert_eq!(
        code(topics.create("a.fifo", BTreeMap::new())),
        "InvalidParameter"
    );
    for (protocol, endpoint) in [
        ("sqs", "arn:aws:sqs:eu-west-1:123456789012:q"),
        ("http", "https://x"),
        ("email", "x"),
    ] {
        let refused = topics.subscribe(TOPIC, protocol, endpoint, BTreeMap::new());
        assert_eq!(
            refused.err().unwrap().code,
            "InvalidParameter",
            "{protocol}"
        );
    }
    let bad = "[topic.t]\nsubscriptions = [{protocol = 'sms', endpoint = '+1'}]";
    assert!(
        open(folder.path(), bad)
            .unwrap_err()
            .to_string()
            .contains("sms")
    );
}

//! Connectors' calls over real HTTP: what arrives, and what becomes of a vendor's mischief.

use std::{error::Error as _, fs, io::Write as _, net::TcpListener, time::Duration};

use jiff::Timestamp;
use serde_json::json;
use shared::{
    provider::{Answer, Call, Http, Method, Payload, Provider, SendError, Trouble},
    secret::Secret,
};
use stagewright_standins::{Asked, Reply, Served, Stage, StandIn, Trick};

use super::stub::aws;
use crate::{clock::TokioTimer, error::chain, provider::ProviderHttp};

/// Says what it was asked.
#[derive(Default)]
struct Echo;

impl StandIn for Echo {
    fn handle(&mut self, asked: &Asked, _: Timestamp) -> Reply {
        let body = String::from_utf8_lossy(&asked.body);
        let said = json!({"asked": format!("{asked:?}"), "body": body, "type": asked.header("content-type")});
        Reply::json(200, &said).header("X-Extra", "1")
    }
}

const SECOND: Duration = Duration::from_secs(1);

fn stage() -> Served<Echo> {
    Stage::<Echo>::default().serve()
}

fn http() -> ProviderHttp {
    ProviderHttp::new(&aws(&[]))
}

fn token() -> Secret {
    Secret::new("planted".to_owned())
}

async fn send(call: &Call) -> Result<Answer, SendError> {
    http().send(call, 5 * SECOND).await
}

/// An address where nobody listens.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("127.0.0.1:{}", listener.local_addr().unwrap().port())
}

#[tokio::test]
async fn calls_arrive_as_they_were_made() {
    let served = stage();
    let url = format!("{}/a%2Fb?c=d%20e", served.url);
    let answer = send(&Call::get("it", &url).basic("user", &token()))
        .await
        .unwrap();
    assert_eq!((answer.status, answer.header("x-extra")), (200, Some("1")));
    send(&Call::post("it", &url, Payload::form([("a", "b c")])))
        .await
        .unwrap();
    send(&Call::put("it", &url, Payload::Json(json!({"a": 1}))))
        .await
        .unwrap();
    send(&Call::post("it", &url, Payload::Empty)).await.unwrap();
    send(&Call::new(Method::Delete, "it", &url, Payload::Empty))
        .await
        .unwrap();
    let asked: Vec<Asked> = served
        .stage
        .records()
        .into_iter()
        .map(|r| r.asked)
        .collect();
    let [get, form, put, empty, delete] = &asked[..] else {
        unreachable!("{asked:?}");
    };
    assert_eq!((get.path.as_str(), get.param("c")), ("/a%2Fb", Some("d e")));
    assert_eq!(get.basic(), Some(("user".to_owned(), "planted".to_owned())));
    assert!(
        get.header("user-agent")
            .unwrap()
            .starts_with("stagewright/")
    );
    assert_eq!(form.form(), [("a".to_owned(), "b c".to_owned())]);
    assert_eq!((put.method.as_str(), put.json()), ("PUT", json!({"a": 1})));
    assert_eq!(empty.header("content-length"), Some("0"));
    assert_eq!(delete.method, "DELETE");
}

#[tokio::test]
async fn files_go_with_their_length_and_come_into_files() {
    let served = stage();
    let folder = tempfile::tempdir().unwrap();
    let (up, down) = (folder.path().join("up"), folder.path().join("down"));
    fs::write(&up, vec![b'x'; 300_000]).unwrap();
    let file = Payload::File {
        content_type: "application/octet-stream".to_owned(),
        path: up,
    };
    let call = Call::put("the upload", &served.url, file);
    let answer = send(&call.clone().save_to(&down).limit(1 << 20))
        .await
        .unwrap();
    let asked = served.stage.records().remove(0).asked;
    assert_eq!(asked.header("content-length"), Some("300000"));
    assert_eq!(asked.header("transfer-encoding"), None);
    assert_eq!(asked.body.len(), 300_000);
    assert_eq!(fs::metadata(&down).unwrap().len(), answer.saved);
    assert!(answer.saved > 300_000 && answer.body.is_empty() && !answer.cut);

    let cut = send(&call.save_to(&down).limit(1000)).await.unwrap();
    assert_eq!((cut.saved, cut.cut), (1000, true));
}

#[tokio::test]
async fn a_lost_answer_is_told_from_a_request_that_was_not_sent() {
    let start = |url: &str| Call::post("the start", url, Payload::Empty).bearer(&token());
    let nobody = nobody();
    for url in [
        format!("http://{nobody}/"),
        format!("https://{nobody}/"),
        "http://nowhere.invalid/".to_owned(),
    ] {
        let error = send(&start(&url)).await.unwrap_err();
        assert!(matches!(error, SendError::NotSent(_)), "{url}: {error:?}");
    }
    // A TLS handshake that fails sends no request.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let tls = format!("https://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.write_all(b"HTTP/1.1 400 No\r\n\r\n");
        }
    });
    let error = send(&start(&tls)).await.unwrap_err();
    assert!(matches!(error, SendError::NotSent(_)), "{error:?}");
    let served = stage();
    for trick in [
        Trick::LostAnswer,
        Trick::NeverArrives,
        Trick::Truncated,
        Trick::Hang,
    ] {
        served.stage.trick("", "", 1, trick.clone());
        let error = http()
            .send(&start(&served.url), SECOND / 2)
            .await
            .unwrap_err();
        assert!(matches!(error, SendError::Lost(_)), "{trick:?}: {error:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_sent_is_said_without_showing_it() {
    let header = Call::get("it", "http://127.0.0.1:1/").header("x", "planted\r\nx: y".to_owned());
    for call in [
        header,
        Call::get("it", "planted"),
        Call::get("it", "ftp://planted/"),
    ] {
        let error = send(&call).await.unwrap_err();
        assert!(matches!(error, SendError::Unusable(_)), "{error:?}");
        let text = format!("{} {error:?}", chain(&error));
        assert!(!text.contains("planted"), "{text}");
    }
}

#[tokio::test]
async fn long_slow_and_foreign_answers_are_bounded() {
    let served = stage();
    let call = Call::get("it", &served.url).limit(4096);
    served.stage.trick("", "", 1, Trick::huge());
    let cut = send(&call).await.unwrap();
    assert_eq!((cut.body.len(), cut.cut), (4096, true));

    served.stage.trick("", "", 1, Trick::Slow(SECOND / 5));
    assert_eq!(send(&call).await.unwrap().status, 200);
    served.stage.trick("", "", 1, Trick::Slow(3 * SECOND));
    let late = http().send(&call, SECOND / 5).await;
    assert!(matches!(late, Err(SendError::Lost(_))), "{late:?}");

    let vendor = Provider::new(http(), TokioTimer, "Vendor");
    for (trick, want) in [
        (
            Trick::huge(),
            "Vendor answered it with more than 4096 bytes",
        ),
        (Trick::html(), "Vendor answered it with an HTML page"),
        (Trick::empty(), "Vendor answered it with an empty answer"),
    ] {
        served.stage.trick("", "", 1, trick);
        let answer = vendor
            .ask(&call, 5 * SECOND, Timestamp::now())
            .await
            .unwrap();
        let error = answer.json::<serde_json::Value>().unwrap_err().to_string();
        assert!(error.starts_with(want), "{error}");
    }
}

#[tokio::test]
async fn redirects_are_not_followed_and_said_to_be_redirects() {
    let (served, elsewhere) = (stage(), stage());
    let to = format!("{}/in?token=planted", elsewhere.url);
    for status in [301, 302, 303, 307, 308] {
        let reply = Reply::empty(status).header("Location", &to);
        served.stage.trick("", "", 1, Trick::Reply(reply));
        let vendor = Provider::new(http(), TokioTimer, "Vendor");
        let call = Call::get("it", &served.url).basic("user", &token());
        let answer = vendor.ask(&call, SECOND, Timestamp::now()).await.unwrap();
        assert_eq!(answer.header("location"), Some(to.as_str()));
        let error = answer.json::<serde_json::Value>().unwrap_err().to_string();
        let want = format!(
            "a redirect to \"{}/in\", which is not followed",
            elsewhere.url
        );
        assert!(
            error.contains(&want) && !error.contains("planted"),
            "{error}"
        );
    }
    assert_eq!(elsewhere.stage.records().len(), 0);
}

#[tokio::test]
async fn proxies_of_the_environment_are_used() {
    let (proxy, direct) = (stage(), stage());
    let variables = [
        ("http_proxy", proxy.url.as_str()),
        ("NO_PROXY", "127.0.0.1"),
    ];
    let through = ProviderHttp::new(&aws(&variables));
    let far = Call::get("it", "http://vendor.invalid/a");
    through.send(&far, SECOND).await.unwrap();
    assert_eq!(
        proxy.stage.records()[0].asked.header("host"),
        Some("vendor.invalid")
    );
    through
        .send(&Call::get("it", &direct.url), SECOND)
        .await
        .unwrap();
    assert_eq!(
        (proxy.stage.records().len(), direct.stage.records().len()),
        (1, 1)
    );
    // HTTPS goes as a tunnel; this proxy makes none.
    let through = ProviderHttp::new(&aws(&[("ALL_PROXY", &proxy.url)]));
    proxy.stage.always("CONNECT", "", Trick::status(502));
    let error = through
        .send(&Call::get("it", "https://vendor.invalid/"), SECOND)
        .await;
    assert!(matches!(error, Err(SendError::NotSent(_))), "{error:?}");
    assert_eq!(proxy.stage.count("CONNECT", ""), 1);

    let broken = ProviderHttp::new(&aws(&[("HTTPS_PROXY", "http://u:planted@[x")]));
    let error = broken.send(&far, SECOND).await.unwrap_err();
    let text = chain(error.source().unwrap());
    assert_eq!(
        text,
        "a proxy variable of the environment holds no usable address"
    );
}

#[tokio::test]
async fn trouble_that_passes_is_waited_for() {
    let served = stage();
    let vendor = Provider::new(http(), TokioTimer, "Vendor");
    let now = Timestamp::now();
    let start = Call::post("the start", &served.url, Payload::Empty);
    served.stage.trick("", "", 1, Trick::throttled(Some("1")));
    let began = std::time::Instant::now();
    assert!(vendor.ask(&start, 5 * SECOND, now).await.is_ok());
    assert!(began.elapsed() >= SECOND);
    served.stage.trick("", "", 1, Trick::LostAnswer);
    let lost = vendor.ask(&start, 5 * SECOND, now).await.unwrap_err();
    assert_eq!(lost.trouble, Trouble::Lost);
    assert_eq!(served.stage.records().len(), 3);
}

//! Tests of the host. The function they call is this test binary itself, see [`bootstrap`].

use std::{
    env,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process,
    time::Duration,
};

use serde_json::{Value, json};

use super::*;
use crate::config::FunctionConfig;

/// Speaks the Runtime API when it is started as a function; as a test of its own it does nothing.
#[test]
fn bootstrap() {
    let Ok(api) = env::var("AWS_LAMBDA_RUNTIME_API") else {
        return;
    };
    let ask = |method: &str, path: &str, body: &str| -> (Option<String>, String) {
        let mut stream = TcpStream::connect(&api).expect("the Runtime API");
        write!(
            stream,
            "{method} /2018-06-01/runtime/{path} HTTP/1.1\r\nhost: {api}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .expect("a request");
        let mut answer = BufReader::new(stream);
        let (mut line, mut id, mut length) = (String::new(), None, 0);
        while line != "\r\n" {
            line.clear();
            assert!(answer.read_line(&mut line).expect("a line") > 0);
            if let Some(value) = line.strip_prefix("lambda-runtime-aws-request-id: ") {
                id = Some(value.trim().to_owned());
            }
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().expect("a length");
            }
        }
        let mut body = vec![0; length];
        answer.read_exact(&mut body).expect("a body");
        (id, String::from_utf8(body).expect("text"))
    };
    match env::var("MODE").as_deref() {
        Ok("init-error") => {
            ask(
                "POST",
                "init/error",
                r#"{"errorType":"Broken","errorMessage":"no setting X"}"#,
            );
            process::exit(1);
        }
        Ok("init-exit") => process::exit(3),
        _ => {}
    }
    for count in 1.. {
        let (id, event) = ask("GET", "invocation/next", "");
        let id = id.expect("a request id");
        let event: Value = serde_json::from_str(&event).expect("JSON");
        let respond = |body: &Value| {
            ask(
                "POST",
                &format!("invocation/{id}/response"),
                &body.to_string(),
            )
            .1
        };
        let configuration =
            &event["CodePipeline.job"]["data"]["actionConfiguration"]["configuration"];
        let wish = event["do"]
            .as_str()
            .or(configuration["UserParameters"].as_str());
        match wish.unwrap_or_default() {
            "report" => {
                println!("reporting");
                report(event["CodePipeline.job"]["id"].as_str().expect("a job"));
                respond(&Value::Null);
            }
            "error" => {
                println!("job {}", event["CodePipeline.job"]["id"]);
                println!("about to fail");
                let error = r#"{"errorType":"Mine","errorMessage":"bad luck"}"#;
                ask("POST", &format!("invocation/{id}/error"), error);
            }
            "exit" => process::exit(7),
            "hang" => {
                if let Ok(file) = env::var("PIDS") {
                    std::fs::write(file, process::id().to_string()).expect("a file");
                }
                std::thread::sleep(Duration::from_secs(600));
            }
            "twice" => {
                respond(&json!("first"));
                let second = respond(&json!("second"));
                println!("second answer: {second}");
            }
            "big" => {
                respond(&json!("x".repeat(7 << 20)));
            }
            "last" => {
                respond(&json!({"count": count}));
                process::exit(0);
            }
            _ => {
                println!("hello {count}");
                respond(
                    &json!({"count": count, "pid": process::id(), "home": env::var("HOME").ok()}),
                );
            }
        }
    }
}

/// [`bootstrap`] as a function.
pub(crate) fn bootstrap_function(mode: &str) -> FunctionConfig {
    let me = env::current_exe().expect("this program");
    let words = ["lambda::tests::bootstrap", "--exact", "--nocapture"];
    let command = std::iter::once(me.display().to_string())
        .chain(words.map(str::to_owned))
        .collect();
    FunctionConfig {
        command: Some(command),
        cwd: None,
        environment: [("MODE".to_owned(), mode.to_owned())].into(),
        timeout_seconds: 2,
        memory_mb: 128,
        url: false,
    }
}

/// PutJobSuccessResult as an SDK sends it.
fn report(job: &str) {
    let base = env::var("AWS_ENDPOINT_URL").expect("an endpoint");
    let host = base.strip_prefix("http://").expect("plain HTTP");
    let key = env::var("AWS_ACCESS_KEY_ID").expect("a key");
    let token = env::var("AWS_SESSION_TOKEN").expect("a token");
    let body = json!({"jobId": job, "outputVariables": {"answer": "42"}}).to_string();
    let mut stream = TcpStream::connect(host).expect("the engine");
    write!(
        stream,
        "POST / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-type: application/x-amz-json-1.1\r\nx-amz-target: CodePipeline_20150709.PutJobSuccessResult\r\nx-amz-security-token: {token}\r\nauthorization: AWS4-HMAC-SHA256 Credential={key}/20261123/eu-west-1/codepipeline/aws4_request, SignedHeaders=host, Signature=00\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    println!("{answer}");
}

fn host(mode: &str, retries: &[u32]) -> (LambdaHost, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let function = bootstrap_function(mode);
    let mut config = Config::default();
    config.engine.async_retry_seconds = retries.to_vec();
    config.function.insert("f".to_owned(), function);
    let host = LambdaHost::new(HostSettings {
        config: Arc::new(config),
        clock: Clock::fast(),
        logs: Logs::new(folder.path()),
        base_url: "http://127.0.0.1:9".into(),
        binaries: None,
    });
    (host, folder)
}

/// What the function said outside pipelines.
fn said(host: &LambdaHost) -> String {
    let log = host.inner.settings.logs.function_tail("f", 1 << 20);
    String::from_utf8(log.expect("readable")).expect("text")
}

async fn call(host: &LambdaHost, event: Value) -> Result<(bool, Value), InvokeError> {
    let payload = Bytes::from(event.to_string());
    let result = host.invoke("f", payload, CallContext::default()).await?;
    let answer = serde_json::from_slice(&result.payload).expect("JSON");
    Ok((result.failed, answer))
}

#[tokio::test]
async fn a_warm_process_serves_again() {
    let (host, folder) = host("", &[]);
    let target = LogTarget {
        execution: "e1".to_owned(),
        action_execution: "a1".to_owned(),
    };
    let context = CallContext {
        log: Some(target),
        ..CallContext::default()
    };
    let first = host.invoke("f", Bytes::from("{}"), context).await;
    let first = first.expect("an answer");
    let answer: Value = serde_json::from_slice(&first.payload).expect("JSON");
    assert_eq!(answer["count"], 1);
    assert_eq!(answer["home"], Value::Null, "nothing is inherited");
    let log = std::fs::read_to_string(folder.path().join("logs/e1/a1.log")).expect("a log");
    let id = &first.request_id;
    for part in [
        format!(
            "START RequestId: {id} Version: $LATEST\nhello 1\nEND RequestId: {id}\nREPORT RequestId: {id}\tDuration: "
        ),
        "Memory Size: 128 MB\tMax Memory Used: ".to_owned(),
        "Init Duration: ".to_owned(),
    ] {
        assert!(log.contains(&part), "{part} is not in\n{log}");
    }
    let (failed, again) = call(&host, json!({})).await.expect("an answer");
    assert!(!failed);
    assert_eq!(
        (&again["count"], &again["pid"]),
        (&json!(2), &answer["pid"])
    );
    let (one, two) = tokio::join!(call(&host, json!({})), call(&host, json!({})));
    let pid = |r: Result<(bool, Value), InvokeError>| r.expect("an answer").1["pid"].clone();
    assert_ne!(pid(one), pid(two), "one process per concurrent call");
}

#[tokio::test]
async fn failures_have_lambdas_words() {
    let (host, _folder) = host("", &[]);
    for (event, kind, text) in [
        (json!({"do": "error"}), "Mine", "bad luck"),
        (
            json!({"do": "exit"}),
            "Runtime.ExitError",
            "Runtime exited with error: exit status 7",
        ),
        (
            json!({"do": "hang"}),
            "Sandbox.Timedout",
            "Task timed out after 2.00 seconds",
        ),
        (
            json!({"do": "big"}),
            "Function.ResponseSizeTooLarge",
            "Response payload size exceeded",
        ),
    ] {
        let (failed, error) = call(&host, event.clone()).await.expect("an answer");
        assert!(failed, "{event}");
        assert_eq!(error["errorType"], kind);
        let message = error["errorMessage"].as_str().expect("a message");
        assert!(message.contains(text), "{message}");
    }
    let log = said(&host);
    assert!(log.contains("about to fail\nEND"), "{log}");
    let (failed, _) = call(&host, json!({})).await.expect("an answer");
    assert!(!failed, "works again after all that");
}

#[tokio::test]
async fn init_failures_name_their_cause() {
    for (mode, kind, text) in [
        ("init-error", "Broken", "no setting X"),
        ("init-exit", "Runtime.ExitError", "exit status 3"),
    ] {
        let (host, _folder) = host(mode, &[]);
        let (failed, error) = call(&host, json!({})).await.expect("an answer");
        assert!(failed);
        assert_eq!(error["errorType"], kind);
        let message = error["errorMessage"].as_str().expect("a message");
        assert!(message.contains(text), "{message}");
    }
}

#[tokio::test]
async fn the_first_answer_counts() {
    let (host, _folder) = host("", &[]);
    let (failed, answer) = call(&host, json!({"do": "twice"}))
        .await
        .expect("an answer");
    assert_eq!((failed, answer), (false, json!("first")));
    call(&host, json!({})).await.expect("the next call");
    let log = said(&host);
    assert!(
        log.contains("second answer: {\"errorMessage\":\"Invalid request ID\""),
        "{log}"
    );
}

#[tokio::test]
async fn a_process_that_ended_after_its_answer_is_not_used_again() {
    let (host, _folder) = host("", &[]);
    for _ in 0..3 {
        let (failed, answer) = call(&host, json!({"do": "last"})).await.expect("an answer");
        assert_eq!((failed, &answer["count"]), (false, &json!(1)));
    }
}

#[tokio::test]
async fn asynchronous_calls_are_tried_three_times() {
    let (host, _folder) = host("", &[60, 120]);
    let payload = Bytes::from(r#"{"do":"exit"}"#);
    let mut notices = host.inner.settings.logs.follow_notices();
    let outcome = host
        .invoke_async("f", payload, CallContext::default())
        .await;
    let outcome = outcome.expect("an outcome");
    assert!(
        matches!(&outcome, AsyncOutcome::Failed { attempts: 3, kind, message }
            if kind == "Runtime.ExitError" && message.contains("exit status 7")),
        "{outcome:?}"
    );
    let log = said(&host);
    let starts: Vec<_> = log.lines().filter(|l| l.starts_with("START")).collect();
    assert_eq!(starts.len(), 3);
    assert_eq!(starts[0], starts[2], "the same request id");
    for expected in [
        "function f: Attempt 1 of 3 failed (Runtime.ExitError: ",
        "function f: Attempt 2 of 3 failed (Runtime.ExitError: ",
        "function f: failed and is not called again: Runtime.ExitError: ",
    ] {
        let notice = notices.try_next().expect("a notice").item;
        assert!(notice.starts_with(expected), "{notice}");
    }
    assert!(notices.try_next().is_none());
}

#[tokio::test]
async fn a_stop_kills_the_process() {
    let (host, _folder) = host("", &[]);
    let context = CallContext::default();
    let stop = context.stop.clone();
    let run = host.invoke_async("f", Bytes::from(r#"{"do":"hang"}"#), context);
    let stopping = async {
        while !said(&host).contains("START") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stop.cancel();
    };
    let (outcome, ()) = tokio::join!(run, stopping);
    assert_eq!(outcome, Ok(AsyncOutcome::Stopped));
}

#[tokio::test]
async fn the_engines_end_is_no_failure_of_a_function() {
    let (host, _folder) = host("", &[]);
    let run = host.invoke_async("f", Bytes::from(r#"{"do":"hang"}"#), CallContext::default());
    let ending = async {
        while !said(&host).contains("START") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        host.shutdown();
    };
    let (outcome, ()) = tokio::join!(run, ending);
    assert_eq!(outcome, Ok(AsyncOutcome::Stopped));
    assert!(matches!(
        call(&host, json!({})).await,
        Err(InvokeError::Stopped(_))
    ));
}

#[tokio::test]
async fn what_is_unknown_or_cannot_start_is_refused() {
    let (host, _folder) = host("", &[]);
    let refusal = host.invoke("g", Bytes::new(), CallContext::default()).await;
    let text = refusal.expect_err("refused").to_string();
    assert!(text.contains("[function.g]"), "{text}");
    let mut config = Config::default();
    let function = toml::from_str("command = ['./missing']").expect("a function");
    config.function.insert("f".to_owned(), function);
    let settings = HostSettings {
        config: Arc::new(config),
        ..host.inner.settings.clone()
    };
    let host = LambdaHost::new(settings);
    let text = call(&host, json!({}))
        .await
        .expect_err("refused")
        .to_string();
    assert!(
        text.contains("function f cannot be started") && text.contains("missing"),
        "{text}"
    );
}

//! No secret in anything that is written down: real approval tokens, link tokens, codes and job credentials are
//! collected while pipelines run with every log on, and looked for in output and log files.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use harness::{example::Example, http, process::PATIENCE, workspace::stagewright};
use serde_json::{Value, json};

/// Adds an action whose function keeps its event, and lets every function and the engine talk as much as they can.
fn prepare(example: &Example) {
    let recorder = stagewright().with_file_name("misbehave");
    let event = example.folder().join("event.json");
    let mut config = fs::read_to_string(example.config()).expect("a configuration");
    for name in ["action-http-check", "action-publish-site"] {
        config = config.replace(
            &format!("[function.{name}]\n"),
            &format!("[function.{name}]\nenvironment = {{ STAGEWRIGHT_LOG = \"trace\", RUST_BACKTRACE = \"1\" }}\n"),
        );
    }
    for name in ["approval-notify", "approval-respond"] {
        config += &format!(
            "\n[function.{name}]\nenvironment = {{ STAGEWRIGHT_LOG = \"trace\", RUST_BACKTRACE = \"1\" }}\n"
        );
    }
    config += &format!(
        "\n[function.recorder]\ncommand = [{:?}, \"record\", {:?}]\n",
        recorder.display().to_string(),
        event.display().to_string()
    );
    fs::write(example.config(), config).expect("written");
    let text = fs::read_to_string(example.pipeline()).expect("a definition");
    let mut definition: Value = serde_json::from_str(&text).expect("JSON");
    let actions = definition["pipeline"]["stages"][2]["actions"].as_array_mut();
    actions.expect("actions").push(json!({
        "name": "Record",
        "actionTypeId": {"category": "Invoke", "owner": "AWS", "provider": "Lambda", "version": "1"},
        "configuration": {"FunctionName": "recorder"},
        "inputArtifacts": [{"name": "BuiltSite"}],
        "outputArtifacts": [{"name": "Recorded"}],
    }));
    fs::write(example.pipeline(), definition.to_string()).expect("written");
}

struct Run {
    child: Child,
    output: std::path::PathBuf,
}

impl Run {
    fn start(example: &Example, approve: &str, output: &str) -> Self {
        let output = example.folder().join(output);
        let file = fs::File::create(&output).expect("a file");
        let mut arguments = example.run_arguments(&[]);
        let at = arguments
            .iter()
            .position(|a| a == "yes")
            .expect("--approve yes");
        arguments[at] = approve.to_owned();
        let child = Command::new(stagewright())
            .args(arguments)
            .env("STAGEWRIGHT_LOG", "trace")
            .env("RUST_BACKTRACE", "1")
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a second handle"))
            .stderr(file)
            .spawn()
            .expect("stagewright is built");
        Self { child, output }
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.output).unwrap_or_default()
    }

    /// Asks until there is an answer.
    fn until<T>(&mut self, what: &str, mut look: impl FnMut(&str) -> Option<T>) -> T {
        let until = Instant::now() + PATIENCE;
        loop {
            let said = self.said();
            if let Some(found) = look(&said) {
                return found;
            }
            let ended = self.child.try_wait().expect("it can be waited for");
            assert!(
                ended.is_none() && Instant::now() < until,
                "waited for {what}, {ended:?}:\n{said}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn ended(mut self) -> Option<i32> {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("it can be waited for") {
                return status.code();
            }
            assert!(Instant::now() < until, "it does not end:\n{}", self.said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One request to a whole address: status and text.
fn request(method: &str, url: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let at = url.find("/_stagewright").unwrap_or(url.len());
    let (address, path) = url.split_at(at);
    let answer = http::request(address, method, path, headers, b"").expect("an answer");
    (answer.status, answer.text())
}

fn codepipeline(url: &str, operation: &str, input: &Value) -> (u16, Value) {
    let answer = http::codepipeline(url, operation, input).expect("an answer");
    (answer.status, answer.json())
}

/// Link tokens and codes of every mail that was stored.
fn of_mails(folder: &Path) -> BTreeSet<String> {
    let mut secrets = BTreeSet::new();
    for entry in fs::read_dir(folder).expect("mails").flatten() {
        let text = fs::read_to_string(entry.path()).unwrap_or_default();
        let Ok(mail) = serde_json::from_str::<Value>(&text) else {
            continue;
        };
        let text = mail["text"].as_str().unwrap_or_default();
        let token = text
            .split("/a/")
            .nth(1)
            .and_then(|t| t.split_whitespace().next());
        secrets.extend(token.map(str::to_owned));
        let is_code = |word: &&str| {
            word.len() == 9
                && word.bytes().enumerate().all(|(at, b)| match at {
                    4 => b == b'-',
                    _ => b.is_ascii_uppercase() || b.is_ascii_digit(),
                })
        };
        secrets.extend(text.split_whitespace().filter(is_code).map(str::to_owned));
    }
    secrets
}

fn files_below(folder: &Path, into: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        if entry.path().is_dir() {
            files_below(&entry.path(), into);
        } else {
            into.push(entry.path());
        }
    }
}

#[test]
fn threat_22_nothing_that_opens_something_is_written_down() {
    let example = Example::new();
    prepare(&example);

    let mut run = Run::start(&example, "ask", "asked.txt");
    let url = run.until("the console", |said| {
        let line = said.lines().find_map(|l| l.strip_prefix("console  "))?;
        Some(line.trim_end_matches("/_stagewright/").to_owned())
    });
    let token = run.until("the approval", |_| {
        let name = json!({"name": "site-release"});
        let (status, state) = codepipeline(&url, "GetPipelineState", &name);
        assert_eq!(status, 200, "{state}");
        let token = &state["stageStates"][3]["actionStates"][0]["latestExecution"]["token"];
        token.as_str().map(str::to_owned)
    });
    let mails = example.state().join("mail");
    let link = run.until("the mail", |_| {
        let found = of_mails(&mails).into_iter().find(|s| s.starts_with("v4."));
        found.map(|token| format!("{url}/_stagewright/function/approval-respond/a/{token}"))
    });
    let (status, page) = request("GET", &link, &[("sec-fetch-site", "none")]);
    assert_eq!(status, 200, "{page}");
    let wrong = json!({"pipelineName": "site-release", "stageName": "Approve", "actionName": "Release",
        "result": {"summary": "no", "status": "Approved"}, "token": "11111111-1111-4111-8111-111111111111"});
    assert_eq!(codepipeline(&url, "PutApprovalResult", &wrong).0, 400);

    // The job's own credentials open its artifacts and nothing else, over the wire.
    let event = fs::read_to_string(example.folder().join("event.json")).expect("the event");
    let event: Value = serde_json::from_str(&event).expect("JSON");
    let data = &event["CodePipeline.job"]["data"];
    let credential = |name: &str| {
        let value = data["artifactCredentials"][name].as_str();
        value.expect("a credential").to_owned()
    };
    let (key, session) = (credential("accessKeyId"), credential("sessionToken"));
    let input = &data["inputArtifacts"][0]["location"]["s3Location"];
    let place = |p: &Value| p.as_str().expect("a place").to_owned();
    let own = format!(
        "/{}/{}",
        place(&input["bucketName"]),
        place(&input["objectKey"])
    );
    for (method, path, expected) in [
        ("GET", own.as_str(), 200),
        ("PUT", own.as_str(), 403),
        ("GET", "/corner-bakery-preview/index.html", 403),
        ("GET", "/site-release-artifacts", 403),
        ("DELETE", "/site-release-artifacts", 403),
    ] {
        let signed = format!(
            "AWS4-HMAC-SHA256 Credential={key}/20260101/eu-west-1/s3/aws4_request, SignedHeaders=host, Signature=0"
        );
        let headers = [
            ("authorization", signed.as_str()),
            ("x-amz-security-token", session.as_str()),
        ];
        let answer = http::request(&url, method, path, &headers, b"").expect("an answer");
        let (status, body) = (answer.status, answer.text());
        assert_eq!(status, expected, "{method} {path}: {body}");
    }

    let answer = json!({"pipelineName": "site-release", "stageName": "Approve", "actionName": "Release",
        "result": {"summary": "good", "status": "Approved"}, "token": token});
    let (status, body) = codepipeline(&url, "PutApprovalResult", &answer);
    assert_eq!(status, 200, "{body}");
    let asked = run.output.clone();
    assert_eq!(
        run.ended(),
        Some(0),
        "{}",
        fs::read_to_string(&asked).unwrap_or_default()
    );

    // Once more, with the form filled in and the code typed.
    let run = Run::start(&example, "yes", "played.txt");
    let played = run.output.clone();
    assert_eq!(
        run.ended(),
        Some(0),
        "{}",
        fs::read_to_string(&played).unwrap_or_default()
    );

    let mut secrets = of_mails(&mails);
    assert_eq!(secrets.len(), 4, "two links and two codes");
    secrets.insert(token);
    let nonce = page.split("name=\"nonce\" value=\"").nth(1);
    let nonce = nonce.and_then(|rest| rest.split('"').next());
    secrets.insert(nonce.expect("the form has a nonce").to_owned());
    secrets.extend([credential("secretAccessKey"), session]);
    let mut written = vec![asked, played, example.state().join("run.json")];
    files_below(&example.state().join("logs"), &mut written);
    assert!(
        written
            .iter()
            .any(|f| f.ends_with("functions/approval-respond.log")),
        "{written:?}"
    );
    for file in written {
        let text = String::from_utf8_lossy(&fs::read(&file).expect("readable")).into_owned();
        for secret in &secrets {
            let Some(at) = text.find(secret) else {
                continue;
            };
            let line = text[..at].rsplit('\n').next().unwrap_or_default();
            panic!(
                "{} holds the secret {}… after {line:?}",
                file.display(),
                &secret[..4]
            );
        }
    }
}

#[test]
fn a_failing_approval_function_is_told_and_kept() {
    let example = Example::new();
    let crash = stagewright().with_file_name("misbehave");
    let config = fs::read_to_string(example.config()).expect("a configuration");
    let config = config.replace("[engine]\n", "[engine]\nasync_retry_seconds = [0]\n")
        + &format!(
            "\n[function.approval-notify]\ncommand = [{:?}, \"crash\"]\n",
            crash.display().to_string()
        );
    fs::write(example.config(), config).expect("written");
    let mut run = Run::start(&example, "ask", "asked.txt");
    let told =
        "warning: function approval-notify: failed and is not called again: Runtime.ExitError";
    let url = run.until("the warning", |said| {
        said.contains(told).then_some(())?;
        let line = said.lines().find_map(|l| l.strip_prefix("console  "))?;
        Some(line.trim_end_matches("/_stagewright/").to_owned())
    });
    assert!(
        run.said()
            .contains("WARN function approval-notify: Attempt 1 of 2 failed"),
        "{}",
        run.said()
    );
    let console = format!("{url}/_stagewright/function-log");
    let (status, page) = request("GET", &console, &[]);
    assert!(
        status == 200 && page.contains("/_stagewright/function-log/approval-notify"),
        "{page}"
    );
    let (status, page) = request("GET", &format!("{console}/approval-notify"), &[]);
    assert!(
        status == 200 && page.contains("misbehaving: crash"),
        "{page}"
    );
    for name in ["nobody", "..%2F..%2Frun", "approval-notify.log"] {
        assert_eq!(
            request("GET", &format!("{console}/{name}"), &[]).0,
            404,
            "{name}"
        );
    }
}

#[test]
fn a_missing_approval_function_is_told() {
    let example = Example::new();
    let config = fs::read_to_string(example.config()).expect("a configuration");
    let config = config.replace(
        "endpoint = \"approval-notify\" }",
        "endpoint = \"approval-notify\" }, { protocol = \"lambda\", endpoint = \"not-built\" }",
    );
    fs::write(example.config(), config).expect("written");
    let run = Run::start(&example, "yes", "asked.txt");
    let output = run.output.clone();
    assert_eq!(run.ended(), Some(0));
    let said = fs::read_to_string(output).expect("output");
    assert!(
        said.contains("warning: a message to arn:aws:sns:eu-west-1:123456789012:release-approvals did not reach its lambda subscription: function not-built is not known"),
        "{said}"
    );
}

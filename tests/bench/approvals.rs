//! The approval page and its vote through the Lambda host, and what forged links cost.

use std::{
    collections::BTreeMap,
    fs,
    net::TcpListener,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use harness::{
    engine::Engine,
    example::Example,
    http::{Answer, request},
    process::PATIENCE,
    workspace::stagewright,
};
use serde_json::Value;

const APPROVERS: usize = 40;
const PAGES: usize = 400;
const FORGED: usize = 10_000;
const FUNCTION: &str = "/_stagewright/function/approval-respond";
const TOKEN: &str = "v4.public.eyJ2IjoxfQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.azE";

/// Page, vote, forged links.
pub fn measure() -> Vec<(String, String)> {
    let mut rows = page_and_vote();
    rows.push(forged());
    rows
}

struct Run(Child);

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One request that all approvers must approve: each of them is one sample of a vote.
fn page_and_vote() -> Vec<(String, String)> {
    let example = Example::new();
    let config = fs::read_to_string(example.config()).expect("a configuration");
    let people: Vec<String> = (0..APPROVERS)
        .map(|n| format!("\"p{n}@example.com\""))
        .collect();
    let many = format!("approvers = [{}]\nneeded = {APPROVERS}", people.join(", "));
    let config = config.replace("approvers = [\"dana@example.com\"]", &many);
    assert!(
        config.contains("needed"),
        "the example's configuration has its approver"
    );
    fs::write(example.config(), config).expect("written");
    let mut arguments = example.run_arguments(&[]);
    let at = arguments
        .iter()
        .position(|a| a == "yes")
        .expect("--approve yes");
    arguments[at] = "ask".to_owned();
    let said = example.folder().join("said.txt");
    let run = Command::new(stagewright())
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(fs::File::create(&said).expect("a file"))
        .stderr(Stdio::null())
        .spawn();
    let _run = Run(run.expect("stagewright is built"));
    let url = until("the console", || {
        let said = fs::read_to_string(&said).ok()?;
        let line = said.lines().find_map(|l| l.strip_prefix("console  "))?;
        Some(line.trim_end_matches("/_stagewright/").to_owned())
    });
    let mails = until("the mails", || {
        let mails = mails(&example);
        (mails.len() == APPROVERS).then_some(mails)
    });
    let links: Vec<(&String, &String)> = mails.iter().collect();
    let page = |token: &str| {
        request(&url, "GET", &format!("{FUNCTION}/a/{token}"), &[], b"").expect("an answer")
    };
    let mut pages = Vec::new();
    for at in 0..PAGES {
        let begin = Instant::now();
        let answer = page(links[at % links.len()].0);
        pages.push(begin.elapsed().as_secs_f64() * 1e3);
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let mut votes = Vec::new();
    for (token, code) in &links {
        let shown = page(token);
        let form = format!(
            "intent=decide&verdict=approve&code={code}&comment=&nonce={}&seen={}",
            hidden(&shown, "nonce"),
            hidden(&shown, "seen")
        );
        let cookie = shown
            .header("set-cookie")
            .and_then(|c| c.split(';').next())
            .unwrap_or_default();
        let headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("sec-fetch-site", "same-origin"),
            ("cookie", cookie),
        ];
        let path = format!("{FUNCTION}/a/{token}");
        let begin = Instant::now();
        let answer = request(&url, "POST", &path, &headers, form.as_bytes()).expect("an answer");
        votes.push(begin.elapsed().as_secs_f64() * 1e3);
        assert_eq!(answer.status, 303, "{}", answer.text());
    }
    vec![
        (
            format!("approval page, warm, {PAGES} GETs: p50, p99"),
            percentiles(pages),
        ),
        (
            format!("vote, warm, {APPROVERS} POSTs: p50, p99"),
            percentiles(votes),
        ),
    ]
}

/// Calls that forged links lead to: the table and KMS are counters here.
fn forged() -> (String, String) {
    let calls = Arc::new(AtomicUsize::new(0));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let counter = format!("http://{}", listener.local_addr().expect("an address"));
    let count = calls.clone();
    thread::spawn(move || {
        listener.incoming().for_each(|_| {
            count.fetch_add(1, Ordering::SeqCst);
        })
    });
    let engine = Engine::start(&format!(
        "[function.approval-respond]\nenvironment = {{ STAGEWRIGHT_TABLE = \"t\", STAGEWRIGHT_APPROVAL_URL = \"https://approve.example.com\", \
         STAGEWRIGHT_LINK_KEYS = \"k1:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\", \
         AWS_ENDPOINT_URL_DYNAMODB = \"{counter}\", AWS_ENDPOINT_URL_KMS = \"{counter}\", AWS_ENDPOINT_URL_CODEPIPELINE = \"{counter}\" }}\n"
    ));
    let mut times = Vec::new();
    for at in 0..FORGED {
        let mut token = TOKEN.as_bytes().to_vec();
        let place = 20 + at % (token.len() - 30);
        token[place] = b"BCDEFGHIJKLMNOPQ"[at % 16];
        let path = format!("{FUNCTION}/a/{}", String::from_utf8_lossy(&token));
        let begin = Instant::now();
        let answer = request(&engine.server.url, "GET", &path, &[], b"").expect("an answer");
        times.push(begin.elapsed().as_secs_f64() * 1e3);
        assert_eq!(answer.status, 403, "{}", answer.text());
    }
    (
        format!("{FORGED} forged links: calls of table, KMS, CodePipeline; p50, p99 of one"),
        format!(
            "{} calls, {}",
            calls.load(Ordering::SeqCst),
            percentiles(times)
        ),
    )
}

/// Link token and code of every mail.
fn mails(example: &Example) -> BTreeMap<String, String> {
    let folder = fs::read_dir(example.state().join("mail"));
    let texts = folder.into_iter().flatten().flatten().filter_map(|entry| {
        let text = fs::read_to_string(entry.path()).ok()?;
        let mail: Value = serde_json::from_str(&text).ok()?;
        Some(mail["text"].as_str()?.to_owned())
    });
    texts
        .filter_map(|text| {
            let token = text
                .split("/a/")
                .nth(1)?
                .split_whitespace()
                .next()?
                .to_owned();
            let code = text
                .lines()
                .find_map(|l| l.strip_prefix("Code: "))?
                .trim()
                .to_owned();
            Some((token, code))
        })
        .collect()
}

fn hidden(answer: &Answer, name: &str) -> String {
    let page = answer.text();
    let value = page.split(&format!("name=\"{name}\" value=\"")).nth(1);
    let value = value.and_then(|rest| rest.split('"').next());
    value.unwrap_or_default().to_owned()
}

fn percentiles(mut samples: Vec<f64>) -> String {
    samples.sort_by(f64::total_cmp);
    let at = |part: usize| {
        samples
            .get(samples.len() * part / 100)
            .copied()
            .unwrap_or(f64::NAN)
    };
    format!("{:.2} ms, {:.2} ms", at(50), at(99))
}

fn until<V>(what: &str, mut look: impl FnMut() -> Option<V>) -> V {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "waited for {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

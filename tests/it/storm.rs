//! Kills at seeded random moments, in succession: what was promised before a kill holds after it.
//!
//! A failing seed is repeated with `STAGEWRIGHT_TEST_SEED=…`, as far as the machine's own timing allows.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use harness::{
    chance::Chance,
    example::Example,
    http::{codepipeline, request, s3},
    process::{PATIENCE, Server, finish, shown},
    workspace::stagewright,
};
use serde_json::{Value, json};

const ACTIONS: [&str; 7] = [
    "Site", "Build", "Preview", "Answers", "Release", "Publish", "Verify",
];
/// Kills of one `run`; then it is left to end.
const KILLS: usize = 14;
/// Kills of one `serve`.
const ROUNDS: usize = 8;

/// An execution of `run`, its events as they come.
struct Run {
    child: Child,
    events: mpsc::Receiver<Value>,
}

impl Run {
    fn start(arguments: &[String], folder: &Path) -> Self {
        let mut child = Command::new(stagewright())
            .args(arguments)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("stagewright is built");
        let stdout = child.stdout.take().expect("piped");
        let (tell, events) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Ok(event) = serde_json::from_str(&line) {
                    let _ = tell.send(event);
                }
            }
        });
        Self { child, events }
    }

    /// Kills it after `life` unless it ended before; answers its events, its end and what it complained of.
    fn end(mut self, life: Duration) -> (Vec<Value>, Option<ExitStatus>, String) {
        let until = Instant::now() + life;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("it can be waited for") {
                break Some(status);
            }
            if Instant::now() >= until {
                break None;
            }
            thread::sleep(Duration::from_micros(300));
        };
        if status.is_none() {
            self.child.kill().expect("killed");
        }
        let output = self.child.wait_with_output().expect("ended");
        let events = self.events.iter().collect();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (events, status, said)
    }
}

/// A build that writes and takes its time, so that kills also meet it.
fn slow_the_build(example: &Example) {
    let file = example.repository().join("buildspec.yml");
    let spec = fs::read_to_string(&file).expect("the example's buildspec");
    let slow = "    commands:\n      - mkdir many; for n in $(seq 200); do echo $n >many/$n; sleep 0.001; done\n";
    fs::write(&file, spec.replacen("    commands:\n", slow, 1)).expect("written");
    let commit = [
        "-c",
        "user.name=Dana Example",
        "-c",
        "user.email=dana@example.com",
        "commit",
        "--quiet",
        "--all",
        "--message",
        "Take more time",
    ];
    let made = finish(
        Command::new("git")
            .args(commit)
            .current_dir(example.repository()),
    );
    assert!(made.status.success(), "{}", shown(&made));
}

/// Processes that have one of these texts in their environment or working folder.
fn leftovers(marks: &[String]) -> BTreeMap<u32, String> {
    let own = std::process::id();
    let Ok(entries) = fs::read_dir("/proc") else {
        return BTreeMap::new();
    };
    entries
        .flatten()
        .filter_map(|e| e.file_name().to_str()?.parse::<u32>().ok())
        .filter(|id| *id != own)
        .filter_map(|id| {
            let place = format!("/proc/{id}");
            let environment = fs::read(format!("{place}/environ")).unwrap_or_default();
            let folder = fs::read_link(format!("{place}/cwd")).unwrap_or_default();
            let known = format!(
                "{}\0{}",
                String::from_utf8_lossy(&environment),
                folder.display()
            );
            let command = fs::read(format!("{place}/cmdline")).unwrap_or_default();
            let command = String::from_utf8_lossy(&command).replace('\0', " ");
            marks
                .iter()
                .any(|m| known.contains(m))
                .then_some((id, command))
        })
        .collect()
}

/// Waits until no process has one of the marks.
fn nothing_is_left(marks: &[String], told: &str) {
    let until = Instant::now() + Duration::from_secs(5);
    loop {
        let left = leftovers(marks);
        if left.is_empty() {
            return;
        }
        assert!(
            Instant::now() < until,
            "{told}: processes are left: {left:?}"
        );
        thread::sleep(Duration::from_millis(20));
    }
}

/// Files that were being written when something was killed.
fn half_written(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else {
        return found;
    };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = entry.path();
        // Always the same name and written over: it cannot grow.
        if name == "run.json.tmp" {
            continue;
        }
        if name.ends_with(".tmp") || name.starts_with(".tmp") || name == "scratch" {
            let empty = fs::read_dir(&path).is_ok_and(|mut inner| inner.next().is_none());
            if !empty {
                found.push(path.display().to_string());
            }
        } else if path.is_dir() {
            found.extend(half_written(&path));
        }
    }
    found
}

fn list(url: &str, operation: &str, member: &str, mut input: Value) -> Vec<Value> {
    let mut all = Vec::new();
    loop {
        let answer = codepipeline(url, operation, &input).expect("an answer");
        assert_eq!(answer.status, 200, "{operation}: {}", answer.text());
        let page = answer.json();
        all.extend(page[member].as_array().cloned().unwrap_or_default());
        match page.get("nextToken").and_then(Value::as_str) {
            Some(token) => input["nextToken"] = token.into(),
            None => return all,
        }
    }
}

#[test]
fn a_run_killed_again_and_again_ends_as_if_it_had_not_been() {
    let mut chance = Chance::new("storm of kills on run");
    let seed = chance.seed;
    let told = |what: &str| format!("seed {seed}: {what}");
    let example = Example::new();
    slow_the_build(&example);
    let again = example.run_arguments(&["--output", "json", "--resume"]);
    let first = example.run_arguments(&["--output", "json"]);
    let mut executions = BTreeSet::new();
    let mut succeeded: BTreeMap<String, usize> = BTreeMap::new();
    let mut kills = 0;
    let begun = Instant::now();
    loop {
        let life = if kills < KILLS {
            chance.millis(5, 700)
        } else {
            PATIENCE
        };
        let run = Run::start(if kills == 0 { &first } else { &again }, &example.folder());
        let (events, status, said) = run.end(life);
        for event in &events {
            let detail = &event["detail"];
            executions.extend(detail["execution-id"].as_str().map(str::to_owned));
            if event["detail-type"] == "CodePipeline Action Execution State Change"
                && detail["state"] == "SUCCEEDED"
            {
                let action = detail["action"].as_str().unwrap_or_default();
                *succeeded.entry(action.to_owned()).or_default() += 1;
            }
        }
        let Some(status) = status else {
            kills += 1;
            continue;
        };
        assert_eq!(
            status.code(),
            Some(0),
            "{}",
            told(&format!("after {kills} kills: {said}\n{events:#?}"))
        );
        let last = events.last().expect("a last line");
        assert_eq!(last["status"], "Succeeded", "{}", told(&said));
        executions.extend(last["pipelineExecutionId"].as_str().map(str::to_owned));
        break;
    }
    eprintln!("{}", told(&format!("{kills} kills, {:?}", begun.elapsed())));
    assert_eq!(executions.len(), 1, "{}", told(&format!("{executions:?}")));
    for (action, times) in &succeeded {
        assert_eq!(*times, 1, "{}", told(action));
    }
    let memory: Value =
        serde_json::from_slice(&fs::read(example.state().join("run.json")).expect("run.json"))
            .expect("JSON");
    let address = memory["address"].as_str().expect("an address");
    let marks = [
        example.folder().display().to_string(),
        format!("http://{address}"),
    ];
    nothing_is_left(&marks, &told("after the end"));
    let server = Server::start(&example.state(), &["--config", &example.config()]);
    let half = half_written(&example.state());
    assert!(
        half.is_empty(),
        "{}",
        told(&format!("half-written files: {half:?}"))
    );
    let input = json!({"pipelineName": "site-release"});
    let actions = list(
        &server.url,
        "ListActionExecutions",
        "actionExecutionDetails",
        input,
    );
    let names: Vec<_> = actions
        .iter()
        .map(|a| a["actionName"].as_str().unwrap_or_default())
        .collect();
    for action in ACTIONS {
        assert_eq!(
            names.iter().filter(|n| **n == action).count(),
            1,
            "{}",
            told(&format!("{action} in {names:?}"))
        );
    }
    assert!(
        actions.iter().all(|a| a["status"] == "Succeeded"),
        "{}",
        told(&format!("{actions:#?}"))
    );
    let listing = s3(&server.url, "/corner-bakery-live?list-type=2")
        .expect("an answer")
        .text();
    let published = [
        "assets/loaf.svg",
        "assets/style.css",
        "hours.html",
        "index.html",
    ];
    assert_eq!(
        listing.matches("<Key>").count(),
        published.len(),
        "{}",
        told(&listing)
    );
    for path in published {
        assert!(
            listing.contains(&format!("<Key>{path}</Key>")),
            "{}",
            told(&listing)
        );
        let place = |bucket: &str| format!("/_stagewright/site/corner-bakery-{bucket}/{path}");
        let get = |bucket: &str| {
            request(&server.url, "GET", &place(bucket), &[], b"").expect("an answer")
        };
        let (live, preview) = (get("live"), get("preview"));
        assert_eq!((live.status, preview.status), (200, 200), "{}", told(path));
        assert!(
            live.body == preview.body && !live.body.is_empty(),
            "{}",
            told(path)
        );
    }
}

/// Starts executions, one after the other, until the server is gone. A start whose answer was lost is asked again
/// with its own token in the next life of the server.
struct Starter {
    next: usize,
    acknowledged: Vec<(String, String)>,
}

impl Starter {
    fn start(&mut self, url: &str, most: usize) {
        for _ in 0..most {
            let token = format!("storm-{}", self.next);
            let input = json!({"name": "short", "clientRequestToken": token});
            let Ok(answer) = codepipeline(url, "StartPipelineExecution", &input) else {
                return;
            };
            assert_eq!(answer.status, 200, "{}", answer.text());
            let id = answer.json()["pipelineExecutionId"]
                .as_str()
                .expect("an id")
                .to_owned();
            self.acknowledged.push((token, id));
            self.next += 1;
        }
    }
}

#[test]
fn a_start_that_was_acknowledged_is_never_lost() {
    let mut chance = Chance::new("storm of kills on serve");
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state");
    let example = Example::new();
    let config = folder.path().join("stagewright.toml");
    fs::write(
        &config,
        format!(
            "[codecommit.site]\ngit = \"{}\"\n[bucket.artifacts]\n[bucket.live]\nwebsite = true\n",
            example.repository().display()
        ),
    )
    .expect("a file");
    let config = config.display().to_string();
    let definition = json!({
        "name": "short", "roleArn": "arn:aws:iam::123456789012:role/r", "pipelineType": "V2", "executionMode": "PARALLEL",
        "artifactStore": {"type": "S3", "location": "artifacts"},
        "stages": [
            {"name": "Source", "actions": [{"name": "Source",
                "actionTypeId": {"category": "Source", "owner": "AWS", "provider": "CodeCommit", "version": "1"},
                "configuration": {"RepositoryName": "site", "BranchName": "main"}, "outputArtifacts": [{"name": "Site"}]}]},
            {"name": "Deploy", "actions": [{"name": "Deploy",
                "actionTypeId": {"category": "Deploy", "owner": "AWS", "provider": "S3", "version": "1"},
                "configuration": {"BucketName": "live", "Extract": "true"},
                "inputArtifacts": [{"name": "Site"}]}]}]
    });
    let seed = chance.seed;
    let mut starter = Starter {
        next: 0,
        acknowledged: Vec::new(),
    };
    for round in 0..=ROUNDS {
        let server = Server::start(&state, &["--config", &config]);
        if round == 0 {
            let created = codepipeline(
                &server.url,
                "CreatePipeline",
                &json!({"pipeline": definition}),
            )
            .expect("an answer");
            assert_eq!(created.status, 200, "{}", created.text());
            starter.start(&server.url, 1);
            continue;
        }
        let (url, life) = (server.url.clone(), chance.millis(5, 400));
        let mut alive = starter;
        let starting = thread::spawn(move || {
            alive.start(&url, 8);
            alive
        });
        thread::sleep(life);
        server.kill();
        starter = starting.join().expect("every answer is an acknowledgement");
    }
    let server = Server::start(&state, &["--config", &config]);
    starter.start(&server.url, 1);
    eprintln!(
        "seed {seed}: {} starts acknowledged",
        starter.acknowledged.len()
    );
    let until = Instant::now() + PATIENCE;
    let listed = loop {
        let listed = list(
            &server.url,
            "ListPipelineExecutions",
            "pipelineExecutionSummaries",
            json!({"pipelineName": "short"}),
        );
        if listed.iter().all(|e| e["status"] != "InProgress") {
            break listed;
        }
        assert!(
            Instant::now() < until,
            "seed {seed}: executions do not end: {listed:#?}"
        );
        thread::sleep(Duration::from_millis(50));
    };
    let status: BTreeMap<&str, &str> = listed
        .iter()
        .filter_map(|e| Some((e["pipelineExecutionId"].as_str()?, e["status"].as_str()?)))
        .collect();
    for (token, id) in &starter.acknowledged {
        assert_eq!(
            status.get(id.as_str()),
            Some(&"Succeeded"),
            "seed {seed}: {token} {id} in {status:#?}"
        );
    }
    // One that CreatePipeline started; every other has its own token, also when its first answer was lost.
    assert_eq!(
        listed.len(),
        starter.acknowledged.len() + 1,
        "seed {seed}: {listed:#?}"
    );
}

//! `run` killed again and again.

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
    http::{request, s3},
    process::{PATIENCE, Server, finish, shown},
    workspace::stagewright,
};
use serde_json::{Value, json};

use super::list;

const ACTIONS: [&str; 7] = [
    "Site", "Build", "Preview", "Answers", "Release", "Publish", "Verify",
];
/// Kills of one `run`; then it is left to end.
const KILLS: usize = 14;

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
    all_is_as_if_it_had_not_been(&example, told);
}

/// No process and no half-written file is left, every action ran once and well, the site is published.
pub(super) fn all_is_as_if_it_had_not_been(example: &Example, told: impl Fn(&str) -> String) {
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

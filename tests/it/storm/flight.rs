//! `serve` killed while several executions of a QUEUED and of a PARALLEL pipeline are in flight, with a worker, people
//! who approve and retry, and a transition that is closed half of the time.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use harness::{
    chance::Chance,
    example::Example,
    http::{Answer, codepipeline},
    process::{PATIENCE, Server},
};
use serde_json::{Value, json};

use super::list;

/// Executions of each pipeline.
const EXECUTIONS: usize = 3;
/// Kills.
const ROUNDS: usize = 10;
/// In this round the transition is opened.
const OPENED: usize = 6;

const PIPELINES: [(&str, &str); 2] = [("queued", "QUEUED"), ("parallel", "PARALLEL")];

fn definition(name: &str, mode: &str) -> Value {
    let action = |name: &str, kind: [&str; 3], configuration: Value| {
        json!({"name": name, "configuration": configuration, "inputArtifacts": [], "outputArtifacts": [],
            "actionTypeId": {"category": kind[0], "owner": kind[1], "provider": kind[2], "version": "1"}})
    };
    let repository = json!({"RepositoryName": "site", "BranchName": "main"});
    let mut source = action("Source", ["Source", "AWS", "CodeCommit"], repository);
    source["outputArtifacts"] = json!([{"name": "Site"}]);
    let live = json!({"BucketName": "live", "Extract": "true"});
    let mut copy = action("Copy", ["Deploy", "AWS", "S3"], live);
    copy["inputArtifacts"] = json!([{"name": "Site"}]);
    json!({
        "name": name, "roleArn": "arn:aws:iam::123456789012:role/r", "pipelineType": "V2", "executionMode": mode,
        "artifactStore": {"type": "S3", "location": "artifacts"},
        "stages": [
            {"name": "Source", "actions": [source]},
            {"name": "Check", "actions": [action("Work", ["Test", "Custom", "Worker"], json!({}))]},
            {"name": "Release", "actions": [action("Ask", ["Approval", "AWS", "Manual"], json!({}))]},
            {"name": "Deploy", "actions": [copy]},
        ],
    })
}

/// People and a worker, who outlive every server.
#[derive(Default)]
struct People {
    /// Ids by pipeline and number, as far as they were told.
    started: BTreeMap<(&'static str, usize), String>,
    /// Jobs the worker has, with their nonces and executions.
    jobs: BTreeMap<String, (String, String)>,
    /// Executions whose work has failed once.
    failed: BTreeSet<String>,
    /// Pipelines whose transition was closed.
    closed: BTreeSet<&'static str>,
}

/// A call whose answer is 200, or a refusal that says that it was done before.
fn told(url: &str, operation: &str, input: &Value, repeated: &[&str]) -> io::Result<Answer> {
    let answer = codepipeline(url, operation, input)?;
    let refusal = answer.text();
    let fine = answer.status == 200 || repeated.iter().any(|it| refusal.contains(it));
    assert!(fine, "{operation} {input}: {refusal}");
    Ok(answer)
}

impl People {
    /// Does what is to be done until the server is gone or all has ended well.
    fn live(&mut self, url: &str, open: bool, polling: &Mutex<()>) -> io::Result<()> {
        self.prepare(url)?;
        loop {
            if open {
                for (name, _) in PIPELINES {
                    let gate = json!({"pipelineName": name, "stageName": "Deploy", "transitionType": "Inbound"});
                    told(url, "EnableStageTransition", &gate, &[])?;
                }
            }
            self.work(url, polling)?;
            let mut over = 0;
            for (name, mode) in PIPELINES {
                let input = json!({"pipelineName": name});
                let answer = told(url, "ListPipelineExecutions", &input, &[])?.json();
                for run in answer["pipelineExecutionSummaries"]
                    .as_array()
                    .into_iter()
                    .flatten()
                {
                    let id = run["pipelineExecutionId"].as_str().unwrap_or_default();
                    match run["status"].as_str() {
                        Some("Succeeded") => over += 1,
                        Some("Failed") => retry(url, name, id)?,
                        Some("InProgress") => {}
                        other => panic!("{name} {id} is {other:?}"),
                    }
                }
                approve(url, name, mode)?;
            }
            if over == PIPELINES.len() * EXECUTIONS {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn prepare(&mut self, url: &str) -> io::Result<()> {
        let artifacts = json!({"minimumCount": 0, "maximumCount": 0});
        let kind = json!({"category": "Test", "provider": "Worker", "version": "1",
            "inputArtifactDetails": artifacts, "outputArtifactDetails": artifacts});
        told(url, "CreateCustomActionType", &kind, &["AlreadyExists"])?;
        for (name, mode) in PIPELINES {
            let pipeline = json!({"pipeline": definition(name, mode)});
            told(url, "CreatePipeline", &pipeline, &["PipelineNameInUse"])?;
            if !self.closed.contains(name) {
                let gate = json!({"pipelineName": name, "stageName": "Deploy", "transitionType": "Inbound",
                    "reason": "not yet"});
                told(url, "DisableStageTransition", &gate, &[])?;
                self.closed.insert(name);
            }
            // CreatePipeline has started one
            for number in 1..EXECUTIONS {
                let input = json!({"name": name, "clientRequestToken": format!("{name}-{number}")});
                let answer = told(url, "StartPipelineExecution", &input, &[])?.json();
                let id = answer["pipelineExecutionId"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned();
                let known = self
                    .started
                    .entry((name, number))
                    .or_insert_with(|| id.clone());
                assert_eq!(*known, id, "a token started two executions");
            }
        }
        Ok(())
    }

    /// One tour of the worker. A kill does not fall into a poll: its answer, and with it the nonce, would be lost.
    fn work(&mut self, url: &str, polling: &Mutex<()>) -> io::Result<()> {
        let kind =
            json!({"category": "Test", "owner": "Custom", "provider": "Worker", "version": "1"});
        let input = json!({"actionTypeId": kind, "maxBatchSize": 10});
        let answer = {
            let _guard = polling.lock().expect("nobody panics with it");
            told(url, "PollForJobs", &input, &[])?.json()
        };
        for job in answer["jobs"].as_array().into_iter().flatten() {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let execution = text(&job["data"]["pipelineContext"]["pipelineExecutionId"]);
            self.jobs
                .insert(text(&job["id"]), (text(&job["nonce"]), execution));
        }
        for (id, (nonce, execution)) in self.jobs.clone() {
            let input = json!({"jobId": id, "nonce": nonce});
            told(url, "AcknowledgeJob", &input, &["InvalidNonce"])?;
            let last = self
                .started
                .iter()
                .any(|((_, number), it)| *number + 1 == EXECUTIONS && *it == execution);
            let done = &["InvalidJobState"];
            if last && !self.failed.contains(&execution) {
                let input =
                    json!({"jobId": id, "failureDetails": {"type": "JobFailed", "message": "no"}});
                told(url, "PutJobFailureResult", &input, done)?;
                self.failed.insert(execution);
            } else {
                told(url, "PutJobSuccessResult", &json!({"jobId": id}), done)?;
            }
            self.jobs.remove(&id);
        }
        Ok(())
    }
}

fn retry(url: &str, pipeline: &str, id: &str) -> io::Result<()> {
    let input = json!({"pipelineName": pipeline, "pipelineExecutionId": id, "stageName": "Check",
        "retryMode": "FAILED_ACTIONS"});
    told(url, "RetryStageExecution", &input, &["StageNotRetryable"]).map(drop)
}

/// Answers every open approval; where executions share no stage its token is the external id.
fn approve(url: &str, pipeline: &str, mode: &str) -> io::Result<()> {
    let runs = told(
        url,
        "ListActionExecutions",
        &json!({"pipelineName": pipeline}),
        &[],
    )?
    .json();
    let mut tokens: Vec<Value> = Vec::new();
    for run in runs["actionExecutionDetails"]
        .as_array()
        .into_iter()
        .flatten()
    {
        if run["actionName"] == "Ask" && run["status"] == "InProgress" {
            tokens.push(run["output"]["executionResult"]["externalExecutionId"].clone());
        }
    }
    if mode == "QUEUED" && !tokens.is_empty() {
        let state = told(url, "GetPipelineState", &json!({"name": pipeline}), &[])?.json();
        tokens =
            vec![state["stageStates"][2]["actionStates"][0]["latestExecution"]["token"].clone()];
    }
    for token in tokens.into_iter().filter(Value::is_string) {
        let input = json!({"pipelineName": pipeline, "stageName": "Release", "actionName": "Ask", "token": token,
            "result": {"status": "Approved", "summary": ""}});
        told(
            url,
            "PutApprovalResult",
            &input,
            &["ApprovalAlreadyCompleted", "InvalidApprovalToken"],
        )?;
    }
    Ok(())
}

#[test]
fn executions_in_flight_survive_kills() {
    let mut chance = Chance::new("storm of kills on executions in flight");
    let seed = chance.seed;
    let folder = tempfile::tempdir().expect("a folder");
    let (state, example) = (folder.path().join("state"), Example::new());
    let config = folder.path().join("stagewright.toml");
    let text = format!(
        "[codecommit.site]\ngit = \"{}\"\n[bucket.artifacts]\n[bucket.live]\nwebsite = true\n",
        example.repository().display()
    );
    fs::write(&config, text).expect("a file");
    let config = config.display().to_string();
    let polling = Mutex::new(());
    let mut people = People::default();
    for round in 0..ROUNDS {
        let server = Server::start(&state, &["--config", &config]);
        let (url, life) = (server.url.clone(), chance.millis(30, 700));
        people = thread::scope(|scope| {
            let busy = scope.spawn(|| {
                let mut people = people;
                let gone = people.live(&url, round >= OPENED, &polling);
                drop(gone);
                people
            });
            thread::sleep(life);
            if round < OPENED {
                nothing_passed_the_gate(&server.url, seed);
            }
            let guard = polling.lock().expect("nobody panics with it");
            server.kill();
            drop(guard);
            busy.join().expect("every answer was one of those expected")
        });
    }
    let server = Server::start(&state, &["--config", &config]);
    let url = server.url.clone();
    let (tell, ended) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let lived = people.live(&url, true, &Mutex::new(()));
        tell.send(lived.is_ok()).ok();
    });
    let begun = Instant::now();
    assert_eq!(
        ended.recv_timeout(PATIENCE),
        Ok(true),
        "seed {seed}: they do not end"
    );
    eprintln!(
        "seed {seed}: ended {:?} after the last kill",
        begun.elapsed()
    );
    for (name, mode) in PIPELINES {
        all_is_well(&server.url, name, mode, seed);
    }
}

/// While the transition is closed nobody deploys; whoever was never told that it is closed has not begun.
fn nothing_passed_the_gate(url: &str, seed: u64) {
    for (name, _) in PIPELINES {
        let Ok(answer) = codepipeline(url, "ListActionExecutions", &json!({"pipelineName": name}))
        else {
            return;
        };
        let runs = answer.json()["actionExecutionDetails"].clone();
        let passed = runs
            .as_array()
            .into_iter()
            .flatten()
            .find(|it| it["actionName"] == "Copy");
        assert_eq!(passed, None, "seed {seed}: {name}");
    }
}

fn all_is_well(url: &str, name: &str, mode: &str, seed: u64) {
    let input = json!({"pipelineName": name});
    let runs = list(
        url,
        "ListPipelineExecutions",
        "pipelineExecutionSummaries",
        input.clone(),
    );
    assert_eq!(runs.len(), EXECUTIONS, "seed {seed}: {runs:#?}");
    let actions = list(url, "ListActionExecutions", "actionExecutionDetails", input);
    let mut order: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    // oldest first
    for run in runs.iter().rev() {
        let id = run["pipelineExecutionId"].as_str().expect("an id");
        assert_eq!(run["status"], "Succeeded", "seed {seed}: {run:#?}");
        for action in ["Source", "Work", "Ask", "Copy"] {
            let of = |status: &str| {
                let mine = actions
                    .iter()
                    .filter(|it| it["pipelineExecutionId"] == id && it["actionName"] == action);
                mine.filter(|it| it["status"] == status).count()
            };
            assert_eq!(
                of("Succeeded"),
                1,
                "seed {seed}: {name} {action}: {actions:#?}"
            );
            assert_eq!(
                of("InProgress") + of("Abandoned"),
                0,
                "seed {seed}: {name} {action}"
            );
        }
        order.entry("start").or_default().push(id);
    }
    let failed = actions.iter().filter(|it| it["status"] == "Failed").count();
    assert_eq!(failed, 1, "seed {seed}: {name}");
    if mode == "QUEUED" {
        for action in ["Source", "Ask", "Copy"] {
            let mine = actions.iter().rev().filter(|it| it["actionName"] == action);
            let ids: Vec<&str> = mine
                .filter_map(|it| it["pipelineExecutionId"].as_str())
                .collect();
            assert_eq!(ids, order["start"], "seed {seed}: {action} was overtaken");
        }
    }
}

//! `serve` killed while executions are started.

use std::{
    collections::BTreeMap,
    fs, thread,
    time::{Duration, Instant},
};

use harness::{
    chance::Chance,
    example::Example,
    http::codepipeline,
    process::{PATIENCE, Server},
};
use serde_json::json;

use super::list;

/// Kills of one `serve`.
const ROUNDS: usize = 8;

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

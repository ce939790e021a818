//! A real image registry: a push starts the pipeline, whose source says what was pushed.

use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
};

use harness::{
    http,
    process::{Server, wait},
};
use serde_json::json;
use sha2::{Digest as _, Sha256};

/// Debian's package and program.
const REGISTRY: &str = "docker-registry";

/// A registry that tells the engine of pushes; ended when dropped.
struct Registry {
    child: Child,
    url: String,
}

impl Drop for Registry {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Registry {
    /// `None`, loudly, where it is not installed.
    fn start(folder: &Path, engine: &str, port: u16) -> Option<Self> {
        let config = json!({
            "version": 0.1,
            "log": {"level": "error"},
            "storage": {"filesystem": {"rootdirectory": folder.join("images")}},
            "http": {"addr": format!("127.0.0.1:{port}")},
            "notifications": {"endpoints": [{"name": "engine", "url": format!("{engine}/_stagewright/registry"),
                "timeout": "5s", "threshold": 3, "backoff": "100ms"}]},
        });
        let path = folder.join("registry.yml");
        fs::write(&path, config.to_string()).expect("a file");
        let started = Command::new(REGISTRY)
            .arg("serve")
            .arg(&path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(child) = started else {
            assert!(
                std::env::var_os("CI").is_none(),
                "{REGISTRY} is not installed"
            );
            eprintln!("SKIPPED: {REGISTRY} is not installed (Debian's package of that name)");
            return None;
        };
        let registry = Self {
            child,
            url: format!("http://127.0.0.1:{port}"),
        };
        wait("the registry", || {
            let answer = http::request(&registry.url, "GET", "/v2/", &[], b"").ok()?;
            (answer.status == 200).then_some(())
        });
        Some(registry)
    }

    /// Pushes an image of one layer under a tag; answers its digest.
    fn push(&self, repository: &str, tag: &str, layer: &[u8]) -> String {
        let config = self.blob(repository, b"{}");
        let content = self.blob(repository, layer);
        let kind = "application/vnd.docker.distribution.manifest.v2+json";
        let manifest = json!({"schemaVersion": 2, "mediaType": kind,
            "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": 2, "digest": config},
            "layers": [{"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": layer.len(), "digest": content}]});
        let body = manifest.to_string();
        let path = format!("/v2/{repository}/manifests/{tag}");
        let headers = [("content-type", kind)];
        let answer = http::request(&self.url, "PUT", &path, &headers, body.as_bytes());
        let answer = answer.expect("an answer");
        assert_eq!(answer.status, 201, "{}", answer.text());
        digest(body.as_bytes())
    }

    fn blob(&self, repository: &str, bytes: &[u8]) -> String {
        let digest = digest(bytes);
        let path = format!("/v2/{repository}/blobs/uploads/?digest={digest}");
        let started = http::request(&self.url, "POST", &path, &[], b"").expect("an answer");
        assert_eq!(started.status, 202, "{}", started.text());
        let place = started.header("location").expect("a place to upload to");
        let place = place.trim_start_matches(&self.url);
        let joint = if place.contains('?') { '&' } else { '?' };
        let place = format!("{place}{joint}digest={digest}");
        let headers = [("content-type", "application/octet-stream")];
        let put = http::request(&self.url, "PUT", &place, &headers, bytes).expect("an answer");
        assert_eq!(put.status, 201, "{}", put.text());
        digest
    }
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

#[test]
fn a_push_to_a_registry_starts_the_pipeline_with_the_image() {
    let folder = tempfile::tempdir().expect("a folder");
    let port = free_port();
    let config = format!(
        "[bucket.artifacts]\n[ecr.\"team/shop\"]\nregistry = \"http://127.0.0.1:{port}\"\n"
    );
    let path = folder.path().join("stagewright.toml");
    fs::write(&path, config).expect("a file");
    let path = path.display().to_string();
    let server = Server::start(&folder.path().join("state"), &["--config", &path]);
    let Some(registry) = Registry::start(folder.path(), &server.url, port) else {
        return;
    };
    let first = registry.push("team/shop", "latest", b"one");
    let definition = json!({
        "name": "shop", "roleArn": "arn:aws:iam::123456789012:role/r", "pipelineType": "V2", "executionMode": "QUEUED",
        "artifactStore": {"type": "S3", "location": "artifacts"},
        "stages": [
            {"name": "Source", "actions": [{"name": "Image", "outputArtifacts": [{"name": "Image"}],
                "actionTypeId": {"category": "Source", "owner": "AWS", "provider": "ECR", "version": "1"},
                "configuration": {"RepositoryName": "team/shop"}}]},
            {"name": "Look", "actions": [{"name": "Look", "commands": ["cat imageDetail.json"], "inputArtifacts": [{"name": "Image"}],
                "actionTypeId": {"category": "Compute", "owner": "AWS", "provider": "Commands", "version": "1"}}]}],
    });
    server.codepipeline("CreatePipeline", &json!({"pipeline": definition}));
    let pattern = json!({"source": ["aws.ecr"], "detail-type": ["ECR Image Action"], "detail": {
        "action-type": ["PUSH"], "result": ["SUCCESS"], "repository-name": ["team/shop"], "image-tag": ["latest"]}});
    let rule = json!({"Name": "push", "EventPattern": pattern.to_string()});
    server.events("PutRule", &rule);
    let target = json!({"Id": "p", "Arn": "arn:aws:codepipeline:eu-west-1:123456789012:shop", "RoleArn": "arn:aws:iam::123456789012:role/start"});
    let targets = json!({"Rule": "push", "Targets": [target]});
    server.events("PutTargets", &targets);

    // the registry may tell of the first push when the rule is there already
    let newest = |what: &str, image: &str, started_by: &[&str]| {
        wait(what, || {
            let listed =
                server.codepipeline("ListPipelineExecutions", &json!({"pipelineName": "shop"}));
            let newest = listed["pipelineExecutionSummaries"][0].clone();
            let fits = newest["sourceRevisions"][0]["revisionId"] == image
                && newest["status"] == "Succeeded"
                && started_by
                    .iter()
                    .any(|it| newest["trigger"]["triggerType"] == **it);
            fits.then_some(newest)
        })
    };
    newest(
        "the first image",
        &first,
        &["CreatePipeline", "CloudWatchEvent"],
    );
    let second = registry.push("team/shop", "latest", b"two");
    let run = newest("the second image", &second, &["CloudWatchEvent"]);
    let listed = json!({"pipelineName": "shop", "filter": {"pipelineExecutionId": run["pipelineExecutionId"]}});
    let actions = server.codepipeline("ListActionExecutions", &listed);
    let uri = &actions["actionExecutionDetails"][1]["output"]["outputVariables"]["ImageURI"];
    assert_eq!(
        *uri,
        format!("123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/shop@{second}")
    );
}

//! What large sources and artifacts cost the engine: its peak memory while a pipeline takes them from git or S3, builds with
//! them and deploys them. A second argument, as in `bench sources 10`, divides the sizes.

use std::{
    fs::{self, File},
    io::Write as _,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use harness::process::{Server, finish, shown};
use serde_json::{Value, json};

use crate::memory;

/// Megabytes of the repository with large files.
const LARGE: usize = 100;
/// Files of the repository with many.
const MANY: usize = 50_000;
/// Megabytes of the artifact that a build makes.
const BUILT: usize = 1024;
/// Longer takes no run, in a development build either.
const PATIENCE: Duration = Duration::from_secs(1800);

/// Peak memory and time of each run.
pub fn measure() -> Vec<(String, String)> {
    let by: usize = std::env::args()
        .nth(2)
        .and_then(|it| it.parse().ok())
        .unwrap_or(1);
    let (large, many, built) = (LARGE / by, MANY / by, BUILT / by);
    let large_files = |folder: &Path| {
        for number in 0..large {
            noise(&folder.join(format!("{number}.bin")), 1);
        }
    };
    let many_files = |folder: &Path| {
        for number in 0..many {
            let below = folder.join(format!("d{}", number % 200));
            fs::create_dir_all(&below).expect("a folder");
            fs::write(below.join(format!("{number}.txt")), number.to_string()).expect("written");
        }
    };
    let small = |folder: &Path| fs::write(folder.join("a.txt"), "a").expect("written");
    let make = format!("head -c {} /dev/urandom > built.bin", built << 20);
    vec![
        ("a source of one file".to_owned(), run(small, "ls > names")),
        (
            format!("a source of {large} MB from git, built with and deployed"),
            run(large_files, "ls > names"),
        ),
        (
            format!("a source of {many} files from git, built with and deployed"),
            run(many_files, "ls > names"),
        ),
        (
            format!("an artifact of {built} MB, built and deployed"),
            run(small, &make),
        ),
    ]
}

/// Bytes that cannot be compressed.
fn noise(path: &Path, megabytes: usize) {
    let mut from = std::io::Read::take(
        File::open("/dev/urandom").expect("Linux"),
        (megabytes as u64) << 20,
    );
    let mut to = File::create(path).expect("a file");
    std::io::copy(&mut from, &mut to).expect("room for it");
    to.flush().expect("written");
}

fn git(folder: &Path, arguments: &[&str]) {
    let output = finish(
        Command::new("git")
            .args(["-c", "user.name=Dana", "-c", "user.email=dana@example.com"])
            .args(arguments)
            .current_dir(folder),
    );
    assert!(output.status.success(), "{}", shown(&output));
}

/// One execution: the engine's peak memory, and how long it took.
fn run(fill: impl Fn(&Path), command: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let repository = at("repository");
    fs::create_dir(&repository).expect("a folder");
    fill(&repository);
    let spec = json!({"version": 0.2, "phases": {"build": {"commands": [command]}}, "artifacts": {"files": ["**/*"]}});
    fs::write(repository.join("buildspec.yml"), spec.to_string()).expect("written");
    git(&repository, &["init", "-q", "-b", "main"]);
    git(&repository, &["add", "-A"]);
    git(&repository, &["commit", "-q", "-m", "All of it"]);
    let config = format!(
        "[bucket.artifacts]\n[bucket.live]\n[codecommit.shop]\ngit = {:?}\n[codebuild.shop]\n",
        repository.display().to_string()
    );
    fs::write(at("stagewright.toml"), config).expect("written");
    let file = at("stagewright.toml").display().to_string();
    let server = Server::start(&at("state"), &["--config", &file]);
    let begin = Instant::now();
    server.codepipeline("CreatePipeline", &pipeline());
    let named = json!({"pipelineName": "shop"});
    loop {
        let listed = server.codepipeline("ListPipelineExecutions", &named);
        match listed["pipelineExecutionSummaries"][0]["status"].as_str() {
            Some("Succeeded") => break,
            None | Some("InProgress") => assert!(begin.elapsed() < PATIENCE, "{listed:#}"),
            Some(_) => {
                let actions = server.codepipeline("ListActionExecutions", &named);
                panic!("{actions:#}")
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let took = begin.elapsed().as_secs_f64();
    let peak = memory(&server.id().to_string(), "VmHWM:").unwrap_or(f64::NAN);
    server.kill();
    format!("{peak:.1} MB, {took:.1} s")
}

fn pipeline() -> Value {
    let action = |category: &str,
                  provider: &str,
                  configuration: Value,
                  from: Option<&str>,
                  to: Option<&str>| {
        let named = |name: Option<&str>| {
            name.map(|name| json!({"name": name}))
                .into_iter()
                .collect::<Vec<_>>()
        };
        json!({"name": provider, "configuration": configuration,
            "actionTypeId": {"category": category, "owner": "AWS", "provider": provider, "version": "1"},
            "inputArtifacts": named(from), "outputArtifacts": named(to)})
    };
    let stage = |name: &str, action: Value| json!({"name": name, "actions": [action]});
    let source =
        json!({"RepositoryName": "shop", "BranchName": "main", "PollForSourceChanges": "false"});
    let deploy = json!({"BucketName": "live", "Extract": "true"});
    let build = json!({"ProjectName": "shop"});
    json!({"pipeline": {
        "name": "shop", "roleArn": "arn:aws:iam::123456789012:role/r", "pipelineType": "V2",
        "artifactStore": {"type": "S3", "location": "artifacts"},
        "stages": [
            stage("Source", action("Source", "CodeCommit", source, None, Some("App"))),
            stage("Build", action("Build", "CodeBuild", build, Some("App"), Some("Built"))),
            stage("Deploy", action("Deploy", "S3", deploy, Some("Built"), None))
        ]
    }})
}

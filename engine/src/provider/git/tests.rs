//! Real repositories in temporary folders, through the real `git`.

use std::{os::unix::fs::PermissionsExt, process::Command};

use engine_plan::event::SourceRevisionOverride;

use super::*;
use crate::{
    config::GitRemote,
    provider::workshop::tests::{Bench, task},
};

mod bad;

/// A repository with two commits on `main`.
struct Repo(tempfile::TempDir);

impl Repo {
    fn empty() -> Self {
        let repo = Self(tempfile::tempdir().unwrap());
        repo.git(&["init", "-q", "-b", "main"]);
        repo
    }

    fn new() -> Self {
        let repo = Self::empty();
        repo.write("old.txt", "old");
        repo.commit("First");
        repo.write("run.sh", "#!/bin/sh\necho hi\n");
        let script = repo.0.path().join("run.sh");
        fs::set_permissions(script, fs::Permissions::from_mode(0o755)).unwrap();
        std::os::unix::fs::symlink("run.sh", repo.0.path().join("link")).unwrap();
        repo.write("sub/page.html", "hello");
        repo.commit("Add a page\n\nWith a body: \"quoted\".");
        repo
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn commit(&self, message: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", message]);
    }

    fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .args(arguments)
            .current_dir(self.0.path())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_AUTHOR_NAME", "Dana Doe")
            .env("GIT_AUTHOR_EMAIL", "dana@example.com")
            .env("GIT_AUTHOR_DATE", "2024-01-02T03:04:05+01:00")
            .env("GIT_COMMITTER_NAME", "Kim Kay")
            .env("GIT_COMMITTER_EMAIL", "kim@example.com")
            .env("GIT_COMMITTER_DATE", "2024-02-03T04:05:06Z")
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    async fn bench(&self) -> Bench {
        let mut bench = Bench::new().await;
        let remote = GitRemote {
            git: self.0.path().display().to_string(),
            secret: None,
        };
        bench.config.codecommit.insert("shop".to_owned(), remote);
        bench
    }
}

fn commit_task(settings: &[(&str, &str)]) -> ActionTask {
    let mut all = vec![("RepositoryName", "shop"), ("BranchName", "main")];
    all.extend_from_slice(settings);
    let mut one = task("Fetch", &all, &[], &["Code"]);
    one.action_type.provider = "CodeCommit".to_owned();
    one
}

async fn run(bench: &Bench, task: &ActionTask) -> Outcome {
    perform(task, &bench.workshop(task), &CancellationToken::new()).await
}

async fn failure(bench: &Bench, task: &ActionTask) -> String {
    match run(bench, task).await {
        Outcome::Failed { message, .. } => message,
        other => panic!("should have failed: {other:?}"),
    }
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect()
}

#[tokio::test]
async fn the_newest_commit_of_the_branch_becomes_the_artifact() {
    let repo = Repo::new();
    let head = repo.git(&["rev-parse", "HEAD"]);
    // Hooks and configuration of the repository are not run.
    repo.write(".git/hooks/post-checkout", "#!/bin/sh\nexit 1\n");
    let bench = repo.bench().await;
    let one = commit_task(&[]);
    let outcome = run(&bench, &one).await;
    let Outcome::Succeeded {
        variables,
        revision,
        ..
    } = outcome
    else {
        panic!("{outcome:?}");
    };
    assert_eq!(
        variables,
        map(&[
            ("AuthorDate", "2024-01-02T02:04:05Z"),
            ("AuthorName", "Dana Doe"),
            ("BranchName", "main"),
            ("CommitId", &head),
            ("CommitMessage", "Add a page\n\nWith a body: \"quoted\"."),
            ("CommitterDate", "2024-02-03T04:05:06Z"),
            ("RepositoryName", "shop"),
        ])
    );
    let revision = revision.expect("a revision");
    assert_eq!(revision.revision_id, head);
    assert_eq!(revision.summary.as_deref(), Some("Add a page (Dana Doe)"));
    assert_eq!(
        bench.zip("Code").await,
        map(&[
            ("link", "run.sh"),
            ("old.txt", "old"),
            ("run.sh", "#!/bin/sh\necho hi\n"),
            ("sub/page.html", "hello")
        ])
    );
    // The same commit gives the same bytes, and unpacks to the same modes and links.
    let bytes = || async {
        let (info, _) = bench
            .objects
            .get("artifacts", "P/Code/abc", None)
            .await
            .unwrap();
        info.etag
    };
    let first = bytes().await;
    run(&bench, &commit_task(&[])).await;
    assert_eq!(bytes().await, first);
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    artifact::unpack(&bench.objects, &one.outputs[0], &out)
        .await
        .unwrap();
    assert_eq!(
        fs::read_link(out.join("link")).unwrap(),
        Path::new("run.sh")
    );
    assert_ne!(
        fs::metadata(out.join("run.sh"))
            .unwrap()
            .permissions()
            .mode()
            & 0o100,
        0
    );
}

#[tokio::test]
async fn a_revision_override_takes_that_commit() {
    let repo = Repo::new();
    let first = repo.git(&["rev-parse", "HEAD~1"]);
    let bench = repo.bench().await;
    let mut one = commit_task(&[]);
    let mut revision = SourceRevisionOverride {
        action_name: "Fetch".to_owned(),
        revision_type: "COMMIT_ID".to_owned(),
        revision_value: first.clone(),
    };
    one.source_revision = Some(revision.clone());
    let outcome = run(&bench, &one).await;
    assert!(
        matches!(&outcome, Outcome::Succeeded { variables, .. } if variables["CommitId"] == first),
        "{outcome:?}"
    );
    assert_eq!(bench.zip("Code").await, map(&[("old.txt", "old")]));
    revision.revision_value = "0123456789".repeat(4);
    one.source_revision = Some(revision.clone());
    let message = failure(&bench, &one).await;
    assert!(message.contains("has no commit 0123456789"), "{message}");
    revision.revision_value = "main~1".to_owned();
    one.source_revision = Some(revision);
    let message = failure(&bench, &one).await;
    assert!(message.contains("is not a full commit id"), "{message}");
}

#[tokio::test]
async fn a_connection_has_its_own_variables() {
    let repo = Repo::new();
    let mut bench = Bench::new().await;
    let arn = "arn:aws:codestar-connections:eu-west-1:123456789012:connection/1";
    let parent = repo.0.path().parent().unwrap().display().to_string();
    let name = repo
        .0
        .path()
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    let remote = GitRemote {
        git: format!("file://{parent}/{{FullRepositoryId}}"),
        secret: None,
    };
    bench.config.connection.insert(arn.to_owned(), remote);
    let settings = [
        ("ConnectionArn", arn),
        ("FullRepositoryId", name.as_str()),
        ("BranchName", "main"),
    ];
    let mut one = task("Fetch", &settings, &[], &["Code"]);
    one.action_type.provider = "CodeStarSourceConnection".to_owned();
    let outcome = run(&bench, &one).await;
    let Outcome::Succeeded { variables, .. } = outcome else {
        panic!("{outcome:?}");
    };
    let names: Vec<_> = variables.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "AuthorDate",
            "AuthorName",
            "BranchName",
            "CommitId",
            "CommitMessage",
            "ConnectionArn",
            "FullRepositoryName"
        ]
    );
}

#[tokio::test]
async fn a_clone_reference_is_cloned_with_history() {
    let repo = Repo::new();
    let bench = repo.bench().await;
    let one = commit_task(&[("OutputArtifactFormat", "CODEBUILD_CLONE_REF")]);
    let outcome = run(&bench, &one).await;
    assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome:?}");
    let file = artifact::file(&bench.objects, &one.outputs[0])
        .await
        .unwrap();
    let workshop = bench.workshop(&one);
    let tree = workshop.scratch("clone");
    let cloned = clone_reference(&workshop, &file, &tree, &CancellationToken::new()).await;
    assert!(matches!(cloned, Ok(true)), "{cloned:?}");
    let log = Command::new("git")
        .args(["log", "--format=%s %D"])
        .current_dir(&tree)
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&log.stdout),
        "Add a page HEAD -> main\nFirst \n"
    );
}

#[tokio::test]
async fn a_folder_a_zip_or_a_repository_can_stand_in() {
    let mut bench = Bench::new().await;
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join(".stagewright")).unwrap();
    fs::write(folder.path().join(".stagewright/journal"), "x").unwrap();
    fs::write(folder.path().join("page"), "from a folder").unwrap();
    let mut source = |path: &Path| {
        bench
            .config
            .sources
            .insert("Fetch".to_owned(), path.to_owned());
    };
    source(folder.path());
    let one = commit_task(&[]);
    let outcome = run(&bench, &one).await;
    assert!(
        matches!(&outcome, Outcome::Succeeded { variables, .. } if variables["CommitId"].len() == 40),
        "{outcome:?}"
    );
    assert_eq!(bench.zip("Code").await, map(&[("page", "from a folder")]));

    let (_, zip) = bench
        .objects
        .get("artifacts", "P/Code/abc", None)
        .await
        .unwrap();
    let copy = folder.path().join("source.zip");
    fs::copy(zip, &copy).unwrap();
    bench.config.sources.insert("Fetch".to_owned(), copy);
    assert!(matches!(run(&bench, &one).await, Outcome::Succeeded { .. }));
    assert_eq!(bench.zip("Code").await, map(&[("page", "from a folder")]));

    bench
        .config
        .sources
        .insert("Fetch".to_owned(), folder.path().join("page"));
    let message = failure(&bench, &one).await;
    assert!(message.contains("it is not a zip archive"), "{message}");
    bench
        .config
        .sources
        .insert("Fetch".to_owned(), folder.path().join("gone"));
    let message = failure(&bench, &one).await;
    assert!(message.starts_with("--source Fetch="), "{message}");

    let repo = Repo::new();
    bench
        .config
        .sources
        .insert("Fetch".to_owned(), repo.0.path().to_owned());
    let outcome = run(&bench, &one).await;
    let head = repo.git(&["rev-parse", "HEAD"]);
    assert!(
        matches!(&outcome, Outcome::Succeeded { variables, .. } if variables["CommitId"] == head),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_hanging_fetch_stops_with_the_action() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut bench = Bench::new().await;
    let remote = GitRemote {
        git: format!("http://{}/x.git", listener.local_addr().unwrap()),
        secret: None,
    };
    bench.config.codecommit.insert("shop".to_owned(), remote);
    let one = commit_task(&[]);
    let workshop = bench.workshop(&one);
    let stop = CancellationToken::new();
    let accepting = async {
        let connection = listener.accept().await.unwrap();
        stop.cancel();
        connection
    };
    let (outcome, _connection) = tokio::join!(perform(&one, &workshop, &stop), accepting);
    assert_eq!(outcome, Outcome::Stopped);
}

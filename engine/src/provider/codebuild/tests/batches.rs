//! Batch builds: their order, artifacts, failures and end.

use std::{fs, time::Duration};

use nix::{errno::Errno, sys::signal, unistd::Pid};

use super::{
    wider::{bench, site, variables},
    *,
};

const BATCH: &str = "version: 0.2
batch:
  build-graph:
    - {identifier: one, env: {variables: {WHO: first}}}
    - {identifier: two, depend-on: [one], buildspec: ci/two.yml}
    - {identifier: three, ignore-failure: true, env: {variables: {WHO: fails}}}
env:
  exported-variables: [SEEN]
phases:
  build:
    commands:
      - test \"$WHO\" != fails
      - SEEN=$CODEBUILD_BATCH_BUILD_IDENTIFIER
      - echo \"$WHO\" > out; echo more > more
artifacts:
  files: out
  secondary-artifacts:
    Extra: {files: more}
";
const TWO: &str =
    "version: 0.2\nphases: {build: {commands: ['echo two > out']}}\nartifacts: {files: out}\n";

#[tokio::test]
async fn a_batch_runs_its_builds_and_names_their_artifacts() {
    let bench = bench("", &[("buildspec.yml", BATCH), ("ci/two.yml", TWO)]).await;
    let one = site(&[("BatchEnabled", "true")], &["one", "one_Extra", "two"]);
    let outcome = build(&bench, &one).await;
    let log = bench.log(&one);
    let Outcome::Succeeded { details, .. } = &outcome else {
        panic!("{outcome:?}\n{log}")
    };
    assert_eq!(
        details.summary.as_deref(),
        Some("Batch build succeeded: 2 of 3 builds")
    );
    assert_eq!(variables(outcome, &log)["SEEN"], "one");
    let file = |name: &str, text: &str| BTreeMap::from([(name.to_owned(), text.to_owned())]);
    assert_eq!(bench.zip("one").await, file("out", "first\n"));
    assert_eq!(bench.zip("one_Extra").await, file("more", "more\n"));
    assert_eq!(bench.zip("two").await, file("out", "two\n"));
    let after = |text: &str| {
        log.find(text)
            .unwrap_or_else(|| panic!("{text} is missing\n{log}"))
    };
    assert!(
        after("Build one of the batch: SUCCEEDED") < after("two: [Container]"),
        "{log}"
    );
    assert!(log.contains("The failure of three is ignored"), "{log}");

    let both = [("BatchEnabled", "true"), ("CombineArtifacts", "true")];
    let combined = site(&both, &["All"]);
    let outcome = build(&bench, &combined).await;
    assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome:?}");
    let names: Vec<_> = bench.zip("All").await.into_keys().collect();
    assert_eq!(names, ["one/out", "one_Extra/more", "two/out"]);
}

#[tokio::test]
async fn a_batch_fails_with_the_builds_that_failed() {
    let failing = BATCH
        .replace(", ignore-failure: true", "")
        .replace("depend-on: [one]", "depend-on: [three]");
    let fast = failing
        .replace("batch:\n", "batch:\n  fast-fail: true\n")
        .replace("WHO: first", "WHO: '$(sleep 1000)'")
        .replace("test ", "eval \"WHO=$WHO\"; test ");
    for spec in [&failing, &fast] {
        let bench = bench("", &[("buildspec.yml", spec), ("ci/two.yml", TWO)]).await;
        let one = site(&[("BatchEnabled", "true")], &[]);
        let outcome = build(&bench, &one).await;
        let (text, log) = (failure(&outcome).to_owned(), bench.log(&one));
        assert!(
            text.starts_with("three: Build terminated with state: FAILED. Phase BUILD: command `"),
            "{text}"
        );
        assert!(!log.contains("two: [Container]"), "{log}");
    }
    let bench = bench("", &[("buildspec.yml", TWO)]).await;
    let outcome = build(&bench, &site(&[("BatchEnabled", "true")], &[])).await;
    assert!(
        failure(&outcome).contains("buildspec.yml: BatchEnabled needs batch in the buildspec"),
        "{outcome:?}"
    );
}

/// Builds that leave processes behind in every way, and note their ids in `$PIDS`.
const ENDLESS: &str = "version: 0.2
batch:
  build-list:
    - {identifier: left}
    - {identifier: right}
phases:
  build:
    commands:
      - echo $$ >> \"$PIDS\"; sleep 1000 & echo $! >> \"$PIDS\"
      - (setsid sleep 1000 & echo $! >> \"$PIDS\"); echo up >> \"$PIDS\"; sleep 1000
";

#[tokio::test]
async fn a_batch_that_is_stopped_leaves_no_process() {
    let folder = tempfile::tempdir().expect("a folder");
    let pids = folder.path().join("pids");
    let config = format!(
        "[codebuild.site]\nenvironment = {{ PIDS = {:?} }}",
        pids.display().to_string()
    );
    let bench = bench(&config, &[("buildspec.yml", ENDLESS)]).await;
    let one = site(&[("BatchEnabled", "true")], &[]);
    let stop = CancellationToken::new();
    let both_run = async {
        let noted = || fs::read_to_string(&pids).unwrap_or_default();
        while noted().matches("up").count() < 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        stop.cancel();
        noted()
    };
    let limit = Duration::from_secs(120);
    let both = tokio::time::timeout(limit, async {
        tokio::join!(build_until(&bench, &one, &stop), both_run)
    });
    let (outcome, noted) = both.await.expect("it ends when it is stopped");
    assert_eq!(outcome, Outcome::Stopped, "{}", bench.log(&one));
    let ids: Vec<i32> = noted.lines().filter_map(|it| it.parse().ok()).collect();
    assert_eq!(ids.len(), 6, "{noted}");
    for id in ids {
        let gone = async {
            while signal::kill(Pid::from_raw(id), None) != Err(Errno::ESRCH) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let gone = tokio::time::timeout(Duration::from_secs(30), gone).await;
        assert!(gone.is_ok(), "process {id} of {noted} lives on");
    }
}

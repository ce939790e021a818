//! Builds with stored values, batches, caches and images.

use std::{fs, os::unix::fs::PermissionsExt as _};

use super::*;

/// A bench with one project, `site`, and one source with these files.
async fn bench(config: &str, files: &[(&str, &str)]) -> Bench {
    let mut bench = Bench::new().await;
    bench.config = toml::from_str(config).expect("a configuration");
    bench.put_zip("Code", files).await;
    bench
}

fn site(more: &[(&str, &str)], outputs: &[&str]) -> ActionTask {
    let mut all = vec![("ProjectName", "site")];
    all.extend_from_slice(more);
    task("Build", &all, &["Code"], outputs)
}

fn variables(outcome: Outcome, log: &str) -> BTreeMap<String, String> {
    match outcome {
        Outcome::Succeeded { variables, .. } => variables,
        other => panic!("{other:?}\n{log}"),
    }
}

#[tokio::test]
async fn stored_values_reach_the_build_and_no_log() {
    let config = r#"
        [codebuild.site.secrets-manager]
        [codebuild.site]
        parameter_store = { LEVEL = "/shop/level" }
        [parameter]
        "/shop/level" = "planted-level"
        "/shop/mail" = "planted-mail"
        [secret]
        db = '{"word": "planted-word"}'
        token = "planted-token"
    "#;
    let config = config.replace("[codebuild.site.secrets-manager]", "");
    let spec = "version: 0.2
env:
  parameter-store: {MAIL: /shop/mail, LEVEL: /not/this}
  secrets-manager: {WORD: 'db:word'}
  exported-variables: [ALL]
phases:
  build:
    commands:
      - ALL=${#MAIL}-${#WORD}-${#LEVEL}-${#TOKEN}
      - echo \"seen $MAIL $WORD $LEVEL $TOKEN\"
      - test \"$WORD\" = planted-word
";
    let mut bench = bench(&config, &[("buildspec.yml", spec)]).await;
    bench.config.parameter.insert(
        "/not/this".to_owned(),
        crate::config::StoredValue::Text("other".to_owned().into()),
    );
    let json = r#"[{"name":"TOKEN","value":"token","type":"SECRETS_MANAGER"}]"#;
    let one = site(&[("EnvironmentVariables", json)], &[]);
    let outcome = build(&bench, &one).await;
    let log = bench.log(&one);
    assert_eq!(variables(outcome, &log)["ALL"], "12-12-13-13");
    assert!(
        log.contains("seen *** *** *** ***") && !log.contains("planted"),
        "{log}"
    );

    // neither is what failed told with them
    let failing = spec.replace(
        "test \"$WORD\" = planted-word",
        "echo planted-word; false planted-word",
    );
    bench.put_zip("Code", &[("buildspec.yml", &failing)]).await;
    let outcome = build(&bench, &one).await;
    let told = format!("{outcome:?}{}", bench.log(&one));
    assert!(
        told.contains("command `echo ***; false ***` exited with 1") && !told.contains("planted"),
        "{told}"
    );

    bench.config.secret.clear();
    let outcome = build(&bench, &one).await;
    let text = failure(&outcome);
    assert!(
        text.contains("WORD: the secret db is not known: set \"db\" in [secret]"),
        "{text}"
    );
}

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

#[tokio::test]
async fn a_cache_is_kept_for_the_projects_next_build() {
    let spec = "version: 0.2
env: {exported-variables: [FOUND]}
phases: {build: {commands: ['FOUND=$(cat lib/kept || echo no)', 'mkdir -p lib; echo yes > lib/kept']}}
cache: {paths: ['lib/**/*', '/root/.m2/**/*']}
";
    let mut bench = bench("[codebuild.site]\ncache = true", &[("buildspec.yml", spec)]).await;
    for (expected, cached) in [("no", true), ("yes", true), ("no", false)] {
        bench
            .config
            .codebuild
            .get_mut("site")
            .expect("the project")
            .cache = cached;
        let one = site(&[], &[]);
        let outcome = build(&bench, &one).await;
        let log = bench.log(&one);
        assert_eq!(variables(outcome, &log)["FOUND"], expected, "{log}");
        assert_eq!(
            log.contains("/root/.m2/**/* stays on this machine"),
            cached,
            "{log}"
        );
    }
}

/// Docker's command line as far as a build uses it: containers are folders, what runs in them runs here.
const DOCKER: &str = r#"#!/bin/sh
here=$(dirname "$0")
echo "$*" >>"$here/asked"
case $1 in
run) case "$*" in *no-such-image*) echo "Unable to find image" >&2; exit 125;; esac; touch "$here/running";;
rm) rm -f "$here/running";;
exec)
  test -e "$here/running" || exit 1
  shift
  while :; do case $1 in --interactive) shift;; --workdir) cd "$2"; shift 2;; --env) shift 2;; *) break;; esac; done
  shift
  test "$1" = chown && exit 0
  exec "$@";;
esac
"#;

#[tokio::test]
async fn an_image_runs_every_command_in_one_container() {
    let folder = tempfile::tempdir().expect("a folder");
    let docker = folder.path().join("docker");
    fs::write(&docker, DOCKER).expect("written");
    fs::set_permissions(&docker, fs::Permissions::from_mode(0o755)).expect("a program");
    let spec = "version: 0.2
env: {variables: {A: planted}, exported-variables: [SEEN]}
phases: {build: {commands: ['export B=kept; exit 0', 'SEEN=$A-$B-$CODEBUILD_BUILD_IMAGE', 'echo x > out']}}
artifacts: {files: out}
";
    let config = format!(
        "[engine]\ncontainers = {:?}\n[codebuild.site]\nimage = 'alpine:3'",
        docker.display().to_string()
    );
    let mut bench = bench(&config, &[("buildspec.yml", spec)]).await;
    let one = site(&[], &["Built"]);
    let outcome = build(&bench, &one).await;
    let log = bench.log(&one);
    assert_eq!(
        variables(outcome, &log)["SEEN"],
        "planted-kept-alpine:3",
        "{log}"
    );
    let asked = fs::read_to_string(folder.path().join("asked")).expect("it was asked");
    let verbs: Vec<&str> = asked
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(
        verbs,
        ["rm", "run", "exec", "exec", "exec", "rm"],
        "{asked}"
    );
    assert!(
        asked.contains("--env A") && !asked.contains("planted"),
        "{asked}"
    );
    assert!(!folder.path().join("running").exists());

    let set = |bench: &mut Bench, image: &str| {
        let project = bench.config.codebuild.get_mut("site").expect("the project");
        project.image = Some(image.to_owned());
    };
    set(&mut bench, "no-such-image");
    let outcome = build(&bench, &one).await;
    assert!(
        failure(&outcome).contains("cannot run the image no-such-image: Unable to find image"),
        "{outcome:?}"
    );
    bench.config.engine.containers = Some("no-such-program".to_owned());
    let outcome = build(&bench, &one).await;
    assert!(
        failure(&outcome)
            .contains("the image no-such-image needs no-such-program, which is not installed"),
        "{outcome:?}"
    );
}

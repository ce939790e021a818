//! Builds with stored values, caches and images.

use std::{fs, os::unix::fs::PermissionsExt as _};

use super::*;

/// A bench with one project, `site`, and one source with these files.
pub async fn bench(config: &str, files: &[(&str, &str)]) -> Bench {
    let mut bench = Bench::new().await;
    bench.config = toml::from_str(config).expect("a configuration");
    bench.put_zip("Code", files).await;
    bench
}

pub fn site(more: &[(&str, &str)], outputs: &[&str]) -> ActionTask {
    let mut all = vec![("ProjectName", "site")];
    all.extend_from_slice(more);
    task("Build", &all, &["Code"], outputs)
}

pub fn variables(outcome: Outcome, log: &str) -> BTreeMap<String, String> {
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

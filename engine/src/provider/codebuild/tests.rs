//! Whole builds: artifacts in, a real shell, artifacts and variables out.

use std::collections::BTreeMap;

use tokio_util::sync::CancellationToken;

use super::stored::Stores;
use super::*;
use crate::config::CodebuildConfig;
use crate::provider::workshop::tests::{Bench, task};

const SPEC: &str = "version: 0.2
env:
  variables: {GREETING: spec, KEPT: spec}
  exported-variables: [VERSION]
phases:
  build:
    commands:
      - VERSION=1.$CODEBUILD_BUILD_NUMBER-$CODEBUILD_RESOLVED_SOURCE_VERSION
      - mkdir dist
      - echo \"$GREETING $KEPT $SECRET_OF_ENGINE\" | tee dist/index.html
      - cp \"$CODEBUILD_SRC_DIR_Docs/readme\" dist/
artifacts:
  base-directory: dist
  files: ['**/*']
  secondary-artifacts:
    Second: {files: ['readme'], base-directory: dist}
";

async fn build(bench: &Bench, task: &ActionTask) -> Outcome {
    build_until(bench, task, &CancellationToken::new()).await
}

async fn build_until(bench: &Bench, task: &ActionTask, stop: &CancellationToken) -> Outcome {
    let workshop = bench.workshop(task);
    let build = Build {
        task,
        workshop: &workshop,
        stores: &Stores::of(&bench.config),
        caches: Some(bench.folder.path().join("caches")),
        number: 7,
        revision: Some("abc".to_owned()),
        progress: None,
        member: None,
        masks: Mutex::default(),
    };
    build.perform(stop).await
}

fn failure(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Failed { message, .. } => message,
        other => panic!("should have failed: {other:?}"),
    }
}

#[tokio::test]
async fn a_build_makes_artifacts_and_variables() {
    let mut bench = Bench::new().await;
    let project = CodebuildConfig {
        environment: BTreeMap::from([("GREETING".to_owned(), "project".to_owned())]),
        ..CodebuildConfig::default()
    };
    bench.config.codebuild.insert("site".to_owned(), project);
    bench.put_zip("Code", &[("buildspec.yml", SPEC)]).await;
    bench.put_zip("Docs", &[("readme", "read me")]).await;
    let configuration = [
        ("ProjectName", "site"),
        ("PrimarySource", "Code"),
        (
            "EnvironmentVariables",
            r#"[{"name":"KEPT","value":"action"}]"#,
        ),
    ];
    let one = task("Build", &configuration, &["Docs", "Code"], &["Built"]);
    let outcome = build(&bench, &one).await;
    let Outcome::Succeeded {
        variables, details, ..
    } = &outcome
    else {
        panic!("{outcome:?}\n{}", bench.log(&one));
    };
    assert_eq!(
        variables.get("VERSION").map(String::as_str),
        Some("1.7-abc")
    );
    assert_eq!(
        details.external_execution_id,
        Some(format!("site:{}", one.action_execution))
    );
    let files = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    };
    assert_eq!(
        bench.zip("Built").await,
        files(&[("index.html", "project action \n"), ("readme", "read me")])
    );
    let log = bench.log(&one);
    assert!(
        log.contains("Entering phase BUILD\n") && log.contains("\nproject action \n"),
        "{log}"
    );

    let two = task(
        "Build",
        &configuration,
        &["Docs", "Code"],
        &["Built", "Second"],
    );
    assert!(matches!(
        build(&bench, &two).await,
        Outcome::Succeeded { .. }
    ));
    assert_eq!(bench.zip("Second").await, files(&[("readme", "read me")]));
    assert!(
        bench
            .log(&two)
            .contains("The buildspec makes no artifact Built")
    );
}

#[tokio::test]
async fn failures_name_their_cause() {
    let spec = |commands: &str| {
        format!(
            "version: 0.2\nphases:\n  build:\n    commands:\n{commands}artifacts:\n  files: out\n"
        )
    };
    type Pairs<'a> = &'a [(&'a str, &'a str)];
    let cases: [(Pairs, Pairs, &str); 9] = [
        (
            &[("buildspec.yml", &spec("      - test -f nothing\n"))],
            &[],
            "Phase BUILD: command `test -f nothing` exited with 1 (buildspec.yml line 5)",
        ),
        (
            &[(
                "buildspec.yml",
                &spec("      - |\n        true\n        exit 4\n"),
            )],
            &[],
            "Phase BUILD: command `true …` exited with 4 (buildspec.yml line 6)",
        ),
        (
            &[("buildspec.yml", &spec("      - 'true'\n"))],
            &[],
            "Phase UPLOAD_ARTIFACTS: CLIENT_ERROR: no matching artifact paths found for out",
        ),
        (
            &[("other.yml", "")],
            &[],
            "Phase DOWNLOAD_SOURCE: YAML_FILE_ERROR: buildspec.yml: no such file in the primary source",
        ),
        (
            &[("ci/spec.yml", "version: 0.2\nphases: [")],
            &[("BuildspecOverride", "ci/spec.yml")],
            "Phase DOWNLOAD_SOURCE: YAML_FILE_ERROR: ci/spec.yml line ",
        ),
        (
            &[("a", "")],
            &[("BuildspecOverride", "../x")],
            "YAML_FILE_ERROR: ../x: must be a path inside the primary source",
        ),
        (
            &[("a", "")],
            &[("CombineArtifacts", "true")],
            "CombineArtifacts needs BatchEnabled",
        ),
        (
            &[("a", "")],
            &[("ProjectName", "../x")],
            "ProjectName must be a CodeBuild project name",
        ),
        (
            &[("a", "")],
            &[("PrimarySource", "Other")],
            "PrimarySource Other is not an input artifact",
        ),
    ];
    for (files, settings, expected) in cases {
        let bench = Bench::new().await;
        bench.put_zip("Code", files).await;
        let mut configuration = vec![("ProjectName", "site")];
        configuration.extend_from_slice(settings);
        let one = task("Build", &configuration, &["Code"], &["Built"]);
        let outcome = build(&bench, &one).await;
        assert!(
            failure(&outcome).contains(expected),
            "{outcome:?}\nshould contain: {expected}"
        );
    }
}

#[tokio::test]
async fn bad_artifacts_fail_the_build_with_the_cause() {
    let bench = Bench::new().await;
    let one = task("Build", &[("ProjectName", "site")], &["Code"], &[]);
    let outcome = build(&bench, &one).await;
    assert!(
        failure(&outcome).contains("Name of artifact bucket: artifacts."),
        "{outcome:?}"
    );
    bench.put("P/Code/abc", b"not a zip".to_vec()).await;
    let outcome = build(&bench, &one).await;
    assert!(
        failure(&outcome).contains("artifact Code cannot be unpacked: it is not a zip archive"),
        "{outcome:?}"
    );
    let mut zip = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
    zip.start_file("../escape", zip::write::SimpleFileOptions::default())
        .unwrap();
    bench
        .put("P/Code/abc", zip.finish().unwrap().into_inner())
        .await;
    let outcome = build(&bench, &one).await;
    assert!(
        failure(&outcome).contains("\"../escape\" is refused"),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_zip_bomb_is_refused() {
    let bench = Bench::new().await;
    let mut zip = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
    zip.start_file("zeros", zip::write::SimpleFileOptions::default())
        .unwrap();
    io::copy(&mut io::Read::take(io::repeat(0), 17 << 20), &mut zip).unwrap();
    bench
        .put("P/Code/abc", zip.finish().unwrap().into_inner())
        .await;
    let one = task("Build", &[("ProjectName", "site")], &["Code"], &[]);
    let outcome = build(&bench, &one).await;
    assert!(
        failure(&outcome)
            .contains("artifact Code cannot be unpacked: the archive is refused at \"zeros\""),
        "{outcome:?}"
    );
}

#[test]
fn builds_are_counted_once() {
    let state = tempfile::tempdir().unwrap();
    let counted: Vec<u64> = ["a", "a", "b", "b"]
        .iter()
        .map(|id| count(state.path(), "site", id))
        .collect();
    assert_eq!(counted, [1, 1, 2, 2]);
    assert_eq!(count(state.path(), "other", "b"), 1);
}

fn commands(lines: &[&str], inputs: &[&str], outputs: &[&str]) -> ActionTask {
    let mut one = task("Make", &[], inputs, outputs);
    one.action_type.provider = "Commands".to_owned();
    one.commands = lines.iter().map(|line| (*line).to_owned()).collect();
    one
}

fn variable(
    name: &str,
    kind: Option<&str>,
    value: &str,
) -> engine_plan::definition::EnvironmentVariable {
    engine_plan::definition::EnvironmentVariable {
        name: name.to_owned(),
        value: value.to_owned(),
        kind: kind.map(str::to_owned),
    }
}

#[tokio::test]
async fn commands_run_in_one_shell_and_export_what_they_name() {
    let bench = Bench::new().await;
    bench.put_zip("Code", &[("in.txt", "bread")]).await;
    bench.put_zip("Docs", &[("readme", "read me")]).await;
    let mut one = commands(
        &[
            "cd \"$CODEBUILD_SRC_DIR\" && mkdir dist",
            "export KEPT=$GREETING-$(cat in.txt)",
            "[[ -f in.txt ]] && cp in.txt \"$CODEBUILD_SRC_DIR_Docs/readme\" dist/",
            "echo \"$KEPT\" > dist/kept",
        ],
        &["Code", "Docs"],
        &["Out"],
    );
    one.environment = vec![
        variable("GREETING", Some("PLAINTEXT"), "fresh"),
        variable("BARE", None, "x"),
    ];
    one.output_variables = vec!["KEPT".to_owned(), "NEVER".to_owned()];
    one.outputs[0].files = vec!["dist/**/*".to_owned()];
    let outcome = build(&bench, &one).await;
    let log = bench.log(&one);
    let Outcome::Succeeded {
        variables, details, ..
    } = &outcome
    else {
        panic!("{outcome:?}\n{log}");
    };
    let kept = BTreeMap::from([("KEPT".to_owned(), "fresh-bread".to_owned())]);
    assert_eq!(*variables, kept, "{log}");
    let id = format!("P-Make:{}", one.action_execution);
    assert_eq!(details.external_execution_id, Some(id));
    let names: Vec<_> = bench.zip("Out").await.into_keys().collect();
    assert_eq!(names, ["dist/in.txt", "dist/kept", "dist/readme"]);
    assert!(log.contains("Log group /aws/codepipeline/P"), "{log}");
    // a rule needs no input
    let two = commands(&["test \"$PWD\" = \"$CODEBUILD_SRC_DIR\""], &[], &[]);
    let outcome = build(&bench, &two).await;
    assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome:?}");
}

#[tokio::test]
async fn commands_that_fail_or_cannot_run_say_why() {
    let bench = Bench::new().await;
    type Change = fn(&mut ActionTask);
    let cases: [(&[&str], Change, &str, &str); 6] = [
        (
            &["true", "echo no >&2; false", "touch never"],
            |_| {},
            "JobFailed",
            "command `echo no >&2; false` exited with 1 (commands line 2)",
        ),
        (&[], |_| {}, "ConfigurationError", "declares no commands"),
        (
            &["a\nb"],
            |_| {},
            "ConfigurationError",
            "must be a single line",
        ),
        (
            &["true"],
            |task| task.environment = vec![variable("TOKEN", Some("VAULT"), "planted")],
            "ConfigurationError",
            "environmentVariables: TOKEN has type VAULT; use PLAINTEXT or SECRETS_MANAGER",
        ),
        (
            &["true"],
            |task| {
                let windows = "WINDOWS_SERVER_2022_CONTAINER".to_owned();
                task.configuration
                    .insert("EnvironmentType".to_owned(), windows);
            },
            "ConfigurationError",
            "EnvironmentType WINDOWS_SERVER_2022_CONTAINER is not supported",
        ),
        (
            &["true"],
            |task| task.output_variables = vec!["a b".to_owned()],
            "ConfigurationError",
            "\"a b\" is not a variable name",
        ),
    ];
    for (lines, change, code, says) in cases {
        let mut one = commands(lines, &[], &[]);
        change(&mut one);
        let outcome = build(&bench, &one).await;
        let Outcome::Failed { code: found, .. } = &outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(found, code);
        let text = failure(&outcome);
        assert!(text.contains(says) && !text.contains("planted"), "{text}");
    }
}

mod batches;
mod wider;

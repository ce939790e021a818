//! Scenario folders: a definition, its surroundings, and what a person must see.
//!
//! Each folder of `tests/scenarios` holds `scenario.toml`: `what` (one sentence), `run` (arguments), `status`, `shows`
//! (texts that must appear), `hides` (texts that must not). `from` is a folder of the repository that the scenario is
//! laid over, `needs` a program that a machine may lack. `{profile}` in a file stands for the folder of the binaries.

use std::{fs, path::Path, process::Command};

use harness::{
    process::{finish, shown},
    workspace::{root, stagewright},
};

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    let profile = stagewright()
        .parent()
        .expect("target/PROFILE")
        .display()
        .to_string();
    for entry in fs::read_dir(from).expect("a scenario").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            match fs::read_to_string(entry.path()) {
                Ok(text) => {
                    fs::write(&target, text.replace("{profile}", &profile)).expect("copied")
                }
                Err(_) => drop(fs::copy(entry.path(), &target).expect("copied")),
            }
        }
    }
}

fn texts(table: &toml::Table, key: &str) -> Vec<String> {
    let list = table
        .get(key)
        .and_then(toml::Value::as_array)
        .cloned()
        .unwrap_or_default();
    list.iter()
        .filter_map(|v| v.as_str().map(str::to_owned))
        .collect()
}

fn check(name: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let own = root().join("tests/scenarios").join(name);
    let text = fs::read_to_string(own.join("scenario.toml")).expect("scenario.toml");
    let scenario: toml::Table = text
        .parse()
        .unwrap_or_else(|e| panic!("{name}/scenario.toml: {e}"));
    let word = |key: &str| scenario.get(key).and_then(toml::Value::as_str);
    if let Some(program) = word("needs") {
        let there = Command::new(program).arg("--version").output().is_ok();
        assert!(
            there || std::env::var_os("CI").is_none(),
            "{program} must be there in CI"
        );
        if !there {
            eprintln!("SKIPPED: there is no {program} for {name}");
            return;
        }
    }
    if let Some(from) = word("from") {
        copy(&root().join(from), folder.path());
    }
    copy(&own, folder.path());
    let status = scenario["status"].as_integer().expect("a status");
    let output = finish(
        Command::new(stagewright())
            .args(texts(&scenario, "run"))
            .current_dir(folder.path()),
    );
    let told = shown(&output);
    assert_eq!(
        output.status.code().map(i64::from),
        Some(status),
        "{name}: {told}"
    );
    for expected in texts(&scenario, "shows") {
        assert!(
            told.contains(&expected),
            "{name}: {expected:?} is missing\n{told}"
        );
    }
    for hidden in texts(&scenario, "hides") {
        assert!(
            !told.contains(&hidden),
            "{name}: {hidden:?} must not appear\n{told}"
        );
    }
}

macro_rules! scenarios {
    ($($test:ident: $folder:literal,)*) => {
        $(#[test]
        fn $test() {
            check($folder);
        })*

        #[test]
        fn every_scenario_is_listed() {
            let listed = [$($folder),*];
            for entry in fs::read_dir(root().join("tests/scenarios")).expect("scenarios").flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                assert!(listed.contains(&name.as_str()), "tests/scenarios/{name} is not listed in tests/it/scenarios.rs");
            }
        }
    };
}

scenarios! {
    a_failing_build_names_its_command: "build-fails",
    reports_of_a_build_are_counted: "build-reports",
    a_batch_runs_in_the_order_of_its_graph: "build-batch",
    stored_values_reach_a_build_and_no_log: "build-values",
    a_broken_buildspec_names_its_line: "buildspec-broken",
    a_crashing_function_fails_its_action: "function-crashes",
    a_failing_function_fails_its_action: "function-errs",
    a_hanging_function_is_ended: "function-hangs",
    a_silent_function_fails_its_action: "function-silent",
    a_function_may_report_twice: "function-twice",
    a_function_that_cannot_start_is_named: "function-init",
    a_build_lets_a_stage_in: "rule-passes",
    an_alarm_that_is_missing_is_named: "rule-alarm-missing",
    a_stage_waits_for_its_window: "rule-window",
    a_pipeline_runs_another: "pipeline-in-pipeline",
    a_pipeline_runs_machines: "machines",
    servers_get_a_revision: "deploy-servers",
    a_failing_deployment_names_its_script: "deploy-servers-fails",
    an_environment_of_beanstalk_is_simulated: "deploy-beanstalk",
    an_image_is_a_source: "image",
    every_kind_of_source_has_its_variables: "sources",
    a_bucket_gets_files_and_archives: "deploy-s3",
    a_window_that_stays_closed_times_out: "rule-window-closed",
    a_variable_skips_a_stage: "rule-skip",
    a_failed_stage_is_retried: "rule-retry",
    commands_are_rules_and_actions: "rule-commands",
    a_command_that_fails_says_no: "rule-commands-no",
    a_silent_function_says_no: "rule-function-silent",
    a_missing_function_is_named: "function-missing",
    a_missing_bucket_is_named: "bucket-missing",
    an_artifact_that_is_no_zip_is_named: "artifact-no-zip",
    an_artifact_that_escapes_is_refused: "artifact-escapes",
    a_zip_bomb_is_refused: "artifact-bomb",
    a_missing_branch_is_named: "branch-missing",
    an_unknown_parameter_is_refused_by_name: "parameter-unknown",
    an_unknown_configuration_key_is_refused: "config-unknown",
    a_definition_that_is_no_json: "definition-no-json",
    a_definition_that_is_no_yaml: "definition-no-yaml",
    an_unknown_provider: "definition-unknown-provider",
    a_missing_artifact: "definition-missing-artifact",
    an_undefined_variable: "definition-undefined-variable",
    a_template_of_the_console: "template-console",
    a_template_of_the_cdk: "template-cdk",
    a_template_of_sam: "template-sam",
    a_document_of_terraform: "template-terraform",
    a_template_written_by_hand: "template-yaml",
    a_check_tells_all_that_aws_refuses: "check-errors",
    a_check_advises: "check-advice",
    a_check_speaks_sarif: "check-sarif",
    a_good_definition_as_yaml: "definition-good-yaml",
    a_good_template: "definition-good-template",
}

/// Names of the tests of `tests/it`.
fn tests_below(folder: &Path, names: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("listed").flatten() {
        let path = entry.path();
        if path.is_dir() {
            tests_below(&path, names);
        } else if let Ok(text) = fs::read_to_string(&path) {
            let functions = text.lines().filter_map(|line| line.strip_prefix("fn "));
            let named = functions.filter_map(|line| line.split('(').next());
            names.extend(named.map(str::to_owned));
        }
    }
}

#[test]
fn every_system_names_a_test_that_is_there() {
    let text = fs::read_to_string(root().join("docs/semantics.md")).expect("the page");
    let (_, table) = text.split_once("| shown by |").expect("the table");
    let (table, _) = table.split_once("\n\n").expect("its end");
    let mut there = Vec::new();
    tests_below(&root().join("tests/it"), &mut there);
    let scenarios = root().join("tests/scenarios");
    let mut rows = 0;
    for row in table.lines().skip(2) {
        let shown_by = row.split('|').nth(3).expect("a third column");
        let names: Vec<&str> = shown_by.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "{row}");
        for name in names {
            let there = there.iter().any(|it| it == name) || scenarios.join(name).is_dir();
            assert!(there, "{name} is no test: {row}");
        }
        rows += 1;
    }
    assert!(rows > 20, "{rows} rows");
}

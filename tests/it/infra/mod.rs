//! The templates of `infra/` against the functions, their descriptions and the events they wait for.

mod patterns;
mod permissions;
mod pipeline;
mod seen_calls;

use std::{collections::BTreeSet, fs};

use harness::{
    template::{logical_id, template},
    workspace::{files, relative, root},
};
use serde_json::Value;

fn functions() -> Vec<String> {
    let folders = fs::read_dir(root().join("functions")).expect("functions/");
    let names = folders.flatten().map(|entry| entry.file_name());
    let mut names: Vec<String> = names
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn none(what: &str, offenders: &[String]) {
    assert!(
        offenders.is_empty(),
        "{what}:\n  {}",
        offenders.join("\n  ")
    );
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// `aws-cn` and `aws-us-gov` have ARNs of their own; a parameter's default shows what one looks like.
#[test]
fn tidy_no_arn_names_a_partition() {
    let mut offenders = Vec::new();
    let all = ["yaml", "json"].map(|kind| files("infra", kind));
    for path in all.into_iter().flatten() {
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        let named = |line: &&str| line.contains("arn:aws:") && !line.contains("Default: arn:aws:");
        let lines = text.lines().filter(named);
        offenders.extend(lines.map(|line| format!("{}: {}", relative(&path), line.trim())));
    }
    none("ARNs that name a partition", &offenders);
}

#[test]
fn tidy_every_function_is_in_the_template() {
    let template = template("template.yaml");
    let resources = template["Resources"].as_object().expect("resources");
    let mut offenders = Vec::new();
    let mut expect = |holds: bool, what: String| {
        if !holds {
            offenders.push(what);
        }
    };
    for name in functions() {
        let id = logical_id(&name);
        let Some(function) = resources.get(&id) else {
            expect(false, format!("functions/{name} has no resource {id}"));
            continue;
        };
        let properties = &function["Properties"];
        let of = |suffix: &str| resources.contains_key(&format!("{id}{suffix}"));
        expect(
            text(&properties["CodeUri"]) == format!("../target/package/{name}.zip"),
            format!("{id}: CodeUri"),
        );
        expect(
            properties["FunctionName"]["Fn::Sub"] == format!("${{AWS::StackName}}-{name}"),
            format!("{id}: FunctionName"),
        );
        expect(
            properties["Role"]["Fn::GetAtt"][0] == format!("{id}Role"),
            format!("{id}: a role of its own"),
        );
        expect(
            properties["LoggingConfig"]["LogGroup"]["Ref"] == format!("{id}Logs"),
            format!("{id}: a log of its own"),
        );
        expect(
            of("Role") && of("Logs") && of("Errors"),
            format!("{id}: {id}Role, {id}Logs, {id}Errors"),
        );
        expect(
            properties["EventInvokeConfig"]["DestinationConfig"]["OnFailure"].is_object(),
            format!("{id}: where failures go"),
        );
        expect(function["Condition"].is_string(), format!("{id}: a switch"));
        if name.starts_with("action-") {
            let modes = &template["Parameters"][format!("{id}Mode")]["AllowedValues"];
            expect(
                *modes == serde_json::json!(["off", "invoke", "worker"]),
                format!("{id}Mode: off, invoke, worker"),
            );
            expect(
                template["Outputs"][format!("{id}Name")].is_object(),
                format!("output {id}Name"),
            );
        }
    }
    let known: BTreeSet<String> = functions().iter().map(|name| logical_id(name)).collect();
    for (id, resource) in resources {
        expect(
            resource["Type"] != "AWS::Serverless::Function" || known.contains(id),
            format!("{id} is no folder of functions/"),
        );
    }
    none("infra/template.yaml", &offenders);
}

#[test]
fn tidy_wildcards_have_reasons() {
    let mut offenders = Vec::new();
    for path in files("infra", "yaml") {
        let text = fs::read_to_string(&path).expect("a template");
        for (index, line) in text.lines().enumerate() {
            let (code, reason) = line.split_once(" #").unwrap_or((line, ""));
            let code = code.trim().trim_start_matches("- ");
            let grants = ["Resource:", "Action:", "!Sub \"arn:", "\"arn:"]
                .iter()
                .any(|start| code.starts_with(start));
            if grants && code.contains('*') && reason.trim().is_empty() {
                offenders.push(format!("{}:{}: {code}", relative(&path), index + 1));
            }
        }
    }
    none("wildcards without a reason behind them", &offenders);
}

#[test]
fn tidy_memory_and_timeouts_are_those_of_the_page() {
    let template = template("template.yaml");
    let page = fs::read_to_string(root().join("docs/performance.md")).expect("performance.md");
    let offenders: Vec<String> = functions()
        .iter()
        .map(|name| {
            let properties = &template["Resources"][logical_id(name)]["Properties"];
            format!(
                "| `{name}` | {} MB | {} s |",
                properties["MemorySize"], properties["Timeout"]
            )
        })
        .filter(|row| !page.contains(row))
        .collect();
    none("rows that docs/performance.md lacks", &offenders);
}

#[test]
fn tidy_settings_of_the_template_are_settings() {
    let template = template("template.yaml");
    let page = fs::read_to_string(root().join("docs/configuration.md")).expect("configuration.md");
    let rows: Vec<&str> = page
        .lines()
        .filter(|line| line.starts_with("| `STAGEWRIGHT_"))
        .collect();
    let mut offenders = Vec::new();
    for name in functions() {
        let variables =
            template["Resources"][logical_id(&name)]["Properties"]["Environment"]["Variables"]
                .as_object();
        for variable in variables.into_iter().flatten().map(|(name, _)| name) {
            let of = |row: &&&str| {
                let users = row.split('|').nth(2).unwrap_or_default();
                users.contains(&name) || users.contains("action-*") && name.starts_with("action-")
            };
            let known = variable == "REVISION"
                || rows
                    .iter()
                    .filter(|row| row.contains(&format!("`{variable}`")))
                    .any(|row| of(&row));
            if !known {
                offenders.push(format!("{name}: {variable}"));
            }
        }
    }
    none(
        "variables that docs/configuration.md does not give to the function",
        &offenders,
    );
}

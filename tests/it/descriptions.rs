//! What is made from the actions' descriptions, checked for drift: pages, the template of custom action types, the guide.
//!
//! `UPDATE=1 cargo test -p stagewright-tests --test it descriptions` writes them anew.

use std::{fs, path::Path, process::Command};

use harness::{
    process::{finish, run, shown},
    workspace::{root, stagewright},
};
use serde_json::Value;

const TEMPLATE: &str = "\
# Made from the descriptions of the actions: see docs/write-an-action.md.
AWSTemplateFormatVersion: '2010-09-09'
Description: Custom action types of the actions that work as job workers
Resources:
";

fn actions() -> Vec<String> {
    let folders = fs::read_dir(root().join("functions")).expect("functions/");
    let names = folders.flatten().map(|entry| entry.file_name());
    let mut names: Vec<String> = names
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.retain(|name| name.starts_with("action-"));
    names.sort();
    names
}

fn described(action: &str, form: &str) -> String {
    let program = stagewright().parent().expect("target/PROFILE").join(action);
    let output = finish(Command::new(program).args(["--describe", form]));
    assert!(output.status.success(), "{action}: {}", shown(&output));
    String::from_utf8(output.stdout).expect("a description is text")
}

/// The file holds this text; with `UPDATE` it is made to.
fn holds(path: &str, text: &str) {
    let file = root().join(path);
    if std::env::var_os("UPDATE").is_some() {
        fs::create_dir_all(file.parent().unwrap_or(Path::new("."))).expect("a folder");
        fs::write(&file, text).expect("written");
    }
    let there = fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(
        there, text,
        "{path} is not what the descriptions make: run with UPDATE=1"
    );
}

#[test]
fn pages_are_made_from_the_descriptions() {
    for action in actions() {
        holds(
            &format!("docs/actions/{action}.md"),
            &described(&action, "page"),
        );
    }
    for entry in fs::read_dir(root().join("docs/actions"))
        .expect("docs/actions")
        .flatten()
    {
        let name = entry.file_name().to_string_lossy().replace(".md", "");
        assert!(
            actions().contains(&name),
            "docs/actions/{name}.md is of no action"
        );
    }
}

#[test]
fn custom_action_types_are_made_from_the_descriptions() {
    let types: Vec<String> = actions()
        .iter()
        .map(|action| described(action, "action-type"))
        .collect();
    holds(
        "infra/custom-action-types.yaml",
        &format!("{TEMPLATE}{}", types.join("\n")),
    );
}

#[test]
fn the_command_line_describes_an_action_and_names_what_is_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = run(folder.path(), &["describe", "action-http-check"]);
    assert_eq!(
        String::from_utf8_lossy(&text.stdout),
        described("action-http-check", "text")
    );
    let schema = run(
        folder.path(),
        &["describe", "action-http-check", "--format", "schema"],
    );
    let schema: Value = serde_json::from_slice(&schema.stdout).expect("JSON");
    assert_eq!(schema["required"], serde_json::json!(["url"]));
    assert_eq!(schema["properties"]["timeoutSeconds"]["default"], 600);
    for none in ["approval-notify", "action-none", "../action-http-check"] {
        let output = run(folder.path(), &["describe", none]);
        assert_eq!(output.status.code(), Some(2), "{}", shown(&output));
        assert!(
            shown(&output).contains("there is no action"),
            "{}",
            shown(&output)
        );
    }
}

#[test]
fn the_guide_shows_the_template_as_it_is() {
    let guide = fs::read_to_string(root().join("docs/write-an-action.md")).expect("the guide");
    let lib = fs::read_to_string(root().join("docs/examples/action-template/src/lib.rs"));
    let lib = lib.expect("the template");
    let (_, rest) = guide.split_once("```rust\n").expect("a block of code");
    let (block, _) = rest.split_once("   ```").expect("its end");
    let block: Vec<&str> = block
        .lines()
        .map(|line| line.strip_prefix("   ").unwrap_or(line))
        .collect();
    assert_eq!(block.join("\n"), lib.trim_end());
    // The block is what `make new-action` makes, so that the guide's commands are those of an untouched template.
    let makefile = fs::read_to_string(root().join("Makefile")).expect("the verbs");
    let script = "docs/examples/action-template/new.sh '$(NAME)'";
    assert!(makefile.contains("new-action:") && makefile.contains(script));
    for command in [
        "make new-action NAME=wait-for-page",
        "cargo test -p action-wait-for-page",
        "UPDATE=1 cargo test -p stagewright-tests --test it descriptions",
    ] {
        assert!(guide.contains(command), "{command}");
    }
    let is_code = |line: &&str| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with("//")
    };
    let lines = lib.lines().filter(is_code).count();
    assert!(lines < 40, "{lines} lines of code, imports and all");
}

#[test]
fn a_new_action_is_the_template_under_another_name() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("infra")).expect("a folder");
    fs::write(folder.path().join("infra/budgets"), "").expect("written");
    let script = root().join("docs/examples/action-template/new.sh");
    let make = |name: &str| finish(Command::new("sh").arg(&script).arg(name).arg(folder.path()));
    let made = make("wait-for-page");
    assert!(made.status.success(), "{}", shown(&made));
    let read = |name: &str| {
        let file = folder
            .path()
            .join("functions/action-wait-for-page")
            .join(name);
        fs::read_to_string(file).expect("a file of the new action")
    };
    for name in [
        "Cargo.toml",
        "src/main.rs",
        "src/lib.rs",
        "src/description.rs",
        "src/tests.rs",
    ] {
        assert!(!read(name).to_lowercase().contains("template"), "{name}");
    }
    assert!(read("src/main.rs").contains("use action_wait_for_page::WaitForPage;"));
    assert!(read("Cargo.toml").contains("name = \"action-wait-for-page\""));
    let budgets = fs::read_to_string(folder.path().join("infra/budgets")).expect("budgets");
    assert!(budgets.starts_with("action-wait-for-page 7"), "{budgets}");
    for bad in ["wait-for-page", "Bad", "", "action-x", "a--b"] {
        assert_eq!(make(bad).status.code(), Some(2), "{bad}");
    }
}

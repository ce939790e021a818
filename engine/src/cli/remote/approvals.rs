//! Approvals that wait, as people read them in a terminal. Pure.

use jiff::Timestamp;
use serde_json::{Value, json};
use shared::{approval::words, secret::Secret};

/// An approval that somebody can answer.
#[derive(Debug)]
pub struct Open {
    /// Its pipeline.
    pub pipeline: String,
    /// Its stage.
    pub stage: String,
    /// Its action.
    pub action: String,
    /// The execution that waits, where the state says which.
    pub execution: Option<String>,
    /// Since when.
    pub since: Option<Timestamp>,
    /// What PutApprovalResult wants to see.
    pub token: Secret,
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn time(value: &Value) -> Option<Timestamp> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "times of AWS are seconds with a fraction"
    )]
    let millis = (value.as_f64()? * 1000.0) as i64;
    Timestamp::from_millisecond(millis).ok()
}

/// Approvals that GetPipelineState shows, and those of PARALLEL executions, which ListActionExecutions alone shows.
pub fn open(pipeline: &str, state: &Value, history: &Value) -> Vec<Open> {
    let mut open: Vec<Open> = Vec::new();
    for stage in list(state, "stageStates") {
        for action in list(stage, "actionStates") {
            let latest = &action["latestExecution"];
            if let (Some("InProgress"), Some(token)) =
                (latest["status"].as_str(), latest["token"].as_str())
            {
                let execution = &stage["latestExecution"]["pipelineExecutionId"];
                open.push(Open {
                    pipeline: pipeline.to_owned(),
                    stage: text(stage, "stageName").to_owned(),
                    action: text(action, "actionName").to_owned(),
                    execution: execution.as_str().map(str::to_owned),
                    since: time(&latest["lastStatusChange"]),
                    token: Secret::new(token.to_owned()),
                });
            }
        }
    }
    for run in list(history, "actionExecutionDetails") {
        let token = run["output"]["executionResult"]["externalExecutionId"].as_str();
        let approval = run["input"]["actionTypeId"]["category"] == "Approval";
        let Some(token) = token.filter(|_| approval && run["status"] == "InProgress") else {
            continue;
        };
        if open.iter().all(|known| known.token.reveal() != token) {
            open.push(Open {
                pipeline: pipeline.to_owned(),
                stage: text(run, "stageName").to_owned(),
                action: text(run, "actionName").to_owned(),
                execution: run["pipelineExecutionId"].as_str().map(str::to_owned),
                since: time(&run["startTime"]),
                token: Secret::new(token.to_owned()),
            });
        }
    }
    open
}

/// One line for each.
pub fn table(open: &[Open], now: Timestamp) -> String {
    if open.is_empty() {
        return "nothing waits for an approval\n".to_owned();
    }
    let place = |one: &Open| format!("{} / {}", one.stage, one.action);
    let width = |of: &dyn Fn(&Open) -> String| open.iter().map(|o| of(o).chars().count()).max();
    let pipelines = width(&|one| one.pipeline.clone()).unwrap_or(0);
    let places = width(&place).unwrap_or(0);
    let line = |one: &Open| {
        let since = one
            .since
            .map_or_else(String::new, |at| words::relative(at, now));
        let execution = one.execution.as_deref().unwrap_or_default();
        let line = format!(
            "{:<pipelines$}  {:<places$}  {since:<14}  {execution}",
            one.pipeline,
            place(one)
        );
        format!("{}\n", line.trim_end())
    };
    let mut out: String = open.iter().map(line).collect();
    out.push_str("\nwhat is decided:  stagewright approve PIPELINE --show\n");
    out
}

/// The same for programs, without tokens.
pub fn as_json(open: &[Open]) -> Value {
    let one = |one: &Open| {
        json!({
            "pipeline": one.pipeline, "stage": one.stage, "action": one.action, "execution": one.execution,
            "since": one.since.map(|at| at.to_string()),
        })
    };
    open.iter().map(one).collect()
}

/// What is decided: `execution` of ListPipelineExecutions, `pipeline` of GetPipeline. Foreign texts are cleaned of what a
/// terminal would obey.
pub fn sheet(one: &Open, execution: &Value, pipeline: &Value, now: Timestamp) -> String {
    let mut out = format!("{} / {} / {}\n", one.pipeline, one.stage, one.action);
    let mut row = |name: &str, value: &str| {
        let value = words::one_line(value, 300);
        if !value.is_empty() {
            out.push_str(&format!("  {name:<10} {value}\n"));
        }
    };
    if let Some(at) = one.since {
        let since = format!("{}, since {}", words::relative(at, now), words::moment(at));
        row("asked", &since);
    }
    row("execution", one.execution.as_deref().unwrap_or_default());
    let trigger = &execution["trigger"];
    let started = format!(
        "{} {}",
        text(trigger, "triggerType"),
        text(trigger, "triggerDetail")
    );
    row("started", started.trim());
    for revision in list(execution, "sourceRevisions") {
        let id = words::short_id(text(revision, "revisionId"));
        let told = format!(
            "{} {id}  {}",
            text(revision, "actionName"),
            text(revision, "revisionSummary")
        );
        row("source", told.trim());
        row("", text(revision, "revisionUrl"));
    }
    let stages = list(&pipeline["pipeline"], "stages").iter();
    let mut actions = stages
        .filter(|stage| stage["name"] == one.stage.as_str())
        .flat_map(|stage| list(stage, "actions"));
    if let Some(action) = actions.find(|action| action["name"] == one.action.as_str()) {
        row("note", text(&action["configuration"], "CustomData"));
        row("link", text(&action["configuration"], "ExternalEntityLink"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-23T10:00:00Z".parse().unwrap()
    }

    fn waiting() -> Vec<Open> {
        let state = json!({"stageStates": [
            {"stageName": "Ask", "latestExecution": {"pipelineExecutionId": "e-1"},
             "actionStates": [{"actionName": "Ok", "latestExecution": {
                "status": "InProgress", "token": "planted", "lastStatusChange": 1_795_426_200.0}}]}]});
        let run = |category: &str, token: &str, status: &str| {
            json!({"stageName": "Ask", "actionName": "Ok", "status": status, "pipelineExecutionId": "e-2",
                   "input": {"actionTypeId": {"category": category}},
                   "output": {"executionResult": {"externalExecutionId": token}}})
        };
        let history = json!({"actionExecutionDetails": [
            run("Approval", "planted-2", "InProgress"), run("Approval", "planted", "InProgress"),
            run("Build", "b", "InProgress"), run("Approval", "old", "Succeeded")]});
        open("shop", &state, &history)
    }

    #[test]
    fn what_waits_is_listed_without_tokens_in_every_mode() {
        let open = waiting();
        let shown = table(&open, now());
        assert_eq!(
            shown,
            "shop  Ask / Ok  30 minutes ago  e-1\nshop  Ask / Ok                  e-2\n\nwhat is decided:  stagewright approve PIPELINE --show\n"
        );
        let all = format!("{shown} {open:?} {}", as_json(&open));
        assert!(!all.contains("planted"), "{all}");
        assert_eq!(table(&[], now()), "nothing waits for an approval\n");
    }

    #[test]
    fn a_sheet_shows_what_is_decided_and_nothing_a_terminal_obeys() {
        let execution = json!({
            "trigger": {"triggerType": "Webhook", "triggerDetail": "push"},
            "sourceRevisions": [{"actionName": "Fetch", "revisionId": "4be2f8c09d1a7b3355d0e9aa1c7f6b2240d8e1f3",
                "revisionSummary": "Show \u{1b}[2Jhours\nand more", "revisionUrl": "https://example.com/c"}],
        });
        let pipeline = json!({"pipeline": {"stages": [{"name": "Ask", "actions": [
            {"name": "Ok", "configuration": {"CustomData": "Look first."}}]}]}});
        let shown = sheet(&waiting()[0], &execution, &pipeline, now());
        assert_eq!(
            shown,
            "shop / Ask / Ok\n  asked      30 minutes ago, since Mon 23 Nov 2026, 09:30 UTC\n  execution  e-1\n  started    Webhook push\n  source     Fetch 4be2f8c0 Show [2Jhours and more\n             https://example.com/c\n  note       Look first.\n"
        );
    }
}

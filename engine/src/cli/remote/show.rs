//! Answers of CodePipeline as people read them. Pure.

use serde_json::Value;

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// One line per pipeline.
pub fn pipelines(rows: &[(String, Value)]) -> String {
    if rows.is_empty() {
        return "no pipeline yet\n".to_owned();
    }
    let width = rows
        .iter()
        .map(|(name, _)| name.chars().count())
        .max()
        .unwrap_or(0);
    rows.iter()
        .map(|(name, execution)| {
            let status = execution["status"].as_str().unwrap_or("never ran");
            format!(
                "{name:<width$}  {status:<10}  {}\n",
                text(execution, "pipelineExecutionId")
            )
            .trim_end()
            .to_owned()
                + "\n"
        })
        .collect()
}

/// The stages and actions of one pipeline.
pub fn state(name: &str, execution: &Value, state: &Value) -> String {
    let status = execution["status"].as_str().unwrap_or("never ran");
    let mut out = format!(
        "{name}  {status}  {}\n",
        text(execution, "pipelineExecutionId")
    );
    for stage in list(state, "stageStates") {
        let status = stage["latestExecution"]["status"].as_str().unwrap_or("-");
        out.push_str(&format!("\n{}  {status}", text(stage, "stageName")));
        if stage["inboundTransitionState"]["enabled"] == false {
            let reason = text(&stage["inboundTransitionState"], "disabledReason");
            out.push_str(&format!("  (transition disabled: {reason})"));
        }
        out.push('\n');
        gate(&mut out, stage, "beforeEntry");
        for action in list(stage, "actionStates") {
            line(
                &mut out,
                "",
                text(action, "actionName"),
                &action["latestExecution"],
            );
        }
        for name in ["onSuccess", "onFailure"] {
            gate(&mut out, stage, name);
        }
    }
    out
}

/// The condition of one gate and its rules, if it was evaluated.
fn gate(out: &mut String, stage: &Value, name: &str) {
    let state = &stage[format!("{name}ConditionState")];
    let Some(status) = state["latestExecution"]["status"].as_str() else {
        return;
    };
    out.push_str(&format!("  ◆ {name:<20} {status}\n"));
    for rule in list(state, "conditionStates")
        .iter()
        .flat_map(|condition| list(condition, "ruleStates"))
    {
        line(out, "  ", text(rule, "ruleName"), &rule["latestExecution"]);
    }
}

/// One action or rule.
fn line(out: &mut String, indent: &str, name: &str, latest: &Value) {
    let mark = match latest["status"].as_str() {
        Some("Succeeded") => "✓",
        Some("Failed") => "✗",
        Some("InProgress") => "·",
        Some("Abandoned") => "–",
        _ => " ",
    };
    let told = latest["errorDetails"]["message"]
        .as_str()
        .unwrap_or_else(|| text(latest, "summary"));
    let told = told.lines().next().unwrap_or_default();
    let width = 20 - indent.len();
    let line = format!("{indent}  {mark} {name:<width$} {told}");
    out.push_str(line.trim_end());
    out.push('\n');
}

/// The stage to retry and its execution: the named one, or the last that failed or was stopped.
pub fn failed_stage(state: &Value, wanted: Option<&str>) -> Option<(String, String)> {
    let stages = list(state, "stageStates").iter().rev();
    let found = stages
        .map(|s| (text(s, "stageName"), &s["latestExecution"]))
        .find(|(name, latest)| match wanted {
            Some(wanted) => *name == wanted,
            None => matches!(latest["status"].as_str(), Some("Failed" | "Stopped")),
        });
    let (stage, latest) = found?;
    Some((
        stage.to_owned(),
        latest["pipelineExecutionId"].as_str()?.to_owned(),
    ))
}

/// Approval tokens are not printed.
pub fn without_tokens(value: &Value) -> Value {
    match value {
        Value::Object(map) => map
            .iter()
            .filter(|(key, _)| *key != "token")
            .map(|(key, value)| (key.clone(), without_tokens(value)))
            .collect(),
        Value::Array(items) => items.iter().map(without_tokens).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn waiting() -> Value {
        json!({"stageStates": [
            {"stageName": "Build", "latestExecution": {"status": "Failed", "pipelineExecutionId": "e"},
             "actionStates": [{"actionName": "Make", "latestExecution": {"status": "Failed", "errorDetails": {"message": "no\nluck"}}}]},
            {"stageName": "Ask", "inboundTransitionState": {"enabled": false, "disabledReason": "freeze"},
             "actionStates": [{"actionName": "Ok", "latestExecution": {"status": "InProgress", "token": "planted"}}]}]})
    }

    #[test]
    fn a_state_reads_well_and_shows_no_token() {
        let shown = state(
            "p",
            &json!({"status": "Failed", "pipelineExecutionId": "e"}),
            &waiting(),
        );
        assert_eq!(
            shown,
            "p  Failed  e\n\nBuild  Failed\n  ✗ Make                 no\n\nAsk  -  (transition disabled: freeze)\n  · Ok\n"
        );
        assert!(!without_tokens(&waiting()).to_string().contains("planted"));
    }

    #[test]
    fn conditions_stand_around_the_actions() {
        let rule = |name: &str, status: &str| json!({"ruleName": name, "latestExecution": {"status": status, "summary": "because"}});
        let condition = |status: &str, rules: Value| json!({"latestExecution": {"status": status}, "conditionStates": [{"ruleStates": rules}]});
        let value = json!({"stageStates": [{
            "stageName": "Deploy", "latestExecution": {"status": "InProgress"},
            "beforeEntryConditionState": condition("Succeeded", json!([rule("Window", "Succeeded")])),
            "actionStates": [{"actionName": "Copy", "latestExecution": {"status": "Succeeded"}}],
            "onSuccessConditionState": condition("Overridden", json!([rule("Alarm", "Abandoned")])),
        }]});
        let shown = state("p", &json!({"status": "InProgress"}), &value);
        let expected = "\nDeploy  InProgress\n  ◆ beforeEntry          Succeeded\n    ✓ Window             because\n  ✓ Copy\n  ◆ onSuccess            Overridden\n    – Alarm              because\n";
        assert!(shown.ends_with(expected), "{shown}");
    }

    #[test]
    fn the_failed_stage_is_found() {
        assert_eq!(
            failed_stage(&waiting(), None),
            Some(("Build".to_owned(), "e".to_owned()))
        );
        assert_eq!(failed_stage(&waiting(), Some("Ask")), None);
    }
}

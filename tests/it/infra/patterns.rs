//! Event patterns, filter policies and schedules of the templates, asked with recorded events.
//!
//! Each accepts what it waits for. Each refuses near misses: the same event with any one of the values that the pattern
//! names changed, or taken away.

use std::fs;

use engine::topic::{Message, Subscription};
use engine_events::{pattern::Pattern, schedule::Schedule};
use harness::{
    template::{resolved, template},
    workspace::root,
};
use serde_json::{Value, json};

fn recorded(name: &str) -> Value {
    let text =
        fs::read_to_string(root().join("tests/events").join(name)).expect("a recorded event");
    serde_json::from_str(&text).expect("JSON")
}

/// Names and patterns of all rules of a template, those of SAM's functions too, as AWS would get them.
fn rules(file: &str) -> Vec<(String, Value)> {
    let template = template(file);
    let resources = template["Resources"]
        .as_object()
        .expect("resources")
        .clone();
    let mut found = Vec::new();
    for (id, resource) in resources {
        let properties = &resource["Properties"];
        if resource["Type"] == "AWS::Events::Rule" {
            found.push((id.clone(), resolved(&properties["EventPattern"])));
        }
        for (name, event) in properties["Events"].as_object().into_iter().flatten() {
            if event["Type"] == "EventBridgeRule" {
                found.push((
                    format!("{id}{name}"),
                    resolved(&event["Properties"]["Pattern"]),
                ));
            }
        }
    }
    found
}

/// Paths of the lists of a pattern, alternatives left out: a near miss of one may fit another.
fn leaves(pattern: &Value, path: &str, found: &mut Vec<String>) {
    for (key, inner) in pattern.as_object().into_iter().flatten() {
        let key = key.replace('~', "~0").replace('/', "~1");
        match inner {
            Value::Array(_) if key != "$or" => found.push(format!("{path}/{key}")),
            Value::Object(_) => leaves(inner, &format!("{path}/{key}"), found),
            _ => {}
        }
    }
}

fn without(event: &Value, path: &str) -> Value {
    let mut event = event.clone();
    let (parent, key) = path.rsplit_once('/').expect("a path");
    if let Some(Value::Object(map)) = event.pointer_mut(parent) {
        map.remove(key);
    }
    event
}

fn with(event: &Value, path: &str, value: &Value) -> Value {
    let mut event = event.clone();
    if let Some(place) = event.pointer_mut(path) {
        *place = value.clone();
    }
    event
}

fn first(pattern: &Value, path: &str) -> Value {
    pattern
        .pointer(path)
        .and_then(|list| list.get(0))
        .cloned()
        .unwrap_or_default()
}

/// The recorded event that a rule waits for, with the rule's own names in it.
fn wanted(rule: &str, pattern: &Value) -> Value {
    let named = |event: Value, paths: &[&str]| {
        paths.iter().fold(event, |event, path| {
            with(&event, path, &first(pattern, path))
        })
    };
    let ends = |suffix: &str| rule.ends_with(suffix);
    if ends("Started") {
        named(
            recorded("eventbridge-action-started-custom.json"),
            &["/detail/type/category", "/detail/type/provider"],
        )
    } else if ends("ActionEnded") {
        named(
            recorded("eventbridge-action-failed.json"),
            &["/detail/type/provider"],
        )
    } else if ends("PipelineEnded") || ends("PipelineChanged") {
        recorded("eventbridge-pipeline-stopped.json")
    } else if ends("MachineEnded") {
        let prefix = pattern["detail"]["stateMachineArn"][0]["prefix"]
            .as_str()
            .expect("a prefix");
        with(
            &recorded("eventbridge-states-aborted.json"),
            "/detail/stateMachineArn",
            &json!(format!("{prefix}site")),
        )
    } else if rule == "ApprovalSweepAnswered" {
        named(
            recorded("eventbridge-action-failed.json"),
            &["/detail/type/category"],
        )
    } else if rule == "ApprovalSweepOver" {
        recorded("eventbridge-pipeline-stopped.json")
    } else if rule == "ApprovalSweepDecided" {
        recorded("eventbridge-cloudtrail-put-approval-result.json")
    } else if rule == "Changed" {
        named(
            recorded("eventbridge-codecommit-updated.json"),
            &["/resources"],
        )
    } else {
        panic!("{rule}: say here which recorded event it waits for");
    }
}

#[test]
fn rules_take_their_own_events_and_no_near_misses() {
    let mut asked = 0;
    for file in ["template.yaml", "example-pipeline.yaml"] {
        for (rule, value) in rules(file) {
            let pattern = Pattern::compile(&value.to_string())
                .unwrap_or_else(|error| panic!("{rule}: {error}"));
            let event = wanted(&rule, &value);
            let event = if rule == "Changed" {
                with(&event, "/resources", &value["resources"])
            } else {
                event
            };
            assert!(
                pattern.matches(&event),
                "{rule} refuses what it waits for: {event}"
            );
            let mut paths = Vec::new();
            leaves(&value, "", &mut paths);
            for path in &paths {
                let other = with(&event, path, &json!("something else"));
                assert!(!pattern.matches(&other), "{rule} takes another {path}");
                assert!(
                    !pattern.matches(&without(&event, path)),
                    "{rule} does without {path}"
                );
                asked += 1;
            }
            assert!(paths.len() > 2, "{rule} is too wide: {value}");
        }
    }
    assert!(asked > 100, "{asked} near misses");
}

#[test]
fn states_that_end_an_action_are_all_heard_and_no_others() {
    for (rule, value) in rules("template.yaml") {
        let pattern = Pattern::compile(&value.to_string()).expect("a pattern");
        let takes = |event: &Value, state: &str| {
            pattern.matches(&with(event, "/detail/state", &json!(state)))
        };
        let event = || wanted(&rule, &value);
        if rule.ends_with("PipelineEnded") {
            for (state, heard) in [
                ("STOPPED", true),
                ("SUPERSEDED", true),
                ("CANCELED", true),
                ("STARTED", false),
                ("SUCCEEDED", false),
                ("FAILED", false),
                ("STOPPING", false),
                ("RESUMED", false),
            ] {
                assert_eq!(takes(&event(), state), heard, "{rule}: {state}");
            }
        }
        if rule.ends_with("ActionEnded") {
            for (state, heard) in [
                ("FAILED", true),
                ("ABANDONED", true),
                ("CANCELED", true),
                ("STARTED", false),
                ("SUCCEEDED", false),
            ] {
                assert_eq!(takes(&event(), state), heard, "{rule}: {state}");
            }
            // An action that is called, not taken as a job, is one of CodePipeline's Lambda actions.
            assert!(
                pattern.matches(&with(&event(), "/detail/type/provider", &json!("Lambda"))),
                "{rule}"
            );
            assert!(
                !pattern.matches(&with(
                    &event(),
                    "/detail/type/provider",
                    &json!("CodeDeploy")
                )),
                "{rule}"
            );
        }
    }
}

#[test]
fn every_decision_is_looked_at_whoever_made_it() {
    let (_, value) = rules("template.yaml")
        .into_iter()
        .find(|(rule, _)| rule == "ApprovalSweepDecided")
        .expect("the rule");
    let pattern = Pattern::compile(&value.to_string()).expect("a pattern");
    let event = recorded("eventbridge-cloudtrail-put-approval-result.json");
    assert!(pattern.matches(&with(
        &event,
        "/detail/eventName",
        &json!("OverrideStageCondition")
    )));
    // The sweep tells the page's own from any other by what the result says.
    assert!(pattern.matches(&without(&event, "/detail/userIdentity")));
    assert!(!pattern.matches(&with(
        &event,
        "/detail/eventName",
        &json!("GetPipelineState")
    )));
}

#[test]
fn the_approval_topic_gives_approvals_only() {
    let template = template("template.yaml");
    let asked =
        &template["Resources"]["ApprovalNotify"]["Properties"]["Events"]["Asked"]["Properties"];
    let subscription: Subscription = serde_json::from_value(json!({
        "arn": "arn:aws:sns:eu-west-1:123456789012:t:1", "topic": "arn:aws:sns:eu-west-1:123456789012:t",
        "protocol": "lambda", "endpoint": "approval-notify", "token": null, "configured": false,
        "attributes": {"FilterPolicy": asked["FilterPolicy"].to_string(), "FilterPolicyScope": asked["FilterPolicyScope"]}
    }))
    .expect("a subscription");
    let wants = |body: String| {
        let message = Message {
            body,
            ..Message::default()
        };
        subscription.wants(&message)
    };
    let approval = recorded("sns-approval-message.json");
    assert!(wants(approval.to_string()));
    for path in ["/approval", "/approval/token", "/approval/pipelineName"] {
        assert!(
            !wants(without(&approval, path).to_string()),
            "without {path}"
        );
    }
    assert!(!wants("an alarm".to_owned()));
    assert!(!wants(
        recorded("eventbridge-pipeline-started.json").to_string()
    ));
}

#[test]
fn schedules_are_what_they_say() {
    let template = template("template.yaml");
    let mut found = 0;
    for (id, resource) in template["Resources"].as_object().expect("resources") {
        for (name, event) in resource["Properties"]["Events"]
            .as_object()
            .into_iter()
            .flatten()
        {
            if event["Type"] == "ScheduleV2" {
                let text = event["Properties"]["ScheduleExpression"]
                    .as_str()
                    .expect("a schedule");
                assert!(text.parse::<Schedule>().is_ok(), "{id}{name}: {text}");
                assert_eq!(text, "rate(1 minute)", "{id}{name}");
                found += 1;
            }
        }
    }
    assert!(found >= 12, "{found} schedules");
    assert!("rate(1 minutes)".parse::<Schedule>().is_err());
}

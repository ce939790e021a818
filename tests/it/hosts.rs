//! One action, `action-http-check`, on three hosts under the engine: the same outcome.

use harness::engine::{Engine, pipeline, schedule, started, zip};
use serde_json::{Value, json};

const CONFIG: &str = r#"
[engine]
continuation_seconds = 1
[bucket.artifacts]
[bucket.source]
versioned = true
[bucket.site]
website = true
[function.action-http-check]
timeout_seconds = 40
environment = { STAGEWRIGHT_TABLE = "hosts", STAGEWRIGHT_ACTION_TYPE = "Test/HttpCheck/1" }
"#;
const CHECK: &str = "action-http-check";

fn definition(page: &str) -> Value {
    let action = |name: &str, kind: Value, configuration: Value| {
        json!({"name": name, "runOrder": 1, "actionTypeId": kind, "configuration": configuration,
               "inputArtifacts": [{"name": "App"}]})
    };
    let parameters = json!({"url": page, "matchArtifactFile": "index.html", "timeoutSeconds": 60});
    let invoke = action(
        "Invoked",
        json!({"category": "Invoke", "owner": "AWS", "provider": "Lambda", "version": "1"}),
        json!({"FunctionName": "action-http-check", "UserParameters": parameters.to_string()}),
    );
    let worker = action(
        "Worked",
        json!({"category": "Test", "owner": "Custom", "provider": "HttpCheck", "version": "1"}),
        json!({"url": page, "matchArtifactFile": "index.html", "timeoutSeconds": "60"}),
    );
    pipeline("hosts", "Check", &[invoke, worker])
}

#[test]
fn one_action_has_the_same_outcome_on_three_hosts() {
    let engine = Engine::start(CONFIG);
    engine.table("hosts");
    engine.put("/source/app.zip", &zip(&[("index.html", "fresh bread")]));
    let page = format!("{}/_stagewright/site/site/index.html", engine.server.url);
    let property = |name: &str, required: bool| json!({"name": name, "required": required, "key": false, "secret": false});
    let bounds = json!({"minimumCount": 0, "maximumCount": 1});
    engine.ask("CreateCustomActionType", &json!({
        "category": "Test", "provider": "HttpCheck", "version": "1",
        "configurationProperties": [property("url", true), property("matchArtifactFile", false), property("timeoutSeconds", false)],
        "inputArtifactDetails": bounds, "outputArtifactDetails": {"minimumCount": 0, "maximumCount": 0}
    }));
    engine.ask("CreatePipeline", &definition(&page));

    // The page is not there yet: the worker's job goes on with a token, as the invoked one does.
    let running = |action: &Value| action["status"] == "InProgress";
    engine.actions("hosts", "Check", |actions| {
        actions.len() == 2 && actions.iter().all(running)
    });
    let first = engine.invoke(CHECK, &started("hosts", "Check", "Test/HttpCheck/1"));
    assert_eq!(first["jobs"][0]["outcome"], "continue", "{first}");
    let input =
        json!({"params": {"url": page, "expectText": "fresh"}, "progress": null, "run": "by-hand"});
    let waiting = engine.invoke(CHECK, &input);
    assert_eq!(waiting["status"], "RUNNING", "{waiting}");

    engine.put("/site/index.html", b"fresh bread");
    let second = engine.invoke(CHECK, &schedule());
    assert_eq!(second["jobs"][0]["outcome"], "success", "{second}");
    let mut again = input.clone();
    again["progress"] = waiting["progress"].clone();
    let task = engine.invoke(CHECK, &again);
    assert_eq!(task["status"], "SUCCEEDED", "{task}");

    let over = |action: &Value| action["status"] != "InProgress";
    let actions = engine.actions("hosts", "Check", |actions| {
        actions.len() == 2 && actions.iter().all(over)
    });
    let [invoked, worked] = &actions[..] else {
        unreachable!("two actions");
    };
    for name in ["Url", "StatusCode", "BodySha256", "BodyBytes"] {
        let [one, two] = [invoked, worked].map(|action| &action["output"]["outputVariables"][name]);
        assert!(one.is_string(), "{name}: {invoked:#}");
        assert_eq!(
            (one, two),
            (&task["variables"][name], &task["variables"][name]),
            "{name}"
        );
    }
    let none = engine.invoke(CHECK, &schedule());
    assert_eq!(none, json!({"jobs": [], "tasks": 0}));
}

#[test]
fn a_tasks_failure_is_named_after_its_kind() {
    let engine = Engine::start(CONFIG);
    for (params, name, text) in [
        (
            json!({"url": "ftp://example.com"}),
            "Configuration",
            "url must start with",
        ),
        (json!({"urk": 1}), "Configuration", "unknown field `urk`"),
        (
            json!({"url": format!("{}/_stagewright/none", engine.server.url), "timeoutSeconds": 0}),
            "TimedOut",
            "did not come up within 0 s",
        ),
    ] {
        let answer = engine.invoke(CHECK, &json!({"params": params}));
        assert_eq!(answer["errorType"], name, "{answer}");
        let message = answer["errorMessage"].as_str().unwrap_or_default();
        assert!(message.contains(text), "{answer}");
    }
    let token = engine.invoke(CHECK, &json!({"params": {}, "taskToken": "planted"}));
    assert_eq!(token["outcome"], "Configuration", "{token}");
    let unknown = engine.invoke(CHECK, &schedule());
    let message = unknown["errorMessage"].as_str().unwrap_or_default();
    assert!(message.contains("no jobs could be asked for"), "{unknown}");
}

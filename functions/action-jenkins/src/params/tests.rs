//! What is taken and what is refused.

use serde_json::{Value, json};

use super::*;

fn parse(more: &Value) -> Result<Params, String> {
    let mut all = json!({"url": "https://ci.example.com/jenkins/", "user": "u", "token": "ssm:/ci", "job": "a"});
    for (name, value) in more.as_object().into_iter().flatten() {
        match value {
            Value::Null => all.as_object_mut().unwrap().remove(name),
            value => all
                .as_object_mut()
                .unwrap()
                .insert(name.clone(), value.clone()),
        };
    }
    serde_json::from_value(all).map_err(|error| error.to_string())
}

#[test]
fn jobs_are_found_by_path_or_by_project() {
    for (more, path) in [
        (
            json!({"job": "team/app/feature%2Fx"}),
            "/job/team/job/app/job/feature%252Fx",
        ),
        (json!({"job": "a b"}), "/job/a%20b"),
        (json!({"job": null, "ProjectName": "shop"}), "/job/shop"),
        (
            json!({"job": null, "ProjectName": "shop", "projects": {"shop": "team/shop"}}),
            "/job/team/job/shop",
        ),
        (
            json!({"job": "x", "ProjectName": "shop", "projects": {"shop": "team/shop"}}),
            "/job/x",
        ),
    ] {
        let params = parse(&more).unwrap();
        assert_eq!(params.job.url_path(), path, "{more}");
        assert_eq!(
            params.base.at("/queue"),
            "https://ci.example.com/jenkins/queue"
        );
    }
    let params = parse(&json!({})).unwrap();
    assert_eq!(
        (params.patience, params.unstable_is_good),
        (Duration::from_secs(3600), false)
    );
}

#[test]
fn what_is_wrong_is_named() {
    let long = "x".repeat(1001);
    for (more, want) in [
        (
            json!({"url": null}),
            "url is not given: name it in the action's parameters",
        ),
        (json!({"user": null}), "user is not given"),
        (json!({"token": null}), "token is not given"),
        (json!({"job": null}), "job is not given"),
        (
            json!({"url": "ci.example.com"}),
            "url must start with http:// or https://",
        ),
        (json!({"url": "https://"}), "url names no host"),
        (
            json!({"url": "https://u:planted@ci"}),
            "url holds a user name or password",
        ),
        (json!({"url": "https://ci/?a=b"}), "url has a query"),
        (json!({"url": "https://c i"}), "url holds a space"),
        (json!({"url": format!("https://{long}")}), "url is too long"),
        (json!({"url": 7}), "expected a string"),
        (json!({"user": "a:b"}), "user must be a Jenkins user's name"),
        (
            json!({"token": "planted"}),
            "a reference is needed, never the value",
        ),
        (json!({"job": "/a"}), "job has an empty part"),
        (json!({"job": ""}), "job is empty"),
        (json!({"job": "a/../b"}), "job has a part . or .."),
        (json!({"job": long}), "job is longer than 1000 characters"),
        (json!({"job": "a\nb"}), "job holds a control character"),
        (json!({"job": ["a"]}), "expected a string"),
        (
            json!({"ProjectName": "a/b"}),
            "ProjectName must be 1 to 50 letters",
        ),
        (
            json!({"ProjectName": "x".repeat(51)}),
            "ProjectName must be 1 to 50 letters",
        ),
        (
            json!({"unstable": "maybe"}),
            "unknown variant `maybe`, expected `fails` or `succeeds`",
        ),
        (
            json!({"timeoutMinutes": 0}),
            "timeoutMinutes must be from 1 to 1440",
        ),
        (json!({"timeoutMinutes": "x"}), "expected u64"),
        (
            json!({"parameters": {"": "x"}}),
            "parameters is empty or holds an empty name",
        ),
        (json!({"parameters": {"A": 7}}), "expected a string"),
        (
            json!({"parameters": {"PIPELINE_RUN": "x"}}),
            "parameters hold the name in runParameter",
        ),
        (
            json!({"parameters": {"A": "x".repeat(10_001)}}),
            "parameters hold a value of more than 10000",
        ),
        (json!({"runParameter": ""}), "runParameter is empty"),
        (json!({"branch": "x"}), "unknown field `branch`"),
    ] {
        let error = parse(&more).unwrap_err();
        assert!(
            error.contains(want) && !error.contains("planted"),
            "{more}: {error}"
        );
    }
}

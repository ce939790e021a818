//! Which changes of a repository start which pipelines (`codepipeline.md` 8.3).

use engine_plan::{
    definition::PipelineDeclaration,
    event::Event,
    trigger::{Change, ChangeKind, PullRequestEvent, Repository, Verdict, verdict},
};
use serde_json::{Value, json};

const CONNECTION: &str = "arn:aws:codeconnections:eu-west-1:123456789012:connection/c";

fn pipeline(triggers: Option<Value>, more: Value) -> PipelineDeclaration {
    let mut configuration =
        json!({"ConnectionArn": CONNECTION, "FullRepositoryId": "shop/app", "BranchName": "main"});
    for (name, value) in more.as_object().into_iter().flatten() {
        configuration[name] = value.clone();
    }
    let mut definition = json!({
        "name": "shop", "roleArn": "arn:aws:iam::123456789012:role/r", "pipelineType": "V2",
        "artifactStore": {"type": "S3", "location": "artifacts"},
        "stages": [
            {"name": "Source", "actions": [{"name": "App",
                "actionTypeId": {"category": "Source", "owner": "AWS", "provider": "CodeStarSourceConnection", "version": "1"},
                "configuration": configuration, "outputArtifacts": [{"name": "App"}]}]},
            {"name": "Ask", "actions": [{"name": "Ok",
                "actionTypeId": {"category": "Approval", "owner": "AWS", "provider": "Manual", "version": "1"}}]}],
    });
    if let Some(git) = triggers {
        let mut git = git;
        git["sourceActionName"] = json!("App");
        definition["triggers"] =
            json!([{"providerType": "CodeStarSourceConnection", "gitConfiguration": git}]);
    }
    engine_plan::check::parse(definition).unwrap()
}

fn repository() -> Repository {
    Repository {
        connection: Some(CONNECTION.to_owned()),
        id: "shop/app".to_owned(),
    }
}

fn change(kind: ChangeKind, files: Option<&[&str]>) -> Change {
    Change {
        kind,
        commit: "abc".to_owned(),
        files: files.map(|files| files.iter().map(|file| (*file).to_owned()).collect()),
    }
}

fn branch(name: &str, files: &[&str]) -> Change {
    change(ChangeKind::Branch(name.to_owned()), Some(files))
}

fn tag(name: &str) -> Change {
    change(ChangeKind::Tag(name.to_owned()), None)
}

fn pull(event: PullRequestEvent, destination: &str, files: Option<&[&str]>) -> Change {
    let kind = ChangeKind::PullRequest {
        event,
        destination: destination.to_owned(),
        source: "topic".to_owned(),
    };
    change(kind, files)
}

fn says(pipeline: &PipelineDeclaration, change: &Change) -> &'static str {
    match verdict(pipeline, &repository(), change, None) {
        Some(Verdict::Starts(_)) => "starts",
        Some(Verdict::NeedsFiles) => "needs files",
        None => "nothing",
    }
}

#[test]
fn filters_decide() {
    use PullRequestEvent::{Closed, Open, Updated};
    let push = |filters: Value| Some(json!({"push": filters}));
    let pulls = |filters: Value| Some(json!({"pullRequest": filters}));
    let main = || branch("main", &["a.rs"]);
    let cases: Vec<(Option<Value>, Change, &str)> = vec![
        // no trigger: the branch of the action
        (None, main(), "starts"),
        (None, branch("other", &[]), "nothing"),
        (None, tag("main"), "nothing"),
        (None, pull(Open, "main", None), "nothing"),
        // a trigger without filters: the same
        (Some(json!({})), main(), "starts"),
        (Some(json!({})), branch("other", &[]), "nothing"),
        // a trigger turns the branch of the action off
        (
            push(json!([{"branches": {"includes": ["release/**"]}}])),
            main(),
            "nothing",
        ),
        (
            push(json!([{"branches": {"includes": ["release/**"]}}])),
            branch("release/1/2", &[]),
            "starts",
        ),
        (
            push(json!([{"branches": {"includes": ["*"], "excludes": ["wip*"]}}])),
            branch("wip-1", &[]),
            "nothing",
        ),
        (
            push(json!([{"branches": {"excludes": ["wip*"]}}])),
            branch("any/thing", &[]),
            "starts",
        ),
        (
            push(json!([{"branches": {"includes": ["main"], "excludes": ["main"]}}])),
            main(),
            "nothing",
        ),
        // tags
        (
            push(json!([{"tags": {"includes": ["v*"]}}])),
            tag("v1"),
            "starts",
        ),
        (
            push(json!([{"tags": {"includes": ["v*"], "excludes": ["v0*"]}}])),
            tag("v0.1"),
            "nothing",
        ),
        (
            push(json!([{"tags": {"includes": ["v*"]}}])),
            branch("v1", &[]),
            "nothing",
        ),
        (
            push(json!([{"branches": {"includes": ["**"]}}])),
            tag("v1"),
            "nothing",
        ),
        (
            push(json!([{"branches": {"includes": ["main"]}, "tags": {"includes": ["v*"]}}])),
            main(),
            "nothing",
        ),
        // several filters are alternatives
        (
            push(json!([{"branches": {"includes": ["main"]}}, {"tags": {"includes": ["v*"]}}])),
            tag("v1"),
            "starts",
        ),
        (
            push(json!([{"branches": {"includes": ["main"]}}, {"tags": {"includes": ["v*"]}}])),
            main(),
            "starts",
        ),
        // paths: one file that fits is enough; inside a filter all must fit
        (
            push(json!([{"filePaths": {"includes": ["src/**"]}}])),
            branch("any", &["docs/a", "src/b/c.rs"]),
            "starts",
        ),
        (
            push(json!([{"filePaths": {"includes": ["src/**"]}}])),
            branch("any", &["docs/a"]),
            "nothing",
        ),
        (
            push(json!([{"filePaths": {"excludes": ["**/README.md"]}}])),
            branch("any", &["README.md", "x/README.md"]),
            "nothing",
        ),
        (
            push(json!([{"filePaths": {"excludes": ["**/README.md"]}}])),
            branch("any", &["README.md", "src/a"]),
            "starts",
        ),
        (
            push(json!([{"filePaths": {"includes": ["src/*"], "excludes": ["src/*.md"]}}])),
            branch("any", &["src/a.md"]),
            "nothing",
        ),
        (
            push(
                json!([{"branches": {"includes": ["main"]}, "filePaths": {"includes": ["src/**"]}}]),
            ),
            branch("other", &["src/a"]),
            "nothing",
        ),
        (
            push(
                json!([{"branches": {"includes": ["main"]}, "filePaths": {"includes": ["src/**"]}}]),
            ),
            branch("main", &["docs/a"]),
            "nothing",
        ),
        (
            push(json!([{"filePaths": {"includes": ["src/**"]}}])),
            change(ChangeKind::Branch("main".into()), None),
            "needs files",
        ),
        (
            push(
                json!([{"filePaths": {"includes": ["src/**"]}}, {"branches": {"includes": ["main"]}}]),
            ),
            change(ChangeKind::Branch("main".into()), None),
            "starts",
        ),
        // pull requests: by destination and event
        (
            pulls(json!([{"branches": {"includes": ["main*"]}}])),
            pull(Open, "main", None),
            "starts",
        ),
        (
            pulls(json!([{"branches": {"includes": ["main*"]}}])),
            pull(Open, "topic", None),
            "nothing",
        ),
        (
            pulls(json!([{"events": ["OPEN"]}])),
            pull(Updated, "main", None),
            "nothing",
        ),
        (
            pulls(json!([{"events": ["UPDATED", "CLOSED"]}])),
            pull(Updated, "main", None),
            "starts",
        ),
        (
            pulls(json!([{"events": ["CLOSED"]}])),
            pull(Closed { merged: true }, "main", None),
            "starts",
        ),
        (
            pulls(json!([{"events": ["CLOSED"]}])),
            pull(Closed { merged: false }, "main", None),
            "nothing",
        ),
        (
            pulls(json!([{"filePaths": {"includes": ["src/**"]}}])),
            pull(Open, "main", Some(&["src/a"])),
            "starts",
        ),
        (
            pulls(json!([{"filePaths": {"includes": ["src/**"]}}])),
            pull(Open, "main", None),
            "needs files",
        ),
        (
            pulls(
                json!([{"branches": {"includes": ["main"]}, "filePaths": {"includes": ["src/**"]}}]),
            ),
            pull(Open, "x", None),
            "nothing",
        ),
        // a push does not look at pull-request filters, nor the other way round
        (
            pulls(json!([{"branches": {"includes": ["main"]}}])),
            main(),
            "nothing",
        ),
        (
            push(json!([{"branches": {"includes": ["main"]}}])),
            pull(Open, "main", None),
            "nothing",
        ),
        // a broken glob matches nothing
        (
            push(json!([{"branches": {"includes": ["[main"]}}])),
            main(),
            "nothing",
        ),
    ];
    for (triggers, change, expected) in cases {
        let shown = format!("{triggers:?} {change:?}");
        assert_eq!(
            says(&pipeline(triggers, json!({})), &change),
            expected,
            "{shown}"
        );
    }
}

#[test]
fn repository_and_connection_must_be_the_actions() {
    let plain = pipeline(None, json!({}));
    let main = branch("main", &[]);
    for (connection, id, expected) in [
        (Some(CONNECTION), "shop/app", true),
        (None, "shop/app", true),
        (Some("arn:other"), "shop/app", false),
        (None, "Shop/app", false),
        (None, "shop/other", false),
    ] {
        let repository = Repository {
            connection: connection.map(str::to_owned),
            id: id.to_owned(),
        };
        let found = verdict(&plain, &repository, &main, None).is_some();
        assert_eq!(found, expected, "{connection:?} {id}");
    }
    let blind = pipeline(None, json!({"DetectChanges": "false"}));
    assert_eq!(says(&blind, &main), "nothing");
    let triggered = Some(json!({"push": [{"branches": {"includes": ["main"]}}]}));
    let blind = pipeline(triggered, json!({"DetectChanges": "false"}));
    assert_eq!(
        says(&blind, &main),
        "starts",
        "a trigger is no default detection"
    );
}

#[test]
fn the_execution_takes_the_commit_of_the_change() {
    let found = verdict(
        &pipeline(None, json!({})),
        &repository(),
        &branch("main", &[]),
        Some("d-1"),
    );
    let Some(Verdict::Starts(event)) = found else {
        panic!("{found:?}");
    };
    let Event::Start {
        pipeline,
        trigger,
        source_revisions,
        client_token,
        ..
    } = *event
    else {
        panic!("no start");
    };
    assert_eq!(
        (pipeline.as_str(), client_token.as_deref()),
        ("shop", Some("d-1"))
    );
    assert_eq!(
        (
            trigger.trigger_type.as_str(),
            trigger.trigger_detail.as_str()
        ),
        ("WebhookV2", CONNECTION)
    );
    let [revision] = &source_revisions[..] else {
        panic!("{source_revisions:?}");
    };
    let told = (
        revision.action_name.as_str(),
        revision.revision_type.as_str(),
        revision.revision_value.as_str(),
    );
    assert_eq!(told, ("App", "COMMIT_ID", "abc"));
}

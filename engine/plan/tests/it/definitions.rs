//! Pipelines made and deleted, executions started.

use std::collections::BTreeMap;

use engine_plan::{
    event::{Event, SourceRevisionOverride},
    step::Answer,
};
use serde_json::json;

use crate::harness::{Desk, declared, pipeline, start};

#[test]
fn a_deleted_pipeline_leaves_nothing() {
    let mut desk = Desk::with(declared(pipeline(&[
        ("Source", &["s"]),
        ("Deploy", &["a", "l"]),
    ])));
    desk.start();
    desk.succeed("s");
    let job = desk.task("l").job.unwrap();
    desk.tell(Event::DeletePipeline {
        name: "p".to_owned(),
    });
    assert_eq!(desk.cancelled.len(), 2);
    assert!(desk.state == engine_plan::state::State::default());
    assert!(
        desk.refused(crate::harness::job_succeeded(&job.id, None))
            .starts_with("JobNotFoundException")
    );
    desk.tell(Event::DeletePipeline {
        name: "p".to_owned(),
    });
    assert_eq!(
        desk.refused(start("p")),
        "PipelineNotFoundException: Account '123456789012' does not have a pipeline with name 'p'"
    );
}

#[test]
fn starts_are_checked_and_idempotent() {
    let mut definition = pipeline(&[("Source", &["s"]), ("Build", &["b"])]);
    definition["variables"] = json!([{"name": "must"}, {"name": "may", "defaultValue": "d"}]);
    let mut desk = Desk::with(declared(definition.clone()));
    let with = |variables: &[(&str, &str)], revision: Option<(&str, &str)>| {
        let mut event = start("p");
        if let Event::Start {
            variables: given,
            source_revisions,
            client_token,
            ..
        } = &mut event
        {
            *given = variables
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect();
            *client_token = Some("token-1".to_owned());
            source_revisions.extend(revision.map(|(action, kind)| SourceRevisionOverride {
                action_name: action.to_owned(),
                revision_type: kind.to_owned(),
                revision_value: "v1".to_owned(),
            }));
        }
        event
    };
    for (event, expected) in [
        (
            with(&[], None),
            "The following pipeline variables have no default value and must be given: must",
        ),
        (
            with(&[("must", "x"), ("other", "y")], None),
            "The pipeline 'p' does not declare the variable 'other'",
        ),
        (
            with(&[("must", "")], None),
            "1 validation error detected: Value at 'variables.must.member.value' failed to satisfy constraint: Member must have length greater than or equal to 1",
        ),
        (
            with(&[("must", "x")], Some(("b", "COMMIT_ID"))),
            "The source revision override names the action 'b', which is not a source action of the pipeline 'p'",
        ),
        (
            with(&[("must", "x")], Some(("s", "COMMIT"))),
            "1 validation error detected: Value 'COMMIT' at 'sourceRevisions.revisionType' failed to satisfy constraint: Member must satisfy enum value set: [COMMIT_ID, IMAGE_DIGEST, S3_OBJECT_KEY, S3_OBJECT_VERSION_ID]",
        ),
    ] {
        assert_eq!(
            desk.refused(event),
            format!("ValidationException: {expected}")
        );
    }
    let good = with(&[("must", "x")], Some(("s", "S3_OBJECT_VERSION_ID")));
    let first = desk.tell(good.clone());
    assert_eq!(desk.tell(good), first);
    assert_eq!(desk.statuses(), "InProgress");
    let run = &desk.state.pipelines["p"].executions[0];
    assert_eq!(
        run.variables,
        BTreeMap::from([
            ("must".to_owned(), "x".to_owned()),
            ("may".to_owned(), "d".to_owned())
        ])
    );
    assert_eq!(desk.task("s").source_revision.unwrap().revision_value, "v1");

    // CreatePipeline cannot give values: its execution fails
    let mut desk = Desk::new();
    let created = desk.tell(Event::CreatePipeline {
        definition: declared(definition),
        tags: BTreeMap::new(),
        start: true,
    });
    assert_eq!(
        (created, desk.statuses().as_str()),
        (Answer::Version(1), "Failed")
    );
    assert_eq!(desk.events(), ["pipeline STARTED", "pipeline FAILED"]);
}

#[test]
fn pipelines_are_created_once() {
    let definition = declared(pipeline(&[("Source", &["s"]), ("Build", &["b"])]));
    let mut desk = Desk::with(definition.clone());
    let create = |key: &str, count: usize| Event::CreatePipeline {
        definition: definition.clone(),
        tags: (0..count)
            .map(|n| (format!("{key}{n}"), String::new()))
            .collect(),
        start: true,
    };
    assert!(
        desk.refused(create("k", 0))
            .starts_with("PipelineNameInUseException")
    );
    desk.tell(Event::DeletePipeline {
        name: "p".to_owned(),
    });
    assert!(
        desk.refused(create("aws:", 1))
            .starts_with("InvalidTagsException")
    );
    assert!(
        desk.refused(create("k", 51))
            .starts_with("TooManyTagsException")
    );
    desk.tell(create("k", 50));
    let kept = &desk.state.pipelines["p"];
    assert_eq!(kept.tags.len(), 50);
    assert_eq!(kept.definition.version, Some(1));
    assert_eq!(kept.executions[0].trigger.trigger_type, "CreatePipeline");
    let mut other = definition;
    other.name = "q".to_owned();
    assert!(
        desk.refused(Event::UpdatePipeline { definition: other })
            .starts_with("ResourceNotFoundException: The account with id '123456789012' does not include a pipeline with the name 'q'")
    );
}

//! The journal keeps its format, its lock and its word.

use std::collections::BTreeMap;

use engine_plan::{
    definition::{ArtifactCount, CustomActionType, PipelineDeclaration},
    event::{
        Event, ExecutionDetails, Outcome, Resource, RetryMode, Revision, Settings,
        SourceRevisionOverride, Trigger,
    },
    gate::GateKind,
    webhook::{Authentication, WebhookDefinition, WebhookError, WebhookFilter},
};

use super::*;

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect()
}

fn details() -> ExecutionDetails {
    ExecutionDetails {
        summary: Some("half done".to_owned()),
        external_execution_id: Some("run-7".to_owned()),
        external_execution_url: Some("https://ci.example.com/7".to_owned()),
        percent_complete: Some(50),
    }
}

/// Fails to compile when a kind of event is new: add it below, and its line at the end of the golden file.
fn every_kind_is_below(event: &Event) {
    match event {
        Event::Configured { .. }
        | Event::Resumed
        | Event::CreatePipeline { .. }
        | Event::UpdatePipeline { .. }
        | Event::DeletePipeline { .. }
        | Event::Tag { .. }
        | Event::Untag { .. }
        | Event::TagResource { .. }
        | Event::UntagResource { .. }
        | Event::PutWebhook { .. }
        | Event::DeleteWebhook { .. }
        | Event::WebhookDelivered { .. }
        | Event::WebhookNoted { .. }
        | Event::CreateCustomActionType { .. }
        | Event::DeleteCustomActionType { .. }
        | Event::Start { .. }
        | Event::Stop { .. }
        | Event::Retry { .. }
        | Event::Rollback { .. }
        | Event::Override { .. }
        | Event::SetTransition { .. }
        | Event::Approval { .. }
        | Event::JobsPolled { .. }
        | Event::JobAcknowledged { .. }
        | Event::JobSucceeded { .. }
        | Event::JobFailed { .. }
        | Event::Progress { .. }
        | Event::Finished { .. }
        | Event::TimePassed => {}
    }
}

/// One event of every kind.
fn events() -> Vec<Event> {
    let text = |t: &str| t.to_owned();
    let definition: PipelineDeclaration = serde_json::from_value(serde_json::json!({
        "name": "shop", "roleArn": "arn:aws:iam::123456789012:role/pipe",
        "artifactStore": {"type": "S3", "location": "artifacts"},
        "stages": [{"name": "Source", "actions": [{
            "name": "Code",
            "actionTypeId": {"category": "Source", "owner": "AWS", "provider": "S3", "version": "1"},
            "configuration": {"S3Bucket": "b"}, "outputArtifacts": [{"name": "Out"}],
        }]}],
    }))
    .unwrap();
    let revision = Revision {
        revision_id: text("abc"),
        change_identifier: Some(text("c")),
        summary: Some(text("first")),
        url: Some(text("https://git.example.com/abc")),
        created: Some("2026-01-02T03:04:05.678Z".parse().unwrap()),
    };
    let counts = ArtifactCount {
        minimum_count: 0,
        maximum_count: 1,
    };
    vec![
        Event::Configured {
            settings: Settings {
                account: text("123456789012"),
                region: text("eu-west-1"),
                continuation_seconds: 30,
                third_party: Vec::new(),
            },
        },
        Event::CreatePipeline {
            definition: definition.clone(),
            tags: map(&[("team", "web")]),
            start: true,
        },
        Event::UpdatePipeline { definition },
        Event::DeletePipeline { name: text("shop") },
        Event::Tag {
            pipeline: text("shop"),
            tags: map(&[("team", "web")]),
        },
        Event::Untag {
            pipeline: text("shop"),
            keys: vec![text("team")],
        },
        Event::CreateCustomActionType {
            action_type: CustomActionType {
                owner: text("Custom"),
                category: text("Build"),
                provider: text("Mine"),
                version: text("1"),
                settings: None,
                configuration_properties: Vec::new(),
                input_artifact_details: counts,
                output_artifact_details: counts,
            },
            tags: map(&[]),
        },
        Event::DeleteCustomActionType {
            category: text("Build"),
            provider: text("Mine"),
            version: text("1"),
        },
        Event::Start {
            pipeline: text("shop"),
            trigger: Trigger {
                trigger_type: text("StartPipelineExecution"),
                trigger_detail: text("arn:aws:iam::123456789012:user/dana"),
                reference: None,
            },
            variables: map(&[("stage", "test")]),
            source_revisions: vec![SourceRevisionOverride {
                action_name: text("Code"),
                revision_type: text("COMMIT_ID"),
                revision_value: text("abc"),
            }],
            client_token: Some(text("once")),
        },
        Event::Stop {
            pipeline: text("shop"),
            execution: text("e-1"),
            abandon: true,
            reason: Some(text("wrong")),
        },
        Event::Retry {
            pipeline: text("shop"),
            stage: text("Build"),
            execution: text("e-1"),
            mode: RetryMode::FailedActions,
        },
        Event::SetTransition {
            pipeline: text("shop"),
            stage: text("Build"),
            inbound: true,
            enabled: false,
            reason: Some(text("freeze")),
            by: text("dana"),
        },
        Event::Approval {
            pipeline: text("shop"),
            stage: text("Gate"),
            action: text("Ask"),
            token: text("t-1").into(),
            approved: true,
            summary: text("fine"),
            by: text("dana"),
        },
        Event::JobsPolled {
            jobs: vec![text("j-1")],
        },
        Event::JobAcknowledged {
            job: text("j-1"),
            nonce: text("3"),
        },
        Event::JobSucceeded {
            job: text("j-1"),
            continuation: Some(text("more")),
            variables: map(&[("url", "u")]),
            details: details(),
            revision: Some(revision.clone()),
        },
        Event::JobFailed {
            job: text("j-1"),
            kind: text("JobFailed"),
            message: text("no"),
            external_id: None,
        },
        Event::Progress {
            action_execution: text("a-1"),
            details: details(),
        },
        Event::Finished {
            action_execution: text("a-1"),
            outcome: Outcome::Succeeded {
                details: details(),
                variables: map(&[("CommitId", "abc")]),
                revision: Some(revision),
            },
        },
        Event::Finished {
            action_execution: text("a-1"),
            outcome: Outcome::Failed {
                code: text("JobFailed"),
                message: text("no"),
                details: ExecutionDetails::default(),
            },
        },
        Event::Finished {
            action_execution: text("a-1"),
            outcome: Outcome::Stopped,
        },
        Event::TimePassed,
        Event::Resumed,
        Event::Rollback {
            pipeline: text("shop"),
            stage: text("Build"),
            target: text("e-1"),
            by: text("dana"),
        },
        Event::Override {
            pipeline: text("shop"),
            stage: text("Build"),
            execution: text("e-1"),
            gate: GateKind::BeforeEntry,
        },
        Event::PutWebhook {
            webhook: WebhookDefinition {
                name: text("push"),
                target_pipeline: text("shop"),
                target_action: text("Code"),
                filters: vec![WebhookFilter {
                    json_path: text("$.ref"),
                    match_equals: Some(text("refs/heads/{Branch}")),
                }],
                authentication: Authentication::GithubHmac {
                    secret_token: text("s").into(),
                },
            },
            tags: map(&[("team", "web")]),
        },
        Event::WebhookDelivered {
            webhook: text("push"),
            key: text("k").into(),
        },
        Event::WebhookNoted {
            webhook: text("push"),
            error: Some(WebhookError {
                code: text("403"),
                message: text("no"),
            }),
        },
        Event::DeleteWebhook { name: text("push") },
        Event::TagResource {
            resource: Resource::Webhook { name: text("push") },
            tags: map(&[("team", "web")]),
        },
        Event::UntagResource {
            resource: Resource::ActionType {
                name: text("Custom/Build/Mine/1"),
            },
            keys: vec![text("team")],
        },
    ]
}

fn inputs() -> Vec<Input> {
    let at = "2026-01-02T03:04:05.678901Z".parse().unwrap();
    let seed = |n: usize| u128::MAX - n as u128;
    let input = |(n, event)| Input {
        at,
        seed: seed(n),
        event,
    };
    events().into_iter().enumerate().map(input).collect()
}

fn read(journal: &mut Journal) -> Result<Vec<Input>, JournalError> {
    let all = journal.records(0, 1_000)?;
    Ok(all.into_iter().map(|(_, input)| input).collect())
}

fn append(journal: &mut Journal, inputs: &[Input]) {
    let mut batch = journal.batch().unwrap();
    for input in inputs {
        batch.append(input).unwrap();
    }
    batch.commit().unwrap();
}

/// A changed line means that journals of released versions cannot be read: raise the version instead.
#[test]
fn the_format_of_version_1_stays() {
    events().iter().for_each(every_kind_is_below);
    let golden = include_str!("../journal_v1.golden");
    let written: String = inputs().iter().map(|i| encode(i).unwrap() + "\n").collect();
    assert!(
        written == golden,
        "the journal would now be written as:\n{written}"
    );
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(&folder.path().join("j")).unwrap();
    append(&mut journal, &inputs());
    assert_eq!(read(&mut journal).unwrap(), inputs());
}

#[test]
fn it_is_kept_and_locked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.sqlite");
    let mut first = Journal::open(&path).unwrap();
    append(&mut first, &inputs()[..2]);
    for file in std::fs::read_dir(folder.path()).unwrap() {
        use std::os::unix::fs::PermissionsExt;
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{:?} can be read by others", file.path());
    }
    let second = Journal::open(&path).unwrap_err();
    assert!(matches!(second, JournalError::InUse { .. }), "{second:?}");
    drop(first);
    let mut again = Journal::open(&path).unwrap();
    assert_eq!(read(&mut again).unwrap(), inputs()[..2]);
}

#[test]
fn what_is_not_ours_is_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let open = |name: &str| {
        Journal::open(&folder.path().join(name))
            .and_then(|mut j| read(&mut j))
            .unwrap_err()
            .to_string()
    };
    let change = |name: &str, sql: &str| {
        Connection::open(folder.path().join(name))
            .unwrap()
            .execute_batch(sql)
            .unwrap()
    };
    std::fs::write(
        folder.path().join("text"),
        "not a database, but long enough to look like a file\n".repeat(50),
    )
    .unwrap();
    assert!(open("text").contains("not a database"), "{}", open("text"));
    change("other", "PRAGMA user_version = 5; CREATE TABLE t (x)");
    assert!(open("other").contains("another program's database"));
    for (name, sql, says) in [
        ("newer", "PRAGMA user_version = 9", "format 9"),
        (
            "record",
            r#"INSERT INTO input (body) VALUES ('{"v":2,"input":{"new":1}}')"#,
            "record 1 has version 2",
        ),
        (
            "broken",
            r#"INSERT INTO input (body) VALUES ('{"v":1,"input":{"at":"x"}}')"#,
            "record 1 of",
        ),
    ] {
        drop(Journal::open(&folder.path().join(name)).unwrap());
        change(name, sql);
        assert!(open(name).contains(says), "{name}: {}", open(name));
    }
}

//! Approval/AWS/Manual/1: announces the approval at SNS; a person answers through PutApprovalResult.

use engine_plan::{
    effect::{ActionTask, ApprovalTask},
    event::Outcome,
};
use futures_util::future::BoxFuture;
use serde::Serialize;

use super::{Context, Provider, Trouble};
use crate::topic::Message;

/// SNS takes subjects of fewer than 100 characters.
const SUBJECT_LIMIT: usize = 99;

/// The provider. Performed again after a restart it announces the same token again, which receivers must tolerate.
#[derive(Debug, Clone, Copy, Default)]
pub struct Manual;

impl Provider for Manual {
    fn perform(&self, task: ActionTask, context: Context) -> BoxFuture<'static, Option<Outcome>> {
        Box::pin(async move {
            let app = &context.app;
            let base = app
                .config
                .engine
                .base_url
                .as_deref()
                .unwrap_or(&app.base_url);
            let announced = announce(&task, base, |arn, message| {
                app.topics
                    .publish(arn, message)
                    .map_err(|error| error.to_string())
            });
            announced
                .err()
                .map(|trouble| trouble.outcome(Default::default()))
        })
    }
}

/// Publishes, when the action has a topic.
fn announce(
    task: &ActionTask,
    base: &str,
    publish: impl FnOnce(&str, Message) -> Result<String, String>,
) -> Result<(), Trouble> {
    let Some(topic) = setting(task, "NotificationArn") else {
        return Ok(());
    };
    let approval = task.approval.as_ref().ok_or_else(|| {
        Trouble::job(format!(
            "action {}: the planner opened no approval for it",
            task.action
        ))
    })?;
    let message = Message {
        subject: Some(subject(task)),
        body: body(task, approval, base)?,
        ..Message::default()
    };
    publish(topic, message).map(|_| ()).map_err(|problem| {
        let name = topic.rsplit(':').next().unwrap_or(topic);
        Trouble::configuration(format!(
            "action {}: the approval could not be announced at {topic}: {problem} (topics are made by CreateTopic or by [topic.{name}] in stagewright.toml)",
            task.action
        ))
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Announcement<'a> {
    region: &'a str,
    console_link: String,
    approval: Approval<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Approval<'a> {
    pipeline_name: &'a str,
    stage_name: &'a str,
    action_name: &'a str,
    token: &'a str,
    expires: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_entity_link: Option<&'a str>,
    approval_review_link: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_data: Option<&'a str>,
}

/// AWS's message; the links lead to this engine's console.
fn body(task: &ActionTask, approval: &ApprovalTask, base: &str) -> Result<String, Trouble> {
    let token = approval.token.reveal();
    let ActionTask {
        pipeline,
        stage,
        action,
        region,
        ..
    } = task;
    let console = format!(
        "{}/_stagewright/?region={region}#/view/{pipeline}",
        base.trim_end_matches('/')
    );
    let announcement = Announcement {
        region,
        approval: Approval {
            pipeline_name: pipeline,
            stage_name: stage,
            action_name: action,
            token,
            expires: approval.expires.strftime("%Y-%m-%dT%H:%MZ").to_string(),
            external_entity_link: setting(task, "ExternalEntityLink"),
            approval_review_link: format!("{console}/{stage}/{action}/approve/{token}"),
            custom_data: setting(task, "CustomData"),
        },
        console_link: console,
    };
    serde_json::to_string(&announcement).map_err(|error| Trouble::job(error.to_string()))
}

fn subject(task: &ActionTask) -> String {
    let whole = format!(
        "APPROVAL NEEDED: AWS CodePipeline {} for action {}",
        task.pipeline, task.action
    );
    whole.chars().take(SUBJECT_LIMIT).collect()
}

fn setting<'a>(task: &'a ActionTask, name: &str) -> Option<&'a str> {
    task.configuration
        .get(name)
        .map(String::as_str)
        .filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use engine_plan::hidden::Hidden;
    use shared::wire::approval_message::ApprovalMessage;

    use super::*;
    use crate::provider::workshop::tests::task;

    const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:approvals";
    const TOKEN: &str = "1a2b3c4d-573f-4ea7-a67e-000000000000";

    fn approval(settings: &[(&str, &str)]) -> ActionTask {
        let mut one = task("Release", settings, &[], &[]);
        one.approval = Some(ApprovalTask {
            token: Hidden::new(TOKEN.to_owned()),
            expires: "2016-07-07T20:22:59Z".parse().unwrap(),
        });
        one
    }

    #[test]
    fn the_message_is_awss() {
        let settings = [
            ("NotificationArn", TOPIC),
            ("ExternalEntityLink", "http://example.com"),
            ("CustomData", "text"),
        ];
        let mut published = None;
        announce(
            &approval(&settings),
            "http://127.0.0.1:4599",
            |topic, message| {
                published = Some((topic.to_owned(), message));
                Ok("id".to_owned())
            },
        )
        .unwrap();
        let (topic, message) = published.unwrap();
        assert_eq!(topic, TOPIC);
        assert_eq!(
            message.subject.as_deref(),
            Some("APPROVAL NEEDED: AWS CodePipeline P for action Release")
        );
        let console = "http://127.0.0.1:4599/_stagewright/?region=eu-west-1#/view/P";
        let expected = serde_json::json!({
            "region": "eu-west-1",
            "consoleLink": console,
            "approval": {
                "pipelineName": "P",
                "stageName": "S",
                "actionName": "Release",
                "token": TOKEN,
                "expires": "2016-07-07T20:22Z",
                "externalEntityLink": "http://example.com",
                "approvalReviewLink": format!("{console}/S/Release/approve/{TOKEN}"),
                "customData": "text"
            }
        });
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&message.body).unwrap(),
            expected
        );
        ApprovalMessage::parse(&message.body).expect("the functions read it");
    }

    #[test]
    fn without_a_topic_nothing_is_published_and_a_missing_one_fails_the_action() {
        announce(&approval(&[("NotificationArn", "")]), "http://x", |_, _| {
            Err("called".to_owned())
        })
        .unwrap();
        let trouble = announce(
            &approval(&[("NotificationArn", TOPIC)]),
            "http://x",
            |_, message| {
                assert!(!message.body.contains("customData"));
                Err("NotFound: Topic does not exist".to_owned())
            },
        )
        .unwrap_err();
        assert_eq!(
            trouble.message,
            format!(
                "action Release: the approval could not be announced at {TOPIC}: NotFound: Topic does not exist (topics are made by CreateTopic or by [topic.approvals] in stagewright.toml)"
            )
        );
    }
}

//! Ties an approval message to its execution and tells what the execution carries. Plain data to plain data.

use std::collections::BTreeMap;

use crate::{
    approval::{
        history::History,
        request::{Facts, Revision, Target},
        rules::evaluate::Actor,
    },
    id::{ActionExecutionId, ActionName, ExecutionId, StageName},
    secret::Secret,
};

/// An action run that waits for an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Its stage.
    pub stage: StageName,
    /// Its action.
    pub action: ActionName,
    /// The execution.
    pub execution: ExecutionId,
    /// The run.
    pub action_execution: ActionExecutionId,
    /// What PutApprovalResult wants.
    pub token: Secret,
}

/// What GetPipelineExecution says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecutionFacts {
    /// `trigger.triggerType`.
    pub trigger: Option<String>,
    /// `trigger.triggerDetail`.
    pub trigger_detail: Option<String>,
    /// `artifactRevisions`.
    pub revisions: Vec<Revision>,
    /// `executionMode`.
    pub mode: Option<Mode>,
}

/// How a pipeline's executions get along with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A newer one takes the place of an older one that waits.
    Superseded,
    /// One after the other, none is overtaken.
    Queued,
    /// Each on its own.
    Parallel,
}

impl Mode {
    const ALL: [Self; 3] = [Self::Superseded, Self::Queued, Self::Parallel];

    /// As AWS writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Superseded => "SUPERSEDED",
            Self::Queued => "QUEUED",
            Self::Parallel => "PARALLEL",
        }
    }

    /// Reads [`Self::as_str`].
    pub fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == text)
    }
}

/// Output variables of one source action.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceOutput {
    /// The action.
    pub action: String,
    /// Its output artifacts.
    pub artifacts: Vec<String>,
    /// Its variables.
    pub variables: BTreeMap<String, String>,
}

/// The run that waits with exactly this token.
pub fn tie<'a>(target: &Target, token: &Secret, waiting: &'a [Waiting]) -> Option<&'a Waiting> {
    waiting
        .iter()
        .find(|w| w.stage == target.stage && w.action == target.action && w.token == *token)
}

/// Puts revisions and source variables together.
pub fn gather(execution: &ExecutionFacts, outputs: &[SourceOutput]) -> Facts {
    let mut revisions: Vec<Revision> = execution.revisions.iter().map(unwrap_summary).collect();
    for output in outputs {
        let variable = |name: &str| {
            output
                .variables
                .get(name)
                .filter(|v| !v.is_empty())
                .cloned()
        };
        let id = variable("CommitId").or_else(|| variable("VersionId"));
        let at = revisions.iter().position(|r| {
            output.artifacts.contains(&r.name) || id.as_ref().is_some_and(|id| *id == r.id)
        });
        let at = match (at, id) {
            (Some(at), _) => at,
            (None, Some(id)) => {
                revisions.push(Revision {
                    name: output.action.clone(),
                    id,
                    ..Revision::default()
                });
                revisions.len() - 1
            }
            (None, None) => continue,
        };
        let revision = &mut revisions[at];
        revision.message = variable("CommitMessage").or_else(|| revision.message.take());
        revision.author = AUTHOR.iter().find_map(|name| variable(name));
        revision.branch = variable("BranchName");
    }
    Facts {
        started_by: started_by(execution),
        revisions,
        trigger: trigger(execution),
        authors: outputs.iter().map(author).collect(),
        mode: execution.mode,
        attempt: None,
        artifacts: Vec::new(),
        history: History::default(),
    }
}

/// Variables that name an author; a source may give any of them, and any of them may be a person's alias.
pub(super) const AUTHOR: [&str; 3] = ["AuthorDisplayName", "AuthorEmail", "AuthorId"];

fn author(output: &SourceOutput) -> Actor {
    let names: Vec<String> = AUTHOR
        .iter()
        .filter_map(|name| output.variables.get(*name))
        .filter(|value| !value.is_empty())
        .cloned()
        .collect();
    match names.is_empty() {
        true => Actor::Unknown,
        false => Actor::Named(names),
    }
}

/// An ARN stands for itself and for its last part: a user's name, or a role's session name.
fn trigger(execution: &ExecutionFacts) -> Actor {
    match execution.trigger.as_deref() {
        Some(
            "PollForSourceChanges"
            | "CloudWatchEvent"
            | "PutActionRevision"
            | "Webhook"
            | "WebhookV2"
            | "AutomatedRollback",
        ) => Actor::Machine,
        _ => match execution.trigger_detail.as_deref() {
            Some(detail) if !detail.is_empty() => {
                let last = detail.rsplit('/').next().unwrap_or(detail);
                Actor::Named(vec![detail.to_owned(), last.to_owned()])
            }
            _ => Actor::Unknown,
        },
    }
}

/// Connections write the revision summary as `{"ProviderType":…,"CommitMessage":…}`.
fn unwrap_summary(revision: &Revision) -> Revision {
    let mut revision = revision.clone();
    let unwrapped = revision
        .message
        .as_deref()
        .and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok())
        .and_then(|json| Some(json.get("CommitMessage")?.as_str()?.to_owned()));
    if let Some(message) = unwrapped {
        revision.message = Some(message);
    }
    revision
}

fn started_by(execution: &ExecutionFacts) -> Option<String> {
    let trigger = execution.trigger.as_deref()?;
    let who = execution
        .trigger_detail
        .as_deref()
        .filter(|d| !d.is_empty())
        .map(|detail| detail.rsplit('/').next().unwrap_or(detail));
    let words = match trigger {
        "StartPipelineExecution" => match who {
            Some(who) => format!("{who}, by hand"),
            None => "somebody, by hand".to_owned(),
        },
        "CreatePipeline" => "creation of the pipeline".to_owned(),
        "PollForSourceChanges" | "CloudWatchEvent" | "PutActionRevision" => {
            "a change of the source".to_owned()
        }
        "Webhook" | "WebhookV2" => "a webhook of the source".to_owned(),
        "ManualRollback" => "a rollback by hand".to_owned(),
        "AutomatedRollback" => "an automatic rollback".to_owned(),
        other => other.to_owned(),
    };
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_tied_by_its_token_only() {
        let waiting = |action: &str, token: &str| Waiting {
            stage: "Prod".parse().unwrap(),
            action: action.parse().unwrap(),
            execution: "e1".parse().unwrap(),
            action_execution: "a1".parse().unwrap(),
            token: Secret::new(token.to_owned()),
        };
        let target = Target {
            pipeline: "p".parse().unwrap(),
            stage: "Prod".parse().unwrap(),
            action: "Approve".parse().unwrap(),
        };
        let token = Secret::new("t1".to_owned());
        let list = [
            waiting("Approve", "t0"),
            waiting("Other", "t1"),
            waiting("Approve", "t1"),
        ];
        assert_eq!(tie(&target, &token, &list), Some(&list[2]));
        assert_eq!(tie(&target, &token, &list[..2]), None);
    }

    #[test]
    fn facts_name_commit_message_author_and_starter() {
        let execution = ExecutionFacts {
            trigger: Some("StartPipelineExecution".into()),
            trigger_detail: Some("arn:aws:sts::123456789012:assumed-role/admin/dana".into()),
            revisions: vec![Revision {
                name: "Source".into(),
                id: "abc".into(),
                message: Some(r#"{"ProviderType":"GitHub","CommitMessage":"Fix header"}"#.into()),
                ..Revision::default()
            }],
            mode: None,
        };
        let outputs = [SourceOutput {
            action: "Fetch".into(),
            artifacts: vec!["Source".into()],
            variables: [("AuthorDisplayName", "Dana"), ("BranchName", "main")]
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .into(),
        }];
        let facts = gather(&execution, &outputs);
        assert_eq!(facts.started_by.as_deref(), Some("dana, by hand"));
        let revision = &facts.revisions[0];
        assert_eq!(revision.message.as_deref(), Some("Fix header"));
        assert_eq!(revision.author.as_deref(), Some("Dana"));
        assert_eq!(revision.branch.as_deref(), Some("main"));
        assert_eq!(gather(&ExecutionFacts::default(), &[]), Facts::default());
    }
}

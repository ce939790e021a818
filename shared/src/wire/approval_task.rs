//! What a state machine gives to `approval-notify` when it waits for a decision (`.waitForTaskToken`).

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use super::{ShapeError, from_value};
use crate::{
    approval::{
        asker::MachineExecution,
        request::{Revision, Target},
    },
    id::IdError,
    secret::Secret,
};

/// Where the request does not say how long it waits: as an approval action of CodePipeline.
const USUALLY: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Less is no time for a person.
const SHORTEST: SignedDuration = SignedDuration::from_mins(1);
/// What CodePipeline allows at most; keys of links live that long.
const LONGEST: SignedDuration = SignedDuration::from_hours(60 * 24);
/// Revisions that are shown at most.
const MOST_REVISIONS: usize = 20;

/// A decision that a state machine asks for, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalTask {
    /// What SendTaskSuccess wants.
    pub token: Secret,
    /// Who waits.
    pub execution: MachineExecution,
    /// What rules go by: the machine's name, and what the machine calls stage and action.
    pub target: Target,
    /// What is to be decided, in one line.
    pub subject: Option<String>,
    /// How long it waits.
    pub wait: Wait,
    /// More about it.
    pub note: Option<String>,
    /// Where to read more; never fetched.
    pub link: Option<String>,
    /// Who started it, as `people` of the rules may know them.
    pub started_by: Option<String>,
    /// Who wrote it, likewise.
    pub authors: Vec<String>,
    /// What would be released.
    pub revisions: Vec<Revision>,
}

/// How long a task waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// From the first time it is asked.
    For(SignedDuration),
    /// Until then.
    Until(Timestamp),
}

/// Why an input is not one that asks for a decision. Holds none of its values.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// Another shape.
    #[error("the task's input cannot be used")]
    Shape(#[source] ShapeError),
    /// A name, or the execution.
    #[error("the task's input has a bad part")]
    Name(#[from] IdError),
    /// Two deadlines.
    #[error("the task's input has both approval.seconds and approval.until: leave one out")]
    TwoDeadlines,
    /// Too short or too long.
    #[error("approval.seconds is 60 to 5184000 (60 days)")]
    Seconds,
    /// Too many.
    #[error("approval.revisions has more than {MOST_REVISIONS} entries")]
    Revisions,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wire {
    task_token: Secret,
    execution: String,
    approval: WireApproval,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireApproval {
    stage: String,
    #[serde(default)]
    action: Option<String>,
    #[serde(default)]
    subject: Option<String>,
    #[serde(default)]
    seconds: Option<i64>,
    #[serde(default)]
    until: Option<Timestamp>,
    #[serde(default)]
    note: Option<String>,
    #[serde(default)]
    link: Option<String>,
    #[serde(default)]
    started_by: Option<String>,
    #[serde(default)]
    authors: Vec<String>,
    #[serde(default)]
    revisions: Vec<WireRevision>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireRevision {
    name: String,
    id: String,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    author: Option<String>,
    #[serde(default)]
    branch: Option<String>,
    #[serde(default)]
    url: Option<String>,
}

/// The decision that an event asks for; `None`: it is another event.
///
/// # Errors
/// When it has a task token and is not as `docs/approval-tasks.md` says.
pub fn asked(event: &Value) -> Result<Option<ApprovalTask>, TaskError> {
    if event.get("taskToken").is_none() {
        return Ok(None);
    }
    let wire: Wire = from_value(event.clone()).map_err(TaskError::Shape)?;
    let execution: MachineExecution = wire.execution.parse()?;
    let asked = wire.approval;
    if asked.revisions.len() > MOST_REVISIONS {
        return Err(TaskError::Revisions);
    }
    let wait = match (asked.seconds, asked.until) {
        (Some(_), Some(_)) => return Err(TaskError::TwoDeadlines),
        (None, Some(until)) => Wait::Until(until),
        (Some(seconds), None) => {
            let wait = SignedDuration::from_secs(seconds);
            if !(SHORTEST..=LONGEST).contains(&wait) {
                return Err(TaskError::Seconds);
            }
            Wait::For(wait)
        }
        (None, None) => Wait::For(USUALLY),
    };
    Ok(Some(ApprovalTask {
        token: wire.task_token,
        target: Target {
            pipeline: execution.machine().parse()?,
            stage: asked.stage.parse()?,
            action: asked.action.as_deref().unwrap_or("Approve").parse()?,
        },
        execution,
        subject: filled(asked.subject),
        wait,
        note: filled(asked.note),
        link: filled(asked.link),
        started_by: filled(asked.started_by),
        authors: asked
            .authors
            .into_iter()
            .filter_map(|author| filled(Some(author)))
            .collect(),
        revisions: asked.revisions.into_iter().map(Revision::from).collect(),
    }))
}

impl Wait {
    /// When it is over, asked at `now`; `None`: it is over already, or longer than links live.
    pub fn ends(self, now: Timestamp) -> Option<Timestamp> {
        let end = match self {
            Self::For(wait) => now.saturating_add(wait).ok()?,
            Self::Until(until) => until,
        };
        let wait = end.duration_since(now);
        (wait > SignedDuration::ZERO && wait <= LONGEST).then_some(end)
    }
}

impl From<WireRevision> for Revision {
    fn from(r: WireRevision) -> Self {
        Self {
            name: r.name,
            id: r.id,
            message: r.message,
            author: r.author,
            branch: r.branch,
            url: r.url,
        }
    }
}

fn filled(text: Option<String>) -> Option<String> {
    text.filter(|t| !t.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ARN: &str = "arn:aws:states:eu-west-1:123456789012:execution:shop-release:v42";

    fn input(approval: Value) -> Value {
        json!({"taskToken": "planted-token", "execution": ARN, "approval": approval})
    }

    fn refused(event: &Value) -> String {
        let error = asked(event).unwrap_err();
        let source = std::error::Error::source(&error).map(ToString::to_string);
        format!("{error} {}", source.unwrap_or_default())
    }

    #[test]
    fn a_tasks_input_is_read() {
        let task = asked(&input(json!({"stage": "Production"})))
            .unwrap()
            .unwrap();
        assert_eq!(task.target.pipeline.as_str(), "shop-release");
        assert_eq!(task.target.action.as_str(), "Approve");
        assert_eq!(task.wait, Wait::For(USUALLY));
        assert!(!format!("{task:?}").contains("planted-token"));
        let whole = input(json!({
            "stage": "Production", "action": "Schema", "subject": "Drop the old table", "until": "2026-12-01T00:00:00Z",
            "note": " ", "link": "https://example.com/", "startedBy": "dana", "authors": ["lee", ""],
            "revisions": [{"name": "Schema", "id": "4be2f8c0"}],
        }));
        let task = asked(&whole).unwrap().unwrap();
        assert_eq!((task.note, task.authors), (None, vec!["lee".to_owned()]));
        assert!(matches!(task.wait, Wait::Until(_)));
        assert_eq!(asked(&json!({"Records": []})).unwrap(), None);
    }

    #[test]
    fn a_wrong_input_is_refused_without_its_values() {
        for (event, problem) in [
            (input(json!({})), "missing field `stage`"),
            (input(json!({"stage": "a b"})), "stage name has a character"),
            (
                input(json!({"stage": "P", "stge": 1})),
                "unknown field `stge`",
            ),
            (input(json!({"stage": "P", "seconds": 59})), "60 to 5184000"),
            (
                input(json!({"stage": "P", "seconds": 60, "until": "2026-12-01T00:00:00Z"})),
                "leave one out",
            ),
            (
                json!({"taskToken": "planted-token", "execution": "x", "approval": {"stage": "P"}}),
                "$$.Execution.Id",
            ),
            (
                json!({"taskToken": {"planted-token": 1}, "execution": ARN, "approval": {"stage": "P"}}),
                "taskToken",
            ),
        ] {
            let error = refused(&event);
            assert!(error.contains(problem), "{problem}: {error}");
            assert!(!error.contains("planted-token"), "{error}");
        }
    }

    #[test]
    fn a_wait_ends_within_sixty_days() {
        let now: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
        assert_eq!(Wait::Until(now).ends(now), None);
        assert_eq!(
            Wait::Until(now + SignedDuration::from_hours(61 * 24)).ends(now),
            None
        );
        let later = now + SignedDuration::from_mins(5);
        assert_eq!(Wait::Until(later).ends(now), Some(later));
        assert_eq!(
            Wait::For(SignedDuration::from_mins(5)).ends(now),
            Some(later)
        );
    }
}

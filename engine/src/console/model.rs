//! What the console's pages show, made from the planner's state. Pure.

use engine_plan::{
    definition::ActionDeclaration,
    state::{ActionRun, ActionStatus, Execution, ExecutionStatus, Pipeline, StageStatus, State},
};
use jiff::Timestamp;

use super::gates::{self, GateBox};
use crate::cli::elapsed;

/// A status as words and as a style class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Nothing ran yet.
    Idle,
    /// Something runs.
    Running,
    /// A person must answer.
    Waiting,
    /// It went well.
    Succeeded,
    /// It went wrong.
    Failed,
    /// It ended without a result: stopped, superseded, abandoned, cancelled, skipped.
    Other(&'static str),
}

impl Look {
    /// For people.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Idle => "Didn't run",
            Self::Running => "In progress",
            Self::Waiting => "Waiting",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Other(word) => word,
        }
    }

    /// A sign beside the words.
    pub const fn sign(&self) -> &'static str {
        match self {
            Self::Idle => "",
            Self::Running => "▶",
            Self::Waiting => "?",
            Self::Succeeded => "✓",
            Self::Failed => "✕",
            Self::Other(_) => "–",
        }
    }

    /// Colour of the page's icon, which tells the state in a row of tabs.
    pub const fn tint(&self) -> &'static str {
        match self {
            Self::Idle | Self::Other(_) => "7d8998",
            Self::Running => "2f6db5",
            Self::Waiting => "d08700",
            Self::Succeeded => "1f9d5b",
            Self::Failed => "cf3030",
        }
    }

    /// Whether it can still change by itself or by a person's answer.
    pub const fn is_open(&self) -> bool {
        matches!(self, Self::Running | Self::Waiting)
    }

    /// For the style sheet.
    pub const fn class(&self) -> &'static str {
        match self {
            Self::Idle | Self::Other(_) => "idle",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }
}

impl From<ExecutionStatus> for Look {
    fn from(status: ExecutionStatus) -> Self {
        match status {
            ExecutionStatus::InProgress => Self::Running,
            ExecutionStatus::Stopping => Self::Other("Stopping"),
            ExecutionStatus::Stopped => Self::Other("Stopped"),
            ExecutionStatus::Succeeded => Self::Succeeded,
            ExecutionStatus::Superseded => Self::Other("Superseded"),
            ExecutionStatus::Failed => Self::Failed,
            ExecutionStatus::Cancelled => Self::Other("Cancelled"),
        }
    }
}

impl From<StageStatus> for Look {
    fn from(status: StageStatus) -> Self {
        match status {
            StageStatus::InProgress => Self::Running,
            StageStatus::Stopping => Self::Other("Stopping"),
            StageStatus::Stopped => Self::Other("Stopped"),
            StageStatus::Succeeded => Self::Succeeded,
            StageStatus::Failed => Self::Failed,
            StageStatus::Cancelled => Self::Other("Cancelled"),
            StageStatus::Skipped => Self::Other("Skipped"),
        }
    }
}

/// One pipeline of the list.
#[derive(Debug)]
pub struct Summary {
    pub name: String,
    pub version: u64,
    pub status: Look,
    pub stages: Vec<Look>,
    pub executions: usize,
    pub last: Option<String>,
}

/// One stage of the picture.
#[derive(Debug)]
pub struct StageBox {
    pub name: String,
    pub status: Look,
    /// Why nothing may come in, when the inbound transition is disabled; empty when nobody said.
    pub gate: Option<String>,
    /// Actions by run order.
    pub groups: Vec<Vec<ActionBox>>,
    /// The condition before its actions.
    pub before: Option<GateBox>,
    /// The conditions after them, and what else follows a failure.
    pub after: Vec<GateBox>,
}

impl StageBox {
    /// All its actions and rules.
    pub fn into_boxes(self) -> impl Iterator<Item = ActionBox> {
        let rules = self.before.into_iter().chain(self.after);
        let rules = rules.flat_map(|gate| gate.rules);
        self.groups.into_iter().flatten().chain(rules)
    }
}

/// One action or rule of the picture.
#[derive(Debug)]
pub struct ActionBox {
    pub name: String,
    pub provider: String,
    pub status: Look,
    pub waiting: bool,
    pub took: Option<String>,
    pub text: Option<String>,
    pub percent: Option<u8>,
    pub url: Option<String>,
    /// Path of its log page.
    pub log: Option<String>,
}

/// What a person should know first: what waits for an answer, what went wrong.
#[derive(Debug)]
pub struct Notice {
    pub status: Look,
    pub title: String,
    pub text: String,
    /// Address and words of the one thing to do.
    pub link: Option<(String, &'static str)>,
}

/// One execution of the history.
#[derive(Debug)]
pub struct Past {
    pub id: String,
    pub status: Look,
    pub trigger: String,
    pub started: String,
}

/// Seconds are enough for people.
pub fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// All pipelines, by name.
pub fn summaries(state: &State) -> Vec<Summary> {
    state
        .pipelines
        .iter()
        .map(|(name, pipeline)| {
            let last = pipeline.executions.last();
            let stages = stages(pipeline, last, Timestamp::UNIX_EPOCH);
            Summary {
                name: name.clone(),
                version: pipeline.definition.version.unwrap_or(1),
                status: status(last, &stages),
                stages: stages.iter().map(|s| s.status).collect(),
                executions: pipeline.executions.started(),
                last: last.map(|e| time(e.updated)),
            }
        })
        .collect()
}

/// Where an execution stands: one that only waits for people says so.
pub fn status(execution: Option<&Execution>, stages: &[StageBox]) -> Look {
    let status = execution.map_or(Look::Idle, |e| e.status.into());
    let any = |look| stages.iter().any(|s| s.status == look);
    match status {
        Look::Running if any(Look::Waiting) && !any(Look::Running) => Look::Waiting,
        status => status,
    }
}

/// What waits for an answer, with the way to the `mail` that asks for it, and what went wrong, with its log.
pub fn notices(stages: &[StageBox], mail: &str) -> Vec<Notice> {
    let actions = stages
        .iter()
        .flat_map(|s| s.groups.iter().flatten().map(move |a| (s, a)));
    let told = actions
        .filter_map(|(stage, action)| match action.status {
            Look::Waiting => Some(Notice {
                status: Look::Waiting,
                title: format!("{} waits for an answer", action.name),
                text: format!(
                    "Nothing after stage {} runs before somebody approves.",
                    stage.name
                ),
                link: Some((mail.to_owned(), "Open the mail")),
            }),
            Look::Failed => Some(Notice {
                status: Look::Failed,
                title: format!("{} failed", action.name),
                text: action.text.clone().unwrap_or_default(),
                link: action.log.clone().map(|log| (log, "See the log")),
            }),
            _ => None,
        })
        .collect::<Vec<_>>();
    told.into_iter().chain(gates::notices(stages)).collect()
}

/// The picture of one execution on its own version of the definition.
pub fn stages(pipeline: &Pipeline, execution: Option<&Execution>, now: Timestamp) -> Vec<StageBox> {
    let definition = execution
        .and_then(|e| pipeline.definition_of(e))
        .unwrap_or(&pipeline.definition);
    definition
        .stages
        .iter()
        .map(|stage| {
            let run = execution.and_then(|e| e.stage(&stage.name));
            let mut orders: Vec<u32> = stage.actions.iter().map(|a| a.run_order).collect();
            orders.sort_unstable();
            orders.dedup();
            let action = |declared: &ActionDeclaration| {
                let last =
                    run.and_then(|r| r.actions.iter().rev().find(|a| a.name == declared.name));
                action_box(&pipeline.definition.name, execution, declared, last, now)
            };
            let groups: Vec<Vec<ActionBox>> = orders
                .iter()
                .map(|order| {
                    let same = stage.actions.iter().filter(|a| a.run_order == *order);
                    same.map(action).collect()
                })
                .collect();
            let any = |look| groups.iter().flatten().any(|a| a.status == look);
            let inbound = pipeline.stage(&stage.name).map(|s| &s.inbound);
            StageBox {
                name: stage.name.clone(),
                status: match run.map_or(Look::Idle, |r| r.status.into()) {
                    Look::Running if any(Look::Waiting) && !any(Look::Running) => Look::Waiting,
                    status => status,
                },
                gate: inbound
                    .filter(|i| !i.enabled)
                    .map(|i| i.reason.clone().unwrap_or_default()),
                before: gates::before(&pipeline.definition.name, execution, stage, run, now),
                after: gates::after(&pipeline.definition.name, execution, stage, run, now),
                groups,
            }
        })
        .collect()
}

fn action_box(
    pipeline: &str,
    execution: Option<&Execution>,
    declared: &ActionDeclaration,
    run: Option<&ActionRun>,
    now: Timestamp,
) -> ActionBox {
    let approval = declared.action_type_id.category == "Approval";
    let running = run.is_some_and(|r| r.status == ActionStatus::InProgress);
    let provider = match declared.configuration.get("FunctionName") {
        Some(function) => format!("{} {function}", declared.action_type_id.provider),
        None => declared.action_type_id.provider.clone(),
    };
    ActionBox {
        name: declared.name.clone(),
        provider,
        status: match run.map(|r| r.status) {
            None => Look::Idle,
            Some(ActionStatus::InProgress) if approval => Look::Waiting,
            Some(ActionStatus::InProgress) => Look::Running,
            Some(ActionStatus::Succeeded) => Look::Succeeded,
            Some(ActionStatus::Failed) => Look::Failed,
            Some(ActionStatus::Abandoned) => Look::Other("Abandoned"),
        },
        waiting: approval && running,
        took: run.map(|r| elapsed(r.started, if running { now } else { r.updated })),
        text: run.and_then(|r| {
            let error = r.error.as_ref().map(|e| e.message.clone());
            error
                .or_else(|| r.details.summary.clone())
                .or_else(|| r.revision.as_ref().and_then(|v| v.summary.clone()))
        }),
        percent: run
            .filter(|_| running)
            .and_then(|r| r.details.percent_complete),
        url: run
            .and_then(|r| r.details.external_execution_url.clone())
            .filter(|u| is_web(u)),
        log: run
            .zip(execution)
            .map(|(r, e)| format!("/_stagewright/pipeline/{pipeline}/{}/log/{}", e.id, r.id)),
    }
}

/// Only links a browser may follow safely become links.
pub fn is_web(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

/// A line of the history.
pub fn past(pipeline: &Pipeline, run: &Execution) -> Past {
    let stages = stages(pipeline, Some(run), Timestamp::UNIX_EPOCH);
    Past {
        id: run.id.clone(),
        status: status(Some(run), &stages),
        trigger: run.trigger.trigger_type.clone(),
        started: time(run.started),
    }
}

/// Name, bucket and key of every artifact.
pub fn artifacts(execution: &Execution) -> Vec<(String, String, String)> {
    let all = execution.artifacts.iter();
    all.map(|(name, a)| (name.clone(), a.bucket.clone(), a.key.clone()))
        .collect()
}

/// Output variables as people write them: `namespace.key`.
pub fn variables(execution: &Execution) -> Vec<(String, String)> {
    let own = execution
        .variables
        .iter()
        .map(|(k, v)| (format!("variables.{k}"), v.clone()));
    let produced = execution.namespaces.iter().flat_map(|(ns, map)| {
        map.iter()
            .map(move |(k, v)| (format!("{ns}.{k}"), v.clone()))
    });
    own.chain(produced).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(name: &str, status: Look, text: Option<&str>) -> ActionBox {
        ActionBox {
            name: name.to_owned(),
            provider: "P".to_owned(),
            status,
            waiting: status == Look::Waiting,
            took: None,
            text: text.map(str::to_owned),
            percent: None,
            url: None,
            log: Some(format!("/log/{name}")),
        }
    }

    fn stage(name: &str, status: Look, groups: Vec<Vec<ActionBox>>) -> StageBox {
        StageBox {
            name: name.to_owned(),
            status,
            gate: None,
            groups,
            before: None,
            after: Vec::new(),
        }
    }

    #[test]
    fn people_are_told_what_waits_and_what_failed() {
        let stages = [
            stage(
                "Build",
                Look::Failed,
                vec![vec![
                    action("Site", Look::Succeeded, Some("built")),
                    action("Docs", Look::Failed, Some("exit 1")),
                ]],
            ),
            stage(
                "Approve",
                Look::Waiting,
                vec![vec![action("Release", Look::Waiting, None)]],
            ),
        ];
        let told: Vec<_> = notices(&stages, "/mail/1")
            .into_iter()
            .map(|n| (n.status, n.title, n.link.map(|l| l.0)))
            .collect();
        let expected = [
            (Look::Failed, "Docs failed", "/log/Docs"),
            (Look::Waiting, "Release waits for an answer", "/mail/1"),
        ];
        assert_eq!(
            told,
            expected.map(|(look, title, link)| (look, title.to_owned(), Some(link.to_owned())))
        );
    }

    #[test]
    fn only_web_addresses_become_links() {
        for (url, web) in [
            ("https://example.com/", true),
            ("http://127.0.0.1:1/", true),
            ("javascript:alert(1)", false),
            ("file:///etc/passwd", false),
        ] {
            assert_eq!(is_web(url), web, "{url}");
        }
    }
}

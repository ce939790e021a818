//! What a person wants to know of one execution, and what changed since they last looked. Pure.

use engine_plan::state::{ActionRun, ActionStatus, Execution, ExecutionStatus};
use jiff::{SignedDuration, Timestamp};

/// One execution as a list of actions in the order of the definition.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// Where it stands.
    pub status: ExecutionStatus,
    /// Every action run of every attempt, in the order it started.
    pub actions: Vec<ActionView>,
}

/// One run of one action.
#[derive(Debug, Clone, PartialEq)]
pub struct ActionView {
    /// Action execution id.
    pub id: String,
    /// Its stage.
    pub stage: String,
    /// Its name.
    pub name: String,
    /// `CodeBuild`, or the function's name for an invoke action.
    pub provider: String,
    /// `Approval`, `Build`, ….
    pub category: String,
    /// Where it stands.
    pub status: ActionStatus,
    /// When it started.
    pub started: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
    /// Summary, or the error's message.
    pub text: Option<String>,
    /// A link to the outside run.
    pub url: Option<String>,
    /// 0 to 100.
    pub percent: Option<u8>,
}

/// One thing worth telling.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// An action started.
    Started(ActionView),
    /// A running action says something new.
    Progressed(ActionView),
    /// An action ended.
    Ended(ActionView),
}

/// What is to be told of an execution.
pub fn view(execution: &Execution) -> View {
    let mut actions: Vec<ActionView> = execution
        .stages
        .iter()
        .flat_map(|stage| {
            stage
                .actions
                .iter()
                .map(|action| action_view(&stage.name, action))
        })
        .collect();
    actions.sort_by_key(|a| a.started);
    View {
        status: execution.status,
        actions,
    }
}

fn action_view(stage: &str, action: &ActionRun) -> ActionView {
    let provider = match action.resolved_configuration.get("FunctionName") {
        Some(function) if action.action_type.category == "Invoke" => function.clone(),
        _ => action.action_type.provider.clone(),
    };
    ActionView {
        id: action.id.clone(),
        stage: stage.to_owned(),
        name: action.name.clone(),
        provider,
        category: action.action_type.category.clone(),
        status: action.status,
        started: action.started,
        updated: action.updated,
        text: action
            .error
            .as_ref()
            .map(|e| e.message.clone())
            .or_else(|| action.details.summary.clone())
            .or_else(|| action.revision.as_ref().and_then(|r| r.summary.clone())),
        url: action.details.external_execution_url.clone(),
        percent: action.details.percent_complete,
    }
}

/// What changed from `before` to `after`, in order.
pub fn changes(before: Option<&View>, after: &View) -> Vec<Change> {
    let known = |id: &str| before.and_then(|b| b.actions.iter().find(|a| a.id == id));
    let mut out = Vec::new();
    for action in &after.actions {
        let old = known(&action.id);
        if old.is_none() {
            out.push(Change::Started(action.clone()));
        }
        let running = |a: &ActionView| a.status == ActionStatus::InProgress;
        match old {
            Some(old) if !running(old) => {}
            _ if !running(action) => out.push(Change::Ended(action.clone())),
            Some(old) if old.text != action.text || old.percent != action.percent => {
                out.push(Change::Progressed(action.clone()));
            }
            _ => {}
        }
    }
    out
}

/// `0.3s`, `12.0s`, `3m 04s`, `2h 05m`.
pub fn elapsed(from: Timestamp, to: Timestamp) -> String {
    let duration = to.duration_since(from).max(SignedDuration::ZERO);
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{}.{}s", seconds, duration.subsec_millis() / 100),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

/// The first line of a text, cut to `width` characters.
pub fn one_line(text: &str, width: usize) -> String {
    let line = text.lines().next().unwrap_or_default().trim();
    if line.chars().count() <= width {
        return line.to_owned();
    }
    let mut short: String = line.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(id: &str, status: ActionStatus, text: Option<&str>) -> ActionView {
        ActionView {
            id: id.to_owned(),
            stage: "S".to_owned(),
            name: id.to_owned(),
            provider: "P".to_owned(),
            category: "Test".to_owned(),
            status,
            started: Timestamp::UNIX_EPOCH,
            updated: Timestamp::UNIX_EPOCH,
            text: text.map(str::to_owned),
            url: None,
            percent: None,
        }
    }

    fn of(actions: Vec<ActionView>) -> View {
        View {
            status: ExecutionStatus::InProgress,
            actions,
        }
    }

    #[test]
    fn each_change_is_told_once() {
        use ActionStatus::{InProgress, Succeeded};
        let first = of(vec![action("a", InProgress, None)]);
        let second = of(vec![action("a", InProgress, Some("half"))]);
        let third = of(vec![
            action("a", Succeeded, Some("done")),
            action("b", Succeeded, None),
        ]);
        assert_eq!(
            changes(None, &first),
            [Change::Started(first.actions[0].clone())]
        );
        assert_eq!(changes(Some(&first), &first), []);
        assert_eq!(
            changes(Some(&first), &second),
            [Change::Progressed(second.actions[0].clone())]
        );
        assert_eq!(
            changes(Some(&second), &third),
            [
                Change::Ended(third.actions[0].clone()),
                Change::Started(third.actions[1].clone()),
                Change::Ended(third.actions[1].clone()),
            ]
        );
        assert_eq!(changes(Some(&third), &third), []);
    }

    #[test]
    fn times_read_well() {
        let at = |ms| Timestamp::from_millisecond(ms).expect("in range");
        for (ms, text) in [
            (0, "0.0s"),
            (1_250, "1.2s"),
            (59_999, "59.9s"),
            (184_000, "3m 04s"),
            (7_500_000, "2h 05m"),
        ] {
            assert_eq!(elapsed(at(0), at(ms)), text);
        }
    }
}

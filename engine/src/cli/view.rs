//! What a person wants to know of one execution, and what changed since they last looked. Pure.

use engine_plan::{
    definition::PipelineDeclaration,
    gate::{GateKind, GateResult},
    rule_type::VARIABLE_CHECK,
    state::{
        ActionRun, ActionStatus, ConditionRun, ConditionStatus, Execution, ExecutionStatus, RuleRun,
    },
};
use jiff::{SignedDuration, Timestamp};

/// One execution as a list of actions in the order of the definition.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// Where it stands.
    pub status: ExecutionStatus,
    /// Every action run of every attempt, in the order it started.
    pub actions: Vec<ActionView>,
    /// What conditions and retries did to their stages, in order.
    pub gates: Vec<GateView>,
}

/// Something that happened to a stage as a whole.
#[derive(Debug, Clone, PartialEq)]
pub struct GateView {
    /// Its stage.
    pub stage: String,
    /// Place of the stage in the execution.
    pub at: usize,
    /// When.
    pub updated: Timestamp,
    /// Whether the stage goes on as if nothing were.
    pub good: bool,
    /// In words.
    pub text: String,
}

/// One run of one action, or of a rule of a condition.
#[derive(Debug, Clone, PartialEq)]
pub struct ActionView {
    /// Action execution id.
    pub id: String,
    /// Its stage.
    pub stage: String,
    /// Place of the stage in the execution.
    pub at: usize,
    /// Its name.
    pub name: String,
    /// `CodeBuild`, or the function's name for an invoke action.
    pub provider: String,
    /// `Approval`, `Build`, …, [`RULE`].
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
    /// A condition was decided, a stage is retried.
    Gate(GateView),
}

/// The category of rules.
pub const RULE: &str = "Rule";
/// Stands before the names of rules.
pub const RULE_SIGN: &str = "◇";

impl ActionView {
    /// Its name as it is shown: rules are told apart.
    pub fn shown(&self) -> String {
        if self.category == RULE {
            format!("{RULE_SIGN} {}", self.name)
        } else {
            self.name.clone()
        }
    }
}

/// What is to be told of an execution.
pub fn view(definition: &PipelineDeclaration, execution: &Execution) -> View {
    let (mut actions, mut gates) = (Vec::new(), Vec::new());
    for (at, stage) in execution.stages.iter().enumerate() {
        let name = stage.name.as_str();
        actions.extend(stage.actions.iter().map(|it| action_view(name, at, it)));
        let declared = definition
            .stage(name)
            .map(|place| &definition.stages[place]);
        for condition in &stage.conditions {
            let rules = condition.rules.iter();
            actions.extend(rules.map(|it| rule_view(name, at, it)));
            let result = declared
                .and_then(|it| it.condition(condition.gate))
                .and_then(|it| it.result);
            gates.extend(decided(condition, result).map(|(good, text)| GateView {
                stage: name.to_owned(),
                at,
                updated: condition.updated,
                good,
                text,
            }));
        }
        // the first run of an action that was started again tells when
        let again = stage
            .actions
            .iter()
            .enumerate()
            .find(|(place, run)| {
                let earlier = stage.actions.iter().take(*place);
                earlier.into_iter().any(|it| it.name == run.name)
            })
            .map(|(_, run)| run.started);
        if let (true, Some(updated)) = (stage.automatic_retries > 0, again) {
            gates.push(GateView {
                stage: name.to_owned(),
                at,
                updated,
                good: false,
                text: "the stage failed and is retried automatically".to_owned(),
            });
        }
    }
    actions.sort_by_key(|a| a.started);
    View {
        status: execution.status,
        actions,
        gates,
    }
}

/// What a condition that was decided does to its stage, and whether the stage just goes on.
pub fn decided(condition: &ConditionRun, result: Option<GateResult>) -> Option<(bool, String)> {
    let gate = condition.gate.member();
    let failure = condition.gate == GateKind::OnFailure;
    let consequence = consequence(result);
    let (good, text) = match condition.status {
        ConditionStatus::InProgress => return None,
        ConditionStatus::Succeeded if failure => {
            (false, format!("{gate} criteria are met: {consequence}"))
        }
        ConditionStatus::Succeeded => (true, format!("{gate} condition succeeded")),
        ConditionStatus::Failed | ConditionStatus::Errored if failure => {
            (true, format!("{gate} criteria are not met"))
        }
        ConditionStatus::Failed => (false, format!("{gate} condition failed: {consequence}")),
        ConditionStatus::Errored => (
            false,
            format!("{gate} condition could not be evaluated: {consequence}"),
        ),
        ConditionStatus::Abandoned => (false, format!("{gate} condition abandoned")),
        ConditionStatus::Overridden => (true, format!("{gate} condition overridden")),
    };
    Some((good, text))
}

/// What a condition with that result does to its stage.
pub const fn consequence(result: Option<GateResult>) -> &'static str {
    match result {
        Some(GateResult::Skip) => "the stage is skipped",
        Some(GateResult::Rollback) => "the stage is rolled back",
        Some(GateResult::Fail | GateResult::Retry) | None => "the stage fails",
    }
}

/// Why a rule ended as it did, or what it waits for.
pub fn rule_text(rule: &RuleRun) -> Option<String> {
    let setting = |key: &str| {
        rule.resolved_configuration
            .get(key)
            .map_or("", String::as_str)
    };
    let compared = || {
        (rule.rule_type.provider == VARIABLE_CHECK).then(|| {
            let (variable, value) = (setting("Variable"), setting("Value"));
            format!("'{variable}' {} '{value}'", setting("Operator"))
        })
    };
    let error = rule.error.as_ref().map(|error| error.message.clone());
    error
        .or_else(|| rule.details.summary.clone())
        .or_else(compared)
}

fn rule_view(stage: &str, at: usize, rule: &RuleRun) -> ActionView {
    ActionView {
        id: rule.id.clone(),
        stage: stage.to_owned(),
        at,
        name: rule.name.clone(),
        provider: rule.rule_type.provider.clone(),
        category: RULE.to_owned(),
        status: rule.status,
        started: rule.started,
        updated: rule.updated,
        text: rule_text(rule),
        url: rule.details.external_execution_url.clone(),
        percent: rule.details.percent_complete,
    }
}

fn action_view(stage: &str, at: usize, action: &ActionRun) -> ActionView {
    let provider = match action.resolved_configuration.get("FunctionName") {
        Some(function) if action.action_type.category == "Invoke" => function.clone(),
        _ => action.action_type.provider.clone(),
    };
    ActionView {
        id: action.id.clone(),
        stage: stage.to_owned(),
        at,
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
    for gate in &after.gates {
        if before.is_none_or(|before| !before.gates.contains(gate)) {
            out.push(Change::Gate(gate.clone()));
        }
    }
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
    // a stable order of what happened in one step: old ends, rules, what they decide, what starts then
    out.sort_by_key(|change| {
        let new = |action: &ActionView| known(&action.id).is_none();
        match change {
            Change::Progressed(action) => (action.updated, action.at, 0),
            Change::Ended(action) if !new(action) => (action.updated, action.at, 0),
            Change::Started(action) if action.category == RULE => (action.started, action.at, 1),
            Change::Ended(action) if action.category == RULE => (action.updated, action.at, 1),
            Change::Gate(gate) => (gate.updated, gate.at, 2),
            Change::Started(action) => (action.started, action.at, 3),
            Change::Ended(action) => (action.updated, action.at, 3),
        }
    });
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
            at: 0,
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
            gates: Vec::new(),
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
    fn a_rule_is_told_before_what_it_decides_and_that_before_what_follows() {
        let mut rule = action("r", ActionStatus::Succeeded, None);
        rule.category = RULE.to_owned();
        let gate = GateView {
            stage: "S".to_owned(),
            at: 0,
            updated: Timestamp::UNIX_EPOCH,
            good: true,
            text: "decided".to_owned(),
        };
        let started = action("a", ActionStatus::InProgress, None);
        let mut first = of(vec![started.clone()]);
        first.gates.push(gate.clone());
        first.actions.insert(0, rule.clone());
        assert_eq!(
            changes(None, &first),
            [
                Change::Started(rule.clone()),
                Change::Ended(rule.clone()),
                Change::Gate(gate.clone()),
                Change::Started(started),
            ]
        );
        assert_eq!(changes(Some(&first), &first), []);
        let mut second = first.clone();
        second.gates[0].text = "overridden".to_owned();
        let told = changes(Some(&first), &second);
        assert_eq!(told, [Change::Gate(second.gates[0].clone())]);
        assert_eq!(rule.shown(), "◇ r");
    }

    #[test]
    fn a_condition_says_what_it_does_to_its_stage() {
        use ConditionStatus::{Errored, Failed, InProgress, Overridden, Succeeded};
        use GateKind::{BeforeEntry, OnFailure, OnSuccess};
        use GateResult::{Fail, Rollback, Skip};
        for (gate, status, result, said) in [
            (BeforeEntry, InProgress, Fail, None),
            (
                BeforeEntry,
                Succeeded,
                Fail,
                Some((true, "beforeEntry condition succeeded")),
            ),
            (
                BeforeEntry,
                Failed,
                Fail,
                Some((false, "beforeEntry condition failed: the stage fails")),
            ),
            (
                BeforeEntry,
                Failed,
                Skip,
                Some((false, "beforeEntry condition failed: the stage is skipped")),
            ),
            (
                BeforeEntry,
                Errored,
                Fail,
                Some((
                    false,
                    "beforeEntry condition could not be evaluated: the stage fails",
                )),
            ),
            (
                BeforeEntry,
                Overridden,
                Fail,
                Some((true, "beforeEntry condition overridden")),
            ),
            (
                OnSuccess,
                Failed,
                Rollback,
                Some((
                    false,
                    "onSuccess condition failed: the stage is rolled back",
                )),
            ),
            (
                OnFailure,
                Succeeded,
                Rollback,
                Some((
                    false,
                    "onFailure criteria are met: the stage is rolled back",
                )),
            ),
            (
                OnFailure,
                Failed,
                Rollback,
                Some((true, "onFailure criteria are not met")),
            ),
        ] {
            let condition = ConditionRun {
                gate,
                status,
                updated: Timestamp::UNIX_EPOCH,
                void: false,
                rules: Vec::new(),
            };
            let expected = said.map(|(good, text)| (good, text.to_owned()));
            assert_eq!(decided(&condition, Some(result)), expected);
        }
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

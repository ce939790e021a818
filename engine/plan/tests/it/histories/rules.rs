//! What always holds, whatever happens.

use std::collections::{BTreeMap, BTreeSet};

use engine_plan::{
    definition::ExecutionMode,
    limit::ENDED_EXECUTIONS_AT_MOST,
    state::{ActionStatus, Execution, ExecutionStatus, JobStatus, Pipeline, Position, State, Wake},
};

use super::outsider::Seen;
use crate::harness::Desk;

/// What an execution that has not ended waits for, in words; nobody waits for nothing.
pub fn waits_for(state: &State, known: &Pipeline, index: usize) -> Vec<String> {
    let run = &known.executions[index];
    match run.position {
        Position::Ended => Vec::new(),
        Position::In(_) => in_a_stage(state, index),
        Position::Before(at) => in_front(known, run, at),
    }
}

fn in_a_stage(state: &State, index: usize) -> Vec<String> {
    let actions = state.running.values().filter(|it| it.execution == index);
    let rules = state
        .running_rules
        .values()
        .filter(|it| it.execution == index);
    let action = |place| {
        let run = state.run(place).unwrap();
        let at = run.deadline;
        match (&run.approval_token, &run.wake, &run.job) {
            (Some(_), ..) => format!("the approval {} until {at}", run.name),
            (_, Some(Wake::Continue { at, .. }), _) => {
                format!("the next job of {} at {at}", run.name)
            }
            (_, _, Some(job)) => format!("a report on job {job} of {} until {at}", run.name),
            _ => format!("the end of {} until {at}", run.name),
        }
    };
    let rule = |place| {
        let run = state.rule(place).unwrap();
        format!("the rule {} until {}", run.name, run.deadline)
    };
    actions.map(action).chain(rules.map(rule)).collect()
}

fn in_front(known: &Pipeline, run: &Execution, at: usize) -> Vec<String> {
    let name = &known.definition_of(run).unwrap().stages[at].name;
    let at = known.stages.iter().position(|it| it.name == *name);
    let at = at.expect("nobody waits in front of a stage that is gone");
    let stage = &known.stages[at];
    assert!(
        stage.waiting.contains(&run.id),
        "{} stands in no queue",
        run.id
    );
    let mut found = Vec::new();
    if !stage.inbound.enabled {
        found.push(format!("the transition into {name}"));
    }
    if at > 0 && !known.stages[at - 1].outbound.enabled {
        found.push(format!(
            "the transition out of {}",
            known.stages[at - 1].name
        ));
    }
    let parallel = known.definition_of(run).unwrap().mode() == ExecutionMode::Parallel;
    if let Some(holder) = stage.held_by.as_ref().filter(|_| !parallel) {
        found.push(format!("{holder}, which holds {name}"));
    }
    found
}

/// Checks the pipeline `p` against itself and against its events.
pub fn check(state: &State, seen: &BTreeMap<String, Seen>) {
    let known = &state.pipelines["p"];
    for (index, run) in known.executions.numbered() {
        let expected = match run.status {
            ExecutionStatus::InProgress => ["STARTED", "RESUMED"].as_slice(),
            ExecutionStatus::Stopping => &["STOPPING"],
            ExecutionStatus::Stopped => &["STOPPED"],
            ExecutionStatus::Succeeded => &["SUCCEEDED"],
            ExecutionStatus::Superseded => &["SUPERSEDED"],
            ExecutionStatus::Failed => &["FAILED"],
            ExecutionStatus::Cancelled => &["CANCELED"],
        };
        let seen = &seen[&run.id];
        assert!(
            expected.contains(&seen.pipeline.as_str()),
            "{:?} {seen:?}",
            run.status
        );
        assert_eq!(known.active.contains(&index), !run.has_ended());
        assert_eq!(run.position == Position::Ended, run.has_ended());
        for stage in &run.stages {
            let mut done = BTreeSet::new();
            for action in &stage.actions[stage.first..] {
                assert!(!done.contains(&action.name), "{} was repeated", action.name);
                if action.status == ActionStatus::Succeeded {
                    done.insert(action.name.clone());
                }
            }
        }
        assert!(
            run.has_ended() || !waits_for(state, known, index).is_empty(),
            "{} waits for nothing: {:?}",
            run.id,
            run.position
        );
    }
    locks_hold(known);
    indexes_agree(state);
}

fn locks_hold(known: &Pipeline) {
    for stage in &known.stages {
        let inside: Vec<_> = known
            .executions
            .iter()
            .filter(|run| {
                let definition = known.definition_of(run).unwrap();
                let here = |at: usize| definition.stages[at].name == stage.name;
                matches!(run.position, Position::In(at) if here(at))
                    && definition.mode() != ExecutionMode::Parallel
            })
            .map(|run| &run.id)
            .collect();
        assert!(inside.len() <= 1, "{inside:?} are all in {}", stage.name);
        assert_eq!(stage.held_by.as_ref(), inside.first().copied());
        if known.definition.mode() == ExecutionMode::Superseded {
            let newest = |id: &&String| {
                known.execution(id).unwrap().pipeline_version == known.definition.version.unwrap()
            };
            assert!(stage.waiting.iter().filter(newest).count() <= 1);
        }
    }
}

/// The indexes say what the runs say.
fn indexes_agree(state: &State) {
    let known = &state.pipelines["p"];
    let open: BTreeSet<&String> = known
        .executions
        .iter()
        .flat_map(|run| &run.stages)
        .flat_map(|stage| &stage.actions)
        .filter(|action| action.status == ActionStatus::InProgress)
        .map(|action| &action.id)
        .collect();
    assert_eq!(open, state.running.keys().collect());
    let rules: BTreeSet<&String> = known
        .executions
        .iter()
        .flat_map(|run| &run.stages)
        .flat_map(|stage| &stage.conditions)
        .flat_map(|condition| &condition.rules)
        .filter(|rule| rule.status == ActionStatus::InProgress)
        .map(|rule| &rule.id)
        .collect();
    assert_eq!(rules, state.running_rules.keys().collect());
    for (id, place) in &state.running_rules {
        assert_eq!(state.rule(place).map(|run| &run.id), Some(id));
    }
    let due = state.due.iter().map(|(_, id)| id).collect();
    assert_eq!(open.union(&rules).copied().collect::<BTreeSet<_>>(), due);
    for (id, place) in &state.running {
        assert_eq!(state.run(place).map(|run| &run.id), Some(id));
    }
    let asked: BTreeSet<&String> = state.approvals.values().collect();
    assert!(asked.is_subset(&open));
    let jobs = state
        .jobs
        .values()
        .filter(|job| job.status == JobStatus::InProgress);
    for job in jobs {
        let runs = open.contains(&job.action_execution) || rules.contains(&job.action_execution);
        assert!(runs, "{job:?}");
    }
    for (id, index) in &known.execution_index {
        assert_eq!(known.executions[*index].id, *id);
    }
}

/// Every execution is in memory or in the archive; what a stage shows is in memory; memory is bounded.
pub fn archive(desk: &Desk, seen: &BTreeMap<String, Seen>) {
    let known = &desk.state.pipelines["p"];
    let archive = &desk.archive.0;
    let kept = known.executions.iter().map(|run| &run.id);
    let all: BTreeSet<_> = kept
        .chain(archive.values().map(|it| &it.execution.id))
        .collect();
    assert_eq!(all.len(), known.executions.len() + archive.len());
    assert_eq!(all, seen.keys().collect());
    for it in archive.values() {
        assert!(it.execution.has_ended(), "{} is archived", it.execution.id);
    }
    let mut shown = 0;
    for stage in &known.stages {
        assert_eq!(
            stage.latest.is_some(),
            known.latest_stage_run(&stage.name).is_some()
        );
        for name in stage.actions.keys() {
            assert!(known.latest_run(&stage.name, name).is_some());
            shown += 1;
        }
        shown += 2;
    }
    let ended = known.executions.len() - known.active.len();
    assert!(
        ended <= ENDED_EXECUTIONS_AT_MOST + shown,
        "{ended} in memory"
    );
}

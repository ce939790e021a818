//! Generated histories against a simple model: what the events say must be what the state holds, locks hold, and
//! everything that has not ended waits for something that can be named.

use std::collections::{BTreeMap, BTreeSet};

use engine_plan::{
    definition::ExecutionMode,
    event::{Event, RetryMode},
    gate::GateKind,
    state::{ActionStatus, ExecutionStatus, JobStatus, Position, State},
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::harness::{
    Desk, approval, declared, job_failed, job_succeeded, pipeline, start, succeeded,
};

/// One thing that may happen; numbers choose among what there is.
#[derive(Debug, Clone)]
enum Op {
    Start,
    Succeed(usize),
    Fail(usize),
    Continue(usize),
    /// A report on something long over.
    Late(usize),
    Stop(usize, bool),
    Retry(usize, usize, bool),
    Rollback(usize, usize),
    Override(usize, bool),
    Transition(usize, bool, bool),
    Update,
    Pass(u32),
    Resume,
}

fn op() -> impl Strategy<Value = Op> {
    let at = any::<usize>;
    let flag = any::<bool>;
    prop_oneof![
        3 => Just(Op::Start),
        12 => at().prop_map(Op::Succeed),
        3 => at().prop_map(Op::Fail),
        2 => at().prop_map(Op::Continue),
        1 => at().prop_map(Op::Late),
        2 => (at(), flag()).prop_map(|(at, abandon)| Op::Stop(at, abandon)),
        4 => (at(), at(), flag()).prop_map(|(at, stage, all)| Op::Retry(at, stage, all)),
        2 => (at(), at()).prop_map(|(at, stage)| Op::Rollback(at, stage)),
        2 => (at(), flag()).prop_map(|(at, entry)| Op::Override(at, entry)),
        2 => (at(), flag(), flag()).prop_map(|(at, inbound, on)| Op::Transition(at, inbound, on)),
        1 => Just(Op::Update),
        2 => (0u32..40_000).prop_map(Op::Pass),
        1 => Just(Op::Resume),
    ]
}

const STAGES: [&str; 3] = ["Source", "Build", "Deploy"];

/// Half of the histories let stages retry or roll back by themselves.
fn definition(mode: &str, gated: bool) -> Value {
    let mut definition = pipeline(&[
        ("Source", &["s", "s2"]),
        ("Build", &["b", "l", "b2@3"]),
        ("Deploy", &["a@2", "l2@2", "b3"]),
    ]);
    definition["executionMode"] = json!(mode);
    if gated {
        let retry =
            |mode: &str| json!({"result": "RETRY", "retryConfiguration": {"retryMode": mode}});
        let rule = |provider: &str, configuration: Value| {
            let id =
                json!({"category": "Rule", "owner": "AWS", "provider": provider, "version": "1"});
            json!({"name": "r", "ruleTypeId": id, "configuration": configuration})
        };
        let condition = |result: &str, rule: Value| json!({"conditions": [{"result": result, "rules": [rule]}]});
        let project = json!({"ProjectName": "x"});
        definition["stages"][1]["beforeEntry"] = condition("FAIL", rule("CodeBuild", project));
        let call = rule("LambdaInvoke", json!({"FunctionName": "f"}));
        definition["stages"][2]["beforeEntry"] = condition("SKIP", call);
        let hours = rule("DeploymentWindow", json!({"Cron": "* * * * * ?"}));
        let result = if mode == "PARALLEL" {
            "FAIL"
        } else {
            "ROLLBACK"
        };
        definition["stages"][2]["onSuccess"] = condition(result, hours);
        definition["stages"][0]["onFailure"] = retry("ALL_ACTIONS");
        definition["stages"][1]["onFailure"] = retry("FAILED_ACTIONS");
        if mode != "PARALLEL" {
            definition["stages"][2]["onFailure"] = json!({"result": "ROLLBACK"});
        }
    }
    // fails when `l` was answered by a continuation only; otherwise resolved
    definition["stages"][1]["actions"][2]["configuration"]["ProjectName"] = json!("x#{sV.k}");
    definition
}

/// What an outsider knows of an execution: only its events.
#[derive(Debug, Default)]
struct Seen {
    pipeline: String,
    /// Whether it began in the middle of the pipeline.
    rollback: bool,
    /// A person's retry goes on with the pipeline, an automatic one with the stage only.
    resumed: bool,
    /// (stage, action) -> last state.
    actions: BTreeMap<(String, String), String>,
    stages: BTreeMap<String, String>,
}

struct Run {
    desk: Desk,
    definition: Value,
    seen: BTreeMap<String, Seen>,
    ended: Vec<String>,
}

impl Run {
    fn new(mode: &str, gated: bool) -> Self {
        let definition = definition(mode, gated);
        Self {
            desk: Desk::with(declared(definition.clone())),
            definition,
            seen: BTreeMap::new(),
            ended: Vec::new(),
        }
    }

    fn apply(&mut self, op: &Op) {
        let ids: Vec<String> = self.desk.state.pipelines["p"]
            .executions
            .iter()
            .map(|run| run.id.clone())
            .collect();
        let chosen = |at: usize| ids.get(at % ids.len().max(1)).cloned();
        match op {
            Op::Start => {
                self.desk.ask(start("p")).ok();
            }
            Op::Succeed(at) => self.answer(*at, true),
            Op::Fail(at) => self.answer(*at, false),
            Op::Continue(at) => {
                let open: Vec<_> = self.open_jobs();
                if let Some(job) = open.get(at % open.len().max(1)) {
                    self.desk.tell(job_succeeded(job, Some("more")));
                }
            }
            Op::Late(at) => {
                if let Some(id) = self.ended.get(at % self.ended.len().max(1)) {
                    let before = self.desk.state.clone();
                    self.desk.tell(succeeded(&id.clone()));
                    assert!(before == self.desk.state, "a late report changed something");
                }
            }
            Op::Stop(at, abandon) => {
                if let Some(id) = chosen(*at) {
                    self.desk.stop(&id, *abandon).ok();
                }
            }
            Op::Retry(at, stage, all) => {
                if let Some(id) = chosen(*at) {
                    let mode = if *all {
                        RetryMode::AllActions
                    } else {
                        RetryMode::FailedActions
                    };
                    let stage = STAGES[stage % STAGES.len()];
                    if self.desk.retry(stage, &id, mode).is_ok() && *all {
                        let seen = self.seen.get_mut(&id).unwrap();
                        seen.actions.retain(|(of, _), _| of != stage);
                    }
                }
            }
            Op::Rollback(at, stage) => {
                if let Some(id) = chosen(*at) {
                    self.desk.rollback(STAGES[stage % STAGES.len()], &id).ok();
                }
            }
            Op::Override(at, entry) => {
                if let Some(id) = chosen(*at) {
                    let (stage, gate) = if *entry {
                        ("Build", GateKind::BeforeEntry)
                    } else {
                        ("Deploy", GateKind::OnSuccess)
                    };
                    self.desk.override_condition(stage, &id, gate).ok();
                }
            }
            Op::Transition(at, inbound, on) => {
                self.desk
                    .transition(STAGES[at % STAGES.len()], *inbound, *on);
            }
            Op::Update => {
                let definition = declared(self.definition.clone());
                self.desk.tell(Event::UpdatePipeline { definition });
            }
            Op::Resume => {
                self.desk.tell(Event::Resumed);
            }
            Op::Pass(seconds) => self.desk.pass(i64::from(*seconds)),
        }
        self.listen();
        self.check();
    }

    fn open_jobs(&self) -> Vec<String> {
        let mut open: Vec<_> = self
            .desk
            .state
            .jobs
            .values()
            .filter(|job| job.status == JobStatus::InProgress)
            .map(|job| job.id.clone())
            .collect();
        open.sort_unstable();
        open
    }

    /// Ends one running action in the way its kind ends.
    fn answer(&mut self, at: usize, well: bool) {
        let state = &self.desk.state;
        let running: Vec<String> = state
            .running
            .keys()
            .chain(state.running_rules.keys())
            .cloned()
            .collect();
        let Some(id) = running.get(at % running.len().max(1)) else {
            return;
        };
        let task = state.task(id);
        let ways = task
            .as_ref()
            .map_or((None, None), |it| (it.job.as_ref(), it.approval.as_ref()));
        let event = match ways {
            (Some(job), _) if well => job_succeeded(&job.id, None),
            (Some(job), _) => job_failed(&job.id),
            (_, Some(request)) => approval("a", &request.token, well),
            _ if well => crate::harness::succeeded_with(id, &[("k", "v")]),
            _ => Event::Finished {
                action_execution: id.clone(),
                outcome: engine_plan::event::Outcome::Stopped,
            },
        };
        // an approval that has expired but was not swept yet is refused
        self.desk.ask(event).ok();
    }

    /// Folds the events into what an outsider knows, and checks that they come in a sensible order.
    fn listen(&mut self) {
        for event in std::mem::take(&mut self.desk.emitted) {
            let detail = &event["detail"];
            let text = |key: &str| detail[key].as_str().map(str::to_owned);
            let id = text("execution-id").unwrap();
            let state = text("state").unwrap();
            let seen = self.seen.entry(id.clone()).or_default();
            if state != "RESUMED" && !seen.pipeline.is_empty() {
                assert!(
                    ["STARTED", "RESUMED", "STOPPING"].contains(&seen.pipeline.as_str()),
                    "{event} after {}",
                    seen.pipeline
                );
            }
            match (text("stage"), text("action")) {
                (Some(stage), Some(action)) => {
                    if state == "STARTED" {
                        self.may_start(&id, &stage, &action);
                    } else {
                        self.ended.push(text("action-execution-id").unwrap());
                    }
                    let seen = self.seen.get_mut(&id).unwrap();
                    let before = seen.actions.insert((stage, action), state.clone());
                    let open = before.as_deref() == Some("STARTED");
                    assert_eq!(open, state != "STARTED", "{event} after {before:?}");
                    assert_ne!(before.as_deref(), Some("SUCCEEDED"), "repeated: {event}");
                }
                (Some(stage), None) => {
                    if state == "RESUMED" && !std::mem::take(&mut seen.resumed) {
                        let stages = self.definition["stages"].as_array().unwrap();
                        let declared = stages.iter().find(|it| it["name"] == *stage).unwrap();
                        let retry = &declared["onFailure"]["retryConfiguration"]["retryMode"];
                        if retry == "ALL_ACTIONS" {
                            seen.actions.retain(|(of, _), _| *of != stage);
                        }
                    }
                    seen.stages.insert(stage, state);
                }
                (None, _) => {
                    let trigger = detail["execution-trigger"]["trigger-type"].as_str();
                    seen.rollback |= trigger.is_some_and(|it| it.ends_with("Rollback"));
                    seen.resumed = state == "RESUMED";
                    seen.pipeline = state;
                }
            }
        }
    }

    /// Everything of earlier stages and of lower runOrder has succeeded.
    fn may_start(&self, id: &str, stage: &str, action: &str) {
        let seen = &self.seen[id];
        let mut order = 0;
        let stages = self.definition["stages"].as_array().unwrap();
        let of = |value: &Value| value["runOrder"].as_u64().unwrap();
        for declared in stages {
            for other in declared["actions"].as_array().unwrap() {
                if declared["name"] == stage && other["name"] == action {
                    order = of(other);
                }
            }
        }
        for declared in stages {
            let here = declared["name"] == stage;
            for other in declared["actions"].as_array().unwrap() {
                let name = other["name"].as_str().unwrap().to_owned();
                let key = (declared["name"].as_str().unwrap().to_owned(), name);
                let before = !here && !self.seen[id].rollback;
                if before || here && of(other) < order {
                    let state = seen.actions.get(&key).map(String::as_str);
                    assert_eq!(state, Some("SUCCEEDED"), "{key:?} before {stage}/{action}");
                }
            }
            if here {
                break;
            }
        }
    }

    fn check(&self) {
        let state = &self.desk.state;
        let known = &state.pipelines["p"];
        let mode = known.definition.mode();
        for (index, run) in known.executions.numbered() {
            let seen = &self.seen[&run.id];
            let expected = match run.status {
                ExecutionStatus::InProgress => ["STARTED", "RESUMED"].as_slice(),
                ExecutionStatus::Stopping => &["STOPPING"],
                ExecutionStatus::Stopped => &["STOPPED"],
                ExecutionStatus::Succeeded => &["SUCCEEDED"],
                ExecutionStatus::Superseded => &["SUPERSEDED"],
                ExecutionStatus::Failed => &["FAILED"],
                ExecutionStatus::Cancelled => &["CANCELED"],
            };
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
            // what has not ended waits for something
            match run.position {
                Position::Ended => {}
                Position::In(_) => assert!(
                    state.running.values().any(|place| place.execution == index)
                        || state
                            .running_rules
                            .values()
                            .any(|place| place.execution == index),
                    "{} is in a stage where nothing runs",
                    run.id
                ),
                Position::Before(at) => {
                    let stage = &known.stages[at];
                    assert!(stage.waiting.contains(&run.id));
                    let closed = !stage.inbound.enabled
                        || (at > 0 && !known.stages[at - 1].outbound.enabled);
                    let locked = stage.held_by.is_some() && mode != ExecutionMode::Parallel;
                    assert!(closed || locked, "{} waits for nothing", run.id);
                }
            }
        }
        for (at, stage) in known.stages.iter().enumerate() {
            let inside: Vec<_> = known
                .executions
                .iter()
                .filter(|run| run.position == Position::In(at))
                .map(|run| &run.id)
                .collect();
            if mode == ExecutionMode::Parallel {
                assert_eq!(stage.held_by, None);
            } else {
                assert!(inside.len() <= 1, "{inside:?} are all in {}", stage.name);
                assert_eq!(stage.held_by.as_ref(), inside.first().copied());
            }
            if mode == ExecutionMode::Superseded {
                assert!(stage.waiting.len() <= 1);
            }
        }
        indexes_agree(state);
    }

    /// Lets everything succeed: then nothing may be left.
    fn drain(&mut self) {
        for stage in STAGES {
            self.desk.transition(stage, true, true);
            self.desk.transition(stage, false, true);
        }
        for _ in 0..10_000 {
            self.listen();
            self.check();
            if self.desk.state.running.is_empty() && self.desk.state.running_rules.is_empty() {
                break;
            }
            self.desk.pass(30);
            self.answer(0, true);
        }
        let known = &self.desk.state.pipelines["p"];
        assert!(known.active.is_empty(), "left: {:?}", known.active);
        assert_eq!(self.desk.state.next_due(), None);
        assert!(self.desk.state.approvals.is_empty());
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

fn history(mode: &str, gated: bool, ops: &[Op]) {
    let mut run = Run::new(mode, gated);
    for op in ops {
        run.apply(op);
    }
    assert!(run.desk.replayed() == run.desk.state, "replay differs");
    run.drain();
    assert!(run.desk.replayed() == run.desk.state, "replay differs");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn superseded_histories_keep_the_rules(gated in any::<bool>(), ops in prop::collection::vec(op(), 1..60)) {
        history("SUPERSEDED", gated, &ops);
    }

    #[test]
    fn queued_histories_keep_the_rules(gated in any::<bool>(), ops in prop::collection::vec(op(), 1..60)) {
        history("QUEUED", gated, &ops);
    }

    #[test]
    fn parallel_histories_keep_the_rules(gated in any::<bool>(), ops in prop::collection::vec(op(), 1..60)) {
        history("PARALLEL", gated, &ops);
    }
}

//! Generated histories: what the events say must be what the state holds, locks hold, and everything that has not ended
//! waits for something that can be named.

use engine_plan::{
    event::{Event, RetryMode},
    gate::GateKind,
    state::JobStatus,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    cases::cases,
    harness::{Desk, approval, declared, job_failed, job_succeeded, pipeline, start, succeeded},
};

pub mod outsider;
pub mod rules;

use outsider::Outsider;
use rules::{archive, check};

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
    Restore,
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
        1 => Just(Op::Restore),
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

struct Run {
    desk: Desk,
    outsider: Outsider,
}

impl Run {
    fn new(mode: &str, gated: bool) -> Self {
        let definition = definition(mode, gated);
        Self {
            desk: Desk::with(declared(definition.clone())),
            outsider: Outsider::new(definition),
        }
    }

    fn apply(&mut self, op: &Op) {
        let ids: Vec<String> = self.desk.state.pipelines["p"]
            .executions
            .iter()
            .chain(self.desk.archive.0.values().map(|it| &it.execution))
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
                let ended = &self.outsider.ended;
                if let Some(id) = ended.get(at % ended.len().max(1)) {
                    let before = self.desk.state.clone();
                    self.desk.tell(succeeded(id));
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
                        self.outsider.retried_all(&id, stage);
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
                let definition = self.outsider.definitions[0].clone();
                self.outsider.definitions.push(definition.clone());
                let definition = declared(definition);
                self.desk.tell(Event::UpdatePipeline { definition });
            }
            Op::Resume => {
                self.desk.tell(Event::Resumed);
            }
            Op::Restore => self.desk.restore(),
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

    fn listen(&mut self) {
        for event in std::mem::take(&mut self.desk.emitted) {
            self.outsider.hear(&event);
        }
    }

    fn check(&self) {
        check(&self.desk.state, &self.outsider.seen);
        archive(&self.desk, &self.outsider.seen);
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

fn history(mode: &str, gated: bool, ops: &[Op]) {
    let mut run = Run::new(mode, gated);
    for op in ops {
        run.apply(op);
    }
    assert!(run.desk.replayed() == run.desk.state, "replay differs");
    run.drain();
    assert!(run.desk.replayed() == run.desk.state, "replay differs");
}

fn histories(mode: &str) {
    let steps = (any::<bool>(), prop::collection::vec(op(), 1..60));
    cases(&format!("histories {mode}"), 48, &steps, |(gated, ops)| {
        history(mode, *gated, ops);
    });
}

#[test]
fn superseded_histories_keep_the_rules() {
    histories("SUPERSEDED");
}

#[test]
fn queued_histories_keep_the_rules() {
    histories("QUEUED");
}

#[test]
fn parallel_histories_keep_the_rules() {
    histories("PARALLEL");
}

#[test]
fn long_histories_are_archived() {
    let mode = prop_oneof![Just("SUPERSEDED"), Just("QUEUED"), Just("PARALLEL")];
    let steps = (mode, any::<bool>(), prop::collection::vec(op(), 400..600));
    cases("long histories", 4, &steps, |(mode, gated, ops)| {
        history(mode, *gated, ops);
    });
}

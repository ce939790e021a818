//! A planner with a clock, for tests.

use std::collections::BTreeMap;

use engine_plan::{
    check::parse_action_type,
    definition::PipelineDeclaration,
    effect::{ActionTask, Archived, Effect},
    event::{Event, ExecutionDetails, Input, Outcome, RetryMode, Revision, Trigger},
    gate::GateKind,
    hidden::Hidden,
    refusal::Refusal,
    state::{Execution, State},
    step::{Answer, step_with},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// One planner, everything it was told and everything it wants done.
pub struct Desk {
    pub state: State,
    pub now: Timestamp,
    pub inputs: Vec<Input>,
    /// Started and not yet told to be over.
    pub tasks: Vec<ActionTask>,
    pub cancelled: Vec<String>,
    pub emitted: Vec<Value>,
    pub archive: Archive,
    seed: u128,
}

/// What left memory, by pipeline and number.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Archive(pub BTreeMap<(String, usize), Archived>);

impl Archive {
    /// Steps with what the event needs of the archive, and keeps what the step archives.
    pub fn step(
        &mut self,
        state: &mut State,
        input: &Input,
    ) -> Result<(Answer, Vec<Effect>), Refusal> {
        let wanted = state.missing(&input.event);
        let place = wanted.and_then(|(pipeline, id)| {
            let mut all = self.0.iter();
            let found = all.find(|(_, it)| it.pipeline == pipeline && it.execution.id == id);
            found.map(|(place, _)| place.clone())
        });
        let past = place.as_ref().and_then(|place| self.0.get(place).cloned());
        let (answer, effects) = step_with(state, input, past)?;
        place.map(|place| self.0.remove(&place));
        let mut rest = Vec::new();
        for effect in effects {
            match effect {
                Effect::Archive(it) => {
                    self.0.insert((it.pipeline.clone(), it.number), *it);
                }
                Effect::Forget { pipeline } => self.0.retain(|(of, _), _| *of != pipeline),
                other => rest.push(other),
            }
        }
        Ok((answer, rest))
    }
}

impl Desk {
    pub fn new() -> Self {
        Self {
            state: State::default(),
            now: "2026-01-02T03:04:05.678Z".parse().unwrap(),
            inputs: Vec::new(),
            tasks: Vec::new(),
            cancelled: Vec::new(),
            emitted: Vec::new(),
            archive: Archive::default(),
            seed: 0,
        }
    }

    /// With a created pipeline that has not started.
    pub fn with(definition: PipelineDeclaration) -> Self {
        let mut desk = Self::new();
        desk.tell(Event::CreatePipeline {
            definition,
            tags: BTreeMap::new(),
            start: false,
        });
        desk
    }

    /// [`Desk::with`] after the custom action type of `w` actions was made.
    pub fn with_worker(definition: PipelineDeclaration) -> Self {
        let mut desk = Self::new();
        let action_type = parse_action_type(serde_json::json!({
            "category": "Test", "provider": "Worker", "version": "1",
            "configurationProperties": [{"name": "Job", "required": true, "key": true, "secret": false}],
            "inputArtifactDetails": {"minimumCount": 0, "maximumCount": 1},
            "outputArtifactDetails": {"minimumCount": 0, "maximumCount": 0},
        }))
        .unwrap();
        desk.tell(Event::CreateCustomActionType {
            action_type,
            tags: BTreeMap::new(),
        });
        desk.tell(Event::CreatePipeline {
            definition,
            tags: BTreeMap::new(),
            start: false,
        });
        desk
    }

    pub fn ask(&mut self, event: Event) -> Result<Answer, Refusal> {
        self.seed += 1;
        let input = Input {
            at: self.now,
            seed: self.seed,
            event,
        };
        let before = self.state.clone();
        match self.archive.step(&mut self.state, &input) {
            Ok((answer, effects)) => {
                self.inputs.push(input);
                for effect in effects {
                    match effect {
                        Effect::Perform(task) => self.tasks.push(*task),
                        Effect::Cancel { action_execution } => {
                            self.cancelled.push(action_execution);
                        }
                        Effect::Emit(event) => self.emitted.push(*event),
                        Effect::Archive(_) | Effect::Forget { .. } => {}
                    }
                }
                Ok(answer)
            }
            Err(refusal) => {
                assert!(
                    before == self.state,
                    "refused with {refusal}, but the state changed"
                );
                Err(refusal)
            }
        }
    }

    /// Goes on with what a snapshot of the state gives back.
    pub fn restore(&mut self) {
        let text = serde_json::to_string(&self.state).unwrap();
        let restored: State = serde_json::from_str(&text).unwrap();
        assert!(restored == self.state, "a snapshot gives another state");
        self.state = restored;
    }

    /// The execution of that number, in memory or archived.
    pub fn execution(&self, number: usize) -> &Execution {
        let kept = self.state.pipelines["p"].executions.get(number);
        kept.unwrap_or_else(|| &self.archive.0[&("p".to_owned(), number)].execution)
    }

    pub fn tell(&mut self, event: Event) -> Answer {
        match self.ask(event) {
            Ok(answer) => answer,
            Err(refusal) => panic!("refused: {refusal}"),
        }
    }

    pub fn refused(&mut self, event: Event) -> String {
        match self.ask(event) {
            Ok(answer) => panic!("was not refused: {answer:?}"),
            Err(refusal) => refusal.to_string(),
        }
    }

    pub fn start(&mut self) -> String {
        match self.tell(start("p")) {
            Answer::Execution(id) => id,
            other => panic!("{other:?}"),
        }
    }

    pub fn stop(&mut self, id: &str, abandon: bool) -> Result<Answer, Refusal> {
        self.ask(Event::Stop {
            pipeline: "p".to_owned(),
            execution: id.to_owned(),
            abandon,
            reason: Some("enough".to_owned()),
        })
    }

    pub fn retry(&mut self, stage: &str, id: &str, mode: RetryMode) -> Result<Answer, Refusal> {
        self.ask(Event::Retry {
            pipeline: "p".to_owned(),
            stage: stage.to_owned(),
            execution: id.to_owned(),
            mode,
        })
    }

    pub fn rollback(&mut self, stage: &str, target: &str) -> Result<Answer, Refusal> {
        self.ask(Event::Rollback {
            pipeline: "p".to_owned(),
            stage: stage.to_owned(),
            target: target.to_owned(),
            by: "arn:aws:iam::123456789012:user/dana".to_owned(),
        })
    }

    pub fn override_condition(
        &mut self,
        stage: &str,
        id: &str,
        gate: GateKind,
    ) -> Result<Answer, Refusal> {
        self.ask(Event::Override {
            pipeline: "p".to_owned(),
            stage: stage.to_owned(),
            execution: id.to_owned(),
            gate,
        })
    }

    pub fn transition(&mut self, stage: &str, inbound: bool, enabled: bool) {
        self.tell(Event::SetTransition {
            pipeline: "p".to_owned(),
            stage: stage.to_owned(),
            inbound,
            enabled,
            reason: Some("frozen".to_owned()),
            by: "dana".to_owned(),
        });
    }

    pub fn running(&self) -> String {
        let mut names: Vec<_> = self.tasks.iter().map(|task| task.action.as_str()).collect();
        names.sort_unstable();
        names.join(" ")
    }

    /// Takes the started task of an action.
    pub fn task(&mut self, action: &str) -> ActionTask {
        let at = self
            .tasks
            .iter()
            .position(|task| task.action == action)
            .unwrap_or_else(|| panic!("{action} was not started"));
        self.tasks.remove(at)
    }

    pub fn succeed(&mut self, action: &str) -> ActionTask {
        let task = self.task(action);
        self.tell(succeeded(&task.action_execution));
        task
    }

    pub fn fail(&mut self, action: &str) -> ActionTask {
        let task = self.task(action);
        self.tell(Event::Finished {
            action_execution: task.action_execution.clone(),
            outcome: Outcome::Failed {
                code: "JobFailed".to_owned(),
                message: "it broke".to_owned(),
                details: ExecutionDetails::default(),
            },
        });
        task
    }

    pub fn pass(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
        self.tell(Event::TimePassed);
        assert!(self.state.next_due().is_none_or(|due| due > self.now));
    }

    /// `Status, Status, …` of all executions in order of start.
    pub fn statuses(&self) -> String {
        let all = self.state.pipelines["p"].executions.iter();
        all.map(|run| format!("{:?}", run.status))
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// The events since the last call: `pipeline STARTED`, `stage S STARTED`, `action S/A STARTED`.
    pub fn events(&mut self) -> Vec<String> {
        self.emitted.drain(..).map(|event| short(&event)).collect()
    }

    /// The same inputs again give the same state.
    pub fn replayed(&self) -> State {
        let mut state = State::default();
        let mut archive = Archive::default();
        for input in &self.inputs {
            let text = serde_json::to_string(input).unwrap();
            let input: Input = serde_json::from_str(&text).unwrap();
            archive.step(&mut state, &input).unwrap();
        }
        assert!(archive == self.archive, "replay archives something else");
        state
    }
}

pub fn short(event: &Value) -> String {
    let detail = &event["detail"];
    let text = |key: &str| detail[key].as_str().unwrap_or_default();
    let what = match (detail.get("stage"), detail.get("action")) {
        (None, _) => "pipeline".to_owned(),
        (Some(_), None) => format!("stage {}", text("stage")),
        (Some(_), Some(_)) => format!("action {}/{}", text("stage"), text("action")),
    };
    format!("{what} {}", text("state"))
}

pub fn start(pipeline: &str) -> Event {
    Event::Start {
        pipeline: pipeline.to_owned(),
        trigger: Trigger {
            trigger_type: "StartPipelineExecution".to_owned(),
            trigger_detail: "arn:aws:iam::123456789012:user/dana".to_owned(),
            reference: None,
        },
        variables: BTreeMap::new(),
        source_revisions: Vec::new(),
        client_token: None,
    }
}

pub fn succeeded(action_execution: &str) -> Event {
    succeeded_with(action_execution, &[])
}

pub fn succeeded_with(action_execution: &str, variables: &[(&str, &str)]) -> Event {
    Event::Finished {
        action_execution: action_execution.to_owned(),
        outcome: Outcome::Succeeded {
            details: ExecutionDetails::default(),
            variables: variables
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            revision: Some(Revision {
                revision_id: "r1".to_owned(),
                ..Revision::default()
            }),
        },
    }
}

/// A definition named `p`: each stage a list of actions `name`, `name@runOrder`; kinds by first letter:
/// `s` S3 source (artifact of its own name, namespace of its own name), `b` CodeBuild (reads the first source, writes its own name),
/// `l` Lambda, `a` approval, `w` custom worker.
pub fn pipeline(stages: &[(&str, &[&str])]) -> Value {
    let source = stages[0].1[0];
    let source = source.split_once('@').map_or(source, |(name, _)| name);
    let stages: Vec<Value> = stages
        .iter()
        .map(|(name, actions)| {
            let actions: Vec<Value> = actions.iter().map(|text| action(text, source)).collect();
            serde_json::json!({"name": name, "actions": actions})
        })
        .collect();
    serde_json::json!({
        "name": "p",
        "roleArn": "arn:aws:iam::123456789012:role/p",
        "artifactStore": {"type": "S3", "location": "artifacts"},
        "stages": stages,
        "pipelineType": "V2",
    })
}

fn action(text: &str, source: &str) -> Value {
    use serde_json::json;
    let (name, order) = text.split_once('@').unwrap_or((text, "1"));
    let order: u32 = order.parse().unwrap();
    let mut value = match &name[..1] {
        "s" => json!({"actionTypeId": id("Source", "AWS", "S3"),
            "configuration": {"S3Bucket": "b", "S3ObjectKey": "k.zip"},
            "outputArtifacts": [{"name": name}], "namespace": format!("{name}V")}),
        "b" => json!({"actionTypeId": id("Build", "AWS", "CodeBuild"),
            "configuration": {"ProjectName": "x"},
            "inputArtifacts": [{"name": source}],
            "outputArtifacts": [{"name": name}], "namespace": format!("{name}V")}),
        "l" => json!({"actionTypeId": id("Invoke", "AWS", "Lambda"),
            "configuration": {"FunctionName": "f"}, "namespace": format!("{name}V")}),
        "a" => json!({"actionTypeId": id("Approval", "AWS", "Manual"), "configuration": {}}),
        "w" => json!({"actionTypeId": id("Test", "Custom", "Worker"),
            "configuration": {"Job": "#{codepipeline.PipelineExecutionId}"}}),
        other => panic!("{other}"),
    };
    value["name"] = json!(name);
    value["runOrder"] = json!(order);
    value
}

fn id(category: &str, owner: &str, provider: &str) -> Value {
    serde_json::json!({"category": category, "owner": owner, "provider": provider, "version": "1"})
}

pub fn declared(value: Value) -> PipelineDeclaration {
    match engine_plan::check::parse(value) {
        Ok(definition) => definition,
        Err(finding) => panic!("{finding:?}"),
    }
}

pub fn job_succeeded(job: &str, continuation: Option<&str>) -> Event {
    Event::JobSucceeded {
        job: job.to_owned(),
        continuation: continuation.map(str::to_owned),
        variables: BTreeMap::new(),
        details: ExecutionDetails::default(),
        revision: None,
    }
}

pub fn job_failed(job: &str) -> Event {
    Event::JobFailed {
        job: job.to_owned(),
        kind: "PermissionError".to_owned(),
        message: "may not".to_owned(),
        external_id: None,
    }
}

pub fn approval(action: &str, token: &Hidden, approved: bool) -> Event {
    Event::Approval {
        pipeline: "p".to_owned(),
        stage: "Deploy".to_owned(),
        action: action.to_owned(),
        token: token.clone(),
        approved,
        summary: "because".to_owned(),
        by: "arn:aws:iam::123456789012:user/dana".to_owned(),
    }
}

/// One source and a stage of three actions, the last of them alone.
pub fn simple() -> Desk {
    Desk::with(declared(pipeline(&[
        ("Source", &["s"]),
        ("Build", &["b", "b2", "b3@2"]),
    ])))
}

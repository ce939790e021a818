//! The state machine: one step from an input to effects.
//!
//! A refused input changes nothing and is not journaled.

mod end;
mod enter;
mod fail;
mod map;
mod output;
mod parallel;
mod redrive;
mod run;
mod task;
mod update;
mod value;
mod wait;

use std::{cell::RefCell, collections::BTreeMap, collections::VecDeque, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

pub(crate) use value::wrong_type;
pub(crate) use wait::until;

use crate::{
    chance::Chance,
    context,
    definition::{Definition, State, Type},
    effect::Effect,
    env::{Env, Lazy},
    event::{Event, Input},
    history::{Details, HistoryEvent},
    limit,
    machine::{
        EXECUTION, Frame, Identity, Item, Machine, Phase, ROOT, Status, Stream, Timer, VERSION,
    },
};

/// An input that does not fit the machine's state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The task is over, or never was: `TaskTimedOut`, `TaskDoesNotExist`.
    #[error("Task does not exist or is closed: {0}")]
    NoTask(u64),
    /// The timer was cleared.
    #[error("Timer was cleared: {0}")]
    NoTimer(u64),
    /// UpdateMapRun of one that does not run.
    #[error("Map run does not run: {0}")]
    NoRun(String),
    /// The execution is over.
    #[error("Execution is over")]
    Over,
    /// RedriveExecution of one that cannot be.
    #[error("Execution is not RedriveExecution eligible: {0}")]
    NotRedrivable(&'static str),
}

/// Starts an execution.
#[must_use]
pub fn start(
    definition: &Definition,
    kind: Type,
    identity: Identity,
    input: Value,
    at: Timestamp,
    seed: u128,
) -> (Machine, Vec<Effect>) {
    let input = Arc::new(input);
    let stream = Stream {
        arn: identity.arn.clone(),
        name: identity.name.clone(),
        input: Arc::clone(&input),
        started: at,
        last: 0,
    };
    let role = identity.role_arn.clone();
    let mut machine = Machine {
        version: VERSION,
        kind,
        identity,
        status: Status::Running,
        redrives: 0,
        redriven_at: None,
        frames: BTreeMap::new(),
        streams: BTreeMap::from([(ROOT, stream)]),
        tasks: BTreeMap::new(),
        timers: BTreeMap::new(),
        ready: VecDeque::new(),
        next_frame: 0,
        next_stream: 1,
        next_task: 1,
        next_timer: 1,
    };
    let mut turn = Turn::new(&mut machine, definition, at, seed);
    let details = Details::Started {
        input: Arc::clone(&input),
        role,
    };
    turn.record(ROOT, 0, "ExecutionStarted", details);
    turn.set_deadline();
    turn.open(None, ROOT, 0, input, Arc::default(), None, 0);
    turn.drain();
    let effects = turn.effects;
    (machine, effects)
}

/// Applies one input.
///
/// # Errors
/// When the input does not fit: an answer to a task that is over, a timer that was cleared, an execution that ended.
pub fn step(
    machine: &mut Machine,
    definition: &Definition,
    input: &Input,
) -> Result<Vec<Effect>, Refusal> {
    let mut turn = Turn::new(machine, definition, input.at, input.seed);
    match (turn.machine.status, &input.event) {
        (Status::Running, Event::TaskStarted { task }) => turn.task_started(*task)?,
        (Status::Running, Event::TaskSubmitted { task, output }) => {
            turn.task_submitted(*task, output)?
        }
        (Status::Running, Event::TaskSucceeded { task, output }) => {
            turn.task_succeeded(*task, output)?
        }
        (Status::Running, Event::TaskFailed { task, error, cause }) => {
            turn.task_failed(*task, error, cause)?
        }
        (Status::Running, Event::Heartbeat { task }) => turn.heartbeat(*task)?,
        (Status::Running, Event::ItemsRead { task, content }) => turn.items_read(*task, content)?,
        (Status::Running, Event::Due { timer }) => turn.due(*timer)?,
        (Status::Running, Event::Stop { error, cause }) => turn.stop(error.clone(), cause.clone()),
        (Status::Running, Event::Redrive) => return Err(Refusal::NotRedrivable("it is running")),
        (Status::Running, Event::UpdateRun(update)) => turn.update_run(update)?,
        (Status::Running, Event::Continue) => {}
        (Status::Succeeded, Event::Redrive) => return Err(Refusal::NotRedrivable("it succeeded")),
        (Status::Failed | Status::TimedOut | Status::Aborted, Event::Redrive) => turn.redrive()?,
        (Status::Succeeded | Status::Failed | Status::TimedOut | Status::Aborted, _) => {
            return Err(Refusal::Over);
        }
    }
    turn.drain();
    Ok(turn.effects)
}

/// One step under way.
pub(crate) struct Turn<'a> {
    machine: &'a mut Machine,
    definition: &'a Definition,
    now: Timestamp,
    chance: RefCell<Chance>,
    effects: Vec<Effect>,
    entered: usize,
}

impl<'a> Turn<'a> {
    fn new(
        machine: &'a mut Machine,
        definition: &'a Definition,
        now: Timestamp,
        seed: u128,
    ) -> Self {
        Self {
            machine,
            definition,
            now,
            chance: RefCell::new(Chance::new(seed)),
            effects: Vec::new(),
            entered: 0,
        }
    }

    /// Enters what is ready, until nothing is or the step is long enough.
    fn drain(&mut self) {
        while self.machine.status == Status::Running {
            if self.machine.ready.is_empty() {
                return;
            }
            if self.entered >= limit::ENTERED_PER_STEP {
                self.effects.push(Effect::Continue);
                return;
            }
            let Some(frame) = self.machine.ready.pop_front() else {
                return;
            };
            self.entered += 1;
            self.enter(frame);
        }
    }

    /// A frame that exists: frames are removed only with everything that refers to them.
    fn frame(&self, id: u32) -> &Frame {
        &self.machine.frames[&id]
    }

    fn frame_mut(&mut self, id: u32) -> &mut Frame {
        self.machine
            .frames
            .get_mut(&id)
            .expect("a frame is removed with all that refers to it")
    }

    fn state(&self, id: u32) -> &'a State {
        let frame = self.frame(id);
        self.definition.state(frame.flow, frame.state)
    }

    /// Writes an event; its number.
    fn record(&mut self, stream: u32, previous: u64, kind: &'static str, details: Details) -> u64 {
        let Some(to) = self.machine.streams.get_mut(&stream) else {
            return 0;
        };
        to.last += 1;
        let event = HistoryEvent {
            stream,
            id: to.last,
            previous,
            at: self.now,
            kind,
            details,
        };
        let id = event.id;
        self.effects.push(Effect::Record(event));
        id
    }

    /// Writes an event that follows from a frame's last one.
    fn note(&mut self, frame: u32, kind: &'static str, details: Details) -> u64 {
        let (stream, last) = (self.frame(frame).stream, self.frame(frame).last);
        let id = self.record(stream, last, kind, details);
        self.frame_mut(frame).last = id;
        id
    }

    /// A new frame at the start of a flow, ready to be entered.
    #[expect(clippy::too_many_arguments, reason = "each is a field of the frame")]
    fn open(
        &mut self,
        parent: Option<(u32, u32)>,
        stream: u32,
        flow: u32,
        input: Arc<Value>,
        variables: Arc<crate::env::Variables>,
        item: Option<Arc<Item>>,
        last: u64,
    ) -> u32 {
        let id = self.machine.next_frame;
        self.machine.next_frame += 1;
        let frame = Frame {
            parent,
            stream,
            flow,
            state: self.definition.flow(flow).start,
            input,
            variables,
            item,
            entered_at: self.now,
            entered: 0,
            last,
            retries: Vec::new(),
            retry_count: 0,
            token: None,
            phase: Phase::Enter { again: false },
        };
        self.machine.frames.insert(id, frame);
        self.machine.ready.push_back(id);
        id
    }

    fn timer(&mut self, frame: u32, kind: Timer, seconds: f64) -> u64 {
        let after = SignedDuration::try_from_secs_f64(seconds).unwrap_or(SignedDuration::MAX);
        let at = self.now.checked_add(after).unwrap_or(Timestamp::MAX);
        self.timer_at(frame, kind, at)
    }

    fn timer_at(&mut self, frame: u32, kind: Timer, at: Timestamp) -> u64 {
        let timer = self.machine.next_timer;
        self.machine.next_timer += 1;
        self.machine.timers.insert(timer, (frame, kind));
        self.effects.push(Effect::SetTimer { timer, at });
        timer
    }

    fn clear(&mut self, timer: Option<u64>) {
        if let Some(timer) = timer
            && self.machine.timers.remove(&timer).is_some()
        {
            self.effects.push(Effect::ClearTimer { timer });
        }
    }

    fn set_deadline(&mut self) {
        let own = self.definition.timeout;
        let seconds = match self.machine.kind {
            Type::Standard => own,
            Type::Express => Some(
                own.unwrap_or(limit::EXPRESS_SECONDS)
                    .min(limit::EXPRESS_SECONDS),
            ),
        };
        if let Some(seconds) = seconds {
            self.timer(EXECUTION, Timer::Execution, as_seconds(seconds));
        }
    }

    /// Calls `use_env` with what a frame's state can see.
    fn with_env<T>(&self, id: u32, item: Option<&Item>, use_env: impl FnOnce(&Env<'_>) -> T) -> T {
        let frame = self.frame(id);
        let state = self.state(id);
        let retriable = state.kind.calls();
        let machine = &*self.machine;
        let context = Lazy::new(|| context::build(machine, frame, &state.name, retriable, item));
        let env = Env {
            input: &frame.input,
            result: None,
            error_output: None,
            variables: &frame.variables,
            context: &context,
            chance: &self.chance,
            now: self.now,
        };
        use_env(&env)
    }
}

/// Seconds as the timers take them.
#[expect(clippy::cast_precision_loss, reason = "seconds are far below 2^53")]
const fn as_seconds(seconds: u64) -> f64 {
    seconds as f64
}

/// A map with these fields.
fn fields<const N: usize>(pairs: [(&str, Value); N]) -> Map<String, Value> {
    pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()
}

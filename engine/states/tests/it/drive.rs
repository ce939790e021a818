//! Runs an execution to its end on a clock of its own, tasks answered by a closure.

use std::collections::{BTreeMap, VecDeque};

use engine_states::{
    definition::{Definition, Type},
    effect::{Effect, Order, Outcome},
    event::{Content, Event, Input},
    history::HistoryEvent,
    machine::{Identity, Machine},
    step,
};
use jiff::Timestamp;
use serde_json::Value;

/// What a task does.
#[derive(Debug, Clone)]
pub enum Reply {
    Success(Value),
    Failure(Option<String>, Option<String>),
    Never,
}

/// An execution that ended.
#[derive(Debug)]
pub struct Run {
    pub outcome: Outcome,
    pub history: Vec<HistoryEvent>,
    /// Seconds on the execution's clock.
    pub seconds: i64,
}

/// How to run.
pub struct Drive<'a> {
    pub definition: &'a Definition,
    pub kind: Type,
    pub identity: Identity,
    pub seed: u128,
    /// Through JSON and back after every step.
    pub store: bool,
    pub task: &'a mut dyn FnMut(&Order) -> Reply,
    pub read: &'a mut dyn FnMut(&Value) -> Content,
}

/// The account and names that cases are written for.
pub fn identity(machine: &str, execution: &str, kind: Type) -> Identity {
    let word = match kind {
        Type::Standard => "execution",
        Type::Express => "express",
    };
    Identity {
        arn: format!("arn:aws:states:us-east-1:111111111111:{word}:{machine}:{execution}"),
        name: execution.to_owned(),
        machine_arn: format!("arn:aws:states:us-east-1:111111111111:stateMachine:{machine}"),
        machine_name: machine.to_owned(),
        role_arn: "arn:aws:iam::111111111111:role/sfn-role".to_owned(),
    }
}

pub fn start_time() -> Timestamp {
    "2026-01-02T03:04:05.678Z".parse().expect("a timestamp")
}

/// Runs it. Nothing left to happen before the end is a failed test.
pub fn run(drive: Drive<'_>, input: Value) -> Run {
    let mut now = start_time();
    let begun = now;
    let (mut machine, mut effects) = step::start(
        drive.definition,
        drive.kind,
        drive.identity,
        input,
        now,
        drive.seed,
    );
    let mut history = Vec::new();
    let mut events: VecDeque<Event> = VecDeque::new();
    let mut timers: BTreeMap<u64, Timestamp> = BTreeMap::new();
    let mut seed = drive.seed;
    let mut failed = false;
    loop {
        for effect in effects {
            match effect {
                Effect::Record(event) => history.push(event),
                Effect::Schedule(order) => match (drive.task)(&order) {
                    Reply::Success(output) => events.push_back(Event::TaskSucceeded {
                        task: order.task,
                        output,
                    }),
                    Reply::Failure(error, cause) => events.push_back(Event::TaskFailed {
                        task: order.task,
                        error,
                        cause,
                    }),
                    Reply::Never => {}
                },
                Effect::Cancel { task } => events.retain(|e| !is_about(e, task)),
                Effect::SetTimer { timer, at } => {
                    timers.insert(timer, at);
                }
                Effect::ClearTimer { timer } => {
                    timers.remove(&timer);
                }
                Effect::ReadItems {
                    task, arguments, ..
                } => events.push_back(Event::ItemsRead {
                    task,
                    content: (drive.read)(&arguments),
                }),
                // Nobody waits for what a failed run wrote.
                Effect::WriteResults { .. } if failed => {}
                Effect::WriteResults {
                    task, arguments, ..
                } => events.push_back(Event::TaskSucceeded {
                    task,
                    output: arguments,
                }),
                Effect::Continue => events.push_back(Event::Continue),
                Effect::Finished(outcome) => {
                    let seconds = now.as_second() - begun.as_second();
                    return Run {
                        outcome,
                        history,
                        seconds,
                    };
                }
                Effect::MapRun(run) => failed = run.status == "FAILED",
                Effect::ChildStarted { .. } | Effect::ChildFinished { .. } => {}
            }
        }
        if drive.store {
            let text = serde_json::to_string(&machine).expect("a machine is JSON");
            machine = serde_json::from_str::<Machine>(&text).expect("a machine is read back");
        }
        let event = events.pop_front().unwrap_or_else(|| {
            let (timer, at) = timers
                .iter()
                .map(|(timer, at)| (*timer, *at))
                .min_by_key(|(timer, at)| (*at, *timer))
                .expect("something is left to happen");
            timers.remove(&timer);
            now = now.max(at);
            Event::Due { timer }
        });
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let input = Input {
            at: now,
            seed,
            event,
        };
        effects = step::step(&mut machine, drive.definition, &input)
            .expect("the machine takes what it asked for");
    }
}

fn is_about(event: &Event, number: u64) -> bool {
    matches!(
        event,
        Event::TaskSucceeded { task, .. } | Event::TaskFailed { task, .. } | Event::ItemsRead { task, .. }
            if *task == number
    )
}

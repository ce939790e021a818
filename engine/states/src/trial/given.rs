//! What goes into a trial and what comes out of it.

use jiff::Timestamp;
use serde_json::{Map as Fields, Value, json};

use crate::{
    chance::Chance,
    context::time,
    definition::{Kind, State},
    effect::Order,
};

/// What the state is tried with.
#[derive(Debug, Clone)]
pub struct Given {
    /// Its raw input.
    pub input: Value,
    /// The variables in its reach.
    pub variables: Fields<String, Value>,
    /// The context object; else one is made.
    pub context: Option<Value>,
    /// Region and account of the ARNs of the context.
    pub home: (String, String),
    /// The role, if one was named.
    pub role: Option<String>,
    /// Retries that the retrier of the error has made before.
    pub retries: u64,
    /// Iterations of a Map that failed.
    pub failures: u64,
    /// What a Map's `ItemReader` reads.
    pub items: Option<String>,
    /// When.
    pub at: Timestamp,
    /// For ids, names and jitter.
    pub seed: u128,
}

/// What the state needs before it can go on.
#[derive(Debug)]
pub enum Begun {
    /// The answer to a task.
    Task(Order),
    /// This time.
    Wait(Timestamp),
    /// A mocked result: what runs inside the state is not tried.
    Inside,
    /// Nothing more.
    Over(Tried),
}

/// What a task, or a mock, answered.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// With a result.
    Success(Value),
    /// With an error and a cause.
    Failure(Option<String>, Option<String>),
}

/// How it went.
#[derive(Debug, Clone, PartialEq)]
pub struct Tried {
    /// `SUCCEEDED`, `FAILED`, `RETRIABLE`, `CAUGHT_ERROR`
    pub status: &'static str,
    /// The output.
    pub output: Option<Value>,
    /// The state that would follow.
    pub next: Option<String>,
    /// The error's name.
    pub error: Option<String>,
    /// Its cause.
    pub cause: Option<String>,
    /// `inspectionData`: payloads as JSON texts.
    pub seen: Fields<String, Value>,
}

/// The context object of a trial without one: an express execution of a machine, both without a name of their own.
pub(super) fn context(state: &State, given: &Given, chance: &mut Chance) -> Value {
    let (region, account) = &given.home;
    let (machine, name) = (chance.uuid(), chance.uuid());
    let time = time(given.at);
    let mut context = json!({
        "Execution": {
            "Id": format!("arn:aws:states:{region}:{account}:express:{machine}:{name}"),
            "Input": given.input,
            "Name": name,
            "RoleArn": given.role,
            "StartTime": time,
        },
        "StateMachine": {
            "Id": format!("arn:aws:states:{region}:{account}:stateMachine:{machine}"),
            "Name": machine,
        },
        "State": {"Name": "StateName", "EnteredTime": time},
    });
    if state.kind.calls() {
        context["State"]["RetryCount"] = 0.into();
    }
    if matches!(&state.kind, Kind::Task(task) if task.resource.waits_for_token()) {
        context["Task"] = json!({"Token": chance.token()});
    }
    context
}

//! One state alone, as TestState tries it: what it asks for, what it makes of the answer, and what can be seen between.

use std::{cell::RefCell, sync::Arc};

use jiff::SignedDuration;
use serde_json::{Map as Fields, Value, json};

use crate::{
    chance::Chance,
    definition::{Definition, Kind, Language, Map, State},
    effect::Order,
    env::{Env, Lazy, Variables},
    evaluate::{self, Bounds, Left, Stage},
    payload,
    resource::Resource,
    retry::{Failure, delay},
    schema,
    step::until,
    trouble::Trouble,
};

mod given;
mod map;

pub use given::{Begun, Given, Reply, Tried};

pub use crate::schema::Mode;

/// A state that is tried.
pub struct Trial<'a> {
    definition: &'a Definition,
    flow: usize,
    state: &'a State,
    given: Given,
    variables: Variables,
    context: Value,
    chance: RefCell<Chance>,
    seen: Fields<String, Value>,
}

impl<'a> Trial<'a> {
    /// The state of that name, also one inside another.
    #[must_use]
    pub fn new(definition: &'a Definition, name: &str, given: Given) -> Option<Self> {
        let (flow, state) = definition.find(name)?;
        let mut chance = Chance::new(given.seed);
        let context = match &given.context {
            Some(context) => context.clone(),
            None => given::context(state, &given, &mut chance),
        };
        let variables = given.variables.iter();
        let variables = variables.map(|(name, value)| (name.clone(), Arc::new(value.clone())));
        let seen = Fields::from_iter([("input".to_owned(), given.input.to_string().into())]);
        Some(Self {
            definition,
            flow,
            state,
            variables: variables.collect(),
            context,
            chance: RefCell::new(chance),
            seen,
            given,
        })
    }

    /// `Task`, `Pass`, …
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        match self.state.kind {
            Kind::Pass { .. } => "Pass",
            Kind::Task(_) => "Task",
            Kind::Choice(_) => "Choice",
            Kind::Wait(_) => "Wait",
            Kind::Succeed => "Succeed",
            Kind::Fail { .. } => "Fail",
            Kind::Parallel { .. } => "Parallel",
            Kind::Map(_) => "Map",
        }
    }

    /// What a Task calls.
    #[must_use]
    pub const fn resource(&self) -> Option<&Resource> {
        match &self.state.kind {
            Kind::Task(task) => Some(&task.resource),
            _ => None,
        }
    }

    /// Whether a state of that name runs inside this one.
    #[must_use]
    pub fn holds(&self, name: &str) -> bool {
        self.definition.holds(self.state, name)
    }

    /// What is wrong with a mock of this state's result, in AWS's words.
    #[must_use]
    pub fn mock_fault(&self, result: &Value, mode: Mode) -> Option<String> {
        let writes = |map: &Map| map.distributed.as_ref().is_some_and(|d| d.writer.is_some());
        let fault = match (&self.state.kind, result) {
            (Kind::Task(task), _) => return schema::fault(&task.resource, result, mode),
            (Kind::Map(map), Value::Object(_)) if writes(map) => return None,
            (Kind::Map(map), _) if writes(map) => "Mocked result must be a JSON object.",
            (Kind::Parallel { branches }, Value::Array(items)) if items.len() != branches.len() => {
                "Mocked result must contain the same number of items as number of Parallel branches."
            }
            (Kind::Map(_) | Kind::Parallel { .. }, Value::Array(_)) => return None,
            (Kind::Map(_) | Kind::Parallel { .. }, _) => "Mocked result must be an array.",
            _ => return None,
        };
        Some(fault.to_owned())
    }

    /// Up to where something else is needed.
    pub fn begin(&mut self) -> Begun {
        let state = self.state;
        let begun = match &state.kind {
            Kind::Pass { result } => self.pass(result.as_ref()),
            Kind::Task(_) => self.task(),
            Kind::Choice(choice) => self.input_seen().and_then(|_| {
                let (next, left) = self.with_env(|env| choice.take(state, env))?;
                let next = self.definition.name(self.flow, next);
                self.left(left, Some(next)).map(Begun::Over)
            }),
            Kind::Wait(wait) => self
                .input_seen()
                .and_then(|_| Ok(Begun::Wait(self.with_env(|env| until(state, wait, env))?))),
            Kind::Succeed => self.through().map(Begun::Over),
            Kind::Fail { error, cause } => self.input_seen().and_then(|_| {
                let failure =
                    self.with_env(|env| evaluate::failure(error.as_ref(), cause.as_ref(), env))?;
                Ok(Begun::Over(self.failed(failure)))
            }),
            Kind::Parallel { .. } => self
                .with_env(|env| state.effective(env))
                .map(|_| Begun::Inside),
            Kind::Map(map) => self.map(map).map(|()| Begun::Inside),
        };
        begun.unwrap_or_else(|trouble| Begun::Over(self.trouble(&trouble)))
    }

    /// What a Wait gives when its time has come.
    pub fn waited(&mut self) -> Tried {
        self.through()
            .unwrap_or_else(|trouble| self.trouble(&trouble))
    }

    /// What the state makes of the answer.
    pub fn answered(&mut self, reply: Reply) -> Tried {
        let result = match reply {
            Reply::Success(result) => result,
            Reply::Failure(error, cause) => {
                return self.failed(Failure {
                    error,
                    cause,
                    terminal: false,
                });
            }
        };
        let done = match &self.state.kind {
            Kind::Map(map) => match self.exceeded(map) {
                Ok(true) => {
                    let cause = "The specified tolerated failure threshold was exceeded";
                    let error = "States.ExceedToleratedFailureThreshold";
                    return self.failed(Failure::new(error, Some(cause.to_owned())));
                }
                Ok(false) => self.leave(&result, true),
                Err(trouble) => Err(trouble),
            },
            Kind::Task(_) => {
                self.see("result", &result);
                self.leave(&result, true)
            }
            _ => self.leave(&result, true),
        };
        done.unwrap_or_else(|trouble| self.trouble(&trouble))
    }

    fn pass(&mut self, result: Option<&Value>) -> Result<Begun, Trouble> {
        let state = self.state;
        let (input, arguments) = self.with_env(|env| state.effective(env))?;
        let paths = state.language == Language::JsonPath;
        let value = match result {
            Some(result) => {
                self.see("result", result);
                result.clone()
            }
            None => {
                let value = arguments.unwrap_or_else(|| input.clone());
                if paths {
                    self.see("afterInputPath", &input);
                    self.see("afterParameters", &value);
                }
                value
            }
        };
        self.leave(&value, true).map(Begun::Over)
    }

    fn task(&mut self) -> Result<Begun, Trouble> {
        let state = self.state;
        let Kind::Task(task) = &state.kind else {
            return Ok(Begun::Inside);
        };
        let (input, arguments) = self.with_env(|env| state.effective(env))?;
        let value = arguments.unwrap_or_else(|| input.clone());
        match state.language {
            Language::JsonPath => {
                self.see("afterInputPath", &input);
                self.see("afterParameters", &value);
            }
            Language::Jsonata => self.see("afterArguments", &value),
        }
        payload::check(&value, &state.name)?;
        let Bounds {
            timeout,
            heartbeat,
            credentials,
        } = self.with_env(|env| task.bounds(env))?;
        let token = self.context["Task"]["Token"].as_str().map(str::to_owned);
        Ok(Begun::Task(Order {
            task: 1,
            resource: task.resource.clone(),
            state: state.name.to_string(),
            input: Arc::new(value),
            token,
            timeout,
            heartbeat,
            credentials,
        }))
    }

    /// Wait and Succeed: the effective input is the output.
    fn through(&mut self) -> Result<Tried, Trouble> {
        let input = self.input_seen()?;
        self.leave(&input, false)
    }

    fn input_seen(&mut self) -> Result<Value, Trouble> {
        let state = self.state;
        let input = self.with_env(|env| Ok(state.io.input_path.apply(env)?.into_owned()))?;
        if state.language == Language::JsonPath {
            self.see("afterInputPath", &input);
        }
        Ok(input)
    }

    fn leave(&mut self, result: &Value, shown: bool) -> Result<Tried, Trouble> {
        let state = self.state;
        let mut stages = Vec::new();
        let left = self.with_env(|env| {
            state.leave(env, result, &mut |stage, value| {
                stages.push((stage, value.clone()));
            })
        });
        for (stage, value) in stages.iter().filter(|_| shown) {
            let name = match stage {
                Stage::Selected => "afterResultSelector",
                Stage::Placed => "afterResultPath",
            };
            self.see(name, value);
        }
        let next = match state.next {
            crate::definition::Next::To(next) => Some(self.definition.name(self.flow, next)),
            crate::definition::Next::End => None,
        };
        self.left(left?, next)
    }

    fn left(&mut self, left: Left, next: Option<String>) -> Result<Tried, Trouble> {
        let (output, assigned) = left;
        payload::check(&output, &self.state.name)?;
        let assigned = assigned.as_ref().and_then(Value::as_object);
        for (name, value) in assigned.into_iter().flatten() {
            self.variables.insert(name.clone(), Arc::new(value.clone()));
        }
        let mut tried = self.tried("SUCCEEDED");
        tried.output = Some(output);
        tried.next = next;
        Ok(tried)
    }

    fn tried(&mut self, status: &'static str) -> Tried {
        if !self.variables.is_empty() {
            let all = json!(self.variables);
            self.see("variables", &all);
        }
        Tried {
            status,
            output: None,
            next: None,
            error: None,
            cause: None,
            seen: std::mem::take(&mut self.seen),
        }
    }

    fn trouble(&mut self, trouble: &Trouble) -> Tried {
        let failure = Failure::of(trouble, &self.state.name, 0);
        self.failed(failure)
    }

    /// The first retrier for the error retries, the first catcher for it catches.
    fn failed(&mut self, failure: Failure) -> Tried {
        let state = self.state;
        let mut details = Fields::new();
        let retrier = failure.handler(state.retry.iter().map(|r| r.errors.as_slice()));
        let mut retried = false;
        if let Some(at) = retrier {
            details.insert("retryIndex".to_owned(), at.into());
            let (retrier, done) = (&state.retry[at], self.given.retries);
            retried = done < retrier.attempts;
            if retried {
                let wait = delay(retrier, done, &mut self.chance.borrow_mut());
                let wait = SignedDuration::try_from_secs_f64(wait).unwrap_or(SignedDuration::MAX);
                let name = "retryBackoffIntervalSeconds";
                details.insert(name.to_owned(), wait.as_secs().into());
            }
        }
        let catcher = failure.handler(state.catch.iter().map(|c| c.errors.as_slice()));
        let catcher = catcher.filter(|_| !retried);
        if let Some(at) = catcher {
            details.insert("catchIndex".to_owned(), at.into());
        }
        if !details.is_empty() {
            self.seen
                .insert("errorDetails".to_owned(), Value::Object(details));
        }
        let mut tried = match catcher {
            Some(at) => {
                let catcher = &state.catch[at];
                let next = self.definition.name(self.flow, catcher.next);
                let left = self.with_env(|env| catcher.leave(state.language, &failure, env));
                match left.and_then(|left| self.left(left, Some(next))) {
                    Ok(mut tried) => {
                        tried.status = "CAUGHT_ERROR";
                        tried
                    }
                    Err(trouble) => {
                        let failure = Failure::of(&trouble, &state.name, 0);
                        let mut tried = self.tried("FAILED");
                        (tried.error, tried.cause) = (failure.error, failure.cause);
                        return tried;
                    }
                }
            }
            None if retried => self.tried("RETRIABLE"),
            None => self.tried("FAILED"),
        };
        (tried.error, tried.cause) = (failure.error, failure.cause);
        tried
    }

    fn see(&mut self, name: &str, value: &Value) {
        self.seen.insert(name.to_owned(), value.to_string().into());
    }

    fn with_env<T>(&self, look: impl FnOnce(&Env<'_>) -> Result<T, Trouble>) -> Result<T, Trouble> {
        self.with_context(&self.context, look)
    }

    fn with_context<T>(
        &self,
        context: &Value,
        look: impl FnOnce(&Env<'_>) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let context = Lazy::new(|| context.clone());
        look(&Env {
            input: &self.given.input,
            result: None,
            error_output: None,
            variables: &self.variables,
            context: &context,
            chance: &self.chance,
            now: self.given.at,
        })
    }
}

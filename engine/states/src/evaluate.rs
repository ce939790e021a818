//! What a state makes of its data: from its input to its output, without the machine around it.

use serde_json::{Value, json};

use crate::{
    definition::{Amount, Catcher, Choice, Items, Kind, Language, Map, Select, State, Task},
    env::Env,
    retry::Failure,
    step::wrong_type,
    template::Template,
    trouble::Trouble,
};

/// An output, and what is assigned.
pub type Left = (Value, Option<Value>);

/// A place between a result and an output, and the data there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Selected,
    Placed,
}

/// Within which seconds, and as whom, a task is done.
pub struct Bounds {
    pub timeout: Option<u64>,
    pub heartbeat: Option<u64>,
    pub credentials: Option<Value>,
}

/// What an `ItemReader` is to read.
pub struct Reading<'a> {
    pub resource: &'a str,
    pub config: &'a Value,
    pub arguments: Value,
}

impl Kind {
    /// Whether the state has a result of its own, which may be retried.
    pub const fn calls(&self) -> bool {
        matches!(self, Self::Task(_) | Self::Parallel { .. } | Self::Map(_))
    }
}

impl State {
    /// The effective input and, from it, `Parameters`; or `Arguments`.
    pub fn effective(&self, env: &Env<'_>) -> Result<(Value, Option<Value>), Trouble> {
        let input = self.io.input_path.apply(env)?;
        let arguments = match &self.io.arguments {
            Some(template) => Some(template.render(&env.at(&input))?),
            None => None,
        };
        Ok((input.into_owned(), arguments))
    }

    /// From a result to what is left with; `see` looks on.
    pub fn leave(
        &self,
        env: &Env<'_>,
        result: &Value,
        see: &mut dyn FnMut(Stage, &Value),
    ) -> Result<Left, Trouble> {
        let io = &self.io;
        match self.language {
            Language::Jsonata => {
                // Succeed and Wait have no result to put anywhere.
                let env = if self.kind.calls() {
                    env.with_result(result)
                } else {
                    env.at(env.input)
                };
                let assigned = io.assign.as_ref().map(|t| t.render(&env)).transpose()?;
                let output = match &io.output {
                    Some(template) => template.render(&env)?,
                    None => result.clone(),
                };
                Ok((output, assigned))
            }
            Language::JsonPath => {
                let selected = match &io.result_selector {
                    Some(template) => template.render(&env.at(result))?,
                    None => result.clone(),
                };
                see(Stage::Selected, &selected);
                let assigned = match &io.assign {
                    Some(template) => Some(template.render(&env.at(&selected))?),
                    None => None,
                };
                let placed = io.result_path.apply(env.input, selected)?;
                see(Stage::Placed, &placed);
                let output = io.output_path.apply(&env.at(&placed))?.into_owned();
                Ok((output, assigned))
            }
        }
    }
}

impl Choice {
    /// Where it goes, and with what.
    pub fn take(&self, state: &State, env: &Env<'_>) -> Result<(u32, Left), Trouble> {
        let input = state.io.input_path.apply(env)?;
        let env = env.at(&input);
        let leave = |assign: Option<&Template>, output: Option<&Template>| {
            let assigned = assign.map(|t| t.render(&env)).transpose()?;
            let output = match (state.language, output) {
                (Language::Jsonata, Some(template)) => template.render(&env)?,
                _ => state.io.output_path.apply(&env)?.into_owned(),
            };
            Ok((output, assigned))
        };
        for (i, branch) in self.rules.iter().enumerate() {
            if branch.rule.holds(&env, i)? {
                let left = leave(branch.assign.as_ref(), branch.output.as_ref())?;
                return Ok((branch.next, left));
            }
        }
        let next = self.default.ok_or(Trouble::NoChoice)?;
        let left = leave(state.io.assign.as_ref(), state.io.output.as_ref())?;
        Ok((next, left))
    }
}

impl Catcher {
    /// With what a caught error leaves the state.
    pub fn leave(
        &self,
        language: Language,
        failure: &Failure,
        env: &Env<'_>,
    ) -> Result<Left, Trouble> {
        // Both are always there: a timeout's cause is an empty text.
        let error = json!({
            "Error": failure.error.as_deref().unwrap_or_default(),
            "Cause": failure.cause.as_deref().unwrap_or_default(),
        });
        match language {
            Language::Jsonata => {
                let env = env.with_error(&error);
                let assigned = self.assign.as_ref().map(|t| t.render(&env)).transpose()?;
                let output = match &self.output {
                    Some(template) => template.render(&env)?,
                    None => error.clone(),
                };
                Ok((output, assigned))
            }
            Language::JsonPath => {
                let assigned = match &self.assign {
                    Some(template) => Some(template.render(&env.at(&error))?),
                    None => None,
                };
                let output = self.result_path.apply(env.input, error.clone())?;
                Ok((output, assigned))
            }
        }
    }
}

impl Task {
    pub fn bounds(&self, env: &Env<'_>) -> Result<Bounds, Trouble> {
        let seconds = |amount: &Option<Amount>| amount.as_ref().map(|a| a.whole(env)).transpose();
        let credentials = self.credentials.as_ref().map(|t| t.render(env));
        Ok(Bounds {
            timeout: seconds(&self.timeout)?,
            heartbeat: seconds(&self.heartbeat)?,
            credentials: credentials.transpose()?,
        })
    }
}

impl Map {
    /// How many iterations may fail: as a number, and in percent.
    pub fn tolerance(&self, env: &Env<'_>) -> Result<(Option<u64>, Option<u64>), Trouble> {
        let Some(distributed) = &self.distributed else {
            return Ok((None, None));
        };
        let amount = |amount: &Option<Amount>| amount.as_ref().map(|a| a.whole(env)).transpose();
        Ok((
            amount(&distributed.tolerated_count)?,
            amount(&distributed.tolerated_percentage)?,
        ))
    }

    /// Its items, or what is to be read for them.
    pub fn list(
        &self,
        state: &State,
        env: &Env<'_>,
    ) -> Result<Result<Vec<Value>, Reading<'_>>, Trouble> {
        let input = state.io.input_path.apply(env)?;
        let env = env.at(&input);
        match &self.items {
            Items::Reader(reader) => {
                let arguments = reader.arguments.as_ref().map(|t| t.render(&env));
                Ok(Err(Reading {
                    resource: &reader.resource,
                    config: &reader.config,
                    arguments: arguments.transpose()?.unwrap_or(Value::Null),
                }))
            }
            Items::Path(select) => match select.apply(&env)?.into_owned() {
                Value::Array(items) => Ok(Ok(items)),
                _ => Err(not_a_list(select)),
            },
            Items::Template(template) => match template.render(&env)? {
                Value::Array(items) => Ok(Ok(items)),
                other => Err(match template {
                    Template::Query { query, field } => wrong_type(query, field, "array", &other),
                    _ => Trouble::Runtime(format!(
                        "The field 'Items' must be an array, but was: {other}"
                    )),
                }),
            },
        }
    }
}

fn not_a_list(select: &Select) -> Trouble {
    let path = match select {
        Select::Path(path) => path.source(),
        _ => "$",
    };
    Trouble::Runtime(format!("Reference path \"{path}\" must point to array."))
}

/// The failure that a Fail state is.
pub fn failure(
    error: Option<&Template>,
    cause: Option<&Template>,
    env: &Env<'_>,
) -> Result<Failure, Trouble> {
    let text = |template: Option<&Template>, field: &str| match template {
        None => Ok(None),
        Some(template) => match template.render(env)? {
            Value::String(text) => Ok(Some(text)),
            other => Err(Trouble::Runtime(format!(
                "The {field} field must be a string, but was: {other}"
            ))),
        },
    };
    Ok(Failure {
        error: text(error, "Error")?,
        cause: text(cause, "Cause")?,
        terminal: false,
    })
}

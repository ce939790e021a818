//! Wait, and timers that ran out.

use serde_json::Value;

use super::{Refusal, Turn};
use crate::{
    choice::timestamp,
    definition::{Amount, State, Text, Wait},
    env::Env,
    machine::{Phase, Timer},
    path::JsonPath,
    trouble::Trouble,
};

impl Turn<'_> {
    pub(super) fn wait(&mut self, id: u32, wait: &Wait) -> Result<(), Trouble> {
        let state = self.state(id);
        let now = self.now;
        let until = self.with_env(id, None, |env| until(state, wait, env))?;
        if until <= now {
            return self.pass_through(id);
        }
        let timer = self.timer_at(id, Timer::Wait, until);
        self.frame_mut(id).phase = Phase::Waiting { timer };
        Ok(())
    }

    pub(super) fn due(&mut self, timer: u64) -> Result<(), Refusal> {
        let (id, kind) = self
            .machine
            .timers
            .remove(&timer)
            .ok_or(Refusal::NoTimer(timer))?;
        match kind {
            Timer::Execution => self.execution_timed_out(),
            Timer::Wait => {
                if let Err(trouble) = self.pass_through(id) {
                    self.trouble(id, &trouble);
                }
            }
            Timer::Retry => {
                self.frame_mut(id).phase = Phase::Enter { again: true };
                self.machine.ready.push_back(id);
            }
            Timer::Timeout => self.task_timed_out(id, "States.Timeout"),
            Timer::Heartbeat => self.task_timed_out(id, "States.HeartbeatTimeout"),
        }
        Ok(())
    }
}

/// When a Wait is over.
pub(crate) fn until(state: &State, wait: &Wait, env: &Env<'_>) -> Result<jiff::Timestamp, Trouble> {
    let input = state.io.input_path.apply(env)?;
    let env = env.at(&input);
    match wait {
        Wait::Seconds(amount) => {
            let seconds = i64::try_from(seconds(amount, &env)?).unwrap_or(i64::MAX);
            let after = jiff::SignedDuration::from_secs(seconds);
            Ok(env.now.checked_add(after).unwrap_or(jiff::Timestamp::MAX))
        }
        Wait::Until(text) => moment(text, &env),
    }
}

fn seconds(amount: &Amount, env: &Env<'_>) -> Result<u64, Trouble> {
    let Amount::Path { path, field } = amount else {
        return amount.whole(env);
    };
    let source = path.source();
    let value = look(path, env, || {
        format!("The {field} parameter does not reference an input value: {source}")
    })?;
    let number = value.as_f64().ok_or_else(|| {
        Trouble::Runtime(format!(
            "The {field} parameter cannot be parsed as a long value: {source} == {value}"
        ))
    })?;
    if number.fract() != 0.0 {
        return Err(Trouble::Runtime(format!(
            "The {field} parameter cannot be parsed as a long value: {source} == {value}"
        )));
    }
    if number < 0.0 {
        return Err(Trouble::Runtime(format!(
            "The {field} parameter references a negative value: {source} == {value}"
        )));
    }
    amount.whole(env)
}

fn moment(text: &Text, env: &Env<'_>) -> Result<jiff::Timestamp, Trouble> {
    let (value, bad) = match text {
        Text::Fixed(text) => (Value::String(text.clone()), String::new()),
        Text::Path { path, field } => {
            let source = path.source();
            let value = look(path, env, || {
                format!("The {field} parameter does not reference an input value: {source}")
            })?;
            let shown = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            let bad = format!(
                "The {field} parameter does not reference a valid ISO-8601 extended offset date-time format string: \
                 {source} == {shown}"
            );
            (value, bad)
        }
        Text::Query { query, field } => {
            let value = query.evaluate(env, field)?;
            if !value.is_string() {
                return Err(super::wrong_type(query, field, "string", &value));
            }
            let bad = format!(
                "The JSONata expression '{}' specified for the field '{field}' did not give an ISO-8601 extended offset \
                 date-time: {value}",
                query.source()
            );
            (value, bad)
        }
    };
    value
        .as_str()
        .and_then(timestamp)
        .ok_or(Trouble::Runtime(bad))
}

fn look(path: &JsonPath, env: &Env<'_>, missing: impl Fn() -> String) -> Result<Value, Trouble> {
    path.get(env)
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| Trouble::Runtime(missing()))
}

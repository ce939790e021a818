//! Answers of tasks by their token.

use engine_states::{chance::is_token, event::Event};
use serde_json::{Value, json};

use super::{Fault, JsonAnswer, need, refuse};
use crate::{app::App, states::Told};

/// Bytes of a task's output (API reference).
const OUTPUT_LIMIT: usize = 262_144;

fn tell(app: &App, body: &Value, event: impl FnOnce(u64) -> Event) -> JsonAnswer {
    let token = need(body, "taskToken")?;
    let Some((arn, task)) = app.workflows.task_of(token)? else {
        // One that looks like a token was of a task that this engine has never had.
        return Err(if is_token(token) {
            refuse("TaskDoesNotExist", "Task Does Not Exist: 'Task not found'")
        } else {
            refuse("InvalidToken", "Invalid Token: 'Invalid token'")
        });
    };
    match app.workflows.tell(app, &arn, event(task)) {
        Ok(()) => Ok(json!({})),
        Err(Told::Refused(_)) => Err(refuse(
            "TaskTimedOut",
            "Task Timed Out: 'Provided task does not exist anymore'",
        )),
        Err(error) => Err(Fault::from(error)),
    }
}

pub fn success(app: &App, body: &Value) -> JsonAnswer {
    let text = need(body, "output")?;
    if text.len() > OUTPUT_LIMIT {
        return Err(refuse(
            "InvalidOutput",
            "Invalid Output: 'output exceeds 262144 bytes'",
        ));
    }
    let output: Value = serde_json::from_str(text)
        .map_err(|e| refuse("InvalidOutput", format!("Invalid Output: '{e}'")))?;
    tell(app, body, |task| Event::TaskSucceeded { task, output })
}

pub fn failure(app: &App, body: &Value) -> JsonAnswer {
    let text = |key: &str| body[key].as_str().map(str::to_owned);
    let (error, cause) = (text("error"), text("cause"));
    tell(app, body, |task| Event::TaskFailed { task, error, cause })
}

pub fn heartbeat(app: &App, body: &Value) -> JsonAnswer {
    tell(app, body, |task| Event::Heartbeat { task })
}
